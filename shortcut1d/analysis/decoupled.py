"""The output taken apart into content, degradation and the rest."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d.analysis.denoiser import Samples, per_sample


class Gains(NamedTuple):
    """Least squares of the output on content and layer, `out = a c + b d + e`.

    content: `a`. degradation: `b`, the leakage. unexplained: `|e|^2 / |out|^2`. One a sample.
    """

    content: Float[Array, " batch"]
    degradation: Float[Array, " batch"]
    unexplained: Float[Array, " batch"]


def component_gains(output: Samples, content: Samples, degraded: Samples) -> Gains:
    """How much of the content and of the layer `d = y - c` is in the output.

    (1, 0) is perfect, (1, 1) does nothing. A silent content or layer has a gain of 0, and an
    output of silence is explained.

    Args:
        output: of the denoiser at `degraded`.
        content: clean samples.
        degraded: what the denoiser was given.
    """
    out, c = jnp.asarray(output), jnp.asarray(content)
    d = jnp.asarray(degraded) - c
    cc, cd, dd = per_sample(c * c), per_sample(c * d), per_sample(d * d)
    oc, od = per_sample(out * c), per_sample(out * d)
    # Normal equations by hand: a 2 x 2 solve per sample, with parallel components guarded.
    parallel = cc * dd - cd**2 <= 1e-6 * cc * dd
    determinant = jnp.where(parallel, 1.0, cc * dd - cd**2)
    of_content = jnp.where(
        parallel, oc / jnp.where(cc > 0, cc, 1.0), (dd * oc - cd * od) / determinant
    )
    of_layer = jnp.where(
        parallel,
        jnp.where(cc > 0, 0.0, od / jnp.where(dd > 0, dd, 1.0)),
        (cc * od - cd * oc) / determinant,
    )
    shape = (-1,) + (1,) * (out.ndim - 1)
    rest = per_sample((out - of_content.reshape(shape) * c - of_layer.reshape(shape) * d) ** 2)
    power = per_sample(out**2)
    return Gains(
        of_content, of_layer, jnp.where(power > 0, rest / jnp.where(power > 0, power, 1.0), 0.0)
    )


def share_in_span(
    samples: Samples, basis: Float[Array | np.ndarray, "size rank"]
) -> Float[Array, ""]:
    """Share of the samples' energy that lies in a subspace, in [0, 1]; 0 for silence.

    Args:
        samples: usually outputs of a denoiser.
        basis: orthonormal, over the flattened samples; `oracles.basis_of` makes one from draws.
    """
    flat = jnp.asarray(samples).reshape(len(samples), -1)
    energy = jnp.sum(flat**2)
    return jnp.sum((flat @ jnp.asarray(basis)) ** 2) / jnp.where(energy > 0, energy, 1.0)
