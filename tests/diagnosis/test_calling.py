"""Calling a model as it wants to be called, within the memory there is."""

import collections

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d.analysis import jacobian
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.adapters import adapt, from_function
from shortcut1d.diagnosis.calling import Call, in_tiles, memory_failed
from shortcut1d.diagnosis.inputs import SEEN, Case
from shortcut1d.diagnosis.outputs import batch_for, in_batches, output_in_batches
from shortcut1d.errors import InvalidInput


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def smoothed(y):
    """A mean of three neighbours along each spatial axis: it sees one value to each side."""
    for axis in range(1, y.ndim - 1):
        y = (jnp.roll(y, 1, axis) + y + jnp.roll(y, -1, axis)) / 3
    return y


@pytest.mark.slow
@given(size=st.integers(4, 90), tile=st.integers(8, 40), overlap=st.integers(2, 20))
def test_tiles_give_every_value_that_lies_far_enough_from_an_edge(size, tile, overlap):
    overlap = min(overlap, tile // 2)
    batch = drawn(2, size, 1)
    given_in_tiles = in_tiles(lambda part: np.asarray(smoothed(part)), batch, (1,), tile, overlap)
    assert given_in_tiles.shape == batch.shape
    whole = np.asarray(smoothed(batch))
    np.testing.assert_allclose(given_in_tiles[:, 1:-1], whole[:, 1:-1], atol=1e-6)


def test_tiles_go_along_every_axis_and_no_larger_than_asked_for():
    sizes = set()

    def noted(part):
        sizes.add(part.shape[1:3])
        return np.asarray(smoothed(part))

    batch = drawn(1, 40, 23, 2)
    made = in_tiles(noted, batch, (1, 2), 16, 4)
    assert sizes == {(16, 16)}
    np.testing.assert_allclose(
        made[:, 1:-1, 1:-1], np.asarray(smoothed(batch))[:, 1:-1, 1:-1], atol=1e-6
    )


@given(size=st.integers(1, 40), multiple=st.integers(1, 16), tile=st.sampled_from([None, 8, 12]))
def test_a_sample_of_any_size_comes_back_in_its_size(size, multiple, tile):
    sizes = []

    def noted(part):
        sizes.append(part.shape[1])
        return part

    call = Call(multiple=multiple, tile=tile, overlap=2)
    batch = drawn(2, size, 1)
    np.testing.assert_array_equal(call(noted, batch, (1,)), batch)
    assert set(sizes) == {tile} if tile else all(n % multiple == 0 for n in sizes)


def test_scales_are_of_the_model_and_cancel():
    seen = []

    def doubled(part):
        seen.append(float(np.max(part)))
        return 2 * part

    batch = np.ones((1, 4, 1), np.float32)
    np.testing.assert_allclose(adapt(doubled, input_scale=255)(batch), 2 * batch)
    np.testing.assert_allclose(adapt(doubled, input_scale=2, output_scale=1)(batch), 4 * batch)
    np.testing.assert_allclose(adapt(doubled, output_scale=4)(batch), batch / 2)
    assert seen == [255, 2, 1]


def test_an_adapted_jax_function_is_still_exactly_differentiable():
    def model(y, sigma):
        return {"image": jnp.tanh(y / sigma)}

    adapted = adapt(model, output="image", arguments={"sigma": 2.0}, multiple=8, input_scale=3)
    batch = drawn(2, 12, 1)
    exact = jacobian(adapted, batch, "jvp")
    np.testing.assert_allclose(exact, jacobian(adapted, batch, "differences"), atol=1e-3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"multipel": 8}, "did you mean .multiple"),
        ({"multiple": 0}, "multiple: got 0"),
        ({"tile": 4}, "tile: got 4"),
        ({"tile": 32, "overlap": 20}, "overlap: got 20"),
        ({"input_scale": 0}, "input_scale: got 0"),
        ({"output": 1.5}, "output: got 1.5"),
        ({"arguments": 3}, "arguments: got 3"),
        ({"one_at_a_time": "yes"}, "one_at_a_time: got 'yes'"),
    ],
)
def test_a_wrong_option_is_refused(options, said):
    with pytest.raises(InvalidInput, match=said):
        adapt(smoothed, **options)


def test_the_output_may_be_found_by_a_function_or_an_attribute():
    class Answer:
        sample = np.zeros((2, 4, 1))

    Pair = collections.namedtuple("Pair", ["noise", "image"])
    batch = drawn(2, 4, 1)
    assert adapt(lambda y: Answer(), output="sample")(batch).shape == batch.shape
    assert adapt(lambda y: Pair(y, 2 * y), output="image")(batch)[0, 0] == 2 * batch[0, 0]
    assert adapt(lambda y: [y, [2 * y]], output=lambda given: given[1][0])(batch)[0, 0] == (
        2 * batch[0, 0]
    )


# ---------------------------------------------------------------- memory

FAILURES = [
    MemoryError("no"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"),
    RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 53687091200 bytes"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_failed_allocation_is_known_for_one(failure):
    assert memory_failed(failure)
    assert not memory_failed(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_a_batch_that_memory_does_not_hold_is_halved_and_nothing_done_is_lost(failure):
    sizes = []

    def short_of_memory(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise failure
        return 0.5 * batch

    samples = drawn(16, 8, 1)
    case = Case(SEEN, SEEN, samples, samples)
    done = []
    output = output_in_batches(short_of_memory, case, 16, done.append)
    np.testing.assert_array_equal(output, 0.5 * samples)
    assert sizes == [16, 8, 4, *[2] * 8]
    assert done == [2] * 8


def test_a_sample_that_memory_does_not_hold_goes_through_in_tiles():
    sizes = set()

    def short_of_memory(batch):
        if batch.size > 128 * 128:
            raise MemoryError
        sizes.add(batch.shape)
        return np.asarray(smoothed(batch))

    samples = drawn(2, 300, 200, 1)
    output = output_in_batches(short_of_memory, Case(SEEN, SEEN, samples, samples), 2)
    inside = (slice(None), slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(output[inside], np.asarray(smoothed(samples))[inside], atol=1e-6)
    assert sizes == {(1, 75, 75, 1)}


def test_memory_that_holds_nothing_is_one_line_that_says_what_to_do():
    def short_of_memory(batch):
        raise MemoryError

    samples = drawn(8, 300, 1)
    with pytest.raises(InvalidInput, match=r"does not hold one sample: .*tile=256"):
        diagnose(short_of_memory, samples, samples + drawn(8, 300, 1, seed=1))


@pytest.mark.slow
def test_without_memory_for_products_all_else_is_reported():
    class Net:
        def __call__(self, batch):
            return 0.5 * batch

        def products(self, inputs):
            def no_memory(vectors):
                if vectors.shape == inputs.shape and len(inputs) == 1 and self.tried:
                    raise MemoryError
                self.tried = True
                return 0.5 * vectors

            return no_memory, no_memory

        tried = False  # the check's product is the one that fits

    samples = drawn(8, 32, 1)
    report = diagnose(Net(), samples, samples + drawn(8, 32, 1, seed=1), batch=1)
    assert any("not all was measured" in note for note in report.notes)
    assert np.isnan(report["rho"].estimate)
    assert report["nmse", "seen"].estimate > 0


def test_another_error_is_not_taken_for_one_of_memory():
    def broken(part):
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        in_batches(broken, 8, 4)


@pytest.mark.parametrize(
    ("values", "batch"), [(128, 64), (64 * 64, 64), (128**2 * 3, 5), (2**22, 1)]
)
def test_a_batch_holds_a_quarter_of_a_million_values(values, batch):
    assert batch_for(values) == batch


# ---------------------------------------------------------------- progress, and Ctrl-C


@pytest.mark.slow
def test_progress_is_told_and_ends_at_the_total():
    told = []
    samples = drawn(16, 32, 1)
    diagnose(
        smoothed, samples, samples + drawn(16, 32, 1, seed=1), portraits=0, batch=8,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    done, totals = zip(*told)
    assert list(done) == sorted(done)
    assert len(set(totals)) == 1
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("calls", [5, 6])
def test_ctrl_c_leaves_a_report_of_what_is_measured(calls):
    samples = drawn(16, 32, 1)
    count = 0

    def stopped(batch):
        nonlocal count
        count += 1
        if count > calls:
            raise KeyboardInterrupt
        return 0.5 * np.asarray(batch)

    options = {"unseen_content": (samples[::-1], 1.5 * samples[::-1]), "portraits": 0}
    report = diagnose(from_function(lambda y: y, channels=True), samples, 2 * samples, **options)
    assert not report.interrupted
    with pytest.raises(KeyboardInterrupt):
        diagnose(lambda batch: (_ for _ in ()).throw(KeyboardInterrupt), samples, 2 * samples)
    found = diagnose(stopped, samples, 2 * samples, batch=16, **options)
    assert found.interrupted
    assert any("interrupted" in note for note in found.notes)
    assert found["nmse", "seen"].estimate >= 0
    assert np.isnan(found["rho"].estimate)
    assert "rho unknown" in found.verdict
    assert repr(found)
    found.plot()
