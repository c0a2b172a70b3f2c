"""Degradations of pictures: rain, sensor noise, blur."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shortcut1d import errors
from shortcut1d.data import image_degradations, images
from shortcut1d.data.family import draw, draw_pair, stack

SIZE = 16
FAMILIES = {
    f"{name}, {channels}": image_degradations.make(name, size=SIZE, channels=channels)
    for name in image_degradations.DEGRADATIONS
    for channels in (1, 3)
}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


@functools.partial(jax.jit, static_argnames="n")
def degrade(family, content, key, n):
    return family.apply(content, family.sample(key, n))


def grey(value=0.5, n=64, size=SIZE):
    return np.full((n, size, size, 1), value, np.float32)


@pytest.mark.slow
@every_family
def test_a_pair_is_a_picture_and_the_same_degraded(family, key):
    content = images.leaves(size=SIZE, channels=family.channels)
    clean, degraded = draw_pair(key, content, family, 5)
    assert clean.shape == degraded.shape == (5, SIZE, SIZE, family.channels)
    assert np.isfinite(degraded).all()
    assert np.abs(degraded - clean).mean() > 0.001


def test_ranges_share_a_program(key):
    every = stack([image_degradations.rain(name, size=SIZE) for name in image_degradations.RANGES])
    drawn = jax.jit(jax.vmap(lambda family: family.sample(key, 3)))(every)
    for rain_layer, name in zip(drawn, image_degradations.RANGES, strict=True):
        np.testing.assert_allclose(
            rain_layer, draw(image_degradations.rain(name, size=SIZE), key, 3), atol=1e-5
        )


def test_rain_is_grey_bright_and_no_brighter_than_its_weight(key):
    for name in image_degradations.RANGES:
        rain_layer = np.asarray(
            draw(image_degradations.rain(name, weight=(0.5, 0.6), size=64, channels=3), key, 20)
        )
        assert rain_layer.min() > -1e-5
        assert rain_layer.max() <= 0.6
        np.testing.assert_array_equal(rain_layer[..., 0], rain_layer[..., 2])


@pytest.mark.slow
def test_heavier_ranges_rain_more(key):
    amounts = [
        draw(image_degradations.rain(name, size=64), key, 50).mean() for name in ("small", "medium")
    ]
    amounts.append(draw(image_degradations.rain("large", size=64), key, 50).mean())
    assert amounts == sorted(amounts)


def test_widths_are_drawn_as_often_as_they_are_listed(key):
    widths = image_degradations.rain("medium").width
    assert [np.mean(widths == width) for width in (3, 5, 7)] == [0.25, 0.5, 0.25]


@pytest.mark.slow
@pytest.mark.parametrize("length", [20, 40])
def test_a_streak_is_as_long_as_it_says_whatever_the_picture(length, key):
    for size in (64, 128):
        family = image_degradations.rain(
            amount=(1e-5, 1e-5), width=(1,), length=(length,) * 2, angle=(0, 0), size=size
        )
        wet = np.asarray(draw(family, key, 400))[..., 0] > 0.2
        column = wet.sum(axis=1).max(axis=1)
        assert np.sum(column > 5) > 5
        assert column.max() == pytest.approx(length, abs=2)


def test_streaks_come_in_from_outside_and_do_not_come_back_on_the_other_side(key):
    family = image_degradations.rain(
        amount=(2e-5, 2e-5), width=(1,), length=(50, 50), angle=(0, 0), size=64
    )
    wet = np.asarray(draw(family, key, 400))[..., 0] > 0.2
    top, bottom = wet[:, 0].any(axis=1), wet[:, -1].any(axis=1)
    assert top.any()
    assert not (top & bottom & ~wet.all(axis=1).any(axis=1)).mean() > 0.05


def test_rain_layers_are_what_the_rainy_pictures_have_more(tmp_path, key):
    for folder in ("clean", "rainy"):
        (tmp_path / folder).mkdir()
    for number in range(3):
        clean = np.full((20, 24), 40 + number, np.uint8)
        rainy = clean + (np.arange(24) % 5 == 0).astype(np.uint8) * np.uint8(100 + 10 * number)
        Image.fromarray(clean).save(tmp_path / "clean" / f"{number}.png")
        Image.fromarray(rainy).save(tmp_path / "rainy" / f"{number}.png")
    family = image_degradations.rain_layers(tmp_path / "clean", tmp_path / "rainy", size=8)
    seen, unseen = (np.asarray(draw(each, key, 40)) for each in (family, family.unseen()))
    assert set(np.rint(255 * np.unique(seen))) == {0, 100, 120}
    assert set(np.rint(255 * np.unique(unseen))) == {0, 110}
    stronger = dataclasses.replace(family, gain=np.float32(2))
    np.testing.assert_allclose(draw(stronger, key, 40), 2 * seen, rtol=1e-6)


@pytest.mark.slow
def test_a_smaller_picture_is_covered_as_much(key):
    covered = [
        draw(image_degradations.rain("small", size=size), key, 400).mean() for size in (32, 64, 128)
    ]
    assert max(covered) < 1.15 * min(covered)


@given(angle=st.integers(-80, 80))
def test_streaks_fall_at_their_angle(angle):
    family = image_degradations.rain(
        "small", size=64, angle=(angle, angle), length=(100, 100), width=(1, 1)
    )
    rain_layers = np.asarray(draw(family, jax.random.key(0), 8))[..., 0]
    spectrum = np.mean(
        np.abs(np.fft.fft2(rain_layers - rain_layers.mean(axis=(1, 2), keepdims=True))) ** 2, 0
    )
    along = np.fft.fftfreq(64, 1 / 64)
    down, across = along[:, None], along[None]
    # What is long along a direction has its energy at frequencies across it.
    moments = np.array([[np.sum(spectrum * a * b) for b in (down, across)] for a in (down, across)])
    least = np.linalg.eigh(moments)[1][:, 0]
    direction = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    assert abs(least @ direction) > np.cos(np.deg2rad(8))


@pytest.mark.parametrize("name", image_degradations.RANGES)
def test_unseen_rain_is_beyond_the_range_in_width_length_and_angle(name):
    seen = image_degradations.rain(name)
    unseen = seen.unseen()
    assert unseen.width.min() > seen.width.max()
    for field in ("length", "angle"):
        assert getattr(unseen, field)[0] > getattr(seen, field)[1]
    assert unseen.angle[1] < 90  # a streak at 120 degrees is one at -60


@given(low=st.floats(-80, 80), more=st.floats(0, 160))
def test_unseen_rain_is_more_slanted_to_whichever_side(low, more):
    seen = image_degradations.rain(angle=(low, min(low + more, 80)))
    unseen = np.asarray(seen.unseen().angle)
    assert np.abs(seen.angle).max() < unseen[0] < unseen[1] <= 90


def test_noise_of_other_channels_than_the_picture_is_refused():
    noise = image_degradations.sensor_noise(size=SIZE)
    with pytest.raises(errors.InvalidInput, match=r"^channels: got 3"):
        draw_pair(jax.random.key(0), images.smooth(size=SIZE, channels=3), noise, 2)


@pytest.mark.parametrize("kind", image_degradations.KINDS)
def test_sensor_noise_has_its_standard_deviation_at_mid_grey(kind, key):
    noisy = degrade(
        image_degradations.sensor_noise(kind, (0.1, 0.1), size=SIZE), grey(n=400), key, 400
    )
    assert np.std(noisy - 0.5) == pytest.approx(0.1, rel=0.05)
    assert np.mean(noisy - 0.5) == pytest.approx(0, abs=0.01)


def test_each_kind_of_sensor_noise_has_the_statistics_of_its_name(key):
    noisy = {
        kind: np.asarray(
            degrade(
                image_degradations.sensor_noise(kind, (0.2, 0.2), size=SIZE), grey(0.25), key, 64
            )
        )
        for kind in image_degradations.KINDS
    }
    assert set(np.unique(noisy["salt_and_pepper"])) == {0.0, 0.25, 1.0}
    assert np.mean(noisy["masked_gaussian"] == 0.25) == pytest.approx(0.5, abs=0.03)
    # Standard deviation against brightness: even, proportional, its square root.
    assert np.std(noisy["gaussian"]) == pytest.approx(0.2, rel=0.05)
    assert np.std(noisy["speckle"]) == pytest.approx(0.1, rel=0.05)
    assert np.std(noisy["poisson"]) == pytest.approx(0.2 / 2**0.5, rel=0.05)


@pytest.mark.parametrize("motion", [False, True])
def test_blur_keeps_a_uniform_picture_and_removes_detail(motion, key):
    family = image_degradations.blur_kernel((1.5, 1.5), motion=motion, size=SIZE)
    np.testing.assert_allclose(degrade(family, grey(), key, 64), grey(), atol=1e-5)
    sharp = draw(images.texture(4, size=SIZE), key, 64)
    assert np.std(degrade(family, sharp, key, 64)) < 0.8 * np.std(sharp)


@pytest.mark.parametrize("width", [1, 4, 10])
def test_blur_kernels_have_their_width_and_motion_kernels_along_one_axis_only(width, key):
    down, across = (np.asarray(part) for part in image_degradations.offsets(64))
    for motion in (False, True):
        family = image_degradations.blur_kernel((width, width), motion=motion, size=64)
        kernels = np.asarray(draw(family, key, 30))[..., 0]
        for kernel in kernels:
            moments = [[np.sum(kernel * a * b) for b in (down, across)] for a in (down, across)]
            aside, along = np.sqrt(np.linalg.eigvalsh(np.array(moments)))
            assert along == pytest.approx(width, abs=0.1)  # of a pixel
            assert aside == pytest.approx(0.5 if motion else width, rel=0.2)


@pytest.mark.parametrize(
    ("name", "parameters", "field"),
    [
        ("rain", {"range": "tiny"}, "range"),
        ("rain", {"weight": (1.0, 0.5)}, "weight"),
        ("rain", {"amount": (0.0, 2.0)}, "amount"),
        ("rain", {"angle": np.nan}, "angle"),
        ("rain", {"angle": (-90, 0)}, "angle"),
        ("rain", {"length": (30, 200)}, "length"),
        ("rain", {"size": 0}, "size"),
        ("rain", {"channels": 4}, "channels"),
        ("sensor_noise", {"kind": "gausian"}, "kind"),
        ("sensor_noise", {"sigma": (-0.1, 0.1)}, "sigma"),
        ("blur_kernel", {"width": (1, 100)}, "width"),
        ("blur_kernel", {"width": (0.1, 1)}, "width"),
        ("rain", {"anlge": (0, 1)}, "parameter of rain"),
        ("snow", {}, "degradation"),
    ],
)
def test_bad_parameters_are_refused_by_name(name, parameters, field):
    with pytest.raises(errors.InvalidInput, match=f"^{field}: "):
        image_degradations.make(name, **parameters)
