"""A denoiser is any callable on arrays; this is how one is called."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d import errors

Samples = Float[Array | np.ndarray, "batch *space channels"]
Denoiser = Callable[[Any], Any]


def output_of(denoiser: Denoiser, inputs: Samples) -> Samples:
    """`denoiser(inputs)`, checked: same shape, finite.

    Args:
        denoiser: NumPy or JAX callable, `(batch, *space, channels)` to the same shape.
        inputs: degraded samples, NumPy or JAX.

    Raises:
        InvalidInput: inputs or outputs that are not finite (it says which sample), an output of
            another shape. What the denoiser itself raises is passed on as it is.
    """
    finite("inputs", inputs)
    # A copy, since a foreign denoiser may write into what it is given.
    output = denoiser(inputs.copy() if isinstance(inputs, np.ndarray) else inputs)
    if not isinstance(output, jax.Array):
        output = np.asarray(output)
    if output.shape != inputs.shape:
        raise errors.refuse("output of the denoiser", output.shape, f"shape {inputs.shape}")
    finite("output of the denoiser", output)
    return output


def finite(name: str, samples: Float[Array | np.ndarray, "..."]) -> None:
    """Refuse samples that are not finite numbers; traced arrays pass unseen.

    Raises:
        InvalidInput: names the first sample that holds a NaN or an infinity.
    """
    if isinstance(samples, jax.core.Tracer):
        return
    if np.ndim(samples) < 3:
        raise errors.refuse(name, np.shape(samples), "shape (batch, *space, channels)")
    if np.shape(samples)[0] == 0:
        raise errors.refuse(name, np.shape(samples), "at least one sample")
    bad = ~np.isfinite(np.asarray(samples)).reshape(np.shape(samples)[0], -1).all(axis=1)
    if bad.any():
        raise errors.refuse(f"{name}, sample {int(np.argmax(bad))}", "NaN or infinity", "finite")


def per_sample(values: Float[Array, "batch *space channels"]) -> Float[Array, " batch"]:
    """Mean over everything but the batch, so that intervals can be taken afterwards."""
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))
