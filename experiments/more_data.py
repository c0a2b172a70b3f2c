"""More data is not better: how many melodies should a denoiser be trained on?

Conv nets are trained on a fixed number of melodies, from one to endlessly many, under clicks of few
or many shapes, and then given new melodies under new clicks. Where the clicks are simple, more
melodies make the clicks the simpler thing to learn: beyond a few, the error on what was never heard
rises again. The richer the clicks, the more melodies it takes.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
from common.papers import Sentence
from common.signal_tasks import ENDLESS, PoolConfig, pool_curves, train_pools
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import interval_each
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.sweep import Session


@dataclass(frozen=True)
class Config(PoolConfig):
    """Everything the study depends on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("seeds", self.seeds, low=2)  # a half to choose on, a half to judge


def run(config: Config, session: Session) -> Result:
    """Train and test a network for every number of melodies and of click shapes."""
    return Result(train_pools(config, session))


def claims(table: pd.DataFrame) -> list[Claim]:
    """That fewer melodies are better under simple clicks, and that the best number grows with K."""
    error = pool_curves(table, "nmse")
    pools, shapes = error["pool"].values, error["shapes"].values
    half = len(error) // 2
    simple = error.sel(shapes=shapes[0])
    best = pools[int(simple[:half].mean("seed").argmin("pool"))]  # on seeds that are not judged
    made = [
        claim(
            f"under clicks of {shapes[0]:g} shape, endless melodies do worse than "
            f"{best:g} (chosen on other seeds)",
            "error with endless - with so many",
            simple[half:].sel(pool=ENDLESS) - simple[half:].sel(pool=best),
            sentence=Sentence.MORE_IS_WORSE,
        )
    ]
    if len(shapes) > 1:
        doublings = np.log2(np.array([*pools[:-1], 4 * pools[-2]]))  # endless: two doublings more
        at = doublings[error.argmin("pool")]
        least = error.min("pool", skipna=False)
        excess = (error.sel(pool=ENDLESS) - least) / least
        made += [
            claim(
                "the best number of melodies grows with the number of click shapes",
                f"doublings from K = {shapes[0]:g} to K = {shapes[-1]:g}",
                at[:, -1] - at[:, 0],
                sentence=Sentence.BALANCE,
            ),
            claim(
                "what too many melodies cost shrinks with the number of click shapes",
                f"excess error of endless over the best, K = {shapes[0]:g} less K = {shapes[-1]:g}",
                excess[:, 0] - excess[:, -1],
                sentence=Sentence.BALANCE,
            ),
        ]
    return made


LABELS = {
    "nmse": "error on new melodies\nunder new clicks (NMSE)",
    "kept": "kept content $R_C$",
    "removed": "removed degradation $R_D$",
    "rho": "novelty response $\\rho$",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Error against the number of melodies, and the parts that it is made of."""
    figure = plotting.new_figure(2.7)
    panels = figure.subplots(1, len(LABELS), width_ratios=[1.7, 1, 1, 1])
    for axes, (column, label) in zip(panels, LABELS.items(), strict=True):
        curves = pool_curves(table, column)
        places = np.arange(curves.sizes["pool"])
        for color, count in zip(plotting.cycle(), curves["shapes"].values, strict=False):
            mean = interval_each(curves.sel(shapes=count))
            plotting.curve(axes, places, mean, color, "o-", markersize=2.5, label=f"K = {count:g}")
            if column == "nmse":
                lowest = int(np.nanargmin(mean.estimate))
                axes.plot(lowest, mean.estimate[lowest], "*", color=color, markersize=9)
        names = [f"{size:g}" for size in curves["pool"].values[:-1]] + ["\u221e"]
        every = 1 if column == "nmse" else 3
        axes.set_xticks(places[::every], names[::every], fontsize=6)
        axes.set_title(label, fontsize=7, loc="left")
        axes.set_xlabel("melodies to train on")
    panels[0].legend(title="click shapes (star: best)", title_fontsize=6, fontsize=6)
    return figure


experiment = Experiment(
    name="more_data",
    message=(
        "Under clicks of one shape, networks trained on more than some 64 melodies do worse "
        "on new melodies under new clicks; the more click shapes, the less it costs."
    ),
    presets={
        "smoke": Config(
            seeds=2, pools=(1, 4), shapes=(1, 8), width=2, steps=10, batch=8, samples=16
        ),
        "quick": Config(seeds=6, batch=16),
        "full": Config(
            seeds=12, pools=(1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096), width=24, steps=4000,
            batch=64, samples=512,
        ),
        "kept": Config(seeds=6, batch=16),  # 2.5 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
