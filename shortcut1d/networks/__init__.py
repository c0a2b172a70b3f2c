"""Denoisers over any number of axes: plain networks, and priors of clean content."""

import functools
from collections.abc import Callable
from typing import Any

from shortcut1d import errors
from shortcut1d.networks.attention import Attention
from shortcut1d.networks.autoencoder import Autoencoder, Search
from shortcut1d.networks.conv import MLP, ConvNet, WithDropout
from shortcut1d.networks.deep_prior import DeepPrior
from shortcut1d.networks.diffusion import Diffusion
from shortcut1d.networks.network import (
    Chain,
    Network,
    Params,
    abstract,
    apply,
    build,
    denoiser,
    has_fixed_weights,
    init,
    objective,
    post_step,
)
from shortcut1d.networks.resnet import ResNet
from shortcut1d.networks.unet import UNet

__all__ = [
    "MLP", "NETWORKS", "Attention", "Autoencoder", "Chain", "ConvNet", "DeepPrior", "Diffusion",
    "Network", "Params", "ResNet", "Search", "UNet", "WithDropout", "abstract", "apply", "build",
    "denoiser", "has_fixed_weights", "init", "make", "objective", "post_step",
]  # fmt: skip

NETWORKS: dict[str, Callable[..., Any]] = {
    "conv": ConvNet,
    "residual": ResNet,
    "mlp": MLP,
    "unet": UNet,
    "attention": Attention,
    "autoencoder": Autoencoder,
    "search": Search,
    "diffusion": Diffusion,
    "deep prior": DeepPrior,
}
make = functools.partial(errors.call_by_name, "network", NETWORKS)
"""`make("conv", width=8)`: the network called by name, its arguments checked."""
