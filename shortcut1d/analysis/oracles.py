"""Denoisers whose answer is known, to calibrate every measure on.

Each takes and gives `(batch, *space, channels)`; a basis is a matrix over the flattened samples.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples

JaxDenoiser = Callable[[Array], Array]


def basis_of(samples: Samples, tolerance: float = 1e-5) -> Float[np.ndarray, "size rank"]:
    """Orthonormal basis of the subspace that `samples` span.

    Args:
        samples: draws of a family.
        tolerance: singular values below this share of the largest count as 0.

    Raises:
        InvalidInput: silence spans nothing.
    """
    flat = np.asarray(samples, np.float64).reshape(len(samples), -1)
    _, values, rows = np.linalg.svd(flat, full_matrices=False)
    rank = int(np.sum(values > tolerance * values[0]))
    if values[0] == 0:
        raise errors.refuse("samples", "silence", "samples that span a subspace")
    return rows[:rank].T


def projector(basis: Float[np.ndarray, "size rank"]) -> JaxDenoiser:
    """Keeps the known content subspace and nothing else, `J = P_C`: the content-fitted oracle."""
    rows = jnp.asarray(basis, jnp.float32)

    def project(x: Array) -> Array:
        return (x.reshape(len(x), -1) @ rows @ rows.T).reshape(x.shape)

    return project


def subtractor(basis: Float[np.ndarray, "size rank"]) -> JaxDenoiser:
    """Takes away the known degradation subspace, `J = I - P_D`: the degradation-fitted oracle."""
    of_degradation = projector(basis)
    return lambda x: x - of_degradation(x)


def mixture(alpha: float, one: Denoiser, other: Denoiser) -> Denoiser:
    """`alpha * one + (1 - alpha) * other`."""
    errors.number("alpha", alpha, low=0, high=1)
    return lambda x: alpha * one(x) + (1 - alpha) * other(x)


def identity(x: Array) -> Array:
    """Does nothing."""
    return x


def zero(x: Array) -> Array:
    """Silence."""
    return 0 * x
