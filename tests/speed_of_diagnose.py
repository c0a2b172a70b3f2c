"""How long `diagnose` takes, in forward passes over one test's samples, and in how much memory.

`python tests/speed_of_diagnose.py [network ...]` prints a line a network. F is the time of one
forward pass over the samples of one test, in the batches that `diagnose` takes, timed before and
after; three sets of samples are unseen, and all options are the defaults.
"""

import resource
import subprocess
import sys
import time

import jax
import numpy as np

from shortcut1d import diagnose, from_torch, networks
from shortcut1d.diagnosis.outputs import batch_for

SIZE, SAMPLES = 256, 64
SMALLER = {"conv": 64}  # it lays every neighbourhood out in memory


def dncnn():
    """DnCNN of 17 layers and 64 channels, with batch normalisation, for colour."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.ReLU()]
    for _ in range(15):
        layers += [torch.nn.Conv2d(64, 64, 3, padding=1, bias=False), torch.nn.BatchNorm2d(64)]
        layers += [torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Conv2d(64, 3, 3, padding=1))

    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return x - self.net(x)

    return from_torch(Residual().eval()), 3


def unet():
    """The U-Net of Mohan et al. 2020, for grey."""
    sys.path.insert(0, "experiments")
    from common import published

    return from_torch(published.unet(bias=True, residual=True).eval()), 1


def conv():
    """This package's convolutional network, in JAX, for grey."""
    net = networks.ConvNet(width=24)
    params = networks.init(net, jax.random.key(0), (SMALLER["conv"],) * 2, 1)
    return jax.jit(networks.denoiser(net, params)), 1


NETWORKS = {"dncnn": dncnn, "unet": unet, "conv": conv}


def pictures(seed, size, channels):
    """Blocks of random grey or colour."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(0.1, 0.9, (SAMPLES, size // 8, size // 8, channels)).astype(np.float32)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def noise(seed, shape):
    return 0.1 * np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def measure(name):
    """One line on a network."""
    model, channels = NETWORKS[name]()
    size = SMALLER.get(name, SIZE)
    clean, new = pictures(0, size, channels), pictures(1, size, channels)
    degraded = clean + noise(2, clean.shape)
    batch = batch_for(clean[0].size)

    def forward():
        begun = time.perf_counter()
        for first in range(0, SAMPLES, batch):
            np.asarray(model(degraded[first : first + batch]))
        return time.perf_counter() - begun

    np.asarray(model(degraded[:batch]))  # compiled, and warm
    before = forward()
    begun = time.perf_counter()
    diagnose(
        model,
        clean,
        degraded,
        unseen_content=(new, new + noise(3, new.shape)),
        unseen_degradation={
            "signs": (clean, clean + 0.1 * np.sign(noise(4, clean.shape))),
            "other noise": (clean, clean + noise(5, clean.shape)),
        },
        pictures=True,
    )
    took = time.perf_counter() - begun
    of_one = (before + forward()) / 2
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.stdout.write(
        f"{name}: {SAMPLES} samples of {size} x {size} x {channels}: F {of_one:.1f} s, "
        f"diagnose {took:.1f} s = {took / of_one:.1f} F, {gigabytes:.1f} GiB at most\n"
    )


if __name__ == "__main__":
    if len(sys.argv) == 2:
        measure(sys.argv[1])
    else:
        for each in sys.argv[1:] or NETWORKS:
            subprocess.run([sys.executable, __file__, each], check=True)
