"""Checks of a model before it is measured, and of its outputs."""

import itertools
from typing import Any, NamedTuple

import jax
import numpy as np

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.analysis.products import (
    Differentiable,
    FiniteDifferences,
    products_of,
    traceable,
)
from shortcut1d.diagnosis.adapters import from_torch, is_torch_module
from shortcut1d.diagnosis.calling import memory_failed
from shortcut1d.diagnosis.inputs import CONTENT, Case
from shortcut1d.diagnosis.outputs import output_in_batches

SAME = 1e-8  # of the degradation's energy: two outputs that differ by less are the same
APART = 0.1  # relative difference from which two Jacobian products disagree
STEPS = (1e-3, 1e-4, 1e-2, 1e-1)  # of finite differences, as a share of the inputs' RMS
FEW_VALUES = 1024  # distinct values that an output of few bits has at most
LARGE, SMALL = 10.0, 0.01  # ratio to the input's RMS of an output in another unit
ALIKE = 0.3  # correlation with the input from which a small output is in another unit
FARTHEST = 3  # largest shift of an output that is looked for, in values
TWICE = 8  # samples that are given twice
SAMPLES = 16  # samples in which a shift is looked for
AGREED = 0.9  # share of samples that a shift must bring nearer to the clean ones
UNEQUAL = 1.0  # dB between seen and unseen strengths that are worth a note


class Checked(NamedTuple):
    """A model that was checked.

    denoiser: the model, with finite differences where its own derivatives are wrong.
    notes: what the reader of the report should know of it.
    differentiable: whether Jacobian products can be computed at all.
    """

    denoiser: Denoiser
    notes: list[str]
    differentiable: bool


def as_denoiser(model: Any) -> Denoiser:
    """A model as a callable on arrays: a PyTorch module is wrapped, a `predict` method is taken.

    Raises:
        InvalidInput: the model is none of these, nor a callable.
    """
    if is_torch_module(model):
        return from_torch(model)
    if callable(model):
        return model
    if callable(getattr(model, "predict", None)):
        return model.predict
    raise errors.refuse("denoiser", model, "a callable on arrays, or several")


def checked(denoiser: Denoiser, seen: Case, batch: int) -> Checked:
    """A model after checks of its outputs and derivatives, on a few samples.

    Args:
        denoiser: a callable on arrays.
        seen: samples like those that it was trained on.
        batch: samples at once, at most.

    Raises:
        InvalidInput: an output of another scale than the input; what the model raises.
    """
    count = min(batch, TWICE)
    few = seen._replace(clean=seen.clean[:count], degraded=seen.degraded[:count])
    once, twice = (output_in_batches(denoiser, few, count) for _ in range(2))
    alone = output_in_batches(denoiser, few._replace(degraded=few.degraded[:1]), 1)
    _check_scale(once, few.degraded)
    residual = np.mean((few.degraded - few.clean) ** 2) or 1.0
    random = float(np.mean((once - twice) ** 2) / residual)
    notes = []
    if random > SAME:
        notes.append(
            "the model is random: two outputs for the same samples differ by "
            f"{100 * random:.2g}% of the degradation's energy, which is in every number"
        )
    elif np.mean((alone - once[:1]) ** 2) / residual > SAME**0.5:
        notes.append(
            "the model's output for a sample depends on the others of its batch: is batch "
            "normalisation in training mode?"
        )
    exact = isinstance(denoiser, Differentiable) or traceable(denoiser, few.degraded)
    if random > SAME:
        why = "could not be checked" if exact else "cannot be had: a random model has no rho"
        return Checked(denoiser, [*notes, f"its Jacobian products {why}"], exact)
    one = few.degraded[:1]
    try:
        wrong = _wrong_products(denoiser, one) if exact else None
        if exact and wrong is None:
            return Checked(denoiser, notes, True)
        if wrong is not None:
            notes.append(f"{wrong}; finite differences are used")
        differences, said = _finite_differences(denoiser, one)
    except Exception as error:  # whatever the model raises a little beside its inputs
        if memory_failed(error):
            raise
        why = " ".join(str(error).split())[:80]
        notes.append(f"no Jacobian products: the model fails beside the seen inputs ({why})")
        return Checked(denoiser, notes, False)
    return Checked(differences, notes + said, True)


def _check_scale(output: np.ndarray, inputs: np.ndarray) -> None:
    """Refuse outputs in another unit than the inputs."""
    ratio = float(np.sqrt(np.mean(np.square(output)) / (np.mean(np.square(inputs)) or 1.0)))
    alike = np.corrcoef(output.ravel(), inputs.ravel())[0, 1] if np.std(output) > 0 else 0.0
    if ratio > LARGE or (0 < ratio < SMALL and alike > ALIKE):
        raise errors.refuse(
            "output of the denoiser", f"values {ratio:.3g} times the input's",
            "the unit of the samples: adapt or from_torch(model, output_scale=...); 255 for "
            "a model that gives 0 to 255 where samples are in [0, 1]",
        )  # fmt: skip


def _wrong_products(denoiser: Denoiser, inputs: np.ndarray) -> str | None:
    """Why the denoiser's own products cannot be used; None where they are right."""
    try:
        found = np.asarray(products_of(denoiser, inputs).jvp(inputs), np.float64)
    except Exception as error:
        if memory_failed(error):
            return "memory does not hold an exact Jacobian product"
        said = " ".join(str(error).split())[:80]
        return f"no exact Jacobian products can be had ({type(error).__name__}: {said})"
    # Along the input itself: most denoisers block white noise, and the others are rough along white
    # noise. Right products agree with differences of at least one length.
    differences = [_difference(denoiser, inputs, inputs, step) for step in STEPS]
    moved = [d for d in differences if np.any(d)] or differences  # of few bits, short ones are 0
    apart = min(_apart(found, difference) for difference in moved)
    if apart <= APART:
        return None
    return (
        f"the model's own Jacobian products are {100 * apart:.0f}% off a finite difference "
        "(does it detach, run in inference_mode, or bring a gradient of its own?)"
    )


def _finite_differences(
    denoiser: Denoiser, inputs: np.ndarray
) -> tuple[FiniteDifferences, list[str]]:
    """The denoiser with finite differences of a reliable length; a note if there is none."""
    # Half of the direction is white, as the directions of rho are.
    signs = np.asarray(jax.random.rademacher(jax.random.key(0), inputs.shape, np.float32))
    step = _reliable_step(denoiser, inputs, inputs + _rms(inputs) * signs)
    if step is not None:
        return FiniteDifferences(denoiser, step), []
    note = "its output is too coarse or too rough for finite differences: mind rho"
    return FiniteDifferences(denoiser, _last_resort(denoiser, inputs)), [note]


def _reliable_step(denoiser: Denoiser, inputs: np.ndarray, direction: np.ndarray) -> float | None:
    """The first length whose finite difference agrees with one three times as long."""
    for step in STEPS:
        found = _difference(denoiser, inputs, direction, step)
        longer = _difference(denoiser, inputs, direction, 3 * step)
        if (np.any(found) or step == STEPS[-1]) and _apart(found, longer) <= APART / 2:
            return step
    return None


def _last_resort(denoiser: Denoiser, inputs: np.ndarray) -> float:
    """The longest difference for an output of few distinct values, else the shortest."""
    values = np.unique(np.asarray(denoiser(inputs.copy()))).size
    return max(STEPS) if values <= FEW_VALUES else min(STEPS)


def _difference(
    denoiser: Denoiser, inputs: np.ndarray, direction: np.ndarray, step: float
) -> np.ndarray:
    products = products_of(FiniteDifferences(denoiser, step), inputs)
    return np.asarray(products.jvp(direction), np.float64)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    larger = max(np.linalg.norm(one), np.linalg.norm(other))
    return float(np.linalg.norm(one - other) / larger) if larger else 0.0


def notes_on_outputs(
    cases: list[Case], outputs: list[np.ndarray], *, pictures: bool, silence: float
) -> list[str]:
    """What is odd about the outputs of a network, test by test.

    Args:
        cases: what the network was given; the seen case first.
        outputs: what it gave for each case; pictures in [0, 1].
        pictures: whether samples are pictures.
        silence: the value of silence.
    """
    notes = []
    for case, output in zip(cases, outputs):
        flat = output.reshape(len(output), -1)
        scale = np.sqrt(np.mean(np.square(case.degraded))) or 1.0
        inputs = case.degraded.reshape(flat.shape)
        vary = np.ptp(inputs, axis=1) > 1e-6 * scale
        constant = int(np.sum(vary & (np.ptp(flat, axis=1) < 1e-6 * scale)))
        differ = np.max(np.abs(inputs - inputs[:1])) > 1e-6 * scale
        if constant:
            notes.append(f"{case.name}: {constant} of {len(flat)} outputs are constant")
        elif differ and np.max(np.abs(flat - flat[:1])) < 1e-6 * scale:
            notes.append(f"{case.name}: the output is the same for every sample")
        elif np.max(np.abs(output - case.degraded)) < 1e-6 * scale:
            notes.append(f"{case.name}: the output is the input")
        if pictures and np.mean((output == 0) | (output == 1)) > 0.99:
            notes.append(f"{case.name}: nearly all values of the output are 0 or 1")
    shift = _shift(outputs[0] - silence, cases[0].clean - silence)
    if any(shift):
        notes.append(
            f"outputs are shifted by {', '.join(map(str, shift))} against the clean samples "
            "(padding, or an even kernel?): every error holds that"
        )
    return notes


def _shift(output: np.ndarray, clean: np.ndarray) -> tuple[int, ...]:
    """The shift along each spatial axis that nearly every sample agrees on; mostly none."""
    output, clean = output[:SAMPLES], clean[:SAMPLES]
    rest = tuple(range(1, clean.ndim))

    def errors_at(shift: tuple[int, ...]) -> np.ndarray:
        """Mean square error of each sample where output and shifted clean sample overlap."""
        ahead, behind = (
            tuple(slice(max(s, 0), s if s < 0 else None) for s in (0, *signed))
            for signed in (shift, tuple(-s for s in shift))
        )
        return np.mean((output[ahead] - clean[behind]) ** 2, axis=rest)

    offsets = [range(-min(FARTHEST, n // 4), min(FARTHEST, n // 4) + 1) for n in clean.shape[1:-1]]
    found = {shift: errors_at(shift) for shift in itertools.product(*offsets)}
    best = min(found, key=lambda shift: float(np.mean(found[shift])))
    unshifted = (0,) * len(best)
    agreed = np.mean(found[best] < found[unshifted]) > AGREED
    follows = np.mean(found[best]) < 0.5 * np.mean(clean**2)  # and is better than silence
    return best if agreed and follows else unshifted


def notes_on_strengths(cases: list[Case], peak: float | None) -> list[str]:
    """Which unseen samples are degraded more or less than the seen ones.

    Args:
        cases: the seen one first.
        peak: value of white in pictures, whose strengths are PSNR. None for other samples, whose
            strengths are the ratio of content to residual.
    """

    def strength(case: Case) -> float:
        residual = np.mean(np.square(case.degraded - case.clean, dtype=np.float64))
        content = peak**2 if peak else np.mean(np.square(case.clean, dtype=np.float64))
        return float(10 * np.log10(content / residual))

    seen, unit = strength(cases[0]), "dB PSNR" if peak else "dB of content over residual"
    notes = []
    for case in cases[1:]:
        found = strength(case)
        if abs(found - seen) > UNEQUAL:
            harder = "weaker" if found > seen else "stronger"
            kind = "degradation" if case.role != CONTENT else "degradation of unseen content"
            notes.append(
                f"{case.name}: the {kind} is {harder} than the seen one, {found:.1f} against "
                f"{seen:.1f} {unit}"
            )
    return notes
