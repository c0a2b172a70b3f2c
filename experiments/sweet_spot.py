"""The sweet spot: is a denoiser best where content and degradation are equally complex?

Conv nets are trained on pools of melodies under clicks, few or many of both, and given new melodies
under new clicks. Where do `analysis.balance` and `analysis.predict`, which see samples and train no
denoiser, put the best number of melodies? Then the advice is followed on content and noise that it
was not made with: fewer contents, or a wider degradation, against training on all there is.
"""

import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from common.signal_tasks import (
    NO_SPAN,
    UNSEEN_BOTH,
    PoolConfig,
    make_test_sets,
    members_of,
    pool_curves,
    residuals_of,
    train_pools,
)
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import bootstrap, bootstrap_each
from shortcut1d.data import composition, degradations, signals
from shortcut1d.data.signals import ENDLESS
from shortcut1d.harness.claims import Claim, claim_mean
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep

EVERYTHING, FEWER, WIDER = "everything", "fewer contents", "wider degradation"
ADVICE = "advice"


@dataclass(frozen=True)
class Config(PoolConfig):
    """The grid of pools, and what the advice is tried on."""

    pools: tuple[int, ...] = option((2, 16, 64), "melodies to train on; endlessly many come on top")
    contents: int = option(1024, "contents in the training set that the advice is about")
    tried: int = option(6, "pairs of content and noise that the advice is tried on")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("contents", self.contents, low=64, high=2**16)
        errors.integer("tried", self.tried, high=len(pairs(0)))


class Pair(NamedTuple):
    """Content and degradation that the advice was not made with.

    unseen: the degradation that it is tested on. wider: what could be trained on instead.
    """

    content: Any
    degradation: Any
    unseen: Any
    wider: dict[str, Any]


def pairs(seed: int, level: float = 0.0) -> dict[str, Pair]:
    """By name; each seed has clicks of its own. level: of the degradations, dB."""
    banks = (8, 64, 256)

    def clicks(shapes: int, **look: Any) -> Any:
        return degradations.clicks(shapes, bank=seed, level=level, **look)

    def hum(pitch: float) -> Any:
        return degradations.hum(pitch, level=level)

    def whistle(low: int, high: int) -> Any:
        return degradations.hiss(low=low, high=high, level=level)

    def hums(count: int) -> Any:
        # From the hum itself outwards, but never the one that it is tested on.
        return composition.any_of(*[hum(pitch) for pitch in (12, 8, 27, 5, 40, 33, 15, 22)[:count]])

    narrow: dict[str, Any] = {"width": (7, 11), "pulses": 10}
    broad: dict[str, Any] = {"width": (25, 33), "pulses": 3}
    long: dict[str, Any] = {"width": (33, 49), "pulses": 2}
    dense: dict[str, Any] = {"width": (11, 15), "pulses": 12, "amplitude": (1.0, 1.0)}
    return {
        "band(40) + narrow clicks": Pair(
            signals.band(40), clicks(1, **narrow), clicks(1, **narrow).unseen(),
            {f"{k} shapes": clicks(k, **narrow) for k in banks},
        ),
        "fast melodies + broad clicks": Pair(
            signals.melody(8, 6, 48, steps=31), clicks(2, **broad), clicks(2, **broad).unseen(),
            {f"{k} shapes": clicks(k, **broad) for k in banks},
        ),
        "tune + hum": Pair(
            signals.tune("greensleeves"), hum(12), hum(18),
            {f"{k} hums": hums(k) for k in (2, 4, 8)},
        ),
        "band(50) + whistle": Pair(
            signals.band(50), whistle(20, 22), whistle(40, 42),
            {f"{20 - k} to {22 + k}": whistle(20 - k, 22 + k) for k in (4, 8, 16)},
        ),
        "fast tune + long clicks": Pair(
            signals.tune("greensleeves", 8), clicks(2, **long), clicks(2, **long).unseen(),
            {f"{k} shapes": clicks(k, **long) for k in banks},
        ),
        "band(20 to 50) + dense clicks": Pair(
            signals.band(50, 20), clicks(1, **dense), clicks(1, **dense).unseen(),
            {f"{k} shapes": clicks(k, **dense) for k in banks},
        ),
    }  # fmt: skip


def run(config: Config, session: Session) -> Result:
    """The grid of pools; the advice on each column of it; then the advice, tried elsewhere."""
    grid = train_pools(config, session).assign(part="grid")
    melodies = members_of(signals.melody(), config.contents)
    rows = []
    for shapes in config.shapes:
        layers = residuals_of(degradations.clicks(shapes, level=config.level), config.contents)
        row = _advice_row(f"clicks({shapes})", analysis.balance(melodies, layers))
        rows.append(row | {"predicted": _predicted(config, melodies, layers)})
    runs = []
    for name, pair in list(pairs(0, config.level).items())[: config.tried]:
        advice = advice_on(config, pair)
        rows.append(_advice_row(name, advice))
        for seed in range(config.seeds):
            runs += arms(config, name, advice, seed)
    eval_config = EvalConfig(config.samples, NO_SPAN)
    tried = sweep(runs, config.schedule(), eval_config, session).table.assign(part="tried")
    return Result(pd.concat([grid, tried, pd.DataFrame(rows)], ignore_index=True))


def advice_on(config: Config, pair: Pair) -> analysis.Advice:
    """What the samples of seed 0 say."""
    return analysis.balance(
        members_of(pair.content, config.contents),
        residuals_of(pair.degradation, config.contents),
        {wide: residuals_of(family, config.contents) for wide, family in pair.wider.items()},
    )


def arms(config: Config, name: str, advice: analysis.Advice, seed: int) -> list[Run]:
    """Networks of one seed: trained on everything, on fewer contents, on a wider degradation."""
    pair = pairs(seed, config.level)[name]
    conv = networks.ConvNet(width=config.width)
    widest = list(pair.wider)[-1]
    made = []
    for arm, count, layer in (
        (EVERYTHING, config.contents, pair.degradation),
        (FEWER, advice.keep, pair.degradation),
        # Where no range is wide enough, the widest there is.
        (WIDER, config.contents,
         pair.degradation if advice.balanced else pair.wider[advice.widen or widest]),
    ):  # fmt: skip
        known = signals.pool(pair.content, count, seed)
        tests = make_test_sets(
            ("contents", known), ("known", pair.degradation), {"new contents": pair.content},
            {"unseen": pair.unseen}, both=True,
        )  # fmt: skip
        cell = Cell(known, layer, conv, seed)
        made.append(Run(cell, arm, name, name, tests))
    return made


def _predicted(config: Config, melodies: np.ndarray, layers: np.ndarray) -> int:
    """The most melodies that `predict`, by its default measure, calls the simpler component."""
    fewest, *more = config.pools
    every = np.arange(len(melodies))
    simpler = [
        pool
        for pool in (*more, ENDLESS)
        if analysis.predict(melodies[every % pool], layers).component == "content"
    ]
    return max([fewest, *simpler])


def _advice_row(name: str, advice: analysis.Advice) -> dict[str, Any]:
    return {
        "part": ADVICE, "degradation": name, "keep": advice.keep, "contents": advice.contents,
        "widen": "as it is" if advice.balanced else advice.widen or "the widest",
        "content_cost": advice.content, "degradation_cost": advice.degradation,
    }  # fmt: skip


def pairs_tried(table: pd.DataFrame) -> list[str]:
    """The pairs that the advice was tried on."""
    return list(dict.fromkeys(table[table["part"] == "tried"]["content"]))


def error_of(table: pd.DataFrame, pair: str, arm: str) -> np.ndarray:
    """NMSE on new contents under the unseen degradation, of each seed's network."""
    chosen = table[(table["part"] == "tried") & (table["test"] == UNSEEN_BOTH)]
    chosen = chosen[(chosen["content"] == pair) & (chosen["network"] == arm)]
    return chosen.sort_values("seed")["nmse"].to_numpy()


class Grid(NamedTuple):
    """Numbers of melodies and of shapes, errors as `(seeds, shapes, pools)`, and for each number of
    shapes which pool `balance` advised and which `predict` puts at balance.
    """

    pools: list[float]
    shapes: list[float]
    error: np.ndarray
    advised: np.ndarray
    predicted: np.ndarray

    def error_at(self, chosen: np.ndarray) -> np.ndarray:
        """Errors with the chosen pool of each number of shapes, `(seeds, shapes)`."""
        return np.take_along_axis(self.error, chosen[None, :, None], axis=2)[:, :, 0]


def grid_of(table: pd.DataFrame) -> Grid:
    """The grid of melodies and clicks."""
    pools, shapes, error = pool_curves(table[table["part"] == "grid"], "nmse")
    rows = table[table["part"] == ADVICE].set_index("degradation")
    rows = rows.loc[[f"clicks({int(count)})" for count in shapes]]
    # All that there are is the endless pool; else the nearest of those that were trained on.
    advised = np.where(rows["keep"] == rows["contents"], pools[-1], rows["keep"])
    places = [
        np.abs(np.log2(sizes)[:, None] - np.log2(np.array(pools))).argmin(axis=1)
        for sizes in (advised, rows["predicted"].to_numpy())
    ]
    return Grid(pools, shapes, error, *places)


def _best_of_others(error: np.ndarray) -> np.ndarray:
    """Errors, `(seeds, shapes)`, with the number of melodies that is best on the other seeds."""
    if len(error) < 2:
        return np.full(error.shape[:2], np.nan)
    best = np.array([_best(np.delete(error, seed, axis=0)) for seed in range(len(error))])
    return np.take_along_axis(error, best[:, :, None], axis=2)[:, :, 0]


def _best(error: np.ndarray) -> np.ndarray:
    """The pool of least error for each number of shapes; none where a network diverged."""
    return np.argmin(np.nan_to_num(error.mean(axis=0), nan=np.inf), axis=1)


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the advice is right on the grid, and worth following elsewhere."""
    grid = grid_of(table)
    chosen = grid.error_at(grid.advised)
    made = [
        claim_mean(
            "melodies + clicks: as many melodies as advised do better than endlessly many",
            "error with endless - as advised, mean over K",
            np.mean(grid.error[:, :, -1] - chosen, axis=1), "above", 0.0,
        ),
        claim_mean(
            "melodies + clicks: no number of melodies does much better than the advised",
            "error as advised - with the best number on the other seeds, mean over K",
            np.mean(chosen - _best_of_others(grid.error), axis=1), "below", 0.02,
        ),
    ]  # fmt: skip
    if np.any(grid.predicted < len(grid.pools) - 1):  # otherwise it is the first claim again
        made.append(
            claim_mean(
                "melodies + clicks: as many melodies as advised do better than as predict puts it",
                "error as predicted - as advised, mean over K",
                np.mean(grid.error_at(grid.predicted) - chosen, axis=1), "above", 0.0,
            )
        )  # fmt: skip
    for arm in (FEWER, WIDER):
        gains = []
        for pair in pairs_tried(table):
            everything = error_of(table, pair, EVERYTHING)
            gains.append(everything - error_of(table, pair, arm))
            if not np.any(gains[-1]):
                continue  # it was advised to leave this as it is
            made.append(
                claim_mean(
                    f"{pair}: {arm}, as advised, beats training on everything",
                    "error with everything - as advised", gains[-1], "above", 0.0,
                )
            )  # fmt: skip
        made.append(
            claim_mean(
                f"with content and noise it was not made with, {arm} as advised is worth it",
                "error with everything - as advised, mean over pairs",
                np.mean(gains, axis=0), "above", 0.0,
            )
        )  # fmt: skip
    return made


ARMS = {EVERYTHING: (plotting.GREY, "s"), FEWER: (plotting.BLUE, "o"), WIDER: (plotting.RED, "D")}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """The error over the grid with the advised number; and what following the advice gains."""
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 3.6), layout="constrained")
        grid, gains = figure.subplots(1, 2, width_ratios=[1, 1.25])
        _draw_grid(figure, grid, table)
        names = pairs_tried(table)
        for row, name in enumerate(names):
            for shift, (arm, (color, marker)) in enumerate(ARMS.items()):
                found = bootstrap(error_of(table, name, arm))
                plotting.bar(gains, found, row + 0.22 * (shift - 1), color, marker)
        advice = table[table["part"] == ADVICE].set_index("degradation")
        gains.text(1.03, -0.55, "advised", fontsize=6.5, transform=gains.get_yaxis_transform())
        for row, name in enumerate(names):
            keep, contents, widen = advice.loc[name, ["keep", "contents", "widen"]]
            said = f"keep {keep:g}\n{widen}" if keep < contents else f"keep all\n{widen}"
            gains.text(
                1.03, row, said, va="center", fontsize=6, color=plotting.GREY,
                transform=gains.get_yaxis_transform(),
            )  # fmt: skip
        gains.set_yticks(range(len(names)), [name.replace(" + ", "\n+ ") for name in names])
        gains.set_ylim(len(names) - 0.5, -0.5)
        gains.set_xlim(left=0)
        gains.set_xlabel("error on new contents under an\nunseen degradation (NMSE, 95%)")
        handles = [
            gains.plot([], [], marker, color=color, markersize=5, label=arm)[0]
            for arm, (color, marker) in ARMS.items()
        ]
        gains.legend(
            handles=handles, title="trained on", loc="lower center", bbox_to_anchor=(0.5, 1.02),
            ncols=len(ARMS), columnspacing=1, handletextpad=0.2,
        )  # fmt: skip
        return figure


def _draw_grid(figure: Figure, axes: Any, table: pd.DataFrame) -> None:
    pools, shapes, error, at, predicted = grid_of(table)
    mean = error.mean(axis=0)
    drawn = plotting.heat_map(
        axes,
        mean,
        pools,
        shapes,
        plotting.SEQUENTIAL,
        (float(np.nanmin(mean)), float(np.nanmax(mean))),
    )
    names = [f"{size:g}" for size in pools[:-1]] + ["\u221e"]
    axes.set_xticks(range(len(pools)), names, fontsize=6)
    rows = np.arange(len(shapes))
    axes.plot(predicted, rows, "s", color="white", markersize=11, markerfacecolor="none")
    axes.plot(at, rows, "o", color="white", markersize=8, markerfacecolor="none")
    axes.plot(_best(error), rows, "*", color="white", markersize=6)
    axes.set_xlabel("melodies to train on")
    axes.set_ylabel("click shapes $K$")
    half = bootstrap_each(error.reshape(len(error), -1).T)
    axes.set_title(
        "star: best, circle: advised, square: by predict\n"
        f"95%: \u00b1{np.median(half.high - half.low) / 2:.2g} (median), {len(error)} seeds",
        fontsize=6, color=plotting.GREY,
    )  # fmt: skip
    bar = figure.colorbar(drawn, ax=axes, location="bottom", aspect=25)
    bar.set_label("error on new melodies under new clicks (NMSE)", fontsize=6)
    bar.ax.tick_params(labelsize=6)


experiment = Experiment(
    name="sweet_spot",
    summary=__doc__,
    message=(
        "A wider degradation, as `analysis.balance` advises from samples, beats training on "
        "everything wherever it is wide in the way in which the unseen one differs; fewer "
        "contents, as advised, make no difference."
    ),
    presets={
        "smoke": Config(
            seeds=2, pools=(1, 4), shapes=(1, 8), width=2, steps=10, batch=8, samples=16,
            contents=64, tried=1,
        ),
        "quick": Config(seeds=4, batch=16, tried=4),
        "full": Config(
            seeds=10, pools=(1, 2, 4, 8, 16, 32, 64, 256, 1024), shapes=(1, 2, 4, 8, 16, 64, 256),
            width=24, steps=4000, batch=64, samples=512, contents=4096,
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
