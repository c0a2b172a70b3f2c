"""What a run leaves on disk: written whole or not at all, and checked when read."""

import hashlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shortcut1d import errors
from shortcut1d.errors import InvalidInput


def writable_folder(path: Path) -> None:
    """Make the folder, and make sure that a file can be written in it.

    Raises:
        InvalidInput: says why not, in one line.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: cannot be written to ({errors.reason(error)})") from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole, or as it was before, whenever the power goes.

    Raises:
        InvalidInput: the disk is full, or the folder cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: cannot be written ({errors.reason(error)})") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; figures are for sharing.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({errors.reason(error)})") from error
    finally:
        Path(name).unlink(missing_ok=True)


def table_bytes(table: pd.DataFrame) -> bytes:
    """The table as CSV, the same bytes for the same values."""
    return table.to_csv(index=False, float_format="%.9g", lineterminator="\n").encode()


def arrays_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays as an uncompressed npz file, the same bytes for the same values."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


Records = dict[str, dict[str, np.ndarray]]  # named arrays of named things


def pack(records: Records) -> bytes:
    """Records as one npz file; no name may have a slash in it."""
    return arrays_bytes(
        {f"{who}/{what}": a for who, record in records.items() for what, a in record.items()}
    )


def unpack(data: bytes) -> Records:
    """Records packed by `pack`.

    Raises:
        ValueError: they are not.
    """
    records: Records = {}
    for name, array in _arrays(data).items():
        who, slash, what = name.partition("/")
        if not slash:
            raise ValueError("an npz file of something else")
        records.setdefault(who, {})[what] = array
    return records


def json_bytes(record: dict[str, Any]) -> bytes:
    """A record as JSON, readable."""
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


def checksum(*parts: bytes) -> str:
    """SHA-256 of the parts."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def read_table(path: Path) -> tuple[pd.DataFrame, bytes]:
    """A table written by `table_bytes`, and its bytes.

    Raises:
        InvalidInput: missing or not a table.
    """
    data = read_bytes(path)
    try:
        return pd.read_csv(io.BytesIO(data)), data
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: not a table ({error})") from error


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], bytes]:
    """Arrays written by `arrays_bytes`, and their bytes.

    Raises:
        InvalidInput: missing or damaged.
    """
    data = read_bytes(path)
    try:
        return _arrays(data), data
    except ValueError as error:
        raise InvalidInput(f"{path}: damaged ({error})") from error


def read_json(path: Path) -> dict[str, Any]:
    """A record written by `json_bytes`.

    Raises:
        InvalidInput: missing or damaged.
    """
    try:
        record = json.loads(read_bytes(path))
    except ValueError as error:
        raise InvalidInput(f"{path}: damaged ({error})") from error
    if not isinstance(record, dict):
        raise InvalidInput(f"{path}: not a provenance record")
    return record


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # zipfile and numpy raise half a dozen kinds on damaged files
        raise ValueError(str(error)) from error


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: cannot be read ({errors.reason(error)})") from error
