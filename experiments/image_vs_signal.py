"""Does the toy predict the picture? "More data is not better" in one dimension and in two.

The same number of contents to train on, from a handful to thousands: melodies under clicks of one
shape or of many, photographs under rain of a small or a large range. Errors on new content under
new degradations, and the response to novelty, side by side.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common.image_tasks import (
    PHOTOGRAPHS,
    PRESETS,
    CropsConfig,
    at_the_ends,
    by_pool,
    check_ranges,
    examples,
    picture_run,
    too_many,
)
from common.papers import Sentence
from common.pool_tasks import pool_run
from common.signal_tasks import BANKS, TrainConfig, check_clicks
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval_each
from shortcut1d.data import image_degradations
from shortcut1d.data.composition import Units
from shortcut1d.harness.claims import Claim, claim, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.training.evaluation import UNSEEN_BOTH, EvalConfig, Run, TestSet
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

SIGNALS, PICTURES = "signals", "pictures"


@dataclass(frozen=True)
class Config(CropsConfig):
    """Pictures are trained and tested by the options of the picture studies."""

    ranges: tuple[str, ...] = option(
        ("small", "large"),
        f"two ranges of rain, the simple one first, of {', '.join(image_degradations.RANGES)}",
    )
    shapes: tuple[int, ...] = option((1, 64), "two numbers of click shapes, the simple one first")
    signal_width: int = option(16, "channels of the nets on signals")
    signal_steps: int = option(600, "training steps of the nets on signals")
    signal_batch: int = option(16, "signals a step")
    signal_samples: int = option(128, "windows a test of the nets on signals")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self.ranges)
        for field in ("ranges", "shapes"):
            if len(set(getattr(self, field))) != 2:
                raise errors.refuse(field, getattr(self, field), "two different ones")
        check_clicks(self.shapes)
        with errors.reported_as("signal_steps"):
            Schedule(steps=self.signal_steps)
        with errors.reported_as("signal_batch"):
            Schedule(batch=self.signal_batch)
        with errors.reported_as("signal_width"):
            networks.ConvNet(width=self.signal_width)
        errors.integer("signal_samples", self.signal_samples, low=2)
        if self.signal_samples % BANKS:
            raise errors.refuse("signal_samples", self.signal_samples, f"a multiple of {BANKS}")
        self.melodies()

    def melodies(self) -> TrainConfig:
        """How networks are trained in one dimension."""
        return TrainConfig(
            seeds=self.seeds, first_seed=self.first_seed, width=self.signal_width,
            steps=self.signal_steps, batch=self.signal_batch, learning_rate=self.learning_rate,
            loss=self.loss, samples=self.signal_samples,
        )  # fmt: skip


def run(config: Config, session: Session) -> Result:
    """The one-dimensional study, then the two-dimensional one."""
    melodies, photographs = config.melodies(), config.photographs(warn)
    kwargs, new = config.image_kwargs(), photographs.unseen()
    of_signals = [
        pool_run(networks.ConvNet(width=melodies.width), pool, shapes, seed)
        for shapes in config.shapes
        for pool in config.pools
        for seed in config.all_seeds()
    ]
    of_pictures = [
        picture_run(
            config, (PHOTOGRAPHS, photographs), pool,
            (f"{limits} rain", image_degradations.rain(limits, **kwargs)),
            {"other rain": image_degradations.other_rain(**kwargs)}, seed, new,
        )
        for limits in config.ranges
        for pool in config.pools
        for seed in config.all_seeds()
    ]  # fmt: skip
    tables: list[pd.DataFrame] = []
    arrays: dict[str, np.ndarray] = {}
    for domain, runs, schedule, eval_config in (
        (SIGNALS, of_signals, melodies.schedule(), EvalConfig(melodies.samples)),
        (PICTURES, of_pictures, config.schedule(), config.eval_config()),
    ):
        keep = at_the_ends(config, runs[0].degradation)
        swept = sweep(runs, schedule, eval_config, session, keep=keep)
        tables.append(swept.table.assign(domain=domain))
        arrays |= examples([with_one_bank(run) for run in runs], swept, caption)
    return Result(pd.concat(tables, ignore_index=True), arrays)


def with_one_bank(run: Run) -> Run:
    """The run, each of its tests on clicks of many banks replaced by one on the first of them."""
    tests = [
        test._replace(degradation=jax.tree.map(lambda leaf: leaf[0], test.degradation.parts))
        if isinstance(test.degradation, Units)
        else test
        for test in run.tests
    ]
    return run._replace(tests=tests)


def caption(run: Run, test: TestSet) -> str | None:
    """Of a sample to show: new content under a new degradation."""
    if test.role != UNSEEN_BOTH:
        return None
    if "shapes" in run.labels:
        return f"trained on {run.labels['pool']} melodies: a new melody under new clicks"
    return f"trained on {run.labels['pool']} crops: in other rain"


def curves(table: pd.DataFrame, domain: str, column: str) -> xr.DataArray:
    """A measure as `(degradation, seed, pool)`, the simple degradation first.

    column: "nmse" on new content under new degradations, or another one of `indices`.
    """
    return by_pool(table[table["domain"] == domain], column)


def claims(table: pd.DataFrame) -> list[Claim]:
    """That pictures behave as signals do, and that the one predicts the other.

    What holds of signals alone is decided by the study of pools, on more seeds.
    """
    rho, error = (curves(table, PICTURES, column) for column in ("rho", "nmse"))
    names, pools = rho["degradation"].values, rho["pool"].values
    simple, rich = (too_many(-np.log(each)) for each in error)
    about: Any = {"domain": "2D"}
    made = [
        claim(
            "pictures: the more contents, the more novelty passes",
            f"rho with {pools[-1]} - with {pools[0]}, under {names[0]}",
            rho[0, :, -1] - rho[0, :, 0], sentence=Sentence.MORE_FITS_DEGRADATION, **about,
        ),
        claim(
            "pictures: the simpler the degradation, the more novelty passes",
            f"rho under {names[0]} - under {names[1]}, with {pools[-1]}",
            rho[0, :, -1] - rho[1, :, -1], sentence=Sentence.SHORTCUT, **about,
        ),
        claim(
            f"pictures: under {names[0]}, {pools[-1]} contents do worse than fewer, mostly "
            f"{pools[simple[0]]} (chosen on the other seeds)",
            "log of the ratio of errors",
            simple[1], sentence=Sentence.MORE_IS_WORSE, **about,
        ),
        claim(
            f"pictures: under {names[1]} too many cost less",
            f"log of the ratio of errors, under {names[0]} - under {names[1]}",
            simple[1] - rich[1], sentence=Sentence.BALANCE, **about,
        ),
    ]  # fmt: skip
    for column, word in (("nmse", "error"), ("rho", "rho")):
        toy, picture = (curves(table, domain, column).values for domain in (SIGNALS, PICTURES))
        # Within each degradation: that the richer one is better would be one bit for all.
        ranks = np.mean(
            [rank_correlation(np.mean(s, axis=0), p) for s, p in zip(toy, picture, strict=True)],
            axis=0,
        )
        made.append(
            claim(
                f"the toy's {word} orders the pictures' {word} over numbers of contents",
                "rank correlation of each network's with the toy's mean, mean over degradations",
                ranks, above=0.5, **about,
            )
        )  # fmt: skip
    return made


COLORS = (plotting.RED, plotting.BLUE)
LABELS = {"nmse": "error / its seed's mean (NMSE)", "rho": "novelty response $\\rho$"}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Error and response of both, side by side, and examples below."""
    figure = plotting.new_figure(4.6)
    parts: Any = figure.subfigures(3, 1, height_ratios=[1.5, 0.5, 0.75])
    above, middle, below = parts
    panels = above.subplots(1, 4)
    for pair, (column, label) in zip((panels[:2], panels[2:]), LABELS.items(), strict=True):
        for axes, domain in zip(pair, (SIGNALS, PICTURES), strict=True):
            values = curves(table, domain, column)
            if column == "nmse":  # every seed has clicks of its own, some harder than others
                values = values / np.exp(np.log(values.values).mean(axis=-1, keepdims=True))
            places = np.arange(values.sizes["pool"])
            for each, color in zip(values, COLORS, strict=True):
                name = str(each["degradation"].values)
                plotting.curve(
                    axes, places, interval_each(each), color, "o-", markersize=3,
                    label=in_words(table, name),
                )  # fmt: skip
            axes.set_xticks(places, [str(pool) for pool in values["pool"].values], fontsize=6)
            axes.set_xlabel("melodies" if domain == SIGNALS else "crops")
            axes.set_title(f"{domain}:\n{label}", fontsize=7, loc="left")
            if column == "nmse":
                axes.legend(fontsize=6)
        low, high = zip(*(axes.get_ylim() for axes in pair), strict=True)
        for axes in pair:
            axes.set_ylim(min(low), max(high))
    heard = {title: sample for title, sample in arrays.items() if sample.ndim == 3}
    for axes, (title, (degraded, clean, output)), color in zip(
        middle.subplots(1, len(heard)), heard.items(), (plotting.ORANGE, plotting.BLUE)
    ):
        plotting.waveforms(axes, degraded[:, 0], clean[:, 0], output[:, 0], color)
        axes.set_axis_off()
        axes.set_title(title, fontsize=6.5, loc="left")
        axes.legend(fontsize=6, ncols=3, loc="upper right")
    plotting.pictures(below, [each for each in arrays.items() if each[0] not in heard])
    return figure


def in_words(table: pd.DataFrame, degradation: str) -> str:
    """A degradation in a legend."""
    shapes = table.loc[table["degradation"] == degradation, "shapes"].iloc[0]
    if np.isnan(shapes):
        return degradation
    return f"clicks of {shapes:g} shape{'s' if shapes > 1 else ''}"


experiment = Experiment(
    name="image_vs_signal",
    message=(
        "The toy predicts the picture in kind (a simpler degradation lets more novelty "
        "through, and too many contents cost more under it), not in detail as far as six "
        "seeds can tell."
    ),
    presets={
        "smoke": Config(
            **PRESETS["smoke"], signal_width=2, signal_steps=5, signal_batch=4, signal_samples=16
        ),
        "quick": Config(**PRESETS["quick"]),
        "full": Config(
            **PRESETS["full"], signal_width=24, signal_steps=4000, signal_batch=64,
            signal_samples=512,
        ),
        "kept": Config(**PRESETS["kept"]),  # 3 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
