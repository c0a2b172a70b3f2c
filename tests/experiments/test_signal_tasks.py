"""What the studies on signals share, and the arithmetic of each on tables of known answer."""

import dataclasses
import itertools

import jax
import numpy as np
import pandas as pd
import pytest
from common import chord_tasks
from common.chord_tasks import GAUSSIAN, chord_run
from common.pool_tasks import pool_curves, pool_run
from common.signal_tasks import filter_rows, make_test_sets, wiener

from shortcut1d import networks
from shortcut1d.analysis.structure import CONTENT_TWIN, DEGRADATION_TWIN
from shortcut1d.data import composition, degradations, gaussian, signals
from shortcut1d.data.signals import ENDLESS
from shortcut1d.training.evaluation import (
    SEEN,
    UNSEEN_BOTH,
    UNSEEN_CONTENT,
    UNSEEN_DEGRADATION,
)
from shortcut1d.training.tables import structures

NOTE, BAND = ("note", signals.note()), ("band", signals.band())
CLICKS, HISS = ("clicks", degradations.clicks()), ("hiss", degradations.hiss())
TINY = networks.ConvNet(width=2)
ROLES = (SEEN, UNSEEN_CONTENT, UNSEEN_DEGRADATION, UNSEEN_BOTH, CONTENT_TWIN, DEGRADATION_TWIN)


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


def test_a_twin_replaces_one_component_and_leaves_the_other():
    *_, content, degradation = make_test_sets(NOTE, CLICKS, {}, {}, twins=(BAND[1], HISS[1]))
    assert content[:1] + content[3:5] == (CONTENT_TWIN, BAND[1], CLICKS[1])
    assert degradation[:1] + degradation[3:5] == (DEGRADATION_TWIN, NOTE[1], HISS[1])


def test_a_pool_is_tested_on_melodies_that_are_not_in_it_and_on_sixteen_other_banks():
    made = pool_run(TINY, 4, 8, seed=3)
    assert made.labels == {"pool": 4, "shapes": 8}
    assert isinstance(made.cell.content, signals.Pool)
    assert int(made.cell.degradation.bank) == 3  # each seed has clicks of its own
    new = [t for t in made.tests if t.role in (UNSEEN_CONTENT, UNSEEN_BOTH)]
    assert len(new) == 2
    assert all(isinstance(t.content, signals.Melody) for t in new)
    other = [t for t in made.tests if t.role in (UNSEEN_DEGRADATION, UNSEEN_BOTH)]
    assert all(isinstance(t.degradation, composition.Units) for t in other)
    assert all(t.degradation.count == 16 for t in other)
    twin = next(t for t in made.tests if t.role == CONTENT_TWIN)
    assert isinstance(twin.content, gaussian.Gaussian)


def test_a_cell_of_the_map_is_tested_on_its_twins_and_what_was_gaussian_on_structure():
    (content, degradation), twins = chord_tasks.families_of(2, 4, seed=5)
    assert (type(content), type(twins[0])) == (signals.Chords, signals.Band)
    assert (type(degradation), type(twins[1])) == (degradations.Clicks, gaussian.Gaussian)
    (content, degradation), twins = chord_tasks.families_of(GAUSSIAN, GAUSSIAN, seed=5)
    assert (type(content), type(twins[0])) == (signals.Band, signals.Chords)
    assert (type(degradation), type(twins[1])) == (gaussian.Gaussian, degradations.Clicks)


def test_all_cells_of_a_seed_are_tested_on_the_same_new_music_under_the_same_new_clicks():
    cells = [chord_run(*of, 3, TINY) for of in ((1, 1), (32, 256), (GAUSSIAN, GAUSSIAN))]
    tests = [[t for t in run.tests if t.role == UNSEEN_BOTH] for run in cells]
    for other in tests[1:]:
        for mine, theirs in zip(tests[0], other, strict=True):
            for part in ("content", "degradation"):
                leaves = [jax.tree.leaves(getattr(t, part)) for t in (mine, theirs)]
                for left, right in zip(*leaves, strict=True):
                    np.testing.assert_array_equal(left, right)


@pytest.mark.slow
def test_a_filter_is_tested_as_a_network_and_a_wiener_filter_has_no_structure_to_lose():
    run = chord_run(1, 1, 0, TINY)
    rows = filter_rows(run, "Wiener filter", wiener(run, jax.random.key(0), gaussian.DRAWS), 2048)
    assert list(rows["test"]) == [test.role for test in run.tests]
    assert list(structures(rows)["psi"]) == pytest.approx([0], abs=0.05)
    nothing = filter_rows(run, "none", lambda given: given, 32)
    assert list(nothing["relative_error"]) == pytest.approx([1] * len(run.tests))


def rows_of(error, **who):
    """One network, whose error in each test is a function of the test's role."""
    return [
        who | {
            "network": who.get("network", "conv"), "diverged": False, "test": role,
            "test_content": "-", "test_degradation": "-", "nmse": error(role),
            "relative_error": error(role), "rho": 0.5,
        }
        for role in ROLES
    ]  # fmt: skip


def table_over(error, **axes):
    """Networks of eight seeds at each point; errors are a function of (role, seed, *point)."""
    return pd.DataFrame(
        [
            row
            for seed in range(8)
            for point in itertools.product(*axes.values())
            for row in rows_of(
                lambda role, at=(seed, *point): error(role, *at),
                network="conv",
                **dict(zip(axes, point)),
                seed=seed,
            )
        ]
    )


def pools_table(error):
    """A table of pools whose errors are a function of (role, seed, pool, K)."""
    return table_over(error, pool=(16, 64, ENDLESS), shapes=(1, 64))


def test_more_data_s_claims_hold_on_a_table_where_they_are_true_and_not_on_a_flat_one(experiment):
    def shortcut(role, seed, pool, shapes):
        noise = 1 + 0.001 * seed
        if role == UNSEEN_BOTH:
            return (0.4 if shapes == 1 and pool == ENDLESS else 0.3) * noise
        if role == DEGRADATION_TWIN:  # the more melodies, the more the clicks' structure is missed
            return (0.3 if pool == ENDLESS else 0.2) * noise
        return 0.1 * noise

    claims = experiment("more_data").claims
    true = {claim.statement: claim for claim in claims(pools_table(shortcut))}
    assert [c.verdict for c in true.values()] == ["holds"] * 4
    worse = true["under clicks of 1 shape, endlessly many melodies do worse than 16"]
    assert worse.interval.estimate == pytest.approx(10 * np.log10(4 / 3))
    flat = claims(pools_table(lambda role, seed, pool, shapes: 0.3 + 0.001 * seed))
    assert [c.verdict for c in flat] == ["equivalent"] * 4


def test_a_diverged_network_takes_its_seed_out_of_a_mean_over_cells(experiment):
    table = pools_table(lambda role, seed, pool, shapes: 0.3 + 0.001 * seed)
    gone = (table["seed"] == 3) & (table["pool"] == ENDLESS) & (table["shapes"] == 64)
    table.loc[gone, ["nmse", "relative_error"]] = np.nan
    made = {claim.statement: claim for claim in experiment("more_data").claims(table)}
    structure = made["the more melodies, the more it is the clicks' structure that is fitted"]
    assert structure.interval.seeds == 7
    worse = made["under clicks of 1 shape, endlessly many melodies do worse than 16"]
    assert worse.interval.seeds == 8


def test_a_claim_about_cells_that_were_not_trained_is_not_made(experiment):
    table = pools_table(lambda role, seed, pool, shapes: 0.3 + 0.001 * seed)
    few = experiment("more_data").claims(table[table["shapes"] == 64])
    assert [claim.statement for claim in few] == [
        "the more melodies, the more it is the clicks' structure that is fitted"
    ]


def test_pool_curves_are_seeds_by_shapes_by_pools():
    def error(role, seed, pool, shapes):
        return ROLES.index(role) + seed / 100 + pool / 2**40 + shapes / 10_000

    table = pools_table(error)
    values = pool_curves(table, "nmse")
    assert values.dims == ("seed", "shapes", "pool")
    assert values["pool"].values.tolist() == [16, 64, ENDLESS]
    assert values[2, 1, 2] == pytest.approx(error(UNSEEN_BOTH, 2, ENDLESS, 64))
    known = pool_curves(table, "known_nmse")
    assert known[2, 1, 2] == pytest.approx(error(UNSEEN_CONTENT, 2, ENDLESS, 64))
    assert pool_curves(table, "psi")[0, 0, 0] == pytest.approx(-1)  # twins' errors 4 and 5
    assert pool_curves(table, "rho")[0, 0, 0] == 0.5


# ---------------------------------------------------------------- the studies' arithmetic


def map_table(error, notes=(1, 2, 32), shapes=(1, 256)):
    """A table of the map whose errors are a function of (role, seed, M, K)."""
    table = table_over(error, notes=notes, shapes=shapes)
    return table.assign(
        content_complexity=table["notes"].astype(float),
        degradation_complexity=table["shapes"].astype(float),
    )


def test_the_sweet_spot_is_inside_where_both_ends_are_worse(module):
    sweet_spot = module("sweet_spot")

    def inside(role, seed, notes, shapes):
        if role == UNSEEN_BOTH:
            return {1: 0.4, 2: 0.2, 32: 0.3}[notes] * (1 + 0.001 * seed)
        return 0.1

    made = sweet_spot.claims(map_table(inside))
    assert made[0].interval.estimate == pytest.approx(10 * np.log10(1.5), rel=1e-6)
    assert [c.verdict for c in made[:2]] == ["holds", "equivalent"]

    def at_the_end(role, seed, notes, shapes):
        return (0.2 if notes == 32 else 0.4) * (1 + 0.001 * seed)

    assert sweet_spot.claims(map_table(at_the_end))[0].verdict == "refuted"
    assert sweet_spot.claims(map_table(inside, notes=(1, 32))) == []  # not the registered cell


def test_predict_is_right_where_the_simpler_component_is_the_fitted_one(module):
    def content_where_it_has_fewer(role, seed, notes, shapes):
        lost = CONTENT_TWIN if notes < shapes else DEGRADATION_TWIN
        return 0.5 if role == lost else 0.1

    sweet_spot = module("sweet_spot")
    assert (sweet_spot.share_right(map_table(content_where_it_has_fewer)) == 1).all()
    swapped = map_table(content_where_it_has_fewer).rename(
        columns={
            "content_complexity": "degradation_complexity",
            "degradation_complexity": "content_complexity",
        }
    )
    # But for the cells in which both have one shape: they are on the noise's side either way.
    np.testing.assert_allclose(sweet_spot.share_right(swapped), 1 / 6)


def test_the_claims_of_the_twins_read_their_cells(module):
    twins = module("twins")

    def known(role, seed, notes, shapes):
        lost = {DEGRADATION_TWIN: 0.4 * (shapes == 1), CONTENT_TWIN: 0.5 * (notes == 1)}
        return (0.1 + lost.get(role, 0)) * (1 + 0.001 * seed)

    made = twins.claims(map_table(known, notes=(GAUSSIAN, 1, 32), shapes=(GAUSSIAN, 1, 256)))
    found = [claim.interval.estimate for claim in made]
    # psi of noise and content; what more shapes and more notes change; .5 left against .1.
    assert found == pytest.approx([-0.4, 0.5, 0.4, 0.5, 10 * np.log10(5)], rel=0.01)


def test_capacity_and_a_skip_are_read_on_their_contents(module):
    architecture = module("architecture")

    def table_of(psi):
        rows = [
            row
            for seed in range(8)
            for name in (architecture.BASE, architecture.SKIP, "6 channels", "44 channels")
            for notes in (1, 32)
            for lost in [psi(name, notes)]
            for row in rows_of(
                lambda role, lost=lost: 0.1 + lost * (role == CONTENT_TWIN),
                network=name, notes=notes, seed=seed,
            )
        ]  # fmt: skip
        return pd.DataFrame(rows)

    values = {architecture.SKIP: (-0.6, -0.2), "44 channels": (0.3, -0.1)}
    skip, capacity = architecture.claims(
        table_of(lambda name, notes: values.get(name, (0, 0))[notes == 32])
    )
    assert skip.interval.estimate == pytest.approx(-0.4)
    assert capacity.interval.estimate == pytest.approx(-0.1)


def course_table(of_degradation, of_content):
    """Networks of one task, tested along the way: what they lose without each structure."""
    rows = []
    for seed in range(8):
        for number, (noise, content) in enumerate(zip(of_degradation, of_content, strict=True)):
            losses = {DEGRADATION_TWIN: noise, CONTENT_TWIN: content}
            who = {"notes": 1, "shapes": 1, "seed": seed, "step": 2**number}
            rows += rows_of(lambda role, lost=losses: 0.1 + lost.get(role, 0), **who)
    table = pd.DataFrame(rows)
    return table[[*("network", "notes", "shapes", "seed", "step", "diverged"), *(
        c for c in table if c not in ("network", "notes", "shapes", "seed", "step", "diverged")
    )]]  # fmt: skip


def test_what_is_learned_first_is_counted_in_doublings(module):
    dynamics = module("dynamics")
    table = course_table([0, 0.12, 0.2, 0.2, 0.1], [0, 0, 0, 0.3, 0.6])
    first, *_ = dynamics.claims(table)
    assert first.interval.estimate == pytest.approx(3 - 1)  # step 8 against step 2
    table.loc[table["seed"] == 1, "relative_error"] = np.nan  # diverged
    content = dynamics.course(table, (1, 1), "of_content")
    assert np.isnan(dynamics.half_way(content)[1])
    assert dynamics.half_way(content)[0] == 3


@pytest.mark.parametrize(
    ("steps", "checkpoints"), [(8, (0, 1, 2, 4, 8)), (10, (0, 1, 2, 4, 8, 10))]
)
def test_networks_are_tested_after_every_doubling(module, steps, checkpoints):
    smoke = module("dynamics").experiment.presets["smoke"]
    assert dataclasses.replace(smoke, steps=steps).checkpoints() == checkpoints


def remedies_table(remedies, error):
    """A table of eight seeds with the error of each remedy under each unseen degradation."""
    rows = [
        {
            "network": name, "seed": seed, "test": role, "test_degradation": test,
            "nmse": error.get((name, test), error.get(name, 0.8)) * (1 + 0.001 * seed),
        }
        for name in (remedies.NOTHING, remedies.FEWER, *remedies.DIRECTIONS.values())
        for seed in range(8)
        for role, test in [(SEEN, "clicks"), *((UNSEEN_BOTH, t) for t in remedies.DIRECTIONS)]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_remedy_that_helps_everywhere_has_no_direction_of_its_own(module):
    remedies = module("remedies")
    own = {(remedy, test): 0.4 for test, remedy in remedies.DIRECTIONS.items()}
    richer, direction, fewer = remedies.claims(remedies_table(remedies, own))
    halved = 10 * np.log10(2)
    assert richer.interval.estimate == pytest.approx(halved)
    assert direction.interval.estimate == pytest.approx(halved)
    assert (richer.verdict, direction.verdict, fewer.verdict) == ("holds", "holds", "equivalent")
    everywhere = dict.fromkeys(remedies.DIRECTIONS.values(), 0.4)
    richer, direction, _ = remedies.claims(remedies_table(remedies, everywhere))
    assert (richer.verdict, direction.verdict) == ("holds", "equivalent")
    costs = remedies.costs(remedies_table(remedies, everywhere))
    assert costs.sel(network=remedies.WIDEST).values == pytest.approx([-halved] * 8)


def test_no_remedy_is_trained_on_what_it_is_tested_on(module):
    remedies = module("remedies")
    config = remedies.experiment.presets["quick"]
    unseen = {str(family) for family in remedies.unseen(0).values()}
    for remedy in remedies.remedies(config, 4, 2, seed=0).values():
        parts = getattr(remedy.degradation, "parts", (remedy.degradation,))
        assert not {str(part) for part in parts} & unseen


def test_a_network_trained_with_l1_is_compared_with_mse(module):
    architecture = module("architecture")
    config = dataclasses.replace(architecture.experiment.presets["smoke"], loss="l1")
    made = architecture.variants(config)
    assert made[architecture.BASE].schedule.loss == "l1"
    assert made["MSE loss"].schedule.loss == "mse"


def parameters(network):
    weights = networks.abstract(network, (signals.WINDOW,), 1)
    return sum(leaf.size for leaf in jax.tree.leaves(weights))


def test_variants_change_one_thing_and_no_remedy_takes_more_gradients(module):
    architecture, remedies = module("architecture"), module("remedies")
    made = architecture.variants(architecture.experiment.presets["quick"])
    base = made[architecture.BASE]
    for name, variant in made.items():
        same = (variant.network == base.network, variant.schedule == base.schedule)
        assert same == (True, True) if name == architecture.BASE else sum(same) == 1, name
    fields = {name: made[name].network.receptive_field() for name in made if "channel" in name}
    fields |= {name: made[name].network.receptive_field() for name in made if "layers" in name}
    assert set(fields.values()) == {base.network.receptive_field()} == {113}
    assert made["sees one click"].network.receptive_field() == 17
    assert made["sees the window"].network.receptive_field() == 161
    sizes = {name: parameters(made[name].network) for name in made}
    assert sizes["sees one click"] == pytest.approx(sizes[architecture.BASE], rel=0.05)
    assert sizes[architecture.LARGE] / sizes[architecture.SMALL] == pytest.approx(50, rel=0.05)
    config = remedies.experiment.presets["quick"]
    for name, remedy in remedies.remedies(config, 4, 2, seed=0).items():
        gradients = remedy.schedule.checkpoint_steps()[-1] * (2 if remedy.schedule.sharpness else 1)
        assert gradients <= config.steps, name
        assert remedy.schedule.batch == config.batch


def test_the_level_of_a_note_is_that_of_its_power_in_and_out(module):
    rows = [
        {
            "seed": seed, "test": UNSEEN_CONTENT, "test_content": content, "nmse": 1.0,
            "relative_error": 0.5, "output_in_span": 0.6, "output_power": 0.5,
            "input_in_span": 0.05 if content == "tune" else 0.9,
        }
        for seed in range(3)
        for content in ("another note", "tune")
    ]  # fmt: skip
    # In: 0.05 of the power of content and of noise, which is twice that. Out: 0.6 of 0.5.
    expected = 10 * np.log10(0.3 / (0.05 * 3))
    assert module("music_note").level_of_note(pd.DataFrame(rows)) == pytest.approx([expected] * 3)


def test_a_claim_of_several_networks_is_judged_by_the_one_it_is_least_true_of(module):
    values = np.array([[1.0, 5.0], [3.0, 7.0]])
    assert module("music_note").least_mean(values) == 2
    assert module("music_note").largest_mean(values) == 6


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("architecture", ["--token-width", "6"], "token_width: got 6, expected a multiple of"),
        ("architecture", ["--samples", "24"], "samples: got 24, expected a multiple of 16"),
        ("dynamics", ["--samples", "24"], "samples: got 24, expected a multiple of 16"),
        ("remedies", ["--dropout", "1"], "dropout: got 1.0"),
        ("remedies", ["--noise", "nan"], "noise: got nan"),
        ("remedies", ["--contents", "0"], "contents: got 0"),
        ("phase_diagram", ["--mlp-width", "0"], "mlp_width: got 0"),
        ("phase_diagram", ["--frequencies", "2", "70"], "frequencies: got 70"),
        ("sweet_spot", ["--notes", "2", "4"], "notes: got (2, 4)"),
        ("twins", ["--notes", "1", "99"], "notes: got 99"),
        ("twins", ["--shapes", "4", "1"], "shapes: got (4, 1)"),
        ("more_data", ["--pools", "4", "8"], "pools: got (4, 8), expected 16 among them"),
        ("more_data", ["--first-seed", "4095"], "first_seed: got 4095"),
    ],
)
def test_a_study_refuses_what_it_cannot_do(name, arguments, named, command, tmp_path):
    status, printed, complaints = command(name, *arguments, "--out", tmp_path / "new")
    assert (status, printed) == (2, "")
    assert named in complaints
    assert complaints.count("\n") == 1
    assert not (tmp_path / "new").exists()
