"""Other people's denoisers as callables on arrays of shape `(batch, *space, channels)`."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from shortcut1d import errors

Array = Float[np.ndarray, "batch *space channels"]


def from_function(
    function: Callable[[np.ndarray], np.ndarray], channels: bool = False
) -> Callable[[Array], Array]:
    """A filter of one signal or image, such as scikit-image's, as a denoiser of a batch.

    Args:
        function: takes one sample of shape `space`, and gives the same shape back.
        channels: it takes `(*space, channels)` instead; otherwise it gets channel by channel.
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


def from_torch(module: Any, *, channels_first: bool = True, device: Any = None) -> "TorchDenoiser":
    """A PyTorch module as a denoiser, with exact Jacobian products through `torch.func`.

    Put the module in evaluation mode first (`module.eval()`): dropout would answer differently each
    time, and batch normalisation would make samples depend on one another.

    Args:
        module: takes and gives tensors of `(batch, channels, *space)`.
        channels_first: False where it takes `(batch, *space, channels)` instead.
        device: where the module is; by default that of its first parameter, or the CPU.

    Raises:
        InvalidInput: PyTorch is not installed, the module is not callable or is in training mode.
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
    return TorchDenoiser(module, channels_first, device)


class TorchDenoiser:
    """A PyTorch module that takes and gives NumPy arrays; made by `from_torch`."""

    def __init__(self, module: Any, channels_first: bool, device: Any) -> None:
        """See `from_torch`."""
        self.module, self.channels_first = module, channels_first
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
            return self._array(self.module(self._tensor(inputs)))

    def products(self, inputs: Any) -> tuple[Callable[[Any], Array], Callable[[Any], Array]]:
        """`v -> J v` and `u -> J^T u` at each of the inputs."""
        import torch  # optional

        point = self._tensor(inputs)
        transposed = torch.func.vjp(self.module, point)[1]

        def push(direction: Any) -> Array:
            tangent = self._tensor(direction).to(point.dtype)
            return self._array(torch.func.jvp(self.module, (point,), (tangent,))[1])

        return push, lambda u: self._array(transposed(self._tensor(u).to(point.dtype))[0])

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
