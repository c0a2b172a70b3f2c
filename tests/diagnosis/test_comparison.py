"""Two reports side by side: known differences, the same data and other data, damaged files."""

import json

import jax
import numpy as np
import pytest

from shortcut1d.analysis.intervals import nested_bootstrap
from shortcut1d.data import degradations, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.report import compare
from shortcut1d.diagnosis.report.comparison import paired_bootstrap
from shortcut1d.errors import InvalidInput

SAMPLES = 24
# As in test_diagnose: what is trained on and what is not lie in four disjoint bands.
CONTENT, NEW_CONTENT = signals.band(8), signals.band(high=16, low=9)
LAYER, NEW_LAYER = degradations.hiss(low=20, high=29), degradations.hiss(low=40, high=55)


def mixture(alpha):
    """It passes the frequencies of the content, blocks those of the layer, and passes on others
    `1 - alpha`."""

    def denoiser(y):
        spectrum = np.fft.rfft(np.asarray(y), axis=1)
        gains = np.full(spectrum.shape[1], 1 - alpha)
        gains[1:9], gains[20:30] = 1, 0
        return np.fft.irfft(spectrum * gains[:, None], y.shape[1], axis=1).astype(np.float32)

    return denoiser


def report_of(*alphas, seed=0, **options):
    known = {"unseen_content": NEW_CONTENT, "unseen_degradation": NEW_LAYER}
    return diagnose(
        [mixture(alpha) for alpha in alphas], CONTENT, LAYER, samples=SAMPLES, portraits=0,
        probes=1, key=jax.random.key(seed), **known | options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def a():
    return report_of(0.2)


@pytest.fixture(scope="module")
def b():
    return report_of(0.7)


def row(found, measure, test="all"):
    table = found.to_frame()
    return table[(table["measure"] == measure) & (table["test"] == test)].iloc[0]


@pytest.mark.slow
def test_differences_of_oracles_are_known(a, b):
    found = compare(a, b)
    for measure, truth in {
        "kept": 0.2**2 - 0.7**2,
        "removed": 0.8**2 - 0.3**2,
        "phi": 2 * (0.7 - 0.2),
        "generality": ((0.2**2 - 0.7**2) + (0.8**2 - 0.3**2)) / 2,
        "transfer": 0.8**2 - 0.3**2,
        "transfer of content": 0.2**2 - 0.7**2,
    }.items():
        line = row(found, measure)
        assert line["difference"] == pytest.approx(truth, abs=1e-4), measure
        assert line["basis"] == "paired"
        assert line["low"] - 1e-4 <= truth <= line["high"] + 1e-4
    assert row(found, "nmse", "unseen content")["difference"] == pytest.approx(0.45, abs=1e-4)
    assert row(found, "rho", "seen")["basis"] == "not paired"
    assert np.isnan(row(found, "rho", "seen")["difference"])


@pytest.mark.slow
def test_every_difference_is_that_of_the_two_values():
    # Their frequencies lie in all of the bands, so that each sample errs by another share.
    unlike = {"unseen_content": signals.melody(), "unseen_degradation": degradations.clicks()}
    a, b = (report_of(*alphas, **unlike) for alphas in ((0.2,), (0.4, 0.7)))
    table = compare(a, b).to_frame()
    paired = table[table["basis"] == "paired"]
    assert len(paired) > 30
    assert {"psi", "d_D", "d_C", "transfer", "e_b"} <= set(paired["measure"])
    np.testing.assert_allclose(paired["difference"], paired["b"] - paired["a"], atol=2e-5)
    spread = paired[paired["high"] > paired["low"]]
    assert (spread["low"] - 1e-6 <= spread["difference"]).all()
    assert (spread["difference"] <= spread["high"] + 1e-6).all()


def test_the_paired_interval_is_narrower_than_two_apart():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=100)  # what is hard for one is hard for the other
    one, other = (hard + 0.1 * rng.normal(size=100) + shift for shift in (0, 0.2))
    found = paired_bootstrap(
        [np.stack([one, other])], lambda means: means[:, 1].mean(0) - means[:, 0].mean(0)
    )
    assert found.estimate == pytest.approx(np.mean(other - one))
    apart = [nested_bootstrap(part[None]) for part in (one, other)]
    width = np.hypot(*(each.high - each.low for each in apart))
    assert found.high - found.low < width / 5
    known = nested_bootstrap((other - one)[None])  # of the differences themselves
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-9)


def test_of_other_data_there_is_no_difference(a):
    found = compare(a, report_of(0.7, seed=1))
    table = found.to_frame()
    assert set(table["basis"]) == {"not the same data", "not paired"}
    assert table["difference"].isna().all()
    assert table[["a", "b"]].notna().all().all()
    assert "No differences: the reports are of other data" in str(found)


def test_a_test_that_is_the_same_is_paired_though_others_are_not(a):
    found = compare(a, report_of(0.7, unseen_content={"chords": signals.chord()}))
    assert row(found, "removed")["basis"] == row(found, "nmse", "seen")["basis"] == "paired"
    assert row(found, "kept")["basis"] == row(found, "phi")["basis"] == "not the same data"
    only = row(found, "nmse", "chords")
    assert np.isnan(only["a"])
    assert not np.isnan(only["b"])
    assert np.isnan(only["difference"])


def test_what_was_not_measured_alike_has_no_difference(a):
    found = compare(a, report_of(0.2, threshold=0.5))
    assert row(found, "e_r", "seen")["basis"] == "not measured alike"
    assert np.isnan(row(found, "e_r", "seen")["difference"])
    assert row(found, "nmse", "seen")["basis"] == "paired"
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.2, 0.8, (8, 12, 12, 1)).astype(np.float32)
    rainy = clean + rng.normal(0, 0.1, clean.shape).astype(np.float32)
    one, other = (
        diagnose(lambda y: 0.9 * y, clean, rainy, pictures=pictures, portraits=0, probes=1)
        for pictures in (True, False)
    )
    found = compare(one, other)
    for measure in ("nmse", "content_gain", "degradation_gain", "unexplained", "hallucination"):
        assert row(found, measure, "seen")["basis"] == "not measured alike", measure
        assert np.isnan(row(found, measure, "seen")["difference"])
    for measure, test in (("relative_error", "seen"), ("removed", "all"), ("psi", "seen")):
        assert row(found, measure, test)["difference"] == pytest.approx(0, abs=1e-6), measure


def test_without_unseen_content_what_takes_it_is_not_paired():
    samples = [np.asarray(part) for part in draw_pair(jax.random.key(3), CONTENT, LAYER, SAMPLES)]
    one, other = (diagnose(mixture(alpha), *samples, portraits=0, probes=1) for alpha in (0.2, 0.7))
    found = compare(one, other)
    for measure in ("phi", "kept", "generality", "transfer of content"):
        assert row(found, measure)["basis"] == "not paired", measure
    assert row(found, "removed")["basis"] == "paired"


def test_a_network_is_no_better_than_itself(a):
    found = compare(a, a)
    assert found.clear.empty
    assert "b is above a in nothing." in str(found)


def test_it_prints_verdicts_and_differences_in_plain_words(a, b, tmp_path):
    a.save(tmp_path / "a.json", title="first")
    said = str(compare(tmp_path / "a.json", b))
    lines = said.splitlines()
    assert lines[:2] == ["a: first", f"   {a.verdict}"]
    assert lines[3] == f"   {b.verdict}"
    (above,) = (line for line in lines if line.startswith("b is above a in "))
    assert "removed (all)" in above
    (below,) = (line for line in lines if line.startswith("b is below a in "))
    assert "kept (all)" in below
    assert "one in 20" in said
    assert "networks" not in said


def test_several_networks_are_compared_by_their_mean_and_it_says_so(a):
    found = compare(a, report_of(0.5, 0.7, 0.9))
    truth = np.mean([1 - (1 - alpha) ** 2 for alpha in (0.5, 0.7, 0.9)]) - (1 - 0.8**2)
    assert row(found, "removed")["difference"] == pytest.approx(truth, abs=1e-4)
    assert "a is the mean of 1, b of 3 networks" in str(found)


# ---------------------------------------------------------------- what is no report


def broken(record, **changes):
    return json.dumps(record | changes).encode()


MALFORMED = {
    "empty": (lambda text, record: b"", "damaged"),
    "truncated": (lambda text, record: text[: len(text) // 2], "damaged"),
    "no JSON": (lambda text, record: b"<html>", "damaged"),
    "bytes": (lambda text, record: b"\x80\xff\x00", "damaged"),
    "nested": (lambda text, record: b"[" * 100_000, "damaged"),
    "a list": (lambda text, record: b"[1, 2]", "not a report"),
    "provenance": (lambda text, record: b'{"command": "shortcut1d diagnose"}', "_report.json"),
    "format": (lambda text, record: broken(record, shortcut1d_report=2), "format 2, expected 1"),
    "no measures": (lambda text, record: broken(record, measures=[]), "damaged"),
    "measures": (lambda text, record: broken(record, measures=[{"measure": 1}]), "damaged"),
    "about": (lambda text, record: broken(record, about=None), "damaged"),
    "tests": (lambda text, record: broken(record, about={"tests": [1]}), "damaged"),
    "no tests": (lambda text, record: broken(record, about={}), "damaged"),
    "huge": (lambda text, record: broken(record, networks=float("inf")), "damaged"),
    "networks": (lambda text, record: broken(record, networks=3), "damaged"),
    "ragged": (
        lambda text, record: broken(
            record, per_sample=[{"measure": "nmse", "test": "seen", "values": [[1], [1, 2]]}]
        ),
        "damaged",
    ),
    "values": (
        lambda text, record: broken(
            record, per_sample=[{"measure": "nmse", "test": "seen", "values": [[1, 2]]}]
        ),
        "damaged",
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_no_report_is_refused_in_one_line(kind, a, tmp_path):
    make, said = MALFORMED[kind]
    text = a.to_json()
    file = tmp_path / "b.json"
    file.write_bytes(make(text.encode(), json.loads(text)))
    with pytest.raises(InvalidInput, match=said) as refused:
        compare(a, file)
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("given", [None, 3, {}, "no/such/report.json"])
def test_nonsense_is_refused(given, a):
    with pytest.raises(InvalidInput, match=r"^b: got|cannot be read"):
        compare(a, given)
