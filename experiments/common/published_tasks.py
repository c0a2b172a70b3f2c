"""What published networks are tested on: crops of photographs, noise and rain, seen and unseen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from common.published import Published
from shortcut1d import datasets
from shortcut1d.data import image_degradations, images, pictures

PHOTOGRAPHS, RAINY = "bsd68", "rain100h"  # data sets: for noise, and pairs with their own rain
OTHER_PHOTOGRAPHS, LETTERS = "other photographs", "letters"
RANGES = ("small", "medium", "large", "random")  # of our own rain, the papers'
OWN_RAIN = "Rain100H"  # the set whose pairs are at hand
LAYERS = 16  # of Rain100H, those least cut off by white
TWICE = 2  # noise beyond what a network was trained on, over the strongest that it was trained on

Batch = Float[np.ndarray, "n height width channels"]
Pair = tuple[Batch, Batch]  # clean, degraded


class Tests(NamedTuple):
    """What one network is given, for `diagnose`.

    seen: name, and samples as it was trained on.
    content: other contents under that degradation, by name.
    degradation: the seen content under other degradations, by name.
    control: Rain100H's photographs, in rain moved there from others of them.
    """

    seen: tuple[str, Pair]
    content: dict[str, Pair]
    degradation: dict[str, Pair]
    control: Pair | None = None


class Panel:
    """Everything that networks are tested on, drawn from one seed."""

    def __init__(self, samples: int, size: int, first: int, seed: int) -> None:
        """Read the data sets.

        Args:
            samples: pictures a test, at most.
            size: pixels along each side of the crops, which are from the middle.
            first: number of the first picture of each set.
            seed: of noise, rain and other contents.

        Raises:
            InvalidInput: a data set is not here, or not complete; scikit-image is not installed.
        """
        self.size, self.key = size, jax.random.key(seed)
        self.photographs = _middles(datasets.folder_of(PHOTOGRAPHS), size, 1)[first:][:samples]
        folder = datasets.folder_of(RAINY)
        self.clean, self.rainy = (
            _middles(folder / part, size, 3)[first:][:samples] for part in ("clean", "rainy")
        )
        # Rain is grey. Where it is cut off by white, its layer has the shape and colour of what is
        # behind it, and is no rain in another picture. So take the layers that are cut off least.
        cut = np.argsort((self.rainy == 1).all(axis=-1).mean(axis=(1, 2)), kind="stable")[:LAYERS]
        self.layers = (self.rainy - self.clean)[cut].max(axis=-1, keepdims=True)

    def noise(self, level: float, clean: Batch, name: str) -> Pair:
        """Clean pictures, and the same in white noise of standard deviation `level` / 255."""
        key = jax.random.fold_in(self.key, sum(name.encode()))
        return clean, clean + level / 255 * np.asarray(jax.random.normal(key, clean.shape))

    def rain(self, name: str, clean: Batch) -> Pair:
        """Clean pictures, and the same in rain taken from Rain100H, or of one of our ranges."""
        if name == OWN_RAIN:
            return clean, np.clip(
                clean + self.layers[np.arange(len(clean)) % len(self.layers)], 0, 1
            )
        family: Any = image_degradations.rain(name, size=self.size, channels=3)
        layers = family.sample(jax.random.fold_in(self.key, RANGES.index(name)), len(clean))
        return clean, np.asarray(family.apply(clean, layers))

    def others(self, count: int, channels: int) -> dict[str, Batch]:
        """Contents that none of the networks was trained on, by name."""
        kwargs: Any = {"size": self.size, "channels": channels}
        families: dict[str, Any] = {
            OTHER_PHOTOGRAPHS: images.photographs(**kwargs),
            LETTERS: images.text(**kwargs),
        }
        return {
            name: np.asarray(family.sample(jax.random.fold_in(self.key, 100 + n), count))
            for n, (name, family) in enumerate(families.items())
        }

    def of(self, network: Published) -> Tests:
        """What a network is tested on.

        A denoiser has seen the strongest noise that it was trained on, and not noise twice as
        strong. A derainer has seen Rain100H, if it was trained on that. The other two sets are not
        at hand: our small rain takes their place.
        """
        if network.derains:
            own = OWN_RAIN if network.trained_on == OWN_RAIN else RANGES[0]
            pairs = {name: self.rain(name, self.clean) for name in RANGES}
            pairs[OWN_RAIN] = self.clean, self.rainy
            others = self.others(len(self.clean), 3)
            return Tests(
                (own, pairs.pop(own)),
                {name: self.rain(own, content) for name, content in others.items()},
                pairs,
                self.rain(own, self.clean) if own == OWN_RAIN else None,
            )
        level, clean = network.level, self.photographs
        beyond = TWICE * level
        return Tests(
            (f"noise {level}", self.noise(level, clean, PHOTOGRAPHS)),
            {
                name: self.noise(level, content, name)
                for name, content in self.others(len(clean), 1).items()
            },
            {f"noise {beyond}": self.noise(beyond, clean, PHOTOGRAPHS)},
        )


def whole_pictures(network: Published, count: int, level: float, seed: int) -> Iterator[Pair]:
    """The first `count` whole pictures that published PSNR is of, one at a time.

    Rainy ones of Rain100H for a derainer, or photographs in noise of `level` / 255.
    """
    if network.derains:
        folder = datasets.folder_of(RAINY)
        pairs = pictures.read_pairs(folder / "clean", folder / "rainy", 1)
        for _, pair in zip(range(count), pairs, strict=False):
            yield pair.clean[None], pair.degraded[None]
        return
    key = jax.random.key(seed)
    found = pictures.each_picture(datasets.folder_of(PHOTOGRAPHS), 1, 1)
    for number, (_, clean) in zip(range(count), found, strict=False):
        drawn = jax.random.normal(jax.random.fold_in(key, number), clean.shape)
        yield clean[None], (clean + level / 255 * np.asarray(drawn))[None]


def luminance(colors: Batch) -> Batch:
    """Y of MATLAB's `rgb2ycbcr` (ITU-R BT.601), of colours rounded to 8 bits, over 255."""
    bytes_of = np.round(255 * np.clip(colors, 0, 1)) / 255
    return (bytes_of @ np.array([65.481, 128.553, 24.966]) + 16)[..., None] / 255


def _middles(folder: Path, size: int, channels: int) -> Batch:
    made = []
    for _, picture in pictures.each_picture(folder, size, channels):
        top, left = ((length - size) // 2 for length in picture.shape[:2])
        made.append(picture[top : top + size, left : left + size])
    return np.stack(made)
