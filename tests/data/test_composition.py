"""Degradations made of others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shortcut1d.data import degradations, signals
from shortcut1d.data.composition import any_of, in_turn, nothing
from shortcut1d.data.family import Degradation, draw_pair, fingerprint, stack
from shortcut1d.errors import InvalidInput

CLICKS, HISS, GAPS = (
    degradations.clicks(),
    degradations.hiss(level=-10),
    degradations.dropout(),
)
COMBINED = {
    "in turn": in_turn(CLICKS, HISS),
    "with gaps": in_turn(CLICKS, GAPS, HISS),
    "any of": any_of(CLICKS, HISS, GAPS),
    "nested": any_of(in_turn(CLICKS, HISS), in_turn(HISS, GAPS)),
}
every_combination = pytest.mark.parametrize("family", COMBINED.values(), ids=COMBINED)


def drawn(family, key, n=64):
    """Clean content, and what each draw of the family makes of it."""
    clean = signals.melody().sample(jax.random.key(9), n)
    realisation = family.sample(key, n)
    return clean, realisation, family.apply(clean, realisation)


@pytest.mark.slow
@every_combination
def test_a_combination_is_a_degradation_like_any_other(family, key):
    assert isinstance(family, Degradation)
    clean, degraded = draw_pair(key, signals.melody(), family, 5)
    assert clean.shape == degraded.shape == (5, 128, 1)
    assert not np.allclose(clean, degraded)
    assert fingerprint(family) != fingerprint(family.unseen())
    assert isinstance(family.unseen(), type(family))


@pytest.mark.slow
def test_in_turn_applies_one_after_the_other(key):
    clean, realisation, degraded = drawn(in_turn(CLICKS, GAPS), key)
    residual, mask = realisation[..., :1], realisation[..., 1:]
    np.testing.assert_allclose(degraded, (clean + residual) * mask, atol=1e-6)
    assert set(np.unique(mask)) == {0.0, 1.0}
    # The parts are drawn independently of one another, each as it would be alone.
    keys = jax.random.split(key, 2)
    np.testing.assert_array_equal(residual, CLICKS.sample(keys[0], 64))
    np.testing.assert_array_equal(mask, GAPS.sample(keys[1], 64))


@pytest.mark.slow
def test_the_order_matters(key):
    _, realisation, gaps_last = drawn(in_turn(CLICKS, GAPS), key)
    assert bool(jnp.all(gaps_last[realisation[..., 1:] == 0] == 0))
    _, realisation, clicks_last = drawn(in_turn(GAPS, CLICKS), key)
    assert jnp.mean(clicks_last[realisation[..., :1] == 0] != 0) > 0.3


@pytest.mark.slow
def test_any_of_gives_every_sample_one_of_its_parts_as_often_as_the_others(key):
    parts = (CLICKS, HISS, GAPS)
    clean, realisation, degraded = drawn(any_of(*parts), key, 600)
    which = np.asarray(realisation[:, 0, -1])
    for number, part in enumerate(parts):
        own = which == number
        assert own.mean() == pytest.approx(1 / 3, abs=0.06)
        wanted = part.apply(clean, realisation[..., number : number + 1])
        np.testing.assert_allclose(degraded[own], wanted[own], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMBINED)
def test_a_combination_shares_a_program_with_families_that_draw_less(name, key):
    together = stack([CLICKS, COMBINED[name], GAPS])
    for position, alone in enumerate((CLICKS, COMBINED[name], GAPS)):
        own = jax.tree.map(lambda leaf, p=position: leaf[p], together)
        np.testing.assert_allclose(drawn(own, key, 4)[2], drawn(alone, key, 4)[2], atol=1e-6)


@pytest.mark.parametrize("make", [in_turn, any_of])
@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), "at least two"),
        ((CLICKS,), "at least two"),
        ((CLICKS, "hiss"), "parts: got 'hiss', expected a degradation family"),
        ((CLICKS, signals.note()), "a degradation family"),
        ((CLICKS, degradations.hiss(length=64)), "parts that draw arrays of one shape"),
    ],
    ids=["none", "one", "a name", "content", "lengths"],
)
def test_parts_that_do_not_fit_are_refused(make, parts, message):
    with pytest.raises(InvalidInput, match=message):
        make(*parts)


@pytest.mark.parametrize("shape", [(16, 1), (8, 8, 3)])
def test_nothing_leaves_content_as_it_is_beside_other_degradations(shape, key):
    clean = jax.random.normal(key, (4, *shape))
    none = nothing(*shape)
    np.testing.assert_array_equal(none.apply(clean, none.sample(key, 4)), clean)
    assert isinstance(none, Degradation)


@pytest.mark.slow
def test_nothing_shares_a_program_with_other_degradations(key):
    both = stack([nothing(128, 1), HISS])
    alone = jax.tree.map(lambda leaf: leaf[0], both)
    clean = signals.melody().sample(key, 4)
    np.testing.assert_array_equal(alone.apply(clean, alone.sample(key, 4)), clean)
