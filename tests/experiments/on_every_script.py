"""Tests that two files, one for each worker, take up for their halves of the scripts."""

import json

import reproduce

from shortcut1d.training.cell_store import CellFolder


def test_a_script_leaves_figure_table_and_provenance_and_prints_its_claims(name, smoke):
    folder, printed = smoke(name)
    for suffix in ("png", "pdf", "csv", "npz", "json"):
        assert (folder / f"{name}.{suffix}").stat().st_size > 0
    record = json.loads((folder / f"{name}.json").read_text())
    assert record["config"]["preset"] == "smoke"
    for claim in record["claims"]:
        assert claim["statement"] in printed
        assert claim["verdict"] in ("holds", "fails", "undecided")


def test_a_script_that_is_stopped_on_the_way_ends_with_the_unbroken_table(
    name, smoke, command, tmp_path, monkeypatch
):
    if name in reproduce.APART:
        return  # its table is of times
    unbroken = (smoke(name)[0] / f"{name}.csv").read_bytes()
    keep = CellFolder.update

    def keep_and_stop(archive, finished):
        keep(archive, finished)
        raise KeyboardInterrupt

    arguments = ("--preset", "smoke", "--out", tmp_path)
    monkeypatch.setattr(CellFolder, "update", keep_and_stop)
    stopped, _, said = command(name, *arguments)
    trains_cells = name != "diagnose_images"
    assert stopped == (130 if trains_cells else 0)
    assert ("goes on from the cells that are finished" in said) == trains_cells
    assert (tmp_path / f"{name}.csv").exists() != trains_cells
    monkeypatch.setattr(CellFolder, "update", keep)
    status, _, said = command(name, *arguments)
    assert status == 0
    assert ("are finished from an earlier run" in said) == trains_cells
    assert (tmp_path / f"{name}.csv").read_bytes() == unbroken
