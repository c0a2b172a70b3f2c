"""Every measure of the analysis as a line with its interval and how to read it."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis import decoupled, oracles, transfer
from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.analysis.fidelity import TAPS, psnr, ssim
from shortcut1d.analysis.intervals import Interval, nested_bootstrap
from shortcut1d.analysis.portrait import WHOLE, Portrait, portrait
from shortcut1d.analysis.products import Differentiable, products_of, traceable
from shortcut1d.diagnosis.answers import while_
from shortcut1d.diagnosis.cases import CONTENT, DEGRADATION, SEEN, Case

ENERGY = 0.99  # of a family's samples that its subspace must hold
MEANING = {
    "phi": "above 0 fits the content, below 0 the degradation",
    "generality": "1 does both, 0 or less neither",
    "kept": "share of unseen content that comes through",
    "removed": "share of unseen degradation that is taken away",
    "removed from seen": "share of seen degradation that is taken away",
    "rho": "0 blocks what it does not know, 1 passes it",
    "nmse": "0 perfect, 1 as bad as silence",
    "left over": "of the degradation: 0 all removed, 1 as bad as doing nothing",
    "content gain": "1 is right",
    "degradation gain": "0 is right: leakage",
    "unexplained": "share of the output that is neither",
    "hallucination": "share of the output made up of training content",
    "E_R": "error where the degradation is",
    "E_B": "error where it is not",
    "PSNR": "dB, the higher the better",
    "SSIM": "1 is the clean picture",
    "dimensions": "directions kept, of as many as a sample has values",
    "symmetry": "1 a symmetric Jacobian",
    "passes": "share of the subspace passed on",
    "keeps": "1 keeps just this subspace, 0 chance",
    "blocks": "1 blocks just this subspace, 0 chance",
}


class Measure(NamedTuple):
    """A line of a report. test: what it was measured on, or "all". meaning: how to read it."""

    measure: str
    test: str
    interval: Interval
    meaning: str


def index_of_cases(
    cases: list[Case], answers: list[list[np.ndarray]]
) -> tuple[transfer.Index, list[Measure]]:
    """Kept content, removed degradation and what follows from them, over all unseen cases."""

    def left(role: str) -> list[np.ndarray]:
        """Relative errors of each test of a role, `(networks, samples)`."""
        made = []
        for n, case in enumerate(cases):
            if case.role == role:
                rows = [
                    transfer.nmse(outputs[n], case.clean)
                    if role == CONTENT
                    else transfer.relative_error(outputs[n], case.clean, case.degraded)
                    for outputs in answers
                ]
                made.append(np.asarray(rows, np.float64))
        return made

    def score(parts: list[np.ndarray]) -> Interval:
        if not parts:
            return Interval(np.nan, np.nan, np.nan, len(answers))
        return nested_bootstrap(parts, _clipped)

    contents, degradations, seen = left(CONTENT), left(DEGRADATION), left(SEEN)
    kept, removed, known = score(contents), score(degradations), score(seen)
    both = Interval(np.nan, np.nan, np.nan, len(answers))
    half = both
    if contents and degradations:
        count, columns = len(contents), contents + degradations
        both = nested_bootstrap(columns, lambda v: _clipped(v[:, count:]) - _clipped(v[:, :count]))
        half = nested_bootstrap(
            columns, lambda v: (_clipped(v[:, count:]) + _clipped(v[:, :count])) / 2
        )
    index = transfer.Index(
        kept.estimate, removed.estimate, both.estimate, half.estimate,
        transfer.verdict(kept.estimate, removed.estimate),
    )  # fmt: skip
    return index, [
        Measure("phi", "all", both, MEANING["phi"]),
        Measure("generality", "all", half, MEANING["generality"]),
        Measure("kept", "all", kept, MEANING["kept"]),
        Measure("removed", "all", removed, MEANING["removed"]),
        Measure("removed from seen", SEEN, known, MEANING["removed from seen"]),
    ]


def of_cases(
    cases: list[Case], answers: list[list[np.ndarray]], basis: np.ndarray, threshold: float
) -> list[Measure]:
    """The measures of each case on its own.

    Args:
        cases: what the networks were given.
        answers: outputs, by network and case.
        basis: of the training content.
        threshold: see `decoupled_errors`.
    """
    lines = []
    for n, case in enumerate(cases):
        columns: dict[str, list[np.ndarray]] = {}
        for outputs in answers:
            gains = decoupled.component_gains(outputs[n], case.clean, case.degraded)
            on, off = decoupled.decoupled_errors(
                outputs[n], case.clean, case.degraded, threshold=threshold
            )
            for name, values in {
                "nmse": transfer.nmse(outputs[n], case.clean),
                "left over": transfer.relative_error(outputs[n], case.clean, case.degraded),
                "content gain": gains.content,
                "degradation gain": gains.degradation,
                "unexplained": gains.unexplained,
                "hallucination": decoupled.hallucination(
                    outputs[n], case.clean, case.degraded, basis
                ),
                "E_R": on**2,
                "E_B": off**2,
            }.items():
                columns.setdefault(name, []).append(np.asarray(values, np.float64))
        for name, seeds in columns.items():
            stacked = np.stack(seeds)
            known = ~np.isnan(stacked).any(axis=0)  # a sample without the layer says nothing of it
            root = name in ("E_R", "E_B")
            interval = (
                nested_bootstrap(stacked[:, known], _root_mean if root else _mean)
                if known.sum() > 1
                else Interval(np.nan, np.nan, np.nan, len(stacked))
            )
            lines.append(Measure(name, case.name, interval, MEANING[name]))
    return lines


def fidelity_of(cases: list[Case], answers: list[list[np.ndarray]]) -> list[Measure]:
    """PSNR and SSIM of each case, whose samples are pictures; of the input as well.

    Pictures smaller than the window of SSIM have none.
    """
    scores: dict[str, Callable[..., Any]] = {"PSNR": psnr}
    if min(cases[0].clean.shape[1:-1]) >= TAPS:
        scores["SSIM"] = ssim
    lines = []
    for n, case in enumerate(cases):
        for word, score in scores.items():
            for name, given in (
                (word, [outputs[n] for outputs in answers]),
                (f"{word} of the input", [case.degraded]),
            ):
                found = [np.asarray(score(each, case.clean), np.float64) for each in given]
                interval = nested_bootstrap(np.stack(found), _mean)
                lines.append(Measure(name, case.name, interval, MEANING[word]))
    return lines


def responses(
    members: Sequence[Denoiser],
    inputs: np.ndarray,
    cases: list[Case],
    probes: int,
    batch: int,
    key: PRNGKeyArray,
) -> list[Measure]:
    """Novelty responses at training inputs: to white noise, and to each unseen thing.

    Args:
        members: the networks.
        inputs: those of the seen case.
        cases: the seen one first.
        probes: white directions an input.
        batch: inputs at once.
        key: of the white directions.
    """
    signs = jax.random.rademacher(key, (probes * inputs.size,), np.float32)
    novel = {"rho": np.asarray(signs).reshape(probes, *inputs.shape)}
    for case in cases[1:]:
        directions = case.clean if case.role == CONTENT else case.degraded - case.clean
        if len(directions) >= len(inputs):
            novel[f"rho along {case.name}"] = directions[None, : len(inputs)]
    together = np.concatenate(list(novel.values()))
    found = np.stack([_inner(member, inputs, together, batch) for member in members])
    lines, first = [], 0
    for name, directions in novel.items():
        of_this = found[:, first : first + len(directions)]
        energy = np.mean(np.sum(directions.reshape(*directions.shape[:2], -1) ** 2, axis=2))
        interval = nested_bootstrap(of_this.mean(axis=1) / energy, _mean)
        lines.append(Measure(name, SEEN, interval, MEANING["rho"]))
        first += len(directions)
    return lines


def _inner(
    member: Denoiser, inputs: np.ndarray, directions: np.ndarray, batch: int
) -> Float[np.ndarray, "directions samples"]:
    """`<v, J v>` for each direction at each input."""
    parts = []
    for first in range(0, len(inputs), batch):
        part = slice(first, first + batch)
        with while_("a point beside the seen inputs"):
            moved = products_of(member, inputs[part]).jvp_all(directions[:, part])
        products = directions[:, part] * np.asarray(moved, np.float64)
        parts.append(products.reshape(*products.shape[:2], -1).sum(axis=2))
    return np.concatenate(parts, axis=1)


def portrait_of(
    member: Denoiser,
    inputs: np.ndarray,
    seen: Case,
    basis: np.ndarray,
    batch: int,
    key: PRNGKeyArray,
) -> tuple[Portrait | None, list[Measure], list[str]]:
    """The Jacobian portrait at a few training inputs, its measures, and why there is none.

    Args:
        member: the network.
        inputs: to look at; perhaps none.
        seen: what it was trained on.
        basis: of the training content.
        batch: inputs at once.
        key: of the randomised decomposition.
    """
    if not len(inputs):
        return None, [], []
    size = int(np.prod(inputs.shape[1:]))
    layer = subspace_of(seen.degraded - seen.clean)
    subspaces = {"content": basis, "degradation": layer}
    if size <= WHOLE:
        for name, known in {"all but degradation": (layer,), "novelty": (basis, layer)}.items():
            with contextlib.suppress(errors.InvalidInput):  # they are the whole space: none is left
                subspaces[name] = oracles.complement(*known)
    elif not (isinstance(member, Differentiable) or traceable(member, inputs)):
        return None, [], [f"no Jacobian portrait: {size} values a sample and no exact products"]
    with while_("a point beside the seen inputs"):
        pictures = [
            portrait(member, inputs[first : first + batch], key, subspaces)
            for first in range(0, len(inputs), batch)
        ]
    picture: Portrait = jax.tree.map(lambda *parts: jnp.concatenate(parts), *pictures)
    where = f"{len(inputs)} inputs"

    def over_inputs(values: Any) -> Interval:
        rows = np.asarray(values, np.float64)[None]
        if rows.size == 1:
            return Interval(float(rows[0, 0]), np.nan, np.nan, 1)
        return nested_bootstrap(rows, _mean)

    lines = [
        Measure("dimensions", where, over_inputs(picture.dimensions),
                MEANING["dimensions"]),
        Measure("symmetry", where, over_inputs(picture.symmetry), MEANING["symmetry"]),
    ]  # fmt: skip
    for name in subspaces:
        lines += [
            Measure(f"passes {name}", where, over_inputs(picture.passed[name]),
                    MEANING["passes"]),
            Measure(f"keeps {name}", where, over_inputs(picture.aligned[name]), MEANING["keeps"]),
            Measure(f"blocks {name}", where, over_inputs(picture.blocked[name]),
                    MEANING["blocks"]),
        ]  # fmt: skip
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


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0)


def _root_mean(values: np.ndarray) -> np.ndarray:
    return np.sqrt(values.mean(axis=0))
