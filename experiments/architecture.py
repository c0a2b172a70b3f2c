"""Architecture: which choices of network, loss and training move the fitted component?

One choice at a time is changed in a conv net: global skip connection, receptive field from one
click to the whole window, another kind of network (MLP, U-Net, attention), the loss, weight decay,
early stopping. On two cells of the phase diagram, one on the line between its halves and one where
the noise is the simpler component.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from common.signal_tasks import NO_SPAN, TrainConfig, check_bands, check_clicks, map_run
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import Interval, bootstrap
from shortcut1d.harness.claims import Claim, claim_mean
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks import Network
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

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
    made = {
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
        name_of_other: Schedule(config.steps, config.batch, config.learning_rate, other),
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
    eval_config = EvalConfig(config.samples, NO_SPAN)
    return Result(sweep(runs, config.schedule(), eval_config, session).table)


def settings_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Content and degradation of each setting, in the order in which they were given."""
    return list(dict.fromkeys(zip(table["content"], table["degradation"])))


def values_of(
    table: pd.DataFrame, variant: str, setting: tuple[str, str], column: str
) -> np.ndarray:
    """A measure of each seed's network; `column`: of `panel.indices`, or the change of its index
    against the base's, paired by seed.
    """
    if column == CHANGE:
        own, base = (values_of(table, name, setting, "phi") for name in (variant, BASE))
        return own - base
    chosen = (table["content"] == setting[0]) & (table["degradation"] == setting[1])
    index = evaluation.indices(table[chosen & (table["network"] == variant)])
    return index.sort_values("seed")[column].to_numpy()


def moved(table: pd.DataFrame, variant: str, against: str = BASE) -> np.ndarray:
    """Change of the index, paired by seed, mean over settings."""
    changes = [
        values_of(table, variant, setting, CHANGE) - values_of(table, against, setting, CHANGE)
        for setting in settings_of(table)
    ]
    return np.mean(changes, axis=0)


def _largest(changes: np.ndarray) -> np.ndarray:
    """Of the mean changes, the largest, whichever its sign."""
    return np.max(np.abs(np.mean(changes, axis=0)), axis=0)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Which choices move the index, and which do not."""
    change = "change of phi, mean over settings"
    names = set(table["network"])
    trained_otherwise = [
        n for n in (*dict(OTHER_LOSS.values()).values(), DECAY, EARLY) if n in names
    ]
    training = np.stack([moved(table, name) for name in trained_otherwise], axis=1)
    return [
        claim_mean(
            "a global skip moves a conv net towards the degradation",
            change, moved(table, SKIP), "below", 0.0,
        ),
        claim_mean(
            "seeing the window rather than a third of it moves a conv net towards the content",
            change, moved(table, WINDOW, NEAR), "above", 0.0,
        ),
        claim_mean(
            "an MLP fits the degradation less than a conv net does",
            change, moved(table, "MLP"), "above", 0.0,
        ),
        claim_mean(
            "a U-Net fits the content more than a conv net does",
            change, moved(table, "U-Net"), "above", 0.0,
        ),
        claim_mean(
            "attention fits the content more than a conv net does",
            change, moved(table, "attention"), "above", 0.0,
        ),
        Claim(
            "neither loss, weight decay nor early stopping moves the index much",
            "largest |change of phi|, mean over settings",
            bootstrap(training, _largest), "below", 0.1,
        ),
    ]  # fmt: skip


COLORS = (plotting.BLUE, plotting.RED, plotting.GREEN, plotting.ORANGE)
SHOWN = {
    CHANGE: "change of $\\varphi$ against the\nfirst net, paired by seed",
    "generality": "generality\n$(R_C + R_D)/2$",
    "rho": "novelty\nresponse $\\rho$",
    "nmse": "error on what\nis seen (NMSE)",
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """A row a choice, a point a setting; the first net's interval as a band."""
    names = list(dict.fromkeys(table["network"]))
    settings = settings_of(table)
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 3.4), layout="constrained")
        panels = figure.subplots(1, len(SHOWN), sharey=True, width_ratios=[1.6, 1, 1, 1])
        for axes, (column, label) in zip(panels, SHOWN.items(), strict=True):
            for number, setting in enumerate(settings):
                color, shift = COLORS[number % len(COLORS)], 0.24 * number
                found: list[Interval] = [
                    bootstrap(values_of(table, name, setting, column)) for name in names
                ]
                if column != CHANGE:
                    axes.axvspan(found[0].low, found[0].high, color=color, alpha=0.12, linewidth=0)
                for row, interval in enumerate(found):
                    plotting.bar(axes, interval, row + shift, color, "os^D"[number % 4])
            axes.set_title(label, fontsize=7, loc="left")
        panels[0].axvline(0, color=plotting.PALE, linewidth=0.6, zorder=0)
        panels[0].set_xlabel(
            "more the noise $\\leftarrow$ $\\rightarrow$ more the content", fontsize=6.5
        )
        panels[0].set_yticks(np.arange(len(names)) + 0.12, names)
        panels[0].set_ylim(len(names) - 0.4, -0.5)
        handles: list[Any] = [
            panels[0].plot(
                [], [], "os^D"[n % 4], color=COLORS[n % len(COLORS)], label=" + ".join(s)
            )[0]
            for n, s in enumerate(settings)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(settings))
        return figure


experiment = Experiment(
    name="architecture",
    summary=__doc__,
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
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
