"""What a network is: a hashable description, its weights, and how it is applied.

A network is a small frozen description; its weights are a plain pytree made by `init` and used
by `apply`, so training, grids and stores never see a framework object.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

Params: TypeAlias = PyTree  # of float arrays


@runtime_checkable
class Network(Hashable, Protocol):
    """A hashable description of a denoiser, from which its module can be built."""

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """The module for inputs of shape `(batch, *space, channels)`."""
        ...


def has_fixed_weights(network: Network) -> bool:
    """Whether some of its weights say what it is, and are not learnt."""
    if isinstance(network, Chain):
        return any(has_fixed_weights(part) for part in (network.first, network.then))
    return getattr(network, "fixed_weights", False)


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
    return build(network, params, x)(x, key)


def build(network: Network, params: Params, x: Float[Array, "batch *space channels"]) -> Any:
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
    module = build(network, params, degraded)
    if hasattr(module, "objective"):
        return module.objective(clean, degraded, distance, key)
    return jnp.mean(distance(module(degraded, key) - clean))


def post_step(
    network: Network, params: Params, degraded: Float[Array, "batch *space channels"]
) -> Params:
    """The weights after what a module does between two steps besides, such as moving averages."""
    module = build(network, params, degraded)
    if not hasattr(module, "post_step"):
        return params
    module.post_step(degraded)
    return nnx.to_pure_dict(nnx.state(module))


def denoiser(
    network: Network, params: Params
) -> Callable[[Float[Array, "batch *space channels"]], Float[Array, "batch *space channels"]]:
    """The trained network as a plain function of arrays, which is all that the analysis takes."""
    return lambda x: _compiled(network, params, x)


_compiled = jax.jit(apply, static_argnums=0)
