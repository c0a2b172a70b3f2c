"""The page of the kept studies in a browser: is all of it there, does it sound, can all use it?"""

import functools
import http.server
import os
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from common.page.story import PANELS, PLAYERS

from shortcut1d import networks, store
from shortcut1d.networks import ConvNet

pytestmark = pytest.mark.slow
FIGURES = Path(__file__).resolve().parents[2] / "figures"
BOTH = pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])


@pytest.fixture
def opened(open_page):
    return functools.partial(open_page, (FIGURES / "index.html").as_uri())


@pytest.fixture(scope="module")
def served():
    """The folder on a server of this machine: a script may not read the sound of local files."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Silent, directory=FIGURES)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()


@BOTH
def test_every_panel_is_there_and_fits(opened, width, scheme, tmp_path):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for panel in PANELS:
        section = page.locator(f"#{panel.anchor}")
        section.scroll_into_view_if_needed()
        assert panel.title in section.locator("h2").inner_text()
        assert section.locator("figure.study").count() == len(panel.studies)
    for figure in page.locator("figure img").all():  # which load when they are seen
        figure.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    folder = os.environ.get("SCREENSHOTS", tmp_path)
    page.screenshot(path=f"{folder}/index_{width}_{scheme}.png")


def test_it_is_small():
    assert (FIGURES / "index.html").stat().st_size < 5e6


@BOTH
def test_axe_finds_no_serious_fault(opened, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(opened(width, scheme)).response["violations"]
    assert [(v["id"], v["nodes"]) for v in found if v["impact"] in ("serious", "critical")] == []


def heard(page):
    """Labels of the tracks that play."""
    return page.evaluate(
        "[...document.querySelectorAll('.track')].filter((t) => !t.querySelector('audio').paused)"
        ".map((t) => t.querySelector('button').textContent)"
    )


def test_one_click_plays_the_network_that_loses_the_tune(opened):
    page = opened()
    button = page.get_by_role("button", name="the network trained on one note").first
    assert button.bounding_box()["y"] < 600  # seen without scrolling
    button.click()
    page.wait_for_function("document.querySelectorAll('audio')[1].currentTime > 0.3")
    assert heard(page) == ["the network trained on one note"]


def test_another_track_goes_on_at_the_same_place(opened):
    page = opened()
    page.get_by_role("button", name="the tune in hiss").first.click()
    page.wait_for_function("document.querySelectorAll('audio')[0].currentTime > 0.4")
    page.get_by_role("button", name="the network trained on melodies").first.click()
    page.wait_for_function("!document.querySelectorAll('audio')[2].paused")
    assert heard(page) == ["the network trained on melodies"]
    assert page.evaluate("document.querySelectorAll('audio')[2].currentTime") >= 0.4
    page.keyboard.press("Space")  # the button has the focus
    assert heard(page) == []


def test_every_source_loads_and_has_sound(open_page, served):
    found = open_page(served).evaluate(
        """
        async () => Promise.all([...document.querySelectorAll("audio")].map(async (audio) => {
          const context = new OfflineAudioContext(1, 8000, 8000);
          const data = await (await fetch(audio.src)).arrayBuffer();
          const buffer = await context.decodeAudioData(data), samples = buffer.getChannelData(0);
          const power = samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length;
          return [buffer.duration, Number(audio.dataset.seconds), Math.sqrt(power)];
        }))
        """
    )
    assert len(found) == sum(len(player.tracks) for player in PLAYERS)
    for duration, written, loudness in found:
        assert duration == pytest.approx(written, abs=0.01)
        assert duration > 2
        assert loudness > 0.01


def test_the_pictures_have_a_divider(opened):
    page = opened()
    divider = page.get_by_role("slider", name="Divider: small rain; trained on 400 photographs")
    divider.focus()
    page.keyboard.press("Home")
    assert divider.get_attribute("aria-valuetext") == "0% input, 100% output"
    page.locator("#pictures").get_by_label("target").check()
    assert divider.get_attribute("aria-valuetext") == "0% target, 100% output"


def test_filters_filter(opened):
    page = opened()
    shown = page.locator("#claims-table tbody tr:visible")
    every = shown.count()
    page.get_by_label("Verdict").select_option("refuted")
    refuted = shown.count()
    assert 0 < refuted < every
    assert set(shown.locator("td:first-child .chip").all_inner_texts()) == {"refuted"}
    page.get_by_label("Where").select_option("2D")
    assert 0 < shown.count() < refuted
    assert page.get_by_role("status").filter(has_text="claims").inner_text() == (
        f"{shown.count()} of {every} claims"
    )
    page.get_by_label("Words").fill("no claim has these words")
    assert shown.count() == 0
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function(f"document.getElementById('count').textContent.startsWith('{every} ')")


def test_a_verdict_on_a_sentence_leads_to_its_claims(opened):
    page = opened()
    page.locator("#papers td a").first.click()
    shown = page.locator("#claims-table tbody tr:visible")
    page.wait_for_function("document.querySelector('[name=domain]').value === '1D'")
    page.wait_for_function("document.querySelector('#claims-table tr[hidden]')")
    assert all(text.endswith("1D") for text in shown.locator("td:last-child").all_inner_texts())


def test_keys_move_over_the_map(opened):
    page = opened()
    said = page.locator(".chosen")
    page.locator(".grid button[tabindex='0']").focus()
    assert said.inner_text().startswith("Content up to 60 cycles, 1 click shape:")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert said.inner_text().startswith("Content up to 33 cycles, 4 click shapes:")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # nothing is above
    assert said.inner_text().startswith("Content up to 60 cycles, 4 click shapes:")
    assert page.locator(".grid [aria-pressed=true]").count() == 1
    page.keyboard.press("Space")
    page.wait_for_selector("[data-hear=output][aria-pressed=true]")


def test_colours_of_the_map_can_be_chosen(opened):
    page = opened()
    first = page.locator(".grid button").first
    index = first.inner_text()
    page.get_by_label("novelty response").check()
    assert first.inner_text() != index
    assert page.locator(".scale:visible").count() == 1


@pytest.mark.parametrize(("frequency", "shapes"), [(0, 0), (7, 0), (3, 4)])
def test_the_network_in_the_page_is_the_network_that_was_trained(opened, frequency, shapes):
    arrays, _ = store.read_arrays(FIGURES / "phase_diagram.npz")
    network, flat = ConvNet(width=16), arrays["weights"][frequency, shapes].astype(np.float32)
    leaves, structure = jax.tree.flatten(networks.abstract(network, (128,), 1))
    parts = np.split(flat, np.cumsum([leaf.size for leaf in leaves])[:-1])
    params = jax.tree.unflatten(
        structure, [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    )
    given = (arrays["tune"] + arrays["hiss"]).astype(np.float32)[:1024]
    wanted = np.asarray(networks.denoiser(network, params)(given[None, :, None]))[0, :, 0]
    found = opened().evaluate(
        "([given, f, k]) => [...denoise(Float32Array.from(given), data.weights[f][k])]",
        [given.tolist(), frequency, shapes],
    )
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_what_is_said_into_the_microphone_is_played_to_the_network(opened):
    page = opened()
    page.get_by_label("your microphone").check()
    page.wait_for_function("voice !== undefined", timeout=10_000)
    power = page.evaluate("voice.reduce((sum, sample) => sum + sample ** 2, 0) / voice.length")
    assert power == pytest.approx(1, rel=0.01)
