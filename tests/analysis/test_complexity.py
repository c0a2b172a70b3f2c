"""Complexity before training, on samples whose complexity is known."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d.analysis import complexity, predict
from shortcut1d.data import degradations, image_degradations, signals
from shortcut1d.data.family import draw
from shortcut1d.errors import InvalidInput

# The probes train: with XLA's optimisations, as users have it.
pytestmark = pytest.mark.usefixtures("optimised")

KEY = jax.random.key(0)
MEASURES = complexity.MEASURES
WHITE = np.random.default_rng(0).normal(size=(1024, 128, 1))
NOTE = np.asarray(signals.note().sample(KEY, 1024))


def directions(seed, samples, rank, size=128):
    """Gaussian draws of equal power along `rank` orthonormal directions."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(size, rank)))[0]
    return (rng.normal(size=(samples, rank)) @ basis.T)[..., None]


# ---------------------------------------------------------------- effective dimension


@pytest.mark.parametrize("rank", [2, 5, 30, 60])
def test_effective_dimension_counts_equal_directions_even_with_few_samples(rank):
    # The plain ratio of 20 samples cannot pass 20. One estimate is off by about
    # sqrt(2 * 2 / (20 * 19)) = 10%, the mean of 50 by 1.5%; E|x|^2 squared adds 2 / (20 rank).
    found = np.mean(
        [complexity.effective_dimension(directions(seed, 20, rank)) for seed in range(50)]
    )
    assert found == pytest.approx(rank, rel=0.06 + 0.1 / rank)


def test_effective_dimension_of_white_noise_is_its_size():
    assert complexity.effective_dimension(WHITE) == pytest.approx(128, rel=0.01)
    image = np.random.default_rng(0).normal(size=(1024, 8, 8, 2))
    assert complexity.effective_dimension(image) == pytest.approx(128, rel=0.01)


@pytest.mark.parametrize("frequencies", [1, 8, 30])
def test_effective_dimension_of_a_band_is_a_sine_and_a_cosine_a_frequency(frequencies):
    samples = np.asarray(signals.band(frequencies).sample(KEY, 1024))
    assert complexity.effective_dimension(samples) == pytest.approx(2 * frequencies, rel=0.03)


@given(st.lists(st.floats(0.5, 2), min_size=2, max_size=20))
def test_effective_dimension_of_multiples_of_one_pattern_is_near_one(gains):
    # (mean g^2)^2 / mean of g_i^2 g_j^2 over i != j: 1, and more by the spread over n - 1.
    square = np.square(gains)
    samples = np.asarray(gains)[:, None, None] * WHITE[:1]
    spread = square.var(ddof=1) / len(gains) / square.mean() ** 2
    assert complexity.effective_dimension(samples) == pytest.approx(1 / (1 - spread), rel=1e-6)


# ---------------------------------------------------------------- spectral entropy


def test_spectral_entropy_knows_a_constant_a_sine_and_white_noise():
    assert complexity.spectral_entropy(np.ones((4, 128, 1))) == pytest.approx(1)
    assert complexity.spectral_entropy(NOTE) == pytest.approx(2, rel=1e-4)
    # A mean of 1024 periodograms: each share is off by 1 / sqrt(1024), which costs 1 / 2048.
    assert complexity.spectral_entropy(WHITE) == pytest.approx(128, rel=2e-3)


@pytest.mark.parametrize("frequencies", [1, 8, 30])
def test_spectral_entropy_of_a_band_is_twice_its_frequencies(frequencies):
    samples = np.asarray(signals.band(frequencies).sample(KEY, 1024))
    assert complexity.spectral_entropy(samples) == pytest.approx(2 * frequencies, rel=3e-3)


def test_spectral_entropy_of_an_image_runs_over_both_axes():
    image = np.random.default_rng(0).normal(size=(1024, 8, 6, 3))
    assert complexity.spectral_entropy(image) == pytest.approx(48, rel=2e-3)
    stripes = np.tile(np.sin(2 * np.pi * np.arange(8) / 8)[None, :, None, None], (2, 1, 6, 1))
    assert complexity.spectral_entropy(stripes) == pytest.approx(2)


def test_spectral_entropy_of_two_powers_is_known():
    time = 2 * np.pi * np.arange(128) / 128
    two = np.sqrt(3) * np.sin(5 * time) + np.sin(9 * time)  # shares 3/4 and 1/4, two lines each
    truth = 2 * np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    assert complexity.spectral_entropy(np.tile(two[None, :, None], (2, 1, 1))) == pytest.approx(
        truth
    )


# ---------------------------------------------------------------- description length


def test_a_repeated_pattern_takes_next_to_nothing_to_describe():
    assert complexity.description_length(np.tile(WHITE[:1], (512, 1, 1))) < 0.05


@pytest.mark.parametrize("levels", [2, 8, 32, 256])
def test_white_noise_is_described_near_the_entropy_of_its_histogram(levels):
    scaled = WHITE.ravel() / (3 * np.sqrt(np.mean(WHITE**2)))
    steps = np.clip(np.floor((scaled + 1) / 2 * levels), 0, levels - 1).astype(int)
    share = np.bincount(steps) / steps.size
    entropy = -np.sum(share[share > 0] * np.log2(share[share > 0]))
    # No code of independent values is shorter (but for what the model learns, well below 1%);
    # LZMA wastes up to a quarter of a bit on matches that are not there.
    assert 0.99 * entropy < complexity.description_length(WHITE, levels) < entropy + 0.25


def test_what_is_louder_than_three_rms_is_described_as_that():
    loud = np.random.default_rng(0).uniform(4, 9, WHITE.shape)
    spikes = np.where(np.random.default_rng(1).random(WHITE.shape) < 0.01, loud, 0)
    assert spikes[spikes > 0].min() > 3 * np.sqrt(np.mean(spikes**2))
    assert complexity.description_length(spikes, levels=2) < 0.01  # all in the upper half


def test_a_wider_band_takes_longer_to_describe():
    bands = [np.asarray(signals.band(high).sample(KEY, 512)) for high in (1, 8, 30)]
    assert np.all(np.diff([complexity.description_length(band) for band in bands]) > 0.5)


@pytest.mark.parametrize("levels", [1, 257])
def test_levels_that_a_byte_cannot_hold_are_refused(levels):
    with pytest.raises(InvalidInput, match="levels"):
        complexity.description_length(WHITE[:2], levels)


# ---------------------------------------------------------------- intrinsic dimension


def test_intrinsic_dimension_knows_a_circle_and_a_linear_space():
    # Maximum likelihood of n ratios: off by 1 / sqrt(n) = 3%, more since points share neighbours
    # (measured: 4%); four of these.
    assert complexity.intrinsic_dimension(NOTE) == pytest.approx(1, rel=0.16)
    flat = directions(0, 1024, 5, 40)
    assert complexity.intrinsic_dimension(flat) == pytest.approx(5, rel=0.16)
    two = np.random.default_rng(0).uniform(size=(1024, 2, 1))
    assert complexity.intrinsic_dimension(two) == pytest.approx(2, rel=0.16)


def test_intrinsic_dimension_sees_the_manifold_and_not_the_space_it_lies_in():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 1024)
    curve = np.stack([np.cos(k * angle + k) / k for k in range(1, 8)], axis=1)[..., None]
    assert complexity.intrinsic_dimension(curve) == pytest.approx(1, rel=0.16)
    assert complexity.effective_dimension(curve) > 2


def test_repeated_samples_count_once():
    few = NOTE[:100]
    again = np.concatenate([few, few, few[:30]])
    assert complexity.intrinsic_dimension(again) == complexity.intrinsic_dimension(few)


@pytest.mark.parametrize("different", [1, 2])
def test_fewer_than_three_points_have_no_dimension(different):
    assert complexity.intrinsic_dimension(np.tile(WHITE[:different], (5, 1, 1))) == 0


# ---------------------------------------------------------------- learnability


def test_a_narrow_band_is_learnt_sooner_than_a_wide_one():
    costs = [
        complexity.learnability(np.asarray(signals.band(high).sample(KEY, 1024)))
        for high in (1, 8, 30)
    ]
    assert np.all(np.diff(costs) > 0.05)
    assert 0 < costs[0] < 0.2
    assert costs[2] < complexity.learnability(WHITE)


def test_learning_on_makes_the_mean_cost_fall_and_the_beginning_costs_all():
    assert complexity.learnability(NOTE[:64]) > 0.5  # four batches
    assert complexity.learnability(NOTE) < 0.1


def test_learnability_hardly_depends_on_the_key_and_not_at_all_on_the_day():
    again = [complexity.learnability(NOTE, jax.random.key(seed)) for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    assert again[2] == pytest.approx(again[0], rel=0.1)


def test_learnability_of_too_few_samples_is_refused():
    with pytest.raises(InvalidInput, match=r"samples: got \(63, 128, 1\).*at least 64"):
        complexity.learnability(NOTE[:63])


# ---------------------------------------------------------------- what all measures share


@pytest.mark.slow
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 7.0, 1e4])
def test_a_louder_family_is_no_more_complex(measure, scale):
    samples = np.asarray(signals.band(8).sample(KEY, 64), np.float64)
    once, louder = MEASURES[measure](samples), MEASURES[measure](scale * samples)
    assert louder == pytest.approx(once, rel=1e-3)  # single precision, and a value on an edge


@pytest.mark.slow
@pytest.mark.parametrize("measure", MEASURES)
def test_white_noise_is_more_complex_than_a_note(measure):
    assert MEASURES[measure](WHITE) > 2 * MEASURES[measure](NOTE)


@pytest.mark.slow
@pytest.mark.parametrize("measure", MEASURES)
def test_images_can_be_measured(measure):
    image = np.random.default_rng(0).normal(size=(1024, 16, 8, 1))
    assert MEASURES[measure](image) == pytest.approx(MEASURES[measure](WHITE), rel=0.1)


HOLED = WHITE[:64].copy()
HOLED[7, 3] = np.nan


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (HOLED, "samples, sample 7: got 'NaN or infinity'"),
        (0 * WHITE[:64], "samples: got 'silence', expected some signal"),
        (WHITE[:1], r"samples: got \(1, 128, 1\), expected at least"),
        (WHITE[:0], "at least one sample"),
    ],
    ids=["NaN", "silence", "one", "none"],
)
def test_what_cannot_be_measured_is_refused(measure, samples, message):
    with pytest.raises(InvalidInput, match=message):
        MEASURES[measure](samples)


# ---------------------------------------------------------------- prediction


@pytest.mark.slow
@pytest.mark.parametrize("measure", MEASURES)
def test_the_simpler_component_is_predicted(measure):
    note = predict(signals.note(), degradations.clicks(256), measure)
    assert note.component == "content"
    assert note.balance > 0.5
    band = predict(signals.band(60), degradations.clicks(1), measure)
    assert band.component == "degradation"
    assert band.balance < -0.2
    for prediction in (note, band):
        assert prediction.measure == measure
        ratio = prediction.degradation / prediction.content
        assert prediction.balance == pytest.approx(np.log2(ratio))


def test_the_default_measure_is_used_where_none_is_named():
    default = predict(NOTE, WHITE)
    assert default.measure == complexity.DEFAULT
    assert default == predict(NOTE, WHITE, complexity.DEFAULT)


@pytest.mark.slow
@pytest.mark.parametrize("measure", MEASURES)
def test_arrays_and_families_give_the_same(measure):
    families = signals.note(), degradations.clicks(1)
    clean = np.asarray(families[0].sample(jax.random.key(0), 1024))
    layer = families[1].sample(jax.random.key(1), 1024)
    layer = np.asarray(families[1].apply(clean, layer)) - clean
    assert predict(*families, measure) == predict(clean, layer, measure)
    assert predict(*families, measure).content == MEASURES[measure](clean)


@pytest.mark.slow
def test_as_many_samples_are_drawn_as_are_asked_for():
    targets = predict(signals.band(8), degradations.clicks(1), "description length", 64)
    drawn = np.asarray(signals.band(8).sample(jax.random.key(0), 64))
    assert targets.content == complexity.description_length(drawn)


@pytest.mark.slow
@pytest.mark.parametrize("family", [degradations.dropout(), degradations.blur()])
def test_of_a_degradation_that_is_not_additive_the_layer_counts(family):
    predicted = predict(signals.melody(), family, "spectral entropy")
    clean = signals.melody().sample(jax.random.key(0), 1024)
    layer = family.apply(clean, family.sample(jax.random.key(1), 1024)) - clean
    assert predicted.degradation == complexity.spectral_entropy(np.asarray(layer))


def test_samples_that_have_nothing_in_common_are_as_complex_as_they_can_be():
    apart = np.eye(4, 128, dtype=np.float32)[..., None]
    assert complexity.effective_dimension(apart) == 128
    assert predict(apart, apart, "effective dimension").balance == 0


@given(st.integers(2, 40), st.integers(2, 40))
def test_changing_sides_changes_the_sign_of_the_balance(one, other):
    pair = directions(1, 64, one), directions(2, 64, other)
    there, back = predict(*pair, "effective dimension"), predict(*pair[::-1], "effective dimension")
    assert there.balance == pytest.approx(-back.balance)
    if there.balance:
        assert there.component != back.component
    if max(one, other) > 2 * min(one, other):
        assert there.component == ("content" if one < other else "degradation")


@pytest.mark.parametrize(
    ("targets", "meant"),
    [("learnabilty", "learnability"), ("spectral-entropy", "spectral entropy")],
)
def test_an_unknown_measure_is_refused_with_a_suggestion(targets, meant):
    with pytest.raises(InvalidInput, match=f"measure: got '{targets}'.*did you mean '{meant}'"):
        predict(NOTE, WHITE, targets)


@pytest.mark.parametrize("samples", [63, 0])
def test_too_few_samples_to_draw_are_refused(samples):
    with pytest.raises(InvalidInput, match="samples"):
        predict(signals.note(), degradations.clicks(1), samples=samples)


def test_a_silent_layer_is_refused_by_the_prediction():
    with pytest.raises(InvalidInput, match="silence"):
        predict(NOTE, 0 * NOTE, "spectral entropy")


# ---------------------------------------------------------------- perplexity


@pytest.mark.slow
@given(st.integers(2, 40), st.integers(0, 100))
def test_perplexity_counts_the_entries_in_use(entries, seed):
    used = np.random.default_rng(seed).permutation(entries)[: max(1, entries // 2)]
    codes = np.stack([np.repeat(used, 7), np.full(7 * len(used), used[0])], axis=1)
    np.testing.assert_allclose(complexity.perplexity(codes, entries), [len(used), 1], rtol=1e-4)


@pytest.mark.parametrize("codes", [np.zeros((0, 1), int), np.array([[5]]), np.array([[0.5]])])
def test_codes_that_no_codebook_gives_are_refused(codes):
    with pytest.raises(InvalidInput, match=r"codes: got .*(from 0 to 3|whole numbers)"):
        complexity.perplexity(codes, 4)


def test_of_an_array_as_many_samples_are_taken_as_of_the_family_beside_it():
    family, clean = degradations.clicks(1), np.asarray(draw(signals.band(8), KEY, 100))
    found = predict(clean, family, "description length", 64)
    assert found == predict(clean[:64], family, "description length", 64)


def test_a_family_of_another_shape_is_refused():
    with pytest.raises(InvalidInput, match="does not apply to samples of shape \\(100, 1\\)"):
        predict(np.ones((64, 100, 1), np.float32), degradations.clicks(1), samples=64)
    grey, colour = (
        np.ones((64, 16, 16, 1), np.float32),
        image_degradations.rain(size=16, channels=3),
    )
    with pytest.raises(InvalidInput, match="degradation: got \\(16, 16, 3\\)"):
        predict(grey, colour, samples=64)
