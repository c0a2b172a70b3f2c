import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from shortcut1d import errors
from shortcut1d.data import degradations, image_degradations, images, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.networks import MLP, Chain, ConvNet, WithDropout, apply, init
from shortcut1d.networks.autoencoder import Autoencoder
from shortcut1d.training import gradient, loop
from shortcut1d.training.grid import (
    Cell,
    ProgressReport,
    keys_of,
    map_cells,
    stack_cells,
    train,
    trajectory,
)
from shortcut1d.training.loop import Schedule

SHORT = Schedule(steps=20, batch=8)
CONV = ConvNet(width=4, depth=2, kernel=3)


def cells(seeds=2, network=CONV):
    return [
        Cell(c, d, network, seed)
        for seed in range(seeds)
        for c in (signals.note(), signals.melody())
        for d in (degradations.clicks(bank=seed), degradations.hiss())
    ]


def same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def at(tree, position):
    return jax.tree.map(lambda leaf: leaf[position], tree)


def test_training_lowers_the_error(key):
    families = signals.note(), degradations.hiss()
    trained = loop.train(key, *families, MLP(width=64, depth=2), Schedule(1000, 32))
    clean, degraded = draw_pair(jax.random.key(1), *families, 200)
    output = apply(MLP(width=64, depth=2), trained.params, degraded)
    assert jnp.mean((output - clean) ** 2) < 0.1 * jnp.mean((degraded - clean) ** 2)
    assert trained.history[-1] < 0.5 * trained.history[0]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_the_loss_is_the_one_that_was_asked_for(loss, key):
    network = MLP(width=4, depth=1)
    schedule = Schedule(steps=1, batch=500, loss=loss)
    families = signals.note(), degradations.hum(level=-60)
    state = loop.start(key, families[0], None, schedule.pace(), network, schedule.static())
    _, measured = loop.advance(state, *families, 1, network, schedule)
    pair = draw_pair(jax.random.key(3), *families, 2000)
    error = np.asarray(apply(network, state.params, pair[1]) - pair[0])
    expected = np.mean(error**2) if loss == "mse" else np.mean(np.abs(error))
    assert measured == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_a_gradient_in_pieces_is_the_gradient(loss, key, monkeypatch):
    network = ConvNet(width=4, depth=3)
    params = init(network, key, (128,), 1)
    clean, degraded = draw_pair(key, signals.melody(), degradations.hiss(), 12)
    found = {}
    for pieces in (1, 3, 12):
        monkeypatch.setattr(gradient, "_pieces", lambda *_, n=pieces: n)
        found[pieces] = gradient.loss_and_gradient(params, clean, degraded, network, loss)
    for pieces in (3, 12):
        for one, other in zip(*map(jax.tree.leaves, (found[1], found[pieces])), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_pieces_divide_the_batch_and_only_a_net_that_overflows_the_cache_is_cut():
    assert gradient._pieces(MLP(width=128), 64, 128, 1) == 1
    assert gradient._pieces(ConvNet(width=32, depth=5), 64, 128, 1) == 64 // 2
    assert gradient._pieces(ConvNet(width=32, depth=5), 7, 128, 1) == 7


@pytest.mark.slow
def test_a_grid_cell_equals_its_solo_run():
    # To the last bit where the grid holds one kind of family. With several, the compiled program
    # has a switch in it and rounds differently: last bits differ, nothing else.
    alike = [cell for cell in cells(3) if isinstance(cell.degradation, degradations.Hiss)][::2]
    together = train(alike, SHORT)
    for position in range(3):
        same(at(together, position), at(train([alike[position]], SHORT), 0))
    solo, among = at(train([cells()[3]], SHORT), 0), at(train(cells(), SHORT), 3)
    for one, other in zip(jax.tree.leaves(solo), jax.tree.leaves(among), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_grid_cell_is_the_pure_function_of_its_key():
    cell = cells()[1]
    alone = jax.jit(loop.train, static_argnums=(3, 4))(
        cell.key(), cell.content, cell.degradation, CONV, SHORT
    )
    among = at(train(cells(), SHORT), 1)
    np.testing.assert_allclose(alone.history, among.history, rtol=1e-4)


@pytest.mark.slow
def test_another_seed_or_another_order_changes_no_cell():
    few, more = train(cells(seeds=2), SHORT), train(cells(seeds=3), SHORT)
    same(few, jax.tree.map(lambda leaf: leaf[: len(cells(2))], more))
    same(train(cells()[::-1], SHORT), jax.tree.map(lambda leaf: leaf[::-1], few))


@pytest.mark.slow
def test_seeds_differ_in_weights_and_data():
    trained = train([c for c in cells() if isinstance(c.degradation, degradations.Hiss)], SHORT)
    firsts = jax.tree.leaves(trained.params)[1]
    assert not np.allclose(firsts[0], firsts[2])
    assert trained.history[0, 0] != trained.history[2, 0]


def test_a_diverged_cell_is_frozen_and_marked_and_the_others_go_on():
    # 700 dB overflow float32 in the first loss; the factory would refuse such a level.
    absurd = dataclasses.replace(degradations.hiss(), level=np.float32(700))
    sound = Cell(signals.note(), degradations.hiss(), CONV, 0)
    trained = train([Cell(signals.note(), absurd, CONV, 0), sound], SHORT)
    assert trained.diverged.tolist() == [True, False]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(trained.params))
    same(at(trained, 1), at(train([sound], SHORT), 0))


@pytest.mark.slow
def test_a_cell_that_diverges_midway_keeps_its_last_finite_weights(key):
    schedule = dataclasses.replace(SHORT, learning_rate=1e-3)
    families = signals.note(), degradations.hiss()
    state = loop.start(key, families[0], None, schedule.pace(), CONV, schedule.static())
    state, _ = loop.advance(state, *families, 5, CONV, schedule)
    absurd = dataclasses.replace(families[1], level=np.float32(700))
    frozen, _ = loop.advance(state, families[0], absurd, 5, CONV, schedule)
    assert bool(frozen.diverged)
    same(frozen.params, state.params)
    # Once diverged it stays so, even if the data are sound again.
    later, _ = loop.advance(frozen, *families, 5, CONV, schedule)
    assert bool(later.diverged)
    same(later.params, state.params)


@pytest.mark.parametrize(("rate", "steps"), [(3e-3, 600), (0.1, 7), (1.0, 1)])
def test_the_pace_of_a_schedule_is_optax_s_cosine_decay(rate, steps):
    peak, angle = Schedule(steps=steps, learning_rate=rate).pace()
    at = np.arange(steps + 1)
    expected = [optax.cosine_decay_schedule(rate, steps)(n) for n in at]
    np.testing.assert_allclose(peak * (1 + np.cos(angle * at)), expected, atol=1e-6 * rate)


@pytest.mark.slow
def test_progress_is_reported_up_to_the_end_with_the_loss_of_each_part():
    reports = []
    history = train(cells(), SHORT, reports.append).history
    *parts, tested = reports
    assert [done.steps for done in parts] == [8 * 2 * tenth for tenth in range(1, 11)]
    assert tested == ProgressReport(8, 8, 8 * 20, doing="training")
    np.testing.assert_allclose([done.loss for done in parts], history.mean(axis=0), rtol=1e-6)
    assert [done.doing for done in parts] == ["training"] * 9 + ["testing"]


@pytest.mark.slow
def test_the_loss_that_is_reported_is_that_of_the_cells_where_it_is_finite():
    absurd = dataclasses.replace(degradations.hiss(), level=np.float32(700))
    lost = Cell(signals.note(), absurd, CONV, 0)
    sound, reports = Cell(signals.note(), degradations.hiss(), CONV, 0), []
    history = train([lost, sound], SHORT, reports.append).history
    assert [done.loss for done in reports[:-1]] == history[1].tolist()
    reports.clear()
    train([lost], SHORT, reports.append)
    assert {done.loss for done in reports} == {None}


def test_cells_of_two_networks_are_refused():
    with pytest.raises(ValueError, match="one network"):
        train([*cells(1), *cells(1, MLP())], SHORT)


def test_the_keys_of_many_cells_are_those_of_each():
    together = keys_of(cells(), "test")
    for position, cell in enumerate(cells()):
        assert together[position] == cell.key("test")


@pytest.mark.slow
def test_training_and_test_draws_are_disjoint():
    cell = cells()[0]
    keys = jax.random.key_data(jnp.stack([cell.key("train"), cell.key("test")]))
    assert not np.array_equal(*keys)
    state = loop.start(cell.key(), cell.content, None, SHORT.pace(), CONV, SHORT)
    steps = [jax.random.fold_in(state.key, step) for step in range(SHORT.steps)]
    seen = np.concatenate([draw_pair(k, cell.content, cell.degradation, 8)[1] for k in steps])
    fresh = np.asarray(draw_pair(cell.key("test"), cell.content, cell.degradation, 50)[1])
    nearest = np.abs(fresh[:, None] - seen[None]).max(axis=(2, 3)).min()
    assert nearest > 0.01


@pytest.mark.slow
def test_map_cells_gives_every_cell_its_own_answer_whatever_the_chunks():
    many = cells(seeds=5)
    keys, contents, degradations, _ = stack_cells(many)

    def power(key, content, degradation, samples):
        return jnp.mean(degradation.sample(key, samples) ** 2) + content.sample(key, 1)[0, 0, 0]

    values = map_cells(power, (keys, contents, degradations), len(many), 4)
    assert values.shape == (20,)
    expected = [power(c.key(), c.content, c.degradation, 4) for c in many]
    np.testing.assert_allclose(values, expected, atol=1e-5)


@pytest.mark.slow
def test_a_run_can_be_looked_at_on_its_way_and_comes_out_the_same():
    few = cells(1)
    end = train(few, SHORT)
    looked = list(trajectory(few, dataclasses.replace(SHORT, checkpoints=(0, 3, 20))))
    assert [trained.history.shape[1] for trained in looked] == [0, 2, 11]
    starts = [jax.jit(lambda k, c=c: init(CONV, jax.random.split(k)[0], (128,), 1))(c.key())
              for c in few]  # fmt: skip
    same(at(looked[0].params, 1), starts[1])
    same(looked[-1].params, end.params)
    *_, early = trajectory(few, dataclasses.replace(SHORT, checkpoints=(3,)))
    same(early.params, looked[1].params)  # the decay is that of the whole schedule


@pytest.mark.slow
def test_history_is_the_mean_loss_of_each_part():
    few = cells(1)[:2]
    steps = train(few, dataclasses.replace(SHORT, checkpoints=tuple(range(1, 21)))).history
    np.testing.assert_allclose(
        train(few, SHORT).history, steps.reshape(2, 10, 2).mean(axis=2), rtol=1e-5
    )


def one_step(key, network=CONV, **options):
    families = signals.melody(), degradations.hiss()
    schedule = Schedule(steps=100, batch=8, **options)
    state = loop.start(key, families[0], None, schedule.pace(), network, schedule.static())
    advance = jax.jit(loop.advance, static_argnums=(4, 5))
    return state, advance(state, *families, 1, network, schedule)[0]


@pytest.mark.slow
def test_weight_decay_takes_a_share_of_the_weights_on_top_of_adam(key):
    before, plain = one_step(key, learning_rate=0.01)
    _, decayed = one_step(key, learning_rate=0.01, weight_decay=0.5)
    for start, one, other in zip(
        *map(jax.tree.leaves, (before.params, plain.params, decayed.params)), strict=True
    ):
        np.testing.assert_allclose(other, one - 0.01 * 0.5 * start, atol=1e-6)


@pytest.mark.slow
def test_sharpness_aware_steps_follow_the_slope_at_the_worst_weights_nearby(key):
    before, sharp = one_step(key, sharpness=0.3)
    step_key = jax.random.fold_in(before.key, 0)
    pair = draw_pair(step_key, signals.melody(), degradations.hiss(), 8)

    @jax.jit
    def slope_at(params):
        return gradient.loss_and_gradient(params, *pair, CONV, "mse")[1]

    slope = slope_at(before.params)
    length = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(slope)))
    worst = jax.tree.map(lambda w, s: w + 0.3 * s / length, before.params, slope)
    # Adam's first moment after one step is a tenth of the slope that it was given.
    moment = jax.tree.leaves(sharp.moments.mu)
    for got, wanted in zip(moment, jax.tree.leaves(slope_at(worst)), strict=True):
        np.testing.assert_allclose(10 * got, wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_dropout_trains_otherwise_and_another_seed_drops_others(key):
    network = WithDropout(CONV, 0.5)
    _, plain = one_step(key)
    _, dropped = one_step(key, network)
    before, again = one_step(key, network)
    same(dropped.params, again.params)
    assert not np.allclose(jax.tree.leaves(plain.params)[1], jax.tree.leaves(dropped.params)[1])
    pair = draw_pair(key, signals.melody(), degradations.hiss(), 8)
    losses = [
        gradient.loss_and_gradient(before.params, *pair, network, "mse", jax.random.key(n))[0]
        for n in (0, 1)
    ]
    assert losses[0] != losses[1]


def test_a_degradation_of_another_shape_is_refused_before_the_first_step():
    grey, colored = images.smooth(size=8), image_degradations.rain(size=8, channels=3)
    with pytest.raises(errors.InvalidInput, match=r"degradation: got .*the content's"):
        train([Cell(grey, colored, ConvNet(2, 2, 3), 0)], Schedule(2, 2))


def test_weight_decay_is_refused_where_weights_say_what_a_network_is(key):
    network = Autoencoder(width=2, levels=2)
    decaying = Schedule(2, 2, weight_decay=0.1)
    for made in (network, Chain(CONV, network)):
        with pytest.raises(errors.InvalidInput, match=r"weight_decay: got 0\.1"):
            loop.start(key, signals.melody(), None, decaying.pace(), made, decaying)
