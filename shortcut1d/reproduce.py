"""All studies, one after the other: what `experiments/reproduce.py` runs, and checks."""

import argparse
import functools
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shortcut1d import errors, gallery, options, provenance, store, study
from shortcut1d.errors import InvalidInput, Shortcut1dError
from shortcut1d.study import Experiment, complain

HERE = study.ROOT / "experiments"
STORY = (
    "music_note", "phase_diagram", "complexity", "dynamics", "capacity", "more_data", "sweet_spot",
    "architecture", "remedies", "generative_prior", "image_deraining", "image_restoration",
    "image_vs_signal", "image_prior", "calibration", "jacobian_portrait", "classical_filters",
    "diagnose_images",
)  # fmt: skip
APART = ("benchmark",)  # it measures the machine, which must have nothing else to do
PAGE = "README.md"
KEPT = "kept"  # instead of a preset


def main(description: str, argv: Sequence[str] | None = None) -> int:
    """Run, or check, what the command line names; the exit status.

    0 when all is well, 1 when a study did not run or a check failed, 2 for a bad option, 130 when
    interrupted.
    """
    parser = options.Parser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--preset",
        choices=["smoke", "quick", "full", KEPT],
        default="quick",
        help="size of the runs (default: quick), or the settings of the tables that are there",
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"some of {', '.join((*STORY, *APART))}"
    )
    parser.add_argument(
        "--out", type=Path, default=study.ROOT / "figures", metavar="DIR", help="folder of it all"
    )
    parser.add_argument("--check", action="store_true", help="run nothing: check what is there")
    chosen = parser.parse_args(argv)
    try:
        for name in chosen.only or ():
            errors.choice("only", name, (*STORY, *APART))
        if chosen.check:
            return check(chosen.out, chosen.only)
        return reproduce(chosen.out, chosen.preset, chosen.only or STORY)
    except Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        complain(f"{parser.prog}: interrupted; the same command goes on where it was")
        return 130


def reproduce(out: Path, preset: str, names: Sequence[str]) -> int:
    """Run what is not there yet, and write the page after each study; the exit status."""
    store.writable_folder(out)
    plan = [(name, *planned(out, load(name), preset)) for name in names]
    unfinished = []
    for name, began_with, config in plan:
        experiment = load(name)
        if is_there(out, experiment, provenance.settings(config, began_with)):
            print(f"== {name}: there, made by this code with these settings", flush=True)
        else:
            print(f"== {name}", flush=True)
            words = words_of(experiment, began_with, config)
            if subprocess.run([sys.executable, *words, "--out", out], check=False).returncode:
                unfinished.append(name)
        store.write_atomic(out / PAGE, page(out).encode())
    if unfinished:
        complain(f"not finished: {', '.join(unfinished)}")
    print(out / PAGE)
    return 1 if unfinished else 0


def planned(out: Path, experiment: Experiment, preset: str) -> tuple[str, Any]:
    """The preset that a run begins with, and its config.

    Raises:
        InvalidInput: the settings of a table that is not there, or that are not settings.
    """
    if preset in experiment.presets:
        return preset, experiment.presets[preset]
    kept = dict(store.read_json(out / f"{experiment.name}.json").get("config", {}))
    with errors.known_as(f"{out / experiment.name}.json"):
        began_with = errors.choice("preset", kept.pop("preset", None), experiment.presets)
    return began_with, options.restored(type(experiment.presets["quick"]), kept)


def words_of(experiment: Experiment, preset: str, config: Any) -> list[str]:
    """The command line of a run, from the script on."""
    changed = options.arguments(config, experiment.presets[preset])
    return [str(HERE / f"{experiment.name}.py"), "--preset", preset, *changed]


def is_there(out: Path, experiment: Experiment, settings: dict[str, Any]) -> bool:
    """Whether the study is finished, by this code and these libraries, with these settings."""
    if not (out / f"{experiment.name}.json").is_file():
        return False
    try:
        record = store.read_json(out / f"{experiment.name}.json")
        alike = (record.get("config"), record.get("versions")) == (settings, provenance.versions())
        return alike and not problems(out, experiment)
    except InvalidInput:
        return False


def check(out: Path, names: Sequence[str] | None) -> int:
    """Say what of the studies that are there no longer stands; the exit status."""
    there = [name for name in (*STORY, *APART) if (out / f"{name}.json").is_file()]
    for name in names or there or STORY:
        if name not in there:
            raise errors.refuse("out", str(out), f"a folder with a table of {name}")
    wrong = 0
    for name in names or there:
        try:
            found = problems(out, load(name))
        except InvalidInput as error:
            found = [str(error)]
        wrong += bool(found)
        print(f"{name}: {'; '.join(found) or 'the table supports its claims, by this code'}")
    printed = out / PAGE
    if not printed.is_file() or printed.read_bytes() != page(out).encode():
        print(f"{printed}: not what the tables say (any run of reproduce.py writes it)")
        wrong += 1
    return 1 if wrong else 0


def problems(out: Path, experiment: Experiment) -> list[str]:
    """What is wrong with a study that is there.

    Raises:
        InvalidInput: its files are missing or damaged.
    """
    record = store.read_json(out / f"{experiment.name}.json")
    table, table_data = store.read_table(out / f"{experiment.name}.csv")
    _, arrays_data = store.read_arrays(out / f"{experiment.name}.npz")
    found = []
    if record.get("table_sha256") != store.checksum(table_data, arrays_data):
        found.append("the table is not the one that its provenance describes")
    elif [claim.record() for claim in experiment.claims(table)] != record.get("claims"):
        found.append("the table does not give the claims as printed (--only-plot prints them)")
    if record.get("code") != study.code_behind(experiment):
        found.append("the table was made by other code")
    return found


def page(out: Path) -> str:
    """The gallery of the studies that are there."""
    shown = []
    for name in (*STORY, *APART):
        if (out / f"{name}.json").is_file():
            experiment, record = load(name), store.read_json(out / f"{name}.json")
            words = words_of(experiment, *planned(out, experiment, KEPT))
            command = " ".join(["python", f"experiments/{name}.py", *words[1:]])
            shown.append(gallery.Shown(name, experiment.message, command, record))
    return gallery.page(shown)


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
