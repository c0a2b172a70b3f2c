"""Loads a denoiser from a module or file of the user's."""

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.diagnosis.adapters import from_torch, is_torch_module


def load(spec: str) -> Denoiser:
    """The denoiser that a user's module or file has under a name.

    Args:
        spec: `MODULE:NAME`, of a module that Python finds from the working directory, or
            `FILE.py:NAME`. NAME is a PyTorch module (`from_torch` takes it), a callable on arrays
            of `(batch, *space, channels)`, or a function without arguments, or a class, that makes
            one of these.

    Raises:
        InvalidInput: there is no such module or name, or its code raises; in one line.
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
        if not is_torch_module(found) and _needs_nothing(found):
            with _as_one_line(f"model: {spec} cannot be made"):
                found = found()
    if is_torch_module(found):
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
    name = f"_model_in_{path.stem}"  # so that a file json.py does not hide the module json
    described = importlib.util.spec_from_file_location(name, path)
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    sys.modules[name] = module  # as an import does; dataclasses look up their module there
    try:
        described.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _importable_from(folder: Path) -> Iterator[None]:
    """Make the folder's modules importable while the model is loaded."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextlib.contextmanager
def _as_one_line(doing: str) -> Iterator[None]:
    """Report whatever a user's module raises in one line."""
    try:
        yield
    except errors.Shortcut1dError as error:
        raise errors.InvalidInput(f"{doing}: {error}") from error
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split()) or "no reason given"
        raise errors.InvalidInput(f"{doing} ({type(error).__name__}: {said})") from error


def _needs_nothing(found: Any) -> bool:
    """Whether `found` is a function or class that can be called without arguments."""
    if not (inspect.isroutine(found) or inspect.isclass(found)):
        return False
    try:
        parameters = inspect.signature(found).parameters.values()
    except ValueError:  # a built-in one that does not say
        return False
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(p.default is not p.empty or p.kind in optional for p in parameters)
