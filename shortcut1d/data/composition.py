"""Degradations made of others: in turn, or one of several for each sample; and none at all.

Their draws are the draws of their parts, side by side along the channel axis; all parts must draw
arrays of one shape. `Units` are families of one kind that share a test.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.data.family import Additive, Batch, Degradation, OneOf, index_below, stack
from shortcut1d.data.pytrees import is_shared, pytree, static


@pytree
class Nothing(Additive):
    """No degradation, for training an autoencoder.

    shape: shape of a sample, `(*space, channels)`; static.
    """

    shape: tuple[int, ...] = static()

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` residuals of zeros."""
        return jnp.zeros((n, *self.shape))

    def unseen(self) -> Self:
        """Nothing again."""
        return self


class _Parts:
    """Draws and twins of degradations that are made of parts."""

    parts: tuple[Any, ...]

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` realisations of every part."""
        keys = jax.random.split(key, len(self.parts))
        return jnp.concatenate([part.sample(k, n) for part, k in zip(self.parts, keys)], axis=-1)

    def unseen(self) -> Self:
        """Every part replaced by its held-out twin."""
        parts = tuple(part.unseen() for part in self.parts)
        return dataclasses.replace(self, parts=parts)  # type: ignore[type-var]


@pytree
class InTurn(_Parts):
    """Several degradations, each applied to the output of the one before it."""

    parts: tuple[Any, ...]

    def apply(self, content: Batch, realisation: Batch) -> Batch:
        """Apply the parts in order."""
        for part, own in zip(self.parts, jnp.split(realisation, len(self.parts), axis=-1)):
            content = part.apply(content, own)
        return content


@pytree
class AnyOf(_Parts):
    """One of several degradations, drawn anew for each sample, all equally likely."""

    parts: tuple[Any, ...]

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` realisations of every part; the last channel holds the number of the chosen part."""
        which_key, key = jax.random.split(key)
        drawn = super().sample(key, n)
        uniforms = jax.random.uniform(which_key, (n,))
        which = index_below(jnp.int32(len(self.parts)), uniforms).astype(drawn.dtype)
        which = which.reshape(n, *[1] * (drawn.ndim - 1))
        return jnp.concatenate([drawn, jnp.broadcast_to(which, (*drawn.shape[:-1], 1))], axis=-1)

    def apply(self, content: Batch, realisation: Batch) -> Batch:
        """Apply the chosen part to each sample."""
        drawn, which = realisation[..., :-1], realisation[..., -1:]
        degraded = content
        for number, own in enumerate(jnp.split(drawn, len(self.parts), axis=-1)):
            degraded = jnp.where(which == number, self.parts[number].apply(content, own), degraded)
        return degraded


@pytree
class Units:
    """Several families of one kind, each of which draws an equal part of the samples, in order.

    A test on many banks of clicks does not depend on one odd bank. Made by `units`.

    parts: the families, stacked; traced.
    count: how many; static.
    """

    parts: Any
    count: int = static()

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` draws, `n / count` of each family; `n` must be a multiple of `count`."""
        keys = jax.random.split(key, self.count)
        each = self._each(n)
        drawn = jax.vmap(lambda part, own: part.sample(own, each))(self.parts, keys)
        return drawn.reshape(n, *drawn.shape[2:])

    def apply(self, content: Batch, realisation: Batch) -> Batch:
        """Each realisation, applied by the family that drew it."""
        self._each(len(content))
        cut = [x.reshape(self.count, -1, *x.shape[1:]) for x in (content, realisation)]
        given = jax.vmap(lambda part, own, drawn: part.apply(own, drawn))(self.parts, *cut)
        return given.reshape(content.shape)

    def unseen(self) -> Self:
        """Every family replaced by its held-out twin."""
        parts = jax.vmap(lambda part: part.unseen())(self.parts)
        return dataclasses.replace(self, parts=parts)

    def _each(self, n: int) -> int:
        if n % self.count:
            raise errors.refuse("samples", n, f"a multiple of {self.count}, one part a unit")
        return n // self.count


def units(families: Sequence[Any]) -> Units:
    """Families of one kind as one, each of which draws an equal part of the samples."""
    families = errors.non_empty("families", families, "at least one family")
    stacked = stack(families)
    if isinstance(stacked, OneOf):
        raise errors.refuse("families", families, "families of one kind and shape")
    if any(map(is_shared, jax.tree.leaves(stacked, is_leaf=is_shared))):
        raise errors.refuse("families", families, "families that share no pictures")
    return Units(stacked, len(families))


def nothing(*shape: int) -> Nothing:
    """No degradation, for samples of shape `(*space, channels)`."""
    return Nothing(tuple(errors.integer("shape", axis) for axis in shape))


def in_turn(*parts: Degradation) -> InTurn:
    """`parts` one after the other, such as `in_turn(clicks(), hiss(level=-10))`."""
    return InTurn(_checked(parts))


def any_of(*parts: Degradation) -> AnyOf:
    """For each sample one of `parts`, such as `any_of(clicks(), hum())`."""
    return AnyOf(_checked(parts))


def _checked(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(parts) < 2:
        raise errors.refuse("parts", parts, "at least two degradations")
    for part in parts:
        if not isinstance(part, Degradation):
            raise errors.refuse("parts", part, "a degradation family, such as clicks()")
    key = jax.eval_shape(jax.random.key, 0)
    shapes = [jax.eval_shape(lambda k, p=p: p.sample(k, 1), key).shape for p in parts]
    if len(set(shapes)) > 1:
        raise errors.refuse("parts", shapes, "parts that draw arrays of one shape")
    return parts
