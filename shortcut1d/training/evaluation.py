"""The panel of tests: what a trained network is given, what is measured, and the table of it."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int, PRNGKeyArray

from shortcut1d import errors, networks
from shortcut1d.analysis.decoupled import component_gains, decoupled_errors, share_in_span
from shortcut1d.analysis.fidelity import MID_GREY, psnr, ssim
from shortcut1d.analysis.novelty import novelty_response
from shortcut1d.analysis.transfer import (
    kept_content,
    nmse,
    relative_error,
    removed_degradation,
)
from shortcut1d.data.family import Content, Degradation, draw_pair, fingerprint, stack
from shortcut1d.networks import Network, Params
from shortcut1d.training import grid
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule, Trained

SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION = "seen", "unseen content", "unseen degradation"
NETWORK = ["network", "content", "degradation", "seed"]  # columns that name a trained network
STEP = "step"  # of training, in a table of networks that were tested more than once


class TestSet(NamedTuple):
    """One thing to give to a trained network.

    role: SEEN (what it was trained on), UNSEEN_CONTENT (under its degradation) or
    UNSEEN_DEGRADATION (on its content). content_name, degradation_name: for the table.
    """

    role: str
    content_name: str
    degradation_name: str
    content: Content
    degradation: Degradation


class Run(NamedTuple):
    """A cell, the names that the table calls it by, and what it is tested on.

    schedule: where it is trained otherwise than the rest of its sweep.
    """

    cell: Cell
    network: str
    content: str
    degradation: str
    tests: list[TestSet]
    schedule: Schedule | None = None


MAX_PARALLEL = (
    2**20
)  # values of a signal that a device is given at once, where cells run side by side


class EvalConfig(NamedTuple):
    """How trained networks are tested.

    samples: windows a test. span: `(size, rank)`, orthonormal basis of a subspace whose share of
    the output is measured. probes: white directions at each input for the novelty response.
    pictures: whether samples are pictures with values in [0, 1]. Silence is then mid-grey, from
    which all but PSNR, SSIM, `E_R` and `E_B` are measured; a picture's mean brightness would hide
    everything else. Those four come on top.
    """

    samples: int
    span: Float[np.ndarray, "size rank"]
    probes: int = 4
    pictures: bool = False


class EvalSpec(NamedTuple):
    """The tests of many subjects before they are drawn: a leading axis over (subject, test)."""

    tests: int  # a subject's
    keys: PRNGKeyArray
    contents: Any
    degradations: Any

    def rows(self, chosen: Sequence[int]) -> "EvalSpec":
        """The tests of the chosen subjects."""
        wanted = np.asarray(chosen)[:, None] * self.tests + np.arange(self.tests)
        return EvalSpec(self.tests, *grid.rows(tuple(self[1:]), wanted.ravel()))


def paper(runs: Sequence[Run]) -> EvalSpec:
    """What the subjects are given, ready for `examine`.

    Raises:
        InvalidInput: some subjects have more tests than others.
    """
    counts = {len(run.tests) for run in runs}
    if len(counts) != 1:
        raise errors.refuse("tests", sorted(counts), "the same number for every subject")
    count = counts.pop()
    tests = [test for run in runs for test in run.tests]
    keys = jnp.repeat(grid.keys_of([run.cell for run in runs], "test"), count)
    numbers = [fingerprint(test.role, test.content, test.degradation) for test in tests]
    return EvalSpec(
        count,
        grid.fold_all(keys, numbers),
        stack([test.content for test in tests]),
        stack([test.degradation for test in tests]),
    )


class EvalBatch(NamedTuple):
    """The tests of many subjects, drawn: a leading axis over (subject, test), on the host.

    seen: which of them are on what the network was trained on. probed: other inputs of those, at
    which the novelty response is measured, along directions drawn from probe_keys.
    """

    clean: Float[np.ndarray, "both samples *space channels"]
    degraded: Float[np.ndarray, "both samples *space channels"]
    seen: Int[np.ndarray, "subjects"]
    probed: Float[np.ndarray, "subjects samples *space channels"]
    probe_keys: PRNGKeyArray


def draw(runs: Sequence[Run], eval_config: EvalConfig, given: EvalSpec | None = None) -> EvalBatch:
    """Draw what the subjects are given.

    Args:
        runs: all of one kind of network.
        eval_config: how they are tested.
        given: rows of the `paper` of a larger set, where these subjects are a part of one.
    """
    given = paper(runs) if given is None else given
    count = len(runs) * given.tests
    seen = np.flatnonzero([test.role == SEEN for who in runs for test in who.tests])
    # The inputs for the novelty response are drawn apart, but in the same program. It knows of no
    # network: compiling how families are drawn takes as long as compiling a network.
    draw_keys, probe_keys = jax.vmap(jax.random.split, out_axes=1)(given.keys[seen])
    drawn = EvalSpec(1, jnp.concatenate([given.keys, draw_keys]), *(
        grid.rows(families, np.concatenate([np.arange(count), seen])) for families in given[2:]
    ))  # fmt: skip
    clean, degraded = grid.map_cells(
        draw_pair, tuple(drawn[1:]), count + len(seen), eval_config.samples,
        max_parallel=_max_parallel(runs, eval_config),
    )  # fmt: skip
    return EvalBatch(clean[:count], degraded[:count], seen, degraded[count:], probe_keys)


def evaluate(
    runs: Sequence[Run], trained: Trained, eval_config: EvalConfig, given: EvalBatch | None = None
) -> dict[str, Float[np.ndarray, "subjects tests"]]:
    """Give every trained network its tests.

    Args:
        runs: one a trained network, in the order of `trained`; all of one kind of network.
        trained: what `grid.train` made of their cells.
        eval_config: how they are tested.
        given: what `draw` drew for them.

    Returns:
        the measures of `analysis`, each a mean over samples. The novelty response is measured at
        training inputs, so it is NaN but in the test "seen". A diverged network's are all NaN.
    """
    given = draw(runs, eval_config) if given is None else given
    network, max_parallel = runs[0].cell.network, _max_parallel(runs, eval_config)
    shape = (len(runs), len(given.clean) // len(runs))
    positions = np.repeat(np.arange(shape[0]), shape[1])
    measured = grid.map_cells(
        _measure,
        (grid.rows(trained.params, positions), given.clean, given.degraded),
        len(positions), network, eval_config.pictures, shared=(eval_config.span,),
        max_parallel=max_parallel,
    )  # fmt: skip
    responses = grid.map_cells(
        _novelty,
        (grid.rows(trained.params, positions[given.seen]), given.probed, given.probe_keys),
        len(given.seen), network, eval_config.probes,
        max_parallel=max(1, max_parallel // eval_config.probes),
    )  # fmt: skip
    columns = {name: values.reshape(shape).astype(np.float64) for name, values in measured.items()}
    for name, values in responses.items():
        columns[name] = np.full(shape, np.nan)
        columns[name].flat[given.seen] = values
    for values in columns.values():
        values[trained.diverged] = np.nan
    return columns


def _max_parallel(runs: Sequence[Run], eval_config: EvalConfig) -> int:
    """How many tests a device is given at once, where cells run side by side."""
    return max(1, MAX_PARALLEL // (eval_config.samples * math.prod(runs[0].cell.shape)))


def bytes_of_tests(run: Run, eval_config: EvalConfig) -> int:
    """Memory that one subject's tests take on a device."""
    seen = sum(test.role == SEEN for test in run.tests)
    return 4 * 2 * (len(run.tests) + seen) * eval_config.samples * math.prod(run.cell.shape)


def tabulate(
    runs: Sequence[Run],
    records: Sequence[Mapping[str, np.ndarray]],
    checkpoints: Sequence[Sequence[int]],
) -> pd.DataFrame:
    """One row per trained network, stop and test.

    Args:
        runs: who was tested.
        records: for each its `diverged`, one a stop, and by name its measures, `(stops, tests)`.
        checkpoints: for each the steps of training after which it was tested.

    Returns:
        who (`network, content, degradation, seed, diverged`), the test (`test, test_content,
        test_degradation`), and the measures; where any network was tested more than once, `step`.
    """
    rows = []
    several = any(len(steps) > 1 for steps in checkpoints)
    for run, record, steps in zip(runs, records, checkpoints, strict=True):
        measures = [name for name in record if name != "diverged"]
        for (at, step), (number, test) in itertools.product(enumerate(steps), enumerate(run.tests)):
            rows.append(
                {
                    "network": run.network,
                    "content": run.content,
                    "degradation": run.degradation,
                    "seed": run.cell.seed,
                    **({STEP: step} if several else {}),
                    "diverged": bool(record["diverged"][at]),
                    "test": test.role,
                    "test_content": test.content_name,
                    "test_degradation": test.degradation_name,
                }
                | {name: float(record[name][at, number]) for name in measures}
            )
    return pd.DataFrame(rows)


def indices(table: pd.DataFrame) -> pd.DataFrame:
    """The fitted-component index of every trained network of a table made by `examine`.

    Kept content and removed degradation are means over the network's unseen contents and unseen
    degradations, each clipped to [-1, 1] first, so that one disaster cannot hide the rest.

    Returns:
        one row per trained network (and step, where there are several): `kept, removed, phi,
        generality, rho`, and `nmse` on what it has seen.
    """
    kept = np.asarray(kept_content(jnp.asarray(table[["nmse"]].to_numpy())), np.float64)
    removed = np.asarray(
        removed_degradation(jnp.asarray(table[["residual"]].to_numpy())), np.float64
    )
    named = table.assign(kept=kept, removed=removed)
    who = [*NETWORK, STEP] if STEP in table else NETWORK

    def mean_of(role: str, column: str) -> pd.Series:
        chosen = named[named["test"] == role]
        return chosen.groupby(who, sort=False)[column].mean()

    result = pd.DataFrame(
        {
            "kept": mean_of(UNSEEN_CONTENT, "kept"),
            "removed": mean_of(UNSEEN_DEGRADATION, "removed"),
            "rho": mean_of(SEEN, "rho"),
            "nmse": mean_of(SEEN, "nmse"),
        }
    )
    result["phi"] = result["removed"] - result["kept"]
    result["generality"] = (result["kept"] + result["removed"]) / 2
    return result.reset_index()


def windows(
    network: Network, shown: Sequence[tuple[Params, TestSet]]
) -> Float[np.ndarray, "shown signals *space channels"]:
    """One window a test, to look at: what the network was given, the target, its output.

    Args:
        network: the kind of the trained networks.
        shown: weights, and what is given to them. The window is the first of a draw that depends
            on the test alone: two networks given the same test get the same window.
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
    params: Params,
    key: PRNGKeyArray,
    content: Content,
    degradation: Degradation,
    network: Network,
) -> Float[Array, "signals *space channels"]:
    clean, degraded = draw_pair(key, content, degradation, 1)
    output = networks.apply(network, params, degraded)
    return jnp.concatenate([degraded, clean, output])


def _measure(
    params: Params,
    clean: Float[Array, "samples *space channels"],
    degraded: Float[Array, "samples *space channels"],
    span: Float[Array, "size rank"],
    network: Network,
    pictures: bool,
) -> dict[str, Float[Array, ""]]:
    output = networks.apply(network, params, degraded)
    seen: dict[str, Float[Array, ""]] = {}
    if pictures:
        on, off = decoupled_errors(output, clean, degraded)
        seen = {
            "psnr": jnp.mean(psnr(output, clean)),
            "ssim": jnp.mean(ssim(output, clean)),
            "e_r": jnp.nanmean(on),
            "e_b": jnp.nanmean(off),
        }
        output, clean, degraded = (signal - MID_GREY for signal in (output, clean, degraded))
    gains = component_gains(output, clean, degraded)
    return seen | {
        "nmse": jnp.mean(nmse(output, clean)),
        "residual": jnp.mean(relative_error(output, clean, degraded)),
        "content_gain": jnp.mean(gains.content),
        "degradation_gain": jnp.mean(gains.degradation),
        "unexplained": jnp.mean(gains.unexplained),
        "output_power": jnp.mean(output**2) / jnp.mean(clean**2),
        "output_in_span": share_in_span(output, span),
        "input_in_span": share_in_span(degraded, span),
    }


def _novelty(
    params: Params,
    degraded: Float[Array, "samples *space channels"],
    key: PRNGKeyArray,
    network: Network,
    probes: int,
) -> dict[str, Float[Array, ""]]:
    response = novelty_response(
        networks.denoiser(network, params), degraded, key, probes=probes, method="jvp"
    )
    return {"rho": response.rho, "rho_error": response.error}
