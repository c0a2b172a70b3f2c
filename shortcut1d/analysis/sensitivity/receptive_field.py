"""The effective receptive field: which values of the input one value of the output depends on."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, floats, output_of
from shortcut1d.analysis.sensitivity.gradients import transposable


class ReceptiveField(NamedTuple):
    """How an output's dependence is spread over the input.

    energy: squared gradient at each position of the input, summed over channels of input and
        output; sums to 1, or is 0 throughout for an output that depends on nothing.
    radius: the least distance from the output's position, in samples, that holds the wanted share
        of the energy; NaN where the energy is 0.
    """

    energy: Float[Array, "batch *space"]
    radius: Float[Array, " batch"]


def receptive_field(
    denoiser: Denoiser,
    inputs: Samples,
    at: Sequence[int] | None = None,
    *,
    share: float = 0.95,
    method: str = "auto",
    step: float = 1e-3,
) -> ReceptiveField:
    """The effective receptive field of the output at one position, at each input.

    W. Luo, Y. Li, R. Urtasun and R. Zemel, "Understanding the effective receptive field in deep
    convolutional neural networks" (NeurIPS 2016). They average over inputs; here each sample has
    its own, and the caller averages `energy`. Distances are Euclidean and do not wrap round: for a
    denoiser of periodic samples take a position in the middle.

    Args:
        denoiser: a JAX function or one with its own products (`adapters.from_torch`). A plain
            callable where a sample has at most 1024 values; it is called twice for each value.
        inputs: degraded samples.
        at: the output's position, one index for each spatial axis; by default the middle,
            `length // 2`.
        share: of the energy within the radius; above 0, at most 1.
        method: how Jacobian products are computed; see `products_of`.
        step: of a finite difference; see `products_of`.

    Raises:
        InvalidInput: a position outside of the samples, a share outside of (0, 1], a plain callable
            on large samples; inputs or outputs that are not finite; a bad option.
    """
    inputs = floats("inputs", inputs)
    share = errors.number("share", share, above=0, high=1)
    space, channels = inputs.shape[1:-1], inputs.shape[-1]
    place = _position(at, space)
    output_of(denoiser, inputs)  # refuses outputs of another shape, or not finite
    products = transposable(denoiser, inputs, method, step)
    one_channel_each = np.zeros((channels, *inputs.shape), np.float32)
    for channel in range(channels):
        one_channel_each[channel][(slice(None), *place, channel)] = 1
    gradients = np.asarray(products.vjp_all(one_channel_each), np.float64)
    energy = np.sum(gradients**2, axis=(0, -1))
    total = np.sum(energy.reshape(len(energy), -1), axis=1)
    scaled = energy / np.where(total > 0, total, 1).reshape(-1, *[1] * len(space))
    return ReceptiveField(
        jnp.asarray(scaled, jnp.float32),
        jnp.asarray(np.where(total > 0, _radius(scaled, place, share), np.nan), jnp.float32),
    )


def _position(at: Sequence[int] | None, space: tuple[int, ...]) -> tuple[int, ...]:
    if at is None:
        return tuple(length // 2 for length in space)
    if not isinstance(at, list | tuple) or len(at) != len(space):
        raise errors.refuse("at", at, f"one index for each spatial axis of {space}")
    return tuple(errors.integer("at", i, low=0, high=n - 1) for i, n in zip(at, space))


def _radius(
    energy: Float[np.ndarray, "batch *space"], place: tuple[int, ...], share: float
) -> Float[np.ndarray, " batch"]:
    axes = np.meshgrid(*[np.arange(n) - i for n, i in zip(energy.shape[1:], place)], indexing="ij")
    distance = np.sqrt(sum(axis**2 for axis in axes)).ravel()
    order = np.argsort(distance)
    within = np.cumsum(energy.reshape(len(energy), -1)[:, order], axis=1)
    # Relative to the last sum, so that a share of 1 ends at the last position with energy.
    return distance[order][np.argmax(within >= share * within[:, -1:], axis=1)]
