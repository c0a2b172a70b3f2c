"""Calibration: what each measure reads on denoisers whose answer is known.

Mixtures of the projector on the content and the subtractor of the degradation, identity and silence
against closed forms. Then two kinds of trained network whose optimum is known: linear networks on
Gaussian families must reach the Wiener filter's risk, and conv nets on a handful of contents must
come nearer to their posterior mean the longer they are trained.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
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
        if not self.pool_steps or list(self.pool_steps) != sorted(set(self.pool_steps)):
            raise errors.refuse("pool_steps", self.pool_steps, "values in rising order")
        for steps in (self.linear_steps, *self.pool_steps):
            Schedule(steps, self.batch, self.learning_rate)


def run(config: Config, session: Session) -> Result:
    """Measures of the oracles, then the trained networks against their optima."""
    parts = [
        pd.DataFrame([row for seed in range(config.seeds) for row in _oracles(config, seed)]),
        _linear(config, session),
        _pool(config, session),
    ]
    return Result(pd.concat(parts, ignore_index=True))


def _oracles(config: Config, seed: int) -> Iterator[dict[str, Any]]:
    """Rows of what each measure reads on each oracle, and the truth."""
    # Four disjoint bands: what an oracle knows, and what it does not.
    known, new = signals.band(8), signals.band(high=16, low=9)
    layer, new_layer = (
        degradations.hiss(low=20, high=29),
        degradations.hiss(low=40, high=55),
    )
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), SIZE), 5)
    p_c, p_d = (oracles.basis_of(f.sample(keys[0], 300)) for f in (known, layer))
    unseen_content = draw_pair(keys[1], new, layer, config.samples)
    unseen_layer = draw_pair(keys[2], known, new_layer, config.samples)
    _, inputs = draw_pair(keys[3], known, layer, config.samples)
    of_new = new.sample(keys[4], config.samples)
    rank_c, rank_d = p_c.shape[1], p_d.shape[1]

    def read(denoiser: Callable[[Any], Any]) -> dict[str, float]:
        index = analysis.fitted_index(denoiser, unseen_content, unseen_layer)
        clean, degraded = unseen_layer
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
        inner, trace = float(rank_c), rank_c + (1 - alpha) * rest
        energy = rank_c + (1 - alpha) ** 2 * rest
        parts = (jnp.full(1, part) for part in (inner, trace, energy))
        return float(analysis.alignment(*parts, SIZE, rank_c)[0])

    for alpha in np.linspace(0, 1, config.mixtures):
        mixed = oracles.mixture(alpha, oracles.projector(p_c), oracles.subtractor(p_d))
        truth = {
            PHI: 2 * alpha - 1, KEPT: 1 - alpha**2, REMOVED: 1 - (1 - alpha) ** 2,
            RHO: (alpha * rank_c + (1 - alpha) * (SIZE - rank_d)) / SIZE, NOVEL: 1 - alpha,
            LEAK: 1 - alpha, ALIGNED: aligned(alpha),
        }  # fmt: skip
        for measure, value in read(mixed).items():
            yield _row("mixture", seed, alpha, measure, value, truth[measure])
    for name, oracle, passes in (("identity", oracles.identity, 1.0), ("zero", oracles.zero, 0.0)):
        truth = {PHI: 0.0, RHO: passes, NOVEL: passes, LEAK: passes, ALIGNED: 0.0}
        found = read(oracle)
        for measure, right in truth.items():
            yield _row(name, seed, np.nan, measure, found[measure], right)


def _row(
    part: str, seed: int, setting: float, measure: str, value: float, truth: float
) -> dict[str, Any]:
    return {
        "part": part, "seed": seed, "setting": setting, "measure": measure, "value": value,
        "truth": truth,
    }  # fmt: skip


def gaussian_pairs() -> dict[str, tuple[Any, Any]]:
    """Gaussian contents and layers, which have a best linear denoiser."""
    return {
        "band(16) + white hiss": (signals.band(16), degradations.hiss()),
        "band(40) + brown hiss": (signals.band(40), degradations.hiss(color=2.0, low=1.0)),
        "band(30, from 5) + white hiss, 6 dB": (
            signals.band(30, 5),
            degradations.hiss(level=6.0),
        ),
    }


def _linear(config: Config, session: Session) -> pd.DataFrame:
    """Risk of trained linear networks, and of the Wiener filter."""
    linear = networks.MLP(width=1, depth=1)
    runs = [
        Run(
            Cell(*families, linear, seed), "linear", name, name,
            [TestSet(SEEN, name, name, *families)],
        )
        for name, families in gaussian_pairs().items()
        for seed in range(config.seeds)
    ]  # fmt: skip
    schedule = Schedule(config.linear_steps, config.batch, config.learning_rate)
    eval_config = EvalConfig(32 * config.samples, np.eye(SIZE, 1, dtype=np.float32), probes=1)
    table = sweep(runs, schedule, eval_config, session).table
    rows = []
    for number, (name, families) in enumerate(gaussian_pairs().items()):
        spectra = [
            oracles.power_spectrum(jax.jit(type(f).sample, static_argnums=2)(f, key, 2**15))
            for f, key in zip(families, jax.random.split(jax.random.key(1)))
        ]
        best = oracles.wiener_risk(*spectra) / float(np.sum(spectra[0]))
        for _, line in table[table["content"] == name].iterrows():
            rows.append(_row("linear", line["seed"], number, "nmse", line["nmse"], best))
            rows[-1]["name"] = name
    return pd.DataFrame(rows)


def _pool(config: Config, session: Session) -> pd.DataFrame:
    """How far conv nets are from the posterior mean, the longer they are trained the less."""
    # The posterior mean looks at the whole window, so the net must: 161 samples.
    conv = networks.ConvNet(width=config.width, dilations=(1, 2, 4, 8, 4, 1))
    noise = degradations.hiss(level=config.level)
    sigma = 10 ** (config.level / 20)
    rows = []
    for steps in config.pool_steps:
        runs = [
            Run(
                Cell(family, noise, conv, seed), "conv", "pool", "hiss",
                [TestSet(SEEN, "pool", "hiss", family, noise)],
            )
            for seed in range(config.seeds)
            for family in [signals.pool(signals.melody(), config.pool, seed)]
        ]  # fmt: skip
        schedule = Schedule(steps, config.batch, config.learning_rate)
        eval_config = EvalConfig(config.samples, np.eye(SIZE, 1, dtype=np.float32), probes=1)
        trained = sweep(runs, schedule, eval_config, session, keep=lambda one_run: True)
        for position, params in trained.weights.items():
            cell = runs[position].cell
            members = np.unique(cell.content.sample(jax.random.key(2), 64 * config.pool), axis=0)
            # A circular conv net cannot know where a window begins: it sees every shift alike.
            shifted = np.concatenate([np.roll(members, shift, axis=1) for shift in range(SIZE)])
            oracle = oracles.posterior_mean(shifted, sigma)
            clean, degraded = draw_pair(
                cell.key("test"), cell.content, cell.degradation, config.samples
            )
            best, output = oracle(degraded), networks.denoiser(conv, params)(degraded)
            power = jnp.mean(clean**2)
            for measure, value in (
                ("distance", jnp.mean((output - best) ** 2) / power),
                ("nmse", jnp.mean((output - clean) ** 2) / power),
            ):
                right = 0.0 if measure == "distance" else jnp.mean((best - clean) ** 2) / power
                rows.append(_row("pool", cell.seed, steps, measure, float(value), float(right)))
    return pd.DataFrame(rows)


def _largest_error(table: pd.DataFrame, measure: str) -> np.ndarray:
    chosen = table[(table["part"] == "mixture") & (table["measure"] == measure)]
    return (chosen["value"] - chosen["truth"]).abs().groupby(chosen["seed"]).max().to_numpy()


def claims(table: pd.DataFrame) -> list[Claim]:
    """Calibrated to 0.02; the linear optimum reached to 5%; the posterior mean approached."""
    made = [
        claim_mean(
            f"{measure} is calibrated on mixtures of oracles",
            "largest error",
            _largest_error(table, measure),
            "below",
            0.02,
        )
        for measure in (PHI, RHO)
    ]
    linear = table[table["part"] == "linear"]
    ratio = (linear["value"] / linear["truth"]).groupby([linear["name"], linear["seed"]]).first()
    for name in dict.fromkeys(linear["name"]):
        made.append(
            claim_mean(
                f"a linear network on {name} reaches the Wiener filter",
                "risk / Wiener risk",
                ratio[name].to_numpy(),
                "below",
                1.05,
            )
        )
    pool = table[(table["part"] == "pool") & (table["measure"] == "distance")]
    by_steps = pool.pivot_table(index="seed", columns="setting", values="value")
    if by_steps.shape[1] > 1:
        made.append(
            claim_mean(
                "a conv net on a pool approaches the posterior mean as it is trained",
                f"distance after {by_steps.columns[-1]:g} steps / after {by_steps.columns[0]:g}",
                (by_steps.iloc[:, -1] / by_steps.iloc[:, 0]).to_numpy(),
                "below",
                0.5,
            )
        )
    return made


COLORS = {
    PHI: plotting.BLUE, KEPT: plotting.SKY, REMOVED: plotting.GREEN, RHO: plotting.RED,
    NOVEL: plotting.ORANGE, LEAK: plotting.PINK, ALIGNED: plotting.GREY,
}  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """What is read against what is true; risks against their optima."""
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.6), layout="constrained")
        above, below = figure.subfigures(2, 1)
        readings, errors_of = above.subplots(1, 2, width_ratios=[1.5, 1])
        risks, distance = below.subplots(1, 2)
        _draw_readings(readings, errors_of, table)
        _draw_linear(risks, table)
        _draw_pool(distance, table)
        return figure


def _draw_readings(readings: Any, errors_of: Any, table: pd.DataFrame) -> None:
    mixtures = table[table["part"] == "mixture"]
    for row, (measure, color) in enumerate(COLORS.items()):
        chosen = mixtures[mixtures["measure"] == measure]
        truth = chosen.groupby("setting")["truth"].first()
        readings.plot(truth.index, truth, color=color, linewidth=0.8)
        mean = bootstrap_each(part.to_numpy() for _, part in chosen.groupby("setting")["value"])
        readings.vlines(truth.index, mean.low, mean.high, color=color)
        readings.plot(truth.index, mean.estimate, "o", color=color, markersize=5 - row / 2)
        plotting.bar(errors_of, bootstrap(_largest_error(table, measure)), row, color, "o")
    readings.set_xlabel("share of the projector in the mixture")
    readings.set_ylabel("reading (line: truth)")
    errors_of.axvline(0.02, color=plotting.INK, linewidth=0.6, linestyle=":")
    errors_of.set_yticks(range(len(COLORS)), list(COLORS), fontsize=6)
    for tick, color in zip(errors_of.get_yticklabels(), COLORS.values()):  # as a legend
        tick.set_color(color)
    errors_of.set_ylim(len(COLORS) - 0.5, -0.5)
    errors_of.set_xlim(left=0)
    errors_of.set_xlabel("largest error")


def _draw_linear(axes: Any, table: pd.DataFrame) -> None:
    linear = table[table["part"] == "linear"]
    ratio = linear["value"] / linear["truth"]
    names = list(dict.fromkeys(linear["name"]))
    for row, name in enumerate(names):
        found = bootstrap(ratio[linear["name"] == name].to_numpy())
        plotting.bar(axes, found, row, plotting.BLUE, "o")
    axes.axvline(1.0, color=plotting.INK, linewidth=0.6)
    axes.axvline(1.05, color=plotting.INK, linewidth=0.6, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("risk of a linear network / Wiener risk")


def _draw_pool(axes: Any, table: pd.DataFrame) -> None:
    pool = table[table["part"] == "pool"]
    for measure, color, name in (
        ("nmse", plotting.ORANGE, "error"),
        ("distance", plotting.BLUE, "distance to the\nposterior mean"),
    ):
        chosen = pool[pool["measure"] == measure]
        mean = bootstrap_each(part.to_numpy() for _, part in chosen.groupby("setting")["value"])
        steps = sorted(chosen["setting"].unique())
        axes.vlines(steps, mean.low, mean.high, color=color)
        axes.plot(steps, mean.estimate, "o-", color=color, markersize=3, label=name)
    best = pool[pool["measure"] == "nmse"]["truth"].mean()
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
    summary=__doc__,
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
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
