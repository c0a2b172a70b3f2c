"""The command `shortcut1d data`: list public data sets, and download them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pooch

from shortcut1d import datasets
from shortcut1d.errors import Shortcut1dError
from shortcut1d.harness.driver import INTERRUPTED
from shortcut1d.harness.options import Parser, add_output, as_folder
from shortcut1d.harness.progress import Bar, CtrlC, output
from shortcut1d.training.grid import ProgressReport

WHERE = f"(default: {datasets.VARIABLE}, or the user's cache)"


def main(words: Sequence[str]) -> int:
    """Run the command; the exit status: 0 when it ran, 2 for bad input, 130 when interrupted."""
    parser = Parser(
        prog="shortcut1d data", description="Public data sets and trained networks of others."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="{list,get}")
    shown = actions.add_parser("list", help="what there is, its terms, and whether it is here")
    shown.add_argument("--data", type=as_folder, metavar="DIR", help=f"folder of data sets {WHERE}")
    got = actions.add_parser("get", help="download what is missing or damaged, and check it")
    got.add_argument("names", nargs="+", metavar="NAME", help="of a data set; `all` for all")
    got.add_argument("--to", type=as_folder, metavar="DIR", help=f"folder of data sets {WHERE}")
    for action in (shown, got):
        add_output(action)
    chosen = parser.parse_args(words)
    try:
        with output(quiet=chosen.quiet, json=chosen.json) as printed:
            printed.finish(listed(chosen.data) if chosen.action == "list" else get(chosen))
    except Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        said = "interrupted; the same command goes on from the files that are here"
        print(f"{parser.prog}: {said}", file=sys.stderr)
        return INTERRUPTED
    return 0


def listed(data: Path | None) -> dict[str, Any]:
    """Print what there is, and how much of it is in a folder; return the same for `--json`."""
    root = datasets.root_of(data)
    lines, made = [f"{'name':<20} {'files':>5} {'MB':>6}  in {root}"], []
    for name in datasets.DATASETS:
        state = datasets.state_of(name, data)
        about = about_of(name, state.folder) | {"state": str(state)}
        lines += [
            f"{name:<20} {about['files']:>5} {about['bytes'] / 1e6:>6.1f}  {state}",
            f"    {about['what']}",
            f"    {about['source']}",
            f"    terms: {about['terms']}",
        ]
        made.append(about)
    print("\n".join(lines))
    return {"data": str(root), "data_sets": made}


def about_of(name: str, folder: Path) -> dict[str, Any]:
    """A data set as plain values."""
    found = datasets.dataset(name)
    return {
        "name": name,
        "what": found.what,
        "terms": found.terms,
        "source": f"https://github.com/{found.repository}/tree/{found.commit[:7]}/{found.path}",
        "folder": str(folder),
        "files": len(found.files),
        "bytes": sum(file.size for file in found.files),
    }


def get(chosen: argparse.Namespace) -> dict[str, Any]:
    """Download data sets, and say where they are; return the same for `--json`.

    Raises:
        InvalidInput: no such data set, or one that could not be made complete.
    """
    every = list(datasets.DATASETS)
    names = [one for name in chosen.names for one in (every if name == "all" else [name])]
    pooch.get_logger().setLevel("WARNING")  # the bar says it
    with CtrlC() as ctrl_c, Bar("data", "files") as bar:
        bar.doing("checking")

        def report(done: int, total: int) -> None:
            ctrl_c.check()
            doing = "downloading" if done < total else "checking"
            bar.report(ProgressReport(done, total, 0, doing=doing))

        folders = datasets.fetch(names, chosen.to, report)
    made = []
    for name, folder in zip(dict.fromkeys(names), folders, strict=True):
        about = about_of(name, folder)
        print(f"{name}: complete, in {folder} (terms: {about['terms']})")
        made.append(about | {"state": "complete"})
    return {"data": str(datasets.root_of(chosen.to)), "data_sets": made}
