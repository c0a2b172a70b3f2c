"""What it takes to make a result again: config, versions, device, commit, stamps of the code."""

import ast
import dataclasses
import functools
import importlib.metadata
import platform
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import jax

from shortcut1d.data.family import identity

PACKAGE = Path(__file__).resolve().parent.parent
CELL_FOLDERS = ("data", "networks", "training", "analysis")  # what trains and tests a cell
TABLE_ROOMS = {*CELL_FOLDERS, "diagnosis", "cli"}  # what a number of a table may come from
FIGURE_ROOMS = {"analysis", "diagnosis", "plotting", "cli"}
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "pandas", "matplotlib")
CELL_LIBRARIES = LIBRARIES[:5]
CODE = ("shortcut1d", "experiments", "pyproject.toml")  # changes here since the commit are noted
OPTIONAL = ("scikit-image", "PyWavelets", "bm3d", "pillow", "torch")  # a few studies need them


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
    """Versions of Python and of the libraries that a result depends on."""
    there = {found.name.lower() for found in importlib.metadata.distributions() if found.name}
    extras = [name for name in OPTIONAL if name.lower() in there]
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in (*LIBRARIES, *extras)
    }


def stamp_of_cells() -> str:
    """64 hex digits that change with the code of a cell, the libraries and the kind of device.

    A cell trained by other code is not this code's cell.
    """
    libraries = [importlib.metadata.version(name) for name in CELL_LIBRARIES]
    files = [path for name in CELL_FOLDERS for path in sorted((PACKAGE / name).rglob("*.py"))]
    return identity(_code(files), libraries, _device())


def stamp_of_table(script: Path) -> str:
    """64 hex digits that change with the code behind a study's table.

    That is its `run`, what `run` uses of the script and of modules beside it, and what these import
    of the package, directly or not. Code that only draws or judges does not change it.
    """
    source = script.read_text(encoding="utf-8")
    own = significant(source, behind="run")
    used = _imported(script, _used_by(ast.parse(source), "run"), TABLE_ROOMS)
    return identity(own, _code(sorted(used)))


def stamp_of_figure(script: Path) -> str:
    """64 hex digits that change with the code behind a study's figure and claims."""
    used = _imported(script, None, FIGURE_ROOMS) | {PACKAGE / "harness" / "claims.py"}
    return identity(_code([script, *sorted(used)]))


@functools.cache  # of a source text: most studies share most modules
def significant(source: str, behind: str | None = None) -> str:
    """Python source without blank lines, docstrings and comment lines, which change no result.

    behind: a name of the module. Keep only its definition and all that it uses, directly or not.
    """
    tree, dropped = ast.parse(source), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            dropped |= _lines(node)
    if behind is not None:
        used = _used_by(tree, behind)
        for statement in tree.body:
            defined = _defined(statement)
            if defined and not defined & used:
                dropped |= _lines(statement)
    lines = enumerate(source.splitlines(), 1)
    kept = [line.rstrip() for number, line in lines if number not in dropped]
    return "\n".join(line for line in kept if line and not line.lstrip().startswith("#"))


def _used_by(tree: ast.Module, name: str) -> set[str]:
    """A name of a module, the names that its definition uses, and so on."""
    used, waiting = set(), {name}
    while waiting:
        used |= waiting
        found = {
            part.id
            for statement in tree.body
            if _defined(statement) & waiting
            for part in ast.walk(statement)
            if isinstance(part, ast.Name)
        }
        waiting = found - used
    return used


def _defined(statement: ast.stmt) -> set[str]:
    """Names that a statement of a module defines; an import counts as defining none."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return {
            part.id
            for part in ast.walk(statement)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
    return set()


def _imported(script: Path, names: Collection[str] | None, rooms: Collection[str]) -> set[Path]:
    """Modules that a script imports, and those that they import, directly or not.

    Args:
        script: of a study.
        names: which of the script's imports count; None for all.
        rooms: folders of the package that count, and modules beside them.
    """
    found: set[Path] = set()
    waiting = [(script, names)]
    while waiting:
        path, wanted = waiting.pop()
        for source, name, known_as in _imports(path.read_text(encoding="utf-8")):
            used = wanted is None or known_as in wanted
            module = _file(script.parent, source, name) if used else None
            if module and module not in found and _counts(module, rooms):
                found.add(module)
                waiting.append((module, None))
    return found


@functools.cache
def _imports(source: str) -> list[tuple[str, str, str]]:
    """Of each `from module import name as known_as` in a module: module, name, known_as."""
    return [
        (node.module, alias.name, alias.asname or alias.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    ]


def _file(folder: Path, module: str, name: str) -> Path | None:
    """The file behind `from module import name`, where it is of the package or the folder."""
    own = module.split(".")[0] == PACKAGE.name
    source = (PACKAGE.parent if own else folder).joinpath(*module.split("."))
    files = source.with_suffix(".py"), source / f"{name}.py", source / name / "__init__.py"
    return next((file for file in (*files, source / "__init__.py") if file.is_file()), None)


def _counts(module: Path, rooms: Collection[str]) -> bool:
    if PACKAGE not in module.parents:
        return True
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py") in rooms


def _lines(node: ast.stmt) -> set[int]:
    first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
    return set(range(first, (node.end_lineno or node.lineno) + 1))


def _code(files: Iterable[Path]) -> list[tuple[str, str]]:
    return [
        (f"{path.parent.name}/{path.name}", significant(path.read_text(encoding="utf-8")))
        for path in files
    ]


def _device() -> str:
    return f"{jax.devices()[0].device_kind} ({platform.machine()})"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def _commit() -> str | None:
    """The commit of the code that ran, with a mark if the code has changed since.

    None outside a checkout: site-packages may lie in some other repository.
    """
    checkout = PACKAGE.parent
    if not (checkout / ".git").exists():
        return None
    head = git(checkout, "rev-parse", "HEAD")
    changes = git(checkout, "status", "--porcelain", "--", *CODE)
    if head is None or changes is None:
        return None
    return head + (" (changed since)" if changes else "")


def git(folder: Path, *words: str) -> str | None:
    """What git says in a folder; None where it fails, or is not installed."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
