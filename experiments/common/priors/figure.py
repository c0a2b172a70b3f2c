"""The figure of a prior: gain against ceiling, all restorers beside it, and examples."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from common.priors import classics, judged
from common.priors.tasks import (
    CODE_TUNED,
    DEEP,
    DIFFUSION,
    KNOWN,
    NO_CODE,
    PLAIN,
    PRIOR,
    PROJECTED,
    RANDOM_CODE,
    SAMPLED,
    STANDS,
    TRAINED,
)
from shortcut1d import plotting
from shortcut1d.analysis import interval

ROWS = (
    PLAIN, PRIOR, STANDS, PROJECTED, TRAINED, CODE_TUNED, NO_CODE, RANDOM_CODE, DIFFUSION, SAMPLED,
    DEEP, *judged.CLASSICS,
)  # fmt: skip
SHOWN = (PLAIN, PRIOR, TRAINED, NO_CODE, DIFFUSION, classics.WIENER)  # examples
PALETTE = (plotting.BLUE, plotting.GREEN, plotting.ORANGE, plotting.PINK, plotting.RED)
MARKERS = "osD^v"


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Gain against what the ceiling allows; error of every restorer; examples."""
    figure = plotting.new_figure(7.6)
    parts: Any = figure.subfigures(2, 1, height_ratios=[1.45, 1])
    gains, rows = parts[0].subplots(1, 2, width_ratios=[1, 1.15])
    draw_gains(gains, table)
    draw_rows(rows, table)
    draw_examples(parts[1], arrays)
    return figure


def draw_gains(axes: Any, table: pd.DataFrame) -> None:
    """Gain over the plain net against ceiling less plain net; a point per case and degradation."""
    room, gain = judged.room(table), judged.gain(table)
    ceilings = judged.printed_ceilings(table)
    contents, tasks = (list(table[name].unique()) for name in ("content", "task"))
    for case in room["case"].values:
        content, task = str(case).split(": ")
        color, marker = PALETTE[contents.index(content)], MARKERS[tasks.index(task)]
        for tested in room["tested"].values:
            of = {"case": case, "tested": tested}
            x, y = (interval(values.sel(of).to_numpy()) for values in (room, gain))
            axes.plot([x.estimate] * 2, [y.low, y.high], color=color, linewidth=0.8)
            axes.plot([x.low, x.high], [y.estimate] * 2, color=color, linewidth=0.8)
            axes.plot(x.estimate, y.estimate, marker, color=color, markersize=4, markeredgewidth=0)
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color=plotting.PALE, linewidth=0.8, zorder=0)
    axes.set_xlim(low, high)
    bottom, top = _span(gain)
    axes.set_ylim(bottom - 1, max(0.0, top) + 1.5)
    for line in (axes.axhline, axes.axvline):
        line(0, color=plotting.GREY, linewidth=0.6, zorder=0)
    for content, color in zip(contents, PALETTE, strict=False):
        own = ceilings[f"{content}: {tasks[0]}"]
        label = f"{content}: ceiling {own:.0f} dB{' PSNR' if 'psnr' in table else ''}"
        axes.plot([], [], "o", color=color, markersize=4, label=label)
    if len(tasks) > 1:
        for task, marker in zip(tasks, MARKERS, strict=False):
            axes.plot([], [], marker, color=plotting.INK, markersize=4, label=task)
    axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)
    axes.set_xlabel("ceiling of the prior - plain net (dB)")
    axes.set_ylabel("gain: prior - plain net, unseen degradation (dB)")


def draw_rows(axes: Any, table: pd.DataFrame) -> None:
    """What each restorer gains over the plain net, known and unseen, in the first task."""
    first = table[table["task"] == table["task"].iloc[0]]
    contents = list(table["content"].unique())
    known, unseen = judged.quality(first, KNOWN).isel(tested=0), judged.unseen(first)
    there = [name for name in ROWS if name in set(first["restorer"])]
    for place, name in enumerate(there):
        for number, content in enumerate(contents):
            of = {"case": f"{content}: {first['task'].iloc[0]}"}
            shift = 0.7 * ((number + 0.5) / len(contents) - 0.5)
            for values, marker in ((known, "x"), (unseen, "o")):
                own = values.sel(of)
                found = interval((own.sel(restorer=name) - own.sel(restorer=PLAIN)).to_numpy())
                if marker == "o":
                    plotting.bar(axes, found, place + shift, PALETTE[number], marker)
                else:
                    axes.plot(found.estimate, place + shift, marker, color=PALETTE[number],
                              markersize=3, markeredgewidth=0.7)  # fmt: skip
    plotting.name_rows(axes, there, fontsize=6.5)
    low, high = _span(unseen.sel(restorer=there) - unseen.sel(restorer=PLAIN))
    axes.set_xlim(max(-16.0, low - 3), high + 2)
    for border in np.arange(len(there) - 1) + 0.5:
        axes.axhline(border, color=plotting.PALE, linewidth=0.4, zorder=0)
    axes.axvline(0, color=plotting.GREY, linewidth=0.6, zorder=0)
    for label, marker in (("unseen", "o"), ("known", "x")):
        axes.plot([], [], marker, color=plotting.INK, markersize=4, label=label)
    axes.legend(fontsize=6, loc="lower right", ncols=2, bbox_to_anchor=(1, 1))
    axes.set_xlabel(f"dB better than the plain net, {first['task'].iloc[0]}", fontsize=7)


def _span(values: Any) -> tuple[float, float]:
    """Least and largest mean over seeds; 0 where all networks have diverged."""
    means = values.mean("seed").to_numpy()
    finite = means[np.isfinite(means)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def draw_examples(part: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """One row per content: input, clean, and outputs under the first unseen degradation."""
    cases = list(dict.fromkeys(title.rpartition(": ")[0] for title in arrays))
    columns = ("input", "clean", *SHOWN)
    panels = part.subplots(len(cases), len(columns), squeeze=False)
    for row, case in zip(panels, cases, strict=True):
        clean = arrays[f"{case}: clean"]
        for axes, name in zip(row, columns, strict=True):
            sample = arrays[f"{case}: {name}"]
            axes.set_axis_off()
            if sample.ndim == 2:
                color = plotting.GREY if name in ("input", "clean") else plotting.BLUE
                axes.plot(clean[:, 0], color=plotting.PALE, linewidth=1.5)
                axes.plot(sample[:, 0], color=color, linewidth=0.8)
                axes.set_ylim(-4, 4)
            else:
                axes.imshow(np.clip(sample, 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
            if case == cases[0]:
                axes.set_title(textwrap.fill(name, 14), fontsize=6, loc="left", pad=2)
        row[0].text(-0.05, 0.5, case, rotation=90, fontsize=6, ha="right",
                    va="center", transform=row[0].transAxes)  # fmt: skip
