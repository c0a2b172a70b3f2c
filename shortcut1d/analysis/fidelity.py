"""Fidelity of an output to the clean picture: the usual measures of image restoration."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Samples, comparable, per_sample

Batch = Float[Array, "batch *space channels"]
TAPS = 11  # of the window of `ssim`
SPREAD = 1.5  # standard deviation of that window, samples
CACHED = 2**18  # values that fit a core's cache
MID_GREY = 0.5  # a picture's silence; from black, mean brightness would count as content


def psnr(output: Samples, content: Samples, peak: float = 1.0) -> Float[Array, " batch"]:
    """Peak signal-to-noise ratio, `10 log10(peak^2 / mean((out - c)^2))`, dB; infinite if equal.

    Raises:
        InvalidInput: another shape than the content's, or a peak that is not above 0.
    """
    peak = errors.number("peak", peak, above=0)
    first, second = comparable(output=output, content=content)
    error = per_sample((first - second) ** 2)
    return 10 * jnp.log10(peak**2 / error)


def ssim(output: Samples, content: Samples, peak: float = 1.0) -> Float[Array, " batch"]:
    """Structural similarity, 1 if equal; mean over channels and all windows inside the sample.

    A Gaussian window of 11 samples and standard deviation 1.5 along every spatial axis (Wang et al.
    2004); the same as scikit-image's with `gaussian_weights=True, use_sample_covariance=False`.

    Args:
        output: of the denoiser.
        content: clean samples.
        peak: largest value that a sample can have, less the least.

    Raises:
        InvalidInput: an axis shorter than the window, or as for `psnr`.
    """
    first, second = comparable(output=output, content=content)
    if min(first.shape[1:-1]) < TAPS:
        raise errors.refuse("output", first.shape, f"at least {TAPS} samples along every axis")
    peak = errors.number("peak", peak, above=0)
    if isinstance(first, jax.core.Tracer):
        return _ssim(first, second, peak)
    # A few samples at a time: large arrays would go to memory after each of a hundred operations.
    few = max(1, CACHED // (first.size // len(first)))
    parts = [slice(n, n + few) for n in range(0, len(first), few)]
    return jnp.concatenate([_ssim(first[part], second[part], peak) for part in parts])


def _ssim(first: Batch, second: Batch, peak: float) -> Float[Array, " batch"]:
    mean_1, mean_2 = _local_mean(first), _local_mean(second)
    variances = _local_mean(first**2) - mean_1**2 + _local_mean(second**2) - mean_2**2
    covariance = _local_mean(first * second) - mean_1 * mean_2
    of_means, of_variances = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    likeness = (2 * mean_1 * mean_2 + of_means) * (2 * covariance + of_variances)
    return per_sample(likeness / ((mean_1**2 + mean_2**2 + of_means) * (variances + of_variances)))


def _local_mean(x: Batch) -> Float[Array, "batch *fewer channels"]:
    for axis in range(1, x.ndim - 1):
        x = _along(x, axis)
    return x


# One compiled program for each axis. Single operations take ten times as long; in one program for
# all axes, XLA computes the first axis's result again for each tap of the next.
@functools.partial(jax.jit, static_argnames="axis")
def _along(x: Batch, axis: int) -> Float[Array, "batch *fewer channels"]:
    weights = np.exp(-0.5 * ((np.arange(TAPS) - TAPS // 2) / SPREAD) ** 2)
    weights /= weights.sum()
    count = x.shape[axis] - TAPS + 1
    parts = [
        weight * jax.lax.slice_in_dim(x, start, start + count, axis=axis)
        for start, weight in enumerate(weights)
    ]
    return sum(parts[1:], parts[0])
