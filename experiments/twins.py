"""What does a network know beyond the spectrum? Components against their Gaussian twins.

Content is M notes at once, of random pitches up to 40, or the Gaussian process with the same
spectrum, which is the same for every M. Noise is clicks of K shapes, or the Gaussian process with
their spectrum. Each network is tested on its own task, and with one component replaced: by its
Gaussian twin, or, where it was Gaussian, by lone notes or clicks of one shape. A linear filter
does as well on all of them; what a network loses, it had from structure. A median filter is tested
beside them.
"""

import sys

import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.chord_tasks import CHORD_MAPS, GAUSSIAN, ChordConfig, chord_run, measured, train_chords
from common.papers import Sentence
from common.signal_tasks import MEDIAN, WIENER, decibels, untrained_rows
from matplotlib.figure import Figure

from shortcut1d import networks, plotting
from shortcut1d.analysis import interval, interval_each
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.sweep import Session

MANY_NOTES, MANY_SHAPES = 32, 256  # of the registered claims


def run(config: ChordConfig, session: Session) -> Result:
    """Train and test a network in every cell, and two filters where components are extreme."""
    tables = [train_chords(config, session)]
    for seed in config.all_seeds():
        for notes, shapes in CORNERS:
            corner = chord_run(notes, shapes, seed, networks.ConvNet(width=config.width))
            tables.append(untrained_rows(corner, config.samples))
    return Result(pd.concat(tables, ignore_index=True))


def behind_specialist(table: pd.DataFrame) -> xr.DataArray:
    """How far behind a network trained on the noise's Gaussian twin, on that twin, in dB.

    `(seed, notes)`: networks that were trained under clicks of one shape, both on the same content.
    """
    left = 1 - measured(table, "without_degradation").sel(shapes=1, drop=True)
    return decibels(left / (1 - measured(table, "seen").sel(shapes=GAUSSIAN, drop=True)))


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the cells that are there."""
    psi, behind = measured(table, "psi"), behind_specialist(table)

    def at(notes: int, shapes: int) -> xr.DataArray:
        return psi.sel(notes=notes, shapes=shapes)

    values = {"noise": at(GAUSSIAN, 1), "content": at(1, GAUSSIAN)}
    if MANY_NOTES in psi["notes"]:
        values["richer_content"] = at(1, GAUSSIAN) - at(MANY_NOTES, GAUSSIAN)
        values["specialist"] = behind.sel(notes=MANY_NOTES)
        if MANY_SHAPES in psi["shapes"]:
            values["richer_noise"] = at(MANY_NOTES, MANY_SHAPES) - at(MANY_NOTES, 1)
    return REGISTERED.claims_on(values, Sentence.__members__)


CORNERS = {
    (GAUSSIAN, GAUSSIAN): "band\n+ Gaussian noise", (GAUSSIAN, 1): "band\n+ clicks(1)",
    (1, GAUSSIAN): "lone notes\n+ Gaussian noise", (1, 1): "lone notes\n+ clicks(1)",
}  # fmt: skip
PARTS = {
    "of_degradation": ("lost without the noise's structure, $d_D$", plotting.RED, "s"),
    "of_content": ("lost without the content's structure, $d_C$", plotting.GREEN, "^"),
    "psi": ("$\\psi = d_C - d_D$", plotting.INK, "o"),
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """The four extreme tasks; then psi over the whole map."""
    figure = plotting.new_figure(2.8)
    corners, plane = figure.subplots(1, 2, width_ratios=[1.15, 1])
    for number, (column, (label, color, marker)) in enumerate(PARTS.items()):
        values = measured(table, column)
        for row, (notes, shapes) in enumerate(CORNERS):
            found = interval(values.sel(notes=notes, shapes=shapes))
            plotting.bar(corners, found, row + 0.2 * (number - 1), color, marker)
        corners.plot([], [], marker, color=color, markersize=5, label=label)
    for name, marker in ((WIENER, "D"), (MEDIAN, "*")):
        untrained = measured(table, "psi", name).mean("seed")
        for row, (notes, shapes) in enumerate(CORNERS):
            place = float(untrained.sel(notes=notes, shapes=shapes)), row + 0.4
            corners.plot(*place, marker, color=plotting.GREY, markersize=3)
        label = f"$\\psi$, {name}"
        corners.plot([], [], marker, color=plotting.GREY, markersize=3, label=label)
    plotting.name_rows(corners, list(CORNERS.values()), fontsize=6.5)
    corners.set_ylim(len(CORNERS) - 0.35, -0.45)
    corners.axvline(0, color=plotting.INK, linewidth=0.6)
    corners.set_xlabel("share of the noise's energy")
    corners.set_title("what is lost where one component is replaced", fontsize=7, loc="left")
    figure.legend(fontsize=6, loc="outside lower left", ncols=4)
    psi = measured(table, "psi")
    # The Gaussian twin, which is number 0, stands last.
    psi = psi.sel(notes=np.roll(psi["notes"], -1), shapes=np.roll(psi["shapes"], -1))
    drawn = plotting.heat_map(
        plane, psi.mean("seed").values, psi["shapes"].values, psi["notes"].values,
        plotting.DIVERGING, (-0.6, 0.6),
    )  # fmt: skip
    for (row, column), value in np.ndenumerate(interval_each(psi).estimate):
        ink = "white" if abs(value) > 0.4 else plotting.INK
        plane.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=ink)
    plane.set_xticks(range(psi["shapes"].size), _names(psi["shapes"]), fontsize=6)
    plane.set_yticks(range(psi["notes"].size), _names(psi["notes"]), fontsize=6)
    plane.set_xlabel("click shapes $K$")
    plane.set_ylabel("notes at once $M$")
    label = "$\\psi$: fits the noise's $\\leftarrow\\,\\rightarrow$ content's structure"
    plotting.color_bar(figure, drawn, plane, label, extend="both")
    return figure


def _names(axis: xr.DataArray) -> list[str]:
    return ["Gaussian" if value == GAUSSIAN else f"{value:g}" for value in axis.values]


REGISTERED = registered.of("twins")
experiment = Experiment(
    name="twins",
    message=(
        "Networks fit whichever structure lies beyond the spectrum: the noise's where only the "
        "noise has any, the content's where only the content has; a linear filter has none to lose."
    ),
    presets=CHORD_MAPS,
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
