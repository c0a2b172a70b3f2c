"""Other people's denoisers as callables on arrays of shape `(batch, *space, channels)`."""

import functools
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from shortcut1d import errors
from shortcut1d.diagnosis.calling import Call, memory_failed

Array = Float[np.ndarray, "batch *space channels"]


def from_function(
    function: Callable[[np.ndarray], np.ndarray], channels: bool = False
) -> Callable[[Array], Array]:
    """A filter of one signal or image, such as scikit-image's, as a denoiser of a batch.

    Args:
        function: takes one sample of shape `space`, and gives the same shape back.
        channels: the function takes `(*space, channels)`; if not, it is called on each channel.
    """
    if not callable(function):
        raise errors.refuse("function", function, "a function of one sample")

    def denoise(batch: Array) -> Array:
        samples = np.asarray(batch)
        if channels:
            return np.stack([np.asarray(function(sample)) for sample in samples])
        parts = [
            [np.asarray(function(sample[..., c])) for c in range(sample.shape[-1])]
            for sample in samples
        ]
        return np.stack([np.stack(of_sample, axis=-1) for of_sample in parts])

    return denoise


def adapt(denoiser: Callable[..., Any], **how: Any) -> "Adapted":
    """A denoiser from a callable that takes more than a batch, or gives more than the samples.

    A PyTorch module goes to `from_torch`, which takes the same options.

    Args:
        denoiser: NumPy or JAX callable on arrays of `(batch, *space, channels)`. If JAX can
            differentiate it exactly, it still can.
        how: fields of `calling.Call`: output, arguments, input_scale, output_scale, multiple, tile,
            overlap, one_at_a_time.

    Raises:
        InvalidInput: no callable, or an option that does not exist or has a wrong value.
    """
    if is_torch_module(denoiser):
        raise errors.refuse("denoiser", "a PyTorch module", "from_torch(module, ...)")
    if not callable(denoiser):
        raise errors.refuse("denoiser", denoiser, "a callable on arrays")
    return Adapted(denoiser, call_of(how))


class Adapted:
    """A NumPy or JAX callable with the options of its call; made by `adapt`."""

    def __init__(self, denoiser: Callable[..., Any], call: Call) -> None:
        """See `adapt`."""
        self.denoiser, self.call = denoiser, call

    def __call__(self, inputs: Any) -> Any:
        """The denoised samples, `(batch, *space, channels)`."""
        return self.call(self.denoiser, inputs, range(1, inputs.ndim - 1))


def call_of(how: dict[str, Any]) -> Call:
    """The options of a call, by name.

    Raises:
        InvalidInput: an option that does not exist (the nearest is suggested), or a wrong value.
    """
    for name in how:
        errors.choice("option", name, Call.__dataclass_fields__)
    return Call(**how)


def is_torch_module(found: Any) -> bool:
    """Whether `found` is a PyTorch module; without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(found, torch.nn.Module)


def from_torch(
    module: Any, *, channels_first: bool = True, device: Any = None, **how: Any
) -> "TorchDenoiser":
    """A PyTorch module as a denoiser, with exact Jacobian products through `torch.func`.

    Put the module in evaluation mode first (`module.eval()`): dropout would answer differently each
    time, and batch normalisation would make samples depend on one another.

    Args:
        module: takes and gives tensors of `(batch, channels, *space)`.
        channels_first: False if the module takes `(batch, *space, channels)`.
        device: where the module is; by default that of its first parameter, or the CPU.
        how: fields of `calling.Call`, for a module that wants more than a batch: `output="image"`,
            `arguments={"sigma": 0.1}`, `input_scale=255`, `multiple=8`, `tile=64`, ...

    Raises:
        InvalidInput: PyTorch is not installed, the module is not callable or is in training mode;
            an option that does not exist, or has a wrong value.
    """
    if importlib.util.find_spec("torch") is None:
        raise errors.InvalidInput(
            'from_torch: PyTorch is not installed (pip install "shortcut1d[torch]")'
        )
    if not callable(module):
        raise errors.refuse("module", module, "a PyTorch module")
    parts = module.modules() if hasattr(module, "modules") else [module]
    if any(getattr(part, "training", False) for part in parts):
        raise errors.InvalidInput(
            "module: is in training mode, expected module.eval(), so that it answers the same twice"
        )
    return TorchDenoiser(module, channels_first, device, call_of(how))


def from_deepinv(
    model: Any, *, sigma: Any = None, physics: Any = None, device: Any = None, **how: Any
) -> "TorchDenoiser":
    """A model of deepinv (Tachella et al. 2025) as a denoiser.

    Args:
        model: a `Denoiser`, called as `model(y, sigma)`, or a `Reconstructor`, called as
            `model(y, physics)`.
        sigma: noise level that a denoiser gets, in the unit of the samples.
        physics: operator that a reconstructor gets.
        device: see `from_torch`.
        how: see `from_torch`.

    Raises:
        InvalidInput: deepinv is not installed or cannot be imported; the model is not one of
            deepinv's; a `Reconstructor` without `physics`; what `from_torch` refuses.
    """
    if importlib.util.find_spec("deepinv") is None:
        raise errors.InvalidInput("from_deepinv: deepinv is not installed (pip install deepinv)")
    try:
        from deepinv.models import Denoiser, Reconstructor  # optional
    except Exception as error:  # a torchvision that does not fit PyTorch raises RuntimeError
        said = " ".join(str(error).split())
        raise errors.InvalidInput(
            f"from_deepinv: deepinv cannot be imported ({type(error).__name__}: {said})"
        ) from error
    if not isinstance(model, Denoiser | Reconstructor):
        raise errors.refuse("model", type(model).__name__, "a Denoiser or Reconstructor of deepinv")
    if isinstance(model, Reconstructor) and physics is None:
        raise errors.refuse("physics", None, "the operator of a Reconstructor")
    call = Call(arguments=how.pop("arguments", {}), input_scale=how.get("input_scale", 1.0))
    if sigma is not None and call.input_scale != 1:
        sigma = call.input_scale * sigma  # in the unit that the model is given
    further = {"sigma": sigma, "physics": physics} | dict(call.arguments)
    arguments = {name: value for name, value in further.items() if value is not None}
    return from_torch(model, device=device, arguments=arguments, **how)


class TorchDenoiser:
    """A PyTorch module that takes and gives NumPy arrays; made by `from_torch`."""

    def __init__(self, module: Any, channels_first: bool, device: Any, call: Call) -> None:
        """See `from_torch`."""
        self.module, self.channels_first, self.call = module, channels_first, call
        owned = [
            tensor
            for kind in ("parameters", "buffers")
            for tensor in getattr(module, kind, lambda: ())()
            if tensor.is_floating_point()
        ]
        self.device = device or (owned[0].device if owned else "cpu")
        self.dtype = owned[0].dtype if owned else None

    def __call__(self, inputs: Any) -> Array:
        """The denoised samples, `(batch, *space, channels)`."""
        import torch  # optional

        with torch.no_grad():
            return self._array(self._forward(self._tensor(inputs)))

    def products(self, inputs: Any) -> tuple[Callable[[Any], Array], Callable[[Any], Array]]:
        """`v -> J v` and `u -> J^T u` at each of the inputs."""
        import torch  # optional

        point = self._tensor(inputs)

        @functools.cache  # it holds every layer's output, so that it is made only where it is used
        def transposed() -> Any:
            return torch.func.vjp(self._forward, point)[1]

        def jvp(direction: Any) -> Array:
            tangent = self._tensor(direction).to(point.dtype)
            with torch.no_grad():
                return self._array(torch.func.jvp(self._forward, (point,), (tangent,))[1])

        return jvp, lambda u: self._array(transposed()(self._tensor(u).to(point.dtype))[0])

    def jvp_many(self, inputs: Any, directions: Any) -> Float[np.ndarray, "many ..."]:
        """`J v` for many directions at each input, in one pass through the network."""
        import torch  # optional

        point = self._tensor(inputs)
        tangents = torch.stack([self._tensor(v).to(point.dtype) for v in directions])

        def product(tangent: Any) -> Any:
            return torch.func.jvp(self._forward, (point,), (tangent,))[1]

        with torch.no_grad():
            try:
                moved = torch.func.vmap(product)(tangents)
            except RuntimeError as error:
                if memory_failed(error):
                    raise
                moved = [product(tangent) for tangent in tangents]  # not all modules can be vmapped
            return np.stack([self._array(each) for each in moved])

    def _forward(self, batch: Any) -> Any:
        space = range(2, batch.ndim) if self.channels_first else range(1, batch.ndim - 1)
        return self.call(self.module, batch, space)

    def _tensor(self, array: Any) -> Any:
        import torch  # optional

        values = np.array(array)  # a copy: PyTorch wants to own what it may write to
        if self.channels_first:
            values = np.moveaxis(values, -1, 1)
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        if self.dtype is None and not tensor.is_floating_point():
            tensor = tensor.float()
        return tensor.to(device=self.device, dtype=self.dtype or tensor.dtype)

    def _array(self, tensor: Any) -> Array:
        import torch  # optional

        if not isinstance(tensor, torch.Tensor):
            raise errors.refuse("output of the module", type(tensor).__name__, "one tensor")
        half = tensor.dtype == torch.bfloat16  # which NumPy does not have
        values = (tensor.float() if half else tensor).detach().cpu().numpy()
        return np.moveaxis(values, 1, -1) if self.channels_first else values
