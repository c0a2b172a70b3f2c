"""Conv net and MLP: layers with rectifiers between them."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
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
    he_normal,
)
from shortcut1d.networks.network import Network


class _Stack(nnx.Module):
    """Layers with rectifiers between them, and perhaps a skip from input to output."""

    def __init__(self, layers: list[Any], skip: bool, flatten: bool) -> None:
        self.layers = nnx.List(layers)
        self.skip, self.flatten = skip, flatten
        self.dropped = 0.0  # share of the last hidden channels dropped in training

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        hidden = x.reshape(x.shape[0], -1) if self.flatten else x
        for index, layer in enumerate(self.layers):
            hidden = jax.nn.relu(hidden) if index else hidden
            if self.dropped and key is not None and index == len(self.layers) - 1:
                hidden = _drop_channels(key, hidden, self.dropped)
            hidden = layer(hidden)
        hidden = hidden.reshape(x.shape)
        return x + hidden if self.skip else hidden


def _drop_channels(key: PRNGKeyArray, hidden: Batch, rate: float) -> Batch:
    shape = (hidden.shape[0], *[1] * (hidden.ndim - 2), hidden.shape[-1])
    kept = jax.random.uniform(key, shape) >= rate
    return jnp.where(kept, hidden / (1 - rate), 0.0)


@dataclass(frozen=True)
class ConvNet:
    """A stack of convolutions with rectifiers between them; runs on any size.

    width: hidden channels.
    depth: layers.
    kernel: taps along each axis, odd.
    dilations: of each layer, samples from one tap to the next; by default they grow to 4 and
        shrink again, so that six layers of kernel 9 see 113 samples.
    skip: add the input to the output (the net then predicts the negative residual).
    edges: "circular" or "reflect".
    """

    width: int = 24
    depth: int = 6
    kernel: int = 9
    dilations: tuple[int, ...] | None = None
    skip: bool = False
    edges: str = "circular"

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer_fields(self, "width", high=MAX_WIDTH)
        errors.integer_fields(self, "depth", high=MAX_DEPTH)
        check_convolutions(self)
        if self.dilations is not None and len(self.dilations) != self.depth:
            raise errors.refuse("dilations", self.dilations, f"{self.depth} of them, one a layer")
        for dilation in self.dilations or ():
            errors.integer("dilations", dilation)

    def spacing(self) -> tuple[int, ...]:
        """Dilation of every layer."""
        if self.dilations is not None:
            return self.dilations
        return tuple(min(2 ** min(i, self.depth - 1 - i), 4) for i in range(self.depth))

    def receptive_field(self) -> int:
        """Samples along an axis that one output sample depends on."""
        return 1 + (self.kernel - 1) * sum(self.spacing())

    def layers(self, rank: int, channels_in: int, channels_out: int, rngs: nnx.Rngs) -> list[Conv]:
        """Its convolutions, first to last."""
        sizes = [channels_in, *[self.width] * (self.depth - 1), channels_out]
        conv = convolutions(self, rank, rngs)
        pairs = zip(itertools.pairwise(sizes), self.spacing())
        return [conv(a, b, dilation=dilation) for (a, b), dilation in pairs]

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        layers = self.layers(len(space), channels, channels, rngs)
        return _Stack(layers, self.skip, flatten=False)


@dataclass(frozen=True)
class MLP:
    """Dense layers on the whole window; runs only on the size it was trained on.

    width: hidden units.
    depth: layers.
    skip: add the input to the output.
    """

    width: int = 256
    depth: int = 4
    skip: bool = False

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer_fields(self, "width", high=MAX_WIDTH)
        errors.integer_fields(self, "depth", high=MAX_DEPTH)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        total = math.prod(space) * channels
        sizes = [total, *[self.width] * (self.depth - 1), total]
        layers = [
            nnx.Linear(a, b, kernel_init=he_normal, rngs=rngs) for a, b in itertools.pairwise(sizes)
        ]
        return _Stack(layers, self.skip, flatten=True)


@dataclass(frozen=True)
class WithDropout:
    """A network with dropout of channels before its last layer.

    Kong et al. (CVPR 2022) found this place, and complete channels, best for restoration.

    inner: the network.
    rate: share of channels dropped in training, drawn anew for each sample.
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
        """See `Network.module`."""
        module: Any = self.inner.module(space, channels, rngs)
        module.dropped = self.rate
        return module
