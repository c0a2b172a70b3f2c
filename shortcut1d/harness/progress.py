"""How far a run is: a bar on a terminal, warnings, and Ctrl-C."""

import contextlib
import os
import signal
import sys
import time
from typing import NoReturn, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shortcut1d.training.grid import ProgressReport


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
    """Cells done, model-steps a second and the time left, on a terminal; nothing elsewhere."""

    def __init__(self, name: str, unit: str = "cells") -> None:
        """name: what is running. unit: what is counted."""
        self.earlier = 0  # cells that an earlier run had finished
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn(name),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} " + unit),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=120,
            disable=not console.is_terminal,
        )
        # Unseen until the total is known, which cannot be drawn before.
        self._task = self._bar.add_task(name, total=None, visible=False, speed="")
        self._began: float | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def report(self, done: ProgressReport) -> None:
        """Show how far it is."""
        if self._began is None or done.earlier is not None:  # a run may have several sweeps
            self._began = time.perf_counter()
            # Cells that were there already say nothing about how fast the rest will go.
            earlier = done.earlier or 0
            self._bar.reset(self._task, total=done.total, completed=earlier, visible=True)
            self.earlier += earlier
            if done.earlier:
                warn(f"{done.earlier} of {done.total} cells are finished from an earlier run")
        seconds = time.perf_counter() - self._began
        speed = f"{done.steps / seconds:,.0f} model-steps/s" if done.steps else ""
        self._bar.update(self._task, completed=done.finished, total=done.total, speed=speed)


def leave_at_once(status: int) -> NoReturn:
    """End the process here and now, with all files closed and everything said.

    After Ctrl-C, XLA's threads may still compute, and crash the interpreter that they belong to
    while it takes itself apart.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def warn(line: str) -> None:
    """Print a line that does not end the run."""
    print(line, file=sys.stderr)
