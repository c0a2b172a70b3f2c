"""The outputs of somebody's denoiser, in batches. An error names the sample it comes from."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser
from shortcut1d.diagnosis.inputs import Case


def output_in_batches(
    member: Denoiser, case: Case, batch: int, progress: Callable[[], None] = lambda: None
) -> np.ndarray:
    """The denoiser's output, in batches; progress is called after each."""
    parts = []
    for first in range(0, len(case.degraded), batch):
        given = case.degraded[first : first + batch]
        output = _call(member, given, case.name, first)
        if output.shape != given.shape:
            raise errors.refuse(
                f"output of the denoiser for {case.name}, samples {first} to "
                f"{first + len(given) - 1}", output.shape, f"shape {given.shape}",
            )  # fmt: skip
        if output.dtype.kind not in "fiub":
            raise errors.refuse(f"output of the denoiser for {case.name}", output.dtype, "numbers")
        bad = ~np.isfinite(output).reshape(len(given), -1).all(axis=1)
        if bad.any():
            raise errors.refuse(
                f"output of the denoiser for {case.name}, sample {first + int(np.argmax(bad))}",
                "NaN or infinity", "finite numbers",
            )  # fmt: skip
        parts.append(output)
        progress()
    return np.concatenate(parts)


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
    said = " ".join(str(error).split())
    return errors.InvalidInput(f"the denoiser raised {type(error).__name__} for {doing}: {said}")


def _call(member: Denoiser, given: np.ndarray, name: str, first: int) -> np.ndarray:
    try:
        return np.asarray(member(given.copy()))  # a copy: it may write into what it is given
    except Exception as error:
        where = f"samples {first} to {first + len(given) - 1}"
        for row in range(len(given)) if len(given) > 1 else ():
            try:
                member(given[row : row + 1].copy())
            except Exception:  # the same again, and now it is known for which
                where = f"sample {first + row}"
                break
        raise _as_one_line(error, f"{name}, {where}") from error
