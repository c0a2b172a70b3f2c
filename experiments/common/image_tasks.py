"""What the studies on pictures share: the options, a pool of photographs, what is read off.

A network is trained on crops of photographs, so many of them, under a degradation, and then given
photographs that it never saw, a degradation that it never saw, and both.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from common.signal_tasks import TrainConfig, make_test_sets
from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval, interval_each
from shortcut1d.data import image_degradations, pictures, signals
from shortcut1d.data.images import Photographs, photographs
from shortcut1d.data.pictures import checked_channels
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training.evaluation import UNSEEN_BOTH, EvalConfig, Run, TestSet, windows
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Swept
from shortcut1d.training.tables import array_of, indices

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

    def denoiser(self) -> Network:
        """The network, untrained."""
        return NETWORKS[self.network](self)

    def image_kwargs(self) -> dict[str, Any]:
        """Size and channels, which every family over two axes takes."""
        return {"size": self.size, "channels": self.channels}

    def photographs(self, warn: pictures.Warn) -> Photographs:
        """Those to train on; the unseen twin has those to be tested on."""
        return photographs(self.images, **self.image_kwargs(), warn=warn)

    def eval_config(self) -> EvalConfig:
        """How networks are tested."""
        return EvalConfig(self.samples, pictures=True)


@dataclass(frozen=True)
class CropsConfig(PictureConfig):
    """How many pictures are trained on."""

    pools: tuple[int, ...] = option((4, 32, 256, 2048), "crops of photographs to train on")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("seeds", self.seeds, low=2)  # some to choose on, one to judge
        errors.rising("pools", self.pools, "at least two, in rising order", low=2)
        for size in self.pools:
            errors.integer("pools", size, high=signals.ENDLESS)


# By preset, what the studies of pools set alike; each adds its own.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "seeds": 2, "pools": (1, 4), "size": 16, "width": 2, "steps": 5, "batch": 4, "samples": 4,
    },
    "quick": {"seeds": 4, "width": 12, "steps": 1000, "batch": 8, "samples": 64},
    "full": {
        "seeds": 8, "pools": (4, 16, 64, 512, 4096), "network": "residual", "size": 64,
        "channels": 3, "width": 48, "steps": 10_000, "batch": 16, "samples": 256,
    },
    "kept": {"seeds": 6, "width": 12, "steps": 1000, "batch": 8, "samples": 64},
}  # fmt: skip


def check_ranges(ranges: Sequence[str]) -> None:
    """Refuse ranges of rain that there are not, or that are not in their order."""
    order = list(image_degradations.RANGES)
    errors.distinct("ranges", ranges, order)
    if list(ranges) != sorted(ranges, key=order.index):
        raise errors.refuse("ranges", tuple(ranges), f"in this order: {', '.join(order)}")


def picture_run(
    config: PictureConfig,
    background: tuple[str, Any],
    pool: int,
    degradation: tuple[str, Any],
    unseen: Mapping[str, Any],
    seed: int,
    new: Photographs,
    **labels: str | float,
) -> Run:
    """One network.

    Args:
        config: what it is.
        background: name and family of what it is trained on.
        pool: number of fixed pictures drawn from that.
        degradation: name and family of the degradation it is trained under.
        unseen: degradations that it is tested on, by name.
        seed: of its weights, pictures and data.
        new: photographs that it is tested on.
        labels: further columns of the table.
    """
    kind, family = background
    name, known = f"{kind}({pool})", signals.pool(family, pool, seed)
    tests = make_test_sets((name, known), degradation, {NEW: new}, unseen, both=True)
    cell = Cell(known, degradation[1], config.denoiser(), seed)
    labels = {"kind": kind, "pool": pool, **labels}
    return Run(cell, config.network, name, degradation[0], tests, labels)


def at_the_ends(config: CropsConfig, degradation: str) -> Callable[[Run], bool]:
    """Whether a run's weights are kept to show: first seed, fewest and most photographs."""
    ends = config.pools[0], config.pools[-1]
    return lambda run: (
        run.cell.seed == config.first_seed
        and run.degradation == degradation
        and run.labels.get("kind", PHOTOGRAPHS) == PHOTOGRAPHS
        and run.labels["pool"] in ends
    )


def examples(
    runs: Sequence[Run], swept: Swept, caption: Callable[[Run, TestSet], str | None]
) -> dict[str, np.ndarray]:
    """A sample of each test to show, of the runs whose weights were kept.

    Args:
        runs: those of the sweep.
        swept: what it left.
        caption: of a run and one of its tests; None for what is not shown.

    Returns:
        input, target and output, `(3, *space, channels)`, by caption.
    """
    chosen = {
        title: (params, test)
        for position, params in swept.weights.items()
        for test in runs[position].tests
        if (title := caption(runs[position], test)) is not None
    }
    drawn = windows(runs[0].cell.network, list(chosen.values()))
    return dict(zip(chosen, drawn.astype(np.float32), strict=True))


OF_TESTS = ("psnr", "ssim", "e_r", "e_b", "nmse", "relative_error")  # columns, not of a network


def measure_of(table: pd.DataFrame, column: str, *dims: str) -> xr.DataArray:
    """A measure with an axis for each of some columns.

    column: of `OF_TESTS`, on new photographs under unseen degradations, a mean over these; or one
        of `indices`.
    """
    if column not in OF_TESTS:
        return array_of(indices(table), column, *dims)
    both = table[table["test"] == UNSEEN_BOTH]
    return array_of(both.groupby(list(dims))[column].mean().reset_index(), column, *dims)


def by_pool(table: pd.DataFrame, column: str) -> xr.DataArray:
    """A measure (see `measure_of`) of the networks of each pool.

    Returns:
        `(degradation, seed, pool)`, the degradations in the order in which they were run.
    """
    array = measure_of(table, column, "degradation", "seed", "pool")
    return array.sel(degradation=table["degradation"].unique())


COLORS = (plotting.RED, plotting.BLUE, plotting.ORANGE, plotting.GREEN)


def draw_crops(
    part: Any,
    table: pd.DataFrame,
    rows: Iterable[ArrayLike],
    names: Sequence[str],
    titles: Sequence[str],
) -> tuple[Axes, Axes]:
    """Draw PSNR and index against the number of crops, and a third measure in rows.

    Args:
        part: the subfigure, all of which is used.
        table: of the networks trained on photographs.
        rows: the third measure, `(seeds, rows)` for each degradation that was trained on.
        names: of the rows.
        titles: of the three panels.

    Returns:
        the first panel and the third.
    """
    quality, index, kind = part.subplots(1, 3, width_ratios=[1, 1, 1.1])
    for axes, column in ((quality, "psnr"), (index, "phi")):
        curves = by_pool(table, column)
        places = np.arange(curves.sizes["pool"])
        for each, color in zip(curves, COLORS):
            plotting.curve(
                axes, places, interval_each(each), color, "o-", markersize=3,
                label=str(each["degradation"].values),
            )  # fmt: skip
        axes.set_xticks(places, [str(pool) for pool in curves["pool"].values])
        axes.set_xlabel("crops of photographs to train on")
    for number, (values, color) in enumerate(zip(rows, COLORS)):
        for row, each in enumerate(np.asarray(values).T):
            plotting.bar(kind, interval(each), row + 0.2 * number, color, "o")
    kind.set_yticks(np.arange(len(names)) + 0.1, names, fontsize=6)
    index.axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    kind.axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    for axes, title in zip((quality, index, kind), titles, strict=True):
        axes.set_title(title, fontsize=7, loc="left")
    return quality, kind


def too_many(quality: ArrayLike) -> tuple[int, np.ndarray]:
    """What the largest of several pools costs.

    Args:
        quality: `(seeds, pools)`, the higher the better, pools in rising order.

    Returns:
        the place of the best pool but the largest (the one chosen most often), and for each seed
        how far the largest falls short of the pool that is best on the *other* seeds, so that
        nothing is chosen on what it is judged by.
    """
    values = np.asarray(quality)
    seeds = np.arange(len(values))
    best = []
    for seed in seeds:
        fewer = np.mean(values[seeds != seed, :-1], axis=0)
        best.append(int(np.argmax(np.nan_to_num(fewer, nan=-np.inf))))
    return int(np.bincount(best).argmax()), values[seeds, best] - values[:, -1]
