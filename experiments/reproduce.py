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
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import gallery
from common.page import MARK, page_of

from shortcut1d import errors, store
from shortcut1d.errors import InvalidInput, Shortcut1dError
from shortcut1d.harness import driver, options, provenance
from shortcut1d.harness.driver import KEPT, Experiment
from shortcut1d.harness.options import FIGURES, RESULTS
from shortcut1d.harness.progress import Output, output

HERE = Path(__file__).resolve().parent
# Each study, and about how many seconds it takes at preset quick on 2 cores: what the time left is
# estimated from.
STORY = {
    "music_note": 45, "twins": 60, "phase_diagram": 60, "more_data": 70, "sweet_spot": 10,
    "dynamics": 60, "architecture": 180, "remedies": 120, "generative_prior": 120,
    "jacobian_portrait": 60, "image_deraining": 180, "image_restoration": 240,
    "image_capacity": 60, "image_vs_signal": 30, "image_prior": 240, "diagnose_images": 15,
    "published_networks": 300,
}  # fmt: skip
APART = {"benchmark": 240}  # it measures the machine, which must have nothing else to do
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
        help="size of the runs (default: quick); kept: as the figures of the repository",
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"some of {', '.join((*STORY, *APART))}"
    )
    parser.add_argument(
        "--out",
        type=options.as_folder,
        metavar="DIR",
        help=f"folder of it all (default: {RESULTS}; of preset kept and --check: {FIGURES})",
    )
    parser.add_argument("--check", action="store_true", help="run nothing: check what is there")
    options.add_output(parser)
    chosen = parser.parse_args(argv)
    if chosen.check and chosen.preset:
        parser.error("--check runs nothing, so it takes no --preset")
    kept = chosen.check or chosen.preset == KEPT
    out = chosen.out or (FIGURES if kept else RESULTS)
    try:
        for name in chosen.only or ():
            errors.choice("only", name, (*STORY, *APART))
        with output(quiet=chosen.quiet, json=chosen.json) as printed:
            if chosen.check:
                return check(out, chosen.only, printed)
            preset, names = chosen.preset or "quick", list(chosen.only or STORY)
            return reproduce(out, preset, names, printed)
    except Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        said = "interrupted; the same command goes on where it was"
        print(f"{parser.prog}: {said}", file=sys.stderr)
        return 130


def reproduce(out: Path, preset: str, names: Sequence[str], printed: Output) -> int:
    """Run or draw what is not there yet, and write the page after each study; the exit status."""
    store.writable_folder(out)
    for name, mark in MARKS.items():
        refuse_to_replace(out / name, mark)
    began, todo = time.perf_counter(), {}
    for experiment in map(load, names):
        config = experiment.presets[preset]
        todo[experiment.name] = judge(out, experiment, provenance.settings(config, preset)).todo
    made: list[dict[str, Any]] = []
    for number, (name, what) in enumerate(todo.items(), 1):
        place = f"{number} of {len(todo)}"
        status, seconds = THERE, 0.0
        if what is None:
            print(f"== {name} ({place}): there, made by this code with these settings", flush=True)
        else:
            print(f"== {name} ({place}{left(made, todo, preset)})", flush=True)
            status, seconds = run(name, what, preset, out, printed)
            print(f"== {name}: {status} after {in_words(seconds)}", flush=True)
        made.append({"study": name, "status": status, "seconds": round(seconds, 1)})
        write_pages(out)
    unfinished = [study["study"] for study in made if study["status"] == NOT_FINISHED]
    done = len(made) - len(unfinished)
    print(f"{done} of {len(made)} studies, in {in_words(time.perf_counter() - began)}")
    if unfinished:
        print(f"not finished: {', '.join(unfinished)}", file=sys.stderr)
    print(out / INDEX)
    claims = {study.name: study.record["claims"] for study in studies_in(out)[0]}
    for study in made:
        finished = study["status"] != NOT_FINISHED
        study["claims"] = claims.get(study["study"]) if finished else None
    printed.finish({"preset": preset, "studies": made, "page": str(out / INDEX)})
    return 1 if unfinished else 0


def run(name: str, what: str, preset: str, out: Path, printed: Output) -> tuple[str, float]:
    """Run or draw a study in a process of its own; how that ended, and the seconds it took."""
    words = ["--only-plot"] if what == DRAW else ["--preset", preset]
    words += ["--out", str(out), *(["--quiet"] if printed.quiet else [])]
    began = time.perf_counter()
    # 2 is standard error: with --json, all but the document goes there.
    failed = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py"), *words],
        check=False,
        stdout=2 if printed.document else None,
    ).returncode
    return NOT_FINISHED if failed else FINISHED, time.perf_counter() - began


def left(made: Sequence[dict[str, Any]], todo: dict[str, str | None], preset: str) -> str:
    """About how much time is left; empty where nothing says how fast studies run."""

    def usual(names: Iterable[str]) -> int:
        seconds = STORY | APART
        return sum(DRAWING if todo[name] == DRAW else seconds[name] for name in names if todo[name])

    ran = {study["study"]: study["seconds"] for study in made if study["status"] == FINISHED}
    if not ran and preset != "quick":
        return ""
    pace = sum(ran.values()) / usual(ran) if ran else 1
    return f", about {in_words(pace * usual([*todo][len(made) :]))} left"


def in_words(seconds: float) -> str:
    """A time, in the unit that suits it."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def refuse_to_replace(path: Path, mark: str) -> None:
    """Refuse to replace a page that this script did not write: one that lacks the mark.

    Raises:
        InvalidInput: there is such a page.
    """
    if path.is_file() and not path.read_bytes().startswith(mark.encode()):
        raise InvalidInput(f"out: {path} was not written by reproduce.py, expected another folder")


class Standing(NamedTuple):
    """Whether a saved study is up to date.

    todo: RUN or DRAW, what it takes to bring it up to date; None if it is.
    why: reasons, in words.
    """

    todo: str | None
    why: list[str]


RUN, DRAW = "run", "draw"
THERE, FINISHED, NOT_FINISHED = "there", "finished", "not finished"
DRAWING = 5  # seconds, about, that it takes to draw a study


def judge(out: Path, experiment: Experiment, settings: dict[str, Any] | None = None) -> Standing:
    """Whether a study's table, claims and figure are there, agree, and are by the code as it is.

    settings: what it should have been run with, under the installed libraries; None: any.
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
    except Exception as error:  # claims may raise anything on a table that they do not fit
        why.append(f"the table has no claims ({error!r})")
    if record.get("code_of_figure") != stamps["code_of_figure"]:
        why.append("the figure was drawn by other code")
    gone = [s for s in ("png", "pdf") if not (out / f"{experiment.name}.{s}").is_file()]
    why += [f"{out / experiment.name}.{suffix} is gone" for suffix in gone]
    return Standing(DRAW if why else None, why)


def check(out: Path, names: Sequence[str] | None, printed: Output) -> int:
    """Say which saved studies and pages are not up to date, and why; the exit status."""
    there = [name for name in (*STORY, *APART) if (out / f"{name}.json").is_file()]
    for name in names or there or STORY:
        if name not in there:
            raise errors.refuse("out", str(out), f"a folder with a table of {name}")
    found = {}
    for name in names or there:
        found[name] = judge(out, load(name)).why
        said = "; ".join(found[name]) or "the table supports its claims, by this code"
        print(f"{name}: {said}", flush=True)
    stand = {}
    for name, page in pages(out).items():
        path = out / name
        stand[str(path)] = path.is_file() and path.read_bytes() == page.encode()
        if not stand[str(path)]:
            print(f"{path}: not what the tables say (any run of reproduce.py writes it)")
    printed.finish({"studies": found, "pages": stand})
    return 0 if all(stand.values()) and not any(found.values()) else 1


# What a provenance file must have, and each claim in it.
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
    return {INDEX: page_of(out, studies, left_out), GALLERY: gallery.page(studies, left_out)}


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
