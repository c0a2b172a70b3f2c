"""How sure: bootstrap intervals over seeds."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from shortcut1d import errors

RESAMPLES = 10_000
NESTED = 1_000  # resamples of networks and of their samples
COUNTS = 2**22  # of them held at once


class Interval(NamedTuple):
    """A statistic and its interval; NaN bounds where one seed is all there is.

    Each part is a number, or an array of them where it is an interval of each of many columns.

    estimate, low, high: in the statistic's unit.
    seeds: how many it rests on.
    """

    estimate: Any
    low: Any
    high: Any
    seeds: Any

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def mean_over_seeds(values: Float[np.ndarray, "seeds *rest"]) -> Float[np.ndarray, "*rest"]:
    """The default statistic."""
    return np.mean(values, axis=0)


def bootstrap(
    values: ArrayLike,
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
        values: `(seeds, *columns)`; columns stay together, so that what shares a seed is compared
            in pairs.
        statistic: `(seeds, *columns, resamples)` to `(resamples,)`.
        confidence: between 0 and 1.

    Returns:
        the interval; seeds with a NaN (a diverged run) are left out and not counted.

    Raises:
        InvalidInput: no seeds at all, or a confidence outside (0, 1).
    """
    errors.number("confidence", confidence, above=0, below=1)
    rows = errors.numbers("values", values)
    if len(rows) == 0:
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
    low, high = np.quantile(resampled, _percentiles(count, confidence))
    return Interval(estimate, float(low), float(high), count)


def bootstrap_each(values: ArrayLike) -> Interval:
    """`bootstrap` of each of many columns, as one `Interval` of arrays: for a curve or a map.

    Args:
        values: `(seeds, *rest)`.

    Returns:
        an interval whose parts have the shape `*rest`.
    """
    rows = np.asarray(values)
    columns = rows.reshape(len(rows), -1).T
    parts = np.array([bootstrap(column) for column in columns], np.float64).T
    return Interval(*parts.reshape(len(Interval._fields), *rows.shape[1:]))


def nested_bootstrap(
    values: Float[np.ndarray, "seeds samples *columns"] | Sequence[Float[np.ndarray, "seeds _"]],
    statistic: Callable[[np.ndarray], np.ndarray] = mean_over_seeds,
    confidence: float = 0.95,
) -> Interval:
    """Interval over networks and the samples that each was given: both are resampled, nested.

    With one network the interval is over its samples alone: it says how well *this* network is
    known, not how another training of it would come out. Measured cover for normal values, 50
    samples a network: 95% with one network, 92% with 5 whose samples vary as much as they do, 99%
    with 5 whose samples vary seven times as much, since sample noise then counts twice.

    Args:
        values: one row a network (seed), one entry a sample; further columns stay together. Or
            several such tables of the same networks, whose samples have nothing to do with one
            another: each is resampled on its own, and they are the columns.
        statistic: `(means of the samples: seeds, *columns, resamples)` to `(resamples,)`.
        confidence: between 0 and 1.

    Returns:
        the interval; its `seeds` counts networks. Networks with a NaN are left out.

    Raises:
        InvalidInput: fewer than two samples, no network, or a confidence outside (0, 1).
    """
    errors.number("confidence", confidence, above=0, below=1)
    apart = not isinstance(values, np.ndarray)
    if apart and not (isinstance(values, list | tuple) and len(values)):
        raise errors.refuse("values", values, "an array, or a list of some")
    tables = [errors.numbers("values", part) for part in (values if apart else [values])]
    for table in tables:
        if table.ndim < 2 or table.shape[0] == 0 or table.shape[1] < 2:
            wanted = "shape (seeds, samples), two samples or more"
            raise errors.refuse("values", table.shape, wanted)
    known = np.all([~np.isnan(t).reshape(len(t), -1).any(axis=1) for t in tables], axis=0)
    tables = [table[known] for table in tables]
    seeds = len(tables[0])
    if seeds == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    rng = np.random.default_rng(0)
    which = rng.integers(0, seeds, (NESTED, seeds)) if seeds > 1 else np.zeros((NESTED, 1), int)
    estimates = [table.mean(axis=1)[..., None] for table in tables]
    resampled = [np.moveaxis(_resampled_means(table, which, rng), 0, -1) for table in tables]
    estimate = statistic(np.stack(estimates, axis=1) if apart else estimates[0])
    spread = statistic(np.stack(resampled, axis=1) if apart else resampled[0])
    fewest = min(table.shape[1] for table in tables)
    low, high = np.quantile(spread, _percentiles(fewest if seeds == 1 else seeds, confidence))
    return Interval(float(np.squeeze(estimate)), float(low), float(high), seeds)


def _resampled_means(
    table: Float[np.ndarray, "seeds samples *columns"],
    which: Int[np.ndarray, "resamples picked"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "resamples picked *columns"]:
    """Means over resampled samples of the picked networks.

    Counts instead of copies: a mean is a product with how often each sample is in it.
    """
    samples = table.shape[1]
    even = np.full(samples, 1 / samples)
    at_once = max(1, COUNTS // (which.shape[1] * samples))
    parts = []
    for first in range(0, len(which), at_once):
        picked = which[first : first + at_once]
        counts = rng.multinomial(samples, even, picked.shape) / samples
        parts.append(np.einsum("rks,rks...->rk...", counts, table[picked]))
    return np.concatenate(parts)


def _percentiles(count: int, confidence: float) -> list[float]:
    """The expanded percentiles of a sample of so many (see `bootstrap`)."""
    tail = (1 - confidence) / 2
    widened = norm.cdf(np.sqrt(count / (count - 1)) * t.ppf(tail, count - 1))
    return [widened, 1 - widened]
