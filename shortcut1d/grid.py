"""Many runs at once: cells, spread over the local devices, reported on as they go.

On a CPU a device takes its cells one after the other (`lax.map`): small matrix products stay in
cache, and a cell cannot depend on its neighbours. Elsewhere they run side by side (`vmap`).
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PRNGKeyArray

from shortcut1d import errors, training
from shortcut1d.family import Content, Degradation, fingerprint, stack
from shortcut1d.networks import Network
from shortcut1d.training import Schedule, Trained

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """A progress report that says nothing."""


@dataclass(frozen=True)
class Cell:
    """One point of a grid: what is trained on what, and which seed."""

    content: Content
    degradation: Degradation
    network: Network
    seed: int

    def key(self, purpose: str = "train") -> PRNGKeyArray:
        """The cell's random key: a function of what the cell is, never of where it stands."""
        identity = fingerprint(purpose, self.content, self.degradation, self.network)
        return jax.random.fold_in(jax.random.key(self.seed), identity)


def train(cells: Sequence[Cell], schedule: Schedule, progress: Progress = silent) -> Trained:
    """Train every cell; all must have the same network.

    Args:
        cells: at least one.
        schedule: shared by all.
        progress: called with (model-steps done, model-steps in all) after each segment.

    Returns:
        weights, history and divergence, on the host, with a leading axis over cells.
    """
    if not cells:
        raise errors.refuse("cells", list(cells), "at least one cell")
    networks = {cell.network for cell in cells}
    if len(networks) > 1:
        raise errors.refuse("cells", networks, "cells of one network (train the others apart)")
    network = networks.pop()
    start = over_cells(training.start, network, schedule)
    advance = over_cells(training.advance, network, schedule)
    total = len(cells) * schedule.steps
    finished: list[Trained] = []
    done = 0
    for count, (keys, contents, degradations) in chunks(
        stack_cells(cells), len(cells), len(jax.devices())
    ):
        state = start(keys, contents)
        history = []
        for segment in range(schedule.segments):
            state, loss = advance(state, contents, degradations)
            history.append(loss)
            jax.block_until_ready(loss)
            steps = schedule.steps * (segment + 1) // schedule.segments
            progress(done + count * steps, total)
        done += count * schedule.steps
        trained = Trained(state.params, jnp.stack(history, axis=-1), state.diverged)
        finished.append(_to_host(trained, count))
    return _joined(finished)


def stack_cells(cells: Sequence[Cell], purpose: str = "train") -> tuple[Any, Any, Any]:
    """Keys, contents and degradations of the cells, each with a leading axis over cells."""
    return (
        jnp.stack([cell.key(purpose) for cell in cells]),
        stack([cell.content for cell in cells]),
        stack([cell.degradation for cell in cells]),
    )


def map_cells(function: Callable[..., Any], inputs: tuple, count: int, *static: Any) -> Any:
    """`function(*inputs[i], *static)` for each of `count` cells, on the host, stacked.

    Args:
        function: pure and traceable; compiled once.
        inputs: pytrees with a leading axis over cells.
        count: cells.
        static: further arguments, hashable, the same for all cells.
    """
    run = over_cells(function, *static)
    size = 8 * len(jax.devices())
    return _joined([_to_host(run(*chunk), real) for real, chunk in chunks(inputs, count, size)])


def chunks(inputs: Any, count: int, size: int) -> Iterator[tuple[int, Any]]:
    """Cut the leading axis into chunks of exactly `size`, spread over the local devices.

    The last chunk is filled up with its last cell, so that one compiled program fits all.

    Yields:
        how many cells of the chunk are real, and the chunk.
    """
    placement = NamedSharding(_mesh(), PartitionSpec("cells"))
    for first in range(0, count, size):
        rows = np.minimum(np.arange(first, first + size), count - 1)
        chunk = jax.tree.map(lambda leaf: leaf[rows], inputs)  # noqa: B023
        yield min(size, count - first), jax.device_put(chunk, placement)


@functools.lru_cache(maxsize=64)
def over_cells(function: Callable[..., Any], *static: Any) -> Callable[..., Any]:
    """`function`, compiled to run on every cell of a chunk, on all local devices."""

    def one(arguments: tuple) -> Any:
        return function(*arguments, *static)

    def of_device(*arguments: Any) -> Any:
        if jax.default_backend() == "cpu":
            return jax.lax.map(one, arguments)
        return jax.vmap(one)(arguments)

    along = PartitionSpec("cells")
    return jax.jit(jax.shard_map(of_device, mesh=_mesh(), in_specs=along, out_specs=along))


def _to_host(chunk: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:count], chunk)


def _joined(parts: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@functools.cache
def _mesh() -> Mesh:
    return Mesh(np.asarray(jax.devices()), ("cells",))
