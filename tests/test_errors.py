import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d import networks
from shortcut1d.analysis import oracles
from shortcut1d.data import degradations, signals
from shortcut1d.errors import InvalidInput, choice, distinct, integer, number, rising, span
from shortcut1d.training.grid import train
from shortcut1d.training.loop import Schedule

NOT_NUMBERS = [None, "8", b"8", True, [1], np.ones(2), {}, math.nan, math.inf, -math.inf, 1j]
BAD_FAMILIES = [
    (signals.note, {"pitch": 64}, "pitch"),
    (signals.note, {"pitch": 0}, "pitch"),
    (signals.note, {"pitch": 2.5}, "pitch"),
    (signals.note, {"length": 0}, "length"),
    (signals.note, {"length": 12.5}, "length"),
    (signals.chord, {"pitches": ()}, "pitches"),
    (signals.chord, {"pitches": (3, 3)}, "pitches"),
    (signals.band, {"high": 64}, "high"),
    (signals.band, {"low": 20, "high": 10}, "low"),
    (signals.melody, {"notes": 0}, "notes"),
    (signals.melody, {"notes": 17}, "notes"),
    (signals.melody, {"low": 40}, "low"),
    (signals.melody, {"high": 64}, "high"),
    (signals.melody, {"steps": 0}, "steps"),
    (signals.tune, {"name": "ode_to_joi"}, "ode_to_joy"),
    (signals.tune, {"low": 60}, "low"),
    (signals.tune, {"notes": -1}, "notes"),
    (signals.pool, {"inner": "melody"}, "inner"),
    (signals.pool, {"inner": signals.note(), "size": 0}, "size"),
    (signals.pool, {"inner": signals.note(), "seed": -1}, "seed"),
    (degradations.clicks, {"shapes": 0}, "shapes"),
    (degradations.clicks, {"bank": -1}, "bank"),
    (degradations.clicks, {"pulses": 0}, "pulses"),
    (degradations.clicks, {"width": (9, 5)}, "width"),
    (degradations.clicks, {"width": 5}, "width"),
    (degradations.clicks, {"amplitude": (0, 1)}, "amplitude"),
    (degradations.clicks, {"level": math.inf}, "level"),
    (degradations.hiss, {"color": 9}, "color"),
    (degradations.hiss, {"low": 30, "high": 20}, "low"),
    (degradations.hiss, {"low": 3.2, "high": 3.8}, "low"),
    (degradations.hiss, {"high": 64}, "high"),
    (degradations.hum, {"pitch": 64}, "pitch"),
    (degradations.dropout, {"width": (0, 4)}, "width"),
    (degradations.dropout, {"segments": 0}, "segments"),
    (degradations.blur, {"width": (0, 1)}, "width"),
    (networks.ConvNet, {"kernel": 8}, "kernel"),
    (networks.ConvNet, {"width": 0}, "width"),
    (networks.ConvNet, {"edges": "circle"}, "circular"),
    (networks.ConvNet, {"dilations": (1, 2)}, "dilations"),
    (networks.ConvNet, {"depth": 2, "dilations": (1, 0)}, "dilations"),
    (networks.MLP, {"depth": 0}, "depth"),
    (networks.WithDropout, {"inner": networks.ConvNet(depth=1)}, "inner"),
    (Schedule, {"steps": 0}, "steps"),
    (Schedule, {"steps": 10, "checkpoints": (3, 11)}, "checkpoints"),
    (Schedule, {"checkpoints": (5, 3)}, "checkpoints"),
    (Schedule, {"checkpoints": (2.5,)}, "checkpoints"),
    (Schedule, {"weight_decay": -1}, "weight_decay"),
    (Schedule, {"sharpness": float("nan")}, "sharpness"),
    (Schedule, {"batch": 0}, "batch"),
    (Schedule, {"learning_rate": 0}, "learning_rate"),
    (Schedule, {"loss": "mes"}, "mse"),
    (train, {"cells": [], "schedule": Schedule()}, "cells"),
    (oracles.basis_of, {"samples": np.zeros((3, 4, 1))}, "samples"),
]


@pytest.mark.parametrize(("maker", "arguments", "named"), BAD_FAMILIES)
def test_bad_parameters_are_refused_by_name(maker, arguments, named):
    with pytest.raises(InvalidInput, match=named) as refused:
        maker(**arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_anything_but_a_finite_number_is_refused(value):
    with pytest.raises(InvalidInput, match="pitch: got"):
        number("pitch", value)
    with pytest.raises(InvalidInput, match="notes: got"):
        integer("notes", value)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_number_keeps_what_lies_in_range(value):
    assert number("x", value, low=value) == value
    with pytest.raises(InvalidInput):
        number("x", value, above=value)


@given(st.integers(1, 10**9))
def test_integer_takes_floats_with_an_integer_value(value):
    assert integer("n", float(value)) == value
    with pytest.raises(InvalidInput):
        integer("n", value + 0.5)


def test_an_unknown_name_lists_the_known_and_suggests_the_nearest():
    with pytest.raises(InvalidInput, match=r"one of chord, note \(did you mean 'note'\?\)"):
        choice("content", "noet", {"note": 1, "chord": 2})
    for registry in (signals, degradations, networks):
        with pytest.raises(InvalidInput, match="one of"):
            registry.make("nothing of the kind")


def test_an_unknown_parameter_is_named():
    with pytest.raises(InvalidInput, match="did you mean 'pitch'"):
        signals.make("note", pich=3)
    with pytest.raises(InvalidInput, match="needs a value for 'inner'"):
        signals.make("pool")


def test_long_values_are_shortened():
    with pytest.raises(InvalidInput) as refused:
        span("width", list(range(10_000)), low=0, high=1)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("values", [(), (2, 2), (3, 1)])
def test_values_that_do_not_rise_are_refused(values):
    rising("pools", (1, 2, 5))
    with pytest.raises(InvalidInput, match="expected at least one, in rising order"):
        rising("pools", values)


def test_the_number_of_rising_values_is_checked():
    rising("shapes", (1, 2, 3), "three", low=3, high=3)
    rising("steps", (), low=0)
    for values in ((1, 2), (1, 2, 3, 4)):
        with pytest.raises(InvalidInput, match="expected three"):
            rising("shapes", values, "three", low=3, high=3)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [((), "each named once"), ("aa", "each named once"), ("ac", "one of a, b")],
)
def test_names_are_known_and_each_named_once(values, wanted):
    distinct("networks", "ab", "ab")
    with pytest.raises(InvalidInput, match=f"networks: got .*{wanted}"):
        distinct("networks", values, "ab")
