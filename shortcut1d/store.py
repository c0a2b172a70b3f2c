"""Files that a run leaves on disk: written completely or not at all, and checked when read.

A file that cannot be read or written raises `InvalidInput`, in one line that says why.
"""

import hashlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shortcut1d.errors import InvalidInput, file_access, regular_file

Arrays = dict[str, np.ndarray]
Records = dict[str, Arrays]  # named arrays of each record, by the record's name


def writable_folder(path: Path) -> None:
    """Make the folder, and make sure that a file can be written in it."""
    with file_access(path, "cannot be written to"):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file completely, or leave the old one as it was, even if the power fails."""
    with file_access(path, "cannot be written"):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner reads; figures are for sharing.
            os.chmod(name, 0o644)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)


def table_bytes(table: pd.DataFrame) -> bytes:
    """The table as CSV, the same bytes for the same values."""
    return table.to_csv(index=False, float_format="%.9g", lineterminator="\n").encode()


def arrays_bytes(arrays: Arrays) -> bytes:
    """Named arrays as an uncompressed npz file, the same bytes for the same values."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def pack(records: Records) -> bytes:
    """Records as one npz file; no record's name may have a slash in it."""
    return arrays_bytes(
        {f"{who}/{what}": a for who, record in records.items() for what, a in record.items()}
    )


def unpack(data: bytes) -> Records:
    """Records packed by `pack`; raises ValueError on anything else."""
    records: Records = {}
    for name, array in _arrays(data).items():
        who, slash, what = name.partition("/")
        if not slash:
            raise ValueError("an npz file of something else")
        records.setdefault(who, {})[what] = array
    return records


def json_bytes(record: dict[str, Any]) -> bytes:
    """A record as indented JSON."""
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()


def checksum(*parts: bytes) -> str:
    """SHA-256 of the SHA-256 of each part."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def read_bytes(path: Path) -> bytes:
    """The bytes of a file."""
    with file_access(path, "cannot be read"):
        return regular_file(path).read_bytes()


def read_table(path: Path) -> tuple[pd.DataFrame, bytes]:
    """A table written by `table_bytes`, and its bytes."""
    data = read_bytes(path)
    try:
        return pd.read_csv(io.BytesIO(data)), data
    except ValueError as error:
        raise InvalidInput(f"{path}: not a table ({error})") from error


def read_arrays(path: Path) -> tuple[Arrays, bytes]:
    """Arrays written by `arrays_bytes`, and their bytes."""
    data = read_bytes(path)
    with file_access(path, "damaged"):
        return _arrays(data), data


def read_json(path: Path) -> dict[str, Any]:
    """A record written by `json_bytes`."""
    data = read_bytes(path)
    with file_access(path, "damaged"):
        record = json.loads(data)
    if not isinstance(record, dict):
        raise InvalidInput(f"{path}: not a provenance record")
    return record


def _arrays(data: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            if any(part.compress_size != part.file_size for part in file.zip.infolist()):
                raise ValueError("compressed, so that its size in memory is not known")
            return {name: file[name] for name in file.files}
    except Exception as error:  # zipfile and numpy raise half a dozen kinds on damaged files
        raise ValueError(str(error)) from error
