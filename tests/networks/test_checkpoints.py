"""Trained networks on disk."""

import json

import jax
import numpy as np
import pytest
import safetensors
import safetensors.numpy
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
    "diffusion": networks.Diffusion(width=2, depth=3, kernel=3, steps=2),
    "deep prior": networks.DeepPrior(SMALL, steps=2),
    "chain": networks.Chain(networks.MLP(width=4), SMALL),
}


@pytest.mark.slow
@pytest.mark.parametrize("network", EVERY.values(), ids=EVERY)
def test_a_network_comes_back_as_it_was(network, key, tmp_path):
    params = networks.init(network, key, (16,), 1)
    checkpoints.save(tmp_path / "it.safetensors", network, params, (16, 1))
    found, weights, shape = checkpoints.load(tmp_path / "it.safetensors")
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
    path = folder / "bad.safetensors"
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
    """A file whose checksum fits, but whose description says something else."""
    tensors = safetensors.numpy.load(written)
    described = described_in(written) | {"sha256": checkpoints.NO_CHECKSUM} | changes
    data = safetensors.numpy.save(tensors, {checkpoints.ENTRY: json.dumps(described)})
    checksum = checkpoints._checksum(data, checkpoints.NO_CHECKSUM)
    return data.replace(checkpoints.NO_CHECKSUM.encode(), checksum.encode(), 1)


def described_in(data):
    """The description in the header of a safetensors file."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"][checkpoints.ENTRY])


def test_a_forged_file_without_changes_is_read(written, tmp_path):
    (tmp_path / "it.safetensors").write_bytes(forged(written))
    assert checkpoints.load(tmp_path / "it.safetensors")[0] == SMALL


def test_the_file_is_safetensors_with_readable_names_and_a_description(written):
    tensors = safetensors.numpy.load(written)
    assert tensors["encoder.first.weight"].shape == (2, 3)
    assert {"encoder.down.1.bias", "codebooks", "recipe"} < set(tensors)
    described = described_in(written)
    assert (described["format"], described["shape"]) == (checkpoints.FORMAT, [16, 1])
    assert described["network"]["kind"] == "Autoencoder"


def test_the_same_weights_give_the_same_bytes(written):
    params = networks.init(SMALL, jax.random.key(0), (16,), 1)
    assert all(checkpoints.to_bytes(SMALL, params, (16, 1)) == written for _ in range(5))


def test_arrays_in_any_memory_order_come_back_as_they_were(key, tmp_path):
    network = networks.MLP(width=4)
    params = networks.init(network, key, (16,), 1)
    turned = jax.tree.map(lambda leaf: np.asarray(leaf, order="F"), params)
    checkpoints.save(tmp_path / "it.safetensors", network, turned, (16, 1))
    jax.tree.map(
        np.testing.assert_array_equal, checkpoints.load(tmp_path / "it.safetensors")[1], params
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 1}, "format 1, expected 2"),
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


ANOTHER = safetensors.numpy.save({"weight": np.zeros(3)}, {"format": "pt"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a safetensors file"),
        (b"PK\3\4", "not a safetensors file"),
        (b"\x80\4cos\nsystem\n", "not a safetensors file"),
        (b"shortcut1d model\n0123\n{}", "old format 1; train and save it again"),
        (ANOTHER, "not a model of shortcut1d"),
    ],
    ids=["empty", "zip", "pickle", "old format", "another program's"],
)
def test_a_file_of_something_else_is_refused(data, said, tmp_path):
    refused(data, tmp_path, said)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        checkpoints.load(tmp_path / "none.safetensors")


def test_weights_of_another_network_are_not_written(key, tmp_path):
    params = networks.init(networks.MLP(width=4), key, (16,), 1)
    with pytest.raises(InvalidInput, match="params: got 'weights of another network'"):
        checkpoints.save(tmp_path / "it.safetensors", SMALL, params, (16, 1))
    assert not (tmp_path / "it.safetensors").exists()


def test_numbers_of_any_kind_are_kept_as_pythons(key, tmp_path):
    as_usual = networks.Diffusion(width=2, depth=3, kernel=3, dilations=(1, 2, 1), scale=0.5)
    network = networks.Diffusion(
        width=np.int64(2), depth=3.0, kernel=np.float32(3), dilations=(1.0, np.int32(2), 1),
        scale=np.float32(0.5),
    )  # fmt: skip
    assert network == as_usual
    assert repr(network) == repr(as_usual)
    weights = networks.init(network, key, (16,), 1)
    checkpoints.save(tmp_path / "it.safetensors", network, weights, np.array([16, 1]))
    assert checkpoints.load(tmp_path / "it.safetensors")[0] == as_usual
