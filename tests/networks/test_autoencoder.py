"""The quantiser, the autoencoder around it, and which parts of it are trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d import networks
from shortcut1d.analysis import perplexity
from shortcut1d.data import composition, degradations, signals
from shortcut1d.data.family import draw_pair, identity
from shortcut1d.errors import InvalidInput
from shortcut1d.networks import autoencoder, quantiser
from shortcut1d.networks.autoencoder import Autoencoder, Recipe, Search
from shortcut1d.training import grid
from shortcut1d.training.grid import Cell
from shortcut1d.training.loop import Schedule

MELODIES = signals.melody(2, 2.0, 8.0, length=32)
SMALL = Autoencoder(width=4, levels=2, entries=8, dims=2)


def drawn(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


# ---------------------------------------------------------------- codebooks


@pytest.mark.slow
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(2, 6), st.integers(1, 6))
def test_each_codebook_answers_with_its_nearest_entry_in_use(seed, books, entries, active):
    active = min(active, entries)
    latent, made = drawn(5, books * 2, seed=seed), drawn(books, entries, 2, seed=seed + 1)
    found = quantiser.quantise(latent, made, active, residual=False)
    for place in range(5):
        for book in range(books):
            targets = latent[place, 2 * book : 2 * book + 2]
            far = np.sum((made[book, :active] - targets) ** 2, axis=1)
            code = int(found.codes[place, book])
            assert far[code] <= far.min() + 1e-5
            np.testing.assert_array_equal(
                found.value[place, 2 * book : 2 * book + 2], made[book, code]
            )
            np.testing.assert_array_equal(found.targets[place, book], targets)


@given(st.integers(0, 1000))
def test_each_residual_codebook_quantises_what_the_earlier_ones_left(seed):
    latent, made = drawn(6, 3, seed=seed), drawn(3, 5, 3, seed=seed + 1)
    found = quantiser.quantise(latent, made, 5, residual=True)
    left = latent
    for book in range(3):
        np.testing.assert_allclose(found.targets[:, book], left, atol=1e-5)
        left = left - made[book][found.codes[:, book]]
    np.testing.assert_allclose(latent - found.value, left, atol=1e-5)


@pytest.mark.slow
def test_the_gradient_passes_straight_through_a_code():
    latent, made = drawn(4, 4), drawn(2, 8, 2)

    def output(latent):
        value = quantiser.quantise(latent, made, 8, residual=False).value
        return jnp.sum(jnp.sin(quantiser.straight_through(latent, value)))

    value = quantiser.quantise(latent, made, 8, residual=False).value
    np.testing.assert_allclose(jax.grad(output)(latent), np.cos(value), atol=1e-6)


@pytest.mark.slow
def test_a_codebook_converges_to_the_means_of_its_targets():
    rng = np.random.default_rng(0)
    centres = np.array([[4.0, 0], [-4, 0], [0, 4]])
    book, uses = drawn(4, 2), jnp.full(4, 0.25)
    for _ in range(300):
        targets = jnp.asarray(centres[rng.integers(0, 3, 60)] + 0.1 * rng.normal(size=(60, 2)))
        targets = targets.astype(jnp.float32)
        codes = jnp.argmin(quantiser.distances(targets, book, 4), axis=-1)
        book, uses = quantiser.moving_average(book, uses, targets, codes, 4)
    nearest = np.min(np.linalg.norm(np.asarray(book)[:, None] - centres, axis=-1), axis=0)
    assert (nearest < 0.15).all()
    assert float(jnp.sum(uses)) == pytest.approx(1, abs=0.3)


def test_a_dead_entry_is_replaced_and_an_inactive_one_never():
    book = jnp.array([[0.0, 0], [100, 0], [200, 0]])
    uses = jnp.array([0.9, 0.01, 0.0])
    targets = jnp.array([[0.5, 0.5], [-0.5, 0.5]])
    new, share = quantiser.moving_average(book, uses, targets, jnp.zeros(2, int), active=2)
    np.testing.assert_array_equal(new[1], targets[1])
    assert share[1] == 0.5
    np.testing.assert_array_equal(new[2], book[2])


# ---------------------------------------------------------------- the autoencoder


@pytest.mark.slow
@pytest.mark.parametrize("space", [(16,), (8, 12)], ids=["1d", "2d"])
@pytest.mark.parametrize("residual", [False, True])
def test_it_keeps_the_shape_and_gives_one_code_a_book_and_position(space, residual, key):
    network = Autoencoder(width=4, levels=2, entries=8, dims=2, residual=residual)
    weights = networks.init(network, key, space, 3)
    x = drawn(5, *space, 3)
    assert networks.apply(network, weights, x).shape == x.shape
    fewer = tuple(axis // 4 for axis in space)
    assert codes_of(network, weights, x).shape == (5, *fewer, 2)


@pytest.mark.slow
def test_a_recipe_switches_the_code_on_and_off(key):
    weights = networks.init(SMALL, key, (16,), 1)
    x = drawn(6, 16, 1)

    def output(recipe):
        return networks.apply(SMALL, autoencoder.with_recipe(recipe, weights), x)

    assert not np.allclose(output(autoencoder.PRIOR), output(autoencoder.NO_CODE))
    few = autoencoder.with_recipe(Recipe(active=3), weights)
    assert int(codes_of(SMALL, few, x).max()) < 3
    # Without a code small changes of the input make small changes of the output, with it none.
    moved = networks.apply(SMALL, weights, x + 1e-6)
    np.testing.assert_allclose(moved, output(autoencoder.PRIOR), atol=1e-5)


def codes_of(network, weights, x):
    module = networks.build(network, weights, x)
    return module.quantised(module.encoder(x)).codes


def trained(recipe_or_weights, steps=3, clean=False, network=SMALL, batch=8, seed=0):
    noise = composition.nothing(32, 1) if clean else degradations.hiss(length=32)
    begin = recipe_or_weights
    if isinstance(begin, Recipe):
        fresh = jax.jit(networks.init, static_argnums=(0, 2, 3))
        begin = autoencoder.with_recipe(begin, fresh(network, jax.random.key(1 + seed), (32,), 1))
    cell = Cell(MELODIES, noise, network, seed, begin)
    found = grid.train([cell], Schedule(steps, batch))
    assert not found.diverged[0]
    return begin, jax.tree.map(lambda leaf: leaf[0], found.params)


def changed(before, after):
    return {
        part
        for part in before
        if any(
            not np.array_equal(a, b)
            for a, b in zip(jax.tree.leaves(before[part]), jax.tree.leaves(after[part]))
        )
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "parts"),
    [
        (autoencoder.PRIOR, {"encoder", "decoder", "codebooks", "uses"}),
        (autoencoder.RANDOM_CODE, {"encoder", "decoder"}),
        (autoencoder.NO_CODE, {"encoder", "decoder"}),
        (Recipe(**{**Recipe()._asdict(), **autoencoder.TO_CODES}), {"encoder"}),
        (Recipe(**{**Recipe()._asdict(), **autoencoder.TO_OUTPUT}), {"encoder"}),
    ],
    ids=["prior", "random code", "no code", "to codes", "to output"],
)
def test_a_recipe_selects_the_parts_that_are_trained(recipe, parts):
    assert changed(*trained(recipe)) == parts


@pytest.mark.slow
def test_restoration_starts_from_the_prior_as_its_own_teacher(key):
    weights = networks.init(SMALL, key, (16,), 1)
    begin = autoencoder.init_restoration(weights, **autoencoder.TO_CODES)
    assert not changed({"": begin["teacher"]}, {"": weights["encoder"]})
    assert list(begin["recipe"]) == [1, 0, 0, 0, 1]
    x = drawn(3, 16, 1)
    np.testing.assert_array_equal(
        networks.apply(SMALL, begin, x), networks.apply(SMALL, weights, x)
    )


@pytest.mark.slow
def test_a_trained_prior_reconstructs_melodies_and_uses_its_codebooks(optimised):
    network = Autoencoder(width=16, levels=2, entries=16)
    _, weights = trained(autoencoder.PRIOR, 600, clean=True, network=network, batch=16)
    x = MELODIES.sample(jax.random.key(5), 64)
    error = np.mean((networks.apply(network, weights, x) - x) ** 2)
    assert error < 0.35  # of a power of 1
    in_use = perplexity(np.asarray(codes_of(network, weights, x)), 16)
    assert (in_use > 4).all()


@pytest.mark.slow
def test_a_tuned_encoder_comes_nearer_to_the_clean_codes_whatever_the_seed(optimised):
    # Over eight seeds 600 steps of tuning gain .035 to .108, these .058 to .135.
    network = Autoencoder(width=16, levels=2, entries=16)
    clean, degraded = draw_pair(jax.random.key(7), MELODIES, degradations.hiss(length=32), 256)
    agreement, error = [], []
    for seed in range(3):
        _, prior = trained(autoencoder.PRIOR, 300, True, network, batch=16, seed=seed)
        begin = autoencoder.init_restoration(prior, **autoencoder.TO_CODES)
        _, tuned = trained(begin, 1800, network=network, batch=16, seed=seed)
        wanted = codes_of(network, prior, clean)
        both = (prior, tuned)
        agreement.append([np.mean(codes_of(network, w, degraded) == wanted) for w in both])
        error.append([np.mean((networks.apply(network, w, degraded) - clean) ** 2) for w in both])
    assert np.all(np.diff(agreement) > 0.05)
    assert np.all(np.diff(error) < 0)


@pytest.mark.slow
def test_a_search_gets_closer_to_the_input_for_each_sample_alone(key):
    weights = autoencoder.with_recipe(autoencoder.NO_CODE, networks.init(SMALL, key, (16,), 1))
    x = drawn(4, 16, 1)
    search = Search(SMALL, steps=30)
    found = networks.apply(search, weights, x)
    at_first = networks.apply(SMALL, weights, x)
    far, farther = (np.mean(np.abs(output - x), axis=(1, 2)) for output in (found, at_first))
    assert (far < farther).all()
    np.testing.assert_allclose(networks.apply(search, weights, x[1:2]), found[1:2], atol=1e-5)


@pytest.mark.slow
def test_a_chain_applies_its_networks_in_order(key):
    first, then = networks.MLP(width=4), SMALL
    params = {
        name: networks.init(part, key, (16,), 1)
        for name, part in (("first", first), ("then", then))
    }
    x = drawn(3, 16, 1)
    expected = networks.apply(then, params["then"], networks.apply(first, params["first"], x))
    np.testing.assert_array_equal(networks.apply(networks.Chain(first, then), params, x), expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "width: got 0"),
        ({"levels": 0}, "levels: got 0"),
        ({"kernel": 2}, "an odd number of taps"),
        ({"books": 0}, "books: got 0"),
        ({"entries": 1}, "entries: got 1"),
        ({"dims": 1.5}, "dims: got 1.5"),
        ({"edges": "zero"}, "edges: got 'zero'"),
    ],
)
def test_bad_values_are_refused(options, said):
    with pytest.raises(InvalidInput, match=said):
        Autoencoder(**options)


def test_a_size_that_cannot_be_halved_is_refused(key):
    with pytest.raises(InvalidInput, match="multiples of 16"):
        networks.init(Autoencoder(), key, (24,), 1)


@pytest.mark.slow
def test_cells_with_and_without_weights_are_not_trained_together(key):
    noise = composition.nothing(32, 1)
    weights = networks.init(SMALL, key, (32,), 1)
    cells = [Cell(MELODIES, noise, SMALL, 0, begin) for begin in (None, weights)]
    with pytest.raises(InvalidInput, match="init_params: got '1 of 2 cells'"):
        grid.train(cells, Schedule(1, 2))


def test_other_weights_to_begin_with_are_another_cell_with_the_same_data(key):
    noise = composition.nothing(32, 1)
    cells = [
        Cell(MELODIES, noise, SMALL, 0, networks.init(SMALL, jax.random.key(n), (32,), 1))
        for n in (0, 1)
    ]
    assert identity(cells[0]) != identity(cells[1])
    assert cells[0].key() == cells[1].key()
