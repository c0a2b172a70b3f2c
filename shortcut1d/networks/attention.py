"""A small transformer on patches, over any number of axes."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks.layers import (
    MAX_DEPTH,
    MAX_WIDTH,
    Batch,
    divisible,
    he_normal,
    join_patches,
    split_patches,
)


class _Block(nnx.Module):
    """Pre-norm transformer block."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs) -> None:
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.mix = nnx.List([_dense(width, 3 * width, rngs), _dense(width, width, rngs)])
        self.mlp = nnx.List([_dense(width, 2 * width, rngs), _dense(2 * width, width, rngs)])
        self.heads = heads

    def __call__(self, x: Float[Array, "batch tokens width"]) -> Float[Array, "batch tokens width"]:
        parts = jnp.split(self.mix[0](self.norms[0](x)), 3, axis=-1)
        query, keys, value = (part.reshape(*x.shape[:2], self.heads, -1) for part in parts)
        mixed = jax.nn.dot_product_attention(query, keys, value)
        x = x + self.mix[1](mixed.reshape(x.shape))
        return x + self.mlp[1](jax.nn.gelu(self.mlp[0](self.norms[1](x))))


class _Transformer(nnx.Module):
    def __init__(
        self, network: "Attention", space: tuple[int, ...], channels: int, rngs: nnx.Rngs
    ) -> None:
        patch = network.patch ** len(space) * channels
        tokens = math.prod(axis // network.patch for axis in space)
        self.first = _dense(patch, network.width, rngs)
        self.last = _dense(network.width, patch, rngs)
        position = 0.02 * jax.random.normal(rngs.params(), (tokens * network.width,))
        self.position = nnx.Param(position.reshape(tokens, network.width))
        self.blocks = nnx.List(
            [_Block(network.width, network.heads, rngs) for _ in range(network.depth)]
        )
        self.norm = nnx.LayerNorm(network.width, rngs=rngs)
        self.patch, self.skip = network.patch, network.skip

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        patches = split_patches(x, self.patch)
        hidden = self.first(patches.reshape(x.shape[0], -1, patches.shape[-1]))
        hidden = hidden + self.position[...]
        for block in self.blocks:
            hidden = block(hidden)
        output = join_patches(self.last(self.norm(hidden)).reshape(patches.shape), self.patch)
        return x + output if self.skip else output


@dataclass(frozen=True)
class Attention:
    """A small transformer on patches (Dosovitskiy et al. 2021); runs only on its training size.

    width: channels of a token.
    depth: blocks.
    heads: attention heads of each block.
    patch: samples of a token along each axis.
    skip: add the input to the output.
    """

    width: int = 64
    depth: int = 3
    heads: int = 4
    patch: int = 4
    skip: bool = False

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer_fields(self, "width", "heads", "patch", high=MAX_WIDTH)
        errors.integer_fields(self, "depth", high=MAX_DEPTH)
        if self.width % self.heads:
            raise errors.refuse("width", self.width, f"a multiple of heads={self.heads}")

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        divisible("space", space, self.patch)
        return _Transformer(self, space, channels, rngs)


def _dense(features_in: int, features_out: int, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(features_in, features_out, kernel_init=_lecun_normal, rngs=rngs)


def _lecun_normal(key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    """Weights of variance `1 / fan_in`, for layers without a rectifier before them."""
    return he_normal(key, shape, dtype) / 2**0.5
