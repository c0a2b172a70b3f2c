"""What is checked of a model before it is measured: a check finds what it is for, and no more."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from shortcut1d.analysis.products import FiniteDifferences, products_of
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.checks import _shift, as_denoiser, checked
from shortcut1d.diagnosis.inputs import SEEN, Case
from shortcut1d.errors import InvalidInput

CLEAN = gaussian_filter(np.random.default_rng(0).normal(size=(16, 64, 1)), (0, 2, 0))
CLEAN = (CLEAN / CLEAN.std()).astype(np.float32)
DEGRADED = CLEAN + 0.5 * np.random.default_rng(1).normal(size=CLEAN.shape).astype(np.float32)
SAMPLES = Case(SEEN, SEEN, CLEAN, DEGRADED)


def tried(model):
    return checked(model, SAMPLES, 16)


@jax.custom_jvp
def with_wrong_derivative(y):
    return 0.5 * jnp.tanh(y)


with_wrong_derivative.defjvp(
    lambda primals, tangents: (with_wrong_derivative(*primals), 0 * tangents[0])
)


def test_right_derivatives_are_left_alone_and_wrong_ones_replaced():
    right = tried(lambda y: 0.5 * jnp.tanh(y))
    assert not isinstance(right.denoiser, FiniteDifferences)
    assert right.notes == []
    wrong = tried(with_wrong_derivative)
    assert isinstance(wrong.denoiser, FiniteDifferences)
    assert "100% off a finite difference" in wrong.notes[0]
    truth = products_of(lambda y: 0.5 * jnp.tanh(y), DEGRADED).jvp(np.ones_like(DEGRADED))
    found = products_of(wrong.denoiser, DEGRADED).jvp(np.ones_like(DEGRADED))
    np.testing.assert_allclose(found, truth, atol=2e-3)


def test_a_wrong_derivative_no_longer_gives_a_wrong_rho():
    options = {"portraits": 0, "probes": 8}
    wrong = diagnose(with_wrong_derivative, CLEAN, DEGRADED, **options)["rho"]
    right = diagnose(lambda y: 0.5 * jnp.tanh(y), CLEAN, DEGRADED, **options)["rho"]
    assert right.estimate > 0.1
    assert wrong.estimate == pytest.approx(right.estimate, rel=0.02)


@pytest.mark.parametrize("levels", [32, 256])
def test_steps_grow_until_rounded_outputs_have_differences(levels):
    rounded = tried(lambda y: np.round(levels * 0.5 * y) / levels)
    assert isinstance(rounded.denoiser, FiniteDifferences)
    found = products_of(rounded.denoiser, DEGRADED).jvp(DEGRADED)
    assert np.vdot(found, DEGRADED) / np.vdot(DEGRADED, DEGRADED) == pytest.approx(0.5, abs=0.05)


def test_randomness_is_measured_against_the_degradation():
    rng = np.random.default_rng(0)
    found = tried(lambda y: 0.5 * np.asarray(y) + 0.05 * rng.normal(size=y.shape))
    (percent,) = re.findall(r"differ by (.*)% of the degradation's energy", found.notes[0])
    assert float(percent) == pytest.approx(2, rel=0.2)  # twice .05 ** 2 over .25, of 8 samples
    assert not found.differentiable


def test_a_model_that_mixes_its_batch_is_noticed():
    assert "depends on the others of its batch" in tried(lambda y: y - y.mean(axis=0))[1][0]


@pytest.mark.parametrize("factor", [100, 11, 0.004])
def test_an_output_in_another_unit_is_refused(factor):
    with pytest.raises(InvalidInput, match="output_scale"):
        tried(lambda y: factor * np.asarray(y))


@pytest.mark.parametrize("factor", [5, 0.05, 0])
def test_a_loud_or_nearly_silent_model_is_not(factor):
    assert tried(lambda y: factor * np.asarray(y)).differentiable


@pytest.mark.parametrize("shift", [(1,), (-2,), (3,), (0,)])
def test_a_shift_is_found(shift):
    assert _shift(np.roll(0.9 * CLEAN, shift, axis=1), CLEAN) == shift


@pytest.mark.parametrize("shift", [(1, 1), (0, -1), (0, 0)])
def test_a_shift_of_pictures_is_found_along_each_axis(shift):
    pictures = gaussian_filter(np.random.default_rng(0).normal(size=(8, 24, 20, 3)), (0, 2, 2, 0))
    assert _shift(np.roll(pictures, shift, axis=(1, 2)), pictures) == shift


@pytest.mark.parametrize("seed", range(10))
def test_what_has_nothing_to_do_with_the_clean_samples_is_not_shifted(seed):
    other = np.random.default_rng(seed + 10).normal(size=CLEAN.shape)
    assert _shift(other, CLEAN) == (0,)
    assert _shift(0.1 * other, CLEAN) == (0,)
    assert _shift(CLEAN + 0.3 * other, CLEAN) == (0,)


def test_a_method_to_predict_with_is_taken_and_nothing_else():
    class Keras:
        def predict(self, batch):
            return batch

    assert as_denoiser(Keras())(3) == 3
    with pytest.raises(InvalidInput, match="denoiser: got"):
        as_denoiser(object())


def test_each_of_several_networks_is_checked_and_named():
    notes = diagnose([lambda y: 0.5 * y, with_wrong_derivative], CLEAN, DEGRADED, portraits=0).notes
    assert sum("finite difference" in note for note in notes) == 1
    assert any(note.startswith("network 2: the model's own Jacobian products") for note in notes)


def test_a_product_that_memory_does_not_hold_is_replaced_by_differences():
    class Net:
        def __call__(self, batch):
            return 0.5 * batch

        def products(self, inputs):
            raise MemoryError

    found = tried(Net())
    assert isinstance(found.denoiser, FiniteDifferences)
    assert "memory does not hold an exact Jacobian product" in found.notes[0]


def test_a_model_that_fails_beside_its_inputs_is_reported_without_a_jacobian():
    low, high = DEGRADED.min(), DEGRADED.max()

    def strict(y):
        if y.min() < low or y.max() > high:
            raise ValueError("out of range")
        return 0.9 * y

    report = diagnose(strict, CLEAN, DEGRADED, unseen_degradation=(CLEAN, DEGRADED), portraits=0)
    assert report["relative_error", "seen"].estimate == pytest.approx(
        np.mean((0.9 * DEGRADED - CLEAN) ** 2) / np.mean((DEGRADED - CLEAN) ** 2), rel=1e-4
    )
    assert np.isnan(report["rho"].estimate)
    assert any("not all was measured: the denoiser raised" in note for note in report.notes)
    checks = tried(lambda y: strict(y) if np.array_equal(y, DEGRADED[: len(y)]) else 1 / 0)
    assert not checks.differentiable
    assert "no Jacobian products: the model fails beside the seen inputs" in checks.notes[-1]


@pytest.mark.parametrize("kind", [np.float16, jnp.bfloat16])
def test_outputs_of_half_precision_are_right_outputs(kind):
    def of_half(y):
        return (0.9 * np.asarray(y)).astype(kind)

    unseen = 200 * CLEAN, 200 * DEGRADED
    report = diagnose(of_half, *unseen, unseen_degradation=unseen, portraits=0)
    full = diagnose(lambda y: 0.9 * y, *unseen, unseen_degradation=unseen, portraits=0)
    assert report["nmse", "seen"].estimate == pytest.approx(full["nmse", "seen"].estimate, rel=0.02)
