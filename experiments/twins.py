"""What does a network know beyond the spectrum? Components against their Gaussian twins.

Content is M notes at once, of random pitches up to 40, or the Gaussian process with the same
spectrum, which is the same for every M. Noise is clicks of K shapes, or the Gaussian process with
their spectrum. Each network is tested on its own task, and with one component replaced: by its
Gaussian twin, or, where it was Gaussian, by lone notes or clicks of one shape. A linear filter
does as well on all of them; what a network loses, it had from structure.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common import registered
from common.papers import Sentence
from common.signal_tasks import TrainConfig, check_clicks
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval, interval_each, oracles
from shortcut1d.data import degradations, gaussian, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.training.evaluation import (
    CONTENT_TWIN,
    DEGRADATION_TWIN,
    SEEN,
    EvalConfig,
    Run,
    TestSet,
)
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of, structures

GAUSSIAN = 0  # in the columns `notes` and `shapes`: the Gaussian twin
HIGHEST = 40  # pitch, cycles per window
MANY_NOTES, MANY_SHAPES = 32, 256  # of the registered claims
FILTER, CONV = "Wiener filter", "conv"


@dataclass(frozen=True)
class Config(TrainConfig):
    """The cells of the map, and how they are trained."""

    first_seed: int = option(0, "seeds are this one and those that follow; 0 to 99 to explore")
    notes: tuple[int, ...] = option((1, 2, 4, 8, 32), "notes at once, M; their twin comes on top")
    shapes: tuple[int, ...] = option((1, 4, 16, 256), "click shapes, K; their twin comes on top")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("first_seed", self.first_seed, low=0, high=4095 - self.seeds)
        for field, counts in (("notes", self.notes), ("shapes", self.shapes)):
            errors.rising(field, counts)
            if counts[0] != 1:
                raise errors.refuse(field, counts, "1 and more: the simplest belongs to the test")
        with errors.reported_as("notes"):
            for count in self.notes:
                signals.chords(count, HIGHEST)
        check_clicks(self.shapes)


def run(config: Config, session: Session) -> Result:
    """Train and test a network in every cell, and a Wiener filter where components are extreme."""
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    runs = [
        run_of(notes, shapes, seed, config)
        for seed in seeds
        for notes in (GAUSSIAN, *config.notes)
        for shapes in (GAUSSIAN, *config.shapes)
    ]
    trained = sweep(runs, config.schedule(), EvalConfig(config.samples), session).table
    of_filter = [
        row
        for seed in seeds
        for notes, shapes in CORNERS
        for row in _filter_rows(run_of(notes, shapes, seed, config), config.samples)
    ]
    return Result(pd.concat([trained, pd.DataFrame(of_filter)], ignore_index=True))


def families_of(notes: int, shapes: int, seed: int) -> dict[str, Any]:
    """Content and degradation of a cell, and what replaces each of them.

    The twin of notes is known in closed form: equal power from 1 to 40 cycles per window.
    """
    chord, clicks = signals.chords(notes or 1, HIGHEST), degradations.clicks(shapes or 1, bank=seed)
    band, noise = signals.band(HIGHEST), gaussian.twin_of_residual(clicks, jax.random.key(seed))
    content, other_content = (chord, band) if notes else (band, chord)
    degradation, other_degradation = (clicks, noise) if shapes else (noise, clicks)
    return {
        "content": content, "degradation": degradation,
        CONTENT_TWIN: other_content, DEGRADATION_TWIN: other_degradation,
    }  # fmt: skip


def run_of(notes: int, shapes: int, seed: int, config: Config) -> Run:
    """One cell. All cells of a seed share weights, contents, banks and tests where they can."""
    of = families_of(notes, shapes, seed)
    content, degradation = of["content"], of["degradation"]
    names = f"{notes} notes" if notes else "band", f"clicks({shapes})" if shapes else "Gaussian"
    tests = [
        TestSet(SEEN, *names, content, degradation),
        TestSet(CONTENT_TWIN, "other", names[1], of[CONTENT_TWIN], degradation),
        TestSet(DEGRADATION_TWIN, names[0], "other", content, of[DEGRADATION_TWIN]),
    ]
    cell = Cell(content, degradation, networks.ConvNet(width=config.width), seed, common=True)
    return Run(cell, CONV, *names, tests, {"notes": notes, "shapes": shapes})


def _filter_rows(run: Run, samples: int) -> list[dict[str, Any]]:
    """The Wiener filter of a cell, on its tests."""
    key = jax.random.key(run.cell.seed)
    clean, degraded = draw_pair(key, run.cell.content, run.cell.degradation, gaussian.DRAWS)
    parts = [np.asarray(part) for part in (clean, degraded - clean)]
    wiener = oracles.wiener(*[oracles.power_spectrum(part) for part in parts])
    rows = []
    for number, test in enumerate(run.tests):
        own = jax.random.fold_in(key, number)
        clean, degraded = draw_pair(own, test.content, test.degradation, 16 * samples)
        left = np.mean((np.asarray(wiener(degraded)) - np.asarray(clean)) ** 2)
        rows.append(
            {
                "network": FILTER, "content": run.content, "degradation": run.degradation,
                **run.labels, "seed": run.cell.seed, "diverged": False, "test": test.role,
                "test_content": test.content_name, "test_degradation": test.degradation_name,
                "nmse": float(left / np.mean(np.asarray(clean) ** 2)),
                "relative_error": float(left / np.mean(np.asarray(degraded - clean) ** 2)),
            }
        )  # fmt: skip
    return rows


def measured(table: pd.DataFrame, network: str, column: str) -> xr.DataArray:
    """A column of the structure test as `(seed, notes, shapes)`; see `structures`."""
    found = structures(table[table["network"] == network])
    return array_of(found, column, "seed", "notes", "shapes")


def behind_specialist(table: pd.DataFrame) -> xr.DataArray:
    """DB behind the network that was trained on the noise's Gaussian twin, on that twin.

    `(seed, notes, shapes)`, both on the same content; of the noises that are not Gaussian.
    """
    left = 1 - measured(table, CONV, "without_degradation").drop_sel(shapes=GAUSSIAN)
    specialist = 1 - measured(table, CONV, "seen").sel(shapes=GAUSSIAN)
    return 10 * xr.apply_ufunc(np.log10, left / specialist)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered, of the cells that are there."""
    psi, linear = measured(table, CONV, "psi"), measured(table, FILTER, "psi")
    behind = behind_specialist(table)

    def at(notes: int, shapes: int) -> xr.DataArray:
        return psi.sel(notes=notes, shapes=shapes)

    values = {
        "noise": at(GAUSSIAN, 1),
        "content": at(1, GAUSSIAN),
        "neither": at(GAUSSIAN, GAUSSIAN),
        "filter": abs(linear).max(("notes", "shapes")),
    }
    if MANY_NOTES in psi["notes"]:
        values["richer_content"] = at(1, GAUSSIAN) - at(MANY_NOTES, GAUSSIAN)
        values["specialist"] = behind.sel(notes=MANY_NOTES, shapes=1)
        if MANY_SHAPES in psi["shapes"]:
            values["richer_noise"] = at(MANY_NOTES, MANY_SHAPES) - at(MANY_NOTES, 1)
    stated = [name for name in REGISTERED.claims if name in values]
    return [REGISTERED.claim(name, values[name], Sentence.__members__) for name in stated]


CORNERS = {
    (GAUSSIAN, GAUSSIAN): "band\n+ Gaussian noise", (GAUSSIAN, 1): "band\n+ clicks(1)",
    (1, GAUSSIAN): "lone notes\n+ Gaussian noise", (1, 1): "lone notes\n+ clicks(1)",
}  # fmt: skip
PARTS = {
    "of_degradation": ("lost without the noise's structure, $d_D$", plotting.RED, "s"),
    "of_content": ("lost without the content's structure, $d_C$", plotting.GREEN, "^"),
    "psi": ("$\\psi = d_C - d_D$", plotting.INK, "o"),
}


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """The four extreme tasks; then psi over the whole map."""
    figure = plotting.new_figure(2.8)
    corners, plane = figure.subplots(1, 2, width_ratios=[1.15, 1])
    for number, (column, (label, color, marker)) in enumerate(PARTS.items()):
        values = measured(table, CONV, column)
        for row, (notes, shapes) in enumerate(CORNERS):
            found = interval(values.sel(notes=notes, shapes=shapes))
            plotting.bar(corners, found, row + 0.2 * (number - 1), color, marker)
        corners.plot([], [], marker, color=color, markersize=5, label=label)
    linear = measured(table, FILTER, "psi").mean("seed")
    for row, (notes, shapes) in enumerate(CORNERS):
        place = float(linear.sel(notes=notes, shapes=shapes)), row + 0.4
        corners.plot(*place, "D", color=plotting.GREY, markersize=3)
    corners.plot([], [], "D", color=plotting.GREY, markersize=3, label="$\\psi$, Wiener filter")
    plotting.name_rows(corners, list(CORNERS.values()), fontsize=6.5)
    corners.set_ylim(len(CORNERS) - 0.35, -0.45)
    corners.axvline(0, color=plotting.INK, linewidth=0.6)
    corners.set_xlabel("share of the noise's energy")
    corners.set_title("what is lost where one component is replaced", fontsize=7, loc="left")
    figure.legend(fontsize=6, loc="outside lower left", ncols=4)
    psi = measured(table, CONV, "psi")
    psi = psi.isel(notes=_twin_last(psi["notes"]), shapes=_twin_last(psi["shapes"]))
    drawn = plotting.heat_map(
        plane, psi.mean("seed").values, psi["shapes"].values, psi["notes"].values,
        plotting.DIVERGING, (-0.6, 0.6),
    )  # fmt: skip
    for (row, column), value in np.ndenumerate(interval_each(psi).estimate):
        ink = "white" if abs(value) > 0.4 else plotting.INK
        plane.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=ink)
    plane.set_xticks(range(psi["shapes"].size), _names(psi["shapes"]), fontsize=6)
    plane.set_yticks(range(psi["notes"].size), _names(psi["notes"]), fontsize=6)
    plane.set_xlabel("click shapes $K$")
    plane.set_ylabel("notes at once $M$")
    colors = figure.colorbar(drawn, ax=plane, extend="both")
    colors.set_label("$\\psi$: fits the noise's $\\leftarrow\\,\\rightarrow$ content's structure",
                     fontsize=6)  # fmt: skip
    colors.ax.tick_params(labelsize=6)
    return figure


def _twin_last(axis: xr.DataArray) -> list[int]:
    """The order in which the Gaussian twin, which has no number, stands last."""
    numbers = [n for n, value in enumerate(axis.values) if value != GAUSSIAN]
    return [*numbers, *(n for n, value in enumerate(axis.values) if value == GAUSSIAN)]


def _names(axis: xr.DataArray) -> list[str]:
    return ["Gaussian" if value == GAUSSIAN else f"{value:g}" for value in axis.values]


REGISTERED = registered.of("twins")
experiment = Experiment(
    name="twins",
    message=(
        "Networks fit whichever structure lies beyond the spectrum: the noise's where only the "
        "noise has any, the content's where only the content has; a linear filter has none to lose."
    ),
    presets={
        "smoke": Config(
            seeds=2, notes=(1, 32), shapes=(1, 256), width=2, steps=10, batch=8, samples=16
        ),
        "quick": Config(seeds=3, steps=250, notes=(1, 4, 32), shapes=(1, 16, 256)),
        "full": Config(
            seeds=32, first_seed=2000, width=32, steps=3000, batch=64, samples=512,
            notes=(1, 2, 3, 4, 8, 16, 32), shapes=(1, 2, 4, 16, 64, 256),
        ),
        "kept": Config(**REGISTERED.settings),  # 20 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
    registration=REGISTERED,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
