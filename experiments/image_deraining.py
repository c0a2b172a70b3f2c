"""Deraining: how many backgrounds, of which kind, should a derainer be trained on?

Conv nets are trained on crops of photographs, from a handful to thousands, or on backgrounds of one
kind, drawn or faces, under rain of a small or a large range, and then given photographs that they
never saw under rain that falls at another angle. It is "more data is not better" and the phase
diagram again, on pictures, with the same training and the same measures.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from common.image_tasks import (
    PHOTOGRAPHS,
    CropsConfig,
    by_content,
    one_run,
    photographs_of,
    pool_curves,
    pool_name,
    pools_of,
    shown,
    too_many,
)
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import bootstrap, complexity
from shortcut1d.data import image_degradations, images
from shortcut1d.harness.claims import Claim, claim_mean, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main, warn
from shortcut1d.harness.options import option
from shortcut1d.training.sweep import Session, sweep

DRAWN = ("smooth", "text", "leaves", "field", "texture")
KINDS = (*DRAWN, "faces")
MEASURED = "complexity"  # column: of the kind of background


@dataclass(frozen=True)
class Config(CropsConfig):
    """Which backgrounds and rain."""

    ranges: tuple[str, ...] = option(
        ("small", "large"), f"of rain, of {', '.join(image_degradations.RANGES)}"
    )
    kinds: tuple[str, ...] = option(DRAWN, f"other backgrounds, of {', '.join(KINDS)}")

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, known in (("ranges", image_degradations.RANGES), ("kinds", KINDS)):
            values = getattr(self, field)
            for name in values:
                errors.choice(field, name, known)
            if not values or len(set(values)) < len(values):
                raise errors.refuse(field, values, "at least one, each named once")
        order = list(image_degradations.RANGES)
        if list(self.ranges) != sorted(self.ranges, key=order.index):
            raise errors.refuse("ranges", self.ranges, f"in this order: {', '.join(order)}")


def run(config: Config, session: Session) -> Result:
    """Train a network on every pool of photographs and every kind of background, in every rain."""
    photographs, most = config.photographs(warn), config.pools[-1]
    trained_on = [((PHOTOGRAPHS, photographs), pool) for pool in config.pools]
    trained_on += [((kind, images.make(kind, **config.look())), most) for kind in config.kinds]
    unseen = {"other rain": image_degradations.other_rain(**config.look())}
    runs = [
        one_run(config, background, pool, falling(config, limits), unseen, seed, new)
        for new in (photographs.unseen(),)
        for limits in config.ranges
        for background, pool in trained_on
        for seed in range(config.seeds)
    ]
    ends = [pool_name(PHOTOGRAPHS, pool) for pool in (config.pools[0], most)]
    first = falling(config, config.ranges[0])[0]
    swept = sweep(
        runs, config.schedule(), config.eval_config(), session,
        keep=lambda w: w.cell.seed == 0 and w.content in ends and w.degradation == first,
    )  # fmt: skip
    measured = {
        pool_name(kind, pool): measured_complexity(family) for (kind, family), pool in trained_on
    }
    table = swept.table.assign(**{MEASURED: swept.table["content"].map(measured)})
    return Result(table, shown(runs, swept))


def falling(config: CropsConfig, limits: str) -> tuple[str, image_degradations.Rain]:
    """Rain of a range, and what the table calls it."""
    return f"{limits} rain", image_degradations.rain(limits, **config.look())


def measured_complexity(family: Any) -> float:
    """Of a kind of background, before any training: its intrinsic dimension."""
    draw = jax.jit(type(family).sample, static_argnums=2)
    return complexity.intrinsic_dimension(np.asarray(draw(family, jax.random.key(0), 1024)) - 0.5)


def kinds_of(table: pd.DataFrame) -> dict[str, float]:
    """The kinds of background at the largest pool, and their complexity, in rising order of it."""
    most = f"({pools_of(table)[-1]})"
    chosen = table[table["content"].str.endswith(most)].drop_duplicates("content")
    return dict(chosen.set_index("content")[MEASURED].sort_values())


def claims(table: pd.DataFrame) -> list[Claim]:
    """That more backgrounds are not better in simple rain; and that their kind matters as in 1D."""
    ranges, pools = list(dict.fromkeys(table["degradation"])), pools_of(table)
    psnr = {name: by_content(table, "psnr", photographs_of(table), name) for name in ranges}
    best, loss = too_many(psnr[ranges[0]])
    made = [
        claim_mean(
            f"in {ranges[0]}, {pools[-1]} crops do worse than fewer, mostly {pools[best]} (chosen "
            "on the other seeds), on new photographs in other rain",
            "PSNR with so many - with the most, dB", loss, "above", 0.0,
        )
    ]  # fmt: skip
    if len(ranges) > 1:
        made.append(
            claim_mean(
                f"in {ranges[-1]} too many crops cost less than in {ranges[0]}",
                "loss of PSNR in the first - in the second, dB",
                loss - too_many(psnr[ranges[-1]])[1], "above", 0.0,
            )
        )  # fmt: skip
        made.append(
            claim_mean(
                f"{ranges[-1]} to train on is better than {ranges[0]} for new photographs in other "
                "rain",
                "PSNR in the one - in the other, mean over numbers of crops, dB",
                np.mean(psnr[ranges[-1]] - psnr[ranges[0]], axis=1), "above", 0.0,
            )
        )  # fmt: skip
    phi = [by_content(table, "phi", photographs_of(table), name) for name in ranges]
    made.append(
        claim_mean(
            "the more crops, the more it is the rain that is fitted",
            f"phi with {pools[0]} crops - with {pools[-1]}, mean over ranges of rain",
            np.mean([values[:, 0] - values[:, -1] for values in phi], axis=0), "above", 0.0,
        )
    )  # fmt: skip
    # Photographs are what all are tested on; trained on them, a network keeps them for that.
    kinds = {n: v for n, v in kinds_of(table).items() if not n.startswith(PHOTOGRAPHS)}
    for degradation in ranges if len(kinds) > 2 else []:
        by_kind = by_content(table, "phi", list(kinds), degradation)
        ranks = rank_correlation(list(kinds.values()), by_kind)
        made.append(
            claim_mean(
                f"in {degradation}, kinds of background are fitted in the order of their "
                "complexity, the simplest most",
                "rank correlation of phi and intrinsic dimension", ranks, "below", -0.9,
            )
        )  # fmt: skip
    return made


COLORS = (plotting.RED, plotting.BLUE, plotting.ORANGE, plotting.GREEN)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """PSNR and index against the number of crops, index by kind, and pictures to look at."""
    ranges, pools = list(dict.fromkeys(table["degradation"])), pools_of(table)
    kinds = kinds_of(table)
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.3), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=[1, 1.15])
        quality, index, kind = above.subplots(1, 3, width_ratios=[1, 1, 1.1])
        colors = dict(zip(ranges, COLORS))
        pool_curves(quality, index, table, colors)
        for number, (degradation, color) in enumerate(colors.items()):
            phi = by_content(table, "phi", list(kinds), degradation)
            for row in range(len(kinds)):
                plotting.bar(kind, bootstrap(phi[:, row]), row + 0.2 * number, color, "o")
        quality.set_title("PSNR on new photographs\nin other rain (dB)", fontsize=7, loc="left")
        index.set_title("index $\\varphi$\n(below 0: fits the rain)", fontsize=7, loc="left")
        kind.set_title(
            f"index by kind of background\n({pools[-1]} of each)", fontsize=7, loc="left"
        )
        names = [f"{name.split('(')[0]} ({value:.1f})" for name, value in kinds.items()]
        kind.set_yticks(np.arange(len(names)) + 0.1, names, fontsize=6)
        kind.set_xlabel("$\\varphi$; intrinsic dimension in brackets")
        kind.axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        quality.legend()
        plotting.pictures(below, [(said(name), parts) for name, parts in arrays.items()])
        return figure


def said(name: str) -> str:
    """What a row of pictures shows, of a name that `shown` gave it."""
    background, _, given = name.split("; ")
    rain_is = given if given == "other rain" else "the rain it knows"
    crops = background.partition("(")[2][:-1]
    return f"trained on {crops} crops: a new photograph in {rain_is}"


experiment = Experiment(
    name="image_deraining",
    summary=__doc__,
    message=(
        "In rain of a small range a derainer that saw the fewest crops does best on new "
        "photographs in other rain, and one that saw more of them no better; in rain of a large "
        "range more crops cost less, and every number of them does better."
    ),
    presets={
        "smoke": Config(
            seeds=2, pools=(1, 4), kinds=("smooth", "leaves"), size=16, width=2, steps=5, batch=4,
            samples=4,
        ),
        "quick": Config(
            seeds=4, pools=(4, 64, 2048), kinds=("smooth", "leaves", "field"), width=12, steps=1000,
            batch=8, samples=64,
        ),
        "full": Config(
            seeds=8, pools=(4, 16, 64, 512, 4096), ranges=("small", "medium", "large", "random"),
            network="residual", size=64, channels=3, width=48, steps=10_000, batch=16, samples=256,
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
