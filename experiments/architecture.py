"""Architecture: which choices of network, loss and training move the fitted component?

One choice at a time is changed in a conv net: global skip connection, receptive field from one
click to the whole window, another kind of network (MLP, U-Net, attention), the loss, weight decay,
early stopping. This is done in two cells of the phase diagram: one on the line between its halves,
and one where the noise is the simpler component.
"""

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from common.signal_tasks import TrainConfig, check_bands, check_clicks, map_run
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, indices

BASE = "conv, sees 113"
SKIP, NEAR, WINDOW = "with global skip", "sees 49", "sees 161: the window"
CHANGE = "change of phi"
OTHER_LOSS = {"mse": ("l1", "L1 loss"), "l1": ("mse", "MSE loss")}  # than the base's
DECAY, EARLY = "weight decay 0.1", "stopped at a quarter"
# Networks of other kinds, by the option that sets their width.
OTHERS: dict[str, Callable[[int], Network]] = {
    "mlp_width": networks.MLP,
    "unet_width": networks.UNet,
    "token_width": networks.Attention,
}


@dataclass(frozen=True)
class Config(TrainConfig):
    """Where on the phase diagram; widths of the networks that are not conv nets."""

    frequencies: tuple[float, ...] = option(
        (19.0, 33.0), "band limit of the content in each setting, cycles per window"
    )
    shapes: tuple[int, ...] = option((16, 1), "click shapes in each setting, K")
    mlp_width: int = option(256, "hidden units of the MLP")
    unet_width: int = option(8, "channels of the U-Net at the full resolution")
    token_width: int = option(48, "width of a token of the attention network")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.frequencies) != len(self.shapes) or not self.shapes:
            raise errors.refuse("shapes", self.shapes, "as many as frequencies, at least one")
        if len(set(zip(self.frequencies, self.shapes))) < len(self.shapes):
            raise errors.refuse("shapes", self.shapes, "settings that differ")
        check_bands(self.frequencies)
        check_clicks(self.shapes)
        for field, network in OTHERS.items():
            with errors.reported_as(field):
                network(getattr(self, field))


class Variant(NamedTuple):
    """One change to the base network, or to how it is trained."""

    network: Network
    schedule: Schedule


def variants(config: Config) -> dict[str, Variant]:
    """By name; the base first."""
    width = config.width
    conv, usual = networks.ConvNet(width=width), config.schedule()
    # As many weights as the base, spread over more and shorter kernels.
    short = networks.ConvNet(round(1.41 * width), depth=8, kernel=3, dilations=(1,) * 8)
    made: dict[str, Network] = {
        BASE: conv,
        SKIP: networks.ConvNet(width=width, skip=True),
        "sees 17: a click": short,
        NEAR: networks.ConvNet(width=width, dilations=(1,) * 6),
        WINDOW: networks.ConvNet(width=width, dilations=(1, 2, 4, 8, 4, 1)),
        "MLP": networks.MLP(config.mlp_width),
        "U-Net": networks.UNet(config.unet_width),
        "attention": networks.Attention(config.token_width),
    }
    other, name_of_other = OTHER_LOSS[config.loss]
    trained_otherwise = {
        name_of_other: config.schedule(loss=other),
        DECAY: config.schedule(weight_decay=0.1),
        EARLY: config.schedule(checkpoints=(max(1, config.steps // 4),)),
    }
    return {name: Variant(network, usual) for name, network in made.items()} | {
        name: Variant(conv, schedule) for name, schedule in trained_otherwise.items()
    }


def run(config: Config, session: Session) -> Result:
    """Train every variant in every setting."""
    runs = [
        map_run(variant.network, name, frequency, shapes, seed)._replace(schedule=variant.schedule)
        for name, variant in variants(config).items()
        for frequency, shapes in zip(config.frequencies, config.shapes)
        for seed in range(config.seeds)
    ]
    return Result(sweep(runs, config.schedule(), EvalConfig(config.samples), session).table)


def values_of(table: pd.DataFrame, column: str) -> xr.DataArray:
    """A measure as `(seed, network, setting)`, settings in the order in which they were given.

    column: of `indices`, or the change of its index against the base's, seed by seed.
    """
    if column == CHANGE:
        phi = values_of(table, "phi")
        return phi - phi.sel(network=BASE)
    index = indices(table)
    index["setting"] = index.groupby(["frequency", "shapes"], sort=False).ngroup()
    return array_of(index, column, "seed", "network", "setting")


def claims(table: pd.DataFrame) -> list[Claim]:
    """Which choices move the index, and which do not."""
    phi = values_of(table, "phi").mean("setting", skipna=False)
    change = "change of phi, mean over settings"

    def moved(variant: str, against: str = BASE) -> xr.DataArray:
        return phi.sel(network=variant) - phi.sel(network=against)

    trained_otherwise = [
        name for name in ("L1 loss", "MSE loss", DECAY, EARLY) if name in phi["network"]
    ]
    return [
        claim(
            "a global skip moves a conv net towards the degradation",
            change, moved(SKIP), below=0.0,
        ),
        claim(
            "seeing the window rather than a third of it moves a conv net towards the content",
            change, moved(WINDOW, NEAR),
        ),
        claim("an MLP fits the degradation less than a conv net does", change, moved("MLP")),
        claim("a U-Net fits the content more than a conv net does", change, moved("U-Net")),
        claim("attention fits the content more than a conv net does", change, moved("attention")),
        claim(
            "neither loss, weight decay nor early stopping moves the index much",
            "largest |change of phi|, mean over settings",
            phi.sel(network=trained_otherwise) - phi.sel(network=BASE), below=0.1, of=largest,
        ),
    ]  # fmt: skip


def largest(changes: np.ndarray) -> float:
    """Of the mean changes, the largest, whichever its sign."""
    return float(np.max(np.abs(np.mean(changes, axis=0))))


COLORS = (plotting.BLUE, plotting.RED, plotting.GREEN, plotting.ORANGE)
SHOWN = {
    CHANGE: "change of $\\varphi$ against the\nfirst net, seed by seed",
    "generality": "generality\n$(R_C + R_D)/2$",
    "rho": "novelty\nresponse $\\rho$",
    "nmse": "error on what\nis seen (NMSE)",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """A row a choice, a point a setting; the first net's interval as a band."""
    names = table["network"].unique()
    settings = table[["content", "degradation"]].drop_duplicates().agg(" + ".join, axis=1)
    styles = list(zip(COLORS, "os^D"))
    figure = plotting.new_figure(3.4)
    panels = figure.subplots(1, len(SHOWN), sharey=True, width_ratios=[1.6, 1, 1, 1])
    for axes, (column, label) in zip(panels, SHOWN.items(), strict=True):
        values = values_of(table, column)
        for number, (color, marker) in zip(values["setting"].values, itertools.cycle(styles)):
            found = [interval(values.sel(network=name, setting=number)) for name in names]
            if column != CHANGE:
                axes.axvspan(found[0].low, found[0].high, color=color, alpha=0.12, linewidth=0)
            for row, measured in enumerate(found):
                plotting.bar(axes, measured, row + 0.24 * number, color, marker)
        axes.set_title(label, fontsize=7, loc="left")
    panels[0].axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    panels[0].set_xlabel(
        "more the noise $\\leftarrow$ $\\rightarrow$ more the content", fontsize=6.5
    )
    panels[0].set_yticks(np.arange(len(names)) + 0.12, names)
    panels[0].set_ylim(len(names) - 0.4, -0.5)
    handles: list[Any] = [
        panels[0].plot([], [], marker, color=color, label=setting)[0]
        for setting, (color, marker) in zip(settings, itertools.cycle(styles))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(settings))
    return figure


experiment = Experiment(
    name="architecture",
    message=(
        "A global skip connection and a short receptive field move a network towards the "
        "noise; loss, weight decay and early stopping hardly matter."
    ),
    presets={
        "smoke": Config(
            seeds=2, frequencies=(19.0,), shapes=(16,), width=2, mlp_width=4, unet_width=2,
            token_width=4, steps=10, batch=8, samples=16,
        ),
        "quick": Config(seeds=4, batch=16),
        "full": Config(
            seeds=10, width=32, unet_width=16, token_width=96, steps=4000, batch=64, samples=512
        ),
        "kept": Config(seeds=4, batch=16),  # 3 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
