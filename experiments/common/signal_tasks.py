"""What several studies share: the options of training, and two kinds of grid.

In each cell of the map (the phase diagram), a network is trained on content up to one frequency
under clicks of so many shapes. It is tested on unseen melodies and a tune, other clicks, and hiss.
In each cell of the other grid, it is trained on a pool of so many melodies under such clicks. It is
tested on new melodies, other clicks, and both.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

from common import registered
from shortcut1d import analysis, errors, networks
from shortcut1d.analysis.oracles import basis_of
from shortcut1d.data import degradations, signals
from shortcut1d.data.signals import ENDLESS
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import UNSEEN_BOTH, EvalConfig, Run, TestSet
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, Swept, sweep
from shortcut1d.training.tables import array_of, indices

BANKS = 16  # of unseen clicks at a test of the map


@dataclass(frozen=True)
class TrainConfig:
    """How networks are trained and tested; each study adds its own options."""

    seeds: int = option(5, "networks of each kind, each with its own weights, data and clicks")
    width: int = option(16, "channels of the convolutional nets")
    steps: int = option(600, "training steps")
    batch: int = option(32, "fresh samples a step")
    learning_rate: float = option(3e-3, "Adam's, at the start of its cosine decay")
    loss: str = option("mse", "mse or l1")
    samples: int = option(128, "windows a test")

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("seeds", self.seeds, high=10_000)
        networks.ConvNet(width=self.width)
        errors.integer("samples", self.samples, low=2)
        self.schedule()

    def schedule(self, **others: Any) -> Schedule:
        """How every network is trained; `others` are fields of `Schedule` that differ."""
        usual = Schedule(self.steps, self.batch, self.learning_rate, self.loss)
        return dataclasses.replace(usual, **others)


def check_bands(frequencies: Iterable[float]) -> None:
    """Refuse content frequencies that a band cannot have."""
    with errors.reported_as("frequencies"):
        for frequency in frequencies:
            signals.band(frequency)


def check_clicks(shapes: Iterable[int], level: float = 0.0) -> None:
    """Refuse numbers of shapes, and a level in dB, that clicks cannot have."""
    degradations.clicks(level=level)
    with errors.reported_as("shapes"):
        for count in shapes:
            degradations.clicks(count)


NETWORKS: dict[str, Callable[["MapConfig"], Network]] = {
    "conv": lambda config: networks.ConvNet(width=config.width),
    "mlp": lambda config: networks.MLP(width=config.mlp_width),
}


@dataclass(frozen=True)
class MapConfig(TrainConfig):
    """The cells of a map, and how they are trained."""

    networks: tuple[str, ...] = option(("conv", "mlp"), f"which of {', '.join(NETWORKS)}")
    frequencies: tuple[float, ...] = option(
        (1.0, 2.0, 5.0, 12.0, 26.0, 60.0), "band limits of the content, whole cycles per window"
    )
    shapes: tuple[int, ...] = option((1, 3, 9, 28, 84, 256), "click shapes in the bank, K")
    first_seed: int = option(0, "seeds are this one and those that follow; 0 to 99 to explore")
    mlp_width: int = option(256, "hidden units of the MLP")
    level: float = option(0.0, "level of the degradations against the content, dB")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.distinct("networks", self.networks, NETWORKS)
        errors.integer("first_seed", self.first_seed, low=0, high=4095 - self.seeds)
        if self.samples % BANKS:
            raise errors.refuse("samples", self.samples, f"a multiple of {BANKS}, the unseen banks")
        errors.rising("frequencies", self.frequencies)
        errors.rising("shapes", self.shapes)
        with errors.reported_as("mlp_width"):
            networks.MLP(self.mlp_width)
        check_bands(self.frequencies)
        check_clicks(self.shapes, self.level)


# By preset. The phase diagram and the study of complexity share these cells: trained once for both.
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
    "kept": dict(registered.of("phase_diagram").settings),  # 13 minutes on 2 cores
}  # fmt: skip


def map_run(
    network: Network,
    name: str,
    frequency: float,
    shapes: int,
    seed: int,
    level: float = 0.0,
    *,
    common: bool = False,
    **labels: float,
) -> Run:
    """One cell of the map. All cells are tested on the same unseen contents, so they compare.

    Args:
        network: what is trained.
        name: of the network, in the table.
        frequency: band limit of the content, cycles per window.
        shapes: of clicks in the bank.
        seed: of the weights, the data and the clicks.
        level: of the degradations, dB.
        common: all cells of a seed share their random numbers (see `Cell`), and the unseen clicks
            come from 16 banks.
        labels: further columns of the table.
    """
    band, clicks = signals.band(frequency), degradations.clicks(shapes, bank=seed, level=level)
    contents = {"melody": signals.melody(), "tune": signals.tune()}
    other = degradations.unseen_banks(clicks, BANKS) if common else clicks.unseen()
    noises = {"other clicks": other, "hiss": degradations.hiss(level=level)}
    tests = make_test_sets(("band", band), ("clicks", clicks), contents, noises)
    cell = Cell(band, clicks, network, seed, common=common)
    labels = {"frequency": frequency, "shapes": shapes, **labels}
    return Run(cell, name, f"band({frequency:g})", f"clicks({shapes})", tests, labels)


def map_runs(config: MapConfig) -> list[Run]:
    """A network for every cell of the map."""
    return [
        map_run(NETWORKS[name](config), name, frequency, shapes, seed, config.level, common=True)
        for name in config.networks
        for seed in range(config.first_seed, config.first_seed + config.seeds)
        for frequency in config.frequencies
        for shapes in config.shapes
    ]


def train_map(config: MapConfig, session: Session) -> Swept:
    """Train and test a network in every cell, with the errors under each of the 16 banks."""
    # How much of an output lies in the training content, where that is a single frequency.
    lowest = signals.band(config.frequencies[0])
    span = basis_of(lowest.sample(jax.random.key(0), 128))
    eval_config = EvalConfig(config.samples, span, units=BANKS)
    return sweep(map_runs(config), config.schedule(), eval_config, session)


def map_of(table: pd.DataFrame, network: str, column: str) -> xr.DataArray:
    """A measure of one network (see `indices`) as `(seed, frequency, shapes)`."""
    index = indices(table[table["network"] == network])
    return array_of(index, column, "seed", "frequency", "shapes")


@dataclass(frozen=True)
class PoolConfig(TrainConfig):
    """The cells of a grid of pools, and how they are trained."""

    pools: tuple[int, ...] = option(
        (1, 2, 4, 8, 16, 64, 256, 4096), "melodies to train on; endlessly many come on top"
    )
    shapes: tuple[int, ...] = option((1, 8, 64), "click shapes in the bank, K")
    level: float = option(0.0, "level of the degradations against the content, dB")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.rising("pools", self.pools)
        errors.rising("shapes", self.shapes)
        for size in self.pools:
            errors.integer("pools", size, high=ENDLESS - 1)
        check_clicks(self.shapes, self.level)


def pool_run(config: PoolConfig, pool: int, shapes: int, seed: int) -> Run:
    """One network: trained on a pool of melodies, tested on melodies that are not in it."""
    known = signals.pool(signals.melody(), pool, seed)
    clicks = degradations.clicks(shapes, bank=seed, level=config.level)
    new, other = {"melodies": signals.melody()}, {"other clicks": clicks.unseen()}
    tests = make_test_sets(("pool", known), ("clicks", clicks), new, other, both=True)
    cell = Cell(known, clicks, networks.ConvNet(width=config.width), seed)
    labels = {"pool": pool, "shapes": shapes}
    return Run(cell, "conv", f"pool({pool})", f"clicks({shapes})", tests, labels)


def train_pools(config: PoolConfig, session: Session) -> pd.DataFrame:
    """Train and test a network for every number of melodies and of click shapes."""
    runs = [
        pool_run(config, pool, shapes, seed)
        for seed in range(config.seeds)
        for pool in (*config.pools, ENDLESS)
        for shapes in config.shapes
    ]
    return sweep(runs, config.schedule(), EvalConfig(config.samples), session).table


def pool_curves(table: pd.DataFrame, column: str) -> xr.DataArray:
    """A measure of the networks trained on pools as `(seed, shapes, pool)`; endless comes last.

    column: "nmse" on new melodies under new clicks, or another one of `indices`.
    """
    both = table[table["test"] == UNSEEN_BOTH]
    return array_of(both if column == "nmse" else indices(table), column, "seed", "shapes", "pool")


def members_of(inner: Any, count: int) -> np.ndarray:
    """The contents of a pool of seed 0; a smaller pool holds the first of them."""
    pool = signals.pool(inner, count)
    return np.asarray(jax.jit(signals.Pool.members)(pool, np.arange(count)))


def residuals_of(family: Any, count: int) -> np.ndarray:
    """So many draws of what an additive degradation adds."""
    drawn = jax.jit(type(family).sample, static_argnums=2)(family, jax.random.key(1), count)
    return np.asarray(family.apply(np.zeros((count, signals.WINDOW, 1), np.float32), drawn))


def advise(content: Any, degradation: Any, wider: Mapping[str, Any], count: int) -> analysis.Advice:
    """The advice of `analysis.balance` on so many samples; wider: degradations to widen to."""
    added = {name: residuals_of(family, count) for name, family in wider.items()}
    return analysis.balance(members_of(content, count), residuals_of(degradation, count), added)


def seen_run(
    network: Network, name: str, content: tuple[str, Any], degradation: tuple[str, Any], seed: int
) -> Run:
    """A network that is tested only on what it is trained on, each a name and a family."""
    cell = Cell(content[1], degradation[1], network, seed)
    tests = make_test_sets(content, degradation, {}, {})
    return Run(cell, name, content[0], degradation[0], tests)


def make_test_sets(
    known_content: tuple[str, Any],
    known_degradation: tuple[str, Any],
    unseen_contents: Mapping[str, Any],
    unseen_degradations: Mapping[str, Any],
    *,
    both: bool = False,
) -> list[TestSet]:
    """What it was trained on; then each unseen family, with the other one as in training.

    Args:
        known_content: name and family of the content that the network was trained on.
        known_degradation: name and family of the degradation that it was trained on.
        unseen_contents: by name.
        unseen_degradations: by name.
        both: also test every unseen content under every unseen degradation.
    """
    new_contents, new_degradations = unseen_contents.items(), unseen_degradations.items()
    pairs = [(evaluation.SEEN, known_content, known_degradation)]
    pairs += [(evaluation.UNSEEN_CONTENT, new, known_degradation) for new in new_contents]
    pairs += [(evaluation.UNSEEN_DEGRADATION, known_content, new) for new in new_degradations]
    if both:
        pairs += [(UNSEEN_BOTH, c, d) for c in new_contents for d in new_degradations]
    return [TestSet(role, c_name, d_name, c, d) for role, (c_name, c), (d_name, d) in pairs]
