"""Trained networks on disk."""

import hashlib
import json

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortcut1d import networks
from shortcut1d.errors import InvalidInput
from shortcut1d.networks import checkpoints
from shortcut1d.networks.autoencoder import Autoencoder, Search

SMALL = Autoencoder(width=2, levels=2, entries=4, dims=2)
EVERY = {
    "conv": networks.ConvNet(width=2, depth=3, kernel=3, dilations=(1, 2, 1)),
    "mlp": networks.MLP(width=4),
    "unet": networks.UNet(width=2, levels=2),
    "residual": networks.ResNet(width=2, blocks=1),
    "attention": networks.Attention(width=8, depth=1, heads=2),
    "dropout": networks.WithDropout(networks.MLP(width=4), 0.5),
    "autoencoder": SMALL,
    "search": Search(SMALL, steps=2),
    "chain": networks.Chain(networks.MLP(width=4), SMALL),
}


@pytest.mark.parametrize("network", EVERY.values(), ids=EVERY)
def test_a_network_comes_back_as_it_was(network, key, tmp_path):
    params = networks.init(network, key, (16,), 1)
    checkpoints.save(tmp_path / "it.model", network, params, (16, 1))
    found, weights, shape = checkpoints.load(tmp_path / "it.model")
    assert (found, shape) == (network, (16, 1))
    x = jax.random.normal(key, (2, 16, 1))
    np.testing.assert_array_equal(
        networks.apply(found, weights, x), networks.apply(network, params, x)
    )


def test_every_kind_of_network_can_be_saved():
    assert {type(network) for network in EVERY.values()} == set(checkpoints.KINDS.values())


@pytest.fixture(scope="module")
def written():
    params = networks.init(SMALL, jax.random.key(0), (16,), 1)
    return checkpoints.to_bytes(SMALL, params, (16, 1))


def refused(data, folder, said):
    path = folder / "bad.model"
    path.write_bytes(data)
    with pytest.raises(InvalidInput) as error:
        checkpoints.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_damaged_file_is_refused(place, flip, written, tmp_path_factory):
    data = bytearray(written)
    data[int(place * len(data))] ^= flip
    refused(bytes(data), tmp_path_factory.mktemp("damaged"), "")


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_short_is_refused(share, written, tmp_path_factory):
    refused(written[: int(share * len(written))], tmp_path_factory.mktemp("short"), "")


def forged(written, **changes):
    """A file whose checksum fits, but whose head says something else."""
    first, _, weights = written[len(checkpoints.MAGIC) :].partition(b"\n")[2].partition(b"\n")
    rest = json.dumps(json.loads(first) | changes).encode() + b"\n" + weights
    return checkpoints.MAGIC + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "format 2, expected 1"),
        ({"network": {"kind": "ConvNets"}}, "did you mean 'ConvNet'"),
        ({"network": {"kind": "ConvNet", "colour": "red"}}, "colour"),
        ({"network": {"kind": "ConvNet"}}, "another version"),
        ({"network": {"width": 3}}, "kind"),
        ({"network": 3}, ""),
        ({"shape": [15, 1]}, "multiples of 4"),
        ({"shape": "long"}, ""),
    ],
)
def test_a_file_of_another_version_is_refused(changes, said, written, tmp_path):
    refused(forged(written, **changes), tmp_path, said)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"shortcut1d model"])
def test_a_file_of_something_else_is_refused(data, tmp_path):
    refused(data, tmp_path, "not a model of shortcut1d")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        checkpoints.load(tmp_path / "none.model")


def test_weights_of_another_network_are_not_written(key, tmp_path):
    params = networks.init(networks.MLP(width=4), key, (16,), 1)
    with pytest.raises(InvalidInput, match="params: got 'weights of another network'"):
        checkpoints.save(tmp_path / "it.model", SMALL, params, (16, 1))
    assert not (tmp_path / "it.model").exists()
