"""A grid in chunks: nothing is lost, nothing depends on how it was cut."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest

from shortcut1d.data import degradations, signals
from shortcut1d.networks import MLP, ConvNet
from shortcut1d.store import pack, unpack
from shortcut1d.training import evaluation, grid
from shortcut1d.training.evaluation import (
    SEEN,
    UNSEEN_CONTENT,
    UNSEEN_DEGRADATION,
    EvalConfig,
    Run,
    TestSet,
    indices,
)
from shortcut1d.training.gradient import footprint
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Memory, Session, sweep

SHORT = Schedule(steps=4, batch=4)
EXAM = EvalConfig(samples=4, span=np.eye(128, 1, dtype=np.float32), probes=1)
TINY = MLP(width=2, depth=2)


def runs(count, network=TINY):
    made = []
    for i in range(count):
        band, clicks = signals.band(1 + i % 50), degradations.clicks(1 + i)
        tests = [
            TestSet(SEEN, "band", "clicks", band, clicks),
            TestSet(UNSEEN_CONTENT, "other band", "clicks", band.unseen(), clicks),
            TestSet(UNSEEN_DEGRADATION, "band", "other clicks", band, clicks.unseen()),
        ]
        cell = Cell(band, clicks, network, seed=i)
        made.append(Run(cell, "mlp", f"band({i})", f"clicks({i})", tests))
    return made


def swept(who, session=None, schedule=SHORT, **options):
    return sweep(who, schedule, EXAM, session or Session(), **options)


@pytest.fixture(scope="module")
def whole():
    return swept(runs(7)).table


def test_the_table_has_a_row_for_every_network_and_test(whole):
    assert len(whole) == 7 * 3
    assert whole["rho"].notna().eq(whole["test"] == SEEN).all()
    assert np.isfinite(whole["nmse"]).all()


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_no_cell_depends_on_the_size_of_its_chunk(whole, chunk):
    pd.testing.assert_frame_equal(swept(runs(7), Session(chunk=chunk)).table, whole)


def test_no_cell_depends_on_its_place_or_its_neighbours(whole):
    backwards = swept(runs(7)[::-1], Session(chunk=2)).table
    for number in range(7):
        here = backwards[backwards["seed"] == number].reset_index(drop=True)
        there = whole[whole["seed"] == number].reset_index(drop=True)
        pd.testing.assert_frame_equal(here, there)


class Leaky(Memory):
    """An archive on which the process dies once so many chunks are kept."""

    def __init__(self, chunks):
        super().__init__()
        self.chunks = chunks

    def update(self, finished):
        if self.chunks == 0:
            raise KeyboardInterrupt
        self.chunks -= 1
        super().update(unpack(pack(finished)))


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_what_was_finished_is_not_trained_again_and_the_rest_is(whole, chunks):
    archive, reports = Leaky(chunks), []
    with pytest.raises(KeyboardInterrupt):
        swept(runs(7), Session(archive, chunk=2))
    assert len(archive) == 2 * chunks
    archive.chunks = -1
    table = swept(runs(7), Session(archive, reports.append, chunk=3)).table
    pd.testing.assert_frame_equal(table, whole)
    assert reports[0] == grid.ProgressReport(2 * chunks, 7, 0, earlier=2 * chunks)
    assert reports[-1] == grid.ProgressReport(7, 7, (7 - 2 * chunks) * SHORT.steps)


def test_only_new_cells_are_trained_when_a_grid_grows(whole):
    archive, reports = Memory(), []
    swept(runs(5), Session(archive))
    table = swept(runs(7), Session(archive, reports.append)).table
    pd.testing.assert_frame_equal(table, whole)
    assert reports[-1].steps == 2 * SHORT.steps


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": dataclasses.replace(SHORT, learning_rate=1e-3)},
        {"stamp": "another code"},
        {"keep": lambda run: True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_cell_of_another_kind_is_not_taken_for_this_one(change):
    archive, reports = Memory(), []
    swept(runs(2), Session(archive))
    session = Session(archive, reports.append, stamp=change.pop("stamp", ""))
    swept(runs(2), session, **change)
    assert reports[0].cells == 0
    assert len(archive) == 4


def test_kept_weights_are_those_that_training_gives():
    chosen = runs(5)
    kept = swept(chosen, keep=lambda run: run.cell.seed in (1, 3)).weights
    trained = grid.train([run.cell for run in chosen], SHORT)
    assert sorted(kept) == [1, 3]
    for position, params in kept.items():
        expected = jax.tree.map(lambda leaf, p=position: leaf[p], trained.params)
        jax.tree.map(np.testing.assert_array_equal, params, expected)


def test_several_networks_go_through_one_sweep_in_the_order_given():
    mixed = [*runs(2), *runs(2, ConvNet(width=2, depth=2)), *runs(3)[2:]]
    reports = []
    table = swept(mixed, Session(progress=reports.append)).table
    assert table["seed"].tolist()[::3] == [0, 1, 0, 1, 2]
    assert reports[-1] == grid.ProgressReport(5, 5, 5 * SHORT.steps)
    alone = swept(runs(3)).table
    pd.testing.assert_frame_equal(table.iloc[[0, 1, 2]], alone.iloc[[0, 1, 2]])


def test_a_diverged_cell_is_kept_as_diverged_and_the_others_go_on(whole):
    chosen = runs(7)
    absurd = dataclasses.replace(chosen[0].cell.degradation, level=np.float32(700))
    cell = dataclasses.replace(chosen[0].cell, degradation=absurd)
    archive = Memory()
    for _ in range(2):  # trained, then from the archive
        table = swept([chosen[0]._replace(cell=cell), *chosen[1:]], Session(archive)).table
        assert table["diverged"].tolist() == [True] * 3 + [False] * 18
        assert table["nmse"].isna().tolist() == [True] * 3 + [False] * 18
        pd.testing.assert_frame_equal(table.iloc[3:], whole.iloc[3:])


def test_subjects_with_unequal_tests_are_refused():
    chosen = runs(2)
    with pytest.raises(ValueError, match="tests: got \\[1, 3\\]"):
        swept([chosen[0]._replace(tests=chosen[0].tests[:1]), chosen[1]])


def test_one_compilation_of_each_program_serves_two_cells_and_two_hundred(caplog):
    def compiled(count):
        grid.over_cells.cache_clear()
        caplog.clear()
        with jax.log_compiles():
            swept(runs(count), Session(chunk=2 if count == 2 else 20))
        return sum("Compiling jit(of_device)" in record.message for record in caplog.records)

    # To start cells, to advance them, to draw tests, to give them, and for the novelty response.
    assert (compiled(2), compiled(200)) == (5, 5)


@pytest.mark.parametrize("count", [1, 2, 7, 30, 4096])
def test_chunks_come_out_even_and_fit_the_device(count):
    devices = len(jax.local_devices())
    size = grid.chunk_size(count, TINY, SHORT, (128, 1))
    assert size % devices == 0
    assert size <= 4 * devices
    assert -(-count // size) * size - count < 2 * size


def test_the_memory_of_tests_is_what_their_arrays_take():
    chosen = runs(3)
    drawn = evaluation.draw(chosen, EXAM)
    taken = drawn.clean.nbytes + drawn.degraded.nbytes + 2 * drawn.probed.nbytes
    assert evaluation.bytes_of_tests(chosen[0], EXAM) == taken / 3


def test_the_footprint_grows_with_what_backpropagation_keeps():
    small = footprint(ConvNet(width=16), 32, (128, 1))
    # Six layers of 9 shifted copies of (32, 128, 16) floats are the bulk of it.
    assert small > 5 * 9 * 32 * 128 * 16 * 4
    assert small < 10 * 5 * 9 * 32 * 128 * 16 * 4
    assert 1.8 < footprint(ConvNet(width=16), 64, (128, 1)) / small < 2.2
    assert 1.8 < footprint(ConvNet(width=16), 32, (256, 1)) / small < 2.2


def test_a_network_tested_on_its_way_has_a_row_for_every_step_and_test(whole):
    archive = Memory()
    schedule = dataclasses.replace(SHORT, checkpoints=(0, 1, 4))
    for _ in range(2):  # trained, then from the archive
        table = swept(runs(3), Session(archive), schedule).table
        assert table["step"].tolist() == [s for _ in range(3) for s in (0, 1, 4) for _ in range(3)]
        ends = table[table["step"] == 4].drop(columns="step").reset_index(drop=True)
        pd.testing.assert_frame_equal(ends, whole.iloc[:9])
        assert not np.allclose(table[table["step"] == 0]["nmse"], ends["nmse"])
    index = indices(table)
    assert index["step"].tolist() == [0, 1, 4] * 3
    last = index[index["step"] == 4].drop(columns="step").reset_index(drop=True)
    pd.testing.assert_frame_equal(last, indices(ends))


def test_a_subject_may_bring_its_own_schedule(whole):
    short = dataclasses.replace(SHORT, checkpoints=(1,))
    chosen = runs(4)
    chosen[1] = chosen[1]._replace(schedule=short)
    reports = []
    table = swept(chosen, Session(progress=reports.append)).table
    alone = swept(runs(2)[1:], schedule=short).table
    pd.testing.assert_frame_equal(table.iloc[3:6].reset_index(drop=True), alone)
    others = [*range(3), *range(6, 12)]
    pd.testing.assert_frame_equal(table.iloc[others], whole.iloc[others])
    assert reports[-1] == grid.ProgressReport(4, 4, 3 * SHORT.steps + 1)


def test_networks_tested_once_and_often_share_a_table():
    often = dataclasses.replace(SHORT, checkpoints=(1, 4))
    chosen = runs(2)
    chosen[0] = chosen[0]._replace(schedule=often)
    table = swept(chosen).table
    assert table["step"].tolist() == [1] * 3 + [4] * 6
