"""Hundreds of malformed inputs: each is refused by the project's own error, in one line."""

import dataclasses
import functools
import inspect
import os
import typing
from pathlib import Path

import jax
import jaxtyping
import numpy as np
import pytest
import reproduce
from PIL import Image

from shortcut1d import analysis, errors, networks, store
from shortcut1d.analysis import complexity, oracles, sensitivity
from shortcut1d.data import composition, degradations, image_degradations, images, pictures, signals
from shortcut1d.errors import InvalidInput
from shortcut1d.networks import checkpoints
from shortcut1d.training import grid, loop

KEY = jax.random.key(0)
NONSENSE = {
    "a text": "abc",
    "bytes": b"1",
    "NaN": float("nan"),
    "infinity": float("inf"),
    "less than any": -float("inf"),
    "huge": 1e30,
    "hugely negative": -1e30,
    "more than a float holds": 10**400,
    "a complex number": 1j,
    "a dictionary": {},
    "an object": object(),
    "a class": int,
    "a ragged list": [[1], [1, 2]],
    "an array of three axes": np.zeros((2, 3, 4)),
}
FAMILIES = (
    signals.CONTENTS | degradations.DEGRADATIONS | images.IMAGES | image_degradations.DEGRADATIONS
)
NEEDED = {"pool": {"inner": signals.note()}, "recording": {"path": "/nowhere/at all.wav"}}


@pytest.fixture(autouse=True)
def as_users_have_it():
    """Without the types and shapes that the other tests check at every call."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def not_refused(take, values, but=()):
    """Which of the values, by name, are not refused by the project's own error, in one line."""
    wrong = {}
    for what, value in values.items():
        if what in but:
            continue
        try:
            take(value)
            wrong[what] = "taken"
        except InvalidInput as error:
            if "\n" in str(error):
                wrong[what] = f"in several lines: {error}"
        except Exception as error:
            wrong[what] = repr(error)
    return wrong


def parameters_of(makers):
    return [
        (name, parameter)
        for name, maker in makers.items()
        for parameter in inspect.signature(maker).parameters
        if parameter not in ("warn", "inner")
    ]


@pytest.mark.parametrize(("name", "parameter"), parameters_of(FAMILIES))
def test_a_family_refuses_nonsense(name, parameter):
    known = NEEDED.get(name, {})
    assert not not_refused(lambda x: FAMILIES[name](**known | {parameter: x}), NONSENSE)


@pytest.mark.parametrize(("name", "parameter"), parameters_of(networks.NETWORKS))
def test_a_network_refuses_nonsense(name, parameter):
    known = {"inner": networks.Autoencoder()} if name == "search" else {}
    assert not not_refused(lambda x: networks.NETWORKS[name](**known | {parameter: x}), NONSENSE)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(loop.Schedule)])
def test_a_schedule_refuses_nonsense(field):
    assert not not_refused(lambda x: loop.Schedule(**{field: x}), NONSENSE)


@pytest.mark.parametrize("name", [*reproduce.STORY, *reproduce.APART])
def test_every_setting_of_a_study_refuses_nonsense(experiment, name):
    config = experiment(name).presets["smoke"]
    for field in dataclasses.fields(config):
        # A model's name is like any text, until it is looked for.
        but = ("a text",) if field.name == "model" else ()
        with_it = functools.partial(
            lambda x, n: dataclasses.replace(config, **{n: x}), n=field.name
        )
        assert not not_refused(with_it, NONSENSE, but), field.name


SLIPS = {
    int: ("abc", "1.5", "nan", "-99", "99999999999999"),
    float: ("abc", "nan", "inf", "1e99"),
    str: ("no such thing",),
    Path: ("/no/such/place", "/dev/null"),
}


@pytest.mark.parametrize("name", [*reproduce.STORY, *reproduce.APART])
def test_a_slip_in_any_option_is_one_line_with_nothing_written(name, experiment, command, tmp_path):
    hints = typing.get_type_hints(type(experiment(name).presets["smoke"]))
    for field, hint in hints.items():
        kind = next((k for k in (hint, *typing.get_args(hint)) if k in SLIPS), None)
        for slip in SLIPS.get(kind, ()):
            option = f"--{field.replace('_', '-')}"
            arguments = ("--preset", "smoke", "--out", tmp_path, f"{option}={slip}")
            status, said, complained = command(name, *arguments)
            assert (status, said) == (2, ""), (option, slip)
            assert complained.count("\n") == 1, complained
            # A folder without its partner is refused by the partner's name.
            assert slip in complained or any(field in complained for field in hints), complained
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the analysis

CLEAN, RAINY, OUT = np.random.default_rng(0).normal(size=(3, 6, 16, 12, 1)).astype(np.float32)
BASIS = np.eye(16 * 12, 3, dtype=np.float32)


def with_bad(value):
    spoilt = CLEAN.copy()
    spoilt[3, 2, 1] = value
    return spoilt


BAD_SAMPLES = {
    "a NaN": with_bad(np.nan),
    "an infinity": with_bad(np.inf),
    "no samples": CLEAN[:0],
    "an empty axis": CLEAN[:, :0],
    "one axis": CLEAN.ravel(),
    "no channels": CLEAN[..., 0, 0],
    "another size": CLEAN[:, :-1],
    "another number": CLEAN[:-1],
    "another number of channels": np.repeat(CLEAN, 2, axis=-1),
    "texts": np.full(CLEAN.shape, "x"),
    "objects": np.full(CLEAN.shape, None),
    "complex numbers": CLEAN.astype(np.complex64),
    "a list": CLEAN.tolist(),
    "a ragged list": [[1.0], [1.0, 2.0]],
    "None": None,
    "a text": "abc",
    "a number": 1.0,
}
OF_THREE = {"output": OUT, "content": CLEAN, "degraded": RAINY}
OF_TWO = {"output": OUT, "content": CLEAN}
MEASURES = {
    "nmse": (analysis.nmse, OF_TWO),
    "psnr": (analysis.psnr, OF_TWO),
    "ssim": (analysis.ssim, OF_TWO),
    "relative_residual": (analysis.relative_error, OF_THREE),
    "component_gains": (analysis.component_gains, OF_THREE),
    "band_gains": (analysis.band_gains, OF_THREE | {"edges": (0, 2, 4)}),
    "hallucination": (analysis.hallucination, OF_THREE | {"basis": BASIS}),
    "decoupled_errors": (analysis.decoupled_errors, OF_THREE),
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_takes_the_samples_that_the_bad_ones_are_made_of(name):
    measure, samples = MEASURES[name]
    measure(**samples)


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, a) for name, (_, samples) in MEASURES.items() for a in samples if a in OF_THREE],
)
def test_a_measure_refuses_samples_that_are_none(name, argument):
    measure, samples = MEASURES[name]
    assert not not_refused(lambda x: measure(**samples | {argument: x}), BAD_SAMPLES)


def same(x):
    return x


WINDOW = (slice(2, 10), slice(1, 9))

FIT_ALONE = ("another size", "another number", "another number of channels")
LOOKS = {
    "novelty_response": lambda x: analysis.novelty_response(same, x, KEY),
    "directions": lambda x: analysis.novelty_response(same, CLEAN, KEY, directions=x),
    "jacobian": lambda x: analysis.jacobian(same, x),
    "portrait": lambda x: analysis.portrait(same, x, KEY),
    "output_of": lambda x: analysis.output_of(same, x),
    "products_of": lambda x: analysis.products_of(same, x),
    "share_in_span": lambda x: analysis.share_in_span(x, BASIS),
    "fitted_index": lambda x: analysis.fitted_index(same, (x, RAINY), (CLEAN, RAINY)),
    "fitted_index, degraded": lambda x: analysis.fitted_index(same, (CLEAN, x), (CLEAN, RAINY)),
    "predict": lambda x: analysis.predict(x, RAINY),
    "balance": lambda x: analysis.balance(CLEAN, x),
    "balance, wider": lambda x: analysis.balance(CLEAN, RAINY, {"wider": x}),
    "basis_of": oracles.basis_of,
    "power_spectrum": oracles.power_spectrum,
    "posterior_mean": lambda x: oracles.posterior_mean(x, 1.0),
    "noise_sweep": lambda x: sensitivity.noise_sweep(same, x, [0.1], KEY),
    "sure": lambda x: sensitivity.sure(same, x, 0.1, KEY),
    "bias_share": lambda x: sensitivity.bias_share(same, x),
    "receptive_field": lambda x: sensitivity.receptive_field(same, x),
    "local_attribution": lambda x: sensitivity.local_attribution(same, x, WINDOW, steps=2),
    "causal_effect": lambda x: sensitivity.causal_effect(same, x, WINDOW, 4, KEY),
    "causal_effect, clean": lambda x: sensitivity.causal_effect(
        same, RAINY, WINDOW, 4, KEY, clean=x
    ),
} | {name: lambda x, measure=measure: measure(x) for name, measure in complexity.MEASURES.items()}
NEED_NO_PARTNER = {
    "novelty_response", "jacobian", "portrait", "output_of", "products_of", "basis_of",
    "power_spectrum", "posterior_mean", "predict", "noise_sweep", "sure", "bias_share",
    "receptive_field", "local_attribution", "causal_effect", *complexity.MEASURES,
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKS)
def test_what_looks_at_samples_refuses_those_that_are_none(name):
    but = set()
    if name in NEED_NO_PARTNER:  # nothing says of which shape they should be
        but |= set(FIT_ALONE)
    if name in ("share_in_span", "balance", "balance, wider"):
        but.add("another number")
    if name in ("directions", "causal_effect, clean"):
        but.add("None")  # the default
    assert not not_refused(LOOKS[name], BAD_SAMPLES, but)


NUMBERS = {"a text": "abc", "ragged": [[1.0], [1.0, 2.0]], "an object": object(), "complex": 1j}
OPTIONS = {
    "interval": analysis.interval,
    "interval, confidence": lambda x: analysis.interval(np.arange(4.0), confidence=x),
    "nested_bootstrap": analysis.nested_bootstrap,
    "index_of": lambda x: analysis.index_of(x, 0.5),
    "index_of, removed": lambda x: analysis.index_of(0.5, x),
    "generality": lambda x: analysis.generality(x, 0.5),
    "verdict": lambda x: analysis.verdict(x, 0.5),
    "perplexity": lambda x: analysis.perplexity(x, 4),
    "perplexity, entries": lambda x: analysis.perplexity(np.zeros((3, 2), int), x),
    "psnr, peak": lambda x: analysis.psnr(OUT, CLEAN, x),
    "ssim, peak": lambda x: analysis.ssim(OUT, CLEAN, x),
    "edges": lambda x: analysis.band_gains(OUT, CLEAN, RAINY, x),
    "mask": lambda x: analysis.decoupled_errors(OUT, CLEAN, RAINY, mask=x),
    "threshold": lambda x: analysis.decoupled_errors(OUT, CLEAN, RAINY, threshold=x),
    "basis": lambda x: analysis.share_in_span(OUT, x),
    "basis of hallucination": lambda x: analysis.hallucination(OUT, CLEAN, RAINY, x),
    "key": lambda x: analysis.novelty_response(same, CLEAN, x),
    "probes": lambda x: analysis.novelty_response(same, CLEAN, KEY, probes=x),
    "method": lambda x: analysis.novelty_response(same, CLEAN, KEY, method=x),
    "step": lambda x: analysis.novelty_response(same, CLEAN, KEY, step=x),
    "portrait, key": lambda x: analysis.portrait(same, CLEAN, x),
    "portrait, rank": lambda x: analysis.portrait(same, CLEAN, KEY, rank=x),
    "portrait, whole": lambda x: analysis.portrait(same, CLEAN, KEY, whole=x),
    "portrait, subspaces": lambda x: analysis.portrait(same, CLEAN, KEY, x),
    "levels": lambda x: sensitivity.noise_sweep(same, CLEAN, x, KEY),
    "peak": lambda x: sensitivity.noise_sweep(same, CLEAN, [0.1], KEY, peak=x),
    "batch": lambda x: sensitivity.noise_sweep(same, CLEAN, [0.1], KEY, batch=x),
    "sure, level": lambda x: sensitivity.sure(same, RAINY, x, KEY),
    "sure, key": lambda x: sensitivity.sure(same, RAINY, 0.1, x),
    "sure, probes": lambda x: sensitivity.sure(same, RAINY, 0.1, KEY, probes=x),
    "bias_share, method": lambda x: sensitivity.bias_share(same, RAINY, method=x),
    "receptive_field, at": lambda x: sensitivity.receptive_field(same, RAINY, x),
    "receptive_field, share": lambda x: sensitivity.receptive_field(same, RAINY, share=x),
    "window": lambda x: sensitivity.local_attribution(same, RAINY, x),
    "detector": lambda x: sensitivity.local_attribution(same, RAINY, WINDOW, detector=x),
    "width": lambda x: sensitivity.local_attribution(same, RAINY, WINDOW, width=x),
    "steps": lambda x: sensitivity.local_attribution(same, RAINY, WINDOW, steps=x),
    "boundary": lambda x: sensitivity.local_attribution(same, RAINY, WINDOW, boundary=x),
    "patch": lambda x: sensitivity.causal_effect(same, RAINY, WINDOW, x, KEY),
    "donors": lambda x: sensitivity.causal_effect(same, RAINY, WINDOW, 4, KEY, donors=x),
    "interventions": lambda x: sensitivity.causal_effect(
        same, RAINY, WINDOW, 4, KEY, interventions=x
    ),
    "diffusion_index": sensitivity.diffusion_index,
    "predict, measure": lambda x: analysis.predict(CLEAN, RAINY, x),
    "predict, samples": lambda x: analysis.predict(signals.note(), degradations.hiss(), samples=x),
    "balance, wider": lambda x: analysis.balance(CLEAN, RAINY, x),
    "balance, key": lambda x: analysis.balance(CLEAN, RAINY, key=x),
    "projector": oracles.projector,
    "complement": oracles.complement,
    "tolerance": lambda x: oracles.basis_of(CLEAN, x),
    "alpha": lambda x: oracles.mixture(x, same, same),
    "wiener": lambda x: oracles.wiener(x, x),
    "sigma": lambda x: oracles.posterior_mean(CLEAN, x),
    "in_turn": composition.in_turn,
    "any_of": lambda x: composition.any_of(degradations.hiss(), x),
    "nothing": composition.nothing,
    "models.load": checkpoints.load,
    "read a folder": images.photographs,
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_of_the_analysis_refuses_nonsense(name):
    assert not not_refused(OPTIONS[name], NUMBERS)


def test_they_are_hundreds():
    assert len(NONSENSE) * len(parameters_of(FAMILIES)) > 300
    assert len(BAD_SAMPLES) * len(LOOKS) > 300
    assert issubclass(InvalidInput, errors.Shortcut1dError)


# ---------------------------------------------------------------- files that are made to harm


def a_pipe(folder, name):
    path = folder / name
    os.mkfifo(path)
    return path


def test_a_pipe_is_no_file_and_nobody_waits_for_it(tmp_path):
    said = "not a file"
    with pytest.raises(InvalidInput, match=said):
        store.read_json(a_pipe(tmp_path, "record.json"))
    with pytest.raises(InvalidInput, match=said):
        pictures.read_picture(a_pipe(tmp_path, "x.png"))


def test_a_pipe_among_pictures_is_left_out_and_named(tmp_path):
    Image.new("L", (20, 20), 100).save(tmp_path / "a.png")
    a_pipe(tmp_path, "b.png")
    warned = []
    found = [name for name, _ in pictures.each_picture(tmp_path, 8, 1, warned.append)]
    assert found == ["a.png"]
    assert len(warned) == 1
    assert "b.png: cannot be read (not a file); left out" in warned[0]


def test_a_picture_that_would_fill_the_memory_is_refused_in_one_line(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (13_000, 13_000)).save(path)
    with pytest.raises(InvalidInput, match=r"bomb.png: larger than \d+ million pixels"):
        pictures.read_picture(path)


def test_arrays_that_unpack_to_more_than_the_file_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, zeros=np.zeros(1_000_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(InvalidInput, match="compressed"):
        store.read_arrays(path)
    with pytest.raises(ValueError, match="compressed"):
        store.unpack(path.read_bytes())


def test_json_that_is_nested_too_deeply_is_refused_in_one_line(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(InvalidInput, match=r"x.json: damaged \(nested too deeply\)"):
        store.read_json(path)


@pytest.mark.parametrize("options", [{"depth": 1_000_000}, {"width": 10**9}])
def test_a_network_beyond_all_measure_is_refused(options):
    with pytest.raises(InvalidInput, match="at most"):
        networks.ConvNet(**options)


def test_a_network_that_no_memory_holds_is_refused_before_it_is_made():
    net = networks.ConvNet(width=2**16)
    with pytest.raises(InvalidInput, match=r"one cell takes .* GiB of memory, and there are"):
        grid.chunk_size(1, net, loop.Schedule(), (128, 1))
