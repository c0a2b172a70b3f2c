"""The phase diagram: which component a denoiser fits, over content frequency and noise complexity.

In every cell a network is trained on content of one bandwidth under clicks from a bank of one size,
and then given melodies and a tune, clicks from another bank, and hiss. Where content is simple and
noise rich it fits the content; where content is rich and noise simple, the noise.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd
from common.signal_tasks import MAPS, MapConfig, axes_of, maps, train_map
from matplotlib.figure import Figure

from shortcut1d import plotting
from shortcut1d.analysis import Interval, bootstrap_each
from shortcut1d.analysis.transfer import HALF
from shortcut1d.harness.claims import Claim, claim_mean, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.sweep import Session


def run(config: MapConfig, session: Session) -> Result:
    """Train and test a network in every cell."""
    return Result(train_map(config, session))


def claims(table: pd.DataFrame) -> list[Claim]:
    """What the maps say, as statistics over seeds."""
    frequencies, shapes = axes_of(table)
    made = []
    for name in dict.fromkeys(table["network"]):
        rho, phi = maps(table, name, "rho"), maps(table, name, "phi")
        if len(frequencies) > 2:
            rises = [rank_correlation(frequencies, rho[:, :, k]) for k in range(len(shapes))]
            weakest = int(np.argmin([np.nanmean(r) if np.isfinite(r).any() else 2 for r in rises]))
            made.append(
                claim_mean(
                    f"{name}: rho rises with content frequency at every noise complexity",
                    f"rank correlation where it is weakest (K = {shapes[weakest]:g})",
                    rises[weakest],
                    "above",
                    0.0,
                )
            )
        if len(shapes) > 2:
            made.append(
                claim_mean(
                    f"{name}: rho falls with noise complexity at the top content frequency",
                    f"rank correlation (f = {frequencies[-1]:g})",
                    rank_correlation(shapes, rho[:, -1]),
                    "below",
                    0.0,
                )
            )
        if name == "conv":
            made += [
                claim_mean(
                    f"{name} fits the content where it is simplest and the noise richest",
                    f"phi (f = {frequencies[0]:g}, K = {shapes[-1]:g})",
                    phi[:, 0, -1],
                    "above",
                    0.0,
                ),
                claim_mean(
                    f"{name} fits the degradation where it is simplest and the content richest",
                    f"phi (f = {frequencies[-1]:g}, K = {shapes[0]:g})",
                    phi[:, -1, 0],
                    "below",
                    0.0,
                ),
            ]
        else:
            shares = np.where(np.isnan(phi).any(axis=(1, 2)), np.nan, (phi > 0).mean(axis=(1, 2)))
            made.append(
                claim_mean(
                    f"{name} fits the content nearly everywhere",
                    "share of the map with phi > 0",
                    shares,
                    "above",
                    0.9,
                )
            )
    return made


SHOWN = {
    "phi": ("index $\\varphi = R_D - R_C$", plotting.DIVERGING, (-1, 1)),
    "rho": ("novelty response $\\rho$", plotting.SEQUENTIAL, (0, 1)),
    "kept": ("kept content $R_C$", plotting.SEQUENTIAL, (0, 1)),
    "removed": ("removed degradation $R_D$", plotting.SEQUENTIAL, (0, 1)),
}
READ = {
    "phi": "fits noise  $\\leftarrow$    $\\rightarrow$  fits content",
    "rho": "blocks novelty $\\rightarrow$ passes it",
    "kept": "loses new content $\\rightarrow$ keeps it",
    "removed": "leaves new noise $\\rightarrow$ removes it",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """One row of maps a network; on the first, the line where it fits both alike."""
    names = list(dict.fromkeys(table["network"]))
    frequencies, shapes = axes_of(table)
    with plotting.style():
        figure = Figure(
            figsize=(plotting.TWO_COLUMNS, 0.9 + 1.9 * len(names)), layout="constrained"
        )
        panels = figure.subplots(len(names), len(SHOWN), sharex=True, sharey=True, squeeze=False)
        for row, name in zip(panels, names, strict=True):
            shown = {column: _each_cell(maps(table, name, column)) for column in SHOWN}
            for axes, (column, cells) in zip(row, shown.items(), strict=True):
                title, colors, limits = SHOWN[column]
                drawn = plotting.heat_map(axes, cells.estimate, shapes, frequencies, colors, limits)
                axes.set_title(_sureness(cells), fontsize=6, color=plotting.GREY, pad=2)
                if axes in panels[0]:
                    axes.annotate(
                        title, (0.5, 1.13), xycoords="axes fraction", ha="center", weight="bold",
                        fontsize=7,
                    )  # fmt: skip
                if axes in panels[-1]:
                    axes.set_xlabel("click shapes $K$")
                    bar = figure.colorbar(
                        drawn, ax=panels[:, list(SHOWN).index(column)], location="bottom",
                        aspect=18, shrink=0.9, extend="neither" if column == "rho" else "both",
                    )  # fmt: skip
                    bar.set_label(READ[column], fontsize=6)
                    bar.ax.tick_params(labelsize=6)
            neither = (shown["kept"].estimate < HALF) & (shown["removed"].estimate < HALF)
            plotting.hatch_cells(row[0], neither)
            # Where it fits neither, phi is nothing less nothing: its sign says nothing.
            phi = [np.where(neither, np.nan, part) for part in shown["phi"][:3]]
            plotting.zero_line(row[0], *phi)
            row[0].set_ylabel(f"{name}\ncontent frequency\n(cycles per window)")
        figure.supxlabel(
            "line: $\\varphi = 0$, dotted: its 95% band; hatched: fits neither ($R_C, R_D < 0.5$)",
            fontsize=6.5,
        )
        return figure


def _sureness(cells: Any) -> str:
    seeds = int(np.max(cells.seeds))
    if seeds < 2:
        return "1 seed: no interval"
    return f"95%: \u00b1{np.nanmedian((cells.high - cells.low) / 2):.2g} (median), {seeds} seeds"


def _each_cell(cube: np.ndarray) -> Any:
    """Intervals over seeds, cell by cell, as an Interval of maps."""
    flat = bootstrap_each(cube.reshape(len(cube), -1).T)
    return Interval(*(np.reshape(part, cube.shape[1:]) for part in flat))


experiment = Experiment(
    name="phase_diagram",
    summary=__doc__,
    message=(
        "Below the line networks fitted the content, above it the noise; the richer the "
        "noise, the further up the line."
    ),
    presets={name: MapConfig(**settings) for name, settings in MAPS.items()},
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
