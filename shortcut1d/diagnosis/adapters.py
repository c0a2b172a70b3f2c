"""Other people's denoisers as callables on arrays of shape `(batch, *space, channels)`."""

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
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


def load(spec: str) -> Callable[[Array], Array]:
    """The denoiser that a module of the user's makes.

    Args:
        spec: `MODULE:NAME`, of a module that Python finds from the working directory, or
            `FILE.py:NAME`. NAME is a PyTorch module (`from_torch` takes it), a callable on arrays
            of `(batch, *space, channels)`, or a function without arguments, or a class, that makes
            one of these.

    Raises:
        InvalidInput: there is no such module or name, or what it runs raises; in one line.
    """
    source, colon, name = spec.rpartition(":")
    if not colon or not source or not name.isidentifier():
        raise errors.refuse("model", spec, "MODULE:NAME or FILE.py:NAME")
    with _importable_from(Path(source).resolve().parent if _is_file(source) else Path.cwd()):
        with _as_one_line(f"model: {source} cannot be imported"):
            module = _imported(source)
        if not hasattr(module, name):
            public = [known for known in vars(module) if known[0] != "_"]
            errors.choice(f"name in {source}", name, public or ["nothing"])
        found = getattr(module, name)
        if not _is_module(found) and _needs_nothing(found):
            with _as_one_line(f"model: {spec} cannot be made"):
                found = found()
    if _is_module(found):
        return from_torch(found)
    if not callable(found):
        raise errors.refuse(f"model {spec}", type(found).__name__, "a callable on arrays")
    return found


def _is_file(source: str) -> bool:
    return source.endswith(".py")


def _imported(source: str) -> Any:
    if not _is_file(source):
        return importlib.import_module(source)
    path = Path(source)
    if not path.is_file():
        raise errors.InvalidInput("there is no such file")
    name = f"_model_in_{path.stem}"  # a file may be called json.py
    described = importlib.util.spec_from_file_location(name, path)
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    sys.modules[name] = module  # as an import would; dataclasses look themselves up there
    try:
        described.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _importable_from(folder: Path) -> Iterator[None]:
    """Whatever is beside the model can be imported, when it is loaded and when it is called."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextlib.contextmanager
def _as_one_line(doing: str) -> Iterator[None]:
    """Whatever a user's module raises, as one line."""
    try:
        yield
    except errors.Shortcut1dError as error:
        raise errors.InvalidInput(f"{doing}: {error}") from error
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split()) or "no reason given"
        raise errors.InvalidInput(f"{doing} ({type(error).__name__}: {said})") from error


def _is_module(found: Any) -> bool:
    """Whether it is a PyTorch module, which there can be only where PyTorch is imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(found, torch.nn.Module)


def _needs_nothing(found: Any) -> bool:
    """Whether it is a function or class that can be called without arguments."""
    if not (inspect.isroutine(found) or inspect.isclass(found)):
        return False
    try:
        parameters = inspect.signature(found).parameters.values()
    except ValueError:  # a built-in one that does not say
        return False
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(p.default is not p.empty or p.kind in optional for p in parameters)


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

        def jvp(direction: Any) -> Array:
            tangent = self._tensor(direction).to(point.dtype)
            return self._array(torch.func.jvp(self.module, (point,), (tangent,))[1])

        return jvp, lambda u: self._array(transposed(self._tensor(u).to(point.dtype))[0])

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
