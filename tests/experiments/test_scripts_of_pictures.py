"""What holds of every script, at its smallest preset: the other half, and the benchmark."""

import jax.numpy as jnp
import numpy as np
import reproduce
from on_every_script import *  # noqa: F403 (its tests)

from shortcut1d import networks
from shortcut1d.networks import checkpoints

SCRIPTS = [*reproduce.STORY[reproduce.STORY.index("generative_prior") :], *reproduce.APART]


def test_a_prior_that_a_script_has_trained_can_be_loaded(smoke):
    folder, _ = smoke("generative_prior")
    network, weights, shape = checkpoints.load(folder / "generative_prior_melodies.model")
    output = networks.apply(network, weights, jnp.zeros((2, *shape)))
    assert output.shape == (2, *shape)
    assert np.isfinite(output).all()
