"""Denoisers with known answers, to calibrate every measure on.

Each takes and gives `(batch, *space, channels)`; a basis is a matrix over the flattened samples.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, finite

JaxDenoiser = Callable[[Any], Any]


def basis_of(samples: Samples, tolerance: float = 1e-5) -> Float[np.ndarray, "size rank"]:
    """Orthonormal basis of the subspace that `samples` span.

    Args:
        samples: draws of a family.
        tolerance: singular values below this share of the largest count as 0.

    Raises:
        InvalidInput: silence, which spans nothing; samples that are not finite.
    """
    tolerance = errors.number("tolerance", tolerance, low=0, below=1)
    finite("samples", samples)
    flat = np.asarray(samples, np.float64).reshape(len(samples), -1)
    _, values, rows = np.linalg.svd(flat, full_matrices=False)
    rank = int(np.sum(values > tolerance * values[0]))
    if values[0] == 0:
        raise errors.refuse("samples", "silence", "samples that span a subspace")
    return rows[:rank].T


def projector(basis: Float[np.ndarray, "size rank"]) -> JaxDenoiser:
    """Keeps the known content subspace and nothing else, `J = P_C`: the content-fitted oracle."""
    rows = jnp.asarray(_checked_basis("basis", basis), jnp.float32)

    def project(x: Samples) -> Samples:
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


def complement(*bases: Float[np.ndarray, "size _"]) -> Float[np.ndarray, "size rest"]:
    """Orthonormal basis of the directions that are orthogonal to all of the subspaces.

    Raises:
        InvalidInput: no basis, bases of different sizes, or bases that span the whole space.
    """
    if not bases:
        raise errors.refuse("bases", bases, "at least one")
    checked = [_checked_basis("bases", basis) for basis in bases]
    if len({len(basis) for basis in checked}) > 1:
        raise errors.refuse("bases", [basis.shape for basis in checked], "bases of one size")
    together = np.concatenate(checked, axis=1)
    left, values, _ = np.linalg.svd(together)
    rest = left[:, int(np.sum(values > 1e-5 * values[0])) :]
    if not rest.size:
        raise errors.refuse("bases", [b.shape for b in bases], "some direction outside of them")
    return rest


def wiener(
    content: Float[np.ndarray, "*space channels"], residual: Float[np.ndarray, "*space channels"]
) -> JaxDenoiser:
    """The best denoiser of a stationary Gaussian content under a stationary Gaussian residual.

    It multiplies each frequency by `S_c / (S_c + S_d)` (Wiener 1949). Periodic, channel by channel.

    Args:
        content: power spectrum over the frequencies of `jnp.fft.fftn`, as `power_spectrum` gives.
        residual: power spectrum, as for the content.

    Raises:
        InvalidInput: spectra of two shapes, or negative power.
    """
    gain = jnp.asarray(wiener_gain(content, residual), jnp.float32)

    def denoise(x: Samples) -> Samples:
        axes = tuple(range(1, x.ndim - 1))
        return jnp.real(jnp.fft.ifftn(gain * jnp.fft.fftn(x, axes=axes), axes=axes))

    return denoise


def wiener_risk(
    content: Float[np.ndarray, "*space channels"], residual: Float[np.ndarray, "*space channels"]
) -> float:
    """Mean square error of `wiener`, the least that any denoiser of these families can have."""
    return float(np.sum(wiener_gain(content, residual) * np.asarray(residual, np.float64)))


def power_spectrum(samples: Samples) -> Float[np.ndarray, "*space channels"]:
    """Mean power at each frequency of `fftn`; its sum over frequencies is the mean square.

    Raises:
        InvalidInput: samples that are not finite.
    """
    finite("samples", samples)
    values = np.asarray(samples, np.float64)
    axes = tuple(range(1, values.ndim - 1))
    size = math.prod(values.shape[1:-1])
    return np.mean(np.abs(np.fft.fftn(values, axes=axes)) ** 2, axis=0) / size**2


def posterior_mean(pool: Samples, sigma: float) -> JaxDenoiser:
    """The best denoiser of a finite pool of contents in white noise, in closed form.

    `E[c | y] = sum_i w_i c_i`, `w = softmax(-|y - c_i|^2 / (2 sigma^2))`.

    Args:
        pool: the contents, equally likely.
        sigma: standard deviation of the noise.

    Raises:
        InvalidInput: contents that are not finite, or a `sigma` that is not above 0.
    """
    errors.number("sigma", sigma, above=0)
    finite("pool", pool)
    members = jnp.asarray(pool, jnp.float32).reshape(len(pool), -1)
    halves = 0.5 * jnp.sum(members**2, axis=1)

    def denoise(x: Samples) -> Samples:
        closeness = x.reshape(len(x), -1) @ members.T - halves
        # The largest is subtracted before the division, which a small sigma would make overflow.
        behind = (closeness - jnp.max(closeness, axis=1, keepdims=True)) / sigma / sigma
        return (jax.nn.softmax(behind, axis=1) @ members).reshape(x.shape)

    return denoise


def identity(x: Samples) -> Samples:
    """Does nothing."""
    return x


def zero(x: Samples) -> Samples:
    """Silence."""
    return 0 * x


def _checked_basis(name: str, basis: Any) -> Float[np.ndarray, "size rank"]:
    checked = errors.numbers(name, basis, axes=2)
    if checked.ndim > 2 or not checked.size or not np.all(np.isfinite(checked)):
        raise errors.refuse(name, f"shape {checked.shape}", "finite numbers of shape (size, rank)")
    return checked


def wiener_gain(
    content: Float[np.ndarray, "*space channels"], residual: Float[np.ndarray, "*space channels"]
) -> Float[np.ndarray, "*space channels"]:
    """What `wiener` multiplies each frequency by: `S_c / (S_c + S_d)`, 0 where both are 0.

    Raises:
        InvalidInput: as `wiener`.
    """
    wanted, unwanted = errors.numbers("content", content), errors.numbers("residual", residual)
    if not np.all(np.isfinite(wanted)) or not np.all(np.isfinite(unwanted)):
        raise errors.refuse("spectra", "NaN or infinity", "finite powers")
    if wanted.shape != unwanted.shape:
        raise errors.refuse("spectra", (wanted.shape, unwanted.shape), "two of one shape")
    if min(wanted.min(), unwanted.min()) < 0:
        raise errors.refuse("spectra", min(wanted.min(), unwanted.min()), "no negative power")
    total = wanted + unwanted
    return np.divide(wanted, total, out=np.zeros_like(total), where=total > 0)
