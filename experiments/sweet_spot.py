"""The sweet spot: is a denoiser best where content and degradation are equally complex?

Conv nets are trained on pools of melodies under clicks, few or many of both, and tested on new
melodies under new clicks. `analysis.balance` and `analysis.predict` see samples only and train no
denoiser: where do they put the best number of melodies? Then the advice is followed on content and
noise that it was not made with: fewer contents, or a wider degradation, against training on all.
"""

import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from common.papers import Sentence
from common.signal_tasks import (
    UNSEEN_BOTH,
    PoolConfig,
    advise,
    make_test_sets,
    members_of,
    pool_curves,
    residuals_of,
    train_pools,
)
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import interval, interval_each
from shortcut1d.data import composition, degradations, signals
from shortcut1d.data.signals import ENDLESS
from shortcut1d.harness.claims import Claim, claim
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

    content, degradation: what is trained on.
    unseen: degradation to test on.
    wider: by name, degradations that could be trained on instead; the widest last.
    """

    content: Any
    degradation: Any
    unseen: Any
    wider: dict[str, Any]


def pairs(seed: int, level: float = 0.0) -> dict[str, Pair]:
    """By name; each seed has clicks of its own. level: of the degradations, dB."""

    def clicks(shapes: int, **form: Any) -> Any:
        return degradations.clicks(shapes, bank=seed, level=level, **form)

    def under_clicks(content: Any, shapes: int, **form: Any) -> Pair:
        known = clicks(shapes, **form)
        wider = {f"{count} shapes": clicks(count, **form) for count in (8, 64, 256)}
        return Pair(content, known, known.unseen(), wider)

    def hum(pitch: float) -> Any:
        return degradations.hum(pitch, level=level)

    def whistle(low: int, high: int) -> Any:
        return degradations.hiss(low=low, high=high, level=level)

    def hums(count: int) -> Any:
        # From the hum itself outwards, but never the one that it is tested on.
        return composition.any_of(*[hum(pitch) for pitch in (12, 8, 27, 5, 40, 33, 15, 22)[:count]])

    return {
        "band(40) + narrow clicks": under_clicks(signals.band(40), 1, width=(7, 11), pulses=10),
        "fast melodies + broad clicks": under_clicks(
            signals.melody(8, 6, 48, steps=31), 2, width=(25, 33), pulses=3
        ),
        "tune + hum": Pair(
            signals.tune("greensleeves"), hum(12), hum(18),
            {f"{k} hums": hums(k) for k in (2, 4, 8)},
        ),
        "band(50) + whistle": Pair(
            signals.band(50), whistle(20, 22), whistle(40, 42),
            {f"{20 - k} to {22 + k}": whistle(20 - k, 22 + k) for k in (4, 8, 16)},
        ),
        "fast tune + long clicks": under_clicks(
            signals.tune("greensleeves", 8), 2, width=(33, 49), pulses=2
        ),
        "band(20 to 50) + dense clicks": under_clicks(
            signals.band(50, 20), 1, width=(11, 15), pulses=12, amplitude=(1.0, 1.0)
        ),
    }  # fmt: skip


def run(config: Config, session: Session) -> Result:
    """The grid of pools; the advice for each number of shapes; then the advice, tried elsewhere."""
    grid = train_pools(config, session).assign(part="grid")
    melodies = members_of(signals.melody(), config.contents)
    rows = []
    for shapes in config.shapes:
        clicks = residuals_of(degradations.clicks(shapes, level=config.level), config.contents)
        row = _advice_row(f"clicks({shapes})", analysis.balance(melodies, clicks))
        rows.append(row | {"predicted": _predicted(config, melodies, clicks), "shapes": shapes})
    runs = []
    for name, pair in list(pairs(0, config.level).items())[: config.tried]:
        advice = advice_on(config, pair)
        rows.append(_advice_row(name, advice))
        for seed in range(config.seeds):
            runs += arms(config, name, advice, seed)
    tried = sweep(runs, config.schedule(), EvalConfig(config.samples), session).table
    parts = [grid, tried.assign(part="tried"), pd.DataFrame(rows)]
    # As floats, for want of a pool in the advice, the digits of the endless pool would be cut.
    return Result(pd.concat(parts, ignore_index=True).astype({"pool": "Int64"}))


def advice_on(config: Config, pair: Pair) -> analysis.Advice:
    """What the samples of seed 0 say."""
    return advise(pair.content, pair.degradation, pair.wider, config.contents)


def arms(config: Config, name: str, advice: analysis.Advice, seed: int) -> list[Run]:
    """Networks of one seed: trained on everything, on fewer contents, on a wider degradation."""
    pair = pairs(seed, config.level)[name]
    # Where no range is wide enough, the widest there is.
    wider = pair.wider[advice.widen or list(pair.wider)[-1]]
    made = []
    for arm, count, degradation in (
        (EVERYTHING, config.contents, pair.degradation),
        (FEWER, advice.keep, pair.degradation),
        (WIDER, config.contents, pair.degradation if advice.balanced else wider),
    ):
        known = signals.pool(pair.content, count, seed)
        tests = make_test_sets(
            ("contents", known), ("known", pair.degradation), {"new contents": pair.content},
            {"unseen": pair.unseen}, both=True,
        )  # fmt: skip
        cell = Cell(known, degradation, networks.ConvNet(width=config.width), seed)
        made.append(Run(cell, arm, name, name, tests, {"pool": count}))
    return made


def _predicted(config: Config, melodies: np.ndarray, clicks: np.ndarray) -> int:
    """The most melodies that `predict`, by its default measure, calls the simpler component."""
    fewest, *more = config.pools
    every = np.arange(len(melodies))
    simpler = [
        pool
        for pool in (*more, ENDLESS)
        if analysis.predict(melodies[every % pool], clicks).component == "content"
    ]
    return max([fewest, *simpler])


def _advice_row(name: str, advice: analysis.Advice) -> dict[str, Any]:
    return {
        "part": ADVICE, "degradation": name, "keep": advice.keep, "contents": advice.contents,
        "widen": "as it is" if advice.balanced else advice.widen or "the widest",
        "content_cost": advice.content, "degradation_cost": advice.degradation,
    }  # fmt: skip


def error_of(table: pd.DataFrame, pair: str, arm: str) -> np.ndarray:
    """NMSE on new contents under the unseen degradation, of each seed's network."""
    chosen = table[(table["part"] == "tried") & (table["test"] == UNSEEN_BOTH)]
    chosen = chosen[(chosen["content"] == pair) & (chosen["network"] == arm)]
    return chosen.sort_values("seed")["nmse"].to_numpy()


def pairs_tried(table: pd.DataFrame) -> list[str]:
    """The pairs that the advice was tried on."""
    return list(table[table["part"] == "tried"]["content"].unique())


def grid_of(table: pd.DataFrame) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """The grid of melodies and clicks: errors, `(seed, shapes, pool)`, and two pools for each K.

    Those are the pool that `balance` advises, and the one that `predict` says is at balance.
    """
    error = pool_curves(table[table["part"] == "grid"], "nmse")
    rows = table[table["part"] == ADVICE].dropna(subset="shapes").set_index("shapes").sort_index()
    # To keep all is the endless pool; else it is the nearest of those that were trained on.
    advised = rows["keep"].where(rows["keep"] < rows["contents"], ENDLESS)
    doublings: Any = np.log2(error["pool"])
    nearest, predicted = (
        abs(np.log2(sizes.astype(float).to_xarray()) - doublings).idxmin("pool")
        for sizes in (advised, rows["predicted"])
    )
    return error, nearest, predicted


def best_pool(error: xr.DataArray) -> xr.DataArray:
    """The pool of least error for each number of shapes; not one where a network diverged."""
    return error.mean("seed", skipna=False).fillna(np.inf).idxmin("pool")


def best_of_others(error: xr.DataArray) -> xr.DataArray:
    """Errors, `(seed, shapes)`, with the number of melodies that is best on the other seeds."""
    seeds = range(error.sizes["seed"])
    if len(seeds) < 2:
        return error[:, :, 0] * np.nan
    return xr.concat(
        [error[n].sel(pool=best_pool(error.drop_isel(seed=n))).drop_vars("pool") for n in seeds],
        "seed",
    )


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the advice is right on the grid, and worth following elsewhere."""
    error, advised, predicted = grid_of(table)
    chosen = error.sel(pool=advised)

    def over_shapes(difference: xr.DataArray) -> np.ndarray:
        return difference.mean("shapes", skipna=False).values

    made = [
        claim(
            "melodies + clicks: as many melodies as advised do better than endlessly many",
            "error with endless - as advised, mean over K",
            over_shapes(error.sel(pool=ENDLESS) - chosen), sentence=Sentence.MORE_IS_WORSE,
        ),
        claim(
            "melodies + clicks: no number of melodies does much better than the advised",
            "error as advised - with the best number on the other seeds, mean over K",
            over_shapes(chosen - best_of_others(error)), below=0.02,
        ),
    ]  # fmt: skip
    if (predicted < ENDLESS).any():  # otherwise it is the first claim again
        made.append(
            claim(
                "melodies + clicks: as many melodies as advised do better than as predict puts it",
                "error as predicted - as advised, mean over K",
                over_shapes(error.sel(pool=predicted) - chosen), sentence=Sentence.MORE_IS_WORSE,
            )
        )  # fmt: skip
    for arm, sentences in (
        (FEWER, [Sentence.BALANCING]),
        (WIDER, [Sentence.RICHER_DEGRADATION, Sentence.BALANCING]),
    ):
        gains = {
            pair: error_of(table, pair, EVERYTHING) - error_of(table, pair, arm)
            for pair in pairs_tried(table)
        }
        made += [
            claim(
                f"{pair}: {arm}, as advised, beats training on everything",
                "error with everything - as advised", gain,
            )
            for pair, gain in gains.items()
            if np.any(gain)  # otherwise it was advised to leave this as it is
        ]  # fmt: skip
        made.append(
            claim(
                f"with content and noise it was not made with, {arm} as advised is worth it",
                "error with everything - as advised, mean over pairs",
                np.mean(list(gains.values()), axis=0), sentence=sentences,
            )
        )  # fmt: skip
    return made


ARMS = {EVERYTHING: (plotting.GREY, "s"), FEWER: (plotting.BLUE, "o"), WIDER: (plotting.RED, "D")}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """The error over the grid with the advised number; and what following the advice gains."""
    figure = plotting.new_figure(3.6)
    grid, gains = figure.subplots(1, 2, width_ratios=[1, 1.25])
    _draw_grid(figure, grid, table)
    names = pairs_tried(table)
    advice: Any = table[table["part"] == ADVICE].set_index("degradation")
    beside: Any = {"fontsize": 6, "transform": gains.get_yaxis_transform()}
    gains.text(1.03, -0.55, "advised", **beside | {"fontsize": 6.5})
    for row, name in enumerate(names):
        for shift, (arm, (color, marker)) in enumerate(ARMS.items()):
            found = interval(error_of(table, name, arm))
            plotting.bar(gains, found, row + 0.22 * (shift - 1), color, marker)
        keep, contents, widen = advice.loc[name, ["keep", "contents", "widen"]]
        kept = f"{keep:g}" if keep < contents else "all"
        gains.text(1.03, row, f"keep {kept}\n{widen}", va="center", color=plotting.GREY, **beside)
    plotting.name_rows(gains, [name.replace(" + ", "\n+ ") for name in names])
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
    error, advised, predicted = grid_of(table)
    pools, shapes = error["pool"].values, error["shapes"].values
    mean = error.mean("seed", skipna=False).values
    limits = (float(np.nanmin(mean)), float(np.nanmax(mean)))
    drawn = plotting.heat_map(axes, mean, pools, shapes, plotting.SEQUENTIAL, limits)
    names = [f"{size:g}" for size in pools[:-1]] + ["\u221e"]
    axes.set_xticks(range(len(pools)), names, fontsize=6)
    for chosen, marker, size in (
        (predicted, "s", 11), (advised, "o", 8), (best_pool(error), "*", 6)
    ):  # fmt: skip
        places = np.searchsorted(pools, chosen)
        face = None if marker == "*" else "none"
        axes.plot(
            places, range(len(shapes)), marker, color="white", markersize=size, markerfacecolor=face
        )
    axes.set_xlabel("melodies to train on")
    axes.set_ylabel("click shapes $K$")
    each = interval_each(error)
    axes.set_title(
        "star: best, circle: advised, square: by predict\n"
        f"95%: \u00b1{np.median(each.high - each.low) / 2:.2g} (median), {len(error)} seeds",
        fontsize=6, color=plotting.GREY,
    )  # fmt: skip
    bar = figure.colorbar(drawn, ax=axes, location="bottom", aspect=25)
    bar.set_label("error on new melodies under new clicks (NMSE)", fontsize=6)
    bar.ax.tick_params(labelsize=6)


experiment = Experiment(
    name="sweet_spot",
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
        "kept": Config(seeds=10, batch=16),  # 11 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
