"""Which values of the input an output depends on: each map against its closed form."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter, uniform_filter

from shortcut1d.analysis import oracles
from shortcut1d.analysis.sensitivity import (
    bias_share,
    causal_effect,
    diffusion_index,
    gradient_magnitude,
    local_attribution,
    mean_value,
    receptive_field,
    sure,
)
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
SHAPES = ((24, 1), (8, 6, 3))
SEEDS = st.integers(0, 2**16)


def white(shape, batch, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, *shape)).astype(np.float32)


def box(x):
    """Mean over three neighbours along every spatial axis, going round; JAX."""
    for axis in range(1, x.ndim - 1):
        x = (jnp.roll(x, -1, axis) + x + jnp.roll(x, 1, axis)) / 3
    return x


def numpy_box(x):
    """The same, but JAX cannot trace it."""
    return uniform_filter(np.asarray(x), 3, mode="wrap", axes=range(1, x.ndim - 1))


def by_matrix(shape, seed=0):
    """A linear denoiser, not symmetric, that mixes all values of a sample; and its matrix."""
    size = math.prod(shape)
    matrix = white((size,), size, seed) / math.sqrt(size)
    return lambda x: (x.reshape(len(x), size) @ matrix.T).reshape(x.shape), matrix


def bend(x):
    """A smooth denoiser whose gradients depend on the input; JAX."""
    return jnp.tanh(2 * box(x)) * (1 + 0.3 * jnp.roll(x, 2, axis=1))


def both_sides(shape, part=slice(2, 5)):
    return [part] * (len(shape) - 1)


# ---------------------------------------------------------------- receptive field


@pytest.mark.parametrize("denoiser", [box, numpy_box], ids=["jax", "numpy"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_receptive_field_of_a_box_filter_is_the_box(denoiser, shape):
    space = shape[:-1]
    found = receptive_field(denoiser, white(shape, 2), [4] * len(space), share=1.0)
    truth = np.zeros((2, *space))
    truth[(slice(None), *[slice(3, 6)] * len(space))] = 3.0 ** -len(space)
    np.testing.assert_allclose(found.energy, truth, atol=1e-3)
    if denoiser is box:  # differences are off by rounding, which a share of 1 counts as well
        np.testing.assert_allclose(found.radius, math.sqrt(len(space)), rtol=1e-6)


@pytest.mark.parametrize(
    ("share", "radius"), [(0.1, 0), (0.5, 1), (0.56, math.sqrt(2)), (1.0, math.sqrt(2))]
)
def test_the_radius_holds_the_wanted_share_of_the_energy(share, radius):
    # Of nine even values: the middle, four at a distance of 1, four at the diagonal's.
    found = receptive_field(box, white((8, 6, 3), 1), share=share)
    np.testing.assert_allclose(found.radius, radius, rtol=1e-6)


@pytest.mark.parametrize("at", [None, [0], [17]])
def test_the_receptive_field_of_doing_nothing_is_the_position_itself(at):
    found = receptive_field(oracles.identity, white((24, 2), 3), at)
    truth = np.zeros(24)
    truth[12 if at is None else at[0]] = 1
    np.testing.assert_allclose(found.energy, np.tile(truth, (3, 1)))
    np.testing.assert_allclose(found.radius, 0)


@pytest.mark.parametrize("method", ["auto", "differences"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_receptive_field_of_a_matrix_is_its_rows_at_the_position(shape, method):
    denoiser, matrix = by_matrix(shape)
    at = (5, 1)[: len(shape) - 1]
    found = receptive_field(denoiser, white(shape, 2), at, method=method)
    rows = matrix.reshape(*shape, *shape)[at]  # one for each output channel
    truth = np.sum(rows**2, axis=(0, -1))
    np.testing.assert_allclose(found.energy[1], truth / truth.sum(), rtol=0.01, atol=1e-4)


def test_each_sample_has_its_own_receptive_field():
    # The first value decides whether a sample's output looks to the left or to the right.
    def look(x):
        return jnp.where(x[:, :1] > 0, jnp.roll(x, 1, axis=1), jnp.roll(x, -1, axis=1))

    inputs = white((24, 1), 2)
    inputs[:, 0, 0] = 1, -1
    found = receptive_field(look, inputs)
    assert np.argmax(found.energy, axis=1).tolist() == [11, 13]


def test_an_output_that_depends_on_nothing_has_no_receptive_field():
    found = receptive_field(oracles.zero, white((24, 1), 2))
    np.testing.assert_allclose(found.energy, 0)
    assert np.isnan(found.radius).all()


@pytest.mark.slow
def test_differences_see_what_the_gradients_of_a_denoiser_hide():
    def hidden(x):
        return jax.lax.stop_gradient(box(x))

    inputs, window = white((24, 1), 1), [slice(2, 6)]
    for method, seen in (("auto", False), ("differences", True)):
        field = receptive_field(hidden, inputs, method=method)
        shares = local_attribution(hidden, inputs, window, steps=2, method=method)
        assert np.any(field.energy) == np.any(shares.map) == seen


def test_large_samples_need_exact_gradients():
    large = white((1025, 1), 1)
    assert receptive_field(box, large).radius[0] == 1
    for measure in (receptive_field, lambda *a: local_attribution(*a, [slice(0, 8)])):
        with pytest.raises(InvalidInput, match=r"1025 values.*causal_effect needs no gradients"):
            measure(numpy_box, large)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": [24]}, "at: got 24"),
        ({"at": [-1]}, "at: got -1"),
        ({"at": [3, 3]}, "one index for each spatial axis"),
        ({"share": 0.0}, "share"),
        ({"share": 1.1}, "share"),
        ({"method": "exactly"}, "method"),
    ],
)
def test_a_receptive_field_that_cannot_be_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        receptive_field(box, white((24, 1), 1), **options)


# ---------------------------------------------------------------- local attribution


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_attribution_of_a_linear_denoiser_is_its_weights_times_what_the_blur_took(shape, steps):
    denoiser, matrix = by_matrix(shape)
    inputs, window = white(shape, 3), both_sides(shape)
    found = local_attribution(
        denoiser, inputs, window, detector=mean_value, width=1.5, steps=steps, boundary="wrap"
    )
    inside = np.zeros(shape)
    inside[tuple(window)] = 1
    weights = (inside / inside.sum()).ravel() @ matrix.astype(np.float64)
    axes = tuple(range(1, inputs.ndim - 1))
    taken = inputs - gaussian_filter(inputs.astype(np.float64), 1.5, mode="wrap", axes=axes)
    truth = np.sum(weights.reshape(shape) * taken, axis=-1)
    np.testing.assert_allclose(found.map, truth, atol=1e-5)
    np.testing.assert_allclose(found.map.sum(axis=axes), found.change, atol=1e-5)


@pytest.mark.parametrize("detector", [gradient_magnitude, mean_value])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_map_sums_to_what_the_detector_loses_by_the_blur(shape, detector):
    inputs, window = white(shape, 3), both_sides(shape)
    axes = tuple(range(1, inputs.ndim - 1))
    inside = (slice(None), *window)
    blurred = gaussian_filter(inputs, 1.2, axes=axes)
    lost = detector(bend(inputs)[inside]) - detector(bend(blurred)[inside])
    found = local_attribution(bend, inputs, window, detector=detector, steps=300)
    np.testing.assert_allclose(found.change, lost, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.map.sum(axis=axes), lost, atol=3e-3)


@pytest.mark.parametrize("denoiser", [box, numpy_box], ids=["jax", "numpy"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_share_goes_to_what_lies_beyond_the_reach_of_a_filter(denoiser, shape):
    found = local_attribution(
        denoiser, white(shape, 2), both_sides(shape), detector=mean_value, steps=3
    )
    reach = (slice(None), *both_sides(shape, slice(1, 6)))
    beyond = np.asarray(found.map).copy()
    assert np.all(beyond[reach] != 0)
    beyond[reach] = 0
    np.testing.assert_allclose(beyond, 0, atol=1e-3 if denoiser is numpy_box else 0)


@pytest.mark.parametrize("shift", [3, 19])
def test_the_map_of_a_periodic_filter_moves_with_the_input_and_the_window(shift):
    inputs = white((24, 1), 2)
    moved = np.roll(inputs, shift, axis=1)
    here = local_attribution(box, inputs, [slice(0, 5)], steps=2, boundary="wrap").map
    there = local_attribution(box, moved, [slice(shift, shift + 5)], steps=2, boundary="wrap").map
    np.testing.assert_allclose(np.roll(here, shift, axis=1), there, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_plain_function_has_the_map_of_the_same_function_in_jax(shape):
    inputs, window = white(shape, 2), both_sides(shape)
    exact, near = (
        local_attribution(denoiser, inputs, window, detector=mean_value, steps=2)
        for denoiser in (box, numpy_box)
    )
    for one, other in zip(exact, near):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_nothing_is_attributed_to_an_input_that_a_blur_leaves_as_it_is():
    found = local_attribution(box, np.ones((2, 24, 1), np.float32), [slice(2, 5)], steps=2)
    np.testing.assert_allclose(found.map, 0, atol=1e-6)
    np.testing.assert_allclose(found.change, 0, atol=1e-6)


@pytest.mark.slow
def test_the_detector_of_edges_adds_the_lengths_of_gradients():
    rows, columns = np.meshgrid(np.arange(5.0), np.arange(4.0), indexing="ij")
    slope = np.stack([3 * rows + 4 * columns, 0 * rows, -rows], axis=-1)[None]
    assert gradient_magnitude(jnp.asarray(slope))[0] == pytest.approx((5 + 0 + 1) * 4 * 3)
    line = jnp.asarray([[[0.0], [2.0], [-1.0]]])
    assert gradient_magnitude(line)[0] == 5
    flat = jnp.ones((1, 5, 4, 2))
    np.testing.assert_allclose(jax.grad(lambda x: gradient_magnitude(x)[0])(flat), 0)


def test_any_jax_function_of_the_window_is_a_detector():
    def energy(window):
        return jnp.sum(window**2, axis=(1, 2))

    inputs = white((24, 1), 2)
    found = local_attribution(oracles.identity, inputs, [slice(3, 9)], detector=energy)
    blurred = gaussian_filter(inputs, 1.2, axes=(1,))
    # For the square of each value the middle of each step gives the integral exactly.
    truth = (inputs**2 - blurred**2)[..., 0]
    np.testing.assert_allclose(found.map[:, 3:9], truth[:, 3:9], atol=1e-5)


def test_the_diffusion_index_of_a_point_and_of_an_even_map():
    maps = np.zeros((3, 8, 5))
    maps[0, 2, 3] = -7
    maps[1] = 0.3 * np.where(np.arange(5) % 2, 1, -1)
    found = diffusion_index(maps)
    np.testing.assert_allclose(found[:2], [100 / 40, 100], rtol=1e-5)
    assert np.isnan(found[2])


@given(arrays(float, 7, elements=st.floats(-9, 9)), st.floats(0.1, 10), SEEDS)
def test_the_diffusion_index_is_ginis_whatever_order_sign_and_scale(values, scale, seed):
    sizes = np.abs(values)
    assume(sizes.sum() > 1e-6)
    gini = np.mean(np.abs(sizes[:, None] - sizes)) / (2 * np.mean(sizes))
    mixed = -scale * np.random.default_rng(seed).permutation(values)
    found = diffusion_index(np.stack([values, mixed]))
    np.testing.assert_allclose(found, 100 * (1 - gini), rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": [slice(0, 8), slice(0, 8)]}, "window"),
        ({"window": [slice(20, 25)]}, "window"),
        ({"window": [slice(5, 5)]}, "window"),
        ({"window": [slice(0, 8, 2)]}, "window"),
        ({"window": [slice(3, 4)]}, "window: .*at least 2 samples"),
        ({"width": 0.0}, "width"),
        ({"width": 25.0}, "width"),
        ({"step": 0.0}, "step"),
        ({"steps": 0}, "steps"),
        ({"boundary": "wrapped"}, "did you mean 'wrap'"),
        ({"method": "exactly"}, "method"),
        ({"detector": lambda window: window[:, :1]}, r"detector: got \(1, 1, 1\)"),
        ({"detector": lambda window: np.asarray(window).sum()}, "detector: .*a JAX function"),
    ],
)
def test_an_attribution_that_cannot_be_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        local_attribution(numpy_box, white((24, 1), 1), **{"window": [slice(0, 8)]} | options)


# ---------------------------------------------------------------- causal effect


@pytest.mark.parametrize(
    ("shape", "patch", "window", "counts"),
    [
        ((24, 1), 4, [slice(4, 12)], (6,)),
        ((10, 2), 4, [slice(4, 8)], (3,)),  # the last patch has two samples
        ((8, 6, 3), (4, 2), [slice(0, 4), slice(2, 6)], (2, 3)),
    ],
    ids=str,
)
def test_a_patch_does_to_the_output_of_the_identity_what_it_is_itself(shape, patch, window, counts):
    inputs = white(shape, 2)  # two: the other one is the only donor
    found = causal_effect(oracles.identity, inputs, window, patch, KEY, interventions=2)
    assert found.after.shape == (2, 2, *counts)
    inside = np.zeros(shape[:-1])
    inside[tuple(window)] = 1
    change = np.mean((inputs[0] - inputs[1]) ** 2, axis=-1) * inside / inside.sum()
    lengths = np.broadcast_to(patch, len(counts))
    cuts = [np.arange(0, n, size) for n, size in zip(shape[:-1], lengths)]
    for axis, starts in enumerate(cuts):
        change = np.add.reduceat(change, starts, axis=axis)
    np.testing.assert_allclose(found.effect, np.stack([change, change]), rtol=1e-5)
    np.testing.assert_allclose(found.before, 0)


@pytest.mark.parametrize("denoiser", [box, numpy_box], ids=["jax", "numpy"])
@pytest.mark.parametrize("clean", [None, white((8, 6, 3), 3, 7)], ids=["change", "error"])
def test_a_patch_beyond_the_reach_of_a_filter_has_no_effect(denoiser, clean):
    inputs, window = white((8, 6, 3), 3), [slice(4, 6), slice(3, 5)]
    found = causal_effect(denoiser, inputs, window, 1, KEY, clean=clean, interventions=2)
    effect = np.array(found.effect)
    reach = (slice(None), slice(3, 7), slice(2, 6))
    assert np.all(effect[reach] != 0)
    effect[reach] = 0
    np.testing.assert_array_equal(effect, 0)


def test_a_patch_that_is_copied_helps_if_it_is_right_and_harms_if_it_is_wrong():
    # The window is made of two other places; the first holds the truth, the second does not.
    clean = np.zeros((3, 12, 1), np.float32)
    inputs = clean.copy()
    inputs[:, 4:8] = np.asarray([1.0, 2.0, 3.0])[:, None, None]
    clean[:, 0:4] = inputs[:, 4:8]
    inputs[0, 8:12] = 9

    def copy(x):
        return jnp.concatenate([x[:, 4:8] + 0.5 * x[:, 8:12], x[:, 4:]], axis=1)

    found = causal_effect(copy, inputs, [slice(0, 4)], 4, KEY, clean=clean)
    before = np.asarray([4.5**2, 0, 0])
    np.testing.assert_allclose(found.before, before)
    assert np.all(found.effect[1:, 1] > 0)
    # The donors of the first sample have nothing there, so that its error goes for good.
    assert found.effect[0, 2] == pytest.approx(-(4.5**2))
    np.testing.assert_allclose(found.effect[:, 0], 0)


def test_decibels_are_those_of_the_psnr():
    clean = white((24, 1), 4, 1)
    inputs = clean + 0.3 * white((24, 1), 4, 2)
    found = causal_effect(box, inputs, [slice(4, 12)], 8, KEY, clean=clean, interventions=3)
    before, after = (-10 * np.log10(np.asarray(error)) for error in found)
    np.testing.assert_allclose(
        found.decibels, before[:, None] - after.mean(axis=0), rtol=1e-3, atol=1e-4
    )


@pytest.mark.slow
def test_every_other_sample_is_a_donor_and_the_sample_itself_is_none():
    inputs = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((1, 4, 1), np.float32)
    found = causal_effect(oracles.identity, inputs, [slice(0, 4)], 4, KEY, interventions=40)
    for sample in range(4):
        differences = {round(math.sqrt(value)) for value in found.after[:, sample, 0].tolist()}
        assert differences == {abs(sample - other) for other in range(4)} - {0}


def test_other_donors_replace_a_single_sample():
    inputs, donors = np.zeros((1, 8, 1), np.float32), 2 * np.ones((3, 8, 1), np.float32)
    found = causal_effect(oracles.identity, inputs, [slice(0, 4)], 2, KEY, donors=donors)
    np.testing.assert_allclose(found.effect, [[2, 2, 0, 0]])


def test_a_jax_denoiser_is_given_jax_arrays():
    def second_half(x):
        return x.at[:, :4].set(0)  # which a NumPy array cannot

    inputs = jnp.asarray(white((8, 1), 3))
    found = causal_effect(second_half, inputs, [slice(2, 6)], 2, KEY, interventions=2)
    assert np.all((np.asarray(found.effect) > 0) == [False, False, True, False])
    found = local_attribution(second_half, inputs, [slice(2, 6)], steps=2)
    assert np.all((np.asarray(found.map) != 0) == [False] * 4 + [True] * 2 + [False] * 2)


def test_a_key_gives_the_same_map_twice_and_another_one_another():
    inputs = white((8, 1), 5)
    one, again, other = (
        causal_effect(box, inputs, [slice(2, 6)], 2, jax.random.key(seed), interventions=2).after
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": [slice(0, 9)]}, "window"),
        ({"patch": 0}, "patch"),
        ({"patch": 9}, "patch"),
        ({"patch": (2, 2)}, "one for each spatial axis"),
        ({"interventions": 0}, "interventions"),
        ({"clean": white((8, 2), 2)}, "clean"),
        ({"donors": white((7, 1), 2)}, "donors"),
        ({"inputs": white((8, 1), 1)}, "at least 2, or donors"),
    ],
)
def test_a_causal_effect_that_cannot_be_is_refused(options, message):
    given = {"inputs": white((8, 1), 2), "window": [slice(0, 4)], "patch": 2, "key": KEY}
    with pytest.raises(InvalidInput, match=message):
        causal_effect(box, **given | options)


# ---------------------------------------------------------------- PyTorch


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_a_pytorch_module_reads_as_the_same_function_in_jax():
    torch = pytest.importorskip("torch")
    from shortcut1d.diagnosis.adapters import from_torch

    kernel = white((3, 3, 3), 3)  # output channels, input channels, and 3 by 3 pixels
    kernel = 0.4 * kernel
    module = torch.nn.Conv2d(3, 3, 3, padding=1)
    module.weight.data, module.bias.data = torch.tensor(kernel), torch.full((3,), 0.2)
    theirs = from_torch(torch.nn.Sequential(module, torch.nn.Softplus()).eval())

    def ours(x):
        order = jax.lax.conv_dimension_numbers(x.shape, kernel.shape, ("NHWC", "OIHW", "NHWC"))
        return jax.nn.softplus(
            jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=order) + 0.2
        )

    inputs, window = white((8, 6, 3), 3), [slice(2, 6), slice(1, 5)]
    for measure in (
        lambda denoiser: receptive_field(denoiser, inputs),
        lambda denoiser: local_attribution(denoiser, inputs, window, steps=5),
        lambda denoiser: causal_effect(denoiser, inputs, window, 2, KEY, interventions=2),
        lambda denoiser: [bias_share(denoiser, inputs), sure(denoiser, inputs, 0.5, KEY)],
    ):
        for one, other in zip(measure(theirs), measure(ours), strict=True):
            assert np.isfinite(np.asarray(one)).all()
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
