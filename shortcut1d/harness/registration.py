"""Claims that were written down before the run that decides them.

A registration is a TOML file: what is claimed, the settings and the seeds of the run. It is
committed before that run, whose provenance names its hash.
"""

import datetime
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from shortcut1d import errors, store
from shortcut1d.analysis.intervals import seeds_needed
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.provenance import git

CONFIRMING = 1000  # first seed of kept runs; those below 100 are for exploring
FIELDS = {"study": str, "date": datetime.date, "settings": dict, "claims": dict}
CLAIM_FIELDS = {
    "statement": str, "statistic": str, "sentence": str, "primary": bool, "side": str,
    "threshold": int | float, "margin": int | float, "effect": int | float, "spread": int | float,
}  # fmt: skip
SIDES = ("above", "below", "within")


@dataclass(frozen=True)
class Registration:
    """What was registered of a study.

    path: of the file.
    sha256: of its bytes.
    date: when it was written.
    settings: of the run that decides, `seeds` and `first_seed` among them.
    claims: by name; see `CLAIM_FIELDS`.
    """

    path: Path
    sha256: str
    date: str
    settings: dict[str, Any]
    claims: dict[str, dict[str, Any]]

    def claim(
        self, name: str, values: ArrayLike, sentences: Mapping[str, str], **how: Any
    ) -> Claim:
        """The claim of that name, on the values of a table.

        Args:
            name: of the claim.
            values: `(seeds, *columns)`.
            sentences: what papers say, by the names that the file uses.
            how: further arguments of `claims.claim`.
        """
        stated = self.claims[errors.choice("claim", name, self.claims)]
        sentence = stated["sentence"]
        how |= {
            stated["side"]: float(stated["threshold"]),
            "margin": float(stated["margin"]),
            "sentence": sentences[sentence] if sentence else (),
            "primary": stated["primary"],
        }
        return claim(stated["statement"], stated["statistic"], values, **how)

    def claims_on(
        self, values: Mapping[str, ArrayLike], sentences: Mapping[str, str], **how: Any
    ) -> list[Claim]:
        """The claims that `values` has by name, in the order of the file; see `claim`."""
        return [
            self.claim(name, values[name], sentences, **how)
            for name in self.claims
            if name in values
        ]

    def record(self) -> dict[str, Any]:
        """What provenance says of it: its hash, and the commit that holds it (None if none does).

        power: by claim, how many seeds find its smallest effect of interest nine times in ten.
        """
        return {
            "file": self.path.name,
            "date": self.date,
            "sha256": self.sha256,
            "commit": _commit_of(self.path),
            "power": {
                stated["statement"]: {
                    "effect": stated["effect"],
                    "spread": stated["spread"],
                    "seeds_needed": seeds_needed(stated["spread"], stated["effect"]),
                }
                for stated in self.claims.values()
            },
        }

    def broken(self, record: Mapping[str, Any]) -> list[str]:
        """Why the run of this provenance is not the one that was registered; empty if it is."""
        named = record.get("registration") or {}
        if named.get("sha256") != self.sha256:
            return [f"it was not run under the registration {self.path.name} as it is"]
        why = []
        if named.get("commit") is None:
            why.append(f"{self.path.name} was not committed when it was run")
        config = record["config"]
        for field, value in self.settings.items():
            if config.get(field) != value:
                why.append(f"{field} is {config.get(field)!r}, registered was {value!r}")
        return why


def read(path: Path) -> Registration:
    """Read a registration.

    Raises:
        InvalidInput: no such file, no TOML, a field that is missing or of another type, seeds that
            were for exploring.
    """
    data = store.read_bytes(path)
    try:
        found = tomllib.loads(data.decode())
    except ValueError as error:
        raise errors.InvalidInput(f"{path}: not TOML ({error})") from error
    _check(str(path), found, FIELDS)
    for name, stated in found["claims"].items():
        _check(f"{path}: claim {name}", stated, CLAIM_FIELDS)
        errors.choice(f"{path}: claim {name}: side", stated["side"], SIDES)
    first = found["settings"].get("first_seed", 0)
    if first < CONFIRMING:
        raise errors.refuse(f"{path}: first_seed", first, f"{CONFIRMING} or more: unseen seeds")
    return Registration(
        path, hashlib.sha256(data).hexdigest(), str(found["date"]), found["settings"],
        found["claims"],
    )  # fmt: skip


def _check(where: str, found: Any, fields: Mapping[str, Any]) -> None:
    for field, kind in fields.items():
        if not isinstance(found, dict) or not isinstance(found.get(field), kind):
            raise errors.InvalidInput(f"{where}: {field} is missing, or of another type")


def _commit_of(path: Path) -> str | None:
    """The last commit that changed the file, if the file is as it was committed."""
    if git(path.parent, "status", "--porcelain", "--", path.name) != "":
        return None
    return git(path.parent, "log", "-1", "--format=%H", "--", path.name) or None
