"""Does the toy predict the picture? "More data is not better" in one dimension and in two.

The same number of contents to train on, from a handful to thousands: melodies under clicks of one
shape or of many, photographs under rain of a small or a large range. Errors on new content under
new degradations, and the response to novelty, side by side.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from common.image_tasks import PHOTOGRAPHS, CropsConfig, one_run, pool_name, shown, too_many
from common.signal_tasks import (
    NO_SPAN,
    UNSEEN_BOTH,
    PoolConfig,
    complexity_in_name,
    cube,
    pool_run,
)
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import bootstrap_each
from shortcut1d.data import image_degradations
from shortcut1d.harness.claims import Claim, claim_mean, rank_correlation
from shortcut1d.harness.driver import Experiment, Result, main, warn
from shortcut1d.harness.options import option
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, Swept, sweep

SIGNALS, PICTURES = "signals", "pictures"


@dataclass(frozen=True)
class Config(CropsConfig):
    """Pictures are trained and tested by the options of the picture studies."""

    ranges: tuple[str, ...] = option(
        ("small", "large"),
        f"two ranges of rain, the simple one first, of {', '.join(image_degradations.RANGES)}",
    )
    shapes: tuple[int, ...] = option((1, 64), "two numbers of click shapes, the simple one first")
    signal_width: int = option(16, "channels of the nets on signals")
    signal_steps: int = option(600, "training steps of the nets on signals")
    signal_batch: int = option(16, "signals a step")
    signal_samples: int = option(128, "windows a test of the nets on signals")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.ranges:
            errors.choice("ranges", name, image_degradations.RANGES)
        for field in ("ranges", "shapes"):
            if len(set(getattr(self, field))) != 2:
                raise errors.refuse(field, getattr(self, field), "two different ones")
        order = list(image_degradations.RANGES)
        if list(self.ranges) != sorted(self.ranges, key=order.index):
            raise errors.refuse("ranges", self.ranges, f"in this order: {', '.join(order)}")
        with errors.reported_as("signal_steps"):
            Schedule(steps=self.signal_steps)
        with errors.reported_as("signal_batch"):
            Schedule(batch=self.signal_batch)
        with errors.reported_as("signal_width"):
            networks.ConvNet(width=self.signal_width)
        errors.integer("signal_samples", self.signal_samples, low=2)
        self.melodies()

    def melodies(self) -> PoolConfig:
        """The same study in one dimension."""
        return PoolConfig(
            seeds=self.seeds, width=self.signal_width, steps=self.signal_steps,
            batch=self.signal_batch, learning_rate=self.learning_rate, loss=self.loss,
            samples=self.signal_samples, pools=self.pools, shapes=self.shapes,
        )  # fmt: skip


def run(config: Config, session: Session) -> Result:
    """The one-dimensional study, then the two-dimensional one."""
    signals, heard = _signals(config, session)
    pictures, seen = _pictures(config, session)
    table = pd.concat(
        [signals.assign(domain=SIGNALS), pictures.assign(domain=PICTURES)], ignore_index=True
    )
    return Result(table, heard | seen)


def _signals(config: Config, session: Session) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    melodies = config.melodies()
    runs = [
        pool_run(melodies, pool, shapes, seed)
        for shapes in config.shapes
        for pool in config.pools
        for seed in range(config.seeds)
    ]
    ends = [f"pool({pool})" for pool in (config.pools[0], config.pools[-1])]
    simple = f"clicks({config.shapes[0]})"
    swept = sweep(
        runs, melodies.schedule(), EvalConfig(melodies.samples, NO_SPAN), session,
        keep=lambda w: w.cell.seed == 0 and w.content in ends and w.degradation == simple,
    )  # fmt: skip
    return swept.table, _in_new_clicks(runs, swept)


def _in_new_clicks(runs: Sequence[Run], swept: Swept) -> dict[str, np.ndarray]:
    """A new melody under new clicks: input, target and output."""
    shown = {
        f"{SIGNALS}; {runs[p].content}": (params, test)
        for p, params in swept.weights.items()
        for test in runs[p].tests
        if test.role == UNSEEN_BOTH
    }
    drawn = evaluation.windows(runs[0].cell.network, list(shown.values()))
    return dict(zip(shown, drawn.astype(np.float32), strict=True))


def _pictures(config: Config, session: Session) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    photographs = config.photographs(warn)
    new = photographs.unseen()
    runs = []
    for limits in config.ranges:
        falling = image_degradations.rain(limits, **config.look())
        runs += [
            one_run(
                config, (PHOTOGRAPHS, photographs), pool, (f"{limits} rain", falling),
                {"other rain": image_degradations.other_rain(**config.look())}, seed, new,
            )
            for pool in config.pools
            for seed in range(config.seeds)
        ]  # fmt: skip
    ends = [pool_name(PHOTOGRAPHS, pool) for pool in (config.pools[0], config.pools[-1])]
    simple = runs[0].degradation
    swept = sweep(
        runs, config.schedule(), config.eval_config(), session,
        keep=lambda w: w.cell.seed == 0 and w.content in ends and w.degradation == simple,
    )  # fmt: skip
    return swept.table, shown(runs, swept)


def curves(
    table: pd.DataFrame, domain: str, column: str
) -> tuple[list[int], list[str], np.ndarray]:
    """Numbers of contents, degradations (the simple one first), and a measure as
    `(degradations, seeds, contents)`: "nmse" on new content under new degradations, or an index's.
    """
    part = table[table["domain"] == domain]
    names = list(dict.fromkeys(part["degradation"]))
    chosen = part[part["test"] == UNSEEN_BOTH] if column == "nmse" else evaluation.indices(part)
    numbered = chosen.assign(pool=chosen["content"].map(complexity_in_name))
    values = []
    for name in names:
        (_, pools), found = cube(numbered[numbered["degradation"] == name], column, "seed", "pool")
        values.append(found)
    return [int(pool) for pool in pools], names, np.stack(values)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What holds of the toy, asked of the pictures; and whether the one predicts the other."""
    made = []
    for domain in (SIGNALS, PICTURES):
        pools, names, rho = curves(table, domain, "rho")
        error = curves(table, domain, "nmse")[2]
        made += [
            claim_mean(
                f"{domain}: the more contents, the more novelty passes",
                f"rho with {pools[-1]} - with {pools[0]}, under {names[0]}",
                rho[0, :, -1] - rho[0, :, 0], "above", 0.0,
            ),
            claim_mean(
                f"{domain}: the simpler the degradation, the more novelty passes",
                f"rho under {names[0]} - under {names[1]}, with {pools[-1]}",
                rho[0, :, -1] - rho[1, :, -1], "above", 0.0,
            ),
        ]  # fmt: skip
        simple, rich = (too_many(-np.log(each)) for each in error)
        made += [
            claim_mean(
                f"{domain}: under {names[0]}, {pools[-1]} contents do worse than fewer, mostly "
                f"{pools[simple[0]]} (chosen on the other seeds)",
                "log of the ratio of errors", simple[1], "above", 0.0,
            ),
            claim_mean(
                f"{domain}: under {names[1]} too many cost less",
                f"log of the ratio of errors, under {names[0]} - under {names[1]}",
                simple[1] - rich[1], "above", 0.0,
            ),
        ]  # fmt: skip
    for column, word in (("nmse", "error"), ("rho", "rho")):
        toy, picture = (curves(table, domain, column)[2] for domain in (SIGNALS, PICTURES))
        # Within each degradation: that the richer one is better would be one bit for all.
        ranks = np.mean(
            [
                rank_correlation(list(np.mean(signals, axis=0)), pictures)
                for signals, pictures in zip(toy, picture, strict=True)
            ],
            axis=0,
        )
        made.append(
            claim_mean(
                f"the toy's {word} orders the pictures' {word} over numbers of contents",
                "rank correlation of each network's with the toy's mean, mean over degradations",
                ranks, "above", 0.5,
            )
        )  # fmt: skip
    return made


COLORS = (plotting.RED, plotting.BLUE)
LABELS = {"nmse": "error / its seed's mean (NMSE)", "rho": "novelty response $\\rho$"}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Error and response of both, side by side, and below something to look at."""
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.6), layout="constrained")
        above, middle, below = figure.subfigures(3, 1, height_ratios=[1.5, 0.5, 0.75])
        panels = above.subplots(1, 4)
        for place, (column, label) in enumerate(LABELS.items()):
            pair = panels[2 * place : 2 * place + 2]
            for axes, domain in zip(pair, (SIGNALS, PICTURES), strict=True):
                pools, names, values = curves(table, domain, column)
                if column == "nmse":  # every seed has clicks of its own, some harder than others
                    values = values / np.exp(np.mean(np.log(values), axis=-1, keepdims=True))
                for number, name in enumerate(names):
                    plotting.curve(
                        axes, np.arange(len(pools)), bootstrap_each(values[number].T),
                        COLORS[number], "o-", markersize=3, label=said(name),
                    )  # fmt: skip
                axes.set_xticks(range(len(pools)), [str(pool) for pool in pools], fontsize=6)
                axes.set_xlabel("melodies" if domain == SIGNALS else "crops")
                axes.set_title(f"{domain}:\n{label}", fontsize=7, loc="left")
                if column == "nmse":
                    axes.legend(fontsize=6)
            low = min(axes.get_ylim()[0] for axes in pair)
            high = max(axes.get_ylim()[1] for axes in pair)
            for axes in pair:
                axes.set_ylim(low, high)
        heard = {n: parts for n, parts in arrays.items() if n.startswith(SIGNALS)}
        for axes, (name, (given, target, output)), color in zip(
            middle.subplots(1, len(heard)), heard.items(), (plotting.ORANGE, plotting.BLUE)
        ):
            plotting.waveforms(axes, given[:, 0], target[:, 0], output[:, 0], color)
            axes.set_axis_off()
            count = name.partition("(")[2][:-1]
            axes.set_title(
                f"trained on {count} melodies: a new melody under new clicks", fontsize=6.5,
                loc="left",
            )  # fmt: skip
            axes.legend(fontsize=6, ncols=3, loc="upper right")
        rows = [
            (f"trained on {name.partition('(')[2].partition(')')[0]} crops: in other rain", parts)
            for name, parts in arrays.items()
            if name.endswith("other rain")
        ]
        plotting.pictures(below, rows)
        return figure


def said(degradation: str) -> str:
    """A degradation in a legend."""
    if degradation.startswith("clicks"):
        count = complexity_in_name(degradation)
        return f"clicks of {count:g} shape{'s' if count > 1 else ''}"
    return degradation


experiment = Experiment(
    name="image_vs_signal",
    summary=__doc__,
    message=(
        "The toy predicts the picture in kind (a simpler degradation lets more novelty "
        "through, and too many contents cost more under it), not in detail as far as six "
        "seeds can tell."
    ),
    presets={
        "smoke": Config(
            seeds=2, pools=(1, 4), size=16, width=2, steps=5, batch=4, samples=4, signal_width=2,
            signal_steps=5, signal_batch=4, signal_samples=16,
        ),
        "quick": Config(seeds=4, width=12, steps=1000, batch=8, samples=64),
        "full": Config(
            seeds=8, pools=(4, 16, 64, 512, 4096), network="residual", size=64, channels=3,
            width=48, steps=10_000, batch=16, samples=256, signal_width=24, signal_steps=4000,
            signal_batch=64, signal_samples=512,
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
