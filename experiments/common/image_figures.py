"""The figures of the studies on pictures: a crop that all networks are given, curves with bands."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from common.image_tasks import MATCHED, OWN, PANEL
from shortcut1d import plotting
from shortcut1d.analysis import interval_each
from shortcut1d.data.crops import crops
from shortcut1d.data.images import Photographs
from shortcut1d.training import evaluation
from shortcut1d.training.evaluation import Run, TestSet
from shortcut1d.training.sweep import Swept
from shortcut1d.training.tables import array_of

SHOWN = 128  # pixels along each side of the crop in figures, where pictures are that large
PLACE = (50, 60, 120)  # of the crop: number of the new photograph, top, left


def examples(
    runs: Sequence[Run], swept: Swept, shown: Sequence[tuple[str, str]]
) -> dict[str, np.ndarray]:
    """A crop of a new photograph, as the networks whose weights were kept leave it.

    Args:
        runs: those of the sweep.
        swept: what it left.
        shown: name and strength of the degradations of the panel to show.

    Returns:
        input, target and output, `(3, *space, channels)`, by degradation and number of photographs.
    """
    crop = crop_to_show(runs[0])
    chosen: dict[str, tuple[Any, TestSet]] = {}
    for position, params in swept.weights.items():
        run = runs[position]
        for test in run.tests:
            if test.role == PANEL and (test.degradation_name, test.labels["strength"]) in shown:
                title = f"{test.degradation_name}; {run.labels['pool']}"
                chosen[title] = params, shown_on(test, crop)
    drawn = evaluation.windows(runs[0].cell.network, list(chosen.values()))
    return dict(zip(chosen, drawn.astype(np.float32), strict=True))


def crop_to_show(run: Run) -> Photographs:
    """The crop that figures show, of a photograph new to a run, as a family that draws no other."""
    photographs: Any = run.tests[0].content
    held, size = photographs.held, photographs.size
    sources = [held, *(getattr(test.degradation, "seen", held) for test in run.tests)]
    if min(source.extents.value.min() for source in sources) >= SHOWN:
        size = SHOWN
    number, *corner = PLACE
    number = int(held.order[number % len(held.order)])
    top, left = np.minimum(corner, held.extents.value[number] - size)
    crop = held.pictures.value[number, top : top + size, left : left + size]
    only = crops([crop / 255])
    return Photographs(only, only, size)


def shown_on(test: TestSet, crop: Photographs) -> TestSet:
    """The test with its degradation on the crop that figures show."""
    degradation: Any = test.degradation
    return test._replace(content=crop, degradation=dataclasses.replace(degradation, size=crop.size))


def draw_curve(
    axes: Axes, values: xr.DataArray, label: str, color: str, all_values: Any = None
) -> None:
    """A curve with its band, along the axis that is not the seeds; ticks show the axis's values.

    all_values: of that axis, where the curve has only some of them.
    """
    (along,) = (dim for dim in values.dims if dim != "seed")
    names = list(values[along].values if all_values is None else all_values)
    places = [names.index(value) for value in values[along].values]
    mean = interval_each(values.transpose("seed", along))
    plotting.curve(axes, places, mean, color, "o-", markersize=2.5, label=label)
    axes.set_xticks(range(len(names)), [f"{value:g}" for value in names], fontsize=5.5)


def draw_gains(
    axes: Axes, psnr: Callable[[str], xr.DataArray], known: str, others: Sequence[str]
) -> None:
    """PSNR gained along an axis, under the known rain, and under others of either strength.

    psnr: of a strength, `(seed, along, tested)`; see `image_tasks.psnr_of`.
    """
    for how, tested, label, color in (
        (OWN, [known], "the rain it knows", plotting.BLUE),
        (OWN, others, "other rain", plotting.RED),
        (MATCHED, others, "other rain, as strong", plotting.ORANGE),
    ):
        values = psnr(how).sel(tested=tested).mean("tested", skipna=False)
        draw_curve(axes, values - values[:, 0], label, color)


def draw_structure(axes: Axes, found: pd.DataFrame, along: str) -> None:
    """What networks know of the structure of rain and photographs, along a column of `found`.

    found: see `tables.structures`.
    """
    for column, label, color in (
        ("of_degradation", "$d_D$, the rain's", plotting.RED),
        ("of_content", "$d_C$, the photographs'", plotting.BLUE),
        ("psi", "$\\psi = d_C - d_D$", plotting.INK),
    ):
        draw_curve(axes, array_of(found, column, "seed", along), label, color)


def draw_examples(part: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """A line for each degradation: input, target, and of two networks the output and its error."""
    by_test: dict[str, dict[str, np.ndarray]] = {}
    for title, sample in arrays.items():
        name, _, pool = title.partition("; ")
        by_test.setdefault(name, {})[pool] = sample
    panels = part.subplots(len(by_test), 6, squeeze=False)
    for row, (name, of_pools) in zip(panels, by_test.items(), strict=True):
        given, target, _ = next(iter(of_pools.values()))
        shown = [(name, given), ("clean", target)]
        for pool, (_, _, output) in of_pools.items():
            shown += [(f"{pool} photographs", output), ("its error", output - target)]
        for axes, (title, picture) in zip(row, shown, strict=False):
            axes.set_title(title, fontsize=6, loc="left", pad=2)
            if title == "its error":
                error = axes.imshow(picture.mean(axis=-1), cmap="RdBu_r", vmin=-0.3, vmax=0.3)
            else:
                axes.imshow(np.clip(picture, 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
    for axes in panels.flat:
        axes.set_axis_off()
    plotting.color_bar(part, error, panels[:, -1], fraction=0.05, ticks=[-0.3, 0, 0.3])
