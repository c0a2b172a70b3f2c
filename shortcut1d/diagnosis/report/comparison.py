"""Two reports side by side, and how they differ on the same samples."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from shortcut1d import errors
from shortcut1d.analysis.intervals import NESTED, Interval, percentiles
from shortcut1d.analysis.structure import CONTENT_TWIN, DEGRADATION_TWIN
from shortcut1d.diagnosis.inputs import CONTENT, DEGRADATION, SEEN
from shortcut1d.diagnosis.measures import ROOTS, UNKNOWN
from shortcut1d.diagnosis.report.record import Saved, read, record_of, saved_of
from shortcut1d.diagnosis.report.table import Report

Means = Float[np.ndarray, "tests networks resamples"]


def _share(left: Means) -> np.ndarray:
    return np.clip(1 - left, -1, 1).mean(axis=(0, 1))


def _ratio(unseen: Means, seen: Means) -> np.ndarray:
    return np.mean(1 - unseen, axis=(0, 1)) / np.mean(1 - seen, axis=(0, 1))


def _less(one: Means, other: Means) -> np.ndarray:
    return np.mean(one - other, axis=(0, 1))


_KEPT, _REMOVED = ("nmse", CONTENT), ("relative_error", DEGRADATION)
_LEFT = ("relative_error", SEEN)
_TWIN_D, _TWIN_C = ("relative_error", DEGRADATION_TWIN), ("relative_error", CONTENT_TWIN)
# Measures that are computed from several tests: the measure and role of each test, and the formula,
# the same as in `measures.index_measures` and `structure.structure_measures`.
SUMMARIES: dict[str, tuple[list[tuple[str, str]], Callable[..., np.ndarray]]] = {
    "phi": ([_REMOVED, _KEPT], lambda d, c: _share(d) - _share(c)),
    "generality": ([_REMOVED, _KEPT], lambda d, c: (_share(d) + _share(c)) / 2),
    "kept": ([_KEPT], _share),
    "removed": ([_REMOVED], _share),
    "removed from seen": ([_LEFT], _share),
    "transfer": ([_REMOVED, _LEFT], _ratio),
    "transfer of content": ([_KEPT, ("nmse", SEEN)], _ratio),
    "psi": ([_TWIN_C, _TWIN_D], _less),
    "d_D": ([_TWIN_D, _LEFT], _less),
    "d_C": ([_TWIN_C, _LEFT], _less),
}

PAIRED, OTHER_DATA, NOT_KEPT = "paired", "not the same data", "not paired"
OTHERWISE = "not measured alike"
# Measured from the value of silence, which is mid-grey in pictures.
FROM_SILENCE = ("nmse", "content_gain", "degradation_gain", "unexplained", "hallucination")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two networks, or two sets of them, side by side.

    titles: what a and b are called.
    verdicts: the verdict on each.
    networks: number of networks in each.
    table: see `to_frame`.
    """

    titles: tuple[str, str]
    verdicts: tuple[str, str]
    networks: tuple[int, int]
    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row for each measure and test that either report has.

        `measure, test`; `a, a_low, a_high, b, b_low, b_high`; `difference, low, high`: b - a and
        its 95% interval over the samples that both were tested on; `basis`: "paired", "not the same
        data", "not measured alike" (one as pictures, or with another threshold), or "not paired"
        where a report keeps no value a sample (`rho`, the Jacobian) or has no such test.
        """
        return self.table.copy()

    @property
    def clear(self) -> pd.DataFrame:
        """The rows whose difference has an interval without 0."""
        return self.table[(self.table["low"] > 0) | (self.table["high"] < 0)]

    def __str__(self) -> str:
        lines = []
        for letter, title, verdict in zip("ab", self.titles, self.verdicts):
            lines += [f"{letter}: {' '.join(title.split())}", f"   {verdict}"]
        rows = [("measure", "test", "a [95% interval]", "b [95% interval]", "b - a [95% interval]")]
        for row in _rows(self.table):
            difference = _shown(row.difference, row.low, row.high)
            rows.append(
                (
                    row.measure, row.test, _shown(row.a, row.a_low, row.a_high),
                    _shown(row.b, row.b_low, row.b_high),
                    difference if row.basis == PAIRED else row.basis,
                )
            )  # fmt: skip
        wide = [max(map(len, column)) for column in zip(*rows)]
        lines.append("")
        lines += ["  ".join(f"{c:{w}}" for c, w in zip(row, wide)).rstrip() for row in rows]
        return "\n".join([*lines, "", *self._in_words()])

    def _in_words(self) -> list[str]:
        of_networks = ~self.table["measure"].str.endswith("of the input")
        paired = self.table[of_networks & self.table["difference"].notna()]
        if paired.empty:
            return ["No differences: the reports are of other data, or were measured otherwise."]
        said = []
        for word, rows in (
            ("above", self.clear[self.clear["difference"] > 0]),
            ("below", self.clear[self.clear["difference"] < 0]),
        ):
            names = [
                f"{m} ({', '.join(of)})" for m, of in rows.groupby("measure", sort=False)["test"]
            ]
            said.append(f"b is {word} a in {'; '.join(names) or 'nothing'}.")
        rest = len(paired) - len(self.clear)
        said.append(
            f"In the other {rest} of {len(paired)} differences the interval holds 0. By chance "
            "alone about one in 20 would not."
        )
        if max(self.networks) > 1:
            said.append(
                f"a is the mean of {self.networks[0]}, b of {self.networks[1]} networks. The "
                "differences' intervals are over samples alone: they are of these networks, not of "
                "others trained alike."
            )
        return said


def compare(a: Report | str | Path, b: Report | str | Path) -> Comparison:
    """Two networks side by side; paired, sample by sample, where they were given the same data.

    A difference is b - a. Its interval is a bootstrap of the samples; both networks have the same
    samples in each resample. The more the networks agree on which samples are hard, the narrower
    this interval is than one from two separate intervals. Data are the same where a test's
    clean and degraded samples have the same SHA-256; tests are matched by name.

    Args:
        a: a report, or the path of one that was saved as JSON.
        b: as a. The numbers of networks may differ; their means are compared.

    Raises:
        InvalidInput: no report; a file that cannot be read, is no report or has another format.
    """
    one, other = _saved("a", a), _saved("b", b)
    columns = ["value", "low", "high"]
    keys = ["measure", "test"]
    sides = [
        saved.table[keys + columns].rename(
            columns=dict(zip(columns, (letter, f"{letter}_low", f"{letter}_high")))
        )
        for letter, saved in (("a", one), ("b", other))
    ]
    # In the order of a; rows that only b has come last.
    table = sides[0].merge(sides[1], on=keys, how="left")
    known = pd.MultiIndex.from_frame(sides[0][keys])
    more = sides[1][~pd.MultiIndex.from_frame(sides[1][keys]).isin(known)]
    table = pd.concat([table, more], ignore_index=True) if len(more) else table
    found = []
    for row in _rows(table):
        interval, basis = _difference(one, other, row.measure, row.test)
        known_in_both = not (np.isnan(row.a) or np.isnan(row.b))
        found.append((interval if known_in_both else UNKNOWN, basis))
    for position, name in enumerate(("difference", "low", "high")):
        table[name] = [interval[position] for interval, _ in found]
    table["basis"] = [basis for _, basis in found]
    return Comparison(
        titles=(one.title, other.title),
        verdicts=(one.verdict, other.verdict),
        networks=(one.networks, other.networks),
        table=table,
    )


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    return table.itertuples()


def _saved(name: str, given: Report | str | Path) -> Saved:
    if isinstance(given, Report):
        return saved_of(record_of(given, f"network {name}"))
    if not isinstance(given, str | Path):
        raise errors.refuse(name, type(given).__name__, "a report, or the path of a saved one")
    return read(Path(given))


def _difference(a: Saved, b: Saved, measure: str, test: str) -> tuple[Interval, str]:
    """The difference b - a of a measure, and its basis."""
    if measure in SUMMARIES:
        parts, statistic = SUMMARIES[measure]
        groups = [
            [[(name, t) for t, role in saved.roles.items() if role == wanted] for saved in (a, b)]
            for name, wanted in parts
        ]
        if any(sorted(of_a) != sorted(of_b) for of_a, of_b in groups):
            return UNKNOWN, OTHER_DATA
        chosen = [of_a for of_a, _ in groups]
    else:
        chosen, statistic = [[(measure, test)]], _root_mean if measure in ROOTS else _mean
    keys = [key for group in chosen for key in group]
    if not all(chosen) or any(key not in saved.per_sample for saved in (a, b) for key in keys):
        return UNKNOWN, NOT_KEPT
    if any(a.data[t] != b.data[t] for _, t in keys):
        return UNKNOWN, OTHER_DATA
    if a.pictures != b.pictures and any(name in FROM_SILENCE for name, _ in keys):
        return UNKNOWN, OTHERWISE
    if a.threshold != b.threshold and measure in ROOTS:
        return UNKNOWN, OTHERWISE
    sizes = [len(group) for group in chosen]
    tables = [np.concatenate([a.per_sample[key], b.per_sample[key]]) for key in keys]
    split = len(a.per_sample[keys[0]])

    def more_in_b(means: Means) -> np.ndarray:
        groups = np.split(means, np.cumsum(sizes)[:-1])
        return statistic(*(g[:, split:] for g in groups)) - statistic(
            *(g[:, :split] for g in groups)
        )

    if measure in ROOTS:
        tables = [values**2 for values in tables]
    return paired_bootstrap(tables, more_in_b), PAIRED


def _mean(means: Means) -> np.ndarray:
    return means.mean(axis=(0, 1))


def _root_mean(means: Means) -> np.ndarray:
    return np.sqrt(means.mean(axis=(0, 1)))


def paired_bootstrap(
    tables: list[Float[np.ndarray, "networks samples"]],
    statistic: Callable[[Means], np.ndarray],
) -> Interval:
    """95% interval over samples that all networks share.

    As `nested_bootstrap` for one network, and as wide, but all networks have the same samples in
    each resample of a test.

    Args:
        tables: one for each test; the samples of different tests are independent. Samples with a
            NaN in any network are left out.
        statistic: from the means over samples to one value for each resample.
    """
    known = [table[:, ~np.isnan(table).any(axis=0)] for table in tables]
    counts = [table.shape[1] for table in known]
    if min(counts) < 2:
        return UNKNOWN
    rng = np.random.default_rng(0)
    weights = [rng.multinomial(n, np.full(n, 1 / n), NESTED) / n for n in counts]
    with np.errstate(divide="ignore", invalid="ignore"):  # a ratio to 0 is unknown
        estimate = statistic(np.stack([table.mean(axis=1)[:, None] for table in known]))
        spread = statistic(np.stack([table @ w.T for table, w in zip(known, weights)]))
    low, high = np.quantile(spread, percentiles(min(counts), 0.95))
    return Interval(float(estimate[0]), float(low), float(high), len(tables[0]))


def _shown(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "unknown"
    return str(Interval(value, low, high, 1))
