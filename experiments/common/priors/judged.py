"""What is read off the table of a prior: quality, gain, ceiling, and the claims.

A case is a content and a task, such as "faces: deraining".
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from common.priors.classics import WIENER
from common.priors.tasks import (
    CLEAN,
    DIFFUSION,
    KNOWN,
    NO_CODE,
    PLAIN,
    PRIOR,
    PROJECTED,
    STANDS,
    TRAINED,
    TWIN,
    UNSEEN,
)
from shortcut1d.harness.claims import rank_correlation
from shortcut1d.training.tables import array_of

CLASSICS = ("median", "total variation", "wavelet", "non-local means", "BM3D", WIENER)
# Whose outputs say whether the distance from the prior's range goes with the error.
COMPARED = (PLAIN, NO_CODE, TRAINED, PROJECTED, PRIOR, STANDS)


def quality(table: pd.DataFrame, role: str) -> xr.DataArray:
    """Signal-to-error ratio, `-10 lg NMSE` in dB, `(seed, case, tested, restorer)`.

    For one content, its differences are differences of PSNR. `tested` are the degradations of a
    role, by number: the first, the second.
    """
    return -10 * _log10(_measure(table, "nmse", role))


def cases_of(table: pd.DataFrame) -> pd.Series:
    """The case of each row."""
    return table["content"] + ": " + table["task"]


def first_cases(table: pd.DataFrame) -> list[str]:
    """Every content in the first task, where all restorers are."""
    task = table["task"].iloc[0]
    return [f"{content}: {task}" for content in table["content"].unique()]


def unseen(table: pd.DataFrame) -> xr.DataArray:
    """Quality under unseen degradations, mean over them, `(seed, case, restorer)`."""
    return quality(table, UNSEEN).mean("tested", skipna=False)


def ceiling(table: pd.DataFrame) -> xr.DataArray:
    """What the prior as it stands makes of clean, new content, in dB."""
    return quality(table, CLEAN).sel(restorer=STANDS).isel(tested=0, drop=True)


def printed_ceilings(table: pd.DataFrame) -> dict[str, float]:
    """The ceiling of each case in dB as readers know it: PSNR of pictures, `quality` of signals."""
    found = _measure(table, "psnr", CLEAN) if "psnr" in table else quality(table, CLEAN)
    mean = found.sel(restorer=STANDS).isel(tested=0, drop=True).mean("seed")
    return {str(case): float(mean.sel(case=case)) for case in mean["case"].values}


def room(table: pd.DataFrame) -> xr.DataArray:
    """Ceiling of the prior less the plain net's quality, `(seed, case, tested)`, dB."""
    return ceiling(table) - quality(table, UNSEEN).sel(restorer=PLAIN)


def unseen_gain(table: pd.DataFrame) -> xr.DataArray:
    """How far the prior is ahead of the plain net under unseen degradations, `(seed, case)`, dB."""
    found = unseen(table)
    return found.sel(restorer=PRIOR, drop=True) - found.sel(restorer=PLAIN, drop=True)


def gain(table: pd.DataFrame) -> xr.DataArray:
    """Quality of the prior less that of the plain net, `(seed, case, tested)`, dB."""
    found = quality(table, UNSEEN)
    return found.sel(restorer=PRIOR) - found.sel(restorer=PLAIN)


def crossing(table: pd.DataFrame) -> np.ndarray:
    """Room at which the prior neither gains nor loses, by a straight line through all points.

    Returns:
        one a seed, dB; NaN where the line does not rise.
    """
    found = []
    for x, y in zip(_flat(room(table)), _flat(gain(table)), strict=True):
        fit = np.isfinite([x, y]).all() and np.ptp(x) > 1e-6
        slope, start = np.polyfit(x, y, 1) if fit else (np.nan, np.nan)
        found.append(-start / slope if slope > 0 else np.nan)
    return np.array(found)


def goes_with_distance(table: pd.DataFrame) -> np.ndarray:
    """Correlation of error and distance from the prior's range, over restorers, both in dB.

    Taken within each unseen degradation of each case of the first task, where all restorers are;
    then averaged.

    Returns:
        one a seed.
    """
    there = [name for name in COMPARED if name in set(table["restorer"])]
    error = -quality(table, UNSEEN).sel(restorer=there)
    distance = 10 * _log10(_measure(table, "off_range", UNSEEN)).sel(restorer=there)
    first = first_cases(table)
    error, distance = error.sel(case=first), distance.sel(case=first)
    finite = (error.notnull() & distance.notnull()).all("restorer")  # or pairs are left out
    found: xr.DataArray = xr.corr(error, distance, "restorer").where(finite)
    return found.mean(["case", "tested"], skipna=False).to_numpy()


def structure(table: pd.DataFrame) -> xr.DataArray:
    """`d_D`: share removed of the known degradation less that of its twin, by case and restorer."""
    removed = [1 - _measure(table, "relative_error", role) for role in (KNOWN, TWIN)]
    return (removed[0] - removed[1]).isel(tested=0, drop=True)


def gap(table: pd.DataFrame) -> xr.DataArray:
    """Quality under the known degradation less that under unseen ones, `(seed, case, restorer)`."""
    return quality(table, KNOWN).isel(tested=0, drop=True) - unseen(table)


def best_classic(table: pd.DataFrame) -> xr.DataArray:
    """Quality under unseen degradations of the classical filter that is best at them.

    Best by the mean over seeds, for each case: chosen after the fact, in the filters' favour.

    Returns:
        `(seed, case)`.
    """
    there = [name for name in CLASSICS if name in set(table["restorer"])]
    found = unseen(table).sel(restorer=there)
    return found.isel(restorer=found.mean("seed").argmax("restorer")).drop_vars("restorer")


def statistics(
    table: pd.DataFrame, every: Sequence[str], helped: Sequence[str], others: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """What the claims are about, by the names of the registrations; one value a seed.

    A mean over some of the cases would be another claim: nothing is given that is over cases which
    the table lacks.

    For "room" and "crossing", both `room` and `gain` have the plain net's quality in them, so that
    they rise together whatever the prior does: with ceiling, prior and plain net at random, their
    rank correlation is .47.

    Args:
        table: of all restorers.
        every: all cases that were registered; the first one's task has all restorers.
        helped: those of the first task in which the prior should pay, by what was registered.
        others: those in which it should not.
    """
    task = every[0].partition(": ")[2]
    first = [case for case in every if case.endswith(f": {task}")]
    table = table[cases_of(table).isin(every)]
    there = set(cases_of(table))
    found: dict[str, np.ndarray] = {}
    if set(first) <= there:
        of_first = table[table["task"] == task]
        fitted = -structure(of_first)  # larger is better: it fits less
        found |= {
            "structure": _ahead(fitted, PRIOR, PLAIN, first),
            "frozen": _ahead(fitted, PRIOR, TRAINED, first),
            "gap": _ahead(-gap(of_first), PRIOR, TRAINED, first),
            "distance": goes_with_distance(of_first),
        }
    if set(every) <= there:
        of_seeds = zip(_flat(room(table)), _flat(gain(table)), strict=True)
        known = quality(table, KNOWN).isel(tested=0, drop=True)
        found |= {
            "crossing": crossing(table),
            "room": np.array([rank_correlation(x, y[None])[0] for x, y in of_seeds]),
            "cost": _ahead(known, PLAIN, PRIOR, every),
        }
    if helped and set(helped) <= there:
        of_unseen = unseen(table)
        gained = of_unseen - of_unseen.sel(restorer=PLAIN, drop=True)
        half = gained.sel(restorer=PROJECTED) - 0.5 * gained.sel(restorer=PRIOR)
        found |= {
            "prior": _ahead(of_unseen, PRIOR, PLAIN, helped),
            "code": _ahead(of_unseen, PRIOR, NO_CODE, helped),
            "projection": mean_over(half, helped),
            "classics": mean_over(_over_classics(table), helped),
            "diffusion": _ahead(of_unseen, PRIOR, DIFFUSION, helped),
        }
        if not np.mean(found["prior"]) > 0:  # half of no gain says nothing
            found["projection"] = np.full_like(found["prior"], np.nan)
    if others and set(others) <= there:
        found |= {
            "no_gain": _ahead(unseen(table), PRIOR, PLAIN, others),
            "classics_elsewhere": mean_over(_over_classics(table), others),
        }
    return found


def _over_classics(table: pd.DataFrame) -> xr.DataArray:
    """How far the prior is ahead of the best classical filter, `(seed, case)`, dB."""
    return unseen(table).sel(restorer=PRIOR, drop=True) - best_classic(table)


def _ahead(values: xr.DataArray, one: str, other: str, cases: Sequence[str]) -> np.ndarray:
    """How far one restorer is ahead of another, mean over some cases."""
    return mean_over(
        values.sel(restorer=one, drop=True) - values.sel(restorer=other, drop=True), cases
    )


def mean_over(values: xr.DataArray, cases: Sequence[str]) -> np.ndarray:
    """Mean over cases, one value a seed; NaN where any is."""
    return values.sel(case=list(cases)).mean("case", skipna=False).to_numpy()


def _measure(table: pd.DataFrame, column: str, role: str) -> xr.DataArray:
    """A column as `(seed, case, tested, restorer)`."""
    rows = table[table["test"] == role]
    rows = rows.assign(case=cases_of(rows))
    who = ["seed", "case", "restorer"]
    rows = rows.assign(tested=rows.groupby(who, sort=False).cumcount())
    return array_of(rows, column, "seed", "case", "tested", "restorer")


def _log10(values: xr.DataArray) -> xr.DataArray:
    """Log10 of at least 1e-10: a filter that does nothing has no error on clean samples."""
    return xr.apply_ufunc(lambda x: np.log10(np.maximum(x, 1e-10)), values)


def _flat(values: xr.DataArray) -> np.ndarray:
    """`(seeds, points)`."""
    return values.transpose("seed", ...).to_numpy().reshape(values.sizes["seed"], -1)
