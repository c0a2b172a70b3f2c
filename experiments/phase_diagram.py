"""The phase diagram: which component a denoiser fits, over content frequency and noise complexity.

In every cell a network is trained on content of one bandwidth under clicks from a bank of one size,
and then given melodies and a tune, clicks from another bank, and hiss. Where content is simple and
noise rich it fits the content; where content is rich and noise simple, the noise.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from shortcut1d import analysis, content, degradation, errors, networks, panel, plotting
from shortcut1d.analysis import Interval, bootstrap
from shortcut1d.analysis.transfer import HALF
from shortcut1d.claims import Claim, claim_mean
from shortcut1d.grid import Cell
from shortcut1d.options import option
from shortcut1d.panel import SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION, Exam, Subject, Trial
from shortcut1d.study import Experiment, Outcome, main
from shortcut1d.sweep import Session, sweep
from shortcut1d.training import Schedule

NETWORKS = {
    "conv": lambda config: networks.ConvNet(width=config.width),
    "mlp": lambda config: networks.MLP(width=config.mlp_width),
}


@dataclass(frozen=True)
class Config:
    """Everything the experiment depends on."""

    seeds: int = option(2, "networks a cell, each with its own weights, data and clicks")
    networks: tuple[str, ...] = option(("conv", "mlp"), f"which of {', '.join(NETWORKS)}")
    frequencies: tuple[float, ...] = option(
        (1.0, 2.0, 5.0, 12.0, 26.0, 60.0), "band limits of the content, whole cycles per window"
    )
    shapes: tuple[int, ...] = option((1, 3, 9, 28, 84, 256), "click shapes in the bank, K")
    width: int = option(16, "channels of the convolutional net")
    mlp_width: int = option(256, "hidden units of the MLP")
    steps: int = option(250, "training steps")
    batch: int = option(32, "fresh samples a step")
    learning_rate: float = option(3e-3, "Adam's, at the start of its cosine decay")
    loss: str = option("mse", "mse or l1")
    samples: int = option(128, "windows a test")
    level: float = option(0.0, "level of the degradations against the content, dB")

    def __post_init__(self) -> None:
        errors.whole("seeds", self.seeds, high=10_000)
        for field in ("networks", "frequencies", "shapes"):
            values = getattr(self, field)
            if not values or len(set(values)) < len(values):
                raise errors.refuse(field, values, "at least one, each named once")
        for field in ("frequencies", "shapes"):
            if list(getattr(self, field)) != sorted(getattr(self, field)):
                raise errors.refuse(field, getattr(self, field), "values in rising order")
        for name in self.networks:
            errors.choice("networks", name, NETWORKS)
            NETWORKS[name](self)
        for frequency in self.frequencies:
            content.band(frequency)
        for count in self.shapes:
            degradation.clicks(count, level=self.level)
        errors.whole("samples", self.samples, low=2)
        Schedule(self.steps, self.batch, self.learning_rate, self.loss, segments=1)


def subject(config: Config, network: str, frequency: float, shapes: int, seed: int) -> Subject:
    """One cell. Every cell meets the same unseen content: one yardstick for the whole map."""
    band = content.band(frequency)
    clicks = degradation.clicks(shapes, bank=seed, level=config.level)
    hiss = degradation.hiss(level=config.level)
    tests = [
        Trial(SEEN, "band", "clicks", band, clicks),
        Trial(UNSEEN_CONTENT, "melody", "clicks", content.melody(), clicks),
        Trial(UNSEEN_CONTENT, "tune", "clicks", content.tune(), clicks),
        Trial(UNSEEN_DEGRADATION, "band", "other clicks", band, clicks.unseen()),
        Trial(UNSEEN_DEGRADATION, "band", "hiss", band, hiss),
    ]
    cell = Cell(band, clicks, NETWORKS[network](config), seed)
    return Subject(cell, network, f"band({frequency:g})", f"clicks({shapes})", tests)


def run(config: Config, session: Session) -> Outcome:
    """Train and test a network in every cell."""
    subjects = [
        subject(config, name, frequency, shapes, seed)
        for name in config.networks
        for seed in range(config.seeds)
        for frequency in config.frequencies
        for shapes in config.shapes
    ]
    # How much of an output lies in the training content, where that is a single frequency.
    lowest = content.band(config.frequencies[0])
    span = analysis.oracles.basis_of(lowest.sample(jax.random.key(0), 128))
    schedule = Schedule(config.steps, config.batch, config.learning_rate, config.loss, segments=1)
    return Outcome(sweep(subjects, schedule, Exam(config.samples, span), session).table)


def maps(table: pd.DataFrame, network: str, column: str) -> np.ndarray:
    """A measure of one network as `(seeds, frequencies, shapes)`, both in rising order."""
    index = panel.indices(table[table["network"] == network])
    frequency = index["content"].map(_complexity)
    shapes = index["degradation"].map(_complexity)
    cube = index.assign(frequency=frequency, shapes=shapes).set_index(
        ["seed", "frequency", "shapes"]
    )[column]
    axes = [sorted(cube.index.unique(level)) for level in cube.index.names]
    return cube.reindex(pd.MultiIndex.from_product(axes)).to_numpy().reshape(*map(len, axes))


def axes_of(table: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Content frequencies and numbers of click shapes, in rising order."""
    columns = (table["content"], table["degradation"])
    frequencies, shapes = (sorted(column.map(_complexity).unique()) for column in columns)
    return frequencies, shapes


def _complexity(name: str) -> float:
    return float(name.partition("(")[2].rstrip(")"))


def rank_correlation(axis: list[float], values: np.ndarray) -> np.ndarray:
    """Spearman's, of each row of `(seeds, points)` with the axis; NaN where a value is."""
    return np.array(
        [
            np.nan if np.isnan(row).any() or np.ptp(row) == 0 else spearmanr(axis, row).statistic
            for row in values
        ]
    )


def claims(table: pd.DataFrame) -> list[Claim]:
    """What the maps say, as statistics over seeds."""
    frequencies, shapes = axes_of(table)
    made = []
    for name in dict.fromkeys(table["network"]):
        rho, phi = maps(table, name, "rho"), maps(table, name, "phi")
        if len(frequencies) > 2:
            rises = [rank_correlation(frequencies, rho[:, :, k]) for k in range(len(shapes))]
            weakest = int(np.argmin([np.nanmean(r) if np.isfinite(r).any() else 2 for r in rises]))
            made.append(
                claim_mean(
                    f"{name}: rho rises with content frequency at every noise complexity",
                    f"rank correlation where it is weakest (K = {shapes[weakest]:g})",
                    rises[weakest],
                    "above",
                    0.0,
                )
            )
        if len(shapes) > 2:
            made.append(
                claim_mean(
                    f"{name}: rho falls with noise complexity at the top content frequency",
                    f"rank correlation (f = {frequencies[-1]:g})",
                    rank_correlation(shapes, rho[:, -1]),
                    "below",
                    0.0,
                )
            )
        if name == "conv":
            made += [
                claim_mean(
                    f"{name} fits the content where it is simplest and the noise richest",
                    f"phi (f = {frequencies[0]:g}, K = {shapes[-1]:g})",
                    phi[:, 0, -1],
                    "above",
                    0.0,
                ),
                claim_mean(
                    f"{name} fits the degradation where it is simplest and the content richest",
                    f"phi (f = {frequencies[-1]:g}, K = {shapes[0]:g})",
                    phi[:, -1, 0],
                    "below",
                    0.0,
                ),
            ]
        else:
            shares = np.where(np.isnan(phi).any(axis=(1, 2)), np.nan, (phi > 0).mean(axis=(1, 2)))
            made.append(
                claim_mean(
                    f"{name} fits the content nearly everywhere",
                    "share of the map with phi > 0",
                    shares,
                    "above",
                    0.9,
                )
            )
    return made


SHOWN = {
    "phi": ("index $\\varphi = R_D - R_C$", plotting.DIVERGING, (-1, 1)),
    "rho": ("novelty response $\\rho$", plotting.SEQUENTIAL, (0, 1)),
    "kept": ("kept content $R_C$", plotting.SEQUENTIAL, (0, 1)),
    "removed": ("removed degradation $R_D$", plotting.SEQUENTIAL, (0, 1)),
}
READ = {
    "phi": "fits noise  $\\leftarrow$    $\\rightarrow$  fits content",
    "rho": "blocks novelty $\\rightarrow$ passes it",
    "kept": "loses new content $\\rightarrow$ keeps it",
    "removed": "leaves new noise $\\rightarrow$ removes it",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """One row of maps a network; on the first, the line where it fits both alike."""
    names = list(dict.fromkeys(table["network"]))
    frequencies, shapes = axes_of(table)
    with plotting.style():
        figure = Figure(
            figsize=(plotting.TWO_COLUMNS, 0.9 + 1.9 * len(names)), layout="constrained"
        )
        panels = figure.subplots(len(names), len(SHOWN), sharex=True, sharey=True, squeeze=False)
        for row, name in zip(panels, names, strict=True):
            shown = {column: _each_cell(maps(table, name, column)) for column in SHOWN}
            for axes, (column, cells) in zip(row, shown.items(), strict=True):
                title, colors, limits = SHOWN[column]
                drawn = plotting.heat_map(axes, cells.estimate, shapes, frequencies, colors, limits)
                axes.set_title(_sureness(cells), fontsize=6, color=plotting.GREY, pad=2)
                if axes in panels[0]:
                    axes.annotate(
                        title, (0.5, 1.13), xycoords="axes fraction", ha="center", weight="bold",
                        fontsize=7,
                    )  # fmt: skip
                if axes in panels[-1]:
                    axes.set_xlabel("click shapes $K$")
                    bar = figure.colorbar(
                        drawn, ax=panels[:, list(SHOWN).index(column)], location="bottom",
                        aspect=18, shrink=0.9, extend="neither" if column == "rho" else "both",
                    )  # fmt: skip
                    bar.set_label(READ[column], fontsize=6)
                    bar.ax.tick_params(labelsize=6)
            neither = (shown["kept"].estimate < HALF) & (shown["removed"].estimate < HALF)
            plotting.hatch_cells(row[0], neither)
            # Where it fits neither, phi is nothing less nothing: its sign says nothing.
            phi = [np.where(neither, np.nan, part) for part in shown["phi"][:3]]
            plotting.zero_line(row[0], *phi)
            row[0].set_ylabel(f"{name}\ncontent frequency\n(cycles per window)")
        figure.supxlabel(
            "line: $\\varphi = 0$, dotted: its 95% band; hatched: fits neither ($R_C, R_D < 0.5$)",
            fontsize=6.5,
        )
        return figure


def _sureness(cells: Any) -> str:
    seeds = int(np.max(cells.seeds))
    if seeds < 2:
        return "1 seed: no interval"
    return f"95%: \u00b1{np.nanmedian((cells.high - cells.low) / 2):.2g} (median), {seeds} seeds"


def _each_cell(cube: np.ndarray) -> Any:
    """Intervals over seeds, cell by cell, as an Interval of maps."""
    made = np.array([bootstrap(values) for values in cube.reshape(len(cube), -1).T], np.float64)
    return Interval(*(part.reshape(cube.shape[1:]) for part in made.T))


experiment = Experiment(
    name="phase_diagram",
    summary=__doc__,
    presets={
        "smoke": Config(
            seeds=2, frequencies=(1.0, 8.0, 60.0), shapes=(1, 16, 256), width=2, mlp_width=8,
            steps=10, batch=8, samples=16,
        ),
        "quick": Config(),
        "full": Config(
            seeds=8, frequencies=(1.0, 2.0, 3.0, 6.0, 10.0, 19.0, 33.0, 60.0),
            shapes=(1, 2, 4, 8, 16, 32, 64, 128, 256), width=32, steps=3000, batch=64, samples=512,
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
