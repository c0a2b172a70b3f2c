"""Content families over two axes: backgrounds, drawn and photographed.

Each lower-case function checks its arguments and makes a family; each family draws pictures of
shape `(n, size, size, channels)` with values in [0, 1]. Complexity is traced, as in 1D: the
frequency range of a `field`, the number of `leaves`, the letters of a `text`. Photographs are
split into seen and unseen ones, so that no part of an unseen one was seen.
Frequencies are in cycles per picture side.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from shortcut1d import errors
from shortcut1d.data import pictures
from shortcut1d.data.crops import MAX_SIDE, Crops, crops, split
from shortcut1d.data.family import index_below, traced
from shortcut1d.data.pictures import checked_channels
from shortcut1d.data.pytrees import pytree, static

SIZE = 32  # pixels along each side
MAX_LEAVES = 256
CONTRAST = 0.2  # standard deviation of a field
CHROMA = 0.4  # contrast of what is each colour's own, relative to what all colours share
Pictures: TypeAlias = Float[Array, "n size size channels"]
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"  # in order of how common they are in English


@pytree
class Field:
    """Gaussian field with power proportional to `frequency ** -color` in a band of frequencies.

    A low band makes smooth gradients, a high one texture; the whole range with color 2 is the 1/f
    noise (of amplitude) that photographs have on average (Field 1987). Periodic.

    color: exponent of the spectrum; traced.
    low, high: band limits, cycles per picture side; traced.
    size: pixels along each side; static.
    channels: 1 for grey, 3 for colour; static.
    """

    color: Float[Array, "..."]
    low: Float[Array, "..."]
    high: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Pictures:
        """`n` pictures around mid-grey; most of the contrast is the same in all colours."""
        frequency = jnp.minimum(jnp.arange(self.size), self.size - jnp.arange(self.size))
        radius = jnp.sqrt(frequency[:, None] ** 2 + frequency[None, : self.size // 2 + 1] ** 2)
        inside = (radius >= self.low) & (radius <= self.high)
        power = jnp.where(inside, jnp.maximum(radius, 1.0) ** -self.color, 0.0)
        planes = self.channels + (self.channels > 1)
        white = jax.random.normal(key, (planes, n, self.size * self.size))
        spectrum = jnp.fft.rfft2(white.reshape(planes, n, self.size, self.size))
        drawn = jnp.fft.irfft2(spectrum * jnp.sqrt(power), (self.size, self.size))
        # All columns of the half spectrum but 0 and Nyquist stand for two frequencies.
        twice = jnp.where((jnp.arange(power.shape[1]) % (self.size / 2)) == 0, 1.0, 2.0)
        drawn = drawn / jnp.sqrt(jnp.sum(power * twice) / self.size**2)
        if self.channels > 1:
            drawn = (drawn[:1] + CHROMA * drawn[1:]) / (1 + CHROMA**2) ** 0.5
        return jnp.clip(0.5 + CONTRAST * jnp.moveaxis(drawn, 0, -1), 0.0, 1.0)

    def unseen(self) -> Self:
        """The same band with color 2 if the color is below 1, else with color 0."""
        return dataclasses.replace(self, color=jnp.where(self.color < 1, 2.0, 0.0))


@pytree
class Leaves:
    """Dead leaves: opaque discs thrown on one another (Lee, Mumford and Huang 2001), a cartoon.

    leaves: discs thrown, at most 256, some of them beside the picture; traced.
    radius: range of radii, shares of the side, of density `~ radius ** -3`; traced `(2,)`.
    square: 0 for discs, 1 for squares; traced.
    size: pixels along each side; static.
    channels: 1 for grey, 3 for colour; static.
    """

    leaves: Int[Array, "..."]
    radius: Float[Array, "..."]
    square: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Pictures:
        """`n` pictures; edges are smoothed over one pixel."""
        uniforms = jax.random.uniform(key, (MAX_LEAVES + 1, n, 3 + self.channels))
        paint = uniforms[..., 3:][:, :, None, None, :]
        small, large = self.radius[..., 0], self.radius[..., 1]
        # The inverse of the radii's cumulative distribution.
        radii = (small**-2 + uniforms[..., 2] * (large**-2 - small**-2)) ** -0.5 * self.size
        # Leaves beside the picture reach into it, so that edges are covered as the middle is.
        middle = self.size * ((1 + 2 * large) * uniforms[..., :2] - large)
        pixel = jnp.arange(self.size) + 0.5

        def cover(number: Array, canvas: Array) -> Array:
            x, y = middle[number].T[..., None, None]
            across, down = jnp.abs(pixel[None, :] - x), jnp.abs(pixel[:, None] - y)
            disc = jnp.sqrt(across**2 + down**2)
            distance = jnp.where(self.square > 0, jnp.maximum(across, down), disc)
            opaque = jnp.clip(radii[number][:, None, None] - distance + 0.5, 0.0, 1.0)[..., None]
            return canvas + opaque * (paint[number] - canvas)

        ground = jnp.broadcast_to(paint[-1], (n, self.size, self.size, self.channels))
        return jax.lax.fori_loop(0, self.leaves, cover, ground)

    def unseen(self) -> Self:
        """Squares for discs, discs for squares."""
        return dataclasses.replace(self, square=1.0 - self.square)


@pytree
class Text:
    """Lines of random letters in one ink on one paper.

    glyphs: lower-case letters and capitals, ink in [0, 1], `(2, 26, height, width)`; traced.
    letters: how many of the 26 are used, the most common first; traced.
    capitals: 0 for lower-case letters, 1 for capitals; traced.
    size: pixels along each side; static.
    channels: 1 for grey, 3 for colour; static.
    """

    glyphs: Float[Array, "..."]
    letters: Int[Array, "..."]
    capitals: Int[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Pictures:
        """`n` pictures, each with letters, a start, an ink and a paper of its own."""
        height, width = self.glyphs.shape[-2:]
        rows, columns = self.size // height + 2, self.size // width + 2
        uniforms = jax.random.uniform(key, (n, rows * columns + 2 + 2 * self.channels))
        letter = index_below(self.letters, uniforms[:, : rows * columns])
        glyphs = jnp.asarray(self.glyphs)[self.capitals, letter]
        page = glyphs.reshape(n, rows, columns, height, width).transpose(0, 1, 3, 2, 4)
        page = page.reshape(n, rows * height, columns * width)
        start = [
            index_below(jnp.int32(step), uniforms[:, rows * columns + axis])
            for axis, step in enumerate((height, width))
        ]
        cut = jax.vmap(lambda page, y, x: jax.lax.dynamic_slice(page, (y, x), (self.size,) * 2))
        ink, paper = jnp.split(uniforms[:, None, None, rows * columns + 2 :], 2, axis=-1)
        # Dark on light, so that the letters stand out.
        return 0.6 + 0.4 * paper + cut(page, *start)[..., None] * (0.4 * (ink - paper) - 0.6)

    def unseen(self) -> Self:
        """Capitals for lower-case letters, and the other way round."""
        return dataclasses.replace(self, capitals=1 - self.capitals)


@pytree
class Photographs:
    """Crops of photographs at their own scale, at random places and perhaps mirrored.

    seen: those that are drawn from.
    held: other ones, for the unseen twin.
    size: pixels along each side of a crop; static.
    """

    seen: Crops
    held: Crops
    size: int = static(SIZE)

    def sample(self, key: PRNGKeyArray, n: int) -> Pictures:
        """`n` crops, each of a random photograph."""
        return self.seen.draw(key, n, self.size)

    def unseen(self) -> Self:
        """The photographs that were held out."""
        return dataclasses.replace(self, seen=self.held, held=self.seen)

    def first(self, count: int, seed: int) -> Self:
        """Only `count` of the photographs: the first ones of the permutation of this seed."""
        return dataclasses.replace(self, seen=self.seen.first(count, seed))

    def blurred(self, widths: Sequence[float]) -> "list[Photographs]":
        """One family per width: its photographs blurred by a Gaussian, but not those held out.

        widths: standard deviations, pixels; 0 for no blur.
        """
        numbers = self.seen.numbers()
        count, extents = len(numbers), self.seen.extents.value[numbers]
        sharp = [
            picture[:height, :width] / 255
            for picture, (height, width) in zip(
                self.seen.pictures.value[numbers], extents, strict=True
            )
        ]
        # In one array, so that all of them are one kind of family.
        every = crops(
            [gaussian_filter(each, (width, width, 0)) for width in widths for each in sharp]
        )
        return [
            dataclasses.replace(self, seen=every.of(count * level + np.arange(count)))
            for level in range(len(widths))
        ]


def field(
    color: float = 2.0,
    low: float = 1.0,
    high: float | None = None,
    *,
    size: int = SIZE,
    channels: int = 1,
) -> Field:
    """Gaussian field; by default the 1/f noise that photographs have on average."""
    size = checked_size(size)
    color = errors.number("color", color, low=-4, high=8)
    high = errors.integer("high", size // 2 - 1 if high is None else high, high=size // 2 - 1)
    low = errors.integer("low", low, high=high)
    return Field(traced(color), traced(low), traced(high), size, checked_channels(channels))


def smooth(high: float = 2.0, *, size: int = SIZE, channels: int = 1) -> Field:
    """Smooth gradients: a field of up to `high` cycles per picture side."""
    return field(0.0, 1.0, high, size=size, channels=channels)


def texture(
    low: float = 6.0, high: float | None = None, *, size: int = SIZE, channels: int = 1
) -> Field:
    """Texture: a field with a flat spectrum from `low` cycles per picture side upwards."""
    return field(0.0, low, high, size=size, channels=channels)


def leaves(
    count: int = 64,
    radius: tuple[float, float] = (0.05, 0.5),
    *,
    square: bool = False,
    size: int = SIZE,
    channels: int = 1,
) -> Leaves:
    """Dead leaves: `count` (up to 256) discs, radii as shares of the picture's side."""
    return Leaves(
        leaves=traced(errors.integer("count", count, high=MAX_LEAVES), np.int32),
        radius=traced(errors.span("radius", radius, low=0.01, high=2.0, unit="of the side")),
        square=traced(errors.flag("square", square)),
        size=checked_size(size),
        channels=checked_channels(channels),
    )


def text(letters: int = 26, *, capitals: bool = False, size: int = SIZE, channels: int = 1) -> Text:
    """Lines of random letters, the `letters` most common ones of English."""
    size = checked_size(size)
    letters = errors.integer("letters", letters, high=len(LETTERS))
    return Text(
        glyphs=traced(_glyphs(max(8, size // 4))),
        letters=traced(letters, np.int32),
        capitals=traced(errors.flag("capitals", capitals), np.int32),
        size=size,
        channels=checked_channels(channels),
    )


def photographs(
    folder: str | Path | None = None,
    *,
    new: str | Path | None = None,
    size: int = SIZE,
    channels: int = 1,
    warn: pictures.Warn = lambda line: None,
) -> Photographs:
    """Photographs of a folder, or the ten inside scikit-image.

    Args:
        folder: PNG and JPEG files, grey or colour, of any sizes from `size` pixels on.
        new: a folder of others to hold out; without it every third photograph is held out.
        size: pixels along each side of a crop, at most 512.
        channels: 1 for grey, 3 for colour.
        warn: called with a line about each file that is left out, which says why.

    Raises:
        InvalidInput: fewer than two usable photographs, or a `size` larger than those inside
            scikit-image.
    """
    size, channels = checked_size(size, MAX_SIDE), checked_channels(channels)

    def read(folder: str | Path) -> list[np.ndarray]:
        return [picture for _, picture in pictures.each_picture(folder, size, channels, warn)]

    if folder is None:
        found = [picture for _, picture in pictures.shipped(size, channels)]
    else:
        found = read(folder)
    if new is not None:
        return Photographs(crops(found), crops(read(new)), size)
    if len(found) < 2:
        raise errors.refuse(str(folder), "1 photograph", "at least two, since one is held out")
    return _split(found, size)


def faces(*, size: int = SIZE, channels: int = 1) -> Photographs:
    """The faces inside scikit-image, grey, 25 pixels high, enlarged; every third is held out."""
    size = checked_size(size, MAX_SIDE)
    grey = pictures.faces(size)
    return _split(list(np.repeat(grey, checked_channels(channels), axis=-1)), size)


def _split(every: Sequence[np.ndarray], size: int) -> Photographs:
    """Hold out every third photograph, from the second on."""
    return Photographs(*split(crops(every)), size)


IMAGES: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (smooth, leaves, field, texture, text, faces, photographs)
}
make = functools.partial(errors.call_by_name, "background", IMAGES)
"""`make("leaves", count=8)`: the background family called by name, its arguments checked."""


def checked_size(size: Any, high: int = 4096) -> int:
    """`size` as a valid number of pixels along each side of a picture, `high` at most."""
    return errors.integer("size", size, low=8, high=high)


def _glyphs(height: int) -> Float[np.ndarray, "cases letters height width"]:
    """The alphabet at `height` pixels a line, each letter centred in a box of the same width."""
    font = ImageFont.load_default(size=0.8 * height)
    width = max(4, round(0.6 * height))
    cases = []
    for alphabet in (LETTERS, LETTERS.upper()):
        boxes = []
        for letter in alphabet:
            box = Image.new("L", (width, height))
            ImageDraw.Draw(box).text((width / 2, 0.75 * height), letter, 255, font, anchor="ms")
            boxes.append(np.asarray(box, np.float32) / 255)
        cases.append(np.stack(boxes))
    return np.stack(cases)
