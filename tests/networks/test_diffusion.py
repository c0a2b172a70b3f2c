"""The posterior sampler against posteriors known in closed form, and the network that learns it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shortcut1d import networks
from shortcut1d.analysis import oracles
from shortcut1d.data import composition, signals
from shortcut1d.errors import InvalidInput
from shortcut1d.networks import Diffusion
from shortcut1d.networks.diffusion import posterior_sample, with_level
from shortcut1d.training import grid
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule

SMALL = Diffusion(width=4, depth=3, kernel=3)
DRAWS = 8192


def falling_spectrum(space):
    """Powers from 1 down to .001 of their greatest, in sum 1."""
    cycles = np.meshgrid(*(np.fft.fftfreq(n) for n in space), indexing="ij")
    powers = 10.0 ** (-6 * np.sqrt(sum(along**2 for along in cycles)) / np.sqrt(len(space)))
    return (powers / powers.sum())[..., None]


def wiener(powers):
    """The exact denoiser of a Gaussian content, at levels that may be traced."""
    axes = tuple(range(1, powers.ndim))

    def denoise(x, sigma):
        gain = powers / (powers + sigma**2 / powers.size)
        return jnp.real(jnp.fft.ifftn(gain * jnp.fft.fftn(x, axes=axes), axes=axes))

    return denoise


def draw_gaussian(powers, key, n):
    axes = tuple(range(1, powers.ndim))
    white = jnp.fft.fftn(jax.random.normal(key, (n, *powers.shape)), axes=axes)
    return jnp.real(jnp.fft.ifftn(jnp.sqrt(powers * powers.size) * white, axes=axes))


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("space", [(32,), (6, 8)], ids=["1d", "2d"])
def test_samples_have_the_mean_and_variance_of_a_gaussian_posterior(space, level, key):
    powers = falling_spectrum(space)
    noise = np.full_like(powers, level**2 / powers.size)
    keys = jax.random.split(key, 3)
    one = draw_gaussian(powers, keys[0], 1) + level * jax.random.normal(keys[1], (1, *space, 1))
    drawn = np.asarray(
        posterior_sample(
            wiener(powers), jnp.repeat(one, DRAWS, axis=0), level, keys[2],
            steps=60, low=0.003, high=30.0,
        )
    )  # fmt: skip
    exact = np.asarray(oracles.wiener(powers, noise)(one)[0])
    # The mean has no error but that of the draws.
    far = (drawn.mean(axis=0) - exact) / (drawn.std(axis=0) / DRAWS**0.5)
    assert np.abs(far).max() < 4.5
    # Each frequency's variance: 3% of the steps, and five standard errors of the draws.
    variance = oracles.power_spectrum(drawn - drawn.mean(axis=0))
    ratio = variance / (oracles.wiener_gain(powers, noise) * noise)
    assert np.abs(ratio - 1).max() < 0.03 + 5 * (2 / DRAWS) ** 0.5
    assert ratio.mean() == pytest.approx(1, abs=0.02)


def test_the_variance_s_error_falls_with_the_square_of_the_steps(key):
    # Of one number whose variance is 1 the flow multiplies what it starts from.
    x, high = jnp.zeros((1, 1, 1)), 100.0

    def sampled(denoise, steps):
        drawn = posterior_sample(denoise, x, 1e4, key, steps=steps, low=0.003, high=high)
        return float(drawn[0, 0, 0])

    start = sampled(lambda z, s: z, 1)
    wrong = [
        abs((high * sampled(lambda z, s: z / (1 + s**2), steps) / start) ** 2 - 1)
        for steps in (20, 40, 80)
    ]
    assert wrong[0] < 0.04
    assert wrong[1] < wrong[0] / 3
    assert wrong[2] < wrong[1] / 3


@pytest.mark.slow
def test_samples_fall_on_the_members_of_a_pool_as_often_as_they_are_likely(key):
    pool = jax.random.normal(key, (3, 6, 1))
    level = 1.5
    y = pool[:1] + level * jax.random.normal(jax.random.key(1), (1, 6, 1))

    def denoise(x, sigma):
        square = jnp.sum((x[:, None] - pool) ** 2, axis=(2, 3))
        return jnp.einsum("ni,isc->nsc", jax.nn.softmax(-square / (2 * sigma**2), axis=1), pool)

    likely = jax.nn.softmax(-jnp.sum((y - pool) ** 2, axis=(1, 2)) / (2 * level**2))
    drawn = posterior_sample(
        denoise, jnp.repeat(y, DRAWS, axis=0), level, key, steps=100, low=0.01, high=100.0
    )
    distances = jnp.sum((drawn[:, None] - pool) ** 2, axis=(2, 3))
    share = np.bincount(np.asarray(distances.argmin(axis=1)), minlength=3) / DRAWS
    assert float(jnp.mean(distances.min(axis=1) < 1e-3)) > 0.995
    np.testing.assert_allclose(share, likely, atol=0.02)


@pytest.mark.slow
def test_a_sample_depends_on_its_place_and_on_no_other_sample(key):
    powers = falling_spectrum((16,))
    x = jax.random.normal(key, (4, 16, 1))

    def sample(x, key=None):
        return posterior_sample(wiener(powers), x, 1.0, key)

    drawn = sample(x)
    np.testing.assert_allclose(sample(x.at[1:].set(0.0))[0], drawn[0], atol=1e-5)
    np.testing.assert_allclose(sample(x[:2]), drawn[:2], atol=1e-5)
    np.testing.assert_array_equal(sample(x), drawn)
    assert not np.allclose(sample(x[:1].repeat(2, axis=0))[0], sample(x[:1].repeat(2, axis=0))[1])
    assert not np.allclose(sample(x, jax.random.key(1)), drawn)


# ---------------------------------------------------------------- the network


@pytest.mark.slow
def test_setting_the_level_changes_nothing_else_and_has_no_gradient(key):
    weights = networks.init(SMALL, key, (16,), 1)
    other = with_level(0.3, weights)
    assert weights["level"] == 1  # the scale
    assert other["level"] == np.float32(0.3)
    assert {**other, "level": 0} == {**weights, "level": 0}
    x = jax.random.normal(key, (2, 16, 1))
    outputs = [networks.apply(SMALL, w, x) for w in (weights, other)]
    assert not np.allclose(*outputs)
    slopes = jax.grad(lambda w: jnp.mean(networks.apply(SMALL, w, x) ** 2))(weights)
    assert slopes["level"] == 0


def test_beyond_the_levels_of_training_the_nearest_is_taken(key):
    weights = networks.init(SMALL, key, (16,), 1)
    x = jax.random.normal(key, (2, 16, 1))
    for within, beyond in ((SMALL.low, 0.0), (SMALL.high, 1e3)):
        outputs = [networks.apply(SMALL, with_level(at, weights), x) for at in (within, beyond)]
        np.testing.assert_allclose(*outputs, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("space", [(16,), (6, 8)], ids=["1d", "2d"])
def test_mean_and_sample_have_the_same_weights_and_a_derivative(space, key):
    sampler = Diffusion(width=4, depth=3, kernel=3, steps=20)
    weights = networks.init(SMALL, key, space, 2)
    x = jax.random.normal(key, (3, *space, 2))
    for network in (SMALL, sampler):
        assert networks.abstract(network, space, 2) == networks.abstract(SMALL, space, 2)

        def applied(x, network=network):
            return networks.apply(network, weights, x)

        output, slope = jax.jit(lambda x, f=applied: jax.jvp(f, (x,), (x,)))(x)
        assert output.shape == x.shape
        assert np.isfinite(output).all()
        assert np.isfinite(slope).all()
        assert np.any(slope != 0)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, 20])
def test_a_grid_trains_the_weights_but_not_the_level(steps):
    network = Diffusion(width=4, depth=3, kernel=3, steps=steps)
    content, nothing = signals.band(4, length=32), composition.nothing(32, 1)
    found = grid.train([Cell(content, nothing, network, n) for n in (0, 1)], Schedule(30, 8))
    assert not found.diverged.any()
    assert (found.history[:, -1] < found.history[:, 0]).all()
    np.testing.assert_array_equal(found.params["level"], [1, 1])
    weights = found.params["layers"][0]["weight"]
    assert not np.allclose(weights[0], weights[1])
    # How it is put to use changes nothing of the training.
    alone = grid.train([Cell(content, nothing, SMALL, 0)], Schedule(30, 8))
    np.testing.assert_allclose(weights[0], alone.params["layers"][0]["weight"][0], atol=1e-4)


@pytest.mark.slow
def test_a_trained_network_comes_near_the_wiener_filter_at_every_level(optimised):
    content = signals.band(16)
    network = Diffusion(width=16)
    cell = Cell(content, composition.nothing(128, 1), network, 0)
    weights = jax.tree.map(lambda leaf: leaf[0], grid.train([cell], Schedule(500, 32)).params)
    powers = oracles.power_spectrum(np.asarray(content.sample(jax.random.key(5), 4096)))
    clean = content.sample(jax.random.key(6), 256)
    noise = jax.random.normal(jax.random.key(7), clean.shape)
    for level in (0.1, 0.3, 1.0, 3.0):
        y = clean + level * noise
        best = oracles.wiener(powers, np.full_like(powers, level**2 / 128))(y)
        found = networks.denoiser(network, with_level(level, weights))(y)
        risk, least = (float(jnp.mean((output - clean) ** 2)) for output in (found, best))
        assert least * 0.98 < risk < least * 1.4
    # A posterior sample has twice the risk of the mean: it errs as the content itself does.
    sampler = networks.denoiser(Diffusion(width=16, steps=30), with_level(1.0, weights))
    best = oracles.wiener(powers, np.full_like(powers, 1 / 128))(clean + noise)
    twice = 2 * float(jnp.mean((best - clean) ** 2))
    assert float(jnp.mean((sampler(clean + noise) - clean) ** 2)) == pytest.approx(twice, rel=0.25)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "width: got 0"),
        ({"kernel": 2}, "an odd number of taps"),
        ({"edges": "zero"}, "edges: got 'zero'"),
        ({"scale": 0}, "scale: got 0"),
        ({"low": 0}, "low: got 0"),
        ({"high": 0.01}, "high: got 0.01, expected a finite number above 0.01"),
        ({"steps": -1}, "steps: got -1"),
    ],
)
def test_bad_values_are_refused(options, said):
    with pytest.raises(InvalidInput, match=said):
        Diffusion(**options)
