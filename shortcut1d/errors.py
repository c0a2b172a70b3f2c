"""Errors for bad input, and the checks that raise them.

A check returns the value in its proper type, or raises `InvalidInput`. Every message names the
field, the value that was given and what would be right, so that a script can print it as one line
and a notebook user can act on it.
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

MAX_COUNT = 2**31 - 1  # JAX counts in 32 bits
MAX_RATE = 1e6  # of a learning rate, a noise level or the like: a larger one is a typo


class Shortcut1dError(Exception):
    """Base of this package's errors; scripts print it as one line and exit with 2."""


class InvalidInput(Shortcut1dError, ValueError):
    """An argument, option or file that cannot be used."""


def refuse(field: str, value: object, wanted: str) -> InvalidInput:
    """The error for `field`, to be raised by the caller."""
    shown = " ".join(repr(value).split())  # a message is one line
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return InvalidInput(f"{field}: got {shown}, expected {wanted}")


@contextlib.contextmanager
def reported_as(field: str) -> Iterator[None]:
    """Report inner errors under the option's name."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{field}:{str(error).partition(':')[2]}") from error


@contextlib.contextmanager
def file_access(path: str | Path, failure: str) -> Iterator[None]:
    """Report errors of the operating system as `{path}: {failure} (reason)`."""
    try:
        yield
    except InvalidInput:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise InvalidInput(f"{path}: {failure} ({reason(error)})") from error
    except RecursionError as error:
        raise InvalidInput(f"{path}: {failure} (nested too deeply)") from error


def regular_file(path: Path) -> Path:
    """`path`, unless something else than a file is there: reading a pipe would wait for ever."""
    if path.exists() and not path.is_file():
        raise InvalidInput(f"{path}: cannot be read (not a file)")
    return path


def reason(error: Exception) -> str:
    """What the operating system says of a file, without the file's name and the error's number."""
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
    """`value` as a finite float in `[low, high]`, strictly `> above` and `< below` where given."""
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
    """`value` as an int in `[low, high]`; a float such as 3.0 counts as one."""
    wanted = f"a whole number of at least {low}" + ("" if high is None else f" and at most {high}")
    as_float = _as_float(value)
    if as_float is None or not math.isfinite(as_float) or as_float != int(as_float):
        raise refuse(field, value, wanted)
    if not low <= as_float <= (MAX_COUNT if high is None else high):
        raise refuse(field, value, wanted)
    return int(as_float)


def integer_fields(config: object, *fields: str, low: int = 1, high: int | None = None) -> None:
    """Check that these fields of a configuration are integers in `[low, high]`."""
    for field in fields:
        integer(field, getattr(config, field), low=low, high=high)


def choice(field: str, value: object, known: Iterable[str]) -> str:
    """`value` if it is one of `known`; if not, the message lists them and suggests the nearest."""
    names = sorted(known)
    if isinstance(value, str) and value in names:
        return value
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise refuse(field, value, f"one of {', '.join(names)}{hint}")


def span(field: str, value: object, *, low: float, high: float, unit: str = "") -> tuple:
    """`value` as a pair of numbers `(a, b)` with `low <= a <= b <= high`."""
    wanted = f"two numbers, smallest first, between {low:g} and {high:g} {unit}".rstrip()
    pair = tuple(np.ravel(np.asarray(value, dtype=object)))
    if len(pair) != 2:
        raise refuse(field, value, wanted)
    first, last = (number(field, part, low=low, high=high, unit=unit) for part in pair)
    if first > last:
        raise refuse(field, value, wanted)
    return first, last


def flag(field: str, value: object) -> bool:
    """`value` as a bool."""
    if not isinstance(value, bool | np.bool_):
        raise refuse(field, value, "True or False")
    return bool(value)


def non_empty(field: str, value: object, wanted: str) -> tuple[Any, ...]:
    """`value`, a list, tuple or array (no string), as a tuple of at least one element."""
    if hasattr(value, "tolist"):
        value = value.tolist()  # an array without axes gives no list
    if isinstance(value, list | tuple) and value:
        return tuple(value)
    raise refuse(field, value, wanted)


def distinct(field: str, values: Sequence[Any], known: Iterable[str] | None = None) -> None:
    """Check that `values` are one or more, all different and among the `known`."""
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
    """Check that each number is above the one before it.

    wanted: what the message asks for.
    low, high: how many there may be; None for any number.
    """
    enough = low <= len(values) <= (len(values) if high is None else high)
    if not enough or list(values) != sorted(set(values)):
        raise refuse(field, values, wanted)


def numbers(field: str, value: object, *, axes: int = 1) -> np.ndarray:
    """`value` as an array of floats with at least `axes` axes."""
    wanted = "an array of numbers" + (f" with at least {axes} axes" if axes > 1 else "")
    try:
        found = np.asarray(value)
    except Exception as error:  # a foreign object may raise anything when it is converted
        raise refuse(field, type(value).__name__, wanted) from error
    if found.dtype.kind not in "fiub":
        raise refuse(field, f"{type(value).__name__} of {found.dtype}", wanted)
    if found.ndim < axes:
        raise refuse(field, f"shape {found.shape}", wanted)
    return found.astype(np.float64)


def path(field: str, value: object) -> Path:
    """`value`, a string or a path, as a path; the file need not exist."""
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
    kind: str, makers: Mapping[str, Callable[..., Any]], name: str, /, **parameters: Any
) -> Any:
    """`makers[name](**parameters)`, after a check of the name and the parameters' names."""
    maker = makers[choice(kind, name, makers)]
    known = inspect.signature(maker).parameters
    for parameter in parameters:
        choice(f"parameter of {name}", parameter, known)
    for parameter, details in known.items():
        if details.default is inspect.Parameter.empty and parameter not in parameters:
            raise InvalidInput(f"{name}: needs a value for {parameter!r}")
    return maker(**parameters)


def check_types(config: Any) -> None:
    """Check that the fields of a dataclass have their declared types; names the first that has not.

    Call it first in `__post_init__`. Lists become tuples, strings become paths, and 3.0 becomes 3,
    where those are declared; numbers of NumPy become Python's.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        optional, kind, element = unwrap_hint(hints[field.name])
        value = getattr(config, field.name)
        if value is None and optional:
            continue
        check = _sequence if kind is tuple else _one
        value = check(field.name, value, element if kind is tuple else kind)
        object.__setattr__(config, field.name, value)


def unwrap_hint(hint: Any) -> tuple[bool, Any, Any]:
    """Whether None is allowed, the type otherwise, and a tuple's element type (else None)."""
    options = typing.get_args(hint) if typing.get_origin(hint) is not tuple else ()
    optional = type(None) in options
    kind = next((part for part in options if part is not type(None)), hint)
    if typing.get_origin(kind) is tuple:
        return optional, tuple, typing.get_args(kind)[0]
    return optional, kind, None


def _sequence(name: str, value: Any, element: Any) -> tuple[Any, ...]:
    wanted = "a sequence of " + ("strings" if element is str else "numbers")
    if not isinstance(value, list | tuple):
        raise refuse(name, value, wanted)
    if element is str and not all(isinstance(part, str) for part in value):
        raise refuse(name, value, wanted)
    return tuple(_one(name, part, element) for part in value)


def _one(name: str, value: Any, kind: Any) -> Any:
    if kind is Path:
        return path(name, value)
    if kind is bool:
        flag(name, value)
    elif kind is str and not isinstance(value, str):
        raise refuse(name, value, "a string")
    elif kind in (int, float):
        found = number(name, value)
        if not isinstance(value, int):
            return int(found) if kind is int and found.is_integer() else found
    elif dataclasses.is_dataclass(kind) and not isinstance(value, typing.cast(type, kind)):
        raise refuse(name, value, f"of {kind}")
    return value
