"""Linear networks on Gaussian families: they can be no better than the Wiener filter."""

from typing import Any

import jax
import numpy as np
import pandas as pd

from common.known_answers import read
from common.signal_tasks import make_test_sets
from shortcut1d import networks, plotting
from shortcut1d.analysis import interval, linear, oracles
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw as draw_family
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import indices


def gaussian_pairs() -> dict[str, tuple[Any, Any]]:
    """Gaussian contents and degradations: the best denoiser of a pair is linear."""
    return {
        "band(16) + white hiss": (signals.band(16), degradations.hiss()),
        "band(40) + brown hiss": (signals.band(40), degradations.hiss(color=2.0, low=1.0)),
        "band(30, from 5) + white hiss, 6 dB": (signals.band(30, 5), degradations.hiss(level=6.0)),
    }


# Gaussian as well: what a linear network and a linear filter are both tested on.
OTHERS = (
    {"higher band": signals.band(50, 30)}, {"pink hiss": degradations.hiss(color=1.0, low=1.0)},
)  # fmt: skip


def train(seeds: int, samples: int, schedule: Schedule, session: Session) -> pd.DataFrame:
    """Risk and index of trained linear networks, and of the Wiener filter; the rows of a table."""
    network, pairs = networks.MLP(width=1, depth=1), gaussian_pairs()
    runs = []
    for name, (content, noise) in pairs.items():
        tests = make_test_sets((name, content), (name, noise), *OTHERS)
        cells = [Cell(content, noise, network, seed) for seed in range(seeds)]
        runs += [Run(cell, "linear", name, name, tests) for cell in cells]
    eval_config = EvalConfig(samples, probes=1)
    table = sweep(runs, schedule, eval_config, session).table
    found = indices(table)
    best, index = {}, {}
    for name, families in pairs.items():
        own = _spectrum(families[0], 0), _spectrum(families[1], 1)
        spectra = [own]
        spectra += [(_spectrum(other, 0), own[1]) for other in OTHERS[0].values()]
        spectra += [(own[0], _spectrum(other, 1)) for other in OTHERS[1].values()]
        left = linear.floor(own, spectra)
        best[name] = left[0] / float(np.sum(spectra[0][0]))
        kept = np.clip(1 - left[1] / np.sum(spectra[1][0]), -1, 1)
        removed = np.clip(1 - left[2] / np.sum(spectra[2][1]), -1, 1)
        index[name] = float(removed - kept)
    numbers = {name: n for n, name in enumerate(pairs)}
    parts = [
        pd.DataFrame({
            "part": "linear", "seed": found["seed"], "measure": measure, "value": found[measure],
            "setting": found["content"].map(numbers), "truth": found["content"].map(truth),
            "name": found["content"],
        })
        for measure, truth in (("nmse", best), ("phi", index))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _spectrum(family: Any, number: int) -> np.ndarray:
    return oracles.power_spectrum(
        draw_family(family, jax.random.split(jax.random.key(1))[number], 2**15)
    )


def excess_risk(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Risk of each linear network over the Wiener filter's, by the names of the families."""
    ratio = (read(table, "linear") / read(table, "linear", "truth")).sel(measure="nmse")
    return dict(zip(_names(table), ratio.values.T, strict=True))


def excess_index(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Index of each linear network less the linear floor's, by the names of the families."""
    excess = (read(table, "linear") - read(table, "linear", "truth")).sel(measure="phi")
    return dict(zip(_names(table), excess.values.T, strict=True))


def _names(table: pd.DataFrame) -> list[str]:
    """Of the families, in the order of the settings."""
    return list(table[table["part"] == "linear"]["name"].unique())


def draw(risks: Any, excess: Any, table: pd.DataFrame) -> None:
    """Risk over the Wiener filter's, and index less the floor's."""
    for row, ratio in enumerate(excess_risk(table).values()):
        plotting.bar(risks, interval(ratio), row, plotting.BLUE, "o")
    risks.axvline(1.0, color=plotting.INK, linewidth=0.6)
    risks.axvline(1.05, color=plotting.INK, linewidth=0.6, linestyle=":")
    plotting.name_rows(risks, _names(table))
    risks.set_xlabel("risk / Wiener risk")
    risks.set_title("linear networks", fontsize=7, loc="left")
    for row, values in enumerate(excess_index(table).values()):
        plotting.bar(excess, interval(values), row, plotting.BLUE, "o")
    for place in (-0.02, 0.02):
        excess.axvline(place, color=plotting.INK, linewidth=0.6, linestyle=":")
    excess.set_ylim(risks.get_ylim())
    excess.set_yticks([])
    excess.set_xlabel("$\\varphi$ - the floor's")
