"""Public data sets and trained weights: what they are, where they come from, and a checked copy.

The package has none of their files, only the git blob hash of each (`git ls-tree` of the source
prints it). `fetch` downloads them into a folder; `folder_of` finds them there, and checks them all.
"""

import functools
import hashlib
import json
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pooch

from shortcut1d import errors, store
from shortcut1d.errors import InvalidInput

VARIABLE = "SHORTCUT1D_DATA"  # environment variable: the folder of all data sets
REGISTRY = Path(__file__).with_name("registry.json")
SERVER = "https://raw.githubusercontent.com"
AT_ONCE, RETRIES = 4, 2  # downloads at a time; further tries of each
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # what file managers leave in a folder

DATASETS: Mapping[str, "Dataset"]  # by name; read when it is first used


class File(NamedTuple):
    """One file of a data set.

    path: in the folder of all data sets, with slashes.
    blob: git's hash of its content, 40 hex digits.
    size: bytes.
    source: where it is on GitHub, OWNER/REPOSITORY/COMMIT/PATH.
    """

    path: str
    blob: str
    size: int
    source: str


@dataclass(frozen=True)
class Dataset:
    """A data set, or a set of weights, of one commit of a public GitHub repository.

    name: what it is called here.
    folder: its folder, in the folder of all data sets.
    what: a description.
    repository, commit, path: where it comes from; the commit has 40 hex digits.
    terms: on which its owners let it be used.
    files: all of them.
    """

    name: str
    folder: str
    what: str
    repository: str
    commit: str
    path: str
    terms: str
    files: tuple[File, ...]


class State(NamedTuple):
    """How complete a copy of a data set is; files are named by path in the folder of all sets.

    folder: of the copy.
    here: whether there is such a folder.
    missing, damaged: files of the data set.
    extra: files that do not belong to the data set, but would be read with it.
    """

    folder: Path
    here: bool
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    extra: tuple[str, ...]

    def __str__(self) -> str:
        if not self.here:
            return "not here"
        said = [f"{path} is missing" for path in self.missing]
        said += [f"{path} is damaged" for path in self.damaged]
        said += [f"{path} is not one of its files" for path in self.extra]
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        return said[0] + more if said else "complete"


def __getattr__(name: str) -> Any:
    if name == "DATASETS":
        return _read(REGISTRY)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _read(registry: Path) -> Mapping[str, Dataset]:
    found = {}
    for name, about in json.loads(registry.read_text(encoding="utf-8")).items():
        folder, commit = about["folder"], f"{about['repository']}/{about['commit']}"
        files = tuple(
            File(f"{folder}/{path}", blob, size, f"{commit}/{source}")
            for path, (blob, size, source) in about.pop("files").items()
        )
        found[name] = Dataset(name=name, files=files, **about)
    return found


def dataset(name: str) -> Dataset:
    """The data set of that name; if there is none, the InvalidInput lists them all."""
    return _read(REGISTRY)[errors.choice("data set", name, _read(REGISTRY))]


def root_of(data: str | Path | None = None) -> Path:
    """The folder of all data sets: `data`, else SHORTCUT1D_DATA, else one in the user's cache."""
    return errors.path("data", data or os.environ.get(VARIABLE) or pooch.os_cache("shortcut1d"))


def is_here(name: str, data: str | Path | None = None) -> bool:
    """Whether there is a folder of that data set, complete or not."""
    return (root_of(data) / dataset(name).folder).is_dir()


def folder_of(name: str, data: str | Path | None = None) -> Path:
    """The folder of a data set, all of whose files are there with the right content.

    Args:
        name: of the data set.
        data: folder of all data sets; see `root_of`.

    Raises:
        InvalidInput: no such data set; not there; a file is missing, damaged or extra.
    """
    state, root = state_of(name, data), root_of(data)
    get = f"shortcut1d data get {name}"
    if root != pooch.os_cache("shortcut1d"):
        get += f" --to {shlex.quote(str(root))}"
    if not state.here:
        raise InvalidInput(f"{name}: not in {root}; to download it: {get}")
    if state.missing or state.damaged:
        raise InvalidInput(f"{name}: in {root}, {state}; to download what it lacks: {get}")
    if state.extra:
        raise InvalidInput(f"{name}: in {root}, {state}; move it away, as it would be read")
    return state.folder


def state_of(name: str, data: str | Path | None = None) -> State:
    """What a copy of a data set lacks; every file is read.

    Raises:
        InvalidInput: no such data set, or a file that cannot be read.
    """
    root, found = root_of(data), dataset(name)
    folder = root / found.folder
    missing = {file.path for file in found.files if not (root / file.path).is_file()}
    there = {file.path: file for file in found.files if file.path not in missing}
    damaged = {path for path, file in there.items() if not _is_right(root / path, file)}
    inside = (path for path in folder.rglob("*") if path.is_file() and path.name not in LITTER)
    extra = {path.relative_to(root).as_posix() for path in inside} - there.keys()
    return State(folder, folder.is_dir(), *(tuple(sorted(s)) for s in (missing, damaged, extra)))


def fetch(
    names: Iterable[str],
    to: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    base_url: str | None = None,
) -> list[Path]:
    """Download the files of data sets that are missing or damaged.

    Each is checked, and written completely or not at all. After a failure or an interruption,
    another call goes on with what is still missing. Extra files stay.

    Args:
        names: of the data sets.
        to: folder of all data sets; see `root_of`.
        progress: called with how many files are downloaded, and of how many.
        base_url: of a mirror that has the files at OWNER/REPOSITORY/COMMIT/PATH, in place of
            raw.githubusercontent.com.

    Returns:
        the folder of each data set.

    Raises:
        InvalidInput: no such data set; a folder that cannot be written to; a file that cannot be
            downloaded, or has other content than it should; extra files (at the end).
    """
    names, root = [dataset(name).name for name in dict.fromkeys(names)], root_of(to)
    store.writable_folder(root)
    states = [state_of(name, root) for name in names]
    lacking = {path for state in states for path in state.missing + state.damaged}
    wrong = [file for name in names for file in dataset(name).files if file.path in lacking]
    urls = {file.path: f"{base_url or SERVER}/{file.source}" for file in wrong}
    # Downloads go to the same file system, so that a complete file can be moved to its place at
    # once, in a folder of their own: what a killed download leaves must not lie among the data.
    with tempfile.TemporaryDirectory(dir=root, prefix=".get-", ignore_cleanup_errors=True) as parts:
        source = pooch.create(
            parts, base_url="", registry=dict.fromkeys(urls), urls=urls, retry_if_failed=RETRIES
        )
        pool, wait = ThreadPoolExecutor(AT_ONCE), True
        try:
            progress(0, len(wrong))
            running = [pool.submit(_download, source, file, root) for file in wrong]
            for done, future in enumerate(as_completed(running), 1):
                future.result()
                progress(done, len(wrong))
        except KeyboardInterrupt:
            wait = False  # a network that does not answer would hold the user up
            raise
        finally:
            pool.shutdown(wait=wait, cancel_futures=True)
    return [folder_of(name, root) for name in names]


def _download(source: pooch.Pooch, file: File, root: Path) -> None:
    """Download one file, check it, and put it in its place."""
    part, target, url = source.abspath / file.path, root / file.path, source.get_url(file.path)

    def checked(url: str, output: str, caller: pooch.Pooch) -> None:
        pooch.HTTPDownloader(chunk_size=2**16, stream=False)(url, output, caller)  # not left open
        if not _is_right(Path(output), file):
            raise InvalidInput(f"{url}: what was sent is not {file.path}; nothing was kept of it")

    part.parent.mkdir(parents=True, exist_ok=True)  # pooch's threads would race to make it
    try:
        source.fetch(file.path, downloader=checked)
    except OSError as error:  # those of requests are of this kind too
        raise InvalidInput(f"{url}: cannot be downloaded ({_reason(error)})") from error
    with errors.file_access(target, "cannot be written"):
        target.parent.mkdir(parents=True, exist_ok=True)
        part.chmod(0o644)  # pooch makes files that only their owner reads
        part.replace(target)


def _is_right(path: Path, file: File) -> bool:
    content = store.read_bytes(path)
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return blob.hexdigest() == file.blob


def _reason(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"{response.status_code} {response.reason}"
    while error.__context__ is not None:  # requests wraps what the system said several times
        error = error.__context__
    return " ".join((getattr(error, "strerror", None) or str(error)).split())
