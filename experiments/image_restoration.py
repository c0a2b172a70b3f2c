"""Denoising and deblurring: the question of the deraining study, for two other tasks.

Conv nets are trained on crops of photographs, from a handful to thousands: under Gaussian noise of
one strength or of many, or under Gaussian blur of one width or of many. Then they are given
photographs that they never saw, under noise of four other kinds or blurred by motion.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from common.image_tasks import (
    NEW,
    PHOTOGRAPHS,
    PRESETS,
    CropsConfig,
    at_the_ends,
    by_pool,
    draw_crops,
    examples,
    picture_run,
    too_many,
)
from common.papers import Sentence
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.data import image_degradations
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.training.evaluation import UNSEEN_BOTH, Run, TestSet
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of

DENOISING, DEBLURRING = "denoising", "deblurring"
ONE, MANY = "narrow", "wide"


@dataclass(frozen=True)
class Config(CropsConfig):
    """Which tasks, and how strong the degradations are."""

    tasks: tuple[str, ...] = option((DENOISING, DEBLURRING), "of denoising, deblurring")
    sigma: float = option(
        0.1, "standard deviation of the noise, white being 1; a quarter to twice that if wide"
    )
    blur: float = option(1.0, "standard deviation of a blur, pixels; half to twice that if wide")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.distinct("tasks", self.tasks, (DENOISING, DEBLURRING))
        errors.number("sigma", self.sigma, low=0.001, high=0.25)
        errors.number("blur", self.blur, low=1.0, high=self.size / 12, unit="pixels")

    def known(self, task: str) -> dict[str, Any]:
        """The degradations to train on, the narrow one first."""
        if task == DENOISING:
            limits = {ONE: (self.sigma, self.sigma), MANY: (0.25 * self.sigma, 2 * self.sigma)}
            return {
                f"{name} Gaussian noise": image_degradations.sensor_noise(
                    "gaussian", sigma, **self.image_kwargs()
                )
                for name, sigma in limits.items()
            }
        limits = {ONE: (self.blur, self.blur), MANY: (0.5 * self.blur, 2 * self.blur)}
        return {
            f"{name} Gaussian blur": image_degradations.blur_kernel(width, **self.image_kwargs())
            for name, width in limits.items()
        }

    def unseen(self, task: str) -> dict[str, Any]:
        """The degradations to test on, as strong as the narrow one."""
        if task == DENOISING:
            return {
                kind.replace("_", " "): image_degradations.sensor_noise(
                    kind, (self.sigma,) * 2, **self.image_kwargs()
                )
                for kind in image_degradations.KINDS
                if kind != "gaussian"
            }
        return {
            "motion": image_degradations.blur_kernel(
                (self.blur,) * 2, motion=True, **self.image_kwargs()
            )
        }


SHOWN = ("salt and pepper", "motion")  # degradations of the tests that pictures are shown of


def run(config: Config, session: Session) -> Result:
    """Train a network on every pool of photographs for every task, narrow and wide."""
    photographs = config.photographs(warn)
    new, tables = photographs.unseen(), []
    arrays: dict[str, np.ndarray] = {}
    for task in config.tasks:
        known, unseen = config.known(task), config.unseen(task)
        runs = [
            picture_run(
                config, (PHOTOGRAPHS, photographs), pool, named, unseen, seed, new, task=task
            )
            for named in known.items()
            for pool in config.pools
            for seed in config.all_seeds()
        ]
        keep = at_the_ends(config, next(iter(known)))
        swept = sweep(runs, config.schedule(), config.eval_config(), session, keep=keep)
        tables.append(swept.table)
        arrays |= examples(runs, swept, caption)
    return Result(pd.concat(tables, ignore_index=True), arrays)


def caption(run: Run, test: TestSet) -> str | None:
    """Of a picture to show: a new photograph under one unseen degradation of each task."""
    if test.role != UNSEEN_BOTH or test.degradation_name not in SHOWN:
        return None
    return f"trained on {run.labels['pool']} crops: a new photograph, {test.degradation_name}"


def removed_by_kind(table: pd.DataFrame, degradation: str) -> xr.DataArray:
    """How much of each degradation is removed from new photographs, a mean over pools.

    Returns:
        `(seed, test_degradation)`, the degradation that was trained on first.
    """
    chosen = table[(table["degradation"] == degradation) & (table["test_content"] == NEW)]
    removed = chosen.assign(removed=1 - chosen["relative_error"].clip(0, 2))
    mean = removed.groupby(["seed", "test_degradation"])["removed"].mean().reset_index()
    array = array_of(mean, "removed", "seed", "test_degradation")
    return array.sel(test_degradation=chosen["test_degradation"].unique())


def claims(table: pd.DataFrame) -> list[Claim]:
    """That noise and blur give what rain gave; that a net removes most what it has seen."""
    made = []
    for task, rows in table.groupby("task", sort=False):
        psnr, phi = by_pool(rows, "psnr"), by_pool(rows, "phi")
        known, pools = psnr["degradation"].values, psnr["pool"].values
        best, loss = too_many(psnr[0])
        removed = removed_by_kind(rows, known[0])
        others = ", ".join(removed["test_degradation"].values[1:])
        made += [
            claim(
                f"{task}: trained on {known[0]}, {pools[-1]} crops do worse than fewer, mostly "
                f"{pools[best]} (chosen on the other seeds), under what was not seen",
                "PSNR with so many - with the most, dB",
                loss, sentence=Sentence.MORE_IS_WORSE, domain="2D",
            ),
            claim(
                f"{task}: the more crops, the more it is the degradation that is fitted",
                f"phi with {pools[0]} crops - with {pools[-1]}, mean over narrow and wide",
                np.mean([each[:, 0] - each[:, -1] for each in phi.values], axis=0),
                sentence=Sentence.MORE_FITS_DEGRADATION, domain="2D",
            ),
            claim(
                f"{task}: {known[1]} to train on is better than {known[0]} for new photographs "
                "under what was not seen",
                "PSNR in the one - in the other, mean over numbers of crops, dB",
                np.mean(psnr.values[1] - psnr.values[0], axis=1),
                sentence=Sentence.RICHER_DEGRADATION, domain="2D",
            ),
            claim(
                f"{task}: trained on {known[0]}, it removes more of that than of what was not seen",
                f"share removed of it - of {others}, mean over numbers of crops",
                removed.values[:, 0] - np.mean(removed.values[:, 1:], axis=1), above=0.1,
                sentence=Sentence.OVERFIT, domain="2D",
            ),
        ]  # fmt: skip
    return made


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """PSNR and index against the number of crops, what is removed by kind, example pictures."""
    tasks = table["task"].unique()
    figure = plotting.new_figure(2.0 + 2.4 * len(tasks))
    parts: Any = figure.subfigures(len(tasks) + 1, 1, height_ratios=[1.1] * len(tasks) + [1.5])
    for part, task in zip(parts, tasks, strict=False):
        own = table[table["task"] == task]
        rows = [removed_by_kind(own, known) for known in own["degradation"].unique()]
        names = ["the one it knows", *rows[0]["test_degradation"].values[1:]]
        quality, kind = draw_crops(
            part, own, rows, names,
            (f"{task}: PSNR on new photographs,\nunseen degradations (dB)",
             "index $\\varphi$\n(below 0: fits the degradation)",
             "share removed from new\nphotographs (top: seen)"),
        )  # fmt: skip
        quality.legend(fontsize=6)
        kind.set_ylim(len(names) - 0.4, -0.4)
    plotting.pictures(parts[-1], list(arrays.items()))
    return figure


experiment = Experiment(
    name="image_restoration",
    message=(
        "Four crops are too few and 64 do as well as 2048; noise of another kind is taken "
        "away nearly as well as the one trained on, and a motion blur is made worse."
    ),
    presets={
        "smoke": Config(**PRESETS["smoke"]),
        "quick": Config(**PRESETS["quick"], pools=(4, 64, 2048)),
        "full": Config(**PRESETS["full"], blur=2.0),
        "kept": Config(**PRESETS["kept"], pools=(4, 64, 2048)),  # 6 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
