"""What each restorer of a task makes of the same samples, and how far that is from the range."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from common.priors import classics
from common.priors.tasks import (
    DEEP,
    DIFFUSION,
    NOTHING,
    PLAIN,
    PROJECTED,
    SAMPLED,
    STANDS,
    UNSEEN,
    Plan,
    Task,
    Weights,
    families_of,
    train,
)
from shortcut1d import networks
from shortcut1d.analysis.transfer import measures_of
from shortcut1d.data.family import draw_pair, fingerprint
from shortcut1d.data.pictures import Warn
from shortcut1d.harness.driver import Result
from shortcut1d.networks import Chain, Network, Params
from shortcut1d.networks.diffusion import with_level
from shortcut1d.training.sweep import Session

Batch = Float[np.ndarray, "batch *space channels"]
Tests = Float[np.ndarray, "tests batch *space channels"]
Restore = Callable[[Any], Any]
TUNING = 256  # training samples that strengths are tuned on


class Samples(NamedTuple):
    """What the restorers of a task are given.

    names: role and name of the degradation of each test.
    clean: the same in every test.
    tests: degraded.
    known: clean and degraded training samples, which strengths are tuned on.
    """

    names: list[tuple[str, str]]
    clean: Batch
    tests: Tests
    known: tuple[Batch, Batch]


def samples_of(task: Task, plan: Plan, seed: int) -> Samples:
    """The samples of a task. All tasks of a seed draw the same random numbers."""

    def drawn(purpose: str, content: Any, degradation: Any, count: int) -> tuple[Batch, Batch]:
        key = jax.random.fold_in(jax.random.key(seed), fingerprint(purpose))
        clean, degraded = draw_pair(key, content, degradation, count)
        return np.asarray(clean), np.asarray(degraded)

    families = families_of(task, plan.shape)
    pairs = [drawn("test", task.new, family, plan.samples) for _, _, family in families]
    return Samples(
        [(role, name) for role, name, _ in families],
        pairs[0][0],
        np.stack([degraded for _, degraded in pairs]),
        drawn("tuning", task.content[1], task.known[1], TUNING),
    )


def restorers_of(
    task: Task, plan: Plan, weights: Weights, seed: int, samples: Samples
) -> dict[str, Restore]:
    """All restorers of a task, by name."""
    content = task.content[0]
    prior, plain = weights[STANDS, content, NOTHING, seed], weights[PLAIN, content, task.name, seed]
    found: dict[str, Restore] = {PLAIN: networks.denoiser(plan.plain, plain)}
    for name in task.tuned():
        found[name] = networks.denoiser(plan.network, weights[name, content, task.name, seed])
    found[STANDS] = networks.denoiser(plan.network, prior)
    found[PROJECTED] = networks.denoiser(
        Chain(plan.plain, plan.network), {"first": plain, "then": prior}
    )
    diffusion = weights[DIFFUSION, content, NOTHING, seed]
    level = best_level(plan, diffusion, samples.known)
    at_level = with_level(level, diffusion)
    found[DIFFUSION] = networks.denoiser(plan.diffusion, at_level)
    sampler = dataclasses.replace(plan.diffusion, steps=plan.sampling)
    found[SAMPLED] = networks.denoiser(sampler, at_level)
    key = jax.random.fold_in(jax.random.key(seed), 1)
    *space, channels = plan.shape
    found[DEEP] = networks.denoiser(
        plan.deep, networks.init(plan.deep, key, tuple(space), channels)
    )
    return found


def best_level(plan: Plan, weights: Params, known: tuple[Batch, Batch]) -> float:
    """The level of white noise at which the diffusion prior errs least on training samples."""
    clean, degraded = known

    def restored(level: float) -> Any:
        return networks.denoiser(plan.diffusion, with_level(level, weights))(jnp.asarray(degraded))

    return classics.best_strength(restored, plan.levels, clean)


@functools.partial(jax.jit, static_argnums=(0, 5))
def _measures(
    network: Network, prior: Params, outputs: Any, clean: Any, degraded: Any, pictures: bool
) -> dict[str, Float[Array, " tests"]]:
    """Means over the samples of each test; `off_range` is the distance from the prior's range."""

    def of_test(test: tuple[Array, Array]) -> dict[str, Float[Array, ""]]:
        output, given = test
        found = measures_of(output, clean, given, pictures=pictures)
        wanted = ("nmse", "relative_error", *(["psnr"] if pictures else []))
        on_range = networks.apply(network, prior, output)
        off = jnp.mean((on_range - output) ** 2) / jnp.mean(clean**2)
        return {name: jnp.mean(found[name]) for name in wanted} | {"off_range": off}

    return jax.lax.map(of_test, (outputs, degraded))


def study(
    plan: Plan, by_seed: Mapping[int, Sequence[Task]], session: Session, warn: Warn
) -> tuple[Result, Weights]:
    """Train, measure every restorer of every task, and keep what the figures show.

    Args:
        plan: what is trained.
        by_seed: the tasks of every seed.
        session: store, progress, chunk.
        warn: called with a line about each filter that is left out.

    Returns:
        the result, and the weights of all trained networks.
    """
    rank, shown, few = len(plan.shape) - 1, min(by_seed), fewer(plan)
    for name, package in classics.missing(rank).items():
        warn(f'{name}: left out, since {package} is not installed ("shortcut1d[classics]")')
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    models: dict[str, Any] = {}
    every = [(seed, task) for seed, tasks in by_seed.items() for task in tasks]
    drawn = [samples_of(task, plan, seed) for seed, task in every]
    with classics.workers() as workers:
        filtered = [workers.submit(classics.outputs, rank, *own.known, own.tests) for own in drawn]
        weights = train(plan, by_seed, session)
        for (seed, task), samples, of_filters in zip(every, drawn, filtered, strict=True):
            content = task.content[0]
            outputs = {
                name: together(restore, samples.tests[:, few if name == DEEP else slice(None)])
                for name, restore in restorers_of(task, plan, weights, seed, samples).items()
            }
            outputs |= of_filters.result()
            rows += rows_of(task, plan, weights, seed, samples, outputs)
            if seed == shown and task.name == by_seed[seed][0].name:
                first = samples.names.index((UNSEEN, next(iter(task.unseen))))
                # Of the samples that all restorers are given, show the one of most contrast.
                clean = samples.clean[few]
                best = int(np.argmax(clean.std(axis=tuple(range(1, clean.ndim)))))
                arrays[f"{content}: clean"] = clean[best]
                for name, made in {"input": samples.tests, **outputs}.items():
                    arrays[f"{content}: {name}"] = (made if name == DEEP else made[:, few])[
                        first, best
                    ]
                prior = weights[STANDS, content, NOTHING, shown]
                models[content.replace(" ", "_")] = plan.network, prior, plan.shape
    return Result(pd.DataFrame(rows), arrays, models=models), weights


def fewer(plan: Plan) -> slice:
    """Those of a test's samples that the deep image prior is given, evenly over all banks."""
    step = plan.samples // plan.fitted
    return slice(0, step * plan.fitted, step)


def together(restore: Restore, tests: Tests) -> Tests:
    """What a restorer makes of all tests, in one batch."""
    outputs = np.asarray(restore(tests.reshape(-1, *tests.shape[2:])), np.float32)
    return outputs.reshape(tests.shape)


def rows_of(
    task: Task,
    plan: Plan,
    weights: Weights,
    seed: int,
    samples: Samples,
    outputs: Mapping[str, Tests],
) -> list[dict[str, Any]]:
    """Rows of the table: one for every restorer and degradation of a task."""
    prior = weights[STANDS, task.content[0], NOTHING, seed]
    rows = []
    for restorer, made in outputs.items():
        count = made.shape[1]
        own = fewer(plan) if restorer == DEEP else slice(None)
        found = _measures(
            plan.network, prior, made, samples.clean[own], samples.tests[:, own],
            len(plan.shape) == 3,
        )  # fmt: skip
        columns = {name: np.asarray(values, np.float64) for name, values in found.items()}
        for number, (role, name) in enumerate(samples.names):
            row = {
                "content": task.content[0], "task": task.name, "degradation": task.known[0],
                "restorer": restorer, "seed": seed, "test": role, "test_degradation": name,
                "samples": count,
            }  # fmt: skip
            rows.append(row | {measure: float(v[number]) for measure, v in columns.items()})
    return rows
