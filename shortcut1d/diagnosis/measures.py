"""The measures of the analysis as lines of a report: value, interval and meaning."""

import contextlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis import decoupled, oracles, transfer
from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.analysis.fidelity import MID_GREY, psnr, ssim
from shortcut1d.analysis.intervals import Interval, mean_over_seeds, nested_bootstrap
from shortcut1d.analysis.portrait import WHOLE, Portrait, portrait
from shortcut1d.analysis.products import Differentiable, traceable
from shortcut1d.analysis.transfer import measures_of
from shortcut1d.diagnosis.inputs import CONTENT, DEGRADATION, SEEN, Case
from shortcut1d.diagnosis.outputs import errors_as, in_batches

ENERGY = 0.99  # share of samples' energy that their subspace must hold
ROUNDING = 1e-5  # a smaller share that is removed may be rounding
MEANING = {
    "phi": "above 0 fits the content, below 0 the degradation",
    "generality": "1 does both, 0 or less neither",
    "kept": "share of unseen content that comes through",
    "removed": "share of unseen degradation that is taken away",
    "removed from seen": "share of seen degradation that is taken away",
    "transfer": "removed of unseen over removed of seen degradation: from .8 it generalises",
    "transfer of content": "kept of unseen over kept of seen content: from .8 it generalises",
    "psi": "structure, beyond spectra: above 0 fits the content's, below 0 the degradation's",
    "d_D": "share it no longer removes without the degradation's structure",
    "d_C": "share it no longer removes without the content's structure",
    "rho": "0 blocks what it does not know, 1 passes it",
    "nmse": "0 perfect, 1 as bad as silence",
    "relative_error": "of the degradation: 0 all removed, 1 as bad as doing nothing",
    "content_gain": "1 is right",
    "degradation_gain": "0 is right: leakage",
    "unexplained": "share of the output that is neither",
    "hallucination": "share of the output made up of training content",
    "e_r": "error where the degradation is",
    "e_b": "error where it is not",
    "psnr": "dB, the higher the better",
    "ssim": "1 is the clean picture",
    "dimensions": "directions kept, of as many as a sample has values",
    "symmetry": "1 a symmetric Jacobian",
    "passes": "share of the subspace passed on",
    "keeps": "1 keeps just this subspace, 0 chance",
    "blocks": "1 blocks just this subspace, 0 chance",
}


UNKNOWN = Interval(np.nan, np.nan, np.nan, 0)
PerSample = dict[tuple[str, str], Float[np.ndarray, "networks samples"]]  # by measure and test
ROOTS = ("e_r", "e_b")  # root mean squares over samples; all others are means


class Measure(NamedTuple):
    """A line of a report.

    measure: its name.
    test: what it was measured on, or "all".
    interval: its value and 95% interval.
    meaning: how to read it.
    samples: number that it rests on; of tests of different sizes, the smallest.
    """

    measure: str
    test: str
    interval: Interval
    meaning: str
    samples: int


def index_measures(
    cases: list[Case], outputs: list[list[np.ndarray]], silence: float
) -> tuple[transfer.Index, list[Measure]]:
    """Kept content, removed degradation and what follows from them, over all unseen cases.

    Args:
        cases: what the networks were given.
        outputs: by network and case.
        silence: the value of silence, from which content is measured.
    """

    def errors_left(role: str, *, of_content: bool) -> list[np.ndarray]:
        """Relative errors of each test of a role, `(networks, samples)`."""
        made = []
        for n, case in enumerate(cases):
            if case.role == role:
                rows = [
                    transfer.nmse(of_network[n] - silence, case.clean - silence)
                    if of_content
                    else transfer.relative_error(of_network[n], case.clean, case.degraded)
                    for of_network in outputs
                ]
                made.append(np.asarray(rows, np.float64))
        return made

    def score(parts: list[np.ndarray]) -> Interval:
        return nested_bootstrap(parts, _clipped) if parts else _unknown(len(outputs))

    contents = errors_left(CONTENT, of_content=True)
    degradations = errors_left(DEGRADATION, of_content=False)
    seen = errors_left(SEEN, of_content=False)
    kept, removed, known = score(contents), score(degradations), score(seen)
    both = half = _unknown(len(outputs))
    if contents and degradations:
        count, columns = len(contents), contents + degradations
        both = nested_bootstrap(columns, lambda v: _clipped(v[:, count:]) - _clipped(v[:, :count]))
        half = nested_bootstrap(
            columns, lambda v: (_clipped(v[:, count:]) + _clipped(v[:, :count])) / 2
        )
    kept_of_seen = errors_left(SEEN, of_content=True)
    index = transfer.Index(
        kept.estimate, removed.estimate, both.estimate, half.estimate,
        transfer.verdict(kept.estimate, removed.estimate),
    )  # fmt: skip
    return index, [
        Measure("phi", "all", both, MEANING["phi"], _fewest(contents + degradations)),
        Measure("generality", "all", half, MEANING["generality"], _fewest(contents + degradations)),
        Measure("kept", "all", kept, MEANING["kept"], _fewest(contents)),
        Measure("removed", "all", removed, MEANING["removed"], _fewest(degradations)),
        Measure("removed from seen", SEEN, known, MEANING["removed from seen"], _fewest(seen)),
        _transfer("transfer", seen, degradations),
        _transfer("transfer of content", kept_of_seen, contents),
    ]


def _transfer(name: str, seen: list[np.ndarray], unseen: list[np.ndarray]) -> Measure:
    """Unseen share over seen share, not clipped; unknown if the seen share is 0 or less.

    seen, unseen: relative errors of each test, `(networks, samples)`.
    """
    found = _unknown(len(seen[0]))
    if unseen and np.mean(seen[0]) < 1 - ROUNDING:
        found = nested_bootstrap(
            [*seen, *unseen],
            lambda v: np.mean(1 - v[:, 1:], axis=(0, 1)) / np.mean(1 - v[:, 0], axis=0),
        )
    return Measure(name, "all", found, MEANING[name], _fewest(seen + unseen))


def _fewest(tables: list[np.ndarray]) -> int:
    """Samples of the smallest test; 0 where there is none."""
    return min((table.shape[1] for table in tables), default=0)


def measures_of_cases(
    cases: list[Case],
    outputs: list[list[np.ndarray]],
    basis: np.ndarray,
    threshold: float,
    *,
    pictures: bool,
) -> tuple[list[Measure], PerSample]:
    """The measures of each case on its own; of pictures, PSNR and SSIM first.

    Also each sample's values; a measure is their mean (`e_r`, `e_b`: root mean square).

    Args:
        cases: what the networks were given.
        outputs: by network and case.
        basis: of the training content.
        threshold: see `measures_of`.
        pictures: see `measures_of`.
    """
    silence = MID_GREY if pictures else 0.0
    quality, lines = [], []
    per_sample: PerSample = {}
    for number, case in enumerate(cases):
        columns: dict[str, list[Any]] = {}
        shifted = case.relative_to(silence)
        for of_network in outputs:
            found = measures_of(
                of_network[number], case.clean, case.degraded,
                pictures=pictures, threshold=threshold,
            )  # fmt: skip
            found["hallucination"] = decoupled.hallucination(
                of_network[number] - silence, shifted.clean, shifted.degraded, basis
            )
            for name, values in found.items():
                columns.setdefault(name, []).append(values)
        scores = [
            (name, score) for name, score in (("psnr", psnr), ("ssim", ssim)) if name in columns
        ]
        for name, score in scores:
            before = f"{name} of the input"
            columns[before] = [score(case.degraded, case.clean)]
            quality += [
                _line(name, case.name, columns[name]),
                _line(before, case.name, columns[before], MEANING[name]),
            ]
        lines += [_line(name, case.name, columns[name]) for name in PER_CASE]
        for name, rows in columns.items():
            per_sample[name, case.name] = np.asarray(rows, np.float64)
    return quality + lines, per_sample


PER_CASE = (
    "nmse", "relative_error", "content_gain", "degradation_gain", "unexplained", "hallucination",
    "e_r", "e_b",
)  # fmt: skip


def _line(name: str, test: str, networks: list[Any], meaning: str = "") -> Measure:
    """A measure from each network's values, one for each sample."""
    root = name in ROOTS
    rows = np.stack([np.asarray(each**2 if root else each, np.float64) for each in networks])
    known = np.isfinite(rows).all(axis=0)  # NaN, infinite: no number on this sample
    interval = (
        nested_bootstrap(rows[:, known], _root_mean if root else mean_over_seeds)
        if known.sum() > 1
        else _unknown(len(rows))
    )
    return Measure(name, test, interval, meaning or MEANING[name], int(known.sum()))


def portrait_measures(
    member: Denoiser,
    seen: Case,
    count: int,
    basis: np.ndarray,
    batch: int,
    key: PRNGKeyArray,
) -> tuple[Portrait | None, list[Measure], list[str]]:
    """The Jacobian portrait at a few training inputs, its measures, and notes if there is none.

    Args:
        member: the network.
        seen: what it was trained on.
        count: number of its inputs to take; 0 for none.
        basis: of the training content.
        batch: inputs at once.
        key: of the randomised decomposition.
    """
    if not count:
        return None, [], []
    inputs = seen.degraded[:count]
    size = int(np.prod(inputs.shape[1:]))
    residual = subspace_of(seen.degraded - seen.clean)
    subspaces = {"content": basis, "degradation": residual}
    if size <= WHOLE:
        others = {"all but degradation": (residual,), "novelty": (basis, residual)}
        for name, known in others.items():
            with contextlib.suppress(errors.InvalidInput):  # they span the whole space
                subspaces[name] = oracles.complement(*known)
    elif not (isinstance(member, Differentiable) or traceable(member, inputs)):
        return None, [], [f"no Jacobian portrait: {size} values a sample and no exact products"]

    def of(part: slice) -> Any:
        return portrait(member, inputs[part], key, subspaces)

    with errors_as("a point beside the seen inputs"):
        pictures = in_batches(of, len(inputs), batch if size <= WHOLE else 1)
    picture: Portrait = jax.tree.map(lambda *parts: jnp.concatenate(parts), *pictures)
    where = f"{len(inputs)} inputs"

    def over_inputs(values: Any) -> Interval:
        rows = np.asarray(values, np.float64)[None]
        if rows.size == 1:
            return Interval(float(rows[0, 0]), np.nan, np.nan, 1)
        return nested_bootstrap(rows)

    found = {"dimensions": picture.dimensions, "symmetry": picture.symmetry}
    for name in subspaces:
        found[f"passes {name}"] = picture.passed[name]
        found[f"keeps {name}"] = picture.aligned[name]
        found[f"blocks {name}"] = picture.blocked[name]
    lines = [
        Measure(name, where, over_inputs(values), MEANING[name.split()[0]], len(inputs))
        for name, values in found.items()
    ]
    return picture, lines, []


def subspace_of(samples: np.ndarray) -> Float[np.ndarray, "size rank"]:
    """Orthonormal basis of the leading directions that hold nearly all of the samples' energy."""
    flat = np.asarray(samples, np.float64).reshape(len(samples), -1)
    _, values, rows = np.linalg.svd(flat, full_matrices=False)
    held = np.cumsum(values**2) / np.sum(values**2)
    return rows[: int(np.searchsorted(held, ENERGY)) + 1].T


def _clipped(errors_left: np.ndarray) -> np.ndarray:
    """`1 - error`, clipped to [-1, 1], over cases and networks: `(networks, cases, resamples)`."""
    return np.clip(1 - errors_left, -1, 1).mean(axis=(0, 1))


def _unknown(networks: int) -> Interval:
    return UNKNOWN._replace(seeds=networks)


def _root_mean(values: np.ndarray) -> np.ndarray:
    return np.sqrt(values.mean(axis=0))
