"""The novelty response at training inputs, at as few of them as its standard error asks for."""

import itertools
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.analysis.intervals import mean_over_seeds, nested_bootstrap
from shortcut1d.analysis.portrait import WHOLE
from shortcut1d.analysis.products import JvpAt, jvp_at
from shortcut1d.diagnosis.inputs import CONTENT, SEEN, Case
from shortcut1d.diagnosis.measures import MEANING, UNKNOWN, Measure
from shortcut1d.diagnosis.outputs import errors_as, in_batches
from shortcut1d.diagnosis.structure import FEW

ERROR = 0.01  # standard error of a novelty response that is small enough
MAX_PROBES = 4  # white directions an input, where their number is not given
FIRST_ROUND = 16  # inputs; each further round doubles their number

Products = Float[np.ndarray, "directions networks inputs"]


def nothing_known() -> list[Measure]:
    """The novelty response of a model that has none."""
    return [Measure("rho", SEEN, UNKNOWN, MEANING["rho"])]


def inputs_of(seen: Case, probes: int | None) -> Float[np.ndarray, "inputs *space channels"]:
    """The training inputs that are looked at, at most; see `novelty_measures`."""
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
    """Novelty responses `E<v, J v> / E<v, v>` at training inputs: to white `v`, and to what is new.

    All directions at an input are taken together, so that the network itself runs there once.

    Args:
        members: the networks.
        cases: the seen one, whose inputs are looked at, and unseen ones.
        silence: the value of nothing, from which content is measured.
        probes: white directions an input, at all inputs. None: inputs are taken until every
            response's standard error is .01, and at all of them up to 4 white directions. Of large
            samples at most 32 inputs and one white direction each: a direction costs more than a
            forward pass, and one of thousands of values hardly differs from another.
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
        energy[energy == 0] = 1.0  # of a case that is silence: the products are 0 as well
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
        Measure(name, SEEN, nested_bootstrap(rows, mean_over_seeds), MEANING["rho"], taken.stop)
        for name, rows in zip(names, (np.mean(of_white, axis=0), *responses[1:]))
    ]


def _rounds(count: int, *, together: bool) -> list[slice]:
    """Inputs that are taken between two looks at the standard error."""
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

    # They go through the network side by side. A power of two, so that every round is made of
    # batches of one size, for which JAX compiles once.
    at_once = 2 ** (max(1, batch // (1 + count)).bit_length() - 1)
    with errors_as("a point beside the seen inputs"):
        parts = in_batches(of, len(inputs), at_once, lambda done: progress(done * count))
    return np.concatenate(parts, axis=1)
