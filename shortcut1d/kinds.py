"""Whether the fields of a dataclass are of the kind that is declared."""

import dataclasses
import typing
from pathlib import Path
from typing import Any

from shortcut1d import errors


def check(config: Any) -> None:
    """Refuse fields that are not of the kind that is declared.

    For `__post_init__`, before what the values may be is checked. Lists become tuples, texts paths.

    Raises:
        InvalidInput: names the first such field.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        optional, kind, element = taken_apart(hints[field.name])
        value = getattr(config, field.name)
        if value is None and optional:
            continue
        if kind is tuple:
            value = _sequence(field.name, value, element)
        else:
            value = _one(field.name, value, kind)
        object.__setattr__(config, field.name, value)


def taken_apart(hint: Any) -> tuple[bool, Any, Any]:
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
        raise errors.refuse(name, value, words)
    for part in value:
        if element is str and not isinstance(part, str):
            raise errors.refuse(name, value, words)
        _one(name, part, element)
    return tuple(value)


def _one(name: str, value: Any, kind: Any) -> Any:
    if kind is Path:
        return errors.path(name, value)
    if kind is bool:
        errors.flag(name, value)
    elif kind is str and not isinstance(value, str):
        raise errors.refuse(name, value, "a text")
    elif kind in (int, float):
        errors.number(name, value)
    elif dataclasses.is_dataclass(kind) and not isinstance(value, typing.cast(type, kind)):
        raise errors.refuse(name, value, f"of {kind}")
    return value
