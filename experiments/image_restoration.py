"""Denoising and deblurring: the question of the deraining study, for two other tasks.

Conv nets are trained on crops of some photographs, from two to hundreds: under Gaussian noise of
one strength or of many, or under Gaussian blur of one width or of many. Then they are given
photographs that they never saw, under noise of four other kinds or blurred by motion, as strong as
the narrow one. Specialists are trained on each of those.
"""

import functools
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.image_figures import draw_curve, draw_examples, examples
from common.image_tasks import (
    FULL,
    MATCHED,
    SMOKE,
    PoolsConfig,
    behind,
    kept_weights,
    networks_of,
    others_of,
    panel_of,
    picture_run,
    psnr_of,
)
from common.papers import Sentence
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import interval
from shortcut1d.data import image_degradations
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, structures

DENOISING, DEBLURRING = "denoising", "deblurring"
NARROW, WIDE = "narrow", "wide"
FEWEST, MOST = 2, 400  # photographs of the registered claims
FEWER = {DENOISING: 32, DEBLURRING: 2}  # what the most are compared with; fixed on exploring seeds
KNOWN = {DENOISING: "Gaussian noise", DEBLURRING: "Gaussian blur"}


@dataclass(frozen=True)
class Config(PoolsConfig):
    """Which tasks, and how strong the degradations are."""

    pools: tuple[int, ...] = option(
        (2, 32, 400), "photographs to train on; where there are fewer, all of them"
    )
    tasks: tuple[str, ...] = option((DENOISING, DEBLURRING), "of denoising, deblurring")
    sigma: float = option(
        0.1, "standard deviation of the noise, white being 1; a quarter to twice that if wide"
    )
    blur: float = option(1.6, "standard deviation of a blur, pixels; half to twice that if wide")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.distinct("tasks", self.tasks, (DENOISING, DEBLURRING))
        errors.number("sigma", self.sigma, low=0.001, high=0.25)
        errors.number("blur", self.blur, low=1.0, high=self.size / 12, unit="pixels")

    def known(self, task: str) -> dict[str, Any]:
        """The degradations to train on, by name, the narrow one first."""
        kwargs = self.image_kwargs()
        family: Any = image_degradations.blur_kernel
        least, middle = 0.5, self.blur
        if task == DENOISING:
            family = functools.partial(image_degradations.sensor_noise, "gaussian")
            least, middle = 0.25, self.sigma
        limits = {NARROW: (middle, middle), WIDE: (least * middle, 2 * middle)}
        return {f"{name} {KNOWN[task]}": family(span, **kwargs) for name, span in limits.items()}

    def unseen(self, task: str) -> dict[str, Any]:
        """The degradations to test on, by name."""
        kwargs = self.image_kwargs()
        if task == DENOISING:
            return {
                kind.replace("_", " "): image_degradations.sensor_noise(
                    kind, (self.sigma,) * 2, **kwargs
                )
                for kind in image_degradations.KINDS
                if kind != "gaussian"
            }
        return {"motion": image_degradations.blur_kernel((self.blur,) * 2, motion=True, **kwargs)}


def run(config: Config, session: Session) -> Result:
    """Train on every number of photographs for every task, narrow and wide; and specialists."""
    photographs, tables = config.photographs(warn), []
    pools = config.pools_of(photographs)
    arrays: dict[str, np.ndarray] = {}
    for task in config.tasks:
        known, unseen = config.known(task), config.unseen(task)
        narrow = f"{NARROW} {KNOWN[task]}"
        panel = panel_of({narrow: known[narrow]} | unseen, photographs, narrow)
        strong = {name: family for name, how, family in panel if how == MATCHED}
        ends = pools[0], pools[-1]
        trained_on = [(narrow, known[narrow], pool) for pool in pools]
        trained_on += [
            (name, known[name], pool) for name in known if name != narrow for pool in ends
        ]
        trained_on += [(name, family, pools[-1]) for name, family in strong.items()]
        runs = [
            picture_run(config, photographs, (name, family), panel, seed, pool=pool, task=task)
            for seed in config.all_seeds()
            for name, family, pool in trained_on
        ]
        keep = functools.partial(
            kept_weights, ends=ends, first_seed=config.first_seed, degradation=narrow
        )
        swept = sweep(runs, config.schedule(), config.eval_config(), session, keep=keep)
        tables.append(swept.table)
        arrays |= examples(runs, swept, [(next(iter(strong)), MATCHED)])
    return Result(pd.concat(tables, ignore_index=True), arrays)


def psnr_by_pool(table: pd.DataFrame, task: str, width: str) -> xr.DataArray:
    """PSNR on new photographs under what was not seen, a mean over kinds, `(seed, pool)`."""
    rows = networks_of(table, f"{width} {KNOWN[task]}")
    psnr = psnr_of(rows, "seed", "pool", how=MATCHED)
    others = others_of(rows, f"{NARROW} {KNOWN[task]}")
    return psnr.sel(tested=others).mean("tested", skipna=False)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the cells that are there."""
    values: dict[str, Any] = {}
    for task in table["task"].unique():
        rows, known = table[table["task"] == task], f"{NARROW} {KNOWN[task]}"
        narrow, wide = (psnr_by_pool(rows, task, width) for width in (NARROW, WIDE))
        if MOST not in narrow["pool"]:
            continue
        gaps = behind(rows, known, others_of(rows, known), MATCHED)
        transfer = array_of(structures(networks_of(rows, known)), "transfer", "seed", "pool")
        found = {
            "behind": gaps.mean("tested", skipna=False),
            "passes": transfer.sel(pool=MOST),
            "richer": (wide - narrow).sel(pool=MOST),
        }
        if FEWER[task] in narrow["pool"]:
            found["worse"] = narrow.sel(pool=FEWER[task]) - narrow.sel(pool=MOST)
        if FEWEST in narrow["pool"]:
            narrow_cost, wide_cost = (
                each.sel(pool=FEWEST) - each.sel(pool=MOST) for each in (narrow, wide)
            )
            found["balance"] = narrow_cost - wide_cost
        values |= {f"{task}_{name}": each for name, each in found.items()}
    return REGISTERED.claims_on(values, Sentence.__members__, domain="2D")


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """For each task PSNR against the number of photographs, and specialists; examples below."""
    tasks = list(table["task"].unique())
    figure = plotting.new_figure(2.2 + 1.3 * len(tasks))
    parts: Any = figure.subfigures(2, 1, height_ratios=[1.9, 1.3 * len(tasks)])
    panels = parts[0].subplots(1, 2 * len(tasks))
    for (curves, special), task in zip(panels.reshape(-1, 2), tasks, strict=True):
        rows, narrow = table[table["task"] == task], f"{NARROW} {KNOWN[task]}"
        known = psnr_of(networks_of(rows, narrow), "seed", "pool", how=MATCHED)
        for width, color in ((NARROW, plotting.RED), (WIDE, plotting.BLUE)):
            values = psnr_by_pool(rows, task, width)
            label = f"other; trained on {width}"
            draw_curve(curves, values - values.isel(pool=0), label, color, known["pool"].values)
        itself = known.sel(tested=narrow)
        draw_curve(
            curves, itself - itself.isel(pool=0), "the narrow one it knows", plotting.GREY,
            known["pool"].values,
        )  # fmt: skip
        curves.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        curves.set_xlabel("photographs to train on")
        curves.set_title(f"{task}: PSNR gained\nby more photographs (dB)", fontsize=7, loc="left")
        curves.legend(fontsize=5.5)
        names = others_of(rows, narrow)
        gaps = behind(rows, narrow, names, MATCHED)
        for row, name in enumerate(names):
            plotting.bar(special, interval(gaps.sel(tested=name)), row, plotting.RED, "o")
        plotting.name_rows(special, names, fontsize=6)
        special.set_xlim(left=0)
        special.set_title(f"{task}: dB\nbehind specialists", fontsize=7, loc="left")
    draw_examples(parts[1], arrays)
    return figure


REGISTERED = registered.of("image_restoration")
experiment = Experiment(
    name="image_restoration",
    message=(
        "In denoising, other kinds of noise are removed nearly as well as the one trained on, and "
        "whether more photographs do harm is undecided; in deblurring, more photographs make "
        "motion blur worse, unless many widths are trained on."
    ),
    presets={
        "smoke": Config(**SMOKE, blur=1.0),
        "quick": Config(seeds=2, steps=300, width=12, samples=32),
        "full": Config(**FULL),
        "kept": Config(**REGISTERED.settings),
    },
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
