"""Residual network over any number of axes, by default without a global skip."""

from dataclasses import dataclass

import jax
from flax import nnx
from jaxtyping import PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks.layers import (
    MAX_DEPTH,
    MAX_WIDTH,
    Batch,
    Conv,
    check_convolutions,
    convolutions,
)

BRANCH = 0.3  # scale of a block's output, so that a deep stack starts close to its first layer


class _ResNet(nnx.Module):
    def __init__(
        self, first: Conv, blocks: list[tuple[Conv, Conv]], last: Conv, skip: bool
    ) -> None:
        self.first, self.last, self.skip = first, last, skip
        self.inner = nnx.List([inner for inner, _ in blocks])
        self.outer = nnx.List([outer for _, outer in blocks])

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        hidden = self.first(x)
        for inner, outer in zip(self.inner, self.outer):
            hidden = hidden + BRANCH * outer(jax.nn.relu(inner(hidden)))
        hidden = self.last(hidden)
        return x + hidden if self.skip else hidden


@dataclass(frozen=True)
class ResNet:
    """A convolution, blocks of two convolutions with a skip each, a convolution.

    The network of the deraining papers (Gu et al. 2023, arXiv 2305.15134): the blocks of Lim et al.
    2017 (arXiv 1707.02921), without normalisation, and without the skip from the input to the
    output: with that skip, the network would have to learn the degradation.

    width: channels.
    blocks: blocks of two layers.
    kernel: taps along each axis, odd.
    skip: add the input to the output.
    edges: "circular" or "reflect".
    """

    width: int = 16
    blocks: int = 4
    kernel: int = 3
    skip: bool = False
    edges: str = "circular"

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer_fields(self, "width", high=MAX_WIDTH)
        errors.integer_fields(self, "blocks", high=MAX_DEPTH)
        check_convolutions(self)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        conv, width = convolutions(self, len(space), rngs), self.width
        blocks = [(conv(width, width), conv(width, width)) for _ in range(self.blocks)]
        first, last = conv(channels, width), conv(width, channels)
        return _ResNet(first, blocks, last, self.skip)
