"""Properties that all content and degradation families share."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw, fingerprint, stack

CONTENTS = {
    "note": signals.note(),
    "chord": signals.chord(),
    "band": signals.band(),
    "melody": signals.melody(),
    "tune": signals.tune(),
    "pool": signals.pool(signals.melody(), 500),
}
DEGRADATIONS = {name: degradations.make(name) for name in degradations.DEGRADATIONS}
ADDITIVE = ["clicks", "hiss", "hum"]
ALL = CONTENTS | DEGRADATIONS


every_family = pytest.mark.parametrize("family", ALL.values(), ids=ALL)
every_content = pytest.mark.parametrize("family", CONTENTS.values(), ids=CONTENTS)


def spectrum(windows):
    return np.mean(np.abs(np.fft.rfft(np.asarray(windows)[..., 0])) ** 2, axis=0)


@pytest.mark.slow
@every_family
def test_draws_have_the_requested_shape(family, key):
    draws = draw(family, key, 7)
    assert draws.shape == (7, 128, 1)
    assert draws.dtype == jnp.float32
    assert bool(jnp.isfinite(draws).all())


@pytest.mark.parametrize("name", ["note", "chord", "melody", "tune", "pool", "clicks", "hum"])
def test_every_window_has_unit_rms(name, key):
    power = np.mean(np.asarray(draw(ALL[name], key, 50)) ** 2, axis=(1, 2))
    np.testing.assert_allclose(power, 1, atol=1e-4)


@pytest.mark.parametrize(
    "family", [signals.band(), degradations.hiss(), degradations.hiss(color=2)]
)
def test_gaussian_families_have_unit_power_on_average(family, key):
    power = np.mean(np.asarray(draw(family, key, 20_000)) ** 2)
    assert abs(power - 1) < 0.03


@pytest.mark.parametrize("name", ADDITIVE)
def test_level_is_in_decibels(name, key):
    loud = np.mean(np.asarray(draw(degradations.make(name, level=6.0), key, 64)) ** 2)
    quiet = np.mean(np.asarray(draw(degradations.make(name, level=-14.0), key, 64)) ** 2)
    assert 10 * np.log10(loud / quiet) == pytest.approx(20, abs=0.01)


@every_content
def test_contents_are_periodic(family, key):
    # Across the window's seam a sample differs from its neighbour as it does anywhere else.
    draws = np.asarray(draw(family, key, 400))[..., 0]
    inside = np.mean(np.diff(draws, axis=1) ** 2)
    seam = np.mean((draws[:, 0] - draws[:, -1]) ** 2)
    assert seam == pytest.approx(inside, rel=0.5)


@pytest.mark.parametrize("pitch", [1, 8, 63])
def test_a_note_has_its_energy_at_its_pitch(pitch, key):
    assert np.argmax(spectrum(draw(signals.note(pitch), key, 3))) == pitch


def test_a_band_has_no_energy_outside(key):
    power = spectrum(draw(signals.band(high=20, low=5), key, 200))
    inside = np.arange(65)[(np.arange(65) >= 5) & (np.arange(65) <= 20)]
    outside = np.setdiff1d(np.arange(65), inside)
    assert power[outside].max() < 1e-6 * power[inside].min()


@given(notes=st.integers(1, 16))
def test_a_melody_has_as_many_notes_as_it_says(notes):
    melody = signals.melody(notes, low=20, high=20, steps=1)
    draws = np.asarray(draw(melody, jax.random.key(3), 20))[..., 0]
    envelope = np.abs(draws) < 1e-6 + 0.02 * np.abs(draws).max(axis=1, keepdims=True)
    quiet = np.mean(envelope)
    # Every note fades out once and in once: more notes, more time near silence.
    assert 0 < quiet < 0.25
    one = signals.melody(1, low=20, high=20, steps=1)
    longest = [np.asarray(draw(f, jax.random.key(3), 20)) for f in (one, melody)]
    peak = [np.max(np.abs(np.fft.rfft(x[..., 0])), axis=1).mean() for x in longest]
    assert notes == 1 or peak[1] < peak[0]


@pytest.mark.parametrize(("low", "high"), [(1, 4), (10, 40), (50, 60), (60, 63), (63, 63), (2, 63)])
@pytest.mark.parametrize("made", [signals.band, signals.chords])
def test_a_range_of_frequencies_and_its_twin_share_none(low, high, made):
    twin = made(low=low, high=high).unseen()
    assert 1 <= twin.low <= twin.high <= 63
    assert twin.low > high or twin.high < low


@pytest.mark.parametrize("color", [0, 0.5, 1, 2])
def test_hiss_and_its_twin_are_of_two_colors(color):
    twin = degradations.hiss(color=color).unseen()
    assert twin.color in (0, 1)
    assert abs(twin.color - color) >= 0.5


def test_melody_and_its_twin_share_no_pitch():
    def pitches(melody):
        steps = np.arange(24) + float(melody.offset)
        return melody.low * (melody.high / melody.low) ** (steps / 24)

    seen, unseen = pitches(signals.melody()), pitches(signals.melody().unseen())
    assert np.abs(seen[:, None] - unseen).min() > 0.1
    assert unseen.max() < 64


def test_every_tune_stays_below_nyquist_and_has_sound_notes():
    for name, score in signals.TUNES.items():
        family = signals.tune(name)
        assert len(score.semitones) == len(score.beats) > 10
        assert min(score.semitones) == 0
        assert min(score.beats) > 0
        assert float(family.low) * 2 ** (max(score.semitones) / 12) < 64


def test_a_tune_can_be_performed_at_listening_speed():
    tune = signals.tune("twinkle")
    heard = np.asarray(tune.perform(8000, 4.0))
    assert 3.0 < len(heard) / 8000 <= 4.0
    # The first two notes are the same C: the lowest of the tune, 9 * 8000 / 128 Hz.
    first = np.abs(np.fft.rfft(heard[:4000]))
    assert np.argmax(first) * 8000 / 4000 == pytest.approx(9 * 8000 / 128, abs=3)


@pytest.mark.slow
def test_a_pool_holds_exactly_its_number_of_windows(key):
    draws = np.asarray(signals.pool(signals.melody(), 3).sample(key, 200))
    assert len(np.unique(draws, axis=0)) == 3
    other = np.asarray(signals.pool(signals.melody(), 3, seed=1).sample(key, 200))
    assert not np.isin(other[:, 0], draws[:, 0]).any()


@pytest.mark.slow
def test_a_bigger_pool_contains_the_smaller(key):
    small = np.asarray(signals.pool(signals.melody(), 3).sample(key, 200))
    large = np.asarray(signals.pool(signals.melody(), 6).sample(key, 400))
    assert {tuple(w) for w in small[:, :4, 0]} < {tuple(w) for w in large[:, :4, 0]}


def test_the_number_of_click_shapes_is_traced_and_really_limits_them():
    def distinct(shapes):
        bank = degradations.clicks(shapes=shapes, pulses=1, amplitude=(1, 1))
        draws = np.asarray(draw(bank, jax.random.key(0), 300))[..., 0]
        canonical = np.abs(np.fft.rfft(draws)).round(2)  # shifts leave it as it is
        return len(np.unique(canonical, axis=0))

    assert distinct(1) == 1
    assert distinct(4) == 4


@pytest.mark.slow
def test_clicks_are_no_wider_than_their_width(key):
    for width in (5, 17, 40):
        residual = np.asarray(degradations.clicks(pulses=1, width=(width, width)).sample(key, 50))
        assert np.count_nonzero(np.abs(residual) > 1e-6, axis=1).max() <= width


@pytest.mark.slow
@pytest.mark.parametrize("width", [(5, 17), (3, 128), (17, 40)])
def test_clicks_are_the_sum_of_their_pulses_read_sample_by_sample(width, key):
    bank = degradations.clicks(shapes=9, width=width, pulses=11)
    uniforms = np.split(np.asarray(jax.random.uniform(key, (4, 44))), 4, axis=1)
    shapes = np.asarray(jax.vmap(bank.shape)(jnp.arange(9)))
    expected = np.zeros((4, 128))
    for row, pulse in np.ndindex(4, 11):
        index, onset, wide, loud = (part[row, pulse] for part in uniforms)
        span = width[0] + (width[1] - width[0]) * wide
        since = (np.arange(128) - int(onset * 128)) % 128
        at = since * 16 / (span - 1)
        value = np.interp(at, np.arange(17), shapes[int(index * 9)], right=0.0)
        expected[row] += (0.5 + loud) * value
    expected /= np.sqrt(np.mean(expected**2, axis=1, keepdims=True))
    np.testing.assert_allclose(bank.sample(key, 4)[..., 0], expected, atol=2e-4)


@pytest.mark.slow
def test_a_bank_drawn_ahead_gives_the_same_clicks_as_shapes_drawn_one_by_one(key):
    bank = degradations.clicks(shapes=256)
    assert bank.drawn_ahead
    assert not degradations.clicks(shapes=257).drawn_ahead
    apart = dataclasses.replace(bank, drawn_ahead=0)
    np.testing.assert_allclose(bank.sample(key, 9), apart.sample(key, 9), atol=1e-5)


def test_banks_of_clicks_and_their_twins_do_not_share_a_shape():
    bank = degradations.clicks(shapes=50)
    seen = np.asarray(jax.vmap(bank.shape)(jnp.arange(50)))
    unseen = np.asarray(jax.vmap(bank.unseen().shape)(jnp.arange(50)))
    assert np.abs(seen @ unseen.T).max() < 0.95
    assert fingerprint(bank.unseen().unseen()) == fingerprint(bank)


def test_hiss_is_coloured(key):
    power = spectrum(draw(degradations.hiss(color=2, low=1), key, 4000))
    assert power[4] / power[16] == pytest.approx(16, rel=0.15)
    assert power[0] < 1e-6


def test_dropout_leaves_the_rest_alone(key):
    clean, dropout = draw(signals.melody(), key, 50), degradations.dropout()
    degraded = dropout.apply(clean, draw(dropout, key, 50))
    same = np.asarray(degraded == clean)
    assert set(np.unique(np.asarray(degraded)[~same])) == {0.0}
    assert 8 / 128 < 1 - same.mean() < 48 / 128


def test_blur_keeps_the_mean_and_smooths(key):
    clean = 1.0 + draw(signals.band(high=40), key, 20)
    for motion in (False, True):
        blur = degradations.blur(motion=motion)
        blurred = blur.apply(clean, draw(blur, key, 20))
        np.testing.assert_allclose(blurred.mean(axis=1), clean.mean(axis=1), atol=1e-5)
        assert spectrum(blurred)[30] < 0.2 * spectrum(clean)[30]


@pytest.mark.slow
def test_one_residual_is_added_to_two_contents(key):
    clicks = degradations.clicks()
    residual = draw(clicks, key, 3)
    for family in (signals.note(), signals.melody()):
        clean = draw(family, key, 3)
        np.testing.assert_allclose(clicks.apply(clean, residual) - clean, residual, atol=1e-6)


@pytest.mark.slow
def test_stacked_families_of_different_kinds_draw_what_each_draws_alone(key):
    members = [signals.note(), signals.melody(), signals.note(12), signals.tune()]
    stacked = stack(members)
    drawn = jax.lax.map(lambda family: family.sample(key, 3), stacked)
    for alone, among_others in zip(members, drawn, strict=True):
        np.testing.assert_allclose(among_others, draw(alone, key, 3), atol=1e-5)
    twins = jax.lax.map(lambda family: family.unseen().sample(key, 3), stack(members[:2]))
    np.testing.assert_allclose(twins[1], draw(members[1].unseen(), key, 3), atol=1e-5)


@pytest.mark.slow
def test_stacked_degradations_are_applied_as_each_is_alone(key):
    members = [
        degradations.hiss(),
        degradations.dropout(),
        degradations.blur(),
    ]
    clean = draw(signals.melody(), key, 3)
    drawn = jax.lax.map(lambda d: d.apply(clean, d.sample(key, 3)), stack(members))
    for alone, among_others in zip(members, drawn, strict=True):
        expected = alone.apply(clean, draw(alone, key, 3))
        np.testing.assert_allclose(among_others, expected, atol=1e-5)


def test_one_compilation_serves_every_complexity(key):
    traces = 0

    @jax.jit
    def counted(family):
        nonlocal traces
        traces += 1
        return family.sample(key, 2)

    for pitch in (3, 8, 20):
        counted(signals.note(pitch))
    assert traces == 1
    for shapes in (1, 8, 64):
        counted(degradations.clicks(shapes))
    assert traces == 2


@given(st.integers(1, 63), st.integers(1, 63))
def test_fingerprints_tell_families_apart_and_are_stable(one, other):
    same = fingerprint(signals.note(one)) == fingerprint(signals.note(other))
    assert same == (one == other)
    assert fingerprint("train", signals.note(8)) == 1001015450


def test_families_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        signals.note().length = 3


def test_a_recording_in_a_thousand_cells_is_held_once():
    windows = np.ones((1000, 128, 1), np.float32)
    stacked = stack([signals.Recording(windows, windows[:1]), signals.note(8)] * 500)
    assert all(0 in leaf.strides for leaf in jax.tree.leaves(stacked.options[0]))
