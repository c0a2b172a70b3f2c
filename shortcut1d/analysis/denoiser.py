"""Calls to a denoiser, which is any callable on arrays, and checks of its samples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Real, Shaped

from shortcut1d import errors

Samples = Real[Array | np.ndarray, "batch *space channels"]
Denoiser = Callable[[Any], Any]


def output_of(denoiser: Denoiser, inputs: Samples) -> Samples:
    """`denoiser(inputs)`, checked: same shape, finite.

    Args:
        denoiser: NumPy or JAX callable, `(batch, *space, channels)` to the same shape.
        inputs: degraded samples, NumPy or JAX.

    Raises:
        InvalidInput: inputs or outputs that are not finite (the message says which sample), an
            output of another shape. What the denoiser itself raises is passed on.
    """
    inputs = floats("inputs", inputs)
    # A copy, since a foreign denoiser may write into its input.
    output = denoiser(inputs.copy() if isinstance(inputs, np.ndarray) else inputs)
    if not isinstance(output, jax.Array):
        output = np.asarray(output)
    if output.shape != inputs.shape:
        raise errors.refuse("output of the denoiser", output.shape, f"shape {inputs.shape}")
    finite("output of the denoiser", output)
    return output


def finite(name: str, samples: Shaped[Array | np.ndarray, "..."]) -> None:
    """Refuse samples that are not finite numbers; traced arrays are not checked.

    Raises:
        InvalidInput: not an array of numbers, fewer than three axes, or no sample; a NaN or an
            infinity, with the first sample that holds one.
    """
    if isinstance(samples, jax.core.Tracer):
        return
    if not isinstance(samples, np.ndarray | jax.Array):
        raise errors.refuse(name, type(samples).__name__, "a NumPy or JAX array")
    if samples.dtype.kind not in "fiubV":  # V: JAX's own kinds, such as bfloat16
        raise errors.refuse(name, f"an array of {samples.dtype}", "an array of numbers")
    if np.ndim(samples) < 3:
        raise errors.refuse(name, np.shape(samples), "shape (batch, *space, channels)")
    if np.size(samples) == 0:
        raise errors.refuse(name, np.shape(samples), "at least one sample")
    bad = ~np.isfinite(np.asarray(samples)).reshape(np.shape(samples)[0], -1).all(axis=1)
    if bad.any():
        raise errors.refuse(f"{name}, sample {int(np.argmax(bad))}", "NaN or infinity", "finite")


def floats(name: str, samples: Samples) -> Samples:
    """`as_floats(samples)`, if they are finite.

    Raises:
        InvalidInput: see `finite`.
    """
    finite(name, samples)
    return as_floats(samples)


def as_floats(samples: Any) -> Any:
    """As float32 or float64: differences of bytes wrap round, of half precision they are coarse."""
    return samples if samples.dtype in (np.float32, np.float64) else samples.astype(np.float32)


def comparable(**samples: Samples) -> tuple[Float[Array, "batch *space channels"], ...]:
    """Named samples of one shape, as floating-point arrays.

    Pictures are often bytes, whose differences would wrap round.

    Raises:
        InvalidInput: samples that are not arrays, not of the shape of the first, or not finite
            (traced arrays are not checked for that).
    """
    first, *_ = samples
    for name, values in samples.items():
        finite(name, values)
        if np.shape(values) != np.shape(samples[first]):
            raise errors.refuse(name, np.shape(values), f"shape {np.shape(samples[first])}")
    return tuple(jnp.asarray(as_floats(values)) for values in samples.values())


def applied(
    degradation: Any, content: Samples, realisation: Any
) -> Real[np.ndarray, "batch *space channels"]:
    """`degradation.apply(content, realisation)`, in the shape of the content.

    Raises:
        InvalidInput: it has another shape, or the degradation cannot be applied.
    """
    shape = np.shape(content)[1:]
    try:
        found = np.asarray(degradation.apply(content, realisation))
    except errors.Shortcut1dError:
        raise
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:80]
        raise errors.InvalidInput(
            f"degradation: does not apply to samples of shape {shape} ({said})"
        ) from error
    if found.shape != np.shape(content):
        raise errors.refuse("degradation", found.shape[1:], f"samples of shape {shape}")
    return found


def checked_key(key: Any) -> PRNGKeyArray:
    """`key`, if it is a JAX random key.

    Raises:
        InvalidInput: it is not.
    """
    if isinstance(key, jax.Array) and (
        jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key) or key.dtype == jnp.uint32
    ):
        return key
    raise errors.refuse("key", key, "a key, such as jax.random.key(0)")


def key_or_zero(key: Any) -> PRNGKeyArray:
    """`checked_key(key)`; `jax.random.key(0)` for None."""
    return jax.random.key(0) if key is None else checked_key(key)


def per_sample(values: Float[Array, "batch *space channels"]) -> Float[Array, " batch"]:
    """Mean over everything but the batch, so that intervals can be taken afterwards."""
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))
