"""The novelty response: what a denoiser does by default with what it does not know."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, finite, output_of

METHODS = ("auto", "jvp", "differences")


class Novelty(NamedTuple):
    """An estimate of `rho(v) = E<v, J v> / E<v, v>`.

    rho: 0 blocks novelty (content fitted), 1 passes it (degradation fitted).
    error: its standard error, over inputs and directions; NaN for a single draw.
    draws: one value for each direction at each input.
    """

    rho: Float[Array, ""]
    error: Float[Array, ""]
    draws: Float[Array, " draws"]


def novelty_response(
    denoiser: Denoiser,
    inputs: Samples,
    key: PRNGKeyArray,
    directions: Float[Array | np.ndarray, "..."] | None = None,
    *,
    probes: int = 4,
    method: str = "auto",
    step: float = 1e-3,
) -> Novelty:
    """`rho(v) = E<v, J v> / E<v, v>`, `J` the Jacobian of the denoiser at its training inputs.

    For white `v` it is the normalised divergence: Hutchinson's estimate of `tr(J) / size`, the
    effective degrees of freedom in Stein's unbiased risk estimate (Ramani, Blu and Unser 2008).

    Args:
        denoiser: any callable on arrays.
        inputs: degraded samples like those it was trained on.
        key: for the white directions.
        directions: what counts as novel, one for each input: an unseen content or layer.
            By default white (random signs), `probes` of them at each input.
        probes: white directions an input.
        method: "jvp" for exact Jacobian-vector products (JAX callables), "differences" for
            symmetric finite differences (any callable); "auto" takes the first where JAX can
            trace the denoiser.
        step: length of the finite difference, as a share of the inputs' RMS.

    Raises:
        InvalidInput: inputs, directions or outputs that are not finite or do not fit; a bad option.
    """
    errors.choice("method", method, METHODS)
    errors.whole("probes", probes)
    errors.number("step", step, above=0)
    finite("inputs", inputs)
    if directions is None:
        # Drawn flat: XLA's CPU back end takes seconds to compile a draw with a short last axis.
        signs = jax.random.rademacher(key, (probes * inputs.size,), jnp.float32)
        white = signs.reshape(probes, *inputs.shape)
    else:
        finite("directions", directions)
        if directions.shape != inputs.shape:
            raise errors.refuse("directions", directions.shape, f"shape {inputs.shape}")
        white = jnp.asarray(directions)[None]
    if method == "auto":
        method = "jvp" if _traceable(denoiser, inputs) else "differences"
    if method == "jvp":
        point = jnp.asarray(inputs)
        _, push = jax.linearize(denoiser, point)
        moved = jax.lax.map(push, white.astype(point.dtype))
    else:
        moved = jnp.stack([_difference(denoiser, inputs, np.asarray(v), step) for v in white])
    axes = tuple(range(2, white.ndim))
    inner = jnp.sum(white * moved, axis=axes).ravel()
    energy = jnp.mean(jnp.sum(white * white, axis=axes))
    draws = inner / energy
    spread = jnp.std(draws, ddof=1) if draws.size > 1 else jnp.nan
    return Novelty(jnp.mean(draws), spread / jnp.sqrt(draws.size), draws)


def _traceable(denoiser: Denoiser, inputs: Samples) -> bool:
    """Whether JAX can see through the denoiser; a NumPy function raises when handed a tracer."""
    try:
        traced = jax.eval_shape(denoiser, jax.ShapeDtypeStruct(inputs.shape, jnp.float32))
    except Exception:  # whatever a foreign function raises: the finite differences will tell
        return False
    return isinstance(traced, jax.ShapeDtypeStruct)


def _difference(
    denoiser: Denoiser, inputs: Samples, direction: np.ndarray, step: float
) -> Float[np.ndarray, "batch *space channels"]:
    point = np.asarray(inputs)
    if point.dtype.kind != "f":
        point = point.astype(np.float32)
    scale = np.sqrt(np.mean(np.square(point))) or 1.0
    length = step * scale / (np.sqrt(np.mean(np.square(direction))) or 1.0)
    move = (length * direction).astype(point.dtype)
    ahead = np.asarray(output_of(denoiser, point + move), np.float64)
    behind = np.asarray(output_of(denoiser, point - move), np.float64)
    return (ahead - behind) / (2 * length)
