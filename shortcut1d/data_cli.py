"""The command `shortcut1d data`: list public data sets, and download them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pooch

from shortcut1d import datasets
from shortcut1d.errors import Shortcut1dError
from shortcut1d.harness.driver import INTERRUPTED
from shortcut1d.harness.options import Parser
from shortcut1d.harness.progress import Bar, CtrlC
from shortcut1d.training.grid import ProgressReport

WHERE = f"(default: {datasets.VARIABLE}, or the user's cache)"


def main(words: Sequence[str]) -> int:
    """Run the command; the exit status: 0 when it ran, 2 for bad input, 130 when interrupted."""
    parser = Parser(
        prog="shortcut1d data", description="Public data sets and trained networks of others."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="{list,get}")
    shown = actions.add_parser("list", help="what there is, its terms, and whether it is here")
    shown.add_argument("--data", type=Path, metavar="DIR", help=f"folder of data sets {WHERE}")
    got = actions.add_parser("get", help="download what is missing or damaged, and check it")
    got.add_argument("names", nargs="+", metavar="NAME", help="of a data set; `all` for all")
    got.add_argument("--to", type=Path, metavar="DIR", help=f"folder of data sets {WHERE}")
    chosen = parser.parse_args(words)
    try:
        if chosen.action == "list":
            print(table(chosen.data))
        else:
            get(chosen)
    except Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        said = "interrupted; the same command goes on from the files that are here"
        print(f"{parser.prog}: {said}", file=sys.stderr)
        return INTERRUPTED
    return 0


def table(data: Path | None) -> str:
    """What there is, and how much of it is in a folder of data sets."""
    lines = [f"{'name':<20} {'files':>5} {'MB':>6}  in {datasets.root_of(data)}"]
    for name, found in datasets.DATASETS.items():
        size = sum(file.size for file in found.files) / 1e6
        state = datasets.state_of(name, data)
        lines += [
            f"{name:<20} {len(found.files):>5} {size:>6.1f}  {state}",
            f"    {found.what}",
            f"    https://github.com/{found.repository}/tree/{found.commit[:7]}/{found.path}",
            f"    terms: {found.terms}",
        ]
    return "\n".join(lines)


def get(chosen: argparse.Namespace) -> None:
    """Download data sets, and say where they are.

    Raises:
        InvalidInput: no such data set, or one that could not be made complete.
    """
    every = list(datasets.DATASETS)
    names = [one for name in chosen.names for one in (every if name == "all" else [name])]
    pooch.get_logger().setLevel("WARNING")  # the bar says it
    with CtrlC() as ctrl_c, Bar("data", "files") as bar:

        def report(done: int, total: int) -> None:
            ctrl_c.check()
            bar.report(ProgressReport(done, total, 0))

        folders = datasets.fetch(names, chosen.to, report)
    for name, folder in zip(dict.fromkeys(names), folders, strict=True):
        print(f"{name}: complete, in {folder} (terms: {datasets.dataset(name).terms})")
