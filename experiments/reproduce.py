"""All studies, one after the other, and what they found: index.html and gallery.md in --out.

Each runs in a process of its own. A study that is finished, by the same code with the same
settings, is not run again; one that was interrupted goes on from its finished cells. --check runs
and draws nothing: it says whether the tables in --out support the claims as they are printed, and
were made by the code as it stands. Preset "kept" makes the figures of the repository again.
"""

import argparse
import functools
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import gallery
from common.page import MARK, page_of

from shortcut1d import errors, store
from shortcut1d.errors import InvalidInput, Shortcut1dError
from shortcut1d.harness import driver, options, provenance
from shortcut1d.harness.driver import KEPT, Experiment
from shortcut1d.harness.options import FIGURES, RESULTS
from shortcut1d.harness.progress import warn

HERE = Path(__file__).resolve().parent
STORY = (
    "music_note", "twins", "phase_diagram", "more_data", "sweet_spot", "dynamics", "architecture",
    "remedies", "generative_prior", "jacobian_portrait", "image_deraining", "image_restoration",
    "image_capacity", "image_vs_signal", "image_prior", "diagnose_images",
    "published_networks",
)  # fmt: skip
APART = ("benchmark",)  # it measures the machine, which must have nothing else to do
INDEX, GALLERY = "index.html", "gallery.md"
MARKS = {INDEX: MARK, GALLERY: gallery.HEADING}  # what they begin with


def main(argv: Sequence[str] | None = None) -> int:
    """Run, or check, what the command line names; the exit status.

    0 when all is well, 1 when a study did not run or a check failed, 2 for a bad option, 130 when
    interrupted.
    """
    parser = options.Parser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--preset",
        choices=["smoke", "quick", "full", KEPT],
        default="quick",
        help="size of the runs (default: quick); kept: as the figures of the repository",
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"some of {', '.join((*STORY, *APART))}"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"folder of it all (default: {RESULTS}; of preset kept and --check: {FIGURES})",
    )
    parser.add_argument("--check", action="store_true", help="run nothing: check what is there")
    chosen = parser.parse_args(argv)
    kept = chosen.check or chosen.preset == KEPT
    out = chosen.out or (FIGURES if kept else RESULTS)
    try:
        for name in chosen.only or ():
            errors.choice("only", name, (*STORY, *APART))
        if chosen.check:
            return check(out, chosen.only)
        return reproduce(out, chosen.preset, chosen.only or STORY)
    except Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        warn(f"{parser.prog}: interrupted; the same command goes on where it was")
        return 130


def reproduce(out: Path, preset: str, names: Sequence[str]) -> int:
    """Run or draw what is not there yet, and write the page after each study; the exit status."""
    store.writable_folder(out)
    for name, mark in MARKS.items():
        refuse_to_replace(out / name, mark)
    unfinished = []
    for experiment in [load(name) for name in names]:
        config = experiment.presets[preset]
        standing = judge(out, experiment, provenance.settings(config, preset))
        if standing.todo is None:
            print(f"== {experiment.name}: there, made by this code with these settings", flush=True)
        else:
            print(f"== {experiment.name}", flush=True)
            words = ["--only-plot"] if standing.todo == DRAW else ["--preset", preset]
            script = str(HERE / f"{experiment.name}.py")
            command = [sys.executable, script, *words, "--out", str(out)]
            if subprocess.run(command, check=False).returncode:
                unfinished.append(experiment.name)
        write_pages(out)
    if unfinished:
        warn(f"not finished: {', '.join(unfinished)}")
    print(out / INDEX)
    return 1 if unfinished else 0


def refuse_to_replace(path: Path, mark: str) -> None:
    """Refuse a folder with such a page that was not written by this script: it has no mark.

    Raises:
        InvalidInput: it was not.
    """
    if path.is_file() and not path.read_bytes().startswith(mark.encode()):
        raise InvalidInput(f"out: {path} was not written by reproduce.py, expected another folder")


class Standing(NamedTuple):
    """Whether a study that is there still stands.

    todo: RUN or DRAW, what it takes to make it stand; None if it does.
    why: reasons, in words.
    """

    todo: str | None
    why: list[str]


RUN, DRAW = "run", "draw"


def judge(out: Path, experiment: Experiment, settings: dict[str, Any] | None = None) -> Standing:
    """Whether a study's table, claims and figure are there, agree, and are by the code as it is.

    settings: that it should have been run with, by the libraries that are installed; None: any.
    """
    try:
        record = record_of(out, experiment.name)
        table, table_data = store.read_table(out / f"{experiment.name}.csv")
        _, arrays_data = store.read_arrays(out / f"{experiment.name}.npz")
    except InvalidInput as error:
        return Standing(RUN, [str(error)])
    stamps = driver.stamps(experiment)
    why = []
    if record["table_sha256"] != store.checksum(table_data, arrays_data):
        why.append("the table is not the one that its provenance describes")
    if record.get("code") != stamps["code"]:
        why.append("the table was made by other code")
    if experiment.registration and record["config"]["preset"] == KEPT:
        why += experiment.registration.broken(record)
    if settings is not None and record["config"] != settings:
        why.append("it was run with other settings")
    if settings is not None and record["versions"] != provenance.versions():
        why.append("it was run with other libraries")
    if why:
        return Standing(RUN, why)
    try:
        if [claim.record() for claim in experiment.claims(table)] != record["claims"]:
            why.append("the table does not give the claims as printed")
    except Exception as error:  # whatever a table that claims do not fit makes of them
        why.append(f"the table has no claims ({error!r})")
    if record.get("code_of_figure") != stamps["code_of_figure"]:
        why.append("the figure was drawn by other code")
    gone = [s for s in ("png", "pdf") if not (out / f"{experiment.name}.{s}").is_file()]
    why += [f"{out / experiment.name}.{suffix} is gone" for suffix in gone]
    return Standing(DRAW if why else None, why)


def check(out: Path, names: Sequence[str] | None) -> int:
    """Say what of the studies that are there no longer stands; the exit status."""
    there = [name for name in (*STORY, *APART) if (out / f"{name}.json").is_file()]
    for name in names or there or STORY:
        if name not in there:
            raise errors.refuse("out", str(out), f"a folder with a table of {name}")
    wrong = 0
    for name in names or there:
        why = judge(out, load(name)).why
        wrong += bool(why)
        print(f"{name}: {'; '.join(why) or 'the table supports its claims, by this code'}")
    for name, page in pages(out).items():
        printed = out / name
        if not printed.is_file() or printed.read_bytes() != page.encode():
            print(f"{printed}: not what the tables say (any run of reproduce.py writes it)")
            wrong += 1
    return 1 if wrong else 0


# Of a provenance file, and of a claim in it.
FIELDS = {
    "config": dict, "command": str, "versions": dict, "device": str, "claims": list,
    "table_sha256": str, "wall_time_seconds": int | float, "cells_from_earlier_runs": int,
}  # fmt: skip
CLAIM_FIELDS = {
    "statement", "statistic", "value", "interval_95", "count", "over", "side", "threshold",
    "margin", "p", "primary", "verdict", "sentences", "domain",
}  # fmt: skip


def record_of(out: Path, name: str) -> dict[str, Any]:
    """A study's provenance file.

    Raises:
        InvalidInput: missing, damaged, or one of something else.
    """
    path = out / f"{name}.json"
    record = store.read_json(path)
    for field, kind in FIELDS.items():
        if not isinstance(record.get(field), kind):
            raise InvalidInput(f"{path}: {field} is missing, or of another type")
    for claim in record["claims"]:
        if not isinstance(claim, dict) or not set(claim) >= CLAIM_FIELDS:
            raise InvalidInput(f"{path}: a claim is damaged")
    return record


def pages(out: Path) -> dict[str, str]:
    """The pages of the studies that are there, by file name."""
    studies, left_out = studies_in(out)
    return {
        INDEX: page_of(out, studies, left_out),
        GALLERY: gallery.page(studies, left_out),
    }


def write_pages(out: Path) -> None:
    """Write the pages of the studies that are there."""
    for name, page in pages(out).items():
        store.write_atomic(out / name, page.encode())


def studies_in(out: Path) -> tuple[list[gallery.Study], list[str]]:
    """The studies in a folder, and why others that are there cannot be shown."""
    studies, left_out = [], []
    for name in (*STORY, *APART):
        if (out / f"{name}.json").is_file():
            try:
                studies.append(gallery.Study(name, load(name).message, record_of(out, name)))
            except InvalidInput as error:
                left_out.append(str(error))
    return studies, left_out


@functools.cache
def load(name: str) -> Experiment:
    """The experiment of a script."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.experiment


if __name__ == "__main__":
    sys.exit(main())
