"""The music note: what a denoiser learns from one note, and what it learns from melodies.

Networks are trained on one note or on melodies, under clicks, hiss or hum, and then given what
they have not heard. Trained on one note, the simplest thing to learn is the note: the network
plays nothing else, and shrugs off new noise. Trained on melodies under clicks, the simplest thing
is the click: the network plays any melody, and lets new noise through.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from common.signal_tasks import TrainConfig
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import Interval, bootstrap
from shortcut1d.data import degradations, signals
from shortcut1d.harness.claims import Claim, claim_mean, claim_ratio
from shortcut1d.harness.driver import Experiment, Result, Sound, main
from shortcut1d.harness.options import option
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import (
    SEEN,
    UNSEEN_CONTENT,
    UNSEEN_DEGRADATION,
    EvalConfig,
    Run,
    TestSet,
)
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep

RATE = 8000  # Hz of what is heard and of recordings: a note of 8 cycles a window is 500 Hz
CONTENTS = ("note", "melody")
DEGRADATIONS = ("clicks", "hiss", "hum")
SHOWN = "clicks"  # the degradation whose networks are drawn and heard
NETWORKS = {
    "conv": lambda config: networks.ConvNet(width=config.width),
    "conv_skip": lambda config: networks.ConvNet(width=config.width, skip=True),
    "mlp": lambda config: networks.MLP(width=config.mlp_width),
    "mlp_skip": lambda config: networks.MLP(width=config.mlp_width, skip=True),
}


@dataclass(frozen=True)
class Config(TrainConfig):
    """Everything the experiment depends on."""

    networks: tuple[str, ...] = option(("conv",), f"which of {', '.join(NETWORKS)}")
    mlp_width: int = option(256, "hidden units of the MLPs")
    pitch: float = option(8.0, "the one note, whole cycles per window")
    low: float = option(4.0, "lowest pitch of the melodies, cycles per window")
    high: float = option(32.0, "highest pitch of the melodies, cycles per window")
    notes: int = option(4, "notes a window of a melody")
    shapes: int = option(1, "click shapes in the bank, K")
    hum: float = option(20.0, "pitch of the hum, whole cycles per window")
    level: float = option(0.0, "level of the degradations against the content, dB")
    tune: str = option("ode_to_joy", f"unseen real tune: {', '.join(signals.TUNES)}")
    recording: Path | None = option(None, "WAV file to test as unseen content too")
    seconds: float = option(8.0, "length of the sound files")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.networks)) < len(self.networks) or not self.networks:
            raise errors.refuse("networks", self.networks, "at least one, each named once")
        for name in self.networks:
            errors.choice("networks", name, NETWORKS)
            NETWORKS[name](self)
        with errors.reported_as("mlp_width"):
            networks.MLP(self.mlp_width)
        errors.number("seconds", self.seconds, low=1, high=60, unit="seconds")
        with errors.reported_as("hum"):
            degradations.hum(self.hum)
        families(self, seed=0)
        signals.tune(self.tune, self.notes)
        if self.recording is not None:
            signals.recording(str(self.recording), RATE)


def families(config: Config, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is trained on. Each seed has clicks of its own, so that intervals cover the choice."""
    contents = {
        "note": signals.note(config.pitch),
        "melody": signals.melody(config.notes, config.low, config.high),
    }
    noises = {
        "clicks": degradations.clicks(config.shapes, bank=seed, level=config.level),
        "hiss": degradations.hiss(level=config.level),
        "hum": degradations.hum(config.hum, level=config.level),
    }
    return contents, noises


def unseen_contents(config: Config) -> dict[str, Any]:
    """What neither kind of network has heard."""
    trained, _ = families(config, seed=0)
    contents = {
        "another note": trained["note"].unseen(),
        "other melodies": trained["melody"].unseen(),
        "tune": signals.tune(config.tune, config.notes),
    }
    if config.recording is not None:
        contents["recording"] = signals.recording(str(config.recording), RATE)
    return contents


def one_run(
    config: Config, unseen: dict[str, Any], network: str, kind: str, layer: str, seed: int
) -> Run:
    """One network: what it is trained on and what it is tested on."""
    contents, noises = families(config, seed)
    cell = Cell(contents[kind], noises[layer], NETWORKS[network](config), seed)
    tests = [TestSet(SEEN, kind, layer, cell.content, cell.degradation)]
    for name, family in unseen.items():
        tests.append(TestSet(UNSEEN_CONTENT, name, layer, family, cell.degradation))
    for name, family in (noises | {"dropout": degradations.dropout()}).items():
        own = name == layer
        new, new_name = (family.unseen(), f"other {name}") if own else (family, name)
        tests.append(TestSet(UNSEEN_DEGRADATION, kind, new_name, cell.content, new))
    return Run(cell, network, kind, layer, tests)


def run(config: Config, session: Session) -> Result:
    """Train every network, give each its tests, and keep a few waveforms and sounds."""
    unseen = unseen_contents(config)
    own_note = signals.note(config.pitch)
    span = analysis.oracles.basis_of(own_note.sample(jax.random.key(0), 16))
    runs = [
        one_run(config, unseen, name, kind, layer, seed)
        for name in config.networks
        for seed in range(config.seeds)
        for kind in CONTENTS
        for layer in DEGRADATIONS
    ]

    def shown(who: Run) -> bool:
        return who.cell.seed == 0 and who.degradation == SHOWN

    swept = sweep(runs, config.schedule(), EvalConfig(config.samples, span), session, keep=shown)
    listeners: dict[str, dict[str, Any]] = {name: {} for name in config.networks}
    for position, params in swept.weights.items():
        listeners[runs[position].network][runs[position].content] = params
    first = config.networks[0]
    arrays = waveforms(config, NETWORKS[first](config), listeners[first])
    heard = next((name for name in config.networks if name.startswith("conv")), None)
    sounds = performance(config, NETWORKS[heard](config), listeners[heard]) if heard else {}
    return Result(swept.table, arrays, sounds)


def waveforms(
    config: Config, network: networks.Network, listeners: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Input, target and output of one window a situation, `(3, length)`."""
    contents, noises = families(config, seed=0)
    tune = signals.tune(config.tune, config.notes)
    shown = {}
    for kind, params in listeners.items():
        own, layer = contents[kind], noises[SHOWN]
        for name, test in (
            ("tune", TestSet(UNSEEN_CONTENT, "tune", SHOWN, tune, layer)),
            ("hiss", TestSet(UNSEEN_DEGRADATION, kind, "hiss", own, noises["hiss"])),
            ("hum", TestSet(UNSEEN_DEGRADATION, kind, "hum", own, noises["hum"])),
        ):
            shown[f"{kind}, {name}"] = (params, test)
    drawn = evaluation.windows(network, list(shown.values()))
    return dict(zip(shown, drawn[..., 0], strict=True))


def performance(
    config: Config, network: networks.Network, listeners: dict[str, Any]
) -> dict[str, Sound]:
    """The tune, degraded, and what each network makes of it; a conv net runs on any length."""
    clean = signals.tune(config.tune, config.notes).perform(RATE, config.seconds)[None, :, None]
    # Long windows, since the clicks of a window go round its end.
    layers = {
        "clicks": degradations.clicks(config.shapes, pulses=96, level=config.level, length=2048),
        "hiss": degradations.hiss(level=config.level, length=2048),
    }
    heard = {"1_target": clean}
    for number, (name, family) in enumerate(layers.items(), start=2):
        layer = degradations.over_length(family, jax.random.key(1), clean.shape[1])
        heard[f"{number}_{name}_input"] = family.apply(clean, layer)
    for kind, params in listeners.items():
        denoise = networks.denoiser(network, params)
        for number, name in enumerate(layers, start=2):
            output = denoise(heard[f"{number}_{name}_input"])
            heard[f"{number}_{name}_output_{kind}_trained"] = output
    # One scale for all, so that loudness can be compared; set by the music, so that clicks clip.
    loudest = 2 * float(np.max(np.abs(clean)))
    return {n: Sound(np.asarray(s)[0, :, 0], RATE, loudest) for n, s in heard.items()}


def claims(table: pd.DataFrame) -> list[Claim]:
    """What the figure says, as statistics over seeds of the first kind of network."""
    name = table["network"].iloc[0]
    table = table[table["network"] == name]
    index = evaluation.indices(table)

    def of(kind: str, layer: str, column: str) -> np.ndarray:
        chosen = (index["content"] == kind) & (index["degradation"] == layer)
        return index[chosen].sort_values("seed")[column].to_numpy()

    made = [
        claim_mean(
            f"{name} trained on a note under {layer} fits the content",
            "phi",
            of("note", layer, "phi"),
            "above",
            0.0,
        )
        for layer in DEGRADATIONS
    ]
    made.append(
        claim_mean(
            f"{name} trained on melodies under clicks fits the degradation",
            "phi",
            of("melody", "clicks", "phi"),
            "below",
            0.0,
        )
    )
    made.append(
        claim_ratio(
            f"{name} under clicks lets novelty through if trained on melodies, not if on a note",
            "rho(melodies) / rho(note)",
            np.stack([of("melody", "clicks", "rho"), of("note", "clicks", "rho")], axis=1),
            "above",
            4.0,
        )
    )
    heard = table[(table["content"] == "note") & (table["degradation"] == SHOWN)]
    heard = heard[heard["test"] == UNSEEN_CONTENT]
    shares = heard.groupby("seed")[["output_in_span", "input_in_span"]].mean().to_numpy()
    made.append(
        claim_ratio(
            f"{name} trained on a note under {SHOWN} plays its note where it hears other music",
            "share of the note in the output / in the input",
            shares,
            "above",
            4.0,
        )
    )
    made.append(
        claim_mean(
            f"{name} trained on a note under {SHOWN} plays mostly its note, whatever it hears",
            "share of the note in the output",
            shares[:, 0],
            "above",
            0.5,
        )
    )
    return made


COLORS = {"note": plotting.BLUE, "melody": plotting.RED}
MARKERS = {"clicks": "v", "hiss": "o", "hum": "s"}
TRAINED_ON = {"note": "one note", "melody": "melodies"}
SITUATIONS = {
    "tune": ("a tune it never heard", "keeps", UNSEEN_CONTENT, "test_content", "nmse"),
    "hiss": ("hiss it never heard", "removes", UNSEEN_DEGRADATION, "test_degradation", "residual"),
    "hum": ("a hum it never heard", "removes", UNSEEN_DEGRADATION, "test_degradation", "residual"),
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Waveforms above; every network in the plane of kept content and removed degradation."""
    names = list(dict.fromkeys(table["network"]))
    with plotting.style():
        figure = Figure(
            figsize=(plotting.TWO_COLUMNS, 2.9 + 3.5 * len(names)), layout="constrained"
        )
        above, *below = figure.subfigures(
            1 + len(names), 1, height_ratios=[2.9] + [3.5] * len(names)
        )
        _draw_waveforms(above, table[table["network"] == names[0]], arrays)
        for part, name in zip(below, names, strict=True):
            _draw_plane(part, table[table["network"] == name])
        return figure


def _draw_waveforms(part: Any, table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> None:
    panels = part.subplots(2, 3, sharex=True, sharey=True)
    trained_here = table[(table["degradation"] == SHOWN)]
    for row, kind in enumerate(CONTENTS):
        for axes, (name, situation) in zip(panels[row], SITUATIONS.items(), strict=True):
            given, target, output = arrays[f"{kind}, {name}"]
            plotting.waveforms(
                axes, given, target, output, COLORS[kind], f"output, trained on {TRAINED_ON[kind]}"
            )
            heard, verb, role, column, measure = situation
            chosen = trained_here[trained_here["content"] == kind]
            chosen = chosen[(chosen["test"] == role) & (chosen[column] == name)]
            score = bootstrap(np.clip(1 - chosen.sort_values("seed")[measure].to_numpy(), -1, 1))
            axes.set_title(f"{verb} {percent(score)}", fontsize=7, color=COLORS[kind], pad=2)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            if row == 0:
                axes.annotate(
                    heard, (0.5, 1.28), xycoords="axes fraction", ha="center", weight="bold"
                )
            else:
                axes.set_xlabel("time (samples)")
        panels[row, 0].set_ylabel(
            f"trained on\n{TRAINED_ON[kind]}\n(+ clicks)", rotation=0, ha="right", va="center",
            color=COLORS[kind], weight="bold",
        )  # fmt: skip
    lines = {label: line for axes in panels[:, 0] for label, line in _labelled(axes)}
    part.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4)


def _labelled(axes: Any) -> Iterator[tuple[str, Any]]:
    return zip(*reversed(axes.get_legend_handles_labels()), strict=True)


def _draw_plane(part: Any, table: pd.DataFrame) -> None:
    plane, responses = part.subplots(1, 2, width_ratios=[1.25, 1])
    plotting.transfer_plane(plane)
    index = evaluation.indices(table).sort_values("seed", kind="stable")
    groups = index.groupby(["content", "degradation"], sort=False)
    for row, ((kind, layer), group) in enumerate(groups):
        kept, removed, rho = (
            bootstrap(group[name].to_numpy()) for name in ("kept", "removed", "rho")
        )
        color, marker = COLORS[kind], MARKERS[layer]
        plotting.cross(plane, kept, removed, color, marker)
        plotting.bar(responses, rho, row, color, marker)
        said = VERDICTS[analysis.verdict(kept.estimate, removed.estimate)]
        responses.text(
            -0.04,
            row,
            f"{TRAINED_ON[kind]} + {layer}:\n{said}",
            color=color,
            ha="right",
            va="center",
        )
    responses.set_yticks([])
    responses.spines["left"].set_visible(False)
    responses.set_ylim(len(groups) - 0.5, -0.5)
    responses.set_xlim(0, 1)
    responses.set_xlabel("novelty response $\\rho$\n(0 blocks white noise, 1 passes it)")
    plane.set_title(
        f"{table['network'].iloc[0]}: what {table['seed'].nunique()} networks of each kind fitted "
        "(mean, 95% interval)",
        loc="left",
    )


VERDICTS = {
    "content": "fitted the content",
    "degradation": "fitted the degradation",
    "both": "generalises",
    "neither": "fitted neither",
    "unknown": "diverged",
}


def percent(score: Interval) -> str:
    """A share and its interval, in percent."""
    low, high = score.low, score.high
    bounds = "" if np.isnan(low) else f" [{round(100 * low)}, {round(100 * high)}]"
    return f"{round(100 * score.estimate)}%{bounds}"


experiment = Experiment(
    name="music_note",
    summary=__doc__,
    message=(
        "A network trained on one note lets nothing through but that note, so that a tune is "
        "lost and noise that it never heard goes with it; one trained on melodies under "
        "clicks has learnt the clicks, plays any melody, and lets other noise through."
    ),
    presets={
        "smoke": Config(seeds=2, width=4, steps=20, batch=8, samples=16, seconds=1.0),
        "quick": Config(steps=300),
        "full": Config(
            seeds=10, networks=("conv", "conv_skip", "mlp"), width=24, steps=4000, batch=64
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
