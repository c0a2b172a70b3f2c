"""Verdicts: what is said of values whose truth is known, and how often it is wrong."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d import errors
from shortcut1d.analysis import interval
from shortcut1d.analysis.intervals import Interval, p_above, seeds_needed
from shortcut1d.harness.claims import (
    adjusted,
    claim,
    claim_of_interval,
    rank_correlation,
    ratio_of_means,
    supports,
)

SHAPE = np.array([-1.2, -0.7, -0.3, -0.1, 0.0, 0.2, 0.3, 0.5, 0.6, 0.7])
SHAPE = (SHAPE - SHAPE.mean()) / SHAPE.std(ddof=1)


def values(mean, spread=0.01):
    """Ten seeds of exactly this mean and standard deviation."""
    return mean + spread * SHAPE


@pytest.mark.parametrize(
    ("mean", "spread", "stated", "verdict"),
    [
        (1.0, 0.1, {}, "holds"),
        (-1.0, 0.1, {}, "refuted"),
        (0.05, 0.2, {}, "undecided"),
        (-1.0, 0.1, {"below": 0.0}, "holds"),
        (1.0, 0.1, {"below": 0.0}, "refuted"),
        (0.02, 0.01, {"margin": 0.1}, "equivalent"),  # above 0, but by nothing of interest
        (0.02, 0.5, {"margin": 0.1}, "undecided"),
        (1.0, 0.1, {"margin": 0.1}, "holds"),
        (0.51, 0.01, {"within": 0.5, "margin": 0.1}, "equivalent"),
        (0.8, 0.01, {"within": 0.5, "margin": 0.1}, "refuted"),
        (0.2, 0.01, {"within": 0.5, "margin": 0.1}, "refuted"),
        (0.6, 0.1, {"within": 0.5, "margin": 0.1}, "undecided"),
        (0.42, 0.05, {"within": 0.5, "margin": 0.1}, "undecided"),
        (0.58, 0.05, {"within": 0.5, "margin": 0.1}, "undecided"),
    ],
)
def test_a_claim_has_one_of_four_verdicts(mean, spread, stated, verdict):
    made = claim("it is so", "x", values(mean, spread), **stated)
    assert made.verdict == verdict
    assert str(made).startswith(verdict)
    assert (made.p < 0.05) == (verdict != "undecided")
    assert json.loads(json.dumps(made.record(), allow_nan=False))["verdict"] == verdict


@pytest.mark.parametrize("given", [{"above": 0, "below": 1}, {"within": 0}, {"margin": -1}])
def test_a_claim_that_states_two_sides_or_no_margin_is_refused(given):
    with pytest.raises(errors.InvalidInput):
        claim("it is so", "x", values(1.0), **given)


def test_one_seed_decides_nothing():
    made = claim("it is so", "x", [3.0])
    assert made.verdict == "undecided"
    assert made.record()["p"] is None


def test_ratios_are_of_means_and_paired():
    pairs = np.array([[8.0, 2.0], [4.0, 1.0], [12.0, 3.0]])
    made = claim("four times", "a / b", pairs, above=3.9, of=ratio_of_means)
    np.testing.assert_allclose(made.interval[:3], 4)
    assert (made.side, made.threshold, made.verdict) == ("above", 3.9, "holds")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.6, 0.8, "holds"),
        (0.1, 0.3, "refuted"),
        (0.4, 0.6, "undecided"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_an_interval_taken_elsewhere_is_judged_alike(low, high, verdict):
    made = claim_of_interval("it is so", "x", Interval(0.5, low, high, 5), above=0.5)
    assert made.verdict == verdict
    assert made.record()["p"] is None


@given(st.integers(0, 10**6), st.integers(3, 12), st.floats(-1, 1))
def test_the_p_value_and_the_interval_say_the_same(seed, count, threshold):
    drawn = np.random.default_rng(seed).exponential(size=count) - 1
    assert (p_above(drawn, threshold) < 0.025) == (interval(drawn).low > threshold)
    assert (p_above(-drawn, -threshold) < 0.025) == (interval(drawn).high < threshold)


def drawn(kind, rng, shape):
    """Values of mean 0; exponential ones are skewed so that they seem to lie above it."""
    return rng.normal(size=shape) if kind == "normal" else 1 - rng.exponential(size=shape)


@pytest.mark.parametrize("kind", ["normal", "exponential"])
@pytest.mark.parametrize("count", [8, *(pytest.param(n, marks=pytest.mark.slow) for n in (4, 16))])
def test_a_claim_of_nothing_holds_as_rarely_as_is_said(kind, count):
    trials = 2000
    rows = drawn(kind, np.random.default_rng(count), (trials, count))
    verdicts = [claim("", "", row).verdict for row in rows]
    wrong = 1 - np.mean(np.array(verdicts) == "undecided")
    # 7% of wrong verdicts at most; five standard errors of so many trials on top.
    assert wrong < 0.07 + 5 * np.sqrt(0.07 * 0.93 / trials)


@pytest.mark.parametrize(
    ("spread", "effect"), [(1.0, 0.8), pytest.param(0.2, 0.1, marks=pytest.mark.slow)]
)
def test_so_many_seeds_find_the_effect_as_often_as_is_said(spread, effect):
    count, trials = seeds_needed(spread, effect), 1000
    rows = np.random.default_rng(0).normal(effect, spread, (trials, count))
    found = np.mean([claim("", "", row).verdict == "holds" for row in rows])
    assert found == pytest.approx(0.9, abs=0.04)  # four standard errors


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_how_many_seeds_are_needed_does_not_depend_on_the_unit(unit):
    assert seeds_needed(0.0, unit) == 8
    assert seeds_needed(unit, 0.8 * unit) == seeds_needed(1.0, 0.8)


@pytest.mark.slow
def test_an_equivalence_is_claimed_wrongly_as_rarely_as_is_said():
    trials = 2000
    rows = np.random.default_rng(0).normal(0.5, 0.3, (trials, 10))  # at the very margin
    wrong = np.mean([claim("", "", r, within=0, margin=0.5).verdict == "equivalent" for r in rows])
    assert wrong < 0.05 + 4 * np.sqrt(0.05 * 0.95 / trials)


def record(p, verdict="holds", side="above"):
    return {"p": p, "verdict": verdict, "side": side}


def test_holms_correction_leaves_what_stands_among_several():
    assert adjusted([record(0.04)]) == ["holds"]
    assert adjusted([record(0.04), record(0.04)]) == ["undecided"] * 2
    assert adjusted([record(0.04), record(0.001, "refuted")]) == ["holds", "refuted"]
    assert adjusted([record(0.02), record(0.03), record(0.001)]) == ["holds"] * 3
    assert adjusted([record(None)]) == ["undecided"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_holds_more_than_single_tests_and_keeps_bonferronis(ps):
    single = [p < 0.05 for p in ps]
    held = [verdict == "holds" for verdict in adjusted([record(p) for p in ps])]
    assert all(one for one, both in zip(single, held, strict=True) if both)
    assert all(both for p, both in zip(ps, held, strict=True) if p * len(ps) < 0.05)


def test_an_equivalence_supports_a_claim_of_equivalence_only():
    assert supports(record(0.01, side="within"), "equivalent")
    assert not supports(record(0.01), "equivalent")
    assert supports(record(0.01), "holds")


def test_rank_correlation_is_of_each_seed():
    np.testing.assert_allclose(rank_correlation([1, 2, 3], [[1, 2, 9], [3, 2, 1]]), [1, -1])
    assert np.isnan(rank_correlation([1, 2], [[1, 1], [np.nan, 2]])).all()


def test_a_number_that_is_infinite_is_none_in_the_record():
    with np.errstate(invalid="ignore"):
        record = claim("a", "b", [np.inf, 1.0, 2.0]).record()
    assert record["value"] is None
    json.dumps(record, allow_nan=False)
