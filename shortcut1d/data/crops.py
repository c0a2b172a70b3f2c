"""Random crops of pictures that all cells of a grid share: photographs, layers of rain."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.data.family import index_below, traced
from shortcut1d.data.pytrees import Shared, pytree

MAX_SIDE = 512  # pixels of a picture that are kept along each side, from its middle
MAX_BYTES = 2**33  # of all pictures together


@pytree
class Crops:
    """Crops of some or all of the pictures, at random places.

    pictures: all of them, each in the top left corner of a canvas, in 255ths,
        `(k, height, width, channels)` integers; shared.
    extents: height and width of each, `(k, 2)` integers; shared.
    order: numbers of pictures; traced `(m,)`.
    count: how many of `order`, from its start, crops are drawn from; traced.
    """

    pictures: Shared
    extents: Shared
    order: Int[Array, "..."]
    count: Int[Array, "..."]

    def draw(self, key: PRNGKeyArray, n: int, size: int) -> Float[Array, "n size size channels"]:
        """`n` squares of `size` pixels, each of a random picture, mirrored with a chance of 1/2."""
        every, extents = jnp.asarray(self.pictures.value), jnp.asarray(self.extents.value)
        uniforms = jax.random.uniform(key, (4, n))
        which = jnp.asarray(self.order)[index_below(self.count, uniforms[0])]
        places = index_below(extents[which] - size + 1, uniforms[1:3].T)
        crops = jax.vmap(
            lambda number, place: jax.lax.dynamic_slice(
                every, (number, *place, 0), (1, size, size, every.shape[-1])
            )[0]
        )(which, places)
        mirrored = uniforms[3][:, None, None, None] < 0.5
        return jnp.where(mirrored, crops[:, :, ::-1], crops) / 255.0

    def numbers(self) -> Int[np.ndarray, " count"]:
        """Numbers of the pictures that crops are drawn from."""
        return np.asarray(self.order)[: int(self.count)]

    def first(self, count: int, seed: int) -> Self:
        """Only `count` of the pictures: the first ones of the permutation of this seed.

        `order` keeps its length, so that one compiled program serves pools of any size.

        Raises:
            InvalidInput: there are fewer pictures than `count`.
        """
        numbers = self.numbers()
        count = errors.integer("count", count, high=len(numbers))
        if count == len(numbers):
            return self
        order = np.array(self.order)
        order[: len(numbers)] = np.random.default_rng(seed).permutation(numbers)
        return dataclasses.replace(
            self, order=traced(order, np.int32), count=traced(count, np.int32)
        )

    def of(self, numbers: Any) -> Self:
        """Only the pictures with these numbers."""
        order = traced(numbers, np.int32)
        return dataclasses.replace(self, order=order, count=traced(len(order), np.int32))


def crops(pictures: Sequence[np.ndarray], kind: type = np.uint8) -> Crops:
    """Crops of all `pictures`.

    Args:
        pictures: `(height, width, channels)`, of any sizes; of a longer side than 512 pixels, only
            the middle 512 are kept. A value of 1 becomes 255.
        kind: type of the integers that hold the values.

    Raises:
        InvalidInput: no pictures, different numbers of channels, or too many for 8 GiB.
    """
    parts = [_middle(np.asarray(picture)) for picture in pictures]
    if len({part.shape[-1] for part in parts}) != 1:
        raise errors.refuse("pictures", f"{len(parts)} of them", "some, of as many channels each")
    extents = np.array([part.shape[:2] for part in parts], np.int32)
    shape = (len(parts), *extents.max(axis=0), parts[0].shape[-1])
    if int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize > MAX_BYTES:
        raise errors.refuse("pictures", f"{len(parts)} of up to {shape[1]} x {shape[2]}", "fewer")
    canvas = np.zeros(shape, kind)
    for place, part in zip(canvas, parts, strict=True):
        place[: part.shape[0], : part.shape[1]] = np.rint(255 * part)
    everyone = np.arange(len(parts))
    return Crops(
        Shared(canvas), Shared(extents), traced(everyone, np.int32), traced(len(parts), np.int32)
    )


def split(every: Crops) -> tuple[Crops, Crops]:
    """Two thirds of the pictures, and every third one from the second on."""
    numbers = every.numbers()
    held = np.arange(len(numbers)) % 3 == 1
    return every.of(numbers[~held]), every.of(numbers[held])


def _middle(picture: np.ndarray) -> np.ndarray:
    """At most `MAX_SIDE` pixels along each side, from the middle."""
    for axis in (0, 1):
        start = max(0, (picture.shape[axis] - MAX_SIDE) // 2)
        picture = picture.take(range(start, min(start + MAX_SIDE, picture.shape[axis])), axis)
    return picture
