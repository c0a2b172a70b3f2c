"""The panel of tests: what a trained network is given, what is measured, and the table of it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import analysis, grid, networks
from shortcut1d.family import Content, Degradation, draw_pair, fingerprint, stack
from shortcut1d.grid import Cell
from shortcut1d.networks import Network, Params
from shortcut1d.training import Trained

SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION = "seen", "unseen content", "unseen degradation"
NETWORK = ["network", "content", "degradation", "seed"]  # columns that name a trained network


class Trial(NamedTuple):
    """One thing to give to a trained network.

    role: SEEN (what it was trained on), UNSEEN_CONTENT (under its degradation) or
    UNSEEN_DEGRADATION (on its content). content_name, degradation_name: for the table.
    """

    role: str
    content_name: str
    degradation_name: str
    content: Content
    degradation: Degradation


class Subject(NamedTuple):
    """A cell, the names that the table calls it by, and what it is tested on."""

    cell: Cell
    network: str
    content: str
    degradation: str
    tests: list[Trial]


def examine(
    subjects: Sequence[Subject],
    trained: Trained,
    samples: int,
    span: Float[np.ndarray, "size rank"],
    probes: int = 4,
) -> pd.DataFrame:
    """Give every trained network its tests.

    Args:
        subjects: one a trained network, in the order of `trained`; all of one kind of network.
        trained: what `grid.train` made of their cells.
        samples: windows a test.
        span: orthonormal basis of a subspace whose share of the output is measured.
        probes: white directions at each input for the novelty response.

    Returns:
        one row per trained network and test: who (`network, content, degradation, seed,
        diverged`), the test (`test, test_content, test_degradation`), and the measures of
        `analysis`, each a mean over samples. The novelty response is measured at training
        inputs, so it stands in the row of the test "seen". A diverged network's are NaN.
    """
    rows, positions, keys = [], [], []
    for position, subject in enumerate(subjects):
        for test in subject.tests:
            identity = fingerprint(test.role, test.content, test.degradation)
            keys.append(jax.random.fold_in(subject.cell.key("test"), identity))
            positions.append(position)
            rows.append(
                {
                    "network": subject.network,
                    "content": subject.content,
                    "degradation": subject.degradation,
                    "seed": subject.cell.seed,
                    "diverged": bool(trained.diverged[position]),
                    "test": test.role,
                    "test_content": test.content_name,
                    "test_degradation": test.degradation_name,
                }
            )
    tests = [test for subject in subjects for test in subject.tests]
    network = subjects[0].cell.network
    measured = _on_grid(_measure, trained, positions, keys, tests, (network, samples), span)
    table = pd.concat([pd.DataFrame(rows), pd.DataFrame(measured)], axis=1)
    seen = [i for i, test in enumerate(tests) if test.role == SEEN]
    responses = _on_grid(
        _novelty,
        trained,
        [positions[i] for i in seen],
        [keys[i] for i in seen],
        [tests[i] for i in seen],
        (network, samples, probes),
    )
    for name, values in responses.items():
        table.loc[seen, name] = values
    measures = [*measured, *responses]
    table.loc[table["diverged"], measures] = np.nan
    return table


def indices(table: pd.DataFrame) -> pd.DataFrame:
    """The fitted-component index of every trained network of a table made by `examine`.

    Kept content and removed degradation are means over the network's unseen contents and unseen
    degradations, each clipped to [-1, 1] first, so that one disaster cannot hide the rest.

    Returns:
        one row per trained network: `kept, removed, phi, generality, rho`, and `nmse` on what it
        has seen.
    """
    kept = np.asarray(analysis.kept_content(jnp.asarray(table[["nmse"]].to_numpy())), np.float64)
    removed = np.asarray(
        analysis.removed_degradation(jnp.asarray(table[["residual"]].to_numpy())), np.float64
    )
    named = table.assign(kept=kept, removed=removed)

    def mean_of(role: str, column: str) -> pd.Series:
        chosen = named[named["test"] == role]
        return chosen.groupby(NETWORK, sort=False)[column].mean()

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
    trained: Trained, network: Network, shown: Sequence[tuple[int, Trial]]
) -> Float[np.ndarray, "shown signals *space channels"]:
    """One window a test, to look at: what the network was given, the target, its output.

    Args:
        trained: weights with a leading axis over trained networks.
        network: their kind.
        shown: places on that axis, and what is given there. The window is the first of a draw
            that depends on the test alone: two networks given the same test get the same window.
    """
    positions, tests = [position for position, _ in shown], [test for _, test in shown]
    keys = [
        jax.random.fold_in(jax.random.key(0), fingerprint(test.content, test.degradation))
        for test in tests
    ]
    return _on_grid(_window, trained, positions, keys, tests, (network,))["window"]


def _window(
    params: Params,
    key: PRNGKeyArray,
    content: Content,
    degradation: Degradation,
    network: Network,
) -> dict[str, Float[Array, "signals *space channels"]]:
    clean, degraded = draw_pair(key, content, degradation, 1)
    output = networks.apply(network, params, degraded)
    return {"window": jnp.concatenate([degraded, clean, output])}


def _measure(
    params: Params,
    key: PRNGKeyArray,
    content: Content,
    degradation: Degradation,
    span: Float[Array, "size rank"],
    network: Network,
    samples: int,
) -> dict[str, Float[Array, ""]]:
    clean, degraded = draw_pair(key, content, degradation, samples)
    output = networks.apply(network, params, degraded)
    gains = analysis.component_gains(output, clean, degraded)
    return {
        "nmse": jnp.mean(analysis.nmse(output, clean)),
        "residual": jnp.mean(analysis.relative_residual(output, clean, degraded)),
        "content_gain": jnp.mean(gains.content),
        "degradation_gain": jnp.mean(gains.degradation),
        "unexplained": jnp.mean(gains.unexplained),
        "output_power": jnp.mean(output**2) / jnp.mean(clean**2),
        "output_in_span": analysis.share_in_span(output, span),
        "input_in_span": analysis.share_in_span(degraded, span),
    }


def _novelty(
    params: Params,
    key: PRNGKeyArray,
    content: Content,
    degradation: Degradation,
    network: Network,
    samples: int,
    probes: int,
) -> dict[str, Float[Array, ""]]:
    draw_key, probe_key = jax.random.split(key)
    _, degraded = draw_pair(draw_key, content, degradation, samples)
    response = analysis.novelty_response(
        networks.denoiser(network, params), degraded, probe_key, probes=probes, method="jvp"
    )
    return {"rho": response.rho, "rho_error": response.error}


def _on_grid(
    function: Callable[..., dict[str, Array]],
    trained: Trained,
    positions: list[int],
    keys: list[PRNGKeyArray],
    tests: list[Trial],
    static: tuple[Any, ...],
    *shared: np.ndarray,
) -> dict[str, np.ndarray]:
    """`function` on every (trained network, test), as columns."""
    params = jax.tree.map(lambda leaf: leaf[np.asarray(positions)], trained.params)
    inputs = (
        params,
        jnp.stack(keys),
        stack([test.content for test in tests]),
        stack([test.degradation for test in tests]),
        *(np.broadcast_to(array, (len(tests), *array.shape)) for array in shared),
    )
    columns = grid.map_cells(function, inputs, len(tests), *static)
    return {name: values.astype(np.float64) for name, values in columns.items()}
