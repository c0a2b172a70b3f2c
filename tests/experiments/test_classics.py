"""Classical filters: known answers, edges, and strengths that are chosen on training samples."""

import functools
import sys

import jax
import numpy as np
import pytest
from common.priors import classics
from common.priors.classics import Classic
from scipy.ndimage import gaussian_filter
from skimage.restoration import denoise_tv_chambolle

from shortcut1d.analysis import oracles
from shortcut1d.diagnosis import diagnose
from shortcut1d.errors import InvalidInput

SHAPES = {"signals": (128, 1), "grey": (32, 32, 1), "colour": (32, 32, 3)}
EACH = [
    pytest.param(name, SHAPES[kind], id=f"{kind}-{name}")
    for kind in SHAPES
    for name in classics.classics(len(SHAPES[kind]) - 1)
]


def white(shape, seed=0, sigma=1.0):
    return np.float32(sigma * np.random.default_rng(seed).normal(size=shape))


@functools.cache
def smooth(n, shape, seed=0):
    """Smooth contents of the usual size: signals of unit RMS, pictures about 0.5."""
    rank = len(shape) - 1
    widths = (0, *[6.0 if rank == 1 else 3.0] * rank, 0)
    found = gaussian_filter(white((n, *shape), seed), widths, mode="wrap")
    found /= found.std()
    return found if rank == 1 else np.clip(0.5 + 0.15 * found, 0, 1)


def noise_of(shape):
    return 0.5 if len(shape) == 2 else 0.1


@functools.cache
def tuned_on_noise(name, shape):
    """The filter, and how many of its strengths are weaker and stronger than the one chosen."""
    classic = classics.classics(len(shape) - 1)[name]
    every = classic.strengths if len(classic.strengths) < 10 else classic.strengths[::2]
    clean = smooth(2, shape)
    few = Classic(classic.restore, every)
    return classic, few, classics.tuned(few, clean, clean + white(clean.shape, 1, noise_of(shape)))


@pytest.mark.parametrize(("name", "shape"), EACH)
def test_a_filter_tuned_on_white_noise_takes_half_of_it_from_others(name, shape):
    _, few, filtering = tuned_on_noise(name, shape)
    clean = smooth(3, shape, seed=2)
    degraded = clean + white(clean.shape, 3, noise_of(shape))
    restored = np.asarray(filtering(degraded))
    assert restored.shape == degraded.shape
    assert restored.dtype == np.float32
    assert np.mean((restored - clean) ** 2) < 0.5 * noise_of(shape) ** 2
    assert few.strengths[0] < filtering.strength < few.strengths[-1]


@pytest.mark.parametrize(("name", "shape"), EACH)
def test_the_least_strength_changes_nothing(name, shape):
    classic = classics.classics(len(shape) - 1)[name]
    samples = smooth(2, shape) + white((2, *shape), 1, 0.1)
    restored = classic.restore(samples, classic.strengths[0])
    np.testing.assert_allclose(restored, samples, atol=1e-6)


@pytest.mark.parametrize(("name", "shape"), EACH)
def test_a_constant_stays_and_samples_are_independent(name, shape):
    restore = tuned_on_noise(name, shape)[2]
    constant = np.full((1, *shape), 0.5, np.float32)
    np.testing.assert_allclose(restore(constant), constant, atol=1e-4)
    samples = smooth(2, shape) + white((2, *shape), 1, 0.1)
    alone = restore(samples[1:])
    np.testing.assert_allclose(restore(samples)[1:], alone, atol=1e-5)


@pytest.mark.parametrize("name", classics.classics(1))
def test_signals_are_rings(name):
    shape = SHAPES["signals"]
    restore = tuned_on_noise(name, shape)[2]
    signals = smooth(2, shape) + white((2, *shape), 1, 0.5)
    turned = restore(np.roll(signals, 37, axis=1))
    np.testing.assert_allclose(turned, np.roll(restore(signals), 37, axis=1), atol=1e-4)


def test_the_strength_is_the_one_of_least_error():
    halves = Classic(lambda batch, strength: strength * batch, (0.0, 0.25, 0.5, 0.75, 1.0))
    clean = white((4, 16, 1))
    assert classics.tuned(halves, clean, 2 * clean).strength == 0.5
    assert classics.tuned(halves, clean, clean / 1.4).strength == 1.0
    assert classics.tuned(halves, 0 * clean, clean).strength == 0.0
    np.testing.assert_array_equal(classics.tuned(halves, clean, 2 * clean)(clean), clean / 2)


def test_the_median_takes_lone_clicks_from_a_constant():
    signal = np.full((1, 32, 1), 2.0, np.float32)
    clicked = signal.copy()
    clicked[0, [0, 9, 31], 0] = (7, -7, 5)
    np.testing.assert_array_equal(classics.median(clicked, 5), signal)
    picture = np.full((1, 8, 8, 1), 0.5, np.float32)
    clicked = picture.copy()
    clicked[0, [0, 4], [3, 6]] = 1
    np.testing.assert_array_equal(classics.median(clicked, 3), picture)


def test_total_variation_lowers_a_block_by_twice_the_weight_over_its_width():
    y = np.zeros((1, 64, 1), np.float32)
    y[0, 60:] = y[0, :12] = 1  # a block of 16 across the end
    truth = np.where(y > 0, 1 - 2 * 0.8 / 16, 2 * 0.8 / 48)
    np.testing.assert_allclose(classics.variation_of_signals(y, 0.8), truth, atol=2e-3)


def test_no_signal_around_it_has_less_total_variation_and_misfit():
    y = white((1, 128, 1)).astype(np.float64)

    def objective(x):
        return 0.5 * np.sum((x - y) ** 2) + 0.7 * np.sum(
            np.abs(np.diff(x[0, :, 0], append=x[0, 0]))
        )

    x = np.asarray(classics.variation_of_signals(np.float32(y), 0.7), np.float64)
    for seed in range(20):
        for size in (0.01, 0.1):
            assert objective(x) < objective(x + white(y.shape, seed, size)) + 1e-4
    tripled = np.concatenate([y[0, :, 0]] * 3)
    peer = denoise_tv_chambolle(tripled, 0.7, eps=1e-9, max_num_iter=5000)[128:256]
    np.testing.assert_allclose(x[0, :, 0], peer, atol=0.02)


def test_wavelets_restore_pictures_of_any_size():
    picture = smooth(1, (21, 30, 1))
    np.testing.assert_allclose(classics.wavelet(picture, 1e-6), picture, atol=1e-5)


def coloured(shape, n, seed, exponent):
    """Gaussian samples, louder at low frequencies by the exponent, and their power spectrum."""
    axes = tuple(range(1, len(shape)))
    distance = np.linalg.norm(
        np.meshgrid(*[np.fft.fftfreq(m) for m in shape[:-1]], indexing="ij"), axis=0
    )
    gain = (0.1 + distance[..., None]) ** -exponent * np.ones(shape)
    spectrum = gain * np.fft.fftn(white((n, *shape), seed), axes=axes)
    power = gain**2 / np.prod(shape[:-1])
    return np.fft.ifftn(spectrum, axes=axes).real.astype(np.float32), power


@pytest.mark.parametrize("shape", [(32, 1), (8, 8, 2)], ids=str)
def test_the_wiener_filter_reaches_its_risk_on_gaussians(shape):
    clean, wanted = coloured(shape, 2000, 1, 1.0)
    layer, unwanted = coloured(shape, 2000, 2, 0.5)
    new, other = coloured(shape, 2000, 3, 1.0)[0], coloured(shape, 2000, 4, 0.5)[0]
    # The means differ by 3, which costs it nothing.
    restored = classics.wiener(clean + 3, clean + layer)(new + other)
    risk = oracles.wiener_risk(wanted, unwanted) / shape[-1]
    assert np.mean((restored - new - 3) ** 2) == pytest.approx(risk, rel=0.03)
    assert risk < 0.8 * min(wanted.sum(), unwanted.sum()) / shape[-1]


def test_the_wiener_filter_inverts_a_blur():
    clean = white((64, 32, 1))
    kernel = np.zeros(32)
    kernel[[0, 1, -1]] = 0.6, 0.2, 0.2  # no frequency below 0.2
    blurred = np.fft.ifft(np.fft.fft(kernel)[:, None] * np.fft.fft(clean, axis=1), axis=1).real
    restored = classics.wiener(clean, np.float32(blurred))(np.float32(blurred))
    np.testing.assert_allclose(restored, clean, atol=1e-4)


@pytest.mark.slow
def test_all_filters_of_signals_and_a_diagnosis_of_one():
    clean = smooth(16, SHAPES["signals"])
    degraded = clean + white(clean.shape, 1, 0.5)
    found = classics.tuned_all(1, clean, degraded)
    assert list(found) == [classics.WIENER, *classics.classics(1)]
    before = np.mean((degraded - clean) ** 2)
    for restore in found.values():
        assert np.mean((np.asarray(restore(degraded)) - clean) ** 2) < 0.5 * before
        jax.block_until_ready(restore(jax.numpy.asarray(degraded)))
    report = diagnose(found["wavelet"], clean, degraded, portraits=0)
    np.testing.assert_array_equal(report.outputs[0], found["wavelet"](degraded))


def test_what_cannot_be_tuned_is_refused(monkeypatch):
    clean = white((2, 16, 1))
    for rank in (0, 3):
        with pytest.raises(InvalidInput, match="rank"):
            classics.classics(rank)
    with pytest.raises(InvalidInput, match="samples of rank 2"):
        classics.tuned_all(2, clean, clean)
    with pytest.raises(InvalidInput, match="degraded: got"):
        classics.tuned_all(1, clean, clean[:1])
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(InvalidInput, match=r"bm3d is not installed .*shortcut1d\[classics\]"):
        classics.bm3d(smooth(1, SHAPES["grey"]), 0.1)
