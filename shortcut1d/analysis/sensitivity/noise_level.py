"""How an output depends on the noise: its error by level, with or without a clean sample."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.denoiser import (
    Denoiser,
    Samples,
    checked_key,
    floats,
    output_of,
    per_sample,
)
from shortcut1d.analysis.fidelity import psnr
from shortcut1d.analysis.novelty import novelty_response
from shortcut1d.analysis.products import products_of


def noise_sweep(
    denoiser: Denoiser,
    clean: Samples,
    levels: Sequence[float] | Float[Array | np.ndarray, " levels"],
    key: PRNGKeyArray,
    *,
    peak: float = 1.0,
    batch: int = 64,
) -> Float[Array, "levels batch"]:
    """PSNR of each sample's output at each level of white Gaussian noise, dB.

    A denoiser trained at some levels often fails at the others, one without additive constants less
    so (Mohan et al. 2020). All levels scale the same draw, so that they differ by nothing else.

    Args:
        denoiser: any callable on arrays; the level is not given to it.
        clean: samples without noise.
        levels: standard deviations of the noise, in the samples' unit; at least 0.
        key: for the noise.
        peak: largest value that a sample can have, less the least; see `psnr`.
        batch: samples that the denoiser is given at once.

    Raises:
        InvalidInput: no level, a negative one, a bad option; samples or outputs that are not
            finite.
    """
    clean = floats("clean", clean)
    given = errors.non_empty("levels", levels, "one standard deviation or more")
    sizes = [errors.number("levels", level, low=0) for level in given]
    batch = errors.integer("batch", batch)
    # Drawn flat: XLA's CPU back end takes seconds to compile a draw with a short last axis.
    draw = jax.random.normal(checked_key(key), (clean.size,), jnp.float32)
    noise = np.asarray(draw).reshape(clean.shape)
    parts = [slice(first, first + batch) for first in range(0, len(clean), batch)]

    def at_level(size: float, part: slice) -> Array:
        output = output_of(denoiser, clean[part] + size * noise[part])
        return psnr(output, clean[part], peak)

    return jnp.stack([jnp.concatenate([at_level(size, part) for part in parts]) for size in sizes])


def sure(
    denoiser: Denoiser,
    noisy: Samples,
    level: float,
    key: PRNGKeyArray,
    *,
    probes: int = 1,
    method: str = "auto",
    step: float = 1e-3,
) -> Float[Array, " batch"]:
    """Stein's unbiased estimate of each output's mean square error, without the clean sample.

    `mean((f(y) - y)^2) - s^2 + 2 s^2 div f(y) / n` (Stein 1981), for white Gaussian noise of
    standard deviation `s` on `n` values; the divergence from random signs (Ramani, Blu and Unser
    2008). Single values may be negative; the mean over samples is what is unbiased.

    Args:
        denoiser: any callable on arrays, with few discontinuities.
        noisy: samples with noise of this level.
        level: standard deviation of the noise, in the samples' unit; above 0.
        key: for the random signs.
        probes: random directions a sample; more of them make the divergence more exact.
        method: how Jacobian products are computed; see `products_of`.
        step: of a finite difference; see `products_of`.

    Raises:
        InvalidInput: a level that is not above 0, a bad option; samples or outputs that are not
            finite.
    """
    level = errors.number("level", level, above=0)
    probes = errors.integer("probes", probes)
    noisy = floats("noisy", noisy)
    output = jnp.asarray(output_of(denoiser, noisy))
    found = novelty_response(denoiser, noisy, key, probes=probes, method=method, step=step)
    # Its draws are `<v, J v> / n`, since random signs all have the energy `n`.
    divergence = jnp.mean(found.draws.reshape(probes, len(noisy)), axis=0)
    change = per_sample((output - jnp.asarray(noisy)) ** 2)
    return change - level**2 + 2 * level**2 * divergence


def bias_share(
    denoiser: Denoiser, inputs: Samples, *, method: str = "auto", step: float = 1e-3
) -> Float[Array, " batch"]:
    """How much of each output does not scale with the input, `|f(y) - J y| / |f(y)|`.

    A network of linear layers and rectifiers is `f(y) = J y + b` around each input `y`. Without
    additive constants `b` is 0, and the network is ready for noise levels that it was not trained
    on; with them `b` grows at such levels (Mohan, Kadkhodaie, Simoncelli and Fernandez-Granda
    2020). For any other denoiser, `b` is the value of its tangent at `y` for an input of 0.

    Args:
        denoiser: any callable on arrays.
        inputs: degraded samples.
        method: how Jacobian products are computed; see `products_of`.
        step: of a finite difference; see `products_of`.

    Returns:
        0 for a denoiser without bias, also where its output is 0; infinite where the
        output is 0 and `J y` is not.

    Raises:
        InvalidInput: inputs or outputs that are not finite; a bad option.
    """
    inputs = floats("inputs", inputs)
    output = jnp.asarray(output_of(denoiser, inputs))
    products = products_of(denoiser, inputs, method, step)
    bias = jnp.sqrt(per_sample((output - jnp.asarray(products.jvp(inputs))) ** 2))
    return jnp.where(bias > 0, bias / jnp.sqrt(per_sample(output**2)), 0.0)
