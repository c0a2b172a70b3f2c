"""The networks of the benchmark in PyTorch, trained in its usual ways; a clock for rivals."""

import itertools
import math
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import pandas as pd

from shortcut1d import networks
from shortcut1d.networks import Network
from shortcut1d.networks.autoencoder import COMMITMENT, Autoencoder
from shortcut1d.networks.quantiser import DEAD, DECAY

# A call to time, which returns when its work is done; and its model-steps (steps of one network).
Rival = tuple[Callable[[], object], int]


class Race(NamedTuple):
    """A network that is timed.

    network: what it is.
    space: shape of a sample, without channels.
    batch: samples a step.
    cells: of its grid.
    steps: of training that are timed.
    """

    network: Network
    space: tuple[int, ...]
    batch: int
    cells: int
    steps: int


def useful_flops(race: Race) -> float:
    """Floating-point operations of one training step that no rival can do without; NaN for an
    autoencoder, whose layers see samples at several resolutions.

    A layer's product goes forwards, backwards to its weights and backwards to its input; the
    first layer's input needs no gradient. Biases, rectifiers and Adam are not counted.
    """
    if isinstance(race.network, Autoencoder):
        return math.nan
    weights = networks.abstract(race.network, race.space, 1)
    kernels = [leaf.size for leaf in jax.tree.leaves(weights) if leaf.ndim == 2]
    dense = isinstance(race.network, networks.MLP)
    places = race.batch if dense else race.batch * math.prod(race.space)
    first = kernels[0] if dense else min(kernels[0], kernels[-1])
    return 2 * places * (3 * sum(kernels) - first)


def torch_network(race: Race, channels_last: bool = False) -> Any:
    """The same network as a PyTorch module, padded with zeros, which PyTorch is quickest at.

    channels_last: whether to use the memory format in which its convolutions are quickest. That
        is for pictures, so a signal becomes a picture of one row.
    """
    import torch  # optional

    network, layers = race.network, []
    if isinstance(network, Autoencoder):
        return _torch_autoencoder(network)
    if isinstance(network, networks.MLP):
        sizes = [*race.space, *[network.width] * (network.depth - 1), *race.space]
        for a, b in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    else:
        assert isinstance(network, networks.ConvNet)
        widths = [1, *[network.width] * (network.depth - 1), 1]
        row = channels_last and len(race.space) == 1
        conv: Any = torch.nn.Conv2d if row or len(race.space) == 2 else torch.nn.Conv1d
        kernel = (1, network.kernel) if row else network.kernel
        for (a, b), d in zip(itertools.pairwise(widths), network.spacing(), strict=True):
            reach = d * (network.kernel // 2)
            padding, dilation = ((0, reach), (1, d)) if row else (reach, d)
            layers += [conv(a, b, kernel, padding=padding, dilation=dilation), torch.nn.ReLU()]
    made = torch.nn.Sequential(*layers[:-1])
    return made.to(memory_format=torch.channels_last) if channels_last else made


def _torch_autoencoder(network: Autoencoder) -> Any:
    """The same autoencoder: its layers, codebooks, moving averages and dead entries."""
    import torch  # optional

    def conv(before: int, after: int) -> Any:
        return torch.nn.Conv1d(
            before, after, network.kernel, padding=network.kernel // 2, padding_mode="circular"
        )

    class Halve(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.cat([x[..., ::2], x[..., 1::2]], dim=1)

    class Double(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.stack(x.chunk(2, dim=1), dim=-1).flatten(-2)

    class Twin(torch.nn.Module):
        books: Any
        uses: Any

        def __init__(self) -> None:
            super().__init__()
            width, relu = network.width, torch.nn.ReLU()
            down = [
                part
                for _ in range(network.levels)
                for part in (Halve(), conv(2 * width, width), relu)
            ]
            up = [
                part
                for _ in range(network.levels)
                for part in (conv(width, 2 * width), relu, Double())
            ]
            self.encoder = torch.nn.Sequential(
                conv(1, width), relu, *down, conv(width, network.latent)
            )
            self.decoder = torch.nn.Sequential(
                conv(network.latent, width), relu, *up, conv(width, 1)
            )
            books = torch.randn(network.books, network.entries, network.dims)
            self.register_buffer("books", books)
            self.register_buffer("uses", torch.full(books.shape[:2], 1 / network.entries))

        def quantised(self, latent: Any) -> tuple[Any, Any, Any]:
            targets = latent.movedim(1, -1).reshape(-1, network.books, network.dims).movedim(1, 0)
            codes = torch.cdist(targets, self.books).argmin(dim=-1)
            found = torch.gather(self.books, 1, codes[..., None].expand(-1, -1, network.dims))
            value = found.movedim(0, 1).reshape(len(latent), latent.shape[-1], -1).movedim(-1, 1)
            return value, codes, targets

        def objective(self, degraded: Any, clean: Any) -> Any:
            latent = self.encoder(degraded)
            value = self.quantised(latent.detach())[0]
            output = self.decoder(latent + (value - latent).detach())
            mse = torch.nn.functional.mse_loss
            return mse(output, clean) + COMMITMENT * mse(latent, value)

        @torch.no_grad()
        def post_step(self, degraded: Any) -> None:
            _, codes, targets = self.quantised(self.encoder(degraded))
            mine = torch.nn.functional.one_hot(codes, network.entries).to(targets.dtype)
            total = DECAY * self.uses[..., None] * self.books
            total += (1 - DECAY) * mine.transpose(1, 2) @ targets / targets.shape[1]
            self.uses.mul_(DECAY).add_((1 - DECAY) * mine.mean(dim=1))
            self.books.copy_(total / self.uses[..., None].clamp_min(1e-12))
            dead = self.uses < DEAD / network.entries
            drawn = targets[
                :, torch.arange(network.entries, device=targets.device) % targets.shape[1]
            ]
            self.books.copy_(torch.where(dead[..., None], drawn, self.books))
            self.uses[dead] = 1 / network.entries

    return Twin()


def _torch_batch(race: Race, *models: int) -> tuple[Any, Any]:
    import torch  # optional

    middle = () if isinstance(race.network, networks.MLP) else (1,)
    clean = torch.randn(*models, race.batch, *middle, *race.space)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return clean.to(device), (clean + torch.randn_like(clean)).to(device)


def eager(race: Race, channels_last: bool = False) -> Callable[[], object]:
    """PyTorch's ordinary training loop, of one network; see `torch_network`."""
    import torch  # optional

    clean, degraded = _torch_batch(race)
    if channels_last:
        clean, degraded = (
            part.reshape(race.batch, 1, -1, race.space[-1]).to(memory_format=torch.channels_last)
            for part in (clean, degraded)
        )
    coded = isinstance(race.network, Autoencoder)
    model = torch_network(race, channels_last).to(clean.device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def train() -> None:
        for _ in range(race.steps):
            optimiser.zero_grad()
            if coded:
                loss = model.objective(clean, clean)
            else:
                loss = torch.nn.functional.mse_loss(model(degraded), clean)
            loss.backward()
            optimiser.step()
            if coded:
                model.post_step(clean)
        if clean.is_cuda:
            torch.cuda.synchronize()

    return train


def vmapped(race: Race, models: int) -> Callable[[], object]:
    """Several networks at once with `torch.func.vmap`, Adam over all of their weights."""
    import torch  # optional

    clean, degraded = _torch_batch(race, models)
    members = [torch_network(race).to(clean.device) for _ in range(models)]
    params, _ = torch.func.stack_module_state(members)
    skeleton = members[0].to("meta")

    def loss_of(weights: Any, degraded: Any, clean: Any) -> Any:
        return torch.nn.functional.mse_loss(
            torch.func.functional_call(skeleton, weights, (degraded,)), clean
        )

    gradients = torch.func.vmap(torch.func.grad(loss_of))
    optimiser = torch.optim.Adam(params.values(), lr=1e-3)

    def train() -> None:
        for _ in range(race.steps):
            with torch.no_grad():
                found = gradients(params, degraded, clean)
            for name, weight in params.items():
                weight.grad = found[name]
            optimiser.step()
        if clean.is_cuda:
            torch.cuda.synchronize()

    return train


def in_turns(rivals: Mapping[str, Rival], rounds: int, **labels: str | int) -> pd.DataFrame:
    """Time each rival once a round, after one call of each that is not counted.

    Args:
        rivals: by name.
        rounds: at least 1.
        labels: columns that are the same in all rows.

    Returns:
        columns `round, rival, seconds, first_seconds`, the last being the call that was not
        counted: with compilation, where there is any; then the labels and
        `model_steps_per_second`.
    """
    firsts = {name: _seconds(work) for name, (work, _) in rivals.items()}
    rows = [
        (number, name, _seconds(work), firsts[name], steps)
        for number in range(rounds)
        for name, (work, steps) in rivals.items()
    ]
    table = pd.DataFrame(rows, columns=["round", "rival", "seconds", "first_seconds", "steps"])
    rate = table.pop("steps") / table["seconds"]
    return table.assign(**labels, model_steps_per_second=rate)


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB; accelerators not counted."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
