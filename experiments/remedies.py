"""Remedies: what people try against the shortcut, and against which unseen degradation it helps.

Conv nets are trained on melodies under clicks of one shape, where a network learns the click, with
each remedy in turn: other noise in some of the samples or on top, fewer melodies, dropout, early
stopping, sharpness-aware training. They are tested on a tune under four degradations that none of
them knows. `analysis.balance` advises, from samples, how many melodies or click shapes there should
be. No remedy takes more gradients than training without any.
"""

import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.papers import Sentence
from common.signal_tasks import BANKS, TrainConfig, check_banks, decibels, make_test_sets
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import interval
from shortcut1d.data import composition, degradations, signals
from shortcut1d.data.family import draw
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training.evaluation import SEEN, UNSEEN_BOTH, EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of

NOTHING, FEWER, ADVISED = "nothing", "fewer melodies (advised)", "clicks of more shapes (advised)"
WIDEST, OR_HISS, OR_HUMS, OR_GAPS = "clicks of 256 shapes", "or hiss", "or hums", "or gaps"
WIDTHS = (2, 4, 16, 64, 256)  # shapes of the banks that could be trained on instead
# Unseen degradations, and the remedy that is wide in the direction of each.
DIRECTIONS = {
    "other clicks": WIDEST, "pink noise": OR_HISS, "a hum": OR_HUMS, "wider gaps": OR_GAPS,
}  # fmt: skip


@dataclass(frozen=True)
class Config(TrainConfig):
    """How strong the remedies are."""

    batch: int = option(16, "fresh samples a step")
    noise: float = option(-10.0, "level of the hiss that noise augmentation adds, dB")
    dropout: float = option(0.3, "share of the last hidden channels that dropout silences")
    sharpness: float = option(0.05, "radius of sharpness-aware minimisation")
    contents: int = option(1024, "melodies that the advice on balance is taken from")

    def __post_init__(self) -> None:
        super().__post_init__()
        with errors.reported_as("noise"):
            degradations.hiss(level=self.noise)
        with errors.reported_as("dropout"):
            networks.WithDropout(networks.ConvNet(), self.dropout)
        self.schedule(sharpness=self.sharpness)
        errors.integer("contents", self.contents, low=64, high=2**16)
        check_banks(self.samples)


class Remedy(NamedTuple):
    """What is trained, on what, and how."""

    network: Network
    content: Any
    degradation: Any
    schedule: Schedule


def unseen(seed: int) -> dict[str, Any]:
    """Degradations that no remedy trains on, by name."""
    return {
        "other clicks": degradations.unseen_banks(degradations.clicks(bank=seed), BANKS),
        "pink noise": degradations.hiss(color=-1.0),
        "a hum": degradations.hum(18),
        "wider gaps": degradations.dropout().unseen(),
    }


def remedies(config: Config, keep: int, shapes: int, seed: int) -> dict[str, Remedy]:
    """By name; keep, shapes: advised numbers of melodies and of click shapes."""
    conv, melodies = networks.ConvNet(width=config.width), signals.melody()
    usual, clicks, gaps = config.schedule(), degradations.clicks(bank=seed), degradations.dropout()
    hums = [degradations.hum(pitch) for pitch in (5, 8, 12, 15, 22, 27, 33, 40)]
    trained_on = {
        NOTHING: clicks,
        ADVISED: degradations.clicks(shapes, bank=seed),
        WIDEST: degradations.clicks(WIDTHS[-1], bank=seed),
        OR_HISS: composition.any_of(clicks, degradations.hiss()),
        OR_HUMS: composition.any_of(clicks, *hums),
        OR_GAPS: composition.any_of(clicks, gaps),
        "hiss on top": composition.in_turn(clicks, degradations.hiss(level=config.noise)),
        "gaps on top": composition.in_turn(clicks, gaps),
    }
    made = {name: Remedy(conv, melodies, noise, usual) for name, noise in trained_on.items()}
    early = config.schedule(checkpoints=(max(1, config.steps // 4),))
    # Two gradients a step: half of the steps.
    sharp = config.schedule(steps=max(1, config.steps // 2), sharpness=config.sharpness)
    return made | {
        FEWER: Remedy(conv, signals.pool(melodies, keep, seed), clicks, usual),
        "dropout": Remedy(networks.WithDropout(conv, config.dropout), melodies, clicks, usual),
        "early stopping": Remedy(conv, melodies, clicks, early),
        "sharpness-aware": Remedy(conv, melodies, clicks, sharp),
    }


def advice(config: Config) -> analysis.Advice:
    """How many melodies, or how many shapes, `balance` advises from samples of seed 0."""
    pool = signals.pool(signals.melody(), config.contents)
    melodies = jax.jit(signals.Pool.members)(pool, np.arange(config.contents))

    def clicks(shapes: int) -> Any:
        return draw(degradations.clicks(shapes), jax.random.key(1), config.contents)

    return analysis.balance(melodies, clicks(1), {str(count): clicks(count) for count in WIDTHS})


def run(config: Config, session: Session) -> Result:
    """Take the advice, train every remedy, and test all of them alike."""
    advised = advice(config)
    # Where no range is wide enough, take the widest.
    keep, shapes = advised.keep, 1 if advised.balanced else int(advised.widen or WIDTHS[-1])
    runs = []
    for seed in config.all_seeds():
        tests = make_test_sets(
            ("melody", signals.melody()), ("clicks", degradations.clicks(bank=seed)),
            {"tune": signals.tune()}, unseen(seed), both=True,
        )  # fmt: skip
        for name, remedy in remedies(config, keep, shapes, seed).items():
            cell = Cell(remedy.content, remedy.degradation, remedy.network, seed)
            runs.append(Run(cell, name, "melody", "clicks", tests, schedule=remedy.schedule))
    table = sweep(runs, config.schedule(), EvalConfig(config.samples), session).table
    return Result(table.assign(advised_melodies=keep, advised_shapes=shapes))


def gains(table: pd.DataFrame) -> xr.DataArray:
    """Error on the tune below that with no remedy, in dB, `(seed, network, test_degradation)`."""
    rows = table[table["test"] == UNSEEN_BOTH]
    error = array_of(rows, "nmse", "seed", "network", "test_degradation")
    return -decibels(error / error.sel(network=NOTHING, drop=True))


def costs(table: pd.DataFrame) -> xr.DataArray:
    """Error on melodies under the clicks above that with no remedy, in dB, `(seed, network)`."""
    error = array_of(table[table["test"] == SEEN], "nmse", "seed", "network")
    return decibels(error / error.sel(network=NOTHING, drop=True))


def in_direction(gain: xr.DataArray) -> xr.DataArray:
    """Gain of a wider degradation in its own direction, less its mean gain in the others; a mean
    over the four of them, `(seed,)`.
    """
    own, others = [], []
    for test, remedy in DIRECTIONS.items():
        of_remedy = gain.sel(network=remedy, test_degradation=list(DIRECTIONS))
        own.append(of_remedy.sel(test_degradation=test, drop=True))
        rest = of_remedy.drop_sel(test_degradation=test)
        others.append(rest.mean("test_degradation", skipna=False))
    return (xr.concat(own, "remedy") - xr.concat(others, "remedy")).mean("remedy", skipna=False)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered."""
    gain = gains(table)
    values = {
        "richer": gain.sel(network=WIDEST, test_degradation="other clicks"),
        "direction": in_direction(gain),
        "fewer": gain.sel(network=FEWER).mean("test_degradation", skipna=False),
    }
    return REGISTERED.claims_on(values, Sentence.__members__)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """What each remedy gains under each unseen degradation, and what it costs on the seen one."""
    gain, cost = gains(table).sel(test_degradation=list(DIRECTIONS)), costs(table)
    mean = gain.mean("seed")
    names = list(mean.mean("test_degradation").to_series().sort_values(ascending=False).index)
    names.remove(NOTHING)
    figure = plotting.new_figure(3.1)
    cells, overall, price = figure.subplots(1, 3, sharey=True, width_ratios=[1.9, 1, 1])
    values = mean.sel(network=names).values
    drawn = cells.imshow(values, cmap=plotting.DIVERGING, vmin=-6, vmax=6, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        own = list(DIRECTIONS.values())[column] == names[row]
        cells.text(
            column, row, f"{value:+.1f}", ha="center", va="center", fontsize=6.5,
            weight="bold" if own else "normal", color="white" if abs(value) > 4 else plotting.INK,
        )  # fmt: skip
    cells.set_xticks(range(len(DIRECTIONS)), list(DIRECTIONS), rotation=20, fontsize=6.5)
    for row, name in enumerate(names):
        of_remedy = gain.sel(network=name).mean("test_degradation")
        plotting.bar(overall, interval(of_remedy), row, plotting.INK, "o")
        plotting.bar(price, interval(cost.sel(network=name)), row, plotting.INK, "o")
    labels = [f"clicks {name}" if name.startswith("or ") else name for name in names]
    plotting.name_rows(cells, labels, fontsize=6.5)
    for axes in (overall, price):
        axes.axvline(0, color=plotting.PALE, linewidth=0.8, zorder=0)
    cells.set_title("gain on a tune under what none knows (dB)", fontsize=7, loc="left")
    overall.set_xlabel("mean gain (dB, 95%)")
    price.set_xlabel("cost on what it\nknows (dB, 95%)")
    plotting.color_bar(figure, drawn, cells, location="bottom", aspect=40, extend="both")
    melodies, shapes = table[["advised_melodies", "advised_shapes"]].iloc[0]
    figure.supxlabel(
        f"bold: in the direction of the test; advised: {melodies:g} melodies, or {shapes:g} shapes",
        fontsize=6.5,
    )
    return figure


REGISTERED = registered.of("remedies")
experiment = Experiment(
    name="remedies",
    message=(
        "Variety of clicks or hiss helps against unseen ones of both, at a cost on the seen one; "
        "variety of hums or gaps hardly helps; fewer melodies gain nothing."
    ),
    presets={
        "smoke": Config(seeds=2, width=2, steps=10, batch=8, samples=16, contents=64),
        "quick": Config(seeds=6),
        "full": Config(
            seeds=40, first_seed=2000, width=32, steps=4000, batch=64, samples=512, contents=4096
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
