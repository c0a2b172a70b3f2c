"""Deraining: how many photographs, and how simple ones, should a derainer be trained on?

Conv nets are trained on crops of some photographs, from two to hundreds, under rain of a small or a
random range, or on the same photographs blurred, which makes them simple. Then they are given
photographs that they never saw, under the rain they know, rain of other ranges, and real pictures'
rain (Rain100H): each at its own strength, and each as strong as the small range. Specialists are
trained on each of those. "More data is not better" on pictures, by the same training and measures.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.image_figures import draw_examples, draw_gains, draw_structure, examples
from common.image_tasks import (
    FULL,
    MATCHED,
    OWN,
    REAL_RAIN,
    SMOKE,
    PictureConfig,
    PoolsConfig,
    behind,
    kept_weights,
    linear_rows,
    networks_of,
    others_of,
    panel_of,
    picture_run,
    psnr_of,
    twin_of,
)
from common.papers import Sentence
from common.signal_tasks import WIENER
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import interval
from shortcut1d.data import image_degradations
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.training.evaluation import Run
from shortcut1d.training.sweep import Session, Swept, sweep
from shortcut1d.training.tables import array_of, structures

SMALL, RANDOM = "small rain", "random rain"
RAIN100H, PAIRS, SLANTED = "Rain100H's rain", "rain of the pairs", "slanted rain"
FEWEST, MOST, SIMPLE = 2, 400, 8.0  # photographs, and blur, of the registered claims


@dataclass(frozen=True)
class Config(PoolsConfig):
    """Which backgrounds are trained on."""

    pools: tuple[int, ...] = option(
        (2, 4, 8, 16, 32, 64, 128, 400),
        "photographs to train on in small rain, the fewest and the most in random rain; where "
        "there are fewer, all of them",
    )

    blurs: tuple[float, ...] = option(
        (1.0, 2.0, 4.0, 8.0), "blurs of all photographs, standard deviation in pixels"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.rising("blurs", self.blurs, low=0)
        for width in self.blurs:
            errors.number("blurs", width, low=0.1, high=32, unit="pixels")


def rains_of(config: PictureConfig) -> dict[str, Any]:
    """Every rain of the study: the papers' ranges, a slanted one, and that of pairs."""
    kwargs = config.image_kwargs()
    rains: dict[str, Any] = {
        f"{name} rain": image_degradations.rain(name, **kwargs)
        for name in image_degradations.RANGES
    }
    rains[SLANTED] = image_degradations.other_rain(**kwargs)
    layers = config.rain_layers(warn)
    if layers is not None:
        rains[RAIN100H if config.pairs in (None, REAL_RAIN) else PAIRS] = layers
    return rains


def train(config: Config, session: Session) -> tuple[list[Run], Swept]:
    """Train on every number of photographs, on all of them blurred, and under every rain.

    Returns:
        the runs, and what sweeping over them left.
    """
    sharp, *blurred = config.photographs(warn).blurred((0.0, *config.blurs))
    rains, pools = rains_of(config), config.pools_of(sharp)
    panel = panel_of(rains, sharp, SMALL)
    twins: dict[str, Any] = {}
    ends = pools[0], pools[-1]
    trained_on = [(sharp, 0.0, SMALL, pool) for pool in pools]
    trained_on += [(sharp, 0.0, RANDOM, pool) for pool in ends]
    trained_on += [
        (photographs, width, SMALL, pools[-1])
        for photographs, width in zip(blurred, config.blurs, strict=True)
    ]
    specialists = [rain for rain in rains if rain not in (SMALL, RANDOM)]
    trained_on += [(sharp, 0.0, rain, pools[-1]) for rain in specialists]
    runs = [
        picture_run(
            config, photographs, (rain, rains[rain]), panel, seed, pool=pool, blur=width,
            twins=(
                twin_of(photographs.first(pool, seed), twins), twin_of(rains[rain], twins),
            ),
        )
        for seed in config.all_seeds()
        for photographs, width, rain, pool in trained_on
    ]  # fmt: skip
    swept = sweep(
        runs, config.schedule(), config.eval_config(), session,
        keep=lambda run: kept_weights(run, ends, config.first_seed, SMALL),
    )  # fmt: skip
    return runs, swept


def run(config: Config, session: Session) -> Result:
    """Train the networks; beside them stands the best linear filter for small rain."""
    runs, swept = train(config, session)
    most = max(run.labels["pool"] for run in runs)
    filtered = [
        run
        for run in runs
        if (run.degradation, run.labels["pool"], run.labels["blur"]) == (SMALL, most, 0)
    ]
    table = pd.concat([swept.table, linear_rows(filtered, config)], ignore_index=True)
    shown = [(SMALL, OWN), (unseen_of(table)[-1], MATCHED)]
    return Result(table, examples(runs, swept, shown))


def unseen_of(table: pd.DataFrame) -> list[str]:
    """The rains that a network trained under small or random rain has never seen."""
    tested = set(table["test_degradation"])
    return [name for name in (SLANTED, PAIRS, RAIN100H) if name in tested]


def specialists_of(table: pd.DataFrame) -> list[str]:
    """The rains that specialists were trained under."""
    return [name for name in others_of(table, SMALL) if name != RANDOM]


def on_all(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the networks trained on all photographs, sharp or blurred, under small rain."""
    rows = table[(table["degradation"] == SMALL) & (table["network"] != WIENER)]
    return rows[rows["pool"] == rows["pool"].max()]


def psnr_by_blur(table: pd.DataFrame, how: str) -> xr.DataArray:
    """PSNR of the networks trained on all photographs under small rain."""
    return psnr_of(on_all(table), "seed", "blur", how=how)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the cells that are there."""
    others, unknown = others_of(table, SMALL), unseen_of(table)
    own, matched = (
        psnr_of(networks_of(table, SMALL), "seed", "pool", how=how) for how in (OWN, MATCHED)
    )
    found = structures(networks_of(table, SMALL))
    psi, transfer = (array_of(found, column, "seed", "pool") for column in ("psi", "transfer"))
    most = table["pool"].max()
    values: dict[str, Any] = {}
    if most == MOST:
        rich = psnr_of(networks_of(table, RANDOM), "seed", "pool", how=MATCHED)
        values |= {
            "shortcut": psi.sel(pool=MOST),
            "passes": transfer.sel(pool=MOST),
            "behind": mean_of(behind(table, SMALL, specialists_of(table))),
            "richer": mean_of((rich - matched).sel(pool=MOST, tested=unknown)),
        }
        if FEWEST in psi["pool"]:
            loss = own.sel(pool=FEWEST) - own.sel(pool=MOST)
            at_small, at_random = (
                mean_of((each.sel(pool=FEWEST) - each.sel(pool=MOST)).sel(tested=unknown))
                for each in (matched, rich)
            )
            values |= {
                "worse": mean_of(loss.sel(tested=others)),
                "transfer": transfer.sel(pool=MOST) - transfer.sel(pool=FEWEST),
                "structure": psi.sel(pool=MOST) - psi.sel(pool=FEWEST),
                "balance": at_small - at_random,
            }
        simple = psnr_by_blur(table, MATCHED).sel(tested=others)
        if SIMPLE in simple["blur"]:
            blurred = array_of(structures(on_all(table)), "psi", "seed", "blur")
            values["simple"] = blurred.sel(blur=SIMPLE) - blurred.sel(blur=0)
            values["blurred"] = mean_of(simple.sel(blur=SIMPLE) - simple.sel(blur=0))
    return REGISTERED.claims_on(values, Sentence.__members__, domain="2D")


def mean_of(values: xr.DataArray) -> xr.DataArray:
    """The mean over the rains of the test; NaN where any is."""
    return values.mean("tested", skipna=False)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Number of photographs, structure, simplicity, specialists; examples below."""
    figure = plotting.new_figure(5.0)
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 1.2])
    above, below = parts
    number, structure, simplicity, special = above.subplots(1, 4, width_ratios=[1.3, 1.3, 1, 0.9])
    known, others = networks_of(table, SMALL), others_of(table, SMALL)
    draw_gains(number, lambda how: psnr_of(known, "seed", "pool", how=how), SMALL, others)
    draw_gains(simplicity, lambda how: psnr_by_blur(table, how), SMALL, others)
    draw_structure(structure, structures(known), "pool")
    names = specialists_of(table)
    for how, color, marker in ((OWN, plotting.RED, "o"), (MATCHED, plotting.ORANGE, "s")):
        gaps = behind(table, SMALL, names, how)
        for row, name in enumerate(names):
            plotting.bar(special, interval(gaps.sel(tested=name)), row, color, marker)
    plotting.name_rows(special, [name.removesuffix(" rain") for name in names], fontsize=6)
    special.set_xlim(left=0)
    for axes, title, label in (
        (number, "PSNR gained by more\nphotographs (dB)", "photographs to train on"),
        (structure, "lost without the\nstructure of either", "photographs to train on"),
        (simplicity, "PSNR gained by blurred\nphotographs (dB)", "blur (pixels)"),
        (special, "dB behind\nspecialists", f"{table['pool'].max():g} photographs"),
    ):
        axes.set_title(title, fontsize=7, loc="left")
        axes.set_xlabel(label, fontsize=7)
        if axes is not special:
            axes.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    number.legend(fontsize=5.5, loc="lower left")
    structure.set_ylim(top=0.75)
    structure.legend(fontsize=5.5, loc="upper right")
    draw_examples(below, arrays)
    return figure


QUICK: dict[str, Any] = {
    "seeds": 3, "pools": (2, 32, 400), "blurs": (8.0,), "steps": 300, "width": 12, "samples": 32,
}  # fmt: skip
REGISTERED = registered.of("image_deraining")
experiment = Experiment(
    name="image_deraining",
    message=(
        "Trained on more photographs in small rain, a derainer does better in the rain it knows "
        "and worse in every other one; it takes a zebra's stripes for rain. Blurred photographs to "
        "train on help in other rain and harm in the known one."
    ),
    presets={
        "smoke": Config(**SMOKE, blurs=(1.0,)),
        "quick": Config(**QUICK),
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
