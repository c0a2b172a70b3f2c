"""What a command shows while it runs: a bar on a terminal, lines on standard error; and Ctrl-C."""

import contextlib
import logging
import math
import os
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shortcut1d import store
from shortcut1d.training.grid import ProgressReport

BLOCKS = "▁▂▃▄▅▆▇█"
WIDE = 120  # columns of a terminal that has room for everything


@dataclass
class Output:
    """What the command that runs now may print.

    quiet: errors only.
    document: where `--json` puts its document; None without `--json`.
    warnings: lines of `warn`, for the record.
    """

    quiet: bool = False
    document: TextIO | None = None
    warnings: list[str] = field(default_factory=list)

    def finish(self, document: dict[str, Any] | None) -> None:
        """Print the document, if there is one and `--json` asks for it, and flush."""
        stream = self.document or sys.stdout
        try:
            if self.document is not None and document is not None:
                stream.write(store.json_bytes(document).decode())
            stream.flush()
        except BrokenPipeError:  # whoever reads it has seen enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


_output = Output()  # one for the process, like its standard output: `warn` is given none


@contextlib.contextmanager
def output(*, quiet: bool, json: bool) -> Iterator[Output]:
    """Within a command, let all code print only what `--quiet` and `--json` allow.

    Args:
        quiet: nothing on standard error but errors, and on standard output what `json` asks for.
        json: on standard output what `Output.finish` prints; all else on standard error.
    """
    global _output
    before, disabled = _output, logging.root.manager.disable
    _output = Output(quiet, sys.stdout if json else None)
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = lambda message, kind, *_: warn(f"{kind.__name__}: {message}")
        if quiet:
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            logging.disable(logging.WARNING)
        elif json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            yield _output
        finally:
            _output = before
            logging.disable(disabled)


def warn(line: str) -> None:
    """Print a line that does not end the run, and keep it for the record."""
    _output.warnings.append(line)
    note(line)


def note(line: str) -> None:
    """Print a line on standard error, unless `--quiet`."""
    if not _output.quiet:
        print(line, file=sys.stderr)


class CtrlC:
    """Remembers that Ctrl-C was pressed.

    Python loses an interrupt that falls into a callback (of a garbage collector, of JAX). The run
    then ends at its next report.
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
    """What a command does, how far it is, and the time left; on a terminal, else nothing.

    While networks train, their loss as well.
    """

    def __init__(self, name: str, unit: str = "cells") -> None:
        """name: what is running. unit: what is counted."""
        self.earlier = 0  # cells that an earlier run had finished
        console = Console(file=sys.stderr)
        wide = console.width >= WIDE
        pace = [TextColumn("{task.fields[speed]}"), TimeElapsedColumn()] if wide else []
        self._bar = Progress(
            TextColumn(name),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[loss]}"),
            *pace,
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=console,
            expand=True,
            speed_estimate_period=120,
            redirect_stdout=sys.stdout.isatty(),  # what is printed to a file must reach it
            disable=_output.quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("preparing", total=None, count="", loss="", speed="")
        self._unit, self._encoding = unit, console.encoding
        self._losses: deque[float] = deque(maxlen=20 if wide else 10)
        self._began: float | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.doing("done")
        self._bar.stop()

    def doing(self, what: str) -> None:
        """Say what is done now."""
        self._bar.update(self._task, description=what)

    def report(self, done: ProgressReport) -> None:
        """Show how far it is."""
        if self._began is None or done.earlier is not None:  # a run may have several sweeps
            self._began = time.perf_counter()
            # Cells that were there already say nothing about how fast the rest will go.
            earlier = done.earlier or 0
            self._losses.clear()
            self._bar.reset(self._task, total=done.total, completed=earlier)
            self.earlier += earlier
            if done.earlier:
                note(f"{done.earlier} of {done.total} cells are finished from an earlier run")
        if done.loss is not None and done.loss > 0:  # it is shown on a log scale
            self._losses.append(done.loss)
        seconds = time.perf_counter() - self._began
        self._bar.update(
            self._task,
            completed=done.finished,
            total=done.total,
            description=done.doing or None,
            count=f"{done.finished:.0f}/{done.total} {self._unit}",
            loss=shown_loss(self._losses, self._encoding),
            speed=f"{done.steps / seconds:,.0f} model-steps/s" if done.steps else "",
        )


def shown_loss(losses: Sequence[float], encoding: str) -> str:
    """The losses as a sparkline, where the encoding has its characters, and the last one."""
    line = sparkline(losses)
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        line = ""
    return f"loss {line} {losses[-1]:.3g}".replace("  ", " ") if losses else ""


def sparkline(values: Sequence[float]) -> str:
    """Positive numbers as blocks, on a log scale from the least to the largest."""
    logs = [math.log(value) for value in values]
    least = min(logs, default=0.0)
    span = max(logs, default=0.0) - least
    return "".join(BLOCKS[round((len(BLOCKS) - 1) * (x - least) / (span or 1))] for x in logs)


def leave_at_once(status: int) -> NoReturn:
    """Flush what was printed, and end the process at once.

    After Ctrl-C, XLA's threads may still compute, and would crash the interpreter while it shuts
    down.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
