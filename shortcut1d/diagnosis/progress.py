"""The progress of a diagnosis: a bar on terminals and in notebooks."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Counter:
    """Counts samples that went through the network, and reports the count to `tell`.

    Without `tell`, a bar with the time left is drawn on a terminal or in a notebook.
    """

    def __init__(self, total: int, tell: Callable[[int, int], None] | None) -> None:
        """total: samples to process. tell: called with the number processed, and the total.

        If `tell` has a method `doing`, that is called with what is measured.
        """
        self.done, self.total, self._tell = 0, total, tell
        self._tell_what: Callable[[str], None] = getattr(tell, "doing", lambda what: None)
        self._bar: Progress | None = None
        console = Console(stderr=True)
        # Without ipywidgets, rich warns in a notebook, and draws nothing that moves.
        in_notebook = console.is_jupyter and find_spec("ipywidgets") is not None
        if tell is None and (console.is_terminal or in_notebook):
            self._bar = Progress(
                TextColumn("diagnose: {task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f} samples"),
                TimeElapsedColumn(),
                TextColumn("left:"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("outputs", total=total)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def doing(self, what: str) -> None:
        """Say what is measured now."""
        if self._bar:
            self._bar.update(self._task, description=what)
        self._tell_what(what)

    def add(self, samples: int) -> None:
        """Count samples that were processed."""
        self.done = min(self.done + samples, self.total)
        if self._bar:
            self._bar.update(self._task, completed=self.done)
        if self._tell:
            self._tell(self.done, self.total)

    def finish(self) -> None:
        """Set the count to the total, even if fewer samples were needed."""
        self.add(self.total - self.done)
