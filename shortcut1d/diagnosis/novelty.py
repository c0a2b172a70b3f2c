"""The novelty response, at as few training inputs as its standard error allows."""

import itertools
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.analysis.intervals import nested_bootstrap
from shortcut1d.analysis.portrait import WHOLE
from shortcut1d.analysis.products import JvpAt, jvp_at
from shortcut1d.diagnosis.inputs import CONTENT, SEEN, Case
from shortcut1d.diagnosis.measures import MEANING, UNKNOWN, Measure
from shortcut1d.diagnosis.outputs import errors_as, in_batches
from shortcut1d.diagnosis.structure import FEW

ERROR = 0.01  # standard error of a novelty response that is small enough
MAX_PROBES = 4  # white directions at each input, if their number is not given
FIRST_ROUND = 16  # inputs; each further round doubles their number

Products = Float[np.ndarray, "directions networks inputs"]


def nothing_known() -> list[Measure]:
    """`rho` as unknown, for a model without Jacobian products."""
    return [Measure("rho", SEEN, UNKNOWN, MEANING["rho"], 0)]


def inputs_of(seen: Case, probes: int | None) -> Float[np.ndarray, "inputs *space channels"]:
    """The training inputs at which products are taken, at most; see `novelty_measures`."""
    large = probes is None and seen.degraded[0].size > WHOLE
    return seen.degraded[:FEW] if large else seen.degraded


def novelty_measures(
    members: Sequence[Denoiser],
    cases: list[Case],
    silence: float,
    probes: int | None,
    batch: int,
    key: PRNGKeyArray,
    progress: Callable[[int], None],
) -> list[Measure]:
    """Novelty responses `E<v, J v> / E<v, v>` at training inputs: along white and unseen `v`.

    All directions at an input are taken together, so that the network itself runs there once.

    Args:
        members: the networks.
        cases: the seen one, whose inputs are used, and unseen ones.
        silence: the value of silence, from which content is measured.
        probes: white directions at each input; all inputs are then used. None: inputs are added
            until every response's standard error is .01, then up to 4 white directions at each. For
            large samples at most 32 inputs and one white direction at each: a direction costs more
            than a forward pass, and responses to different ones hardly differ there.
        batch: samples at once.
        key: of the white directions.
        progress: called after each batch with inputs times directions.
    """
    inputs = inputs_of(cases[0], probes)
    most = 1 if inputs[0].size > WHOLE else MAX_PROBES
    known = [case for case in cases[1:] if len(case.clean) >= len(inputs)]

    def along_case(case: Case, part: slice) -> np.ndarray:
        rest = silence if case.role == CONTENT else case.clean[part]
        return (case.clean if case.role == CONTENT else case.degraded)[part] - rest

    def white(part: slice, probe: int) -> np.ndarray:
        fresh = jax.random.fold_in(jax.random.fold_in(key, probe), part.start)
        signs = jax.random.rademacher(fresh, (inputs[part].size,), np.float32)
        return np.asarray(signs).reshape(inputs[part].shape)

    functions = [jvp_at(each, inputs[:1]) for each in members]

    def along(part: slice, vectors: np.ndarray) -> Products:
        found = [_inner(each, inputs[part], vectors, batch, progress) for each in functions]
        return np.stack(found, axis=1)

    rounds: list[Products] = []
    energies: list[Float[np.ndarray, "directions inputs"]] = []
    for part in _rounds(len(inputs), together=probes is not None):
        vectors = np.stack([white(part, 0), *(along_case(case, part) for case in known)])
        rounds.append(along(part, vectors))
        energies.append(np.sum(np.square(_flat(vectors), dtype=np.float64), axis=2))
        energy = np.concatenate(energies, axis=1).mean(axis=1)
        energy[energy == 0] = 1.0  # a silent case, whose products are 0 as well
        responses = np.concatenate(rounds, axis=2) / energy[:, None, None]
        if max(map(_error, responses)) <= ERROR:
            break
    taken, of_white = slice(0, part.stop), [responses[0]]
    for probe in range(1, probes or most):
        if probes is None and _error(np.mean(of_white, axis=0)) <= ERROR:
            break
        of_white.append(along(taken, white(taken, probe)[None])[0] / inputs[0].size)
    names = ["rho", *(f"rho along {case.name}" for case in known)]
    return [
        Measure(name, SEEN, nested_bootstrap(rows), MEANING["rho"], taken.stop)
        for name, rows in zip(names, (np.mean(of_white, axis=0), *responses[1:]))
    ]


def _rounds(count: int, *, together: bool) -> list[slice]:
    """Slices of the inputs; after each the standard error is checked."""
    ends = [0] if together else [0, FIRST_ROUND]
    while not together and ends[-1] < count:
        ends.append(2 * ends[-1])
    bounds = [*(end for end in ends if end < count), count]
    return [slice(first, last) for first, last in itertools.pairwise(bounds)]


def _flat(vectors: np.ndarray) -> Float[np.ndarray, "directions inputs values"]:
    return vectors.reshape(*vectors.shape[:2], -1)


def _error(responses: Float[np.ndarray, "networks inputs"]) -> float:
    """Standard error over inputs."""
    values = responses.mean(axis=0)
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _inner(
    jvp_all: JvpAt,
    inputs: np.ndarray,
    directions: np.ndarray,
    batch: int,
    progress: Callable[[int], None],
) -> Float[np.ndarray, "directions inputs"]:
    """`<v, J v>` for each direction at each input."""
    count = len(directions)

    def of(part: slice) -> np.ndarray:
        moved = jvp_all(inputs[part], directions[:, part])
        return _flat(directions[:, part] * np.asarray(moved, np.float64)).sum(axis=2)

    # An input and its directions are in the network together. With a power of two, all rounds have
    # batches of one size, for which JAX compiles once.
    at_once = 2 ** (max(1, batch // (1 + count)).bit_length() - 1)
    with errors_as("a point beside the seen inputs"):
        parts = in_batches(of, len(inputs), at_once, lambda done: progress(done * count))
    return np.concatenate(parts, axis=1)
