"""Degradation families over two axes: rain, sensor noise, blur kernels.

Each lower-case function checks its arguments and makes a family; `sample` draws the random part,
`(n, size, size, channels)`, and `apply` puts it on pictures with values in [0, 1]. Ranges are
traced, so a grid can vary them. Rain is additive and left to exceed 1, so that its layer is known.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.data.degradations import between
from shortcut1d.data.family import Additive, traced
from shortcut1d.data.images import SIZE, checked_size
from shortcut1d.data.pictures import checked_channels
from shortcut1d.data.pytrees import pytree, static

FULL = 256  # pixels of the crops that the papers' ranges are given for


class Range(NamedTuple):
    """Of rain, for crops of 256 pixels: share of pixels where a streak begins, width of a streak
    (of the kernel that blurs it) and its length in pixels, its angle from the vertical in degrees.
    """

    amount: tuple[float, float]
    width: tuple[float, float]
    length: tuple[float, float]
    angle: tuple[float, float]


# Gu et al. 2023 (arXiv 2305.15134); their widths are odd numbers, here all values between.
RANGES = {
    "small": Range((0.002, 0.004), (1, 3), (25, 35), (-10, 10)),
    "medium": Range((0.005, 0.007), (3, 7), (35, 45), (-30, 30)),
    "large": Range((0.008, 0.010), (7, 9), (45, 55), (-60, 60)),
    "random": Range((0.002, 0.010), (1, 9), (25, 55), (-60, 60)),
}


@pytree
class Rain(Additive):
    """Streaks of one direction: random seeds smeared along a blurred line, clipped, weighted.

    Lengths are those of a crop of 256 pixels: in a smaller picture streaks are shorter, and as many
    more begin in a pixel, so that they cover as much of it. Grey: the same in every channel.

    amount, width, length, angle: see `Range`; weight: of the layer; all traced `(2,)`, drawn
    evenly, once a picture. size, channels: static.
    """

    amount: Float[Array, "..."]
    width: Float[Array, "..."]
    length: Float[Array, "..."]
    angle: Float[Array, "..."]
    weight: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n size size channels"]:
        """`n` layers, values from 0 to the largest weight; streaks leave on one side and come in
        on the other.
        """
        scale = self.size / FULL
        uniforms = jax.random.uniform(key, (n, 5 + self.size**2))
        ranges = (self.amount, self.width, self.length, self.angle, self.weight)
        amount, width, length, angle, weight = (
            between(bounds, share)[:, None, None]
            for bounds, share in zip(ranges, uniforms[:, :5].T, strict=True)
        )
        chance = uniforms[:, 5:].reshape(n, self.size, self.size)
        share = jnp.minimum(amount / scale, 1.0)
        # A brightness each, so that they differ.
        seeds = jnp.where(chance < share, 0.5 + 0.5 * chance / share, 0.0)
        # OpenCV's Gaussian of a kernel so wide, as the papers blur their lines; what is wider is
        # fainter.
        spread = 0.35 + 0.15 * width
        kernel = line(self.size, scale * length, spread, jnp.deg2rad(angle))
        kernel = kernel / (spread * (2 * jnp.pi) ** 0.5)
        spectrum = jnp.fft.rfft2(seeds) * jnp.fft.rfft2(kernel)
        streaks = jnp.fft.irfft2(spectrum, (self.size, self.size))
        layer = weight * jnp.clip(streaks, 0.0, 1.0)
        return jnp.broadcast_to(layer[..., None], (*layer.shape, self.channels))

    def unseen(self) -> Self:
        """Streaks wider, longer and more slanted than any of the range, as many of them; to the
        right.
        """
        width, length = (
            jnp.stack([1.1 * top, 1.5 * top], axis=-1)
            for top in (self.width[..., 1], self.length[..., 1])
        )
        steepest = jnp.max(jnp.abs(self.angle), axis=-1, keepdims=True)
        angle = jnp.minimum(steepest + jnp.array([5.0, 25.0]), 90.0)
        return dataclasses.replace(self, width=width, length=length, angle=angle)


@pytree
class SensorNoise:
    """Noise of a sensor, of one of several kinds, of standard deviation `sigma` at mid-grey.

    sigma: range, drawn once a picture; traced `(2,)`. kind: weight of each of `KINDS`, 0 or 1;
    traced `(5,)`. size, channels: static.
    """

    sigma: Float[Array, "..."]
    kind: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n size size more"]:
        """`n` draws: white noise for every channel, uniform shares for every channel, and sigma."""
        white_key, share_key, sigma_key = jax.random.split(key, 3)
        space = (self.size, self.size)
        white = jax.random.normal(white_key, (n, *space, self.channels))
        share = jax.random.uniform(share_key, (n, *space, self.channels))
        sigma = between(self.sigma, jax.random.uniform(sigma_key, (n, 1)))[..., None, None]
        return jnp.concatenate([white, share, jnp.broadcast_to(sigma, (n, *space, 1))], axis=-1)

    def apply(
        self,
        content: Float[Array, "n size size channels"],
        realisation: Float[Array, "n size size more"],
    ) -> Float[Array, "n size size channels"]:
        """The noisy picture; see `KINDS`.

        Raises:
            InvalidInput: a picture of other channels than the noise.
        """
        if content.shape[-1] != self.channels:
            raise errors.refuse("channels", content.shape[-1], f"{self.channels}, as the noise has")
        white = realisation[..., : self.channels]
        share = realisation[..., self.channels : -1]
        sigma = realisation[..., -1:]
        made = [kind(content, sigma, white, share) for kind in KINDS.values()]
        return sum(weight * picture for weight, picture in zip(self.kind, made, strict=True))

    def unseen(self) -> Self:
        """The next kind of `KINDS`, the first after the last."""
        return dataclasses.replace(self, kind=jnp.roll(self.kind, 1, axis=-1))


def _gaussian(content: Array, sigma: Array, white: Array, share: Array) -> Array:
    return content + sigma * white


def _speckle(content: Array, sigma: Array, white: Array, share: Array) -> Array:
    return content * (1 + 2 * sigma * white)


def _poisson(content: Array, sigma: Array, white: Array, share: Array) -> Array:
    # Its Gaussian limit, of the same mean and variance.
    return content + jnp.sqrt(2 * jnp.maximum(content, 0)) * sigma * white


def _salt_and_pepper(content: Array, sigma: Array, white: Array, share: Array) -> Array:
    lost = jnp.minimum(4 * sigma**2, 1.0)  # at mid-grey each lost pixel is off by a half
    extreme = (share < lost / 2).astype(content.dtype)
    return jnp.where(share < lost, extreme, content)


def _masked_gaussian(content: Array, sigma: Array, white: Array, share: Array) -> Array:
    return content + jnp.where(share < 0.5, 2**0.5 * sigma * white, 0.0)


KINDS: dict[str, Callable[[Array, Array, Array, Array], Array]] = {
    "gaussian": _gaussian,
    "speckle": _speckle,
    "poisson": _poisson,
    "salt_and_pepper": _salt_and_pepper,
    "masked_gaussian": _masked_gaussian,
}


@pytree
class BlurKernel:
    """Circular convolution with a random smoothing kernel of mass 1: `y = k * c`.

    width: range of the kernel's standard deviation along its long axis, pixels; traced `(2,)`.
    motion: 0 for round Gaussian kernels, 1 for lines of random direction; traced.
    size, channels: static.
    """

    width: Float[Array, "..."]
    motion: Float[Array, "..."]
    size: int = static(SIZE)
    channels: int = static(1)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n size size channels"]:
        """`n` kernels, centred on pixel (0, 0), the same for every channel."""
        uniforms = jax.random.uniform(key, (2, n, 1, 1))
        width = between(self.width, uniforms[0, :, 0])[..., None]
        down, across = offsets(self.size)
        gaussian = jnp.exp(-0.5 * (down**2 + across**2) / width**2)
        # The line's fading ends are a box of width 1 convolved with it, of variance 1/12.
        length = jnp.sqrt(jnp.maximum(12 * width**2 - 1, 0.0))
        moved = line(self.size, length, 0.5, jnp.pi * uniforms[1])
        kernel = jnp.where(self.motion > 0, moved, gaussian)
        kernel = kernel / jnp.sum(kernel, axis=(1, 2), keepdims=True)
        return jnp.broadcast_to(kernel[..., None], (*kernel.shape, self.channels))

    def apply(
        self,
        content: Float[Array, "n size size channels"],
        realisation: Float[Array, "n size size channels"],
    ) -> Float[Array, "n size size channels"]:
        """`kernel * content`, circular."""
        spectrum = jnp.fft.rfft2(content, axes=(1, 2)) * jnp.fft.rfft2(realisation, axes=(1, 2))
        return jnp.fft.irfft2(spectrum, content.shape[1:3], axes=(1, 2))

    def unseen(self) -> Self:
        """Motion for Gaussian kernels, Gaussian for motion, of the same widths."""
        return dataclasses.replace(self, motion=1.0 - self.motion)


def offsets(size: int) -> tuple[Float[Array, "size 1"], Float[Array, "1 size"]]:
    """How far each pixel is from pixel (0, 0), going round: down and across."""
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
        size: of the picture, pixels.
        length: pixels; fades over the last one at either end.
        spread: standard deviation of its Gaussian profile, pixels.
        angle: from the vertical, radians.
    """
    down, across = offsets(size)
    along = down * jnp.cos(angle) + across * jnp.sin(angle)
    aside = across * jnp.cos(angle) - down * jnp.sin(angle)
    return jnp.clip(length / 2 - jnp.abs(along) + 0.5, 0.0, 1.0) * jnp.exp(
        -0.5 * (aside / spread) ** 2
    )


def rain(
    range: str = "small",  # noqa: A002 (the papers' word)
    amount: tuple[float, float] | None = None,
    width: tuple[float, float] | None = None,
    length: tuple[float, float] | None = None,
    angle: tuple[float, float] | None = None,
    weight: tuple[float, float] = (0.7, 1.0),
    size: int = SIZE,
    channels: int = 1,
) -> Rain:
    """Rain of one of the papers' ranges, `small`, `medium`, `large` or `random`.

    amount, width, length, angle: see `Range`, where they should be others.
    """
    usual = RANGES[errors.choice("range", range, RANGES)]._asdict()
    given = {"amount": amount, "width": width, "length": length, "angle": angle}
    limits = {
        "amount": (0.0, 1.0, "of all pixels"), "width": (1.0, FULL / 4, "pixels"),
        # So that there is room for what is longer and more slanted.
        "length": (1.0, FULL / 1.6, "pixels of 256"), "angle": (-80.0, 80.0, "degrees"),
    }  # fmt: skip
    checked = {}
    for field, (low, high, unit) in limits.items():
        value = usual[field] if given[field] is None else given[field]
        checked[field] = traced(errors.span(field, value, low=low, high=high, unit=unit))
    return Rain(
        **checked,
        weight=traced(errors.span("weight", weight, low=0.01, high=10)),
        size=checked_size(size),
        channels=checked_channels(channels),
    )


def other_rain(size: int = SIZE, channels: int = 1) -> Rain:
    """Medium rain, but at an angle and of a length that none of `RANGES` has: to test on."""
    return rain("medium", angle=(65, 80), length=(60, 80), size=size, channels=channels)


def sensor_noise(
    kind: str = "gaussian",
    sigma: tuple[float, float] = (0.1, 0.1),
    size: int = SIZE,
    channels: int = 1,
) -> SensorNoise:
    """Noise of a `kind` (of `KINDS`), standard deviation `sigma` at mid-grey."""
    errors.choice("kind", kind, KINDS)
    return SensorNoise(
        traced(errors.span("sigma", sigma, low=0.0, high=0.5)),
        traced([name == kind for name in KINDS]),
        checked_size(size),
        checked_channels(channels),
    )


def blur_kernel(
    width: tuple[float, float] = (0.6, 2.0),
    motion: bool = False,
    size: int = SIZE,
    channels: int = 1,
) -> BlurKernel:
    """Gaussian (or motion) blur, kernels of `width` pixels standard deviation."""
    size = checked_size(size)
    return BlurKernel(
        traced(errors.span("width", width, low=0.5, high=size / 6, unit="pixels")),
        traced(errors.flag("motion", motion)),
        size,
        checked_channels(channels),
    )


def make(name: str, **parameters: Any) -> Any:
    """The degradation of pictures called `name`.

    Raises:
        InvalidInput: unknown name (the nearest known one is suggested), unknown or bad parameter.
    """
    return errors.call_by_name("degradation", DEGRADATIONS, name, parameters)


DEGRADATIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (rain, sensor_noise, blur_kernel)
}
