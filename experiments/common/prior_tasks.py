"""What the studies of a generative prior share: priors are trained first, then what uses them."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int, PRNGKeyArray

from shortcut1d import networks
from shortcut1d.networks import Params, autoencoder
from shortcut1d.networks.autoencoder import Autoencoder, Recipe
from shortcut1d.training.evaluation import EvalConfig, Run, TestSet, windows
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

Name = tuple[str, str, int]  # of a trained network: network, degradation and seed in the table


class Staged(NamedTuple):
    """What two stages of training leave.

    table: of both stages.
    weights: of all of the first stage, and of the first seed of the second.
    runs: of both, by name.
    """

    table: pd.DataFrame
    weights: dict[Name, Params]
    runs: dict[Name, Run]


def in_stages(
    first: list[Run],
    then: Callable[[Mapping[Name, Params]], Iterable[Run]],
    schedule: Schedule,
    eval_config: EvalConfig,
    session: Session,
) -> Staged:
    """Train and test the first runs, then those that are built on their weights.

    Args:
        first: priors, and what else others are built on.
        then: makes the others, from the weights of the first.
        schedule: of runs that have none of their own.
        eval_config: shared by all.
        session: store, progress, chunk.
    """
    of_first = sweep(first, schedule, eval_config, session, keep=lambda run: True)
    weights = {name_of(run): of_first.weights[place] for place, run in enumerate(first)}
    diverged = of_first.table.groupby(["network", "degradation", "seed"])["diverged"].any()
    for name in diverged.index[diverged]:  # nothing sound can be built on these
        weights[name] = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), weights[name])
    later, shown = list(then(weights)), min(run.cell.seed for run in first)
    of_later = sweep(later, schedule, eval_config, session, keep=lambda run: run.cell.seed == shown)
    weights |= {name_of(later[place]): params for place, params in of_later.weights.items()}
    return Staged(
        pd.concat([of_first.table, of_later.table], ignore_index=True),
        weights,
        {name_of(run): run for run in (*first, *later)},
    )


def name_of(run: Run) -> Name:
    """What a run's weights are found under."""
    return run.network, run.degradation, run.cell.seed


def example(staged: Staged, name: Name, wanted: Callable[[TestSet], bool]) -> np.ndarray:
    """Input, target and output of the first of a network's tests that is wanted."""
    run = staged.runs[name]
    test = next(test for test in run.tests if wanted(test))
    return windows(run.cell.network, [(staged.weights[name], test)])[0].astype(np.float32)


def init_autoencoder(
    network: Autoencoder, recipe: Recipe, seed: int, space: tuple[int, ...], channels: int
) -> Params:
    """Initial weights; those of one seed differ in the recipe only."""
    key = jax.random.fold_in(jax.random.key(seed), 0)
    return autoencoder.with_recipe(recipe, _drawn(network, key, space, channels))


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def _drawn(network: Any, key: PRNGKeyArray, space: tuple[int, ...], channels: int) -> Params:
    return networks.init(network, key, space, channels)


def codes_of(
    network: Autoencoder, weights: Params, x: Float[Array, "batch *space channels"]
) -> Int[Array, "batch *fewer books"]:
    """The codes of some samples."""
    module = networks.build(network, weights, x)
    return module.quantised(module.encoder(x)).codes
