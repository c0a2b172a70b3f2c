"""The map of M notes at once, all of one spectrum, under clicks of K shapes.

Content is M notes at once, of random pitches up to 40, or the Gaussian process with the same
spectrum, which is the same for every M. Noise is clicks of K shapes, or the Gaussian process with
the spectrum of clicks of one shape. Each network is tested on its own task; with one component
replaced by its Gaussian twin, or, where it was Gaussian, by lone notes or clicks of one shape; and
on melodies, a tune, and clicks of other banks, which are the same for all of them.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

from common import registered
from common.signal_tasks import (
    BANKS,
    TrainConfig,
    check_banks,
    check_clicks,
    clicks_twin,
    make_test_sets,
)
from shortcut1d import errors, networks
from shortcut1d.data import degradations, signals
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, structures

GAUSSIAN = 0  # in the columns `notes` and `shapes`: the Gaussian twin
HIGHEST = 40  # pitch, cycles per window
CONV = "conv"
OTHER_SHAPES = 16  # in each of the unseen banks


@dataclass(frozen=True)
class ChordConfig(TrainConfig):
    """The cells of the map, and how they are trained."""

    notes: tuple[int, ...] = option((1, 2, 4, 8, 32), "notes at once, M; their twin comes on top")
    shapes: tuple[int, ...] = option((1, 4, 16, 256), "click shapes, K; their twin comes on top")

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("notes", "shapes"):
            counts = getattr(self, field)
            errors.rising(field, counts)
            if counts[0] != 1:
                raise errors.refuse(field, counts, "1 and more: the simplest belongs to the test")
        with errors.reported_as("notes"):
            for count in self.notes:
                signals.chords(count, HIGHEST)
        check_clicks(self.shapes)
        check_banks(self.samples)


# By preset. The twins and the sweet spot share these cells: they are trained once for both.
CHORD_MAPS = {
    "smoke": ChordConfig(
        seeds=2, notes=(1, 2, 32), shapes=(1, 256), width=2, steps=10, batch=8, samples=16
    ),
    "quick": ChordConfig(seeds=3, steps=250, notes=(1, 2, 32), shapes=(1, 16, 256)),
    "full": ChordConfig(
        seeds=32, first_seed=3000, width=32, steps=3000, batch=64, samples=512,
        notes=(1, 2, 3, 4, 8, 16, 32), shapes=(1, 2, 4, 16, 64, 256),
    ),
    "kept": ChordConfig(**registered.of("twins").settings),
}  # fmt: skip


def families_of(notes: int, shapes: int, seed: int) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Content and degradation of a cell, and what replaces each of them in the structure test.

    The twin of notes is known in closed form: equal power from 1 to 40 cycles per window.
    """
    chord, band = signals.chords(notes or 1, HIGHEST), signals.band(HIGHEST)
    clicks = degradations.clicks(shapes or 1, bank=seed)
    noise = clicks_twin(shapes or 1, seed)
    content, content_twin = (chord, band) if notes else (band, chord)
    degradation, degradation_twin = (clicks, noise) if shapes else (noise, clicks)
    return (content, degradation), (content_twin, degradation_twin)


def chord_run(notes: int, shapes: int, seed: int, network: Network, name: str = CONV) -> Run:
    """One cell. All cells of a seed share weights, contents, banks and tests where they can.

    Args:
        notes: at once; 0 for their Gaussian twin.
        shapes: of clicks; 0 for their Gaussian twin.
        seed: of the weights, the data and the clicks.
        network: what is trained.
        name: of the network, in the table.
    """
    (content, degradation), twins = families_of(notes, shapes, seed)
    names = f"{notes} notes" if notes else "band", f"clicks({shapes})" if shapes else "Gaussian"
    other = degradations.unseen_banks(degradations.clicks(OTHER_SHAPES, bank=seed), BANKS)
    tests = make_test_sets(
        (names[0], content), (names[1], degradation),
        {"melody": signals.melody(), "tune": signals.tune()}, {"other clicks": other},
        both=True, twins=twins,
    )  # fmt: skip
    cell = Cell(content, degradation, network, seed)
    return Run(cell, name, *names, tests, {"notes": notes, "shapes": shapes})


def train_chords(config: ChordConfig, session: Session) -> pd.DataFrame:
    """Train and test a network in every cell of the map."""
    runs = [
        chord_run(notes, shapes, seed, networks.ConvNet(width=config.width))
        for seed in config.all_seeds()
        for notes in (GAUSSIAN, *config.notes)
        for shapes in (GAUSSIAN, *config.shapes)
    ]
    return sweep(runs, config.schedule(), EvalConfig(config.samples), session).table


def measured(table: pd.DataFrame, column: str, network: str = CONV) -> xr.DataArray:
    """A column of the structure test as `(seed, notes, shapes)`; see `structures`."""
    found = structures(table[table["network"] == network])
    return array_of(found, column, "seed", "notes", "shapes")
