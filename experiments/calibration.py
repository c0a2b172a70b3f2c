"""Calibration: what each measure reads on denoisers whose answer is known.

Mixtures of the projector on the content and the subtractor of the degradation, identity and silence
are compared with closed forms. Then come two kinds of trained network whose optimum is known.
Linear networks on Gaussian families must reach the Wiener filter's risk. Conv nets on a handful of
contents must come nearer to the posterior mean the longer they are trained.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from common import known_answers, linear_networks
from common.known_answers import read, row
from common.signal_tasks import seen_run
from matplotlib.figure import Figure

from shortcut1d import analysis, errors, networks, plotting
from shortcut1d.analysis import interval, interval_each, oracles
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

SIZE = 128
PHI, RHO, KEPT, REMOVED, NOVEL, LEAK, ALIGNED = (
    "phi", "rho", "kept", "removed", "rho along new content", "degradation gain", "like content",
)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """What is calibrated, and on how much."""

    seeds: int = option(5, "repetitions, each with its own draws or network")
    samples: int = option(512, "windows a measure is taken on")
    mixtures: int = option(11, "mixtures, from all subtractor to all projector")
    linear_steps: int = option(
        8000,
        "training steps of the linear networks: brown noise leaves frequencies that learn slowly",
    )
    pool: int = option(4, "contents of the pool")
    pool_steps: tuple[int, ...] = option(
        (50, 200, 800, 3200), "training steps of the conv nets on the pool"
    )
    width: int = option(24, "channels of the conv nets")
    batch: int = option(32, "fresh samples a step")
    learning_rate: float = option(3e-3, "Adam's, at the start of its cosine decay")
    level: float = option(0.0, "level of the noise on the pool, dB")

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("seeds", self.seeds, high=10_000)
        errors.integer("samples", self.samples, low=64)
        errors.integer("mixtures", self.mixtures, low=2, high=1000)
        errors.integer("pool", self.pool, high=256)
        networks.ConvNet(width=self.width)
        degradations.hiss(level=self.level)
        errors.rising("pool_steps", self.pool_steps)
        for steps in (self.linear_steps, *self.pool_steps):
            self.schedule(steps)

    def schedule(self, steps: int) -> Schedule:
        """How networks are trained for so many steps."""
        return Schedule(steps, self.batch, self.learning_rate)


def run(config: Config, session: Session) -> Result:
    """Measures of the oracles, then the trained networks against their optima."""
    parts = [
        pd.DataFrame([row for seed in range(config.seeds) for row in rows(config, seed)])
        for rows in (_oracles, _answers)
    ] + [
        linear_networks.train(
            config.seeds, 32 * config.samples, config.schedule(config.linear_steps), session
        ),
        _pool(config, session),
    ]
    return Result(pd.concat(parts, ignore_index=True))


def _answers(config: Config, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of how often intervals hold the mean, and of the structure test on oracles."""
    yield from known_answers.cover_rows(seed, 40 * config.samples)
    samples = 16 * config.samples
    yield from known_answers.structure_rows(seed, SIZE, samples, config.mixtures)


def _oracles(config: Config, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of what each measure reads on each oracle, and the truth."""
    # Four disjoint bands: what an oracle knows, and what it does not.
    known, new = signals.band(8), signals.band(high=16, low=9)
    noise, new_noise = degradations.hiss(low=20, high=29), degradations.hiss(low=40, high=55)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), SIZE), 5)
    p_c, p_d = (oracles.basis_of(f.sample(keys[0], 300)) for f in (known, noise))
    unseen_content = draw_pair(keys[1], new, noise, config.samples)
    unseen_noise = draw_pair(keys[2], known, new_noise, config.samples)
    _, inputs = draw_pair(keys[3], known, noise, config.samples)
    of_new = new.sample(keys[4], config.samples)
    rank_c, rank_d = p_c.shape[1], p_d.shape[1]

    def measured(denoiser: Callable[[Any], Any]) -> dict[str, float]:
        index = analysis.fitted_index(denoiser, unseen_content, unseen_noise)
        clean, degraded = unseen_noise
        gains = analysis.component_gains(denoiser(degraded), clean, degraded)
        picture = analysis.portrait(denoiser, inputs[:1], keys[4], {"content": p_c})
        white = analysis.novelty_response(denoiser, inputs, keys[4])
        along = analysis.novelty_response(denoiser, inputs, keys[4], of_new)
        return {
            PHI: index.phi, KEPT: index.kept, REMOVED: index.removed,
            RHO: float(white.rho), NOVEL: float(along.rho),
            LEAK: float(jnp.mean(gains.degradation)),
            ALIGNED: float(picture.aligned["content"][0]),
        }  # fmt: skip

    def aligned(alpha: float) -> float:
        # J = alpha P_C + (1 - alpha)(I - P_D): traces and norms of disjoint projectors.
        rest = SIZE - rank_c - rank_d
        inner, trace, energy = (
            jnp.full(1, rank_c + power * rest) for power in (0.0, 1 - alpha, (1 - alpha) ** 2)
        )
        return float(analysis.alignment(inner, trace, energy, SIZE, rank_c)[0])

    for alpha in np.linspace(0, 1, config.mixtures):
        mixed = oracles.mixture(alpha, oracles.projector(p_c), oracles.subtractor(p_d))
        truth = {
            PHI: 2 * alpha - 1, KEPT: 1 - alpha**2, REMOVED: 1 - (1 - alpha) ** 2,
            RHO: (alpha * rank_c + (1 - alpha) * (SIZE - rank_d)) / SIZE, NOVEL: 1 - alpha,
            LEAK: 1 - alpha, ALIGNED: aligned(alpha),
        }  # fmt: skip
        for measure, value in measured(mixed).items():
            yield row("mixture", seed, alpha, measure, value, truth[measure])
    for name, oracle, passes in (("identity", oracles.identity, 1.0), ("zero", oracles.zero, 0.0)):
        truth = {PHI: 0.0, RHO: passes, NOVEL: passes, LEAK: passes, ALIGNED: 0.0}
        found = measured(oracle)
        for measure, right in truth.items():
            yield row(name, seed, np.nan, measure, found[measure], right)


def _pool(config: Config, session: Session) -> pd.DataFrame:
    """How far conv nets are from the posterior mean, the longer they are trained the less."""
    # The posterior mean depends on the whole window, so the net must see it all: 161 samples.
    conv = networks.ConvNet(width=config.width, dilations=(1, 2, 4, 8, 4, 1))
    noise, sigma = degradations.hiss(level=config.level), 10 ** (config.level / 20)
    pools = [signals.pool(signals.melody(), config.pool, seed) for seed in range(config.seeds)]
    runs = [
        seen_run(conv, "conv", ("pool", pool), ("hiss", noise), seed)._replace(
            schedule=config.schedule(steps)
        )
        for steps in config.pool_steps
        for seed, pool in enumerate(pools)
    ]
    eval_config, usual = (
        EvalConfig(config.samples, probes=1),
        config.schedule(config.pool_steps[-1]),
    )
    weights = sweep(runs, usual, eval_config, session, keep=lambda run: True).weights
    rows = []
    for position, run in enumerate(runs):
        cell, steps = run.cell, config.pool_steps[position // config.seeds]
        members = np.unique(cell.content.sample(jax.random.key(2), 64 * config.pool), axis=0)
        # A circular conv net cannot know where a window begins: it sees every shift alike.
        shifted = np.concatenate([np.roll(members, shift, axis=1) for shift in range(SIZE)])
        clean, degraded = draw_pair(cell.key("test"), cell.content, noise, config.samples)
        best = oracles.posterior_mean(shifted, sigma)(degraded)
        output = networks.denoiser(conv, weights[position])(degraded)
        for measure, target, right in (("distance", best, best), ("nmse", clean, best)):
            value, truth = (
                jnp.mean((x - target) ** 2) / jnp.mean(clean**2) for x in (output, right)
            )
            rows.append(row("pool", cell.seed, steps, measure, float(value), float(truth)))
    return pd.DataFrame(rows)


def largest_errors(table: pd.DataFrame) -> xr.DataArray:
    """How far each reading on mixtures is off, at worst: `(seed, measure)`."""
    return abs(read(table, "mixture") - read(table, "mixture", "truth")).max("setting")


def claims(table: pd.DataFrame) -> list[Claim]:
    """Calibrated to 0.02; the linear optimum reached to 5%; the posterior mean approached."""
    error = largest_errors(table)
    made = [
        claim(
            f"{measure} is calibrated on mixtures of oracles", "largest error",
            error.sel(measure=measure), below=0.02,
        )
        for measure in (PHI, RHO)
    ]  # fmt: skip
    made += [
        claim(
            f"a linear network on {name} reaches the Wiener filter", "risk / Wiener risk", ratio,
            below=1.05,
        )
        for name, ratio in linear_networks.excess_risk(table).items()
    ]  # fmt: skip
    of_oracles, of_filter = known_answers.structure_errors(table)
    made += [
        claim("psi is calibrated on mixtures of oracles", "largest error", of_oracles, below=0.02),
        claim("psi of the Wiener filter is 0", "error", of_filter, below=0.02),
        claim(
            "95% intervals hold the mean, of skewed values and of few as well",
            "cover where it is least", known_answers.covers(table), of=known_answers.lowest,
            above=known_answers.PROMISED,
        ),
    ]  # fmt: skip
    for name, excess in linear_networks.excess_index(table).items():
        made.append(
            claim(
                f"a linear network on {name} has the index of the linear floor",
                "|phi - phi of the floor|", abs(excess), below=0.02,
            )
        )  # fmt: skip
    distance = read(table, "pool").sel(measure="distance")
    steps = distance["setting"].values
    if len(steps) > 1:
        made.append(
            claim(
                "a conv net on a pool approaches the posterior mean as it is trained",
                f"distance after {steps[-1]:g} steps / after {steps[0]:g}",
                distance[:, -1] / distance[:, 0], below=0.5,
            )
        )  # fmt: skip
    return made


COLORS = {
    PHI: plotting.BLUE, KEPT: plotting.SKY, REMOVED: plotting.GREEN, RHO: plotting.RED,
    NOVEL: plotting.ORANGE, LEAK: plotting.PINK, ALIGNED: plotting.GREY,
}  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """What is read against what is true; risks against their optima."""
    figure = plotting.new_figure(6.6)
    above, middle, below = figure.subfigures(3, 1, squeeze=False).flat
    readings, largest = above.subplots(1, 2, width_ratios=[1.5, 1])
    risks, excess, distance = middle.subplots(1, 3, width_ratios=[1, 0.6, 1])
    cover, oracle = below.subplots(1, 2)
    _draw_readings(readings, largest, table)
    linear_networks.draw(risks, excess, table)
    known_answers.draw_cover(cover, table)
    known_answers.draw_structure(oracle, table)
    _draw_pool(distance, table)
    return figure


def _draw_readings(readings: Any, largest: Any, table: pd.DataFrame) -> None:
    values, truths = read(table, "mixture"), read(table, "mixture", "truth")
    shares, error = values["setting"].values, largest_errors(table)
    for place, (measure, color) in enumerate(COLORS.items()):
        readings.plot(shares, truths.sel(measure=measure)[0], color=color, linewidth=0.8)
        mean = interval_each(values.sel(measure=measure))
        readings.vlines(shares, mean.low, mean.high, color=color)
        readings.plot(shares, mean.estimate, "o", color=color, markersize=5 - place / 2)
        plotting.bar(largest, interval(error.sel(measure=measure)), place, color, "o")
    readings.set_xlabel("share of the projector in the mixture")
    readings.set_ylabel("reading (line: truth)")
    largest.axvline(0.02, color=plotting.INK, linewidth=0.6, linestyle=":")
    plotting.name_rows(largest, list(COLORS), list(COLORS.values()), fontsize=6)  # as a legend
    largest.set_xlim(left=0)
    largest.set_xlabel("largest error")


def _draw_pool(axes: Any, table: pd.DataFrame) -> None:
    values = read(table, "pool")
    steps = values["setting"].values
    for measure, color, name in (
        ("nmse", plotting.ORANGE, "error"),
        ("distance", plotting.BLUE, "distance to the\nposterior mean"),
    ):
        mean = interval_each(values.sel(measure=measure))
        axes.vlines(steps, mean.low, mean.high, color=color)
        axes.plot(steps, mean.estimate, "o-", color=color, markersize=3, label=name)
    best = float(read(table, "pool", "truth").sel(measure="nmse").mean())
    axes.axhline(best, color=plotting.INK, linewidth=0.8, linestyle="--")
    axes.text(steps[0], best, "its own error", fontsize=6, va="bottom")
    axes.set_xscale("log")
    axes.set_xlabel("training steps")
    axes.set_title("conv net on a pool", fontsize=7, loc="left")
    axes.set_ylabel("NMSE")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=6)


experiment = Experiment(
    name="calibration",
    message=(
        "Readings on oracles lie on the lines of the closed forms, linear networks reach the "
        "Wiener filter, and a conv net on four contents comes near their posterior mean."
    ),
    presets={
        "smoke": Config(
            seeds=2, samples=64, mixtures=2, linear_steps=4, pool=2, pool_steps=(2, 4), width=2,
            batch=4,
        ),
        "quick": Config(),
        "full": Config(
            seeds=10, samples=2048, linear_steps=30_000, pool_steps=(50, 200, 800, 3200, 12_800)
        ),
        "kept": Config(),  # 3.5 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
