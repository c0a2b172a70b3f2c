"""Restoration with somebody's own generative prior, in PyTorch or JAX.

The method of Hu et al. 2025 (arXiv 2502.12600). An encoder and a decoder are trained on clean
content only. Then the decoder is frozen, and the encoder `E` alone is tuned on degraded samples `y`
to find the latent that the prior's encoder `E_0` gives to the clean sample `c`:

    minimise  mean (E(y) - E_0(c))^2

So whatever the degradation, the output lies in the decoder's range.
"""

import copy
import inspect
import itertools
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from shortcut1d import errors
from shortcut1d.analysis.denoiser import finite
from shortcut1d.analysis.fidelity import psnr
from shortcut1d.analysis.transfer import nmse
from shortcut1d.data.family import Content, Degradation, draw_pair
from shortcut1d.diagnosis.adapters import TorchDenoiser, from_torch, is_torch_module
from shortcut1d.diagnosis.inputs import SEEN, Case
from shortcut1d.diagnosis.outputs import batch_for, output_in_batches

Batch = Float[Array | np.ndarray, "batch *space channels"]
LATENT = "one array, the latent before quantisation"
JAX_ENCODER = (
    "a callable pytree with JAX arrays of floats, such as an nnx.Module, an Equinox module, or "
    "jax.tree_util.Partial(net.apply, variables)"
)


class Restorer:
    """A generative prior as a denoiser, `decode(encode(x))`, whose encoder can be tuned.

    `diagnose` takes it as it is, with exact derivatives. It works on copies of what it is given,
    in evaluation mode: batch normalisation keeps the statistics of clean content.

    encoder, decoder: those in use.
    """

    encoder: Any
    decoder: Any

    def __init__(self, *, prior: tuple[Any, Any]) -> None:
        """A prior as it stands.

        Args:
            prior: encoder and decoder, trained on clean content. The encoder gives one array, the
                latent before any quantisation. The decoder takes this latent, quantises it itself
                if the prior has codes, and gives the samples. Two PyTorch modules, on
                `(batch, channels, *space)`. Or, on `(batch, *space, channels)`, an encoder of JAX
                that is a pytree of arrays (`nnx.Module`, Equinox module) and a decoder that is any
                function of JAX.

        Raises:
            InvalidInput: no pair, two frameworks, or an encoder without weights.
        """
        encoder, decoder = _checked_pair(prior)
        framework = _Torch if is_torch_module(encoder) else _Jax
        self._prior: _Torch | _Jax = framework(encoder, decoder)
        self.decoder = self._prior.decoder
        self._use(self._prior.encoder)

    def _use(self, encoder: Any) -> None:
        self.encoder = encoder
        self._denoiser = self._prior.denoiser(encoder)
        if isinstance(self._denoiser, TorchDenoiser):  # through which JAX cannot differentiate
            self.products, self.jvp_many = self._denoiser.products, self._denoiser.jvp_many

    def __call__(self, x: Batch) -> Batch:
        """The restored samples, of the shape of `x`: NumPy, or JAX where `x` and the prior are.

        Raises:
            InvalidInput: no array, or not finite; an encoder or a decoder that gives no array.
        """
        finite("x", x)
        return self._denoiser(x)

    def tuned(
        self,
        content: Content,
        degradation: Degradation,
        *,
        steps: int = 1000,
        batch: int = 16,
        learning_rate: float = 1e-3,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Restorer":
        """A restorer whose encoder was tuned on fresh pairs, from this one's encoder on.

        The target is the latent of the prior's own encoder, also where this one was tuned before.
        Adam, on all weights of the encoder (in PyTorch also those without `requires_grad`, in NNX
        the `Param` ones). The same families and seed draw the same pairs in both frameworks.

        Args:
            content: family that clean samples are drawn from.
            degradation: family that degrades them.
            steps: Adam steps.
            batch: pairs a step.
            learning_rate: at the start; it decays to 0 on a cosine.
            seed: of the pairs; nothing else is random.
            progress: called after each step: how many are done, and how many there are.

        Raises:
            InvalidInput: an argument that cannot be used, samples that are not finite, or a loss
                that is not.
        """
        _check_family("content", content, "sample")
        _check_family("degradation", degradation, "sample", "apply")
        steps, batch = errors.integer("steps", steps), errors.integer("batch", batch)
        rate = errors.number("learning_rate", learning_rate, above=0, high=errors.MAX_RATE)
        key = jax.random.key(errors.integer("seed", seed, low=0))
        tuning = self._prior.tuning(self.encoder, steps, rate)
        for step in range(steps):
            pair = _pair(jax.random.fold_in(key, step), content, degradation, batch)
            loss = tuning.step(*pair)
            if not math.isfinite(loss):
                raise self._why_not_finite(*pair, rate, step)
            if progress:
                progress(step + 1, steps)
        if not tuning.is_finite():  # after the last step
            raise self._why_not_finite(*pair, rate, steps)
        tuned = copy.copy(self)
        tuned._use(tuning.finished())
        return tuned

    def _why_not_finite(
        self, clean: np.ndarray, degraded: np.ndarray, rate: float, step: int
    ) -> errors.InvalidInput:
        target = self._prior.target(clean)
        for name, values in (("content", clean), ("degradation", degraded), ("prior", target)):
            if not np.isfinite(values).all():
                return errors.refuse(name, "NaN or infinity", "finite samples, and latents of them")
        wanted = f"a smaller one: the loss was not finite after {step} steps"
        return errors.refuse("learning_rate", rate, wanted)

    def ceiling(self, clean: Batch, *, peak: float | None = None) -> float:
        """What the prior makes of clean samples, dB: the best that a tuned encoder can hope for.

        It is the prior's own encoder that encodes them, also after tuning. Infinite for a prior
        that gives them back exactly. If the prior's encoder was not trained for the least squared
        error, the decoder may be able to give more than this.

        Args:
            clean: samples.
            peak: the value of white, for pictures: gives the mean PSNR, as `psnr` in the report of
                `diagnose`. None, for signals: gives `-10 log10(NMSE)`, of the mean `nmse` there.

        Raises:
            InvalidInput: samples that are not finite, or an output of another shape.
        """
        finite("clean", clean)
        values = np.asarray(clean)
        case, few = Case(SEEN, "clean", values, values), batch_for(math.prod(values.shape[1:]))
        output = output_in_batches(self._prior.denoiser(self._prior.encoder), case, few)
        if peak is not None:
            return float(jnp.mean(psnr(output, values, errors.number("peak", peak, above=0))))
        return float(-10 * jnp.log10(jnp.mean(nmse(output, values))))


class _Torch:
    """A prior of two PyTorch modules."""

    def __init__(self, encoder: Any, decoder: Any) -> None:
        self.encoder, self.decoder = _copied("encoder", encoder), _copied("decoder", decoder)
        floats = [weight for weight in self.encoder.parameters() if weight.is_floating_point()]
        if not floats:
            raise errors.refuse("encoder of the prior", encoder, "a module with parameters to tune")
        self.like = {"device": floats[0].device, "dtype": floats[0].dtype}

    def denoiser(self, encoder: Any) -> TorchDenoiser:
        return from_torch(_Joined(encoder, self.decoder))

    def tuning(self, encoder: Any, steps: int, rate: float) -> "_TorchTuning":
        return _TorchTuning(self, _copied("encoder", encoder), steps, rate)

    def target(self, clean: np.ndarray) -> np.ndarray:
        return self.latent(self.encoder, clean).float().cpu().numpy()

    def latent(self, encoder: Any, samples: np.ndarray) -> Any:
        """The encoder's output for samples with the channels last."""
        import torch  # optional

        values = np.ascontiguousarray(np.moveaxis(samples, -1, 1))
        return _latent(encoder, torch.tensor(values, **self.like))


class _Joined:
    """Encoder and decoder as one PyTorch module, as far as `from_torch` needs one."""

    def __init__(self, encoder: Any, decoder: Any) -> None:
        self.encoder, self.decoder = encoder, decoder

    def __call__(self, batch: Any) -> Any:
        return self.decoder(_latent(self.encoder, batch))

    def parameters(self) -> Iterator[Any]:
        return itertools.chain(self.encoder.parameters(), self.decoder.parameters())

    def buffers(self) -> Iterator[Any]:
        return itertools.chain(self.encoder.buffers(), self.decoder.buffers())


class _TorchTuning:
    """An encoder of PyTorch, with its optimiser."""

    def __init__(self, prior: _Torch, encoder: Any, steps: int, rate: float) -> None:
        import torch  # optional

        self.prior, self.encoder = prior, encoder
        self.weights = [w.requires_grad_() for w in encoder.parameters() if w.is_floating_point()]
        self.optimiser = torch.optim.Adam(self.weights, rate)
        self.decay = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, steps)

    def step(self, clean: np.ndarray, degraded: np.ndarray) -> float:
        import torch  # optional

        with torch.no_grad():
            wanted = self.prior.latent(self.prior.encoder, clean)
        with torch.enable_grad():
            loss = torch.mean((self.prior.latent(self.encoder, degraded) - wanted) ** 2)
            self.optimiser.zero_grad()
            loss.backward()
        self.optimiser.step()
        self.decay.step()
        return loss.item()

    def is_finite(self) -> bool:
        return all(bool(weight.isfinite().all()) for weight in self.weights)

    def finished(self) -> Any:
        self.optimiser.zero_grad()
        return self.encoder.requires_grad_(False)


class _Jax:
    """A prior of JAX: an encoder that is a pytree, and a decoder that is any function."""

    def __init__(self, encoder: Any, decoder: Any) -> None:
        self.encoder, self.decoder = _evaluated(encoder), _evaluated(decoder)
        if not jax.tree.leaves(_weights_of(self.encoder)[0]):
            raise errors.refuse("encoder of the prior", type(encoder).__name__, JAX_ENCODER)

    def denoiser(self, encoder: Any) -> Callable[[Batch], Batch]:
        weights, rebuilt = _weights_of(encoder)

        @jax.jit
        def compiled(weights: Any, x: Array) -> Array:
            output = self.decoder(_latent(rebuilt(weights), x))
            return _one("output of the decoder", output, jax.Array, "one array")

        def denoise(x: Batch) -> Batch:
            output = compiled(weights, _floats(x))
            return output if isinstance(x, jax.Array) else np.array(output)

        return denoise

    def tuning(self, encoder: Any, steps: int, rate: float) -> "_JaxTuning":
        return _JaxTuning(self, encoder, steps, rate)

    def target(self, clean: np.ndarray) -> np.ndarray:
        return np.asarray(_latent(self.encoder, _floats(clean)))


class _JaxTuning:
    """An encoder of JAX, with its optimiser."""

    def __init__(self, prior: _Jax, encoder: Any, steps: int, rate: float) -> None:
        optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))
        self.weights, self.rebuilt = _weights_of(encoder)
        self.teacher, teacher_of = _weights_of(prior.encoder)
        self.moments = optimiser.init(self.weights)

        @jax.jit
        def step(weights: Any, moments: Any, teacher: Any, clean: Array, degraded: Array) -> Any:
            wanted = _latent(teacher_of(teacher), clean)

            def distance(weights: Any) -> Array:
                return jnp.mean((_latent(self.rebuilt(weights), degraded) - wanted) ** 2)

            loss, gradient = jax.value_and_grad(distance)(weights)
            update, moments = optimiser.update(gradient, moments)
            return optax.apply_updates(weights, update), moments, loss

        self._step = step

    def step(self, clean: np.ndarray, degraded: np.ndarray) -> float:
        self.weights, self.moments, loss = self._step(
            self.weights, self.moments, self.teacher, _floats(clean), _floats(degraded)
        )
        return float(loss)

    def is_finite(self) -> bool:
        return all(bool(jnp.isfinite(weight).all()) for weight in jax.tree.leaves(self.weights))

    def finished(self) -> Any:
        return self.rebuilt(self.weights)


def _checked_pair(prior: Any) -> tuple[Any, Any]:
    if not isinstance(prior, tuple | list) or len(prior) != 2:
        raise errors.refuse("prior", prior, "a pair (encoder, decoder)")
    encoder, decoder = prior
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        if not callable(part):
            raise errors.refuse(f"{name} of the prior", part, "a PyTorch module or a JAX callable")
    if is_torch_module(encoder) != is_torch_module(decoder):
        wanted = "a PyTorch module" if is_torch_module(encoder) else "a JAX callable"
        raise errors.refuse(
            "decoder of the prior", type(decoder).__name__, f"{wanted}, as the encoder is"
        )
    return encoder, decoder


def _check_family(name: str, family: Any, *methods: str) -> None:
    if isinstance(family, type) or not all(hasattr(family, method) for method in methods):
        shown = family.__name__ if isinstance(family, type) else type(family).__name__
        raise errors.refuse(name, shown, f"a {name} family, with {' and '.join(methods)}")


def _pair(
    key: Any, content: Content, degradation: Degradation, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """`n` pairs (clean, degraded); compiled where families are pytrees, as this package's are."""
    foreign = any(jax.tree_util.all_leaves([family]) for family in (content, degradation))
    draw = inspect.unwrap(draw_pair) if foreign else draw_pair
    clean, degraded = (np.asarray(part) for part in draw(key, content, degradation, n))
    if clean.shape != degraded.shape:
        raise errors.refuse("degradation", degraded.shape, f"shape {clean.shape}, the content's")
    return clean, degraded


def _copied(name: str, module: Any) -> Any:
    """A copy of a PyTorch module, in evaluation mode and without gradients."""
    try:
        return copy.deepcopy(module).eval().requires_grad_(False)
    except Exception as error:  # whatever its own parts raise
        said = " ".join(str(error).split())
        raise errors.InvalidInput(
            f"{name} of the prior: cannot be copied ({type(error).__name__}: {said})"
        ) from error


def _one(name: str, given: Any, kind: type, wanted: str) -> Any:
    if not isinstance(given, kind):
        raise errors.refuse(name, type(given).__name__, wanted)
    return given


def _latent(encoder: Any, batch: Any) -> Any:
    kind = jax.Array if isinstance(batch, jax.Array) else type(batch)
    return _one("output of the encoder", encoder(batch), kind, LATENT)


def _floats(x: Any) -> Array:
    values = jnp.asarray(x)
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(jnp.float32)


def _evaluated(part: Any) -> Any:
    """A part of a prior in evaluation mode; a copy where it could change."""
    equinox = sys.modules.get("equinox")
    if isinstance(part, nnx.Module):
        part = nnx.clone(part)
        part.eval()
    elif equinox is not None and isinstance(part, equinox.Module):
        part = equinox.nn.inference_mode(part)
    return part


def _weights_of(encoder: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The weights of a JAX encoder that are tuned, and the encoder as a function of them."""
    if isinstance(encoder, nnx.Module):
        definition, weights, *rest = nnx.split(encoder, nnx.Param, ...)
        return weights, lambda weights: nnx.merge(definition, weights, *rest)
    leaves, structure = jax.tree.flatten(encoder)
    arrays = {n: leaf for n, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)}
    tuned = {n: x for n, x in arrays.items() if jnp.issubdtype(x.dtype, jnp.floating)}

    def rebuilt(weights: Any) -> Any:
        return jax.tree.unflatten(structure, [weights.get(n, x) for n, x in enumerate(leaves)])

    return tuned, rebuilt
