"""Complexity before training: can samples alone say which component a network will fit?

Six measures of how hard a family is, the same for content and noise, and the paper's rule that a
network fits the simpler of the two. Judged on the phase diagram, whose cells this script shares:
does the balance between the complexities tell the sign of the index, and its rank? The control
knows the content only, and not what it is under.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from common.signal_tasks import MAPS, MapConfig, complexity_in_name, train_map
from matplotlib.figure import Figure
from scipy.stats import rankdata, spearmanr

from shortcut1d import errors, plotting
from shortcut1d.analysis import bootstrap, bootstrap_each
from shortcut1d.analysis.complexity import DEFAULT, MEASURES
from shortcut1d.data import degradations, signals
from shortcut1d.harness.claims import Claim, claim_mean
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training import evaluation
from shortcut1d.training.sweep import Session

CONTROL = "content alone"
ROWS = [*MEASURES, CONTROL]


@dataclass(frozen=True)
class Config(MapConfig):
    """The phase diagram's cells, and the samples that complexity is measured on."""

    draws: int = option(1024, "samples of each family that its complexity is measured on")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("draws", self.draws, low=64)


def run(config: Config, session: Session) -> Result:
    """The index of every cell, beside the complexities of its content and of its noise."""
    index = evaluation.indices(train_map(config, session))
    drawn = {
        f"{name}({value:g})": np.asarray(family.sample(jax.random.key(0), config.draws))
        for name, families in (
            ("band", {f: signals.band(f) for f in config.frequencies}),
            (
                "clicks",
                {k: degradations.clicks(k, level=config.level) for k in config.shapes},
            ),
        )
        for value, family in families.items()
    }
    tables = []
    for measure, of_samples in MEASURES.items():
        complexity = {name: of_samples(samples) for name, samples in drawn.items()}
        part = index.assign(
            measure=measure,
            content_complexity=index["content"].map(complexity),
            degradation_complexity=index["degradation"].map(complexity),
        )
        ratio = part["degradation_complexity"] / part["content_complexity"]
        tables.append(part.assign(balance=np.log2(ratio)))
        if measure == DEFAULT:
            alone = part.assign(measure=CONTROL, balance=-np.log2(part["content_complexity"]))
            tables.append(alone)
    return Result(pd.concat(tables, ignore_index=True))


def area_under_curve(score: np.ndarray, positive: np.ndarray) -> float:
    """Of the receiver operating characteristic: how often a positive scores above a negative."""
    ones = int(positive.sum())
    if ones in (0, len(positive)):
        return np.nan
    ranks = rankdata(score)
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(positive) - ones)))


def held_out_accuracy(cells: pd.DataFrame) -> float:
    """How often a threshold on the balance, set without the cell, tells the sign of its `phi`.

    For each cell, the threshold that does best on the cells of other contents *and* other noises.
    """
    frequency = cells["content"].map(complexity_in_name).to_numpy()
    shapes = cells["degradation"].map(complexity_in_name).to_numpy()
    balance, positive = cells["balance"].to_numpy(), cells["phi"].to_numpy() > 0
    told = []
    for row in range(len(cells)):
        others = (frequency != frequency[row]) & (shapes != shapes[row])
        if not others.any():
            return np.nan
        known = np.sort(balance[others])
        cuts = np.concatenate([[known[0] - 1], (known[1:] + known[:-1]) / 2, [known[-1] + 1]])
        right = [np.mean((balance[others] > cut) == positive[others]) for cut in cuts]
        best = cuts[np.flatnonzero(right == np.max(right))]
        told.append((balance[row] > np.median(best)) == positive[row])
    return float(np.mean(told))


def correlation(column: str) -> Callable[[pd.DataFrame], float]:
    """Spearman's rank correlation of the balance with a column."""

    def measure(cells: pd.DataFrame) -> float:
        if cells[column].nunique() < 2 or cells["balance"].nunique() < 2:
            return np.nan
        return float(spearmanr(cells["balance"], cells[column]).statistic)

    return measure


def rule(cells: pd.DataFrame) -> float:
    """How often the simpler component is the fitted one: no threshold, nothing fitted."""
    if (cells["measure"] == CONTROL).any():
        return np.nan  # it has no other side to be simpler than
    return float(np.mean((cells["balance"] > 0) == (cells["phi"] > 0)))


SCORES: dict[str, Callable[[pd.DataFrame], float]] = {
    "simpler one is fitted\n(share of cells)": rule,
    "sign of $\\varphi$ told,\nthreshold held out": held_out_accuracy,
    "sign of $\\varphi$, area\nunder ROC curve": lambda cells: area_under_curve(
        cells["balance"].to_numpy(), cells["phi"].to_numpy() > 0
    ),
    "rank correlation\nwith $\\varphi$": correlation("phi"),
    "rank correlation\nwith $-\\rho$": lambda cells: -correlation("rho")(cells),
}
RULE, TOLD, AREA, WITH_PHI, WITH_RHO = SCORES


def score(table: pd.DataFrame, network: str, measure: str, name: str) -> np.ndarray:
    """A score of a measure for each seed of a network; diverged cells are left out."""
    cells = table[(table["network"] == network) & (table["measure"] == measure)].dropna()
    return np.array([SCORES[name](part) for _, part in cells.groupby("seed")])


def chosen_measure(table: pd.DataFrame) -> str:
    """The measure whose balance tells best by its sign alone, on the first half of the seeds."""
    half = table[table["seed"] < max(1, (table["seed"].max() + 1) // 2)]
    network = table["network"].iloc[0]
    return max(MEASURES, key=lambda measure: np.nanmean(score(half, network, measure, RULE)))


def claims(table: pd.DataFrame) -> list[Claim]:
    """How well the best measure tells: chosen on one half of the seeds, judged on the other."""
    best = chosen_measure(table)
    judged = table[table["seed"] >= max(1, (table["seed"].max() + 1) // 2)]
    if judged.empty:
        judged = table
    made = []
    for network in dict.fromkeys(table["network"]):
        for statement, name, statistic, threshold in (
            ("the simpler component is the one that is fitted", RULE, "share of cells", 0.9),
            ("the balance tells which component is fitted", AREA, "area under the ROC curve", 0.9),
            ("the balance tells how far", WITH_PHI, "rank correlation", 0.8),
        ):
            made.append(
                claim_mean(
                    f"{network}: {statement}, by {best}",
                    statistic,
                    score(judged, network, best, name),
                    "above",
                    threshold,
                )
            )
        gain = score(judged, network, best, AREA) - score(judged, network, CONTROL, AREA)
        made.append(
            claim_mean(
                f"{network}: the noise's complexity adds to what the content's tells",
                "area under the ROC curve, less that of the content alone",
                gain,
                "above",
                0.0,
            )
        )
    return made


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """All measures, scored; and the index against the balance of the default one."""
    names = list(dict.fromkeys(table["network"]))
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.4), layout="constrained")
        above, below = _halves(figure)
        panels = above.subplots(1, len(SCORES), sharey=True)
        for axes, name in zip(panels, SCORES, strict=True):
            chance = 0.0 if name in (WITH_PHI, WITH_RHO) else 0.5
            axes.axvline(chance, color=plotting.PALE, linewidth=0.8, zorder=0)
            for shift, network in enumerate(names):
                for row, measure in enumerate(ROWS):
                    found = bootstrap(score(table, network, measure, name))
                    color, marker = STYLE[network]
                    plotting.bar(axes, found, row + 0.3 * shift, color, marker)
            axes.set_title(name, fontsize=6.5)
            axes.set_xlim(0.4 if chance else -0.1, 1.03)
        panels[0].set_yticks(np.arange(len(ROWS)) + 0.15, ROWS)
        panels[0].set_ylim(len(ROWS) - 0.5, -0.4)
        scatter = below.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, network in zip(scatter, names, strict=True):
            drawn = _draw_balance(axes, table, network)
        scatter[0].set_ylabel("index $\\varphi$\n(mean of seeds, 95%)")
        bar = below.colorbar(drawn, ax=list(scatter), aspect=14)
        bar.set_label("content frequency\n(cycles per window)")
        return figure


def _halves(figure: Figure) -> Any:
    return figure.subfigures(2, 1, height_ratios=[1, 1.15])


def _draw_balance(axes: Any, table: pd.DataFrame, network: str) -> Any:
    cells = table[(table["network"] == network) & (table["measure"] == DEFAULT)]
    groups = cells.groupby(["content", "degradation"], sort=False)
    balance = groups["balance"].first().to_numpy()
    of = [complexity_in_name(name) for name, _ in groups.groups]
    each = bootstrap_each(part.to_numpy() for _, part in groups["phi"])
    axes.vlines(balance, each.low, each.high, color=plotting.PALE, linewidth=0.8, zorder=1)
    drawn = axes.scatter(balance, each.estimate, c=of, cmap="viridis", norm="log", s=14, zorder=2)
    axes.axhline(0, color=plotting.INK, linewidth=0.5)
    axes.axvline(0, color=plotting.INK, linewidth=0.5)
    axes.set_xlabel(f"balance: noise over content,\n{DEFAULT} (doublings)")
    axes.set_title(network, loc="left", color=STYLE[network][0])
    return drawn


STYLE = {"conv": (plotting.BLUE, "o"), "mlp": (plotting.ORANGE, "s")}

experiment = Experiment(
    name="complexity",
    summary=__doc__,
    message=(
        "A network fits the simpler component: for the conv net the index changes sign where "
        "noise and content have the same intrinsic dimension, and nothing was fitted to make "
        "it so."
    ),
    presets={
        "smoke": Config(**MAPS["smoke"], draws=64),
        "quick": Config(**MAPS["quick"]),
        "full": Config(**MAPS["full"], draws=4096),
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
