"""The table of trained networks, and what is read from it."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr

from shortcut1d.analysis.structure import CONTENT_TWIN, DEGRADATION_TWIN, Structure
from shortcut1d.analysis.transfer import kept_content, removed_degradation
from shortcut1d.training.evaluation import (
    BY_UNIT,
    SEEN,
    UNSEEN_CONTENT,
    UNSEEN_DEGRADATION,
    Run,
    TestSet,
)

STEP = "step"  # of training, in a table of networks that were tested more than once


def tabulate(
    runs: Sequence[Run],
    records: Sequence[Mapping[str, np.ndarray]],
    checkpoints: Sequence[Sequence[int]],
) -> pd.DataFrame:
    """One row per trained network, checkpoint and test.

    Args:
        runs: what was tested.
        records: for each run, `diverged` of shape `(checkpoints,)`, and its measures by name, of
            shape `(checkpoints, tests)`.
        checkpoints: of each run, the steps of training after which it was tested.

    Returns:
        columns that name the network (`network, content, degradation`, the runs' labels, `seed`;
        where any network was tested more than once, `step`), `diverged`, columns that name the
        test (`test, test_content, test_degradation`, its labels), and the measures.
    """
    rows = []
    with_steps = any(len(steps) > 1 for steps in checkpoints)
    for run, record, steps in zip(runs, records, checkpoints, strict=True):
        measures = [name for name in record if name != "diverged" and not name.endswith(BY_UNIT)]
        for (at, step), (number, test) in itertools.product(enumerate(steps), enumerate(run.tests)):
            names = names_of(run, test, bool(record["diverged"][at]), step if with_steps else None)
            rows.append(names | {name: float(record[name][at, number]) for name in measures})
    return pd.DataFrame(rows)


def names_of(
    run: Run, test: TestSet, diverged: bool = False, step: int | None = None
) -> dict[str, Any]:
    """The columns that name a network and its test, before the measures; see `tabulate`."""
    return {
        "network": run.network,
        "content": run.content,
        "degradation": run.degradation,
        **run.labels,
        "seed": run.cell.seed,
        **({} if step is None else {STEP: step}),
        "diverged": diverged,
        "test": test.role,
        "test_content": test.content_name,
        "test_degradation": test.degradation_name,
        **test.labels,
    }


def indices(table: pd.DataFrame) -> pd.DataFrame:
    """The fitted-component index of every trained network of a table made by `tabulate`.

    Kept content and removed degradation are means over the network's unseen contents and unseen
    degradations, each clipped to [-1, 1] first, so that one huge error cannot hide the rest.

    Returns:
        one row per trained network (and step, where there are several): the columns that name it,
        `kept, removed, phi, generality, rho`, and `nmse` on what it has seen.
    """
    named = table.assign(
        kept=_of_rows(kept_content, table["nmse"]),
        removed=_of_rows(removed_degradation, table["relative_error"]),
    )
    result = pd.DataFrame(
        {
            "kept": _mean_of(named, UNSEEN_CONTENT, "kept"),
            "removed": _mean_of(named, UNSEEN_DEGRADATION, "removed"),
            "rho": _mean_of(named, SEEN, "rho"),
            "nmse": _mean_of(named, SEEN, "nmse"),
        }
    )
    result["phi"] = result["removed"] - result["kept"]
    result["generality"] = (result["kept"] + result["removed"]) / 2
    return result.reset_index()


def structures(table: pd.DataFrame) -> pd.DataFrame:
    """The structure test of every trained network of a table made by `tabulate`, and its transfer.

    Measured in shares of the degradation's energy removed, not clipped; see `analysis.structure`.
    Transfer is the share removed of unseen degradations over that of the seen one.

    Returns:
        one row per trained network (and step): the columns that name it, `seen,
        without_degradation, without_content, of_degradation, of_content, psi, transfer`; NaN where
        a network has no such test.
    """
    named = table.assign(removed=1 - table["relative_error"])
    seen, unseen, *twins = (
        _mean_of(named, role, "removed")
        for role in (SEEN, UNSEEN_DEGRADATION, DEGRADATION_TWIN, CONTENT_TWIN)
    )
    found = Structure(seen, *twins)
    columns = found._asdict() | {
        name: getattr(found, name) for name in ("of_degradation", "of_content", "psi")
    }
    return pd.DataFrame(columns | {"transfer": unseen / seen}).reset_index()


def array_of(frame: pd.DataFrame, column: str, *dims: str) -> xr.DataArray:
    """A column of a long table as an array with a named axis for each of some other columns.

    Args:
        frame: at most one row for each combination of values of `dims`.
        column: what fills the array; NaN where a combination is missing.
        dims: columns; their values are the coordinates, in rising order (of one alone: in the
            order of the rows).
    """
    return frame.set_index(list(dims))[column].to_xarray()


def _mean_of(table: pd.DataFrame, role: str, column: str) -> pd.Series:
    """Mean of a column over each trained network's tests of one role."""
    who = list(table.columns[: table.columns.get_loc("diverged")])
    return table[table["test"] == role].groupby(who, sort=False, dropna=False)[column].mean()


def _of_rows(score: Any, errors_left: pd.Series) -> np.ndarray:
    """`score` of the mean error in each row."""
    return np.asarray(score(jnp.asarray(errors_left.to_numpy()[:, None])), np.float64)
