"""A diffusion prior as a restorer: one network that denoises clean content at every noise level.

It learns clean content alone, whatever the degradation is. To restore, it treats an input as
content in white noise of a given level; the output is the posterior mean or a posterior sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks.conv import ConvNet
from shortcut1d.networks.layers import Batch

Level: TypeAlias = Float[Array, "..."] | float  # a scalar, or `(batch, 1, ..., 1)`


@dataclass(frozen=True)
class Diffusion:
    """A conv net that is told the noise level, preconditioned as by Karras et al. 2022 (EDM).

    The noise level that inputs are taken to have is a setting among its weights: see `with_level`.
    Levels are standard deviations, in the unit of the samples.

    width, depth, kernel, dilations, edges: as in `ConvNet`.
    scale: root mean square of clean samples; also the level that fresh weights are set to.
    low, high: range of the levels in training, log-uniform; other levels are clipped to it.
    steps: noise levels of a posterior sample; 0 for the posterior mean. No weight depends on it.
    """

    width: int = 24
    depth: int = 6
    kernel: int = 9
    dilations: tuple[int, ...] | None = None
    edges: str = "circular"
    scale: float = 1.0
    low: float = 0.01
    high: float = 10.0
    steps: int = 0
    fixed_weights: ClassVar[bool] = True  # the level

    def __post_init__(self) -> None:
        errors.check_types(self)
        self.net()
        errors.number("scale", self.scale, above=0, high=errors.MAX_RATE)
        errors.number("low", self.low, above=0, high=errors.MAX_RATE)
        errors.number("high", self.high, above=self.low, high=errors.MAX_RATE)
        errors.integer("steps", self.steps, low=0)

    def net(self) -> ConvNet:
        """The conv net, without the extra input channel for the level."""
        return ConvNet(self.width, self.depth, self.kernel, self.dilations, edges=self.edges)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        return _Diffusion(self, len(space), channels, rngs)


class _Diffusion(nnx.Module):
    def __init__(self, config: Diffusion, rank: int, channels: int, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List(config.net().layers(rank, channels + 1, channels, rngs))
        self.level = nnx.Param(jnp.float32(config.scale))
        self.config = config

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        level, config = jax.lax.stop_gradient(self.level[...]), self.config
        if not config.steps:
            return self.denoise(x, level)
        return posterior_sample(
            self.denoise, x, level, key, steps=config.steps, low=config.low, high=config.high
        )

    def objective(
        self, clean: Batch, degraded: Batch, distance: Any, key: PRNGKeyArray | None
    ) -> Float[Array, ""]:
        """The error of `denoise` on clean samples in white noise, each of its own level.

        Divided by `c_out`, so that all levels count alike (EDM, section 5, weight of equation 8).
        """
        config = self.config
        level_key, noise_key = jax.random.split(jax.random.key(0) if key is None else key)
        uniforms = jax.random.uniform(level_key, (len(clean), *[1] * (clean.ndim - 1)))
        sigma = config.low * (config.high / config.low) ** uniforms
        noisy = clean + sigma * jax.random.normal(noise_key, clean.shape)
        unit = sigma * config.scale / jnp.hypot(sigma, config.scale)
        return jnp.mean(distance((self.denoise(noisy, sigma) - clean) / unit))

    def denoise(self, x: Batch, sigma: Level) -> Batch:
        """The posterior mean `E[c | c + sigma n = x]` under white noise (EDM, equation 7, table 1).

        sigma: noise level of all samples, or of each.
        """
        sigma, scale = jnp.clip(sigma, self.config.low, self.config.high), self.config.scale
        total = jnp.hypot(sigma, scale)
        told = jnp.broadcast_to(jnp.log(sigma) / 4, (*x.shape[:-1], 1))
        hidden = jnp.concatenate([x / total, told], axis=-1)
        for index, layer in enumerate(self.layers):
            hidden = layer(jax.nn.relu(hidden) if index else hidden)
        return (scale / total) ** 2 * x + sigma * scale / total * hidden


def with_level(level: float | Float[Array, ""], weights: dict[str, Any]) -> dict[str, Any]:
    """Set the standard deviation of the white noise that an input is taken to have."""
    return {**weights, "level": jnp.asarray(level, jnp.float32)}


def posterior_sample(
    denoise: Callable[[Batch, Any], Batch],
    x: Batch,
    level: Level,
    key: PRNGKeyArray | None = None,
    *,
    steps: int = 40,
    low: float = 0.01,
    high: float = 10.0,
) -> Batch:
    """A sample of `p(c | x)` for `x = c + level n`, by the probability-flow equation.

    It follows `z = c + s n'` from `s = high` down to `low`. Given c, the state z and the input x
    are independent, so that their precision-weighted mean is sufficient for c, and
    `E[c | z, x] = denoise(pooled, pooled level)`: under white noise no guidance has to be
    approximated. Steps are DPM-Solver++ (2M; Lu et al. 2022, arXiv 2211.01095, algorithm 2).

    For Gaussian content the mean is exact. A posterior variance v along a direction comes out as
    `v / (1 + v / high^2)`, less at most `low^2`; the error of the steps falls with the square of
    their number (2% at 20).

    Args:
        denoise: posterior mean under white noise, of samples and their noise level.
        x: inputs.
        level: their noise level.
        key: of the noise it starts from; None for a fixed one. The noise depends on a sample's
            place in the batch, not on its values, so the output is differentiable in `x`.
        steps: noise levels, geometric; `denoise` is called `steps + 1` times.
        low: last level.
        high: first level, several times the content's root mean square.
    """
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.key(0) if key is None else key, jnp.arange(len(x))
    )
    noise = jax.vmap(lambda own: jax.random.normal(own, x.shape[1:]))(keys)

    def given_both(z: Batch, s: Float[Array, ""]) -> Batch:
        together = jnp.hypot(s, level)
        share = (level / together) ** 2  # of the state; its precision is 1 / s^2
        return denoise(share * z + (1 - share) * x, s * level / together)

    @jax.checkpoint  # a derivative then keeps a state a step, not all the layers' values
    def step(state: tuple[Batch, Batch], pair: Array) -> tuple[tuple[Batch, Batch], None]:
        z, before = state
        clean = given_both(z, pair[0])
        shrink = pair[1] / pair[0]
        ahead = 1.5 * clean - 0.5 * before  # half a step on: levels are geometric
        return (shrink * z + (1 - shrink) * ahead, clean), None

    mean = denoise(x, level)  # E[c | z, x] where the level of z is infinite
    levels = jnp.geomspace(high, low, steps)
    pairs = jnp.stack([levels[:-1], levels[1:]], axis=1)
    (z, _), _ = jax.lax.scan(step, (mean + high * noise, mean), pairs)
    return given_both(z, levels[-1])
