"""The page of a report in a browser: headless Chromium, driven by Playwright."""

import functools
import os

import numpy as np
import pytest

from shortcut1d.diagnosis import diagnose

pytestmark = pytest.mark.slow
WIDTHS, SCHEMES = (1200, 360), ("light", "dark")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.1, 0.6, 32, dtype=np.float32)
    clean = np.broadcast_to(ramp[:, None, None], (8, 32, 32, 3)) * rng.uniform(
        0.5, 1, size=(8, 1, 1, 3)
    ).astype(np.float32)

    def rainy(share):
        return clean + np.float32(0.4) * (rng.uniform(size=(8, 32, 32, 1)) < share)

    report = diagnose(
        lambda y: 0.5 + 0.8 * (np.asarray(y) - 0.5), clean, rainy(0.1).astype(np.float32),
        unseen_content={"<b>upside down</b>": (clean[:, ::-1], rainy(0.1)[:, ::-1])},
        unseen_degradation={"heavy rain": (clean, rainy(0.3))}, pictures=True, portraits=0,
    )  # fmt: skip
    return report.save(tmp_path_factory.mktemp("report") / "report.html", title="A network")


@pytest.fixture
def opened(open_page, file):
    return functools.partial(open_page, file.as_uri())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_its_verdict_is_what_is_seen_first(opened, width, scheme, tmp_path):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    verdict = page.locator(".verdict")
    assert "generalises to another" in verdict.inner_text().lower()
    box = verdict.bounding_box()
    assert box["y"] + box["height"] < 600
    assert box["y"] < min(heading.bounding_box()["y"] for heading in page.locator("h2").all())
    assert page.evaluate("[...document.images].every((i) => !i.currentSrc || i.naturalWidth > 0)")
    folder = os.environ.get("SCREENSHOTS", tmp_path)
    page.screenshot(path=f"{folder}/report_{width}_{scheme}.png", full_page=True)


CONTRAST = """
(selector) => [...document.querySelectorAll(selector)].filter((e) => e.offsetParent).map((e) => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  let behind = e;
  while (behind && (parse(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) {
    behind = behind.parentElement;
  }
  const [a, b] = [getComputedStyle(e).color, getComputedStyle(behind).backgroundColor]
    .map((colour) => light(parse(colour))).sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
})
"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_has_the_contrast_that_wcag_asks_for(opened, scheme):
    page = opened(scheme=scheme)
    texts = "h1, h2, h3, p, p span, li, td, td span, th button, dt, dd, figcaption, label, legend"
    found = page.evaluate(CONTRAST, texts)
    assert len(found) > 100
    assert min(found) >= 4.5  # WCAG 2.2, success criterion 1.4.3


def divider_at(page, n=0):
    """Where the divider of a picture is, in percent, by what is cut off the picture on its left."""
    stage = page.locator(".stage").nth(n)
    shown = stage.locator("img.left:visible").first
    clipped = shown.evaluate("(e) => getComputedStyle(e).clipPath")
    said = stage.locator("input").get_attribute("aria-valuetext")
    at = float(stage.evaluate("(e) => getComputedStyle(e).getPropertyValue('--x')").rstrip("%"))
    assert "inset(0" in clipped
    assert said.startswith(f"{at:.0f}%")
    return at


def test_the_divider_follows_the_mouse(opened):
    page = opened()
    stage = page.locator(".stage").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert divider_at(page) == 50
    middle = box["y"] + box["height"] / 3
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    for share in (0.4, 0.2):
        page.mouse.move(box["x"] + share * box["width"], middle, steps=4)
    page.mouse.up()
    assert divider_at(page) == pytest.approx(20, abs=2)
    assert divider_at(page, 1) == 50  # each picture has its own


def test_the_divider_follows_the_keys(opened):
    page = opened()
    divider = page.get_by_role("slider", name="Divider, seen")
    divider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert divider_at(page) == 55
    page.keyboard.press("Home")
    assert divider_at(page) == 0
    outline = page.locator(".stage").first.evaluate("(e) => getComputedStyle(e).outlineStyle")
    assert outline == "solid"


def test_target_and_sample_can_be_chosen(opened):
    page = opened()
    first = page.locator(".stage").first
    assert first.locator("img:visible").count() == 2
    assert "was given" in first.locator("img.left:visible").get_attribute("alt")
    page.get_by_label("target", exact=True).check()
    page.get_by_label("3", exact=True).check()
    assert first.locator("img:visible").count() == 2
    assert (
        first.locator("img.left:visible").get_attribute("alt") == "seen, sample 3: the clean target"
    )
    assert first.locator("input").get_attribute("aria-valuetext") == "50% target, 50% output"
    assert page.locator("figcaption span:visible").count() == 3


def column(page, number):
    cells = page.locator(f"#table tbody td:nth-child({number})").all_inner_texts()
    return [float("nan") if cell == "unknown" else float(cell) for cell in cells]


@pytest.mark.parametrize("way", ["mouse", "keys"])
def test_the_table_is_sorted_by_a_heading(opened, way):
    page = opened()
    before = column(page, 3)
    heading = page.get_by_role("columnheader", name="value")

    def press():
        if way == "mouse":
            heading.get_by_role("button").click()
        else:
            heading.get_by_role("button").focus()
            page.keyboard.press("Enter")

    press()
    assert heading.get_attribute("aria-sort") == "ascending"
    known = [value for value in before if not np.isnan(value)]
    assert column(page, 3)[: len(known)] == sorted(known)
    press()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(page, 3)[: len(known)] == sorted(known, reverse=True)
    page.get_by_role("columnheader", name="measure").get_by_role("button").click()
    names = page.locator("#table tbody td:nth-child(1)").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    assert heading.get_attribute("aria-sort") == "none"


def test_a_name_is_text_and_no_tag(opened):
    page = opened()
    assert page.get_by_role("heading", name="<b>upside down</b>").count() == 1
    assert page.locator(".pairs b").count() == 0
