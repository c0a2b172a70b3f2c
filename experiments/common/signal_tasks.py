"""What several studies share: the options of training, and what networks are tested on."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from jaxtyping import PRNGKeyArray
from scipy.ndimage import median_filter

from shortcut1d import errors, networks
from shortcut1d.analysis import oracles
from shortcut1d.analysis.complexity import DEFAULT, MEASURES
from shortcut1d.analysis.structure import CONTENT_TWIN, DEGRADATION_TWIN
from shortcut1d.data import degradations, gaussian
from shortcut1d.data.family import draw, draw_pair
from shortcut1d.harness.options import option
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import UNSEEN_BOTH, EvalConfig, Run, TestSet
from shortcut1d.training.loop import Schedule
from shortcut1d.training.tables import names_of

BANKS = 16  # of unseen clicks at a test
WIENER, MEDIAN = "Wiener filter", "median filter"  # networks, in the tables, that nobody trained
Named = tuple[str, Any]  # a family, and what the table calls it


@dataclass(frozen=True)
class TrainConfig:
    """How networks are trained and tested; each study adds its own options."""

    seeds: int = option(5, "networks of each kind, each with its own weights, data and clicks")
    first_seed: int = option(0, "seeds are this one and those that follow; 0 to 99 to explore")
    width: int = option(16, "channels of the convolutional nets")
    steps: int = option(600, "training steps")
    batch: int = option(32, "fresh samples a step")
    learning_rate: float = option(3e-3, "Adam's, at the start of its cosine decay")
    loss: str = option("mse", "mse or l1")
    samples: int = option(128, "windows a test")

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("seeds", self.seeds, high=4000)
        errors.integer("first_seed", self.first_seed, low=0, high=4095 - self.seeds)
        networks.ConvNet(width=self.width)
        errors.integer("samples", self.samples, low=2)
        self.schedule()

    def all_seeds(self) -> range:
        """The seeds that are trained."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def schedule(self, **others: Any) -> Schedule:
        """How every network is trained; `others` are fields of `Schedule` that differ."""
        usual = Schedule(self.steps, self.batch, self.learning_rate, self.loss)
        return dataclasses.replace(usual, **others)


def check_banks(samples: int) -> None:
    """Refuse a number of windows that the unseen banks cannot share."""
    if samples % BANKS:
        raise errors.refuse("samples", samples, f"a multiple of {BANKS}, the unseen banks")


def check_clicks(shapes: Iterable[int], level: float = 0.0) -> None:
    """Refuse numbers of shapes, and a level in dB, that clicks cannot have."""
    degradations.clicks(level=level)
    with errors.reported_as("shapes"):
        for count in shapes:
            degradations.clicks(count)


def make_test_sets(
    known_content: Named,
    known_degradation: Named,
    unseen_contents: Mapping[str, Any],
    unseen_degradations: Mapping[str, Any],
    *,
    both: bool = False,
    twins: tuple[Any, Any] | None = None,
) -> list[TestSet]:
    """The tests of a network: what it was trained on; then each unseen family, with the other
    component as in training.

    Args:
        known_content: name and family of the content that the network was trained on.
        known_degradation: name and family of the degradation that it was trained on.
        unseen_contents: by name.
        unseen_degradations: by name.
        both: also test every unseen content under every unseen degradation.
        twins: what replaces the content, and the degradation, in the structure test; None for no
            such test.
    """
    new_contents, new_degradations = unseen_contents.items(), unseen_degradations.items()
    pairs = [(evaluation.SEEN, known_content, known_degradation)]
    pairs += [(evaluation.UNSEEN_CONTENT, new, known_degradation) for new in new_contents]
    pairs += [(evaluation.UNSEEN_DEGRADATION, known_content, new) for new in new_degradations]
    if both:
        pairs += [(UNSEEN_BOTH, c, d) for c in new_contents for d in new_degradations]
    if twins is not None:
        pairs.append((CONTENT_TWIN, ("twin", twins[0]), known_degradation))
        pairs.append((DEGRADATION_TWIN, known_content, ("twin", twins[1])))
    return [TestSet(role, c_name, d_name, c, d) for role, (c_name, c), (d_name, d) in pairs]


@functools.lru_cache(maxsize=256)
def clicks_twin(shapes: int, seed: int) -> gaussian.Gaussian:
    """The Gaussian twin of the clicks of a seed."""
    clicks = degradations.clicks(shapes, bank=seed)
    return gaussian.twin_of_residual(clicks, jax.random.key(seed))


def filter_rows(run: Run, name: str, denoiser: Any, samples: int) -> pd.DataFrame:
    """A filter that nobody trained, on the very samples that the network of a run is tested on.

    name: of the filter, in the column `network`. denoiser: any callable on arrays.
    """
    batch = evaluation.draw([run], EvalConfig(samples))
    rows = []
    for test, clean, degraded in zip(run.tests, batch.clean[0], batch.degraded[0], strict=True):
        left = np.mean((np.asarray(denoiser(degraded)) - clean) ** 2)
        rows.append(
            names_of(run._replace(network=name), test)
            | {
                "nmse": float(left / np.mean(clean**2)),
                "relative_error": float(left / np.mean((degraded - clean) ** 2)),
            }
        )
    return pd.DataFrame(rows)


def trained_networks(table: pd.DataFrame) -> list[str]:
    """Names of the networks, without the filters."""
    return [name for name in table["network"].unique() if name not in (WIENER, MEDIAN)]


def wiener(run: Run, key: PRNGKeyArray, draws: int) -> Any:
    """The best linear filter of a run's task, from the spectra of its two components."""
    clean, degraded = draw_pair(key, run.cell.content, run.cell.degradation, draws)
    parts = [np.asarray(part) for part in (clean, degraded - clean)]
    return oracles.wiener(*[oracles.power_spectrum(part) for part in parts])


def median_of_five(windows: Any) -> np.ndarray:
    """The median of five samples, periodic."""
    return median_filter(np.asarray(windows), (1, 5, 1), mode="wrap")


def untrained_rows(run: Run, samples: int) -> pd.DataFrame:
    """`filter_rows` of the best linear filter, and of the median of five samples."""
    linear = wiener(run, jax.random.key(run.cell.seed), gaussian.DRAWS)
    filters = {WIENER: linear, MEDIAN: median_of_five}
    return pd.concat([filter_rows(run, *each, samples) for each in filters.items()])


def complexity(family: Any, key: PRNGKeyArray) -> float:
    """Of a content or a degradation, by the measure of `predict`, from 1024 samples."""
    return MEASURES[DEFAULT](np.asarray(draw(family, key, 1024)))


def decibels(ratio: Any) -> Any:
    """A ratio of energies in dB."""
    return 10 * np.log10(ratio)
