"""Conv net and MLP: layers with rectifiers between them."""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks.layers import EDGES, Conv, he_normal
from shortcut1d.networks.network import Network


class _Stack(nnx.Module):
    """Layers with rectifiers between them, and perhaps a skip from input to output."""

    def __init__(self, layers: list[Any], skip: bool, flatten: bool) -> None:
        self.layers = nnx.List(layers)
        self.skip, self.flatten = skip, flatten
        self.dropped = 0.0  # share of the last hidden channels, in training

    def __call__(
        self, x: Float[Array, "batch *space ch"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch *space ch"]:
        hidden = x.reshape(x.shape[0], -1) if self.flatten else x
        for index, layer in enumerate(self.layers):
            hidden = jax.nn.relu(hidden) if index else hidden
            if self.dropped and key is not None and index == len(self.layers) - 1:
                hidden = _drop_channels(key, hidden, self.dropped)
            hidden = layer(hidden)
        hidden = hidden.reshape(x.shape)
        return x + hidden if self.skip else hidden


def _drop_channels(
    key: PRNGKeyArray, hidden: Float[Array, "batch *space ch"], rate: float
) -> Float[Array, "batch *space ch"]:
    alone = (hidden.shape[0], *[1] * (hidden.ndim - 2), hidden.shape[-1])
    kept = jax.random.uniform(key, alone) >= rate
    return jnp.where(kept, hidden / (1 - rate), 0.0)


@dataclass(frozen=True)
class ConvNet:
    """A stack of convolutions with rectifiers between them; runs on any length.

    width: hidden channels. depth: layers. kernel: taps along each axis, odd.
    dilations: samples between taps, one a layer; by default it grows to 4 and shrinks again, so
    that six layers of kernel 9 see 113 samples. skip: add the input to the output (the net then
    predicts the negative layer). edges: "circular" or "reflect".
    """

    width: int = 24
    depth: int = 6
    kernel: int = 9
    dilations: tuple[int, ...] | None = None
    skip: bool = False
    edges: str = "circular"

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("width", self.width)
        errors.integer("depth", self.depth)
        if errors.integer("kernel", self.kernel) % 2 == 0:
            raise errors.refuse("kernel", self.kernel, "an odd number of taps")
        errors.choice("edges", self.edges, EDGES)
        if self.dilations is not None:
            if len(self.dilations) != self.depth:
                raise errors.refuse(
                    "dilations", self.dilations, f"{self.depth} of them, one a layer"
                )
            for dilation in self.dilations:
                errors.integer("dilations", dilation)

    def spacing(self) -> tuple[int, ...]:
        """Dilation of every layer."""
        if self.dilations is not None:
            return self.dilations
        return tuple(min(2 ** min(i, self.depth - 1 - i), 4) for i in range(self.depth))

    def receptive_field(self) -> int:
        """Samples along an axis that one output sample depends on."""
        return 1 + (self.kernel - 1) * sum(self.spacing())

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        sizes = [channels, *[self.width] * (self.depth - 1), channels]
        layers = [
            Conv(len(space), a, b, kernel=self.kernel, dilation=d, edges=self.edges, rngs=rngs)
            for a, b, d in zip(sizes[:-1], sizes[1:], self.spacing())
        ]
        return _Stack(layers, self.skip, flatten=False)


@dataclass(frozen=True)
class MLP:
    """Dense layers on the whole window; runs on the size it was trained on only.

    width: hidden units. depth: layers. skip: add the input to the output.
    """

    width: int = 256
    depth: int = 4
    skip: bool = False

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer("width", self.width)
        errors.integer("depth", self.depth)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        total = channels
        for axis in space:
            total *= axis
        sizes = [total, *[self.width] * (self.depth - 1), total]
        layers = [
            nnx.Linear(a, b, kernel_init=he_normal, rngs=rngs) for a, b in itertools.pairwise(sizes)
        ]
        return _Stack(layers, self.skip, flatten=True)


@dataclass(frozen=True)
class WithDropout:
    """A network some of whose last hidden channels are silenced in training, at random.

    Whole channels before the last layer, as Kong et al. (CVPR 2022) found best for restoration.

    inner: the network. rate: share of channels dropped, each sample its own.
    """

    inner: Network
    rate: float = 0.3

    def __post_init__(self) -> None:
        errors.check_types(self)
        if not isinstance(self.inner, ConvNet | MLP):
            raise errors.refuse("inner", self.inner, "a ConvNet or an MLP")
        if self.inner.depth < 2:
            raise errors.refuse("inner", self.inner, "a network with a hidden layer")
        errors.number("rate", self.rate, low=0, below=1)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        made: Any = self.inner.module(space, channels, rngs)
        made.dropped = self.rate
        return made
