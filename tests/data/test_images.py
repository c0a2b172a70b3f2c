"""Backgrounds: properties that all share, and what their complexity does."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shortcut1d import errors
from shortcut1d.data import images, signals
from shortcut1d.data.crops import crops, split
from shortcut1d.data.family import draw, stack

SIZE = 16
FAMILIES = {
    f"{name}, {channels}": images.make(name, size=SIZE, channels=channels)
    for name in images.IMAGES
    for channels in (1, 3)
    if name != "texture"
} | {"texture": images.texture(4, size=SIZE)}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def radial_power(pictures):
    """Mean power at each whole frequency, and the frequencies."""
    spectrum = np.mean(np.abs(np.fft.fft2(np.asarray(pictures)[..., 0])) ** 2, axis=0)
    along = np.fft.fftfreq(spectrum.shape[0], 1 / spectrum.shape[0])
    radius = np.hypot(along[:, None], along[None])
    rings = np.arange(1, spectrum.shape[0] // 2)
    return rings, np.array([spectrum[np.round(radius) == ring].mean() for ring in rings])


@every_family
def test_draws_are_pictures_of_the_requested_shape(family, key):
    pictures = np.asarray(draw(family, key, 5))
    channels = getattr(family, "channels", pictures.shape[-1])
    assert pictures.shape == (5, SIZE, SIZE, channels)
    assert pictures.dtype == np.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert pictures.std() > 0.02


@pytest.mark.slow
def test_backgrounds_of_one_size_share_a_program(key):
    both = stack([images.smooth(size=SIZE), images.leaves(3, size=SIZE), images.text(size=SIZE)])
    drawn = jax.jit(jax.vmap(lambda family: family.sample(key, 2)))(both)
    alone = draw(images.leaves(3, size=SIZE), key, 2)
    np.testing.assert_allclose(drawn[1], alone, atol=1e-5)


def test_a_field_s_power_falls_with_frequency_as_its_color_says(key):
    rings, power = radial_power(draw(images.field(2.0, size=64), key, 200))
    chosen = (rings >= 2) & (rings <= 24)
    slope = np.polyfit(np.log(rings[chosen]), np.log(power[chosen]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.15)


@given(low=st.integers(1, 7), width=st.integers(0, 6))
def test_a_field_has_energy_in_its_band_only(low, width):
    high = min(low + width, 7)
    family = images.field(0.0, low, high, size=SIZE)
    rings, power = radial_power(draw(family, jax.random.key(0), 40) - 0.5)
    # Clipping puts a little elsewhere; rings are rounded.
    outside = power[(rings < low - 1) | (rings > high + 1)]
    assert outside.size == 0 or outside.max() < 0.05 * power.max()


def test_a_field_has_the_documented_contrast(key):
    for channels in (1, 3):
        pictures = np.asarray(draw(images.smooth(size=SIZE, channels=channels), key, 2000))
        assert pictures.std() == pytest.approx(images.CONTRAST, rel=0.05)


def test_more_leaves_make_more_edges(key):
    steps = [
        np.mean(np.abs(np.diff(draw(images.leaves(count, size=64), key, 20), axis=1)) > 0.05)
        for count in (1, 8, 64, 256)
    ]
    assert steps == sorted(steps)


def test_a_leaf_has_one_color_and_a_square_covers_more_than_a_disc(key):
    disc, square = (
        np.asarray(draw(images.leaves(1, (0.3, 0.3), square=kind, size=64), key, 50))[..., 0]
        for kind in (False, True)
    )
    for picture in disc:
        _, counts = np.unique(picture, return_counts=True)
        assert counts[np.argsort(counts)[-2:]].sum() > 0.9 * picture.size
    ground = np.array([np.bincount((p.ravel() * 1e6).astype(int)).max() for p in square])
    of_disc = np.array([np.bincount((p.ravel() * 1e6).astype(int)).max() for p in disc])
    assert (square != disc).any()
    assert ground.mean() < of_disc.mean()


def test_leaves_cover_the_edges_as_the_middle(key):
    # Where the ground shows through, two pictures that differ in all but the ground are alike.
    bare = draw(images.leaves(1, (0.01, 0.01), size=SIZE), key, 400)[:, :1, :1]
    same = np.abs(np.asarray(draw(images.leaves(30, size=SIZE), key, 400)) - bare)[..., 0] < 1e-6
    corners = same[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert corners == pytest.approx(same[:, 6:10, 6:10].mean(), abs=0.08)


def test_text_of_one_letter_is_periodic(key):
    family = images.text(1, size=32)
    page = np.asarray(draw(family, key, 1))[0, ..., 0]
    height, width = family.glyphs.shape[-2:]
    np.testing.assert_allclose(page[height:], page[:-height], atol=1e-6)
    np.testing.assert_allclose(page[:, width:], page[:, :-width], atol=1e-6)


def few(*sizes, channels=1):
    """Photographs of some sizes, all their pixels different."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, channels)) / 255 for size in sizes]


def parts_of(picture, size):
    cut = np.lib.stride_tricks.sliding_window_view(picture[..., 0], (size, size))
    return np.concatenate([cut.reshape(-1, size * size), cut[..., ::-1].reshape(-1, size * size)])


@pytest.mark.parametrize("sizes", [[(8, 8)], [(12, 30), (40, 9)], [(20, 20), (8, 60), (33, 11)]])
def test_a_crop_is_a_part_of_a_photograph_perhaps_mirrored(sizes, key):
    photographs = few(*sizes)
    drawn = np.asarray(crops(photographs).draw(key, 60, 8))
    parts = np.concatenate([parts_of(picture, 8) for picture in photographs])
    for crop in drawn:
        assert np.abs(parts - crop.ravel()).max(axis=1).min() < 1e-6
    found = {int(np.abs(parts - crop.ravel()).max(axis=1).argmin()) for crop in drawn}
    assert len(found) > 1  # mirrored or elsewhere


def test_of_a_large_photograph_the_middle_is_kept(key):
    large = np.zeros((700, 600, 1))
    large[94:606, 44:556] = 1
    kept = crops([large])
    assert kept.pictures.value.shape == (1, 512, 512, 1)
    assert kept.pictures.value.min() == 255


@given(count=st.integers(1, 7), seed=st.integers(0, 50))
def test_a_larger_pool_of_photographs_begins_with_the_smaller_one(count, seed):
    every = crops(few(*[(8, 8)] * 9))
    small, large = every.first(count, seed), every.first(count + 1, seed)
    numbers = [set(family.order[: int(family.count)]) for family in (small, large)]
    assert len(numbers[0]) == count
    assert numbers[0] < numbers[1]


def test_a_pool_draws_from_its_photographs_and_no_others(key):
    every = crops([np.full((8, 8, 1), shade / 255) for shade in range(10, 20)])
    pool = every.first(3, seed=4)
    shades = np.unique(np.rint(255 * np.asarray(pool.draw(key, 100, 8))))
    np.testing.assert_array_equal(shades, np.sort(10 + pool.order[:3]))


@given(count=st.integers(1, 9), fewer=st.integers(1, 9))
def test_a_pool_of_a_pool_is_a_part_of_it(count, fewer):
    pool = crops(few(*[(8, 8)] * 9)).first(count, 0)
    part = pool.first(min(fewer, count), 1)
    assert part.order.shape == pool.order.shape
    assert set(part.numbers()) <= set(pool.numbers())
    both = [set(half.numbers()) for half in split(pool)]
    assert both[0] | both[1] == set(pool.numbers())
    assert not both[0] & both[1]


def test_more_photographs_than_there_are_are_refused():
    pool = crops(few(*[(8, 8)] * 10))
    for family, count in ((pool, 11), (pool.first(4, 0), 5)):
        with pytest.raises(errors.InvalidInput, match=rf"^count: got {count}"):
            family.first(count, 0)


@pytest.mark.slow
def test_blurred_photographs_are_smoother_and_the_sharp_ones_as_they_are(key):
    family = images.photographs(size=16)
    sharp, soft = family.blurred((0.0, 3.0))
    np.testing.assert_array_equal(draw(sharp, key, 5), draw(family, key, 5))
    rough = [
        np.abs(np.diff(np.asarray(draw(each, key, 50)), axis=1)).mean() for each in (sharp, soft)
    ]
    assert rough[1] < 0.5 * rough[0]
    np.testing.assert_array_equal(draw(soft.unseen(), key, 5), draw(family.unseen(), key, 5))


def test_blurred_photographs_are_those_of_the_pool():
    pool = images.photographs(size=16).first(3, seed=0)
    (soft,) = pool.blurred((1.0,))
    assert soft.seen.pictures.value.shape[0] == len(soft.seen.numbers()) == 3


def test_photographs_are_split_by_photograph():
    family = images.photographs(size=16)
    seen, held = set(family.seen.order), set(family.held.order)
    assert seen | held == set(range(10))
    assert not seen & held


def test_a_pool_of_pictures_holds_exactly_its_number(key):
    pool = signals.pool(images.leaves(size=SIZE), 3)
    drawn = np.asarray(draw(pool, key, 100))
    assert len(np.unique(drawn.reshape(100, -1), axis=0)) == 3


@pytest.mark.parametrize(
    ("name", "parameters", "field"),
    [
        ("smooth", {"size": 4}, "size"),
        ("smooth", {"size": 16.5}, "size"),
        ("smooth", {"channels": 2}, "channels"),
        ("smooth", {"high": 8, "size": 16}, "high"),
        ("texture", {"low": 9, "high": 8}, "low"),
        ("field", {"color": np.nan}, "color"),
        ("leaves", {"count": 257}, "count"),
        ("leaves", {"radius": (0.5, 0.1)}, "radius"),
        ("text", {"letters": 27}, "letters"),
        ("photographs", {"size": 512}, "side"),
        ("photographs", {"folder": "/nowhere"}, "/nowhere"),
        ("photograph", {}, "background"),
        ("smooth", {"hihg": 2}, "parameter of smooth"),
    ],
)
def test_bad_parameters_are_refused_by_name(name, parameters, field):
    with pytest.raises(errors.InvalidInput, match=f"^{field}: "):
        images.make(name, **parameters)


def test_a_crop_is_no_larger_than_the_pictures_that_are_kept(tmp_path):
    for number in range(3):
        Image.new("L", (560, 540), 60 * number).save(tmp_path / f"{number}.png")
    for make in (images.faces, lambda size: images.photographs(tmp_path, size=size)):
        with pytest.raises(errors.InvalidInput, match="size: got 520"):
            make(size=520)
    drawn = images.photographs(tmp_path, size=512).sample(jax.random.key(0), 2)
    assert drawn.shape == (2, 512, 512, 1)
