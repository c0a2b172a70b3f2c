"""Frozen dataclasses that JAX takes apart and that say of which class they are.

What `flax.struct.dataclass` does, but for one thing. With jax 0.10 the structures that
`jax.tree_util.register_dataclass` makes are equal for any two classes with as many leaves and the
same static values; only their hashes differ. `jit` keeps its programs by structure, so that about
one time in a hundred it runs the program of another class, without a word. Here the class is part
of the structure.
"""

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import jax

Kind = TypeVar("Kind")


def static(default: Any = dataclasses.MISSING) -> Any:
    """A field that is no leaf: hashable, and each value of it has a program of its own."""
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(frozen_default=True, field_specifiers=(static,))
def pytree(kind: type[Kind]) -> type[Kind]:
    """The class as a frozen dataclass and a pytree; its fields are leaves, or pytrees of them,
    but for those that are `static()`.
    """
    made: Any = dataclasses.dataclass(frozen=True)(kind)
    fields = dataclasses.fields(made)
    own_leaves = [field.name for field in fields if not field.metadata.get("static")]
    own_static = [field.name for field in fields if field.metadata.get("static")]

    def values(member: Kind) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        leaves = tuple(getattr(member, name) for name in own_leaves)
        return leaves, tuple(getattr(member, name) for name in own_static)

    def values_with_names(member: Kind) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        leaves, others = values(member)
        keys = map(jax.tree_util.GetAttrKey, own_leaves)
        return tuple(zip(keys, leaves)), others

    def member(others: tuple[Any, ...], leaves: Any) -> Kind:
        return made(**dict(zip(own_leaves, leaves)), **dict(zip(own_static, others)))

    jax.tree_util.register_pytree_with_keys(made, values_with_names, member, values)
    return made
