"""Frozen dataclasses that are pytrees, whose structures name their class.

Like `flax.struct.dataclass`, but for one thing. With jax 0.10 the structures that
`jax.tree_util.register_dataclass` makes are equal for any two classes with as many leaves and the
same static values; only their hashes differ. `jit` keeps its programs by structure, so that about
one time in a hundred it silently runs the program of another class. Here the class is part of the
structure.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

import jax
import numpy as np

Kind = TypeVar("Kind")


def static(default: Any = dataclasses.MISSING) -> Any:
    """A field that is not a leaf: it is hashable, and each value compiles a program of its own."""
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(frozen_default=True, field_specifiers=(static,))
def pytree(kind: type[Kind]) -> type[Kind]:
    """The class as a frozen dataclass and pytree; its fields are leaves, except `static()` ones."""
    frozen: Any = dataclasses.dataclass(frozen=True)(kind)
    fields = dataclasses.fields(frozen)
    leaf_names = [field.name for field in fields if not field.metadata.get("static")]
    static_names = [field.name for field in fields if field.metadata.get("static")]

    def flatten(member: Kind) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        leaves = tuple(getattr(member, name) for name in leaf_names)
        return leaves, tuple(getattr(member, name) for name in static_names)

    def flatten_with_keys(member: Kind) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        leaves, statics = flatten(member)
        return tuple(zip(map(jax.tree_util.GetAttrKey, leaf_names), leaves)), statics

    def unflatten(statics: tuple[Any, ...], leaves: Any) -> Kind:
        return frozen(**dict(zip(leaf_names, leaves)), **dict(zip(static_names, statics)))

    jax.tree_util.register_pytree_with_keys(frozen, flatten_with_keys, unflatten, flatten)
    return frozen


@jax.tree_util.register_pytree_node_class
class Shared:
    """An array that many families hold in common, such as all photographs.

    Whatever gives families a leading axis (`family.stack`) leaves it as it is, and the grid puts it
    on a device once, for all cells.

    value: the array.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    @functools.cached_property
    def digest(self) -> bytes:
        """A hash of the array, computed once: photographs are many megabytes."""
        array = np.ascontiguousarray(self.value)
        return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.data).digest()

    def tree_flatten(self) -> tuple[tuple[Any], None]:
        """Its array is its leaf."""
        return (self.value,), None

    @classmethod
    def tree_unflatten(cls, _: None, leaves: tuple[Any]) -> "Shared":
        """From its leaf."""
        return cls(*leaves)


def is_shared(node: Any) -> bool:
    """Whether it is an array that all cells share."""
    return isinstance(node, Shared)


def map_own(function: Callable[..., Any], *trees: Any) -> Any:
    """`jax.tree.map` over the leaves that are not shared; what is shared stays as in the first."""

    def of_leaf(first: Any, *others: Any) -> Any:
        return first if is_shared(first) else function(first, *others)

    return jax.tree.map(of_leaf, *trees, is_leaf=is_shared)
