"""What is heard of a study: music in noise, and what networks leave of it."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from shortcut1d.data import degradations
from shortcut1d.harness.driver import Sound

RATE = 8000  # Hz: a note of 8 cycles a window is 500 Hz


def in_noise(clean: Any, noise: Any) -> Any:
    """Music, `(1, length, 1)`, under a degradation that is as long."""
    return noise.apply(clean, degradations.over_length(noise, jax.random.key(1), clean.shape[1]))


def on_one_scale(heard: Mapping[str, Any], clean: Any) -> dict[str, Sound]:
    """Sounds whose loudness can be compared; the scale is set by clean music, so that clicks clip.

    heard: by name, `(1, length, 1)`.
    """
    loudest = 2 * float(np.max(np.abs(clean)))
    return {name: Sound(np.asarray(s)[0, :, 0], RATE, loudest) for name, s in heard.items()}
