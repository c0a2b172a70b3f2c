"""What it takes to make a result again: config, versions, device, commit, a cell's code."""

import ast
import dataclasses
import importlib.metadata
import platform
import subprocess
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import jax

from shortcut1d.family import identity

PACKAGE = Path(__file__).resolve().parent
FAMILIES = ("sweep", "content", "degradation", "combine", "images", "rain")  # and what draws them
WORDS = ("errors", "options")  # what no result depends on, unless it is refused
DRIVER = ("study", "plotting", "claims", *WORDS)  # what a table does not depend on
JUDGING = ("plot", "claims", "experiment")  # nor on these of a script's
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "pandas", "matplotlib")
OPTIONAL = ("scikit-image", "PyWavelets", "pillow", "torch")  # a few studies need them


def provenance(config: Any, preset: str) -> dict[str, Any]:
    """What it takes to make a figure again: config, versions, device, commit."""
    return {
        "config": settings(config, preset),
        "versions": versions(),
        "device": f"{len(jax.devices())} x {_device()}",
        "commit": _commit(),
    }


def settings(config: Any, preset: str) -> dict[str, Any]:
    """A config, and the preset that it began with, as plain values."""
    return {"preset": preset} | _plain(dataclasses.asdict(config))


def versions() -> dict[str, str]:
    """Of Python and of the libraries that a result depends on."""
    there = {found.name.lower() for found in importlib.metadata.distributions() if found.name}
    extras = [name for name in OPTIONAL if name.lower() in there]
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in (*PACKAGES, *extras)
    }


def stamp_of_code_and_device() -> str:
    """64 digits that change with the code of a cell, the libraries and the kind of device.

    A cell that other code has trained is not this code's cell.
    """
    code = _sources(code_of(*_modules(FAMILIES), but=_modules(WORDS)))
    libraries = [importlib.metadata.version(name) for name in PACKAGES[:5]]
    return identity(code, libraries, _device())


def stamp_of_table(script: Path) -> str:
    """64 digits that change with the code behind an experiment's table: the script's own, but for
    what draws and judges, and that of what it imports.
    """
    imported = code_of(script, but=_modules(DRIVER))
    own = significant(script.read_text(encoding="utf-8"), but=JUDGING)
    return identity(own, _sources(imported - {script}))


def stamp_of_figure(script: Path) -> str:
    """64 digits that change with the code behind an experiment's figure and claims."""
    return identity(_sources(code_of(script, but=_modules(("study", *WORDS)))))


def significant(source: str, but: Collection[str] = ()) -> str:
    """Python source without blank lines, docstrings and lines of comment, which change no result.

    but: names of functions and values of the module that are left out as well.
    """
    tree, dropped = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            dropped |= _lines(node)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in but:
            dropped |= _lines(node)
        if isinstance(node, ast.Assign) and any(ast.unparse(t) in but for t in node.targets):
            dropped |= _lines(node)
    lines = enumerate(source.splitlines(), 1)
    kept = [line.rstrip() for number, line in lines if number not in dropped]
    return "\n".join(line for line in kept if line and not line.lstrip().startswith("#"))


def _modules(names: Sequence[str]) -> list[Path]:
    return [PACKAGE / f"{name}.py" for name in names]


def _lines(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _sources(files: Iterable[Path]) -> list[tuple[str, str]]:
    return [(path.name, significant(path.read_text(encoding="utf-8"))) for path in sorted(files)]


def code_of(*files: Path, but: Collection[Path] = ()) -> set[Path]:
    """Files, and those of this package that they import, and so on.

    but: files that are left out, and what only they import.
    """
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        path = waiting.pop()
        if path not in found and path not in but:
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
