"""Frozen dataclasses that are pytrees, whose structures name their class."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from shortcut1d.data import composition, degradations, image_degradations, images, signals
from shortcut1d.data.pytrees import pytree, static


@pytree
class Point:
    x: np.ndarray
    y: np.ndarray
    name: str = static()


@pytree
class Spot:
    x: np.ndarray
    y: np.ndarray
    name: str = static()


@pytree
class Other:
    u: np.ndarray
    name: str = static()
    v: np.ndarray


def test_a_pytree_comes_back_from_its_leaves():
    for made in (Point(1.0, 2.0, "a"), Other(1.0, "a", 2.0)):
        leaves, structure = jax.tree.flatten(made)
        assert leaves == [1.0, 2.0]
        assert jax.tree.unflatten(structure, leaves) == made
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(made)]
    assert paths == [".u", ".v"]


def test_a_pytree_is_frozen_and_its_static_fields_are_no_leaves():
    point = Point(1.0, 2.0, "a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 3.0
    assert jax.tree.map(lambda leaf: -leaf, point) == Point(-1.0, -2.0, "a")
    assert jax.tree.structure(point) != jax.tree.structure(Point(1.0, 2.0, "b"))
    assert jax.tree.structure(point) == jax.tree.structure(Point(3.0, 4.0, "a"))


def test_structures_of_different_classes_differ():
    alike = (Point(1.0, 2.0, "a"), Spot(1.0, 2.0, "a"), Other(1.0, "a", 2.0))
    for one, other in itertools.combinations(alike, 2):
        assert jax.tree.structure(one) != jax.tree.structure(other)


def test_no_two_kinds_of_family_have_one_structure():
    hisses = degradations.hiss(), degradations.hiss(color=1)
    families = [
        *[signals.make(name) for name in signals.CONTENTS if name not in ("recording", "pool")],
        *[degradations.make(name) for name in degradations.DEGRADATIONS],
        signals.pool(signals.note()),
        composition.nothing(128, 1),
        composition.in_turn(*hisses),
        composition.any_of(*hisses),
        *[
            make()
            for make in (
                image_degradations.rain,
                image_degradations.sensor_noise,
                image_degradations.blur_kernel,
            )
        ],
        *[images.make(name) for name in ("smooth", "leaves", "texture", "text")],
    ]
    for one, other in itertools.combinations(families, 2):
        if type(one) is not type(other):
            assert jax.tree.structure(one) != jax.tree.structure(other)
