"""A U-Net over any number of axes."""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks import layers
from shortcut1d.networks.layers import MAX_WIDTH, Batch


class _UNet(nnx.Module):
    def __init__(self, sizes: list[int], channels: int, rank: int, skip: bool, conv: Any) -> None:
        self.first = conv(channels, sizes[0])
        pairs = list(itertools.pairwise(sizes))
        self.down = nnx.List([conv(a * 2**rank, b) for a, b in pairs])
        self.up = nnx.List([conv(b, a * 2**rank) for a, b in reversed(pairs)])
        self.merge = nnx.List([conv(2 * a, a) for a, _ in reversed(pairs)])
        self.last = conv(sizes[0], channels)
        self.skip = skip

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        levels = [jax.nn.relu(self.first(x))]
        for layer in self.down:
            levels.append(jax.nn.relu(layer(layers.split_patches(levels[-1], 2))))
        hidden = levels.pop()
        for up, merge in zip(self.up, self.merge):
            wide = layers.join_patches(jax.nn.relu(up(hidden)), 2)
            hidden = jax.nn.relu(merge(jnp.concatenate([wide, levels.pop()], axis=-1)))
        hidden = self.last(hidden)
        return x + hidden if self.skip else hidden


@dataclass(frozen=True)
class UNet:
    """Halves the resolution and doubles it again, with skips across (Ronneberger et al. 2015).

    width: channels at full resolution; twice as many at each following one.
    levels: resolutions.
    kernel: taps along each axis, odd.
    skip: add the input to the output.
    edges: "circular" or "reflect".
    """

    width: int = 8
    levels: int = 4
    kernel: int = 5
    skip: bool = False
    edges: str = "circular"

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer_fields(self, "width", high=MAX_WIDTH)
        errors.integer_fields(self, "levels", high=16)
        layers.check_convolutions(self)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        layers.divisible("space", space, 2 ** (self.levels - 1))
        sizes = [self.width * 2**level for level in range(self.levels)]
        conv = layers.convolutions(self, len(space), rngs)
        return _UNet(sizes, channels, len(space), self.skip, conv)
