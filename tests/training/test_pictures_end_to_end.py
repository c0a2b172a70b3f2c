"""Training, grid, evaluation and diagnosis on pictures: the same code as on signals."""

import numpy as np
import pytest
from common.signal_tasks import make_test_sets

from shortcut1d import networks
from shortcut1d.data import image_degradations, images, signals
from shortcut1d.diagnosis import diagnose
from shortcut1d.training.evaluation import SEEN, EvalConfig, Run
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep
from shortcut1d.training.tables import indices

SIZE = 16


def one_run(kind, network, seed=0):
    known = signals.pool(kind, 4, seed)
    falling = image_degradations.rain("small", size=SIZE)
    tests = make_test_sets(
        ("pool", known), ("rain", falling), {"field": images.field(size=SIZE)},
        {"other": falling.unseen()},
    )  # fmt: skip
    return Run(Cell(known, falling, network, seed), "net", "pool", "rain", tests)


@pytest.mark.parametrize(
    "network",
    [
        networks.ConvNet(8, 3, kernel=3, edges="reflect"),
        networks.MLP(64, 2),
        networks.UNet(4, levels=2, kernel=3, edges="reflect"),
        networks.ResNet(4, blocks=2, edges="reflect"),
        networks.Attention(16, depth=1, heads=2),
    ],
    ids=lambda network: type(network).__name__,
)
@pytest.mark.slow
def test_every_network_learns_to_derain_four_pictures(network, optimised):
    schedule = Schedule(300, 8, checkpoints=(0, 300))
    eval_config = EvalConfig(16, pictures=True)
    table = sweep(
        [one_run(images.leaves(size=SIZE), network)], schedule, eval_config, Session()
    ).table
    seen = table[table["test"] == SEEN].set_index("step")
    before, after = (seen.loc[step] for step in (0, 300))
    assert after["nmse"] < 0.5 * before["nmse"]
    assert after["psnr"] > before["psnr"] + 3
    assert after["ssim"] > before["ssim"]
    assert after["e_r"] < before["e_r"]
    index = indices(table)
    assert np.isfinite(index[["phi", "rho", "generality"]]).all(axis=None)


@pytest.mark.slow
def test_a_picture_s_silence_is_mid_grey():
    # An untrained net with a skip gives back nearly what it is given. That keeps the content, and
    # the level that the content varies about must not count as content.
    still = networks.ConvNet(2, 2, kernel=3, skip=True)
    who = one_run(images.smooth(size=SIZE), still)
    tables = {
        pictures: sweep(
            [who],
            Schedule(1, 2, checkpoints=(0,)),
            EvalConfig(64, pictures=pictures),
            Session(),
        ).table
        for pictures in (False, True)
    }
    ratio = tables[True]["nmse"] / tables[False]["nmse"]
    # Mean of c^2 about 0 is contrast^2 + 1/4, about mid-grey contrast^2.
    expected = 1 + 0.25 / images.CONTRAST**2
    assert ratio.iloc[0] == pytest.approx(expected, rel=0.15)
    np.testing.assert_allclose(
        tables[True]["relative_error"], tables[False]["relative_error"], rtol=1e-4
    )


@pytest.mark.slow
def test_diagnose_takes_families_of_pictures():
    report = diagnose(
        lambda pictures: pictures, images.leaves(size=SIZE), image_degradations.rain(size=SIZE),
        unseen_content=images.text(size=SIZE), samples=16,
    )  # fmt: skip
    assert "generalises to another content" in report.verdict  # keeps everything, removes nothing
    assert "whether it overfits the degradation cannot be judged" in report.verdict
