"""Vector quantisation with several codebooks: nearest entries, their moving averages, dead entries.

Van den Oord et al. 2017 (arXiv 1711.00937), with moving averages in place of a codebook loss (their
appendix A.1) and several codebooks a position: side by side, each for its share of the latent
vector (product), or one after the other, each for what those before it left over (residual).
How many entries are in use is traced: codebooks of several sizes share one compiled program.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

DECAY = 0.95  # of the moving averages, a step
DEAD = 0.1  # an entry is dead when it is used by less than this share of its due


class Quantised(NamedTuple):
    """A latent vector as codes.

    value: the entries that they stand for, joined or summed. codes: one a codebook. asked: the
    vectors that each codebook was asked for.
    """

    value: Float[Array, "*places latent"]
    codes: Int[Array, "*places books"]
    targets: Float[Array, "*places books dims"]


def quantise(
    latent: Float[Array, "*places latent"],
    books: Float[Array, "books entries dims"],
    active: Float[Array, ""] | float,
    residual: bool,
) -> Quantised:
    """The nearest entry of each codebook.

    Args:
        latent: of `books * dims` values, or of `dims` where `residual`.
        books: the codebooks.
        active: of each codebook so many entries are in use, the first ones.
        residual: one after the other rather than side by side.
    """
    dims = books.shape[-1]
    codes, targets, found = [], [], []
    left = latent
    for number, book in enumerate(books):
        target = left if residual else latent[..., number * dims : (number + 1) * dims]
        codes.append(_nearest(distances(target, book, active)))
        targets.append(target)
        found.append(book[codes[-1]])
        left = left - found[-1] if residual else left
    value = sum(found[1:], found[0]) if residual else jnp.concatenate(found, axis=-1)
    return Quantised(value, jnp.stack(codes, axis=-1), jnp.stack(targets, axis=-2))


def distances(
    targets: Float[Array, "*places dims"],
    book: Float[Array, "entries dims"],
    active: Float[Array, ""] | float,
) -> Float[Array, "*places entries"]:
    """Squared distance of each target to each entry; infinite to those that are not in use."""
    lengths = jnp.sum(targets**2, axis=-1, keepdims=True) + jnp.sum(book**2, axis=-1)
    return jnp.where(jnp.arange(len(book)) < active, lengths - 2 * targets @ book.T, jnp.inf)


def _nearest(far: Float[Array, "*places entries"]) -> Int[Array, "*places"]:
    """`argmin`, as two plain reductions: XLA's CPU back end takes six times as long over one of
    pairs.
    """
    least = jnp.min(far, axis=-1, keepdims=True)
    entries = far.shape[-1]
    return jnp.min(jnp.where(far <= least, jnp.arange(entries), entries - 1), axis=-1)


def straight_through(
    latent: Float[Array, "*places latent"], value: Float[Array, "*places latent"]
) -> Float[Array, "*places latent"]:
    """`value`, with a slope as though it were `latent` (the straight-through estimator)."""
    return latent + jax.lax.stop_gradient(value - latent)


def moving_average(
    book: Float[Array, "entries dims"],
    uses: Float[Array, " entries"],
    targets: Float[Array, "places dims"],
    codes: Int[Array, " places"],
    active: Float[Array, ""] | float,
) -> tuple[Float[Array, "entries dims"], Float[Array, " entries"]]:
    """A codebook and how often its entries are used, after one more batch.

    Args:
        book: before it.
        uses: moving average of each entry's share of the positions, before it.
        targets: what the entries were asked for; dead ones become the first of these, which are of
            fresh random samples,
        codes: and which of them answered.
        active: so many entries are in use; the others stay what they are.
    """
    number = jnp.arange(len(book))
    mine = jax.nn.one_hot(codes, len(book), dtype=book.dtype)
    total = DECAY * uses[:, None] * book + (1 - DECAY) * mine.T @ targets / len(targets)
    new_uses = DECAY * uses + (1 - DECAY) * jnp.mean(mine, axis=0)
    new_book = total / jnp.maximum(new_uses, 1e-12)[:, None]
    dead = new_uses < DEAD / active
    new_book = jnp.where(dead[:, None], targets[number % len(targets)], new_book)
    new_uses = jnp.where(dead, 1 / active, new_uses)
    in_use = number < active
    return jnp.where(in_use[:, None], new_book, book), jnp.where(in_use, new_uses, uses)
