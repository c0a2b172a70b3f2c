"""DnCNN, after Zhang et al. 2017; without biases, after Mohan et al. 2020."""

from typing import Any

LAYERS, WIDTH = 20, 64  # convolutions, and channels between them


def dncnn(*, bias: bool) -> Any:
    """DnCNN (Zhang et al. 2017): it estimates the noise and subtracts it.

    Args:
        bias: whether layers add constants; if not, normalisation adds none (Mohan et al. 2020).
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
            between = range(LAYERS - 2)
            self.first_layer = torch.nn.Conv2d(1, WIDTH, 3, padding=1, bias=bias)
            self.hidden_layer_list = torch.nn.ModuleList(
                [torch.nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=bias) for _ in between]
            )
            self.bn_layer_list = torch.nn.ModuleList([norm(WIDTH) for _ in between])
            self.last_layer = torch.nn.Conv2d(WIDTH, 1, 3, padding=1, bias=bias)

        def forward(self, x: Any) -> Any:
            y = functional.relu(self.first_layer(x))
            for conv, norm in zip(self.hidden_layer_list, self.bn_layer_list):
                y = functional.relu(norm(conv(y)))
            return x - self.last_layer(y)

    return DnCNN()
