"""Denoising and deblurring: the question of the deraining study, asked of two other tasks.

Conv nets are trained on crops of photographs, from a handful to thousands: under Gaussian noise of
one strength or of many, or under Gaussian blur of one width or of many. Then they are given
photographs that they never saw, under noise of four other kinds or blurred by motion.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from common.image_tasks import (
    NEW,
    PHOTOGRAPHS,
    CropsConfig,
    by_content,
    one_run,
    photographs_of,
    pool_curves,
    pool_name,
    pools_of,
    shown,
    tasks_of,
    too_many,
)
from common.signal_tasks import cube
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import bootstrap
from shortcut1d.data import image_degradations
from shortcut1d.harness.claims import Claim, claim_mean
from shortcut1d.harness.driver import Experiment, Result, main, warn
from shortcut1d.harness.options import option
from shortcut1d.training.sweep import Session, sweep

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
        for task in self.tasks:
            errors.choice("tasks", task, (DENOISING, DEBLURRING))
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise errors.refuse("tasks", self.tasks, "at least one, each named once")
        errors.number("sigma", self.sigma, low=0.001, high=0.25)
        errors.number("blur", self.blur, low=1.0, high=self.size / 12, unit="pixels")

    def known(self, task: str) -> dict[str, Any]:
        """The degradations to train on, the narrow one first."""
        if task == DENOISING:
            limits = {ONE: (self.sigma, self.sigma), MANY: (0.25 * self.sigma, 2 * self.sigma)}
            return {
                f"{name} Gaussian noise": image_degradations.sensor_noise(
                    "gaussian", sigma, **self.look()
                )
                for name, sigma in limits.items()
            }
        limits = {ONE: (self.blur, self.blur), MANY: (0.5 * self.blur, 2 * self.blur)}
        return {
            f"{name} Gaussian blur": image_degradations.blur_kernel(width, **self.look())
            for name, width in limits.items()
        }

    def unseen(self, task: str) -> dict[str, Any]:
        """The degradations to be tested on, as strong as the narrow one."""
        if task == DENOISING:
            return {
                kind.replace("_", " "): image_degradations.sensor_noise(
                    kind, (self.sigma,) * 2, **self.look()
                )
                for kind in image_degradations.KINDS
                if kind != "gaussian"
            }
        return {
            "motion": image_degradations.blur_kernel((self.blur,) * 2, motion=True, **self.look())
        }


def run(config: Config, session: Session) -> Result:
    """Train a network on every pool of photographs for every task, narrow and wide."""
    photographs = config.photographs(warn)
    new, tables, arrays = photographs.unseen(), [], {}
    ends = [pool_name(PHOTOGRAPHS, pool) for pool in (config.pools[0], config.pools[-1])]
    for task in config.tasks:
        known, unseen = config.known(task), config.unseen(task)
        runs = [
            one_run(config, (PHOTOGRAPHS, photographs), pool, named, unseen, seed, new)
            for named in known.items()
            for pool in config.pools
            for seed in range(config.seeds)
        ]
        first = next(iter(known))
        swept = sweep(
            runs, config.schedule(), config.eval_config(), session,
            keep=lambda w, first=first: (
                w.cell.seed == 0 and w.content in ends and w.degradation == first
            ),
        )  # fmt: skip
        tables.append(swept.table.assign(task=task))
        arrays |= shown(runs, swept, {first: list(unseen)[-1 if task == DEBLURRING else 2]})
    return Result(pd.concat(tables, ignore_index=True), arrays)


def known_of(table: pd.DataFrame, task: str) -> list[str]:
    """The degradations that a task is trained on, the narrow one first."""
    return list(dict.fromkeys(table.loc[table["task"] == task, "degradation"]))


def removed_by_kind(table: pd.DataFrame, degradation: str) -> tuple[list[str], np.ndarray]:
    """The degradations of the tests, and how much of each is removed from new photographs, a mean
    over pools, `(seeds, degradations)`.
    """
    chosen = table[(table["degradation"] == degradation) & (table["test_content"] == NEW)]
    removed = 1 - chosen["residual"].clip(0, 2)
    mean = chosen.assign(removed=removed).groupby(["seed", "test_degradation"])["removed"].mean()
    (_, names), values = cube(mean.reset_index(), "removed", "seed", "test_degradation")
    order = list(dict.fromkeys(chosen["test_degradation"]))
    return order, values[:, [names.index(name) for name in order]]


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was found of rain, asked of noise and blur."""
    made = []
    for task in tasks_of(table):
        known, pools = known_of(table, task), pools_of(table)
        psnr = [by_content(table, "psnr", photographs_of(table), name) for name in known]
        best, loss = too_many(psnr[0])
        made.append(
            claim_mean(
                f"{task}: trained on {known[0]}, {pools[-1]} crops do worse than fewer, mostly "
                f"{pools[best]} (chosen on the other seeds), under what was not seen",
                "PSNR with so many - with the most, dB", loss, "above", 0.0,
            )
        )  # fmt: skip
        made.append(
            claim_mean(
                f"{task}: the more crops, the more it is the degradation that is fitted",
                f"phi with {pools[0]} crops - with {pools[-1]}, mean over narrow and wide",
                np.mean([
                    phi[:, 0] - phi[:, -1]
                    for phi in (by_content(table, "phi", photographs_of(table), n) for n in known)
                ], axis=0),
                "above", 0.0,
            )
        )  # fmt: skip
        made.append(
            claim_mean(
                f"{task}: {known[1]} to train on is better than {known[0]} for new photographs "
                "under what was not seen",
                "PSNR in the one - in the other, mean over numbers of crops, dB",
                np.mean(psnr[1] - psnr[0], axis=1), "above", 0.0,
            )
        )  # fmt: skip
        kinds, removed = removed_by_kind(table, known[0])
        made.append(
            claim_mean(
                f"{task}: trained on {known[0]}, it removes more of that than of what was not seen",
                f"share removed of it - of {', '.join(kinds[1:])}, mean over numbers of crops",
                removed[:, 0] - np.mean(removed[:, 1:], axis=1), "above", 0.1,
            )
        )  # fmt: skip
    return made


COLORS = (plotting.RED, plotting.BLUE)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """PSNR and index against the number of crops, what is removed by kind, pictures to look at."""
    tasks = tasks_of(table)
    with plotting.style():
        figure = Figure(
            figsize=(plotting.TWO_COLUMNS, 2.0 + 2.4 * len(tasks)), layout="constrained"
        )
        parts = figure.subfigures(len(tasks) + 1, 1, height_ratios=[1.1] * len(tasks) + [1.5])
        for part, task in zip(parts, tasks, strict=False):
            quality, index, kind = part.subplots(1, 3, width_ratios=[1, 1, 1.1])
            colors = dict(zip(known_of(table, task), COLORS, strict=True))
            pool_curves(quality, index, table, colors)
            for number, (degradation, color) in enumerate(colors.items()):
                kinds, removed = removed_by_kind(table, degradation)
                for row in range(len(kinds)):
                    plotting.bar(kind, bootstrap(removed[:, row]), row + 0.2 * number, color, "o")
            quality.set_title(
                f"{task}: PSNR on new photographs,\nunseen degradations (dB)",
                fontsize=7, loc="left",
            )  # fmt: skip
            index.set_title(
                "index $\\varphi$\n(below 0: fits the degradation)", fontsize=7, loc="left"
            )
            kind.set_title(
                "share removed from new\nphotographs (top: seen)", fontsize=7, loc="left"
            )
            kinds = ["the one it knows", *kinds[1:]]
            kind.set_yticks(np.arange(len(kinds)) + 0.1, kinds, fontsize=6)
            kind.set_ylim(len(kinds) - 0.4, -0.4)
            kind.axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
            quality.legend(fontsize=6)
        rows = [(said(name), parts) for name, parts in arrays.items() if not is_known(name)]
        plotting.pictures(parts[-1], rows)
        return figure


def is_known(name: str) -> bool:
    """Whether the network that `shown` gave that name was shown the degradation it knows."""
    _, known, given = name.split("; ")
    return known == given


def said(name: str) -> str:
    """What a row of pictures shows."""
    background, _, given = name.split("; ")
    return f"trained on {background.partition('(')[2][:-1]} crops: a new photograph, {given}"


experiment = Experiment(
    name="image_restoration",
    summary=__doc__,
    message=(
        "Four crops are too few and 64 do as well as 2048; noise of another kind is taken "
        "away nearly as well as the one trained on, and a motion blur is made worse."
    ),
    presets={
        "smoke": Config(seeds=2, pools=(1, 4), size=16, width=2, steps=5, batch=4, samples=4),
        "quick": Config(
            seeds=4, pools=(4, 64, 2048), width=12, steps=1000, batch=8, samples=64
        ),
        "full": Config(
            seeds=8, pools=(4, 16, 64, 512, 4096), network="residual", size=64, channels=3,
            width=48, steps=10_000, batch=16, samples=256, blur=2.0,
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
