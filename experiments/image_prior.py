"""The generative prior on pictures: deraining, denoising and deblurring, of photographs.

An autoencoder with a discrete code learns clean photographs, once. For each task its encoder is
then trained to find the codes of the clean picture, codebook and decoder being frozen. Beside it:
the prior as it stands, the same without a code, and two networks of as much training without a
prior, one of them the same autoencoder. All are given photographs that they never saw, under
degradations that they know and that they do not.
"""

import functools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from common.image_figures import crop_to_show, shown_on
from common.image_tasks import (
    NEW,
    PHOTOGRAPHS,
    PictureConfig,
)
from common.papers import Sentence
from common.prior_tasks import Name, Staged, in_stages, init_autoencoder
from common.signal_tasks import make_test_sets
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import interval
from shortcut1d.data import composition, image_degradations
from shortcut1d.data.images import Photographs
from shortcut1d.harness.claims import Claim, claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.networks import Network, Params, autoencoder
from shortcut1d.networks.autoencoder import Autoencoder, Recipe
from shortcut1d.training.evaluation import UNSEEN_BOTH, UNSEEN_CONTENT, Run, windows
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session

PLAIN, TWIN = "plain conv net", "plain autoencoder"
STANDS, CODES = "prior, as it stands", "prior, encoder to codes"
NO_CODE, NO_CODE_STANDS = "no code, encoder tuned", "no code, as it stands"
NOTHING = "nothing"  # what priors are trained under
ARMS = (PLAIN, TWIN, CODES, STANDS, NO_CODE)


@dataclass(frozen=True)
class Config(PictureConfig):
    """How large the prior is, and how long each part is trained."""

    size: int = option(32, "pixels along each side of a picture")
    seeds: int = option(5, "networks of each kind, each with its own weights and data")
    steps: int = option(800, "training steps of a prior")
    tune_steps: int = option(300, "training steps after that; a plain network has both")
    prior_width: int = option(16, "channels of the autoencoder")
    halvings: int = option(2, "of the resolution, by the autoencoder")
    books: int = option(2, "codebooks a position")
    entries: int = option(256, "of a codebook")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("seeds", self.seeds, low=2)
        with errors.reported_as("tune_steps"):
            Schedule(self.tune_steps)
        with errors.reported_as("halvings"):
            Autoencoder(levels=self.halvings)
        if self.size % 2**self.halvings:
            raise errors.refuse("size", self.size, f"a multiple of {2**self.halvings}")
        with errors.reported_as("prior_width"):
            Autoencoder(self.prior_width)
        self.autoencoder()

    def autoencoder(self) -> Autoencoder:
        """The prior, and its twin without a code."""
        return Autoencoder(
            self.prior_width, levels=self.halvings, books=self.books, entries=self.entries,
            edges="reflect",
        )  # fmt: skip

    def tasks(self) -> dict[str, tuple[tuple[str, Any], dict[str, Any]]]:
        """By name: what is known, and two degradations that are not."""
        kwargs = self.image_kwargs()
        return {
            "deraining": (
                ("small rain", image_degradations.rain("small", **kwargs)),
                {
                    "other rain": image_degradations.other_rain(**kwargs),
                    "large rain": image_degradations.rain("large", **kwargs),
                },
            ),
            "denoising": (
                ("Gaussian noise", image_degradations.sensor_noise("gaussian", **kwargs)),
                {
                    "salt and pepper": image_degradations.sensor_noise("salt_and_pepper", **kwargs),
                    "speckle": image_degradations.sensor_noise("speckle", **kwargs),
                },
            ),
            "deblurring": (
                ("Gaussian blur", image_degradations.blur_kernel((1, 1), **kwargs)),
                {
                    "motion": image_degradations.blur_kernel((1, 1), motion=True, **kwargs),
                    "wide Gaussian blur": image_degradations.blur_kernel((1.5, 1.5), **kwargs),
                },
            ),
        }


def run(config: Config, session: Session) -> Result:
    """Train the prior and the plain networks; then what is built on the prior."""
    photographs = config.photographs(warn)
    space = (config.size, config.size)
    network = config.autoencoder()

    def initial(recipe: Recipe, seed: int) -> Params:
        return init_autoencoder(network, recipe, seed, space, config.channels)

    first = [
        one_run(
            config, photographs, "deraining", name, network, seed, initial(recipe, seed), clean=True
        )
        for name, recipe in (
            (STANDS, autoencoder.PRIOR), (NO_CODE_STANDS, autoencoder.NO_CODE),
        )
        for seed in config.all_seeds()
    ]  # fmt: skip
    for task in config.tasks():
        for seed in config.all_seeds():
            twin = initial(autoencoder.NO_CODE, seed)
            first += [
                each._replace(schedule=config.schedule(steps=config.steps + config.tune_steps))
                for each in (
                    one_run(config, photographs, task, PLAIN, config.denoiser(), seed),
                    one_run(config, photographs, task, TWIN, network, seed, twin),
                )
            ]
    staged = in_stages(
        first, functools.partial(build, config, photographs), config.schedule(),
        config.eval_config(), session,
    )  # fmt: skip
    table = staged.table[staged.table["degradation"] != NOTHING].reset_index(drop=True)
    shown = config.first_seed
    prior = staged.weights[STANDS, NOTHING, shown]
    crop = crop_to_show(first[-1])
    pictures = {
        f"{name}: other rain": shown_to(staged, (name, "small rain", shown), crop) for name in ARMS
    }
    kept = {"photographs": (config.autoencoder(), prior, (*space, config.channels))}
    return Result(table, pictures, models=kept)


def shown_to(staged: Staged, name: Name, crop: Photographs) -> np.ndarray:
    """Input, target and output of a network, on a crop in other rain."""
    run = staged.runs[name]
    test = next(
        test
        for test in run.tests
        if test.role == UNSEEN_BOTH and test.degradation_name == "other rain"
    )
    drawn = windows(run.cell.network, [(staged.weights[name], shown_on(test, crop))])
    return drawn[0].astype(np.float32)


def one_run(
    config: Config,
    photographs: Photographs,
    task: str,
    name: str,
    network: Network,
    seed: int,
    init_params: Params | None = None,
    *,
    clean: bool = False,
) -> Run:
    """One network.

    Args:
        config: what it is.
        photographs: that it is trained on.
        task: whose degradations it is trained and tested on.
        name: for the table.
        network: what is trained.
        seed: of its weights and data.
        init_params: weights to begin with; None for fresh ones.
        clean: it is trained on photographs without a degradation.
    """
    known, unseen = config.tasks()[task]
    tests = make_test_sets(
        (PHOTOGRAPHS, photographs), known, {NEW: photographs.unseen()}, unseen, both=True
    )
    under = known
    if clean:  # what is built on it is tested; one test says whether it has diverged
        under = NOTHING, composition.nothing(config.size, config.size, config.channels)
        tests = tests[:1]
    cell = Cell(photographs, under[1], network, seed, init_params)
    return Run(cell, name, PHOTOGRAPHS, under[0], tests, {"task": task})


def build(
    config: Config, photographs: Photographs, weights: Mapping[Name, Params]
) -> Iterator[Run]:
    """What is built on the priors, for every task."""
    tuning = config.schedule(steps=config.tune_steps)
    for seed in config.all_seeds():
        prior, twin = (weights[kind, NOTHING, seed] for kind in (STANDS, NO_CODE_STANDS))
        for task in config.tasks():
            for name, initial, schedule in (
                (STANDS, prior, config.schedule(checkpoints=(0,))),
                (CODES, autoencoder.init_restoration(prior, **autoencoder.TO_CODES), tuning),
                (NO_CODE, autoencoder.init_restoration(twin, **autoencoder.TO_CODES), tuning),
            ):
                network = config.autoencoder()
                made = one_run(config, photographs, task, name, network, seed, initial)
                yield made._replace(schedule=schedule)


def measure(table: pd.DataFrame, network: str, task: str, column: str, role: str) -> np.ndarray:
    """A measure of a network's seeds on new photographs, mean over the degradations of a role.

    role: `UNSEEN_CONTENT` (under the degradation that is known), or `UNSEEN_BOTH`.
    """
    chosen = table[
        (table["network"] == network) & (table["task"] == task) & (table["test"] == role)
    ]
    return chosen.groupby("seed")[column].mean().sort_index().to_numpy()


MAX_LOSS = 3.0  # dB of PSNR that the prior may cost where the degradation is known


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the prior is better under what was not seen, that the code does it, what it costs."""
    made = []
    for task in table["task"].unique():
        tuned = measure(table, CODES, task, "psnr", UNSEEN_BOTH)
        made += [
            claim(
                f"{task}: the prior, its encoder tuned, is better than {word} under what was "
                "not seen",
                "PSNR on new photographs, difference, dB",
                tuned - measure(table, rival, task, "psnr", UNSEEN_BOTH),
                sentence=sentence, domain="2D",
            )
            for rival, word, sentence in (
                (PLAIN, "a plain conv net", Sentence.PRIOR),
                (TWIN, "the same without a prior", Sentence.PRIOR),
                (NO_CODE, "the same without a code", Sentence.MANIFOLD),
            )
        ]  # fmt: skip
        if task == "deraining":
            left, less = (measure(table, name, task, "e_r", UNSEEN_BOTH) for name in (PLAIN, CODES))
            made.append(
                claim(
                    "deraining: the prior, its encoder tuned, errs less where unseen rain is than "
                    "a plain conv net",
                    "E_R of the one - of the other",
                    left - less, sentence=Sentence.PRIOR, domain="2D",
                )
            )  # fmt: skip
        plain, prior = (
            measure(table, name, task, "psnr", UNSEEN_CONTENT) for name in (PLAIN, CODES)
        )
        made.append(
            claim(
                f"{task}: under what it knows, the prior, its encoder tuned, loses at most "
                f"{MAX_LOSS:g} dB",
                "PSNR on new photographs, of a plain conv net - of the prior, dB",
                plain - prior, below=MAX_LOSS, domain="2D",
            )
        )  # fmt: skip
    return made


COLORS = {
    PLAIN: plotting.GREY, TWIN: plotting.ORANGE, CODES: plotting.BLUE, STANDS: plotting.GREEN,
    NO_CODE: plotting.PINK,
}  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """PSNR of each network on each task, known and not; and pictures in other rain."""
    figure = plotting.new_figure(5.2)
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 1.35])
    above, below = parts
    tasks = table["task"].unique()
    for axes, task in zip(above.subplots(1, len(tasks), sharey=True), tasks, strict=True):
        for place, name in enumerate(ARMS):
            for role, marker, shift in ((UNSEEN_CONTENT, "o", -0.15), (UNSEEN_BOTH, "s", 0.15)):
                values = interval(measure(table, name, task, "psnr", role))
                plotting.bar(axes, values, place + shift, COLORS[name], marker)
        plotting.name_rows(axes, ARMS, fontsize=6.5)
        axes.set_title(task, loc="left", fontsize=7)
        axes.set_xlabel("PSNR on new photographs (dB)")
    for role, marker in (("degradation it knows", "o"), ("not seen", "s")):
        axes.plot([], [], marker, color=plotting.INK, markersize=4, label=role)
    above.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    plotting.pictures(below, list(arrays.items()))
    return figure


experiment = Experiment(
    name="image_prior",
    message=(
        "In rain that was not seen the prior is better than a plain conv net, and than the same "
        "autoencoder without it or without its code; in noise and blur, where its blurred output "
        "is the larger loss, it is worse."
    ),
    presets={
        "smoke": Config(
            seeds=2, size=16, width=2, steps=5, tune_steps=5, batch=4, samples=4, prior_width=2,
            entries=4,
        ),
        "quick": Config(width=12, batch=8, samples=64, loss="mse", steps=500, tune_steps=150),
        "full": Config(
            seeds=8, network="residual", size=64, channels=3, width=48, steps=20_000,
            tune_steps=6000, batch=16, samples=256, prior_width=64, books=4,
        ),
        "kept": Config(
            width=12, batch=8, samples=64, loss="mse", steps=1000, tune_steps=300, books=4,
            images="bsd400",
        ),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
