"""Dynamics: which component's structure is learned first, and is it kept?

Conv nets are tested as they are trained, after 0, 1, 2, 4 ... steps, on three tasks of equal
spectra: lone notes under Gaussian noise, where only the content has structure; a band under clicks
of one shape, where only the noise has; and lone notes under such clicks. How much does a network
lose at each step where the structure of one component is taken away?
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.chord_tasks import GAUSSIAN, chord_run
from common.papers import Sentence
from common.signal_tasks import TrainConfig, check_banks
from matplotlib.figure import Figure

from shortcut1d import networks, plotting
from shortcut1d.analysis import interval_each
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import STEP, array_of, structures

# Notes at once and click shapes of each task.
TASKS = {
    "lone notes\n+ Gaussian noise": (1, GAUSSIAN),
    "band\n+ clicks of one shape": (GAUSSIAN, 1),
    "lone notes\n+ clicks of one shape": (1, 1),
}
BOTH = (1, 1)
EARLY, LATE = 128, 2400  # steps after which psi is compared; fixed on exploring seeds


@dataclass(frozen=True)
class Config(TrainConfig):
    """How long the networks are trained."""

    steps: int = option(2400, "training steps")
    batch: int = option(16, "fresh samples a step")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_banks(self.samples)

    def checkpoints(self) -> tuple[int, ...]:
        """Steps after which the networks are tested: none, all, and every power of two between."""
        doublings = [2**n for n in range(self.steps.bit_length()) if 2**n < self.steps]
        return (0, *doublings, self.steps)


def run(config: Config, session: Session) -> Result:
    """Train a network on every task, and test it at every checkpoint."""
    runs = [
        chord_run(notes, shapes, seed, networks.ConvNet(width=config.width))
        for seed in config.all_seeds()
        for notes, shapes in TASKS.values()
    ]
    schedule = config.schedule(checkpoints=config.checkpoints())
    return Result(sweep(runs, schedule, EvalConfig(config.samples), session).table)


def course(table: pd.DataFrame, task: tuple[int, int], column: str) -> xr.DataArray:
    """A measure of the structure test along training, `(seed, step)`."""
    notes, shapes = task
    rows = table[(table["notes"] == notes) & (table["shapes"] == shapes)]
    return array_of(structures(rows), column, "seed", STEP)


def half_way(values: xr.DataArray) -> xr.DataArray:
    """Log2 of the first step at which each seed's value reaches half of its largest.

    From step 1 on: an untrained network's output is noise of its own. NaN where a network diverged.
    """
    values = values.sel({STEP: slice(1, None)})
    there = values >= values.max(STEP, skipna=False) / 2
    found: Any = there.idxmax(STEP).where(values.notnull().all(STEP))
    return xr.apply_ufunc(np.log2, found)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of a run that is long enough."""
    content, noise = (course(table, BOTH, part) for part in ("of_content", "of_degradation"))
    psi = course(table, BOTH, "psi")
    values = {"first": half_way(content) - half_way(noise)}
    if EARLY in psi[STEP] and psi[STEP][-1] == LATE:
        values["turns"] = psi[:, -1] - psi.sel({STEP: EARLY})
    return REGISTERED.claims_on(values, Sentence.__members__)


LINES = {
    "of_degradation": ("the noise's structure, $d_D$", plotting.RED, "s-"),
    "of_content": ("the content's structure, $d_C$", plotting.GREEN, "^-"),
    "psi": ("$\\psi = d_C - d_D$", plotting.INK, "o-"),
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """One column per task: what is lost at each step without the structure of one component."""
    figure = plotting.new_figure(2.3)
    panels = figure.subplots(1, len(TASKS), sharex=True, sharey=True)
    for axes, (name, task) in zip(panels, TASKS.items(), strict=True):
        axes.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        for column, (label, color, fmt) in LINES.items():
            values = course(table, task, column).sel({STEP: slice(1, None)})
            mean = interval_each(values)
            plotting.curve(axes, values[STEP].values, mean, color, fmt, markersize=2.5, label=label)
        axes.set_xscale("log")
        axes.set_title(name, fontsize=7, loc="left")
        axes.set_xlabel("training step")
    panels[0].set_ylabel("lost without it\n(share of the noise's energy)", fontsize=7)
    panels[0].legend(fontsize=6, loc="upper left")
    return figure


REGISTERED = registered.of("dynamics")
experiment = Experiment(
    name="dynamics",
    message=(
        "Where content and noise both have structure, a network learns the noise's first, and "
        "longer training moves it on to the content's."
    ),
    presets={
        "smoke": Config(seeds=2, width=2, steps=10, batch=8, samples=16),
        "quick": Config(seeds=3),
        "full": Config(
            seeds=16, first_seed=3000, width=32, steps=20_000, batch=64, samples=512
        ),
        "kept": Config(**REGISTERED.settings),
    },
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
