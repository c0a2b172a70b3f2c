"""The experiment driver: command line, progress, saving and provenance for every script.

An experiment is a config, `run(config, session) -> Outcome`, `plot(table, arrays) -> Figure` and
`claims(table) -> list[Claim]`, all of them pure; everything that touches a file or a clock is here.
"""

import argparse
import contextlib
import dataclasses
import inspect
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import numpy as np
import pandas as pd
import threadpoolctl
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shortcut1d import audio, errors, models, options, plotting, store
from shortcut1d.archive import Archive
from shortcut1d.claims import Claim
from shortcut1d.errors import InvalidInput, Shortcut1dError
from shortcut1d.grid import Done
from shortcut1d.networks import Network, Params
from shortcut1d.provenance import (
    provenance,
    stamp_of_code_and_device,
    stamp_of_figure,
    stamp_of_table,
)
from shortcut1d.sweep import Session

ROOT = Path(__file__).resolve().parent.parent


class Sound(NamedTuple):
    """Something to listen to.

    samples: amplitudes. rate: Hz. full_scale: the amplitude that becomes the loudest sample.
    """

    samples: np.ndarray
    rate: int
    full_scale: float


@dataclass(frozen=True)
class Outcome:
    """What a run leaves.

    table: one row per trained network and test. arrays: what the figure shows beside the table
    (waveforms, images). sounds: what to listen to. models: trained networks to keep, their weights,
    and the shape of a sample.
    """

    table: pd.DataFrame
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    sounds: dict[str, Sound] = field(default_factory=dict)
    models: dict[str, tuple[Network, Params, tuple[int, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """One script.

    name: of the files it makes. summary: what it asks, for `--help`. message: what its figure
    shows, for the gallery. presets: smoke, quick, full.
    """

    name: str
    summary: str
    message: str
    presets: dict[str, Any]
    run: Callable[[Any, Session], Outcome]
    plot: Callable[[pd.DataFrame, dict[str, np.ndarray]], Figure]
    claims: Callable[[pd.DataFrame], list[Claim]]


def main(experiment: Experiment, argv: Sequence[str] | None = None) -> int:
    """Run an experiment from the command line; the exit status.

    0 when it ran (whatever its claims came to), 2 for a bad option, file or folder, 130 when
    interrupted.
    """
    parser = options.parser(
        experiment.summary,
        type(experiment.presets["quick"]),
        experiment.presets,
        ROOT / "figures",
    )
    chosen = parser.parse_args(argv)
    try:
        if chosen.only_plot:
            redraw(experiment, chosen.out)
            return 0
        preset = experiment.presets[chosen.preset]
        if chosen.chunk is not None:
            errors.whole("chunk", chosen.chunk)
        config = dataclasses.replace(preset, **options.given(chosen, type(preset)))
        join_processes(chosen.distributed)
        use_all_cores()
        carry_out(experiment, config, chosen)
    except Shortcut1dError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"{parser.prog}: interrupted; the same command goes on from the cells that are "
            f"finished ({cells_folder(chosen.out)})",
            file=sys.stderr,
        )
        return 130
    return 0


def carry_out(experiment: Experiment, config: Any, chosen: argparse.Namespace) -> None:
    """Run, save everything atomically, print the claims.

    Raises:
        InvalidInput: a folder that cannot be written to (before anything is trained), a full disk.
    """
    out = chosen.out
    store.writable_folder(out)
    began = time.perf_counter()
    stamp = stamp_of_code_and_device()
    # Before the run: the code may be edited meanwhile.
    record = provenance(config, chosen.preset) | stamps(experiment)
    archive = Archive(cells_folder(out) / stamp[:16], complain, read=not chosen.fresh)
    with CtrlC() as ctrl_c, Bar(experiment.name) as bar:

        def report(done: Done) -> None:
            ctrl_c.check()
            bar.report(done)

        outcome = experiment.run(config, Session(archive, report, chosen.chunk, stamp))
    if jax.process_index() > 0:
        return  # every process has the table; the first one saves it
    # What is drawn and claimed is what was saved, so that --only-plot gives the same again.
    table = store.table_bytes(outcome.table)
    saved = pd.read_csv(io.BytesIO(table))
    claims = experiment.claims(saved)
    arrays = store.arrays_bytes(outcome.arrays)
    drawings = draw(experiment.plot(saved, outcome.arrays))
    record |= {
        "wall_time_seconds": round(time.perf_counter() - began, 1),
        "cells_from_earlier_runs": bar.earlier,
        "table_sha256": store.checksum(table, arrays),
        "claims": [claim.record() for claim in claims],
    }
    store.write_atomic(out / f"{experiment.name}.csv", table)
    store.write_atomic(out / f"{experiment.name}.npz", arrays)
    for suffix, data in drawings.items():
        store.write_atomic(out / f"{experiment.name}.{suffix}", data)
    for name, sound in outcome.sounds.items():
        store.write_atomic(out / f"{experiment.name}_{name}.wav", audio.wav_bytes(*sound))
    for name, (network, params, shape) in outcome.models.items():
        models.save(out / f"{experiment.name}_{name}.model", network, params, shape)
    # Last: it says that all the others are there.
    store.write_atomic(out / f"{experiment.name}.json", store.json_bytes(record))
    show(experiment.name, claims, out, record["wall_time_seconds"])


def stamps(experiment: Experiment) -> dict[str, str | None]:
    """What changes with the code behind its table, and behind its figure and claims.

    None where that is in no file.
    """
    script = Path(inspect.getsourcefile(experiment.run) or "")
    if not script.is_file():
        return {"code": None, "code_of_figure": None}
    return {"code": stamp_of_table(script), "code_of_figure": stamp_of_figure(script)}


def redraw(experiment: Experiment, out: Path) -> None:
    """Draw the figure and judge the claims again, from what an earlier run saved.

    Raises:
        InvalidInput: nothing saved there, or not what the provenance file says.
    """
    table, table_data = store.read_table(out / f"{experiment.name}.csv")
    arrays, arrays_data = store.read_arrays(out / f"{experiment.name}.npz")
    record = store.read_json(out / f"{experiment.name}.json")
    if record.get("table_sha256") != store.checksum(table_data, arrays_data):
        raise InvalidInput(
            f"{out / experiment.name}.csv: not the table that its .json describes; run again"
        )
    claims = experiment.claims(table)
    drawings = draw(experiment.plot(table, arrays))
    record["claims"] = [claim.record() for claim in claims]
    record["code_of_figure"] = stamps(experiment)["code_of_figure"]
    for suffix, data in drawings.items():
        store.write_atomic(out / f"{experiment.name}.{suffix}", data)
    store.write_atomic(out / f"{experiment.name}.json", store.json_bytes(record))
    show(experiment.name, claims, out, None)


def draw(figure: Figure) -> dict[str, bytes]:
    """The figure as PNG and PDF files, the same bytes for the same figure."""
    files = {}
    for suffix, metadata in {"png": None, "pdf": {"CreationDate": None}}.items():
        file = io.BytesIO()
        with plotting.style():
            figure.savefig(file, format=suffix, metadata=metadata)
        files[suffix] = file.getvalue()
    return files


def show(name: str, claims: list[Claim], out: Path, seconds: float | None) -> None:
    """Print the claims, and where the files are."""
    for claim in claims:
        print(claim)
    took = "" if seconds is None else f" after {seconds:.0f} s"
    print(f"{out / name}.png (.pdf, .csv, .json){took}")


def use_all_cores() -> None:
    """Give each core of a CPU a device of its own, so that cells train side by side.

    No effect on accelerators, nor once JAX has been used.
    """
    # Small decompositions: the threads of a BLAS would wait on cores that are at work for XLA.
    threadpoolctl.threadpool_limits(1, user_api="blas")
    os.environ["XLA_FLAGS"] = without_deadlock(os.environ.get("XLA_FLAGS", ""), jax.__version__)
    # Where the process is confined to some cores, the others are of no use to it.
    confined = getattr(os, "sched_getaffinity", None)
    cores = len(confined(0)) if confined else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", cores)


def without_deadlock(flags: str, version: str) -> str:
    """`XLA_FLAGS` under which a version of JAX does not wait for ever; to be set before it is used.

    An FFT of 0.11 on a CPU gives work to the threads of the pool that it runs on, and waits for it:
    where as many run as there are threads, all wait (PyAutoLabs/PyAutoFit issue 1530 has it taken
    apart). Without such a pool a device does its own work; 0.10.2 and 0.12.0 need no such thing.
    """
    option = "--xla_cpu_multi_thread_eigen"
    if not version.startswith("0.11.") or option in flags:
        return flags
    return f"{flags} {option}=false".strip()


class CtrlC:
    """Remembers that Ctrl-C was pressed.

    Python loses the interrupt where it falls into a callback (of a garbage collector, of JAX); a
    run then ends at its next report.
    """

    def __init__(self) -> None:
        """Not pressed yet."""
        self.pressed = False

    def __enter__(self) -> Self:
        def remember(*_: object) -> None:
            self.pressed = True
            raise KeyboardInterrupt

        with contextlib.suppress(ValueError):  # no main thread, no signals
            self._before = signal.signal(signal.SIGINT, remember)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ValueError, AttributeError):
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was pressed."""
        if self.pressed:
            raise KeyboardInterrupt


class Bar:
    """Cells done, model-steps a second and the time left, on a terminal; nothing elsewhere."""

    def __init__(self, name: str) -> None:
        """`name`: what is running."""
        self.earlier = 0  # cells that an earlier run had finished
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn(name),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} cells"),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=120,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=None, speed="")
        self._began: float | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def report(self, done: Done) -> None:
        """Show how far it is."""
        if self._began is None or done.earlier is not None:  # a run may have several sweeps
            self._began = time.perf_counter()
            # What is there already says nothing about how fast the rest will go.
            self._bar.reset(self._task, total=done.of, completed=done.earlier or 0)
            self.earlier += done.earlier or 0
            if done.earlier:
                complain(f"{done.earlier} of {done.of} cells are finished from an earlier run")
        seconds = time.perf_counter() - self._began
        speed = f"{done.steps / seconds:,.0f} model-steps/s" if done.steps else ""
        self._bar.update(self._task, completed=done.cells, total=done.of, speed=speed)


def complain(line: str) -> None:
    """Say something that does not stop the run."""
    print(line, file=sys.stderr)


def join_processes(address: Sequence[str] | None) -> None:
    """Become one process of a job.

    Args:
        address: None for a job of one process. Empty: JAX finds the others by itself under SLURM,
            Open MPI, Kubernetes and on TPU pods. Else the coordinator (host:port), this process's
            number, how many there are.

    Raises:
        InvalidInput: no such job was found.
    """
    if address is None:
        return
    if len(address) not in (0, 3):
        raise errors.refuse(
            "distributed", " ".join(address), "nothing, or HOST:PORT NUMBER COUNT of this process"
        )
    try:
        if address:
            jax.distributed.initialize(address[0], int(address[2]), int(address[1]))
        else:
            jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"distributed: no job of several processes here ({reason})") from error


def cells_folder(out: Path) -> Path:
    """Where finished cells are kept; experiments that train the same cells share them."""
    return out / "cells"
