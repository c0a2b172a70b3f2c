"""The phase diagram: which component a denoiser fits, over content frequency and noise complexity.

In every cell a network is trained on content of one bandwidth under clicks from a bank of one size,
and then given melodies and a tune, clicks from another bank, and hiss. Where content is simple and
noise rich it fits the content; where content is rich and noise simple, the noise.
"""

import sys

import numpy as np
import pandas as pd
from common.papers import Sentence
from common.signal_tasks import MAPS, MapConfig, map_of, train_map
from matplotlib.figure import Figure

from shortcut1d import plotting
from shortcut1d.analysis import Interval, interval_each
from shortcut1d.analysis.transfer import HALF
from shortcut1d.harness.claims import Claim, claim, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.sweep import Session


def run(config: MapConfig, session: Session) -> Result:
    """Train and test a network in every cell."""
    return Result(train_map(config, session))


def claims(table: pd.DataFrame) -> list[Claim]:
    """What the maps say, as statistics over seeds."""
    made = []
    for name in table["network"].unique():
        rho, phi = map_of(table, name, "rho"), map_of(table, name, "phi")
        frequencies, shapes = rho["frequency"].values, rho["shapes"].values
        if len(frequencies) > 2:
            rises = [rank_correlation(frequencies, rho.sel(shapes=count)) for count in shapes]
            weakest = int(np.argmin([np.nanmean(r) if np.isfinite(r).any() else 2 for r in rises]))
            made.append(
                claim(
                    f"{name}: rho rises with content frequency at every noise complexity",
                    f"rank correlation where it is weakest (K = {shapes[weakest]:g})",
                    rises[weakest],
                    sentence=Sentence.SHORTCUT,
                )
            )
        if len(shapes) > 2:
            made.append(
                claim(
                    f"{name}: rho falls with noise complexity at the top content frequency",
                    f"rank correlation (f = {frequencies[-1]:g})",
                    rank_correlation(shapes, rho[:, -1]),
                    below=0.0,
                    sentence=Sentence.SHORTCUT,
                )
            )
        if name == "conv":
            made += [
                claim(
                    f"{name} fits the content where it is simplest and the noise richest",
                    f"phi (f = {frequencies[0]:g}, K = {shapes[-1]:g})",
                    phi[:, 0, -1],
                    sentence=Sentence.SHORTCUT,
                ),
                claim(
                    f"{name} fits the degradation where it is simplest and the content richest",
                    f"phi (f = {frequencies[-1]:g}, K = {shapes[0]:g})",
                    phi[:, -1, 0],
                    below=0.0,
                    sentence=Sentence.SHORTCUT,
                ),
            ]
        else:
            positive = (phi > 0).where(phi.notnull()).mean(("frequency", "shapes"), skipna=False)
            made.append(
                claim(
                    f"{name} fits the content nearly everywhere",
                    "share of the map with phi > 0",
                    positive,
                    above=0.9,
                )
            )
    return made


# By measure: title, colour map and its limits, how to read the colours.
MAPPED = {
    "phi": (
        "index $\\varphi = R_D - R_C$", plotting.DIVERGING, (-1, 1),
        "fits noise  $\\leftarrow$    $\\rightarrow$  fits content",
    ),
    "rho": (
        "novelty response $\\rho$", plotting.SEQUENTIAL, (0, 1),
        "blocks novelty $\\rightarrow$ passes it",
    ),
    "kept": (
        "kept content $R_C$", plotting.SEQUENTIAL, (0, 1),
        "loses new content $\\rightarrow$ keeps it",
    ),
    "removed": (
        "removed degradation $R_D$", plotting.SEQUENTIAL, (0, 1),
        "leaves new noise $\\rightarrow$ removes it",
    ),
}  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """One row of maps a network; on the first, the line where it fits both alike."""
    names = table["network"].unique()
    figure = plotting.new_figure(0.9 + 1.9 * len(names))
    panels = figure.subplots(len(names), len(MAPPED), sharex=True, sharey=True, squeeze=False)
    for row, name in zip(panels, names, strict=True):
        maps = {column: map_of(table, name, column) for column in MAPPED}
        cells = {column: interval_each(values) for column, values in maps.items()}
        shapes, frequencies = maps["phi"]["shapes"].values, maps["phi"]["frequency"].values
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
                    fontsize=7,
                )  # fmt: skip
            if name == names[-1]:
                axes.set_xlabel("click shapes $K$")
                bar = figure.colorbar(
                    drawn, ax=panels[:, number], location="bottom", aspect=18, shrink=0.9,
                    extend="neither" if column == "rho" else "both",
                )  # fmt: skip
                bar.set_label(reading, fontsize=6)
                bar.ax.tick_params(labelsize=6)
        neither = (cells["kept"].estimate < HALF) & (cells["removed"].estimate < HALF)
        plotting.hatch_cells(row[0], neither)
        # Where it fits neither, phi is nothing less nothing: its sign says nothing.
        plotting.zero_line(row[0], *[np.where(neither, np.nan, p) for p in cells["phi"][:3]])
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


experiment = Experiment(
    name="phase_diagram",
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
