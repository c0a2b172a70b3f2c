"""The Gaussian twin of samples: the process with their mean and spectrum, and nothing else."""

import math
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.data.family import Additive, Batch, draw
from shortcut1d.data.pytrees import pytree

DRAWS = 8192  # of a family, to take its spectrum from


@pytree
class Gaussian(Additive):
    """A stationary Gaussian process, periodic over the window: a content or a residual.

    mean: of each channel; traced `(channels,)`.
    root: Hermitian square root of the cross-spectral density of the channels at each frequency of
        `fftn`, so that white noise times `root` has that density; traced
        `(*space, channels, channels)`.
    """

    mean: Float[Array, "..."]
    root: Complex[Array, "..."]

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` draws of shape `(*space, channels)`."""
        shape = self.root.shape[:-1]
        axes = tuple(range(1, len(shape)))
        white = jnp.fft.fftn(jax.random.normal(key, (n, *shape)), axes=axes)
        colored = jnp.einsum("...ij,...j->...i", self.root, white)
        return jnp.real(jnp.fft.ifftn(colored, axes=axes)) + self.mean

    def unseen(self) -> Self:
        """The same process: it has nothing but its spectrum, so nothing can be held out."""
        return self


def twin_of(samples: Any) -> Gaussian:
    """The Gaussian process with the mean and the mean power spectrum of samples.

    Several channels keep their cross-spectra. The spectrum is averaged over all samples: the twin
    of a single note would still be a note.

    Args:
        samples: `(n, *space, channels)`, at least two.

    Raises:
        InvalidInput: fewer than two samples, or some that are not finite numbers.
    """
    values = errors.numbers("samples", samples, axes=3)
    if len(values) < 2 or not np.all(np.isfinite(values)):
        raise errors.refuse("samples", f"shape {values.shape}", "two or more, of finite numbers")
    axes = tuple(range(1, values.ndim - 1))
    mean = values.mean(axis=(0, *axes))
    spectra = np.fft.fftn(values - mean, axes=axes) / math.sqrt(math.prod(values.shape[1:-1]))
    density = np.einsum("n...i,n...j->...ij", spectra, spectra.conj()) / len(values)
    power, directions = np.linalg.eigh(density)
    scaled = directions * np.sqrt(np.maximum(power, 0.0))[..., None, :]
    root = scaled @ np.swapaxes(directions.conj(), -1, -2)
    return Gaussian(mean.astype(np.float32), root.astype(np.complex64))


def twin_of_content(family: Any, key: PRNGKeyArray) -> Gaussian:
    """The twin of a content family, from 8192 of its draws."""
    return twin_of(draw(family, key, DRAWS))


def twin_of_residual(family: Any, key: PRNGKeyArray) -> Gaussian:
    """The twin of the residual of an additive degradation, from 8192 of its draws.

    Raises:
        InvalidInput: what it adds depends on the content.
    """
    if not isinstance(family, Additive):
        raise errors.refuse("degradation", family, "an additive one, such as clicks or hiss")
    return twin_of(draw(family, key, DRAWS))
