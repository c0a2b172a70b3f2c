"""The phase diagram: which component a denoiser fits, over content frequency and noise complexity.

In every cell a network is trained on content of one bandwidth under clicks from a bank of one size,
and then given melodies and a tune, clicks of other banks, and hiss. Where content is simple and
noise rich it fits the content; where content is rich and noise simple, the noise. Beside it: the
best linear filter of each cell, and the line on which `analysis.predict`, from samples alone, puts
the border.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.papers import Sentence
from common.phase_map import COLORS, EXCESS, LINEAR, PHI, RHO, map_of, maps_of
from common.signal_tasks import (
    BANKS,
    WIENER,
    TrainConfig,
    check_banks,
    check_clicks,
    complexity,
    make_test_sets,
    trained_networks,
)
from common.sounds import RATE
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import Interval, interval_each, linear, oracles
from shortcut1d.analysis.transfer import HALF
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw, fingerprint
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks import Network, Params
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, names_of

RICHEST = 60.0  # top frequency of the registered claim
SPECTRUM = 4096  # draws that a spectrum is taken from
HEARD = 2**14  # samples of what the page of the map plays
NETWORKS: dict[str, Callable[["Config"], Network]] = {
    "conv": lambda config: networks.ConvNet(width=config.width),
    "mlp": lambda config: networks.MLP(width=config.mlp_width),
}


@dataclass(frozen=True)
class Config(TrainConfig):
    """The cells of a map, and how they are trained."""

    networks: tuple[str, ...] = option(("conv",), f"which of {', '.join(NETWORKS)}")
    frequencies: tuple[float, ...] = option(
        (1.0, 2.0, 5.0, 12.0, 26.0, 60.0), "band limits of the content, whole cycles per window"
    )
    shapes: tuple[int, ...] = option((1, 3, 9, 28, 84, 256), "click shapes in the bank, K")
    mlp_width: int = option(256, "hidden units of the MLP")
    level: float = option(0.0, "level of the degradations against the content, dB")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.distinct("networks", self.networks, NETWORKS)
        check_banks(self.samples)
        errors.rising("frequencies", self.frequencies)
        errors.rising("shapes", self.shapes)
        with errors.reported_as("mlp_width"):
            networks.MLP(self.mlp_width)
        with errors.reported_as("frequencies"):
            for frequency in self.frequencies:
                signals.band(frequency)
        check_clicks(self.shapes, self.level)


def map_run(config: Config, name: str, frequency: float, shapes: int, seed: int) -> Run:
    """One cell of the map. All cells of a seed share their random numbers, tests among them."""
    band = signals.band(frequency)
    clicks = degradations.clicks(shapes, bank=seed, level=config.level)
    tests = make_test_sets(
        ("band", band), ("clicks", clicks), {"melody": signals.melody(), "tune": signals.tune()},
        {
            "other clicks": degradations.unseen_banks(clicks, BANKS),
            "hiss": degradations.hiss(level=config.level),
        },
    )  # fmt: skip
    cell = Cell(band, clicks, NETWORKS[name](config), seed)
    labels = {"frequency": frequency, "shapes": shapes}
    return Run(cell, name, f"band({frequency:g})", f"clicks({shapes})", tests, labels)


def map_runs(config: Config) -> list[Run]:
    """A network for every cell of the map."""
    return [
        map_run(config, name, frequency, shapes, seed)
        for name in config.networks
        for seed in config.all_seeds()
        for frequency in config.frequencies
        for shapes in config.shapes
    ]


def run(config: Config, session: Session) -> Result:
    """Train and test a network in every cell; beside them the best linear filter of each.

    The errors under each of the 16 banks are kept as well. For the page that plays the map, so are
    the weights of the first seed's conv nets, and the signals to play to them.
    """
    eval_config = EvalConfig(config.samples, units=BANKS)
    runs = map_runs(config)
    swept = sweep(runs, config.schedule(), eval_config, session, keep=partial(_is_heard, config))
    rows = [row for seed in config.all_seeds() for row in _floor_rows(config, seed)]
    table = pd.concat([swept.table, pd.DataFrame(rows)], ignore_index=True)
    heard = _performance(config, list(swept.weights.values()))
    return Result(table.assign(balance=_balances(config, table)), swept.units | heard)


def _is_heard(config: Config, run: Run) -> bool:
    return run.network == "conv" and run.cell.seed == config.first_seed


def _performance(config: Config, weights: list[Params]) -> dict[str, np.ndarray]:
    """Weights of the networks that are heard, and long signals to play to them, half precision.

    "weights" is `(frequencies, shapes, weights)`: of each layer its bias, then its weights.
    """
    if not weights:
        return {}
    flat = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(each)]) for each in weights]
    of_map = np.reshape(flat, (len(config.frequencies), len(config.shapes), -1))
    found = {"weights": of_map, "tune": signals.tune().perform(RATE, 2 * HEARD / RATE)[:HEARD]}
    windows = HEARD // signals.WINDOW
    for frequency in config.frequencies:  # as one long window, for joints would be heard
        band = signals.band(frequency * windows, windows, length=HEARD)
        found[f"band({frequency:g})"] = draw(band, jax.random.key(0), 1)[0, :, 0]
    clicks = partial(degradations.clicks, level=config.level)
    noises: dict[str, Any] = {
        f"clicks({k})": clicks(k, bank=config.first_seed) for k in config.shapes
    }
    noises["other clicks"] = clicks(max(config.shapes), bank=config.first_seed + 1)
    noises["hiss"] = degradations.hiss(level=config.level)
    for name, noise in noises.items():
        found[name] = degradations.over_length(noise, jax.random.key(1), HEARD)[0, :, 0]
    return {name: np.asarray(values, np.float16) for name, values in found.items()}


def _floor_rows(config: Config, seed: int) -> Iterator[dict[str, Any]]:
    """The Wiener filter of each cell of a seed on the tests of that cell, from their spectra."""
    spectra: dict[int, np.ndarray] = {}

    def spectrum(family: Any) -> np.ndarray:
        """Of a content, or of what a degradation adds."""
        name = fingerprint(family)
        if name not in spectra:
            spectra[name] = oracles.power_spectrum(draw(family, jax.random.key(seed), SPECTRUM))
        return spectra[name]

    one = dataclasses.replace(config, networks=("conv",), seeds=1, first_seed=seed)
    for run in map_runs(one):
        pairs = [(spectrum(test.content), spectrum(test.degradation)) for test in run.tests]
        floors = linear.floor(pairs[0], pairs)
        for left, test, (content, residual) in zip(floors, run.tests, pairs, strict=True):
            yield names_of(run._replace(network=WIENER), test) | {
                "nmse": left / float(content.sum()),
                "relative_error": left / float(residual.sum()),
            }


def _balances(config: Config, table: pd.DataFrame) -> pd.Series:
    """Doublings from the content's complexity to the noise's, by the measure of `predict`.

    The noise is the clicks of bank 0; every seed of the networks has clicks of its own.
    """
    key = jax.random.key(0)
    content = {f: complexity(signals.band(f), key) for f in config.frequencies}
    noise = {k: complexity(degradations.clicks(k, level=config.level), key) for k in config.shapes}
    return np.log2(table["shapes"].map(noise) / table["frequency"].map(content))


def balance_of(table: pd.DataFrame) -> xr.DataArray:
    """What `predict` sees, `(frequency, shapes)`: above 0 the content is the simpler one."""
    cells = table.drop_duplicates(["frequency", "shapes"])
    return array_of(cells, "balance", "frequency", "shapes")


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the networks that are there."""
    values: dict[str, Any] = {}
    for name in trained_networks(table):
        maps = maps_of(table, name)
        phi, excess = maps[PHI], maps[EXCESS]
        right = ((balance_of(table) > 0) == (phi > 0)).where(phi.notnull())
        values[f"{name}_predict"] = right.mean(("frequency", "shapes"), skipna=False)
        if RICHEST in excess["frequency"] and 1 in excess["shapes"]:
            values[f"{name}_excess"] = excess.sel(frequency=RICHEST, shapes=1)
    return REGISTERED.claims_on(values, Sentence.__members__)


INDEX = "fits noise  $\\leftarrow$    $\\rightarrow$  fits content"
MAPPED = {  # by column: title, how to read the colours
    PHI: ("index $\\varphi = R_D - R_C$", INDEX),
    LINEAR: ("$\\varphi$ of the best linear filter", INDEX),
    EXCESS: (
        "excess of the network", "noise's $\\leftarrow$ structure $\\rightarrow$ content's"
    ),
    RHO: ("novelty response $\\rho$", "blocks novelty $\\rightarrow$ passes it"),
}  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """One row of maps per network: its index, the linear filter's, what is beyond it; and rho."""
    names = trained_networks(table)
    figure = plotting.new_figure(0.9 + 1.9 * len(names))
    panels = figure.subplots(len(names), len(MAPPED), sharex=True, sharey=True, squeeze=False)
    for row, name in zip(panels, names, strict=True):
        maps = maps_of(table, name)
        cells = {column: interval_each(values) for column, values in maps.items()}
        shapes, frequencies = maps[PHI]["shapes"].values, maps[PHI]["frequency"].values
        for number, (axes, (column, (title, reading))) in enumerate(
            zip(row, MAPPED.items(), strict=True)
        ):
            drawn = plotting.heat_map(
                axes, cells[column].estimate, shapes, frequencies, *COLORS[column]
            )
            axes.set_title(_certainty(cells[column]), fontsize=6, color=plotting.GREY, pad=2)
            if name == names[0]:
                axes.annotate(
                    title, (0.5, 1.13), xycoords="axes fraction", ha="center", weight="bold",
                    fontsize=6.5,
                )  # fmt: skip
            if name == names[-1]:
                axes.set_xlabel("click shapes $K$")
                plotting.color_bar(
                    figure, drawn, panels[:, number], reading, location="bottom", aspect=18,
                    shrink=0.9, extend="neither" if column == RHO else "both",
                )  # fmt: skip
        kept, removed = (map_of(table, name, part).mean("seed") for part in ("kept", "removed"))
        neither = ((kept < HALF) & (removed < HALF)).values
        plotting.hatch_cells(row[0], neither)
        # Where a network fits neither, R_C and R_D are both low: the sign of phi says nothing.
        plotting.zero_line(row[0], *[np.where(neither, np.nan, p) for p in cells[PHI][:3]])
        _draw_prediction(row[0], balance_of(table).values)
        row[0].set_ylabel(f"{name}\ncontent frequency\n(cycles per window)")
    figure.supxlabel(
        "line: $\\varphi = 0$, dotted: its 95% band; dashed: `predict`'s border, from samples; "
        "hatched: fits neither ($R_C, R_D < 0.5$)",
        fontsize=6.5,
    )
    return figure


def _draw_prediction(axes: Any, balance: np.ndarray) -> None:
    """The border on which content and noise are equally complex."""
    if min(balance.shape) > 1 and np.min(balance) < 0 < np.max(balance):
        axes.contour(balance, levels=[0.0], colors=[plotting.GREEN], linestyles="--")


def _certainty(cells: Interval) -> str:
    seeds = int(np.max(cells.seeds))
    if seeds < 2:
        return "1 seed: no interval"
    return f"95%: \u00b1{np.nanmedian((cells.high - cells.low) / 2):.2g} (median), {seeds} seeds"


REGISTERED = registered.of("phase_diagram")
experiment = Experiment(
    name="phase_diagram",
    message=(
        "Below the line networks fitted the content, above it the noise. Most of that a linear "
        "filter does as well; beyond it the conv net fits the structure of simple noise."
    ),
    presets={
        "smoke": Config(
            seeds=2, networks=("conv", "mlp"), frequencies=(1.0, 8.0, 60.0), shapes=(1, 16, 256),
            width=2, mlp_width=8, steps=10, batch=8, samples=16,
        ),
        "quick": Config(seeds=2, steps=250),
        "full": Config(
            seeds=16, first_seed=3000, networks=("conv", "mlp"), width=32, steps=3000, batch=64,
            samples=512, frequencies=(1.0, 2.0, 3.0, 6.0, 10.0, 19.0, 33.0, 60.0),
            shapes=(1, 2, 4, 8, 16, 32, 64, 128, 256),
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
