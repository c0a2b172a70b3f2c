"""Windows of samples, and arrays of the kind that a denoiser was given."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Samples

Window = Sequence[slice]


def checked_window(window: Any, inputs: Samples) -> tuple[slice, ...]:
    """`window` with both ends of each slice, to index behind the batch axis.

    Raises:
        InvalidInput: not one slice for each spatial axis, or a slice that skips samples, is empty
            or ends outside of the samples.
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
        # `indices` clips an end that lies outside, which would hide a typing error.
        if step != 1 or stop <= start or (part.stop is not None and part.stop > length):
            raise errors.refuse("window", window, wanted)
        found.append(slice(start, stop))
    return tuple(found)


def like(inputs: Samples, values: np.ndarray) -> Samples:
    """`values` as a JAX array if `inputs` is one, else as given."""
    return jnp.asarray(values) if isinstance(inputs, jax.Array) else values
