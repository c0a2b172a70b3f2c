"""Networks that others trained and published, rebuilt from the papers to take their weights.

DnCNN and a U-Net for Gaussian noise, with and without biases: Mohan, Kadkhodaie, Simoncelli and
Fernandez-Granda, Robust and interpretable blind image denoising via bias-free convolutional neural
networks, ICLR 2020. PReNet for rain: Ren, Zuo, Hu, Zhu and Meng, Progressive image deraining
networks: a better and simpler baseline, CVPR 2019.
"""

import argparse
import itertools
from pathlib import Path
from typing import Any, NamedTuple

from common.published.dncnn import dncnn
from common.published.prenet import prenet
from common.published.unet import unet
from shortcut1d import datasets, errors

DENOISERS, DERAINERS = "bias_free_denoising", "prenet"  # data sets of weights
LEVELS = (10, 30, 55, 100)  # of noise, of 255, up to which denoisers were trained
RAINS = ("Rain100H", "Rain100L", "Rain1400")  # sets that derainers were trained on


class Published(NamedTuple):
    """A network that its authors trained.

    name: of the network, unique.
    architecture: "DnCNN", "U-Net", "PReNet" or "PReNet_r" (whose blocks share their weights).
    trained_on: the strongest noise as "noise to 10", or the set of rainy pictures.
    level: standard deviation of the strongest noise, of 255; 0 of derainers.
    bias: whether its layers add constants.
    dataset, path: where the weights are: a data set, and the file in its folder.
    """

    name: str
    architecture: str
    trained_on: str
    level: int
    bias: bool
    dataset: str
    path: str

    @property
    def derains(self) -> bool:
        """Whether it is for rain."""
        return self.dataset == DERAINERS

    def load(self) -> Any:
        """The network, in evaluation mode; see `load`."""
        return load(datasets.folder_of(self.dataset) / self.path)


def networks() -> list[Published]:
    """All of them."""
    denoisers = [
        Published(
            f"{name}{'' if bias else ' without biases'}, noise to {level}", name,
            f"noise to {level}", level, bias, DENOISERS,
            f"{name.lower().replace('-', '')}/{'bias' if bias else 'bias_free'}/0-{level}.pt",
        )
        for name, bias, level in itertools.product(("DnCNN", "U-Net"), (True, False), LEVELS)
    ]  # fmt: skip
    derainers = [
        Published(
            f"{name}, {rain}", name, rain, 0, True, DERAINERS,
            f"{rain}/{name.replace('Net', 'Net6')}.pth",
        )
        for rain, name in itertools.product(RAINS, ("PReNet", "PReNet_r"))
    ]  # fmt: skip
    return denoisers + derainers


def load(path: str | Path) -> Any:
    """A published network in evaluation mode, with the weights of a file.

    Args:
        path: a checkpoint of `bias_free_denoising` (.pt) or of PReNet (.pth).

    Raises:
        InvalidInput: PyTorch is not installed; the file cannot be read, or holds the weights of no
            network that is known.
    """
    try:
        import torch  # optional
    except ImportError as error:
        raise errors.InvalidInput(
            'published networks: PyTorch is not installed (pip install -e ".[torch]")'
        ) from error

    path = errors.path("path", path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zipfile and torch raise half a dozen kinds
        said = " ".join(str(error).split())[:120]
        raise errors.InvalidInput(f"{path}: no checkpoint that can be read ({said})") from error
    residual = False
    if isinstance(found, dict) and "model" in found:
        residual = bool(getattr(found.get("args"), "residual", False))
        found = found["model"][0] if isinstance(found["model"], list) else found["model"]
    names = set(found) if isinstance(found, dict) else set()
    if "first_layer.weight" in names:
        network = dncnn(bias="first_layer.bias" in names)
    elif "conv9.weight" in names:
        network = unet(bias="conv1.bias" in names, residual=residual)
    elif "conv0.0.weight" in names:
        network = prenet(blocks=5 if "res_conv5.0.weight" in names else 1)
    else:
        raise errors.InvalidInput(f"{path}: weights of no network that is known")
    network.load_state_dict(found)
    # A convolution on a CPU takes a half to two thirds of the time in this order.
    return network.eval().to(memory_format=torch.channels_last)
