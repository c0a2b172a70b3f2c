"""Finished cells on disk."""

import hashlib
import os
import re

import numpy as np
import pytest

from shortcut1d import errors, store
from shortcut1d.training.cell_store import CellFolder

ONE = {"a" * 64: {"nmse": np.array([0.1, np.nan]), "diverged": np.array(False)}}
TWO = {"b" * 64: {"nmse": np.array([0.3, 2.0]), "diverged": np.array(True)}}


def never(line):
    raise AssertionError(line)


@pytest.fixture
def folder(tmp_path):
    archive = CellFolder(tmp_path / "cells", never)
    archive.update(ONE)
    archive.update(TWO)
    return tmp_path / "cells"


def test_what_is_kept_is_there_in_the_next_run(folder):
    archive = CellFolder(folder, never)
    assert len(archive) == 2
    for name, record in (ONE | TWO).items():
        assert name in archive
        assert archive[name].keys() == record.keys()
        for what, array in record.items():
            np.testing.assert_array_equal(archive[name][what], array)
            assert archive[name][what].dtype == array.dtype
    assert "c" * 64 not in archive


def test_a_fresh_run_reads_nothing_and_keeps_what_is_there(folder):
    archive = CellFolder(folder, never, read=False)
    assert len(archive) == 0
    archive.update({"c" * 64: ONE["a" * 64]})
    assert len(CellFolder(folder, never)) == 3


def holding(folder, name):
    return next(path for path in folder.iterdir() if name.encode() in path.read_bytes())


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "renamed", "foreign", "directory"])
def test_a_damaged_or_foreign_file_is_named_and_its_cells_are_missing(folder, damage):
    path = holding(folder, "a" * 64)
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "bit":
        path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "renamed":
        path.rename(folder / ("0" * 64 + ".cells"))
        path = folder / ("0" * 64 + ".cells")
    elif damage == "foreign":
        path.unlink()
        path = folder / "notes.cells"
        path.write_text("not mine")
    else:
        path.unlink()
        path.mkdir()
    said = []
    archive = CellFolder(folder, said.append)
    assert [re.escape(str(path)) in re.escape(line) for line in said] == [True]
    assert "trained anew" in said[0]
    assert "a" * 64 not in archive
    assert "b" * 64 in archive


def test_a_note_among_the_cells_is_nobodys_concern(folder):
    (folder / "README").write_text("cells of the long run; do not delete")
    assert len(CellFolder(folder, never)) == 2


def test_a_sound_file_of_something_else_is_named(folder):
    data = store.arrays_bytes({"weights": np.zeros(3)})
    path = folder / f"{hashlib.sha256(data).hexdigest()}.cells"
    path.write_bytes(data)
    said = []
    assert len(CellFolder(folder, said.append)) == 2
    assert path.name in said[0]


def test_what_a_killed_run_had_not_finished_writing_is_passed_over(folder):
    (folder / ".half.cells.x8s7").write_bytes(b"PK\3\4")
    assert len(CellFolder(folder, never)) == 2


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path):
    (tmp_path / "cells").write_text("a file")
    with pytest.raises(errors.InvalidInput, match=r"cells: cannot be written to") as raised:
        CellFolder(tmp_path / "cells", never)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_on_a_full_disk_the_finished_chunks_stay(folder, monkeypatch):
    archive = CellFolder(folder, never)
    monkeypatch.setattr(
        store.tempfile,
        "mkstemp",
        lambda **_: (os.open("/dev/full", os.O_WRONLY), str(folder / ".temporary")),
    )
    with pytest.raises(errors.InvalidInput, match="No space left"):
        archive.update({"c" * 64: {"nmse": np.zeros(100_000)}})
    assert "c" * 64 not in archive
    assert len(CellFolder(folder, never)) == 2
