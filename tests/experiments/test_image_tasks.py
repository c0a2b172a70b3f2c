"""What the studies on pictures share: strengths, and photographs and pairs of one's own."""

import dataclasses

import numpy as np
import pytest
from common import image_tasks
from common.image_tasks import MATCHED, OWN, PANEL
from PIL import Image

from shortcut1d import datasets
from shortcut1d.data import image_degradations, images
from shortcut1d.errors import InvalidInput
from shortcut1d.harness.progress import warn
from shortcut1d.training.sweep import Session

CONTENT = images.leaves(size=32)
NOISE = image_degradations.sensor_noise(size=32)


@pytest.mark.slow
@pytest.mark.parametrize(
    "family",
    [
        image_degradations.rain("large", size=32),
        image_degradations.sensor_noise("speckle", size=32),
        image_degradations.sensor_noise("salt_and_pepper", size=32),
        image_degradations.blur_kernel((1.0, 1.0), motion=True, size=32),
    ],
    ids=["rain", "speckle", "salt and pepper", "motion"],
)
def test_a_degradation_is_made_as_strong_as_another(family):
    changed = image_tasks.as_strong(family, CONTENT, 0.004)
    assert image_tasks.strength(CONTENT, changed) == pytest.approx(0.004, rel=0.02)
    assert type(changed) is type(family)


@pytest.mark.slow
def test_the_panel_has_each_degradation_at_both_strengths_but_the_known_one():
    rain = image_degradations.rain("large", size=32)
    panel = image_tasks.panel_of({"noise": NOISE, "rain": rain}, CONTENT, "noise")
    assert [(name, how) for name, how, _ in panel] == [
        ("noise", OWN), ("rain", OWN), ("rain", MATCHED)
    ]  # fmt: skip
    assert panel[1][2] is rain


def picture(path, *shape):
    rng = np.random.default_rng(sum(shape))
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(rng.integers(0, 200, shape, np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    """Photographs and pairs of a user's own, of several sizes."""
    for number in range(6):
        picture(tmp_path / "mine" / f"{number}.png", 40 + number, 60 - number)
    (tmp_path / "pairs").mkdir()
    for number in range(3):
        for part in ("clean", "rainy"):
            picture(tmp_path / "pairs" / part / f"{number}.png", 30, 40)
        rainy = np.asarray(Image.open(tmp_path / "pairs" / "clean" / f"{number}.png")).copy()
        rainy[:, ::7] += 50
        Image.fromarray(rainy).save(tmp_path / "pairs" / "rainy" / f"{number}.png")
    return tmp_path


@pytest.mark.slow
def test_photographs_and_pairs_of_one_s_own_do_what_the_data_sets_do(experiment, folders):
    study = experiment("image_deraining")
    config = dataclasses.replace(
        study.presets["smoke"], images=str(folders / "mine"), pairs=str(folders / "pairs")
    )
    table = study.run(config, Session()).table
    assert {"small rain", "rain of the pairs"} <= set(table["degradation"])
    assert set(table["pool"]) == {2, 4}  # four of six are trained on
    assert np.isfinite(table.loc[table["test"] == PANEL, "psnr"]).all()


def test_without_the_data_sets_scikit_image_s_photographs_are_taken_and_the_others_named(
    experiment, monkeypatch, tmp_path
):
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    config, said = experiment("image_deraining").presets["quick"], []
    found = config.photographs(said.append)
    assert len(found.seen.order) + len(found.held.order) == 10
    assert len(said) == 1
    assert "shortcut1d data get bsd400 bsd68 rain100h" in said[0]
    assert config.rain_layers(said.append) is None
    assert config.pools_of(found) == [2, 7]


def test_too_few_photographs_for_two_numbers_of_them_are_refused(experiment, folders):
    for number in (3, 4, 5):
        (folders / "mine" / f"{number}.png").unlink()
    config = dataclasses.replace(
        experiment("image_deraining").presets["smoke"], images=str(folders / "mine")
    )
    with pytest.raises(InvalidInput, match=r"^images: got '2 photographs to train on'"):
        config.pools_of(config.photographs(warn))


def test_a_kept_run_without_its_data_is_refused(experiment, monkeypatch, tmp_path):
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    with pytest.raises(InvalidInput, match="shortcut1d data get bsd400"):
        experiment("image_deraining").presets["kept"].photographs(warn)


@pytest.mark.parametrize(
    ("field", "value"), [("images", "/nowhere"), ("pairs", "/nowhere"), ("pools", (8, 2))]
)
def test_a_bad_option_is_refused_by_its_name(experiment, field, value):
    with pytest.raises(InvalidInput, match=field if field == "pools" else "nowhere"):
        dataclasses.replace(experiment("image_deraining").presets["quick"], **{field: value})


def test_a_folder_without_pictures_is_refused(experiment, tmp_path):
    for field in ("images", "pairs"):
        (tmp_path / "clean").mkdir(exist_ok=True)
        with pytest.raises(InvalidInput, match=f"^{field}: "):
            dataclasses.replace(
                experiment("image_deraining").presets["quick"], **{field: str(tmp_path)}
            )
