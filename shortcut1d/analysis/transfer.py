"""What a denoiser keeps of a content, and removes of a degradation, that it has not seen.

Measures reduce over everything but the batch. Where one divides by an energy, it divides by the
batch's mean energy, so that the mean over samples is the ratio of means in the definition.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import (
    Denoiser,
    Samples,
    comparable,
    finite,
    output_of,
    per_sample,
)

HALF = 0.5  # kept or removed beyond this counts as "does it": the verdict's threshold


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
        residuals_on_unseen_degradation: `relative_residual` of each sample; the last axis is
            averaged over.
    """
    return jnp.clip(1.0 - jnp.mean(residuals_on_unseen_degradation, axis=-1), -1.0, 1.0)


def index_of(kept: float, removed: float) -> Index:
    """The index from its two parts, `phi = R_D - R_C` and `generality = (R_C + R_D) / 2`.

    Raises:
        InvalidInput: parts that are no numbers (NaN is one).
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
        unseen_content: content it was not trained on, under the degradation that it was.
        unseen_degradation: content it was trained on, under a degradation that it was not.

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
