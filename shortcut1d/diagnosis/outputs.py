"""The outputs of somebody's denoiser, in batches. An error names the sample it comes from."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, as_floats
from shortcut1d.diagnosis.calling import in_tiles, memory_failed, selected
from shortcut1d.diagnosis.inputs import Case

MAX_BATCH = 64
# Values in a batch, unless its size is given. A layer's output is many times larger: beyond some
# 32 MiB, a CPU spends half of the time allocating memory (PReNet, PyTorch).
MAX_VALUES = 2**18
MIN_TILE, OVERLAP = 64, 32  # of the tiles of a sample too large for memory
LOG = logging.getLogger(__name__)


class OutOfMemory(errors.InvalidInput):
    """Memory does not hold even one sample."""


def batch_for(values: int) -> int:
    """Default number of samples in a batch, where each has so many values."""
    return max(1, min(MAX_BATCH, MAX_VALUES // values))


def in_batches(
    function: Callable[[slice], np.ndarray],
    count: int,
    batch: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[np.ndarray]:
    """Results of `function` on successive slices of the samples.

    If memory does not hold a batch, batches are half as large from then on.

    Args:
        function: takes a slice of the samples.
        count: number of samples.
        batch: samples at once.
        progress: called after each batch with its size.
    """
    parts, first = [], 0
    while first < count:
        part = slice(first, min(first + batch, count))
        try:
            parts.append(function(part))
        except Exception as error:
            if not memory_failed(error) or part.stop - first == 1:
                raise
            batch = (part.stop - first) // 2
            LOG.warning("memory does not hold %d samples; trying %d", part.stop - first, batch)
            continue
        progress(part.stop - first)
        first = part.stop
    return parts


def output_in_batches(
    member: Denoiser,
    case: Case,
    batch: int,
    progress: Callable[[int], None] = lambda done: None,
) -> np.ndarray:
    """The denoiser's output, in batches.

    A sample that memory does not hold is processed in tiles.

    Args:
        member: the denoiser.
        case: what it is given.
        batch: samples at once.
        progress: called after each batch with its size.

    Raises:
        InvalidInput: what the denoiser raises, or an output that is not finite numbers of the
            input's shape.
    """

    def of(part: slice) -> np.ndarray:
        return _checked_output(member, case, part)

    return np.concatenate(in_batches(of, len(case.degraded), batch, progress))


def _checked_output(member: Denoiser, case: Case, part: slice) -> np.ndarray:
    given = case.degraded[part]
    output = _call(member, given, case.name, part.start)
    which = f"samples {part.start} to {part.stop - 1}"
    if output.shape != given.shape:
        raise errors.refuse(
            f"output of the denoiser for {case.name}, {which}", output.shape, f"shape {given.shape}"
        )
    if output.dtype.kind not in "iub" and not jnp.issubdtype(output.dtype, jnp.floating):
        raise errors.refuse(f"output of the denoiser for {case.name}", output.dtype, "numbers")
    bad = ~np.isfinite(output).reshape(len(given), -1).all(axis=1)
    if bad.any():
        raise errors.refuse(
            f"output of the denoiser for {case.name}, sample {part.start + int(np.argmax(bad))}",
            "NaN or infinity", "finite numbers",
        )  # fmt: skip
    return as_floats(output)


@contextlib.contextmanager
def errors_as(doing: str) -> Iterator[None]:
    """Report whatever a denoiser raises in one line that says what it was doing."""
    try:
        yield
    except errors.Shortcut1dError as error:
        raise errors.InvalidInput(f"{doing}: {error}") from error
    except Exception as error:
        raise _as_one_line(error, doing) from error


def _as_one_line(error: Exception, doing: str) -> errors.InvalidInput:
    if memory_failed(error):
        return OutOfMemory(
            f"{doing}: memory does not hold one sample: give smaller ones, or "
            "adapt(model, tile=256)"
        )
    said = " ".join(str(error).split())
    if isinstance(error, TypeError) and "argument" in said:
        said += "; further arguments go in adapt or from_torch(model, arguments={...})"
    return errors.InvalidInput(f"the denoiser raised {type(error).__name__} for {doing}: {said}")


def _call(member: Denoiser, given: np.ndarray, name: str, first: int) -> np.ndarray:
    def output(batch: np.ndarray) -> np.ndarray:
        return np.asarray(selected(member(batch.copy()), None))  # it may write into its input

    try:
        return output(given)
    except errors.Shortcut1dError:
        raise
    except Exception as error:
        if memory_failed(error):
            if len(given) > 1:
                raise  # `in_batches` tries fewer
            return _tiled(output, given, name, first, error)
        where = f"samples {first} to {first + len(given) - 1}"
        for row in range(len(given)) if len(given) > 1 else ():
            try:
                output(given[row : row + 1])
            except Exception:  # the same error, now of one sample
                where = f"sample {first + row}"
                break
        raise _as_one_line(error, f"{name}, {where}") from error


def _tiled(
    output: Callable[[Any], np.ndarray], given: np.ndarray, name: str, first: int, why: Exception
) -> np.ndarray:
    """The output for one sample in tiles as large as memory holds."""
    tile = max(given.shape[1:-1]) // 2
    while tile >= MIN_TILE:
        LOG.warning("memory does not hold %s, sample %d; in tiles of %d", name, first, tile)
        try:
            return in_tiles(output, given, range(1, given.ndim - 1), tile, OVERLAP)
        except Exception as error:
            if not memory_failed(error):
                raise _as_one_line(error, f"{name}, sample {first}, in tiles of {tile}") from error
            tile //= 2
    raise _as_one_line(why, f"{name}, sample {first}") from why
