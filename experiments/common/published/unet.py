"""The U-Net of Mohan et al. 2020, appendix A."""

from typing import Any


def unet(*, bias: bool, residual: bool) -> Any:
    """The U-Net of Mohan et al. 2020: one coarser scale, with dilated convolutions.

    Args:
        bias: whether all convolutions but the last add one.
        residual: whether it estimates the noise and subtracts it, or estimates the picture itself.
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
