"""A generative prior and what it is compared with, on signals or pictures: what is trained.

A prior learns a content without degradation. Then it is used on a task: a content under a
degradation. Beside it stand a plain network, controls for what the prior may owe its success to,
and other priors. What is not trained, such as a classical filter, joins them when all are measured.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from common.signal_tasks import Named
from shortcut1d import networks
from shortcut1d.data import composition
from shortcut1d.networks import Network, Params, autoencoder
from shortcut1d.networks.autoencoder import Autoencoder, Recipe
from shortcut1d.networks.deep_prior import DeepPrior
from shortcut1d.networks.diffusion import Diffusion
from shortcut1d.training.evaluation import SEEN, EvalConfig, Run, TestSet
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

# Restorers: without a prior, with it, controls, other priors.
PLAIN, PRIOR, STANDS = "plain conv net", "prior", "prior, as it stands"
TRAINED, CODE_TUNED = "prior, all of it trained", "prior, its code tuned too"
NO_CODE, RANDOM_CODE = "no code", "random code"
PROJECTED = "prior behind the plain net"
DIFFUSION, SAMPLED = "diffusion prior, mean", "diffusion prior, sampled"
DEEP = "deep image prior"
# Priors are trained on clean content; most other restorers are made from the first.
PRIORS: dict[str, Recipe] = {
    STANDS: autoencoder.PRIOR, NO_CODE: autoencoder.NO_CODE, RANDOM_CODE: autoencoder.RANDOM_CODE,
}  # fmt: skip
# What each is made of, and what of it is trained under the degradation.
TUNED: dict[str, tuple[str, dict[str, float]]] = {
    PRIOR: (STANDS, autoencoder.TO_CODES),
    NO_CODE: (NO_CODE, autoencoder.TO_CODES),
    RANDOM_CODE: (RANDOM_CODE, autoencoder.TO_CODES),
    TRAINED: (STANDS, autoencoder.EVERYTHING),
    CODE_TUNED: (STANDS, autoencoder.CODE_TOO),
}
ALWAYS = (PRIOR, TRAINED)
CLEAN, KNOWN, UNSEEN, TWIN = "clean", "known", "unseen", "twin"  # what is tested
NOTHING = "nothing"
TESTED = 16  # samples that say whether a network has diverged


class Task(NamedTuple):
    """A content under a degradation, for one seed.

    name: of the task.
    content: name and family, of what is trained on.
    new: what is tested on: samples of that content that nobody was trained on.
    known: name and family of the degradation that is trained under.
    unseen: those that are not, by name.
    twin: the Gaussian twin of the known degradation's residual.
    controls: whether no code, a random code, and tuning the code too are tried as well.
    """

    name: str
    content: Named
    new: Any
    known: Named
    unseen: Mapping[str, Any]
    twin: Any
    controls: bool = True

    def tuned(self) -> dict[str, tuple[str, dict[str, float]]]:
        """What is built on priors."""
        return {name: made for name, made in TUNED.items() if self.controls or name in ALWAYS}


class Plan(NamedTuple):
    """What is trained, and how.

    network: the autoencoder that all priors are.
    plain: the network without a prior.
    diffusion: the denoiser of white noise; it is also used with `sampling` steps.
    deep: the deep image prior.
    sampling: steps of an annealed sample of the diffusion prior.
    fitted: how many of a test's samples the deep image prior is given: it takes long.
    schedule: of priors.
    tuning: of what is built on them; a plain network has both.
    shape: of a sample, `(*space, channels)`.
    samples: of a test.
    levels: of white noise; the diffusion prior assumes the best one of them for its input.
    """

    network: Autoencoder
    plain: Network
    diffusion: Diffusion
    deep: DeepPrior
    sampling: int
    fitted: int
    schedule: Schedule
    tuning: Schedule
    shape: tuple[int, ...]
    samples: int
    levels: tuple[float, ...]


Name = tuple[str, str, str, int]  # of a trained network: restorer, content, task or NOTHING, seed
Weights = dict[Name, Params]


def families_of(task: Task, shape: tuple[int, ...]) -> list[tuple[str, str, Any]]:
    """Role, name and family of what is tested under."""
    found = [(CLEAN, NOTHING, composition.nothing(*shape)), (KNOWN, *task.known)]
    found += [(UNSEEN, name, family) for name, family in task.unseen.items()]
    return [*found, (TWIN, "twin", task.twin)]


def train(plan: Plan, tasks: Mapping[int, Sequence[Task]], session: Session) -> Weights:
    """Train priors and plain networks; then what is built on the priors.

    Args:
        plan: what is trained.
        tasks: by seed.
        session: store, progress, chunk.

    Returns:
        weights by name; of a network that diverged, or that was built on one, NaN.
    """
    clean = NOTHING, composition.nothing(*plan.shape)
    first: dict[Name, Run] = {}
    longer = dataclasses.replace(plan.schedule, steps=plan.schedule.steps + plan.tuning.steps)
    for seed, of_seed in tasks.items():
        for task in of_seed:
            for name, recipe in PRIORS.items():
                start = _start(plan, recipe, seed)
                named = name, task.content[0], NOTHING, seed
                first.setdefault(
                    named, _run(named, task, clean, plan.network, plan.schedule, start)
                )
            named = DIFFUSION, task.content[0], NOTHING, seed
            first.setdefault(named, _run(named, task, clean, plan.diffusion, plan.schedule))
            named = PLAIN, task.content[0], task.name, seed
            first[named] = _run(named, task, task.known, plan.plain, longer)
    weights = _swept(first, plan, session)
    then: dict[Name, Run] = {}
    for seed, of_seed in tasks.items():
        for task in of_seed:
            for name, (prior, changes) in task.tuned().items():
                trained = weights[prior, task.content[0], NOTHING, seed]
                start = autoencoder.init_restoration(trained, **changes)
                named = name, task.content[0], task.name, seed
                then[named] = _run(named, task, task.known, plan.network, plan.tuning, start)
    return weights | _swept(then, plan, session)


def _start(plan: Plan, recipe: Recipe, seed: int) -> Params:
    """Initial weights of an autoencoder; those of one seed differ in the recipe only."""
    *space, channels = plan.shape
    key = jax.random.fold_in(jax.random.key(seed), 0)
    return autoencoder.with_recipe(recipe, _drawn(plan.network, key, tuple(space), channels))


_drawn = jax.jit(networks.init, static_argnums=(0, 2, 3))


def _run(
    name: Name,
    task: Task,
    degradation: Named,
    network: Network,
    schedule: Schedule,
    start: Params | None = None,
) -> Run:
    """A network to train. It is tested here on what it is trained on, which says if it diverged."""
    restorer, content, _, seed = name
    test = TestSet(SEEN, content, degradation[0], task.content[1], degradation[1])
    cell = Cell(task.content[1], degradation[1], network, seed, start)
    return Run(cell, restorer, content, degradation[0], [test], schedule=schedule)


def _swept(runs: Mapping[Name, Run], plan: Plan, session: Session) -> Weights:
    """Weights of trained networks, NaN where they diverged."""
    swept = sweep(
        list(runs.values()), plan.schedule, EvalConfig(TESTED, probes=1), session,
        keep=lambda run: True,
    )  # fmt: skip
    weights = {name: swept.weights[place] for place, name in enumerate(runs)}
    for name, diverged in zip(runs, swept.table["diverged"], strict=True):
        if diverged:  # nothing sound can be built on it
            weights[name] = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), weights[name])
    return weights
