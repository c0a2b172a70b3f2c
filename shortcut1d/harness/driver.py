"""The driver of a study: command line, progress, saving and provenance.

A study is a config, `run(config, session) -> Result`, `plot(table, arrays) -> Figure` and
`claims(table) -> list[Claim]`. `plot` and `claims` are pure; what a run leaves is saved here.
"""

import argparse
import dataclasses
import inspect
import io
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shortcut1d import errors, plotting, store
from shortcut1d.data import audio
from shortcut1d.datasets import VARIABLE
from shortcut1d.errors import InvalidInput, Shortcut1dError
from shortcut1d.harness import options
from shortcut1d.harness.claims import Claim
from shortcut1d.harness.devices import join_processes, keep_programs, use_all_cores
from shortcut1d.harness.options import FIGURES, RESULTS
from shortcut1d.harness.progress import Bar, CtrlC, Output, leave_at_once, output, warn
from shortcut1d.harness.provenance import (
    provenance,
    settings,
    stamp_of_cells,
    stamp_of_figure,
    stamp_of_table,
)
from shortcut1d.harness.registration import Registration
from shortcut1d.networks import Network, Params, checkpoints
from shortcut1d.training import processes
from shortcut1d.training.cell_store import CellFolder
from shortcut1d.training.grid import ProgressReport
from shortcut1d.training.sweep import Session

INTERRUPTED = 130  # exit status, as shells have it
KEPT = "kept"  # the preset whose figures are kept in the repository


class Sound(NamedTuple):
    """Something to listen to.

    samples: amplitudes.
    rate: Hz.
    full_scale: the amplitude that becomes the loudest sample.
    """

    samples: np.ndarray
    rate: int
    full_scale: float


@dataclass(frozen=True)
class Result:
    """What a run leaves.

    table: one row per trained network and test.
    arrays: what else the figure shows (waveforms, images), by name.
    sounds: what to listen to, by name.
    models: trained networks to keep, their weights, and the shape of a sample, by name.
    files: further files, by what follows the study's name in their name ("_report.html").
    notes: lines for the record, beside the warnings.
    """

    table: pd.DataFrame
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    sounds: dict[str, Sound] = field(default_factory=dict)
    models: Mapping[str, tuple[Network, Params, tuple[int, ...]]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One study; the docstring of the module that defines `run` is what `--help` says first.

    name: of the files it makes.
    message: what its figure shows, for the gallery.
    presets: configs, by name; "quick" among them. "kept" is the one of the kept figure.
    run: trains and tests.
    plot: draws the table, under `plotting.style`.
    claims: judges the table.
    unit: what the progress bar counts.
    registration: the claims that were written down before the kept run, if any were.
    document: what `--json` prints of the table, beside the record.
    """

    name: str
    message: str
    presets: dict[str, Any]
    run: Callable[[Any, Session], Result]
    plot: Callable[[pd.DataFrame, dict[str, np.ndarray]], Figure]
    claims: Callable[[pd.DataFrame], list[Claim]]
    unit: str = "cells"
    registration: Registration | None = None
    document: Callable[[pd.DataFrame], dict[str, Any]] = lambda table: {}

    @property
    def summary(self) -> str:
        """What the study asks: the docstring of its module."""
        return inspect.getdoc(sys.modules[self.run.__module__]) or self.name


def main(
    experiment: Experiment, argv: Sequence[str] | None = None, *, prog: str | None = None
) -> int:
    """Run a study from the command line.

    Args:
        experiment: the study.
        argv: the command line; by default the process's own.
        prog: what the command is called, if it is no script.

    Returns:
        the exit status: 0 when it ran (whatever its claims came to), 2 for a bad option, file or
        folder, 130 when interrupted.
    """
    config_type = type(experiment.presets["quick"])
    parser = options.parser(experiment.summary, config_type, experiment.presets, prog=prog)
    chosen = parser.parse_args(argv)
    for name in ("fresh", "chunk", "distributed"):
        if chosen.only_plot and getattr(chosen, name) not in (None, False):
            parser.error(f"--only-plot trains nothing, so it takes no --{name}")
    out = chosen.out or RESULTS
    try:
        preset = experiment.presets[chosen.preset]
        if chosen.chunk is not None:
            errors.integer("chunk", chosen.chunk)
        if chosen.data is not None:
            if not chosen.data.is_dir():
                raise errors.refuse("data", str(chosen.data), "a folder")
            os.environ[VARIABLE] = str(chosen.data.resolve())
        given = options.given(chosen, config_type)
        config = dataclasses.replace(preset, **given)
        # Only a kept run without changes may replace the kept figure.
        if chosen.out is None and chosen.preset == KEPT and config == preset:
            out = FIGURES
        with output(quiet=chosen.quiet, json=chosen.json) as printed:
            if chosen.only_plot:
                wanted = settings(config, chosen.preset)
                printed.finish(redraw(experiment, out, {name: wanted[name] for name in given}))
                return 0
            join_processes(chosen.distributed)
            use_all_cores()
            keep_programs()
            command = prog or f"python experiments/{experiment.name}.py"
            command = f"{command} {shlex.join(options.words(chosen, config_type))}"
            printed.finish(run_and_save(experiment, config, out, chosen, command, printed))
    except Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = "the same command, without --fresh," if chosen.fresh else "the same command"
        where = f"; {again} goes on from the cells that are finished ({cells_folder(out)})"
        nothing_kept = prog or chosen.only_plot
        print(f"{parser.prog}: interrupted" + ("" if nothing_kept else where), file=sys.stderr)
        if argv is None:
            leave_at_once(INTERRUPTED)
        return INTERRUPTED
    return 0


def run_and_save(
    experiment: Experiment,
    config: Any,
    out: Path,
    chosen: argparse.Namespace,
    command: str,
    printed: Output,
) -> dict[str, Any] | None:
    """Run, save everything atomically, print the claims.

    Args:
        experiment: the study.
        config: its settings.
        out: folder of what is made.
        chosen: the parsed command line.
        command: the command line as text, for the record.
        printed: output of the command; its warnings go into the record.

    Returns:
        what `--json` prints; None in all processes of a job but the first, which saves.

    Raises:
        InvalidInput: a folder that cannot be written to (before anything is trained), a full disk.
    """
    store.writable_folder(out)
    began = time.perf_counter()
    stamp = stamp_of_cells()
    # Before the run: the code may be edited meanwhile.
    record: dict[str, Any] = {"command": command}
    record |= provenance(config, chosen.preset) | stamps(experiment)
    if experiment.registration:
        record["registration"] = experiment.registration.record()
    cell_store = CellFolder(cells_folder(out) / stamp[:16], warn, read=not chosen.fresh)
    with CtrlC() as ctrl_c, Bar(experiment.name, experiment.unit) as bar:

        def report(done: ProgressReport) -> None:
            ctrl_c.check()
            bar.report(done)

        outcome = experiment.run(config, Session(cell_store, report, chosen.chunk, stamp))
        # Wait for all processes: the first one must not save and end while others still compute.
        processes.agreed([True])
        if jax.process_index() > 0:
            return None  # every process has the table; the first one saves it
        # Draw and judge the table as it is saved, so that --only-plot gives the same again.
        table = store.table_bytes(outcome.table)
        saved = pd.read_csv(io.BytesIO(table))
        bar.doing("judging the claims")
        claims = experiment.claims(saved)
        arrays = store.arrays_bytes(outcome.arrays)
        bar.doing("drawing the figure")
        drawings = draw(experiment, saved, outcome.arrays)
    record |= {
        "wall_time_seconds": round(time.perf_counter() - began, 1),
        "cells_from_earlier_runs": bar.earlier,
        "table_sha256": store.checksum(table, arrays),
        "claims": [claim.record() for claim in claims],
        "notes": [*printed.warnings, *outcome.notes],
    }
    files = {".csv": table, ".npz": arrays, **drawings}
    for name, sound in outcome.sounds.items():
        files[f"_{name}.wav"] = audio.wav_bytes(*sound)
    files |= outcome.files
    for name, model in outcome.models.items():
        files[f"_{name}.safetensors"] = checkpoints.to_bytes(*model)
    for suffix, data in files.items():
        store.write_atomic(out / f"{experiment.name}{suffix}", data)
    # Last: it says that all the others are there.
    store.write_atomic(out / f"{experiment.name}.json", store.json_bytes(record))
    print_claims(experiment.name, claims, out, record["wall_time_seconds"])
    for suffix in outcome.files:
        print(out / f"{experiment.name}{suffix}")
    return document(experiment, saved, record, out, [*files])


def document(
    experiment: Experiment,
    table: pd.DataFrame,
    record: dict[str, Any],
    out: Path,
    suffixes: Sequence[str],
) -> dict[str, Any]:
    """What `--json` prints: the record, what the study adds to it, and the files just written."""
    names = [str(out / f"{experiment.name}{suffix}") for suffix in (*suffixes, ".json")]
    return {"study": experiment.name, **record, **experiment.document(table), "files": names}


def stamps(experiment: Experiment) -> dict[str, str | None]:
    """Stamps of the code behind the study's table, and behind its figure and claims.

    None where that code is in no file.
    """
    script = Path(inspect.getsourcefile(experiment.run) or "")
    if not script.is_file():
        return {"code": None, "code_of_figure": None}
    return {"code": stamp_of_table(script), "code_of_figure": stamp_of_figure(script)}


def redraw(experiment: Experiment, out: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Draw the figure and judge the claims again, from what an earlier run saved.

    Args:
        experiment: the study.
        out: folder of what was saved.
        given: settings of the command line, which the table should have been made with.

    Returns:
        what `--json` prints.

    Raises:
        InvalidInput: nothing saved there, or not what the provenance file says; other settings.
    """
    table, table_data = store.read_table(out / f"{experiment.name}.csv")
    arrays, arrays_data = store.read_arrays(out / f"{experiment.name}.npz")
    record = store.read_json(out / f"{experiment.name}.json")
    if record.get("table_sha256") != store.checksum(table_data, arrays_data):
        raise InvalidInput(
            f"{out / experiment.name}.csv: not the table that its .json describes; run again"
        )
    made_with = record.get("config", {})
    for name, value in given.items():
        if made_with.get(name, value) != value:
            raise errors.refuse(
                name, value, f"{made_with[name]!r}, as the table in {out} has (--only-plot)"
            )
    claims = experiment.claims(table)
    drawings = draw(experiment, table, arrays)
    record["claims"] = [claim.record() for claim in claims]
    record["code_of_figure"] = stamps(experiment)["code_of_figure"]
    for suffix, data in drawings.items():
        store.write_atomic(out / f"{experiment.name}{suffix}", data)
    store.write_atomic(out / f"{experiment.name}.json", store.json_bytes(record))
    print_claims(experiment.name, claims, out, None)
    return document(experiment, table, record, out, [*drawings])


def draw(
    experiment: Experiment, table: pd.DataFrame, arrays: dict[str, np.ndarray]
) -> dict[str, bytes]:
    """The figure as ".png" and ".pdf" files, the same bytes for the same table."""
    files = {}
    with plotting.style():
        figure = experiment.plot(table, arrays)
        for suffix, metadata in {"png": None, "pdf": {"CreationDate": None}}.items():
            file = io.BytesIO()
            figure.savefig(file, format=suffix, metadata=metadata)
            files[f".{suffix}"] = file.getvalue()
    return files


def print_claims(name: str, claims: list[Claim], out: Path, seconds: float | None) -> None:
    """Print the claims, and where the files are."""
    for claim in claims:
        print(claim)
    took = "" if seconds is None else f" after {seconds:.0f} s"
    print(f"{out / name}.png (.pdf, .csv, .json){took}")


def cells_folder(out: Path) -> Path:
    """Where finished cells are kept; studies that train the same cells share them."""
    return out / "cells"
