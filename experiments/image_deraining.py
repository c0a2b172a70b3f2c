"""Deraining: how many backgrounds, of which kind, should a derainer be trained on?

Conv nets are trained on crops of photographs, from a handful to thousands, or on drawn backgrounds
of one kind, under rain of a small or a large range, and then given photographs that they never saw
under rain that falls at another angle. It is "more data is not better" and the phase diagram again,
on pictures, with the same training and the same measures.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shortcut1d import content, errors, images, networks, panel, pictures, plotting, rain
from shortcut1d.analysis import bootstrap, bootstrap_each, complexity
from shortcut1d.claims import Claim, claim_mean, rank_correlation
from shortcut1d.grid import Cell
from shortcut1d.options import option
from shortcut1d.panel import UNSEEN_CONTENT, Exam, Subject, Trial
from shortcut1d.study import Experiment, Outcome, complain, main
from shortcut1d.sweep import Session, sweep
from shortcut1d.testbed import (
    UNSEEN_BOTH,
    TrainConfig,
    complexity_in_name,
    cube,
    trials,
)

PHOTOGRAPHS = "photographs"
DRAWN = ("smooth", "text", "leaves", "field")
MEASURED = "complexity"  # column: of the kind of background
# Rain at an angle, and of a length, that no range has.
OTHER_RAIN: dict[str, Any] = {"range": "medium", "angle": (65, 80), "length": (60, 80)}


@dataclass(frozen=True)
class Config(TrainConfig):
    """Which backgrounds and rain, and how large the pictures are."""

    pools: tuple[int, ...] = option((4, 32, 256, 2048), "crops of photographs to train on")
    ranges: tuple[str, ...] = option(("small", "large"), f"of rain, of {', '.join(rain.RANGES)}")
    kinds: tuple[str, ...] = option(DRAWN, f"drawn backgrounds, of {', '.join(DRAWN)}")
    size: int = option(32, "pixels along each side of a picture")
    channels: int = option(1, "1 for grey, 3 for colour")
    images: str | None = option(
        None, "folder of photographs (PNG, JPEG) to use instead of those inside scikit-image"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.whole("seeds", self.seeds, low=2)  # a half to choose on, a half to judge
        if len(self.pools) < 2 or list(self.pools) != sorted(set(self.pools)):
            raise errors.refuse("pools", self.pools, "at least two, in rising order")
        for size in self.pools:
            errors.whole("pools", size, high=content.ENDLESS)
        for field, known in (("ranges", rain.RANGES), ("kinds", DRAWN)):
            values = getattr(self, field)
            for name in values:
                errors.choice(field, name, known)
            if not values or len(set(values)) < len(values):
                raise errors.refuse(field, values, "at least one, each named once")
        order = list(rain.RANGES)
        if list(self.ranges) != sorted(self.ranges, key=order.index):
            raise errors.refuse("ranges", self.ranges, f"in this order: {', '.join(order)}")
        errors.whole("size", self.size, low=16, high=1024)
        images.checked_channels(self.channels)
        if self.images is not None and not pictures.picture_files(self.images):
            raise errors.refuse("images", self.images, "a folder with PNG or JPEG pictures in it")

    def network(self) -> networks.ConvNet:
        """Sees 29 pixels each way."""
        return networks.ConvNet(self.width, depth=6, kernel=3, edges="reflect")


def run(config: Config, session: Session) -> Outcome:
    """Train a network on every pool of photographs and every kind of background, in every rain."""
    photographs = images.photographs(config.images, config.size, config.channels, complain=complain)
    look = {"size": config.size, "channels": config.channels}
    most = config.pools[-1]
    trained_on = {f"{PHOTOGRAPHS}({pool})": (photographs, pool) for pool in config.pools}
    trained_on |= {f"{kind}({most})": (images.make(kind, **look), most) for kind in config.kinds}
    subjects = [
        subject(config, name, inner, pool, limits, seed, photographs.unseen())
        for limits in config.ranges
        for name, (inner, pool) in trained_on.items()
        for seed in range(config.seeds)
    ]
    few, many = (f"{PHOTOGRAPHS}({pool})" for pool in (config.pools[0], most))

    def shown(who: Subject) -> bool:
        return (
            who.cell.seed == 0
            and who.content in (few, many)
            and who.degradation == named(config.ranges[0])
        )

    values = config.size**2 * config.channels
    exam = Exam(config.samples, np.eye(values, 1, dtype=np.float32), pictures=True)
    swept = sweep(subjects, config.schedule(), exam, session, keep=shown)
    measured = {name: measured_complexity(inner) for name, (inner, _) in trained_on.items()}
    table = swept.table.assign(**{MEASURED: swept.table["content"].map(measured)})
    return Outcome(table, windows_shown(config, subjects, swept.weights))


def subject(
    config: Config, name: str, inner: Any, pool: int, limits: str, seed: int, new: Any
) -> Subject:
    """One network. new: the photographs that all of them are tested on."""
    look = {"size": config.size, "channels": config.channels}
    known, falling = content.pool(inner, pool, seed), rain.rain(limits, **look)
    tests = trials(
        (name, known), (named(limits), falling), {"new photographs": new},
        {"other rain": rain.rain(**OTHER_RAIN, **look)}, both=True,
    )  # fmt: skip
    return Subject(Cell(known, falling, config.network(), seed), "conv", name, named(limits), tests)


def named(limits: str) -> str:
    """A range of rain, as the table calls it."""
    return f"{limits} rain"


def measured_complexity(family: Any) -> float:
    """Of a kind of background, before any training: its intrinsic dimension."""
    draw = jax.jit(type(family).sample, static_argnums=2)
    return complexity.intrinsic_dimension(np.asarray(draw(family, jax.random.key(0), 1024)) - 0.5)


def windows_shown(
    config: Config, subjects: list[Subject], weights: dict[int, Any]
) -> dict[str, np.ndarray]:
    """Input, target and output, by the test and the number of backgrounds."""
    shown: dict[str, tuple[Any, Trial]] = {}
    for position, params in weights.items():
        for test in subjects[position].tests:
            if test.role in (UNSEEN_CONTENT, UNSEEN_BOTH):
                shown[f"{test.role}, {subjects[position].content}"] = (params, test)
    drawn = panel.windows(config.network(), list(shown.values()))
    return dict(zip(shown, drawn.astype(np.float32), strict=True))


def pool_axis(table: pd.DataFrame) -> list[int]:
    """Numbers of crops, in rising order."""
    names = {name for name in table["content"] if name.startswith(PHOTOGRAPHS)}
    return sorted(int(complexity_in_name(name)) for name in names)


def values_of(
    table: pd.DataFrame, column: str, contents: list[str], degradation: str
) -> np.ndarray:
    """A measure as `(seeds, contents)`: PSNR on new photographs in other rain, or an index's."""
    chosen = table[table["degradation"] == degradation]
    if column in ("psnr", "ssim", "e_r", "e_b"):
        index = chosen[chosen["test"] == UNSEEN_BOTH]
    else:
        index = panel.indices(chosen)
    (_, names), values = cube(index, column, "seed", "content")
    return values[:, [names.index(name) for name in contents]]


def photographs_of(table: pd.DataFrame) -> list[str]:
    """Names of the pools, in rising order."""
    return [f"{PHOTOGRAPHS}({pool})" for pool in pool_axis(table)]


def kinds_of(table: pd.DataFrame) -> dict[str, float]:
    """The kinds of background at the largest pool, and their complexity, in rising order of it."""
    most = f"({pool_axis(table)[-1]})"
    chosen = table[table["content"].str.endswith(most)].drop_duplicates("content")
    return dict(chosen.set_index("content")[MEASURED].sort_values())


def lost(table: pd.DataFrame, degradation: str) -> tuple[int, np.ndarray]:
    """The best number of crops but the largest, on one half of the seeds; and on the other half,
    how many dB of PSNR the largest falls short of it.
    """
    psnr = values_of(table, "psnr", photographs_of(table), degradation)
    half = len(psnr) // 2
    fewer = np.mean(psnr[:half, :-1], axis=0)
    best = int(np.argmax(np.nan_to_num(fewer, nan=-np.inf)))
    return pool_axis(table)[best], psnr[half:, best] - psnr[half:, -1]


def claims(table: pd.DataFrame) -> list[Claim]:
    """That more backgrounds are not better in simple rain; and that their kind matters as in 1D."""
    ranges = list(dict.fromkeys(table["degradation"]))
    best, loss = lost(table, ranges[0])
    made = [
        claim_mean(
            f"in {ranges[0]}, {pool_axis(table)[-1]} crops do worse than {best} (chosen on other "
            "seeds) on new photographs in other rain",
            "PSNR with so many - with the most, dB", loss, "above", 0.0,
        )
    ]  # fmt: skip
    if len(ranges) > 1:
        made.append(
            claim_mean(
                f"in {ranges[-1]} too many crops cost less than in {ranges[0]}",
                "loss of PSNR in the first - in the second, dB",
                loss - lost(table, ranges[-1])[1], "above", 0.0,
            )
        )  # fmt: skip
        psnr = [values_of(table, "psnr", photographs_of(table), name) for name in ranges]
        made.append(
            claim_mean(
                f"{ranges[-1]} to train on is better than {ranges[0]} for new photographs in other "
                "rain",
                "PSNR in the one - in the other, mean over numbers of crops, dB",
                np.mean(psnr[-1] - psnr[0], axis=1), "above", 0.0,
            )
        )  # fmt: skip
    # Photographs are what all are tested on; trained on them, a network keeps them for that.
    kinds = {n: v for n, v in kinds_of(table).items() if not n.startswith(PHOTOGRAPHS)}
    for degradation in ranges if len(kinds) > 2 else []:
        phi = values_of(table, "phi", list(kinds), degradation)
        ranks = rank_correlation(list(kinds.values()), phi)
        made.append(
            claim_mean(
                f"in {degradation}, drawn backgrounds are fitted in the order of their complexity, "
                "the simplest most",
                "rank correlation of phi and intrinsic dimension", ranks, "below", -0.9,
            )
        )  # fmt: skip
    return made


COLORS = (plotting.RED, plotting.BLUE, plotting.ORANGE, plotting.GREEN)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """PSNR and index against the number of crops, index by kind, and pictures to look at."""
    ranges, pools = list(dict.fromkeys(table["degradation"])), pool_axis(table)
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.3), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=[1, 1.15])
        quality, index, kind = above.subplots(1, 3, width_ratios=[1, 1, 1.1])
        for number, degradation in enumerate(ranges):
            color = COLORS[number % len(COLORS)]
            for axes, column in ((quality, "psnr"), (index, "phi")):
                values = values_of(table, column, photographs_of(table), degradation)
                plotting.curve(
                    axes, np.arange(len(pools)), bootstrap_each(values.T), color, "o-",
                    markersize=3, label=degradation,
                )  # fmt: skip
            kinds = kinds_of(table)
            phi = values_of(table, "phi", list(kinds), degradation)
            for row in range(len(kinds)):
                plotting.bar(kind, bootstrap(phi[:, row]), row + 0.2 * number, color, "o")
        for axes in (quality, index):
            axes.set_xticks(range(len(pools)), [str(pool) for pool in pools])
            axes.set_xlabel("crops of photographs to train on")
        quality.set_title("PSNR on new photographs\nin other rain (dB)", fontsize=7, loc="left")
        index.set_title("index $\\varphi$\n(below 0: fits the rain)", fontsize=7, loc="left")
        kind.set_title(
            f"index by kind of background\n({pools[-1]} of each)", fontsize=7, loc="left"
        )
        names = [f"{name.split('(')[0]} ({value:.1f})" for name, value in kinds_of(table).items()]
        kind.set_yticks(np.arange(len(names)) + 0.1, names, fontsize=6)
        kind.set_xlabel("$\\varphi$; intrinsic dimension in brackets")
        index.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        kind.axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        quality.legend()
        _show(below, arrays)
        return figure


SHOWN = ("input", "target", "output", "what is left")


def _show(figure: Any, arrays: dict[str, np.ndarray]) -> None:
    """A row a network and test: what it was given, the target, its output, and the difference."""
    names = sorted(arrays, key=lambda name: (UNSEEN_BOTH not in name, complexity_in_name(name)))
    panels = figure.subplots(2, 2 * len(SHOWN))
    for number, name in enumerate(names):
        role, _, trained_on = name.partition(", ")
        row = panels[number // 2, len(SHOWN) * (number % 2) :]
        given, target, output = arrays[name]
        left = 0.5 + (output - target)
        for axes, picture, word in zip(row, (given, target, output, left), SHOWN, strict=False):
            axes.imshow(
                np.clip(picture if picture.shape[-1] == 3 else picture[..., 0], 0, 1),
                cmap="gray", vmin=0, vmax=1, interpolation="nearest",
            )  # fmt: skip
            axes.set_axis_off()
            axes.text(0.5, -0.04, word, ha="center", va="top", fontsize=6, transform=axes.transAxes)
        rain_is = "other rain" if role == UNSEEN_BOTH else "the rain it knows"
        words = f"trained on {trained_on.split('(')[1][:-1]} crops: a new photograph in {rain_is}"
        line = row[0].text(0, 1.06, words, fontsize=6.5, transform=row[0].transAxes)
        line.set_in_layout(False)  # it is as wide as four pictures


experiment = Experiment(
    name="image_deraining",
    summary=__doc__,
    presets={
        "smoke": Config(
            seeds=2, pools=(1, 4), kinds=("smooth", "leaves"), size=16, width=2, steps=5, batch=4,
            samples=4,
        ),
        "quick": Config(seeds=4, width=12, steps=500, batch=8, samples=64),
        "full": Config(
            seeds=8, pools=(4, 16, 64, 512, 4096), ranges=("small", "medium", "large", "random"),
            size=64, channels=3, width=48, steps=10_000, batch=16, samples=256,
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
