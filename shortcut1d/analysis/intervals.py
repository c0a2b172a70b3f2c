"""How sure: bootstrap intervals over seeds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import norm, t

from shortcut1d import errors

RESAMPLES = 10_000


class Interval(NamedTuple):
    """A statistic and its interval; NaN bounds where one seed is all there is.

    estimate, low, high: in the statistic's unit. seeds: how many it rests on.
    """

    estimate: float
    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def mean_over_seeds(values: Float[np.ndarray, "seeds *rest"]) -> Float[np.ndarray, "*rest"]:
    """The default statistic."""
    return np.mean(values, axis=0)


def bootstrap(
    values: Float[np.ndarray, "seeds *columns"],
    statistic: Callable[[np.ndarray], np.ndarray] = mean_over_seeds,
    confidence: float = 0.95,
) -> Interval:
    """Expanded percentile interval of `statistic`, seeds resampled with replacement.

    With a handful of seeds the plain percentile interval is too narrow (for 5 it covers about 84%
    instead of 95%). The expanded one takes wider percentiles, such that for a mean of normal
    values it comes out as wide as Student's t interval: T. Hesterberg, "What teachers should
    know about the bootstrap", The American Statistician 69 (2015), section 5.3. Measured cover for
    normal values (4000 trials): 92% with 5 seeds, 94% with 8, 95% with 10; with 3 no bootstrap can
    pass 75%.

    Args:
        values: one row a seed; further columns stay together, so that what shares a seed is
            compared in pairs.
        statistic: `(seeds, *columns, resamples)` to `(resamples,)`.
        confidence: between 0 and 1.

    Returns:
        the interval; seeds with a NaN (a diverged run) are left out and not counted.

    Raises:
        InvalidInput: no seeds at all, or a confidence outside (0, 1).
    """
    errors.number("confidence", confidence, above=0, below=1)
    rows = np.asarray(values, np.float64)
    if rows.ndim == 0 or len(rows) == 0:
        raise errors.refuse("values", values, "at least one seed")
    rows = rows[~np.isnan(rows).reshape(len(rows), -1).any(axis=1)]
    count = len(rows)
    if count == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    estimate = float(np.squeeze(statistic(rows[..., None])))
    if count == 1:
        return Interval(estimate, np.nan, np.nan, 1)
    # A generator of its own, always the same: equal tables give equal intervals.
    picks = np.random.default_rng(0).integers(0, count, (count, RESAMPLES))
    resampled = statistic(np.moveaxis(rows[picks], 1, -1))
    tail = (1 - confidence) / 2
    widened = norm.cdf(np.sqrt(count / (count - 1)) * t.ppf(tail, count - 1))
    low, high = np.quantile(resampled, [widened, 1 - widened])
    return Interval(estimate, float(low), float(high), count)
