"""Degradation families over two axes: rain, sensor noise, blur kernels.

Each lower-case function checks its arguments and makes a family; `sample` draws the random part,
`(n, size, size, channels)`, and `apply` puts it on pictures with values in [0, 1]. Ranges are
traced, so a grid can vary them. Rainy pictures may exceed 1: clipping would change the residual.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.data.crops import MAX_SIDE, Crops, crops, split
from shortcut1d.data.family import Additive, Convolution, between, index_below, traced
from shortcut1d.data.images import SIZE, Pictures, checked_size
from shortcut1d.data.pictures import Warn, checked_channels, read_pairs
from shortcut1d.data.pytrees import pytree, static

MARGIN = 64  # pixels by which rain is drawn larger than a crop: streaks come in from outside
WIDTHS = 60  # length of every list of widths, repeated: lists of 1 to 6 are then one kind


class Range(NamedTuple):
    """A range of rain.

    amount: share of pixels where a streak begins.
    width: widths of the kernel that blurs a streak, pixels, equally likely.
    length: length of a streak, pixels.
    angle: angle from the vertical, degrees.
    """

    amount: tuple[float, float]
    width: tuple[float, ...]
    length: tuple[float, float]
    angle: tuple[float, float]


# Gu et al. 2023 (arXiv 2305.15134); the chances of the widths are from the authors' code.
RANGES = {
    "small": Range((0.002, 0.004), (1, 3), (25, 35), (-10, 10)),
    "medium": Range((0.005, 0.007), (3, 5, 5, 7), (35, 45), (-30, 30)),
    "large": Range((0.008, 0.010), (7, 9), (45, 55), (-60, 60)),
    "random": Range((0.002, 0.010), (1, 3, 5, 7, 9), (25, 55), (-60, 60)),
}


@pytree
class Rain(Additive):
    """Streaks of one direction: random seeds smeared along a blurred line, clipped, weighted.

    Streaks are as long and as wide as the papers', whatever the size of the picture. Rain is grey:
    the same in every channel. Values are drawn from their ranges once a picture, uniformly.

    amount, length, angle: see `Range`; traced `(2,)`.
    width: widths, equally likely; traced `(60,)`.
    weight: range of the rain layer's weight; traced `(2,)`.
    size: pixels along each side; static.
    channels: channels of a picture; static.
    """

    amount: Float[Array, "..."]
    width: Float[Array, "..."]
    length: Float[Array, "..."]
    angle: Float[Array, "..."]
    weight: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Pictures:
        """`n` rain layers, from 0 to the largest weight."""
        side = self.size + MARGIN
        uniforms = jax.random.uniform(key, (n, 5 + side**2))
        ranges = (self.amount, self.length, self.angle, self.weight)
        amount, length, angle, weight = (
            between(bounds, column)[:, None, None]
            for bounds, column in zip(ranges, uniforms[:, :4].T, strict=True)
        )
        which = index_below(jnp.int32(self.width.shape[-1]), uniforms[:, 4])
        width = jnp.asarray(self.width)[which][:, None, None]
        chance = uniforms[:, 5:].reshape(n, side, side)
        # Each seed has a brightness of its own.
        seeds = jnp.where(chance < amount, 0.5 + 0.5 * chance / amount, 0.0)
        # The papers blur their lines with OpenCV's Gaussian kernel of this width; wider is fainter.
        spread = 0.35 + 0.15 * width
        kernel = line(side, length, spread, jnp.deg2rad(angle))
        kernel = kernel / (spread * (2 * jnp.pi) ** 0.5)
        spectrum = jnp.fft.rfft2(seeds) * jnp.fft.rfft2(kernel)
        streaks = jnp.fft.irfft2(spectrum, (side, side))[:, : self.size, : self.size]
        rain_layer = weight * jnp.clip(streaks, 0.0, 1.0)
        return jnp.broadcast_to(rain_layer[..., None], (*rain_layer.shape, self.channels))

    def unseen(self) -> Self:
        """As many streaks, wider, longer and more slanted (to the right) than any of the range."""
        top = jnp.max(self.width, axis=-1, keepdims=True)
        width = self.width + top - jnp.min(self.width, axis=-1, keepdims=True) + 2
        longest = self.length[..., 1]
        length = jnp.stack([1.1 * longest, 1.5 * longest], axis=-1)
        steepest = jnp.max(jnp.abs(self.angle), axis=-1, keepdims=True)
        angle = jnp.minimum(steepest + jnp.array([5.0, 25.0]), 90.0)
        return dataclasses.replace(self, width=width, length=length, angle=angle)


@pytree
class RainLayers(Additive):
    """Crops of rain layers from pairs of pictures, such as Rain100H's: rainy minus clean.

    seen: layers that are drawn from.
    held: other ones, for the unseen twin.
    gain: what they are multiplied by; traced.
    size: pixels along each side; static.
    """

    seen: Crops
    held: Crops
    gain: Float[Array, "..."]
    size: int = static(SIZE)

    def sample(self, key: PRNGKeyArray, n: int) -> Pictures:
        """`n` crops of rain layers."""
        return self.gain * self.seen.draw(key, n, self.size)

    def unseen(self) -> Self:
        """The layers that were held out."""
        return dataclasses.replace(self, seen=self.held, held=self.seen)


@pytree
class SensorNoise:
    """Sensor noise of one of several kinds, of standard deviation `sigma` at mid-grey.

    sigma: range, drawn from once a picture; traced `(2,)`.
    kind: weight of each of `KINDS`, 0 or 1; traced `(5,)`.
    size: pixels along each side; static.
    channels: channels of a picture; static.
    """

    sigma: Float[Array, "..."]
    kind: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n size size more"]:
        """`n` draws: white noise and uniform numbers for every channel, then sigma."""
        white_key, uniform_key, sigma_key = jax.random.split(key, 3)
        space = (self.size, self.size)
        white = jax.random.normal(white_key, (n, *space, self.channels))
        uniforms = jax.random.uniform(uniform_key, (n, *space, self.channels))
        sigma = between(self.sigma, jax.random.uniform(sigma_key, (n, 1)))[..., None, None]
        return jnp.concatenate([white, uniforms, jnp.broadcast_to(sigma, (n, *space, 1))], axis=-1)

    def apply(self, content: Pictures, realisation: Float[Array, "n size size more"]) -> Pictures:
        """The noisy picture; refuses one whose number of channels is not the noise's."""
        if content.shape[-1] != self.channels:
            raise errors.refuse("channels", content.shape[-1], f"{self.channels}, as the noise has")
        white = realisation[..., : self.channels]
        uniforms, sigma = realisation[..., self.channels : -1], realisation[..., -1:]
        noisy = [kind(content, sigma, white, uniforms) for kind in KINDS.values()]
        return sum(weight * picture for weight, picture in zip(self.kind, noisy, strict=True))

    def unseen(self) -> Self:
        """The next kind of `KINDS`, the first after the last."""
        return dataclasses.replace(self, kind=jnp.roll(self.kind, 1, axis=-1))


def _gaussian(content: Array, sigma: Array, white: Array, uniforms: Array) -> Array:
    return content + sigma * white


def _speckle(content: Array, sigma: Array, white: Array, uniforms: Array) -> Array:
    return content * (1 + 2 * sigma * white)


def _poisson(content: Array, sigma: Array, white: Array, uniforms: Array) -> Array:
    # The Gaussian limit of Poisson noise, with its mean and variance.
    return content + jnp.sqrt(2 * jnp.maximum(content, 0)) * sigma * white


def _salt_and_pepper(content: Array, sigma: Array, white: Array, uniforms: Array) -> Array:
    lost = jnp.minimum(4 * sigma**2, 1.0)  # at mid-grey each lost pixel is off by a half
    extreme = (uniforms < lost / 2).astype(content.dtype)
    return jnp.where(uniforms < lost, extreme, content)


def _masked_gaussian(content: Array, sigma: Array, white: Array, uniforms: Array) -> Array:
    return content + jnp.where(uniforms < 0.5, 2**0.5 * sigma * white, 0.0)


KINDS: dict[str, Callable[[Array, Array, Array, Array], Array]] = {
    "gaussian": _gaussian,
    "speckle": _speckle,
    "poisson": _poisson,
    "salt_and_pepper": _salt_and_pepper,
    "masked_gaussian": _masked_gaussian,
}


@pytree
class BlurKernel(Convolution):
    """Circular convolution with a random smoothing kernel of mass 1: `y = k * c`.

    width: range of the kernel's standard deviation along its long axis, pixels; traced `(2,)`.
    motion: 0 for round Gaussian kernels, 1 for lines of random direction; traced.
    size: pixels along each side; static.
    channels: channels of a picture; static.
    """

    width: Float[Array, "..."]
    motion: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Pictures:
        """`n` kernels, centred on pixel (0, 0), the same for every channel."""
        uniforms = jax.random.uniform(key, (2, n, 1, 1))
        width = between(self.width, uniforms[0, :, 0])[..., None]
        down, across = offsets(self.size)
        gaussian = jnp.exp(-0.5 * (down**2 + across**2) / width**2)
        # The line's ends fade as if convolved with a box of width 1, of variance 1/12.
        length = jnp.sqrt(jnp.maximum(12 * width**2 - 1, 0.0))
        streak = line(self.size, length, 0.5, jnp.pi * uniforms[1])
        kernel = jnp.where(self.motion > 0, streak, gaussian)
        kernel = kernel / jnp.sum(kernel, axis=(1, 2), keepdims=True)
        return jnp.broadcast_to(kernel[..., None], (*kernel.shape, self.channels))


def offsets(size: int) -> tuple[Float[Array, "size 1"], Float[Array, "1 size"]]:
    """Periodic offset of each pixel from pixel (0, 0): down, and across."""
    ahead = (jnp.arange(size) + size // 2) % size - size // 2
    along = ahead.astype(jnp.float32)
    return along[:, None], along[None, :]


def line(
    size: int,
    length: Float[Array, "n 1 1"],
    spread: Float[Array, "n 1 1"] | float,
    angle: Float[Array, "n 1 1"],
) -> Float[Array, "n size size"]:
    """A blurred line through pixel (0, 0), at most 1.

    Args:
        size: pixels along each side of the picture.
        length: pixels; the line fades over one pixel at either end.
        spread: standard deviation of the line's Gaussian profile, pixels.
        angle: angle from the vertical, radians.
    """
    down, across = offsets(size)
    along = down * jnp.cos(angle) + across * jnp.sin(angle)
    aside = across * jnp.cos(angle) - down * jnp.sin(angle)
    return jnp.clip(length / 2 - jnp.abs(along) + 0.5, 0.0, 1.0) * jnp.exp(
        -0.5 * (aside / spread) ** 2
    )


def rain(
    range: str = "small",  # noqa: A002 (the papers' word)
    *,
    amount: tuple[float, float] | None = None,
    width: Sequence[float] | None = None,
    length: tuple[float, float] | None = None,
    angle: tuple[float, float] | None = None,
    weight: tuple[float, float] = (0.7, 1.0),
    size: int = SIZE,
    channels: int = 1,
) -> Rain:
    """Rain of one of the papers' ranges, `small`, `medium`, `large` or `random`.

    amount, width, length, angle: see `Range`; each replaces the range's own.
    """
    given = {"amount": amount, "width": width, "length": length, "angle": angle}
    chosen = RANGES[errors.choice("range", range, RANGES)]._asdict()
    chosen |= {field: value for field, value in given.items() if value is not None}
    limits = {
        "amount": (1e-6, 1.0, "of all pixels"), "length": (1.0, 160.0, "pixels"),
        "angle": (-80.0, 80.0, "degrees"),  # leaves room for the more slanted unseen twin
    }  # fmt: skip
    checked = {
        field: traced(errors.span(field, chosen[field], low=low, high=high, unit=unit))
        for field, (low, high, unit) in limits.items()
    }
    widths = errors.non_empty("width", chosen["width"], "at least one")
    if len(widths) > 6:
        raise errors.refuse("width", widths, "at most six of them")
    for each in widths:
        errors.number("width", each, low=1.0, high=64.0, unit="pixels")
    return Rain(
        **checked,
        width=traced(np.repeat(widths, WIDTHS // len(widths))),
        weight=traced(errors.span("weight", weight, low=0.01, high=10)),
        size=checked_size(size),
        channels=checked_channels(channels),
    )


def rain_layers(
    clean: str | Path,
    rainy: str | Path,
    *,
    size: int = SIZE,
    channels: int = 1,
    warn: Warn = lambda line: None,
) -> RainLayers:
    """The rain of two folders of pictures with matching names; every third layer is held out.

    size: pixels along each side of a crop, at most 512.

    Raises:
        InvalidInput: see `pictures.read_pairs`; fewer than two pairs.
    """
    size, channels = checked_size(size, MAX_SIDE), checked_channels(channels)
    layers = [pair.degraded - pair.clean for pair in read_pairs(clean, rainy, size, channels, warn)]
    if len(layers) < 2:
        raise errors.refuse(str(rainy), "1 pair", "at least two, since one is held out")
    return RainLayers(*split(crops(layers, np.int16)), traced(1.0), size)


def other_rain(*, size: int = SIZE, channels: int = 1) -> Rain:
    """Medium rain to test on, at an angle and of a length that none of `RANGES` has."""
    return rain("medium", angle=(65, 80), length=(60, 80), size=size, channels=channels)


def sensor_noise(
    kind: str = "gaussian",
    sigma: tuple[float, float] = (0.1, 0.1),
    *,
    size: int = SIZE,
    channels: int = 1,
) -> SensorNoise:
    """Noise of one of `KINDS`, of standard deviation `sigma` at mid-grey."""
    errors.choice("kind", kind, KINDS)
    return SensorNoise(
        sigma=traced(errors.span("sigma", sigma, low=0.0, high=0.5)),
        kind=traced([name == kind for name in KINDS]),
        size=checked_size(size),
        channels=checked_channels(channels),
    )


def blur_kernel(
    width: tuple[float, float] = (0.6, 2.0),
    *,
    motion: bool = False,
    size: int = SIZE,
    channels: int = 1,
) -> BlurKernel:
    """Gaussian (or motion) blur; `width`: range of the standard deviation, pixels."""
    size = checked_size(size)
    return BlurKernel(
        width=traced(errors.span("width", width, low=0.5, high=size / 6, unit="pixels")),
        motion=traced(errors.flag("motion", motion)),
        size=size,
        channels=checked_channels(channels),
    )


DEGRADATIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (rain, sensor_noise, blur_kernel)
}
make = functools.partial(errors.call_by_name, "degradation", DEGRADATIONS)
"""`make("rain", range="large")`: the degradation of pictures called by name."""
