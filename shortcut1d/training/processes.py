"""The processes of one job: how they share the cells, and how each gets every result.

Cells are independent, so each process trains its share on its own devices. Processes agree at the
start on what is finished, and exchange results at the end; their number does not change a result.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from shortcut1d import errors
from shortcut1d.store import Records, pack, unpack

Item = TypeVar("Item")


def share_of(items: Sequence[Item]) -> list[Item]:
    """This process's share of `items`."""
    return list(items[jax.process_index() :: jax.process_count()])


def agreed(flags: Sequence[bool]) -> list[bool]:
    """`flags` as the first process has them, since all must divide the same work."""
    if jax.process_count() == 1:
        return list(flags)
    with _together():
        return list(multihost_utils.broadcast_one_to_all(np.asarray(flags)))


def gathered(records: Records) -> Records:
    """The records of all processes, in each process; they need not share a disk."""
    if jax.process_count() == 1:
        return records
    data = np.frombuffer(pack(records), np.uint8)
    with _together():
        sizes = multihost_utils.process_allgather(np.asarray(data.size))
        padded = np.zeros(int(np.max(sizes)), np.uint8)
        padded[: data.size] = data
        everyone = multihost_utils.process_allgather(padded)
    merged: Records = {}
    for part, size in zip(everyone, sizes, strict=True):
        merged |= unpack(np.asarray(part[: int(size)]).tobytes())
    return merged


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Run an exchange between all processes; if it fails, say that one of them has died."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        raise errors.Shortcut1dError(
            "distributed: another process of the job has died; the same commands, without --fresh, "
            f"go on from the cells that are finished ({str(error).splitlines()[0][:80]})"
        ) from error
