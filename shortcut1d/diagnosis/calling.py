"""How to call a model that takes more than a batch, or gives more than the samples."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shortcut1d import errors

NO_MEMORY = (
    "out of memory", "outofmemory", "memoryerror", "resource_exhausted", "can't allocate memory",
    "failed to allocate", "unable to allocate",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Call:
    """How to call a model.

    A call only slices, scales and joins arrays, so that it works with NumPy, JAX and PyTorch, and
    can be differentiated.

    output: where the restored samples are in the model's output: a key, a position, the name of an
        attribute, or a function of the output. None if the output is the restored samples.
    arguments: further arguments, by name, the same at every call: a noise level, a mask.
    input_scale: factor from a sample's values to the model's; 255 for a model of 0..255 and samples
        in [0, 1].
    output_scale: factor from a sample's values to the model's output; None for the same as
        input_scale.
    multiple: the length of every spatial axis must be a multiple of this number; samples are padded
        by reflection, and outputs are cropped.
    tile: the only length of a spatial axis that the model takes. Larger samples are cut into
        overlapping tiles, smaller ones are padded by reflection.
    overlap: values that neighbouring tiles share; each tile gives the half nearer to it.
    one_at_a_time: the model takes a batch of one only.
    """

    output: str | int | Callable[[Any], Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    input_scale: float = 1.0
    output_scale: float | None = None
    multiple: int = 1
    tile: int | None = None
    overlap: int = 32
    one_at_a_time: bool = False

    def __post_init__(self) -> None:
        named = isinstance(self.output, str | int) and not isinstance(self.output, bool)
        if not (named or self.output is None or callable(self.output)):
            raise errors.refuse("output", self.output, "a key, a position or a function")
        if not isinstance(self.arguments, Mapping):
            raise errors.refuse("arguments", self.arguments, "further arguments, by name")
        errors.number("input_scale", self.input_scale, above=0)
        if self.output_scale is not None:
            errors.number("output_scale", self.output_scale, above=0)
        errors.integer("multiple", self.multiple)
        errors.integer("overlap", self.overlap, low=0)
        errors.flag("one_at_a_time", self.one_at_a_time)
        if self.tile is not None:
            errors.integer("tile", self.tile, low=8)
            if self.overlap > self.tile // 2:
                raise errors.refuse("overlap", self.overlap, f"at most half a tile of {self.tile}")

    def __call__(self, model: Callable[..., Any], batch: Any, axes: Sequence[int]) -> Any:
        """The model's restored samples for a batch.

        Args:
            model: to call.
            batch: samples along the first axis.
            axes: the spatial axes.
        """
        if self.one_at_a_time and len(batch) > 1:
            alone = replace(self, one_at_a_time=False)
            return joined([alone(model, batch[n : n + 1], axes) for n in range(len(batch))], 0)
        sizes = {axis: batch.shape[axis] for axis in axes}
        for axis, size in sizes.items():
            wanted = -(-max(size, self.tile or 1) // self.multiple) * self.multiple
            if wanted > size:
                index = np.pad(np.arange(size), (0, wanted - size), mode="reflect")
                batch = batch[(*(slice(None),) * axis, index)]
        given = in_tiles(
            lambda part: self._whole(model, part), batch, axes, self.tile, self.overlap
        )
        if tuple(given.shape) == tuple(batch.shape):  # an output of another shape is left as it is
            for axis, size in sizes.items():
                given = given[(*(slice(None),) * axis, slice(size))]
        return given

    def _whole(self, model: Callable[..., Any], batch: Any) -> Any:
        scaled = batch if self.input_scale == 1 else batch * self.input_scale
        given = selected(model(scaled, **self.arguments), self.output)
        scale = self.input_scale if self.output_scale is None else self.output_scale
        return given if scale == 1 else given / scale


def selected(given: Any, output: str | int | Callable[[Any], Any] | None) -> Any:
    """The restored samples among all that a model gives.

    Raises:
        InvalidInput: the model gives several things and `output` names none, or names one that is
            not there.
    """
    if callable(output):
        return output(given)
    if isinstance(given, Mapping):
        there: list[Any] = list(given)
    elif isinstance(given, tuple) and isinstance(output, str) and hasattr(given, output):
        return getattr(given, output)  # of a named tuple
    elif isinstance(given, tuple | list) and not _is_numbers(given):
        there = list(range(len(given)))
    elif isinstance(output, str) and hasattr(given, output):
        return getattr(given, output)
    elif output is None:
        return given
    else:
        raise errors.refuse("output", output, f"None: the model gives one {type(given).__name__}")
    if output is None:
        kind = type(given).__name__
        how = "from_torch" if _is_torch(given) else "adapt"
        raise errors.refuse(
            "output of the denoiser", f"a {kind} of {', '.join(map(repr, there))}",
            f"one array: say which, {how}(model, output=...)",
        )  # fmt: skip
    if output not in there:
        raise errors.refuse("output", output, f"one of {', '.join(map(repr, there))}")
    return given[output]


def in_tiles(
    call: Callable[[Any], Any], batch: Any, axes: Sequence[int], tile: int | None, overlap: int
) -> Any:
    """`call(batch)`, joined from overlapping tiles; each gives the half of an overlap nearer to it.

    Args:
        call: takes a batch, and gives one of the same shape.
        batch: samples along the first axis.
        axes: the spatial axes.
        tile: length of a tile along each of them; None for no tiles.
        overlap: values that two neighbours share.
    """
    if tile is None or all(batch.shape[axis] <= tile for axis in axes):
        return call(batch)
    axis, *others = axes
    before = (slice(None),) * axis
    size = batch.shape[axis]
    starts = [*range(0, max(size - tile, 0), tile - overlap), max(size - tile, 0)]
    bounds = [0, *((a + tile + b) // 2 for a, b in itertools.pairwise(starts)), size]
    parts = []
    for start, (first, last) in zip(starts, itertools.pairwise(bounds)):
        piece = batch[(*before, slice(start, start + tile))]
        given = in_tiles(call, piece, others, tile, overlap) if others else call(piece)
        parts.append(given[(*before, slice(first - start, last - start))])
    return joined(parts, axis)


def joined(parts: list[Any], axis: int) -> Any:
    """NumPy, JAX or PyTorch arrays, concatenated along an axis."""
    if len(parts) == 1:
        return parts[0]
    if _is_torch(parts[0]):
        import torch  # optional

        return torch.cat(parts, dim=axis)
    if isinstance(parts[0], jax.Array):
        return jnp.concatenate(parts, axis=axis)
    return np.concatenate(parts, axis=axis)


def memory_failed(error: Exception) -> bool:
    """Whether the error is a failed allocation, of whichever library."""
    said = f"{type(error).__name__}: {error}".lower()
    return any(words in said for words in NO_MEMORY)


def _is_numbers(given: Any) -> bool:
    """Whether `given` is a nested list of numbers, which NumPy takes for an array."""
    while isinstance(given, tuple | list) and given:
        given = given[0]
    return isinstance(given, int | float)


def _is_torch(given: Any) -> bool:
    """Whether `given`, or the first thing in it, is a PyTorch tensor."""
    while isinstance(given, tuple | list | Mapping) and given:
        given = next(iter(given.values() if isinstance(given, Mapping) else given))
    return type(given).__module__.split(".")[0] == "torch"
