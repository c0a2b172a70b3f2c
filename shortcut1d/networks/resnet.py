"""Residual network over any number of axes, by default without a global skip."""

from dataclasses import dataclass

import jax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks.layers import EDGES, Conv


class _ResNet(nnx.Module):
    def __init__(
        self, first: Conv, blocks: list[tuple[Conv, Conv]], last: Conv, skip: bool
    ) -> None:
        self.first, self.last, self.skip = first, last, skip
        self.inner = nnx.List([inner for inner, _ in blocks])
        self.outer = nnx.List([outer for _, outer in blocks])

    def __call__(
        self, x: Float[Array, "batch *space ch"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch *space ch"]:
        hidden = self.first(x)
        for inner, outer in zip(self.inner, self.outer):
            hidden = hidden + BRANCH * outer(jax.nn.relu(inner(hidden)))
        hidden = self.last(hidden)
        return x + hidden if self.skip else hidden


BRANCH = 0.3  # of what a block adds, so that a deep stack starts out near its first layer


@dataclass(frozen=True)
class ResNet:
    """A convolution, blocks of two with a skip each, a convolution.

    What the deraining papers train (Gu et al. 2023, arXiv 2305.15134): the blocks of Lim et al.
    2017 (arXiv 1707.02921), without normalisation, and without the skip from the input to the
    output, which would hand the network the degradation as the thing to learn.

    width: channels. blocks: of two layers. kernel: taps along each axis, odd. skip: add the input
    to the output. edges: "circular" or "reflect".
    """

    width: int = 16
    blocks: int = 4
    kernel: int = 3
    skip: bool = False
    edges: str = "circular"

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("width", self.width)
        errors.integer("blocks", self.blocks)
        if errors.integer("kernel", self.kernel) % 2 == 0:
            raise errors.refuse("kernel", self.kernel, "an odd number of taps")
        errors.choice("edges", self.edges, EDGES)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""

        def made(channels_in: int, channels_out: int) -> Conv:
            return Conv(
                len(space), channels_in, channels_out,
                kernel=self.kernel, dilation=1, edges=self.edges, rngs=rngs,
            )  # fmt: skip

        blocks = [
            (made(self.width, self.width), made(self.width, self.width)) for _ in range(self.blocks)
        ]
        first, last = made(channels, self.width), made(self.width, channels)
        return _ResNet(first, blocks, last, self.skip)
