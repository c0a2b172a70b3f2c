"""A claim is a statistic over seeds, its interval, and what was stated of it beforehand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from shortcut1d import errors
from shortcut1d.analysis.intervals import Interval, interval, mean_over_seeds, p_above

HOLDS, REFUTED, EQUIVALENT, UNDECIDED = "holds", "refuted", "equivalent", "undecided"
LEVEL = 0.05  # of every verdict; one-sided .025 where a side is claimed
Side = Literal["above", "below", "within"]


class Claim(NamedTuple):
    """Something that a table supports, or does not.

    statement: in words.
    statistic: what was computed.
    interval: its value and 95% interval.
    side, threshold: it should lie "above" or "below" this, or "within" the margin of it.
    margin: differences from the threshold up to this are of no interest; 0 for none stated.
    p: chance of the values if the verdict were wrong; of an undecided claim, above .05.
    verdict: "holds" (the whole interval lies on the stated side), "refuted" (on the other side, or
        beyond the margin), "equivalent" (within the margin, by two one-sided tests at 5%), or
        "undecided".
    over: what the interval is over.
    sentences: what papers say that this tests, in their words.
    domain: "1D" for signals, "2D" for pictures.
    primary: it was registered as one of the few that decide its sentence.
    """

    statement: str
    statistic: str
    interval: Interval
    side: Side
    threshold: float
    margin: float
    p: float
    verdict: str
    over: str = "seeds"
    sentences: tuple[str, ...] = ()
    domain: Literal["1D", "2D"] = "1D"
    primary: bool = False

    def __str__(self) -> str:
        return (
            f"{self.verdict:10} {self.statement}: {self.statistic} = {self.interval} "
            f"({self.interval.seeds} {self.over}; to be {wanted(self._asdict())})"
        )

    def record(self) -> dict[str, object]:
        """The claim as plain values, for a provenance file; numbers that are not known are None."""
        value, low, high, p = (
            None if not np.isfinite(number) else float(f"{number:.6g}")
            for number in (*self.interval[:3], self.p)
        )
        return {
            "statement": self.statement,
            "statistic": self.statistic,
            "value": value,
            "interval_95": [low, high],
            "count": self.interval.seeds,
            "over": self.over,
            "side": self.side,
            "threshold": self.threshold,
            "margin": self.margin,
            "p": p,
            "verdict": self.verdict,
            "primary": self.primary,
            "sentences": list(self.sentences),
            "domain": self.domain,
        }


def claim(
    statement: str,
    statistic: str,
    values: ArrayLike,
    *,
    above: float | None = None,
    below: float | None = None,
    within: float | None = None,
    margin: float = 0.0,
    of: Callable[[np.ndarray], Any] = mean_over_seeds,
    over: str = "seeds",
    sentence: str | Sequence[str] = (),
    domain: Literal["1D", "2D"] = "1D",
    primary: bool = False,
) -> Claim:
    """Claim that a statistic over seeds lies above, below or near a threshold; by default above 0.

    Args:
        statement: in words.
        statistic: what is computed.
        values: `(seeds, *columns)`; columns stay together, so that what shares a seed is compared
            within that seed.
        above: the threshold, where the statistic should lie above it.
        below: the threshold, where it should lie below.
        within: the threshold, where it should lie within the margin of it.
        margin: differences from the threshold that are of no interest.
        of: the statistic, `(seeds, *columns)` to a number; see `analysis.interval`.
        over: what the rows are.
        sentence: what a paper says that this tests; several where it tests several.
        domain: "1D" for signals, "2D" for pictures.
        primary: it is one of the few that decide its sentence.

    Raises:
        InvalidInput: several thresholds; a margin that is negative, or missing for `within`.
    """
    given = {"above": above, "below": below, "within": within}
    chosen = {side: value for side, value in given.items() if value is not None} or {"above": 0.0}
    if len(chosen) > 1:
        raise errors.refuse("threshold", chosen, "one of above, below and within")
    ((side, threshold),) = chosen.items()
    if side == "within":
        errors.number("margin", margin, above=0)
    errors.number("margin", margin, low=0)
    found = interval(values, of)

    def p(value: float, direction: str) -> float:
        """One-sided: chance of lying so far above or below a value."""
        if direction == "above":
            return p_above(values, value, of)
        return p_above(-np.asarray(values, np.float64), -value, lambda v: -of(-v))

    return Claim(
        statement, statistic, found, side, threshold, margin,  # type: ignore[arg-type]
        *_judged(side, threshold, margin, p), over,
        (sentence,) if isinstance(sentence, str) else tuple(sentence), domain, primary,
    )  # fmt: skip


def claim_of_interval(
    statement: str, statistic: str, found: Interval, *, above: float, over: str = "seeds"
) -> Claim:
    """Claim that a statistic lies above a threshold, by an interval that was taken elsewhere."""
    if np.isnan(found.low) or np.isnan(found.high):
        verdict = UNDECIDED
    else:
        verdict = HOLDS if found.low > above else REFUTED if found.high < above else UNDECIDED
    return Claim(statement, statistic, found, "above", above, 0.0, np.nan, verdict, over)


def _judged(
    side: str, threshold: float, margin: float, p: Callable[[float, str], float]
) -> tuple[float, str]:
    """The p-value and the verdict.

    p: gives the one-sided p-value of a value and a side.
    """
    inside = max(p(threshold - margin, "above"), p(threshold + margin, "below"))
    candidates = {EQUIVALENT: inside} if margin else {}
    if side == "within":
        outside = min(p(threshold + margin, "above"), p(threshold - margin, "below"))
        candidates[REFUTED] = 2 * outside
    else:
        other = "below" if side == "above" else "above"
        candidates |= {HOLDS: 2 * p(threshold, side), REFUTED: 2 * p(threshold, other)}
    for verdict, probability in candidates.items():  # what is of no interest comes first
        if probability < LEVEL:
            return probability, verdict
    return float(np.min([1.0, *candidates.values()])), UNDECIDED  # NaN stays NaN


def adjusted(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """Verdicts of claims that decide something together, from their records.

    Holm's correction: whichever no longer stands at 5% is undecided (S. Holm, Scand. J. Stat. 6,
    1979).
    """
    order = sorted(range(len(claims)), key=lambda n: _p(claims[n]))
    verdicts, largest = [UNDECIDED] * len(claims), 0.0
    for rank, n in enumerate(order):
        largest = max(largest, (len(claims) - rank) * _p(claims[n]))
        if largest < LEVEL:
            verdicts[n] = claims[n]["verdict"]
    return verdicts


def _p(record: Mapping[str, Any]) -> float:
    return 1.0 if record["p"] is None else record["p"]


def supports(record: Mapping[str, Any], verdict: str) -> bool:
    """Whether this verdict says that a recorded claim is right."""
    return verdict == (EQUIVALENT if record["side"] == "within" else HOLDS)


def wanted(record: Mapping[str, Any]) -> str:
    """Where the statistic of a claim should lie, in words."""
    margin = f"{record['margin']:g}"
    if record["side"] == "within":
        return f"within {margin} of {record['threshold']:g}"
    beside = f" (equivalent within {margin} of it)" if record["margin"] else ""
    return f"{record['side']} {record['threshold']:g}{beside}"


def ratio_of_means(pairs: Float[np.ndarray, "seeds 2"]) -> float:
    """Mean of the first column over the mean of the second."""
    return float(np.mean(pairs[:, 0]) / np.mean(pairs[:, 1]))


def rank_correlation(axis: ArrayLike, values: ArrayLike) -> Float[np.ndarray, " seeds"]:
    """Spearman's, of each row with the axis; NaN where a value is NaN, or all are equal.

    Args:
        axis: `(points,)`.
        values: `(seeds, points)`.
    """
    return np.array(
        [
            np.nan if np.isnan(row).any() or np.ptp(row) == 0 else spearmanr(axis, row).statistic
            for row in np.asarray(values)
        ]
    )
