"""A config dataclass as command-line options: one field, one option."""

import argparse
import dataclasses
import difflib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from shortcut1d import errors
from shortcut1d.datasets import VARIABLE

RESULTS, FIGURES = Path("results"), Path("figures")  # in the folder that a script is run from


def option(default: Any, help: str) -> Any:  # noqa: A002 (argparse's own word)
    """A config field with its line of `--help`."""
    return dataclasses.field(default=default, metadata={"help": help})


def as_folder(text: str) -> Path:
    """The value of an option that names a folder; refuses '', which an unset variable gives."""
    if not text:
        raise argparse.ArgumentTypeError("got '', expected a folder")
    return Path(text)


class Parser(argparse.ArgumentParser):
    """Bad options end in one line that names them and the nearest known one, and exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print one line, exit with 2."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            typed = unknown.split()[0].split("=")[0]
            known = [name for action in self._actions for name in action.option_strings]
            near = difflib.get_close_matches(typed, known, n=1)
            message = f"unknown option {typed}"
            message += f", did you mean {near[0]}?" if near else " (--help lists them all)"
        self.exit(2, f"{self.prog}: {message}\n")


def parser(
    description: str, config: type, presets: Mapping[str, Any], *, prog: str | None = None
) -> argparse.ArgumentParser:
    """The command line of a study.

    Args:
        description: what `--help` says first.
        config: dataclass whose fields become options.
        presets: name to config; `--help` shows what each preset sets a field to.
        prog: what the command is called; by default the name of the script.
    """
    made = Parser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "--preset",
        choices=list(presets),
        default="quick",
        help="size of the run: smoke for a test in seconds, quick for minutes on a laptop, "
        "full for a reviewer, kept for the figure of the repository (default: quick)",
    )
    made.add_argument(
        "--out",
        type=as_folder,
        metavar="DIR",
        help=f"folder of what is made (default: {RESULTS}; of preset kept: {FIGURES})",
    )
    made.add_argument(
        "--data",
        type=as_folder,
        metavar="DIR",
        help=f"folder of data sets (default: {VARIABLE}, or the user's cache; "
        "`shortcut1d data get` fills it)",
    )
    made.add_argument(
        "--only-plot",
        action="store_true",
        help="train nothing: draw the figure and judge the claims again from the table in --out",
    )
    made.add_argument(
        "--fresh", action="store_true", help="train all cells, those finished earlier too"
    )
    made.add_argument(
        "--chunk",
        type=int,
        metavar="N",
        help="cells trained at once, and lost at most when the run is killed "
        "(default: as the device's memory allows)",
    )
    made.add_argument(
        "--distributed",
        nargs="*",
        metavar="ARG",
        help="share the cells among the processes of a job that JAX finds by itself (SLURM, Open "
        "MPI, Kubernetes, TPU pods), or give HOST:PORT of the first process, this one's number "
        "from 0, and their count",
    )
    add_output(made)
    hints = typing.get_type_hints(config)
    group = made.add_argument_group(f"the study (defaults by preset: {' / '.join(presets)})")
    for field in dataclasses.fields(config):
        shown = [_shown(getattr(preset, field.name)) for preset in presets.values()]
        default = shown[0] if len(set(shown)) == 1 else " / ".join(shown)
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            dest=field.name,
            default=argparse.SUPPRESS,
            help=f"{field.metadata['help']} ({default})".replace("%", "%%"),
            **_settings(hints[field.name]),
        )
    return made


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--quiet` and `--json`, which all commands have."""
    parser.add_argument(
        "--quiet",
        action="store_true",
        help="print errors only, and what --json asks for; warnings are still in the record",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON document on standard output, and all else on standard error",
    )


def given(namespace: argparse.Namespace, config: type) -> dict[str, Any]:
    """The config fields that the command line sets."""
    names = {field.name for field in dataclasses.fields(config)}
    chosen = {name: value for name, value in vars(namespace).items() if name in names}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in chosen.items()}


def words(namespace: argparse.Namespace, config: type) -> list[str]:
    """The command line again: the preset, and the config fields that it sets."""
    words = ["--preset", namespace.preset]
    for name, value in given(namespace, config).items():
        option_name = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option_name}" if value else f"--no-{option_name}")
        else:
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{option_name}", *map(str, values)]
    return words


def _settings(hint: Any) -> dict[str, Any]:
    _, kind, element = errors.unwrap_hint(hint)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if kind is tuple:
        return {"type": element, "nargs": "+", "metavar": _metavar(element)}
    return {"type": kind, "metavar": _metavar(kind)}


def _metavar(kind: type) -> str:
    return {int: "N", float: "X", str: "NAME", Path: "FILE"}[kind]


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
