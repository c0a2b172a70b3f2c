"""A report as a file to send: the page and the record."""

import dataclasses
import hashlib
import html.parser
import json
import os
import re

import numpy as np
import pytest

from shortcut1d.data import degradations, signals
from shortcut1d.diagnosis import diagnose
from shortcut1d.diagnosis.report import page, record
from shortcut1d.errors import InvalidInput

SAMPLES, SIDE = 16, 24
SCRIPT = "<script>alert('rain & snow')</script>"


def half(y):
    return 0.5 * np.asarray(y)


def pictures(seed=0, channels=3, side=SIDE):
    rng = np.random.default_rng(seed)
    clean = rng.uniform(0.1, 0.6, size=(SAMPLES, side, side, channels)).astype(np.float32)
    rain = np.where(rng.uniform(size=clean.shape) < 0.25, np.float32(0.4), np.float32(0))
    return clean, clean + rain


@pytest.fixture(scope="module")
def of_pictures():
    return diagnose(
        half, *pictures(), unseen_content={SCRIPT: pictures(1)},
        unseen_degradation={"other rain": pictures(2)}, pictures=True, portraits=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def of_signals():
    return diagnose(
        [half, lambda y: 0.8 * np.asarray(y)], signals.band(8), degradations.hiss(),
        samples=SAMPLES, portraits=0,
    )  # fmt: skip


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.text, self.inside = [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.inside[-1:]):
            self.text.append(data)

    def said(self):
        return " ".join(" ".join(self.text).split())


# ---------------------------------------------------------------- the page


def test_the_page_says_the_verdict_before_anything_else(of_pictures):
    page = Page(of_pictures.to_html(title="PReNet"))
    said = page.said()
    assert said.startswith("PReNet")
    verdict = of_pictures.verdict
    for part in (verdict[1 : verdict.index(" (")], verdict[verdict.index("It removes") :]):
        assert said.index(part) < said.index("removed from seen")
    for line in of_pictures.measures:
        assert line.meaning in said


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["of_pictures", "of_signals"])
def test_the_page_needs_nothing_but_itself(kind, request):
    source = request.getfixturevalue(kind).to_html()
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", source)
    for tag, attributes in Page(source).tags:
        assert tag not in ("iframe", "object", "base")
        for name in ("src", "href", "srcset"):
            assert attributes.get(name, "data:").startswith("data:")
    assert len(source) < 3_000_000


def test_what_a_user_names_is_text_on_the_page(of_pictures):
    noted = dataclasses.replace(of_pictures, notes=[f"note {SCRIPT}"])
    page = Page(noted.to_html(title=f"title {SCRIPT}"))
    assert sum(tag == "script" for tag, _ in page.tags) == 1  # the page's own
    for part in (f"title {SCRIPT}", f"note {SCRIPT}", f"{SCRIPT} unseen content"):
        assert part in page.said()
    assert any(a.get("alt", "").startswith(SCRIPT) for tag, a in page.tags if tag == "img")


def test_every_picture_has_a_text_and_every_divider_a_name(of_pictures):
    tags = Page(of_pictures.to_html()).tags
    shown = [attributes for tag, attributes in tags if tag == "img"]
    assert len(shown) == 1 + 3 * 3 * 4  # the figure; three tests, three parts, four samples
    assert all(attributes["alt"] for attributes in shown)
    dividers = [a for tag, a in tags if tag == "input" and a["type"] == "range"]
    assert [a["aria-label"] for a in dividers] == [
        f"Divider, {case.name}" for case in of_pictures.cases
    ]


def test_signals_have_no_pictures(of_signals):
    tags = Page(of_signals.to_html()).tags
    assert sum(tag == "img" for tag, _ in tags) == 1
    assert not any(tag == "input" for tag, _ in tags)


def test_under_a_picture_is_the_share_removed_of_that_picture():
    clean, _ = pictures()
    strength = np.linspace(0.02, 0.3, SAMPLES, dtype=np.float32)[:, None, None, None]
    rain = strength * np.random.default_rng(2).normal(size=clean.shape).astype(np.float32)

    def takes_a_tenth(y):  # of the rain, which is 19% of its energy; of the faintest it adds some
        added = np.where(np.arange(len(y)) == 0, 1.1, 0.9).astype(np.float32)
        return clean[: len(y)] + added[:, None, None, None] * (y - clean[: len(y)])

    report = diagnose(
        takes_a_tenth, clean, clean + rain, unseen_degradation=(clean, clean + rain),
        pictures=True, portraits=0, batch=SAMPLES,
    )  # fmt: skip
    said = re.findall("more error than before|[0-9]+% removed", Page(report.to_html()).said())
    first = report.cases[0], report.outputs[0]
    share = [page._said_of_sample(*first, n, pictures=True).split(",")[0] for n in range(3)]
    assert share == ["more error than before", "19% removed", "19% removed"]
    assert set(said) == set(share)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_of_large_pictures_the_middle_is_shown(channels):
    pairs = [tuple(part[:2] for part in pictures(n, channels, 512)) for n in (0, 1)]
    report = diagnose(half, *pairs[0], unseen_degradation=pairs[1], pictures=True, portraits=0)
    source = report.to_html()
    assert len(source) < 3_000_000  # white noise, which no PNG makes smaller
    assert re.search(r"The middle \d+ x \d+ of 512 x 512 pixels is shown", source)


@pytest.mark.slow
def test_arrays_of_any_range_and_volumes_have_pictures():
    rng = np.random.default_rng(0)
    clean = 40 + 7 * rng.normal(size=(8, 8, 9, 10, 1)).astype(np.float32)
    report = diagnose(half, clean, clean + 1, portraits=0)
    said = Page(report.to_html()).said()
    assert "The middle slice is shown. Black and white are the least and the largest" in said


# ---------------------------------------------------------------- the record


@pytest.mark.parametrize("kind", ["of_pictures", "of_signals"])
def test_the_record_holds_the_whole_report(kind, request, tmp_path):
    report = request.getfixturevalue(kind)
    file = report.save(tmp_path / "report.json", title="PReNet")
    saved, raw = record.read(file), json.loads(file.read_text())
    assert (saved.title, saved.verdict, saved.networks) == (
        "PReNet", report.verdict, report.networks,
    )  # fmt: skip
    truth = report.to_frame()
    for column in ("measure", "test", "networks", "samples", "meaning"):
        assert list(saved.table[column]) == list(truth[column])
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(saved.table[column], truth[column], rtol=1e-6)
    assert set(saved.per_sample) == set(report.per_sample)
    for key, values in report.per_sample.items():
        np.testing.assert_allclose(saved.per_sample[key], values, rtol=1e-6)
    assert raw["notes"] == report.notes
    assert raw["fitted"] == report.index.verdict


@pytest.mark.parametrize("kind", ["of_pictures", "of_signals"])
def test_means_over_the_samples_are_the_report_s_numbers(kind, request):
    report = request.getfixturevalue(kind)
    for (measure, test), values in report.per_sample.items():
        if "twin" in test:
            continue
        root = measure in ("e_r", "e_b")
        known = values[:, ~np.isnan(values).any(axis=0)]
        mean = np.sqrt((known**2).mean()) if root else known.mean()
        assert report[measure, test].estimate == pytest.approx(mean, rel=1e-5)


@pytest.mark.slow
def test_what_is_unknown_is_null(tmp_path):
    report = diagnose(half, *pictures(), portraits=0)  # no unseen content
    text = report.save(tmp_path / "report.json").read_text()
    assert "NaN" not in text
    rows = {row["measure"]: row["value"] for row in json.loads(text)["measures"]}
    assert rows["kept"] is None
    saved = record.read(tmp_path / "report.json").table.set_index("measure")
    assert np.isnan(saved.loc["kept", "value"])
    assert "unknown" in Page(report.to_html()).said()


def test_it_says_what_was_measured_and_how(of_pictures, of_signals):
    about = of_pictures.about
    assert about["samples"] == {
        "shape": [SIDE, SIDE, 3], "channels": 3, "pictures": True, "peak": 1.0,
    }  # fmt: skip
    seen = about["tests"][0]
    clean, degraded = pictures()
    assert (seen["test"], seen["role"], seen["samples"]) == ("seen", "seen", SAMPLES)
    assert seen["range"]["degraded"] == [degraded.min(), degraded.max()]
    assert seen["range"]["output"] == pytest.approx([degraded.min() / 2, degraded.max() / 2])
    assert seen["data_hash"]["clean"] == hashlib.sha256(clean.tobytes()).hexdigest()
    assert seen["clipped"] == {"clean": 0, "degraded": np.mean(degraded >= 1), "output": 0}
    assert "clipped" not in of_signals.about["tests"][0]
    assert [test["role"] for test in about["tests"]][3:] == [
        "degradation's Gaussian twin", "content's Gaussian twin",
    ]  # fmt: skip
    assert about["options"]["threshold"] == pytest.approx(50 / 255)
    assert {"python", "shortcut1d", "jax", "numpy"} <= set(about["versions"])


def test_the_hash_is_that_of_the_values_over_white():
    clean, degraded = (np.float32(np.round(255 * part)) for part in pictures())
    options = {"pictures": True, "portraits": 0}
    of_bytes = diagnose(half, clean, degraded, peak=255, **options).about["tests"]
    of_unit = diagnose(half, clean / 255, degraded / 255, **options).about["tests"]
    assert of_bytes[0]["data_hash"] == of_unit[0]["data_hash"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.htm", "json"])
def test_another_suffix_is_refused(name, of_signals, tmp_path):
    with pytest.raises(InvalidInput, match=r"path: got .*, expected a name that ends in .html or"):
        of_signals.save(tmp_path / name)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("path", "title"), [(3, "a"), (None, "a"), ("r.json", 3), ("r.json", " ")])
def test_nonsense_is_refused(path, title, of_signals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=r"path: got|title: got"):
        of_signals.save(path, title=title)


@pytest.mark.parametrize("suffix", ["html", "json"])
def test_a_folder_that_cannot_be_written_is_one_line(suffix, of_signals, tmp_path):
    with pytest.raises(InvalidInput, match=r"cannot be written \(No such file or directory\)"):
        of_signals.save(tmp_path / "nowhere" / f"report.{suffix}")
    (tmp_path / f"report.{suffix}").mkdir()
    with pytest.raises(InvalidInput, match="cannot be written"):
        of_signals.save(tmp_path / f"report.{suffix}")
    assert os.listdir(tmp_path) == [f"report.{suffix}"]  # nothing half written is left
