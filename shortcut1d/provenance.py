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
    """64 digits that change with the code behind an experiment's table: its `run`, what that needs
    of the script, and what the script imports. What only draws and judges changes nothing.
    """
    imported = code_of(script, but=_modules(DRIVER))
    own = significant(script.read_text(encoding="utf-8"), behind="run")
    return identity(own, _sources(imported - {script}))


def stamp_of_figure(script: Path) -> str:
    """64 digits that change with the code behind an experiment's figure and claims."""
    return identity(_sources(code_of(script, but=_modules(("study", *WORDS)))))


def significant(source: str, behind: str | None = None) -> str:
    """Python source without blank lines, docstrings and lines of comment, which change no result.

    behind: a name of the module; what neither it needs nor what it needs is left out as well.
    """
    tree, dropped = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            dropped |= _lines(node)
    if behind is not None:
        needed = _needed(tree, behind)
        for statement in tree.body:
            made = _names_made(statement)
            if made and not made & needed:
                dropped |= _lines(statement)
    lines = enumerate(source.splitlines(), 1)
    kept = [line.rstrip() for number, line in lines if number not in dropped]
    return "\n".join(line for line in kept if line and not line.lstrip().startswith("#"))


def _needed(tree: ast.Module, name: str) -> set[str]:
    """A name of a module, and those that its definition uses, and so on."""
    needed, waiting = set(), {name}
    while waiting:
        needed |= waiting
        used = {
            part.id
            for statement in tree.body
            if _names_made(statement) & waiting
            for part in ast.walk(statement)
            if isinstance(part, ast.Name)
        }
        waiting = used - needed
    return needed


def _names_made(statement: ast.stmt) -> set[str]:
    """What a statement of a module gives names to; imports apart, which all of it may need."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return {
            part.id
            for part in ast.walk(statement)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
    return set()


def _modules(names: Sequence[str]) -> list[Path]:
    return [PACKAGE / f"{name}.py" for name in names]


def _lines(node: ast.stmt) -> set[int]:
    first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
    return set(range(first, (node.end_lineno or node.lineno) + 1))


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
