"""The phase diagram's maps: read off its table, and the colours of its figure and its page."""

import pandas as pd
import xarray as xr

from common.signal_tasks import WIENER
from shortcut1d import plotting
from shortcut1d.training.tables import array_of, indices

PHI, LINEAR, EXCESS, RHO = "phi", "floor", "excess", "rho"
COLORS = {  # colour map and its limits
    PHI: (plotting.DIVERGING, (-1.0, 1.0)),
    LINEAR: (plotting.DIVERGING, (-1.0, 1.0)),
    EXCESS: (plotting.DIVERGING, (-0.5, 0.5)),
    RHO: (plotting.SEQUENTIAL, (0.0, 1.0)),
}


def map_of(table: pd.DataFrame, network: str, column: str) -> xr.DataArray:
    """A measure of one network (see `indices`) as `(seed, frequency, shapes)`."""
    index = indices(table[table["network"] == network])
    return array_of(index, column, "seed", "frequency", "shapes")


def maps_of(table: pd.DataFrame, network: str) -> dict[str, xr.DataArray]:
    """The maps of `COLORS`: index, best linear filter's, what is beyond it, novelty response."""
    phi, floor = map_of(table, network, "phi"), map_of(table, WIENER, "phi")
    return {PHI: phi, LINEAR: floor, EXCESS: phi - floor, RHO: map_of(table, network, "rho")}
