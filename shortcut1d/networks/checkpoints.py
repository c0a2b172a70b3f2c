"""Trained networks on disk: what the network is, and its weights; MessagePack, no pickle."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization

from shortcut1d import errors, networks, store
from shortcut1d.networks import MLP, Chain, ConvNet, Network, Params, ResNet, UNet, WithDropout
from shortcut1d.networks.attention import Attention
from shortcut1d.networks.autoencoder import Autoencoder, Search

FORMAT = 1
MAGIC = b"shortcut1d model\n"
KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Attention, Autoencoder, Chain, ConvNet, MLP, ResNet, Search, UNet, WithDropout,
    )
}  # fmt: skip


def save(path: str | Path, network: Network, params: Params, shape: tuple[int, ...]) -> None:
    """Write a trained network, whole or not at all.

    Args:
        path: of the file.
        network: what it is.
        params: its weights.
        shape: of a sample, `(*space, channels)`.

    Raises:
        InvalidInput: the file cannot be written, or the weights are another network's.
    """
    _check(network, params, shape)
    store.write_atomic(errors.path("path", path), to_bytes(network, params, shape))


def to_bytes(network: Network, params: Params, shape: tuple[int, ...]) -> bytes:
    """What `save` writes: a first line, a checksum of what follows, a head in JSON, weights."""
    weights = serialization.msgpack_serialize(
        {str(n): np.asarray(leaf) for n, leaf in enumerate(jax.tree.leaves(params))}
    )
    head = {"format": FORMAT, "network": _described(network), "shape": list(shape)}
    rest = json.dumps(head).encode() + b"\n" + weights
    return MAGIC + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def load(path: str | Path) -> tuple[Network, Params, tuple[int, ...]]:
    """A network that `save` wrote, its weights, and the shape of a sample.

    Raises:
        InvalidInput: the file cannot be read, is not a model, is damaged, or is one of another
            version.
    """
    data = store.read_bytes(errors.path("path", path))
    if not data.startswith(MAGIC):
        raise errors.InvalidInput(f"{path}: not a model of shortcut1d")
    checksum, _, rest = data[len(MAGIC) :].partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != checksum:
        raise errors.InvalidInput(f"{path}: damaged (its contents do not fit their checksum)")
    # From here on it is what somebody wrote; perhaps another version of this.
    first, _, weights = rest.partition(b"\n")
    try:
        head = json.loads(first)
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']!r}, expected {FORMAT}")
        network, shape = _made(head["network"]), tuple(int(axis) for axis in head["shape"])
        leaves = serialization.msgpack_restore(weights)
        structure = jax.tree.structure(_abstract(network, shape))
        params = jax.tree.unflatten(structure, [leaves[str(n)] for n in range(len(leaves))])
        _check(network, params, shape)
    except (errors.Shortcut1dError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.InvalidInput(f"{path}: a model of another version ({error})") from error
    return network, params, shape


def _described(network: Any) -> dict[str, Any]:
    fields = {}
    for field in dataclasses.fields(network):
        value = getattr(network, field.name)
        fields[field.name] = _described(value) if dataclasses.is_dataclass(value) else value
    return {"kind": type(network).__name__} | fields


def _made(described: dict[str, Any]) -> Network:
    fields = {
        name: _made(value)
        if isinstance(value, dict)
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in described.items()
        if name != "kind"
    }
    kind = KINDS[errors.choice("kind of network", described["kind"], KINDS)]
    return kind(**fields)


def _abstract(network: Network, shape: tuple[int, ...]) -> Params:
    *space, channels = shape
    return jax.eval_shape(
        lambda key: networks.init(network, key, tuple(space), channels), jax.random.key(0)
    )


def _check(network: Network, params: Params, shape: tuple[int, ...]) -> None:
    expected = _abstract(network, shape)
    same = str(jax.tree.structure(expected)) == str(jax.tree.structure(params))
    if not same or any(
        np.shape(leaf) != wanted.shape
        for leaf, wanted in zip(jax.tree.leaves(params), jax.tree.leaves(expected), strict=True)
    ):
        raise errors.refuse("params", "weights of another network", f"those of {network}")
