"""Complexity before training: can samples alone say which component a network will fit?

Six measures say how complex a family is, content or noise. The papers' rule says that a network
fits the simpler of the two. Does the balance between the two complexities tell the sign of the
index, and its rank? This is judged on the cells of the phase diagram, which this script shares.
The control knows the complexity of the content alone.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from common.papers import Sentence
from common.signal_tasks import MAPS, MapConfig, train_map
from matplotlib.figure import Figure
from scipy.stats import rankdata, spearmanr

from shortcut1d import errors, plotting
from shortcut1d.analysis import interval, interval_each
from shortcut1d.analysis.complexity import DEFAULT, MEASURES
from shortcut1d.data import degradations, signals
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.sweep import Session
from shortcut1d.training.tables import array_of, indices

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
    index = indices(train_map(config, session).table)

    def draws(family: Any) -> np.ndarray:
        return np.asarray(family.sample(jax.random.key(0), config.draws))

    contents = {f: draws(signals.band(f)) for f in config.frequencies}
    noises = {k: draws(degradations.clicks(k, level=config.level)) for k in config.shapes}
    tables = []
    for measure, of_samples in MEASURES.items():
        of_content = index["frequency"].map({f: of_samples(x) for f, x in contents.items()})
        of_noise = index["shapes"].map({k: of_samples(x) for k, x in noises.items()})
        part = index.assign(
            measure=measure,
            content_complexity=of_content,
            degradation_complexity=of_noise,
            balance=np.log2(of_noise / of_content),
        )
        tables.append(part)
        if measure == DEFAULT:
            tables.append(part.assign(measure=CONTROL, balance=-np.log2(of_content)))
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
    frequency, shapes, balance = cells[["frequency", "shapes", "balance"]].to_numpy().T
    positive = cells["phi"].to_numpy() > 0
    correct = []
    for row in range(len(cells)):
        others = (frequency != frequency[row]) & (shapes != shapes[row])
        if not others.any():
            return np.nan
        known = np.sort(balance[others])
        cuts = np.concatenate([[known[0] - 1], (known[1:] + known[:-1]) / 2, [known[-1] + 1]])
        right = [np.mean((balance[others] > cut) == positive[others]) for cut in cuts]
        best = cuts[np.flatnonzero(right == np.max(right))]
        correct.append((balance[row] > np.median(best)) == positive[row])
    return float(np.mean(correct))


def correlation(cells: pd.DataFrame, column: str) -> float:
    """Spearman's rank correlation of the balance with a column."""
    if cells[["balance", column]].nunique().min() < 2:
        return np.nan
    return float(spearmanr(cells["balance"], cells[column]).statistic)


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
    "rank correlation\nwith $\\varphi$": lambda cells: correlation(cells, "phi"),
    "rank correlation\nwith $-\\rho$": lambda cells: -correlation(cells, "rho"),
}
RULE, HELD_OUT, AREA, WITH_PHI, WITH_RHO = SCORES


def score(table: pd.DataFrame, network: str, measure: str, name: str) -> np.ndarray:
    """A score of a measure for each seed of a network; diverged cells are left out."""
    cells = table[(table["network"] == network) & (table["measure"] == measure)].dropna()
    return np.array([SCORES[name](part) for _, part in cells.groupby("seed")])


def chosen_measure(table: pd.DataFrame) -> str:
    """The measure whose balance tells best by its sign alone, on the first half of the seeds."""
    half = table[table["seed"].isin(_halves(table)[0])]
    network = table["network"].iloc[0]
    return max(MEASURES, key=lambda measure: np.nanmean(score(half, network, measure, RULE)))


def _halves(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Seeds to choose on and seeds to judge on; the same one where there is only one."""
    seeds = np.unique(table["seed"])
    cut = max(1, len(seeds) // 2)
    return seeds[:cut], seeds[cut:] if len(seeds) > 1 else seeds


def claims(table: pd.DataFrame) -> list[Claim]:
    """How well the best measure tells: chosen on one half of the seeds, judged on the other."""
    best = chosen_measure(table)
    judged = table[table["seed"].isin(_halves(table)[1])]
    made = []
    for network in table["network"].unique():
        by_rule, area, with_phi = (
            score(judged, network, best, name) for name in (RULE, AREA, WITH_PHI)
        )
        made += [
            claim(
                f"{network}: the simpler component is the one that is fitted, by {best}",
                "share of cells", by_rule, above=0.9, sentence=Sentence.SHORTCUT,
            ),
            claim(
                f"{network}: the balance tells which component is fitted, by {best}",
                "area under the ROC curve", area, above=0.9,
            ),
            claim(
                f"{network}: the balance tells how far, by {best}", "rank correlation", with_phi,
                above=0.8,
            ),
            claim(
                f"{network}: the noise's complexity adds to what the content's tells",
                "area under the ROC curve, less that of the content alone",
                area - score(judged, network, CONTROL, AREA),
            ),
        ]  # fmt: skip
    return made


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """All measures, scored; and the index against the balance of the default one."""
    names = table["network"].unique()
    figure = plotting.new_figure(4.4)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1, 1.15]).flat
    panels = above.subplots(1, len(SCORES), sharey=True)
    for axes, name in zip(panels, SCORES, strict=True):
        chance = 0.0 if name in (WITH_PHI, WITH_RHO) else 0.5
        axes.axvline(chance, color=plotting.PALE, linewidth=0.8, zorder=0)
        for shift, network in enumerate(names):
            for row, measure in enumerate(ROWS):
                found = interval(score(table, network, measure, name))
                plotting.bar(axes, found, row + 0.3 * shift, *STYLE[network])
        axes.set_title(name, fontsize=6.5)
        axes.set_xlim(0.4 if chance else -0.1, 1.03)
    panels[0].set_yticks(np.arange(len(ROWS)) + 0.15, ROWS)
    panels[0].set_ylim(len(ROWS) - 0.5, -0.4)
    scatter = below.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, network in zip(scatter, names, strict=True):
        cells = table[(table["network"] == network) & (table["measure"] == DEFAULT)]
        drawn = _draw_balance(axes, cells)
        axes.set_title(network, loc="left", color=STYLE[network][0])
    scatter[0].set_ylabel("index $\\varphi$\n(mean of seeds, 95%)")
    bar = below.colorbar(drawn, ax=list(scatter), aspect=14)
    bar.set_label("content frequency\n(cycles per window)")
    return figure


def _draw_balance(axes: Any, cells: pd.DataFrame) -> Any:
    """The index of each cell, against the balance."""
    phi, balances = (
        array_of(cells, column, "seed", "frequency", "shapes").stack(cell=("frequency", "shapes"))
        for column in ("phi", "balance")
    )
    balance, each = balances[0], interval_each(phi)
    axes.vlines(balance, each.low, each.high, color=plotting.PALE, linewidth=0.8, zorder=1)
    drawn = axes.scatter(
        balance, each.estimate, c=balance["frequency"], cmap="viridis", norm="log", s=14, zorder=2
    )
    axes.axhline(0, color=plotting.INK, linewidth=0.5)
    axes.axvline(0, color=plotting.INK, linewidth=0.5)
    axes.set_xlabel(f"balance: noise over content,\n{DEFAULT} (doublings)")
    return drawn


STYLE = {"conv": (plotting.BLUE, "o"), "mlp": (plotting.ORANGE, "s")}

experiment = Experiment(
    name="complexity",
    message=(
        "A network fits the simpler component: for the conv net the index changes sign where "
        "noise and content have the same intrinsic dimension, and nothing was fitted to make "
        "it so."
    ),
    presets={
        "smoke": Config(**MAPS["smoke"], draws=64),
        "quick": Config(**MAPS["quick"]),
        "full": Config(**MAPS["full"], draws=4096),
        "kept": Config(**MAPS["kept"]),  # 34 s on 2 cores, with the phase diagram's cells
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
