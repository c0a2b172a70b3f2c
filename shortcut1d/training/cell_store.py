"""Finished cells on disk, so that a study that was killed goes on where it stopped.

A folder of chunks. Each is one file, written atomically and named by the checksum of its bytes, so
that a damaged file does not fit its name. There is no index to lose.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from shortcut1d import store
from shortcut1d.store import Records

CHUNK = re.compile(r"[0-9a-f]{64}\.cells")


class CellFolder:
    """The cells in a folder, as a mapping from identity to record."""

    def __init__(self, folder: Path, warn: Callable[[str], None], read: bool = True) -> None:
        """Read what is there.

        Args:
            folder: created when the first cells are finished.
            warn: called with a line about each file that is damaged or is not a chunk; its cells
                are then missing.
            read: False to ignore what is there.

        Raises:
            InvalidInput: the folder is there and cannot be written to.
        """
        self.folder = folder
        self._records: Records = {}
        if folder.exists():
            store.writable_folder(folder)
        # Names that begin with a dot are left out: files that a killed process did not finish.
        for path in sorted(folder.glob("[!.]*.cells")) if read else []:
            try:
                self._records |= _chunk(path)
            except ValueError as error:
                warn(f"{path}: {error}; its cells are trained anew")

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __getitem__(self, name: str) -> dict:
        return self._records[name]

    def __len__(self) -> int:
        return len(self._records)

    def update(self, finished: Records) -> None:
        """Keep these cells, all of them or none.

        Raises:
            InvalidInput: the disk is full, or the folder cannot be written to.
        """
        store.writable_folder(self.folder)
        data = store.pack(finished)
        store.write_atomic(self.folder / f"{hashlib.sha256(data).hexdigest()}.cells", data)
        self._records |= finished


def _chunk(path: Path) -> Records:
    if not CHUNK.fullmatch(path.name):
        raise ValueError("not a chunk of cells")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != path.stem:
        raise ValueError("damaged (its contents do not fit its name)")
    return store.unpack(data)
