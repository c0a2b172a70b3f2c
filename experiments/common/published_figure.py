"""The figure of published networks: all in one plane, rain by rain, level by level, and crops."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from common import published
from common.published import LEVELS, Published
from common.published_tasks import OWN_RAIN, RANGES
from shortcut1d import plotting
from shortcut1d.analysis import interval_each
from shortcut1d.analysis.intervals import Interval
from shortcut1d.analysis.transfer import HALF
from shortcut1d.diagnosis.inputs import DEGRADATION, SEEN

SHOWN = "shown: "  # what names of crops begin with: input, target and output, as bytes
SWEEP = "noise sweep"  # role of a test
MEASURES = ("kept", "removed", "removed from seen", "transfer", "psi", "d_D", "d_C", "rho")
MARKERS = {"DnCNN": "o", "U-Net": "s", "PReNet": "^", "PReNet_r": "v"}
RAINS = (OWN_RAIN, *RANGES)
LINES = (":", "-.", "--", "-")  # one for each of LEVELS
WITH, WITHOUT, DERAINER = plotting.RED, plotting.BLUE, plotting.GREEN
CROPS = (  # network, test, part of what is shown, title
    ("DnCNN, noise to 30", "noise 60", 0, "noise 60"),
    ("DnCNN, noise to 30", "noise 60", 2, "DnCNN (noise to 30)"),
    ("DnCNN without biases, noise to 30", "noise 60", 2, "without biases"),
    ("DnCNN, noise to 30", "noise 60", 1, "target"),
    ("PReNet, Rain100H", OWN_RAIN, 0, "its rain"),
    ("PReNet, Rain100H", OWN_RAIN, 2, "PReNet (Rain100H)"),
    ("PReNet, Rain100H", "large", 0, "other rain"),
    ("PReNet, Rain100H", "large", 2, "PReNet (Rain100H)"),
)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """The plane of all networks, rain by rain, level by level, and crops to look at.

    Args:
        table: a row for each picture of each test of each network.
        arrays: `diagnosis`, `(networks, MEASURES, 3)`: value and interval of each report, networks
            in their order in the table; and the crops to show.
    """
    names = list(dict.fromkeys(table["network"]))
    networks = [network for network in published.networks() if network.name in names]
    shown = [
        (arrays[f"{SHOWN}{who}; {test}"][part], title)
        for who, test, part, title in CROPS
        if f"{SHOWN}{who}; {test}" in arrays
    ]
    heights = [3.1, 2.1, 1.2] if shown else [3.1, 2.1]
    figure = plotting.new_figure(sum(heights))
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    plane, rains = parts[0].subplots(1, 2, width_ratios=[1.15, 1])
    draw_plane(plane, networks, arrays["diagnosis"])
    draw_rains(rains, [network for network in networks if network.derains], table)
    levels = parts[1].subplots(1, 2, sharey=True)
    for axes, architecture in zip(levels, ("DnCNN", "U-Net"), strict=True):
        draw_levels(axes, table[table["architecture"] == architecture])
        axes.set_title(f"{architecture}, weaker and stronger noise", loc="left", fontsize=7)
        axes.set_xlabel("noise (standard deviation, of 255)")
    levels[0].set_ylabel("PSNR (dB)")
    if shown:
        for axes, (crop, title) in zip(parts[2].subplots(1, len(shown)), shown, strict=True):
            axes.imshow(
                crop[..., 0] if crop.shape[-1] == 1 else crop, cmap="gray", vmin=0, vmax=255
            )
            axes.set_title(title, fontsize=6)
            axes.set_axis_off()
    return figure


def draw_plane(axes: Axes, networks: list[Published], found: np.ndarray) -> None:
    """Every network by what it keeps of new content and removes of a new degradation."""
    axes.axhline(HALF, color=plotting.PALE, linewidth=0.6, zorder=0)
    words: Any = {
        "transform": axes.transAxes,
        "color": plotting.GREY,
        "style": "italic",
        "fontsize": 7,
    }
    axes.text(0.02, 0.99, "both: it generalises", va="top", **words)
    axes.text(0.98, 0.02, "degradation fitted", ha="right", **words)
    axes.set_xlabel("kept of new content $R_C$")
    axes.set_ylabel("removed of new noise or rain $R_D$")
    axes.set_title("what published networks learned", loc="left", fontsize=7)
    placed: dict[tuple[Any, ...], tuple[float, float]] = {}
    for network, values in zip(networks, found, strict=True):
        both = values[[MEASURES.index(name) for name in ("kept", "removed")]]
        x, y = (Interval(estimate, low, high, 1) for estimate, low, high in both)
        marker = MARKERS[network.architecture]
        placed[network.architecture, network.trained_on, network.bias] = x.estimate, y.estimate
        plotting.cross(axes, x, y, color_of(network), marker)
        if network.derains and network.trained_on != OWN_RAIN:
            axes.plot(x.estimate, y.estimate, marker, color="white", markersize=2.5, zorder=4)
    for (architecture, trained_on, bias), place in placed.items():
        twin = placed.get((architecture, trained_on, False))
        if bias and twin:
            arrow = {"arrowstyle": "->", "color": plotting.GREY, "linewidth": 0.7}
            axes.annotate("", twin, place, arrowprops=arrow | {"shrinkA": 3, "shrinkB": 3})
        if bias and architecture in ("DnCNN", "PReNet"):
            word = trained_on.removeprefix("noise to ")
            aside, how = ((0, -12), "center") if architecture == "PReNet" else ((-6, 0), "right")
            axes.annotate(
                word, place, aside, textcoords="offset points", ha=how, va="center", fontsize=6
            )
    axes.margins(x=0.08)
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", markersize=4, label=label)
        for color, marker, label in (
            (WITH, "o", "DnCNN"),
            (WITH, "s", "U-Net"),
            (WITHOUT, "o", "without biases"),
            (DERAINER, "^", "PReNet"),
            (DERAINER, "v", "PReNet_r"),
        )
    ]
    axes.legend(handles=handles, fontsize=6, loc=(0.02, 0.56), handletextpad=0.2)


def draw_rains(axes: Axes, derainers: list[Published], table: pd.DataFrame) -> None:
    """What each derainer removes of each rain, on the photographs of Rain100H."""
    rows = table[table["role"].isin((SEEN, DEGRADATION))]
    left = rows.pivot_table(index="network", columns="tested_on", values="left")
    shares = 1 - left.reindex([network.name for network in derainers], columns=RAINS).to_numpy()
    axes.imshow(shares, cmap=plotting.SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(shares.shape):
        share = shares[row, column]
        color = "white" if share < HALF else plotting.INK
        said = f"{100 * share:.0f}" if share > 0 else "none"
        axes.text(column, row, said, ha="center", va="center", fontsize=6.5, color=color)
    axes.set_xticks(range(len(RAINS)), RAINS, fontsize=6.5)
    axes.set_yticks(
        range(len(derainers)), [network.name.replace(", ", "\n") for network in derainers],
        fontsize=6,
    )  # fmt: skip
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("removed of each rain (%), by training set", loc="left", fontsize=7)


def draw_levels(axes: Axes, table: pd.DataFrame) -> None:
    """PSNR of one architecture at each noise level, with biases and without.

    A tick on each curve marks the strongest noise of its training.
    """
    table = table[table["role"] == SWEEP]
    for bias, trained_to in itertools.product((True, False), LEVELS):
        rows = table[(table["bias"] == bias) & (table["level"] == trained_to)]
        if not len(rows):
            continue
        psnr = rows.pivot_table(index="picture", columns="tested_on", values="psnr")
        levels = sorted(float(name.removeprefix("noise ")) for name in psnr.columns)
        psnr = psnr[[f"noise {level:g}" for level in levels]]
        place = LEVELS.index(trained_to)
        mean = interval_each(psnr.to_numpy())
        color, line = (WITH if bias else WITHOUT), LINES[place]
        label = f"{'with' if bias else 'without'} biases" if place == 0 else None
        plotting.curve(axes, levels, mean, color, line, label=label, linewidth=0.9)
        at_end = np.interp(trained_to, levels, mean.estimate)
        axes.plot(trained_to, at_end, "|", color=color, markersize=7, markeredgewidth=1.4)
    axes.set_xscale("log")
    axes.set_xticks([5, 10, 20, 50, 100, 200], ["5", "10", "20", "50", "100", "200"])
    axes.minorticks_off()
    if len(table):
        axes.legend(fontsize=6, loc="lower left")


def color_of(network: Published) -> str:
    """The colour of its points."""
    if network.derains:
        return DERAINER
    return WITH if network.bias else WITHOUT
