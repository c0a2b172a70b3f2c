"""The music note: what a denoiser learns from one note, and what it learns from melodies.

Networks are trained on one note or on melodies, under hiss, clicks or a hum. They are tested on
what they have not heard. With one note, the note is the simplest thing to learn: the network plays
nothing else, and removes new noise. With melodies, it is the noise: the network plays any melody,
and lets new noise through. Beside them stand two filters that nobody trained.
"""

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.papers import Sentence
from common.signal_tasks import (
    MEDIAN,
    WIENER,
    TrainConfig,
    decibels,
    make_test_sets,
    trained_networks,
    untrained_rows,
)
from common.sounds import RATE, in_noise, on_one_scale
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import Interval, interval
from shortcut1d.data import degradations, signals
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, Sound, main
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import UNSEEN_CONTENT, EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, indices

CONTENTS = ("note", "melody")
DEGRADATIONS = ("hiss", "clicks", "hum")
NEW_NOISES = ("clicks", "hum")  # to the networks that are shown
SHOWN = "hiss"  # the degradation whose networks are drawn and heard
NETWORKS: dict[str, Callable[[Any], Network]] = {
    "conv": lambda config: networks.ConvNet(width=config.width),
    "conv_skip": lambda config: networks.ConvNet(width=config.width, skip=True),
    "mlp": lambda config: networks.MLP(width=config.mlp_width),
    "mlp_skip": lambda config: networks.MLP(width=config.mlp_width, skip=True),
}


@dataclass(frozen=True)
class Config(TrainConfig):
    """Everything the study depends on."""

    networks: tuple[str, ...] = option(("conv", "mlp"), f"which of {', '.join(NETWORKS)}")
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
        errors.distinct("networks", self.networks, NETWORKS)
        with errors.reported_as("mlp_width"):
            networks.MLP(self.mlp_width)
        errors.number("seconds", self.seconds, low=1, high=60, unit="seconds")
        with errors.reported_as("hum"):
            degradations.hum(self.hum)
        families(self, seed=0)
        signals.tune(self.tune, self.notes)
        if self.recording is not None:
            signals.recording(str(self.recording), rate=RATE)


def families(config: Config, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Contents and degradations to train on, by name.

    Each seed has clicks of its own, so that intervals cover the choice of clicks.
    """
    melody = signals.melody(config.notes, config.low, config.high)
    contents = {"note": signals.note(config.pitch), "melody": melody}
    noises = {
        "clicks": degradations.clicks(config.shapes, bank=seed, level=config.level),
        "hiss": degradations.hiss(level=config.level),
        "hum": degradations.hum(config.hum, level=config.level),
    }
    return contents, noises


def unseen_contents(config: Config) -> dict[str, Any]:
    """Contents that no network is trained on, by name."""
    trained, _ = families(config, seed=0)
    contents = {
        "another note": trained["note"].unseen(),
        "other melodies": trained["melody"].unseen(),
        "tune": signals.tune(config.tune, config.notes),
    }
    if config.recording is not None:
        contents["recording"] = signals.recording(str(config.recording), rate=RATE)
    return contents


def one_run(
    config: Config, unseen: dict[str, Any], network: str, content: str, noise: str, seed: int
) -> Run:
    """One network: what it is trained on and what it is tested on."""
    contents, noises = families(config, seed)
    others = noises | {noise: noises[noise].unseen(), "dropout": degradations.dropout()}
    others = {f"other {n}" if n == noise else n: family for n, family in others.items()}
    tests = make_test_sets((content, contents[content]), (noise, noises[noise]), unseen, others)
    cell = Cell(contents[content], noises[noise], NETWORKS[network](config), seed)
    return Run(cell, network, content, noise, tests)


def run(config: Config, session: Session) -> Result:
    """Train and test every network, and keep a few waveforms and sounds."""
    unseen = unseen_contents(config)
    span = analysis.oracles.basis_of(signals.note(config.pitch).sample(jax.random.key(0), 16))
    runs = [
        one_run(config, unseen, name, content, noise, seed)
        for name in config.networks
        for seed in config.all_seeds()
        for content in CONTENTS
        for noise in DEGRADATIONS
    ]

    def shown(run: Run) -> bool:
        return run.cell.seed == config.first_seed and run.degradation == SHOWN

    swept = sweep(runs, config.schedule(), EvalConfig(config.samples, span), session, keep=shown)
    tables = [swept.table]
    for run in runs:
        if run.network == config.networks[0] and run.degradation == SHOWN:
            tables.append(untrained_rows(run, config.samples))
    # By network and by content.
    weights: dict[str, dict[str, Any]] = {name: {} for name in config.networks}
    for position, params in swept.weights.items():
        weights[runs[position].network][runs[position].content] = params
    first = config.networks[0]
    arrays = waveforms(config, NETWORKS[first](config), weights[first])
    heard = next((name for name in config.networks if name.startswith("conv")), None)
    sounds = performance(config, NETWORKS[heard](config), weights[heard]) if heard else {}
    return Result(pd.concat(tables, ignore_index=True), arrays, sounds)


def waveforms(config: Config, network: Network, weights: dict[str, Any]) -> dict[str, np.ndarray]:
    """Input, target and output of one window, `(3, length)`, by content and situation."""
    contents, noises = families(config, config.first_seed)
    tune = signals.tune(config.tune, config.notes)
    known, others = (SHOWN, noises[SHOWN]), {noise: noises[noise] for noise in NEW_NOISES}
    shown = {}
    for name, params in weights.items():
        _, *tests = make_test_sets((name, contents[name]), known, {"tune": tune}, others)
        for situation, test in zip(SITUATIONS, tests, strict=True):
            shown[f"{name}, {situation}"] = (params, test)
    drawn = evaluation.windows(network, list(shown.values()))
    return dict(zip(shown, drawn[..., 0], strict=True))


def performance(config: Config, network: Network, weights: dict[str, Any]) -> dict[str, Sound]:
    """The tune, degraded, and what each network makes of it; a conv net runs on any length."""
    clean = signals.tune(config.tune, config.notes).perform(RATE, config.seconds)[None, :, None]
    # Long windows, since the clicks of a window go round its end.
    noises = {
        "hiss": degradations.hiss(level=config.level, length=2048),
        "clicks": degradations.clicks(config.shapes, pulses=96, level=config.level, length=2048),
    }
    heard = {"1_target": clean}
    for number, (noise, family) in enumerate(noises.items(), start=2):
        heard[f"{number}_{noise}_input"] = in_noise(clean, family)
    for content, params in weights.items():
        denoise = networks.denoiser(network, params)
        for number, noise in enumerate(noises, start=2):
            output = denoise(heard[f"{number}_{noise}_input"])
            heard[f"{number}_{noise}_output_{content}_trained"] = output
    return on_one_scale(heard, clean)


def index_of(table: pd.DataFrame, network: str, column: str) -> xr.DataArray:
    """A measure of one kind of network (see `indices`) as `(content, degradation, seed)`."""
    own = indices(table[table["network"] == network])
    return array_of(own, column, "content", "degradation", "seed")


def under_hiss(table: pd.DataFrame, network: str, content: str) -> pd.DataFrame:
    """Tests of the networks of a kind that were trained on a content under hiss."""
    chosen = (table["network"] == network) & (table["content"] == content)
    return table[chosen & (table["degradation"] == SHOWN)]


def level_of_note(own: pd.DataFrame) -> np.ndarray:
    """How much louder the one note is in the output than in the input, on other music, in dB.

    own: tests of networks that were trained on the note. One value a seed.
    """
    heard = own[(own["test"] == UNSEEN_CONTENT) & (own["test_content"] != "another note")]
    # Content and noise do not correlate: the input has the power of both.
    powers = pd.DataFrame(
        {
            "seed": heard["seed"],
            "output": heard["output_in_span"] * heard["output_power"],
            "input": heard["input_in_span"] * (1 + heard["nmse"] / heard["relative_error"]),
        }
    )
    mean = powers.groupby("seed").mean()
    return np.asarray(decibels(mean["output"] / mean["input"]))


def kept(own: pd.DataFrame, *contents: str) -> np.ndarray:
    """Share that is kept of contents never heard, `1 - NMSE`; one value a seed."""
    chosen = own[(own["test"] == UNSEEN_CONTENT) & own["test_content"].isin(contents)]
    return 1 - chosen.groupby("seed")["nmse"].mean().to_numpy()


def removed(own: pd.DataFrame, *noises: str) -> np.ndarray:
    """Share of some noises that is removed from known content; one value a seed."""
    chosen = own[(own["test"] != UNSEEN_CONTENT) & own["test_degradation"].isin(noises)]
    return 1 - chosen.groupby("seed")["relative_error"].mean().to_numpy()


def largest_mean(values: np.ndarray) -> float:
    """The largest mean over seeds, of several networks."""
    return float(np.max(np.mean(values, axis=0)))


def least_mean(values: np.ndarray) -> float:
    """The least mean over seeds, of several networks."""
    return float(np.min(np.mean(values, axis=0)))


def claims(table: pd.DataFrame) -> list[Claim]:
    """Both halves of the story, of the networks that were trained under hiss.

    A claim about one note takes the network for which it is least true, so it is about all.
    """
    names = trained_networks(table)
    of_note = [under_hiss(table, name, "note") for name in names]
    values: dict[str, Any] = {
        "level": (np.stack([level_of_note(own) for own in of_note], axis=1), least_mean),
        "loses": (np.stack([kept(own, "tune") for own in of_note], axis=1), largest_mean),
        "removes": (np.stack([removed(own, *NEW_NOISES) for own in of_note], axis=1), least_mean),
    }
    if "conv" in names:
        of_melodies = under_hiss(table, "conv", "melody")
        music = ("another note", "other melodies", "tune")
        values["plays"] = (kept(of_melodies, *music)[:, None], least_mean)
        transfer = removed(of_melodies, "hum") / removed(of_melodies, SHOWN)
        values["hum"] = (transfer[:, None], least_mean)
    return [
        REGISTERED.claim(name, found, Sentence.__members__, of=of)
        for name, (found, of) in values.items()
    ]


COLORS = {"note": plotting.BLUE, "melody": plotting.RED}
MARKERS = {"clicks": "v", "hiss": "o", "hum": "s"}
TRAINED_ON = {"note": "one note", "melody": "melodies"}
# By what was not heard in training: title, what the network does to it, and where the table has it.
SITUATIONS = {
    "tune": ("a tune it never heard", "keeps", "test_content", "nmse"),
    "clicks": ("clicks it never heard", "removes", "test_degradation", "relative_error"),
    "hum": ("a hum it never heard", "removes", "test_degradation", "relative_error"),
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Waveforms above; every network in the plane of kept content and removed degradation."""
    names = trained_networks(table)
    heights = [2.9] + [2.8] * len(names)
    figure = plotting.new_figure(sum(heights))
    above, *below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights).flat
    _draw_waveforms(above, table[table["network"] == names[0]], arrays)
    for part, name in zip(below, names, strict=True):
        _draw_plane(part, table, name)
    return figure


def _draw_waveforms(part: Any, table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> None:
    panels = part.subplots(2, 3, sharex=True, sharey=True)
    for row, content in zip(panels, CONTENTS, strict=True):
        own = table[(table["content"] == content) & (table["degradation"] == SHOWN)]
        color, words = COLORS[content], TRAINED_ON[content]
        for axes, (name, situation) in zip(row, SITUATIONS.items(), strict=True):
            heard, verb, column, measure = situation
            given, target, output = arrays[f"{content}, {name}"]
            plotting.waveforms(axes, given, target, output, color, f"output, trained on {words}")
            left = own[own[column] == name].sort_values("seed")[measure].to_numpy()
            share = percent(interval(np.clip(1 - left, -1, 1)))
            axes.set_title(f"{verb} {share}", fontsize=7, color=color, pad=2)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            if axes in panels[0]:
                axes.annotate(
                    heard, (0.5, 1.28), xycoords="axes fraction", ha="center", weight="bold"
                )
            else:
                axes.set_xlabel("time (samples)")
        row[0].set_ylabel(
            f"trained on\n{words}\n(+ hiss)", rotation=0, ha="right", va="center", color=color,
            weight="bold",
        )  # fmt: skip
    lines = {line.get_label(): line for axes in panels[:, 0] for line in axes.get_lines()}
    part.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4)


def _draw_plane(part: Any, table: pd.DataFrame, network: str) -> None:
    plane, responses = part.subplots(1, 2, width_ratios=[1.25, 1])
    plotting.transfer_plane(plane)
    measures = [index_of(table, network, name) for name in ("kept", "removed", "rho")]
    groups = list(itertools.product(CONTENTS, DEGRADATIONS))
    for row, (content, noise) in enumerate(groups):
        kept, removed, rho = (
            interval(each.sel(content=content, degradation=noise)) for each in measures
        )
        color, marker = COLORS[content], MARKERS[noise]
        plotting.cross(plane, kept, removed, color, marker)
        plotting.bar(responses, rho, row, color, marker)
        verdict = VERDICTS[analysis.verdict(kept.estimate, removed.estimate)]
        said = f"{TRAINED_ON[content]} + {noise}:\n{verdict}"
        responses.text(-0.04, row, said, color=color, ha="right", va="center")
    for name, marker in ((WIENER, "D"), (MEDIAN, "*")):
        for content, color in COLORS.items():
            place = [
                float(index_of(table, name, part).sel(content=content, degradation=SHOWN).mean())
                for part in ("kept", "removed")
            ]
            plane.plot(*place, marker, color=color, markerfacecolor="white", markersize=5)
    responses.set_yticks([])
    responses.set_ylim(len(groups) - 0.5, -0.5)
    responses.spines["left"].set_visible(False)
    responses.set_xlim(0, 1)
    responses.set_xlabel("novelty response $\\rho$\n(0 blocks white noise, 1 passes it)")
    plane.set_title(
        f"{network}: what {table['seed'].nunique()} networks of each kind fitted "
        "(mean, 95% interval);\n"
        "hollow: filters of the same tasks under hiss (diamond: Wiener, star: median)",
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


REGISTERED = registered.of("music_note")
experiment = Experiment(
    name="music_note",
    message=(
        "A network trained on one note under hiss plays mostly that note: a tune is lost, and "
        "noise that it never heard goes with it. One trained on melodies plays any melody, and "
        "lets a hum through."
    ),
    presets={
        "smoke": Config(seeds=2, width=4, mlp_width=8, steps=20, batch=8, samples=16, seconds=1.0),
        "quick": Config(steps=300),
        "full": Config(
            seeds=16, first_seed=3000, networks=("conv", "conv_skip", "mlp"), width=24, steps=4000,
            batch=64,
        ),
        "kept": Config(**REGISTERED.settings),
    },
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
