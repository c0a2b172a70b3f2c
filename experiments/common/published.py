"""Networks that others trained and published, rebuilt from the papers to take their weights.

DnCNN and a U-Net for Gaussian noise, with and without biases (Mohan et al. 2020, appendix A), and
PReNet for rain (Ren et al. 2019). Weights: see `../shared/data/README.md`.
"""

import argparse
from pathlib import Path
from typing import Any

from shortcut1d import errors


def load(path: str | Path) -> Any:
    """A published network in evaluation mode, with the weights of a file.

    Args:
        path: a checkpoint of `bias_free_denoising` (.pt) or of PReNet (.pth).

    Raises:
        InvalidInput: the file cannot be read, or holds the weights of no network that is known.
    """
    import torch  # optional

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
    return network.eval()


def dncnn(*, bias: bool, layers: int = 20, width: int = 64) -> Any:
    """DnCNN (Zhang et al. 2017): it estimates the noise and subtracts it.

    Args:
        bias: without, no layer adds a constant, normalisation neither (Mohan et al. 2020).
        layers: convolutions.
        width: channels between them.
    """
    import torch  # optional
    from torch.nn import functional

    class Scale(torch.nn.BatchNorm2d):
        """Batch normalisation that only scales; its eps is added to the standard deviation."""

        def forward(self, x: Any) -> Any:
            assert self.running_var is not None
            gain = self.weight / (self.running_var.sqrt() + self.eps)
            return x * gain[:, None, None]

    class DnCNN(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            norm = torch.nn.BatchNorm2d if bias else Scale
            between = range(layers - 2)
            self.first_layer = torch.nn.Conv2d(1, width, 3, padding=1, bias=bias)
            self.hidden_layer_list = torch.nn.ModuleList(
                [torch.nn.Conv2d(width, width, 3, padding=1, bias=bias) for _ in between]
            )
            self.bn_layer_list = torch.nn.ModuleList([norm(width) for _ in between])
            self.last_layer = torch.nn.Conv2d(width, 1, 3, padding=1, bias=bias)

        def forward(self, x: Any) -> Any:
            y = functional.relu(self.first_layer(x))
            for conv, norm in zip(self.hidden_layer_list, self.bn_layer_list):
                y = functional.relu(norm(conv(y)))
            return x - self.last_layer(y)

    return DnCNN()


def unet(*, bias: bool, residual: bool) -> Any:
    """The U-Net of Mohan et al. 2020: one coarser scale, with dilated convolutions.

    Args:
        bias: of all convolutions but the last.
        residual: it estimates the noise and subtracts it; otherwise the picture itself.
    """
    import torch  # optional
    from torch.nn import functional

    class UNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            conv = torch.nn.Conv2d
            self.conv1 = conv(1, 32, 5, padding=2, bias=bias)
            self.conv2 = conv(32, 32, 3, padding=1, bias=bias)
            self.conv3 = conv(32, 64, 3, stride=2, padding=1, bias=bias)
            self.conv4 = conv(64, 64, 3, padding=1, bias=bias)
            self.conv5 = conv(64, 64, 3, dilation=2, padding=2, bias=bias)
            self.conv6 = conv(64, 64, 3, dilation=4, padding=4, bias=bias)
            self.conv7 = torch.nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1, bias=bias)
            self.conv8 = conv(96, 32, 3, padding=1, bias=bias)
            self.conv9 = conv(32, 1, 5, padding=2, bias=False)

        def forward(self, x: Any) -> Any:
            height, width = x.shape[-2:]
            even = functional.pad(x, (0, width % 2, 0, height % 2))
            fine = functional.relu(self.conv2(functional.relu(self.conv1(even))))
            y = fine
            for layer in (self.conv3, self.conv4, self.conv5, self.conv6, self.conv7):
                y = functional.relu(layer(y))
            y = self.conv9(functional.relu(self.conv8(torch.cat([y, fine], dim=1))))
            return ((even - y) if residual else y)[..., :height, :width]

    return UNet()


def prenet(*, blocks: int, recurrences: int = 6, width: int = 32) -> Any:
    """PReNet (Ren et al. 2019): an LSTM over stages; each adds a correction to the rainy picture.

    Args:
        blocks: residual blocks with weights of their own; 1 for PReNet_r, where five share theirs.
        recurrences: stages.
        width: channels.
    """
    import torch  # optional
    from torch.nn import functional

    def layers(channels: int, *kinds: Any) -> Any:
        made = []
        for kind in kinds:
            made += [torch.nn.Conv2d(channels, width, 3, padding=1), kind()]
            channels = width
        return torch.nn.Sequential(*made)

    class PReNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            nn = torch.nn
            self.conv0 = layers(6, nn.ReLU)
            for number in range(1, blocks + 1):
                self.add_module(f"res_conv{number}", layers(width, nn.ReLU, nn.ReLU))
            self.conv_i, self.conv_f = (layers(2 * width, nn.Sigmoid) for _ in "if")
            self.conv_g = layers(2 * width, nn.Tanh)
            self.conv_o = layers(2 * width, nn.Sigmoid)
            self.conv = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1))

        def forward(self, rainy: Any) -> Any:
            clean = rainy
            hidden = cell = rainy.new_zeros(len(rainy), width, *rainy.shape[-2:])
            for _ in range(recurrences):
                joint = torch.cat([self.conv0(torch.cat([rainy, clean], 1)), hidden], 1)
                cell = self.conv_f(joint) * cell + self.conv_i(joint) * self.conv_g(joint)
                hidden = self.conv_o(joint) * torch.tanh(cell)
                y = hidden
                for number in range(5):
                    block = getattr(self, f"res_conv{number % blocks + 1}")
                    y = functional.relu(block(y) + y)
                clean = rainy + self.conv(y)
            return clean

    return PReNet()
