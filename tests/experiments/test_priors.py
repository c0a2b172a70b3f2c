"""The studies of a generative prior: what is paired, what is read off their table."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from common.priors import classics, figure, judged, measured
from common.priors.tasks import (
    CLEAN,
    DIFFUSION,
    KNOWN,
    NO_CODE,
    NOTHING,
    PLAIN,
    PRIOR,
    PROJECTED,
    STANDS,
    TRAINED,
    TWIN,
    UNSEEN,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg

from shortcut1d import networks, plotting

CASES = ("narrow: deraining", "middle: deraining", "rich: deraining")
TESTS = ((CLEAN, NOTHING), (KNOWN, "rain"), (UNSEEN, "snow"), (UNSEEN, "hail"), (TWIN, "twin"))
RESTORERS = (PLAIN, PRIOR, STANDS, PROJECTED, TRAINED, NO_CODE, DIFFUSION, "median", "wavelet")


def made(decibels, off=lambda restorer, case: 1.0, seeds=3):
    """A table whose quality in dB is a function of restorer, case, role and degradation."""
    rows = []
    for seed, case, restorer, (role, name) in itertools.product(
        range(seeds), CASES, RESTORERS, TESTS
    ):
        content, task = case.split(": ")
        rows.append(
            {
                "content": content, "task": task, "restorer": restorer, "seed": seed, "test": role,
                "test_degradation": name, "nmse": 10 ** (-decibels(restorer, case, role) / 10),
                "relative_error": 0.1 if role == KNOWN else 0.5, "off_range": off(restorer, case),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def test_gain_and_room_are_differences_in_decibels():
    def decibels(restorer, case, role):
        if role == CLEAN:
            return 20.0 + CASES.index(case)
        return 12.0 if restorer == PRIOR else 9.0

    table = made(decibels)
    np.testing.assert_allclose(judged.gain(table), 3.0)
    room = judged.room(table).mean(["seed", "tested"]).sel(case=list(CASES))
    np.testing.assert_allclose(room, [11, 12, 13])
    found = judged.statistics(table, CASES, CASES)
    for name in ("prior", "code", "diffusion", "classics"):
        np.testing.assert_allclose(found[name], 3.0, err_msg=name)
    np.testing.assert_allclose(found["projection"], -1.5)
    np.testing.assert_allclose(found["structure"], 0.0, atol=1e-12)
    assert "no_gain" not in found
    np.testing.assert_allclose(judged.mean_over(judged.unseen_gain(table), CASES[:1]), 3.0)


def test_the_crossing_is_where_the_line_through_all_gains_is_zero():
    def decibels(restorer, case, role):
        room = 4.0 * CASES.index(case)
        if role == CLEAN:
            return 10 + room
        return 10 + (0.5 * (room - 3.0) if restorer == PRIOR else 0.0)

    found = judged.statistics(made(decibels), CASES, CASES)
    np.testing.assert_allclose(found["crossing"], 3.0)
    np.testing.assert_allclose(found["room"], 1.0)


def test_there_is_no_crossing_where_gain_does_not_rise_with_room():
    def decibels(restorer, case, role):
        room = 4.0 * CASES.index(case)
        if role == CLEAN:
            return 10 + room
        return 10 - (room if restorer == PRIOR else 0.0)

    found = judged.statistics(made(decibels), CASES, CASES)
    assert np.isnan(found["crossing"]).all()
    np.testing.assert_allclose(found["room"], -1.0)


def test_error_goes_with_distance_from_the_range_where_it_does():
    def decibels(restorer, case, role):
        return float(RESTORERS.index(restorer))

    table = made(decibels, lambda restorer, case: 10 ** (-RESTORERS.index(restorer) / 10))
    np.testing.assert_allclose(judged.goes_with_distance(table), 1.0)


def test_a_seed_whose_network_diverged_has_no_correlation():
    table = made(
        lambda restorer, case, role: float(RESTORERS.index(restorer)),
        lambda restorer, case: 10 ** (-RESTORERS.index(restorer) / 10),
    )
    table.loc[(table["restorer"] == TRAINED) & (table["seed"] == 1), ["nmse", "off_range"]] = np.nan
    found = judged.goes_with_distance(table)
    assert np.isnan(found).tolist() == [False, True, False]


def test_half_of_no_gain_is_no_claim():
    levels = {PRIOR: 7.0, PROJECTED: 8.5}
    table = made(lambda restorer, case, role: levels.get(restorer, 9.0))
    assert np.isnan(judged.statistics(table, CASES, CASES)["projection"]).all()


def test_nothing_is_said_of_a_mean_over_cases_that_are_not_all_there():
    table = made(lambda restorer, case, role: 9.0)
    more = (*CASES, "richest: deraining")
    assert set(judged.statistics(table, more, more[-1:], CASES)) == {
        "no_gain",
        "classics_elsewhere",
    }
    np.testing.assert_allclose(judged.statistics(table, more, (), CASES)["no_gain"], 0.0)
    elsewhere = judged.statistics(table, (*CASES, "rich: denoising"), CASES, ())
    assert {"room", "crossing", "cost"}.isdisjoint(elsewhere)
    assert {"prior", "structure", "distance"} <= set(elsewhere)


@pytest.mark.parametrize("diverged", [PLAIN, PRIOR])
def test_the_figure_is_drawn_where_all_networks_of_a_kind_diverged(diverged):
    table = made(lambda restorer, case, role: 9.0)
    table.loc[table["restorer"] == diverged, ["nmse", "off_range"]] = np.nan
    shown = ("input", "clean", *figure.SHOWN)
    arrays = {f"narrow: {name}": np.zeros((16, 16, 1), np.float32) for name in shown}
    with plotting.style():
        drawn = figure.plot(table, arrays)
    FigureCanvasAgg(drawn).draw()


def test_signals_are_restored_by_as_many_weights_with_a_prior_as_without(experiment):
    plan = experiment("generative_prior").presets["kept"].plan()

    def count(network, parts=None):
        weights = networks.abstract(network, plan.shape[:-1], plan.shape[-1])
        chosen = weights if parts is None else {part: weights[part] for part in parts}
        return sum(leaf.size for leaf in jax.tree.leaves(chosen))

    plain = count(plan.plain)
    assert count(plan.network, ("encoder", "decoder", "codebooks")) == pytest.approx(plain, rel=0.2)
    assert count(plan.diffusion) == pytest.approx(plain, rel=0.2)


def test_the_best_classic_of_each_case_is_the_one_that_is_best_over_all_seeds():
    def decibels(restorer, case, role):
        return {"median": 5.0, "wavelet": 4.0 + 2 * CASES.index(case)}.get(restorer, 9.0)

    best = judged.best_classic(made(decibels)).mean("seed")
    assert best.sel(case=list(CASES)).values.tolist() == pytest.approx([5, 6, 8])


@pytest.fixture(scope="module")
def signals_study():
    import generative_prior

    config = generative_prior.experiment.presets["smoke"]
    return config, config.plan(), generative_prior.tasks_of(config, 1)


@pytest.mark.slow
def test_all_tests_of_a_task_have_the_same_clean_samples_under_different_degradations(
    signals_study,
):
    _, plan, tasks = signals_study
    samples = measured.samples_of(tasks[0], plan, seed=1)
    assert [role for role, _ in samples.names] == [CLEAN, KNOWN, UNSEEN, UNSEEN, UNSEEN, TWIN]
    np.testing.assert_array_equal(samples.tests[0], samples.clean)
    again = measured.samples_of(tasks[0], plan, seed=1)
    np.testing.assert_array_equal(samples.tests, again.tests)
    other = measured.samples_of(tasks[0], plan, seed=2)
    assert not np.array_equal(samples.clean, other.clean)
    residuals = samples.tests[1:] - samples.clean
    assert all((residual**2).mean() > 0.3 for residual in residuals)
    known, _ = samples.known
    assert not np.isclose(known[:, None], samples.clean).all(axis=(2, 3)).any()


def test_pictures_to_test_on_are_none_of_those_trained_on(experiment):
    module = pytest.importorskip("image_prior")
    pytest.importorskip("skimage")
    config = experiment("image_prior").presets["smoke"]
    for name, (seen, new) in module.contents_of(config).items():
        assert not set(np.asarray(seen.seen.order)) & set(np.asarray(new.seen.order)), name
        assert len(new.seen.order) >= 3


@pytest.mark.slow
def test_filters_in_other_processes_give_what_they_give_here():
    rng = np.random.default_rng(0)
    clean = np.float32(rng.normal(size=(16, 32, 1))).cumsum(axis=1)
    degraded = clean + np.float32(rng.normal(size=clean.shape))
    here = classics.outputs(1, clean, degraded, degraded[None])
    with classics.workers() as workers:
        there = workers.submit(classics.outputs, 1, clean, degraded, degraded[None]).result()
    assert list(here) == list(there)
    for name in here:
        np.testing.assert_array_equal(here[name], there[name], err_msg=name)


@pytest.mark.slow
def test_no_process_outlives_the_one_that_is_killed(tmp_path):
    code = (
        "import os, sys, time; sys.path.insert(0, 'experiments')\n"
        "from common.priors import classics\n"
        "if __name__ == '__main__':\n"
        "    with classics.workers() as workers:\n"
        "        print(workers.submit(os.getpid).result(), flush=True); time.sleep(60)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    root = Path(__file__).resolve().parent.parent.parent
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, cwd=root) as parent:
        worker = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail(f"process {worker} is still there")
