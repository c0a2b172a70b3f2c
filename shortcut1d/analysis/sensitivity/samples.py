"""Samples that a measure changes: which part of them, and of what kind they are given on."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Samples

Window = Sequence[slice]


def checked_window(window: Any, inputs: Samples) -> tuple[slice, ...]:
    """`window`, to be used behind the batch axis: one slice with both ends for each spatial axis.

    Raises:
        InvalidInput: not one slice for each spatial axis, one that skips samples, that is empty or
            that ends outside of the samples.
    """
    space = np.shape(inputs)[1:-1]
    wanted = f"one slice for each spatial axis, within {space}"
    if not isinstance(window, list | tuple) or len(window) != len(space):
        raise errors.refuse("window", window, wanted)
    found = []
    for part, length in zip(window, space):
        if not isinstance(part, slice):
            raise errors.refuse("window", window, wanted)
        start, stop, step = part.indices(length)
        # `indices` cuts an end that lies outside, where a typing error would pass unseen.
        if step != 1 or stop <= start or (part.stop is not None and part.stop > length):
            raise errors.refuse("window", window, wanted)
        found.append(slice(start, stop))
    return tuple(found)


def like(inputs: Samples, values: np.ndarray) -> Samples:
    """`values` as the kind of array that the denoiser was made for, if it was for `inputs`."""
    return jnp.asarray(values) if isinstance(inputs, jax.Array) else values
