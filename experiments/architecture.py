"""Architecture and capacity: which choices of network and training move what is fitted?

One choice at a time is changed in a conv net: global skip connection, receptive field, another kind
of network (MLP, U-Net, attention), the loss, early stopping, and the size, from six channels to
forty-four and from four layers to ten. This is done under clicks of one shape on two contents of
one spectrum: lone notes, which are simple, and 32 notes at once, which are rich.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.chord_tasks import chord_run
from common.papers import Sentence
from common.signal_tasks import TrainConfig, check_banks
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, structures

BASE, SKIP = "conv net", "global skip"
SMALL, LARGE = "6 channels", "44 channels"
OTHER_LOSS = {"mse": ("l1", "L1 loss"), "l1": ("mse", "MSE loss")}  # than the base's
CONTENTS = {1: "lone notes", 32: "32 notes at once"}  # by notes at once
CHANGE = "change of psi"
# Dilations by depth: all see 113 samples, so that a deeper net does not see more.
SPACING = {4: (1, 6, 6, 1), 10: (1, 1, 1, 2, 2, 2, 2, 1, 1, 1)}
# Networks of other kinds, by the option that sets their width.
OTHERS: dict[str, Callable[[int], Network]] = {
    "mlp_width": networks.MLP,
    "unet_width": networks.UNet,
    "token_width": networks.Attention,
}


@dataclass(frozen=True)
class Config(TrainConfig):
    """Widths of the networks that are not conv nets."""

    batch: int = option(16, "fresh samples a step")
    mlp_width: int = option(256, "hidden units of the MLP")
    unet_width: int = option(8, "channels of the U-Net at the full resolution")
    token_width: int = option(48, "width of a token of the attention network")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_banks(self.samples)
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
        "sees one click": short,
        "sees the window": networks.ConvNet(width=width, dilations=(1, 2, 4, 8, 4, 1)),
        "MLP": networks.MLP(config.mlp_width),
        "U-Net": networks.UNet(config.unet_width),
        "attention": networks.Attention(config.token_width),
        SMALL: networks.ConvNet(width=6),
        LARGE: networks.ConvNet(width=44),
        "4 layers": networks.ConvNet(width, 4, dilations=SPACING[4]),
        "10 layers": networks.ConvNet(width, 10, dilations=SPACING[10]),
    }
    other, name_of_other = OTHER_LOSS[config.loss]
    trained_otherwise = {
        name_of_other: config.schedule(loss=other),
        "stopped at a quarter": config.schedule(checkpoints=(max(1, config.steps // 4),)),
    }
    return {name: Variant(network, usual) for name, network in made.items()} | {
        name: Variant(conv, schedule) for name, schedule in trained_otherwise.items()
    }


def run(config: Config, session: Session) -> Result:
    """Train every variant on both contents, under clicks of one shape."""
    runs = [
        chord_run(notes, 1, seed, variant.network, name)._replace(schedule=variant.schedule)
        for name, variant in variants(config).items()
        for seed in config.all_seeds()
        for notes in CONTENTS
    ]
    return Result(sweep(runs, config.schedule(), EvalConfig(config.samples), session).table)


def values_of(table: pd.DataFrame, column: str) -> xr.DataArray:
    """A measure of the structure test as `(seed, network, notes)`.

    column: of `structures`, or the change of psi against the base's, seed by seed.
    """
    if column == CHANGE:
        psi = values_of(table, "psi")
        return psi - psi.sel(network=BASE, drop=True)
    return array_of(structures(table), column, "seed", "network", "notes")


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered."""
    change = values_of(table, CHANGE)
    rich = change.sel(notes=list(CONTENTS)[-1])
    values = {
        "skip": change.sel(network=SKIP).mean("notes", skipna=False),
        "capacity": rich.sel(network=LARGE) - rich.sel(network=SMALL),
    }
    return REGISTERED.claims_on(values, Sentence.__members__)


STYLES = ((plotting.BLUE, "o"), (plotting.RED, "s"))
SHOWN = {
    CHANGE: "change of $\\psi$ against the conv net",
    "seen": "share removed of\nwhat it knows",
    "transfer": "transfer to\nother clicks",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """One row per choice, one point per content; the base's interval as a band."""
    names = [str(name) for name in table["network"].unique()]
    figure = plotting.new_figure(3.3)
    panels = figure.subplots(1, len(SHOWN), sharey=True, width_ratios=[1.7, 1, 1])
    for axes, (column, label) in zip(panels, SHOWN.items(), strict=True):
        values = values_of(table, column)
        for number, (notes, (color, marker)) in enumerate(zip(CONTENTS, STYLES, strict=True)):
            found = [interval(values.sel(network=name, notes=notes)) for name in names]
            if column != CHANGE:
                axes.axvspan(found[0].low, found[0].high, color=color, alpha=0.12, linewidth=0)
            for row, measured in enumerate(found):
                plotting.bar(axes, measured, row + 0.24 * number, color, marker)
        axes.set_title(label, fontsize=7, loc="left")
    panels[0].axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
    panels[0].set_xlabel(
        "the noise's structure $\\leftarrow$ $\\rightarrow$ the content's", fontsize=6.5
    )
    panels[0].set_yticks(np.arange(len(names)) + 0.12, names)
    panels[0].set_ylim(len(names) - 0.4, -0.5)
    handles: list[Any] = [
        panels[0].plot([], [], marker, color=color, label=words)[0]
        for words, (color, marker) in zip(CONTENTS.values(), STYLES)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(CONTENTS))
    return figure


REGISTERED = registered.of("architecture")
experiment = Experiment(
    name="architecture",
    message=(
        "A global skip and a view of one click move a network to the noise's structure. A larger "
        "network fits no less of it; content does as much as a skip does on lone notes."
    ),
    presets={
        "smoke": Config(
            seeds=2, width=2, mlp_width=4, unet_width=2, token_width=4, steps=10, batch=8,
            samples=16,
        ),
        "quick": Config(seeds=3, steps=300),
        "full": Config(
            seeds=16, first_seed=3000, unet_width=16, token_width=96, steps=4000, batch=64,
            samples=512,
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
