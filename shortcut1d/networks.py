"""Denoisers: an MLP on the whole window and a convolutional net, over any number of axes.

A network is a small frozen description; its weights are a plain pytree made by `init` and used
by `apply`, so training, grids and stores never see a framework object.
"""

import itertools
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from shortcut1d import errors

Params: TypeAlias = PyTree  # of float arrays
_EDGES = {"circular": "wrap", "reflect": "reflect"}


def unfold(
    x: Float[Array, "batch *space channels"],
    kernel: int,
    dilation: int = 1,
    edges: str = "circular",
) -> Float[Array, "batch *space patch"]:
    """Every position's neighbourhood, laid out along the channel axis (im2col).

    A convolution is then one dense matrix product. Inside `lax.scan` on a CPU and under `vmap`
    over kernels anywhere, that is many times faster than `lax.conv_general_dilated`
    (jax-ml/jax issues 12868, 13800, 15339).

    Args:
        x: input.
        kernel: taps along each spatial axis, odd.
        dilation: samples between taps.
        edges: "circular" or "reflect".

    Returns:
        patches of `kernel ** rank * channels` values, taps in row-major order.
    """
    return jnp.concatenate(shifted(x, kernel, dilation, edges), axis=-1)


def shifted(
    x: Float[Array, "batch *space channels"], kernel: int, dilation: int, edges: str
) -> list[Float[Array, "batch *space channels"]]:
    """`x` as each tap of a kernel sees it, taps in row-major order."""
    space = x.shape[1:-1]
    reach = dilation * (kernel // 2)
    padded = jnp.pad(x, [(0, 0), *[(reach, reach)] * len(space), (0, 0)], mode=_EDGES[edges])
    return [
        padded[(slice(None), *(slice(t * dilation, t * dilation + n) for t, n in zip(tap, space)))]
        for tap in itertools.product(range(kernel), repeat=len(space))
    ]


def he_normal(
    key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any = jnp.float32
) -> Float[Array, "fan_in channels"]:
    """Weights of variance `2 / fan_in`, for layers between rectifiers (He et al. 2015).

    Drawn flat: XLA's CPU back end takes seconds to compile a draw with a short last axis.
    """
    flat = jax.random.normal(key, (math.prod(shape),), dtype)
    return flat.reshape(shape) * (2.0 / shape[0]) ** 0.5


class Conv(nnx.Module):
    """Convolution of stride 1 over any number of spatial axes, as a matrix product.

    The weight is stored `(channels_out, patch)`: its gradient is then `dy.T @ patches`, which XLA's
    CPU back end multiplies up to twice as fast as `patches.T @ dy`.
    """

    def __init__(
        self,
        rank: int,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int,
        dilation: int,
        edges: str,
        rngs: nnx.Rngs,
    ) -> None:
        patch = kernel**rank * channels_in
        self.weight = nnx.Param(he_normal(rngs.params(), (patch, channels_out)).T)
        self.bias = nnx.Param(jnp.zeros(channels_out))
        self.kernel, self.dilation, self.edges = kernel, dilation, edges

    def __call__(self, x: Float[Array, "batch *space cin"]) -> Float[Array, "batch *space cout"]:
        """The convolution of `x`, of the same spatial size."""
        channels_in, weight = x.shape[-1], self.weight[...]
        channels_out = weight.shape[0]
        if channels_out >= channels_in:
            patches = unfold(x, self.kernel, self.dilation, self.edges)
            # One tall product instead of a batched one: XLA's CPU back end is quicker at it.
            flat = _times_transposed(patches.reshape(-1, patches.shape[-1]), weight)
            return flat.reshape(*x.shape[:-1], channels_out) + self.bias[...]
        # Where there are fewer channels after the layer than before, shift those instead.
        by_tap = weight.reshape(channels_out, -1, channels_in).transpose(1, 0, 2)
        flat = _times_transposed(x.reshape(-1, channels_in), by_tap.reshape(-1, channels_in))
        products = flat.reshape(*x.shape[:-1], -1)
        taps = shifted(products, self.kernel, self.dilation, self.edges)
        parts = [tap[..., n * channels_out :][..., :channels_out] for n, tap in enumerate(taps)]
        return sum(parts[1:], parts[0]) + self.bias[...]


def _times_transposed(
    rows: Float[Array, "n patch"], weight: Float[Array, "channels patch"]
) -> Float[Array, "n channels"]:
    """`rows @ weight.T`, and its gradients without a transposition."""
    return jax.lax.dot_general(rows, weight, (((1,), (1,)), ((), ())))


class _Stack(nnx.Module):
    """Layers with rectifiers between them, and perhaps a skip from input to output."""

    def __init__(self, layers: list[Any], skip: bool, flatten: bool) -> None:
        self.layers = nnx.List(layers)
        self.skip, self.flatten = skip, flatten

    def __call__(self, x: Float[Array, "batch *space ch"]) -> Float[Array, "batch *space ch"]:
        hidden = x.reshape(x.shape[0], -1) if self.flatten else x
        for index, layer in enumerate(self.layers):
            hidden = layer(jax.nn.relu(hidden) if index else hidden)
        hidden = hidden.reshape(x.shape)
        return x + hidden if self.skip else hidden


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
        errors.whole("width", self.width)
        errors.whole("depth", self.depth)
        if errors.whole("kernel", self.kernel) % 2 == 0:
            raise errors.refuse("kernel", self.kernel, "an odd number of taps")
        errors.choice("edges", self.edges, _EDGES)
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


def init(network: Network, key: PRNGKeyArray, space: tuple[int, ...], channels: int) -> Params:
    """Fresh weights for inputs of shape `(batch, *space, channels)`."""
    _, state = nnx.split(network.module(space, channels, nnx.Rngs(params=key)))
    return nnx.to_pure_dict(state)


def apply(
    network: Network, params: Params, x: Float[Array, "batch *space channels"]
) -> Float[Array, "batch *space channels"]:
    """The network's output at `x`."""
    key = jax.random.key(0)
    abstract = nnx.eval_shape(
        lambda: network.module(x.shape[1:-1], x.shape[-1], nnx.Rngs(params=key))
    )
    return nnx.merge(nnx.graphdef(abstract), params)(x)


def denoiser(
    network: Network, params: Params
) -> Callable[[Float[Array, "batch *space channels"]], Float[Array, "batch *space channels"]]:
    """The trained network as a plain function of arrays, which is all that the analysis takes."""
    return lambda x: _compiled(network, params, x)


_compiled = jax.jit(apply, static_argnums=0)


NETWORKS: dict[str, Callable[..., Any]] = {
    "conv": ConvNet,
    "mlp": MLP,
}


def make(name: str, **parameters: Any) -> Any:
    """The network called `name` ("conv" or "mlp").

    Raises:
        InvalidInput: unknown name or parameter, or a bad value.
    """
    return errors.call_by_name("network", NETWORKS, name, parameters)
