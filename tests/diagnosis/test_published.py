"""Networks that others trained: each is loaded and diagnosed, where `../shared/data` is."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from shortcut1d import datasets
from shortcut1d.data import pictures
from shortcut1d.diagnosis import diagnose
from shortcut1d.errors import InvalidInput

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
WEIGHTS = DATA / "weights"
DENOISERS = [
    f"bias_free_denoising/{kind}/{bias}/0-{level}.pt"
    for kind, bias, level in itertools.product(
        ("dncnn", "unet"), ("bias", "bias_free"), (10, 30, 55, 100)
    )
]
DERAINERS = [
    f"prenet/{rain}/{kind}.pth"
    for rain, kind in itertools.product(
        ("Rain100H", "Rain100L", "Rain1400"), ("PReNet6", "PReNet6_r")
    )
]
SIZE, COUNT = 48, 4
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*torch.jit.*")]


@pytest.fixture(scope="module")
def load():
    pytest.importorskip("torch")
    from common import published

    return published.load


def there(name):
    path = WEIGHTS / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def read(folder, channels):
    found = itertools.islice(pictures.each_picture(DATA / folder, SIZE, channels), COUNT)
    return np.stack([picture[60 : 60 + SIZE, 60 : 60 + SIZE] for _, picture in found])


def noise(kind, strength, shape):
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=shape) if kind == "Gaussian" else 3**0.5 * rng.uniform(-1, 1, shape)
    return (strength * drawn).astype(np.float32)


@pytest.mark.parametrize("name", DENOISERS)
def test_a_published_denoiser_is_diagnosed(name, load):
    network, clean = load(there(name)), read("bsd68", 1)
    strength = int(Path(name).stem.split("-")[1]) / 255
    gaussian, other = (noise(kind, strength, clean.shape) for kind in ("Gaussian", "uniform"))
    report = diagnose(
        network,
        clean,
        clean + gaussian,
        unseen_content=(clean[:, ::-1], clean[:, ::-1] + gaussian),
        unseen_degradation={"uniform noise": (clean, clean + other)},
        pictures=True,
    )
    assert not any("finite difference" in note for note in report.notes)
    gain = report["psnr", "seen"].estimate - report["psnr of the input", "seen"].estimate
    assert 4 < gain < 20  # the more noise, the more there is to gain
    assert report["removed from seen"].estimate > 0.65
    assert abs(report["removed from seen"].estimate - report["removed"].estimate) < 0.05
    assert 0 < report["rho"].estimate < 0.5


@pytest.mark.parametrize("name", DERAINERS)
def test_a_published_derainer_is_diagnosed(name, load):
    network = load(there(name))
    clean, rainy = read("rain100h/clean", 3), read("rain100h/rainy", 3)
    report = diagnose(
        network,
        clean,
        rainy,
        unseen_content=(clean[:, :, ::-1], clean[:, :, ::-1] + rainy - clean),
        unseen_degradation=(clean, clean + noise("Gaussian", 0.2, clean.shape)),
        pictures=True,
        probes=1,
    )
    # A derainer is rough: its own products are right, and long finite differences are not.
    assert not any("finite difference" in note for note in report.notes)
    removed = report["removed from seen"].estimate
    if "Rain100H" in name:
        assert removed > 0.9  # the rain that it was trained on
    else:
        assert removed < 0.9
    assert report["removed"].estimate < 0.5  # none of them takes away noise
    assert np.isfinite(report["rho"].estimate)


def test_all_networks_have_their_weights_in_the_data_sets():
    from common import published

    files = {
        file.path.removeprefix("weights/")
        for name in (published.DENOISERS, published.DERAINERS)
        for file in datasets.dataset(name).files
        if not file.path.endswith("LICENSE")
    }
    every = published.networks()
    assert {f"{one.dataset}/{one.path}" for one in every} == files
    assert len({one.name for one in every}) == len(every) == 22


@pytest.mark.parametrize("data", [b"", b"no checkpoint", b"PK\x03\x04"])
def test_a_file_of_something_else_is_refused(data, load, tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=r"x.pt: no checkpoint that can be read"):
        load(path)


def test_weights_of_another_network_are_refused(load, tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(InvalidInput, match="weights of no network that is known"):
        load(tmp_path / "x.pt")
