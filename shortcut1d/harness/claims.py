"""A claim is a statistic over seeds, its interval and a threshold stated beforehand."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from shortcut1d.analysis import Interval, bootstrap


class Claim(NamedTuple):
    """Something that a table supports, or does not.

    statement: in words. statistic: what was computed. interval: its value and 95% interval.
    side, threshold: it should lie "above" or "below" this. over: what the interval is over.
    """

    statement: str
    statistic: str
    interval: Interval
    side: Literal["above", "below"]
    threshold: float
    over: str = "seeds"

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
        low, high, value = (
            None if np.isnan(number) else float(f"{number:.6g}")
            for number in (self.interval.low, self.interval.high, self.interval.estimate)
        )
        return {
            "statement": self.statement,
            "statistic": self.statistic,
            "value": value,
            "interval_95": [low, high],
            self.over: self.interval.seeds,
            "side": self.side,
            "threshold": self.threshold,
            "verdict": self.verdict,
        }


def ratio_of_means(
    pairs: Float[np.ndarray, "seeds 2 resamples"],
) -> Float[np.ndarray, " resamples"]:
    """Mean of the first column over the mean of the second."""
    return np.mean(pairs[:, 0], axis=0) / np.mean(pairs[:, 1], axis=0)


def claim_mean(
    statement: str,
    statistic: str,
    values: Float[np.ndarray, " seeds"],
    side: Literal["above", "below"],
    threshold: float,
) -> Claim:
    """That the mean over seeds lies on one side of a threshold."""
    return Claim(statement, statistic, bootstrap(values), side, threshold)


def claim_ratio(
    statement: str,
    statistic: str,
    pairs: Float[np.ndarray, "seeds 2"],
    side: Literal["above", "below"],
    threshold: float,
) -> Claim:
    """That the ratio of two means, paired by seed, lies on one side of a threshold."""
    return Claim(statement, statistic, bootstrap(pairs, ratio_of_means), side, threshold)


def rank_correlation(axis: list[float], values: np.ndarray) -> np.ndarray:
    """Spearman's, of each row of `(seeds, points)` with the axis; NaN where a value is."""
    return np.array(
        [
            np.nan if np.isnan(row).any() or np.ptp(row) == 0 else spearmanr(axis, row).statistic
            for row in values
        ]
    )
