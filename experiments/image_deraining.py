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
    PRESETS,
    CropsConfig,
    at_the_ends,
    by_pool,
    check_ranges,
    draw_crops,
    examples,
    measure_of,
    picture_run,
    too_many,
)
from common.papers import Sentence
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import complexity
from shortcut1d.data import image_degradations, images
from shortcut1d.harness.claims import Claim, claim, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.training.evaluation import UNSEEN_BOTH, UNSEEN_CONTENT, Run, TestSet
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
        errors.distinct("kinds", self.kinds, KINDS)
        check_ranges(self.ranges)


def run(config: Config, session: Session) -> Result:
    """Train a network on every pool of photographs and every kind of background, in every rain."""
    kwargs, most = config.image_kwargs(), config.pools[-1]
    photographs = config.photographs(warn)
    new = photographs.unseen()
    trained_on = [((PHOTOGRAPHS, photographs), pool) for pool in config.pools]
    trained_on += [((kind, images.make(kind, **kwargs)), most) for kind in config.kinds]
    complexities = {kind: measured_complexity(family) for (kind, family), _ in trained_on}
    runs = [
        picture_run(
            config, background, pool,
            (f"{limits} rain", image_degradations.rain(limits, **kwargs)),
            {"other rain": image_degradations.other_rain(**kwargs)}, seed, new,
            **{MEASURED: complexities[background[0]]},
        )
        for limits in config.ranges
        for background, pool in trained_on
        for seed in config.all_seeds()
    ]  # fmt: skip
    keep = at_the_ends(config, f"{config.ranges[0]} rain")
    swept = sweep(runs, config.schedule(), config.eval_config(), session, keep=keep)
    return Result(swept.table, examples(runs, swept, caption))


def caption(run: Run, test: TestSet) -> str | None:
    """Of a picture to show: a new photograph in the rain that a network knows, or in other rain."""
    rain = {UNSEEN_CONTENT: "the rain it knows", UNSEEN_BOTH: "other rain"}.get(test.role)
    return rain and f"trained on {run.labels['pool']} crops: a new photograph in {rain}"


def measured_complexity(family: Any) -> float:
    """Intrinsic dimension of a kind of background, before any training."""
    draw = jax.jit(type(family).sample, static_argnums=2)
    return complexity.intrinsic_dimension(np.asarray(draw(family, jax.random.key(0), 1024)) - 0.5)


def kinds_of(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """The rows of the largest pool, and the complexity of each kind there, in rising order."""
    chosen = table[table["pool"] == table["pool"].max()]
    return chosen, dict(chosen.groupby("kind")[MEASURED].first().sort_values())


def claims(table: pd.DataFrame) -> list[Claim]:
    """That more backgrounds are not better in simple rain; and that their kind matters as in 1D."""
    photographs = table[table["kind"] == PHOTOGRAPHS]
    psnr, phi = by_pool(photographs, "psnr"), by_pool(photographs, "phi")
    ranges, pools = psnr["degradation"].values, psnr["pool"].values
    best, loss = too_many(psnr[0])
    made = [
        claim(
            f"in {ranges[0]}, {pools[-1]} crops do worse than fewer, mostly {pools[best]} (chosen "
            "on the other seeds), on new photographs in other rain",
            "PSNR with so many - with the most, dB",
            loss, sentence=Sentence.MORE_IS_WORSE, domain="2D",
        )
    ]  # fmt: skip
    if len(ranges) > 1:
        made += [
            claim(
                f"in {ranges[-1]} too many crops cost less than in {ranges[0]}",
                "loss of PSNR in the first - in the second, dB",
                loss - too_many(psnr[-1])[1], sentence=Sentence.BALANCE, domain="2D",
            ),
            claim(
                f"{ranges[-1]} to train on is better than {ranges[0]} for new photographs in other "
                "rain",
                "PSNR in the one - in the other, mean over numbers of crops, dB",
                np.mean(psnr.values[-1] - psnr.values[0], axis=1),
                sentence=Sentence.RICHER_DEGRADATION, domain="2D",
            ),
        ]  # fmt: skip
    made.append(
        claim(
            "the more crops, the more it is the rain that is fitted",
            f"phi with {pools[0]} crops - with {pools[-1]}, mean over ranges of rain",
            np.mean([each[:, 0] - each[:, -1] for each in phi.values], axis=0),
            sentence=Sentence.MORE_FITS_DEGRADATION, domain="2D",
        )
    )  # fmt: skip
    # Photographs are what all are tested on; trained on them, a network keeps them for that.
    chosen, complexities = kinds_of(table)
    del complexities[PHOTOGRAPHS]
    by_kind = measure_of(chosen, "phi", "degradation", "seed", "kind")
    for degradation in ranges if len(complexities) > 2 else []:
        values = by_kind.sel(degradation=degradation, kind=list(complexities))
        made.append(
            claim(
                f"in {degradation}, kinds of background are fitted in the order of their "
                "complexity, the simplest most",
                "rank correlation of phi and intrinsic dimension",
                rank_correlation(list(complexities.values()), values), below=-0.9,
                sentence=Sentence.SHORTCUT, domain="2D",
            )
        )  # fmt: skip
    return made


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """PSNR and index against the number of crops, index by kind, and example pictures."""
    figure = plotting.new_figure(4.3)
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 1.15])
    chosen, complexities = kinds_of(table)
    phi = measure_of(chosen, "phi", "degradation", "seed", "kind")
    quality, kind = draw_crops(
        parts[0],
        table[table["kind"] == PHOTOGRAPHS],
        phi.sel(degradation=table["degradation"].unique(), kind=list(complexities)),
        [f"{name} ({value:.1f})" for name, value in complexities.items()],
        ("PSNR on new photographs\nin other rain (dB)",
         "index $\\varphi$\n(below 0: fits the rain)",
         f"index by kind of background\n({table['pool'].max()} of each)"),
    )  # fmt: skip
    quality.legend()
    kind.set_xlabel("$\\varphi$; intrinsic dimension in brackets")
    plotting.pictures(parts[1], list(arrays.items()))
    return figure


experiment = Experiment(
    name="image_deraining",
    message=(
        "In rain of a small range a derainer that saw the fewest crops does best on new "
        "photographs in other rain, and one that saw more of them no better; in rain of a large "
        "range more crops cost less, and every number of them does better."
    ),
    presets={
        "smoke": Config(**PRESETS["smoke"], kinds=("smooth", "leaves")),
        "quick": Config(
            **PRESETS["quick"], pools=(4, 64, 2048), kinds=("smooth", "leaves", "field")
        ),
        "full": Config(**PRESETS["full"], ranges=("small", "medium", "large", "random")),
        "kept": Config(**PRESETS["kept"]),  # 13 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
