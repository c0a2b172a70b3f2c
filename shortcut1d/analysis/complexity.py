"""Complexity of samples before any denoiser is trained, and which component it will fit.

The measures take samples alone, of content or residual. They refuse (InvalidInput) fewer than two
samples, silence, and samples that are not finite. `predict` is the paper's rule that a network fits
the simpler component.
"""

import itertools
import lzma
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped
from scipy.spatial import cKDTree

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Samples, applied, finite, floats, key_or_zero

PROBE_WIDTH, PROBE_BATCH, PROBE_RATE = 128, 16, 3e-3
CHANNELS, TAPS, DILATIONS, STEPS = 16, 9, (1, 2, 4, 4, 2, 1), 300  # of the convolutional probe


def effective_dimension(samples: Samples) -> float:
    """Participation ratio of `E[x x^T]`, `(sum of eigenvalues)^2 / sum of their squares`.

    1 for multiples of one pattern, `size` for white noise. Estimated without a bias from few
    samples: `mean(|x|^2)^2 / mean((x_i . x_j)^2)` over pairs of different samples. The mean is not
    subtracted: a constant is a pattern like any other.

    Args:
        samples: draws of content or residual.

    Returns:
        from 1 up to the size of a sample.
    """
    flat = _checked(samples)
    count = len(flat)
    gram = (flat @ flat.T) ** 2
    apart = (gram.sum() - np.trace(gram)) / (count * (count - 1))
    power = np.mean(np.sum(flat**2, axis=1))
    return float(min(power**2 / apart, flat.shape[1])) if apart > 0 else float(flat.shape[1])


def spectral_entropy(samples: Samples) -> float:
    """How many frequencies the mean power is spread over, `exp(-sum p log p)`.

    `p` is the share of each frequency of the discrete Fourier transform over the spatial axes,
    channels together. From 1 (a constant) and 2 (a sine) up to the number of frequencies (white).
    """
    _checked(samples)
    values = np.asarray(samples, np.float64)
    axes = tuple(range(1, values.ndim - 1))
    power = np.sum(np.mean(np.abs(np.fft.fftn(values, axes=axes)) ** 2, axis=0), axis=-1).ravel()
    share = power[power > 0] / power.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def description_length(samples: Samples, levels: int = 32) -> float:
    """Bits per value after quantisation to `levels` over +-3 RMS, and compression by LZMA.

    A computable upper bound of Kolmogorov complexity. The compressor uses repetition and an uneven
    histogram, and little else.

    Args:
        samples: draws of content or residual.
        levels: number of levels of the quantiser.
    """
    flat = _checked(samples)
    errors.integer("levels", levels, low=2, high=256)
    scale = 3 * np.sqrt(np.mean(flat**2))
    steps = np.clip((flat / scale + 1) / 2 * levels, 0, levels - 1).astype(np.uint8)
    filters = [
        {"id": lzma.FILTER_LZMA2, "preset": 6}
    ]  # raw: no header, which would count for few samples
    packed = lzma.compress(steps.tobytes(), lzma.FORMAT_RAW, filters=filters)
    return 8 * len(packed) / flat.size


def intrinsic_dimension(samples: Samples) -> float:
    """Dimension of the manifold that the samples lie on, from two nearest neighbours.

    `n / sum(log(r_2 / r_1))`, `r_k` the distance to the k-th neighbour (Facco et al. 2017, maximum
    likelihood). Repeated samples count once; 0 where fewer than three are left. Biased downwards
    for high dimensions, where no number of samples is enough.
    """
    flat = np.unique(_checked(samples).astype(np.float32), axis=0).astype(np.float64)
    if len(flat) < 3:
        return 0.0
    distances, _ = cKDTree(flat).query(flat, k=3)
    near, far = distances[:, 1], distances[:, 2]
    apart = near > 1e-6 * far
    logs = np.log(far[apart] / near[apart])
    return float(apart.sum() / logs.sum()) if logs.sum() > 0 else 0.0


def learnability(samples: Samples, key: PRNGKeyArray | None = None) -> float:
    """How slowly a small network learns to reproduce the samples: their prequential code length.

    A probe (two dense layers, 128 hidden units, Adam) sees each batch of 16 once, and is scored on
    it *before* it learns from it; the score is the mean of these errors over the samples' power
    (Dawid 1984; Blier and Ollivier 2018). 0 is known beforehand, 1 never learnt. Compare only equal
    numbers of samples of one size: the more there are, the more can be learnt.

    Args:
        samples: at least 64, in random order; later ones of an easy family cost little.
        key: of the probe's weights.
    """
    flat = _checked(samples, least=4 * PROBE_BATCH)
    flat = flat / np.sqrt(np.mean(flat**2))
    batches = len(flat) // PROBE_BATCH
    cut = flat[: batches * PROBE_BATCH].reshape(batches, PROBE_BATCH, -1).astype(np.float32)
    return float(_prequential(key_or_zero(key), cut))


@jax.jit
def _prequential(key: PRNGKeyArray, batches: Float[Array, "steps batch size"]) -> Float[Array, ""]:
    size = batches.shape[-1]
    keys = jax.random.split(key)
    shapes = ((size, PROBE_WIDTH), (PROBE_WIDTH, size))
    params = [
        jax.random.normal(k, (math.prod(shape),)).reshape(shape) * (2.0 / shape[0]) ** 0.5
        for k, shape in zip(keys, shapes)
    ]
    params[1] = 0.1 * params[1]  # the first outputs are near 0
    optimiser = optax.adam(PROBE_RATE)

    def error(params: list[Array], batch: Array) -> Array:
        return jnp.mean((jax.nn.relu(batch @ params[0]) @ params[1] - batch) ** 2)

    def step(state: Any, batch: Array) -> tuple[Any, Array]:
        params, moments = state
        value, slope = jax.value_and_grad(error)(params, batch)
        update, moments = optimiser.update(slope, moments, params)
        return (optax.apply_updates(params, update), moments), value

    _, errors_before = jax.lax.scan(step, (params, optimiser.init(params)), batches)
    return jnp.mean(errors_before)


def denoising_cost(samples: Samples, key: PRNGKeyArray | None = None) -> float:
    """How hard the samples are to denoise: mean error of a small conv net while it learns to.

    The net (six dilated layers of 16 channels and 9 taps, circular) learns to remove white
    noise of the samples' power: 300 Adam steps on batches of 16, samples drawn with replacement,
    noise drawn anew. The cost is the mean of its errors on each batch *before* it learns from that
    batch, over the samples' power: the prequential code length of a network that is local and
    shift-equivariant, as denoisers are. Few different samples cost little.

    Args:
        samples: draws of content or residual.
        key: of the probe's weights, and of its batches.

    Returns:
        from 0 up; 1 is as good as silence.
    """
    return denoising_cost_of_some(samples, len(_checked(samples)), key)


def denoising_cost_of_some(samples: Samples, count: int, key: PRNGKeyArray | None = None) -> float:
    """`denoising_cost` of the first `count` of the samples; one compilation for all counts."""
    _checked(samples)
    errors.integer("count", count, high=len(samples))
    values = np.asarray(samples, np.float32)
    some = values[:count]
    if not np.any(some):
        raise errors.refuse("samples", "silence", "some signal")
    scale = np.float32(np.sqrt(np.mean(np.square(some, dtype=np.float64))))
    key = key_or_zero(key)
    return float(_denoising_cost(key, values / scale, jnp.int32(count)))


@jax.jit
def _denoising_cost(key: PRNGKeyArray, samples: Samples, count: Int[Array, ""]) -> Float[Array, ""]:
    shape, channels = samples.shape[1:], samples.shape[-1]
    rank = len(shape) - 1
    # About as many taps for any number of axes: 9 in one dimension, 3 by 3 in two.
    kernel = 2 * round((TAPS ** (1 / rank) - 1) / 2) + 1
    widths = [channels, *[CHANNELS] * (len(DILATIONS) - 1), channels]
    key, *keys = jax.random.split(key, len(widths))
    params = []
    for own, (inside, outside) in zip(keys, itertools.pairwise(widths)):
        patch = kernel**rank * inside
        weight = jax.random.normal(own, (patch * outside,)).reshape(patch, outside)
        params.append((weight * (2 / patch) ** 0.5, jnp.zeros(outside)))
    params[-1] = (0.1 * params[-1][0], params[-1][1])  # the first outputs are near 0

    def denoised(params: Any, x: Array) -> Array:
        for number, ((weight, bias), dilation) in enumerate(zip(params, DILATIONS)):
            x = jax.nn.relu(x) if number else x
            x = _neighbourhoods(x, kernel, dilation) @ weight + bias
        return x

    optimiser = optax.adam(optax.cosine_decay_schedule(PROBE_RATE, STEPS))

    def error(params: Any, clean: Array, noise: Array) -> Array:
        return jnp.mean((denoised(params, clean + noise) - clean) ** 2)

    def step(state: Any, number: Array) -> tuple[Any, Array]:
        params, moments = state
        pick_key, noise_key = jax.random.split(jax.random.fold_in(key, number))
        picks = (jax.random.uniform(pick_key, (PROBE_BATCH,)) * count).astype(jnp.int32)
        clean = samples[jnp.minimum(picks, count - 1)]
        noise = jax.random.normal(noise_key, (clean.size,)).reshape(clean.shape)
        value, slope = jax.value_and_grad(error)(params, clean, noise)
        update, moments = optimiser.update(slope, moments, params)
        return (optax.apply_updates(params, update), moments), value

    _, errors_before = jax.lax.scan(step, (params, optimiser.init(params)), jnp.arange(STEPS))
    return jnp.mean(errors_before)


def _neighbourhoods(
    x: Float[Array, "batch *space channels"], kernel: int, dilation: int
) -> Float[Array, "batch *space patch"]:
    """The neighbours of every position (circular), joined along the channel axis."""
    axes = tuple(range(1, x.ndim - 1))
    offsets = [dilation * (tap - kernel // 2) for tap in range(kernel)]
    shifts = itertools.product(offsets, repeat=len(axes))
    return jnp.concatenate([jnp.roll(x, shift, axes) for shift in shifts], axis=-1)


MEASURES: dict[str, Callable[[Samples], float]] = {
    "effective dimension": effective_dimension,
    "spectral entropy": spectral_entropy,
    "description length": description_length,
    "intrinsic dimension": intrinsic_dimension,
    "learnability": learnability,
    "denoising cost": denoising_cost,
}
DEFAULT = "intrinsic dimension"  # its balance's sign names the component on the phase diagram


class Prediction(NamedTuple):
    """Which component a network will fit.

    component: "content" or "degradation", the simpler one. balance: `log2` of the degradation's
    complexity over the content's; above 0 the content is fitted, and at 0 the networks of the paper
    generalise best. content, degradation: their complexities. measure: name of the measure.
    """

    component: str
    balance: float
    content: float
    degradation: float
    measure: str


def predict(
    content: Any, degradation: Any, measure: str = DEFAULT, samples: int = 1024
) -> Prediction:
    """Which component a network trained on this pair will fit: the simpler one (Hu et al. 2025).

    Over contents whose spectra differ, the sign of the default measure's balance named the
    component that a conv net fitted in 97% of the cells, by phi (experiments/phase_diagram.py).
    Over contents that all have one spectrum it did no better than chance: it named the component
    whose structure was fitted, by psi, in 51% (experiments/sweet_spot.py).

    Args:
        content: clean samples, `(n, *space, channels)`, or a family to draw them from.
        degradation: residuals, `y - c`, or a family, whose residual on the content is taken.
        measure: a key of `MEASURES`.
        samples: number to draw from a family. Give arrays of one length, on which some measures
            depend.

    Raises:
        InvalidInput: an unknown measure; samples that are not finite, silent, or too few.
    """
    errors.choice("measure", measure, MEASURES)
    errors.integer("samples", samples, low=64)
    clean = _drawn(content, samples, 0)
    residual = _drawn(degradation, samples, 1)
    if hasattr(degradation, "apply"):  # the residual, not the mask or kernel that was drawn
        clean = np.asarray(floats("content", clean))[: len(residual)]
        residual = applied(degradation, clean, residual[: len(clean)]) - clean
    of_content, of_degradation = MEASURES[measure](clean), MEASURES[measure](residual)
    balance = math.log2(max(of_degradation, 1e-12) / max(of_content, 1e-12))
    component = "content" if balance > 0 else "degradation"
    return Prediction(component, balance, of_content, of_degradation, measure)


def _drawn(family: Any, samples: int, number: int) -> Any:
    if not hasattr(family, "sample"):
        return family
    return np.asarray(family.sample(jax.random.key(number), samples))


def _checked(samples: Samples, least: int = 2) -> Float[np.ndarray, "batch size"]:
    finite("samples", samples)
    values = np.asarray(samples, np.float64)
    if len(values) < least:
        raise errors.refuse("samples", values.shape, f"at least {least} samples")
    if not np.any(values):
        raise errors.refuse("samples", "silence", "some signal")
    return values.reshape(len(values), -1)


def perplexity(
    codes: Shaped[Array | np.ndarray, "*samples books"], entries: int
) -> Float[Array, " books"]:
    """Effective number of entries in use in each codebook: `exp` of the entropy.

    From 1 (always the same entry: the code has collapsed) to `entries` (van den Oord et al. 2017).
    Its `log2` is the most bits that a position can carry.

    Args:
        codes: entry numbers of many samples and positions, from 0.
        entries: number of entries of each codebook.

    Raises:
        InvalidInput: no codes, codes that are not whole numbers, or a code that no entry has.
    """
    entries = errors.integer("entries", entries)
    codes = jnp.asarray(errors.numbers("codes", codes), jnp.result_type(codes))
    if not codes.size or not jnp.issubdtype(codes.dtype, jnp.integer):
        raise errors.refuse("codes", codes.dtype, "whole numbers, at least one")
    if not 0 <= int(codes.min()) <= int(codes.max()) < entries:
        raise errors.refuse("codes", int(codes.max()), f"from 0 to {entries - 1}")
    flat = codes.reshape(-1, codes.shape[-1])
    shares = jax.vmap(lambda book: jnp.bincount(book, length=entries), in_axes=1)(flat) / len(flat)
    return jnp.exp(-jnp.sum(jnp.where(shares > 0, shares * jnp.log(shares), 0.0), axis=1))
