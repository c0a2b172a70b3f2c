"""What the studies on pictures share: the options, the photographs, what is tested and read off.

A network is trained on crops of so many photographs under a degradation, and then given photographs
that it never saw, under every degradation of the study: each at its own strength, and each as
strong as the one that the study is about.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

from common.signal_tasks import WIENER, Named, TrainConfig, make_test_sets, wiener
from shortcut1d import datasets, errors, networks
from shortcut1d.analysis.transfer import measures_of
from shortcut1d.data import gaussian, image_degradations, images, pictures
from shortcut1d.data.crops import MAX_SIDE
from shortcut1d.data.family import draw, draw_pair, identity
from shortcut1d.data.image_degradations import RainLayers
from shortcut1d.data.images import Photographs
from shortcut1d.data.pictures import Warn, checked_channels
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import EvalConfig, Run, TestSet
from shortcut1d.training.grid import Cell
from shortcut1d.training.tables import array_of, names_of

PHOTOGRAPHS, NEW = "photographs", "new photographs"
PANEL = "panel"  # role of a test: new photographs under one of the study's degradations
OWN, MATCHED = "own", "matched"  # strengths of a degradation; matched: as strong as the known one
REAL, REAL_NEW, REAL_RAIN = "bsd400", "bsd68", "rain100h"  # data sets of the kept figures
DRAWS = 512  # that strengths and spectra are taken from
NETWORKS: dict[str, Callable[["PictureConfig"], Network]] = {
    # Sees 17 pixels. The dilations of the nets on signals lose detail here: 2 dB on what is seen.
    "conv": lambda config: networks.ConvNet(
        config.width, depth=6, kernel=3, dilations=(1, 1, 2, 2, 1, 1), edges="reflect"
    ),
    "residual": lambda config: networks.ResNet(config.width, edges="reflect"),
    "unet": lambda config: networks.UNet(config.width, levels=3, kernel=3, edges="reflect"),
}


@dataclass(frozen=True)
class PictureConfig(TrainConfig):
    """What the pictures are, and what is trained on them."""

    network: str = option("conv", f"which of {', '.join(NETWORKS)}")
    size: int = option(64, "pixels along each side of a picture")
    channels: int = option(1, "1 for grey, 3 for colour")
    images: str | None = option(
        None,
        f"photographs: a data set, or a folder of PNG and JPEG files (default: {REAL} where it is, "
        "or else those inside scikit-image)",
    )
    pairs: str | None = option(
        None,
        "rain: a data set of pairs, or a folder with the folders clean and rainy in it "
        f"(default: {REAL_RAIN} where it is, or else none)",
    )
    width: int = option(24, "channels of the convolutional nets")
    steps: int = option(1500, "training steps")
    batch: int = option(8, "fresh pictures a step")
    loss: str = option("l1", "mse or l1")
    samples: int = option(64, "pictures a test")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.choice("network", self.network, NETWORKS)
        errors.integer("size", self.size, low=16, high=MAX_SIDE)
        if self.network == "unet" and self.size % 4:
            raise errors.refuse("size", self.size, "a multiple of 4, which a U-Net can halve twice")
        checked_channels(self.channels)
        for field, inside in (("images", ("",)), ("pairs", ("clean", "rainy"))):
            given = getattr(self, field)
            if given is None or given in datasets.DATASETS:
                continue
            for part in inside:
                if not pictures.picture_files(Path(given) / part):
                    raise errors.refuse(field, given, "a folder with PNG or JPEG pictures")

    def denoiser(self) -> Network:
        """The network, untrained."""
        return NETWORKS[self.network](self)

    def image_kwargs(self) -> dict[str, Any]:
        """Size and channels, which every family over two axes takes."""
        return {"size": self.size, "channels": self.channels}

    def photographs(self, warn: Warn) -> Photographs:
        """Those to train on; the unseen twin has those to be tested on."""
        chosen = self.images or (REAL if datasets.is_here(REAL) else None)
        kwargs = self.image_kwargs() | {"warn": warn}
        if chosen is None:
            found = images.photographs(**kwargs)
            which = "the ten inside scikit-image (the kept figures' own: "
            which += f"shortcut1d data get {REAL} {REAL_NEW} {REAL_RAIN})"
        elif chosen == REAL:
            found = images.photographs(
                datasets.folder_of(REAL), new=datasets.folder_of(REAL_NEW), **kwargs
            )
            which = f"{REAL}, and {REAL_NEW} as new ones"
        else:
            found = images.photographs(_folder(chosen), **kwargs)
            which = f"{chosen}, a third of them as new ones"
        warn(f"photographs: {which}")
        return found

    def rain_layers(self, warn: Warn) -> RainLayers | None:
        """Rain from pairs of pictures, if there are any."""
        chosen = self.pairs or (REAL_RAIN if datasets.is_here(REAL_RAIN) else None)
        if chosen is None:
            return None
        folder = _folder(chosen)
        return image_degradations.rain_layers(
            folder / "clean", folder / "rainy", **self.image_kwargs(), warn=warn
        )

    def eval_config(self) -> EvalConfig:
        """How networks are tested."""
        return EvalConfig(self.samples, pictures=True)


def _folder(chosen: str) -> Path:
    """The folder of a data set of that name, or else the folder itself."""
    return datasets.folder_of(chosen) if chosen in datasets.DATASETS else Path(chosen)


@dataclass(frozen=True)
class PoolsConfig(PictureConfig):
    """How many photographs are trained on."""

    pools: tuple[int, ...] = option(
        (2, 8, 32, 128, 400), "photographs to train on; where there are fewer, all of them"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("seeds", self.seeds, low=2)
        errors.rising("pools", self.pools, "at least two, in rising order", low=2)
        for count in self.pools:
            errors.integer("pools", count, high=2**20)

    def pools_of(self, photographs: Photographs) -> list[int]:
        """The numbers of photographs to train on, none larger than there are photographs.

        Raises:
            InvalidInput: fewer than two different ones.
        """
        there = len(photographs.seen.order)
        found = sorted({min(count, there) for count in self.pools})
        if len(found) < 2:
            raise errors.refuse(
                "images", f"{there} photographs to train on", f"more than {self.pools[0]}"
            )
        return found


SMOKE: dict[str, Any] = {
    "seeds": 2, "pools": (2, 4), "size": 16, "width": 2, "steps": 5, "batch": 4, "samples": 4,
}  # fmt: skip
FULL: dict[str, Any] = {
    "seeds": 16, "first_seed": 3500, "network": "residual", "size": 128, "width": 48,
    "steps": 10_000, "batch": 16, "samples": 128,
}  # fmt: skip


def strength(content: Any, degradation: Any) -> float:
    """Mean squared change of pictures with values in [0, 1]; the input's PSNR is -10 lg of it."""
    clean, degraded = draw_pair(jax.random.key(0), content, degradation, DRAWS)
    return float(np.mean((np.asarray(degraded) - np.asarray(clean)) ** 2))


def as_strong(degradation: Any, content: Any, target: float) -> Any:
    """A degradation made weaker or stronger until its `strength` is about `target`.

    Rain by its weight, layers of rain by their gain, noise by sigma, blur by its kernel's width.
    """
    field = next(f for f in ("weight", "gain", "sigma", "width") if hasattr(degradation, f))
    for _ in range(20):
        ratio = target / strength(content, degradation)
        if abs(ratio - 1) < 0.01:
            break
        changed = (getattr(degradation, field) * ratio**0.5).astype(np.float32)
        degradation = dataclasses.replace(degradation, **{field: changed})
    return degradation


def panel_of(
    degradations: Mapping[str, Any], content: Any, reference: str
) -> list[tuple[str, str, Any]]:
    """Name, strength and family of what networks are tested under.

    Args:
        degradations: by name.
        content: that their strength is measured on.
        reference: name of the one that the others are made as strong as.
    """
    target = strength(content, degradations[reference])
    panel = [(name, OWN, family) for name, family in degradations.items()]
    return panel + [
        (name, MATCHED, as_strong(family, content, target))
        for name, family in degradations.items()
        if name != reference
    ]


def twin_of(family: Any, twins: dict[str, Any]) -> Any:
    """The Gaussian twin of a family; those that were made before are found in `twins`."""
    name = identity(family)
    if name not in twins:
        twins[name] = gaussian.twin_of(draw(family, jax.random.key(0), DRAWS))
    return twins[name]


def picture_run(
    config: PictureConfig,
    photographs: Photographs,
    degradation: Named,
    panel: Sequence[tuple[str, str, Any]],
    seed: int,
    *,
    pool: int | None = None,
    twins: tuple[Any, Any] | None = None,
    **labels: str | float,
) -> Run:
    """One network. All those of a seed share weights, batches and tests where they can.

    Args:
        config: what it is.
        photographs: that it is trained on; it is tested on those held out.
        degradation: name and family of what it is trained under.
        panel: see `panel_of`; on seen photographs it is tested under those of matched strength.
        seed: of its weights, pictures and data.
        pool: only so many of the photographs are trained on; None for all.
        twins: see `make_test_sets`.
        labels: further columns of the table.
    """
    count = len(photographs.seen.order) if pool is None else pool
    known = photographs.first(count, seed)
    new = photographs.unseen()
    unseen = {name: family for name, how, family in panel if how == MATCHED}
    tests = make_test_sets(("pool", known), degradation, {NEW: new}, unseen, twins=twins)
    tests = [test._replace(labels={"strength": OWN}) for test in tests]
    tests += [
        TestSet(PANEL, NEW, name, new, family, {"strength": how}) for name, how, family in panel
    ]
    cell = Cell(known, degradation[1], config.denoiser(), seed)
    return Run(cell, config.network, PHOTOGRAPHS, degradation[0], tests, {"pool": count, **labels})


def linear_rows(runs: Iterable[Run], config: PictureConfig) -> pd.DataFrame:
    """The best shift-invariant linear filter of each run's task, on the run's own tests."""
    rows = []
    for run in runs:
        denoiser = wiener(run, jax.random.key(0), DRAWS)
        batch = evaluation.draw([run], config.eval_config())
        for test, clean, degraded in zip(run.tests, batch.clean[0], batch.degraded[0]):
            found = measures_of(denoiser(degraded), clean, degraded, pictures=True)
            means = {name: float(np.nanmean(values)) for name, values in found.items()}
            rows.append(names_of(run._replace(network=WIENER), test) | means)
    return pd.DataFrame(rows)


def psnr_of(table: pd.DataFrame, *dims: str, how: str = OWN) -> xr.DataArray:
    """PSNR on new photographs under each degradation of the panel, `(*dims, tested)`.

    how: `OWN` or `MATCHED`; the one that others are matched to has its own strength in both.
    """
    rows = table[table["test"] == PANEL]
    if how == MATCHED:
        matched = set(rows.loc[rows["strength"] == MATCHED, "test_degradation"])
        rows = rows[(rows["strength"] == MATCHED) | ~rows["test_degradation"].isin(matched)]
    else:
        rows = rows[rows["strength"] == OWN]
    renamed = rows.rename(columns={"test_degradation": "tested"})
    return array_of(renamed, "psnr", *dims, "tested")


def others_of(table: pd.DataFrame, known: str) -> list[str]:
    """The degradations of the panel that a network trained under `known` has never seen."""
    tested = table.loc[table["test"] == PANEL, "test_degradation"].unique()
    return [name for name in tested if name != known]


def networks_of(table: pd.DataFrame, degradation: str) -> pd.DataFrame:
    """Rows of the networks that were trained under a degradation, on photographs as they are."""
    rows = table[(table["degradation"] == degradation) & (table["network"] != WIENER)]
    return rows[rows["blur"] == 0] if "blur" in rows else rows


def behind(table: pd.DataFrame, known: str, others: Iterable[str], how: str = OWN) -> xr.DataArray:
    """How far behind the specialist of each other degradation, on as many photographs, in dB.

    Args:
        table: of the networks.
        known: what the networks were trained under that are compared with the specialists.
        others: what specialists were trained under.
        how: strength of the others at the test.

    Returns:
        `(seed, tested)`.
    """
    most = table["pool"].max()
    own = psnr_of(networks_of(table, known), "seed", "pool", how=how).sel(pool=most)
    gaps = []
    for name in others:
        rows = networks_of(table, name)
        special = psnr_of(rows[rows["pool"] == most], "seed", how=how).sel(tested=name)
        gaps.append(special - own.sel(tested=name))
    return xr.concat(gaps, "tested").transpose("seed", "tested")


def kept_weights(run: Run, ends: tuple[int, int], first_seed: int, degradation: str) -> bool:
    """Whether a run's weights are kept to show: first seed, fewest and most photographs."""
    return (
        run.cell.seed == first_seed
        and run.degradation == degradation
        and run.labels["pool"] in ends
        and not run.labels.get("blur", 0)
    )
