"""How much of a discrete code is used."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from shortcut1d import errors


def perplexity(
    codes: Shaped[Array | np.ndarray, "*samples books"], entries: int
) -> Float[Array, " books"]:
    """How many entries of each codebook are in use, were all used alike: `exp` of the entropy.

    From 1 (always the same entry: the code has collapsed) to `entries`; van den Oord et al. 2017
    watch it. `log2` of it is what a position says, bits, at most.

    Args:
        codes: of many samples and positions, from 0.
        entries: of each codebook.

    Raises:
        InvalidInput: no codes, or a code that no entry has.
    """
    entries = errors.integer("entries", entries)
    codes = jnp.asarray(errors.numbers("codes", codes), jnp.result_type(codes))
    if not codes.size or not jnp.issubdtype(codes.dtype, jnp.integer):
        raise errors.refuse("codes", codes.dtype, "whole numbers, at least one")
    if not 0 <= int(codes.min()) <= int(codes.max()) < entries:
        raise errors.refuse("codes", int(codes.max()), f"from 0 to {entries - 1}")
    flat = codes.reshape(-1, codes.shape[-1])
    shares = jax.vmap(lambda book: jnp.bincount(book, length=entries), in_axes=1)(flat) / len(flat)
    return jnp.exp(-jnp.sum(jnp.where(shares > 0, shares * jnp.log(shares), 0.0), axis=1))
