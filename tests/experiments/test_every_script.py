"""What holds of every script, at its smallest preset."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
import reproduce

from shortcut1d import networks
from shortcut1d.networks import checkpoints
from shortcut1d.training.cell_store import CellFolder

FIRST = "music_note"  # the one that stands for all in the short run
SCRIPTS = [
    pytest.param(name, marks=() if name == FIRST else pytest.mark.slow)
    for name in (*reproduce.STORY, *reproduce.APART)
]


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_leaves_figure_table_and_provenance_and_prints_its_claims(name, smoke):
    folder, printed = smoke(name)
    for suffix in ("png", "pdf", "csv", "npz", "json"):
        assert (folder / f"{name}.{suffix}").stat().st_size > 0
    record = json.loads((folder / f"{name}.json").read_text())
    assert record["config"]["preset"] == "smoke"
    for claim in record["claims"]:
        assert claim["statement"] in printed
        assert claim["verdict"] in ("holds", "refuted", "equivalent", "undecided")


@pytest.mark.slow
def test_a_script_that_is_stopped_on_the_way_ends_with_the_unbroken_table(
    smoke, command, tmp_path, monkeypatch
):
    # Going on is a property of the sweep: one script proves it for all.
    unbroken = (smoke(FIRST)[0] / f"{FIRST}.csv").read_bytes()
    keep = CellFolder.update

    def keep_and_stop(store, finished):
        keep(store, finished)
        raise KeyboardInterrupt

    arguments = ("--preset", "smoke", "--out", tmp_path)
    monkeypatch.setattr(CellFolder, "update", keep_and_stop)
    stopped, _, said = command(FIRST, *arguments)
    assert stopped == 130
    assert "goes on from the cells that are finished" in said
    assert not (tmp_path / f"{FIRST}.csv").exists()
    monkeypatch.setattr(CellFolder, "update", keep)
    status, _, said = command(FIRST, *arguments)
    assert status == 0
    assert "are finished from an earlier run" in said
    assert (tmp_path / f"{FIRST}.csv").read_bytes() == unbroken


@pytest.mark.slow
def test_a_prior_that_a_script_has_trained_can_be_loaded(smoke):
    folder, _ = smoke("generative_prior")
    (path,) = folder.glob("generative_prior_melody.*")
    network, weights, shape = checkpoints.load(path)
    output = networks.apply(network, weights, jnp.zeros((2, *shape)))
    assert output.shape == (2, *shape)
    assert np.isfinite(output).all()
