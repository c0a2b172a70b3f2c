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
)
from shortcut1d.training.gradient import footprint
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Memory, Session, sweep
from shortcut1d.training.tables import array_of, indices

SHORT = Schedule(steps=4, batch=4)
CONFIG = EvalConfig(samples=4, span=np.eye(128, 1, dtype=np.float32), probes=1)
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
    return sweep(who, schedule, CONFIG, session or Session(), **options)


@pytest.fixture(scope="module")
def unbroken():
    return swept(runs(7)).table


@pytest.mark.slow
def test_the_table_has_a_row_for_every_network_and_test(unbroken):
    assert len(unbroken) == 7 * 3
    assert unbroken["rho"].notna().eq(unbroken["test"] == SEEN).all()
    assert np.isfinite(unbroken["nmse"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_no_cell_depends_on_the_size_of_its_chunk(unbroken, chunk):
    pd.testing.assert_frame_equal(swept(runs(7), Session(chunk=chunk)).table, unbroken)


def test_no_cell_depends_on_its_place_or_its_neighbours(unbroken):
    backwards = swept(runs(7)[::-1], Session(chunk=2)).table
    for number in range(7):
        here = backwards[backwards["seed"] == number].reset_index(drop=True)
        there = unbroken[unbroken["seed"] == number].reset_index(drop=True)
        pd.testing.assert_frame_equal(here, there)


class Leaky(Memory):
    """A store on which the process dies once so many chunks are kept."""

    def __init__(self, chunks):
        super().__init__()
        self.chunks = chunks

    def update(self, finished):
        if self.chunks == 0:
            raise KeyboardInterrupt
        self.chunks -= 1
        super().update(unpack(pack(finished)))


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_what_was_finished_is_not_trained_again_and_the_rest_is(unbroken, chunks):
    store, reports = Leaky(chunks), []
    with pytest.raises(KeyboardInterrupt):
        swept(runs(7), Session(store, chunk=2))
    assert len(store) == 2 * chunks
    store.chunks = -1
    table = swept(runs(7), Session(store, reports.append, chunk=3)).table
    pd.testing.assert_frame_equal(table, unbroken)
    assert reports[0][:4] == (2 * chunks, 7, 0, 2 * chunks)
    assert reports[-1][:3] == (7, 7, (7 - 2 * chunks) * SHORT.steps)


@pytest.mark.slow
def test_only_new_cells_are_trained_when_a_grid_grows(unbroken):
    store, reports = Memory(), []
    swept(runs(5), Session(store))
    table = swept(runs(7), Session(store, reports.append)).table
    pd.testing.assert_frame_equal(table, unbroken)
    assert reports[-1].steps == 2 * SHORT.steps


@pytest.mark.slow
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
    store, reports = Memory(), []
    swept(runs(2), Session(store))
    session = Session(store, reports.append, stamp=change.pop("stamp", ""))
    swept(runs(2), session, **change)
    assert reports[0].finished == 0
    assert len(store) == 4


@pytest.mark.slow
def test_kept_weights_are_those_that_training_gives():
    chosen = runs(5)
    kept = swept(chosen, keep=lambda run: run.cell.seed in (1, 3)).weights
    trained = grid.train([run.cell for run in chosen], SHORT)
    assert sorted(kept) == [1, 3]
    for position, params in kept.items():
        expected = jax.tree.map(lambda leaf, p=position: leaf[p], trained.params)
        jax.tree.map(np.testing.assert_array_equal, params, expected)


@pytest.mark.slow
def test_several_networks_go_through_one_sweep_in_the_order_given():
    mixed = [*runs(2), *runs(2, ConvNet(width=2, depth=2)), *runs(3)[2:]]
    reports = []
    table = swept(mixed, Session(progress=reports.append)).table
    assert table["seed"].tolist()[::3] == [0, 1, 0, 1, 2]
    assert reports[-1][:3] == (5, 5, 5 * SHORT.steps)
    alone = swept(runs(3)).table
    pd.testing.assert_frame_equal(table.iloc[[0, 1, 2]], alone.iloc[[0, 1, 2]])


@pytest.mark.slow
def test_a_diverged_cell_is_kept_as_diverged_and_the_others_go_on(unbroken):
    chosen = runs(7)
    absurd = dataclasses.replace(chosen[0].cell.degradation, level=np.float32(700))
    cell = dataclasses.replace(chosen[0].cell, degradation=absurd)
    store = Memory()
    for _ in range(2):  # trained, then from the store
        table = swept([chosen[0]._replace(cell=cell), *chosen[1:]], Session(store)).table
        assert table["diverged"].tolist() == [True] * 3 + [False] * 18
        assert table["nmse"].isna().tolist() == [True] * 3 + [False] * 18
        pd.testing.assert_frame_equal(table.iloc[3:], unbroken.iloc[3:])


def test_runs_with_unequal_tests_are_refused():
    chosen = runs(2)
    with pytest.raises(ValueError, match=r"tests: got \[\(1, 1\), \(3, 1\)\]"):
        swept([chosen[0]._replace(tests=chosen[0].tests[:1]), chosen[1]])


PROGRAM = "Compiling jit(compiled)"  # what JAX says of a program over cells


@pytest.mark.slow
def test_one_compilation_of_each_program_serves_two_cells_and_two_hundred(caplog):
    def compiled(count):
        grid.over_cells.cache_clear()
        caplog.clear()
        with jax.log_compiles():
            swept(runs(count), Session(chunk=2 if count == 2 else 20))
        return sum(PROGRAM in record.message for record in caplog.records)

    # To start cells, to advance them, to draw tests, to measure, and for the novelty response.
    assert (compiled(2), compiled(200)) == (5, 5)


@pytest.mark.slow
def test_another_rate_or_length_or_other_checkpoints_compile_nothing(caplog):
    swept(runs(2))
    caplog.clear()
    with jax.log_compiles():
        for schedule in (
            dataclasses.replace(SHORT, learning_rate=0.01),
            dataclasses.replace(SHORT, steps=6),
            dataclasses.replace(SHORT, checkpoints=(1, 3)),
        ):
            swept(runs(2), schedule=schedule)
    assert not [r for r in caplog.records if PROGRAM in r.message]


@pytest.mark.slow
def test_labels_of_a_run_are_columns_of_numbers():
    labelled = [run._replace(labels={"top": 1 + n, "shapes": 2.5}) for n, run in enumerate(runs(3))]
    table = swept(labelled).table
    assert table["top"].tolist() == [1] * 3 + [2] * 3 + [3] * 3
    assert list(table.columns[:6]) == [
        "network", "content", "degradation", "top", "shapes", "seed",
    ]  # fmt: skip
    index = indices(table)
    assert index[["top", "shapes"]].to_numpy().tolist() == [[1, 2.5], [2, 2.5], [3, 2.5]]
    unlabelled = swept(runs(3)).table
    pd.testing.assert_frame_equal(table.drop(columns=["top", "shapes"]), unlabelled)


def test_an_array_has_a_named_axis_for_each_column_and_nan_where_nothing_is():
    frame = pd.DataFrame({"seed": [1, 0, 0], "pool": [4, 16, 4], "nmse": [0.1, 0.2, 0.3]})
    array = array_of(frame, "nmse", "seed", "pool")
    assert array.dims == ("seed", "pool")
    assert array.sel(seed=0, pool=16).item() == 0.2
    assert array["pool"].values.tolist() == [4, 16]
    assert np.isnan(array.sel(seed=1, pool=16))


@pytest.mark.slow
def test_without_a_span_no_share_in_it_is_measured():
    table = sweep(runs(1), SHORT, CONFIG._replace(span=None), Session()).table
    assert not {"output_in_span", "input_in_span"} & set(table.columns)
    with_span = swept(runs(1)).table
    pd.testing.assert_frame_equal(table, with_span[table.columns])


@pytest.mark.slow
def test_weights_stay_on_the_devices_while_they_are_tested():
    chosen = runs(3)
    trained = next(grid.trajectory([run.cell for run in chosen], SHORT))
    for leaf in jax.tree.leaves(trained.params):
        assert isinstance(leaf, jax.Array)
        assert len(leaf) % len(jax.local_devices()) == 0
        assert grid._spread(leaf, 3) is leaf
    measured = evaluation.evaluate(chosen, trained, CONFIG)
    expected = swept(chosen).table["nmse"].to_numpy().reshape(3, 3)
    np.testing.assert_array_equal(measured["nmse"], expected)


@pytest.mark.parametrize("count", [1, 2, 7, 30, 4096])
def test_chunks_come_out_even_and_fit_the_device(count):
    devices = len(jax.local_devices())
    size = grid.chunk_size(count, TINY, SHORT, (128, 1))
    assert size % devices == 0
    assert size <= 4 * devices
    assert -(-count // size) * size - count < 2 * size


def test_the_memory_of_tests_is_what_their_arrays_take():
    chosen = runs(3)
    drawn = evaluation.draw(chosen, CONFIG)
    taken = drawn.clean.nbytes + drawn.degraded.nbytes + 2 * drawn.probed.nbytes
    assert evaluation.bytes_of_tests(chosen[0], CONFIG) == taken / 3


def test_the_footprint_grows_with_what_backpropagation_keeps():
    small = footprint(ConvNet(width=16), 32, (128, 1))
    # Six layers of 9 shifted copies of (32, 128, 16) floats are the bulk of it.
    assert small > 5 * 9 * 32 * 128 * 16 * 4
    assert small < 10 * 5 * 9 * 32 * 128 * 16 * 4
    assert 1.8 < footprint(ConvNet(width=16), 64, (128, 1)) / small < 2.2
    assert 1.8 < footprint(ConvNet(width=16), 32, (256, 1)) / small < 2.2


@pytest.mark.slow
def test_a_network_tested_on_its_way_has_a_row_for_every_step_and_test(unbroken):
    store = Memory()
    schedule = dataclasses.replace(SHORT, checkpoints=(0, 1, 4))
    for _ in range(2):  # trained, then from the store
        table = swept(runs(3), Session(store), schedule).table
        assert table["step"].tolist() == [s for _ in range(3) for s in (0, 1, 4) for _ in range(3)]
        ends = table[table["step"] == 4].drop(columns="step").reset_index(drop=True)
        pd.testing.assert_frame_equal(ends, unbroken.iloc[:9])
        assert not np.allclose(table[table["step"] == 0]["nmse"], ends["nmse"])
    index = indices(table)
    assert index["step"].tolist() == [0, 1, 4] * 3
    last = index[index["step"] == 4].drop(columns="step").reset_index(drop=True)
    pd.testing.assert_frame_equal(last, indices(ends))


@pytest.mark.slow
def test_a_run_may_have_its_own_schedule(unbroken):
    short = dataclasses.replace(SHORT, checkpoints=(1,))
    chosen = runs(4)
    chosen[1] = chosen[1]._replace(schedule=short)
    reports = []
    table = swept(chosen, Session(progress=reports.append)).table
    alone = swept(runs(2)[1:], schedule=short).table
    pd.testing.assert_frame_equal(table.iloc[3:6].reset_index(drop=True), alone)
    others = [*range(3), *range(6, 12)]
    pd.testing.assert_frame_equal(table.iloc[others], unbroken.iloc[others])
    assert reports[-1][:3] == (4, 4, 3 * SHORT.steps + 1)


@pytest.mark.slow
def test_networks_tested_once_and_often_share_a_table():
    often = dataclasses.replace(SHORT, checkpoints=(1, 4))
    chosen = runs(2)
    chosen[0] = chosen[0]._replace(schedule=often)
    table = swept(chosen).table
    assert table["step"].tolist() == [1] * 3 + [4] * 6
