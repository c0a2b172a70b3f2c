"""The melody priors by name, what is read off their table, and the figure of it."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shortcut1d import plotting
from shortcut1d.analysis import interval, interval_each, verdict
from shortcut1d.training.evaluation import UNSEEN_CONTENT
from shortcut1d.training.tables import indices

# Kinds of prior; that of so many entries is prior(entries).
NO_CODE, RANDOM, OTHER_MUSIC, NONE = "no code", "random code", "other music", "no prior"
# How a prior is used; and what there is without one.
STANDS, CODES, OUTPUT, WHOLE = "as it stands", "encoder to codes", "encoder to output", "all of it"
PROJECTED, SEARCHED = "behind a conv net", "searched"
CONV, AUTOENCODER = "conv net", "autoencoder"
NOISES = ("other clicks", "hiss", "hum")


def named(entries: float) -> str:
    """The kind of prior with so many entries a codebook."""
    return f"prior({entries:g})"


def error(table: pd.DataFrame, network: str, test: str) -> np.ndarray:
    """NMSE of a network's seeds under a degradation: "clicks", or an unseen noise at a level."""
    chosen = table[(table["network"] == network) & (table["test_degradation"] == test)]
    chosen = chosen[chosen["test"] != UNSEEN_CONTENT]
    return chosen.sort_values("seed")["nmse"].to_numpy()


def unseen(table: pd.DataFrame, network: str, level: float = 0.0) -> np.ndarray:
    """NMSE of a network's seeds, mean over the unseen noises at a level."""
    return np.mean([error(table, network, f"{name}({level:g})") for name in NOISES], axis=0)


def sizes_of(table: pd.DataFrame) -> np.ndarray:
    """Entries of a codebook that there are priors of, in rising order."""
    return np.unique(table["entries"].dropna())


ROWS = (CODES, STANDS, OUTPUT, WHOLE, PROJECTED, SEARCHED)
COLORS = {
    "clicks": plotting.INK, NOISES[0]: plotting.RED, NOISES[1]: plotting.BLUE,
    NOISES[2]: plotting.ORANGE,
}  # fmt: skip


def rows_of(table: pd.DataFrame) -> dict[str, str]:
    """Networks from the top of the figure, and what it calls them."""
    prior = named(sizes_of(table)[-1])
    rows = {f"{NONE}: {CONV}": "plain conv net", f"{NONE}: {AUTOENCODER}": "plain autoencoder"}
    rows |= {f"{prior}: {use}": f"prior, {use}" for use in ROWS}
    return rows | {
        f"{kind}: {CODES}": f"{kind}, {CODES}" for kind in (NO_CODE, RANDOM, OTHER_MUSIC)
    }


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Errors of all; the strength of the constraint; levels; and a melody under hiss."""
    figure = plotting.new_figure(6.6)
    parts: Any = figure.subfigures(3, 1, height_ratios=[3.3, 1.8, 1])
    above, middle, below = parts
    errors_axes, fitted_axes = above.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    _errors(errors_axes, table)
    _fitted(fitted_axes, table)
    strength, level = middle.subplots(1, 2)
    _strength(strength, table)
    _levels(level, table)
    prior = named(sizes_of(table)[-1])
    examples = {
        f"{NONE}: {CONV}": plotting.GREY, f"{prior}: {STANDS}": plotting.GREEN,
        f"{prior}: {CODES}": plotting.BLUE,
    }  # fmt: skip
    for axes, (name, color) in zip(below.subplots(1, len(examples)), examples.items(), strict=True):
        degraded, clean, output = arrays[name][..., 0]
        plotting.waveforms(axes, degraded, clean, output, color)
        axes.set_axis_off()
        axes.set_title(f"a melody under hiss: {rows_of(table)[name]}", fontsize=6.5, loc="left")
    axes.legend(fontsize=6, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 0.02))
    return figure


def _errors(axes: Any, table: pd.DataFrame) -> None:
    """Error of each network on what was seen and on each unseen noise."""
    rows = rows_of(table)
    for place, network in enumerate(rows):
        for shift, (test, color) in enumerate(COLORS.items()):
            values = error(table, network, test if test == "clicks" else f"{test}(0)")
            plotting.bar(axes, interval(values), place + 0.17 * (shift - 1.5), color, "o")
    for test, color in COLORS.items():
        word = "clicks (seen)" if test == "clicks" else test
        axes.plot([], [], "o", color=color, markersize=4, label=word)
    plotting.name_rows(axes, list(rows.values()), fontsize=6.5)
    axes.set_xscale("log")
    axes.set_xlabel("error on melodies (NMSE; 1: as bad as silence)")
    for border in np.arange(len(rows) - 1) + 0.5:
        axes.axhline(border, color=plotting.PALE, linewidth=0.4, zorder=0)
    axes.legend(ncols=4, fontsize=6, loc="lower left", bbox_to_anchor=(0, 1.0), handlelength=1)


def _fitted(axes: Any, table: pd.DataFrame) -> None:
    """Index and novelty response of each network, and the verdict."""
    index = indices(table[table["level"] == 0])
    for place, network in enumerate(rows_of(table)):
        own = index[index["network"] == network]
        for column, marker, color, shift in (
            ("phi", "o", plotting.INK, -0.15), ("rho", "D", plotting.GREEN, 0.15),
        ):  # fmt: skip
            plotting.bar(axes, interval(own[column].to_numpy()), place + shift, color, marker)
        word = verdict(own["kept"].mean(), own["removed"].mean())
        axes.text(0.95, place - 0.32, word, fontsize=4.5, ha="right", va="center")
    axes.axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    axes.set_xlim(-1, 1)
    axes.set_xticks([-1, 0, 1])
    axes.tick_params(left=False)
    axes.set_xlabel("phi (dots), rho (diamonds)")
    for border in np.arange(len(rows_of(table)) - 1) + 0.5:
        axes.axhline(border, color=plotting.PALE, linewidth=0.4, zorder=0)


def _curve(
    axes: Any, places: Any, values: list[np.ndarray], color: str, label: str, fmt: str = "o-"
) -> None:
    mean = interval_each(np.stack(values, axis=1))
    plotting.curve(axes, places, mean, color, fmt, markersize=3, label=label)


def _strength(axes: Any, table: pd.DataFrame) -> None:
    sizes = sizes_of(table)
    bits = [float(np.log2(size)) for size in sizes]
    for use, color in ((STANDS, plotting.GREEN), (CODES, plotting.BLUE)):
        names = [f"{named(size)}: {use}" for size in sizes]
        _curve(axes, bits, [unseen(table, n) for n in names], color, label=f"{use}: unseen")
        _curve(
            axes, bits, [error(table, n, "clicks") for n in names], color, label="clicks (seen)",
            fmt="o--",
        )  # fmt: skip
    axes.set_xticks(bits, [f"{size:g}" for size in sizes])
    axes.set_xlabel("entries of a codebook")
    axes.set_ylabel("error (NMSE)")
    axes.set_ylim(bottom=0)
    axes.legend(
        fontsize=5.5, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.25), handlelength=3,
    )  # fmt: skip


def _levels(axes: Any, table: pd.DataFrame) -> None:
    levels, prior = np.unique(table["level"]), named(sizes_of(table)[-1])
    for network, color in (
        (f"{NONE}: {CONV}", plotting.GREY), (f"{NO_CODE}: {CODES}", plotting.PINK),
        (f"{prior}: {STANDS}", plotting.GREEN), (f"{prior}: {CODES}", plotting.BLUE),
    ):  # fmt: skip
        values = [unseen(table, network, level) for level in levels]
        _curve(axes, levels, values, color, label=rows_of(table)[network])
    axes.set_xticks(levels)
    axes.set_yscale("log")
    axes.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    axes.minorticks_off()
    axes.set_xlabel("level of the unseen noise (dB)")
    axes.set_ylabel("error (NMSE)")
    axes.legend(fontsize=5.5)
