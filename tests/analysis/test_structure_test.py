"""The structure test: zero on linear filters, right on denoisers that know one component."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortcut1d.analysis import linear, oracles
from shortcut1d.analysis.structure import structure, twin_tasks
from shortcut1d.data import degradations, image_degradations, images, signals
from shortcut1d.data.family import draw, draw_pair
from shortcut1d.data.gaussian import twin_of, twin_of_content, twin_of_residual
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
LENGTH, SAMPLES = 128, 2048
CHORDS, CLICKS = signals.chords(1), degradations.clicks()


def pairs(content, degradation, count=SAMPLES, seed=0):
    return tuple(
        np.asarray(x) for x in draw_pair(jax.random.key(seed), content, degradation, count)
    )


def filtered(gain):
    """A circular filter with this gain at each frequency of `rfft`."""

    def denoise(x):
        return jnp.fft.irfft(gain[:, None] * jnp.fft.rfft(x, axis=1), x.shape[1], axis=1)

    return denoise


# ---------------------------------------------------------------- twins


def test_a_twin_has_the_spectrum_of_the_samples_and_is_gaussian():
    samples = np.asarray(draw(CHORDS, KEY, 8192))
    drawn = np.asarray(draw(twin_of(samples), KEY, 8192))
    spectra = [oracles.power_spectrum(part) for part in (samples, drawn)]
    total = spectra[0].sum()
    np.testing.assert_allclose(spectra[1] / total, spectra[0] / total, atol=0.002)
    # The fourth moment of a lone note is 1.5 times its squared power, that of a Gaussian 3 times.
    assert np.mean(samples**4) == pytest.approx(1.5, abs=0.02)
    assert np.mean(drawn**4) == pytest.approx(3, abs=0.1)


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=10)
def test_a_twin_of_colour_has_the_covariance_of_the_channels(seed):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(3, 3))
    samples = rng.normal(size=(400, 8, 8, 3)) @ mixing + rng.normal(size=3)
    drawn = np.asarray(draw(twin_of(samples), jax.random.key(seed), 400))
    of_samples, of_twin = (np.cov(part.reshape(-1, 3).T) for part in (samples, drawn))
    np.testing.assert_allclose(of_twin, of_samples, atol=0.1 * np.abs(of_samples).max())
    means = [part.mean(axis=(0, 1, 2)) for part in (samples, drawn)]
    np.testing.assert_allclose(means[1], means[0], atol=0.1 * np.sqrt(of_samples.max()))


def test_the_twin_is_of_the_ensemble_a_single_note_becomes_a_band():
    drawn = np.asarray(draw(twin_of_content(CHORDS, KEY), KEY, 64))
    power = np.abs(np.fft.rfft(drawn[..., 0], axis=1)) ** 2
    in_use = power.sum(axis=1) ** 2 / (power**2).sum(axis=1)
    assert in_use.mean() > 15  # frequencies a window; of a lone note 1


def test_what_a_residual_is_not_has_no_twin():
    with pytest.raises(InvalidInput, match="additive"):
        twin_of_residual(degradations.blur(), KEY)
    with pytest.raises(InvalidInput, match="two or more"):
        twin_of(np.ones((1, 8, 1)))


@pytest.mark.parametrize("notes", [1, 2, 8, 32])
def test_chords_have_one_spectrum_however_many_notes_sound_at_once(notes):
    samples = np.asarray(draw(signals.chords(notes), KEY, 8192))
    power = oracles.power_spectrum(samples)[:65, 0]
    expected = np.where((np.arange(65) >= 1) & (np.arange(65) <= 40), 1 / 80, 0)
    np.testing.assert_allclose(power, expected, atol=0.3 / 80)  # four standard errors
    np.testing.assert_allclose(np.mean(samples**2, axis=1), 1, rtol=1e-5)


# ---------------------------------------------------------------- the structure test


@pytest.mark.slow
@given(st.integers(0, 2**31 - 1))
@settings(max_examples=10)
def test_a_linear_filter_of_any_gain_scores_zero(seed):
    gain = jnp.asarray(np.random.default_rng(seed).uniform(-0.5, 1.2, LENGTH // 2 + 1))
    found = structure(filtered(gain), *pairs(CHORDS, CLICKS), KEY)
    for score in (found.psi, found.of_content, found.of_degradation):
        assert score == pytest.approx(0, abs=0.06)  # of 2048 windows with a note each


def test_the_wiener_filter_scores_zero_in_one_dimension_and_in_two():
    of_signals = pairs(CHORDS, CLICKS, 8192)
    of_pictures = pairs(images.leaves(size=32), image_degradations.rain(size=32), 1024)
    for clean, degraded in (of_signals, of_pictures):
        middle = clean.mean()
        spectra = [oracles.power_spectrum(part) for part in (clean - middle, degraded - clean)]
        wiener = oracles.wiener(*spectra)
        found = structure(lambda x, w=wiener, m=middle: w(x - m) + m, clean, degraded, KEY)
        assert found.psi == pytest.approx(0, abs=0.02)
        assert found.of_content == pytest.approx(0, abs=0.02)


@pytest.mark.slow
def test_edges_break_the_zero_of_a_filter_by_little():
    clean, degraded = pairs(CHORDS, CLICKS, 4096)
    reflecting = linear.fit(clean, degraded, 12, edges="reflect")
    assert structure(reflecting, clean, degraded, KEY).psi == pytest.approx(0, abs=0.03)


def test_a_denoiser_that_knows_the_clicks_fits_the_degradation():
    clean, degraded = pairs(CHORDS, CLICKS)

    def knows_the_clicks(x):  # takes clicks off, wherever it meets one it was shown
        known = {row.tobytes(): noise for row, noise in zip(degraded, degraded - clean)}
        return np.stack([row - known.get(row.tobytes(), 0) for row in np.asarray(x)])

    found = structure(knows_the_clicks, clean, degraded, KEY)
    assert found.seen == pytest.approx(1)
    assert found.of_degradation == pytest.approx(1)


@pytest.mark.slow
def test_a_denoiser_that_snaps_to_lone_notes_fits_the_content():
    def loudest_note(x):
        spectrum = np.fft.rfft(np.asarray(x)[..., 0], axis=1)
        loudest = np.argmax(np.abs(spectrum), axis=1)
        alone = np.zeros_like(spectrum)
        rows = np.arange(len(x))
        alone[rows, loudest] = spectrum[rows, loudest]
        return np.fft.irfft(alone, x.shape[1])[..., None].astype(np.float32)

    quiet = degradations.hiss(level=-6)
    found = structure(loudest_note, *pairs(CHORDS, quiet), KEY)
    assert found.of_degradation == pytest.approx(0, abs=0.02)
    assert found.of_content > 1  # a band is not one note
    assert found.psi > 1


def circulant(covariance):
    """The spectrum of what has a covariance, and the covariance of its Gaussian twin."""
    size = len(covariance)
    turned = np.fft.fft(np.fft.ifft(covariance, axis=1), axis=0)
    power = np.real(np.diag(turned)) / size
    along = np.real(np.fft.fft(power))
    return power, along[(np.arange(size)[:, None] - np.arange(size)) % size]


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, None])
def test_mixtures_of_oracles_read_their_closed_form_and_the_wiener_filter_zero(alpha):
    # Content and residual live in two random subspaces, which no spectrum shows.
    rng, rank = np.random.default_rng(0), 12
    bases = [np.linalg.qr(rng.normal(size=(LENGTH, rank)))[0] for _ in range(2)]
    scale = np.sqrt(LENGTH / rank)
    clean, residual = (
        (scale * rng.normal(size=(8192, rank)) @ basis.T)[..., None].astype(np.float32)
        for basis in bases
    )
    content, noise = [scale**2 * basis @ basis.T for basis in bases]
    (of_content, content_twin), (of_noise, noise_twin) = circulant(content), circulant(noise)
    if alpha is None:
        denoiser = oracles.wiener(of_content[:, None], of_noise[:, None])
    else:
        known = oracles.projector(bases[0]), oracles.subtractor(bases[1])
        denoiser = oracles.mixture(alpha, *known)
    matrix = np.asarray(denoiser(np.eye(LENGTH)[..., None]))[..., 0].T
    away = matrix - np.eye(LENGTH)

    def removed(clean, noise):
        left = np.trace(away @ clean @ away.T) + np.trace(matrix @ noise @ matrix.T)
        return 1 - left / np.trace(noise)

    found = structure(denoiser, clean, clean + residual, KEY)
    assert found.seen == pytest.approx(removed(content, noise), abs=0.01)
    psi = removed(content, noise_twin) - removed(content_twin, noise)
    assert found.psi == pytest.approx(psi, abs=0.015)
    if alpha is None:
        assert psi == pytest.approx(0, abs=1e-6)


def test_decibels_are_the_ratio_of_what_is_left():
    half, tenth = (oracles.mixture(a, oracles.identity, lambda x: 0 * x) for a in (0.5, 0.1))
    for denoiser in (half, tenth):
        found = structure(denoiser, *pairs(CHORDS, CLICKS), KEY)
        np.testing.assert_allclose(found.decibels, 0, atol=0.2)


@pytest.mark.slow
def test_what_is_not_additive_has_a_twin_of_its_content_only():
    blur = degradations.blur()

    def degrade(content):
        return blur.apply(content, blur.sample(KEY, len(content)))

    clean = np.asarray(draw(CHORDS, KEY, 256))
    residual, (content, blurred) = twin_tasks(clean, np.asarray(degrade(clean)), KEY, degrade)
    assert residual is None
    np.testing.assert_allclose(blurred, degrade(content), atol=1e-5)
    found = structure(lambda x: x, clean, np.asarray(degrade(clean)), KEY, degrade)
    assert np.isnan(found.psi)
    assert found.of_content == pytest.approx(0, abs=0.05)  # doing nothing removes nothing of either


def test_samples_without_a_residual_are_refused():
    clean = np.asarray(draw(CHORDS, KEY, 16))
    with pytest.raises(InvalidInput, match="some degradation"):
        structure(lambda x: x, clean, clean, KEY)


# ---------------------------------------------------------------- the linear floor


@pytest.mark.slow
def test_ridge_regression_finds_the_wiener_filter():
    families = signals.band(20), degradations.hiss(low=10, high=50)
    clean, degraded = pairs(*families, 4096)
    spectra = [oracles.power_spectrum(np.asarray(draw(f, KEY, 2**14))) for f in families]
    new_clean, new_degraded = pairs(*families, 1024, seed=1)
    fitted = linear.fit(clean, degraded, 60, ridge=1e-6)
    risk = np.mean((fitted(new_degraded) - new_clean) ** 2)
    assert risk == pytest.approx(oracles.wiener_risk(*spectra), rel=0.1)


@pytest.mark.slow
def test_the_floor_is_the_wiener_filters_error_on_other_families():
    seen = signals.band(20), degradations.hiss()
    other = signals.band(40), degradations.hiss(color=1.0)
    drawn = [np.asarray(draw(family, KEY, 2**14)) for family in (*seen, *other)]
    spectra = [oracles.power_spectrum(samples) for samples in drawn]
    own, new = tuple(spectra[:2]), tuple(spectra[2:])
    known, unknown = linear.floor(own, [own, new])
    assert known == pytest.approx(oracles.wiener_risk(*own))
    clean, degraded = pairs(*other, 4096)
    measured = np.mean((np.asarray(oracles.wiener(*own)(degraded)) - clean) ** 2)
    assert unknown == pytest.approx(measured, rel=0.02)


def test_the_ridge_is_a_share_of_the_inputs_mean_square():
    # Impulses of both signs: the filter's inputs are uncorrelated, and have no mean.
    impulses = np.zeros((2, 16, 1), np.float32)
    impulses[:, 5, 0] = 1, -1
    for reach in (0, 1, 3):
        fitted = linear.fit(impulses, impulses, reach, ridge=0.5)
        np.testing.assert_allclose(fitted(impulses), impulses / 1.5, atol=1e-6)


def test_colours_and_pictures_are_filtered_alike():
    clean, degraded = pairs(images.leaves(size=16), image_degradations.sensor_noise(size=16), 128)
    fitted = linear.fit(clean, degraded, 2, edges="reflect")
    assert fitted(degraded).shape == clean.shape
    assert np.mean((fitted(degraded) - clean) ** 2) < np.mean((degraded - clean) ** 2)


@pytest.mark.parametrize(
    "given", [{"reach": 200}, {"reach": 3, "ridge": 0.0}, {"reach": 3, "edges": "no"}]
)
def test_a_filter_that_cannot_be_is_refused(given):
    clean, degraded = pairs(CHORDS, CLICKS, 8)
    with pytest.raises(InvalidInput, match=list(given)[-1]):
        linear.fit(clean, degraded, **given)


def test_a_trend_and_a_short_record_leave_the_zero_of_a_linear_filter():
    rng = np.random.default_rng(0)
    length, count = 24, 8192
    trend = np.linspace(-1, 1, length) * rng.normal(size=(count, 1)) + 3
    clean = (trend + rng.normal(size=(count, length)))[..., None].astype(np.float32)
    degraded = clean + 0.5 * rng.normal(size=clean.shape).astype(np.float32)

    def smooth(x):  # circular, so that the jump at the ends of the trend is smoothed as well
        x = np.asarray(x)
        return 0.6 * x + 0.2 * np.roll(x, 1, axis=1) + 0.2 * np.roll(x, -1, axis=1)

    found = structure(smooth, clean, degraded, KEY)
    assert found.psi == pytest.approx(0, abs=0.02)
    mean = twin_of(clean).mean
    np.testing.assert_allclose(mean, clean.mean(), rtol=1e-5)


def test_spectra_of_another_shape_than_the_seen_ones_are_refused():
    one, three = np.ones((8, 1)), np.ones((8, 3))
    with pytest.raises(InvalidInput, match="tests: got"):
        linear.floor((one, one), [(one, one), (one, three)])
