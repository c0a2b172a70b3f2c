"""Degradations made of others: one after the other, or one out of several for every sample; none.

What they draw is what their parts draw, side by side along the channel axis; all parts must draw
arrays of one shape.
"""

import dataclasses
from typing import Any, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.data.family import Additive, Degradation, index_below
from shortcut1d.data.pytrees import pytree, static


@pytree
class Nothing(Additive):
    """No degradation: what an autoencoder is trained under.

    shape: of a sample, `(*space, channels)`; static.
    """

    shape: tuple[int, ...] = static()

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n *space channels"]:
        """`n` layers of zeros."""
        return jnp.zeros((n, *self.shape))

    def unseen(self) -> Self:
        """Nothing again."""
        return self


@pytree
class InTurn:
    """Several degradations, each applied to what the one before it left."""

    parts: tuple[Any, ...]

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n *space channels"]:
        """`n` realisations of every part."""
        return _side_by_side(self.parts, key, n)

    def apply(
        self,
        content: Float[Array, "n *space channels"],
        realisation: Float[Array, "n *space more"],
    ) -> Float[Array, "n *space channels"]:
        """The last part of ... of the first part of the content."""
        for part, own in zip(self.parts, jnp.split(realisation, len(self.parts), axis=-1)):
            content = part.apply(content, own)
        return content

    def unseen(self) -> Self:
        """Every part replaced by its held-out twin."""
        return dataclasses.replace(self, parts=tuple(part.unseen() for part in self.parts))


@pytree
class AnyOf:
    """One of several degradations, for every sample another, all equally likely."""

    parts: tuple[Any, ...]

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n *space channels"]:
        """`n` realisations of every part; and which of them counts, as a last channel."""
        which_key, key = jax.random.split(key)
        drawn = _side_by_side(self.parts, key, n)
        share = jax.random.uniform(which_key, (n,))
        which = index_below(jnp.int32(len(self.parts)), share).astype(drawn.dtype)
        which = which.reshape(n, *[1] * (drawn.ndim - 1))
        return jnp.concatenate([drawn, jnp.broadcast_to(which, (*drawn.shape[:-1], 1))], axis=-1)

    def apply(
        self,
        content: Float[Array, "n *space channels"],
        realisation: Float[Array, "n *space more"],
    ) -> Float[Array, "n *space channels"]:
        """The chosen part's, for each sample."""
        drawn, which = realisation[..., :-1], realisation[..., -1:]
        degraded = content
        for number, own in enumerate(jnp.split(drawn, len(self.parts), axis=-1)):
            degraded = jnp.where(which == number, self.parts[number].apply(content, own), degraded)
        return degraded

    def unseen(self) -> Self:
        """Every part replaced by its held-out twin."""
        return dataclasses.replace(self, parts=tuple(part.unseen() for part in self.parts))


def nothing(*shape: int) -> Nothing:
    """No degradation, of samples of a shape `(*space, channels)`."""
    return Nothing(tuple(errors.integer("shape", axis) for axis in shape))


def in_turn(*parts: Degradation) -> InTurn:
    """`parts` one after the other, such as `in_turn(clicks(), hiss(level=-10))`."""
    return InTurn(_checked(parts))


def any_of(*parts: Degradation) -> AnyOf:
    """For every sample one of `parts`, such as `any_of(clicks(), hum())`."""
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


def _side_by_side(
    parts: tuple[Any, ...], key: PRNGKeyArray, n: int
) -> Float[Array, "n *space channels"]:
    keys = jax.random.split(key, len(parts))
    return jnp.concatenate([part.sample(k, n) for part, k in zip(parts, keys)], axis=-1)
