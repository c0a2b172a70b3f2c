"""The generative prior: a library of clean melodies removes the shortcut. What does the work in it?

A vector-quantised autoencoder learns melodies, without noise. Then it is put to use on clicks: as
it stands; with its encoder trained to find the clean melody's codes; behind an ordinary network; or
searched for the melody that is most like the input. Beside it stand what it may owe its success to:
the same autoencoder without a code, with a random one, trained as a whole; networks of as many
weights and as much training without a prior; and a prior of other music.
"""

import functools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from common import registered
from common.melody_priors import (
    AUTOENCODER,
    CODES,
    CONV,
    NO_CODE,
    NOISES,
    NONE,
    OTHER_MUSIC,
    OUTPUT,
    PROJECTED,
    RANDOM,
    SEARCHED,
    STANDS,
    WHOLE,
    named,
    plot,
    sizes_of,
    unseen,
)
from common.papers import Sentence
from common.prior_tasks import Name, Staged, codes_of, example, in_stages, init_autoencoder
from common.signal_tasks import BANKS, TrainConfig, check_banks, decibels, make_test_sets

from shortcut1d import errors
from shortcut1d.analysis import perplexity
from shortcut1d.data import composition, degradations, signals
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks import Chain, ConvNet, Network, Params, autoencoder
from shortcut1d.networks.autoencoder import Autoencoder, Recipe, Search
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session


@dataclass(frozen=True)
class Config(TrainConfig):
    """How large the priors are, and how long each part is trained."""

    batch: int = option(16, "fresh samples a step")
    width: int = option(36, "channels of the plain conv net, which has as many weights as a prior")
    steps: int = option(1000, "training steps of a prior")
    tune_steps: int = option(300, "training steps after that; a plain net has both")
    prior_width: int = option(32, "channels of the autoencoders")
    entries: tuple[int, ...] = option((4, 32, 256), "of a codebook; the last is the prior's")
    books: int = option(2, "codebooks a position")
    levels: tuple[float, ...] = option((-6.0, 0.0, 6.0), "of unseen noises, dB; 0 among them")
    shapes: int = option(1, "click shapes in the bank, K")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_banks(self.samples)
        with errors.reported_as("tune_steps"):
            Schedule(self.tune_steps)
        with errors.reported_as("prior_width"):
            Autoencoder(self.prior_width)
        errors.rising("entries", self.entries, "at least one number, in rising order")
        for entries in self.entries:
            errors.integer("entries", entries, high=2**16)
        self.autoencoder()
        if 0.0 not in self.levels or list(self.levels) != sorted(set(self.levels)):
            raise errors.refuse("levels", self.levels, "levels in rising order, 0 among them")
        with errors.reported_as("levels"):
            for level in self.levels:
                degradations.hiss(level=level)
        with errors.reported_as("shapes"):
            degradations.clicks(self.shapes)

    def autoencoder(self) -> Autoencoder:
        """What all priors are; by its four halvings a position stands for 16 samples."""
        return Autoencoder(self.prior_width, books=self.books, entries=max(2, *self.entries))

    def clicks(self) -> str:
        """What the table calls the degradation."""
        return f"clicks({self.shapes})"

    def conv_net(self) -> ConvNet:
        """The plain network."""
        return ConvNet(self.width)

    def priors(self) -> dict[str, tuple[Recipe, Any]]:
        """What is trained on music without noise, by kind: the recipe, and the music."""
        melodies = signals.melody()
        sizes = {named(n): (autoencoder.PRIOR._replace(active=n), melodies) for n in self.entries}
        return sizes | {
            NO_CODE: (autoencoder.NO_CODE, melodies),
            RANDOM: (autoencoder.RANDOM_CODE, melodies),
            OTHER_MUSIC: (autoencoder.PRIOR, signals.tune("greensleeves")),
        }

    def init(self, recipe: Recipe, seed: int) -> Params:
        """Initial weights of an autoencoder."""
        return init_autoencoder(self.autoencoder(), recipe, seed, (signals.WINDOW,), 1)

    def untrained(self) -> Schedule:
        """For what is built of trained parts."""
        return self.schedule(checkpoints=(0,))


def run(config: Config, session: Session) -> Result:
    """Train the priors and the plain networks; then what is built on them."""
    first = [
        one_run(
            config, kind, STANDS, config.autoencoder(), seed, config.init(recipe, seed), music=music
        )
        for kind, (recipe, music) in config.priors().items()
        for seed in config.all_seeds()
    ]  # fmt: skip
    plain = config.schedule(steps=config.steps + config.tune_steps)
    for seed in config.all_seeds():
        initial = config.init(autoencoder.NO_CODE, seed)
        first += [
            one_run(config, NONE, CONV, config.conv_net(), seed, schedule=plain),
            one_run(config, NONE, AUTOENCODER, config.autoencoder(), seed, initial, schedule=plain),
        ]
    staged = in_stages(
        first, functools.partial(build, config), config.schedule(), EvalConfig(config.samples),
        session,
    )  # fmt: skip
    used = {
        name: mean_perplexity(config, name, staged)
        for name in staged.weights
        if name[0].endswith(STANDS) and not name[0].startswith(NO_CODE)
    }
    table = staged.table
    names = zip(table["network"], table["degradation"], table["seed"])
    table["perplexity"] = [used.get(name) for name in names]
    examples = {
        name[0]: example(staged, name, lambda test: test.degradation_name == f"{NOISES[1]}(0)")
        for name in staged.weights
        if name[-1] == config.first_seed
    }
    kept = staged.weights[
        f"{named(config.entries[-1])}: {STANDS}", config.clicks(), config.first_seed
    ]
    return Result(
        table, examples, models={"melodies": (config.autoencoder(), kept, (signals.WINDOW, 1))}
    )


def one_run(
    config: Config,
    kind: str,
    use: str,
    network: Network,
    seed: int,
    init_params: Params | None = None,
    *,
    music: Any = None,
    schedule: Schedule | None = None,
) -> Run:
    """One network. All have the same tests: melodies under the clicks of their seed, a tune, and
    unseen noises.

    Args:
        config: what it is.
        kind: of prior.
        use: of the prior.
        network: what is trained.
        seed: of its weights, data and clicks.
        init_params: weights to begin with; None for fresh ones.
        music: what it is trained on without noise, rather than on melodies with clicks.
        schedule: of its training, if not the study's.
    """
    melodies = signals.melody()
    clicks = degradations.clicks(config.shapes, bank=seed)
    noises = {
        f"{name}({level:g})": (level, family)
        for level in config.levels
        for name, family in zip(NOISES, unseen_noises(config.shapes, seed, level), strict=True)
    }
    tests = make_test_sets(
        ("melody", melodies), ("clicks", clicks), {"tune": signals.tune()},
        {name: family for name, (_, family) in noises.items()},
    )  # fmt: skip
    levels = [noises.get(test.degradation_name, (0.0,))[0] for test in tests]
    tests = [test._replace(labels={"level": level}) for test, level in zip(tests, levels)]
    clean = composition.nothing(signals.WINDOW, 1)
    cell = (
        Cell(melodies, clicks, network, seed, init_params)
        if music is None
        else Cell(music, clean, network, seed, init_params)
    )
    sizes = {named(entries): entries for entries in config.entries}
    labels = {"prior": kind, "use": use, "entries": sizes.get(kind, np.nan)}
    return Run(cell, f"{kind}: {use}", "melody", config.clicks(), tests, labels, schedule)


def unseen_noises(shapes: int, seed: int, level: float) -> tuple[Any, Any, Any]:
    """Clicks of 16 other banks, hiss and a hum, at a level in dB."""
    clicks = degradations.clicks(shapes, bank=seed, level=level)
    return (
        degradations.unseen_banks(clicks, BANKS),
        degradations.hiss(level=level),
        degradations.hum(level=level),
    )


def build(config: Config, weights: Mapping[Name, Params]) -> Iterator[Run]:
    """What is built on the priors."""
    network, prior = config.autoencoder(), named(config.entries[-1])
    tuning, untrained = config.schedule(steps=config.tune_steps), config.untrained()
    uses = [(kind, CODES, autoencoder.TO_CODES) for kind in config.priors()]
    uses += [(prior, OUTPUT, autoencoder.TO_OUTPUT), (prior, WHOLE, autoencoder.EVERYTHING)]
    for seed in config.all_seeds():
        for kind, use, changes in uses:
            trained = weights[f"{kind}: {STANDS}", config.clicks(), seed]
            initial = autoencoder.init_restoration(trained, **changes)
            yield one_run(config, kind, use, network, seed, initial, schedule=tuning)
        kept = weights[f"{prior}: {STANDS}", config.clicks(), seed]
        both = {"first": weights[f"{NONE}: {CONV}", config.clicks(), seed], "then": kept}
        chain = Chain(config.conv_net(), network)
        yield one_run(config, prior, PROJECTED, chain, seed, both, schedule=untrained)
        yield one_run(config, prior, SEARCHED, Search(network), seed, kept, schedule=untrained)


def mean_perplexity(config: Config, name: Name, staged: Staged) -> float:
    """How many entries of its codebooks a prior uses on clean melodies, a mean over codebooks."""
    draw = jax.jit(signals.Melody.sample, static_argnums=2)
    melodies = draw(signals.melody(), jax.random.key(name[-1]), 1024)
    network = config.autoencoder()
    codes = jax.jit(codes_of, static_argnums=0)(network, staged.weights[name], melodies)
    return float(np.mean(perplexity(np.asarray(codes), network.entries)))


def claims(table: pd.DataFrame) -> list[Claim]:
    """What was registered: that the prior helps, and that its discrete code does."""
    prior = unseen(table, f"{named(sizes_of(table)[-1])}: {CODES}")
    values = {
        "prior": decibels(unseen(table, f"{NONE}: {CONV}") / prior),
        "code": decibels(unseen(table, f"{NO_CODE}: {CODES}") / prior),
    }
    return REGISTERED.claims_on(values, Sentence.__members__)


REGISTERED = registered.of("generative_prior")
experiment = Experiment(
    name="generative_prior",
    message=(
        "On the clicks they know, networks with a prior of clean melodies err more; on other "
        "noise nearly all err less. Most of the gain is the bottleneck; the code adds a little."
    ),
    presets={
        "smoke": Config(
            seeds=2, width=2, steps=5, tune_steps=5, prior_width=2, entries=(2, 4, 8),
            levels=(0.0,), batch=4, samples=16,
        ),
        "quick": Config(seeds=3),
        "full": Config(
            seeds=16, first_seed=3000, batch=32, steps=6000, tune_steps=2000,
            entries=(2, 4, 16, 64, 256, 1024), levels=(-12.0, -6.0, 0.0, 6.0, 12.0), samples=512,
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
