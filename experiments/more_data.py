"""More data is not better: how many melodies should a denoiser be trained on?

Conv nets are trained on a fixed number of melodies, from one to endlessly many, under clicks of few
or many shapes, and then given new melodies under new clicks. Where the clicks are simple, more
melodies make the clicks the simpler thing to learn: beyond a few, the error on what was never heard
rises again. The richer the clicks, the more melodies it takes.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shortcut1d import content, degradation, errors, networks, panel, plotting
from shortcut1d.analysis import bootstrap_each
from shortcut1d.claims import Claim, claim_mean
from shortcut1d.content import ENDLESS
from shortcut1d.grid import Cell
from shortcut1d.options import option
from shortcut1d.panel import SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION, Exam, Subject, Trial
from shortcut1d.study import Experiment, Outcome, main
from shortcut1d.sweep import Session, sweep
from shortcut1d.testbed import TrainConfig, complexity_in_name

UNSEEN_BOTH = "unseen content and degradation"


@dataclass(frozen=True)
class Config(TrainConfig):
    """Everything the experiment depends on."""

    pools: tuple[int, ...] = option(
        (1, 2, 4, 8, 16, 64, 256, 4096), "melodies to train on; endlessly many come on top"
    )
    shapes: tuple[int, ...] = option((1, 8, 64), "click shapes in the bank, K")
    level: float = option(0.0, "level of the degradations against the content, dB")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.whole("seeds", self.seeds, low=2)  # a half to choose on, a half to judge
        for field in ("pools", "shapes"):
            values = getattr(self, field)
            if not values or list(values) != sorted(set(values)):
                raise errors.refuse(field, values, "at least one, in rising order")
        for size in self.pools:
            errors.whole("pools", size, high=ENDLESS - 1)
        for count in self.shapes:
            degradation.clicks(count, level=self.level)


def subject(config: Config, pool: int, shapes: int, seed: int) -> Subject:
    """One network: trained on a pool of melodies, tested on melodies that are not in it."""
    melodies = content.melody()
    known = content.pool(melodies, pool, seed)
    clicks = degradation.clicks(shapes, bank=seed, level=config.level)
    tests = [
        Trial(SEEN, "pool", "clicks", known, clicks),
        Trial(UNSEEN_CONTENT, "melodies", "clicks", melodies, clicks),
        Trial(UNSEEN_DEGRADATION, "pool", "other clicks", known, clicks.unseen()),
        Trial(UNSEEN_BOTH, "melodies", "other clicks", melodies, clicks.unseen()),
    ]
    cell = Cell(known, clicks, networks.ConvNet(width=config.width), seed)
    return Subject(cell, "conv", f"pool({pool})", f"clicks({shapes})", tests)


def run(config: Config, session: Session) -> Outcome:
    """Train and test a network for every number of melodies and of click shapes."""
    subjects = [
        subject(config, pool, shapes, seed)
        for seed in range(config.seeds)
        for pool in (*config.pools, ENDLESS)
        for shapes in config.shapes
    ]
    exam = Exam(config.samples, np.eye(content.WINDOW, 1, dtype=np.float32))
    return Outcome(sweep(subjects, config.schedule(), exam, session).table)


def curves(table: pd.DataFrame, column: str) -> tuple[list[float], list[float], np.ndarray]:
    """Numbers of melodies and of shapes, and a measure as `(seeds, shapes, pools)`.

    column: "nmse" on new melodies under new clicks, or one of `panel.indices`.
    """
    both = table[table["test"] == UNSEEN_BOTH]
    chosen = both if column == "nmse" else panel.indices(table)
    chosen = chosen.assign(
        pool=chosen["content"].map(complexity_in_name),
        shapes=chosen["degradation"].map(complexity_in_name),
    )
    cube = chosen.set_index(["seed", "shapes", "pool"])[column]
    axes = [sorted(cube.index.unique(level)) for level in cube.index.names]
    values = cube.reindex(pd.MultiIndex.from_product(axes)).to_numpy()
    return axes[2], axes[1], values.reshape(*map(len, axes))


def claims(table: pd.DataFrame) -> list[Claim]:
    """That fewer melodies are better under simple clicks, and that the best number grows with K."""
    pools, shapes, error = curves(table, "nmse")
    half = len(error) // 2
    best = int(np.argmin(np.nanmean(error[:half, 0], axis=0)))  # on seeds that are not judged
    made = [
        claim_mean(
            f"under clicks of {shapes[0]:g} shape, endless melodies do worse than "
            f"{pools[best]:g} (chosen on other seeds)",
            "error with endless - with so many",
            error[half:, 0, -1] - error[half:, 0, best],
            "above",
            0.0,
        )
    ]
    if len(shapes) > 1:
        doublings = np.log2(np.array([*pools[:-1], 4 * pools[-2]]))  # endless: two doublings more
        at = doublings[np.argmin(error, axis=2)]
        made.append(
            claim_mean(
                "the best number of melodies grows with the number of click shapes",
                f"doublings from K = {shapes[0]:g} to K = {shapes[-1]:g}",
                at[:, -1] - at[:, 0],
                "above",
                0.0,
            )
        )
        excess = (error[:, :, -1] - np.min(error, axis=2)) / np.min(error, axis=2)
        made.append(
            claim_mean(
                "what too many melodies cost shrinks with the number of click shapes",
                f"excess error of endless over the best, K = {shapes[0]:g} less K = {shapes[-1]:g}",
                excess[:, 0] - excess[:, -1],
                "above",
                0.0,
            )
        )
    return made


SHOWN = {
    "nmse": "error on new melodies\nunder new clicks (NMSE)",
    "kept": "kept content $R_C$",
    "removed": "removed degradation $R_D$",
    "rho": "novelty response $\\rho$",
}
COLORS = (plotting.RED, plotting.ORANGE, plotting.BLUE, plotting.GREEN, plotting.PINK)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Error against the number of melodies, and the parts that it is made of."""
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 2.7), layout="constrained")
        panels = figure.subplots(1, len(SHOWN), width_ratios=[1.7, 1, 1, 1])
        for axes, (column, label) in zip(panels, SHOWN.items(), strict=True):
            pools, shapes, cube = curves(table, column)
            places = np.arange(len(pools))
            for number, count in enumerate(shapes):
                color = COLORS[number % len(COLORS)]
                mean = bootstrap_each(cube[:, number].T)
                axes.fill_between(places, mean.low, mean.high, color=color, alpha=0.2, linewidth=0)
                axes.plot(
                    places,
                    mean.estimate,
                    "o-",
                    color=color,
                    markersize=2.5,
                    linewidth=1.1,
                    label=f"K = {count:g}",
                )
                if column == "nmse":
                    lowest = int(np.nanargmin(mean.estimate))
                    axes.plot(lowest, mean.estimate[lowest], "*", color=color, markersize=9)
            names = [f"{size:g}" for size in pools[:-1]] + ["\u221e"]
            every = 1 if column == "nmse" else 3
            axes.set_xticks(places[::every], names[::every], fontsize=6)
            axes.set_title(label, fontsize=7, loc="left")
            axes.set_xlabel("melodies to train on")
        _legend(panels[0])
        return figure


def _legend(axes: Any) -> None:
    axes.legend(title="click shapes (star: best)", title_fontsize=6, fontsize=6)


experiment = Experiment(
    name="more_data",
    summary=__doc__,
    presets={
        "smoke": Config(
            seeds=2, pools=(1, 4), shapes=(1, 8), width=2, steps=10, batch=8, samples=16
        ),
        "quick": Config(seeds=6),
        "full": Config(
            seeds=12, pools=(1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096), width=24, steps=4000,
            batch=64, samples=512,
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
