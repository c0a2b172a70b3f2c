"""The Jacobian portrait: which patterns a trained denoiser passes on, and which it blocks.

Conv nets are trained on one note, or on content of all frequencies, under clicks or a hum. A
network that fitted the content passes the note and blocks all else. One that fitted the degradation
blocks that and passes all else. The singular vectors of the Jacobian at an input show it.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.papers import Sentence
from common.signal_tasks import TrainConfig, make_test_sets
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import interval, interval_each, oracles
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of

SIZE, PITCH = 128, 8.0
KINDS = ("note + clicks", "all pitches + clicks", "all pitches + hum")
HERE, ELSEWHERE = "passes clicks that are there", "passes clicks elsewhere"


@dataclass(frozen=True)
class Config(TrainConfig):
    """Which networks are trained, and at how many inputs the Jacobian is taken."""

    width: int = option(24, "channels of the convolutional nets")
    steps: int = option(1000, "training steps")
    pulses: int = option(2, "clicks a window: few, so that there is room between them")
    inputs: int = option(16, "windows at which the Jacobian is taken")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("inputs", self.inputs, low=2, high=1024)
        degradations.clicks(pulses=self.pulses)


def families(config: Config, kind: str, seed: int) -> tuple[Any, Any]:
    """What a kind of network is trained on."""
    note, clicks, _ = KINDS
    content = signals.note(PITCH) if kind == note else signals.band(63)
    if kind in (note, clicks):
        return content, degradations.clicks(bank=seed, pulses=config.pulses)
    return content, degradations.hum()


def run(config: Config, session: Session) -> Result:
    """Train the networks, then take their Jacobians at inputs like those they were trained on."""
    conv = networks.ConvNet(width=config.width)
    runs = []
    for kind in KINDS:
        for seed in config.all_seeds():
            content, degradation = families(config, kind, seed)
            cell = Cell(content, degradation, conv, seed)
            tests = make_test_sets((kind, content), (kind, degradation), {}, {})
            runs.append(Run(cell, "conv", kind, kind, tests))
    eval_config = EvalConfig(config.samples)
    swept = sweep(runs, config.schedule(), eval_config, session, keep=lambda run: True)
    diverged = swept.table["diverged"].to_numpy()  # one test a network
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    portraits = {k: _portraits(conv, subspaces(families(config, k, 0)[1])) for k in KINDS}
    for position, params in swept.weights.items():
        kind, cell = runs[position].content, runs[position].cell
        clean, degraded = draw_pair(
            cell.key("portrait"), cell.content, cell.degradation, config.inputs
        )
        kept, blocked, measures = portraits[kind](params, degraded, degraded - clean)
        values = enumerate(np.mean(kept.values, axis=0).tolist(), start=1)
        measures |= {f"value {rank}": value for rank, value in values}
        if diverged[position]:
            measures = dict.fromkeys(measures, np.nan)
        rows += [
            {"kind": kind, "seed": cell.seed, "measure": name, "value": float(value)}
            for name, value in measures.items()
        ]
        if cell.seed == config.first_seed:
            arrays[f"{kind}, kept"] = np.asarray(kept.right_vectors[0, :VECTORS, :, 0])
            arrays[f"{kind}, blocked"] = np.asarray(blocked.right_vectors[0, :VECTORS, :, 0])
            arrays[f"{kind}, layer"] = np.asarray(degraded - clean)[0, :, 0]
    return Result(pd.DataFrame(rows), arrays)


def _portraits(conv: networks.Network, known: dict[str, np.ndarray]) -> Any:
    """Portraits of `J` and of `I - J`, and measures of them; compiled once for all seeds."""

    @jax.jit
    def portraits(params: Any, degraded: Any, added: Any) -> tuple[Any, Any, dict[str, Any]]:
        denoise = networks.denoiser(conv, params)
        key = jax.random.key(0)
        kept = analysis.portrait(denoise, degraded, key, known, rank=SIZE, method="jvp")
        blocked = analysis.portrait(
            lambda y: y - denoise(y), degraded, key, rank=SIZE, method="jvp"
        )
        moved = jnp.roll(added, SIZE // 2, axis=1)
        measures = {"dimensions": jnp.mean(kept.dimensions), "symmetry": jnp.mean(kept.symmetry)}
        for name, directions in ((HERE, added), (ELSEWHERE, moved)):
            response = analysis.novelty_response(denoise, degraded, key, directions, method="jvp")
            measures[name] = response.rho
        for name in known:
            measures[f"passes {name}"] = jnp.mean(kept.passed[name])
        return kept, blocked, measures

    return portraits


def subspaces(degradation: Any) -> dict[str, np.ndarray]:
    """What a Jacobian is compared with: the note, and the hum where there is one."""
    found = {"the note": oracles.basis_of(signals.note(PITCH).sample(jax.random.key(0), 16))}
    if isinstance(degradation, degradations.Hum):
        found["the hum"] = oracles.basis_of(degradation.sample(jax.random.key(0), 16))
        found["all but the hum"] = oracles.complement(found["the hum"])
    return found


def values_of(table: pd.DataFrame) -> xr.DataArray:
    """The measures of each network, `(seed, kind, measure)`."""
    return array_of(table, "value", "seed", "kind", "measure")


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered: that the network under a hum blocks the hum and passes all else."""
    hum = values_of(table).sel(kind=KINDS[2])
    values = {
        "blocks": hum.sel(measure="passes the hum"),
        "passes": hum.sel(measure="passes all but the hum"),
    }
    return REGISTERED.claims_on(values, Sentence.__members__)


COLORS = dict(zip(KINDS, (plotting.BLUE, plotting.RED, plotting.ORANGE)))
VECTORS = 3


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """A row per kind of network: what it passes best, what it blocks most; all singular values."""
    figure = plotting.new_figure(4.4)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.6, 1]).flat
    panels = left.subplots(len(KINDS), 2 * VECTORS, sharex=True, sharey=True)
    for row, kind in zip(panels, KINDS, strict=True):
        for number, axes in enumerate(row):
            side, color = ("kept", COLORS[kind]) if number < VECTORS else ("blocked", plotting.INK)
            vector = arrays[f"{kind}, {side}"][number % VECTORS]
            _draw_vector(axes, vector, arrays[f"{kind}, layer"], color)
            if axes in panels[0]:
                axes.set_title(f"{side} {number % VECTORS + 1}", fontsize=7)
        row[0].set_ylabel(kind.replace(" + ", "\n+ "))
    left.supxlabel("sample (grey: the clicks of this input)", fontsize=7)
    above, below = right.subplots(2, 1, height_ratios=[1.3, 1])
    _draw_values(above, values_of(table))
    _draw_measures(below, values_of(table))
    return figure


def _draw_vector(axes: Any, vector: np.ndarray, added: np.ndarray, color: str) -> None:
    axes.plot(vector, color=color, linewidth=0.9)
    axes.set_ylim(-0.42, 0.42)
    axes.set_xlim(0, SIZE - 1)
    axes.set_yticks([])
    axes.set_xticks([0, 64])
    hit = np.abs(added) > 0.05 * np.abs(added).max()
    if not hit.all() and hit.mean() < 0.8:  # a hum is everywhere
        axes.fill_between(
            np.arange(SIZE), -0.42, 0.42, where=hit, color=plotting.PALE, alpha=0.5, linewidth=0
        )


def _draw_values(axes: Any, values: xr.DataArray) -> None:
    ranks = np.arange(1, SIZE + 1)
    for kind, color in COLORS.items():
        mean = interval_each(values.sel(kind=kind, measure=[f"value {rank}" for rank in ranks]))
        plotting.curve(axes, ranks, mean, color, label=kind)
    axes.set_xlabel("rank")
    axes.set_title("singular values (mean, 95%)", fontsize=7, loc="left")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=6, loc="center", bbox_to_anchor=(0.48, 0.37), handlelength=1)


def _draw_measures(axes: Any, values: xr.DataArray) -> None:
    note, clicks, hum = KINDS
    shown = {
        "passes the note": note,
        "passes the hum": hum,
        "passes all but the hum": hum,
        ELSEWHERE: clicks,
        HERE: clicks,
    }
    for row, (measure, kind) in enumerate(shown.items()):
        found = interval(values.sel(kind=kind, measure=measure))
        plotting.bar(axes, found, row, COLORS[kind], "o")
    plotting.name_rows(axes, list(shown), fontsize=6)
    axes.set_xlim(-0.05, 1.05)
    axes.set_xlabel("share passed (95%)")


REGISTERED = registered.of("jacobian_portrait")
experiment = Experiment(
    name="jacobian_portrait",
    message=(
        "Trained on a note, a network passes that note; on all pitches under clicks it passes "
        "clicks anywhere but where one is; under a hum it blocks the hum and passes all else."
    ),
    presets={
        "smoke": Config(seeds=2, width=2, steps=10, batch=8, inputs=2),
        "quick": Config(seeds=3),
        "full": Config(seeds=16, first_seed=3000, width=32, steps=10_000, batch=64, inputs=64),
        "kept": Config(**REGISTERED.settings),
    },
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
