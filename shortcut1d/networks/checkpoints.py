"""Trained networks on disk, in the safetensors format.

Weights lie under their names in the network, such as `encoder.first.weight`. The metadata's one
entry, `shortcut1d`, is JSON: number of the format, network, shape of a sample, and a checksum of
the file. (One, because safetensors writes several in random order, and a file should have the same
bytes for the same weights.)
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors.numpy

from shortcut1d import errors, networks, store
from shortcut1d.errors import InvalidInput
from shortcut1d.networks import Network, Params

FORMAT = 2
ENTRY = "shortcut1d"  # of the metadata
OLD_FORMAT = b"shortcut1d model\n"  # first line of files of format 1, before safetensors
NO_CHECKSUM = 64 * "0"  # holds the checksum's place while it is computed
KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (*networks.NETWORKS.values(), networks.Chain, networks.WithDropout)
}


def save(path: str | Path, network: Network, params: Params, shape: tuple[int, ...]) -> None:
    """Write a trained network, completely or not at all.

    Args:
        path: path of the file; its usual suffix is `.safetensors`.
        network: description of the network.
        params: its weights.
        shape: shape of a sample, `(*space, channels)`.

    Raises:
        InvalidInput: the file cannot be written, or the weights are another network's.
    """
    store.write_atomic(errors.path("path", path), to_bytes(network, params, shape))


def to_bytes(network: Network, params: Params, shape: tuple[int, ...]) -> bytes:
    """The contents of the file that `save` writes."""
    shape = tuple(int(axis) for axis in shape)  # JSON takes no numbers of NumPy
    tensors = {name: np.asarray(leaf, order="C") for name, leaf in _by_name(params).items()}
    if _shapes(tensors) != _shapes(_by_name(_abstract(network, shape))):
        raise errors.refuse("params", "weights of another network", f"those of {network}")
    described = {"network": _described(network), "shape": list(shape), "sha256": NO_CHECKSUM}
    data = safetensors.numpy.save(tensors, {ENTRY: json.dumps({"format": FORMAT, **described})})
    return data.replace(NO_CHECKSUM.encode(), _checksum(data, NO_CHECKSUM).encode(), 1)


def load(path: str | Path) -> tuple[Network, Params, tuple[int, ...]]:
    """A network that `save` wrote, its weights, and the shape of a sample.

    Raises:
        InvalidInput: the file cannot be read, is not such a file, is damaged, or was written by
            another version.
    """
    data = store.read_bytes(errors.path("path", path))
    if data.startswith(OLD_FORMAT):
        raise InvalidInput(f"{path}: a model in the old format 1; train and save it again")
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise InvalidInput(f"{path}: not a safetensors file, or damaged ({error})") from error
    if ENTRY not in metadata:
        raise InvalidInput(f"{path}: not a model of shortcut1d (its metadata describe no network)")
    try:
        described = json.loads(metadata[ENTRY])
        if described["format"] != FORMAT:
            raise ValueError(f"format {described['format']!r}, expected {FORMAT}")
        intact = _checksum(data, described["sha256"]) == described["sha256"]
        network = _network(described["network"])
        shape = tuple(int(axis) for axis in described["shape"])
        expected = _abstract(network, shape)
        if _shapes(tensors) != _shapes(_by_name(expected)):
            raise ValueError("weights of another network")
    except RecursionError as error:
        raise InvalidInput(f"{path}: damaged (its description is nested too deeply)") from error
    except (errors.Shortcut1dError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise InvalidInput(f"{path}: damaged, or a model of another version ({why})") from error
    if not intact:
        raise InvalidInput(f"{path}: damaged (its contents do not fit their checksum)")
    return network, jax.tree.map_with_path(lambda at, _: tensors[_name(at)], expected), shape


def _checksum(data: bytes, written: str) -> str:
    """SHA-256 of the file's bytes, with zeros in the place of the `written` checksum."""
    return hashlib.sha256(data.replace(written.encode(), NO_CHECKSUM.encode(), 1)).hexdigest()


def _described(network: Any) -> dict[str, Any]:
    fields = {}
    for field in dataclasses.fields(network):
        value = getattr(network, field.name)
        fields[field.name] = _described(value) if dataclasses.is_dataclass(value) else value
    return {"kind": type(network).__name__} | fields


def _network(described: dict[str, Any]) -> Network:
    """The inverse of `_described`; JSON has lists for tuples."""
    fields: dict[str, Any] = {}
    for name, value in described.items():
        value = tuple(value) if isinstance(value, list) else value
        fields[name] = _network(value) if isinstance(value, dict) else value
    kind = fields.pop("kind")
    return KINDS[errors.choice("kind of network", kind, KINDS)](**fields)


def _abstract(network: Network, shape: tuple[int, ...]) -> Params:
    *space, channels = shape
    return networks.abstract(network, tuple(space), channels)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _by_name(params: Params) -> dict[str, Any]:
    return {_name(path): leaf for path, leaf in jax.tree.leaves_with_path(params)}


def _shapes(tensors: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(leaf) for name, leaf in tensors.items()}
