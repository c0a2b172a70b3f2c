"""Errors for bad input, and the checks that raise them.

Every message names the field, the value that was given and what would be right,
so that a script can print it as one line and a notebook user can act on it.
"""

import contextlib
import dataclasses
import difflib
import inspect
import math
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

LARGEST = 2**31 - 1  # number of anything; JAX counts in 32 bits


class Shortcut1dError(Exception):
    """Anything this package refuses; scripts print it as one line and exit with 2."""


class InvalidInput(Shortcut1dError, ValueError):
    """An argument, option or file that cannot be used."""


def refuse(field: str, value: object, wanted: str) -> InvalidInput:
    """The error for `field`, to be raised by the caller."""
    shown = " ".join(repr(value).split())  # a refusal is one line
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return InvalidInput(f"{field}: got {shown}, expected {wanted}")


@contextlib.contextmanager
def reported_as(field: str) -> Iterator[None]:
    """What is refused within is refused as `field`, the name by which the user gave it.

    Raises:
        InvalidInput: the inner refusal under that name.
    """
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{field}:{str(error).partition(':')[2]}") from error


def reason(error: Exception) -> str:
    """What the operating system says of a file, without the file's name and number."""
    return getattr(error, "strerror", None) or str(error)


def number(
    field: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float | None = None,
    below: float | None = None,
    unit: str = "",
) -> float:
    """`value` as a finite float in `[low, high]`, strictly `> above` and `< below` where given.

    Raises:
        InvalidInput: not a number, not finite, or out of range.
    """
    bounds = []
    if above is not None:
        bounds.append(f"above {above:g}")
    elif low > -math.inf:
        bounds.append(f"at least {low:g}")
    if below is not None:
        bounds.append(f"below {below:g}")
    elif high < math.inf:
        bounds.append(f"at most {high:g}")
    wanted = " ".join(["a finite number", " and ".join(bounds), unit]).replace("  ", " ").strip()
    as_float = _as_float(value)
    if as_float is None or not math.isfinite(as_float) or not low <= as_float <= high:
        raise refuse(field, value, wanted)
    if (above is not None and as_float <= above) or (below is not None and as_float >= below):
        raise refuse(field, value, wanted)
    return as_float


def integer(field: str, value: object, *, low: int = 1, high: int | None = None) -> int:
    """`value` as an int in `[low, high]`; a float counts when it is whole.

    Raises:
        InvalidInput: not a whole number, or out of range.
    """
    wanted = f"a whole number of at least {low}" + (f" and at most {high}" if high else "")
    as_float = _as_float(value)
    if as_float is None or not math.isfinite(as_float) or as_float != int(as_float):
        raise refuse(field, value, wanted)
    if not low <= as_float <= (LARGEST if high is None else high):
        raise refuse(field, value, wanted)
    return int(as_float)


def choice(field: str, value: object, known: Iterable[str]) -> str:
    """`value` if it is one of `known`.

    Raises:
        InvalidInput: unknown; the message lists the known names and suggests the nearest.
    """
    names = sorted(known)
    if isinstance(value, str) and value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise refuse(field, value, f"one of {', '.join(names)}{hint}")


def span(field: str, value: object, *, low: float, high: float, unit: str = "") -> tuple:
    """`value` as a pair of numbers `(a, b)` with `low <= a <= b <= high`.

    Raises:
        InvalidInput: not a pair, not numbers, out of range or the wrong way round.
    """
    wanted = f"two numbers, smallest first, between {low:g} and {high:g} {unit}".rstrip()
    pair = tuple(np.ravel(np.asarray(value, dtype=object)))
    if len(pair) != 2:
        raise refuse(field, value, wanted)
    first, last = (number(field, part, low=low, high=high, unit=unit) for part in pair)
    if first > last:
        raise refuse(field, value, wanted)
    return first, last


def flag(field: str, value: object) -> bool:
    """`value` as a bool.

    Raises:
        InvalidInput: neither true nor false.
    """
    if not isinstance(value, bool | np.bool_):
        raise refuse(field, value, "True or False")
    return bool(value)


def non_empty(field: str, value: object, wanted: str) -> tuple[Any, ...]:
    """`value` as a tuple of at least one thing.

    Raises:
        InvalidInput: empty, or not a sequence (a text is none).
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()  # which is no list if the array has no axis
    if isinstance(value, list | tuple) and value:
        return tuple(value)
    raise refuse(field, value, wanted)


def distinct(field: str, values: Sequence[Any], known: Iterable[str] | None = None) -> None:
    """Refuse `values` if there are none, one is named twice, or one is not among the `known`.

    Raises:
        InvalidInput: any of these.
    """
    if not values or len(set(values)) < len(values):
        raise refuse(field, values, "at least one, each named once")
    if known is not None:
        for value in values:
            choice(field, value, known)


def rising(
    field: str,
    values: Sequence[Any],
    wanted: str = "at least one, in rising order",
    *,
    low: int = 1,
    high: int | None = None,
) -> None:
    """Refuse `values` unless each is above the one before it.

    Args:
        field: the name by which the user gave them.
        values: numbers.
        wanted: what the message asks for.
        low: the fewest that there may be.
        high: the most; None for any number.

    Raises:
        InvalidInput: out of order, one of them twice, too few or too many.
    """
    enough = low <= len(values) <= (len(values) if high is None else high)
    if not enough or list(values) != sorted(set(values)):
        raise refuse(field, values, wanted)


def numbers(field: str, value: object, *, axes: int = 1) -> np.ndarray:
    """`value` as an array of floats with at least so many axes.

    Raises:
        InvalidInput: not numbers, or too few axes.
    """
    wanted = "an array of numbers" + (f" with at least {axes} axes" if axes > 1 else "")
    try:
        found = np.asarray(value)
    except Exception as error:  # whatever a foreign object raises when it is asked for numbers
        raise refuse(field, type(value).__name__, wanted) from error
    if found.dtype.kind not in "fiub":
        raise refuse(field, f"{type(value).__name__} of {found.dtype}", wanted)
    if found.ndim < axes:
        raise refuse(field, f"shape {found.shape}", wanted)
    return found.astype(np.float64)


def path(field: str, value: object) -> Path:
    """`value` as a path, which need not be there.

    Raises:
        InvalidInput: neither a text nor a path.
    """
    if isinstance(value, str | Path):
        return Path(value)
    raise refuse(field, value, "a path")


def _as_float(value: object) -> float | None:
    if isinstance(value, bool | str | bytes | None):
        return None
    try:
        array = np.asarray(value)
        return float(array) if array.shape == () and array.dtype.kind in "iuf" else None
    except (TypeError, ValueError, OverflowError):
        return None


def call_by_name(
    kind: str, makers: Mapping[str, Callable[..., Any]], name: str, parameters: Mapping[str, Any]
) -> Any:
    """`makers[name](**parameters)`, with unknown names and parameters refused in one line.

    Raises:
        InvalidInput: the name or a parameter is unknown, or a parameter has a bad value.
    """
    maker = makers[choice(kind, name, makers)]
    known = inspect.signature(maker).parameters
    for parameter in parameters:
        choice(f"parameter of {name}", parameter, known)
    for parameter, details in known.items():
        if details.default is inspect.Parameter.empty and parameter not in parameters:
            raise InvalidInput(f"{name}: needs a value for {parameter!r}")
    return maker(**parameters)


def check_types(config: Any) -> None:
    """Refuse fields that are not of the kind that is declared.

    For `__post_init__`, before what the values may be is checked. Lists become tuples, texts paths.

    Raises:
        InvalidInput: names the first such field.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        optional, kind, element = unwrap_hint(hints[field.name])
        value = getattr(config, field.name)
        if value is None and optional:
            continue
        if kind is tuple:
            value = _sequence(field.name, value, element)
        else:
            value = _one(field.name, value, kind)
        object.__setattr__(config, field.name, value)


def unwrap_hint(hint: Any) -> tuple[bool, Any, Any]:
    """Whether it may be None, what it is otherwise, and what it is a tuple of (else None)."""
    options = typing.get_args(hint) if typing.get_origin(hint) is not tuple else ()
    optional = type(None) in options
    kind = next((part for part in options if part is not type(None)), hint)
    if typing.get_origin(kind) is tuple:
        return optional, tuple, typing.get_args(kind)[0]
    return optional, kind, None


def _sequence(name: str, value: Any, element: Any) -> tuple[Any, ...]:
    words = "a sequence of " + ("texts" if element is str else "numbers")
    if not isinstance(value, list | tuple):
        raise refuse(name, value, words)
    for part in value:
        if element is str and not isinstance(part, str):
            raise refuse(name, value, words)
        _one(name, part, element)
    return tuple(value)


def _one(name: str, value: Any, kind: Any) -> Any:
    if kind is Path:
        return path(name, value)
    if kind is bool:
        flag(name, value)
    elif kind is str and not isinstance(value, str):
        raise refuse(name, value, "a text")
    elif kind in (int, float):
        number(name, value)
    elif dataclasses.is_dataclass(kind) and not isinstance(value, typing.cast(type, kind)):
        raise refuse(name, value, f"of {kind}")
    return value
