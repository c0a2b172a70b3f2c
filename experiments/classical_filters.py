"""Classical filters, which nobody trained: what do they do with what they do not know?

scikit-image's wavelet, total-variation, bilateral and non-local-means denoisers and scipy's Wiener
and median filters are diagnosed on melodies under clicks, beside conv nets trained on one note and
on melodies. All are tested on a tune, other melodies, other clicks, hiss and a hum. Filters that
take images only get one whose rows are all the window. Needs scikit-image (pip install -e
".[filters]").
"""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr
from common.signal_tasks import TrainConfig, seen_run
from matplotlib.figure import Figure
from scipy.ndimage import median_filter
from scipy.signal import wiener

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval
from shortcut1d.data import degradations, signals
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.adapters import from_function
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import array_of

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
    """A filter of windows from one of images: all rows alike in, the middle row out."""
    return lambda window: function(np.tile(window, (ROWS, 1)))[ROWS // 2]


def filters() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Filters of one window; those that need the RMS of the degradation get 1 (0 dB)."""
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
    """Train the networks, then diagnose them and the filters on the same kinds of test."""
    untrained = filters()  # before anything is trained: scikit-image may not be there
    conv = networks.ConvNet(width=config.width)
    kinds = {NOTE: signals.note(), MELODIES: signals.melody()}
    runs = [
        seen_run(conv, "conv", (name, family), ("clicks", degradations.clicks(bank=seed)), seed)
        for name, family in kinds.items()
        for seed in range(config.seeds)
    ]
    swept = sweep(runs, config.schedule(), EvalConfig(128), session, keep=lambda run: True)
    rows = []
    for position, params in swept.weights.items():
        name, cell = runs[position].content, runs[position].cell
        rows += _rows(config, name, networks.denoiser(conv, params), cell.content, cell.seed)
    for name, function in untrained.items():
        for seed in range(config.seeds):
            rows += _rows(config, name, from_function(function), kinds[MELODIES], seed)
    return Result(pd.DataFrame(rows))


def _rows(
    config: Config, name: str, denoiser: Callable[[Any], Any], content: Any, seed: int
) -> list[dict[str, Any]]:
    """The measures of one denoiser, diagnosed on a content under clicks."""
    clicks = degradations.clicks(bank=seed)
    report = diagnose(
        denoiser, content, clicks,
        unseen_content={"other melodies": signals.melody().unseen(), "tune": signals.tune()},
        unseen_degradation={
            "other clicks": clicks.unseen(), "hiss": degradations.hiss(), "hum": degradations.hum(),
        },
        samples=config.samples,
        portraits=0,
        key=jax.random.fold_in(jax.random.key(1), seed),
    )  # fmt: skip
    found = {name: report[name].estimate for name in ("kept", "removed", "phi", "rho")}
    found |= {f"keeps {test}": 1 - report["nmse", test].estimate for test in CONTENTS}
    found |= {
        f"removes {test}": 1 - report["relative_error", test].estimate for test in DEGRADATIONS
    }
    return [
        {"denoiser": name, "seed": seed, "measure": measure, "value": value}
        for measure, value in found.items()
    ]


def values_of(table: pd.DataFrame) -> xr.DataArray:
    """The measures, `(seed, denoiser, measure)`."""
    return array_of(table, "value", "seed", "denoiser", "measure")


def claims(table: pd.DataFrame) -> list[Claim]:
    """What sets trained networks apart from filters."""
    values = values_of(table)
    note, melodies = values.sel(denoiser=NOTE), values.sel(denoiser=MELODIES)
    filtered = values.drop_sel(denoiser=[NOTE, MELODIES])
    best, least = (f("denoiser", skipna=False) for f in (filtered.max, filtered.min))
    return [
        claim(
            "a network trained on melodies removes more of the clicks it knows than any filter",
            "removed by the network - by the best filter",
            (melodies - best).sel(measure="removes seen"), above=0.1,
        ),
        claim(
            "every filter passes more novelty than a network trained on one note",
            "least rho of a filter - rho of the network", (least - note).sel(measure="rho"),
        ),
        claim(
            "every filter keeps more of a tune than a network trained on one note",
            "least kept by a filter - by the network", (least - note).sel(measure="keeps tune"),
        ),
    ]  # fmt: skip


COLORS = {
    NOTE: plotting.BLUE, MELODIES: plotting.RED, "wavelet": plotting.ORANGE,
    "total variation": plotting.GREEN, "bilateral": plotting.PINK,
    "non-local means": plotting.SKY, "Wiener": plotting.GREY, "median": plotting.INK,
}  # fmt: skip
MARKERS = dict(zip(COLORS, "oosvD^P*"))


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Where every denoiser stands on the plane; what each keeps and removes, thing by thing."""
    names, values = list(COLORS), values_of(table)
    figure = plotting.new_figure(3.3)
    plane, things, responses = figure.subplots(1, 3, width_ratios=[1.25, 1.35, 0.6])
    plotting.transfer_plane(plane)
    for row, (name, color) in enumerate(COLORS.items()):
        own = values.sel(denoiser=name)
        kept, removed = (interval(own.sel(measure=m).clip(-0.3, 1)) for m in ("kept", "removed"))
        plotting.cross(plane, kept, removed, color, MARKERS[name])
        plotting.bar(responses, interval(own.sel(measure="rho")), row, color, MARKERS[name])
    columns = [f"keeps {t}" for t in CONTENTS] + [f"removes {t}" for t in DEGRADATIONS]
    means = values.mean("seed", skipna=False).sel(denoiser=names, measure=columns).values
    things.imshow(means, cmap=plotting.DIVERGING, vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(means):
        things.text(
            column, row, f"{value:.2f}" if value > -9.5 else "<-9", ha="center", va="center",
            fontsize=6, color="white" if abs(value) > 0.6 else plotting.INK,
        )  # fmt: skip
    labels = [c.replace("removes seen", "removes seen clicks") for c in columns]
    things.set_xticks(range(len(columns)), labels, rotation=40, ha="right", fontsize=6)
    plotting.name_rows(things, names, list(COLORS.values()), fontsize=7)
    things.spines[:].set_visible(False)
    things.tick_params(length=0)
    things.set_title("share kept, or removed (mean)", loc="left", fontsize=7)
    responses.set_ylim(len(names) - 0.5, -0.5)
    responses.set_yticks([])
    responses.set_xlim(0, 1)
    responses.set_xlabel("novelty response $\\rho$\n(95% interval)")
    return figure


experiment = Experiment(
    name="classical_filters",
    message=(
        "Filters that nobody trained do a little of everything to everything; a network "
        "trained on melodies is nearly perfect on what it knows, and no better than they are "
        "on what it does not."
    ),
    presets={
        "smoke": Config(seeds=2, samples=8, width=2, steps=10, batch=8),
        "quick": Config(width=24, steps=1000, samples=32),
        "full": Config(seeds=10, samples=256, width=32, steps=10_000, batch=64),
        "kept": Config(width=24, steps=1000, samples=32),  # 2 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
