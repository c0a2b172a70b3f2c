"""The Jacobian portrait: which patterns a trained denoiser passes on, and which it blocks.

Conv nets are trained on one note, or on content of all frequencies, under clicks or a hum. Fitted
to its content, a network passes the note and blocks all else; fitted to the degradation, it blocks
that and passes all else. The singular vectors of its Jacobian at an input show it.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from common.signal_tasks import TrainConfig
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import bootstrap, bootstrap_each, oracles
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.harness.claims import Claim, claim_mean
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import SEEN, EvalConfig, Run, TestSet
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep

SIZE, PITCH = 128, 8.0
KINDS = ("note + clicks", "all pitches + clicks", "all pitches + hum")
HERE, ELSEWHERE = "passes clicks that are there", "passes clicks elsewhere"


@dataclass(frozen=True)
class Config(TrainConfig):
    """Which networks sit for their portrait."""

    pulses: int = option(2, "clicks a window: few, so that there is room between them")
    inputs: int = option(16, "windows at which the Jacobian is taken")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("inputs", self.inputs, low=2, high=1024)
        degradations.clicks(pulses=self.pulses)


def families(config: Config, kind: str, seed: int) -> tuple[Any, Any]:
    """What a kind of network is trained on."""
    of_content, of_layer = kind.split(" + ")
    layer = (
        degradations.clicks(bank=seed, pulses=config.pulses)
        if of_layer == "clicks"
        else degradations.hum()
    )
    return (signals.note(PITCH) if of_content == "note" else signals.band(63)), layer


def run(config: Config, session: Session) -> Result:
    """Train the networks, then take their Jacobians at inputs like those they were trained on."""
    conv = networks.ConvNet(width=config.width)
    runs = []
    for kind in KINDS:
        for seed in range(config.seeds):
            pair = families(config, kind, seed)
            tests = [TestSet(SEEN, kind, kind, *pair)]
            runs.append(Run(Cell(*pair, conv, seed), "conv", kind, kind, tests))
    eval_config = EvalConfig(config.samples, np.eye(SIZE, 1, dtype=np.float32))
    swept = sweep(runs, config.schedule(), eval_config, session, keep=lambda one_run: True)
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for kind in KINDS:
        look = _looker(conv, subspaces(families(config, kind, 0)[1]))
        for position, params in swept.weights.items():
            who = runs[position]
            if who.content != kind:
                continue
            clean, degraded = draw_pair(
                who.cell.key("portrait"), who.cell.content, who.cell.degradation, config.inputs
            )
            kept, blocked, measures = look(params, degraded, degraded - clean)
            rows += [
                {"kind": kind, "seed": who.cell.seed, "measure": name, "value": float(value)}
                for name, value in measures.items()
            ]
            rows += [
                {"kind": kind, "seed": who.cell.seed, "measure": f"value {rank}", "value": value}
                for rank, value in enumerate(np.mean(kept.values, axis=0).tolist(), start=1)
            ]
            if who.cell.seed == 0:
                arrays[f"{kind}, kept"] = np.asarray(kept.kept[0, :VECTORS, :, 0])
                arrays[f"{kind}, blocked"] = np.asarray(blocked.kept[0, :VECTORS, :, 0])
                arrays[f"{kind}, layer"] = np.asarray(degraded - clean)[0, :, 0]
    return Result(pd.DataFrame(rows), arrays)


def _looker(conv: networks.Network, known: dict[str, np.ndarray]) -> Any:
    """Portraits of `J` and of `I - J`, and what is read off them; compiled once for all seeds."""

    @jax.jit
    def look(params: Any, degraded: Any, layer: Any) -> tuple[Any, Any, dict[str, Any]]:
        denoise = networks.denoiser(conv, params)
        key = jax.random.key(0)
        kept = analysis.portrait(denoise, degraded, key, known, rank=SIZE, method="jvp")
        blocked = analysis.portrait(
            lambda y: y - denoise(y), degraded, key, rank=SIZE, method="jvp"
        )
        moved = jnp.roll(layer, SIZE // 2, axis=1)
        measures = {"dimensions": jnp.mean(kept.dimensions), "symmetry": jnp.mean(kept.symmetry)}
        for name, directions in ((HERE, layer), (ELSEWHERE, moved)):
            response = analysis.novelty_response(denoise, degraded, key, directions, method="jvp")
            measures[name] = response.rho
        for name in known:
            measures[f"passes {name}"] = jnp.mean(kept.passed[name])
            measures[f"keeps {name}"] = jnp.mean(kept.aligned[name])
            measures[f"blocks {name}"] = jnp.mean(kept.blocked[name])
        return kept, blocked, measures

    return look


def subspaces(layer: Any) -> dict[str, np.ndarray]:
    """What a network's Jacobian is compared with: the note, and the hum where there is one."""
    found = {"the note": oracles.basis_of(signals.note(PITCH).sample(jax.random.key(0), 16))}
    if isinstance(layer, degradations.Hum):
        found["the hum"] = oracles.basis_of(layer.sample(jax.random.key(0), 16))
        found["all but the hum"] = oracles.complement(found["the hum"])
    return found


def values_of(table: pd.DataFrame, kind: str, measure: str) -> np.ndarray:
    """A measure of each network of a kind."""
    chosen = table[(table["kind"] == kind) & (table["measure"] == measure)]
    return chosen.sort_values("seed")["value"].to_numpy()


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the portraits are what the words say."""
    note, clicks, hum = KINDS
    gap = values_of(table, clicks, ELSEWHERE) - values_of(table, clicks, HERE)
    return [
        claim_mean(
            "trained on a note, what it keeps is the note", "alignment of J with the note",
            values_of(table, note, "keeps the note"), "above", 0.5,
        ),
        claim_mean(
            "trained on all pitches under a hum, what it blocks is the hum",
            "alignment of I - J with the hum",
            values_of(table, hum, "blocks the hum"), "above", 0.5,
        ),
        claim_mean(
            "trained on all pitches under a hum, what it keeps is all but the hum",
            "alignment of J with all but the hum",
            values_of(table, hum, "keeps all but the hum"), "above", 0.5,
        ),
        claim_mean(
            "trained on all pitches under clicks, it blocks the clicks that are there, no others",
            "passed of clicks elsewhere - of clicks that are there", gap, "above", 0.1,
        ),
        claim_mean(
            "under clicks, all pitches make it keep more dimensions than one note does",
            "ratio of effective dimensions",
            values_of(table, clicks, "dimensions") / values_of(table, note, "dimensions"),
            "above", 4.0,
        ),
    ]  # fmt: skip


COLORS = dict(zip(KINDS, (plotting.BLUE, plotting.RED, plotting.ORANGE)))
VECTORS = 3


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """A row a kind of network: what it passes best, what it blocks most; all singular values."""
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.4), layout="constrained")
        left, right = _sides(figure)
        panels = left.subplots(len(KINDS), 2 * VECTORS, sharex=True, sharey=True)
        for row, kind in zip(panels, KINDS, strict=True):
            layer = arrays[f"{kind}, layer"]
            for number, axes in enumerate(row):
                what = "kept" if number < VECTORS else "blocked"
                vector = arrays[f"{kind}, {what}"][number % VECTORS]
                _draw_vector(axes, vector, layer, COLORS[kind] if what == "kept" else plotting.INK)
                if axes in panels[0]:
                    axes.set_title(f"{what} {number % VECTORS + 1}", fontsize=7)
            row[0].set_ylabel(kind.replace(" + ", "\n+ "))
        left.supxlabel("sample (grey: the clicks of this input)", fontsize=7)
        above, below = right.subplots(2, 1, height_ratios=[1.3, 1])
        _draw_values(above, table)
        _draw_read(below, table)
        return figure


def _sides(figure: Figure) -> Any:
    return figure.subfigures(1, 2, width_ratios=[1.6, 1])


def _draw_vector(axes: Any, vector: np.ndarray, layer: np.ndarray, color: str) -> None:
    axes.plot(vector, color=color, linewidth=0.9)
    axes.set_ylim(-0.42, 0.42)
    axes.set_xlim(0, SIZE - 1)
    axes.set_yticks([])
    axes.set_xticks([0, 64])
    hit = np.abs(layer) > 0.05 * np.abs(layer).max()
    if not hit.all() and hit.mean() < 0.8:  # a hum is everywhere
        axes.fill_between(
            np.arange(SIZE), -0.42, 0.42, where=hit, color=plotting.PALE, alpha=0.5, linewidth=0
        )


def _draw_values(axes: Any, table: pd.DataFrame) -> None:
    ranks = np.arange(1, SIZE + 1)
    for kind, color in COLORS.items():
        mean = bootstrap_each(values_of(table, kind, f"value {rank}") for rank in ranks)
        plotting.curve(axes, ranks, mean, color, label=kind)
    axes.set_xlabel("rank")
    axes.set_title("singular values (mean, 95%)", fontsize=7, loc="left")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=6, loc="lower left", handlelength=1)


def _draw_read(axes: Any, table: pd.DataFrame) -> None:
    note, clicks, hum = KINDS
    shown = (
        (note, "keeps the note"), (hum, "blocks the hum"), (hum, "keeps all but the hum"),
        (clicks, ELSEWHERE), (clicks, HERE),
    )  # fmt: skip
    for row, (kind, measure) in enumerate(shown):
        plotting.bar(axes, bootstrap(values_of(table, kind, measure)), row, COLORS[kind], "o")
    axes.set_yticks(range(len(shown)), [measure for _, measure in shown], fontsize=6)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(-0.05, 1.05)
    axes.set_xlabel("alignment, or share")


experiment = Experiment(
    name="jacobian_portrait",
    summary=__doc__,
    message=(
        "Trained on a note, a network passes notes; on all pitches under clicks it passes "
        "clicks anywhere but where one is; under a hum it blocks the hum."
    ),
    presets={
        "smoke": Config(seeds=2, width=2, steps=10, batch=8, inputs=2),
        "quick": Config(width=24, steps=1000),
        "full": Config(seeds=10, width=32, steps=10_000, batch=64, inputs=64),
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
