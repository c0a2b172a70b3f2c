"""What it takes to make a result again: config, versions, device, commit, a cell's code."""

import ast
import dataclasses
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

from shortcut1d.family import identity

PACKAGE = Path(__file__).resolve().parent
FAMILIES = ("sweep", "content", "degradation", "combine", "images", "rain")  # and what draws them
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "pandas", "matplotlib")


def provenance(config: Any, preset: str) -> dict[str, Any]:
    """What it takes to make a figure again: config, versions, device, commit."""
    return {
        "config": {"preset": preset} | _plain(dataclasses.asdict(config)),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "device": f"{len(jax.devices())} x {_device()}",
        "commit": _commit(),
    }


def stamp_of_code_and_device() -> str:
    """64 digits that change with the code of a cell, the libraries and the kind of device.

    A cell that other code has trained is not this code's cell.
    """
    files = set.union(*(code_of(module) for module in FAMILIES))
    code = [(path.name, path.read_bytes()) for path in sorted(files)]
    versions = [importlib.metadata.version(name) for name in PACKAGES[:5]]
    return identity(code, versions, _device())


def code_of(module: str) -> set[Path]:
    """The files of this package that a module of it is made of: its own and what it imports."""
    found: set[Path] = set()
    waiting = [PACKAGE / f"{module}.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


def _imported(path: Path) -> list[Path]:
    files = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
            folder = PACKAGE.joinpath(*str(node.module).split(".")[1:])
            for name in (alias.name for alias in node.names):
                # A module of a folder, a name of a folder's own module, or a name of a module.
                candidates = (
                    folder / f"{name}.py",
                    folder / name / "__init__.py",
                    folder.with_suffix(".py"),
                    folder / "__init__.py",
                )
                files += [file for file in candidates if file.is_file()][:1]
    return files


def _device() -> str:
    return f"{jax.devices()[0].device_kind} ({platform.machine()})"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def _commit() -> str | None:
    """The commit of the code that ran, with a mark if the code has changed since."""
    git = ["git", "-C", str(PACKAGE.parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        code = ["shortcut1d", "experiments", "pyproject.toml"]
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--", *code], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + (" (changed since)" if changes.stdout.strip() else "")
