"""Dynamics: which component is learned first, and does a network ever turn back?

Conv nets are tested as they are trained, after 0, 1, 2, 4 ... steps, in the four corners of the
phase diagram and on the line between its two halves. How much of their output is content, how much
degradation, and how much do they keep and remove of what they never saw? The simpler component
should be the first to be learned.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from common.papers import Sentence
from common.signal_tasks import TrainConfig, check_bands, check_clicks, map_run
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval_each
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import SEEN, EvalConfig
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import STEP, array_of, indices

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
            errors.rising(field, values, "three values in rising order", low=3, high=3)
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
    """Train a network in every corner, and test it at every checkpoint."""
    runs = [
        map_run(networks.ConvNet(width=config.width), name, frequency, shapes, seed)
        for name, (frequency, shapes) in corners(config).items()
        for seed in range(config.seeds)
    ]
    schedule = config.schedule(checkpoints=config.checkpoints())
    return Result(sweep(runs, schedule, EvalConfig(config.samples), session).table)


def course(table: pd.DataFrame, corner: str, column: str) -> xr.DataArray:
    """A measure along training as `(seed, step)`.

    column: one of `indices`, or a measure on what the network has seen.
    """
    chosen = table[table["network"] == corner]
    frame = indices(chosen)
    if column not in frame:
        frame = chosen[chosen["test"] == SEEN]
    return array_of(frame, column, "seed", STEP)


def learnt(error: xr.DataArray) -> xr.DataArray:
    """Whether a network has come half of the way from silence to its least error, at each step.

    Silence, not the untrained network: the noise of that one is louder than the content, and half
    of the way from it would be spent falling silent.
    """
    return error <= (1 + error.min(STEP, skipna=False)) / 2


def on_the_way(table: pd.DataFrame, corner: str) -> xr.DataArray:
    """Each network's index when it had come half of the way; NaN for one that diverged."""
    error, phi = course(table, corner, "nmse"), course(table, corner, "phi")
    return phi.isel({STEP: learnt(error).argmax(STEP)}).where(error.notnull().all(STEP))


def gone_back(table: pd.DataFrame, corner: str) -> xr.DataArray:
    """How far each index ended from its furthest on the side of 0 on which it ended."""
    phi = course(table, corner, "phi")
    return (phi * np.sign(phi[:, -1])).max(STEP, skipna=False) - abs(phi[:, -1])


def went_over(table: pd.DataFrame, corner: str) -> xr.DataArray:
    """How far beyond 0 each index had been on the side on which it did not end.

    Only after half of the way, since before that the network has fitted nothing.
    """
    error, phi = course(table, corner, "nmse"), course(table, corner, "phi")
    beyond = (phi * -np.sign(phi[:, -1])).clip(min=0)
    return beyond.where(learnt(error), 0).max(STEP, skipna=False)


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the simpler component comes first, and that networks do not turn back."""
    phi = course(table, LINE, "phi")
    steps = phi[STEP].values
    early = int(np.argmin(np.abs(steps - steps[-1] / 8)))
    gain = course(table, DEGRADATION_SIMPLER, "degradation_gain")

    def worst_of(measure: Any) -> tuple[str, xr.DataArray]:
        found = {name: measure(table, name) for name in table["network"].unique() if name != LINE}
        worst = max(found, key=lambda name: np.nan_to_num(found[name].values.mean(), nan=np.inf))
        return worst, found[worst]

    retreat_at, retreat = worst_of(gone_back)
    crossed_at, crossed = worst_of(went_over)
    return [
        claim(
            "where the content is simpler, it is the first to be fitted",
            "phi when half of the way is done", on_the_way(table, CONTENT_SIMPLER),
            sentence=Sentence.SHORTCUT,
        ),
        claim(
            "where the noise is simpler, it is the first to be fitted",
            "phi when half of the way is done", on_the_way(table, DEGRADATION_SIMPLER),
            below=0.0, sentence=Sentence.SHORTCUT,
        ),
        claim(
            "where the noise is simpler, a network lets it through before it takes it away",
            "largest gain of the noise on the way - at the end",
            gain.max(STEP, skipna=False) - gain[:, -1], above=0.2,
        ),
        claim(
            "off the line, no network changes sides once it has come half of its way",
            f"how far beyond 0 phi had been, where furthest ({crossed_at})", crossed, below=0.1,
        ),
        claim(
            "off the line, no network goes back from where it was on its side",
            f"largest |phi| on that side - at the end, where it is largest ({retreat_at})",
            retreat, below=0.1,
        ),
        claim(
            "on the line, longer training moves networks towards the degradation",
            f"phi after {steps[-1]} steps - after {steps[early]}",
            phi[:, -1] - phi[:, early], below=0.0,
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
    names = table["network"].unique()
    figure = plotting.new_figure(4.6)
    panels = figure.subplots(len(SHOWN), len(names), sharex=True, sharey="row")
    for column, name in zip(panels.T, names, strict=True):
        for axes, lines in zip(column, SHOWN, strict=True):
            _draw_lines(axes, table, name, lines)
        own = table[table["network"] == name].iloc[0]
        title = f"{name}\n{own['content']}, {own['degradation']}"
        column[0].set_title(title, fontsize=6, loc="left")
        column[-1].set_xlabel("training step")
    for row, low in zip(panels, (-0.35, -0.35, -1.05), strict=True):
        row[0].set_ylim(low, 1.1)
        row[0].set_ylabel("share")
        row[-1].legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_lines(axes: Any, table: pd.DataFrame, name: str, lines: Any) -> None:
    axes.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    for measure, label, color in lines:
        values = course(table, name, measure)
        plotting.curve(axes, values[STEP].values, interval_each(values), color, label=label)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, 10, 1000], ["0", "10", "1000"], fontsize=6)
    axes.set_xlim(0, table[STEP].max())
    axes.minorticks_off()


experiment = Experiment(
    name="dynamics",
    message=(
        "The simpler component is the first to be fitted; on the line between the halves of "
        "the phase diagram networks begin on the content's side and end on the noise's."
    ),
    presets={
        "smoke": Config(seeds=2, width=2, steps=10, batch=8, samples=16),
        "quick": Config(seeds=6, steps=2400, batch=16),
        "full": Config(seeds=10, width=32, steps=20_000, batch=64, samples=512),
        "kept": Config(seeds=6, steps=2400, batch=16),  # 2.5 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
