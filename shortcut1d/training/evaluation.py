"""What a trained network is tested on, and what is measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from shortcut1d import errors, networks
from shortcut1d.analysis.decoupled import share_in_span
from shortcut1d.analysis.fidelity import MID_GREY
from shortcut1d.analysis.novelty import novelty_response
from shortcut1d.analysis.transfer import measures_of
from shortcut1d.data.family import Content, Degradation, draw_pair, fingerprint, stack
from shortcut1d.networks import Network, Params
from shortcut1d.training import grid
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule, Trained

# Random keys are folded with these: another wording would draw other tests.
SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION = "seen", "unseen content", "unseen degradation"
UNSEEN_BOTH = "unseen content and degradation"
BY_UNIT = " by unit"  # suffix of measures that are means over each unit of a test
OF_PICTURES = ("psnr", "ssim", "e_r", "e_b")  # measures that only pictures have


class TestSet(NamedTuple):
    """What a trained network is tested on.

    role: SEEN (what it was trained on), UNSEEN_CONTENT (under the degradation it was trained on),
        UNSEEN_DEGRADATION (on the content it was trained on) or UNSEEN_BOTH; CONTENT_TWIN or
        DEGRADATION_TWIN, where a Gaussian twin replaces the content or the residual.
    content_name, degradation_name: for the table.
    content, degradation: the families that samples are drawn from.
    labels: further columns of the table, such as the level of a noise; all tests have the same.
    """

    role: str
    content_name: str
    degradation_name: str
    content: Content
    degradation: Degradation
    labels: Mapping[str, str | float] = {}


class Run(NamedTuple):
    """A cell, its test sets, and what the table calls it.

    cell: what is trained on what.
    network, content, degradation: names for the table.
    tests: what it is tested on.
    labels: further columns of the table, such as the size of a pool; all runs have the same.
    schedule: this run's own; None for the sweep's.
    """

    cell: Cell
    network: str
    content: str
    degradation: str
    tests: list[TestSet]
    labels: Mapping[str, str | float] = {}
    schedule: Schedule | None = None


MAX_PARALLEL = 2**20  # values that a device tests at once, where cells run side by side


class EvalConfig(NamedTuple):
    """How trained networks are tested.

    samples: of each test set.
    span: `(size, rank)`, orthonormal basis of a subspace whose share of the output is measured;
        None for none.
    probes: white directions at each input, for the novelty response.
    pictures: whether samples are pictures with values in [0, 1]; see `measures_of`.
    units: equal parts of each test, whose mean errors are kept too; 1 for none.
    """

    samples: int
    span: Float[np.ndarray, "size rank"] | None = None
    probes: int = 4
    pictures: bool = False
    units: int = 1


class EvalSpec(NamedTuple):
    """The test sets of many runs, before they are drawn: a leading axis over (run, test)."""

    tests: int  # of each run
    keys: PRNGKeyArray
    contents: Any
    degradations: Any

    def rows(self, chosen: Sequence[int]) -> "EvalSpec":
        """The tests of the chosen runs."""
        wanted = np.asarray(chosen)[:, None] * self.tests + np.arange(self.tests)
        return EvalSpec(self.tests, *grid.rows(tuple(self[1:]), wanted.ravel()))


class EvalBatch(NamedTuple):
    """The test sets of many runs, drawn; on the host.

    clean, degraded: samples of each test.
    seen: positions of the SEEN tests among each run's tests.
    probed: other inputs of the SEEN tests, at which the novelty response is measured.
    probe_keys: random keys of the white directions at those inputs.
    """

    clean: Float[np.ndarray, "runs tests samples *space channels"]
    degraded: Float[np.ndarray, "runs tests samples *space channels"]
    seen: Int[np.ndarray, "runs seen"]
    probed: Float[np.ndarray, "runs seen samples *space channels"]
    probe_keys: PRNGKeyArray


def spec_of(runs: Sequence[Run]) -> EvalSpec:
    """The test sets of some runs, ready to be drawn.

    Raises:
        InvalidInput: some runs have more tests, or more SEEN tests, than others.
    """
    counts = {(len(run.tests), sum(test.role == SEEN for test in run.tests)) for run in runs}
    if len(counts) != 1:
        raise errors.refuse("tests", sorted(counts), "as many for every run, and as many seen")
    count = counts.pop()[0]
    tests = [test for run in runs for test in run.tests]
    keys = jnp.repeat(grid.keys_of([run.cell for run in runs], "test"), count)
    numbers = [number for run in runs for number in _numbers(run)]
    return EvalSpec(
        count,
        grid.fold_all(keys, numbers),
        stack([test.content for test in tests]),
        stack([test.degradation for test in tests]),
    )


def _numbers(run: Run) -> list[int]:
    """The numbers to fold into the tests' keys: each is a hash of the test's role and of its place
    among the tests of that role.

    Families are left out: cells of one seed that share a family are tested on the same draws.
    """
    roles = [test.role for test in run.tests]
    return [fingerprint(role, roles[:n].count(role)) for n, role in enumerate(roles)]


def draw(runs: Sequence[Run], config: EvalConfig, spec: EvalSpec | None = None) -> EvalBatch:
    """Draw the test sets of some runs.

    Args:
        runs: all of one kind of network.
        config: how they are tested.
        spec: these runs' rows of the `spec_of` a larger set, if they are a part of one.
    """
    spec = spec_of(runs) if spec is None else spec
    count = len(runs) * spec.tests
    seen = np.flatnonzero([test.role == SEEN for run in runs for test in run.tests])
    # One program draws the tests and the inputs for the novelty response. It contains no network,
    # so that all networks share it: to compile it takes as long as to compile a network.
    draw_keys, probe_keys = jax.vmap(jax.random.split, out_axes=1)(spec.keys[seen])
    drawn = EvalSpec(1, jnp.concatenate([spec.keys, draw_keys]), *(
        grid.rows(families, np.concatenate([np.arange(count), seen])) for families in spec[2:]
    ))  # fmt: skip
    clean, degraded = grid.map_cells(
        draw_pair, tuple(drawn[1:]), count + len(seen), config.samples,
        max_parallel=_max_parallel(runs, config),
    )  # fmt: skip

    def by_run(values: Any) -> Any:
        return values.reshape(len(runs), -1, *values.shape[1:])

    return EvalBatch(
        by_run(clean[:count]),
        by_run(degraded[:count]),
        by_run(seen % spec.tests),
        by_run(degraded[count:]),
        by_run(probe_keys),
    )


def evaluate(
    runs: Sequence[Run], trained: Trained, config: EvalConfig, batch: EvalBatch | None = None
) -> dict[str, Float[np.ndarray, "runs tests"]]:
    """Test every trained network.

    Args:
        runs: one per trained network, in the order of `trained`; all of one kind of network.
        trained: what `grid.trajectory` made of their cells; the weights stay where they are.
        config: how they are tested.
        batch: what `draw` drew for them.

    Returns:
        the measures of `analysis`, each a mean over samples. The novelty response is measured at
        training inputs: only SEEN tests have it, others NaN. A diverged network has NaN everywhere.
    """
    batch = draw(runs, config) if batch is None else batch
    network, count = runs[0].cell.network, len(runs)
    at_once = max(1, _max_parallel(runs, config) // batch.clean.shape[1])
    shared = () if config.span is None else (config.span,)
    columns = grid.map_cells(
        _measure_tests, (trained.params, batch.clean, batch.degraded), count,
        network, config.pictures, config.units, shared=shared, max_parallel=at_once,
    )  # fmt: skip
    columns = {name: values.astype(np.float64) for name, values in columns.items()}
    if batch.seen.size:
        responses = grid.map_cells(
            _probe_tests, (trained.params, batch.probed, batch.probe_keys), count,
            network, config.probes, max_parallel=max(1, at_once // config.probes),
        )  # fmt: skip
        for name, values in responses.items():
            columns[name] = np.full(batch.clean.shape[:2], np.nan)
            np.put_along_axis(columns[name], batch.seen, values.astype(np.float64), axis=1)
    for values in columns.values():
        values[np.asarray(trained.diverged)[:count]] = np.nan
    return columns


def _max_parallel(runs: Sequence[Run], config: EvalConfig) -> int:
    """How many tests a device is given at once, where cells run side by side."""
    return max(1, MAX_PARALLEL // (config.samples * math.prod(runs[0].cell.shape)))


def bytes_of_tests(run: Run, config: EvalConfig) -> int:
    """Memory that one run's tests take on a device."""
    seen = sum(test.role == SEEN for test in run.tests)
    return 4 * 2 * (len(run.tests) + seen) * config.samples * math.prod(run.cell.shape)


def windows(
    network: Network, shown: Sequence[tuple[Params, TestSet]]
) -> Float[np.ndarray, "shown signals *space channels"]:
    """One sample of each test set: what the network was given, the target, its output.

    Args:
        network: the kind of the trained networks.
        shown: weights, and what they are tested on. The sample is the first of a draw that depends
            on the test set alone: two networks with the same test set get the same sample.
    """
    tests = [test for _, test in shown]
    keys = [
        jax.random.fold_in(jax.random.key(0), fingerprint(test.content, test.degradation))
        for test in tests
    ]
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *[params for params, _ in shown])
    inputs = (
        params,
        jnp.stack(keys),
        stack([test.content for test in tests]),
        stack([test.degradation for test in tests]),
    )
    return grid.map_cells(_window, inputs, len(tests), network).astype(np.float64)


def _window(
    params: Params, key: PRNGKeyArray, content: Content, degradation: Degradation, network: Network
) -> Float[Array, "signals *space channels"]:
    clean, degraded = draw_pair(key, content, degradation, 1)
    output = networks.apply(network, params, degraded)
    return jnp.concatenate([degraded, clean, output])


def _measure_tests(
    params: Params,
    clean: Float[Array, "tests samples *space channels"],
    degraded: Float[Array, "tests samples *space channels"],
    *others: Any,
) -> dict[str, Float[Array, "tests ..."]]:
    """The measures of one network. others: the span, if there is one; network, pictures, units."""
    *span, network, pictures, units = others

    def of_test(samples: tuple[Array, Array]) -> dict[str, Float[Array, "..."]]:
        clean, degraded = samples
        output = networks.apply(network, params, degraded)
        each = measures_of(output, clean, degraded, pictures=pictures)
        means = {
            name: (jnp.nanmean if name in ("e_r", "e_b") else jnp.mean)(values)
            for name, values in each.items()
            if pictures or name not in OF_PICTURES
        }
        if units > 1:
            for name in ("nmse", "relative_error"):
                means[name + BY_UNIT] = jnp.mean(each[name].reshape(units, -1), axis=1)
        if pictures:
            output, clean, degraded = (part - MID_GREY for part in (output, clean, degraded))
        means["output_power"] = jnp.mean(output**2) / jnp.mean(clean**2)
        for basis in span:
            means["output_in_span"] = share_in_span(output, basis)
            means["input_in_span"] = share_in_span(degraded, basis)
        return means

    return jax.lax.map(of_test, (clean, degraded))


def _probe_tests(
    params: Params,
    probed: Float[Array, "seen samples *space channels"],
    keys: PRNGKeyArray,
    network: Network,
    probes: int,
) -> dict[str, Float[Array, " seen"]]:
    """The novelty response of one network to white noise, and its standard error."""

    def of_test(inputs: tuple[Array, PRNGKeyArray]) -> dict[str, Float[Array, ""]]:
        response = novelty_response(
            networks.denoiser(network, params), *inputs, probes=probes, method="jvp"
        )
        return {"rho": response.rho, "rho_error": response.error}

    return jax.lax.map(of_test, (probed, keys))
