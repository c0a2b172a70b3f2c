"""What the studies on pictures share: the options, a pool of photographs, what is read off.

A network is trained on crops of photographs, so many of them, under a degradation, and then given
photographs that it never saw, a degradation that it never saw, and both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.signal_tasks import UNSEEN_BOTH, TrainConfig, complexity_in_name, cube, make_test_sets
from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import bootstrap_each
from shortcut1d.data import pictures, signals
from shortcut1d.data.images import Photographs, photographs
from shortcut1d.data.pictures import checked_channels
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import UNSEEN_CONTENT, EvalConfig, Run, TestSet
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Swept

PHOTOGRAPHS, NEW = "photographs", "new photographs"
NETWORKS: dict[str, Callable[["PictureConfig"], Network]] = {
    # Sees 13 pixels. The dilations of the nets on signals lose detail here: 2 dB on what is seen.
    "conv": lambda config: networks.ConvNet(
        config.width, depth=5, kernel=3, dilations=(1, 1, 2, 1, 1), edges="reflect"
    ),
    "residual": lambda config: networks.ResNet(config.width, edges="reflect"),
    "unet": lambda config: networks.UNet(config.width, levels=3, kernel=3, edges="reflect"),
}


@dataclass(frozen=True)
class PictureConfig(TrainConfig):
    """What the pictures are, and what is trained on them."""

    network: str = option("conv", f"which of {', '.join(NETWORKS)}")
    size: int = option(32, "pixels along each side of a picture")
    channels: int = option(1, "1 for grey, 3 for colour")
    images: str | None = option(
        None, "folder of photographs (PNG, JPEG) to use instead of those inside scikit-image"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.choice("network", self.network, NETWORKS)
        errors.integer("size", self.size, low=16, high=1024)
        if self.network == "unet" and self.size % 4:
            raise errors.refuse("size", self.size, "a multiple of 4, which a U-Net can halve twice")
        checked_channels(self.channels)
        if self.images is not None and not pictures.picture_files(self.images):
            raise errors.refuse("images", self.images, "a folder with PNG or JPEG pictures in it")

    def made(self) -> Network:
        """The network, untrained."""
        return NETWORKS[self.network](self)

    def look(self) -> dict[str, Any]:
        """What every family over two axes is told."""
        return {"size": self.size, "channels": self.channels}

    def photographs(self, warn: pictures.Warn) -> Photographs:
        """Those to train on; the twin has those to be tested on."""
        return photographs(self.images, **self.look(), warn=warn)

    def eval_config(self) -> EvalConfig:
        """How networks are tested."""
        values = self.size**2 * self.channels
        return EvalConfig(self.samples, np.eye(values, 1, dtype=np.float32), pictures=True)


@dataclass(frozen=True)
class CropsConfig(PictureConfig):
    """How many pictures are trained on."""

    pools: tuple[int, ...] = option((4, 32, 256, 2048), "crops of photographs to train on")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("seeds", self.seeds, low=2)  # some to choose on, one to judge
        if len(self.pools) < 2 or list(self.pools) != sorted(set(self.pools)):
            raise errors.refuse("pools", self.pools, "at least two, in rising order")
        for size in self.pools:
            errors.integer("pools", size, high=signals.ENDLESS)


def pool_name(kind: str, pool: int) -> str:
    """What the table calls so many pictures of a kind."""
    return f"{kind}({pool})"


def one_run(
    config: PictureConfig,
    background: tuple[str, Any],
    pool: int,
    degradation: tuple[str, Any],
    unseen: Mapping[str, Any],
    seed: int,
    new: Photographs,
) -> Run:
    """One network.

    Args:
        config: what it is.
        background: name and family of what it is trained on,
        pool: of so many fixed pictures,
        degradation: under this; name and family.
        unseen: degradations that it is tested on, by name.
        seed: of its weights, pictures and data.
        new: the photographs that it is tested on.
    """
    kind, family = background
    name, known = pool_name(kind, pool), signals.pool(family, pool, seed)
    tests = make_test_sets((name, known), degradation, {NEW: new}, unseen, both=True)
    cell = Cell(known, degradation[1], config.made(), seed)
    return Run(cell, config.network, name, degradation[0], tests)


def shown(
    runs: Sequence[Run], swept: Swept, unseen: Mapping[str, str] | None = None
) -> dict[str, np.ndarray]:
    """New photographs as networks whose weights were kept were given them: input, target, output.

    Args:
        runs: those of the sweep.
        swept: weights and all.
        unseen: for each degradation that networks were trained on the unseen one to be shown; by
            default whichever there is.

    Returns:
        by what it was trained on (content; degradation) and the degradation of the test, each
        `(3, size, size, channels)`. Of what was seen the first, then of what was not.
    """
    chosen: dict[str, tuple[Any, TestSet]] = {}
    for position, params in swept.weights.items():
        who = runs[position]
        for test in who.tests:
            wanted = (unseen or {}).get(who.degradation, test.degradation_name)
            if test.role == UNSEEN_CONTENT or (
                test.role == UNSEEN_BOTH and test.degradation_name == wanted
            ):
                name = f"{who.content}; {who.degradation}; {test.degradation_name}"
                chosen[name] = params, test
    network = runs[0].cell.network
    drawn = evaluation.windows(network, list(chosen.values()))
    return dict(zip(chosen, drawn.astype(np.float32), strict=True))


def pools_of(table: pd.DataFrame) -> list[int]:
    """Numbers of crops of photographs, in rising order."""
    names = {name for name in table["content"] if name.startswith(PHOTOGRAPHS)}
    return sorted(int(complexity_in_name(name)) for name in names)


def photographs_of(table: pd.DataFrame) -> list[str]:
    """Names of the pools of photographs, in rising order."""
    return [pool_name(PHOTOGRAPHS, pool) for pool in pools_of(table)]


def tasks_of(table: pd.DataFrame) -> list[str]:
    """In the order in which they were run."""
    return list(dict.fromkeys(table["task"]))


TESTED = ("psnr", "ssim", "e_r", "e_b", "nmse", "residual")  # columns: of a test, not of a network


def by_content(
    table: pd.DataFrame, column: str, contents: Sequence[str], degradation: str
) -> np.ndarray:
    """A measure of the networks trained under a degradation, as `(seeds, contents)`.

    column: of `TESTED`, on new photographs under unseen degradations, a mean over these; or one of
    `panel.indices`.
    """
    chosen = table[table["degradation"] == degradation]
    if column in TESTED:
        both = chosen[chosen["test"] == UNSEEN_BOTH]
        index = both.groupby(["seed", "content"])[column].mean().reset_index()
    else:
        index = evaluation.indices(chosen)
    (_, names), values = cube(index, column, "seed", "content")
    return values[:, [names.index(name) for name in contents]]


def pool_curves(quality: Axes, index: Axes, table: pd.DataFrame, colors: Mapping[str, str]) -> None:
    """PSNR (see `by_content`) and index against the number of crops.

    colors: by the degradation that was trained on.
    """
    places, pools = np.arange(len(pools_of(table))), pools_of(table)
    for axes, column in ((quality, "psnr"), (index, "phi")):
        for degradation, color in colors.items():
            values = by_content(table, column, photographs_of(table), degradation)
            plotting.curve(
                axes, places, bootstrap_each(values.T), color, "o-", markersize=3,
                label=degradation,
            )  # fmt: skip
        axes.set_xticks(places, [str(pool) for pool in pools])
        axes.set_xlabel("crops of photographs to train on")
    index.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)


def too_many(quality: np.ndarray) -> tuple[int, np.ndarray]:
    """What the largest of several pools costs.

    Args:
        quality: `(seeds, pools)`, the higher the better, pools in rising order.

    Returns:
        the place of the best pool but the largest, and for each seed how far the largest falls
        short of the pool that is best on the *other* seeds, so that nothing is chosen on what it is
        judged by. The place is the one that is chosen most often.
    """
    seeds = len(quality)
    best = []
    for seed in range(seeds):
        fewer = np.mean(quality[np.arange(seeds) != seed, :-1], axis=0)
        best.append(int(np.argmax(np.nan_to_num(fewer, nan=-np.inf))))
    return int(np.bincount(best).argmax()), quality[np.arange(seeds), best] - quality[:, -1]
