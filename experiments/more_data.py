"""More data is not better: how many melodies should a denoiser be trained on?

Conv nets are trained on a fixed number of melodies, from sixteen to endlessly many, under clicks of
few or many shapes, and then given new melodies under clicks of other banks. Beside the error: how
much of what they remove of the clicks they know they remove of others; what they know of the
structure of either; and how far they are behind a network that knows the clicks of the test.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.papers import Sentence
from common.pool_tasks import pool_curves, pool_run
from common.signal_tasks import TrainConfig, check_banks, check_clicks, decibels
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval_each
from shortcut1d.data.signals import ENDLESS
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.sweep import Session, sweep

SIMPLE, RICH = 1, 64  # click shapes of the registered claims
FEWER = 16  # melodies that endlessly many are compared with; fixed on exploring seeds


@dataclass(frozen=True)
class Config(TrainConfig):
    """The cells of the grid, and how they are trained."""

    batch: int = option(16, "fresh samples a step")
    pools: tuple[int, ...] = option(
        (16, 64, 256), f"melodies to train on, {FEWER} among them; endlessly many come on top"
    )
    shapes: tuple[int, ...] = option((1, 8, 64), "click shapes in the bank, K")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.rising("pools", self.pools)
        errors.rising("shapes", self.shapes)
        for size in self.pools:
            errors.integer("pools", size, high=ENDLESS - 1)
        if FEWER not in self.pools:
            raise errors.refuse("pools", self.pools, f"{FEWER} among them: the claims are about it")
        check_clicks(self.shapes)
        check_banks(self.samples)


def run(config: Config, session: Session) -> Result:
    """Train and test a network for every number of melodies and of click shapes."""
    conv = networks.ConvNet(width=config.width)
    runs = [
        pool_run(conv, pool, shapes, seed)
        for seed in config.all_seeds()
        for pool in (*config.pools, ENDLESS)
        for shapes in config.shapes
    ]
    return Result(sweep(runs, config.schedule(), EvalConfig(config.samples), session).table)


def costs(table: pd.DataFrame) -> xr.DataArray:
    """Error against that with 16 melodies of the same seed, in dB, `(seed, shapes, pool)`."""
    error = pool_curves(table, "nmse")
    return decibels(error / error.sel(pool=FEWER))


def behind(table: pd.DataFrame) -> xr.DataArray:
    """How far behind a network that knows the test's clicks, in dB, `(seed, shapes, pool)`.

    That network is the endless one on the clicks it knows: banks are draws of one distribution, so
    that its error there is, but for chance, that of a network trained on any unseen bank.
    """
    specialist = pool_curves(table, "known_nmse").sel(pool=ENDLESS)
    return decibels(pool_curves(table, "nmse") / specialist)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the cells that are there."""
    cost, psi = costs(table).sel(pool=ENDLESS), pool_curves(table, "psi")
    change = psi.sel(pool=ENDLESS) - psi.sel(pool=FEWER)
    values: dict[str, Any] = {"structure": change.mean("shapes", skipna=False)}
    if SIMPLE in cost["shapes"]:
        values["worse"] = cost.sel(shapes=SIMPLE)
        values["specialist"] = behind(table).sel(shapes=SIMPLE, pool=ENDLESS)
        if RICH in cost["shapes"]:
            values["balance"] = cost.sel(shapes=SIMPLE) - cost.sel(shapes=RICH)
    return REGISTERED.claims_on(values, Sentence.__members__)


COST = "cost"
PANELS = {
    "nmse": "error on new melodies\nunder other clicks (NMSE)",
    COST: "the same against 16\nmelodies, seed by seed (dB)",
    "transfer": "transfer: share removed,\nother / known clicks",
    "of_degradation": "lost without the\nclicks' structure, $d_D$",
    "of_content": "lost without the\nmelodies' structure, $d_C$",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Error against the number of melodies, and what it is made of."""
    figure = plotting.new_figure(2.5)
    panels = figure.subplots(1, len(PANELS), width_ratios=[1.3, 1, 1, 1, 1])
    for axes, (column, label) in zip(panels, PANELS.items(), strict=True):
        curves = costs(table) if column == COST else pool_curves(table, column)
        places = np.arange(curves.sizes["pool"])
        for color, count in zip(plotting.cycle(), curves["shapes"].values, strict=False):
            mean = interval_each(curves.sel(shapes=count))
            plotting.curve(axes, places, mean, color, "o-", markersize=2.5, label=f"K = {count:g}")
        names = [f"{size:g}" for size in curves["pool"].values[:-1]] + ["\u221e"]
        axes.set_xticks(places, names, fontsize=6)
        axes.set_title(label, fontsize=6, loc="left")
        if column == COST:
            axes.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    figure.supxlabel("melodies to train on", fontsize=7)
    panels[0].legend(title="click shapes", title_fontsize=6, fontsize=6)
    return figure


REGISTERED = registered.of("more_data")
experiment = Experiment(
    name="more_data",
    message=(
        "Under clicks of one shape, networks trained on more melodies do worse on new melodies "
        "under new clicks, for they fit more of the clicks; under many shapes they do better."
    ),
    presets={
        "smoke": Config(
            seeds=2, pools=(16, 64), shapes=(1, 64), width=2, steps=10, batch=8, samples=16
        ),
        "quick": Config(seeds=6),
        "full": Config(
            seeds=40, first_seed=2000, pools=(4, 16, 64, 256, 4096), width=32, steps=4000, batch=64,
            samples=512,
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
