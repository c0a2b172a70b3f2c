"""The generative prior on pictures, of contents from narrow to rich: does it pay where it can draw?

An autoencoder with a discrete code learns clean pictures of one content: letters, faces, leaves,
blurred photographs, photographs. For each task (deraining, denoising, deblurring) its encoder is
then trained to find the codes of the clean picture. Beside it: a plain conv net, the prior as it
stands and trained as a whole, its twins without a code or with a random one, a diffusion prior,
the deep image prior, and the classical filters. The error of the prior on clean pictures is its
ceiling.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from common import registered
from common.image_tasks import DRAWS, PictureConfig, as_strong, strength
from common.papers import Sentence
from common.priors import judged, measured
from common.priors.figure import plot
from common.priors.options import PriorOptions
from common.priors.tasks import Plan, Task
from scipy.ndimage import gaussian_filter

from shortcut1d import errors
from shortcut1d.data import gaussian, image_degradations, images, pictures
from shortcut1d.data.crops import crops
from shortcut1d.data.family import draw, draw_pair
from shortcut1d.data.images import Photographs
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.networks import ConvNet, DeepPrior, Diffusion
from shortcut1d.training.sweep import Session

SHEET = 180  # pixels along each side of what crops are cut from, as of BSD400
SHEETS = 400  # of letters and of leaves; a quarter is held out
BLUR = 2.0  # pixels, of the blurred photographs
CONTENTS = ("letters", "faces", "leaves", "blurred photographs", "photographs")
TASKS = ("deraining", "denoising", "deblurring")
LEVELS = tuple(float(level) for level in np.geomspace(0.02, 0.6, 12))  # of white noise


@dataclass(frozen=True)
class Config(PriorOptions, PictureConfig):
    """Which contents and tasks, and the options of priors."""

    contents: tuple[str, ...] = option(CONTENTS, f"which of {', '.join(CONTENTS)}")
    tasks: tuple[str, ...] = option(TASKS, f"which of {', '.join(TASKS)}")
    elsewhere: tuple[str, ...] = option(
        ("faces", "photographs"), "contents of all tasks; the others are of the first task only"
    )
    loss: str = option("l1", "mse or l1")
    halvings: int = option(1, "of the resolution, by the autoencoder")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.distinct("contents", self.contents, CONTENTS)
        errors.distinct("tasks", self.tasks, TASKS)
        errors.distinct("elsewhere", self.elsewhere, CONTENTS)
        errors.integer("size", self.size, low=16, high=SHEET)
        self.check_halvings(self.size)

    def plan(self) -> Plan:
        """What is trained, and how."""
        network = self.autoencoder(edges="reflect")
        return Plan(
            network=network,
            plain=self.denoiser(),
            diffusion=Diffusion(
                self.width, kernel=3, dilations=(1, 1, 2, 2, 1, 1), edges="reflect", scale=0.5,
                low=LEVELS[0], high=5.0,
            ),
            deep=DeepPrior(ConvNet(16, kernel=3, edges="reflect"), self.deep_steps),
            sampling=self.sampling,
            fitted=self.fitted,
            schedule=self.schedule(),
            tuning=self.schedule(steps=self.tune_steps),
            shape=(self.size, self.size, self.channels),
            samples=self.samples,
            levels=LEVELS,
        )  # fmt: skip


def run(config: Config, session: Session) -> Result:
    """Train what is trained; then measure every restorer of every task."""
    contents, plan = contents_of(config), config.plan()
    one = tasks_of(config, contents)  # the same for all seeds
    return measured.study(plan, dict.fromkeys(config.all_seeds(), one), session, warn)[0]


def contents_of(config: Config) -> dict[str, tuple[Photographs, Photographs]]:
    """Pictures to train on, and others of the same content to test on, by name.

    All are crops of one array, held once. Letters are 45 pixels high.
    """
    photographs = config.photographs(warn)

    def drawn(family: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
        sheets = list(np.asarray(draw(family, jax.random.key(0), SHEETS)))
        return sheets[SHEETS // 4 :], sheets[: SHEETS // 4]

    def blurred(sheets: list[np.ndarray]) -> list[np.ndarray]:
        return [gaussian_filter(sheet, (BLUR, BLUR, 0)) for sheet in sheets]

    def sheets_of(name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        kwargs: dict[str, Any] = {"size": SHEET, "channels": config.channels}
        if name == "letters":
            return drawn(images.text(**kwargs))
        if name == "leaves":
            return drawn(images.leaves(**kwargs))
        if name == "faces":  # a little larger than the crop, so that crops differ
            grey = pictures.faces(config.size + config.size // 8)
            every = list(np.repeat(grey, config.channels, axis=-1))
            return [face for n, face in enumerate(every) if n % 3], every[::3]
        sharp = [_sheets(part) for part in (photographs.seen, photographs.held)]
        if name == "blurred photographs":
            return blurred(sharp[0]), blurred(sharp[1])
        return sharp[0], sharp[1]

    found = {name: sheets_of(name) for name in CONTENTS if name in config.contents}
    every = crops([sheet for parts in found.values() for part in parts for sheet in part])
    result, first = {}, 0
    for name, parts in found.items():
        own = []
        for part in parts:
            own.append(every.of(np.arange(first, first + len(part))))
            first += len(part)
        family = Photographs(own[0], own[1], config.size)
        result[name] = family, family.unseen()
    return result


def _sheets(photographs: Any) -> list[np.ndarray]:
    """The middle of each photograph."""
    found = []
    for number in photographs.order:
        height, width = (min(SHEET, side) for side in photographs.extents.value[number])
        top, left = (photographs.extents.value[number] - (height, width)) // 2
        sheet = photographs.pictures.value[number, top : top + height, left : left + width]
        found.append(sheet / 255)
    return found


def degradations_of(
    config: Config, task: str, content: Any
) -> tuple[tuple[str, Any], dict[str, Any]]:
    """What is trained under, and two that are not.

    They are as strong as the known one, but for the wider blur, which differs in strength alone.

    content: that strength is measured on.
    """
    kwargs, unseen = config.image_kwargs(), dict[str, Any]()
    known: tuple[str, Any]
    rain, noise, blur = (
        image_degradations.rain, image_degradations.sensor_noise, image_degradations.blur_kernel
    )  # fmt: skip
    if task == "deraining":
        known = "small rain", rain("small", **kwargs)
        unseen["other rain"] = image_degradations.other_rain(**kwargs)
        unseen["large rain"] = rain("large", **kwargs)
    elif task == "denoising":
        known = "Gaussian noise", noise("gaussian", **kwargs)
        unseen["salt and pepper"] = noise("salt_and_pepper", **kwargs)
        unseen["speckle"] = noise("speckle", **kwargs)
    else:
        known = "Gaussian blur", blur((1, 1), **kwargs)
        unseen["motion"] = blur((1, 1), motion=True, **kwargs)
    target = strength(content, known[1])
    unseen = {name: as_strong(family, content, target) for name, family in unseen.items()}
    if task == "deblurring":  # of one kind with the known one, which it differs from in strength
        unseen["wide Gaussian blur"] = blur((1.5, 1.5), **kwargs)
    return known, unseen


def tasks_of(config: Config, contents: Mapping[str, tuple[Photographs, Photographs]]) -> list[Task]:
    """Every content under the first degradation, and some of them under the others."""
    made = []
    richest = list(contents.values())[-1][0]
    named = [task for task in TASKS if task in config.tasks]
    of_tasks = {task: degradations_of(config, task, richest) for task in named}
    for content, (seen, new) in contents.items():
        for task, (known, unseen) in of_tasks.items():
            if task != named[0] and content not in config.elsewhere:
                continue
            clean, degraded = draw_pair(jax.random.key(0), seen, known[1], DRAWS)
            twin = gaussian.twin_of(np.asarray(degraded) - np.asarray(clean))
            controls = task == named[0]
            made.append(Task(task, (content, seen), new, known, unseen, twin, controls))
    return made


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered: of deraining in full, of the other tasks whether the prior pays."""
    there = set(judged.cases_of(table))
    cases = {
        task: [f"{c}: {task}" for c in REGISTERED.settings["elsewhere" if n else "contents"]]
        for n, task in enumerate(TASKS)
    }
    every = [case for own in cases.values() for case in own]
    values = judged.statistics(table, every, cases[TASKS[0]])
    cases = {task: own for task, own in cases.items() if set(own) <= there}
    ahead = judged.unseen_gain(table)
    for task, own in cases.items():
        values[f"prior_{task}"] = judged.mean_over(ahead, own)
    if "deblurring" in cases:  # the prior may gain under one blur and lose under the other
        gain = judged.gain(table)
        for number, name in enumerate(("motion", "wide_blur")):
            of_one = gain.isel(tested=number)
            values[f"prior_{name}"] = judged.mean_over(of_one, cases["deblurring"])
    return REGISTERED.claims_on(values, Sentence.__members__, domain="2D")


REGISTERED = registered.of("image_prior")
experiment = Experiment(
    name="image_prior",
    message=(
        "On pictures a prior pays in unseen rain (0.4 dB, most on faces) and under motion blur "
        "(1.7 dB); in unseen noise it loses 1.3 dB, under a wider blur 1.1. A Wiener filter does "
        "better in unseen rain, and to pass an output through the prior gains nothing."
    ),
    presets={
        "smoke": Config(
            seeds=2, size=16, width=2, steps=5, tune_steps=5, batch=4, samples=4, prior_width=2,
            entries=4, contents=("letters", "photographs"),
            tasks=("deraining", "denoising"), sampling=3, deep_steps=2, fitted=2,
        ),
        "quick": Config(
            seeds=2, size=32, contents=("letters", "faces", "photographs"), tasks=("deraining",),
            width=12, steps=120, tune_steps=60, samples=16, prior_width=16, fitted=2, sampling=8,
        ),
        "full": Config(
            seeds=8, first_seed=3500, network="residual", channels=3, width=48, steps=20_000,
            tune_steps=6000, batch=16, samples=256, prior_width=64,
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
