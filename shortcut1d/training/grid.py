"""Many runs at once: cells, spread over the local devices.

On a CPU a device takes its cells one after the other (`lax.map`): small matrix products stay in
cache, and a cell cannot depend on its neighbours. Elsewhere they run side by side (`vmap`), as many
as memory allows.
"""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.data.family import Content, Degradation, fingerprint, stack
from shortcut1d.data.pytrees import Shared, is_shared, map_own
from shortcut1d.networks import Network, Params
from shortcut1d.training import loop
from shortcut1d.training.gradient import footprint
from shortcut1d.training.loop import Schedule, Trained


class ProgressReport(NamedTuple):
    """How far a grid is.

    finished: cells finished, also by an earlier run; cells in training count in part.
    total: cells in all.
    steps: model-steps (a step of one network) trained by this run.
    earlier: cells that an earlier run finished, in the report that begins a sweep; else None.
    loss: mean training loss of the part just trained, over its cells where it is finite; else None.
    doing: what is done from now on, in a few words; "" if unknown.
    """

    finished: float
    total: int
    steps: int
    earlier: int | None = None
    loss: float | None = None
    doing: str = ""


TRAINING, TESTING = "training", "testing"
Progress = Callable[[ProgressReport], None]
# Keys, contents, degradations, initial weights or None; a leading axis over cells.
Inputs = tuple[PRNGKeyArray, Any, Any, Any]


def silent(done: ProgressReport) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Cell:
    """One point of a grid: what is trained on what, and which seed.

    init_params: weights of a network that was trained before; None for fresh ones.

    All cells of a seed draw the same random numbers: the same initial weights where shapes agree,
    the same contents where the family is the same, and so on. So cells of one seed differ only in
    their other fields.
    """

    content: Content
    degradation: Degradation
    network: Network
    seed: int
    init_params: Params | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, `(*space, channels)`."""
        return jax.eval_shape(lambda k: self.content.sample(k, 1), jax.random.key(0)).shape[1:]

    def key(self, purpose: str = "train") -> PRNGKeyArray:
        """The cell's random key, from its seed and `purpose`; its place in a grid has no effect."""
        return jax.random.fold_in(jax.random.key(self.seed), fingerprint(purpose))


def train(
    cells: Sequence[Cell],
    schedule: Schedule,
    progress: Progress = silent,
    inputs: Inputs | None = None,
) -> Trained:
    """Train the cells to the end of the schedule; see `trajectory`. The result is on the host."""
    *_, last = trajectory(cells, schedule, progress, inputs)
    return _to_host(last, len(cells))


def trajectory(
    cells: Sequence[Cell],
    schedule: Schedule,
    progress: Progress = silent,
    inputs: Inputs | None = None,
) -> Iterator[Trained]:
    """Train cells of one network, spread over the local devices.

    Args:
        cells: at least one; `sweep` cuts a large grid into chunks that fit the device.
        schedule: shared by all.
        progress: called after each part of the run, and when the caller goes on after a checkpoint.
        inputs: these cells' rows of the `stack_cells` of a larger grid, if they are a part of one.
            The compiled program is then the larger grid's.

    Yields:
        after each of the schedule's checkpoints: weights, history and divergence, with a leading
        axis over cells. They stay on the devices; the last cell is repeated until each device has
        the same number.
    """
    if not cells:
        raise errors.refuse("cells", list(cells), "at least one cell")
    networks = {cell.network for cell in cells}
    if len(networks) > 1:
        raise errors.refuse("cells", networks, "cells of one network (train the others apart)")
    network = networks.pop()
    start = over_cells(loop.start, network, schedule.static())
    advance = over_cells(loop.advance, network, schedule.static())
    count = len(cells)
    keys, contents, degradations, init_params = _spread(
        stack_cells(cells) if inputs is None else inputs, count
    )
    state = start((keys, contents, init_params), (schedule.pace(),))
    parts = schedule.parts()
    history = [jnp.zeros((0, len(state.step)))]
    for before, now in zip((0, *parts), parts):
        share = now / parts[-1] if parts[-1] else 1.0  # no steps: tested untrained
        here = ProgressReport(count * share, count, count * now)
        tested = now in schedule.checkpoint_steps()
        if now > before:
            state, loss = advance((state, contents, degradations), (jnp.int32(now - before),))
            history.append(loss[None])
            jax.block_until_ready(loss)
            of_part = _finite_mean(np.asarray(loss)[:count])
            progress(here._replace(loss=of_part, doing=TESTING if tested else TRAINING))
        if tested:
            yield Trained(state.params, jnp.concatenate(history).T, state.diverged)
            progress(here._replace(doing=TRAINING))


def _finite_mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean(dtype=np.float64)) if finite.size else None


def chunk_size(
    count: int, network: Network, schedule: Schedule, shape: tuple[int, ...], tests: int = 0
) -> int:
    """How many of `count` cells, on samples of `shape`, to train at once.

    tests: bytes that testing one cell takes.

    On a CPU, where cells train one after the other, up to four a device: little is lost when the
    run is killed. Elsewhere as many as fit into half of the device's memory. Either way a multiple
    of the number of devices, chosen so that the last chunk is nearly full.

    Raises:
        InvalidInput: not even one fits into the memory.
    """
    devices = jax.local_devices()
    needed = max(footprint(network, schedule.batch, shape), tests)
    memory = _memory(devices[0])
    if needed > memory:
        raise errors.InvalidInput(
            f"network: one cell takes {needed / 2**30:.3g} GiB of memory, and there are "
            f"{memory / 2**30:.3g} GiB; make it narrower, or the batch smaller"
        )
    most = 4 if devices[0].platform == "cpu" else max(1, int(0.5 * memory / needed))
    per_device = -(-count // len(devices))
    rounds = -(-per_device // most)
    return -(-per_device // rounds) * len(devices)


def _memory(device: jax.Device) -> int:
    """Bytes of a device's memory; of a CPU, all that the machine has."""
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit", 2**33)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows, and systems that do not say
        return 2**40


def stack_cells(cells: Sequence[Cell]) -> Inputs:
    """What `trajectory` needs of the cells, each with a leading axis over cells.

    Raises:
        InvalidInput: some cells have initial weights, others do not.
    """
    given = [cell.init_params for cell in cells if cell.init_params is not None]
    if len(given) not in (0, len(cells)):
        raise errors.refuse(
            "init_params", f"{len(given)} of {len(cells)} cells", "all of them or none"
        )
    return (
        keys_of(cells, "train"),
        stack([cell.content for cell in cells]),
        stack([cell.degradation for cell in cells]),
        jax.tree.map(lambda *leaves: np.stack(leaves), *given) if given else None,
    )


def keys_of(cells: Sequence[Cell], purpose: str) -> PRNGKeyArray:
    """`[cell.key(purpose) for cell in cells]` as one array, in one call for all of them."""
    seeds = np.array([cell.seed for cell in cells], np.uint32)
    return fold_all(jax.vmap(jax.random.key)(seeds), [fingerprint(purpose)] * len(cells))


def fold_all(keys: PRNGKeyArray, numbers: Sequence[int]) -> PRNGKeyArray:
    """`jax.random.fold_in` of each key with its number."""
    return jax.vmap(jax.random.fold_in)(keys, np.array(numbers, np.uint32))


def rows(inputs: Any, chosen: Sequence[int] | np.ndarray) -> Any:
    """Rows of pytrees with a leading axis over cells; what cells share stays as it is."""
    return map_own(lambda leaf: leaf[np.asarray(chosen)], inputs)


def map_cells(
    function: Callable[..., Any],
    inputs: tuple,
    count: int,
    *static: Any,
    shared: tuple = (),
    max_parallel: int = 1,
) -> Any:
    """`function(*inputs[i], *shared, *static)` for each of `count` cells, on the host, stacked.

    Args:
        function: pure and traceable; compiled once for all grids of one size.
        inputs: pytrees with a leading axis over cells.
        count: cells.
        static: further arguments, hashable, the same for all cells.
        shared: arrays, the same for all cells.
        max_parallel: cells that a device runs at once, where it runs several.
    """
    compiled = over_cells(function, *static, max_parallel=max_parallel)
    return _to_host(compiled(_spread(inputs, count), shared), count)


def _spread(inputs: Any, count: int) -> Any:
    """Spread cells evenly over the local devices, repeating the last cell where any are missing.

    What cells share is put on every device, once. Arrays that are already spread stay where they
    are.
    """
    devices = len(jax.local_devices())
    filled = np.minimum(np.arange(-(-count // devices) * devices), count - 1)
    along = NamedSharding(_mesh(), PartitionSpec("cells"))
    everywhere = NamedSharding(_mesh(), PartitionSpec())
    put: dict[int, Shared] = {}

    def spread(leaf: Any) -> Any:
        if is_shared(leaf):
            place = id(leaf.value)
            put[place] = put.get(place) or Shared(jax.device_put(leaf.value, everywhere))
            return put[place]
        there = isinstance(leaf, jax.Array) and len(leaf) == len(filled)
        if there and leaf.sharding.is_equivalent_to(along, leaf.ndim):
            return leaf
        return jax.device_put(leaf[filled], along)

    return jax.tree.map(spread, inputs, is_leaf=is_shared)


@functools.lru_cache(maxsize=64)
def over_cells(
    function: Callable[..., Any], *static: Any, max_parallel: int | None = None
) -> Callable[..., Any]:
    """`function`, compiled to run on every cell of a chunk, on all local devices.

    Args:
        function: pure and traceable.
        static: further arguments, hashable, the same for all cells.
        max_parallel: cells that a device runs at once, where it runs several; None for all.

    Returns:
        a function of two tuples: arguments with a leading axis over cells, and arguments that all
        cells share. `static` comes after both.
    """

    def of_device(own: list, once: list, shared: tuple, structure: Any) -> Any:
        def one(leaves: list) -> Any:
            leaves = [mine if held is None else held for mine, held in zip(leaves, once)]
            return function(*jax.tree.unflatten(structure, leaves), *shared, *static)

        if jax.default_backend() == "cpu":
            return jax.lax.map(one, own)
        if max_parallel is None:
            return jax.vmap(one)(own)
        return jax.lax.map(one, own, batch_size=max_parallel)

    along, everywhere = PartitionSpec("cells"), PartitionSpec()

    @functools.partial(jax.jit, static_argnames="structure")
    def compiled(own: list, once: list, shared: tuple, structure: Any) -> Any:
        # Unchecked: the check refuses a scan from zeros, which some families and networks have.
        return jax.shard_map(
            functools.partial(of_device, structure=structure), mesh=_mesh(),
            in_specs=(along, everywhere, everywhere), out_specs=along, check_vma=False,
        )(own, once, shared)  # fmt: skip

    def of_cells(own: tuple, shared: tuple = ()) -> Any:
        leaves, structure = jax.tree.flatten(own, is_leaf=is_shared)
        mine = [None if is_shared(leaf) else leaf for leaf in leaves]
        once = [leaf if is_shared(leaf) else None for leaf in leaves]
        return compiled(mine, once, shared, structure=structure)

    return of_cells


def _to_host(chunk: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:count], chunk)


@functools.cache
def _mesh() -> Mesh:
    return Mesh(np.asarray(jax.local_devices()), ("cells",))
