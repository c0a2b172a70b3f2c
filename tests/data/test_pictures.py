"""Picture files, whole and broken."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shortcut1d import errors
from shortcut1d.data import images, pictures

SHADES = np.arange(20 * 24 * 3, dtype=np.uint32).reshape(20, 24, 3) % 251


@pytest.fixture
def folder(tmp_path):
    """Grey, colour, see-through, 16 bits deep, JPEG; and what cannot be used."""
    colored = SHADES.astype(np.uint8)
    Image.fromarray(colored).save(tmp_path / "a.png")
    Image.fromarray(colored[..., 0]).save(tmp_path / "b.PNG")
    Image.fromarray(np.dstack([colored, colored[..., :1]])).save(tmp_path / "c.png")
    Image.fromarray((SHADES[..., 0] * 257).astype(np.uint16)).save(tmp_path / "d.png")
    Image.fromarray(colored).save(tmp_path / "e \u00e9.jpeg", quality=95)
    Image.fromarray(colored[:4, :4]).save(tmp_path / "small.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "words.jpg").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("of no interest")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_is_read_and_what_is_left_out_is_named(folder, channels):
    said = []
    names, found = zip(*pictures.each_picture(folder, 16, channels, said.append))
    assert list(names) == ["a.png", "b.PNG", "c.png", "d.png", "e \u00e9.jpeg"]
    for picture in found:
        assert picture.shape == (20, 24, channels)
        assert picture.dtype == np.float32
        assert 0 <= picture.min() < 0.2 < picture.max() <= 1
    for name in ("small.png", "cut.png", "words.jpg", "empty.png", "folder.png"):
        assert sum(str(folder / name) in line for line in said) == 1, name
    assert len(said) == 5
    assert all("\n" not in line for line in said)


def test_values_are_kept_whatever_the_depth(folder):
    eight, sixteen = (pictures.read_picture(folder / name, 1) for name in ("b.PNG", "d.png"))
    np.testing.assert_allclose(eight, SHADES[..., :1] / 255, atol=1e-6)
    np.testing.assert_allclose(sixteen, SHADES[..., :1] / 255, atol=1e-4)


def test_a_camera_s_way_up_is_respected(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(SHADES.astype(np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert pictures.read_picture(tmp_path / "turned.jpg").shape == (24, 20, 3)


@given(data=st.binary(max_size=300), suffix=st.sampled_from([".png", ".jpg"]))
def test_random_bytes_are_refused_in_one_line(tmp_path_factory, data, suffix):
    path = tmp_path_factory.mktemp("bytes") / f"x{suffix}"
    path.write_bytes(data)
    with pytest.raises(errors.InvalidInput, match=r"x.(png|jpg): "):
        pictures.read_picture(path)


@given(place=st.integers(8, 900), value=st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, place, value):
    path = tmp_path_factory.mktemp("damaged") / "x.png"
    Image.fromarray(SHADES.astype(np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    data[min(place, len(data) - 1)] = value
    path.write_bytes(data)
    with contextlib.suppress(errors.InvalidInput):
        assert np.isfinite(pictures.read_picture(path)).all()


@pytest.mark.parametrize("where", ["nothing here", "a\0b", "file.png/inside"])
def test_a_folder_that_cannot_be_used_is_refused(tmp_path, where):
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(errors.InvalidInput, match="cannot be read"):
        list(pictures.each_picture(tmp_path / where, 8))


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(errors.InvalidInput, match="no PNG or JPEG picture of at least 8 x 8"):
        list(pictures.each_picture(tmp_path, 8))


def test_one_photograph_is_too_few_to_hold_one_out(tmp_path):
    Image.fromarray(SHADES.astype(np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(errors.InvalidInput, match="at least two"):
        images.photographs(tmp_path, size=8)


@pytest.mark.parametrize(
    ("clean", "rainy", "partners"),
    [
        (  # Rain100L/H
            ["norain-001.png", "norain-002.png"], ["rain-001.png", "rain-002.png"],
            ["norain-001.png", "norain-002.png"],
        ),
        (  # Rain1400
            ["1.png", "2.png"], ["1_1.png", "1_14.png", "2_1.png"], ["1.png", "1.png", "2.png"]
        ),
        (  # SPA-Data
            ["0_001.png", "0_002.png"], ["0_001.png", "0_002.png"], ["0_001.png", "0_002.png"]
        ),
        (["norain-1.png"], ["norain-1x2.png", "rain-1.png"], ["norain-1.png"]),
    ],
)  # fmt: skip
def test_pairs_are_found_by_name(tmp_path, clean, rainy, partners):
    for folder, names, least in (("clean", clean, 0), ("rainy", rainy, 100)):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names):
            shade = np.full((16, 16, 3), least + number, np.uint8)
            Image.fromarray(shade).save(tmp_path / folder / name)
    said = []
    pairs = list(pictures.read_pairs(tmp_path / "clean", tmp_path / "rainy", 8, warn=said.append))
    matched = [name for name in rainy if "x2" not in name]
    assert [pair.name for pair in pairs] == matched
    assert len(said) == len(rainy) - len(matched)
    for pair, partner in zip(pairs, partners, strict=True):
        assert round(float(pair.clean.max()) * 255) == clean.index(partner)
        assert round(float(pair.degraded.max()) * 255) == 100 + rainy.index(pair.name)


def test_pairs_of_other_names_or_sizes_are_refused(tmp_path):
    for folder in ("clean", "rainy"):
        (tmp_path / folder).mkdir()
    Image.fromarray(SHADES.astype(np.uint8)).save(tmp_path / "clean" / "a.png")
    Image.fromarray(SHADES[:16].astype(np.uint8)).save(tmp_path / "rainy" / "a.png")
    said = []
    with pytest.raises(errors.InvalidInput, match="no file is of the name and size of one"):
        list(pictures.read_pairs(tmp_path / "clean", tmp_path / "rainy", 8, warn=said.append))
    assert "another size" in said[0]


def test_transparent_pixels_are_black(tmp_path):
    glass = np.full((16, 16, 4), 255, np.uint8)
    glass[:8, :, 3] = 0
    Image.fromarray(glass).save(tmp_path / "glass.png")
    for channels in (1, 3):
        picture = pictures.read_picture(tmp_path / "glass.png", channels)
        np.testing.assert_array_equal(picture[:8], 0)
        np.testing.assert_array_equal(picture[8:], 1)


def test_photographs_of_any_size_are_taken_and_others_can_be_held_out(tmp_path):
    for folder in ("seen", "new"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            tall = np.tile(SHADES, (1 + number, 1)).astype(np.uint8)
            Image.fromarray(tall).save(tmp_path / folder / f"{number}.png")
    family = images.photographs(tmp_path / "seen", new=tmp_path / "new", size=8)
    assert (len(family.seen.order), len(family.held.order)) == (2, 2)
    height, width = SHADES.shape[:2]
    np.testing.assert_array_equal(family.seen.extents.value, [[height, width], [height, 2 * width]])


def pairs_of(*shapes):
    """Pictures whose every value says where it is, and twins that are 1 higher."""
    for number, shape in enumerate(shapes):
        clean = 10_000 * number + np.arange(np.prod(shape), dtype=np.float32).reshape(*shape, 1)
        yield pictures.Pair(str(number), str(number), clean, clean + 1)


def test_squares_are_cut_from_all_pairs_and_none_overlap():
    clean, degraded = pictures.crops(pairs_of((20, 24), (8, 8), (17, 9)), 100, 8, each=100)
    assert clean.shape == (2 * 3 + 1 + 2, 8, 8, 1)
    np.testing.assert_array_equal(degraded, clean + 1)
    assert len(np.unique(clean)) == clean.size


def test_few_squares_are_spread_over_a_picture():
    clean, _ = pictures.crops(pairs_of((8, 80)), 100, 8, each=2)
    np.testing.assert_array_equal(clean[:, 0, 0, 0], [16, 56])  # of ten, the third and eighth


def test_no_more_pairs_are_read_than_are_needed():
    read = []

    def noted():
        for pair in pairs_of((8, 8), (8, 8), (8, 8)):
            read.append(pair.name)
            yield pair

    clean, _ = pictures.crops(noted(), 2, 8, each=1)
    assert (len(clean), read) == (2, ["0", "1"])


def test_a_clean_picture_counts_once():
    once, *_ = pairs_of((8, 8))
    clean, _ = pictures.crops([once, once._replace(name="another rain")], 10, 8, each=4)
    assert len(clean) == 1
