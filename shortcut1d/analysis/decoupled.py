"""Decomposition of an output into content, degradation and the rest."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Samples, comparable, per_sample

FAINT = 1e-3  # share of its energy below which a component is ignored in a band


class Gains(NamedTuple):
    """Least squares of the output on content and residual, `out = a c + b d + e`.

    content: `a`. degradation: `b`, the leakage. unexplained: `|e|^2 / |out|^2`. One value a sample.
    """

    content: Float[Array, " batch"]
    degradation: Float[Array, " batch"]
    unexplained: Float[Array, " batch"]


def component_gains(output: Samples, content: Samples, degraded: Samples) -> Gains:
    """How much of the content and of the residual `d = y - c` is in the output.

    (1, 0) is perfect, (1, 1) does nothing. A silent content or residual has a gain of 0, and a
    silent output has `unexplained` 0.

    Args:
        output: of the denoiser at `degraded`.
        content: clean samples.
        degraded: what the denoiser was given.

    Raises:
        InvalidInput: arrays that are not of one shape, or not finite.
    """
    out, c, y = _in_reach(comparable(output=output, content=content, degraded=degraded))
    d = y - c
    of_content, of_residual = _least_squares(
        per_sample(c * c), per_sample(c * d), per_sample(d * d), per_sample(out * c),
        per_sample(out * d),
    )  # fmt: skip
    rest = _unexplained(out, c, d, of_content, of_residual)
    power = _heard(per_sample(out**2), per_sample(y**2))
    return Gains(of_content, of_residual, _ratio(per_sample(rest**2), power))


def band_gains(
    output: Samples,
    content: Samples,
    degraded: Samples,
    edges: Float[np.ndarray, " bands_and_one"] | Sequence[float],
) -> Gains:
    """`component_gains` frequency band by frequency band: which part of the spectrum leaks.

    Frequency is the length of the wave vector, in cycles per window; least squares over all
    samples together, since one sample may be silent in a band.

    Args:
        output: of the denoiser at `degraded`.
        content: clean samples.
        degraded: what the denoiser was given.
        edges: rising; band `i` holds the frequencies from `edges[i]` up to below `edges[i + 1]`.

    Returns:
        one number for each band. A component's gain is NaN in a band with less than a thousandth of
        its energy; `unexplained` is NaN where this is true of the output.

    Raises:
        InvalidInput: edges that do not rise; arrays that are not of one shape, or not finite.
    """
    bounds = errors.numbers("edges", edges)
    if bounds.ndim != 1 or bounds.size < 2 or not np.all(np.diff(bounds) > 0):
        raise errors.refuse("edges", tuple(bounds.ravel()), "at least two, each above the last")
    out, c, y = _in_reach(comparable(output=output, content=content, degraded=degraded))
    d = y - c
    space = out.shape[1:-1]
    axes = tuple(range(1, out.ndim - 1))
    waves = np.meshgrid(*[size * np.fft.fftfreq(size) for size in space], indexing="ij")
    band = np.digitize(np.sqrt(sum(wave**2 for wave in waves)), bounds) - 1
    inside = np.eye(bounds.size + 1)[band][..., : bounds.size - 1]  # the rest is in no band
    spectra = [jnp.fft.fftn(part, axes=axes) for part in (out, c, d)]

    def inner(one: Array, other: Array) -> Array:
        products = jnp.sum(jnp.real(one * jnp.conj(other)), axis=(0, -1))
        return jnp.tensordot(products, jnp.asarray(inside, products.dtype), axes=len(space))

    o, c, d = spectra
    oo, cc, cd, dd = inner(o, o), inner(c, c), inner(c, d), inner(d, d)
    oc, od = inner(o, c), inner(o, d)
    total_o, total_c, total_d = (jnp.sum(jnp.abs(spectrum) ** 2) for spectrum in spectra)
    has_c, has_d = cc > FAINT * total_c, dd > FAINT * total_d
    cc, dd = jnp.where(has_c, cc, 0.0), jnp.where(has_d, dd, 0.0)
    cd = jnp.where(has_c & has_d, cd, 0.0)
    a, b = _least_squares(cc, cd, dd, jnp.where(has_c, oc, 0.0), jnp.where(has_d, od, 0.0))
    rest = oo - 2 * (a * oc + b * od) + a**2 * cc + 2 * a * b * cd + b**2 * dd
    return Gains(
        jnp.where(has_c, a, jnp.nan),
        jnp.where(has_d, b, jnp.nan),
        jnp.where(oo > FAINT * total_o, _ratio(jnp.maximum(rest, 0.0), oo), jnp.nan),
    )


def hallucination(
    output: Samples, content: Samples, degraded: Samples, basis: Float[Array | np.ndarray, "..."]
) -> Float[Array, " batch"]:
    """Share of the output that is neither content nor residual, but training content.

    The energy of `e` of `component_gains` within the span of the training content, over the energy
    of the output; in [0, 1].

    Args:
        output: of the denoiser at `degraded`.
        content: clean samples.
        degraded: what the denoiser was given.
        basis: `(size, rank)`, orthonormal, of the training content (see `oracles.basis_of`).

    Raises:
        InvalidInput: arrays that are not of one shape, or not finite; a basis of another size.
    """
    out, c, y = _in_reach(comparable(output=output, content=content, degraded=degraded))
    gains = component_gains(out, c, y)
    rest = _unexplained(out, c, y - c, gains.content, gains.degradation)
    inside = rest.reshape(len(rest), -1) @ _checked_basis(basis, out)
    power = _heard(per_sample(out**2), per_sample(y**2))
    return _ratio(jnp.sum(inside**2, axis=1) / (out.size / len(out)), power)


def decoupled_errors(
    output: Samples,
    content: Samples,
    degraded: Samples,
    mask: Bool[Array | np.ndarray, "batch *space channels"] | None = None,
    threshold: float = 50 / 255,
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """`E_R` and `E_B`: root mean square error to the clean sample on and off the degradation.

    A denoiser that ignores the rain has a large `E_R`, one that harms the background a large `E_B`
    (Gu et al. 2023, section 3).

    Args:
        output: of the denoiser at `degraded`.
        content: clean samples.
        degraded: what the denoiser was given.
        mask: where the degradation is; by default where `|y - c|` exceeds the threshold.
        threshold: in the samples' unit; the default is the papers', for images in [0, 1].

    Returns:
        `(E_R, E_B)`, one value for each sample; NaN for `E_R` where nothing is degraded, for `E_B`
        where everything is.

    Raises:
        InvalidInput: arrays that are not of one shape, or not finite; a threshold below 0.
    """
    out, c, y = comparable(output=output, content=content, degraded=degraded)
    threshold = errors.number("threshold", threshold, low=0)
    if mask is None:
        mask = jnp.abs(y - c) > threshold
    elif getattr(mask, "shape", None) != out.shape or mask.dtype != np.bool_:
        raise errors.refuse("mask", type(mask).__name__, f"truth values of shape {out.shape}")
    error = (out - c) ** 2

    def over(where: Array) -> Array:
        count = per_sample(1.0 * where)
        return jnp.where(count > 0, jnp.sqrt(per_sample(where * error) / count), jnp.nan)

    return over(jnp.asarray(mask)), over(~jnp.asarray(mask))


def share_in_span(
    samples: Samples, basis: Float[Array | np.ndarray, "size rank"]
) -> Float[Array, ""]:
    """Share of the samples' energy that lies in a subspace, in [0, 1]; 0 for silence.

    Args:
        samples: usually outputs of a denoiser.
        basis: orthonormal, over the flattened samples; `oracles.basis_of` makes one from draws.

    Raises:
        InvalidInput: samples that are not finite, a basis of another size.
    """
    (values,) = comparable(samples=samples)
    flat = values.reshape(len(values), -1)
    energy = jnp.sum(flat**2)
    inside = flat @ _checked_basis(basis, values)
    return jnp.sum(inside**2) / jnp.where(energy > 0, energy, 1.0)


def _in_reach(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    """All arrays times one power of two, so that the largest value is about 1.

    In float32, products of energies leave its range for samples of 1e-10 or of 1e10. Traced arrays
    are left as they are.
    """
    if any(isinstance(part, jax.core.Tracer) for part in parts):
        return parts
    largest = max(float(jnp.max(jnp.abs(part))) for part in parts)
    scale = 2.0 ** -math.frexp(largest)[1]
    return tuple(part * scale for part in parts)


def _checked_basis(basis: Any, samples: Array) -> Float[Array, "size rank"]:
    size = samples.size // len(samples)
    if not isinstance(basis, jax.Array):  # which may be traced
        basis = errors.numbers("basis", basis, axes=2)
    if basis.ndim != 2 or basis.shape[0] != size:
        raise errors.refuse("basis", basis.shape, f"shape ({size}, rank)")
    return jnp.asarray(basis, samples.dtype)


def _least_squares(cc: Array, cd: Array, dd: Array, oc: Array, od: Array) -> tuple[Array, Array]:
    """Gains of content and residual from inner products; of parallel ones content gets all."""
    parallel = cc * dd - cd**2 <= 1e-6 * cc * dd
    determinant = jnp.where(parallel, 1.0, cc * dd - cd**2)
    alone_c = oc / jnp.where(cc > 0, cc, 1.0)
    alone_d = jnp.where(cc > 0, 0.0, od / jnp.where(dd > 0, dd, 1.0))
    of_content = jnp.where(parallel, alone_c, (dd * oc - cd * od) / determinant)
    return of_content, jnp.where(parallel, alone_d, (cc * od - cd * oc) / determinant)


def _unexplained(out: Array, c: Array, d: Array, of_content: Array, of_residual: Array) -> Array:
    shape = (-1,) + (1,) * (out.ndim - 1)
    return out - of_content.reshape(shape) * c - of_residual.reshape(shape) * d


def _ratio(part: Array, whole: Array) -> Array:
    """`part / whole`; 0 where the whole is 0."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), 0.0)


def _heard(power: Array, given: Array) -> Array:
    """Power of the output; 0 where it is no more than rounding of the input."""
    return jnp.where(power > 1e-10 * given, power, 0.0)
