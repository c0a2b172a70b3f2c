"""Is it a lack of capacity? Derainers of 6 to 48 channels on all photographs.

The papers say that networks overfit the rain whatever their size. Conv nets of several widths are
trained on all photographs, the richest content, under rain of a small range, and tested on what
they know of either component's structure, and on new photographs under rain that they never saw.
"""

import dataclasses
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
from common import registered
from common.image_figures import draw_gains, draw_structure
from common.image_tasks import (
    FULL,
    PictureConfig,
    others_of,
    panel_of,
    picture_run,
    psnr_of,
    twin_of,
)
from common.papers import Sentence
from image_deraining import MOST, SMALL, rains_of
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, structures

NARROWEST, WIDEST = 6, 48  # channels of the registered claim


@dataclass(frozen=True)
class Config(PictureConfig):
    """How wide the networks are."""

    widths: tuple[int, ...] = option((6, 12, 24, 48), "channels of the networks")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.rising("widths", self.widths, "at least two, in rising order", low=2)


def run(config: Config, session: Session) -> Result:
    """Train a network of every width on all photographs under small rain."""
    photographs, rains = config.photographs(warn), rains_of(config)
    panel, rain = panel_of(rains, photographs, SMALL), rains[SMALL]
    twins = twin_of(photographs, {}), twin_of(rain, {})
    runs = [
        picture_run(
            dataclasses.replace(config, width=width), photographs, (SMALL, rain), panel, seed,
            twins=twins, width=width,
        )
        for seed in config.all_seeds()
        for width in config.widths
    ]  # fmt: skip
    return Result(sweep(runs, config.schedule(), config.eval_config(), session).table)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the widths that are there."""
    psi = array_of(structures(table), "psi", "seed", "width")
    psnr = psnr_of(table, "seed", "width").sel(tested=others_of(table, SMALL))
    if not {NARROWEST, WIDEST} <= set(psi["width"].values) or table["pool"].max() != MOST:
        return []
    values = {
        name: each.sel(width=WIDEST) - each.sel(width=NARROWEST)
        for name, each in (("structure", psi), ("unseen", psnr.mean("tested", skipna=False)))
    }
    return REGISTERED.claims_on(values, Sentence.__members__, domain="2D")


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """What is known of structure, and PSNR against that of the narrowest network."""
    figure = plotting.new_figure(2.3)
    known, gained = figure.subplots(1, 2)
    draw_structure(known, structures(table), "width")
    known.set_title("known of structure", fontsize=7, loc="left")
    others = others_of(table, SMALL)
    draw_gains(gained, lambda how: psnr_of(table, "seed", "width", how=how), SMALL, others)
    gained.set_title("PSNR gained by more channels (dB)", fontsize=7, loc="left")
    for axes in (known, gained):
        axes.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        axes.set_xlabel("channels of the network")
    known.legend(fontsize=6, loc=(0.62, 0.6))
    gained.legend(fontsize=6, loc="upper left")
    return figure


REGISTERED = registered.of("image_capacity")
experiment = Experiment(
    name="image_capacity",
    message=(
        "Networks of more channels fit the rain's structure more, do better in the rain they know, "
        "and no better in other rain."
    ),
    presets={
        "smoke": Config(seeds=2, size=16, steps=5, batch=4, samples=4, widths=(2, 3)),
        "quick": Config(seeds=2, steps=300, samples=32, widths=(6, 24)),
        "full": Config(**FULL, widths=(12, 24, 48, 96)),
        "kept": Config(**REGISTERED.settings),
    },
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
