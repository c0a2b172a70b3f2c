"""What the studies share, and the arithmetic of each, on tables whose answer is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from common.signal_tasks import (
    UNSEEN_BOTH,
    PoolConfig,
    make_test_sets,
    map_run,
    pool_curves,
    pool_run,
    seen_run,
)

from shortcut1d import networks
from shortcut1d.data import degradations, signals
from shortcut1d.data.signals import ENDLESS
from shortcut1d.errors import InvalidInput
from shortcut1d.training.evaluation import SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION

NOTE, BAND = ("note", signals.note()), ("band", signals.band())
CLICKS, HISS = ("clicks", degradations.clicks()), ("hiss", degradations.hiss())


def test_each_unseen_family_is_tested_with_the_other_one_as_in_training():
    made = make_test_sets(NOTE, CLICKS, dict([BAND]), dict([HISS]), both=True)
    assert [(t.role, t.content_name, t.degradation_name) for t in made] == [
        (SEEN, "note", "clicks"),
        (UNSEEN_CONTENT, "band", "clicks"),
        (UNSEEN_DEGRADATION, "note", "hiss"),
        (UNSEEN_BOTH, "band", "hiss"),
    ]
    assert made[1].content is BAND[1]
    assert made[1].degradation is CLICKS[1]
    assert len(make_test_sets(NOTE, CLICKS, dict([BAND, NOTE]), dict([HISS]))) == 4


def test_a_run_that_is_tested_on_what_it_saw_has_one_test():
    made = seen_run(networks.ConvNet(width=2), "net", NOTE, CLICKS, seed=3)
    assert (made.network, made.content, made.degradation) == ("net", "note", "clicks")
    assert [t[:3] for t in made.tests] == [(SEEN, "note", "clicks")]
    assert (made.cell.content, made.cell.degradation, made.cell.seed) == (NOTE[1], CLICKS[1], 3)


def test_what_a_run_is_are_numbers_of_its_own():
    made = map_run(networks.ConvNet(width=2), "net", 5.0, 8, 3, depth=6)
    assert made.labels == {"frequency": 5.0, "shapes": 8, "depth": 6}
    assert pool_run(PoolConfig(), 4, 8, seed=3).labels == {"pool": 4, "shapes": 8}


def test_a_pool_is_tested_on_melodies_that_are_not_in_it():
    made = pool_run(PoolConfig(), 4, 8, seed=3)
    assert isinstance(made.cell.content, signals.Pool)
    assert int(made.cell.degradation.bank) == 3  # each seed has clicks of its own
    new = [t for t in made.tests if t.role in (UNSEEN_CONTENT, UNSEEN_BOTH)]
    assert all(isinstance(t.content, signals.Melody) for t in new)
    assert len(new) == 2


def pools_table(error):
    """A table of pools whose error on what is new in both is a function of (seed, pool, K)."""
    rows = []
    for seed in range(4):
        for pool in (1, 16, ENDLESS):
            for shapes in (1, 64):
                who = {"network": "conv", "pool": pool, "shapes": shapes, "seed": seed,
                       "diverged": False}  # fmt: skip
                nmse = error(seed, pool, shapes)
                rows += [
                    who | {"test": role, "nmse": nmse, "relative_error": nmse, "rho": 0.5}
                    for role in (SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION, UNSEEN_BOTH)
                ]
    return pd.DataFrame(rows)


def test_more_data_s_claims_hold_on_a_table_where_they_are_true_and_not_on_a_flat_one(experiment):
    def u_shaped(seed, pool, shapes):
        best = 16 if shapes == 1 else ENDLESS
        return 0.3 + 0.01 * seed + (0.0 if pool == best else 0.2)

    claims = experiment("more_data").claims
    true = claims(pools_table(u_shaped))
    assert [c.verdict for c in true] == ["holds"] * 3
    assert "16 (chosen on other seeds)" in true[0].statement
    assert true[0].interval.estimate == pytest.approx(0.2)
    flat = claims(pools_table(lambda seed, pool, shapes: 0.3 + 0.01 * (pool == 1)))
    assert [c.verdict for c in flat] == ["undecided"] * 3  # exactly at the threshold


def test_pool_curves_are_seeds_by_shapes_by_pools():
    def error(seed, pool, shapes):
        return seed + pool / 2**31 + shapes / 1000

    values = pool_curves(pools_table(error), "nmse")
    assert values.dims == ("seed", "shapes", "pool")
    assert values.shape == (4, 2, 3)
    assert values["pool"].values.tolist() == [1, 16, ENDLESS]
    assert values["shapes"].values.tolist() == [1, 64]
    assert values[2, 1, 2] == pytest.approx(error(2, ENDLESS, 64))


# ---------------------------------------------------------------- the studies' arithmetic


def test_variance_is_shared_out_between_content_and_size(module):
    shares = module("capacity").shares_of_variance
    size, frequency = np.array([0.0, 1.0, 2.0]), np.array([0.0, 5.0])
    only_content = np.broadcast_to(frequency, (4, 3, 2))
    only_size = np.broadcast_to(size[:, None], (4, 3, 2))
    np.testing.assert_allclose(shares(only_content), [[1] * 4, [0] * 4, [0] * 4], atol=1e-12)
    np.testing.assert_allclose(shares(only_size), [[0] * 4, [1] * 4, [0] * 4], atol=1e-12)
    # Of the variances 6.25 and 2/3 of the two.
    both = shares(only_content + only_size)
    np.testing.assert_allclose(both.content, 6.25 / (6.25 + 2 / 3))
    np.testing.assert_allclose(both.both, 0, atol=1e-12)
    crossed = shares((size - 1)[:, None] * (frequency - 2.5) * np.ones((4, 1, 1)))
    np.testing.assert_allclose(crossed, [[0] * 4, [0] * 4, [1] * 4], atol=1e-12)


def test_parameters_are_counted(module):
    of = module("capacity").parameters
    net = module("capacity").ConvNet(width=4, depth=3, kernel=9, dilations=(1, 1, 1))
    assert of(net) == (9 * 4 + 4) + (9 * 4 * 4 + 4) + (9 * 4 + 1)


def test_all_depths_see_the_same(module):
    capacity = module("capacity")
    seen = {net.receptive_field() for net in capacity.experiment.presets["full"].sizes()}
    assert seen == {113}


def course_table(phi, error, gain):
    """Networks of one corner, tested along the way: index, error and noise gain by step."""
    rows = []
    for seed in range(2):
        for step, (index, nmse, of_noise) in enumerate(zip(phi, error, gain, strict=True)):
            who = {
                "network": "corner", "content": "band(2)", "degradation": "clicks(1)",
                "seed": seed, "step": step, "diverged": False, "rho": 0.0,
                "degradation_gain": of_noise,
            }  # fmt: skip
            rows += [
                who | {"test": SEEN, "nmse": nmse, "relative_error": 1.0},
                who | {"test": UNSEEN_CONTENT, "nmse": 1.0, "relative_error": 1.0},  # keeps nothing
                who | {"test": UNSEEN_DEGRADATION, "nmse": 1.0, "relative_error": 1.0 - index},
            ]
    return pd.DataFrame(rows)


def test_the_index_is_read_where_half_of_the_way_is_done(module):
    table = course_table([0, 0.1, 0.3, 0.6], [1.0, 0.9, 0.4, 0.0], [0] * 4)
    on_the_way = module("dynamics").on_the_way
    np.testing.assert_allclose(on_the_way(table, "corner"), 0.3)
    # Half of the way from silence, however loud the untrained network is.
    loud = course_table([0, 0.1, 0.3, 0.6], [17.0, 0.9, 0.4, 0.0], [0] * 4)
    np.testing.assert_allclose(on_the_way(loud, "corner"), 0.3)
    loud.loc[loud["seed"] == 1, "nmse"] = np.nan  # diverged
    np.testing.assert_allclose(on_the_way(loud, "corner"), [0.3, np.nan])


@pytest.mark.parametrize(
    ("phi", "back"), [([0, 0.2, 0.9, 0.6], 0.3), ([0, 0.5, -0.1, -0.4], 0.0), ([0, 0.1, 0.7], 0.0)]
)
def test_going_back_is_measured_on_the_side_where_the_run_ends(module, phi, back):
    table = course_table(phi, [1.0] * len(phi), [0] * len(phi))
    np.testing.assert_allclose(module("dynamics").gone_back(table, "corner"), back, atol=1e-6)


def test_changing_sides_counts_once_something_is_learnt(module):
    # It was content-fitted by 0.2 when 0.4 of the error was left; the 0.9 came before that.
    table = course_table([0.9, 0.2, -0.3, -0.5], [1.0, 0.4, 0.2, 0.0], [0] * 4)
    np.testing.assert_allclose(module("dynamics").went_over(table, "corner"), 0.2, atol=1e-6)
    stayed = course_table([-0.9, 0.2, 0.3, 0.5], [1.0, 0.4, 0.2, 0.0], [0] * 4)
    np.testing.assert_allclose(module("dynamics").went_over(stayed, "corner"), 0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "checkpoints"), [(8, (0, 1, 2, 4, 8)), (10, (0, 1, 2, 4, 8, 10))]
)
def test_networks_are_tested_after_every_doubling(module, steps, checkpoints):
    smoke = module("dynamics").experiment.presets["smoke"]
    assert dataclasses.replace(smoke, steps=steps).checkpoints() == checkpoints


def test_the_best_number_is_chosen_on_other_seeds(module):
    def best_of_others(error):
        coords = {"pool": np.arange(np.shape(error)[2])}
        error = xr.DataArray(error, dims=("seed", "shapes", "pool"), coords=coords)
        return module("sweet_spot").best_of_others(error)

    # Two seeds, one K: each is best where the other is worst, and gets the other's choice.
    np.testing.assert_array_equal(best_of_others([[[0.1, 0.9]], [[0.8, 0.2]]]), [[0.9], [0.8]])
    assert np.isnan(best_of_others(np.ones((1, 2, 3)))).all()
    # A number of melodies under which a network diverged is not the best.
    np.testing.assert_array_equal(
        best_of_others([[[0.1, 0.9]], [[np.nan, 0.2]]]), [[0.9], [np.nan]]
    )


def test_the_advice_is_tried_on_nothing_that_it_was_made_with_nor_tested_on(module):
    for pair in module("sweet_spot").pairs(0).values():
        unseen = str(pair.unseen)
        assert unseen != str(pair.degradation)
        assert unseen not in [str(family) for family in pair.wider.values()]
        for family in pair.wider.values():
            for part in getattr(family, "parts", ()):
                assert str(part) != unseen


def test_of_several_changes_the_largest_counts_whichever_its_sign(module):
    changes = np.array([[0.1, -0.5], [0.3, -0.1]])[..., None]
    np.testing.assert_allclose(module("architecture").largest(changes), [0.3])


def remedies_table(remedies, error):
    """A table of four seeds with the error of each remedy on what is new."""
    return pd.DataFrame(
        [
            {
                "network": name, "content": "melody", "degradation": "clicks", "seed": seed,
                "test": UNSEEN_BOTH, "test_content": "tune", "test_degradation": "other clicks",
                "nmse": value + 0.01 * seed,
            }
            for name, value in error.items()
            for seed in range(4)
        ]
    )  # fmt: skip


def test_a_remedy_under_which_networks_diverge_is_not_the_best_of_the_others(module):
    remedies = module("remedies")
    error = {remedies.NOTHING: 0.9, remedies.FEWER: 0.8, remedies.WIDER: 0.3, "dropout": 0.5}
    made = {
        c.statement: c for c in remedies.claims(remedies_table(remedies, error | {"mad": np.nan}))
    }
    best = made[f"{remedies.WIDER} beats dropout, the best of the others (on other seeds)"]
    assert best.interval.estimate == pytest.approx(0.2)
    assert made["dropout helps against what is not known"].verdict == "holds"
    assert made["mad helps against what is not known"].verdict == "undecided"


def test_a_remedy_that_is_the_very_same_as_another_makes_no_claim_against_it(module):
    remedies = module("remedies")
    error = {remedies.NOTHING: 0.9, remedies.FEWER: 0.9, remedies.WIDER: 0.3, remedies.WIDEST: 0.3}
    statements = [c.statement for c in remedies.claims(remedies_table(remedies, error))]
    assert len(statements) == 3
    assert not any(s.startswith(f"{remedies.WIDER} beats") for s in statements)
    assert f"{remedies.FEWER} helps against what is not known" not in statements


def test_a_network_trained_with_l1_is_compared_with_mse(module):
    architecture = module("architecture")
    config = dataclasses.replace(architecture.experiment.presets["smoke"], loss="l1")
    made = architecture.variants(config)
    assert made[architecture.BASE].schedule.loss == "l1"
    assert made["MSE loss"].schedule.loss == "mse"


def test_variants_change_one_thing_and_no_remedy_takes_more_gradients(module):
    architecture, remedies = module("architecture"), module("remedies")
    made = architecture.variants(architecture.experiment.presets["quick"])
    base = made[architecture.BASE]
    for name, variant in made.items():
        same = (variant.network == base.network, variant.schedule == base.schedule)
        assert same == (True, True) if name == architecture.BASE else sum(same) == 1, name
    assert made["sees 17: a click"].network.receptive_field() == 17
    assert made[architecture.NEAR].network.receptive_field() == 49
    assert made[architecture.WINDOW].network.receptive_field() == 161
    count = module("capacity").parameters
    sizes = [count(made[name].network) for name in (architecture.BASE, "sees 17: a click")]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)
    config = remedies.experiment.presets["quick"]
    for name, remedy in remedies.remedies(config, 4, 2, seed=0).items():
        gradients = remedy.schedule.checkpoint_steps()[-1] * (2 if remedy.schedule.sharpness else 1)
        assert gradients <= config.steps, name
        assert remedy.schedule.batch == config.batch


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("dynamics", ["--frequencies", "1", "5"], "frequencies: got (1.0, 5.0), expected three"),
        ("dynamics", ["--shapes", "4", "2", "1"], "shapes: got (4, 2, 1)"),
        ("capacity", ["--depths", "5"], "depths: got 5, expected one of [4, 6, 10]"),
        ("capacity", ["--widths", "8", "4"], "widths: got (8, 4)"),
        ("capacity", ["--frequencies", "70"], "frequencies: got (70.0,)"),
        ("architecture", ["--shapes", "4"], "shapes: got (4,), expected as many as frequencies"),
        (
            "architecture",
            ["--token-width", "6"],
            "token_width: got 6, expected a multiple of heads",
        ),
        ("remedies", ["--dropout", "1"], "dropout: got 1.0"),
        ("remedies", ["--noise", "nan"], "noise: got nan"),
        ("phase_diagram", ["--mlp-width", "0"], "mlp_width: got 0"),
        ("phase_diagram", ["--frequencies", "2", "70"], "frequencies: got 70"),
        ("capacity", ["--widths", "4", "--depths", "6", "--width", "4"], "widths: got (4,)"),
        ("capacity", ["--shapes", "0"], "shapes: got 0"),
        ("remedies", ["--contents", "0"], "contents: got 0"),
        ("sweet_spot", ["--contents", "3"], "contents: got 3"),
        ("sweet_spot", ["--pools", "4", "1"], "pools: got (4, 1)"),
        ("more_data", ["--seeds", "1"], "seeds: got 1"),
    ],
)
def test_a_study_refuses_what_it_cannot_do(name, arguments, named, command, tmp_path):
    status, printed, complaints = command(name, *arguments, "--out", tmp_path / "new")
    assert (status, printed) == (2, "")
    assert named in complaints
    assert complaints.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_claim_on_balance_tests_two_sentences_of_the_papers(module):
    remedies = module("remedies")
    error = {remedies.NOTHING: 0.9, remedies.FEWER: 0.8, remedies.WIDER: 0.3, "dropout": 0.5}
    sentences = {c.statement: c.sentences for c in remedies.claims(remedies_table(remedies, error))}
    assert len(sentences[f"{remedies.WIDER} helps against what is not known"]) == 2
    assert len(sentences[f"{remedies.FEWER} helps against what is not known"]) == 1
    assert sentences["dropout helps against what is not known"] == ()


def test_pools_that_make_no_grid_are_refused():
    for pools in ((), (4, 4), (8, 2), (0,), (ENDLESS,)):
        with pytest.raises(InvalidInput, match="pools"):
            PoolConfig(pools=pools)
