"""A U-Net over any number of axes."""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks.layers import EDGES, Conv, divisible, join_patches, split_patches


class _UNet(nnx.Module):
    def __init__(self, sizes: list[int], channels: int, rank: int, skip: bool, made: Any) -> None:
        self.first = made(channels, sizes[0])
        pairs = list(itertools.pairwise(sizes))
        self.down = nnx.List([made(a * 2**rank, b) for a, b in pairs])
        self.up = nnx.List([made(b, a * 2**rank) for a, b in reversed(pairs)])
        self.merge = nnx.List([made(2 * a, a) for a, _ in reversed(pairs)])
        self.last = made(sizes[0], channels)
        self.skip = skip

    def __call__(
        self, x: Float[Array, "batch *space ch"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch *space ch"]:
        levels = [jax.nn.relu(self.first(x))]
        for layer in self.down:
            levels.append(jax.nn.relu(layer(split_patches(levels[-1], 2))))
        hidden = levels.pop()
        for up, merge in zip(self.up, self.merge):
            wide = join_patches(jax.nn.relu(up(hidden)), 2)
            hidden = jax.nn.relu(merge(jnp.concatenate([wide, levels.pop()], axis=-1)))
        hidden = self.last(hidden)
        return x + hidden if self.skip else hidden


@dataclass(frozen=True)
class UNet:
    """Down and up again by halves, each resolution handed across (Ronneberger et al. 2015).

    width: channels at the full resolution; twice as many at each that follows. levels:
    resolutions. kernel: taps along each axis, odd. skip: add the input to the output.
    edges: "circular" or "reflect".
    """

    width: int = 8
    levels: int = 4
    kernel: int = 5
    skip: bool = False
    edges: str = "circular"

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("width", self.width)
        errors.integer("levels", self.levels, high=16)
        if errors.integer("kernel", self.kernel) % 2 == 0:
            raise errors.refuse("kernel", self.kernel, "an odd number of taps")
        errors.choice("edges", self.edges, EDGES)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`.

        Raises:
            InvalidInput: an axis that cannot be halved so often.
        """
        divisible("space", space, 2 ** (self.levels - 1))

        def made(channels_in: int, channels_out: int) -> Conv:
            return Conv(
                len(space), channels_in, channels_out,
                kernel=self.kernel, dilation=1, edges=self.edges, rngs=rngs,
            )  # fmt: skip

        sizes = [self.width * 2**level for level in range(self.levels)]
        return _UNet(sizes, channels, len(space), self.skip, made)
