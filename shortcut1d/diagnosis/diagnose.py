"""`diagnose`: what did this denoiser learn?"""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis import decoupled
from shortcut1d.analysis.denoiser import key_or_zero
from shortcut1d.analysis.fidelity import MID_GREY
from shortcut1d.analysis.portrait import WHOLE
from shortcut1d.diagnosis.checks import (
    as_denoiser,
    checked,
    notes_on_outputs,
    notes_on_strengths,
)
from shortcut1d.diagnosis.inputs import SEEN, cases_of
from shortcut1d.diagnosis.measures import (
    Measure,
    index_measures,
    measures_of_cases,
    portrait_measures,
    subspace_of,
)
from shortcut1d.diagnosis.novelty import inputs_of, nothing_known, novelty_measures
from shortcut1d.diagnosis.outputs import batch_for, output_in_batches
from shortcut1d.diagnosis.progress import Counter
from shortcut1d.diagnosis.report import Report
from shortcut1d.diagnosis.report.about import about
from shortcut1d.diagnosis.structure import TWINS, left_of, structure_measures, twins_of

PORTRAITS = 4  # default number, for samples small enough for a whole Jacobian


def diagnose(
    denoiser: Any,
    content: Any,
    degradation: Any,
    *,
    unseen_content: Any = None,
    unseen_degradation: Any = None,
    samples: int = 128,
    batch: int | None = None,
    probes: int | None = None,
    bands: int = 8,
    portraits: int | None = None,
    threshold: float = 50 / 255,
    pictures: bool | None = None,
    peak: float = 1.0,
    key: PRNGKeyArray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """What did this denoiser learn, the content or the degradation? Every measure, with intervals.

    Before anything is measured, the model is checked: that it gives the same output twice, that its
    derivatives agree with its outputs, that it keeps the samples' unit. A fault that cannot be
    corrected is refused; others are noted in the report. Ctrl-C, once the network's outputs for
    the seen samples are there, leaves a report of what was measured until then.

    Args:
        denoiser: any callable on arrays of shape `(n, *space, channels)`, or a PyTorch module; see
            `adapters` for models that take more, or give more. Several networks trained alike
            (other seeds) give intervals over networks as well as samples.
        content: what the denoiser was trained on: a family (with `sample` and `unseen`), or clean
            samples.
        degradation: a family (with `sample`, `apply` and `unseen`), or degraded samples, in the
            order of the clean ones.
        unseen_content: content it was not trained on: a family, a pair `(clean, degraded)` of
            arrays under the degradation it was trained on, clean samples (they get residuals of
            the seen ones), or a dictionary of these by name. By default the family's held-out twin.
        unseen_degradation: a family, a pair of arrays with content it was trained on, or a
            dictionary. By default the family's held-out twin; for arrays, white noise as strong as
            the residual.
        samples: number to draw from families; of arrays at most so many are used.
        batch: samples given to the denoiser at once; None for as many as hold a quarter of a
            million values, at most 64. Where memory does not hold a batch, the next ones are half
            as large.
        probes: white directions at each input, for the novelty response. None: as many as bring its
            standard error to .01, at most 4; for large samples 1, at 32 inputs.
        bands: frequency bands for the gains.
        portraits: inputs at which the Jacobian is taken; 0 for none. None: 4 where a sample has at
            most 1024 values, and 0 where it has more, since they take long.
        threshold: residual above which a value counts as degraded, for `E_R` and `E_B`; in the
            samples' unit, for pictures as a share of `peak`.
        pictures: whether samples are pictures with values in [0, peak]. Content is then measured
            from mid-grey (from black, mean brightness would hide everything else), and PSNR and
            SSIM are added. None: as False, but samples that look like grey pictures without a
            channel axis, or like channels first, are refused.
        peak: value of white in pictures.
        key: of all random draws.
        progress: called after each batch: how many samples went through the network, and how many
            will at most. None for a bar on a terminal or in a notebook.

    Raises:
        InvalidInput: a NaN, a wrong shape, samples that do not fit together, pictures or outputs in
            another unit, a denoiser that changes the shape or raises (the message says for which
            sample).
    """
    models = list(denoiser) if isinstance(denoiser, list | tuple) else [denoiser]
    if not models:
        raise errors.refuse("denoiser", denoiser, "a callable on arrays, or several")
    members = [as_denoiser(model) for model in models]
    if batch is not None:
        batch = errors.integer("batch", batch)
    if probes is not None:
        probes = errors.integer("probes", probes)
    if portraits is not None:
        portraits = errors.integer("portraits", portraits, low=0)
    if pictures is not None:
        errors.flag("pictures", pictures)
    bands = errors.integer("bands", bands)
    samples = errors.integer("samples", samples, low=8)
    threshold = errors.number("threshold", threshold, low=0)
    peak = errors.number("peak", peak, above=0)
    key = key_or_zero(key)
    cases, notes = cases_of(
        content, degradation, unseen_content, unseen_degradation, samples, key, pictures, peak
    )
    size = math.prod(cases[0].clean.shape[1:])
    batch = batch or batch_for(size)
    if portraits is None:
        portraits = PORTRAITS if size <= WHOLE else 0
        if not portraits:
            notes.append(f"no Jacobian portrait of {size} values a sample; ask with portraits=2")
    silence = MID_GREY if pictures else 0.0
    notes += notes_on_strengths(cases, peak if pictures else None)
    basis = subspace_of(cases[0].clean / peak - silence)
    twins = twins_of(cases[0], degradation, key)
    tests = [*cases, *twins]
    outputs: list[list[np.ndarray]] = []  # by test and network
    of_twins: list[list[np.ndarray]] = []
    novelty, portrait = nothing_known(), None
    of_portrait: list[Measure] = []
    passes = sum(len(case.clean) for case in tests) + len(cases) * len(inputs_of(cases[0], probes))
    interrupted = False
    with Counter(len(members) * passes, progress) as counter:
        try:
            for case in tests:
                counter.doing(case.name)
                found = [output_in_batches(member, case, batch, counter.add) for member in members]
                (of_twins if case.role in TWINS else outputs).append(found)
                if case.role == SEEN:
                    trusted = [checked(member, case, batch) for member in members]
                    notes += _by_network([each.notes for each in trusted])
            counter.doing("Jacobian")
            if all(each.differentiable for each in trusted):
                members = [each.denoiser for each in trusted]
                novelty = novelty_measures(
                    members, cases, silence * peak, probes, batch, key, counter.add
                )
                portrait, of_portrait, why_not = portrait_measures(
                    members[0], cases[0], portraits, basis, batch, key
                )
                notes += why_not
            counter.finish()
        except errors.InvalidInput as error:  # want of memory, or a twin that the model refuses
            if len(outputs) < len(cases):
                raise
            notes.append(f"not all was measured: {error}")
        except KeyboardInterrupt:
            if not outputs:
                raise
            interrupted = True
            notes.append("interrupted: what is missing was not measured")
    cases = [case.over(peak) for case in cases[: len(outputs)]]
    by_network = [
        [of_case[n] if peak == 1 else of_case[n] / peak for of_case in outputs]
        for n in range(len(members))
    ]
    notes += _by_network(
        [
            notes_on_outputs(cases, of_network, pictures=bool(pictures), silence=silence)
            for of_network in by_network
        ]
    )
    index, summary = index_measures(cases, by_network, silence)
    seen_outputs = [of_network[0] for of_network in by_network]
    of_structure = structure_measures(cases[0], seen_outputs, twins[: len(of_twins)], of_twins)
    of_cases, per_sample = measures_of_cases(
        cases, by_network, basis, threshold, pictures=bool(pictures)
    )
    for twin, of_twin in zip(twins, of_twins):
        per_sample["relative_error", twin.name] = left_of(twin, of_twin)
    edges = np.linspace(0.5, max(cases[0].clean.shape[1:-1]) / 2 + 0.5, bands + 1)
    return Report(
        index=index,
        measures=summary
        + of_structure
        + novelty
        + of_portrait
        + of_cases,
        edges=edges,
        bands={
            case.name: decoupled.band_gains(
                output - silence, case.clean - silence, case.degraded - silence, edges
            )
            for case, output in zip(cases, by_network[0])
        },
        portrait=portrait,
        cases=cases,
        outputs=by_network[0],
        networks=len(members),
        samples=len(cases[0].clean),
        notes=notes,
        interrupted=interrupted,
        per_sample=per_sample,
        about=about(
            cases, by_network, [twin.over(peak) for twin in twins[: len(of_twins)]],
            pictures=bool(pictures), peak=peak,
            options={
                "samples": samples, "batch": batch, "probes": probes, "bands": bands,
                "portraits": portraits, "threshold": threshold,
                "key": jax.random.key_data(key).tolist(),
            },
        ),
    )  # fmt: skip


def _by_network(notes: list[list[str]]) -> list[str]:
    """Notes on each network, with its number where there are several."""
    if len(notes) == 1:
        return notes[0]
    return [f"network {n}: {note}" for n, of_one in enumerate(notes, 1) for note in of_one]
