"""Cells that share random numbers: equal arrays wherever what they are made of is equal."""

import jax
import numpy as np
import pytest

from shortcut1d import networks
from shortcut1d.data import composition, degradations, images, signals
from shortcut1d.data.family import draw, draw_pair
from shortcut1d.errors import InvalidInput
from shortcut1d.training import evaluation, grid
from shortcut1d.training.evaluation import (
    BY_UNIT,
    SEEN,
    UNSEEN_DEGRADATION,
    EvalConfig,
    Run,
    TestSet,
)
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

KEY = jax.random.key(0)
BAND, OTHER = signals.band(10), signals.band(20)
ONE, MANY = degradations.clicks(1, bank=3), degradations.clicks(64, bank=3)
NET = networks.ConvNet(width=2, depth=2)
BATCH = 4


def cell(content=BAND, degradation=ONE, network=NET, seed=0):
    return Cell(content, degradation, network, seed)


def batch_of(of, step=0):
    """The first training batch of a cell, as the loop draws it."""
    _, data_key = jax.random.split(of.key())
    return draw_pair(jax.random.fold_in(data_key, step), of.content, of.degradation, BATCH)


@pytest.mark.slow
def test_arms_of_one_seed_share_contents_batch_by_batch():
    for step in range(3):
        clean, noisy = batch_of(cell(), step)
        same, other = batch_of(cell(degradation=MANY), step)
        np.testing.assert_array_equal(clean, same)
        assert not np.array_equal(noisy, other)


def test_arms_of_one_seed_share_noise_where_it_is_of_one_family():
    clean, noisy = batch_of(cell())
    other, other_noisy = batch_of(cell(content=OTHER))
    np.testing.assert_allclose(noisy - clean, other_noisy - other, atol=1e-6)


@pytest.mark.slow
def test_arms_of_one_seed_begin_with_the_same_weights():
    arms = [cell(), cell(degradation=MANY), cell(content=OTHER)]
    schedule = Schedule(steps=1, batch=BATCH, learning_rate=1e-30)  # nothing moves
    params = grid.train(arms, schedule).params
    for leaf in jax.tree.leaves(params):
        np.testing.assert_allclose(leaf[0], leaf[1], rtol=0, atol=1e-20)
        np.testing.assert_allclose(leaf[0], leaf[2], rtol=0, atol=1e-20)


def test_seeds_share_nothing():
    clean, _ = batch_of(cell())
    assert not np.array_equal(clean, batch_of(cell(seed=1))[0])


def run_of(degradation, unseen):
    tests = [
        TestSet(SEEN, "band", "clicks", BAND, degradation),
        TestSet(UNSEEN_DEGRADATION, "band", "other", BAND, unseen),
    ]
    return Run(cell(degradation=degradation), "net", "band", "clicks", tests)


@pytest.mark.slow
def test_arms_of_one_seed_are_tested_on_the_same_samples():
    hiss = degradations.hiss()
    drawn = evaluation.draw([run_of(ONE, hiss), run_of(MANY, hiss)], EvalConfig(8))
    np.testing.assert_array_equal(drawn.clean[0], drawn.clean[1])
    np.testing.assert_array_equal(drawn.degraded[0, 1], drawn.degraded[1, 1])
    assert not np.array_equal(drawn.degraded[0, 0], drawn.degraded[1, 0])


# ---------------------------------------------------------------- units of a test


def test_unseen_banks_are_all_different_and_of_no_other_seed():
    banks = [
        int(bank) for number in range(40)
        for bank in degradations.unseen_banks(degradations.clicks(bank=number)).parts.bank
    ]  # fmt: skip
    assert len(set(banks)) == 40 * 16
    assert not set(banks) & set(range(4096))


@pytest.mark.slow
def test_each_bank_draws_an_equal_part_of_the_samples():
    family = degradations.unseen_banks(ONE, 4)
    drawn = np.asarray(draw(family, KEY, 12))
    keys = jax.random.split(KEY, 4)
    for number in range(4):
        part = jax.tree.map(lambda leaf, n=number: leaf[n], family.parts)
        np.testing.assert_allclose(drawn[3 * number :][:3], draw(part, keys[number], 3), atol=1e-6)
    content = np.asarray(draw(BAND, KEY, 12))
    np.testing.assert_allclose(family.apply(content, drawn), content + drawn, atol=1e-6)
    assert not np.array_equal(family.unseen().parts.bank, family.parts.bank)


def test_a_test_that_banks_cannot_share_is_refused():
    with pytest.raises(InvalidInput, match="a multiple of 4"):
        degradations.unseen_banks(ONE, 4).sample(KEY, 10)
    with pytest.raises(InvalidInput, match="one kind"):
        composition.units([ONE, degradations.hiss()])
    shared = images.faces(size=16)
    with pytest.raises(InvalidInput, match="families that share no pictures"):
        composition.units([shared, shared])


@pytest.mark.slow
def test_the_errors_under_each_bank_are_kept_and_their_mean_is_the_table_s():
    runs = [run_of(ONE, degradations.unseen_banks(ONE, 4))]
    swept = sweep(runs, Schedule(2, BATCH, 1e-3), EvalConfig(16, units=4), Session())
    for name in ("nmse", "relative_error"):
        units = swept.units[name + BY_UNIT]
        assert units.shape == (1, 1, 2, 4)
        np.testing.assert_allclose(units.mean(axis=-1).ravel(), swept.table[name], rtol=1e-5)
    assert not any(name.endswith(BY_UNIT) for name in swept.table)
