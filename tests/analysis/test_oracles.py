"""Denoisers in closed form, outputs taken apart, and intervals: each against a second way."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d.analysis import (
    band_gains,
    component_gains,
    decoupled_errors,
    hallucination,
    interval,
    jacobian,
    nested_bootstrap,
    oracles,
)
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
SHAPES = ((32, 1), (8, 6, 1))
SEEDS = st.integers(0, 2**16)


def axes_of(samples):
    return tuple(range(1, samples.ndim - 1))


def frequency(space):
    """Length of the wave vector of each frequency of `fftn`, in cycles per window."""
    waves = np.meshgrid(*[np.fft.fftfreq(n) * n for n in space], indexing="ij")
    return np.sqrt(sum(wave**2 for wave in waves))


def white(shape, batch, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, *shape))


def coloured(spectrum, batch, seed):
    """Draws of the stationary Gaussian process with this power spectrum."""
    noise = np.fft.fftn(white(spectrum.shape, batch, seed), axes=tuple(range(1, spectrum.ndim)))
    size = math.prod(spectrum.shape[:-1])
    return np.fft.ifftn(np.sqrt(size * spectrum) * noise, axes=axes_of(noise)).real


# ---------------------------------------------------------------- Wiener


def spectra(shape):
    """A red content, and a layer that has nothing at half of the frequencies."""
    waves = frequency(shape[:-1])[..., None]
    wanted = 1 / (1 + waves**2)
    unwanted = np.where(waves > 1.5, 0.3 * np.ones_like(waves), 0.0)
    return wanted / wanted.sum(), unwanted / unwanted.sum()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_error_of_the_wiener_filter_is_its_stated_risk(shape):
    wanted, unwanted = spectra(shape)
    clean, layer = coloured(wanted, 4000, 1), coloured(unwanted, 4000, 2)
    denoised = oracles.wiener(wanted, unwanted)(jnp.asarray(clean + layer, jnp.float32))
    # 4000 samples of several independent values each: a standard error below 1%.
    risk = oracles.wiener_risk(wanted, unwanted)
    assert np.mean((denoised - clean) ** 2) == pytest.approx(risk, rel=0.03)
    assert risk < 0.9 * min(wanted.sum(), unwanted.sum())  # better than silence, and than nothing


def covariance(spectrum):
    """Of the flattened samples: circulant, by the Fourier transform of the unit matrix."""
    shape, size = spectrum.shape, spectrum.size
    units = np.fft.fftn(np.eye(size).reshape(size, *shape), axes=range(1, len(shape)))
    back = np.fft.ifftn(size * spectrum * units, axes=range(1, len(shape)))
    return back.real.reshape(size, size)


@functools.cache
def wiener_matrix(shape):
    wanted, unwanted = spectra(shape)
    inputs = np.zeros((1, *shape), np.float32)
    matrix = jacobian(oracles.wiener(wanted, unwanted), inputs)[0]
    return np.asarray(matrix, np.float64), covariance(wanted), covariance(unwanted)


def risk_of(matrix, wanted, unwanted):
    """Mean square error of a linear denoiser of known covariances."""
    lost = matrix - np.eye(len(matrix))
    both = lost @ wanted @ lost.T + matrix @ unwanted @ matrix.T
    return np.trace(both) / len(matrix)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@given(seed=SEEDS, size=st.floats(1e-3, 1))
def test_no_linear_denoiser_around_the_wiener_filter_is_better(shape, seed, size):
    matrix, wanted, unwanted = wiener_matrix(shape)
    least = risk_of(matrix, wanted, unwanted)
    assert least == pytest.approx(oracles.wiener_risk(*spectra(shape)), rel=1e-5)
    turn = size * np.random.default_rng(seed).normal(size=matrix.shape) / len(matrix)
    # At a minimum the risk grows by the square of the step alone, either way.
    more = np.trace(turn @ (wanted + unwanted) @ turn.T) / len(matrix)
    for sign in (1, -1):
        off = risk_of(matrix + sign * turn, wanted, unwanted)
        assert off == pytest.approx(least + more, rel=1e-3 * more / least + 1e-6)
        assert off > least


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=17, max_size=17))
def test_the_wiener_filter_multiplies_each_frequency_by_the_share_of_the_content(powers):
    half = np.asarray(powers)
    wanted, unwanted = np.concatenate([half, half[-2:0:-1]]).T[..., None]
    inputs = white((32, 1), 3)
    gain = np.zeros(17)
    some = half.sum(axis=1) > 0
    gain[some] = half[some, 0] / half[some].sum(axis=1)  # and 0 where neither has power
    truth = np.fft.irfft(gain[:, None] * np.fft.rfft(inputs, axis=1), 32, axis=1)
    found = oracles.wiener(wanted, unwanted)(jnp.asarray(inputs, jnp.float32))
    np.testing.assert_allclose(found, truth, atol=1e-5)


def test_the_wiener_filter_of_no_layer_changes_nothing_and_of_no_content_is_silent():
    wanted, _ = spectra((32, 1))
    inputs = jnp.asarray(white((32, 1), 2), jnp.float32)
    np.testing.assert_allclose(oracles.wiener(wanted, 0 * wanted)(inputs), inputs, atol=1e-5)
    np.testing.assert_allclose(oracles.wiener(0 * wanted, wanted)(inputs), 0, atol=1e-5)
    assert oracles.wiener_risk(wanted, 0 * wanted) == 0
    assert oracles.wiener_risk(0 * wanted, wanted) == 0
    assert oracles.wiener_risk(wanted, wanted) == pytest.approx(0.5)


@pytest.mark.parametrize("use", [oracles.wiener, oracles.wiener_risk])
def test_spectra_that_cannot_be_are_refused(use):
    good = np.ones((8, 1))
    for pair in ((good, -good), (-good, good)):
        with pytest.raises(InvalidInput, match="no negative power"):
            use(*pair)


@pytest.mark.parametrize("shape", [*SHAPES, (8, 6, 3)], ids=str)
def test_the_power_spectrum_sums_to_the_variance_of_each_channel(shape):
    samples = white(shape, 20)
    spectrum = oracles.power_spectrum(samples)
    assert spectrum.shape == shape
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(spectrum.sum(axes), np.mean(samples**2, axis=(0, *axes_of(samples))))


def test_the_power_spectrum_of_known_processes_is_found():
    note = oracles.power_spectrum(signals.note(8).sample(KEY, 10))
    truth = np.zeros((128, 1))
    truth[[8, -8]] = 0.5
    np.testing.assert_allclose(note, truth, atol=1e-6)
    wanted, _ = spectra((8, 6, 1))
    found = oracles.power_spectrum(coloured(wanted, 4000, 0))
    # A mean of 4000 squares, chi squared with one degree of freedom at worst; four of its errors.
    np.testing.assert_allclose(found, wanted, rtol=4 * math.sqrt(2 / 4000))


# ---------------------------------------------------------------- a pool in white noise

POOL = white((16, 1), 5, 3).astype(np.float32)


def posterior_mean_by_hand(pool, inputs, sigma):
    out = np.zeros(inputs.shape)
    for at, y in enumerate(np.asarray(inputs, np.float64)):
        exponents = [-np.sum((y - c) ** 2) / (2 * sigma**2) for c in pool.astype(np.float64)]
        weights = np.exp(np.asarray(exponents) - max(exponents))
        out[at] = sum(w * c for w, c in zip(weights / weights.sum(), pool))
    return out


@given(sigma=st.floats(0.3, 30), seed=SEEDS)
def test_the_posterior_mean_is_that_of_bayes_rule(sigma, seed):
    inputs = white((16, 1), 4, seed).astype(np.float32)
    found = oracles.posterior_mean(POOL, sigma)(jnp.asarray(inputs))
    np.testing.assert_allclose(found, posterior_mean_by_hand(POOL, inputs, sigma), atol=1e-3)


@given(SEEDS)
def test_the_posterior_mean_goes_to_the_nearest_member_and_to_the_mean_of_all(seed):
    inputs = white((16, 1), 4, seed).astype(np.float32)
    distances = np.sum((inputs[:, None] - POOL) ** 2, axis=(2, 3))
    # Gaps of a thousandth are told at sigma = 0.005; nearer to a tie than that none of the 100 is.
    assert np.diff(np.sort(distances, axis=1)[:, :2]).min() > 1e-3
    nearest = oracles.posterior_mean(POOL, 0.005)(jnp.asarray(inputs))
    np.testing.assert_allclose(nearest, POOL[distances.argmin(axis=1)], atol=1e-3)
    farthest = oracles.posterior_mean(POOL, 1e4)(jnp.asarray(inputs))
    np.testing.assert_allclose(farthest, np.tile(POOL.mean(0), (4, 1, 1)), atol=1e-3)


def test_no_blend_with_another_estimate_beats_the_posterior_mean():
    images = white((4, 4, 1), 6, 4).astype(np.float32)
    rng = np.random.default_rng(0)
    clean = images[rng.integers(0, 6, 4000)]
    noisy = jnp.asarray(clean + rng.normal(size=clean.shape), jnp.float32)
    best = np.asarray(oracles.posterior_mean(images, 1.0)(noisy))
    least = np.mean((best - clean) ** 2)
    # The second assumes another noise; 4000 samples tell these apart by many standard errors.
    for other in (noisy, 0 * noisy, oracles.posterior_mean(images, 2.0)(noisy)):
        assert np.mean((0.7 * best + 0.3 * np.asarray(other) - clean) ** 2) > least


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
def test_noise_without_a_size_is_refused(sigma):
    with pytest.raises(InvalidInput, match="sigma"):
        oracles.posterior_mean(POOL, sigma)


# ---------------------------------------------------------------- complement


@given(rank=st.integers(1, 6), bases=st.integers(1, 3), seed=SEEDS)
def test_the_complement_is_what_none_of_the_subspaces_holds(rank, bases, seed):
    rng = np.random.default_rng(seed)
    bases = [np.linalg.qr(rng.normal(size=(20, rank)))[0] for _ in range(bases)]
    rest = oracles.complement(*bases)
    assert rest.shape == (20, 20 - rank * len(bases))
    np.testing.assert_allclose(rest.T @ rest, np.eye(rest.shape[1]), atol=1e-10)
    for basis in bases:
        np.testing.assert_allclose(basis.T @ rest, 0, atol=1e-10)


def test_a_subspace_given_twice_takes_its_directions_once():
    basis = np.linalg.qr(white((20,), 5).T)[0]
    assert oracles.complement(basis, basis).shape == (20, 15)


def test_no_complement_of_everything():
    whole = np.linalg.qr(white((20,), 20))[0]
    with pytest.raises(InvalidInput, match="some direction outside"):
        oracles.complement(whole[:, :10], whole[:, 10:])


# ---------------------------------------------------------------- gains by band

EDGES = [0.0, 1.5, 2.5, 4.0]
SPACES = ((24, 1), (8, 7, 2))
GAINS = st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=3, max_size=3)


def filtered(samples, gain):
    """`gain` of each frequency, over all of `frequency`."""
    transformed = np.fft.fftn(samples, axes=axes_of(samples))
    back = np.fft.ifftn(gain[None, ..., None] * transformed, axes=axes_of(samples))
    return back.real


@pytest.mark.parametrize("shape", SPACES, ids=str)
@given(gains=GAINS, level=st.sampled_from([1e-3, 1.0, 300.0]))
def test_gains_that_differ_by_frequency_are_recovered(shape, gains, level):
    clean, layer = level * white(shape, 10, 1), level * white(shape, 10, 2)
    waves = frequency(shape[:-1])
    band = np.digitize(waves, EDGES) - 1
    # Beyond the last edge the gain is 3, which no band may see.
    ours, theirs = (np.asarray([*column, 3.0])[band] for column in zip(*gains))
    output = filtered(clean, ours) + filtered(layer, theirs)
    found = band_gains(output, clean, clean + layer, EDGES)
    np.testing.assert_allclose(found.content, [gain for gain, _ in gains], atol=1e-4)
    np.testing.assert_allclose(found.degradation, [gain for _, gain in gains], atol=1e-4)
    for number, rest in enumerate(np.asarray(found.unexplained)):
        share = np.sum(filtered(output, 1.0 * (band == number)) ** 2) / np.sum(output**2)
        assert rest < 1e-3 or (np.isnan(rest) and not share > 1.001e-3)  # of nearly no output


def test_an_edge_belongs_to_the_band_above_it():
    time = 2 * np.pi * np.arange(24) / 24
    clean = np.tile(np.sin(4 * time)[None, :, None], (2, 1, 1))
    found = band_gains(0.3 * clean, clean, clean, [1.0, 4.0, 5.0])
    np.testing.assert_allclose(found.content, [np.nan, 0.3], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SPACES, ids=str)
def test_one_band_of_all_frequencies_holds_the_gains_of_the_whole(shape):
    clean, layer, more = (white(shape, 1, seed) for seed in range(3))
    output = 0.8 * clean + 0.3 * layer + 0.2 * more
    whole, banded = (
        component_gains(output, clean, clean + layer),
        band_gains(output, clean, clean + layer, [0.0, 1e3]),
    )
    for one, other in zip(whole, banded):
        np.testing.assert_allclose(one, other, rtol=1e-3)


def test_what_is_neither_is_unexplained_in_its_band_alone():
    time = 2 * np.pi * np.arange(64) / 64
    three, four, nine = (np.sin(k * time)[None, :, None] for k in (3, 4, 9))
    clean = three + nine
    output = three + 2 * four + nine  # 4 cycles are in nothing it was given
    found = band_gains(output, clean, clean, [1.0, 6.0, 12.0])
    np.testing.assert_allclose(found.content, 1, atol=1e-5)
    np.testing.assert_allclose(found.unexplained, [0.8, 0], atol=1e-5)


@pytest.mark.parametrize("level", [1.0, 1000.0])
def test_a_component_has_no_gain_in_a_band_where_it_is_silent(level):
    pair = draw_pair(KEY, signals.band(8), degradations.hiss(low=20, high=29), 32)
    clean, degraded = (level * np.asarray(part) for part in pair)
    output = 0.7 * clean + 0.3 * (degraded - clean)
    found = band_gains(output, clean, degraded, [1.0, 9.0, 20.0, 30.0, 60.0])
    np.testing.assert_allclose(found.content, [0.7, *3 * [np.nan]], atol=1e-5)
    np.testing.assert_allclose(found.degradation, [np.nan, np.nan, 0.3, np.nan], atol=1e-5)
    np.testing.assert_allclose(found.unexplained, [0, np.nan, 0, np.nan], atol=1e-5)
    silent = band_gains(0 * clean, 0 * clean, 0 * clean, [0.0, 64.0])
    assert np.isnan(np.concatenate(silent)).all()


def test_what_is_invented_where_a_component_is_silent_is_unexplained():
    time = 2 * np.pi * np.arange(64) / 64
    clean, layer, invented = (np.sin(k * time)[None, :, None] for k in (3, 12, 20))
    found = band_gains(clean + invented, clean, clean + layer, [1.0, 8.0, 16.0, 32.0])
    np.testing.assert_allclose(found.content, [1, np.nan, np.nan], atol=1e-5)
    np.testing.assert_allclose(found.degradation, [np.nan, 0, np.nan], atol=1e-5)
    np.testing.assert_allclose(found.unexplained, [0, np.nan, 1], atol=1e-5)


def test_an_output_of_silence_has_gains_of_zero():
    clean, layer = white((24, 1), 4, 1), white((24, 1), 4, 2)
    found = band_gains(0 * clean, clean, clean + layer, EDGES)
    np.testing.assert_allclose(found.content, 0, atol=1e-6)
    np.testing.assert_allclose(found.degradation, 0, atol=1e-6)
    assert np.isnan(found.unexplained).all()  # of nothing


@pytest.mark.parametrize(
    "edges", [[1.0], [], [3.0, 2.0], [1.0, 1.0, 2.0], [1.0, math.nan, 3.0]], ids=str
)
def test_edges_that_do_not_rise_are_refused(edges):
    clean = white((24, 1), 2)
    with pytest.raises(InvalidInput, match=r"edges: got .*each above the last"):
        band_gains(clean, clean, clean, edges)


# ---------------------------------------------------------------- hallucination

TRAINED = oracles.basis_of(signals.band(6).sample(KEY, 100))  # where a hallucination would lie
NEW, LAYER = draw_pair(KEY, signals.band(high=12, low=7), degradations.hiss(low=20, high=29), 8)
LAYER = LAYER - NEW
INVENTED = signals.band(6).sample(jax.random.key(1), 8)
ELSEWHERE = signals.band(high=50, low=40).sample(KEY, 8)


@given(*[st.floats(0, 2) for _ in range(4)])
def test_the_hallucinated_share_of_an_output_is_known(kept, leaked, invented, elsewhere):
    parts = kept * NEW, leaked * LAYER, invented * INVENTED, elsewhere * ELSEWHERE
    powers = [np.mean(np.square(part), axis=(1, 2)) for part in parts]  # bands: they are orthogonal
    total = sum(powers)
    share = hallucination(sum(parts), NEW, NEW + LAYER, TRAINED)
    truth = np.divide(powers[2], total, out=np.zeros_like(total), where=total > 0)
    np.testing.assert_allclose(share, truth, atol=1e-4)


def test_the_content_itself_is_no_hallucination_though_it_was_trained_on():
    for output in (INVENTED, 0.3 * INVENTED + 0.5 * LAYER, 0 * LAYER):
        share = hallucination(output, INVENTED, INVENTED + LAYER, TRAINED)
        np.testing.assert_allclose(share, 0, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])  # of a constant in the input
def test_what_is_but_rounding_is_no_hallucination(sign):
    share = hallucination(1e-6 * INVENTED, NEW, NEW + LAYER + sign, TRAINED)
    np.testing.assert_array_equal(share, 0)
    np.testing.assert_allclose(hallucination(INVENTED, NEW, NEW + LAYER + sign, TRAINED), 1, 1e-4)


@pytest.mark.parametrize("level", [1e-3, 1e3])
def test_how_loud_it_all_is_changes_no_share_and_no_gain(level):
    output = 0.8 * NEW + 0.3 * LAYER + 0.5 * INVENTED
    for out in (output, 1e-6 * output):  # of which the second is but rounding
        arrays = (out, NEW, NEW + LAYER)
        louder = [level * np.asarray(part) for part in arrays]
        gains = component_gains(*arrays)
        for one, other in zip(gains, component_gains(*louder)):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-9)
        share = hallucination(*arrays, TRAINED)
        np.testing.assert_allclose(share, hallucination(*louder, TRAINED), rtol=1e-4, atol=1e-9)
        np.testing.assert_array_equal(gains.unexplained > 0.01, out is output)
        np.testing.assert_array_equal(share > 0.01, out is output)


@given(SEEDS)
def test_the_hallucinated_share_is_within_what_is_unexplained(seed):
    output = jnp.asarray(white((128, 1), 8, seed), jnp.float32) + 3 * NEW
    share = np.asarray(hallucination(output, NEW, NEW + LAYER, TRAINED))
    unexplained = np.asarray(component_gains(output, NEW, NEW + LAYER).unexplained)
    assert np.all((share >= 0) & (share <= unexplained + 1e-6))


def test_images_can_hallucinate():
    basis = oracles.basis_of(white((6, 5, 1), 3))
    clean, layer = white((6, 5, 1), 2, 1), white((6, 5, 1), 2, 2)
    invented = np.tile(basis[:, 0].reshape(1, 6, 5, 1), (2, 1, 1, 1))
    for c in (clean, layer):  # orthogonal to what was given, and to the basis it is made of
        c -= (c.reshape(2, -1) @ basis @ basis.T).reshape(c.shape)
    share = hallucination(clean + invented, clean, clean + layer, basis)
    truth = 1 / (1 + np.sum(clean**2, axis=(1, 2, 3)))
    np.testing.assert_allclose(share, truth, rtol=1e-4)


# ---------------------------------------------------------------- decoupled errors


def decoupled_by_hand(output, clean, mask):
    pairs = []
    for out, c, m in zip(output, clean, mask):
        on, off = [], []
        for index in np.ndindex(out.shape):
            (on if m[index] else off).append((out[index] - c[index]) ** 2)
        pairs.append([math.sqrt(sum(part) / len(part)) if part else math.nan for part in (on, off)])
    return np.transpose(pairs)


@pytest.mark.parametrize("shape", [(20, 1), (4, 5, 2)], ids=str)
@given(seed=SEEDS, threshold=st.floats(0, 4))
def test_decoupled_errors_are_those_of_a_loop_over_all_values(shape, seed, threshold):
    output, clean, layer = (white(shape, 3, seed + more) for more in range(3))
    degraded = clean + layer
    found = decoupled_errors(output, clean, degraded, threshold=threshold)
    layer = np.float32(degraded) - np.float32(clean)
    truth = decoupled_by_hand(output, clean, np.abs(layer) > np.float32(threshold))
    np.testing.assert_allclose(found, truth, rtol=1e-4)


@given(SEEDS)
def test_a_given_mask_says_where_the_degradation_is(seed):
    output, clean = white((4, 5, 2), 3, seed), white((4, 5, 2), 3, seed + 1)
    mask = np.random.default_rng(seed).uniform(size=output.shape) < 0.3
    found = decoupled_errors(output, clean, 100 + clean, mask)
    np.testing.assert_allclose(found, decoupled_by_hand(output, clean, mask), rtol=1e-4)


def test_doing_nothing_errs_on_the_degradation_and_blurring_off_it():
    clean = np.full((2, 10, 1), 0.5)
    degraded = clean.copy()
    degraded[:, 3:5] += 0.4
    on, off = decoupled_errors(degraded, clean, degraded)
    np.testing.assert_allclose(on, 0.4, rtol=1e-5)
    np.testing.assert_allclose(off, 0)
    harmed = np.where(degraded > 0.8, clean, clean - 0.1)
    on, off = decoupled_errors(harmed, clean, degraded)
    np.testing.assert_allclose(on, 0)
    np.testing.assert_allclose(off, 0.1, rtol=1e-5)


def test_nothing_and_everything_degraded_leave_one_of_the_errors_unknown():
    clean = white((10, 1), 2)
    on, off = decoupled_errors(clean + 1, clean, clean)
    assert np.isnan(on).all()
    np.testing.assert_allclose(off, 1, rtol=1e-5)
    on, off = decoupled_errors(clean + 1, clean, clean + 1)
    assert np.isnan(off).all()
    np.testing.assert_allclose(on, 1, rtol=1e-5)
    mask = np.array([[[True]] * 10, [[False]] * 10])
    on, off = decoupled_errors(clean, clean, clean, mask)
    np.testing.assert_array_equal(np.isnan([on, off]), [[False, True], [True, False]])


def test_a_negative_threshold_is_refused():
    clean = white((10, 1), 2)
    with pytest.raises(InvalidInput, match="threshold"):
        decoupled_errors(clean, clean, clean, threshold=-0.1)


# ---------------------------------------------------------------- nested intervals


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "within", "cover", "trials"),
    [(5, 1.0, 0.92, 150), (1, 1.0, 0.95, 300), (5, 20.0, 0.99, 100)],
    ids=["networks vary", "one network", "samples vary"],
)
def test_nested_intervals_cover_as_measured(seeds, within, cover, trials):
    rng = np.random.default_rng(seeds)
    covered = []
    for _ in range(trials):
        networks = rng.normal(size=(seeds, 1)) if seeds > 1 else 0.0  # one is known by itself
        interval = nested_bootstrap(networks + within * rng.normal(size=(seeds, 50)))
        covered.append(interval.low <= 0 <= interval.high)
    # Measured with 500 to 3000 trials; within three standard errors of these. Where the networks
    # vary it covers as `interval` does; where the samples do, they count twice: too much, safely.
    assert np.mean(covered) == pytest.approx(cover, abs=3 * math.sqrt(cover * (1 - cover) / trials))


def test_one_network_is_as_well_known_as_the_mean_of_its_samples():
    values = np.random.default_rng(0).normal(size=(1, 200))
    interval = nested_bootstrap(values)
    assert interval.seeds == 1
    assert interval.estimate == pytest.approx(values.mean())
    half = 1.972 * values.std(ddof=1) / math.sqrt(200)  # Student's t, 199 degrees of freedom
    # A percentile of 1000 resamples is off by about 5% of the half width.
    assert interval.high - values.mean() == pytest.approx(half, rel=0.2)
    assert values.mean() - interval.low == pytest.approx(half, rel=0.2)


def test_without_noise_in_the_samples_it_is_the_interval_over_networks():
    networks = np.random.default_rng(0).normal(size=8)
    nested = nested_bootstrap(np.tile(networks[:, None], (1, 10)))
    plain = interval(networks)
    width = plain.high - plain.low
    assert nested.estimate == pytest.approx(plain.estimate)
    np.testing.assert_allclose(nested[1:3], plain[1:3], atol=0.1 * width)  # 1000 resamples
    assert nested.seeds == 8


def test_more_confidence_is_a_wider_interval():
    values = white((30,), 5)
    sure, unsure = (nested_bootstrap(values, confidence=level) for level in (0.95, 0.5))
    assert sure.low < unsure.low < sure.estimate < unsure.high < sure.high
    assert nested_bootstrap(values) == sure  # equal tables give equal intervals


def test_paired_columns_stay_together_through_networks_and_samples():
    base = np.random.default_rng(0).normal(0, 10, (6, 20))
    pairs = np.stack([base + 1, base], axis=2)
    interval = nested_bootstrap(pairs, lambda v: np.mean(v[:, 0] - v[:, 1], axis=0))
    np.testing.assert_allclose(interval[:3], 1)
    assert interval.seeds == 6
    alone = nested_bootstrap(pairs[:, :, 0])
    assert alone.high - alone.low > 1


def test_the_statistic_is_of_means_over_samples():
    base = np.random.default_rng(0).uniform(1, 2, (4, 10, 2))
    shapes = []

    def ratio(means):
        shapes.append(means.shape)
        return np.mean(means[:, 0], axis=0) / np.mean(means[:, 1], axis=0)

    interval = nested_bootstrap(base, ratio)
    assert interval.estimate == pytest.approx(base[..., 0].mean() / base[..., 1].mean())
    assert interval.low < interval.estimate < interval.high
    assert {shape[:-1] for shape in shapes} == {(4, 2)}


def test_networks_with_a_nan_are_left_out_and_not_counted():
    values = white((20,), 4)
    holed = np.insert(values, 2, np.nan, axis=0)
    holed[2, :19] = 5.0  # one bad sample is enough
    assert nested_bootstrap(holed) == nested_bootstrap(values)
    nothing = nested_bootstrap(np.full((3, 5), np.nan))
    assert nothing.seeds == 0
    assert np.isnan(nothing[:3]).all()


@pytest.mark.parametrize("shape", [(0, 10), (5, 1), (5, 0)], ids=str)
def test_too_few_networks_or_samples_are_refused(shape):
    with pytest.raises(InvalidInput, match=r"values: got \(.*two samples or more"):
        nested_bootstrap(np.ones(shape))


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(InvalidInput, match="confidence"):
        nested_bootstrap(white((10,), 3), confidence=confidence)


def test_a_component_with_nothing_in_any_of_the_bands_has_no_gain_there():
    clean, degraded = draw_pair(KEY, signals.band(8), degradations.hiss(low=20, high=29), 32)
    mixed = 0.7 * clean + 0.3 * (degraded - clean)
    for part in band_gains(mixed, clean, degraded, [12.0, 16.0, 18.0]):
        assert np.isnan(part).all()


@pytest.mark.slow
def test_the_posterior_mean_is_the_nearest_member_for_the_smallest_sigma_there_is():
    pool = np.asarray(signals.melody().sample(KEY, 5))
    denoised = oracles.posterior_mean(pool, 1e-20)(jnp.asarray(pool[2:3] + 0.01))
    np.testing.assert_allclose(denoised, pool[2:3])


def test_tables_may_be_of_jax_and_must_be_of_the_same_networks():
    values = np.random.default_rng(0).normal(size=(3, 20))
    found, known = nested_bootstrap(jnp.asarray(values)), nested_bootstrap(values)
    assert found == pytest.approx(known, rel=1e-5)
    with pytest.raises(InvalidInput, match="tables of the same networks"):
        nested_bootstrap([values, values[:2]], lambda means: means.mean(axis=(0, 1)))
