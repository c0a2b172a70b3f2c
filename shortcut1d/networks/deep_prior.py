"""The deep image prior: an untrained network, fitted to one input and stopped early.

Ulyanov, Vedaldi and Lempitsky 2018 (arXiv 1711.10925). A control: what the architecture of a
network restores by itself, without any example.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.networks.autoencoder import Autoencoder
from shortcut1d.networks.conv import ConvNet
from shortcut1d.networks.layers import Batch
from shortcut1d.networks.network import Network, has_fixed_weights

ROOT = 1e-8  # added to mean square gradients


@dataclass(frozen=True)
class DeepPrior:
    """Fits a network to each input by itself, so that it turns a fixed noise into the input.

    Adam, on the mean square error, from the same weights for every input (equation 2). Of an
    autoencoder, the decoder alone is fitted, from a latent noise. The weights of a `DeepPrior` are
    the noise and those that each fit starts from; training never changes them.

    The paper's networks owe their smoothness to how they enlarge pictures. Ours enlarge nothing
    smoothly and would learn noise as fast as content; here the fixed noise is smooth instead. Two
    parts are left out: fresh noise added at every step, and the mean over the last outputs.

    inner: the network.
    steps: of the fit; it restores because it stops early.
    rate: learning rate of the fit.
    smoothness: amplitudes of the fixed noise fall as `frequency ** -smoothness`; 0 is white.
    """

    inner: Network = ConvNet(width=16)
    steps: int = 50
    rate: float = 0.001
    smoothness: float = 2.0
    fixed_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        errors.check_types(self)
        if not isinstance(self.inner, Autoencoder) and (
            not isinstance(self.inner, Network) or has_fixed_weights(self.inner)
        ):
            raise errors.refuse("inner", self.inner, "a network whose weights are all learnt")
        errors.integer("steps", self.steps)
        errors.number("rate", self.rate, above=0, high=errors.MAX_RATE)
        errors.number("smoothness", self.smoothness, low=0, high=100)

    def module(self, space: tuple[int, ...], channels: int, rngs: nnx.Rngs) -> nnx.Module:
        """See `Network.module`."""
        net: Any = self.inner.module(space, channels, rngs)
        if isinstance(self.inner, Autoencoder):
            net = net.decoder
            space = tuple(axis // 2**self.inner.levels for axis in space)
            channels = self.inner.latent
        return _DeepPrior(self, net, (*space, channels), rngs)


class _DeepPrior(nnx.Module):
    def __init__(
        self, config: DeepPrior, net: nnx.Module, shape: tuple[int, ...], rngs: nnx.Rngs
    ) -> None:
        self.net = net
        self.noise = nnx.Param(_noise(rngs.params(), shape, config.smoothness))
        self.config = config

    def __call__(self, x: Batch, key: PRNGKeyArray | None = None) -> Batch:
        definition, state = nnx.split(self.net)
        start = jax.lax.stop_gradient(nnx.to_pure_dict(state))
        noise = jax.lax.stop_gradient(self.noise[...])[None]

        def output(weights: Any) -> Float[Array, "*space channels"]:
            net: Callable[[Batch], Batch] = nnx.merge(definition, weights)
            return net(noise)[0]

        def restored(sample: Float[Array, "*space channels"]) -> Float[Array, "*space channels"]:
            return output(self._fit(output, start, sample))

        # Adam amplifies rounding. One by one, samples round the same in a batch of any size.
        on_cpu = jax.default_backend() == "cpu"
        return jax.lax.map(restored, x) if on_cpu else jax.vmap(restored)(x)

    def objective(
        self, clean: Batch, degraded: Batch, distance: Any, key: PRNGKeyArray | None
    ) -> Float[Array, ""]:
        """Nothing is learnt from examples."""
        return jnp.float32(0)

    def _fit(self, output: Any, start: Any, sample: Float[Array, "*space channels"]) -> Any:
        """Weights whose output comes near one input."""
        # Without `eps_root` a weight whose gradient was always 0 would make derivatives NaN.
        optimiser = optax.adam(self.config.rate, eps_root=ROOT)

        def error(weights: Any) -> Float[Array, ""]:
            return jnp.mean((output(weights) - sample) ** 2)

        @jax.checkpoint  # a derivative then keeps the weights of each step, not all layers' values
        def step(state: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
            weights, moments = state
            update, moments = optimiser.update(jax.grad(error)(weights), moments)
            return (optax.apply_updates(weights, update), moments), None

        state = start, optimiser.init(start)
        (weights, _), _ = jax.lax.scan(step, state, length=self.config.steps)
        return weights


def _noise(
    key: PRNGKeyArray, shape: tuple[int, ...], smoothness: float
) -> Float[Array, "*space channels"]:
    """Gaussian noise of power 1 whose amplitudes fall with frequency, in cycles per window."""
    axes = tuple(range(len(shape) - 1))
    cycles = jnp.meshgrid(*(jnp.fft.fftfreq(n, 1 / n) for n in shape[:-1]), indexing="ij")
    square = sum((along**2 for along in cycles), start=jnp.zeros(()))
    gain = ((1 + square) ** (-smoothness / 2))[..., None]
    white = jnp.fft.fftn(jax.random.normal(key, shape), axes=axes)
    return jnp.real(jnp.fft.ifftn(gain * white, axes=axes)) / jnp.sqrt(jnp.mean(gain**2))
