"""The deep image prior: it learns content before noise, and each input by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shortcut1d import networks
from shortcut1d.data import composition, images, signals
from shortcut1d.data.family import draw
from shortcut1d.errors import InvalidInput
from shortcut1d.networks import Autoencoder, ConvNet, DeepPrior, Diffusion, Search
from shortcut1d.training import grid
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule

SMALL = ConvNet(width=4, depth=3, kernel=3)
CODED = Autoencoder(width=4, levels=2, entries=8, dims=2)


def errors_of(network, clean, noisy, key):
    """Mean square error of the output, to the clean sample and to the noisy one."""
    params = networks.init(network, key, clean.shape[1:-1], clean.shape[-1])
    output = networks.denoiser(network, params)(noisy)
    return [float(jnp.mean((output - x) ** 2)) for x in (clean, noisy)]


@pytest.mark.slow
def test_it_learns_content_first_and_noise_in_the_end(optimised, key):
    clean = draw(signals.band(8), key, 8)
    noisy = clean + jax.random.normal(jax.random.key(1), clean.shape)
    to_clean, to_noisy = errors_of(DeepPrior(), clean, noisy, key)
    assert to_clean < 0.3  # of the noise's 1
    assert to_noisy > 0.6
    assert errors_of(DeepPrior(steps=1500, rate=0.003), clean, noisy, key)[1] < 0.05


@pytest.mark.slow
def test_it_restores_a_picture(optimised, key):
    clean = draw(images.make("smooth", size=32), key, 2)
    noisy = clean + jnp.std(clean) * jax.random.normal(jax.random.key(1), clean.shape)
    to_clean, _ = errors_of(DeepPrior(ConvNet(16, kernel=5)), clean, noisy, key)
    assert to_clean < 0.4 * float(jnp.mean((noisy - clean) ** 2))


@pytest.mark.slow
@pytest.mark.parametrize("inner", [SMALL, CODED], ids=["conv", "autoencoder"])
@pytest.mark.parametrize("space", [(16,), (8, 12)], ids=["1d", "2d"])
def test_an_output_is_of_its_input_and_its_weights_alone(inner, space, key):
    network = DeepPrior(inner, steps=20, rate=0.01)
    params = networks.init(network, key, space, 2)
    x = jax.random.normal(key, (3, *space, 2))
    output = networks.denoiser(network, params)(x)
    assert output.shape == x.shape
    np.testing.assert_allclose(networks.denoiser(network, params)(x[1:2]), output[1:2], atol=1e-5)
    np.testing.assert_array_equal(networks.denoiser(network, params)(x), output)
    other = networks.init(network, jax.random.key(1), space, 2)
    assert not np.allclose(networks.denoiser(network, other)(x), output, atol=1e-3)


@pytest.mark.slow
def test_more_steps_come_nearer_to_the_input(key):
    x = jax.random.normal(key, (2, 16, 1))
    far = [errors_of(DeepPrior(SMALL, steps, 0.01), x, x, key)[1] for steps in (1, 30, 300)]
    assert far[0] > far[1] > far[2]


@pytest.mark.slow
def test_it_has_a_derivative_that_is_its_change(key):
    network = DeepPrior(ConvNet(8), steps=5, rate=0.01)
    denoise = networks.denoiser(network, networks.init(network, key, (16,), 1))
    x, along = jax.random.normal(key, (2, 2, 16, 1))
    _, slope = jax.jvp(denoise, (x,), (along,))
    change = (denoise(x + 1e-4 * along) - denoise(x - 1e-4 * along)) / 2e-4
    assert np.abs(slope).max() > 0.5
    np.testing.assert_allclose(slope, change, atol=0.02)


@pytest.mark.slow
def test_nothing_is_learnt_from_examples():
    content, nothing = signals.band(4, length=16), composition.nothing(16, 1)
    cells = [Cell(content, nothing, DeepPrior(SMALL, steps=3), seed) for seed in (0, 1)]
    untrained = grid.train(cells, Schedule(5, 4, checkpoints=(0,))).params
    after = grid.train(cells, Schedule(5, 4)).params
    jax.tree.map(np.testing.assert_array_equal, untrained, after)
    assert not np.allclose(*after["noise"])


@pytest.mark.slow
@pytest.mark.parametrize("space", [(64,), (32, 24)], ids=["1d", "2d"])
def test_the_noise_has_power_one_and_the_smoothness_asked_for(space, key):
    def steepness(smoothness):
        networks_of = jax.vmap(
            lambda k: networks.init(DeepPrior(SMALL, smoothness=smoothness), k, space, 1)["noise"]
        )
        noise = np.asarray(networks_of(jax.random.split(key, 200)))
        assert np.mean(noise**2) == pytest.approx(1, rel=0.15)
        power = np.mean(np.abs(np.fft.fft(noise, axis=1)) ** 2, axis=0)
        power = power.reshape(space[0], -1)[:, 0] if len(space) == 1 else power.sum(axis=(1, 2))
        return np.log(power[2] / power[8]) / np.log(4)

    assert steepness(0.0) == pytest.approx(0, abs=0.3)
    assert steepness(2.0) > 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inner": Search(CODED)}, "inner: got Search"),
        ({"inner": Diffusion()}, "inner: got Diffusion"),
        ({"inner": 3}, "inner: got 3"),
        ({"steps": 0}, "steps: got 0"),
        ({"rate": 0}, "rate: got 0"),
        ({"smoothness": -1}, "smoothness: got -1"),
    ],
)
def test_bad_values_are_refused(options, said):
    with pytest.raises(InvalidInput, match=said):
        DeepPrior(**options)
