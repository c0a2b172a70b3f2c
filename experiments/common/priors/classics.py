"""Classical restoration filters, each with one strength, to stand beside trained networks.

The strength is the one of least error on training samples under the degradation that was seen.
Arrays are `(batch, *space, channels)`: signals of unit RMS, which are periodic, or pictures in
[0, 1], which continue as their mirror images. Samples are independent of one another.
"""

import contextlib
import functools
import importlib.util
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.ndimage import median_filter

from common.signal_tasks import WIENER
from shortcut1d import errors

Batch = Float[Any, "batch *space channels"]
Filter = Callable[[Batch], Batch]

ITERATIONS = 200  # of total variation on signals
LEVELS = 4  # of the wavelet transform
# By rank, the best of db1, db2, sym4 (and sym8 for signals): on clicks and hiss; on white noise.
WAVELETS = {1: "sym8", 2: "db2"}
PATCHES = {1: 9, 2: 5}  # of non-local means, samples or pixels along each side
REACH = 6  # of its search in pictures, pixels to each side; in signals it is the whole window
SPREAD = 0.8  # the decay of non-local means' weights, in units of the noise level
# Ratios of 1.55: the best strength is within 25% of one of them.
SCALE = (0.0, *(float(level) for level in np.geomspace(0.01, 2.0, 13)))
FEW = 16  # training samples that strengths are chosen on; a spectrum takes all
MAX_WORKERS = 16
PACKAGES = {"pywt": "PyWavelets", "bm3d": "bm3d", "skimage": "scikit-image"}
NEEDED = {"wavelet": "pywt", "BM3D": "bm3d"}  # modules that may not be installed
PICTURES_NEED = {"total variation": "skimage", "non-local means": "skimage"}


class Classic(NamedTuple):
    """A filter with a strength.

    restore: takes a batch and a strength; at the least strength it returns the batch as it is.
    strengths: to choose from, rising.
    """

    restore: Callable[[Batch, float], Batch]
    strengths: tuple[float, ...]


@dataclass(frozen=True)
class Tuned:
    """A filter at the strength that was best on training samples: a callable on batches."""

    restore: Callable[[Batch, float], Batch]
    strength: float

    def __call__(self, batch: Batch) -> Batch:
        """The restored samples."""
        return self.restore(batch, self.strength)


def classics(rank: int) -> dict[str, Classic]:
    """The filters of signals (rank 1) or pictures (rank 2) by name, without the Wiener filter.

    Strengths are the median's window in samples, the weight of total variation, and for the others
    the level of the noise that they are to remove, in the unit of the samples.

    Raises:
        InvalidInput: another rank.
    """
    errors.integer("rank", rank, low=1, high=2)
    windows = tuple(float(window) for window in range(1, 17 if rank == 1 else 12, 2))
    scale = tuple(4 * level for level in SCALE) if rank == 1 else SCALE  # a picture's RMS is 1/4
    signals = rank == 1
    made = {
        "median": Classic(median, windows),
        "total variation": Classic(
            variation_of_signals if signals else variation_of_pictures, scale
        ),
        "wavelet": Classic(wavelet, scale),
        "non-local means": Classic(nonlocal_signals if signals else nonlocal_pictures, scale),
    }
    return made if signals else made | {"BM3D": Classic(bm3d, scale)}


def tuned(classic: Classic, clean: Batch, degraded: Batch) -> Tuned:
    """The filter at the one of its strengths whose mean squared error on these samples is least.

    Raises:
        InvalidInput: batches of two shapes; a package that is not installed.
    """
    _same_shape(clean, degraded)
    strength = best_strength(
        lambda strength: classic.restore(degraded, strength), classic.strengths, clean
    )
    return Tuned(classic.restore, strength)


def best_strength(
    restored: Callable[[float], Batch], strengths: Sequence[float], clean: Batch
) -> float:
    """The strength at which what is restored has the least mean squared error."""
    truth = np.asarray(clean, np.float64)
    return min(strengths, key=lambda s: float(np.mean((np.asarray(restored(s)) - truth) ** 2)))


def tuned_all(rank: int, clean: Batch, degraded: Batch) -> dict[str, Filter]:
    """Every filter that is installed, tuned on training samples, by name; Wiener's first.

    Args:
        rank: 1 for signals, 2 for pictures.
        clean: training samples.
        degraded: the same samples under the degradation that was seen.

    Raises:
        InvalidInput: see `classics` and `tuned`; samples of another rank.
    """
    known = classics(rank)
    if np.ndim(clean) != rank + 2:
        raise errors.refuse("clean", f"shape {np.shape(clean)}", f"samples of rank {rank}")
    found: dict[str, Filter] = {WIENER: wiener(clean, degraded)}
    there = [name for name in known if name not in missing(rank)]
    return found | {name: tuned(known[name], clean[:FEW], degraded[:FEW]) for name in there}


def missing(rank: int) -> dict[str, str]:
    """Filters whose package is not installed, and the package."""
    needed = NEEDED | (PICTURES_NEED if rank == 2 else {})
    return {
        name: PACKAGES[module]
        for name, module in needed.items()
        if name in classics(rank) and importlib.util.find_spec(module) is None
    }


def outputs(
    rank: int, clean: Batch, degraded: Batch, tests: Float[Any, "tests batch *space channels"]
) -> dict[str, Float[np.ndarray, "tests batch *space channels"]]:
    """What every filter, tuned, makes of some batches; see `tuned_all`. For `workers`."""
    filters = tuned_all(rank, clean, degraded)
    return {
        name: np.stack([np.asarray(restore(batch), np.float32) for batch in tests])
        for name, restore in filters.items()
    }


@contextlib.contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """Processes for `outputs`, beside what this one computes; they leave an accelerator alone.

    Filters hold Python's lock, so that threads gain nothing.
    """
    pool = ProcessPoolExecutor(
        min(MAX_WORKERS, os.cpu_count() or 1), multiprocessing.get_context("spawn"), _begin
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    jax.config.update("jax_platforms", "cpu")


def _end_with_parent() -> None:
    """End with the parent process: if that is killed, the pool does not notice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def wiener(clean: Batch, degraded: Batch) -> Filter:
    """The shift-invariant linear filter of least mean squared error on these samples, and a bias.

    At each frequency, less the means: `E[c conj(y)] / E[|y|^2]`. For a residual independent of the
    content it is `oracles.wiener`; for a blur it is the inverse, as far as that is stable. Its
    error is above that of the best filter by one part in `batch`. Periodic, channel by channel.

    Raises:
        InvalidInput: batches of two shapes.
    """
    _same_shape(clean, degraded)
    wanted, given = (np.asarray(part, np.float64) for part in (clean, degraded))
    axes = tuple(range(1, wanted.ndim - 1))
    middles = [part.mean(axis=(0, *axes)) for part in (wanted, given)]
    spectra = [np.fft.fftn(p - m, axes=axes) for p, m in zip((wanted, given), middles, strict=True)]
    cross = np.mean(spectra[0] * np.conj(spectra[1]), axis=0)
    power = np.mean(np.abs(spectra[1]) ** 2, axis=0)
    gain = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0).astype(np.complex64)
    to_give, to_take = (middle.astype(np.float32) for middle in middles)

    def restore(batch: Batch) -> Batch:
        changed = gain * jnp.fft.fftn(jnp.asarray(batch) - to_take, axes=axes)
        return jnp.real(jnp.fft.ifftn(changed, axes=axes)) + to_give

    return restore


def median(batch: Batch, window: float) -> Batch:
    """The median of a window (of a square, in pictures), channel by channel."""
    samples = np.asarray(batch)
    rank = samples.ndim - 2
    size = (1, *[int(window)] * rank, 1)
    return median_filter(samples, size, mode="wrap" if rank == 1 else "reflect")


@jax.jit
def variation_of_signals(batch: Batch, weight: float) -> Batch:
    """The periodic `x` of least `|x - y|^2 / 2 + weight TV(x)` (Rudin, Osher and Fatemi 1992).

    By fast projected gradients on the dual (Beck and Teboulle 2009), channel by channel; JAX can
    differentiate it.
    """
    y = jnp.asarray(batch)

    def primal(dual: Any) -> Any:
        return y + dual - jnp.roll(dual, 1, axis=1)

    def update(_: int, state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        before, ahead, t = state
        x = primal(ahead)
        dual = jnp.clip(ahead + (jnp.roll(x, -1, axis=1) - x) / 4, -weight, weight)
        following = (1 + jnp.sqrt(1 + 4 * t**2)) / 2
        return dual, dual + (t - 1) / following * (dual - before), following

    start = (jnp.zeros_like(y), jnp.zeros_like(y), jnp.float32(1))
    return primal(jax.lax.fori_loop(0, ITERATIONS, update, start)[0])


def variation_of_pictures(batch: Batch, weight: float) -> Batch:
    """As `variation_of_signals`, of the isotropic variation within a picture (Chambolle 2004).

    Raises:
        InvalidInput: scikit-image is not installed.
    """
    restoration = _optional("skimage.restoration")
    samples = np.asarray(batch)
    if weight == 0:
        return samples
    # With the default tolerance it stops long before the minimum where the weight is large.
    denoise = functools.partial(
        restoration.denoise_tv_chambolle, weight=weight, eps=1e-5, max_num_iter=500, channel_axis=-1
    )
    return _each(denoise, samples)


def wavelet(batch: Batch, sigma: float) -> Batch:
    """Undecimated wavelet coefficients, shrunk by the BayesShrink threshold for noise of `sigma`.

    A band of a sample, of variance `v`, is shrunk by `sigma^2 / sqrt(v - sigma^2)`, and so becomes
    nothing where it has no more variance than the noise (Chang, Yu and Vetterli 2000).

    Raises:
        InvalidInput: PyWavelets is not installed.
    """
    pywt = _optional("pywt")
    samples = np.asarray(batch)
    if sigma == 0:
        return samples
    axes = tuple(range(1, samples.ndim - 1))
    multiple, kind = 2**LEVELS, WAVELETS[len(axes)]
    margin = multiple if len(axes) == 2 else 0  # the transform itself is periodic
    pads = [(margin, margin + -samples.shape[axis] % multiple) for axis in axes]
    mode: Any = "symmetric" if len(axes) == 2 else "wrap"
    padded = np.pad(samples, [(0, 0), *pads, (0, 0)], mode=mode)
    rough, *levels = pywt.swtn(padded, kind, LEVELS, axes=axes, trim_approx=True)

    def shrunk(band: np.ndarray) -> np.ndarray:
        variance = np.mean(band**2, axis=axes, keepdims=True)
        threshold = sigma**2 / np.sqrt(np.maximum(variance - sigma**2, 1e-12))
        return np.sign(band) * np.maximum(np.abs(band) - threshold, 0)

    kept = [{name: shrunk(band) for name, band in level.items()} for level in levels]
    inside = [slice(margin, margin + samples.shape[axis]) for axis in axes]
    return pywt.iswtn([rough, *kept], kind, axes=axes)[:, *inside].astype(samples.dtype)


def nonlocal_pictures(batch: Batch, sigma: float) -> Batch:
    """Non-local means for noise of `sigma` (Buades, Coll and Morel 2005), colours together.

    Raises:
        InvalidInput: scikit-image is not installed.
    """
    restoration = _optional("skimage.restoration")
    samples = np.asarray(batch)
    if sigma == 0:
        return samples
    denoise = functools.partial(
        restoration.denoise_nl_means, patch_size=PATCHES[2], patch_distance=REACH, h=SPREAD * sigma,
        sigma=sigma, fast_mode=True, channel_axis=-1,
    )  # fmt: skip
    return _each(denoise, samples)


@jax.jit
def nonlocal_signals(batch: Batch, sigma: float) -> Batch:
    """Non-local means over the whole of a periodic signal; see `nonlocal_pictures`."""
    y = jnp.asarray(batch)

    def add(shift: int, sums: tuple[Any, Any]) -> tuple[Any, Any]:
        moved = jnp.roll(y, shift, axis=1)
        change = jnp.mean((y - moved) ** 2, axis=2, keepdims=True)
        around = range(-(PATCHES[1] // 2), PATCHES[1] // 2 + 1)
        distance = sum(jnp.roll(change, by, axis=1) for by in around) / PATCHES[1]
        above = jnp.maximum(distance - 2 * sigma**2, 0)  # noise alone has twice its variance
        weight = jnp.exp(-above / jnp.maximum(SPREAD * sigma, 1e-12) ** 2)
        return sums[0] + weight * moved, sums[1] + weight

    first = (y, jnp.ones((*y.shape[:2], 1), y.dtype))  # its own patch
    total, weights = jax.lax.fori_loop(1, y.shape[1], add, first)
    return total / weights


def bm3d(batch: Batch, sigma: float) -> Batch:
    """BM3D for white noise of `sigma` (Dabov et al. 2007; the profile of Hou et al. 2011).

    In colour pictures, blocks are matched by grey. The package bm3d is for non-commercial use.

    Raises:
        InvalidInput: bm3d is not installed.
    """
    package = _optional("bm3d")
    samples = np.asarray(batch)
    if sigma == 0:
        return samples
    profile = package.BM3DProfileVN()
    # White noise needs no variances of correlated noise, which take nine tenths of the time. One
    # thread: with several it gives different values each time, and two calls at once abort.
    profile.nf, profile.num_threads = 0, 1
    if samples.shape[-1] == 1:
        return _each(lambda sample: package.bm3d(sample[..., 0], sigma, profile), samples)
    # Orthogonal, so that the noise stays white; the first plane is the mean of the colours.
    turn = np.array([[1, 1, 1], [1.5**0.5, 0, -(1.5**0.5)], [0.5**0.5, -(2**0.5), 0.5**0.5]]) / 3
    return _each(
        lambda sample: 3 * package.bm3d(sample @ turn.T, sigma / 3**0.5, profile) @ turn, samples
    )


def _each(function: Callable[[np.ndarray], np.ndarray], samples: np.ndarray) -> np.ndarray:
    # One after the other: in two threads none of these functions was faster on two cores.
    restored = [function(sample).reshape(sample.shape) for sample in samples]
    return np.stack(restored).astype(samples.dtype)


def _same_shape(clean: Batch, degraded: Batch) -> None:
    if np.shape(clean) != np.shape(degraded):
        raise errors.refuse("degraded", np.shape(degraded), f"the clean ones' {np.shape(clean)}")


def _optional(module: str) -> Any:
    """A module of the extra `classics`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = PACKAGES[module.partition(".")[0]]
        raise errors.InvalidInput(
            f'classics: {package} is not installed (pip install "shortcut1d[classics]")'
        ) from error
