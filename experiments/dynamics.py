"""Dynamics: which component is learned first, and does a network ever turn back?

Conv nets are tested as they are trained, after 0, 1, 2, 4 ... steps, in the four corners of the
phase diagram and on the line between its two halves: how much of what they give out is content and
how much degradation, and how much they keep and remove of what they never saw. The simpler
component should be the first to be learned.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from common.signal_tasks import (
    NO_SPAN,
    TrainConfig,
    check_bands,
    check_clicks,
    cube,
    map_run,
)
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import bootstrap_each
from shortcut1d.harness.claims import Claim, claim_mean
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import SEEN, STEP, EvalConfig
from shortcut1d.training.sweep import Session, sweep

CONTENT_SIMPLER, DEGRADATION_SIMPLER = "content simpler", "noise simpler"
BOTH_SIMPLE, BOTH_RICH, LINE = "both simple", "both rich", "on the line"


@dataclass(frozen=True)
class Config(TrainConfig):
    """Where on the phase diagram, and how long."""

    frequencies: tuple[float, ...] = option(
        (2.0, 19.0, 60.0), "band limits of the content: simple, on the line, rich"
    )
    shapes: tuple[int, ...] = option((1, 16, 256), "click shapes: simple, on the line, rich")

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("frequencies", "shapes"):
            values = getattr(self, field)
            if len(values) != 3 or list(values) != sorted(set(values)):
                raise errors.refuse(field, values, "three values in rising order")
        check_bands(self.frequencies)
        check_clicks(self.shapes)

    def checkpoints(self) -> tuple[int, ...]:
        """Steps after which the networks are tested: none, all, and every power of two between."""
        doublings = [2**n for n in range(self.steps.bit_length()) if 2**n < self.steps]
        return (0, *doublings, self.steps)


def corners(config: Config) -> dict[str, tuple[float, int]]:
    """Content frequency and number of click shapes, by name."""
    (low, middle, high), (few, some, many) = config.frequencies, config.shapes
    return {
        CONTENT_SIMPLER: (low, many),
        DEGRADATION_SIMPLER: (high, few),
        BOTH_SIMPLE: (low, few),
        BOTH_RICH: (high, many),
        LINE: (middle, some),
    }


def run(config: Config, session: Session) -> Result:
    """Train a network in every corner, and test it at every stop."""
    runs = [
        map_run(networks.ConvNet(width=config.width), name, frequency, shapes, seed)
        for name, (frequency, shapes) in corners(config).items()
        for seed in range(config.seeds)
    ]
    schedule = config.schedule(checkpoints=config.checkpoints())
    return Result(sweep(runs, schedule, EvalConfig(config.samples, NO_SPAN), session).table)


def course(table: pd.DataFrame, corner: str, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and a measure along training as `(seeds, steps)`.

    column: one of `panel.indices`, or a measure on what the network has seen.
    """
    chosen = table[table["network"] == corner]
    index = evaluation.indices(chosen)
    if column not in index:
        index = chosen[chosen["test"] == SEEN]
    (_, steps), values = cube(index, column, "seed", STEP)
    return np.array(steps), values


def on_the_way(table: pd.DataFrame, corner: str) -> np.ndarray:
    """Each network's index when it had come half of the way from silence to its best, on what it
    has seen. Silence, not the untrained network: that one's noise is louder than the content, and
    half of the way from it would be spent falling silent. NaN for one that diverged.
    """
    _, error = course(table, corner, "nmse")
    _, phi = course(table, corner, "phi")
    half = (1 + np.min(error, axis=1)) / 2
    first = np.argmax(error <= half[:, None], axis=1)
    index = np.take_along_axis(phi, first[:, None], axis=1)[:, 0]
    return np.where(np.isfinite(error).all(axis=1), index, np.nan)


def gone_back(table: pd.DataFrame, corner: str) -> np.ndarray:
    """How far each network's index ended from the furthest that it had been on the same side of 0,
    the side on which it ended.
    """
    _, phi = course(table, corner, "phi")
    side = np.sign(phi[:, -1:])
    return np.max(side * phi, axis=1) - np.abs(phi[:, -1])


def went_over(table: pd.DataFrame, corner: str) -> np.ndarray:
    """How far beyond 0 each network's index had been on the side on which it did not end; after
    it had come half of the way, since before that it has fitted nothing.
    """
    _, error = course(table, corner, "nmse")
    _, phi = course(table, corner, "phi")
    side = np.sign(phi[:, -1:])
    learnt = error <= (1 + np.min(error, axis=1, keepdims=True)) / 2
    return np.max(np.where(learnt, np.maximum(-side * phi, 0), 0), axis=1)


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the simpler component comes first, and that networks do not turn back."""
    names = list(dict.fromkeys(table["network"]))
    corners_only = [name for name in names if name != LINE]
    steps, phi = course(table, LINE, "phi")
    early = int(np.argmin(np.abs(steps - steps[-1] / 8)))
    _, gain = course(table, DEGRADATION_SIMPLER, "degradation_gain")

    def worst_of(measure: Any) -> tuple[str, np.ndarray]:
        found = {name: measure(table, name) for name in corners_only}
        worst = max(found, key=lambda name: np.nan_to_num(np.mean(found[name]), nan=np.inf))
        return worst, found[worst]

    retreat_at, retreat = worst_of(gone_back)
    crossed_at, crossed = worst_of(went_over)
    return [
        claim_mean(
            "where the content is simpler, it is the first to be fitted",
            "phi when half of the way is done", on_the_way(table, CONTENT_SIMPLER), "above", 0.0,
        ),
        claim_mean(
            "where the noise is simpler, it is the first to be fitted",
            "phi when half of the way is done", on_the_way(table, DEGRADATION_SIMPLER),
            "below", 0.0,
        ),
        claim_mean(
            "where the noise is simpler, a network lets it through before it takes it away",
            "largest gain of the noise on the way - at the end",
            np.max(gain, axis=1) - gain[:, -1], "above", 0.2,
        ),
        claim_mean(
            "off the line, no network changes sides once it has come half of its way",
            f"how far beyond 0 phi had been, where furthest ({crossed_at})",
            crossed, "below", 0.1,
        ),
        claim_mean(
            "off the line, no network goes back from where it was on its side",
            f"largest |phi| on that side - at the end, where it is largest ({retreat_at})",
            retreat, "below", 0.1,
        ),
        claim_mean(
            "on the line, longer training moves networks towards the degradation",
            f"phi after {steps[-1]} steps - after {steps[early]}",
            phi[:, -1] - phi[:, early], "below", 0.0,
        ),
    ]  # fmt: skip


SHOWN = (
    (("content_gain", "content in the output, $a$", plotting.BLUE),
     ("degradation_gain", "noise in the output, $b$", plotting.RED)),
    (("kept", "kept new content, $R_C$", plotting.SKY),
     ("removed", "removed new noise, $R_D$", plotting.ORANGE)),
    (("phi", "index $\\varphi$", plotting.INK),
     ("rho", "novelty response $\\rho$", plotting.GREEN)),
)  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """A column a corner: what comes out, what happens to what is new, and the index."""
    names = list(dict.fromkeys(table["network"]))
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.6), layout="constrained")
        panels = figure.subplots(len(SHOWN), len(names), sharex=True, sharey="row")
        for column, name in zip(panels.T, names, strict=True):
            for axes, lines in zip(column, SHOWN, strict=True):
                _draw_lines(axes, table, name, lines)
            own = table[table["network"] == name].iloc[0]
            column[0].set_title(
                f"{name}\n{own['content']}, {own['degradation']}", fontsize=6, loc="left"
            )
            column[-1].set_xlabel("training step")
        for axes in panels[:, 0]:
            axes.set_ylim(-1.05 if axes is panels[-1, 0] else -0.35, 1.1)
        for row in panels:
            handles, labels = row[0].get_legend_handles_labels()
            row[0].set_ylabel("share")
            row[-1].legend(handles, labels, fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
        return figure


def _draw_lines(axes: Any, table: pd.DataFrame, name: str, lines: Any) -> None:
    axes.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    for measure, label, color in lines:
        steps, values = course(table, name, measure)
        plotting.curve(axes, steps, bootstrap_each(values.T), color, label=label)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, 10, 1000], ["0", "10", "1000"], fontsize=6)
    axes.set_xlim(0, steps[-1])
    axes.minorticks_off()


experiment = Experiment(
    name="dynamics",
    summary=__doc__,
    message=(
        "The simpler component is the first to be fitted; on the line between the halves of "
        "the phase diagram networks begin on the content's side and end on the noise's."
    ),
    presets={
        "smoke": Config(seeds=2, width=2, steps=10, batch=8, samples=16),
        "quick": Config(seeds=6, steps=2400, batch=16),
        "full": Config(seeds=10, width=32, steps=20_000, batch=64, samples=512),
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
