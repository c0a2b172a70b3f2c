"""The generative prior on signals, from a note to melodies: does it pay where it can draw?

A vector-quantised autoencoder learns one kind of music without noise. Then its encoder is trained
to find, in music under clicks, the codes of the clean music. Beside it: a plain conv net, the prior
as it stands and trained as a whole, its twins without a code or with a random one, a diffusion
prior, the deep image prior, and the classical filters. The error of the prior on clean music is its
ceiling.
"""

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from common import registered
from common.papers import Sentence
from common.priors import judged, measured
from common.priors.figure import plot
from common.priors.options import PriorOptions
from common.priors.tasks import NOTHING, PLAIN, PRIOR, STANDS, Plan, Task, Weights
from common.signal_tasks import BANKS, check_banks, clicks_twin
from common.sounds import RATE, in_noise, on_one_scale

from shortcut1d import errors, networks
from shortcut1d.data import degradations, signals
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, Sound, main
from shortcut1d.harness.options import option
from shortcut1d.harness.progress import warn
from shortcut1d.networks import ConvNet, DeepPrior, Diffusion
from shortcut1d.training.sweep import Session

CONTENTS: dict[str, Callable[[], Any]] = {
    "note": signals.note,
    "chord": signals.chord,
    "tune": signals.tune,
    "melody": signals.melody,
}
LEVELS = tuple(float(level) for level in np.geomspace(0.1, 2.0, 12))  # of white noise
HEARD = "melody"  # what the networks that are heard were trained on


@dataclass(frozen=True)
class Config(PriorOptions):
    """Which contents, and the options of priors."""

    batch: int = option(16, "fresh samples a step")
    width: int = option(
        36, "channels of the plain conv net; with 36 it has as many weights as a prior"
    )
    contents: tuple[str, ...] = option(tuple(CONTENTS), f"which of {', '.join(CONTENTS)}")
    shapes: int = option(1, "click shapes in the bank, K")
    seconds: float = option(6.0, "length of the sound files")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_banks(self.samples)
        errors.distinct("contents", self.contents, CONTENTS)
        self.check_halvings(signals.WINDOW)
        errors.number("seconds", self.seconds, low=0.5, high=600, unit="s")
        with errors.reported_as("shapes"):
            degradations.clicks(self.shapes)

    def plan(self) -> Plan:
        """What is trained, and how."""
        return Plan(
            network=self.autoencoder(),
            plain=ConvNet(self.width),
            diffusion=Diffusion(self.width, low=LEVELS[0] / 4),
            deep=DeepPrior(ConvNet(16), self.deep_steps),
            sampling=self.sampling,
            fitted=self.fitted,
            schedule=self.schedule(),
            tuning=self.schedule(steps=self.tune_steps),
            shape=(signals.WINDOW, 1),
            samples=self.samples,
            levels=LEVELS,
        )


def run(config: Config, session: Session) -> Result:
    """Train what is trained; measure every restorer of every content; keep what can be heard."""
    by_seed = {seed: tasks_of(config, seed) for seed in config.all_seeds()}
    result, weights = measured.study(config.plan(), by_seed, session, warn)
    heard = HEARD if HEARD in config.contents else config.contents[-1]
    sounds = performance(config, weights, heard)
    return dataclasses.replace(result, sounds=sounds)


def tasks_of(config: Config, seed: int) -> list[Task]:
    """Every kind of music under the clicks of a seed."""
    clicks = degradations.clicks(config.shapes, bank=seed)
    unseen = {
        "other clicks": degradations.unseen_banks(clicks, BANKS),
        "hiss": degradations.hiss(),
        "hum": degradations.hum(),
    }
    twin = clicks_twin(config.shapes, seed)
    made = []
    for name in (name for name in CONTENTS if name in config.contents):
        music = CONTENTS[name]()  # no draw of it was trained on, so it is its own test
        made.append(Task(TASK, (name, music), music, ("clicks", clicks), unseen, twin))
    return made


def performance(config: Config, weights: Weights, content: str) -> dict[str, Sound]:
    """A tune in hiss, which no network had heard, and what is left of it."""
    plan, seed = config.plan(), config.first_seed
    clean = signals.tune().perform(RATE, config.seconds)[None, :, None]
    clean = clean[:, : clean.shape[1] // signals.WINDOW * signals.WINDOW]
    given = in_noise(clean, degradations.hiss(length=2048))
    outputs = {
        "plain": (plan.plain, weights[PLAIN, content, TASK, seed]),
        "prior": (plan.network, weights[PRIOR, content, TASK, seed]),
        "prior_as_it_stands": (plan.network, weights[STANDS, content, NOTHING, seed]),
    }
    heard = {"1_clean": clean, "2_hiss": given}
    for number, (name, network) in enumerate(outputs.items(), start=3):
        heard[f"{number}_{name}"] = networks.denoiser(*network)(given)
    return on_one_scale(heard, clean)


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered: where the prior pays, what of it does the work, and what it costs."""
    values = judged.statistics(table, (*NARROW, *RICH), RICH, NARROW)
    return REGISTERED.claims_on(values, Sentence.__members__)


TASK = "declicking"
# Found by exploring: on narrow content, the plain net also removes noise it never heard.
RICH, NARROW = (f"tune: {TASK}", f"melody: {TASK}"), (f"note: {TASK}", f"chord: {TASK}")
REGISTERED = registered.of("generative_prior")
experiment = Experiment(
    name="generative_prior",
    message=(
        "On a tune and on melodies a prior of clean music errs 2 dB less than a plain net under "
        "noise that it never heard; so does one with a random code. A diffusion prior does better "
        "still; on a note and a chord a linear filter beats them all."
    ),
    presets={
        "smoke": Config(
            seeds=2, contents=("tune", "melody"), width=2, steps=5, tune_steps=5, prior_width=2,
            entries=4, batch=4, samples=16, sampling=3, deep_steps=2, fitted=2, seconds=0.5,
        ),
        "quick": Config(
            seeds=2, contents=("note", "tune", "melody"), steps=600, tune_steps=200, samples=64,
        ),
        "full": Config(
            seeds=16, first_seed=3000, batch=32, steps=6000, tune_steps=2000, samples=512,
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
