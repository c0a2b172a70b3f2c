"""What content and degradation families have in common.

A family is a frozen pytree (made by `pytrees.pytree`, which says why not by flax). Its complexity
(a pitch, a number of click shapes) is a traced leaf, so that one compiled program serves a whole
grid; the shape of what it draws is static.
Sizes are `(n, *space, channels)`; frequencies are in cycles per window.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from shortcut1d.data.pytrees import pytree


@runtime_checkable
class Content(Protocol):
    """A distribution over clean signals, what a denoiser should keep."""

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n *space channels"]:
        """`n` independent draws."""
        ...

    def unseen(self) -> "Content":
        """The held-out twin: the same kind of content, none of the same signals."""
        ...


@runtime_checkable
class Degradation(Protocol):
    """A distribution over corruptions, what a denoiser should take away.

    Drawing is apart from applying: `sample` draws what is random (a layer, a mask, a kernel)
    and `apply` puts it on a content, so the same rain can fall on two pictures.
    """

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n *space channels"]:
        """`n` independent realisations."""
        ...

    def apply(
        self,
        content: Float[Array, "n *space channels"],
        realisation: Float[Array, "n *space channels"],
    ) -> Float[Array, "n *space channels"]:
        """The degraded signal `y = D(c)`."""
        ...

    def unseen(self) -> "Degradation":
        """The held-out twin: the same kind of degradation from a part nobody trained on."""
        ...


class Additive:
    """Degradations whose realisation is the layer itself: `y = c + d`."""

    def apply(
        self,
        content: Float[Array, "n *space channels"],
        realisation: Float[Array, "n *space channels"],
    ) -> Float[Array, "n *space channels"]:
        """`content + layer`."""
        return content + realisation


Family = TypeVar("Family")


@functools.partial(jax.jit, static_argnames="n")
def draw_pair(
    key: PRNGKeyArray, content: Content, degradation: Degradation, n: int
) -> tuple[Float[Array, "n *space channels"], Float[Array, "n *space channels"]]:
    """`n` pairs (clean, degraded), content and degradation drawn independently."""
    content_key, degradation_key = jax.random.split(key)
    clean = content.sample(content_key, n)
    return clean, degradation.apply(clean, degradation.sample(degradation_key, n))


@pytree
class OneOf:
    """One family out of several of different kinds, chosen by a traced index.

    It lets cells with different kinds of family share one compiled program. Made by `stack`.
    Where realisations differ in their channels, the narrower ones are filled up with zeros.
    """

    options: tuple[Any, ...]
    which: Int[Array, "..."]

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n *space channels"]:
        """`n` draws from the chosen family, the same that it would give on its own."""
        most = max(self._channels(key, n))

        def branch(option: Any) -> Any:
            def draw(key: PRNGKeyArray) -> Array:
                drawn = option.sample(key, n)
                missing = most - drawn.shape[-1]
                return jnp.pad(drawn, [*[(0, 0)] * (drawn.ndim - 1), (0, missing)])

            return draw

        return jax.lax.switch(self.which, [branch(option) for option in self.options], key)

    def _channels(self, key: PRNGKeyArray, n: int) -> list[int]:
        """Of each option's draws."""
        draws = [jax.eval_shape(lambda k, o=o: o.sample(k, n), key) for o in self.options]
        return [drawn.shape[-1] for drawn in draws]

    def apply(
        self,
        content: Float[Array, "n *space channels"],
        realisation: Float[Array, "n *space channels"],
    ) -> Float[Array, "n *space channels"]:
        """The chosen degradation, applied."""
        channels = self._channels(jax.random.key(0), len(content))
        branches = [
            lambda clean, drawn, o=o, c=c: o.apply(clean, drawn[..., :c])
            for o, c in zip(self.options, channels)
        ]
        return jax.lax.switch(self.which, branches, content, realisation)

    def unseen(self) -> Self:
        """Every option replaced by its held-out twin."""
        return dataclasses.replace(self, options=tuple(o.unseen() for o in self.options))


def stack(families: Sequence[Any]) -> Any:
    """Families as one pytree with a leading axis, ready for `vmap` or `lax.map` over them.

    Families of one kind are stacked leaf by leaf. Where there are several kinds, each becomes
    an option of a `OneOf`, and an index says which of them the cell uses.
    """
    kinds: dict[Any, list[int]] = {}
    for position, member in enumerate(families):
        kinds.setdefault(_kind(member), []).append(position)
    options, which = [], np.zeros(len(families), np.int32)
    for index, positions in enumerate(kinds.values()):
        which[positions] = index
        # A cell that uses another option still needs values here; any valid ones do.
        rows = [families[i if i in set(positions) else positions[0]] for i in range(len(families))]
        options.append(jax.tree.map(_stack_leaves, *rows))
    return options[0] if len(options) == 1 else OneOf(tuple(options), traced(which, np.int32))


def fingerprint(*things: Any) -> int:
    """A 32-bit number that says what `things` are: types, fields and their values.

    Random keys are folded with it, so that a cell's draws depend on what the cell is and
    on nothing else. Equal things give equal numbers in any process on any machine.
    """
    return int.from_bytes(_hashed(things)[:4], "little")


def identity(*things: Any) -> str:
    """What `things` are in 64 hexadecimal digits: a `fingerprint` never shared by chance."""
    return _hashed(things).hex()


def _hashed(things: tuple[Any, ...]) -> bytes:
    digest = hashlib.sha256()
    for part in _describe(things):
        digest.update(part + b";")
    return digest.digest()


def _describe(thing: Any) -> Iterator[bytes]:
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        yield type(thing).__name__.encode()
        for field in dataclasses.fields(thing):
            yield field.name.encode()
            yield from _describe(getattr(thing, field.name))
    elif isinstance(thing, tuple | list):
        yield str(len(thing)).encode()
        for part in thing:
            yield from _describe(part)
    elif isinstance(thing, dict):
        for name in sorted(thing, key=str):
            yield str(name).encode()
            yield from _describe(thing[name])
    elif isinstance(thing, np.ndarray | np.generic | jax.Array):
        array = np.asarray(thing)
        yield f"{array.dtype}{array.shape}".encode() + array.tobytes()
    else:
        yield repr(thing).encode()


def traced(value: Any, kind: type = np.float32) -> Any:
    """A family's leaf. NumPy, not JAX: to make a family must not start a JAX back end."""
    return np.asarray(value, kind)


def index_below(count: Int[Array, ""], share: Float[Array, "..."]) -> Int[Array, "..."]:
    """Uniform shares in [0, 1) as indices below `count`, which may be traced.

    One draw of shares serves several purposes: `jax.random.randint` costs two draws a call, and
    each draw in a program adds seconds to its compilation. Even up to a count of about 2**20.
    """
    return jnp.minimum((share * count).astype(jnp.int32), count - 1)


def unit_rms(signal: Float[Array, "n *space channels"]) -> Float[Array, "n *space channels"]:
    """Each sample scaled to a root mean square of 1; silence stays silent."""
    axes = tuple(range(1, signal.ndim))
    power = jnp.mean(signal**2, axis=axes, keepdims=True)
    return signal * jax.lax.rsqrt(jnp.where(power > 0, power, 1.0))


def _stack_leaves(*leaves: Any) -> np.ndarray:
    if all(leaf is leaves[0] for leaf in leaves):
        # One recording in a thousand cells is a view of one array, not a thousand copies.
        return np.broadcast_to(leaves[0], (len(leaves), *np.shape(leaves[0])))
    return np.stack([np.asarray(leaf) for leaf in leaves])


def _kind(member: Any) -> Any:
    leaves, structure = jax.tree.flatten(member)
    return structure, tuple((np.shape(leaf), np.asarray(leaf).dtype) for leaf in leaves)
