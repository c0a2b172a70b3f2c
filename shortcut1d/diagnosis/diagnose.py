"""`diagnose`: what did this denoiser learn?"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis import decoupled
from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.analysis.fidelity import MID_GREY
from shortcut1d.diagnosis.inputs import cases_of
from shortcut1d.diagnosis.measures import (
    index_measures,
    measures_of_cases,
    novelty_measures,
    portrait_measures,
    subspace_of,
)
from shortcut1d.diagnosis.outputs import output_in_batches
from shortcut1d.diagnosis.report import Report


def diagnose(
    denoiser: Denoiser | Sequence[Denoiser],
    content: Any,
    degradation: Any,
    *,
    unseen_content: Any = None,
    unseen_degradation: Any = None,
    samples: int = 128,
    batch: int = 64,
    probes: int = 4,
    bands: int = 8,
    portraits: int = 4,
    threshold: float = 50 / 255,
    pictures: bool = False,
    key: PRNGKeyArray | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """What did this denoiser learn, the content or the degradation? Every measure, with intervals.

    Args:
        denoiser: any callable on arrays of shape `(n, *space, channels)`; see `adapters` for
            PyTorch modules and filters of one sample. Several networks trained alike (other seeds)
            give intervals over networks as well as samples.
        content: what it was trained on: a family (with `sample` and `unseen`), or clean samples.
        degradation: a family (with `sample`, `apply` and `unseen`), or degraded samples, each of
            the clean one in the same place.
        unseen_content: content it was not trained on: a family, a pair `(clean, degraded)` of
            arrays under the degradation it was trained on, clean samples (they get residuals of
            the seen ones), or a dictionary of these by name. By default the family's held-out twin.
        unseen_degradation: a family, a pair of arrays with content it was trained on, or a
            dictionary. By default the family's held-out twin; for arrays, white noise as strong as
            the residual.
        samples: to draw of families; of arrays as many are used as there are, at most so many.
        batch: samples given to the denoiser at once.
        probes: white directions an input, for the novelty response.
        bands: frequency bands for the gains.
        portraits: inputs at which the Jacobian is taken; 0 for none.
        threshold: where a residual counts as there, for `E_R` and `E_B`; in the samples' unit.
        pictures: samples are pictures with values in [0, 1]. Content is then measured from mid-grey
            (from black, a picture's mean brightness would hide everything else), and PSNR and SSIM
            come on top.
        key: of all that is drawn.
        progress: called after each batch: how many are done, and how many there are.

    Raises:
        InvalidInput: a NaN, a wrong shape, samples that do not fit together, a denoiser that
            changes the shape or raises: it says which sample.
    """
    members = list(denoiser) if isinstance(denoiser, Sequence) else [denoiser]
    if not members or not all(callable(member) for member in members):
        raise errors.refuse("denoiser", denoiser, "a callable on arrays, or several")
    batch, probes, bands = (
        errors.integer(name, value)
        for name, value in {"batch": batch, "probes": probes, "bands": bands}.items()
    )
    samples = errors.integer("samples", samples, low=8)
    portraits = errors.integer("portraits", portraits, low=0)
    threshold = errors.number("threshold", threshold, low=0)
    key = jax.random.key(0) if key is None else key
    if not jax.dtypes.issubdtype(getattr(key, "dtype", None), jax.dtypes.prng_key):
        raise errors.refuse("key", key, "a key of jax.random.key")
    cases, notes = cases_of(content, degradation, unseen_content, unseen_degradation, samples, key)
    total = len(members) * sum(-(-len(case.degraded) // batch) for case in cases)
    done = itertools.count(1)
    outputs = [
        [
            output_in_batches(member, case, batch, lambda: progress(next(done), total))
            for case in cases
        ]
        for member in members
    ]
    silence = MID_GREY if pictures else 0.0
    shifted = [case.relative_to(silence) for case in cases]
    outputs_shifted = [[output - silence for output in of_network] for of_network in outputs]
    seen = cases[0]
    basis = subspace_of(shifted[0].clean)
    measures = measures_of_cases(cases, outputs, basis, threshold, pictures=pictures)
    index, summary = index_measures(shifted, outputs_shifted)
    novelty = novelty_measures(members, seen.degraded, shifted, probes, batch, key)
    edges = np.linspace(0.5, max(seen.clean.shape[1:-1]) / 2 + 0.5, bands + 1)
    gains = {
        case.name: decoupled.band_gains(outputs_shifted[0][n], case.clean, case.degraded, edges)
        for n, case in enumerate(shifted)
    }
    portrait, of_portrait, more_notes = portrait_measures(
        members[0], seen.degraded[:portraits], shifted[0], basis, batch, key
    )
    return Report(
        index=index,
        measures=summary + novelty + of_portrait + measures,
        edges=edges,
        bands=gains,
        portrait=portrait,
        cases=cases,
        outputs=outputs[0],
        networks=len(members),
        samples=len(seen.clean),
        notes=notes + more_notes,
    )
