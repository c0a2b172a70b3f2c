"""Errors by level of noise, with and without a clean sample, and what does not scale with it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d.analysis import oracles
from shortcut1d.analysis.sensitivity import bias_share, noise_sweep, sure
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
SHAPES = ((32, 1), (8, 6, 3))
METHODS = ("auto", "differences")
SEEDS = st.integers(0, 2**16)


def white(shape, batch, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, *shape)).astype(np.float32)


def red(shape):
    """Power spectrum of a smooth Gaussian process of unit variance in each channel."""
    waves = np.meshgrid(*[np.fft.fftfreq(n) * n for n in shape[:-1]], indexing="ij")
    power = 1 / (1 + sum(wave**2 for wave in waves) ** 2)
    return np.broadcast_to((power / power.sum())[..., None], shape)


def smooth_samples(shape, batch, seed=0):
    """Draws of the process with the spectrum of `red`."""
    axes = tuple(range(1, len(shape)))
    noise = np.fft.fftn(white(shape, batch, seed), axes=axes)
    size = math.prod(shape[:-1])
    return np.fft.ifftn(np.sqrt(size * red(shape)) * noise, axes=axes).real.astype(np.float32)


def wiener_at(level, shape):
    """The best denoiser of `smooth_samples` in white noise, and its mean square error."""
    spectra = red(shape), np.full(shape, level**2 / math.prod(shape[:-1]))
    return oracles.wiener(*spectra), oracles.wiener_risk(*spectra) / shape[-1]


# ---------------------------------------------------------------- PSNR by level


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_psnr_of_doing_nothing_is_that_of_the_noise(shape):
    clean, levels = white(shape, 200), [0.01, 0.1, 2.0]
    found = noise_sweep(oracles.identity, clean, levels, KEY)
    assert found.shape == (3, 200)
    error = np.mean(10 ** (-np.asarray(found) / 10), axis=1)
    # A mean of 6400 squares or more: four standard errors are 7%.
    np.testing.assert_allclose(error, np.square(levels), rtol=0.07)
    # And the same draw at each level, so that levels differ by nothing else.
    np.testing.assert_allclose(found[0] - found[1], 20, atol=1e-3)


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_the_psnr_of_silence_is_that_of_the_clean_sample_at_every_level(peak):
    clean = white((32, 1), 5)
    truth = 10 * np.log10(peak**2 / np.mean(clean**2, axis=(1, 2)))
    found = noise_sweep(oracles.zero, clean, [0.0, 0.3, 3.0], KEY, peak=peak)
    np.testing.assert_allclose(found, np.tile(truth, (3, 1)), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_wiener_filter_has_its_risk_at_its_level_and_no_other_is_better_there(shape):
    clean, levels = smooth_samples(shape, 400), (0.2, 0.5, 1.0)
    errors = {}
    for made_for in levels:
        denoiser, risk = wiener_at(made_for, shape)
        found = np.asarray(noise_sweep(denoiser, clean, levels, KEY, batch=400))
        errors[made_for] = np.mean(10 ** (-found / 10), axis=1)
        assert errors[made_for][levels.index(made_for)] == pytest.approx(risk, rel=0.1)
    best = [min(levels, key=lambda made_for: errors[made_for][i]) for i in range(3)]
    assert best == list(levels)


def test_a_sweep_is_the_same_however_many_samples_go_in_at_once():
    clean = white((32, 1), 7)
    sizes = []

    def shrink(x):
        sizes.append(len(x))
        return 0.8 * x

    whole = noise_sweep(shrink, clean, [0.1, 1.0], KEY)
    parts = noise_sweep(shrink, clean, [0.1, 1.0], KEY, batch=3)
    assert sizes == [7, 7, 3, 3, 1, 3, 3, 1]
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def test_other_noise_comes_with_another_key():
    clean = white((32, 1), 2)
    one, other = (
        noise_sweep(oracles.identity, clean, [1.0], jax.random.key(seed)) for seed in (0, 1)
    )
    assert np.all(one != other)


@pytest.mark.parametrize(
    ("levels", "options", "message"),
    [
        ([], {}, "levels"),
        ([0.1, -0.1], {}, "levels: got -0.1"),
        ([math.nan], {}, "levels"),
        ([0.1], {"peak": 0.0}, "peak"),
        ([0.1], {"batch": 0}, "batch"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(levels, options, message):
    with pytest.raises(InvalidInput, match=message):
        noise_sweep(oracles.identity, white((32, 1), 2), levels, KEY, **options)


# ---------------------------------------------------------------- Stein's estimate


@pytest.mark.slow
@given(level=st.floats(0.01, 10), seed=SEEDS)
def test_stein_estimates_the_noise_for_doing_nothing_and_the_rest_for_silence(level, seed):
    noisy = white((16, 2), 3, seed)
    found = sure(oracles.identity, noisy, level, KEY)
    np.testing.assert_allclose(found, level**2, rtol=1e-4)
    power = np.mean(noisy**2, axis=(1, 2))
    found = sure(oracles.zero, noisy, level, KEY)
    np.testing.assert_allclose(found, power - level**2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@given(threshold=st.floats(0.1, 2), level=st.floats(0.1, 2), seed=SEEDS)
def test_stein_of_a_soft_threshold_is_that_of_donoho_and_johnstone(method, threshold, level, seed):
    noisy = white((16, 2), 3, seed)
    # A finite difference must not step over a kink.
    near = np.abs(np.abs(noisy) - threshold) < 0.01
    noisy[near] = 0

    def shrink(x):
        return jnp.sign(x) * jnp.maximum(jnp.abs(x) - threshold, 0)

    kept = np.mean(np.abs(noisy) > threshold, axis=(1, 2))
    change = np.mean(np.minimum(np.abs(noisy), threshold) ** 2, axis=(1, 2))
    found = sure(shrink, noisy, level, KEY, probes=2, method=method)
    truth = change - level**2 + 2 * level**2 * kept
    np.testing.assert_allclose(found, truth, atol=2e-3 * (1 + level**2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_stein_estimates_the_error_of_a_wiener_filter_without_the_clean_samples(shape, method):
    level = 0.5
    denoiser, risk = wiener_at(level, shape)
    clean = smooth_samples(shape, 1000)
    noisy = clean + level * white(shape, 1000, 1)
    estimate = np.asarray(sure(denoiser, noisy, level, KEY, probes=2, method=method))
    error = np.mean((np.asarray(denoiser(noisy)) - clean) ** 2, axis=tuple(range(1, clean.ndim)))
    for truth in (error, risk):
        off = estimate - truth
        assert abs(np.mean(off)) < 4 * np.std(off) / math.sqrt(1000)
    assert risk < 0.5 * level**2  # far from what it says of doing nothing


@pytest.mark.slow
def test_more_probes_make_the_divergence_more_exact():
    denoiser, _ = wiener_at(0.5, (32, 1))
    noisy = np.tile(white((32, 1), 1), (200, 1, 1))  # each of the same samples has its own signs
    spread = [float(np.std(sure(denoiser, noisy, 0.5, KEY, probes=n))) for n in (1, 16)]
    assert spread[1] == pytest.approx(spread[0] / 4, rel=0.2)


@pytest.mark.parametrize(
    "options", [{"level": 0.0}, {"level": -1.0}, {"probes": 0}, {"method": "exactly"}]
)
def test_an_estimate_that_cannot_be_is_refused(options):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        sure(oracles.identity, white((32, 1), 2), key=KEY, **{"level": 1.0} | options)


# ---------------------------------------------------------------- bias


def by_matrix(shape, seed=0):
    """A linear denoiser, not symmetric, that mixes all values of a sample."""
    size = math.prod(shape)
    matrix = jnp.asarray(white((size,), size, seed)) / math.sqrt(size)
    return lambda x: (x.reshape(len(x), size) @ matrix).reshape(x.shape)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_bias_of_an_affine_denoiser_is_its_constant(shape, method):
    linear, inputs, constant = by_matrix(shape), white(shape, 4), 0.7 * white(shape, 1, 5)
    none = bias_share(linear, inputs, method=method)
    np.testing.assert_allclose(none, 0, atol=1e-3)
    found = bias_share(lambda x: linear(x) + constant, inputs, method=method)
    output = np.asarray(linear(inputs)) + constant
    truth = [np.linalg.norm(constant) / np.linalg.norm(one) for one in output]
    np.testing.assert_allclose(found, truth, rtol=1e-3)


@given(gain=st.floats(0.1, 100), bias=st.floats(0.1, 1))
def test_a_louder_input_drowns_the_bias(gain, bias):
    inputs = gain * np.ones((2, 8, 1), np.float32)
    found = bias_share(lambda x: x + bias, inputs)
    np.testing.assert_allclose(found, bias / (gain + bias), rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_rectifiers_without_constants_have_no_bias_and_with_them_some(method):
    first, second = by_matrix((32, 1), 1), by_matrix((32, 1), 2)
    inputs = white((32, 1), 4)
    free = bias_share(lambda x: second(jnp.maximum(first(x), 0)), inputs, method=method)
    np.testing.assert_allclose(free, 0, atol=0.01)
    held = bias_share(lambda x: second(jnp.maximum(first(x) + 1, 0)), inputs, method=method)
    assert np.min(held) > 0.1


def test_a_numpy_denoiser_has_a_bias_too():
    found = bias_share(lambda x: np.abs(np.asarray(x)) + 3, white((32, 1), 2))
    output = np.abs(white((32, 1), 2)) + 3
    truth = 3 * math.sqrt(32) / np.linalg.norm(output, axis=(1, 2))
    np.testing.assert_allclose(found, truth, rtol=0.01)


def test_a_constant_is_all_bias_silence_has_none_and_a_tangent_can_miss():
    inputs = white((32, 1), 2)
    np.testing.assert_allclose(bias_share(lambda x: 0 * x + 2, inputs), 1)
    np.testing.assert_allclose(bias_share(oracles.zero, inputs), 0)
    np.testing.assert_allclose(bias_share(lambda x: x - inputs, inputs), np.inf)
    # The tangent of a square goes down twice as far as the square itself.
    np.testing.assert_allclose(bias_share(lambda x: x * x, inputs), 1, rtol=1e-5)


def test_levels_may_be_an_array_of_jax():
    clean = np.zeros((2, 8, 1), np.float32)
    levels = jnp.linspace(0.1, 0.5, 3)
    found = noise_sweep(oracles.identity, clean, levels, KEY)
    np.testing.assert_array_equal(
        found, noise_sweep(oracles.identity, clean, np.array(levels), KEY)
    )
