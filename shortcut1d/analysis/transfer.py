"""How much a denoiser keeps of unseen content, and removes of an unseen degradation.

Measures reduce over everything but the batch. A measure that divides by an energy takes the batch's
mean energy, so that its mean over samples is the ratio of means in the definition.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.decoupled import component_gains, decoupled_errors
from shortcut1d.analysis.denoiser import (
    Denoiser,
    Samples,
    comparable,
    finite,
    output_of,
    per_sample,
)
from shortcut1d.analysis.fidelity import MID_GREY, TAPS, psnr, ssim
from shortcut1d.analysis.intervals import Interval

HALF = 0.5  # the verdict's threshold: shares kept or removed that count
# Thresholds of transfer: the share on unseen samples over that on seen ones.
GENERALISES, PARTLY = 0.8, 0.5

PAPERS_THRESHOLD = 50 / 255  # of the residual, for `E_R` and `E_B` of pictures in [0, 1]


Pair = tuple[Float[Array | np.ndarray, "..."], Float[Array | np.ndarray, "..."]]


class Index(NamedTuple):
    """Which component a denoiser fitted.

    kept: kept content `R_C`, in [-1, 1]. removed: removed degradation `R_D`, in [-1, 1].
    phi: fitted-component index `R_D - R_C`, in [-2, 2]; above 0 content, below 0 degradation.
    generality: `(R_C + R_D) / 2`. verdict: "content", "degradation", "both" or "neither".
    """

    kept: float
    removed: float
    phi: float
    generality: float
    verdict: str


def nmse(output: Samples, content: Samples) -> Float[Array, " batch"]:
    """Normalised mean square error, `mean((out - c)^2) / mean(c^2)`.

    0 is perfect, 1 as bad as silence.

    Raises:
        InvalidInput: arrays that are not of one shape, or not finite.
    """
    output, content = comparable(output=output, content=content)
    return per_sample((output - content) ** 2) / jnp.mean(content**2)


def relative_error(output: Samples, content: Samples, degraded: Samples) -> Float[Array, " batch"]:
    """What is left of the degradation, `mean((out - c)^2) / mean((y - c)^2)`.

    0 is all removed, 1 as bad as doing nothing. Defined for any degradation, additive or not.

    Raises:
        InvalidInput: arrays that are not of one shape, or not finite.
    """
    output, content, degraded = comparable(output=output, content=content, degraded=degraded)
    return per_sample((output - content) ** 2) / jnp.mean((degraded - content) ** 2)


def kept_content(errors_on_unseen_content: Float[Array, "... batch"]) -> Float[Array, "..."]:
    """`R_C = 1 - NMSE(unseen content, seen degradation)`, clipped to [-1, 1].

    Args:
        errors_on_unseen_content: `nmse` of each sample; the last axis is averaged over.
    """
    return jnp.clip(1.0 - jnp.mean(errors_on_unseen_content, axis=-1), -1.0, 1.0)


def removed_degradation(
    residuals_on_unseen_degradation: Float[Array, "... batch"],
) -> Float[Array, "..."]:
    """`R_D = 1 - mean((out - c)^2) / mean(d^2)` on seen content, unseen degradation; in [-1, 1].

    Args:
        residuals_on_unseen_degradation: `relative_error` of each sample; the last axis is
            averaged over.
    """
    return jnp.clip(1.0 - jnp.mean(residuals_on_unseen_degradation, axis=-1), -1.0, 1.0)


def index_of(kept: float, removed: float) -> Index:
    """The index from its two parts, `phi = R_D - R_C` and `generality = (R_C + R_D) / 2`.

    Raises:
        InvalidInput: a part that is infinite or not a number; NaN is allowed.
    """
    kept, removed = _part("kept", kept), _part("removed", removed)
    return Index(kept, removed, removed - kept, generality(kept, removed), verdict(kept, removed))


def generality(kept: float, removed: float) -> float:
    """`(R_C + R_D) / 2`: tells a denoiser that does both from one that does neither."""
    return (_part("kept", kept) + _part("removed", removed)) / 2


def verdict(kept: float, removed: float) -> str:
    """Which component was fitted.

    A denoiser that keeps at least half (0.5) of a content it never saw did not fit its content; one
    that removes at least half of a degradation it never saw did not fit its degradation.

    Returns:
        "content" (removes, does not keep), "degradation" (keeps, does not remove), "both" or
        "neither"; "unknown" if either number is NaN.
    """
    kept, removed = _part("kept", kept), _part("removed", removed)
    if np.isnan(kept) or np.isnan(removed):
        return "unknown"
    names = {
        (False, True): "content",
        (True, False): "degradation",
        (True, True): "both",
        (False, False): "neither",
    }
    return names[bool(kept >= HALF), bool(removed >= HALF)]


def transfer_verdict(found: Interval) -> str:
    """Verdict on a transfer: how much of the removed (or kept) share is left on unseen samples.

    Args:
        found: the ratio `share on unseen / share on seen`, with its interval; NaN bounds if there
            is no interval.

    Returns:
        "generalises" (at least .8), "generalises in part" (.5 to .8), "overfits" (below .5); "too
        close to call" where the interval holds .5 or .8, "unknown" if the ratio is NaN.
    """
    if np.isnan(found.estimate):
        return "unknown"
    if any(found.low < border < found.high for border in (PARTLY, GENERALISES)):
        return "too close to call"
    if found.estimate >= GENERALISES:
        return "generalises"
    return "generalises in part" if found.estimate >= PARTLY else "overfits"


def _part(name: str, value: Any) -> float:
    """A number, which may be NaN for what is not known."""
    number = errors.numbers(name, value, axes=0)
    if number.ndim or np.isinf(number):
        raise errors.refuse(name, value, "a number")
    return float(number)


def fitted_index(
    denoiser: Denoiser,
    unseen_content: Pair,
    unseen_degradation: Pair,
) -> Index:
    """Which component `denoiser` fitted, from two sets of (clean, degraded) samples.

    Args:
        denoiser: any callable on arrays, `(batch, *space, channels)` to the same shape.
        unseen_content: unseen content under the degradation of its training.
        unseen_degradation: content of its training under an unseen degradation.

    Raises:
        InvalidInput: arrays that do not fit or are not finite, a set without content or without
            degradation, an output of the wrong shape.
    """
    for name, (clean, degraded) in {
        "unseen_content": unseen_content,
        "unseen_degradation": unseen_degradation,
    }.items():
        finite(f"{name}, clean", clean)
        finite(f"{name}, degraded", degraded)
        if clean.shape != degraded.shape:
            raise errors.refuse(name, (clean.shape, degraded.shape), "two arrays of one shape")
        if not np.any(clean):
            raise errors.refuse(f"{name}, clean", "silence", "some content")
        if np.array_equal(clean, degraded):
            raise errors.refuse(f"{name}, degraded", "the clean samples", "some degradation")
    clean, degraded = unseen_content
    kept = kept_content(nmse(output_of(denoiser, degraded), clean))
    clean, degraded = unseen_degradation
    left = relative_error(output_of(denoiser, degraded), clean, degraded)
    return index_of(float(kept), float(removed_degradation(left)))


def measures_of(
    output: Samples,
    content: Samples,
    degraded: Samples,
    *,
    pictures: bool = False,
    threshold: float = PAPERS_THRESHOLD,
) -> dict[str, Float[Array, " batch"]]:
    """`nmse, relative_error, content_gain, degradation_gain, unexplained, e_r, e_b` of each sample.

    Args:
        output: of the denoiser at `degraded`.
        content: clean samples.
        degraded: what the denoiser was given.
        pictures: whether samples are pictures with values in [0, 1]. All but `e_r` and `e_b` are
            then measured from mid-grey, since mean brightness would hide everything else. `psnr` is
            added, and `ssim` where the pictures are large enough for its window.
        threshold: residual above which a value counts as degraded, for `e_r` and `e_b`; in the
            samples' unit.

    Raises:
        InvalidInput: arrays that are not of one shape, or not finite.
    """
    on, off = decoupled_errors(output, content, degraded, threshold=threshold)
    of_pictures: dict[str, Float[Array, " batch"]] = {}
    if pictures:
        of_pictures["psnr"] = psnr(output, content)
        if min(content.shape[1:-1]) >= TAPS:
            of_pictures["ssim"] = ssim(output, content)
        output, content, degraded = (part - MID_GREY for part in (output, content, degraded))
    gains = component_gains(output, content, degraded)
    return {
        **of_pictures,
        "e_r": on,
        "e_b": off,
        "nmse": nmse(output, content),
        "relative_error": relative_error(output, content, degraded),
        "content_gain": gains.content,
        "degradation_gain": gains.degradation,
        "unexplained": gains.unexplained,
    }
