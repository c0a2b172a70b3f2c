"""The network protocol: a description, its weights, and how to apply them.

A network is a small frozen description. Its weights are a plain pytree, made by `init` and used
by `apply`, so that training, grids and stores never see a framework object.
"""

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from shortcut1d.networks.layers import Batch

Params: TypeAlias = PyTree  # of float arrays


@runtime_checkable
class Network(Hashable, Protocol):
    """A hashable description of a denoiser, from which its module can be built."""

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`.

        Raises:
            InvalidInput: the network cannot run on this size.
        """


def has_fixed_weights(network: Network) -> bool:
    """Whether some of its weights are settings, which are not trained."""
    if isinstance(network, Chain):
        return any(has_fixed_weights(part) for part in (network.first, network.then))
    return getattr(network, "fixed_weights", False)


@dataclass(frozen=True)
class Chain:
    """A network followed by another one; for networks that were trained apart.

    first, then: the networks; the weights are a dictionary of theirs under these names.
    """

    first: Network
    then: Network

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        return _Chain(*(part.module(space, channels, rngs) for part in (self.first, self.then)))


class _Chain(nnx.Module):
    def __init__(self, first: Any, then: Any) -> None:
        self.first, self.then = first, then

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        return self.then(self.first(x))


def init(network: Network, key: PRNGKeyArray, space: tuple[int, ...], channels: int) -> Params:
    """Fresh weights for inputs of shape `(batch, *space, channels)`."""
    _, state = nnx.split(network.module(space, channels, nnx.Rngs(params=key)))
    return nnx.to_pure_dict(state)


def abstract(network: Network, space: tuple[int, ...], channels: int) -> Params:
    """Shapes and types of the weights that `init` gives, without drawing any."""
    return jax.eval_shape(lambda key: init(network, key, space, channels), jax.random.key(0))


def apply(network: Network, params: Params, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
    """The network's output at `x`; with a `key` as in training, where dropout is random."""
    return build(network, params, x)(x, key)


def build(network: Network, params: Params, x: Batch) -> Any:
    """The module with these weights, for inputs like `x`."""
    return nnx.merge(_structure(network, x.shape[1:-1], x.shape[-1]), params)


@functools.lru_cache(maxsize=256)  # called for every program that contains the network
def _structure(network: Network, space: tuple[int, ...], channels: int) -> Any:
    """The module without its weights."""
    any_key = jax.random.key(0)
    made = nnx.eval_shape(lambda: network.module(space, channels, nnx.Rngs(params=any_key)))
    return nnx.graphdef(made)


def objective(
    network: Network,
    params: Params,
    clean: Batch,
    degraded: Batch,
    distance: Callable[[Array], Array],
    key: PRNGKeyArray | None = None,
) -> Float[Array, ""]:
    """The training loss: the module's own `objective`, or the mean distance of output to `clean`.

    distance: loss of a difference, elementwise.
    """
    module = build(network, params, degraded)
    if hasattr(module, "objective"):
        return module.objective(clean, degraded, distance, key)
    return jnp.mean(distance(module(degraded, key) - clean))


def post_step(network: Network, params: Params, degraded: Batch) -> Params:
    """Update non-gradient state (moving averages), where the module has a `post_step`."""
    module = build(network, params, degraded)
    if not hasattr(module, "post_step"):
        return params
    module.post_step(degraded)
    return nnx.to_pure_dict(nnx.state(module))


def denoiser(network: Network, params: Params) -> Callable[[Batch], Batch]:
    """The trained network as a plain function of arrays, which is what the analysis takes."""
    return lambda x: _compiled(network, params, x)


_compiled = jax.jit(apply, static_argnums=0)
