"""PReNet, after Ren et al. 2019."""

from typing import Any

STAGES, WIDTH = 6, 32  # of the recurrence, and channels


def prenet(*, blocks: int) -> Any:
    """PReNet (Ren et al. 2019): an LSTM over stages; each adds a correction to the rainy picture.

    Args:
        blocks: residual blocks with weights of their own; 1 for PReNet_r, where five share theirs.
    """
    import torch  # optional
    from torch.nn import functional

    def layers(channels: int, *kinds: Any) -> Any:
        made = []
        for kind in kinds:
            made += [torch.nn.Conv2d(channels, WIDTH, 3, padding=1), kind()]
            channels = WIDTH
        return torch.nn.Sequential(*made)

    class PReNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            nn = torch.nn
            self.conv0 = layers(6, nn.ReLU)
            for number in range(1, blocks + 1):
                self.add_module(f"res_conv{number}", layers(WIDTH, nn.ReLU, nn.ReLU))
            self.conv_i, self.conv_f = (layers(2 * WIDTH, nn.Sigmoid) for _ in "if")
            self.conv_g = layers(2 * WIDTH, nn.Tanh)
            self.conv_o = layers(2 * WIDTH, nn.Sigmoid)
            self.conv = nn.Sequential(nn.Conv2d(WIDTH, 3, 3, padding=1))

        def forward(self, rainy: Any) -> Any:
            clean = rainy
            hidden = cell = rainy.new_zeros(len(rainy), WIDTH, *rainy.shape[-2:])
            for _ in range(STAGES):
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
