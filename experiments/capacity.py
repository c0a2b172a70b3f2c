"""Capacity: the shortcut is not a matter of how large the network is.

Conv nets from hundreds to tens of thousands of parameters, wider or deeper, all with the same
receptive field, are trained on simple, middling and rich content under the same clicks. How much of
the variance of the index does the content explain, and how much the size of the network?
"""

import itertools
import sys
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common.papers import Sentence
from common.signal_tasks import TrainConfig, check_bands, check_clicks, map_run
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval, interval_each
from shortcut1d.data import signals
from shortcut1d.harness.claims import Claim, claim, ratio_of_means
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks import ConvNet
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, indices

# Dilations by depth: all see 113 samples, so that a deeper net does not see more.
SPACING = {4: (1, 6, 6, 1), 6: (1, 2, 4, 4, 2, 1), 10: (1, 1, 1, 2, 2, 2, 2, 1, 1, 1)}
DEPTH = 6  # of the networks that differ in width


@dataclass(frozen=True)
class Config(TrainConfig):
    """Which sizes of network, and on what."""

    widths: tuple[int, ...] = option((4, 12, 44), "channels, in nets of 6 layers")
    depths: tuple[int, ...] = option((4, 10), f"layers, of {sorted(SPACING)}, in nets of --width")
    frequencies: tuple[float, ...] = option(
        (2.0, 12.0, 33.0), "band limits of the content, cycles per window"
    )
    shapes: int = option(8, "click shapes in the bank, K")

    def __post_init__(self) -> None:
        super().__post_init__()
        for width in self.widths:
            errors.integer("widths", width)
        for depth in self.depths:
            if depth not in SPACING:
                raise errors.refuse("depths", depth, f"one of {sorted(SPACING)}")
        for field in ("widths", "depths", "frequencies"):
            errors.rising(field, getattr(self, field))
        if len(self.sizes()) < 2:
            raise errors.refuse("widths", self.widths, "networks of two sizes, with the depths")
        if len(self.frequencies) < 2:
            raise errors.refuse("frequencies", self.frequencies, "at least two")
        check_bands(self.frequencies)
        check_clicks([self.shapes])

    def sizes(self) -> list[ConvNet]:
        """The networks, each once."""
        wide = [ConvNet(width=width, dilations=SPACING[DEPTH]) for width in self.widths]
        deep = [ConvNet(self.width, depth, dilations=SPACING[depth]) for depth in self.depths]
        return list(dict.fromkeys(wide + deep))


def parameters(network: ConvNet) -> int:
    """Weights and biases."""
    weights = networks.abstract(network, (signals.WINDOW,), 1)
    return sum(leaf.size for leaf in jax.tree.leaves(weights))


def run(config: Config, session: Session) -> Result:
    """Train networks of every size on every content."""
    runs = [
        map_run(
            network, f"{network.depth} layers of {network.width} ({size})", frequency,
            config.shapes, seed, depth=network.depth, width=network.width, parameters=size,
        )
        for network, size in ((network, parameters(network)) for network in config.sizes())
        for frequency in config.frequencies
        for seed in range(config.seeds)
    ]  # fmt: skip
    return Result(sweep(runs, config.schedule(), EvalConfig(config.samples), session).table)


def grid_of(table: pd.DataFrame, column: str) -> xr.DataArray:
    """A measure (see `indices`) as `(seed, parameters, frequency)`."""
    return array_of(indices(table), column, "seed", "parameters", "frequency")


class Shares(NamedTuple):
    """Of each seed's variance of a measure over the grid, the share that each cause explains."""

    content: np.ndarray
    size: np.ndarray
    both: np.ndarray


def shares_of_variance(values: np.ndarray) -> Shares:
    """Two-way analysis of variance of `(seeds, sizes, contents)`, one value a cell.

    The main effects of content and of size, and what is left: their interaction, and chance.
    """
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    total = np.sum(centred**2, axis=(1, 2))
    of_content = np.sum(centred.mean(axis=1) ** 2, axis=1) * values.shape[1] / total
    of_size = np.sum(centred.mean(axis=2) ** 2, axis=1) * values.shape[2] / total
    return Shares(of_content, of_size, 1 - of_content - of_size)


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the content decides, and the size of the network does not."""
    phi = grid_of(table, "phi")
    shares, sizes = shares_of_variance(phi.values), phi["parameters"].values
    over = f"over {sizes[-1] / sizes[0]:.3g} times as many parameters"
    return [
        claim(
            f"capacity explains little of the index, {over}",
            "share of the variance of phi", shares.size, below=0.1, sentence=Sentence.NOT_CAPACITY,
        ),
        claim(
            "content complexity explains most of the index", "share of the variance of phi",
            shares.content, above=0.5, sentence=Sentence.NOT_CAPACITY,
        ),
        claim(
            "content complexity moves the index more than capacity does",
            "variance of phi explained by content / by capacity",
            np.stack([shares.content, shares.size], axis=1), above=10.0, of=ratio_of_means,
            sentence=Sentence.NOT_CAPACITY,
        ),
    ]  # fmt: skip


SHOWN = {
    "phi": "index $\\varphi$", "rho": "novelty response $\\rho$",
    "nmse": "error on what is seen\n(NMSE)",
}  # fmt: skip
COLORS = (plotting.BLUE, plotting.ORANGE, plotting.RED, plotting.GREEN, plotting.PINK)


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Measures against the number of parameters, and the shares of variance."""
    figure = plotting.new_figure(2.5)
    *panels, last = figure.subplots(1, len(SHOWN) + 1)
    wider = table[table["depth"] == DEPTH]["parameters"].unique()
    for axes, (column, label) in zip(panels, SHOWN.items(), strict=True):
        values = grid_of(table, column)
        sizes = values["parameters"].values
        alike = np.isin(sizes, wider)
        for color, frequency in zip(itertools.cycle(COLORS), values["frequency"].values):
            mean = interval_each(values.sel(frequency=frequency))
            axes.vlines(sizes, mean.low, mean.high, color=color, linewidth=1.2)
            for chosen, fmt, name in ((alike, "o-", f"f = {frequency:g}"), (~alike, "D", None)):
                axes.plot(
                    sizes[chosen], mean.estimate[chosen], fmt, color=color, markersize=3.5,
                    linewidth=1.0, markeredgewidth=0, label=name,
                )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel("parameters")
        axes.set_title(label, fontsize=7, loc="left")
    panels[0].axhline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    panels[-1].set_ylim(bottom=0)
    panels[-1].legend(fontsize=6, title="content up to", title_fontsize=6)
    for row, share in enumerate(shares_of_variance(grid_of(table, "phi").values)):
        plotting.bar(last, interval(share), row, plotting.INK, "o")
    plotting.name_rows(last, ["content", "capacity", "the two\ntogether"])
    last.set_xlim(-0.03, 1.03)
    last.set_title("share of the variance\nof $\\varphi$ (95%)", fontsize=7, loc="left")
    figure.supxlabel(
        "circles: nets of 6 layers, wider and wider; diamonds: of other depths", fontsize=6.5
    )
    return figure


experiment = Experiment(
    name="capacity",
    message=(
        "What networks are trained on decides which component they fit; how large they are "
        "decides how well."
    ),
    presets={
        "smoke": Config(
            seeds=2, widths=(2,), depths=(4,), frequencies=(2.0, 33.0), width=2, steps=10, batch=8,
            samples=16,
        ),
        "quick": Config(seeds=4, width=12, batch=16),
        "full": Config(
            seeds=10, widths=(4, 8, 16, 32, 64), frequencies=(2.0, 6.0, 12.0, 19.0, 33.0), width=16,
            steps=4000, batch=64, samples=512,
        ),
        "kept": Config(seeds=4, width=12, batch=16),  # 2 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
