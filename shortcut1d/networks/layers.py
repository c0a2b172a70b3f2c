"""Layers over any number of spatial axes: convolution as a matrix product, patches."""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors

Batch: TypeAlias = Float[Array, "batch *space channels"]
MAX_WIDTH, MAX_DEPTH = 2**16, 1024  # of a network; beyond, shapes alone fill the memory
EDGES = {"circular": "wrap", "reflect": "reflect"}  # our names, and numpy.pad's


def unfold(
    x: Batch, kernel: int, dilation: int = 1, edges: str = "circular"
) -> Float[Array, "batch *space patch"]:
    """Every position's neighbourhood, laid out along the channel axis (im2col).

    A convolution is then one dense matrix product. Inside `lax.scan` on a CPU and under `vmap`
    over kernels anywhere, that is many times faster than `lax.conv_general_dilated`
    (jax-ml/jax issues 12868, 13800, 15339). One axis after the other: a kernel of 9 x 9 takes 18
    slices that way and not 81, which XLA compiles four times as fast.

    Args:
        x: input.
        kernel: taps along each spatial axis, odd.
        dilation: samples from one tap to the next.
        edges: "circular" or "reflect".

    Returns:
        patches of `kernel ** rank * channels` values, taps in row-major order.
    """
    for axis in reversed(range(1, x.ndim - 1)):
        x = jnp.concatenate(_shifted(x, axis, kernel, dilation, edges), axis=-1)
    return x


def fold(
    products: Float[Array, "batch *space patch"], kernel: int, dilation: int, edges: str
) -> Batch:
    """Add up, at each position, every tap's channels from the place that the tap reads."""
    for axis in range(1, products.ndim - 1):
        size = products.shape[-1] // kernel
        taps = _shifted(products, axis, kernel, dilation, edges)
        parts = [tap[..., n * size :][..., :size] for n, tap in enumerate(taps)]
        products = sum(parts[1:], parts[0])
    return products


def _shifted(x: Batch, axis: int, kernel: int, dilation: int, edges: str) -> list[Batch]:
    """`x` shifted along one axis to each tap of a kernel."""
    reach = dilation * (kernel // 2)
    widths = [(reach, reach) if n == axis else (0, 0) for n in range(x.ndim)]
    padded = jnp.pad(x, widths, mode=EDGES[edges])
    starts = range(0, kernel * dilation, dilation)
    return [jax.lax.slice_in_dim(padded, t, t + x.shape[axis], axis=axis) for t in starts]


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
        dilation: int = 1,
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
        # Where the output has fewer channels than the input, shift the products instead.
        by_tap = weight.reshape(channels_out, -1, channels_in).transpose(1, 0, 2)
        flat = _times_transposed(x.reshape(-1, channels_in), by_tap.reshape(-1, channels_in))
        products = flat.reshape(*x.shape[:-1], -1)
        return fold(products, self.kernel, self.dilation, self.edges) + self.bias[...]


def _times_transposed(
    rows: Float[Array, "n patch"], weight: Float[Array, "channels patch"]
) -> Float[Array, "n channels"]:
    """`rows @ weight.T`, and its gradients without a transposition."""
    return jax.lax.dot_general(rows, weight, (((1,), (1,)), ((), ())))


def convolutions(network: Any, rank: int, rngs: nnx.Rngs) -> Callable[..., Conv]:
    """Maker of a network's convolutions, called with channels in, channels out and options."""
    options = {"kernel": network.kernel, "edges": network.edges, "rngs": rngs}
    return functools.partial(Conv, rank, **options)


def check_convolutions(network: Any) -> None:
    """Refuse a network with an even kernel or unknown edges."""
    if errors.integer("kernel", network.kernel) % 2 == 0:
        raise errors.refuse("kernel", network.kernel, "an odd number of taps")
    errors.choice("edges", network.edges, EDGES)


def split_patches(x: Batch, size: int) -> Float[Array, "batch *fewer more"]:
    """Blocks of `size` samples along each axis, laid out along the channel axis.

    Pixel unshuffle, Shi et al. 2016; every spatial axis must be a multiple of `size`.
    """
    space, rank = x.shape[1:-1], x.ndim - 2
    cut = [n for axis in space for n in (axis // size, size)]
    outer, inner = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2)
    blocks = x.reshape(x.shape[0], *cut, x.shape[-1])
    blocks = blocks.transpose(0, *outer, *inner, 2 * rank + 1)
    return blocks.reshape(x.shape[0], *(axis // size for axis in space), -1)


def join_patches(x: Float[Array, "batch *fewer more"], size: int) -> Batch:
    """The inverse of `split_patches`."""
    space, rank = x.shape[1:-1], x.ndim - 2
    blocks = x.reshape(x.shape[0], *space, *[size] * rank, -1)
    order = [axis for outer in range(1, rank + 1) for axis in (outer, outer + rank)]
    blocks = blocks.transpose(0, *order, 2 * rank + 1)
    return blocks.reshape(x.shape[0], *(axis * size for axis in space), -1)


def divisible(field: str, space: tuple[int, ...], by: int) -> None:
    """Refuse a size that is not a multiple of `by` along every axis."""
    if any(axis % by for axis in space):
        raise errors.refuse(field, space, f"multiples of {by}")
