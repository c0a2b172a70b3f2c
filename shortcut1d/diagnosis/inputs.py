"""What a denoiser is tested on: samples of content and degradation, seen and unseen."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.denoiser import applied, as_floats, finite

SLACK = 0.02  # of white: how far pictures may lie beyond black and white
SEEN, CONTENT, DEGRADATION = "seen", "unseen content", "unseen degradation"


class Case(NamedTuple):
    """Samples of one kind that the denoiser is tested on.

    role: SEEN, CONTENT or DEGRADATION.
    name: of the test.
    clean, degraded: `(samples, *space, channels)`.
    """

    role: str
    name: str
    clean: np.ndarray
    degraded: np.ndarray

    def relative_to(self, silence: float) -> "Case":
        """The samples less the value of silence."""
        return self._replace(clean=self.clean - silence, degraded=self.degraded - silence)

    def over(self, peak: float) -> "Case":
        """The samples with `peak` as their unit."""
        if peak == 1:
            return self
        return self._replace(clean=self.clean / peak, degraded=self.degraded / peak)


Pair = tuple[np.ndarray, np.ndarray]  # clean, degraded


def cases_of(
    content: Any,
    degradation: Any,
    unseen_content: Any,
    unseen_degradation: Any,
    samples: int,
    key: PRNGKeyArray,
    pictures: bool | None,
    peak: float,
) -> tuple[list[Case], list[str]]:
    """The seen case and the unseen ones, and notes for the reader of the report.

    Args:
        content: see `diagnose`.
        degradation: see `diagnose`.
        unseen_content: see `diagnose`.
        unseen_degradation: see `diagnose`.
        samples: largest number of samples in a case.
        key: of all random draws.
        pictures: see `diagnose`.
        peak: see `diagnose`.

    Raises:
        InvalidInput: samples or families that do not fit together.
    """
    notes = []
    draws = _Draws(key, samples)
    for name, given in (("content", content), ("degradation", degradation)):
        _check_family(name, given, applies=name == "degradation")
    seen = _seen(content, degradation, draws)
    _check(Case(SEEN, SEEN, *seen), seen[0].shape[1:])
    _check_axes(seen[0].shape, pictures)
    if unseen_content is None and hasattr(content, "unseen"):
        unseen_content = content.unseen()
    if unseen_degradation is None:
        if hasattr(degradation, "unseen"):
            unseen_degradation = degradation.unseen()
        else:
            unseen_degradation = {"white noise": draws.noise_like(seen)}
            notes.append(
                "unseen degradation: white noise as strong as the residual, none being given"
            )
    cases = [Case(SEEN, SEEN, *seen)]
    for name, given in _named(CONTENT, unseen_content).items():
        if hasattr(given, "sample") or not _is_pair(given):
            clean = draws.of(given) if hasattr(given, "sample") else _array(name, given)[:samples]
            pair = draws.degrade(clean, degradation, seen)
        else:
            pair = _arrays(name, given, samples)
        cases.append(Case(CONTENT, name, *pair))
    for name, given in _named(DEGRADATION, unseen_degradation).items():
        if hasattr(given, "sample"):
            pair = draws.degrade(seen[0], given, seen)
        elif _is_pair(given):
            pair = _arrays(name, given, samples)
        else:
            raise errors.refuse(name, type(given).__name__, "a family or a pair (clean, degraded)")
        cases.append(Case(DEGRADATION, name, *pair))
    for case in cases:
        _check(case, seen[0].shape[1:])
        if pictures:
            _check_range(case, peak)
    if len({case.name for case in cases}) < len(cases):
        raise errors.refuse("names", [case.name for case in cases], "a different name for each")
    if not any(case.role == CONTENT for case in cases):
        notes.append("kept content is not known: give unseen_content")
    return cases, notes


class _Draws:
    """Draws of families, each with a key of its own."""

    def __init__(self, key: PRNGKeyArray, samples: int) -> None:
        self.key, self.samples = key, samples

    def next_key(self) -> PRNGKeyArray:
        self.key, fresh = jax.random.split(self.key)
        return fresh

    def of(self, family: Any) -> np.ndarray:
        return _sample(family, self.next_key(), self.samples)

    def degrade(self, clean: np.ndarray, degradation: Any, seen: Pair) -> Pair:
        """Clean samples under a family, or with the residuals of the seen ones."""
        if hasattr(degradation, "sample"):
            realisation = _sample(degradation, self.next_key(), len(clean))
            return clean, as_floats(applied(degradation, clean, realisation))
        residual = seen[1] - seen[0]
        if clean.shape[1:] != residual.shape[1:]:
            return clean, clean  # the sizes differ, which `_check` refuses
        return clean, clean + residual[np.arange(len(clean)) % len(residual)]

    def noise_like(self, seen: Pair) -> Pair:
        """The seen content in white noise as strong as its residual."""
        noise = np.asarray(jax.random.normal(self.next_key(), seen[0].shape, np.float32))
        return seen[0], seen[0] + np.sqrt(np.mean((seen[1] - seen[0]) ** 2)) * noise


def _sample(family: Any, key: PRNGKeyArray, count: int) -> np.ndarray:
    """Draws of a family, in one compiled program where it is a pytree, as this package's are."""
    if jax.tree_util.all_leaves([family]):
        return as_floats(np.asarray(family.sample(key, count)))
    return as_floats(np.asarray(_drawn(family, key, count)))


@functools.partial(jax.jit, static_argnums=2)
def _drawn(family: Any, key: PRNGKeyArray, count: int) -> Any:
    return family.sample(key, count)


def _seen(content: Any, degradation: Any, draws: _Draws) -> Pair:
    if hasattr(content, "sample") and not hasattr(degradation, "sample"):
        raise errors.refuse("degradation", type(degradation).__name__, "a family, as content is")
    clean = draws.of(content) if hasattr(content, "sample") else _array("content", content)
    clean = clean[: draws.samples]
    if hasattr(degradation, "sample"):
        return draws.degrade(clean, degradation, (clean, clean))
    degraded = _array("degradation", degradation)[: draws.samples]
    if clean.shape != degraded.shape:
        raise errors.refuse(
            "degradation", degraded.shape, f"shape {clean.shape}, a degraded sample for each"
        )
    return clean, degraded


def _check_family(name: str, given: Any, applies: bool) -> None:
    cannot_apply = applies and hasattr(given, "sample") and not hasattr(given, "apply")
    if isinstance(given, type) or cannot_apply:
        kind = "degradation" if applies else "content"
        shown = given.__name__ if isinstance(given, type) else type(given).__name__
        raise errors.refuse(name, shown, f"a {kind} family, such as {EXAMPLES[kind]}, or arrays")


EXAMPLES = {"content": "signals.melody()", "degradation": "degradations.clicks()"}


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2


def _arrays(name: str, pair: Any, samples: int) -> Pair:
    clean, degraded = (
        _array(f"{name}, {part}", values)[:samples]
        for part, values in zip(("clean", "degraded"), pair)
    )
    return clean, degraded


def _named(role: str, given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    named = dict(given) if isinstance(given, Mapping) else {role: given}
    for name, family in named.items():
        if not isinstance(name, str):
            raise errors.refuse(f"name of an {role}", name, "a text")
        _check_family(name, family, applies=role == DEGRADATION)
    return named


def _array(name: str, given: Any) -> np.ndarray:
    try:
        values = np.asarray(given)
    except Exception as error:  # whatever a foreign object raises when it is asked for numbers
        raise errors.refuse(name, type(given).__name__, "an array, or a family") from error
    if values.dtype.kind not in "fiub":
        raise errors.refuse(
            name, f"{type(given).__name__} of {values.dtype}", "an array of numbers"
        )
    values = as_floats(values)
    finite(name, values)
    return values


def _check(case: Case, shape: tuple[int, ...]) -> None:
    for part, values in (("clean", case.clean), ("degraded", case.degraded)):
        if values.shape[1:] != shape or len(values) != len(case.clean):
            wanted = f"({len(case.clean)}, {', '.join(map(str, shape))})"
            raise errors.refuse(f"{case.name}, {part}", values.shape, f"shape {wanted}")
        finite(f"{case.name}, {part}", values)
    if len(case.clean) < 2:
        raise errors.refuse(case.name, f"{len(case.clean)} samples", "at least 2")
    if not np.any(case.clean):
        raise errors.refuse(f"{case.name}, clean", "silence", "some content")
    if np.array_equal(case.clean, case.degraded):
        raise errors.refuse(f"{case.name}, degraded", "the clean samples", "some degradation")


FEW_CHANNELS = 4  # as many as a picture with transparency has


def _check_axes(shape: tuple[int, ...], pictures: bool | None) -> None:
    """Refuse samples whose last axis is hardly one of channels."""
    if pictures is False:
        return
    first, last = shape[1], shape[-1]
    if len(shape) == 3 and pictures:
        raise errors.refuse(
            "content", shape, "pictures of shape (n, height, width, channels): add the channel "
            "axis of grey ones with x[..., None]",
        )  # fmt: skip
    if first <= FEW_CHANNELS < last:
        raise errors.refuse(
            "content", shape, "channels last: np.moveaxis(x, 1, -1) puts them there; "
            f"pictures=False takes the samples as they are, with {last} channels",
        )  # fmt: skip
    if len(shape) == 3 and last > 2 * FEW_CHANNELS:
        raise errors.refuse(
            "content", shape, "shape (n, *space, channels): add the channel axis of grey pictures "
            f"with x[..., None], or say pictures=False for signals of {last} channels",
        )  # fmt: skip


def _check_range(case: Case, peak: float) -> None:
    """Refuse pictures in another unit than [0, peak]."""
    least, largest = float(case.clean.min()), float(case.clean.max())
    slack = SLACK * peak
    if least < -slack or largest > peak + slack or largest < 0.05 * peak:
        raise errors.refuse(
            f"{case.name}, clean", f"values from {least:.3g} to {largest:.3g}",
            f"pictures with values from 0 to {peak:g}: scale them, or give peak= (255 for bytes)",
        )  # fmt: skip
    strong = float(np.sqrt(np.mean(np.square(case.degraded))))
    if strong > 3 * peak:
        raise errors.refuse(
            f"{case.name}, degraded", f"values of RMS {strong:.3g}",
            f"values in the unit of the clean pictures, 0 to {peak:g}",
        )  # fmt: skip
