"""One style for all figures, and the plots that more than one of them uses.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; sizes are those of a page
in print: 7 inches for two columns.
"""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from shortcut1d.analysis import Interval
from shortcut1d.analysis.transfer import HALF

TWO_COLUMNS = 7.0  # inches
BLUE, ORANGE, GREEN, PINK, SKY, RED = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
)
COLORS = (RED, ORANGE, BLUE, GREEN, PINK, SKY)
SEQUENTIAL, DIVERGING = "cividis", "RdBu"  # readable without red or green
INK, GREY, PALE = "#222222", "#8C8C8C", "#C4C4C4"


@contextlib.contextmanager
def style() -> Iterator[None]:
    """The settings that every figure is drawn and saved under."""
    settings: Any = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "axes.linewidth": 0.6,
        "axes.edgecolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "legend.frameon": False,
        "savefig.dpi": 300,
        "hatch.linewidth": 0.6,
        "pdf.fonttype": 42,  # text stays text
        "svg.hashsalt": "shortcut1d",
    }
    with mpl.rc_context(settings):
        yield


def new_figure(height: float, width: float = TWO_COLUMNS) -> Figure:
    """An empty figure of so many inches, whose parts make room for one another."""
    return Figure(figsize=(width, height), layout="constrained")


def cycle() -> Iterator[str]:
    """The colours, again and again."""
    return itertools.cycle(COLORS)


def waveforms(
    axes: Axes,
    given: Float[np.ndarray, " samples"],
    target: Float[np.ndarray, " samples"],
    output: Float[np.ndarray, " samples"],
    color: str,
    name: str = "output",
) -> None:
    """Input, target and output over one another, on axes without decoration."""
    time = np.arange(len(given))
    axes.plot(time, given, color=PALE, linewidth=0.9, label="input")
    axes.plot(time, target, color=INK, linewidth=0.7, linestyle=(0, (2, 1.2)), label="target")
    axes.plot(time, output, color=color, linewidth=1.1, label=name)
    axes.set_xlim(0, len(given) - 1)


def transfer_plane(axes: Axes) -> None:
    """The plane of kept content and removed degradation, with what its quarters mean."""
    axes.set_xlim(-0.35, 1.1)
    axes.set_ylim(-0.35, 1.1)
    axes.axvline(HALF, color=PALE, linewidth=0.6, zorder=0)
    axes.axhline(HALF, color=PALE, linewidth=0.6, zorder=0)
    axes.plot([-1, 1.1], [-1, 1.1], color=PALE, linewidth=0.6, linestyle=":", zorder=0)
    axes.set_aspect("equal")
    axes.set_xlabel("kept content $R_C$")
    axes.set_ylabel("removed degradation $R_D$")
    corners = {
        (-0.32, 1.07, "left", "top"): "content fitted",
        (1.07, -0.32, "right", "bottom"): "degradation fitted",
        (1.07, 1.07, "right", "top"): "both: it generalises",
        (-0.32, -0.32, "left", "bottom"): "neither",
    }
    for (x, y, across, up), word in corners.items():
        axes.text(x, y, word, ha=across, va=up, color=GREY, fontsize=7, style="italic")


def cross(axes: Axes, x: Interval, y: Interval, color: str, marker: str) -> None:
    """A point with its intervals both ways."""
    axes.plot([x.estimate] * 2, [y.low, y.high], color=color, linewidth=1.2)
    bar(axes, x, y.estimate, color, marker)


def bar(axes: Axes, x: Interval, y: float, color: str, marker: str) -> None:
    """A point with its interval along the horizontal axis."""
    axes.plot([x.low, x.high], [y] * 2, color=color, linewidth=1.2)
    axes.plot(x.estimate, y, marker, color=color, markersize=5, markeredgewidth=0, zorder=3)


def name_rows(axes: Axes, names: Sequence[str], colors: Sequence[str] = (), **details: Any) -> None:
    """Rows from the top down, named on the left.

    Args:
        axes: where row 0, 1, ... were drawn at heights 0, 1, ...
        names: one a row.
        colors: of the names, one a row; none for black.
        details: of the names, such as their font size.
    """
    axes.set_yticks(range(len(names)), names, **details)
    for label, color in zip(axes.get_yticklabels(), colors, strict=False):
        label.set_color(color)
    axes.set_ylim(len(names) - 0.5, -0.5)


def curve(
    axes: Axes,
    x: Sequence[float] | Float[np.ndarray, " points"],
    y: Interval,
    color: str,
    fmt: str = "-",
    **details: Any,
) -> None:
    """A line with its intervals as a band.

    Args:
        axes: where.
        x: places of the points.
        y: an interval of arrays, one value a point (see `interval_each`).
        color: of both.
        fmt: matplotlib's format of the line, such as "o-".
        details: of the line, such as its label.
    """
    axes.fill_between(x, y.low, y.high, color=color, alpha=0.2, linewidth=0)
    axes.plot(x, y.estimate, fmt, color=color, **{"linewidth": 1.1, **details})


def heat_map(
    axes: Axes,
    values: Float[np.ndarray, "rows columns"],
    across: Sequence[float] | np.ndarray,
    up: Sequence[float] | np.ndarray,
    colors: str,
    limits: tuple[float, float],
) -> Any:
    """A map of values, with named rows and columns; blank where a value is NaN.

    Args:
        axes: where.
        values: row 0 at the bottom.
        across: what the columns stand for.
        up: what the rows stand for.
        colors: name of a colour map.
        limits: values at its two ends.
    """
    drawn = axes.imshow(
        np.ma.masked_invalid(values),
        cmap=colors,
        vmin=limits[0],
        vmax=limits[1],
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    every = 1 if len(across) <= 8 else 2  # room for three digits at column width
    places = range(0, len(across), every)
    axes.set_xticks(places, [f"{across[place]:g}" for place in places], fontsize=6)
    axes.set_yticks(range(len(up)), [f"{value:g}" for value in up], fontsize=6)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return drawn


def color_bar(figure: Figure, drawn: Any, axes: Any, label: str = "", **details: Any) -> None:
    """What the colours of a map mean, in small print.

    Args:
        figure: a figure or subfigure.
        drawn: the map.
        axes: of the map, or several that share its colours.
        label: what is measured.
        details: of `Figure.colorbar`, such as the bar's location.
    """
    made = figure.colorbar(drawn, ax=axes, **details)
    made.set_label(label, fontsize=6)
    made.ax.tick_params(labelsize=6)


def zero_line(
    axes: Axes,
    estimate: Float[np.ndarray, "rows columns"],
    low: Float[np.ndarray, "rows columns"],
    high: Float[np.ndarray, "rows columns"],
) -> None:
    """Lines where a map is zero and, dotted, around the cells whose interval contains zero."""
    if min(estimate.shape) < 2:
        return
    bound, line = (0.7, "dotted"), (1.4, "solid")
    for values, (width, dashes) in ((low, bound), (high, bound), (estimate, line)):
        finite = values[np.isfinite(values)]
        if finite.size and finite.min() < 0 < finite.max():
            masked = np.ma.masked_invalid(values)
            axes.contour(masked, [0.0], colors=INK, linewidths=width, linestyles=dashes)


def hatch_cells(axes: Axes, chosen: Bool[np.ndarray, "rows columns"]) -> None:
    """Hatch some cells of a heat map."""
    style: Any = {"fill": False, "hatch": "////", "edgecolor": GREY, "linewidth": 0}
    for row, column in np.argwhere(chosen):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **style))


PARTS = ("input", "target", "output", "what is left")


def pictures(
    figure: Any, rows: Sequence[tuple[str, Float[np.ndarray, "3 height width channels"]]]
) -> None:
    """Input, target, output and how the last two differ (grey: not at all); two rows to a line.

    Args:
        figure: a figure or subfigure, all of which is used.
        rows: for each its title, and its input, target and output with values in [0, 1].
    """
    panels = figure.subplots((len(rows) + 1) // 2, 2 * len(PARTS), squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for number, (title, (given, target, output)) in enumerate(rows):
        row = panels[number // 2, len(PARTS) * (number % 2) :]
        left = 0.5 + (output - target)
        for axes, picture, word in zip(row, (given, target, output, left), PARTS, strict=False):
            axes.imshow(
                np.clip(picture if picture.shape[-1] == 3 else picture[..., 0], 0, 1),
                cmap="gray", vmin=0, vmax=1, interpolation="nearest",
            )  # fmt: skip
            axes.text(0.5, -0.04, word, ha="center", va="top", fontsize=6, transform=axes.transAxes)
        line = row[0].text(0, 1.06, title, fontsize=6.5, transform=row[0].transAxes)
        line.set_in_layout(False)  # it is as wide as four pictures,
        row[0].set_title(" ", fontsize=6.5)  # and this keeps its height free
