"""The advice on balance, and the cost it rests on."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shortcut1d.analysis import Advice, balance
from shortcut1d.analysis.complexity import (
    CHANNELS,
    _denoising_cost,
    _neighbourhoods,
    denoising_cost,
    denoising_cost_of_some,
)
from shortcut1d.data import degradations, signals
from shortcut1d.errors import InvalidInput

# Training in earnest: with XLA's optimisations, as users have it.
pytestmark = pytest.mark.usefixtures("optimised")


def drawn(family, n=256):
    return np.asarray(family.sample(jax.random.key(0), n))


FAMILIES = {
    "note": signals.note(),
    "band": signals.band(40),
    "white": degradations.hiss(),
    "clicks": degradations.clicks(1),
    "hum": degradations.hum(),
}


@functools.cache
def of(name):
    return drawn(FAMILIES[name])


@pytest.mark.slow
def test_wider_bands_cost_more_and_white_noise_most():
    costs = [denoising_cost(drawn(signals.band(top))) for top in (2, 8, 30)]
    assert np.all(np.diff(costs) > 0.05)
    assert costs[-1] < denoising_cost(of("white"))
    # White noise cannot be told from white noise: half of the power, and what learning that costs.
    assert 0.5 < denoising_cost(of("white")) < 0.65


@pytest.mark.slow
def test_more_shapes_of_click_cost_more():
    costs = [denoising_cost(drawn(degradations.clicks(shapes))) for shapes in (1, 8, 64)]
    assert np.all(np.diff(costs) > 0.02)


@pytest.mark.slow
def test_a_conv_net_learns_clicks_as_easily_as_middling_bands():
    # An MLP, which the measure of learnability is, does not.
    assert (
        denoising_cost(drawn(signals.band(5)))
        < denoising_cost(of("clicks"))
        < denoising_cost(of("band"))
    )


@pytest.mark.slow
def test_few_contents_cost_less_than_many_whatever_else_is_in_the_array():
    costs = [denoising_cost_of_some(of("band"), count) for count in (1, 4, 256)]
    assert np.all(np.diff(costs) > 0.05)
    others = of("band").copy()
    others[4:] = 1000 * of("white")[4:]
    assert denoising_cost_of_some(others, 4) == costs[1]
    assert denoising_cost_of_some(of("band"), 256) == denoising_cost(of("band"))


@pytest.mark.slow
def test_one_program_serves_all_counts():
    before = _denoising_cost._cache_size()
    for count in (3, 5, 9):
        denoising_cost_of_some(np.roll(of("band"), 1), count)
    assert _denoising_cost._cache_size() - before <= 1


@pytest.mark.slow
def test_where_the_degradation_is_no_simpler_all_contents_are_kept():
    advice = balance(of("note"), of("white"), {"wider": of("white")})
    assert advice.balanced
    assert (advice.keep, advice.widen) == (256, None)
    assert advice.by_name == {}  # nothing wider was needed, so nothing was measured
    assert str(advice).startswith("Keep all 256 contents")


@pytest.mark.slow
def test_where_the_degradation_is_simpler_the_fewest_that_cost_as_much_as_all_are_kept():
    advice = balance(
        of("band"),
        of("clicks"),
        {"2 shapes": of("clicks"), "white": of("white"), "never": of("white")},
    )
    assert not advice.balanced
    assert 4 < advice.keep < 128
    enough = 0.95 * advice.content
    assert (
        denoising_cost_of_some(of("band"), advice.keep // 2)
        < enough
        <= advice.by_count[advice.keep]
    )
    assert advice.widen == "white"
    assert "never" not in advice.by_name  # the first that is wide enough ends the search
    assert "Widen it at least to 'white' (0.5" in str(advice)
    assert advice.content == denoising_cost(of("band"))
    assert advice.degradation == denoising_cost(of("clicks"))


@pytest.mark.slow
def test_where_no_fewer_contents_are_as_hard_all_are_kept():
    advice = balance(of("white")[:2], of("hum"))
    assert advice.by_count[1] < 0.9 * advice.content
    assert advice.keep == 2
    assert not advice.balanced
    assert str(advice).endswith("and will be fitted. Widen it.")


@pytest.mark.slow
def test_no_range_wide_enough_is_said():
    advice = balance(of("band"), of("hum"), {"another hum": of("hum")})
    assert advice.widen is None
    assert list(advice.by_name) == ["another hum"]


@pytest.mark.slow
def test_the_same_samples_give_the_same_advice():
    once = balance(of("note"), of("white"))
    assert isinstance(once, Advice)
    assert once == balance(of("note"), of("white"))
    assert once != balance(of("note"), of("white"), key=jax.random.key(7))


@pytest.mark.slow
def test_images_can_be_balanced():
    image = np.random.default_rng(0).normal(size=(64, 8, 8, 1)).astype(np.float32)
    smooth = image.mean(axis=(1, 2), keepdims=True) * np.ones((1, 8, 8, 1), np.float32)
    assert balance(smooth, image).balanced
    assert not balance(image, smooth).balanced


@pytest.mark.slow
def test_a_picture_costs_less_where_a_pixel_tells_of_its_neighbours():
    rng = np.random.default_rng(0)
    even = rng.normal(size=(64, 1, 1, 1)) * np.ones((1, 8, 8, 1))
    mixed = rng.permuted(even, axis=0)  # the same values, of 64 pixels each from another picture
    assert denoising_cost(even) < denoising_cost(mixed) - 0.1


@pytest.mark.parametrize("shape", [(128, 1), (8, 8, 1)])
def test_the_probe_sees_nine_values_whatever_the_number_of_axes(shape):
    samples = np.ones((4, *shape), np.float32)
    program = str(jax.make_jaxpr(_denoising_cost)(jax.random.key(0), samples, 4))
    sizes = set(re.findall(rf"f32\[(\d+),{CHANNELS}\]", program))
    assert {"9", str(9 * CHANNELS)} <= sizes
    assert "25" not in sizes


def test_the_probe_sees_as_far_to_either_side():
    patches = _neighbourhoods(jnp.arange(24.0).reshape(1, 12, 2), 3, 2)
    np.testing.assert_array_equal(patches[0, 5], [14, 15, 10, 11, 6, 7])
    square = _neighbourhoods(jnp.arange(25.0).reshape(1, 5, 5, 1), 3, 1)
    assert set(np.asarray(square[0, 2, 2])) == {6, 7, 8, 11, 12, 13, 16, 17, 18}
    assert square[0, 2, 2, 4] == 12


SOUND = np.random.default_rng(0).normal(size=(256, 128, 1))
HOLED = SOUND.copy()
HOLED[3, 5] = np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((HOLED, SOUND), "content, sample 3: got 'NaN or infinity'"),
        ((SOUND, HOLED), "degradation, sample 3"),
        ((SOUND, SOUND[:, :64]), r"degradation: got \(256, 64, 1\), expected samples of"),
        ((SOUND, SOUND, {"more": HOLED}), "wider 'more', sample 3"),
        ((SOUND, 0 * SOUND), "silence"),
        ((SOUND[0], SOUND), "shape"),
    ],
    ids=["NaN content", "NaN layer", "another length", "NaN wider", "silence", "no batch"],
)
def test_what_cannot_be_balanced_is_refused(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        balance(*arguments)


@pytest.mark.parametrize("count", [0, 257])
def test_a_count_that_is_not_there_is_refused(count):
    with pytest.raises(InvalidInput, match="count"):
        denoising_cost_of_some(SOUND, count)
