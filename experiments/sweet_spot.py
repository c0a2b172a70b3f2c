"""The sweet spot: where is the best training set, and is it where structure balances?

Conv nets are trained on M notes at once, whose spectrum is the same for every M, under clicks of K
shapes. They are tested on melodies and a tune under clicks that none of them knows. Is the error
least where content and noise are equally hard beyond their spectra (psi = 0)? And does
`analysis.predict`, which sees samples only and trains nothing, tell on which side of that a network
will be?
"""

import sys

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.chord_tasks import CHORD_MAPS, ChordConfig, families_of, measured, train_chords
from common.papers import Sentence
from common.signal_tasks import complexity, decibels
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shortcut1d import plotting
from shortcut1d.analysis import interval_each
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.evaluation import UNSEEN_BOTH
from shortcut1d.training.sweep import Session
from shortcut1d.training.tables import array_of

BEST = (2, 256)  # notes and shapes; fixed on exploring seeds
ENDS = (1, 32)  # notes that those are compared with


def run(config: ChordConfig, session: Session) -> Result:
    """The map of the twins, and the complexity of each content and noise, from samples.

    Complexity is that of the first seed's clicks; every other seed has clicks of its own.
    """
    table = train_chords(config, session)
    table = table[(table["notes"] > 0) & (table["shapes"] > 0)].reset_index(drop=True)
    keys = jax.random.split(jax.random.key(config.first_seed))
    of_content, of_noise = {}, {}
    for notes in config.notes:
        (content, _), _ = families_of(notes, 1, config.first_seed)
        of_content[notes] = complexity(content, keys[0])
    for shapes in config.shapes:
        (_, noise), _ = families_of(1, shapes, config.first_seed)
        of_noise[shapes] = complexity(noise, keys[1])
    return Result(
        table.assign(
            content_complexity=table["notes"].map(of_content),
            degradation_complexity=table["shapes"].map(of_noise),
        )
    )


def error_of(table: pd.DataFrame) -> xr.DataArray:
    """NMSE on new contents under clicks that are not known, `(seed, notes, shapes)`."""
    rows = table[table["test"] == UNSEEN_BOTH]
    means = rows.groupby(["seed", "notes", "shapes"])["nmse"].mean().reset_index()
    return array_of(means, "nmse", "seed", "notes", "shapes")


def balance_of(table: pd.DataFrame) -> xr.DataArray:
    """Doublings from the content's intrinsic dimension to the noise's, `(notes, shapes)`."""
    first = table.drop_duplicates(["notes", "shapes"])
    content, noise = (
        array_of(first, f"{part}_complexity", "notes", "shapes")
        for part in ("content", "degradation")
    )
    return xr.apply_ufunc(np.log2, noise / content)


def share_right(table: pd.DataFrame) -> xr.DataArray:
    """Share of cells in which the component that `predict` names is the fitted one, `(seed,)`."""
    psi = measured(table, "psi")
    right = (balance_of(table) > 0) == (psi > 0)
    return right.where(psi.notnull()).mean(("notes", "shapes"), skipna=False)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the cells that are there."""
    error, psi = error_of(table), measured(table, "psi")
    notes, shapes = BEST
    if not {notes, *ENDS} <= set(error["notes"].values) or shapes not in error["shapes"]:
        return []
    column = error.sel(shapes=shapes)
    ends = column.sel(notes=list(ENDS))
    values = {
        "interior": decibels(ends / column.sel(notes=notes)).min("notes", skipna=False),
        "balanced": psi.sel(notes=notes, shapes=shapes),
        "predict": share_right(table),
    }
    return REGISTERED.claims_on(values, Sentence.__members__)


ERROR = "error on new music\nunder new clicks (NMSE)"
PSI = "$\\psi$: fits the noise's $\\leftarrow$\n$\\rightarrow$ the content's structure"
PREDICTED = "`predict`: doublings from the content's\nintrinsic dimension to the noise's"


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Error and psi over the map, and psi against what `predict` sees."""
    error, psi, balance = error_of(table), measured(table, "psi"), balance_of(table)
    figure = plotting.new_figure(2.7)
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.1])
    mean = error.mean("seed")
    limits = float(mean.min()), float(mean.max())
    _draw_map(figure, left, mean, plotting.SEQUENTIAL, limits, ERROR)
    _draw_map(figure, middle, psi.mean("seed"), plotting.DIVERGING, (-0.6, 0.6), PSI)
    best = mean.fillna(np.inf).argmin("notes").values
    for axes in (left, middle):
        for column, row in enumerate(best):
            axes.plot(
                column + 0.36, row - 0.34, "*", color="white", markeredgecolor=plotting.INK,
                markersize=7, markeredgewidth=0.5,
            )  # fmt: skip
    left.set_title("star: best $M$ of its column", fontsize=6, loc="left", color=plotting.GREY)
    each = interval_each(psi)
    for row, (color, count) in enumerate(zip(plotting.cycle(), psi["notes"].values)):
        x, value = balance.values[row], each.estimate[row]
        right.vlines(x, each.low[row], each.high[row], color=color, linewidth=0.8)
        right.plot(x, value, "o", color=color, markersize=3.5, label=f"M = {count:g}")
    right.axhline(0, color=plotting.INK, linewidth=0.5)
    right.axvline(0, color=plotting.INK, linewidth=0.5)
    right.set_xlabel(PREDICTED, fontsize=6.5)
    right.set_ylabel("$\\psi$ (mean, 95%)", fontsize=7)
    right.legend(fontsize=6, handletextpad=0.1, loc="lower right")
    return figure


def _draw_map(
    figure: Figure, axes: Axes, values: xr.DataArray, colors: str, limits: tuple[float, float],
    label: str,
) -> None:  # fmt: skip
    drawn = plotting.heat_map(
        axes, values.values, values["shapes"].values, values["notes"].values, colors, limits
    )
    middle, half = sum(limits) / 2, (limits[1] - limits[0]) / 2
    for (row, column), value in np.ndenumerate(values.values):
        dark = value < middle if colors == plotting.SEQUENTIAL else abs(value - middle) > 0.6 * half
        ink = "white" if dark else plotting.INK
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=ink)
    axes.set_xlabel("click shapes $K$")
    axes.set_ylabel("notes at once $M$")
    plotting.color_bar(figure, drawn, axes, label, location="bottom", aspect=20)


REGISTERED = registered.of("sweet_spot")
experiment = Experiment(
    name="sweet_spot",
    message=(
        "The best content to train on is neither the simplest nor the richest: it is where content "
        "and noise balance beyond their spectra, and the simpler the noise, the simpler it is."
    ),
    presets=CHORD_MAPS,
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
