"""A claim is a statistic over seeds, its interval and a threshold stated beforehand."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from shortcut1d.analysis import Interval, bootstrap
from shortcut1d.analysis.intervals import mean_over_seeds


class Claim(NamedTuple):
    """Something that a table supports, or does not.

    statement: in words.
    statistic: what was computed.
    interval: its value and 95% interval.
    side, threshold: it should lie "above" or "below" this.
    over: what the interval is over.
    sentences: what papers say that this tests, in their words.
    domain: "1D" for signals, "2D" for pictures.
    """

    statement: str
    statistic: str
    interval: Interval
    side: Literal["above", "below"]
    threshold: float
    over: str = "seeds"
    sentences: tuple[str, ...] = ()
    domain: Literal["1D", "2D"] = "1D"

    @property
    def verdict(self) -> str:
        """Whether it "holds" (the whole interval does), "fails", or is "undecided" (one seed)."""
        if np.isnan(self.interval.low) or np.isnan(self.interval.high):
            return "undecided"
        if self.side == "above":
            return "holds" if self.interval.low > self.threshold else "fails"
        return "holds" if self.interval.high < self.threshold else "fails"

    def __str__(self) -> str:
        return (
            f"{self.verdict:9} {self.statement}: {self.statistic} = {self.interval} "
            f"({self.interval.seeds} {self.over}; to be {self.side} {self.threshold:g})"
        )

    def record(self) -> dict[str, object]:
        """The claim as plain values, for a provenance file; numbers that are not known are None."""
        value, low, high = (
            None if np.isnan(number) else float(f"{number:.6g}") for number in self.interval[:3]
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
            "verdict": self.verdict,
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
    of: Callable[[np.ndarray], np.ndarray] = mean_over_seeds,
    over: str = "seeds",
    sentence: str | Sequence[str] = (),
    domain: Literal["1D", "2D"] = "1D",
) -> Claim:
    """That a statistic over seeds lies on one side of a threshold; above 0 if none is given.

    Args:
        statement: in words.
        statistic: what is computed.
        values: `(seeds, *columns)`; columns stay together, so that what shares a seed is paired.
        above: the threshold, where the statistic should lie above it.
        below: the threshold, where it should lie below.
        of: the statistic, `(seeds, *columns, resamples)` to `(resamples,)`; see `bootstrap`.
        over: what the rows are.
        sentence: what a paper says that this tests; several where it tests several.
        domain: "1D" for signals, "2D" for pictures.
    """
    interval = bootstrap(values, of)
    side: Literal["above", "below"] = "above" if below is None else "below"
    threshold = (above or 0.0) if below is None else below
    sentences = (sentence,) if isinstance(sentence, str) else tuple(sentence)
    return Claim(statement, statistic, interval, side, threshold, over, sentences, domain)


def ratio_of_means(
    pairs: Float[np.ndarray, "seeds 2 resamples"],
) -> Float[np.ndarray, " resamples"]:
    """Mean of the first column over the mean of the second."""
    return np.mean(pairs[:, 0], axis=0) / np.mean(pairs[:, 1], axis=0)


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
