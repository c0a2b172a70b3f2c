"""The analysis on denoisers whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.stats import t
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from shortcut1d import analysis
from shortcut1d.analysis import (
    component_gains,
    fitted_index,
    interval,
    interval_each,
    nested_bootstrap,
    novelty_response,
    oracles,
    portrait,
    psnr,
    ssim,
    verdict,
)
from shortcut1d.analysis.decoupled import band_gains
from shortcut1d.analysis.intervals import Interval
from shortcut1d.analysis.sensitivity import bias_share, sure
from shortcut1d.analysis.transfer import measures_of, transfer_verdict
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
# Four disjoint bands: what is trained on, and what is not.
CONTENT, NEW_CONTENT = signals.band(8), signals.band(high=16, low=9)
LAYER, NEW_LAYER = (
    degradations.hiss(low=20, high=29),
    degradations.hiss(low=40, high=55),
)
P_C = oracles.basis_of(CONTENT.sample(KEY, 300))
P_D = oracles.basis_of(LAYER.sample(KEY, 300))
UNSEEN_CONTENT = draw_pair(KEY, NEW_CONTENT, LAYER, 300)
UNSEEN_LAYER = draw_pair(KEY, CONTENT, NEW_LAYER, 300)
SEEN = draw_pair(KEY, CONTENT, LAYER, 64)
SIZE = 128
ALPHAS = st.floats(0, 1)


def mixture(alpha):
    return oracles.mixture(alpha, oracles.projector(P_C), oracles.subtractor(P_D))


@jax.jit
def rho_of_mixture(alpha, directions=None):
    one, other = oracles.projector(P_C), oracles.subtractor(P_D)

    def denoiser(x):
        return alpha * one(x) + (1 - alpha) * other(x)

    return novelty_response(denoiser, SEEN[1], KEY, directions, method="jvp").rho


def test_bases_have_the_rank_of_their_family():
    assert P_C.shape == (SIZE, 16)  # a sine and a cosine for each of 8 frequencies
    assert P_D.shape == (SIZE, 20)
    np.testing.assert_allclose(P_C.T @ P_C, np.eye(16), atol=1e-5)


@given(ALPHAS)
def test_the_index_of_a_mixture_of_oracles_is_known(alpha):
    index = fitted_index(mixture(alpha), UNSEEN_CONTENT, UNSEEN_LAYER)
    assert index.kept == pytest.approx(1 - alpha**2, abs=0.02)
    assert index.removed == pytest.approx(1 - (1 - alpha) ** 2, abs=0.02)
    assert index.phi == pytest.approx(2 * alpha - 1, abs=0.02)
    assert index.generality == pytest.approx((index.kept + index.removed) / 2)


@given(ALPHAS)
def test_rho_of_a_mixture_of_oracles_is_its_normalised_trace(alpha):
    truth = (alpha * 16 + (1 - alpha) * (SIZE - 20)) / SIZE
    assert float(rho_of_mixture(alpha)) == pytest.approx(truth, abs=0.02)


@given(ALPHAS)
def test_rho_along_an_unseen_direction_is_what_the_mixture_passes_of_it(alpha):
    for family in (NEW_CONTENT, NEW_LAYER):
        directions = family.sample(jax.random.key(4), 64)
        assert float(rho_of_mixture(alpha, directions)) == pytest.approx(1 - alpha, abs=0.02)


@given(ALPHAS)
def test_the_gains_of_a_mixture_of_oracles_are_known(alpha):
    clean, degraded = draw_pair(KEY, CONTENT, NEW_LAYER, 64)
    gains = component_gains(mixture(alpha)(degraded), clean, degraded)
    np.testing.assert_allclose(gains.content, 1, atol=0.02)
    np.testing.assert_allclose(gains.degradation, 1 - alpha, atol=0.02)
    np.testing.assert_allclose(gains.unexplained, 0, atol=0.02)


@pytest.mark.parametrize(
    ("denoiser", "rho", "gains", "said"),
    [
        (oracles.projector(P_C), 16 / SIZE, (1, 0), "content"),
        (oracles.subtractor(P_D), 1 - 20 / SIZE, (1, 0), "degradation"),
        (oracles.identity, 1.0, (1, 1), "neither"),
        (oracles.zero, 0.0, (0, 0), "neither"),
    ],
    ids=["projector", "subtractor", "identity", "zero"],
)
def test_oracles_read_their_known_values(denoiser, rho, gains, said):
    index = fitted_index(denoiser, UNSEEN_CONTENT, UNSEEN_LAYER)
    assert index.verdict == said
    if said == "neither":
        assert index.phi == pytest.approx(0, abs=0.04)  # power of content and layer, as drawn
    silence = np.zeros((2, SIZE, 1))
    np.testing.assert_array_equal(denoiser(silence), silence)
    assert float(novelty_response(denoiser, SEEN[1], KEY).rho) == pytest.approx(rho, abs=0.02)
    measured = component_gains(denoiser(SEEN[1]), *SEEN)
    assert float(jnp.mean(measured.content)) == pytest.approx(gains[0], abs=0.02)
    assert float(jnp.mean(measured.degradation)) == pytest.approx(gains[1], abs=0.02)


@given(kept=st.floats(-1, 1), removed=st.floats(-1, 1))
def test_the_verdict_follows_from_kept_and_removed(kept, removed):
    keeps, removes = kept >= 0.5, removed >= 0.5
    index = analysis.index_of(kept, removed)
    assert (index.verdict in ("both", "degradation")) == keeps
    assert (index.verdict in ("both", "content")) == removes
    if index.verdict == "content":
        assert index.phi > 0
    if index.verdict == "degradation":
        assert index.phi < 0


def test_a_verdict_on_nothing_is_unknown():
    assert verdict(float("nan"), 1.0) == "unknown"


def test_kept_and_removed_are_clipped_where_a_denoiser_goes_wild():
    index = fitted_index(lambda y: 100 * y, UNSEEN_CONTENT, UNSEEN_LAYER)
    assert (index.kept, index.removed) == (-1, -1)


def smooth(x):
    return jnp.tanh(1.5 * x) * jnp.roll(x, 1, axis=1) + 0.3 * x


def test_exact_products_and_finite_differences_agree_on_a_smooth_denoiser():
    exact = novelty_response(smooth, SEEN[1], KEY, method="jvp")
    near = novelty_response(smooth, SEEN[1], KEY, method="differences")
    np.testing.assert_allclose(near.draws, exact.draws, atol=1e-3)


def test_a_numpy_denoiser_is_differenced_and_a_jax_one_is_not():
    def box(x):
        return uniform_filter1d(np.asarray(x), 5, axis=1, mode="wrap")

    measured = novelty_response(box, np.asarray(SEEN[1]), KEY)
    assert float(measured.rho) == pytest.approx(1 / 5, abs=0.02)
    with pytest.raises(jax.errors.TracerArrayConversionError):
        novelty_response(box, SEEN[1], KEY, method="jvp")

    calls = []
    novelty_response(lambda x: calls.append(x) or 0.5 * x, SEEN[1], KEY, probes=50)
    assert len(calls) < 5


def test_the_standard_error_covers_the_truth():
    basis = oracles.basis_of(signals.band(20).sample(KEY, 300))
    truth = basis.shape[1] / SIZE
    project = oracles.projector(basis)
    off = []
    measure = jax.jit(
        lambda key: novelty_response(project, SEEN[1][:8], key, probes=1, method="jvp")[:2]
    )
    for seed in range(200):
        rho, error = measure(jax.random.key(seed))
        off.append((float(rho) - truth) / float(error))
    # Student's t with 7 degrees of freedom: 5% lie outside 2.36.
    assert 0.88 < np.mean(np.abs(off) < 2.36) <= 0.99


def test_one_code_serves_one_and_two_spatial_axes():
    for space in ((128,), (12, 10)):
        clean = jax.random.normal(KEY, (20, *space, 3))
        layer = 0.5 * jax.random.normal(jax.random.key(1), (20, *space, 3))
        pair = clean, clean + layer
        index = fitted_index(lambda y: 0.5 * y, pair, pair)
        left = np.mean((0.5 * pair[1] - clean) ** 2) / np.mean(layer**2)
        assert index.removed == pytest.approx(float(1 - left), abs=1e-4)
        assert float(novelty_response(lambda y: 0.5 * y, pair[1], KEY).rho) == pytest.approx(0.5)


@given(content_gain=st.floats(-2, 2), layer_gain=st.floats(-2, 2))
def test_gains_are_recovered_and_what_is_neither_is_unexplained(content_gain, layer_gain):
    clean, degraded = SEEN
    other = np.roll(np.asarray(clean), 1, axis=0)
    explained = content_gain * clean + layer_gain * (degraded - clean)
    gains = component_gains(explained, clean, degraded)
    np.testing.assert_allclose(gains.content, content_gain, atol=1e-4)
    np.testing.assert_allclose(gains.degradation, layer_gain, atol=1e-4)
    hallucinated = component_gains(other, clean, degraded)
    assert float(jnp.mean(hallucinated.unexplained)) > 0.8


@pytest.mark.parametrize(
    ("estimate", "low", "high", "said"),
    [
        (1.0, 0.9, 1.1, "generalises"),
        (0.8, 0.8, 0.9, "generalises"),
        (0.7, 0.6, 0.79, "generalises in part"),
        (0.5, 0.5, 0.6, "generalises in part"),
        (0.2, -0.1, 0.4, "overfits"),
        (0.7, 0.6, 0.9, "too close to call"),
        (0.9, 0.7, 1.1, "too close to call"),
        (0.4, 0.3, 0.6, "too close to call"),
        (0.9, np.nan, np.nan, "generalises"),  # one network and sample: no interval
        (np.nan, np.nan, np.nan, "unknown"),
    ],
)
def test_a_transfer_is_judged_by_its_interval(estimate, low, high, said):
    assert transfer_verdict(Interval(estimate, low, high, 8)) == said


@pytest.mark.parametrize(("space", "large"), [((16, 11), True), ((7, 16), False), ((16, 6), False)])
def test_pictures_have_a_psnr_and_where_the_window_fits_an_ssim(space, large):
    clean = np.random.default_rng(0).random((2, *space, 1))
    found = measures_of(clean, clean, clean + 0.1, pictures=True)
    assert ("ssim" in found) == large
    assert "psnr" in found
    assert not {"psnr", "ssim"} & set(measures_of(clean, clean, clean + 0.1))


def test_gains_of_silent_components_are_zero():
    clean = np.asarray(SEEN[0])
    no_layer = component_gains(0.7 * clean, clean, clean)
    np.testing.assert_allclose(no_layer.content, 0.7, atol=1e-5)
    np.testing.assert_allclose(no_layer.degradation, 0)
    no_content = component_gains(0.4 * clean, 0 * clean, clean)
    np.testing.assert_allclose(no_content.content, 0)
    np.testing.assert_allclose(no_content.degradation, 0.4, atol=1e-5)


def test_gains_of_parallel_components_are_the_content_s():
    # As where a degradation only makes content louder: nothing tells the two apart.
    clean = np.asarray(SEEN[0])
    louder = component_gains(1.2 * clean, clean, 1.5 * clean)
    np.testing.assert_allclose(louder.content, 1.2, atol=1e-5)
    np.testing.assert_allclose(louder.degradation, 0)


def test_share_in_span_tells_inside_from_outside():
    inside, outside = CONTENT.sample(KEY, 50), NEW_CONTENT.sample(KEY, 50)
    assert float(analysis.share_in_span(inside, P_C)) == pytest.approx(1, abs=1e-4)
    assert float(analysis.share_in_span(outside, P_C)) == pytest.approx(0, abs=1e-4)
    assert float(analysis.share_in_span(inside + outside, P_C)) == pytest.approx(0.5, abs=0.05)
    assert float(analysis.share_in_span(0 * inside, P_C)) == 0


CLEAN, DEGRADED = (np.asarray(part) for part in SEEN)
NAN = DEGRADED.copy()
NAN[7, 3] = np.nan


@pytest.mark.parametrize(
    ("denoiser", "pair", "message"),
    [
        (lambda y: y[:, :5], (CLEAN, DEGRADED), "output of the denoiser.*expected shape"),
        (lambda y: y * np.nan, (CLEAN, DEGRADED), "output of the denoiser, sample 0"),
        (oracles.identity, (CLEAN, NAN), "degraded, sample 7"),
        (oracles.identity, (CLEAN, CLEAN), "some degradation"),
        (oracles.identity, (0 * CLEAN, DEGRADED), "silence"),
        (oracles.identity, (CLEAN[:3], DEGRADED), "two arrays of one shape"),
        (oracles.identity, (CLEAN[..., 0, 0], DEGRADED), "batch, \\*space, channels"),
        (oracles.identity, (CLEAN[:0], DEGRADED[:0]), "at least one sample"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_judged_is_refused_with_the_sample_named(denoiser, pair, message):
    with pytest.raises(InvalidInput, match=message):
        fitted_index(denoiser, pair, pair)


@pytest.mark.parametrize(
    "options",
    [{"method": "exact"}, {"probes": 0}, {"step": 0.0}, {"directions": DEGRADED[:3]}],
    ids=lambda options: next(iter(options)),
)
def test_bad_options_of_the_novelty_response_are_refused(options):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        novelty_response(oracles.identity, DEGRADED, KEY, **options)


def test_what_a_denoiser_raises_is_passed_on():
    def broken(y):
        raise RuntimeError("out of tea")

    with pytest.raises(RuntimeError, match="out of tea"):
        fitted_index(broken, SEEN, SEEN)


def test_a_median_filter_can_be_judged():
    def median(y):
        return median_filter(y, size=(1, 5, 1), mode="wrap")

    pair = tuple(np.asarray(part) for part in draw_pair(KEY, CONTENT, degradations.clicks(), 50))
    assert fitted_index(median, pair, pair).verdict in ("both", "content", "degradation", "neither")


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5, 8, 20])
@pytest.mark.parametrize("kind", ["normal", "uniform", "exponential"])
def test_intervals_cover_as_they_say(seeds, kind):
    rng, trials = np.random.default_rng(seeds), 2000
    drawn = {
        "normal": rng.normal, "exponential": lambda size: rng.exponential(size=size) - 1,
        "uniform": lambda size: rng.uniform(-1, 1, size),
    }[kind](size=(trials, seeds))  # fmt: skip
    found = [interval(row) for row in drawn]
    covered = np.mean([each.low <= 0 <= each.high for each in found])
    assert covered > 0.93 - 3 * np.sqrt(0.93 * 0.07 / trials)


def test_an_interval_of_a_mean_without_skewness_is_students():
    values = np.array([-3.0, -1.0, 0.0, 1.0, 3.0, -2.0, 2.0, 0.0]) + 5
    found = interval(values)
    low, high = t.interval(0.95, 7, values.mean(), values.std(ddof=1) / np.sqrt(8))
    np.testing.assert_allclose(found[:3], [5, low, high])


def test_of_a_statistic_that_is_no_mean_the_jackknife_is_taken():
    pairs = np.random.default_rng(0).normal([4, 2], 0.1, (40, 2))
    found = interval(pairs, lambda v: v[:, 0].mean() / v[:, 1].mean())
    # The delta method's standard error of a ratio.
    ratio = found.estimate
    error = np.std(pairs[:, 0] - ratio * pairs[:, 1], ddof=1) / pairs[:, 1].mean() / np.sqrt(40)
    assert found.high - found.low == pytest.approx(2 * t.ppf(0.975, 39) * error, rel=0.03)


def test_one_seed_has_no_interval_and_a_diverged_one_does_not_count():
    assert np.isnan(interval(np.array([3.0])).low)
    assert interval(np.array([3.0])).estimate == 3
    with_nan = interval(np.array([1.0, np.nan, 3.0, 2.0]))
    assert with_nan == interval(np.array([1.0, 3.0, 2.0]))
    assert with_nan.seeds == 3
    assert interval(np.array([np.nan])).seeds == 0


def test_intervals_of_columns_are_those_of_each_column():
    rows = np.random.default_rng(0).normal(size=(6, 2, 3))
    for missing in (0, np.nan):
        rows[2, 1, 0] = missing
        found = interval_each(rows)
        for place in np.ndindex(2, 3):
            alone = interval(rows[:, *place])
            np.testing.assert_allclose([part[place] for part in found], alone, rtol=1e-12)


def test_paired_columns_stay_together():
    base = np.random.default_rng(0).normal(0, 10, 20)
    pairs = np.stack([base + 1, base], axis=1)
    found = interval(pairs, lambda v: np.mean(v[:, 0] - v[:, 1]))
    np.testing.assert_allclose(found[:3], 1)


def test_no_seeds_are_refused():
    with pytest.raises(InvalidInput, match="at least one seed"):
        interval(np.array([]))


def test_columns_of_a_nested_interval_stay_together():
    one = np.random.default_rng(0).random((4, 20)) + 1
    both = np.stack([one, 2 * one], axis=-1)
    interval = nested_bootstrap(both, lambda means: (means[:, 1] / means[:, 0]).mean(axis=0))
    np.testing.assert_allclose(interval[:3], 2, rtol=1e-12)
    apart = nested_bootstrap([one, 2 * one], lambda means: (means[:, 1] / means[:, 0]).mean(axis=0))
    assert apart.low < 2 < apart.high


@pytest.mark.parametrize(("channels", "peak"), [(1, 1.0), (3, 1.0), (3, 255.0)])
def test_ssim_and_psnr_are_scikit_image_s(channels, peak):
    rng = np.random.default_rng(0)
    clean = rng.random((3, 24, 17, channels), np.float32)
    output = np.clip(clean + 0.2 * rng.normal(size=clean.shape), 0, 1).astype(np.float32)
    output, clean = peak * output, peak * clean
    for ours, first, second in zip(ssim(output, clean, peak), output, clean, strict=True):
        theirs = structural_similarity(
            first, second, channel_axis=-1, data_range=peak, gaussian_weights=True,
            use_sample_covariance=False,
        )  # fmt: skip
        assert float(ours) == pytest.approx(theirs, abs=1e-5)
    for ours, first, second in zip(psnr(output, clean, peak), output, clean, strict=True):
        theirs = peak_signal_noise_ratio(second, first, data_range=peak)
        assert float(ours) == pytest.approx(theirs, abs=1e-4)


def test_fidelity_knows_its_limits_and_goes_along_any_axes():
    window = np.random.default_rng(0).random((2, 40, 1), np.float32)
    np.testing.assert_allclose(ssim(window, window), 1, atol=1e-6)
    assert np.isposinf(psnr(window, window)).all()
    np.testing.assert_allclose(psnr(window + 0.1, window, peak=2.0), 20 * np.log10(20), rtol=1e-4)
    assert (np.asarray(ssim(1 - window, window)) < 0).all()
    with pytest.raises(InvalidInput, match="at least 11 samples along every axis"):
        ssim(window[:, :10], window[:, :10])
    with pytest.raises(InvalidInput, match="peak"):
        psnr(window, window, peak=0.0)


@pytest.mark.parametrize("method", ["jvp", "differences"])
def test_a_novelty_response_at_bytes_is_that_at_the_same_floats(method):
    inputs = np.random.default_rng(0).integers(0, 256, (16, 32, 1), np.uint8)

    def smooth(y):
        return (jnp.roll(y, 1, 1) + y + jnp.roll(y, -1, 1)) / 3

    found, floats = (
        novelty_response(smooth, values, KEY, method=method)
        for values in (inputs, inputs.astype(np.float32))
    )
    assert float(found.rho) == float(floats.rho) == pytest.approx(1 / 3, abs=0.05)
    assert portrait(smooth, inputs[:2], KEY).trace == pytest.approx(32 / 3, rel=1e-3)


def test_what_is_measured_at_bytes_is_what_is_measured_at_the_same_floats():
    noisy = np.random.default_rng(0).integers(0, 256, (16, 32, 1), np.uint8)

    def smooth(y):  # it would go round if it were given bytes
        return (jnp.roll(y, 1, 1) + y + jnp.roll(y, -1, 1)) / 3

    for measure in (lambda y: sure(smooth, y, 20.0, KEY), lambda y: bias_share(smooth, y)):
        np.testing.assert_array_equal(measure(noisy), measure(noisy.astype(np.float32)))


@pytest.mark.parametrize("kind", [np.float16, ">f4", jnp.bfloat16])
def test_what_is_measured_at_other_floats_is_what_is_measured_at_float32(kind):
    given = np.random.default_rng(0).normal(size=(4, 32, 1)).astype(kind)
    same = given.astype(np.float32)

    def in_numpy(y):
        return 0.5 * np.asarray(y)

    for measure in (
        lambda y: novelty_response(in_numpy, y, KEY).rho,
        lambda y: sure(in_numpy, y, 0.1, KEY),
        lambda y: portrait(lambda x: 0.5 * x, y, KEY).trace,
        lambda y: psnr(y, np.zeros_like(y)),
    ):
        np.testing.assert_array_equal(measure(given), measure(same))


def test_with_double_precision_a_jacobian_is_had_as_well():
    with jax.enable_x64(True):
        inputs = np.random.default_rng(0).normal(size=(2, 16, 1))
        assert portrait(lambda y: 0.5 * y, inputs, jax.random.key(0)).trace == pytest.approx(8)


@pytest.mark.parametrize(
    ("denoiser", "said"),
    [
        (lambda y: jnp.mean(y, 0, keepdims=True), "output of the denoiser: got"),
        (lambda y: jnp.log(y - 10), "NaN or infinity"),
    ],
)
def test_a_novelty_response_to_bad_outputs_is_refused(denoiser, said):
    with pytest.raises(InvalidInput, match=said):
        novelty_response(denoiser, np.ones((4, 16, 1), np.float32), KEY)


@pytest.mark.parametrize("unit", [1e-13, 1e-9, 1e10])
def test_gains_do_not_depend_on_the_unit(unit):
    clean, degraded = (np.asarray(part) for part in SEEN)
    edges = np.linspace(0.5, 64.5, 5)
    for found, known in zip(
        (component_gains(0.5 * unit * degraded, unit * clean, unit * degraded),
         band_gains(0.5 * unit * degraded, unit * clean, unit * degraded, edges)),
        (component_gains(0.5 * degraded, clean, degraded),
         band_gains(0.5 * degraded, clean, degraded, edges)),
    ):  # fmt: skip
        np.testing.assert_allclose(found, known, atol=1e-5)
