"""Photographs are one array for all cells: the same results, and no more memory."""

import dataclasses

import jax
import numpy as np
import pytest

from shortcut1d import networks
from shortcut1d.data import image_degradations, images, signals
from shortcut1d.data.crops import Crops, crops
from shortcut1d.data.family import draw, fingerprint, identity, stack
from shortcut1d.data.images import Photographs
from shortcut1d.data.pytrees import Shared, is_shared
from shortcut1d.training import grid
from shortcut1d.training.evaluation import SEEN, UNSEEN_CONTENT, EvalConfig, Run, TestSet
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

SIZE = 16
NET = networks.ConvNet(width=2, depth=2, kernel=3)
RNG = np.random.default_rng(0)
MANY = Photographs(
    crops([RNG.random((24, 30, 1)) for _ in range(6)]), crops([RNG.random((20, 20, 1))]), SIZE
)
RAIN = image_degradations.rain(size=SIZE)


def cells(count):
    return [Cell(MANY.first(1 + n % 6, seed=n), RAIN, NET, seed=n) for n in range(count)]


def arrays_of(tree):
    return [leaf for leaf in jax.tree.leaves(tree, is_leaf=is_shared) if is_shared(leaf)]


def test_a_stack_of_pools_holds_their_photographs_once():
    stacked = stack([cell.content for cell in cells(5)])
    assert isinstance(stacked, Photographs)
    assert stacked.seen.pictures is MANY.seen.pictures
    assert stacked.seen.count.shape == (5,)


def test_families_of_other_photographs_are_of_another_kind():
    stacked = stack([MANY, MANY.unseen()])
    assert len(stacked.options) == 2
    key = jax.random.key(0)
    for number, family in enumerate((MANY, MANY.unseen())):
        one = grid.rows(stacked, [number])
        drawn = grid.map_cells(lambda f, k: f.sample(k, 3), (one, key[None]), 1)
        np.testing.assert_allclose(drawn[0], draw(family, key, 3), atol=1e-6)


@pytest.mark.slow
def test_a_grid_of_pools_is_trained_as_each_of_them_alone():
    schedule = Schedule(steps=3, batch=4)
    together = grid.train(cells(3), schedule)
    for n, cell in enumerate(cells(3)):
        alone = grid.train([cell], schedule)
        for many, one in zip(jax.tree.leaves(together.params), jax.tree.leaves(alone.params)):
            np.testing.assert_allclose(many[n], one[0], rtol=1e-5, atol=1e-7)


def test_all_cells_of_a_grid_take_one_copy_of_the_photographs():
    inputs = grid.stack_cells(cells(64))
    spread = grid._spread(inputs, 64)
    pictures = {id(shared.value) for shared in arrays_of(spread)}
    assert len(pictures) == len({id(shared.value) for shared in arrays_of(MANY)})
    rest = [leaf for leaf in jax.tree.leaves(spread, is_leaf=is_shared) if not is_shared(leaf)]
    assert sum(leaf.nbytes for leaf in rest if hasattr(leaf, "nbytes")) < 64 * 2000


@pytest.mark.slow
def test_a_sweep_over_pools_is_the_same_in_one_chunk_and_in_many():
    runs = [
        Run(
            cell,
            "net",
            f"pool({n})",
            "rain",
            [
                TestSet(SEEN, "pool", "rain", cell.content, RAIN),
                TestSet(UNSEEN_CONTENT, "new", "rain", cell.content.unseen(), RAIN),
            ],
        )
        for n, cell in enumerate(cells(4))
    ]
    schedule, config = Schedule(steps=2, batch=4), EvalConfig(4, pictures=True)
    whole, cut = (sweep(runs, schedule, config, Session(chunk=chunk)).table for chunk in (4, 2))
    assert np.isfinite(whole["psnr"]).all()
    for column in ("psnr", "nmse", "ssim"):
        np.testing.assert_allclose(whole[column], cut[column], rtol=1e-6)


def test_a_pool_can_be_of_fixed_crops_of_photographs_too():
    drawn = np.asarray(draw(signals.pool(MANY, 3), jax.random.key(0), 60))
    assert len(np.unique(drawn.reshape(60, -1), axis=0)) == 3
    stacked = stack([signals.pool(MANY, size) for size in (2, 5)])
    assert stacked.inner.seen.pictures is MANY.seen.pictures


def test_what_a_family_is_follows_from_its_photographs_and_not_from_where_they_lie():
    def copied(part: Crops) -> Crops:
        return dataclasses.replace(part, pictures=Shared(part.pictures.value.copy()))

    twin = dataclasses.replace(MANY, seen=copied(MANY.seen))
    assert identity(twin) == identity(MANY)
    changed = copied(MANY.seen)
    changed.pictures.value[0, 0, 0] ^= 1
    assert fingerprint(dataclasses.replace(MANY, seen=changed)) != fingerprint(MANY)


@pytest.mark.parametrize("name", ["smooth", "leaves"])
def test_families_without_photographs_are_stacked_as_ever(name):
    family = images.make(name, size=SIZE)
    assert not arrays_of(stack([family, family]))
