"""Several processes of one job: who does what, and how each gets what the others did.

Cells are independent, so each process trains its share on its own devices and nothing is exchanged
until the end: a slow process holds nobody up, and the result does not depend on how many there are.
"""

from collections.abc import Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from shortcut1d.store import Records, pack, unpack

Item = TypeVar("Item")


def share_of(items: Sequence[Item]) -> list[Item]:
    """The part of `items` that falls to this process."""
    return list(items[jax.process_index() :: jax.process_count()])


def agreed(flags: Sequence[bool]) -> list[bool]:
    """`flags` as the first process has them: all must divide up the same work."""
    if jax.process_count() == 1:
        return list(flags)
    return list(multihost_utils.broadcast_one_to_all(np.asarray(flags)))


def gathered(records: Records) -> Records:
    """The records of all processes, in each of them; they need not share a disk."""
    if jax.process_count() == 1:
        return records
    data = np.frombuffer(pack(records), np.uint8)
    sizes = multihost_utils.process_allgather(np.asarray(data.size))
    padded = np.zeros(int(np.max(sizes)), np.uint8)
    padded[: data.size] = data
    everyone = multihost_utils.process_allgather(padded)
    merged: Records = {}
    for part, size in zip(everyone, sizes, strict=True):
        merged |= unpack(np.asarray(part[: int(size)]).tobytes())
    return merged
