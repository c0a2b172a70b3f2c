"""Classical filters, which nobody trained: what do they do with what they do not know?

scikit-image's wavelet, total-variation, bilateral and non-local-means denoisers and scipy's Wiener
and median filters are diagnosed on melodies under clicks, beside conv nets trained on one note and
on melodies. All meet a tune, other melodies, other clicks, hiss and a hum. Filters that know images
only are given the window as the rows of one. Needs scikit-image (pip install -e ".[filters]").
"""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from common.signal_tasks import TrainConfig
from matplotlib.figure import Figure
from scipy.ndimage import median_filter
from scipy.signal import wiener

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import Interval, bootstrap
from shortcut1d.data import degradations, signals
from shortcut1d.diagnosis import Report, diagnose
from shortcut1d.diagnosis.adapters import from_function
from shortcut1d.harness.claims import Claim, claim_mean
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.evaluation import SEEN, EvalConfig, Run, TestSet
from shortcut1d.training.grid import Cell
from shortcut1d.training.sweep import Session, sweep

ROWS = 5  # of the image that a window becomes
NOTE, MELODIES = "net: note", "net: melodies"
CONTENTS = ("other melodies", "tune")
DEGRADATIONS = ("seen", "other clicks", "hiss", "hum")


@dataclass(frozen=True)
class Config(TrainConfig):
    """What is diagnosed, and on how much."""

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("samples", self.samples, low=8)


def as_image(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A filter of images as one of windows: all rows alike, and the middle one of the answer."""
    return lambda window: function(np.tile(window, (ROWS, 1)))[ROWS // 2]


def filters() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Filters of one window, told that the degradation has an RMS of 1 (0 dB) where they ask."""
    if importlib.util.find_spec("skimage") is None:
        raise errors.InvalidInput('scikit-image is not installed (pip install -e ".[filters]")')
    from skimage import restoration  # optional

    return {
        "wavelet": lambda x: restoration.denoise_wavelet(x, sigma=1.0),
        "total variation": lambda x: restoration.denoise_tv_chambolle(x, weight=1.0),
        "bilateral": as_image(
            lambda x: restoration.denoise_bilateral(x, win_size=5, sigma_color=2.0, sigma_spatial=2)
        ),
        "non-local means": as_image(
            lambda x: restoration.denoise_nl_means(x, 5, 8, h=0.8, sigma=1.0)
        ),
        "Wiener": lambda x: wiener(x, 9, 1.0),
        "median": lambda x: median_filter(x, 5, mode="wrap"),
    }


def run(config: Config, session: Session) -> Result:
    """Train the networks, then diagnose everything on the same kinds of test."""
    known = filters()  # refused before anything is trained, where it cannot be had
    conv = networks.ConvNet(width=config.width)
    kinds = {NOTE: signals.note(), MELODIES: signals.melody()}
    runs = []
    for name, family in kinds.items():
        for seed in range(config.seeds):
            clicks = degradations.clicks(bank=seed)
            tests = [TestSet(SEEN, name, "clicks", family, clicks)]
            runs.append(Run(Cell(family, clicks, conv, seed), "conv", name, "clicks", tests))
    eval_config = EvalConfig(128, np.eye(128, 1, dtype=np.float32))
    swept = sweep(runs, config.schedule(), eval_config, session, keep=lambda one_run: True)
    rows = []
    for position, params in swept.weights.items():
        who = runs[position]
        rows += _rows(
            config, who.content, networks.denoiser(conv, params), who.cell.content, who.cell.seed
        )
    for name, function in known.items():
        for seed in range(config.seeds):
            rows += _rows(config, name, from_function(function), kinds[MELODIES], seed)
    return Result(pd.DataFrame(rows))


def _rows(
    config: Config, name: str, denoiser: Callable[[Any], Any], trained_on: Any, seed: int
) -> list[dict[str, Any]]:
    clicks = degradations.clicks(bank=seed)
    report = diagnose(
        denoiser,
        trained_on,
        clicks,
        unseen_content={"other melodies": signals.melody().unseen(), "tune": signals.tune()},
        unseen_degradation={
            "other clicks": clicks.unseen(), "hiss": degradations.hiss(), "hum": degradations.hum(),
        },
        samples=config.samples,
        portraits=0,
        key=jax.random.fold_in(jax.random.key(1), seed),
    )  # fmt: skip
    return [
        {"denoiser": name, "seed": seed, "measure": measure, "value": value}
        for measure, value in _read(report).items()
    ]


def _read(report: Report) -> dict[str, float]:
    found = {name: report[name].estimate for name in ("kept", "removed", "phi", "rho")}
    found |= {f"keeps {test}": 1 - report["nmse", test].estimate for test in CONTENTS}
    found |= {f"removes {test}": 1 - report["left over", test].estimate for test in DEGRADATIONS}
    return found


def values_of(table: pd.DataFrame, denoiser: str, measure: str) -> np.ndarray:
    """A measure of a denoiser, for each seed."""
    chosen = table[(table["denoiser"] == denoiser) & (table["measure"] == measure)]
    return chosen.sort_values("seed")["value"].to_numpy()


def claims(table: pd.DataFrame) -> list[Claim]:
    """What sets trained networks apart from filters."""
    names = [name for name in dict.fromkeys(table["denoiser"]) if name not in (NOTE, MELODIES)]
    best = np.max([values_of(table, name, "removes seen") for name in names], axis=0)
    least = np.min([values_of(table, name, "rho") for name in names], axis=0)
    kept = np.min([values_of(table, name, "keeps tune") for name in names], axis=0)
    return [
        claim_mean(
            "a network trained on melodies removes more of the clicks it knows than any filter",
            "removed by the network - by the best filter",
            values_of(table, MELODIES, "removes seen") - best, "above", 0.1,
        ),
        claim_mean(
            "every filter passes more novelty than a network trained on one note",
            "least rho of a filter - rho of the network",
            least - values_of(table, NOTE, "rho"), "above", 0.0,
        ),
        claim_mean(
            "every filter keeps more of a tune than a network trained on one note",
            "least kept by a filter - by the network",
            kept - values_of(table, NOTE, "keeps tune"), "above", 0.0,
        ),
    ]  # fmt: skip


COLORS = {
    NOTE: plotting.BLUE, MELODIES: plotting.RED, "wavelet": plotting.ORANGE,
    "total variation": plotting.GREEN, "bilateral": plotting.PINK,
    "non-local means": plotting.SKY, "Wiener": plotting.GREY, "median": plotting.INK,
}  # fmt: skip
MARKERS = dict(zip(COLORS, "oosvD^P*"))


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Where everybody stands on the plane; and what each keeps and removes, thing by thing."""
    names = list(COLORS)
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 3.3), layout="constrained")
        plane, things, responses = figure.subplots(1, 3, width_ratios=[1.25, 1.35, 0.6])
        plotting.transfer_plane(plane)
        for name in names:
            kept, removed = (
                bootstrap(np.clip(values_of(table, name, m), -0.3, 1)) for m in ("kept", "removed")
            )
            plotting.cross(plane, kept, removed, COLORS[name], MARKERS[name])
        columns = [f"keeps {t}" for t in CONTENTS] + [f"removes {t}" for t in DEGRADATIONS]
        means = np.array([[values_of(table, n, c).mean() for c in columns] for n in names])
        things.imshow(means, cmap=plotting.DIVERGING, vmin=-1, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(means):
            dark = abs(value) > 0.6
            text = f"{value:.2f}" if value > -9.5 else "<-9"
            things.text(
                column, row, text, ha="center", va="center", fontsize=6,
                color="white" if dark else plotting.INK,
            )  # fmt: skip
        labels = [c.replace("removes seen", "removes seen clicks") for c in columns]
        things.set_xticks(range(len(columns)), labels, rotation=40, ha="right", fontsize=6)
        things.set_yticks(range(len(names)), names, fontsize=7)
        for label, name in zip(things.get_yticklabels(), names, strict=True):
            label.set_color(COLORS[name])
        for spine in things.spines.values():
            spine.set_visible(False)
        things.tick_params(length=0)
        things.set_title("share kept, or removed (mean)", loc="left", fontsize=7)
        for row, name in enumerate(names):
            rho: Interval = bootstrap(values_of(table, name, "rho"))
            plotting.bar(responses, rho, row, COLORS[name], MARKERS[name])
        responses.set_ylim(len(names) - 0.5, -0.5)
        responses.set_yticks([])
        responses.set_xlim(0, 1)
        responses.set_xlabel("novelty response $\\rho$\n(95% interval)")
        return figure


experiment = Experiment(
    name="classical_filters",
    summary=__doc__,
    message=(
        "Filters that nobody trained do a little of everything to everything; a network "
        "trained on melodies is nearly perfect on what it knows, and no better than they are "
        "on what it does not."
    ),
    presets={
        "smoke": Config(seeds=2, samples=8, width=2, steps=10, batch=8),
        "quick": Config(width=24, steps=1000, samples=32),
        "full": Config(seeds=10, samples=256, width=32, steps=10_000, batch=64),
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
