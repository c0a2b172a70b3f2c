"""What a command shows while it runs, on a pseudo-terminal; what `--quiet` and `--json` hide."""

import json
import logging
import os
import re
import sys
import threading
import warnings

import pytest

from shortcut1d.harness import progress
from shortcut1d.training.grid import ProgressReport


class Terminal:
    """A pseudo-terminal in place of standard error; `shown()` is all that was written to it."""

    def __init__(self, encoding):
        self._master, slave = os.openpty()
        self.file = os.fdopen(slave, "w", encoding=encoding)
        self._parts = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        try:
            while part := os.read(self._master, 2**16):
                self._parts.append(part)
        except OSError:  # nobody has it open any more
            os.close(self._master)

    def shown(self):
        self.file.close()
        self._reader.join()
        text = b"".join(self._parts).decode("utf-8")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.fixture
def terminal(monkeypatch):
    made = []

    def of(encoding="utf-8", columns=150):
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", str(columns))
        made.append(Terminal(encoding))
        monkeypatch.setattr(sys, "stderr", made[-1].file)
        return made[-1]

    yield of
    for each in made:
        each.shown()


def train(bar, losses):
    bar.report(ProgressReport(0, len(losses), 0, earlier=0, doing="training"))
    for done, loss in enumerate(losses, 1):
        bar.report(ProgressReport(done, len(losses), 100 * done, loss=loss, doing="training"))
        bar._bar.refresh()


def test_a_bar_shows_what_is_done_how_far_it_is_the_loss_and_the_time_left(terminal):
    screen = terminal()
    with progress.Bar("study") as bar:
        train(bar, [1.0, 0.1, 0.001])
        bar.doing("drawing the figure")
        bar._bar.refresh()
    shown = screen.shown()
    for words in (
        "preparing",
        "2/3 cells training loss █▁ 0.1",
        "3/3 cells training loss █▆▁ 0.001",
        "drawing the figure",
        "model-steps/s",
        "left: 0:00:00",
        "done",
    ):
        assert words in shown, words


def test_where_there_are_no_blocks_the_loss_is_a_number(terminal):
    screen = terminal("ascii")
    with progress.Bar("study") as bar:
        train(bar, [1.0, 0.1, 0.01])
    assert "3/3 cells training loss 0.01" in screen.shown()


def test_on_80_columns_nothing_is_cut_short(terminal):
    screen = terminal(columns=80)
    with progress.Bar("phase_diagram") as bar:
        train(bar, [1.0] * 30)
    shown = screen.shown()
    assert "30/30 cells training loss ▁▁▁▁▁▁▁▁▁▁ 1 " in shown
    assert "left: 0:00:00" in shown
    assert "…" not in shown


def test_cells_whose_loss_is_not_known_change_no_sparkline(terminal):
    screen = terminal()
    with progress.Bar("study") as bar:
        train(bar, [1.0, None, 0.0, -2.0, 0.1])
    assert "5/5 cells training loss █▁ 0.1" in screen.shown()


def test_another_sweep_begins_its_own_sparkline(terminal):
    screen = terminal()
    with progress.Bar("study") as bar:
        train(bar, [7.0, 8.0])
        train(bar, [1.0])
    assert "1/1 cells training loss ▁ 1 " in screen.shown()


def test_what_is_printed_for_a_file_does_not_go_to_the_terminal(terminal, capfd):
    screen = terminal()
    with progress.Bar("study"):
        sys.stdout.write("a report\n")
        progress.warn("a warning")
    assert capfd.readouterr().out == "a report\n"
    shown = screen.shown()
    assert "a warning" in shown
    assert "a report" not in shown


def test_with_quiet_even_a_terminal_stays_empty(terminal, capfd):
    screen = terminal()
    with progress.output(quiet=True, json=False) as printed, progress.Bar("study") as bar:
        train(bar, [1.0])
        bar.report(ProgressReport(1, 2, 0, earlier=1))
        sys.stdout.write("a claim\n")
        progress.warn("a warning")
        logging.getLogger("somebody's").warning("a warning of theirs")
        printed.finish({"a": 1})
    assert (screen.shown(), capfd.readouterr().out) == ("", "")
    assert printed.warnings == ["a warning"]


def test_with_json_standard_output_has_the_document_alone(capsys):
    with progress.output(quiet=False, json=True) as printed:
        sys.stdout.write("a claim\n")
        printed.finish({"a": [1, None]})
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"a": [1, None]}
    assert shown.err == "a claim\n"
    sys.stdout.write("as before\n")
    progress.note("as before, too")
    assert capsys.readouterr() == ("as before\n", "as before, too\n")


@pytest.mark.filterwarnings("always")
def test_a_warning_of_python_is_a_line_and_kept_for_the_record(capsys):
    with progress.output(quiet=False, json=False) as printed:
        warnings.warn("old weights", stacklevel=1)
        progress.note("no warning")
    assert printed.warnings == ["UserWarning: old weights"]
    assert capsys.readouterr().err == "UserWarning: old weights\nno warning\n"


@pytest.mark.parametrize("json", [True, False])
def test_who_has_read_enough_ends_nothing(json, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        with progress.output(quiet=False, json=json) as printed:
            sys.stdout.write("a claim\n")
            printed.finish({"a": 1})


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([3.0], "▁"),
        ([2.0, 2.0, 2.0], "▁▁▁"),
        ([10.0**-n for n in range(8)], "█▇▆▅▄▃▂▁"),
        ([1e-300, 1e300], "▁█"),
    ],
)
def test_a_sparkline_is_on_a_log_scale_from_the_least_to_the_largest(values, line):
    assert progress.sparkline(values) == line
