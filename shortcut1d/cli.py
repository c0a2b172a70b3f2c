"""The command `shortcut1d diagnose`: what did your restoration network learn?

shortcut1d diagnose --model mymodule:load --clean DIR --degraded DIR

mymodule is found from the working directory (or name a file: path/to/model.py:load). load() makes
the network: a PyTorch module in evaluation mode, or any callable on arrays of shape (n, height,
width, channels). The folders hold what it was trained on, pictures with matching names. Without
--new-clean and --new-degraded, letters and dead leaves stand for content that it was not trained
on. They get what the degraded pictures have more than the clean ones: give folders where that is
not what the degradation does (a blur, for one). Without --other-clean and --other-degraded, rain
and Gaussian noise stand for degradations that it was not trained on: give folders if it was.

Beside figure and table it writes diagnosis_report.html, a page to send, and diagnosis_report.json,
which `shortcut1d compare` sets beside that of another network.
"""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import shortcut1d
from shortcut1d import data_cli, errors
from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.analysis.transfer import HALF
from shortcut1d.data import image_degradations, images, pictures
from shortcut1d.diagnosis import Report, diagnose
from shortcut1d.diagnosis.loading import load
from shortcut1d.diagnosis.report import SUFFIXES, compare, draw, interval_of, sentence
from shortcut1d.harness import driver
from shortcut1d.harness.claims import Claim, claim_of_interval
from shortcut1d.harness.driver import Experiment, Result
from shortcut1d.harness.options import Parser, add_output, option
from shortcut1d.harness.progress import leave_at_once, output, warn
from shortcut1d.training.grid import ProgressReport
from shortcut1d.training.sweep import Session

PAIRS = {
    "": "what it was trained on",
    "new_": "content it was not trained on, under the degradation that it was trained on",
    "other_": "a degradation it was not trained on",
}


def folder(prefix: str, part: str) -> Any:
    """An option that names a folder of pictures."""
    return option(None, f"folder of {part} pictures (PNG, JPEG): {PAIRS[prefix]}")


@dataclass(frozen=True)
class Config:
    """Which network, and on what."""

    model: str | None = option(None, "MODULE:NAME or FILE.py:NAME of the network")
    clean: str | None = folder("", "clean")
    degraded: str | None = folder("", "degraded")
    new_clean: str | None = folder("new_", "clean")
    new_degraded: str | None = folder("new_", "degraded")
    other_clean: str | None = folder("other_", "clean")
    other_degraded: str | None = folder("other_", "degraded")
    size: int = option(64, "pixels along each side of the squares that are cut out of pictures")
    channels: int = option(3, "1 for grey, 3 for colour")
    samples: int = option(64, "squares a test")
    portraits: int = option(0, "inputs at which the Jacobian is looked at; each takes long")

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("size", self.size, low=16, high=4096)
        pictures.checked_channels(self.channels)
        errors.integer("samples", self.samples, low=8, high=100_000)
        errors.integer("portraits", self.portraits, low=0)
        for prefix in PAIRS:
            names = f"{prefix}clean", f"{prefix}degraded"
            folders = [getattr(self, name) for name in names]
            if sum(name is None for name in folders) == 1:
                raise errors.refuse(
                    names[folders.index(None)], None, "a folder, as its partner has"
                )
        if self.clean is None and (self.new_clean or self.other_clean):
            raise errors.refuse("clean", None, "a folder: what the network was trained on")

    def read(self, prefix: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Clean and degraded squares of two folders, if they are given."""
        clean, degraded = (getattr(self, f"{prefix}{part}") for part in ("clean", "degraded"))
        if clean is None:
            return None
        files = pictures.count_pairs(clean, degraded)
        pairs = pictures.read_pairs(clean, degraded, self.size, self.channels, warn)
        return pictures.crops(pairs, self.samples, self.size, -(-self.samples // max(files, 1)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0 when it ran, 2 for bad input, 130 when interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["diagnose"]:
        status = driver.main(COMMAND, words[1:], prog="shortcut1d diagnose")
    elif words[:1] == ["data"]:
        status = data_cli.main(words[1:])
    elif words[:1] == ["compare"]:
        status = compare_reports(words[1:])
    else:
        status = help_on(words)
    if argv is None and status == driver.INTERRUPTED:
        leave_at_once(status)
    return status


def compare_reports(words: Sequence[str]) -> int:
    """Run `shortcut1d compare`; the exit status: 0 when it ran, 2 for bad input."""
    parser = Parser(
        prog="shortcut1d compare",
        description="Two networks side by side: b less a, with 95% intervals, sample by sample "
        "where both were given the same data.",
    )
    for name in ("a", "b"):
        parser.add_argument(
            name, type=Path, metavar=f"{name}.json", help="that shortcut1d diagnose or "
            "report.save wrote",
        )  # fmt: skip
    add_output(parser)
    chosen = parser.parse_args(words)
    try:
        with output(quiet=chosen.quiet, json=chosen.json) as printed:
            found = compare(chosen.a, chosen.b)
            print(found)
            networks = {
                letter: {"title": title, "verdict": verdict, "networks": networks}
                for letter, title, verdict, networks in zip(
                    "ab", found.titles, found.verdicts, found.networks
                )
            }
            printed.finish(networks | {"measures": rows(found.table)})
    except errors.Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


def help_on(words: Sequence[str]) -> int:
    """Say what commands there are, or what is wrong with `words`, which begin with none of them."""
    parser = Parser(prog="shortcut1d", description="What did this denoiser learn?")
    parser.add_argument("--version", action="version", version=shortcut1d.__version__)
    parser.add_argument(
        "command",
        choices=["diagnose", "compare", "data"],
        help="diagnose: a report on your network (diagnose --help); "
        "compare: two reports side by side (compare --help); "
        "data: public data sets and trained networks, to list and to download (data --help)",
    )
    if words:
        parser.parse_args(words)  # which ends the program
    parser.print_help(sys.stderr)
    return 2


def run(config: Config, session: Session) -> Result:
    """Load the network, read the pictures, diagnose, print the report."""
    for name in ("model", "clean"):
        if getattr(config, name) is None:
            raise errors.InvalidInput(f"{name}: is missing (shortcut1d diagnose --help)")
    report = report_on(config, session, load(str(config.model)))
    print(report)
    if report.interrupted:
        raise KeyboardInterrupt  # what was measured is on the screen; a file would look complete
    title = Path(str(config.model)).name  # whoever gets it need not know our folders
    files = {f"_report{end}": report.file_bytes(end, title=title) for end in SUFFIXES}
    return dataclasses.replace(result_of(report), files=files)


def report_on(config: Config, session: Session, denoiser: Denoiser) -> Report:
    """The report on a denoiser of pictures."""
    kwargs: Any = {"size": config.size, "channels": config.channels}
    seen, new, other = (config.read(prefix) for prefix in PAIRS)
    content: Any = images.photographs(**kwargs) if seen is None else seen[0]
    degradation: Any = image_degradations.rain("small", **kwargs) if seen is None else seen[1]
    drawn = {"letters": images.text(**kwargs), "dead leaves": images.leaves(**kwargs)}
    rain_and_noise = {
        "other rain": image_degradations.other_rain(**kwargs),
        "Gaussian noise": image_degradations.sensor_noise("gaussian", **kwargs),
    }
    return diagnose(
        denoiser,
        content,
        degradation,
        unseen_content=drawn if new is None else {"new content": new},
        unseen_degradation=rain_and_noise if other is None else {"other degradation": other},
        samples=config.samples,
        portraits=config.portraits,
        pictures=True,
        progress=DiagnosisProgress(session),
    )


class DiagnosisProgress:
    """Passes on to a session how far a diagnosis is, and what it measures."""

    def __init__(self, session: Session) -> None:
        """session: that of the command."""
        self._session, self._doing = session, ""

    def doing(self, what: str) -> None:
        """Remember what is measured from now on."""
        self._doing = f"measuring: {what}"

    def __call__(self, done: int, total: int) -> None:
        """Pass on how many samples went through, and of how many."""
        self._session.progress(ProgressReport(done, total, 0, doing=self._doing))


def result_of(report: Report) -> Result:
    """The report as a table, and arrays to draw."""
    return Result(report.to_frame(), report.arrays(), notes=report.notes)


def claims(table: pd.DataFrame) -> list[Claim]:
    """The two halves of the verdict, and that the network removes what it has seen."""
    made = []
    for statement, measure in (
        ("it removes most of the degradation it has seen", "removed from seen"),
        ("it keeps most of a content it has not seen", "kept"),
        ("it removes most of a degradation it has not seen", "removed"),
    ):
        samples = int(table.loc[table["measure"] == measure, "samples"].iloc[0])
        found = interval_of(table, measure)._replace(seeds=samples)
        made.append(claim_of_interval(statement, measure, found, above=HALF, over="samples"))
    return made


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """The report's figure."""
    return draw(table, arrays)


def document(table: pd.DataFrame) -> dict[str, Any]:
    """What `--json` has beside the claims: the verdict, and every measure with its interval."""
    return {"verdict": sentence(table), "measures": rows(table)}


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain values, None where one is unknown."""
    known = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in known.to_dict("records")]


COMMAND = Experiment(
    name="diagnosis",
    message="What the network learned.",
    presets={"quick": Config()},
    run=run,
    plot=plot,
    claims=claims,
    unit="samples",
    document=document,
)
