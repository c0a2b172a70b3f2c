"""The phase diagram: which component a denoiser fits, over content frequency and noise complexity.

In every cell a network is trained on content of one bandwidth under clicks from a bank of one size,
and then given melodies and a tune, clicks from another bank, and hiss. Where content is simple and
noise rich it fits the content; where content is rich and noise simple, the noise.
"""

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.papers import Sentence
from common.signal_tasks import MAPS, MapConfig, map_of, map_runs, train_map
from matplotlib.figure import Figure

from shortcut1d import plotting
from shortcut1d.analysis import Interval, interval_each, linear, oracles
from shortcut1d.analysis.transfer import HALF
from shortcut1d.data.family import draw, fingerprint
from shortcut1d.harness.claims import Claim, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.sweep import Session

FLOOR = "Wiener filter"
SPECTRUM = 4096  # draws that a spectrum is taken from


def run(config: MapConfig, session: Session) -> Result:
    """Train and test a network in every cell; beside them the best linear filter of each."""
    swept = train_map(config, session)
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    rows = [row for seed in seeds for row in _floor_rows(config, seed)]
    table = pd.concat([swept.table, pd.DataFrame(rows)], ignore_index=True)
    return Result(table, swept.units)


def _floor_rows(config: MapConfig, seed: int) -> Iterator[dict[str, Any]]:
    """The Wiener filter of each cell of a seed on the tests of that cell, from their spectra."""
    spectra: dict[int, np.ndarray] = {}

    def spectrum(family: Any) -> np.ndarray:
        """Of a content, or of what a degradation adds."""
        name = fingerprint(family)
        if name not in spectra:
            spectra[name] = oracles.power_spectrum(draw(family, jax.random.key(seed), SPECTRUM))
        return spectra[name]

    one = dataclasses.replace(config, networks=("conv",), seeds=1, first_seed=seed)
    for run in map_runs(one):
        pairs = [(spectrum(test.content), spectrum(test.degradation)) for test in run.tests]
        floors = linear.floor(pairs[0], pairs)
        for left, test, (content, residual) in zip(floors, run.tests, pairs, strict=True):
            yield {
                "network": FLOOR, "content": run.content, "degradation": run.degradation,
                **run.labels, "seed": seed, "diverged": False, "test": test.role,
                "test_content": test.content_name, "test_degradation": test.degradation_name,
                "nmse": left / float(content.sum()),
                "relative_error": left / float(residual.sum()),
            }  # fmt: skip


def trained_networks(table: pd.DataFrame) -> list[str]:
    """Names of the networks, without the linear filter."""
    return [name for name in table["network"].unique() if name != FLOOR]


def excess_of(table: pd.DataFrame, network: str) -> xr.DataArray:
    """What a network's index has beyond the best linear filter's, `(seed, frequency, shapes)`."""
    return map_of(table, network, "phi") - map_of(table, FLOOR, "phi")


def explained(table: pd.DataFrame, network: str) -> np.ndarray:
    """Squared correlation of a network's index with the filter's over the map, for each seed."""
    phi, floor = (
        map_of(table, name, "phi").stack(cell=("frequency", "shapes")) for name in (network, FLOOR)
    )
    return xr.corr(phi, floor, dim="cell").values ** 2


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the networks that are there."""
    values: dict[str, Any] = {}
    for name in trained_networks(table):
        phi, rho, excess = (
            *(map_of(table, name, c) for c in ("phi", "rho")),
            excess_of(table, name),
        )
        frequencies = phi["frequency"].values
        rises = [rank_correlation(frequencies, rho.sel(shapes=count)) for count in rho["shapes"]]
        values |= {
            f"{name}_excess": excess[:, -1, 0],
            f"{name}_floor": explained(table, name),
            f"{name}_content": phi[:, 0, -1],
            f"{name}_degradation": phi[:, -1, 0],
            f"{name}_rho": np.mean(rises, axis=0),
        }
    stated = [name for name in REGISTERED.claims if name in values]
    return [REGISTERED.claim(name, values[name], Sentence.__members__) for name in stated]


# By column: title, colour map and its limits, how to read the colours.
INDEX = (plotting.DIVERGING, (-1, 1), "fits noise  $\\leftarrow$    $\\rightarrow$  fits content")
PHI, LINEAR, EXCESS, RHO = "phi", "floor", "excess", "rho"
MAPPED = {
    PHI: ("index $\\varphi = R_D - R_C$", *INDEX),
    LINEAR: ("$\\varphi$ of the best linear filter", *INDEX),
    EXCESS: (
        "excess of the network", plotting.DIVERGING, (-0.5, 0.5),
        "noise's $\\leftarrow$ structure $\\rightarrow$ content's",
    ),
    RHO: (
        "novelty response $\\rho$", plotting.SEQUENTIAL, (0, 1),
        "blocks novelty $\\rightarrow$ passes it",
    ),
}  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """One row of maps a network: its index, the linear filter's, what is beyond it; and rho."""
    names = trained_networks(table)
    figure = plotting.new_figure(0.9 + 1.9 * len(names))
    panels = figure.subplots(len(names), len(MAPPED), sharex=True, sharey=True, squeeze=False)
    for row, name in zip(panels, names, strict=True):
        maps = {
            PHI: map_of(table, name, "phi"), LINEAR: map_of(table, FLOOR, "phi"),
            EXCESS: excess_of(table, name), RHO: map_of(table, name, "rho"),
        }  # fmt: skip
        cells = {column: interval_each(values) for column, values in maps.items()}
        shapes, frequencies = maps[PHI]["shapes"].values, maps[PHI]["frequency"].values
        for number, (axes, (column, (title, colors, limits, reading))) in enumerate(
            zip(row, MAPPED.items(), strict=True)
        ):
            drawn = plotting.heat_map(
                axes, cells[column].estimate, shapes, frequencies, colors, limits
            )
            axes.set_title(_certainty(cells[column]), fontsize=6, color=plotting.GREY, pad=2)
            if name == names[0]:
                axes.annotate(
                    title, (0.5, 1.13), xycoords="axes fraction", ha="center", weight="bold",
                    fontsize=6.5,
                )  # fmt: skip
            if name == names[-1]:
                axes.set_xlabel("click shapes $K$")
                bar = figure.colorbar(
                    drawn, ax=panels[:, number], location="bottom", aspect=18, shrink=0.9,
                    extend="neither" if column == RHO else "both",
                )  # fmt: skip
                bar.set_label(reading, fontsize=6)
                bar.ax.tick_params(labelsize=6)
        kept, removed = (map_of(table, name, part).mean("seed") for part in ("kept", "removed"))
        neither = ((kept < HALF) & (removed < HALF)).values
        plotting.hatch_cells(row[0], neither)
        # Where it fits neither, phi is nothing less nothing: its sign says nothing.
        plotting.zero_line(row[0], *[np.where(neither, np.nan, p) for p in cells[PHI][:3]])
        row[0].set_ylabel(f"{name}\ncontent frequency\n(cycles per window)")
    figure.supxlabel(
        "line: $\\varphi = 0$, dotted: its 95% band; hatched: fits neither ($R_C, R_D < 0.5$)",
        fontsize=6.5,
    )
    return figure


def _certainty(cells: Interval) -> str:
    seeds = int(np.max(cells.seeds))
    if seeds < 2:
        return "1 seed: no interval"
    return f"95%: \u00b1{np.nanmedian((cells.high - cells.low) / 2):.2g} (median), {seeds} seeds"


REGISTERED = registered.of("phase_diagram")
experiment = Experiment(
    name="phase_diagram",
    message=(
        "Below the line networks fitted the content, above it the noise. Most of that a linear "
        "filter does as well; beyond it the conv net fits the structure of simple noise."
    ),
    presets={name: MapConfig(**settings) for name, settings in MAPS.items()},
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
