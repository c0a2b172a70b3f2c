"""What content and degradation families have in common.

A family is a frozen pytree (`pytrees` says why it is not one of flax's). Its complexity (a pitch, a
number of click shapes) is a traced leaf, so that one compiled program serves a whole grid; the
shape of its draws is static. Frequencies are in cycles per window.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from shortcut1d.data.pytrees import Shared, is_shared, pytree

Batch: TypeAlias = Float[Array, "n *space channels"]


@runtime_checkable
class Content(Protocol):
    """A distribution over clean signals, which a denoiser should keep."""

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` independent draws."""

    def unseen(self) -> "Content":
        """The held-out twin: the same kind of content, none of the same signals."""


@runtime_checkable
class Degradation(Protocol):
    """A distribution over corruptions, which a denoiser should take away.

    Drawing is apart from applying: `sample` draws what is random (a residual, a mask, a kernel)
    and `apply` puts it on a content, so the same rain can fall on two pictures.
    """

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` independent realisations."""

    def apply(self, content: Batch, realisation: Batch) -> Batch:
        """The degraded signal `y = D(c)`."""

    def unseen(self) -> "Degradation":
        """The held-out twin: the same kind of degradation, none of the same realisations."""


class Additive:
    """Degradations whose realisation is the residual `d = y - c` itself: `y = c + d`."""

    def apply(self, content: Batch, realisation: Batch) -> Batch:
        """`content + residual`."""
        return content + realisation


class Convolution:
    """Degradations whose realisation is a kernel, centred on the first sample: `y = k * c`."""

    motion: Any

    def apply(self, content: Batch, realisation: Batch) -> Batch:
        """`kernel * content`, circular."""
        axes = tuple(range(1, content.ndim - 1))
        spectrum = jnp.fft.rfftn(content, axes=axes) * jnp.fft.rfftn(realisation, axes=axes)
        return jnp.fft.irfftn(spectrum, content.shape[1:-1], axes)

    def unseen(self) -> Self:
        """Motion for Gaussian kernels, Gaussian for motion, of the same widths."""
        return dataclasses.replace(self, motion=1.0 - self.motion)  # type: ignore[type-var]


@functools.partial(jax.jit, static_argnames="n")
def draw(family: Content | Degradation, key: PRNGKeyArray, n: int) -> Batch:
    """`family.sample(key, n)`, compiled: operation by operation it takes ten times as long."""
    return family.sample(key, n)


@functools.partial(jax.jit, static_argnames="n")
def draw_pair(
    key: PRNGKeyArray, content: Content, degradation: Degradation, n: int
) -> tuple[Batch, Batch]:
    """`n` pairs (clean, degraded), content and degradation drawn independently."""
    content_key, degradation_key = jax.random.split(key)
    clean = content.sample(content_key, n)
    return clean, degradation.apply(clean, degradation.sample(degradation_key, n))


@pytree
class OneOf:
    """One of several families of different kinds, chosen by a traced index; made by `stack`.

    So cells with different kinds of family share one compiled program. Where realisations differ
    in their channels, the narrower ones are padded with zeros.

    options: the families.
    which: index of the chosen one; traced.
    """

    options: tuple[Any, ...]
    which: Int[Array, "..."]

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` draws from the chosen family, the same that it would give on its own."""
        channels = self._channels(key, n)

        def padded(option: Any, own: int, key: PRNGKeyArray) -> Batch:
            drawn = option.sample(key, n)
            return jnp.pad(drawn, [*[(0, 0)] * (drawn.ndim - 1), (0, max(channels) - own)])

        branches = [functools.partial(padded, *each) for each in zip(self.options, channels)]
        return jax.lax.switch(self.which, branches, key)

    def _channels(self, key: PRNGKeyArray, n: int) -> list[int]:
        """Channels of each option's draws."""
        draws = [jax.eval_shape(lambda k, o=o: o.sample(k, n), key) for o in self.options]
        return [drawn.shape[-1] for drawn in draws]

    def apply(self, content: Batch, realisation: Batch) -> Batch:
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

    Families of one kind are stacked leaf by leaf; what they share (`pytrees.Shared`) stays as it
    is, and only `grid.map_cells` can map over that. Of several kinds, each becomes an option of a
    `OneOf`, and an index says which of them a cell uses.
    """
    kinds: dict[Any, list[int]] = {}
    for position, member in enumerate(families):
        kinds.setdefault(_kind(member), []).append(position)
    options, which = [], np.zeros(len(families), np.int32)
    for index, positions in enumerate(kinds.values()):
        which[positions] = index
        # A cell that uses another option still needs valid values here; it ignores them.
        rows = [families[positions[0]]] * len(families)
        for position in positions:
            rows[position] = families[position]
        options.append(jax.tree.map(_stack_leaves, *rows, is_leaf=is_shared))
    return options[0] if len(options) == 1 else OneOf(tuple(options), traced(which, np.int32))


def fingerprint(*things: Any) -> int:
    """A 32-bit hash of `things`: their types, field names and values.

    Random keys are folded with it, so that a cell's draws depend on what the cell is and
    on nothing else. Equal things give equal numbers in any process on any machine.
    """
    return int.from_bytes(_hashed(things)[:4], "little")


def identity(*things: Any) -> str:
    """The hash of `things` in 64 hexadecimal digits: a `fingerprint` never shared by chance."""
    return _hashed(things).hex()


def _hashed(things: tuple[Any, ...]) -> bytes:
    digest = hashlib.sha256()
    for part in _describe(things):
        digest.update(part + b";")
    return digest.digest()


def _describe(thing: Any) -> Iterator[bytes]:
    if isinstance(thing, Shared):
        yield thing.digest
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
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
    """`value` as a family's leaf; in NumPy, so that making a family starts no JAX back end."""
    return np.asarray(value, kind)


def index_below(count: Int[Array, ""], uniforms: Float[Array, "..."]) -> Int[Array, "..."]:
    """Uniform numbers in [0, 1) as indices below `count`, which may be traced.

    One draw of uniforms serves several purposes: `jax.random.randint` costs two draws a call, and
    each draw in a program adds seconds to its compilation. Uniform up to a count of about 2**20.
    """
    return jnp.minimum((uniforms * count).astype(jnp.int32), count - 1)


def between(bounds: Float[Array, "2"], uniforms: Float[Array, "*draws"]) -> Float[Array, "*draws"]:
    """Uniform numbers in [0, 1) as values between two bounds, which may be traced."""
    return bounds[..., 0] + (bounds[..., 1] - bounds[..., 0]) * uniforms


def unit_rms(signal: Batch) -> Batch:
    """Each sample scaled to a root mean square of 1; a silent one stays silent."""
    axes = tuple(range(1, signal.ndim))
    power = jnp.mean(signal**2, axis=axes, keepdims=True)
    return signal * jax.lax.rsqrt(jnp.where(power > 0, power, 1.0))


def _stack_leaves(*leaves: Any) -> Any:
    if is_shared(leaves[0]):
        return leaves[0]  # the same in all: `_kind` sees to that
    if all(leaf is leaves[0] for leaf in leaves):
        # A recording in a thousand cells is a view of one array, not a thousand copies.
        return np.broadcast_to(leaves[0], (len(leaves), *np.shape(leaves[0])))
    return np.stack([np.asarray(leaf) for leaf in leaves])


def _kind(member: Any) -> Any:
    leaves, structure = jax.tree.flatten(member, is_leaf=is_shared)
    return structure, tuple(
        id(leaf.value) if is_shared(leaf) else (np.shape(leaf), np.asarray(leaf).dtype)
        for leaf in leaves
    )
