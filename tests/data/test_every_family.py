"""What holds of every family, of signals and of pictures, of contents and of degradations."""

import jax
import numpy as np
import pytest

from shortcut1d.data import degradations, image_degradations, images, signals
from shortcut1d.data.family import Content, Degradation, draw, fingerprint

SIZE = 24  # pixels
CONTENTS = {
    name: signals.make(name) for name in signals.CONTENTS if name not in ("pool", "recording")
}
CONTENTS |= {"pool": signals.pool(signals.melody(), 500)}
DEGRADATIONS = {name: degradations.make(name) for name in degradations.DEGRADATIONS}
for channels in (1, 3):
    options = {"size": SIZE, "channels": channels}
    CONTENTS |= {
        f"{name}, {channels}": images.make(
            name, **({"low": 4} if name == "texture" else {}), **options
        )
        for name in images.IMAGES
    }
    DEGRADATIONS |= {
        f"{name}, {channels}": image_degradations.make(name, **options)
        for name in image_degradations.DEGRADATIONS
    }
EVERY = CONTENTS | DEGRADATIONS
TWINS_OF_TWINS = [name for name in CONTENTS if name.endswith((", 1", ", 3"))]


@pytest.mark.parametrize("name", EVERY)
def test_the_same_key_draws_the_same_and_another_does_not(name, key):
    first = draw(EVERY[name], key, 4)
    np.testing.assert_array_equal(first, draw(EVERY[name], key, 4))
    assert not np.array_equal(first, draw(EVERY[name], jax.random.key(1), 4))


@pytest.mark.parametrize("name", EVERY)
def test_the_unseen_twin_is_another_family_of_the_same_kind(name):
    twin = EVERY[name].unseen()
    assert isinstance(twin, Content if name in CONTENTS else Degradation)
    assert fingerprint(twin) != fingerprint(EVERY[name])


@pytest.mark.parametrize("name", TWINS_OF_TWINS)
def test_the_twin_of_a_background_s_twin_is_the_background(name, key):
    twice = EVERY[name].unseen().unseen()
    np.testing.assert_array_equal(draw(EVERY[name], key, 2), draw(twice, key, 2))
