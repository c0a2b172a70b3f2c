"""Trained networks whose optimum is known: they must reach it, and no measure may read more."""

import jax
import numpy as np
import pytest
from common.signal_tasks import make_test_sets

from shortcut1d import networks
from shortcut1d.analysis import linear, oracles
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw
from shortcut1d.training.evaluation import EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import indices

NOISE, UNSEEN = degradations.hiss(), degradations.hiss(color=1.0, low=1.0)


def spectrum(family):
    return oracles.power_spectrum(draw(family, jax.random.key(1), 2**15))


@pytest.mark.slow
@pytest.mark.parametrize("known", [signals.band(16), signals.band(30, 5)])
def test_a_trained_linear_network_reaches_the_wiener_filter_and_has_the_index_of_the_floor(
    known, optimised
):
    new = signals.band(50, 30)
    tests = make_test_sets(("band", known), ("hiss", NOISE), {"new": new}, {"pink": UNSEEN})
    linear_network = networks.MLP(width=1, depth=1)
    run = Run(Cell(known, NOISE, linear_network, 0), "linear", "band", "hiss", tests)
    schedule = Schedule(2000, 32, 3e-3)
    table = sweep([run], schedule, EvalConfig(8192, probes=1), Session()).table
    (found,) = indices(table).to_dict("records")
    own = spectrum(known), spectrum(NOISE)
    pairs = [own, (spectrum(new), own[1]), (own[0], spectrum(UNSEEN))]
    left = linear.floor(own, pairs)
    assert found["nmse"] == pytest.approx(left[0] / own[0].sum(), rel=0.06)
    kept = np.clip(1 - left[1] / pairs[1][0].sum(), -1, 1)
    removed = np.clip(1 - left[2] / pairs[2][1].sum(), -1, 1)
    assert found["phi"] == pytest.approx(removed - kept, abs=0.03)
