"""The structure test: what a denoiser knows of its task beyond the two power spectra."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, comparable, output_of
from shortcut1d.analysis.transfer import relative_error
from shortcut1d.data.gaussian import twin_of

Degrade = Callable[[Samples], Samples]
Shares = Any
# Names of the tests in which a Gaussian twin replaces one component.
CONTENT_TWIN, DEGRADATION_TWIN = "content's Gaussian twin", "degradation's Gaussian twin"


class Structure(NamedTuple):
    """What a denoiser loses when a Gaussian twin replaces one component.

    Each `r` is the share of the degradation's energy that is removed: a number, or an array over
    networks. Any shift-invariant linear filter has 0 in `of_degradation`, `of_content` and `psi`.

    seen: `r` on the samples.
    without_degradation: `r` with the Gaussian twin in place of the residual.
    without_content: `r` with the Gaussian twin in place of the content.
    """

    seen: Shares
    without_degradation: Shares
    without_content: Shares

    @property
    def of_degradation(self) -> Shares:
        """`d_D`: what the degradation's structure is worth to the denoiser."""
        return self.seen - self.without_degradation

    @property
    def of_content(self) -> Shares:
        """`d_C`: what the content's structure is worth to the denoiser."""
        return self.seen - self.without_content

    @property
    def psi(self) -> Shares:
        """`d_C - d_D`: above 0 it fitted the content's structure, below 0 the degradation's."""
        return self.without_degradation - self.without_content

    @property
    def decibels(self) -> tuple[Shares, Shares]:
        """Rise of the relative error in dB, for `(without_degradation, without_content)`."""
        left = [np.log10(np.maximum(1 - np.asarray(r), 1e-12)) for r in self]
        return 10 * (left[1] - left[0]), 10 * (left[2] - left[0])


def twin_tasks(
    clean: Samples, degraded: Samples, key: PRNGKeyArray, degrade: Degrade | None = None
) -> tuple[tuple[Samples, Samples] | None, tuple[Samples, Samples]]:
    """The samples' task with a Gaussian twin in place of the residual, and of the content.

    Args:
        clean: samples.
        degraded: degraded samples, in the order of `clean`.
        key: of the twins.
        degrade: function from clean to degraded samples, for a degradation that is not additive
            (blur). It degrades the content's twin; there is then no twin of the degradation.

    Returns:
        pairs (clean, degraded): the Gaussian twin in place of the residual (None if the
        degradation is not additive); the Gaussian twin in place of the content.

    Raises:
        InvalidInput: arrays that do not fit or are not finite, or no degradation.
    """
    clean, degraded = (np.asarray(part) for part in comparable(clean=clean, degraded=degraded))
    residual_key, content_key = jax.random.split(key)
    content = np.asarray(twin_of(clean).sample(content_key, len(clean)))
    if degrade is not None:
        return None, (content, np.asarray(degrade(content)))
    residual = degraded - clean
    if not np.any(residual):
        raise errors.refuse("degraded", "the clean samples", "some degradation")
    noise = np.asarray(twin_of(residual).sample(residual_key, len(clean)))
    return (clean, clean + noise), (content, content + residual)


def structure(
    denoiser: Denoiser,
    clean: Samples,
    degraded: Samples,
    key: PRNGKeyArray,
    degrade: Degrade | None = None,
) -> Structure:
    """What a denoiser knows of its own task beyond the spectra, from (clean, degraded) pairs alone.

    The Gaussian twin of samples is the stationary Gaussian process with their mean and their mean
    power spectrum. The error of a shift-invariant linear filter depends on spectra alone, so such a
    filter does as well on the twins. What a network loses on the twins came from structure. (This
    project.)

    Args:
        denoiser: any callable on arrays.
        clean: samples.
        degraded: degraded samples, in the order of `clean`.
        key: of the twins.
        degrade: see `twin_tasks`.

    Returns:
        shares of the degradation's energy; `without_degradation` is NaN if it is not additive.

    Raises:
        InvalidInput: arrays that do not fit or are not finite, no degradation, an output of the
            wrong shape.
    """

    def removed(pair: tuple[Samples, Samples] | None) -> float:
        if pair is None:
            return np.nan
        return float(1 - np.mean(relative_error(output_of(denoiser, pair[1]), *pair)))

    residual, content = twin_tasks(clean, degraded, key, degrade)
    return Structure(removed((clean, degraded)), removed(residual), removed(content))
