"""Does the toy predict the picture? "More data is not better" in one dimension and in two.

The same numbers of contents to train on, from two to hundreds: melodies under clicks of one shape,
photographs under rain of a small range. What the number costs under degradations that were not
seen, and what the network knows of the structure of either component, side by side. The networks on
pictures are those of the deraining study: in one folder of results the two share them.
"""

import dataclasses
import sys
from dataclasses import dataclass
from typing import Any

import image_deraining
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.image_tasks import networks_of, others_of, psnr_of
from common.papers import Sentence
from common.pool_tasks import pool_curves, pool_run
from common.signal_tasks import TrainConfig, check_banks, decibels
from image_deraining import SMALL
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval_each
from shortcut1d.harness.claims import Claim, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, structures

SIGNALS, PICTURES = "signals", "pictures"
SHAPES = 1  # of the clicks


@dataclass(frozen=True)
class Config(image_deraining.Config):
    """The options for signals; those for pictures are the deraining study's."""

    signal_width: int = option(16, "channels of the nets on signals")
    signal_steps: int = option(600, "training steps of the nets on signals")
    signal_batch: int = option(16, "signals a step")
    signal_samples: int = option(128, "windows a test of the nets on signals")

    def __post_init__(self) -> None:
        super().__post_init__()
        with errors.reported_as("signal_steps"):
            Schedule(steps=self.signal_steps)
        with errors.reported_as("signal_batch"):
            Schedule(batch=self.signal_batch)
        with errors.reported_as("signal_width"):
            networks.ConvNet(width=self.signal_width)
        with errors.reported_as("signal_samples"):
            errors.integer("samples", self.signal_samples, low=2)
            check_banks(self.signal_samples)

    def pictures(self) -> image_deraining.Config:
        """The options for pictures alone: their cells must not depend on those for signals."""
        fields = [field.name for field in dataclasses.fields(image_deraining.Config)]
        return image_deraining.Config(**{name: getattr(self, name) for name in fields})

    def melodies(self) -> TrainConfig:
        """How networks are trained in one dimension."""
        return TrainConfig(
            seeds=self.seeds, first_seed=self.first_seed, width=self.signal_width,
            steps=self.signal_steps, batch=self.signal_batch, samples=self.signal_samples,
        )  # fmt: skip


def run(config: Config, session: Session) -> Result:
    """Train on signals and on pictures; of pictures, keep sharp photographs in small rain."""
    of_pictures = image_deraining.train(config.pictures(), session)[1].table
    like_it = (of_pictures["degradation"] == SMALL) & (of_pictures["blur"] == 0)
    of_pictures = of_pictures[like_it].assign(domain=PICTURES)
    melodies = config.melodies()
    runs = [
        pool_run(networks.ConvNet(width=melodies.width), int(pool), SHAPES, seed)
        for pool in sorted(of_pictures["pool"].unique())
        for seed in config.all_seeds()
    ]
    of_signals = sweep(runs, melodies.schedule(), EvalConfig(melodies.samples), session).table
    tables = [of_signals.assign(domain=SIGNALS), of_pictures]
    return Result(pd.concat(tables, ignore_index=True))


COST, PSI = "cost", "psi"
POOLS = 8  # numbers of contents of the registered claims


def curves(table: pd.DataFrame, domain: str, measure: str) -> xr.DataArray:
    """A measure against the number of contents, `(seed, pool)`.

    measure: `PSI`, or `COST`: error in dB above that with the fewest contents, on new content, as a
        mean over unseen degradations.
    """
    rows = table[table["domain"] == domain]
    if measure == PSI:
        return array_of(structures(rows), "psi", "seed", "pool")
    if domain == SIGNALS:
        error = decibels(pool_curves(rows, "nmse").sel(shapes=SHAPES))
    else:
        psnr = psnr_of(networks_of(rows, SMALL), "seed", "pool")
        error = -psnr.sel(tested=others_of(rows, SMALL)).mean("tested", skipna=False)
    return error - error.isel(pool=0)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered: that the toy orders the numbers of contents as pictures do."""
    values: dict[str, Any] = {}
    if table["pool"].nunique() != POOLS:
        return []
    for measure in (COST, PSI):
        toy, picture = (curves(table, domain, measure) for domain in (SIGNALS, PICTURES))
        values[measure] = rank_correlation(toy.mean("seed").values, picture.values)
    return REGISTERED.claims_on(values, Sentence.__members__, domain="2D")


LABELS = {
    COST: "dB of error more than with the fewest,\nnew content, unseen degradations",
    PSI: "structure index $\\psi$\n(below 0: fits the degradation's)",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Cost and structure index of both, against the number of contents."""
    figure = plotting.new_figure(2.4)
    for axes, (measure, label) in zip(figure.subplots(1, 2), LABELS.items(), strict=True):
        for domain, color, marker, words in (
            (SIGNALS, plotting.BLUE, "o-", "melodies under clicks"),
            (PICTURES, plotting.RED, "s-", "photographs under rain"),
        ):
            values = curves(table, domain, measure)
            plotting.curve(
                axes, np.arange(values.sizes["pool"]), interval_each(values), color, marker,
                markersize=3, label=words,
            )  # fmt: skip
        pools = [f"{pool:g}" for pool in values["pool"].values]
        axes.set_xticks(range(len(pools)), pools)
        axes.set_xlabel("melodies, photographs to train on")
        axes.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        axes.set_title(label, fontsize=7, loc="left")
    figure.axes[0].legend()
    return figure


REGISTERED = registered.of("image_vs_signal")
experiment = Experiment(
    name="image_vs_signal",
    message=(
        "The toy predicts that the degradation's structure is fitted once content is rich, and "
        "not at which number: two photographs, of thousands of crops, are rich already, so that "
        "more of them only cost, where more than two melodies first help."
    ),
    presets={
        "smoke": Config(
            **image_deraining.SMOKE, blurs=(1.0,), signal_width=2, signal_steps=5, signal_batch=4,
            signal_samples=16,
        ),
        "quick": Config(**image_deraining.QUICK),
        "full": Config(**image_deraining.FULL, signal_steps=4000, signal_batch=64),
        "kept": Config(**REGISTERED.settings),
    },
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
