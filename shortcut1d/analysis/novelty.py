"""The novelty response: how much of an unfamiliar direction a denoiser passes on."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, checked_key, finite, floats, output_of
from shortcut1d.analysis.products import products_of


class Novelty(NamedTuple):
    """An estimate of `rho(v) = E<v, J v> / E<v, v>`.

    rho: 0 blocks novelty (content fitted), 1 passes it (degradation fitted).
    error: standard error of `rho`, over inputs and directions; NaN for a single draw.
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
    """`rho(v) = E<v, J v> / E<v, v>`, with `J` the Jacobian of the denoiser at its training inputs.

    For white `v`, `rho` is the normalised divergence: Hutchinson's estimate of `tr(J) / size`, the
    effective degrees of freedom in Stein's unbiased risk estimate (Ramani, Blu and Unser 2008).

    Args:
        denoiser: any callable on arrays.
        inputs: degraded samples like those it was trained on.
        key: for the white directions.
        directions: what counts as novel, one for each input: an unseen content or residual.
            By default white (random signs), `probes` of them at each input.
        probes: white directions at each input.
        method: how Jacobian products are computed; see `products_of`.
        step: of a finite difference; see `products_of`.

    Raises:
        InvalidInput: inputs, directions or outputs that are not finite or of a wrong shape; a bad
                option.
    """
    key = checked_key(key)
    errors.integer("probes", probes)
    inputs = floats("inputs", inputs)
    output_of(denoiser, inputs)  # refuses outputs of another shape, or not finite
    products = products_of(denoiser, inputs, method, step)
    if directions is None:
        # Drawn flat: XLA's CPU back end takes seconds to compile a draw with a short last axis.
        signs = jax.random.rademacher(key, (probes * inputs.size,), jnp.float32)
        white = signs.reshape(probes, *inputs.shape)
    else:
        finite("directions", directions)
        if directions.shape != inputs.shape:
            raise errors.refuse("directions", directions.shape, f"shape {inputs.shape}")
        white = jnp.asarray(directions)[None]
    white = white.astype(jnp.asarray(inputs).dtype)
    moved = products.jvp_all(white)
    axes = tuple(range(2, white.ndim))
    inner = jnp.sum(white * moved, axis=axes).ravel()
    energy = jnp.mean(jnp.sum(white * white, axis=axes))
    draws = inner / jnp.where(energy > 0, energy, 1.0)
    spread = jnp.std(draws, ddof=1) if draws.size > 1 else jnp.nan
    return Novelty(jnp.mean(draws), spread / jnp.sqrt(draws.size), draws)
