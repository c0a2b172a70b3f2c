"""What several studies share: the options of training, and the cells of the phase diagram.

In every cell of the diagram a network is trained on content up to one frequency under clicks of so
many shapes, and then given what it has not seen: melodies and a tune, other clicks, and hiss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd

from shortcut1d import content, degradation, errors, networks, panel
from shortcut1d.analysis.oracles import basis_of
from shortcut1d.grid import Cell
from shortcut1d.networks import Network
from shortcut1d.options import option
from shortcut1d.panel import SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION, Exam, Subject, Trial
from shortcut1d.sweep import Session, sweep
from shortcut1d.training import Schedule


@dataclass(frozen=True)
class TrainConfig:
    """How networks are trained and tested; experiments add what is theirs."""

    seeds: int = option(5, "networks of each kind, each with its own weights, data and clicks")
    width: int = option(16, "channels of the convolutional nets")
    steps: int = option(600, "training steps")
    batch: int = option(32, "fresh samples a step")
    learning_rate: float = option(3e-3, "Adam's, at the start of its cosine decay")
    loss: str = option("mse", "mse or l1")
    samples: int = option(128, "windows a test")

    def __post_init__(self) -> None:
        errors.whole("seeds", self.seeds, high=10_000)
        networks.ConvNet(width=self.width)
        errors.whole("samples", self.samples, low=2)
        self.schedule()

    def schedule(self, segments: int = 1) -> Schedule:
        """How every network is trained."""
        return Schedule(self.steps, self.batch, self.learning_rate, self.loss, segments)


NETWORKS: dict[str, Callable[["MapConfig"], Network]] = {
    "conv": lambda config: networks.ConvNet(width=config.width),
    "mlp": lambda config: networks.MLP(width=config.mlp_width),
}


@dataclass(frozen=True)
class MapConfig(TrainConfig):
    """Which cells a map has, and how they are trained."""

    networks: tuple[str, ...] = option(("conv", "mlp"), f"which of {', '.join(NETWORKS)}")
    frequencies: tuple[float, ...] = option(
        (1.0, 2.0, 5.0, 12.0, 26.0, 60.0), "band limits of the content, whole cycles per window"
    )
    shapes: tuple[int, ...] = option((1, 3, 9, 28, 84, 256), "click shapes in the bank, K")
    mlp_width: int = option(256, "hidden units of the MLP")
    level: float = option(0.0, "level of the degradations against the content, dB")

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("networks", "frequencies", "shapes"):
            values = getattr(self, field)
            if not values or len(set(values)) < len(values):
                raise errors.refuse(field, values, "at least one, each named once")
        for field in ("frequencies", "shapes"):
            if list(getattr(self, field)) != sorted(getattr(self, field)):
                raise errors.refuse(field, getattr(self, field), "values in rising order")
        for name in self.networks:
            errors.choice("networks", name, NETWORKS)
            NETWORKS[name](self)
        for frequency in self.frequencies:
            content.band(frequency)
        for count in self.shapes:
            degradation.clicks(count, level=self.level)


# By preset; shared, since experiments on the map share its cells only where they are the same.
MAPS: dict[str, dict[str, Any]] = {
    "smoke": {
        "seeds": 2, "frequencies": (1.0, 8.0, 60.0), "shapes": (1, 16, 256), "width": 2,
        "mlp_width": 8, "steps": 10, "batch": 8, "samples": 16,
    },
    "quick": {"seeds": 2, "steps": 250},
    "full": {
        "seeds": 8, "frequencies": (1.0, 2.0, 3.0, 6.0, 10.0, 19.0, 33.0, 60.0),
        "shapes": (1, 2, 4, 8, 16, 32, 64, 128, 256), "width": 32, "steps": 3000, "batch": 64,
        "samples": 512,
    },
}  # fmt: skip


def subject(config: MapConfig, network: str, frequency: float, shapes: int, seed: int) -> Subject:
    """One cell. Every cell meets the same unseen content: one yardstick for the whole map."""
    band = content.band(frequency)
    clicks = degradation.clicks(shapes, bank=seed, level=config.level)
    hiss = degradation.hiss(level=config.level)
    tests = [
        Trial(SEEN, "band", "clicks", band, clicks),
        Trial(UNSEEN_CONTENT, "melody", "clicks", content.melody(), clicks),
        Trial(UNSEEN_CONTENT, "tune", "clicks", content.tune(), clicks),
        Trial(UNSEEN_DEGRADATION, "band", "other clicks", band, clicks.unseen()),
        Trial(UNSEEN_DEGRADATION, "band", "hiss", band, hiss),
    ]
    cell = Cell(band, clicks, NETWORKS[network](config), seed)
    return Subject(cell, network, f"band({frequency:g})", f"clicks({shapes})", tests)


def train_map(config: MapConfig, session: Session) -> pd.DataFrame:
    """Train and test a network in every cell; the table of `panel.tabulate`."""
    subjects = [
        subject(config, name, frequency, shapes, seed)
        for name in config.networks
        for seed in range(config.seeds)
        for frequency in config.frequencies
        for shapes in config.shapes
    ]
    # How much of an output lies in the training content, where that is a single frequency.
    lowest = content.band(config.frequencies[0])
    span = basis_of(lowest.sample(jax.random.key(0), 128))
    return sweep(subjects, config.schedule(), Exam(config.samples, span), session).table


def maps(table: pd.DataFrame, network: str, column: str) -> np.ndarray:
    """A measure of one network as `(seeds, frequencies, shapes)`, both in rising order."""
    index = panel.indices(table[table["network"] == network])
    frequency = index["content"].map(complexity_in_name)
    shapes = index["degradation"].map(complexity_in_name)
    cube = index.assign(frequency=frequency, shapes=shapes).set_index(
        ["seed", "frequency", "shapes"]
    )[column]
    axes = [sorted(cube.index.unique(level)) for level in cube.index.names]
    return cube.reindex(pd.MultiIndex.from_product(axes)).to_numpy().reshape(*map(len, axes))


def axes_of(table: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Content frequencies and numbers of click shapes, in rising order."""
    columns = (table["content"], table["degradation"])
    frequencies, shapes = (sorted(column.map(complexity_in_name).unique()) for column in columns)
    return frequencies, shapes


def complexity_in_name(name: str) -> float:
    """The number in a family's name, such as 8 in `band(8)`."""
    return float(name.partition("(")[2].rstrip(")"))
