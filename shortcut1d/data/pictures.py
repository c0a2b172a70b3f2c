"""Reads pictures: from a folder, from inside scikit-image, or as pairs of clean and degraded."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError

from shortcut1d import errors
from shortcut1d.errors import InvalidInput

SUFFIXES = (".png", ".jpg", ".jpeg")
# Photographs of scenes and of textures inside scikit-image's wheel, in an order in which every
# third, from the second on, shows a scene: those are held out.
SHIPPED = (
    "brick.png", "astronaut.png", "coins.png", "grass.png", "coffee.png", "motorcycle_left.png",
    "gravel.png", "rocket.jpg", "chelsea.png", "camera.png",
)  # fmt: skip
SMALLEST = 300  # pixels along the shorter side of the smallest of them
FACES = 100  # scikit-image's first pictures of faces; the others show no faces
Warn = Callable[[str], None]
Picture = Float[np.ndarray, "height width channels"]


class Pair(NamedTuple):
    """A clean and a degraded picture of one size.

    name: name of the degraded file.
    source: name of the clean file.
    """

    name: str
    source: str
    clean: Picture
    degraded: Picture


def read_picture(path: str | Path, channels: int = 3) -> Picture:
    """A PNG or JPEG file, of any depth, grey or colour, rotated as its EXIF data say.

    Args:
        path: of the file.
        channels: 1 for grey (ITU-R 601 luma), 3 for colour.

    Raises:
        InvalidInput: missing, not a picture, cut short, or larger than Pillow thinks safe.
    """
    path, channels = errors.regular_file(errors.path("path", path)), checked_channels(channels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as opened:
                return _values(ImageOps.exif_transpose(opened), channels)
    except UnidentifiedImageError as error:
        raise InvalidInput(f"{path}: not a PNG or JPEG picture") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"{(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels"
        raise InvalidInput(f"{path}: larger than {limit}, which Pillow thinks safe") from error
    except (OSError, ValueError, SyntaxError) as error:  # of files that are cut short or damaged
        raise InvalidInput(f"{path}: cannot be read ({errors.reason(error)})") from error


def _values(picture: Image.Image, channels: int) -> Picture:
    if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip to 8
        grey = np.asarray(picture, np.float64) / 65535
        return np.repeat(grey[..., None], channels, axis=-1).astype(np.float32)
    if picture.has_transparency_data:  # on black: on white, that part would be the brightest
        colored = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", colored.size, "black"), colored)
    flat = np.asarray(picture.convert("L" if channels == 1 else "RGB"), np.float32)
    return flat.reshape(*flat.shape[:2], channels) / 255


def each_picture(
    folder: str | Path, size: int, channels: int = 3, warn: Warn = lambda line: None
) -> Iterator[tuple[str, Picture]]:
    """Name and values of each PNG or JPEG picture that is at least `size` pixels high and wide.

    Args:
        folder: folder of pictures; those of folders inside it are not read.
        size: least height and width, pixels.
        channels: see `read_picture`.
        warn: called with a line about each file that is left out, which says why.

    Raises:
        InvalidInput: no such folder, or no usable picture in it.
    """
    found = False
    for path in picture_files(folder):
        picture = _read_or_warn(path, channels, warn)
        if picture is None:
            continue
        height, width, _ = picture.shape
        if min(height, width) < size:
            warn(f"{path}: {width} x {height} pixels, smaller than {size} x {size}; left out")
            continue
        found = True
        yield path.name, picture
    if not found:
        raise InvalidInput(
            f"{folder}: no PNG or JPEG picture of at least {size} x {size} pixels in it"
        )


def _read_or_warn(path: Path, channels: int, warn: Warn) -> Picture | None:
    try:
        return read_picture(path, channels)
    except InvalidInput as error:
        warn(f"{error}; left out")
        return None


def read_pairs(
    clean: str | Path,
    degraded: str | Path,
    size: int,
    channels: int = 3,
    warn: Warn = lambda line: None,
) -> Iterator[Pair]:
    """Pairs from two folders with matching names, as Rain100L/H, Rain1400 and SPA-Data have them.

    A degraded file belongs to the clean file of the same stem, or of the stem before its last
    underscore (Rain1400 has fourteen kinds of rain, `1_1.jpg` to `1_14.jpg`, for `1.jpg`). The word
    `rain` is ignored (Rain100 has `rain-001.png` for `norain-001.png`).

    Raises:
        InvalidInput: a folder that cannot be used, or no pair of files that belong together.
    """
    partner_of, found = _partners(clean, warn), False
    for name, picture in each_picture(degraded, size, channels, warn):
        path = partner_of(name)
        if path is None:
            warn(f"{Path(degraded) / name}: no clean picture of that name in {clean}; left out")
            continue
        partner = _read_or_warn(path, channels, warn)
        if partner is None:
            continue
        if partner.shape != picture.shape:
            warn(f"{Path(degraded) / name}: of another size than the clean one; left out")
            continue
        found = True
        yield Pair(name, path.name, partner, picture)
    if not found:
        raise InvalidInput(f"{degraded}: no file is of the name and size of one in {clean}")


def crops(
    pairs: Iterable[Pair], count: int, size: int, each: int
) -> tuple[Float[np.ndarray, "n size size channels"], Float[np.ndarray, "n size size channels"]]:
    """Clean and degraded squares cut from pairs of pictures; no two overlap.

    Args:
        pairs: see `read_pairs`; only as many are read as are needed. Of each clean picture only one
            pair is used: fourteen kinds of rain on one picture are not fourteen samples.
        count: largest number of squares.
        size: pixels along each side of a square.
        each: largest number of squares of one pair, spread evenly over the picture.
    """
    clean: list[np.ndarray] = []
    degraded: list[np.ndarray] = []
    used: set[str] = set()
    for pair in pairs:
        if pair.source in used:
            continue
        used.add(pair.source)
        rows, columns = (length // size for length in pair.clean.shape[:2])
        wanted = min(each, rows * columns, count - len(clean))
        for place in (2 * np.arange(wanted) + 1) * rows * columns // max(2 * wanted, 1):
            top, left = size * (place // columns), size * (place % columns)
            for squares, picture in ((clean, pair.clean), (degraded, pair.degraded)):
                squares.append(picture[top : top + size, left : left + size])
        if len(clean) == count:
            break
    return np.stack(clean), np.stack(degraded)


def shipped(side: int, channels: int = 3) -> Iterator[tuple[str, Picture]]:
    """Name and values of each photograph inside scikit-image's wheel (optional extra `images`).

    Raises:
        InvalidInput: scikit-image is not installed, or `side` exceeds the smallest photograph.
    """
    errors.integer("side", side, high=SMALLEST)
    folder = _inside_skimage()
    for name in SHIPPED:
        yield name, read_picture(folder / name, channels)


def faces(side: int) -> Float[np.ndarray, "faces side side 1"]:
    """The hundred faces inside scikit-image's wheel, resized to `side` pixels.

    The originals are grey, 25 x 25 pixels; from Labeled Faces in the Wild (Huang et al. 2007).
    """
    errors.integer("side", side, high=4096)
    found = np.load(_inside_skimage() / "lfw_subset.npy", allow_pickle=False)[:FACES]
    resized = [
        Image.fromarray(face.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
        for face in found
    ]
    return np.clip(np.stack([np.asarray(face) for face in resized]), 0, 1)[..., None]


def _inside_skimage() -> Path:
    try:
        from skimage import data
    except ImportError as error:
        raise InvalidInput(
            'pictures: scikit-image is not installed; pip install "shortcut1d[images]", '
            "or name a folder of your own"
        ) from error
    return Path(data.__file__).parent


def checked_channels(channels: Any) -> int:
    """`channels` as a valid number of channels of a picture."""
    if not np.isscalar(channels) or channels not in (1, 3):
        raise errors.refuse("channels", channels, "1 (grey) or 3 (colour)")
    return int(channels)  # type: ignore[arg-type]


def picture_files(folder: str | Path) -> list[Path]:
    """Files of a folder with the suffix of a picture, in order of their names."""
    folder = errors.path("folder", folder)
    with errors.file_access(folder, "cannot be read"):
        found = sorted(folder.iterdir())
    return [path for path in found if path.suffix.lower() in SUFFIXES]


def count_pairs(clean: str | Path, degraded: str | Path) -> int:
    """How many clean pictures have a degraded one, by their names; see `read_pairs`."""
    partner_of = _partners(clean, lambda line: None)
    return len({partner_of(path.name) for path in picture_files(degraded)} - {None})


def _partners(clean: str | Path, warn: Warn) -> Callable[[str], Path | None]:
    """The clean picture that a degraded one belongs to, by the name of its file."""
    by_stem: dict[str, Path] = {}
    for first in picture_files(clean):
        if by_stem.setdefault(_plain_stem(first.name), first) is not first:
            warn(f"{first}: another clean picture has that name; left out")

    def partner_of(name: str) -> Path | None:
        stem = _plain_stem(name)
        return by_stem.get(stem) or by_stem.get(stem.rpartition("_")[0] or stem)

    return partner_of


def _plain_stem(name: str) -> str:
    stem = Path(name).stem.lower()
    for word in ("norain", "rain"):
        stem = stem.replace(word, "")
    return stem.strip("-_ ")
