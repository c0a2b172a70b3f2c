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
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import EvalConfig, Run, TestSet
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

Name = tuple[str, str, int]  # of a trained network: what the table calls it, its degradation, seed


class Staged(NamedTuple):
    """table: of both stages. weights: of the first stage, and of seed 0 of the second. subjects:
    of both, by name.
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
    """Train and test the first subjects, then those that are made of their weights.

    Args:
        first: priors, and what else others are made of.
        then: makes the others.
        schedule: of subjects that bring none of their own.
        eval_config: shared by all.
        session: archive, progress, chunk.
    """
    begun = sweep(first, schedule, eval_config, session, keep=lambda who: True)
    weights = {name_of(who): begun.weights[place] for place, who in enumerate(first)}
    flags = begun.table.groupby(["network", "degradation", "seed"])["diverged"].any()
    for name in flags.index[flags]:  # nothing sound can be made of what has diverged
        weights[name] = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), weights[name])
    later = list(then(weights))
    ended = sweep(later, schedule, eval_config, session, keep=lambda who: who.cell.seed == 0)
    weights |= {name_of(later[place]): params for place, params in ended.weights.items()}
    return Staged(
        pd.concat([begun.table, ended.table], ignore_index=True),
        weights,
        {name_of(who): who for who in (*first, *later)},
    )


def name_of(who: Run) -> Name:
    """What a subject's weights are found under."""
    return who.network, who.degradation, who.cell.seed


def shown(staged: Staged, name: Name, wanted: Callable[[TestSet], bool]) -> np.ndarray:
    """A sample of the first of a network's tests that is wanted: input, target, output."""
    who = staged.runs[name]
    test = next(test for test in who.tests if wanted(test))
    made = evaluation.windows(who.cell.network, [(staged.weights[name], test)])
    return made[0].astype(np.float32)


def fresh(
    network: Autoencoder, recipe: Recipe, seed: int, space: tuple[int, ...], channels: int
) -> Params:
    """What an autoencoder begins with; those of a seed differ in the recipe only."""
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
