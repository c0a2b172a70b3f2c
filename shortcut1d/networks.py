"""Denoisers over any number of axes: conv net, residual net, MLP, U-Net, attention.

A network is a small frozen description; its weights are a plain pytree made by `init` and used
by `apply`, so training, grids and stores never see a framework object.
"""

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from shortcut1d import errors, kinds
from shortcut1d.attention import Attention
from shortcut1d.autoencoder import Autoencoder, Search
from shortcut1d.layers import EDGES, Conv, he_normal
from shortcut1d.resnet import ResNet
from shortcut1d.unet import UNet

Params: TypeAlias = PyTree  # of float arrays


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


@runtime_checkable
class Network(Hashable, Protocol):
    """A hashable description of a denoiser, from which its module can be built."""

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        ...


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
        kinds.check(self)
        errors.whole("width", self.width)
        errors.whole("depth", self.depth)
        if errors.whole("kernel", self.kernel) % 2 == 0:
            raise errors.refuse("kernel", self.kernel, "an odd number of taps")
        errors.choice("edges", self.edges, EDGES)
        if self.dilations is not None:
            if len(self.dilations) != self.depth:
                raise errors.refuse(
                    "dilations", self.dilations, f"{self.depth} of them, one a layer"
                )
            for dilation in self.dilations:
                errors.whole("dilations", dilation)

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
        kinds.check(self)
        errors.whole("width", self.width)
        errors.whole("depth", self.depth)

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
        kinds.check(self)
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


def has_fixed_weights(network: Network) -> bool:
    """Whether some of its weights say what it is, and are not learnt."""
    if isinstance(network, Chain):
        return any(has_fixed_weights(part) for part in (network.first, network.then))
    return isinstance(network, Autoencoder | Search)


@dataclass(frozen=True)
class Chain:
    """A network, and another one on what it makes; for networks that were trained apart.

    first, then: the networks; the weights are a dictionary of theirs under these names.
    """

    first: Network
    then: Network

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        return _Chain(*(part.module(space, channels, rngs) for part in (self.first, self.then)))


class _Chain(nnx.Module):
    def __init__(self, first: nnx.Module, then: nnx.Module) -> None:
        self.first, self.then = first, then

    def __call__(
        self, x: Float[Array, "batch *space ch"], key: PRNGKeyArray | None = None
    ) -> Float[Array, "batch *space ch"]:
        made: Any = self.first
        after: Any = self.then
        return after(made(x))


def init(network: Network, key: PRNGKeyArray, space: tuple[int, ...], channels: int) -> Params:
    """Fresh weights for inputs of shape `(batch, *space, channels)`."""
    _, state = nnx.split(network.module(space, channels, nnx.Rngs(params=key)))
    return nnx.to_pure_dict(state)


def apply(
    network: Network,
    params: Params,
    x: Float[Array, "batch *space channels"],
    key: PRNGKeyArray | None = None,
) -> Float[Array, "batch *space channels"]:
    """The network's output at `x`; with a `key` as in training, where some networks are random."""
    return built(network, params, x)(x, key)


def built(network: Network, params: Params, x: Float[Array, "batch *space channels"]) -> Any:
    """The module with these weights, for inputs like `x`."""
    any_key = jax.random.key(0)
    abstract = nnx.eval_shape(
        lambda: network.module(x.shape[1:-1], x.shape[-1], nnx.Rngs(params=any_key))
    )
    return nnx.merge(nnx.graphdef(abstract), params)


def objective(
    network: Network,
    params: Params,
    clean: Float[Array, "batch *space channels"],
    degraded: Float[Array, "batch *space channels"],
    distance: Callable[[Array], Array],
    key: PRNGKeyArray | None = None,
) -> Float[Array, ""]:
    """What training makes small: the module's own `objective`, or the mean distance to `clean`.

    distance: of a difference, value by value.
    """
    module = built(network, params, degraded)
    if hasattr(module, "objective"):
        return module.objective(clean, degraded, distance, key)
    return jnp.mean(distance(module(degraded, key) - clean))


def settle(
    network: Network, params: Params, degraded: Float[Array, "batch *space channels"]
) -> Params:
    """The weights after what a module does between two steps besides, such as moving averages."""
    module = built(network, params, degraded)
    if not hasattr(module, "settle"):
        return params
    module.settle(degraded)
    return nnx.to_pure_dict(nnx.state(module))


def denoiser(
    network: Network, params: Params
) -> Callable[[Float[Array, "batch *space channels"]], Float[Array, "batch *space channels"]]:
    """The trained network as a plain function of arrays, which is all that the analysis takes."""
    return lambda x: _compiled(network, params, x)


_compiled = jax.jit(apply, static_argnums=0)


NETWORKS: dict[str, Callable[..., Any]] = {
    "conv": ConvNet,
    "residual": ResNet,
    "mlp": MLP,
    "unet": UNet,
    "attention": Attention,
    "autoencoder": Autoencoder,
    "search": Search,
}


def make(name: str, **parameters: Any) -> Any:
    """The network called `name`, a key of `NETWORKS`.

    Raises:
        InvalidInput: unknown name or parameter, or a bad value.
    """
    return errors.call_by_name("network", NETWORKS, name, parameters)
