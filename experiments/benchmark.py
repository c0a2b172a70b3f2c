"""How fast the grid trains, against the same networks one after the other, here and in PyTorch.

All rivals run in turns in one process, so that ratios hold whatever else the machine does. PyTorch
is given batches that are already drawn; the grid draws its own. A profile says what a step of the
grid is made of. Without PyTorch (pip install -e ".[torch]") its rows are left out.
"""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from common.rivals import Race, Rival, eager, in_turns, peak_memory, useful_flops, vmapped
from jaxtyping import Array
from matplotlib.figure import Figure

from shortcut1d import errors, networks, plotting
from shortcut1d.analysis import interval
from shortcut1d.data import composition, degradations, image_degradations, images, signals
from shortcut1d.data.family import draw_pair
from shortcut1d.harness.claims import Claim, claim, ratio_of_means
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.harness.options import option
from shortcut1d.networks.autoencoder import Autoencoder
from shortcut1d.training import grid, loop
from shortcut1d.training.evaluation import SEEN, EvalConfig, Run, TestSet
from shortcut1d.training.gradient import loss_and_gradient
from shortcut1d.training.grid import Cell, ProgressReport
from shortcut1d.training.loop import Schedule
from shortcut1d.training.sweep import Session, sweep

LENGTH = signals.WINDOW
GRID, ALONE, PRODUCT = "grid", "one by one", "matrix product"
EAGER, LAST, VMAP = "PyTorch, one by one", "PyTorch, channels_last", "PyTorch, torch.func.vmap"
ONE = jax.jit(loop.train, static_argnums=(3, 4))
DATA, GRADIENT, WHOLE = "drawing the data", "gradient", "whole step"
# What is claimed, by device and network: at least so many times the rate of PyTorch's loop in its
# better memory format, and at least this share of the matrix product's rate. None: no claim.
# Networks on pictures are named by the pictures' side and the network's channels.
BARS: dict[str, dict[str, tuple[float | None, float | None]]] = {
    "cpu": {
        "mlp": (6.0, 0.45), "conv": (1.5, 0.45), "vq": (1.0, None), "32 px x 12": (1.0, 0.45),
        "64 px x 24": (0.85, None), "64 px x 48": (0.7, None),
    },
    "gpu": {
        "mlp": (1000.0, 0.3), "conv": (300.0, 0.3), "vq": (300.0, None),
        "32 px x 12": (300.0, 0.3),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """What is timed."""

    rounds: int = option(5, "times each rival is timed")
    cells: int = option(16, "cells of the grid of MLPs")
    conv_cells: int = option(4, "cells of the grids of convolutional nets")
    steps: int = option(60, "training steps of a cell in the grid")
    batch: int = option(64, "samples a step")
    mlp_width: int = option(128, "hidden units of the MLP")
    mlp_depth: int = option(4, "layers of the MLP")
    conv_width: int = option(32, "channels of the convolutional net")
    conv_depth: int = option(5, "layers of the convolutional net")
    picture_sizes: tuple[int, ...] = option((32, 64, 64, 64), "pixels along each side of pictures")
    picture_widths: tuple[int, ...] = option(
        (12, 12, 24, 48), "channels of the convolutional net on pictures of each of these sizes"
    )
    picture_depth: int = option(6, "layers of the convolutional nets on pictures, kernel 3")
    picture_batch: int = option(8, "pictures a step")
    picture_steps: int = option(8, "training steps of a cell on pictures")
    vq_width: int = option(32, "channels of the autoencoder with a discrete code")
    vq_batch: int = option(16, "samples a step of the autoencoder")
    product: int = option(2048, "rows and columns of the matrix product")
    sizes: tuple[int, ...] = option((1, 4, 16, 64, 256, 1024, 4096), "grids whose cost is compared")

    def __post_init__(self) -> None:
        errors.check_types(self)
        errors.integer_fields(self, "cells", "conv_cells", "product")
        errors.integer("rounds", self.rounds, low=2)
        errors.non_empty("sizes", self.sizes, "at least one")
        for size in self.sizes:
            errors.integer("sizes", size)
        Schedule(self.steps, self.batch)
        if len(self.picture_sizes) != len(self.picture_widths):
            count = len(self.picture_sizes)
            raise errors.refuse("picture_widths", self.picture_widths, f"{count}, one a size")
        with errors.reported_as("picture_depth"):
            networks.ConvNet(depth=self.picture_depth)
        with errors.reported_as("picture_steps"):
            Schedule(self.picture_steps)
        for field in ("picture_batch", "vq_batch"):
            with errors.reported_as(field):
                Schedule(batch=getattr(self, field))
        races(self)


def races(config: Config) -> dict[str, Race]:
    """The networks that are timed, by name."""
    found = {
        "mlp": Race(
            networks.MLP(config.mlp_width, config.mlp_depth), (LENGTH,), config.batch, config.cells,
            config.steps,
        ),
        "conv": Race(
            networks.ConvNet(config.conv_width, config.conv_depth, kernel=9), (LENGTH,),
            config.batch, config.conv_cells, config.steps,
        ),
        "vq": Race(
            Autoencoder(config.vq_width), (LENGTH,), config.vq_batch, config.conv_cells,
            config.steps,
        ),
    }  # fmt: skip
    for size, width in zip(config.picture_sizes, config.picture_widths, strict=True):
        net = networks.ConvNet(
            width, config.picture_depth, kernel=3, dilations=(1,) * config.picture_depth,
            edges="reflect",
        )  # fmt: skip
        found[f"{images.checked_size(size)} px x {width}"] = Race(
            net, (size, size), config.picture_batch, config.conv_cells, config.picture_steps
        )
    return found


def cells_of(race: Race, count: int) -> list[Cell]:
    """Cells that differ in content, degradation and seed."""
    if isinstance(race.network, Autoencoder):
        clean = composition.nothing(*race.space, 1)
        pairs: list[Any] = [(signals.melody(2 + i % 8), clean) for i in range(count)]
    elif len(race.space) == 1:
        pairs = [(signals.band(1 + i % 60), degradations.clicks(1 + i % 256)) for i in range(count)]
    else:
        size = race.space[0]
        rains = [image_degradations.rain(name, size=size) for name in image_degradations.RANGES]
        pairs = [
            (images.field(high=1 + i % (size // 2 - 1), size=size), rains[i % len(rains)])
            for i in range(count)
        ]
    return [Cell(content, rain, race.network, i) for i, (content, rain) in enumerate(pairs)]


def run(config: Config, session: Session) -> Result:
    """Time grids of every size, small ones first for the peak of memory; then all rivals."""
    total = 2 * len(races(config)) + len(config.sizes)
    tables: list[pd.DataFrame] = []
    for size in sorted(config.sizes):
        session.progress(ProgressReport(len(tables), total, 0))
        tables.append(_of_size(size))
    for name, race in races(config).items():
        session.progress(ProgressReport(len(tables), total, 0))
        tables += [_rivals(config, name, race), _profile(config, name, race)]
    session.progress(ProgressReport(total, total, 0))
    return Result(pd.concat(tables, ignore_index=True).assign(device=jax.default_backend()))


def _rivals(config: Config, name: str, race: Race) -> pd.DataFrame:
    schedule, cells = Schedule(race.steps, race.batch), cells_of(race, race.cells)
    some = cells[: max(1, race.cells // 8)]
    square = jax.random.normal(jax.random.key(0), (config.product, config.product))
    multiply = jax.jit(lambda a: a @ a)

    def alone(cell: Cell) -> object:
        families = cell.content, cell.degradation
        return jax.block_until_ready(ONE(cell.key(), *families, race.network, schedule))

    rivals: dict[str, Rival] = {
        GRID: (lambda: grid.train(cells, schedule), len(cells) * schedule.steps),
        ALONE: (lambda: [alone(cell) for cell in some], len(some) * schedule.steps),
        PRODUCT: (lambda: jax.block_until_ready(multiply(square)), 0),
    }
    if importlib.util.find_spec("torch"):
        rivals[EAGER] = eager(race), race.steps
        if isinstance(race.network, networks.ConvNet):
            rivals[LAST] = eager(race, channels_last=True), race.steps
        if not isinstance(race.network, Autoencoder):  # its moving averages are not for torch.func
            models = 8 if len(race.space) == 1 else 2
            rivals[VMAP] = vmapped(race, models), models * race.steps
    table = in_turns(rivals, config.rounds, part="rivals", network=name, cells=race.cells)
    flops = table["model_steps_per_second"] * useful_flops(race)
    product = 2 * config.product**3 / table["seconds"]
    return table.assign(gflops=flops.where(table["rival"] != PRODUCT, product) / 1e9)


def _profile(config: Config, name: str, race: Race) -> pd.DataFrame:
    """A step of one network on one device taken apart: drawing the data, the gradient, the rest."""
    network, schedule = race.network, Schedule(race.steps, race.batch)
    cell = cells_of(race, 1)[0]
    key, families = cell.key(), (cell.content, cell.degradation)
    state = loop.start(key, cell.content, cell.init_params, schedule.pace(), network, schedule)
    pair = draw_pair(key, *families, race.batch)

    def many(function: Callable[[Array], Array]) -> Rival:
        def body(total: Array, step: Array) -> tuple[Array, None]:
            return total + function(jax.random.fold_in(key, step)), None

        looped = jax.jit(lambda: jax.lax.scan(body, jnp.float32(0), jnp.arange(race.steps))[0])
        return lambda: jax.block_until_ready(looped()), race.steps

    def data(key: Array) -> Array:
        clean, degraded = draw_pair(key, *families, race.batch)
        return jnp.sum(clean) + jnp.sum(degraded)

    def gradient(key: Array) -> Array:
        # Change the batch at every step, or the compiler would compute the gradient only once.
        moved = 1 + 1e-6 * jax.random.uniform(key)
        loss, gradient = loss_and_gradient(
            state.params, pair[0], moved * pair[1], network, schedule.loss
        )
        return loss + optax.tree.sum(gradient)

    def whole() -> object:
        return jax.block_until_ready(ONE(key, *families, network, schedule))

    parts = {DATA: many(data), GRADIENT: many(gradient), WHOLE: (whole, race.steps)}
    return in_turns(parts, config.rounds, part="profile", network=name, cells=1)


def _of_size(size: int) -> pd.DataFrame:
    """A whole sweep of so many small MLPs, tests and all: what a cell costs, and the memory."""
    network = networks.MLP(width=16, depth=2)
    schedule = Schedule(steps=5, batch=16)
    eval_config = EvalConfig(samples=16)
    race = Race(network, (LENGTH,), schedule.batch, size, schedule.steps)
    runs = [
        Run(c, "mlp", str(i), str(i), [TestSet(SEEN, "band", "clicks", c.content, c.degradation)])
        for i, c in enumerate(cells_of(race, size))
    ]
    work = lambda: sweep(runs, schedule, eval_config, Session()), size * schedule.steps
    table = in_turns({GRID: work}, 2, part="sizes", network="small mlp", cells=size)
    return table.assign(memory=peak_memory())


def claims(table: pd.DataFrame) -> list[Claim]:
    """That the grid is as fast as `BARS` say, by ratios of rates of the same rounds."""
    bars = BARS["cpu" if table["device"].iloc[0] == "cpu" else "gpu"]
    made = []
    for name, (times, share) in bars.items():
        for rivals, word, statistic, column, bar in (
            ((EAGER, LAST), "PyTorch's loop", "rate / rate", "model_steps_per_second", times),
            ((PRODUCT,), "a matrix product", "useful FLOP/s", "gflops", share),
        ):
            rates = _by_round(table, name, column)
            if bar is None or rates.empty:
                continue
            # Without PyTorch its times are NaN.
            pairs = rates.reindex(columns=[GRID, _fastest(rates, rivals)])
            made.append(
                claim(
                    f"{name} grid against {word}", statistic, pairs.to_numpy(), above=bar,
                    of=ratio_of_means, over="rounds",
                )
            )  # fmt: skip
    return made


def _fastest(rates: pd.DataFrame, rivals: Sequence[str]) -> str:
    """The one of some rivals that has the highest rate."""
    return max(rivals, key=lambda rival: rates[rival].mean() if rival in rates else -np.inf)


def _by_round(table: pd.DataFrame, network: str, column: str) -> pd.DataFrame:
    chosen = table[(table["part"] == "rivals") & (table["network"] == network)]
    return chosen.pivot_table(index="round", columns="rival", values=column)


PROFILE = (plotting.ORANGE, plotting.SKY, plotting.GREY)
COLORS = {
    GRID: plotting.BLUE, ALONE: plotting.SKY, VMAP: plotting.ORANGE, EAGER: plotting.PINK,
    LAST: plotting.RED,
}  # fmt: skip


def plot(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """Rates of all rivals, and what a cell costs in grids of different sizes."""
    figure = plotting.new_figure(6.2)
    parts: Any = figure.subfigures(2, 1, height_ratios=[1.9, 1])
    above, below = parts
    _draw_rates(above.subplots(), table)
    profile, sizes = below.subplots(1, 2, width_ratios=[1.2, 1])
    _draw_profile(profile, table)
    part = table[table["part"] == "sizes"]
    best = part.assign(each=1e3 * part["seconds"] / part["cells"]).groupby("cells")["each"]
    cells = list(best.groups)
    sizes.vlines(cells, best.min(), best.max(), color=plotting.BLUE)
    sizes.plot(cells, best.min(), "o-", color=plotting.BLUE, markersize=3)
    sizes.set_xscale("log", base=4)
    sizes.set_xticks(cells, [f"{count}" for count in cells], fontsize=6)
    sizes.set_yscale("log")
    sizes.set_ylim(1, 100)
    sizes.set_yticks([1, 10, 100], ["1", "10", "100"])
    sizes.set_xlabel("cells of the grid (small MLPs)")
    sizes.set_ylabel("milliseconds a cell", color=plotting.BLUE)
    memory = sizes.twinx()
    peaks = part.groupby("cells")["memory"].max()
    memory.plot(peaks.index, peaks, "s--", color=plotting.ORANGE, markersize=3)
    memory.set_ylim(0, 1.3 * peaks.max())
    memory.set_ylabel("peak memory (MiB)", color=plotting.ORANGE)
    return figure


def _draw_profile(axes: Any, table: pd.DataFrame) -> None:
    """What share of a step goes where; what is neither data nor gradient is Adam and the rest."""
    chosen = table[table["part"] == "profile"]
    seconds = chosen.pivot_table(index=["network", "round"], columns="rival", values="seconds")
    names = list(chosen["network"].unique())[::-1]
    for row, name in enumerate(names):
        mean: Any = seconds.loc[name].mean()
        shares = {part: mean[part] / mean[WHOLE] for part in (DATA, GRADIENT)}
        shares["Adam and the rest"] = max(0.0, 1 - sum(shares.values()))
        left = 0.0
        for (part, share), color in zip(shares.items(), PROFILE, strict=True):
            axes.barh(row, share, left=left, color=color, height=0.6, label=None if row else part)
            if share > 0.08:
                axes.text(
                    left + share / 2, row, f"{share:.0%}", ha="center", va="center", fontsize=6,
                    clip_on=True,  # parts that were timed apart may add up to more than the step
                )  # fmt: skip
            left += share
    steps = (
        1e3 / chosen[chosen["rival"] == WHOLE].groupby("network")["model_steps_per_second"].mean()
    )
    axes.set_yticks(
        range(len(names)), [f"{name}: {steps[name]:.3g} ms" for name in names], fontsize=6
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.5, len(names) + 0.3)
    axes.set_xlabel("share of a step of one network on one device")
    axes.legend(loc="upper center", ncols=3, fontsize=6, handlelength=1)


def _draw_rates(axes: Any, table: pd.DataFrame) -> None:
    row = 0.0
    ticks = []
    for name in table.loc[table["part"] == "rivals", "network"].unique()[::-1]:
        rates = _by_round(table, name, "model_steps_per_second")
        flops = _by_round(table, name, "gflops")
        for rival in (EAGER, LAST, VMAP, ALONE, GRID):
            if rival not in rates:
                continue
            rate = interval(rates[rival].to_numpy())
            plotting.bar(axes, rate, row, COLORS[rival], "o")
            ticks.append((row, f"{name}: {rival}"))
            row += 1
            if rival not in flops:
                continue
            share = interval(flops[[rival, PRODUCT]].to_numpy(), ratio_of_means)
            axes.annotate(
                f"{share.estimate:.0%} of a matrix product", (rate.high, row - 1), (5, 0),
                textcoords="offset points", va="center", fontsize=6, color=plotting.GREY,
            )  # fmt: skip
        row += 0.6
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.set_xscale("log")
    axes.set_xlabel("model-steps a second (mean of rounds, 95% interval)")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * 6)


experiment = Experiment(
    name="benchmark",
    message=(
        "The grid against the same networks one after the other in PyTorch, and against a "
        "matrix product on the same cores."
    ),
    presets={
        "smoke": Config(
            rounds=2, cells=4, conv_cells=2, steps=2, batch=4, mlp_width=4, conv_width=2,
            picture_sizes=(16,), picture_widths=(2,), picture_batch=2, picture_steps=2, vq_width=2,
            vq_batch=2, product=64, sizes=(2,),
        ),
        "quick": Config(),
        "full": Config(rounds=15, cells=1024, conv_cells=256, steps=200, product=8192),
        "kept": Config(),  # 6 minutes on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(experiment))
