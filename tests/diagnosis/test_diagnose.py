"""`diagnose` on denoisers whose answer is known, and what it says of input it cannot use."""

import functools
import io
import xml.etree.ElementTree as ET

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from shortcut1d.analysis import oracles, share_in_span
from shortcut1d.data import composition, degradations, image_degradations, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.report import draw
from shortcut1d.errors import InvalidInput

KEY = jax.random.key(0)
SIZE, SAMPLES = 128, 32
# Four disjoint bands: what is trained on, and what is not.
CONTENT, NEW_CONTENT = signals.band(8), signals.band(high=16, low=9)
LAYER, NEW_LAYER = (
    degradations.hiss(low=20, high=29),
    degradations.hiss(low=40, high=55),
)
P_C = oracles.basis_of(CONTENT.sample(KEY, 100))  # rank 16
P_D = oracles.basis_of(LAYER.sample(KEY, 100))  # rank 20
RANK_C, RANK_D = P_C.shape[1], P_D.shape[1]


def in_numpy(alpha):
    """The mixture `alpha * projector + (1 - alpha) * subtractor`, which JAX cannot trace."""
    matrix = alpha * P_C @ P_C.T + (1 - alpha) * (np.eye(SIZE) - P_D @ P_D.T)

    def denoiser(y):
        return (np.asarray(y)[..., 0] @ matrix.astype(np.float32))[..., None]

    return denoiser


def in_jax(oracle):
    """An oracle on the NumPy arrays that a denoiser is given; JAX can trace it."""
    return lambda y: oracle(jnp.asarray(y))


unchanged = in_jax(oracles.identity)


def half(y):
    return 0.5 * y


def half_in_numpy(y):
    return 0.5 * np.asarray(y)


def diagnosed(denoiser, **options):
    known = {"unseen_content": NEW_CONTENT, "unseen_degradation": NEW_LAYER}
    given = {**known, "samples": SAMPLES, "portraits": 0, **options}
    return diagnose(denoiser, CONTENT, LAYER, **given)


ORACLES = {
    "projector": in_jax(oracles.projector(P_C)),
    "subtractor": in_jax(oracles.subtractor(P_D)),
    "identity": unchanged,
    "harmful": lambda y: -y,
    **{alpha: in_numpy(alpha) for alpha in (0.2, 0.3, 0.5, 0.8)},
}


@functools.cache
def report_of(name):
    return diagnosed(ORACLES[name], portraits=2 if name in ("projector", "subtractor") else 0)


@functools.cache
def arrays(unseen_content=False, unseen_degradation=False):
    families = (
        NEW_CONTENT if unseen_content else CONTENT,
        NEW_LAYER if unseen_degradation else LAYER,
    )
    clean, degraded = (np.array(part) for part in draw_pair(KEY, *families, SAMPLES))
    return clean, degraded


def estimates(report, *left_out):
    return {
        (line.measure, line.test): line.interval.estimate
        for line in report.measures
        if line.measure not in left_out
    }


# ---------------------------------------------------------------- the known answer


@pytest.mark.parametrize(
    ("name", "said", "kept", "removed", "rho", "passed"),
    [
        ("projector", "content", 0, 1, RANK_C / SIZE, 0),
        ("subtractor", "degradation", 1, 0, 1 - RANK_D / SIZE, 1),
    ],
)
def test_oracles_read_their_known_answer(name, said, kept, removed, rho, passed):
    report = report_of(name)
    assert report.index.verdict == said
    for measure, truth in {
        "kept": kept, "removed": removed, "phi": removed - kept, "generality": 0.5,
        "removed from seen": 1, "nmse": 0, "relative_error": 0,
    }.items():  # fmt: skip
        assert report[measure].estimate == pytest.approx(truth, abs=1e-4), measure
    assert report["nmse", "unseen content"].estimate == pytest.approx(1 - kept, abs=1e-4)
    assert report["relative_error", "unseen degradation"].estimate == pytest.approx(
        1 - removed, abs=1e-4
    )
    # 128 draws of a standard deviation of 0.05: a standard error of 0.004.
    assert report["rho"].estimate == pytest.approx(rho, abs=0.02)
    for unseen in ("unseen content", "unseen degradation"):
        assert report[f"rho along {unseen}"].estimate == pytest.approx(passed, abs=1e-4)
    assert (report.networks, report.samples) == (1, SAMPLES)


def test_the_portrait_of_an_oracle_is_its_projector():
    content_fitted, degradation_fitted = report_of("projector"), report_of("subtractor")
    assert content_fitted["dimensions"].estimate == pytest.approx(RANK_C, abs=0.01)
    assert degradation_fitted["dimensions"].estimate == pytest.approx(SIZE - RANK_D, abs=0.01)
    # 32 samples hold 99% of their energy in almost all of the directions of their band.
    assert content_fitted["keeps content"].estimate > 0.9
    assert degradation_fitted["blocks degradation"].estimate > 0.9
    for report in (content_fitted, degradation_fitted):
        assert report["symmetry"].estimate == pytest.approx(1, abs=1e-3)
        assert report["passes content"].estimate == pytest.approx(1, abs=1e-3)
        assert report["passes degradation"].estimate == pytest.approx(0, abs=1e-3)


def test_doing_nothing_fits_neither_and_leaves_all_over():
    report = report_of("identity")
    assert report.index.verdict == "neither"
    assert report["removed"].estimate == pytest.approx(0, abs=1e-5)
    assert report["rho"].estimate == pytest.approx(1, abs=1e-5)
    for test in ("seen", "unseen content", "unseen degradation"):
        for measure in ("relative_error", "content_gain", "degradation_gain"):
            assert report[measure, test].estimate == pytest.approx(1, abs=1e-4)


@settings(max_examples=6)
@given(st.floats(0, 1))
def test_the_index_of_a_mixture_of_oracles_is_known(alpha):
    report = diagnosed(in_numpy(alpha))
    kept, removed = 1 - alpha**2, 1 - (1 - alpha) ** 2
    assert report["kept"].estimate == pytest.approx(kept, abs=1e-4)
    assert report["removed"].estimate == pytest.approx(removed, abs=1e-4)
    assert report["phi"].estimate == pytest.approx(2 * alpha - 1, abs=1e-4)
    assert report["generality"].estimate == pytest.approx((kept + removed) / 2, abs=1e-4)
    trace = alpha * RANK_C + (1 - alpha) * (SIZE - RANK_D)
    assert report["rho"].estimate == pytest.approx(trace / SIZE, abs=0.02)
    for unseen in ("unseen content", "unseen degradation"):
        assert report[f"rho along {unseen}"].estimate == pytest.approx(1 - alpha, abs=1e-3)
    gains = report["degradation_gain", "unseen degradation"]
    assert gains.estimate == pytest.approx(1 - alpha, abs=1e-4)


@pytest.mark.slow
def test_the_index_is_that_of_its_measures():
    for name in ORACLES:
        report = report_of(name)
        index = report.index
        for measure in ("kept", "removed", "phi", "generality"):
            assert getattr(index, measure) == report[measure].estimate
        assert index.phi == pytest.approx(index.removed - index.kept)


def test_gains_of_a_mixture_by_band_are_known():
    report = report_of(0.3)
    np.testing.assert_allclose(report.edges, 0.5 + 8 * np.arange(9))  # 8 bands of 8 frequencies
    nan, seen = np.nan, report.bands["seen"]
    np.testing.assert_allclose(seen.content, [1] + 7 * [nan], atol=1e-4)
    np.testing.assert_allclose(seen.degradation, [nan, nan, 0, 0] + 4 * [nan], atol=1e-4)
    new_content, new_layer = report.bands["unseen content"], report.bands["unseen degradation"]
    np.testing.assert_allclose(new_content.content, [nan, 0.7] + 6 * [nan], atol=1e-4)
    np.testing.assert_allclose(new_layer.degradation, [nan] * 4 + [0.7] * 3 + [nan], atol=1e-4)


def test_as_many_bands_as_asked_for():
    report = diagnosed(ORACLES[0.5], bands=4)
    np.testing.assert_allclose(report.edges, 0.5 + 16 * np.arange(5))
    assert report.bands["seen"].content.shape == (4,)


SPARSE = np.zeros((16, 32, 1), np.float32)
SPARSE[:, ::4] = 0.4
NOISE = np.random.default_rng(0).normal(size=(16, 32, 1)).astype(np.float32)


@pytest.mark.slow
def test_errors_on_and_off_the_degradation_are_told_apart():
    report = diagnose(np.asarray, NOISE, NOISE + SPARSE, portraits=0)
    assert report["e_r", "seen"].estimate == pytest.approx(0.4, abs=1e-5)
    assert report["e_b", "seen"].estimate == pytest.approx(0, abs=1e-6)
    harms = diagnose(lambda y: np.asarray(y) + 0.1, NOISE, NOISE + SPARSE, portraits=0)
    assert harms["e_r", "seen"].estimate == pytest.approx(0.5, abs=1e-5)
    assert harms["e_b", "seen"].estimate == pytest.approx(0.1, abs=1e-5)


def test_the_threshold_says_where_a_layer_counts_as_there():
    report = diagnose(np.asarray, NOISE, NOISE + SPARSE, portraits=0, threshold=0.5)
    assert np.isnan(report["e_r", "seen"].estimate)  # it is nowhere
    assert report["e_b", "seen"].estimate == pytest.approx(0.2, abs=1e-5)  # 0.4 on a quarter
    assert "nan" in repr(report)


# ---------------------------------------------------------------- what it is given


def test_plain_arrays_are_diagnosed_as_families_are():
    report = diagnose(
        ORACLES[0.3],
        *arrays(),
        unseen_content=arrays(unseen_content=True),
        unseen_degradation=arrays(unseen_degradation=True),
        portraits=0,
    )
    assert report["kept"].estimate == pytest.approx(1 - 0.3**2, abs=1e-4)
    assert report["removed"].estimate == pytest.approx(1 - 0.7**2, abs=1e-4)
    assert report["phi"].estimate == pytest.approx(2 * 0.3 - 1, abs=1e-4)
    assert all("dB" in note for note in report.notes)  # 16 draws are not equally strong
    for case, pair in zip(report.cases, (arrays(), arrays(True), arrays(False, True))):
        np.testing.assert_array_equal(case.clean, pair[0])
        np.testing.assert_array_equal(case.degraded, pair[1])


UNSEEN_CONTENT = {
    "family": (lambda: NEW_CONTENT, ["unseen content"]),
    "pair": (lambda: arrays(unseen_content=True), ["unseen content"]),
    "clean samples": (lambda: arrays(unseen_content=True)[0], ["unseen content"]),
    "dictionary": (
        lambda: {
            "drawn": NEW_CONTENT,
            "paired": arrays(unseen_content=True),
            "clean": arrays(unseen_content=True)[0],
        },
        ["drawn", "paired", "clean"],
    ),
}


@pytest.mark.parametrize("kind", UNSEEN_CONTENT)
@pytest.mark.parametrize("seen", ["families", "arrays"])
def test_unseen_content_comes_in_many_forms(seen, kind):
    make, names = UNSEEN_CONTENT[kind]
    given = (CONTENT, LAYER) if seen == "families" else arrays()
    report = diagnose(
        ORACLES[0.3], *given, unseen_content=make(), samples=SAMPLES, portraits=0, probes=1
    )
    assert report["kept"].estimate == pytest.approx(1 - 0.3**2, abs=1e-4)
    assert [case.name for case in report.cases if case.role == "unseen content"] == names
    for name in names:
        assert report["nmse", name].estimate == pytest.approx(0.3**2, abs=1e-4)


UNSEEN_DEGRADATION = {
    "family": (lambda: NEW_LAYER, ["unseen degradation"]),
    "pair": (lambda: arrays(unseen_degradation=True), ["unseen degradation"]),
    "dictionary": (
        lambda: {"drawn": NEW_LAYER, "paired": arrays(unseen_degradation=True)},
        ["drawn", "paired"],
    ),
}


@pytest.mark.parametrize("kind", UNSEEN_DEGRADATION)
@pytest.mark.parametrize("seen", ["families", "arrays"])
def test_unseen_degradation_comes_in_many_forms(seen, kind):
    make, names = UNSEEN_DEGRADATION[kind]
    given = (CONTENT, LAYER) if seen == "families" else arrays()
    report = diagnose(
        ORACLES[0.3], *given, unseen_degradation=make(), samples=SAMPLES, portraits=0, probes=1
    )
    assert report["removed"].estimate == pytest.approx(1 - 0.7**2, abs=1e-4)
    assert [case.name for case in report.cases if case.role == "unseen degradation"] == names
    for name in names:
        assert report["relative_error", name].estimate == pytest.approx(0.7**2, abs=1e-4)


CONTENT_AS_LAYER = degradations.hiss(low=1, high=8)  # it lies where the content does


def test_several_unseen_things_count_alike():
    report = diagnosed(
        ORACLES["projector"],
        unseen_content={"new": NEW_CONTENT, "old": CONTENT},
        unseen_degradation={"new layer": NEW_LAYER, "inside": CONTENT_AS_LAYER},
    )
    assert report["kept"].estimate == pytest.approx((0 + 1) / 2, abs=1e-4)
    assert report["removed"].estimate == pytest.approx((1 + 0) / 2, abs=1e-4)
    assert report["phi"].estimate == pytest.approx(0, abs=1e-4)
    assert report["nmse", "new"].estimate == pytest.approx(1, abs=1e-4)
    assert report["nmse", "old"].estimate == pytest.approx(0, abs=1e-4)
    assert report["rho along new layer"].estimate == pytest.approx(0, abs=1e-4)
    assert report["rho along inside"].estimate == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_clean_samples_are_given_the_layers_of_the_seen_ones_in_turn():
    clean, degraded = arrays()
    more = np.concatenate([arrays(unseen_content=True)[0], clean[:8]])
    report = diagnose(half_in_numpy, clean, degraded, unseen_content=more, portraits=0)
    case = report.cases[1]
    np.testing.assert_array_equal(case.clean, more)
    layer = degraded - clean
    np.testing.assert_allclose(case.degraded - more, np.concatenate([layer, layer[:8]]), atol=1e-6)


@pytest.mark.slow
def test_arrays_without_unseen_degradation_are_given_white_noise_and_a_note():
    clean, degraded = arrays()
    report = diagnose(ORACLES["projector"], clean, degraded, portraits=0)
    case = report.cases[1]
    assert (case.role, case.name) == ("unseen degradation", "white noise")
    np.testing.assert_array_equal(case.clean, clean)
    noise = case.degraded - clean
    # 4096 values: the power of the noise has a standard error of 2%.
    assert np.mean(noise**2) == pytest.approx(np.mean((degraded - clean) ** 2), rel=0.09)
    power = oracles.power_spectrum(noise)
    assert np.max(power) < 3 * np.mean(power)  # every frequency has some
    assert report["removed"].estimate == pytest.approx(1 - RANK_C / SIZE, abs=0.02)
    assert [note for note in report.notes if "white noise" in note]
    assert "note: unseen degradation: white noise" in repr(report)


def test_without_unseen_content_nothing_is_known_of_it():
    report = diagnose(half_in_numpy, *arrays(), portraits=0)
    assert report.index.verdict == "unknown"
    assert np.isnan(report["kept"].estimate)
    assert np.isnan(report["phi"].estimate)
    assert "cannot be judged" in report.verdict
    assert "keeps an unknown share" in report.verdict
    assert "note: kept content is not known: give unseen_content" in repr(report)
    report.plot().savefig(io.BytesIO())


class Constant:
    """A family that is no pytree: contents of one value, or layers; twice that is unseen."""

    def __init__(self, value, size=32):
        self.value, self.size = value, size

    def sample(self, key, n):
        return self.value * np.ones((n, self.size, 1), np.float32)

    def apply(self, clean, realisation):
        return clean - realisation


class Twinned(Constant):
    def unseen(self):
        return Constant(2 * self.value, self.size)


def test_a_familys_held_out_twin_is_unseen_by_default():
    report = diagnose(half_in_numpy, Twinned(1.0), Twinned(0.25), samples=16, portraits=0)
    assert [case.name for case in report.cases] == ["seen", "unseen content", "unseen degradation"]
    assert [(case.clean.max(), case.degraded.max()) for case in report.cases] == [
        (1.0, 0.75), (2.0, 1.75), (1.0, 0.5),
    ]  # fmt: skip
    assert report.notes == [
        "unseen content: the degradation of unseen content is weaker than the seen one, 18.1 "
        "against 12.0 dB of content over residual",
        "unseen degradation: the degradation is stronger than the seen one, 6.0 against 12.0 dB of "
        "content over residual",
    ]


def test_a_family_without_a_twin_is_taken_as_arrays_are():
    report = diagnose(half_in_numpy, Constant(1.0), Constant(0.25), samples=16, portraits=0)
    assert [case.name for case in report.cases] == ["seen", "white noise"]
    assert len(report.notes) == 2


def test_the_twin_of_a_family_of_this_package_is_drawn():
    report = diagnosed(ORACLES[0.5], unseen_content=None, unseen_degradation=None)
    seen, unseen = report.cases[0].clean, report.cases[1].clean
    assert float(share_in_span(seen, P_C)) == pytest.approx(1, abs=1e-4)
    assert float(share_in_span(unseen, P_C)) == pytest.approx(0, abs=1e-4)


def test_clean_samples_can_be_put_under_a_family():
    clean, _ = arrays()
    report = diagnose(ORACLES["subtractor"], clean, LAYER, samples=SAMPLES, portraits=0)
    np.testing.assert_array_equal(report.cases[0].clean, clean)
    assert report["removed from seen"].estimate == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_a_degradation_that_is_not_additive_can_be_diagnosed():
    report = diagnose(unchanged, CONTENT, degradations.dropout(), samples=SAMPLES, portraits=0)
    assert report["relative_error", "seen"].estimate == pytest.approx(1, abs=1e-5)
    assert report["removed"].estimate == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_arrays_of_any_numbers_are_taken(kind):
    clean = (100 + 20 * NOISE).astype(kind)
    report = diagnose(half_in_numpy, clean, clean + kind(40), portraits=0)
    layer = report.cases[0].degraded - report.cases[0].clean
    np.testing.assert_allclose(layer, 40, atol=1e-4)  # no unsigned number went round
    assert report["rho"].estimate == pytest.approx(0.5, abs=1e-3)


def test_lists_and_jax_arrays_are_arrays():
    clean, degraded = NOISE, NOISE + SPARSE
    truth = estimates(diagnose(half_in_numpy, clean, degraded, portraits=0))
    for make in (np.ndarray.tolist, jnp.asarray):
        found = diagnose(half_in_numpy, make(clean), make(degraded), portraits=0)
        assert estimates(found) == pytest.approx(truth, rel=1e-3, abs=1e-5, nan_ok=True)


def test_no_more_samples_of_arrays_are_used_than_asked_for():
    more = np.concatenate([NOISE, NOISE[:4]])
    report = diagnose(half_in_numpy, more, more + SPARSE[0], samples=16, portraits=0)
    assert [len(case.clean) for case in report.cases] == [16, 16]
    np.testing.assert_array_equal(report.cases[0].clean, NOISE)
    assert report.samples == 16


# ---------------------------------------------------------------- several networks, intervals

ALPHAS = (0.2, 0.3, 0.5, 0.8)


@pytest.mark.slow
def test_several_networks_give_their_mean_and_an_interval_over_them():
    several = diagnosed([ORACLES[alpha] for alpha in ALPHAS])
    alphas = np.array(ALPHAS)
    truths = {
        "kept": 1 - alphas**2, "removed": 1 - (1 - alphas) ** 2, "phi": 2 * alphas - 1,
    }  # fmt: skip
    for measure, truth in truths.items():
        found = several[measure]
        assert found.seeds == len(ALPHAS)
        assert found.estimate == pytest.approx(truth.mean(), abs=1e-4)
        # What the networks differ by, the interval has to hold.
        assert found.high - found.low > 3 * truth.std(ddof=1) / np.sqrt(len(truth))
        for alpha in ALPHAS:
            one = report_of(alpha)[measure]
            assert found.high - found.low > one.high - one.low
    assert several.networks == len(ALPHAS)
    assert set(several.to_frame()["networks"]) == {len(ALPHAS)}
    assert f"{len(ALPHAS)} networks x {SAMPLES} samples" in repr(several)
    first = report_of(ALPHAS[0])
    for output, alone in zip(several.outputs, first.outputs):
        np.testing.assert_array_equal(output, alone)


@pytest.mark.parametrize("name", ORACLES)
def test_the_estimate_lies_in_its_interval(name):
    for line in report_of(name).measures:
        estimate, low, high, networks = line.interval
        if np.isnan(estimate):
            assert name in ("harmful", "identity")  # they remove nothing of what they have seen
            assert line.measure.startswith("transfer")
            continue
        slack = 1e-9 * (1 + abs(estimate))  # of rounding, where all samples are alike
        assert low - slack <= estimate <= high + slack, line
        assert networks == 1


# ---------------------------------------------------------------- keys


def test_the_same_key_gives_the_same_report_and_none_is_always_the_same_one():
    one, other = (diagnosed(half_in_numpy, key=key) for key in (None, KEY))
    assert one.to_frame().equals(other.to_frame())
    assert repr(one) == repr(other)
    for mine, theirs in zip(one.outputs, other.outputs):
        np.testing.assert_array_equal(mine, theirs)


def test_another_key_gives_other_draws():
    one, other = (diagnosed(half_in_numpy, key=jax.random.key(n)) for n in (1, 2))
    for mine, theirs in zip(one.cases, other.cases):
        assert not np.any(mine.clean == theirs.clean)
    for test in ("seen", "unseen content", "unseen degradation"):
        assert one["nmse", test].estimate != other["nmse", test].estimate
    # But for white noise nothing is drawn of arrays.
    one, other = (
        diagnose(half_in_numpy, *arrays(), portraits=0, key=jax.random.key(n)) for n in (1, 2)
    )
    assert one["nmse", "seen"] == other["nmse", "seen"]
    assert one["nmse", "white noise"] != other["nmse", "white noise"]


# ---------------------------------------------------------------- the report


def test_measures_are_read_by_name_and_test():
    report = report_of("projector")
    assert report["rho"] == next(m.interval for m in report.measures if m.measure == "rho")
    by_test = {m.test: m.interval for m in report.measures if m.measure == "nmse"}
    assert set(by_test) == {"seen", "unseen content", "unseen degradation"}
    for test, measured in by_test.items():
        assert report["nmse", test] == measured


@pytest.mark.slow
@pytest.mark.parametrize("make", [composition.in_turn, composition.any_of])
def test_a_degradation_made_of_others_is_a_degradation_like_any(make):
    both = make(LAYER, NEW_LAYER)
    report = diagnose(unchanged, CONTENT, both, unseen_degradation={"both": both}, samples=SAMPLES)
    assert "whether it overfits the degradation cannot be judged" in report.verdict
    assert abs(report["removed"].estimate) < 1e-6  # it lets everything through


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("roh", r"measure: got 'roh'.*did you mean 'rho'"),
        ("hallucinations", r"did you mean 'hallucination'"),
        (("nsme", "seen"), r"measure: got 'nsme'.*did you mean 'nmse'"),
        (("nmse", "seem"), r"test: got 'seem'.*did you mean 'seen'"),
        (("nmse", "unseen contents"), r"did you mean 'unseen content'"),
        (("phi", "seen"), r"test: got 'seen', expected one of all"),
        ("dimensions", "measure"),  # no portrait was asked for
    ],
)
def test_a_misspelt_measure_is_refused_with_a_suggestion(name, message):
    with pytest.raises(InvalidInput, match=message):
        report_of("identity")[name]


def test_the_frame_has_a_row_for_each_measure():
    report = report_of("projector")
    frame = report.to_frame()
    assert list(frame.columns) == [
        "measure", "test", "value", "low", "high", "networks", "samples", "meaning",
    ]  # fmt: skip
    assert len(frame) == len(report.measures) > 30
    assert not frame.duplicated(["measure", "test"]).any()
    for row, line in zip(frame.itertuples(), report.measures):
        assert (row.measure, row.test, row.meaning) == (line.measure, line.test, line.meaning)
        assert (row.value, row.low, row.high, row.networks) == line.interval
        assert row.samples == line.samples > 0
        assert row.meaning


def test_a_measure_says_how_many_samples_it_rests_on():
    few = tuple(part[:3] for part in arrays(unseen_content=True))
    report = diagnose(half, *arrays(), unseen_content=few, portraits=0)
    table = report.to_frame().set_index(["measure", "test"])["samples"]
    assert table["kept", "all"] == table["phi", "all"] == table["nmse", "unseen content"] == 3
    assert table["removed from seen", "seen"] == table["nmse", "seen"] == SAMPLES
    assert report_of("projector").to_frame().set_index("measure")["samples"]["dimensions"] == 2


def test_a_sample_without_degradation_has_no_psnr_and_costs_no_other():
    clean = np.random.default_rng(0).uniform(0.2, 0.8, (8, 12, 12, 1)).astype(np.float32)
    rainy = clean + np.random.default_rng(1).normal(0, 0.1, clean.shape).astype(np.float32)
    rainy[2] = clean[2]
    report = diagnose(half, clean, rainy, pictures=True, portraits=0)
    of_input = report["psnr of the input", "seen"]
    rest = np.delete(np.arange(8), 2)
    expected = -10 * np.log10(np.mean((rainy - clean)[rest] ** 2, axis=(1, 2, 3))).mean()
    assert of_input.estimate == pytest.approx(expected, rel=1e-5)
    assert of_input.low < of_input.estimate < of_input.high
    table = report.to_frame().set_index(["measure", "test"])["samples"]
    assert table["psnr of the input", "seen"] == 7
    assert table["psnr", "seen"] == 8


class Bytes:
    """Pictures of bytes, and noise that stays within them."""

    def sample(self, key, n):
        return jax.random.randint(key, (n, 8, 8, 1), 64, 192).astype(jnp.uint8)

    def apply(self, content, realisation):
        return (content.astype(jnp.int32) + realisation // 16 - 8).astype(jnp.uint8)


def test_families_that_draw_bytes_are_those_that_draw_floats():
    report = diagnose(
        lambda y: 0.9 * np.asarray(y), Bytes(), Bytes(), peak=255, pictures=True, samples=SAMPLES,
        portraits=0,
    )  # fmt: skip
    clean, degraded = report.cases[0].clean, report.cases[0].degraded
    assert clean.dtype == degraded.dtype == np.float32
    assert report["rho"].estimate == pytest.approx(0.9, abs=1e-3)


def test_the_report_prints_as_its_verdict_and_a_line_a_measure():
    report = report_of("projector")
    lines = repr(report).splitlines()
    assert lines[0] == report.verdict
    assert f"95% intervals over {SAMPLES} samples" in repr(report)
    printed = [line for line in lines if line.startswith("  ")]
    assert len(printed) == len(report.measures)
    for line, measure in zip(printed, report.measures):
        assert line.split()[0] == measure.measure.split()[0]
        for part in (measure.test, str(measure.interval), measure.meaning):
            assert part in line


def test_in_a_notebook_the_report_is_a_table():
    report = report_of("projector")
    page = ET.fromstring(f"<div>{report._repr_html_()}</div>")
    assert page.find(".//b").text == report.verdict
    rows = page.findall(".//tbody/tr")
    assert len(rows) == len(report.measures)
    for row, line in zip(rows, report.measures):
        assert [cell.text for cell in row][:2] == [line.measure, line.test]


@pytest.mark.parametrize(
    ("alpha", "says"),
    [
        (
            0.2,
            ["overfits the degradation (transfer 0.36", "and 36% of one it has not", "keeps 96%"],
        ),
        (0.8, ["overfits the content (transfer 0.36", "and 96% of one it has not", "keeps 36%"]),
        (0.5, ["generalises in part to another content", "and 75% of one it has not", "keeps 75%"]),
    ],
)
def test_the_verdict_names_the_shares(alpha, says):
    report = report_of(alpha)
    truth = (alpha * RANK_C + (1 - alpha) * (SIZE - RANK_D)) / SIZE
    assert report["rho"].estimate == pytest.approx(truth, abs=0.02)
    shown = f", rho {report['rho'].estimate:.2f})"
    for part in [*says, "removes 100% of the degradation it has seen", shown]:
        assert part in report.verdict
    assert "too close" not in report.verdict
    assert "\n" not in report.verdict


@pytest.mark.parametrize("name", ORACLES)
def test_a_verdict_is_too_close_to_call_where_an_interval_holds_a_border(name):
    report = report_of(name)
    close = any(
        report[part].low < border < report[part].high
        for part in ("transfer", "transfer of content")
        for border in (0.5, 0.8)
    )
    assert ("too close to call" in report.verdict) == close
    assert close == (name == 0.3)


def test_a_harmful_denoiser_removes_less_than_none():
    report = report_of("harmful")
    assert report.index.verdict == "neither"
    assert report.index[:2] == (-1, -1)  # clipped
    assert report.verdict.count("less than none") == 3
    assert "%" not in report.verdict


# ---------------------------------------------------------------- the figure


def drawn(report):
    figure = report.plot()
    assert isinstance(figure, Figure)
    saved = io.BytesIO()
    figure.savefig(saved, format="png", dpi=50)
    assert saved.getvalue().startswith(b"\x89PNG")
    return figure


def test_the_figure_shows_verdict_index_and_an_example_of_each_test():
    report = report_of("projector")
    figure = drawn(report)
    assert figure.get_suptitle() == report.verdict
    plane, bands, values, *examples = figure.get_axes()
    points = [tuple(np.ravel(line.get_xydata())) for line in plane.get_lines()]
    assert (report.index.kept, report.index.removed) in points
    assert len(bands.get_lines()) == 2 * len(report.cases)
    assert len(values.get_lines()) == 2  # a line for each input that was looked at
    assert [axes.get_title() for axes in examples] == [case.name for case in report.cases]
    for axes, case in zip(examples, report.cases):
        np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), case.degraded[0, :, 0])


@pytest.mark.slow
def test_the_figure_of_several_networks_or_without_a_portrait_can_be_drawn():
    drawn(diagnosed([ORACLES[0.2], ORACLES[0.8]]))
    drawn(report_of("harmful"))


# ---------------------------------------------------------------- batches


class Counted:
    """Passes on, and counts what it was given."""

    def __init__(self, denoiser=half_in_numpy):
        self.denoiser, self.sizes = denoiser, []

    def __call__(self, y):
        self.sizes.append(len(y))
        return self.denoiser(y)


@pytest.mark.parametrize("batch", [5, 500])
def test_the_denoiser_never_gets_more_than_a_batch(batch):
    denoiser = Counted()
    diagnosed(denoiser, batch=batch)
    assert max(denoiser.sizes) == min(batch, SAMPLES)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_report_does_not_depend_on_the_batch(batch):
    report, whole = diagnosed(ORACLES[0.3], batch=batch), report_of(0.3)
    for found, truth in zip(report.outputs, whole.outputs):
        np.testing.assert_allclose(found, truth, atol=1e-5)
    # Finite differences are as long as the batch is strong; white directions are drawn by batch.
    assert estimates(report, "rho") == pytest.approx(estimates(whole, "rho"), abs=1e-3)
    assert report["rho"].estimate == pytest.approx(whole["rho"].estimate, abs=0.03)


def test_more_probes_pin_rho_down():
    few, many = (diagnosed(ORACLES[0.5], probes=probes)["rho"] for probes in (1, 32))
    assert many.high - many.low < 0.5 * (few.high - few.low)
    truth = (0.5 * RANK_C + 0.5 * (SIZE - RANK_D)) / SIZE
    assert many.estimate == pytest.approx(truth, abs=0.005)


def test_without_portraits_the_jacobian_is_left_out():
    without, with_it = report_of("identity"), report_of("projector")
    assert without.portrait is None
    assert with_it.portrait is not None
    assert with_it["dimensions", "2 inputs"].seeds == 1
    more = {line.measure for line in with_it.measures} - {line.measure for line in without.measures}
    assert {"dimensions", "symmetry", "keeps content", "blocks degradation"} <= more


# ---------------------------------------------------------------- images


def images(channels, batch=16, space=(12, 10), seed=0):
    """Pictures in [0, 1], and rain of 0.4 on a quarter of them."""
    rng = np.random.default_rng(seed)
    clean = rng.uniform(size=(batch, *space, channels)).astype(np.float32)
    rain = np.where(rng.uniform(size=clean.shape) < 0.25, np.float32(0.4), np.float32(0))
    return clean, clean + rain


@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_images_are_diagnosed(channels):
    clean, degraded = images(channels)
    unseen = images(channels, seed=1)
    size = clean[0].size
    report = diagnose(
        half,
        clean,
        degraded,
        unseen_content={"pictures": unseen},
        unseen_degradation={"rain": unseen},
        portraits=2,
    )
    error = np.mean((0.5 * unseen[1] - unseen[0]) ** 2)
    layer = np.mean((unseen[1] - unseen[0]) ** 2)
    assert report["kept"].estimate == pytest.approx(1 - error / np.mean(unseen[0] ** 2), abs=1e-4)
    removed = max(-1, 1 - error / layer)
    assert report["removed"].estimate == pytest.approx(removed, abs=1e-4)
    for measure in ("rho", "rho along pictures", "rho along rain"):
        assert report[measure].estimate == pytest.approx(0.5, abs=1e-4)
    assert report["dimensions"].estimate == pytest.approx(0.25 * size, rel=1e-4)
    for gain in ("content_gain", "degradation_gain"):
        assert report[gain, "seen"].estimate == pytest.approx(0.5, abs=1e-4)
    assert report.edges[[0, -1]] == pytest.approx([0.5, 6.5])
    on = degraded > clean
    truth = np.sqrt(np.mean((0.5 * degraded - clean)[on] ** 2))
    assert report["e_r", "seen"].estimate == pytest.approx(truth, rel=0.02)
    figure = drawn(report)
    shown = [axes.get_images()[0].get_array() for axes in figure.get_axes()[3:6]]
    for picture, sample in zip(shown, (degraded[0], clean[0], 0.5 * degraded[0])):
        np.testing.assert_allclose(picture.reshape(sample.shape), sample.clip(0, 1), atol=1e-6)


def test_an_oracle_on_images_reads_its_known_answer():
    rng = np.random.default_rng(0)
    everything = np.linalg.qr(rng.normal(size=(120, 9)))[0]
    wanted, new, unwanted = (everything[:, n : n + 3] for n in (0, 3, 6))

    def drawn_from(basis):
        return (rng.normal(size=(16, 3)) @ basis.T).reshape(16, 12, 10, 1).astype(np.float32)

    clean, layer, other = drawn_from(wanted), drawn_from(unwanted), drawn_from(new)
    report = diagnose(
        in_jax(oracles.projector(wanted)),
        clean,
        clean + layer,
        unseen_content=(other, other + layer),
        unseen_degradation=(clean, clean + other),
        probes=4,
        portraits=2,
    )
    assert report.index.verdict == "content"
    assert report["phi"].estimate == pytest.approx(1, abs=1e-4)
    assert report["rho"].estimate == pytest.approx(3 / 120, abs=0.01)
    for measure in ("keeps content", "passes content"):
        assert report[measure].estimate == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_a_large_image_has_a_portrait_where_there_are_exact_products():
    clean, degraded = images(1, batch=8, space=(33, 32))  # 1056 values
    with_it = diagnose(half, clean, degraded, portraits=2)
    assert with_it["dimensions"].estimate == pytest.approx(0.25 * 1056, rel=1e-4)
    np.testing.assert_allclose(with_it.portrait.trace, 528, rtol=1e-4)
    assert not [note for note in with_it.notes if "portrait" in note]
    without = diagnose(half_in_numpy, clean, degraded, portraits=2)
    assert without.portrait is None
    assert [note for note in without.notes if "1056 values" in note]
    assert "note: no Jacobian portrait" in repr(without)
    assert without["rho"].estimate == pytest.approx(0.5, abs=1e-3)


# ---------------------------------------------------------------- what cannot be used

CLEAN, DEGRADED = NOISE, NOISE + 0.5 * NOISE[::-1]


def holed(samples, row, value=np.nan):
    copy = samples.copy()
    copy[row, 1] = value
    return copy


class Hostile:
    """It will not be an array."""

    def __array__(self, *arguments, **options):
        raise RuntimeError("no")


UNUSABLE = {
    "NaN in content": ((holed(CLEAN, 3), DEGRADED), {}, r"^content, sample 3: got 'NaN"),
    "NaN in degraded": ((CLEAN, holed(DEGRADED, 5)), {}, r"^degradation, sample 5: got 'NaN"),
    "infinity": ((CLEAN, holed(DEGRADED, 15, -np.inf)), {}, r"^degradation, sample 15"),
    "NaN in unseen clean": (
        (CLEAN, DEGRADED), {"unseen_content": holed(CLEAN, 2)}, r"^unseen content, sample 2",
    ),
    "NaN in unseen pair": (
        (CLEAN, DEGRADED), {"unseen_content": (CLEAN, holed(DEGRADED, 2))},
        r"^unseen content, degraded, sample 2",
    ),
    "NaN in unseen degradation": (
        (CLEAN, DEGRADED), {"unseen_degradation": (holed(CLEAN, 7), DEGRADED)},
        r"^unseen degradation, clean, sample 7",
    ),
    "NaN in what has a name": (
        (CLEAN, DEGRADED), {"unseen_content": {"tune": (CLEAN, holed(DEGRADED, 4))}},
        r"^tune, degraded, sample 4",
    ),
    "NaN from a family": (
        (Twinned(np.nan), Twinned(1.0)), {}, r"^seen, clean, sample 0: got 'NaN",
    ),
    "no channels": (
        (CLEAN[..., 0], DEGRADED[..., 0]), {},
        r"^content: got \(16, 32\), expected shape \(batch, \*space, channels\)",
    ),
    "a number": ((1.0, DEGRADED), {}, r"^content: got \(\), expected shape \(batch"),
    "fewer degraded": (
        (CLEAN, DEGRADED[:9]), {}, r"^degradation: got \(9, 32, 1\), expected shape \(16, 32, 1\)",
    ),
    "shorter degraded": ((CLEAN, DEGRADED[:, :9]), {}, r"^degradation: got \(16, 9, 1\)"),
    "unseen of another length": (
        (CLEAN, DEGRADED), {"unseen_content": CLEAN[:, :9]},
        r"^unseen content, clean: got \(16, 9, 1\), expected shape \(16, 32, 1\)",
    ),
    "unseen family of another length": (
        (CLEAN, DEGRADED), {"unseen_content": Constant(1.0, 16)},
        r"^unseen content, clean: got \(128, 16, 1\), expected shape \(128, 32, 1\)",
    ),
    "degradation family of another length": (
        (CLEAN, Twinned(1.0, 16)), {},
        r"^degradation: does not apply to samples of shape \(32, 1\) \(operands could not be",
    ),
    "unseen pair of two lengths": (
        (CLEAN, DEGRADED), {"unseen_degradation": (CLEAN, DEGRADED[:9])},
        r"^unseen degradation, degraded: got \(9, 32, 1\), expected shape \(16, 32, 1\)",
    ),
    "other channels": (
        (CLEAN, DEGRADED), {"unseen_content": {"tune": np.repeat(CLEAN, 3, axis=-1)}},
        r"^tune, clean: got \(16, 32, 3\), expected shape \(16, 32, 1\)",
    ),
    "silence": ((0 * CLEAN, DEGRADED), {}, r"^seen, clean: got 'silence'"),
    "unseen silence": (
        (CLEAN, DEGRADED), {"unseen_content": (0 * CLEAN, DEGRADED)},
        r"^unseen content, clean: got 'silence'",
    ),
    "no degradation": ((CLEAN, CLEAN), {}, r"^seen, degraded: got 'the clean samples'"),
    "no unseen degradation": (
        (CLEAN, DEGRADED), {"unseen_degradation": {"rain": (CLEAN, CLEAN)}},
        r"^rain, degraded: got 'the clean samples'",
    ),
    "one sample": ((CLEAN[:1], DEGRADED[:1]), {}, r"^seen: got '1 samples', expected at least 2"),
    "no sample": ((CLEAN[:0], DEGRADED[:0]), {}, r"^content: got .*at least one sample"),
    "one unseen sample": (
        (CLEAN, DEGRADED), {"unseen_content": CLEAN[:1]}, r"^unseen content: got '1 samples'",
    ),
    "a string": (("noise.wav", DEGRADED), {}, r"^content: got 'str of .*an array of numbers"),
    "nothing": ((None, DEGRADED), {}, r"^content: got 'NoneType of object'"),
    "nothing degraded": ((CLEAN, None), {}, r"^degradation: got 'NoneType of object'"),
    "an object": ((object(), DEGRADED), {}, r"^content: got 'object of object'"),
    "a family's maker": ((signals.band, LAYER), {}, r"^content: got 'function of object'"),
    "strings": ((CLEAN.astype(str), DEGRADED), {}, r"^content: got 'ndarray of <U"),
    "complex numbers": ((CLEAN + 0j, DEGRADED), {}, r"^content: got 'ndarray of complex"),
    "samples of several lengths": (([[1.0], [1.0, 2.0]], DEGRADED), {}, r"^content: got 'list'"),
    "what will not be an array": ((Hostile(), DEGRADED), {}, r"^content: got 'Hostile'"),
    "an unseen string": (
        (CLEAN, DEGRADED), {"unseen_content": {"tune": "ode.wav"}}, r"^tune: got 'str of",
    ),
    "a pair of nothing": (
        (CLEAN, DEGRADED), {"unseen_content": (None, None)},
        r"^unseen content, clean: got 'NoneType of object'",
    ),
    "a family with samples": (
        (CONTENT, DEGRADED), {}, r"^degradation: got 'ndarray', expected a family, as content is",
    ),
    "unseen degradation without its clean samples": (
        (CLEAN, DEGRADED), {"unseen_degradation": DEGRADED},
        r"^unseen degradation: got 'ndarray', expected a family or a pair",
    ),
    "three arrays": (
        (CLEAN, DEGRADED), {"unseen_degradation": {"rain": (CLEAN, DEGRADED, DEGRADED)}},
        r"^rain: got 'tuple', expected a family or a pair",
    ),
    "one name twice": (
        (CLEAN, DEGRADED),
        {"unseen_content": {"it": CLEAN}, "unseen_degradation": {"it": (CLEAN, NOISE[::-1])}},
        r"^names: got \['seen', 'it', 'it'\], expected a different name",
    ),
    "the name of the seen ones": (
        (CLEAN, DEGRADED), {"unseen_content": {"seen": (CLEAN, DEGRADED)}}, r"^names: got",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_input_is_refused_before_the_denoiser_is_called(kind):
    arguments, options, message = UNUSABLE[kind]
    denoiser = Counted()
    with pytest.raises(InvalidInput, match=message) as refused:
        diagnose(denoiser, *arguments, portraits=0, **options)
    assert denoiser.sizes == []
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("option", ["samples", "batch", "probes", "bands", "portraits"])
@pytest.mark.parametrize("value", [-1, 2.5, "8", None, True, np.nan, np.inf, [8]], ids=repr)
def test_a_bad_option_is_refused_before_the_denoiser_is_called(option, value):
    if value is None and option in ("batch", "probes", "portraits"):
        pytest.skip("None is its default")
    denoiser = Counted()
    with pytest.raises(InvalidInput, match=f"^{option}: got .*a whole number"):
        diagnose(denoiser, CLEAN, DEGRADED, **{option: value})
    assert denoiser.sizes == []


@pytest.mark.parametrize(
    ("option", "value"), [("samples", 7), ("batch", 0), ("probes", 0), ("bands", 0)]
)
def test_an_option_that_is_too_small_is_refused(option, value):
    with pytest.raises(InvalidInput, match=f"^{option}: got {value}, expected .* at least"):
        diagnose(half, CLEAN, DEGRADED, **{option: value})


@pytest.mark.parametrize(
    "denoiser", [3, None, "median", [], (), [half, 3], [[half]], {"a": half}], ids=range(8)
)
def test_what_is_no_denoiser_is_refused(denoiser):
    with pytest.raises(InvalidInput, match=r"^denoiser: got .*a callable on arrays, or several"):
        diagnose(denoiser, CLEAN, DEGRADED)


# ---------------------------------------------------------------- denoisers that fail


def where(y, sample):
    """Rows of the batch that are this sample."""
    return np.all(np.asarray(y) == sample, axis=(1, 2))


ANSWERS = {
    "too short": (lambda y: y[:, :5], r"got \(4, 5, 1\), expected shape \(4, 32, 1\)"),
    "of one sample": (lambda y: y[:1], r"got \(1, 32, 1\), expected shape \(4, 32, 1\)"),
    "without channels": (lambda y: y[..., 0], r"got \(4, 32\), expected shape \(4, 32, 1\)"),
    "nothing": (lambda y: None, r"got \(\), expected shape \(4, 32, 1\)"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_of_another_shape_is_refused(kind):
    denoiser, message = ANSWERS[kind]
    named = r"^output of the denoiser for seen, samples 0 to 3: " + message
    with pytest.raises(InvalidInput, match=named):
        diagnose(denoiser, CLEAN, DEGRADED, batch=4)


UNSEEN_DEGRADED = CLEAN + 0.5 * np.roll(NOISE, 5, axis=0)
CASES = {"seen": DEGRADED, "rain": UNSEEN_DEGRADED}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [1, 4, 64])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_refused_with_the_sample_named(name, batch, value):
    def denoiser(y):
        return np.where(where(y, CASES[name][13])[:, None, None], value, 0.5 * y)

    with pytest.raises(InvalidInput, match=f"^output of the denoiser for {name}, sample 13: got"):
        diagnose(
            denoiser, CLEAN, DEGRADED, unseen_degradation={"rain": (CLEAN, CASES["rain"])},
            batch=batch, portraits=0,
        )  # fmt: skip


class OutOfTea(Exception):
    pass


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [1, 4, 64])
def test_what_a_denoiser_raises_for_one_sample_is_said_of_it(name, batch):
    def denoiser(y):
        if where(y, CASES[name][13]).any():
            raise OutOfTea("no more tea")
        return 0.5 * y

    message = f"^the denoiser raised OutOfTea for {name}, samples? 13( to 13)?: no more tea$"
    with pytest.raises(InvalidInput, match=message) as refused:
        diagnose(
            denoiser, CLEAN, DEGRADED, unseen_degradation={"rain": (CLEAN, CASES["rain"])},
            batch=batch, portraits=0,
        )  # fmt: skip
    assert isinstance(refused.value.__cause__, OutOfTea)


def test_what_a_denoiser_raises_for_the_batch_alone_is_said_of_the_batch():
    def denoiser(y):
        if len(y) > 1:
            raise OutOfTea("too many cups")
        return 0.5 * y

    with pytest.raises(InvalidInput, match=r"OutOfTea for seen, samples 0 to 3: too many cups"):
        diagnose(denoiser, CLEAN, DEGRADED, batch=4)


def test_the_second_network_may_fail_as_well():
    with pytest.raises(InvalidInput, match="output of the denoiser for seen, sample 0"):
        diagnose([half_in_numpy, lambda y: np.nan * y], CLEAN, DEGRADED)


def test_leaving_is_not_taken_for_a_failure():
    def denoiser(y):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        diagnose(denoiser, CLEAN, DEGRADED)


@pytest.mark.slow
def test_a_denoiser_that_writes_into_what_it_is_given_is_given_copies():
    def halves(samples):
        samples *= 0.5
        return samples

    clean, degraded = np.array(CLEAN), np.array(DEGRADED)
    report = diagnose(halves, clean, degraded, portraits=0)
    np.testing.assert_array_equal(degraded, DEGRADED)
    assert report["degradation_gain", "seen"].estimate == pytest.approx(0.5, abs=1e-4)
    assert report["rho"].estimate == pytest.approx(0.5, abs=1e-3)


@pytest.mark.slow
def test_phi_is_removed_less_kept_where_cases_are_of_unequal_length():
    report = diagnose(half, CLEAN, DEGRADED, unseen_content=(CLEAN[:9], DEGRADED[:9]), portraits=0)
    parts = report["removed"].estimate - report["kept"].estimate
    assert report["phi"].estimate == pytest.approx(parts)


def test_the_novelty_response_does_not_depend_on_the_batch():
    found = [diagnose(half, CLEAN, DEGRADED, portraits=0, batch=b)["rho"] for b in (1, 5, 64)]
    assert found[0].estimate == pytest.approx(found[1].estimate, rel=1e-5)
    assert found[0].estimate == pytest.approx(found[2].estimate, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["batch", "samples", "probes", "bands", "portraits"])
def test_a_whole_float_counts_as_whole(option):
    options = {"portraits": 0, "samples": 16} | {option: 8.0 if option != "portraits" else 1.0}
    assert diagnose(half, CLEAN, DEGRADED, **options)["rho"].estimate > 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((signals.melody(), signals.melody()), {}, "degradation: got 'Melody'"),
        ((signals.Band, degradations.clicks()), {}, "content: got 'Band'"),
        ((CLEAN, DEGRADED), {"key": 3}, "key: got 3"),
        ((CLEAN, DEGRADED), {"threshold": -1}, "threshold: got -1"),
        ((CLEAN, DEGRADED), {"unseen_content": {1: CLEAN}}, "name of an unseen content: got 1"),
    ],
)
def test_the_wrong_kind_of_thing_is_refused(arguments, options, message):
    with pytest.raises(InvalidInput, match=message):
        diagnose(half, *arguments, **options)


@pytest.mark.parametrize("answer", [1j, "x"])
def test_an_answer_that_is_not_of_numbers_is_refused(answer):
    with pytest.raises(InvalidInput, match="output of the denoiser"):
        diagnose(lambda x: np.full(x.shape, answer), CLEAN, DEGRADED, portraits=0)


# ---------------------------------------------------------------- pictures


@pytest.mark.slow
def test_a_picture_s_content_is_measured_from_mid_grey_and_its_fidelity_reported():
    grey = jnp.full((16, 12, 12, 1), 0.5)
    clean = grey + 0.1 * jax.random.normal(KEY, grey.shape)
    layer = 0.2 * jax.random.normal(jax.random.key(1), grey.shape)
    options = {"unseen_content": (clean, clean + layer), "portraits": 0}

    def to_grey(y):
        return jnp.full(y.shape, 0.5)

    black, picture = (
        diagnose(to_grey, clean, clean + layer, pictures=pictures, **options)
        for pictures in (False, True)
    )
    assert picture["nmse", "seen"].estimate == pytest.approx(1, abs=1e-5)  # it keeps nothing
    assert black["nmse", "seen"].estimate < 0.1
    expected = np.mean(-10 * np.log10(np.mean((0.5 - clean) ** 2, axis=(1, 2, 3))))
    assert picture["psnr", "seen"].estimate == pytest.approx(expected, rel=1e-5)
    of_input = np.mean(-10 * np.log10(np.mean(layer**2, axis=(1, 2, 3))))
    assert picture["psnr of the input", "seen"].estimate == pytest.approx(of_input, rel=1e-5)
    assert -1 <= picture["ssim", "seen"].estimate < picture["ssim of the input", "seen"].estimate
    with pytest.raises(InvalidInput, match="measure: got 'psnr'"):
        black["psnr"]
    small = diagnose(
        to_grey, clean[:, :8], (clean + layer)[:, :8], pictures=True, portraits=0
    ).to_frame()
    assert "psnr" in set(small["measure"])
    assert "ssim" not in set(small["measure"])


def test_a_figure_can_be_drawn_again_from_what_was_saved():
    report = report_of("projector")
    saved = pd.read_csv(io.StringIO(report.to_frame().to_csv(index=False)))
    again = draw(saved, report.arrays())
    assert again.get_suptitle() == report.verdict
    assert len(again.get_axes()) == len(report.plot().get_axes())


def test_noise_of_other_channels_than_the_pictures_is_refused():
    colour = np.random.default_rng(0).uniform(0.2, 0.8, (8, 16, 16, 3)).astype(np.float32)
    rainy = colour + 0.1
    grey = image_degradations.sensor_noise("gaussian", (0.1, 0.1), size=16)
    with pytest.raises(InvalidInput, match="channels"):
        diagnose(half, colour, rainy, pictures=True, unseen_degradation={"noise": grey})


def test_pictures_in_any_unit_are_drawn_as_they_would_be_in_that_of_white():
    clean = np.random.default_rng(0).uniform(0.1, 0.9, (8, 12, 12, 1)).astype(np.float32)
    drawn = []
    for unit in (1.0, 100.0):
        report = diagnose(half, unit * clean, unit * (clean + 0.05), portraits=0)
        picture = report.plot().subfigs[-1].get_axes()[0].images[0].get_array()
        drawn.append(np.asarray(picture, float))
    assert 0.05 < drawn[1].mean() < 0.95
    assert np.corrcoef(drawn[0].ravel(), drawn[1].ravel())[0, 1] > 0.99
