"""A report as one figure."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from shortcut1d import plotting
from shortcut1d.diagnosis.inputs import SLACK
from shortcut1d.diagnosis.report.verdict import interval_of, sentence

COLORS = [
    plotting.BLUE, plotting.ORANGE, plotting.GREEN, plotting.PINK, plotting.SKY, plotting.RED,
]  # fmt: skip
BANDS, VALUES, SHOWN = "gains by band: ", "singular values", "shown: "  # keys of a figure's arrays
MAX_SHOWN = 6
MAX_WAVEFORMS = 4  # waveforms in a row


def draw(table: pd.DataFrame, arrays: dict[str, np.ndarray], *, titled: bool = True) -> Figure:
    """A report's figure.

    Args:
        table: of `Report.to_frame`.
        arrays: of `Report.arrays`: frequency edges of the bands; gains of content and residual by
            test and band; singular values of the Jacobian, if there are any; by test a sample's
            input, target and output.
        titled: whether the verdict stands above the figure.
    """
    shown = {n.removeprefix(SHOWN): v for n, v in arrays.items() if n.startswith(SHOWN)}
    by_band = {n.removeprefix(BANDS): v for n, v in arrays.items() if n.startswith(BANDS)}
    rank = next(iter(shown.values())).ndim - 2
    tall = 1.1 * ((len(shown) + 1) // 2) if rank > 1 else 1.9
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 2.7 + tall), layout="constrained")
        if titled:
            figure.suptitle(sentence(table), x=0.01, ha="left", fontsize=7.5, wrap=True)
        halves: Any = figure.subfigures(2, 1, height_ratios=[2.6, tall])
        above, below = halves
        known = VALUES in arrays
        plane, bands, *values = above.subplots(
            1, 2 + known, width_ratios=[1.2, 1, 1] if known else [1, 1.6]
        )
        plotting.transfer_plane(plane)
        kept, removed = interval_of(table, "kept"), interval_of(table, "removed")
        if np.isfinite(kept.estimate) and np.isfinite(removed.estimate):
            plotting.cross(plane, kept, removed, plotting.BLUE, "o")
        centres = (arrays["edges"][1:] + arrays["edges"][:-1]) / 2
        for (name, (kept_in_band, leaked)), color in zip(by_band.items(), COLORS * len(by_band)):
            bands.plot(centres, kept_in_band, color=color, label=name)
            bands.plot(centres, leaked, color=color, linestyle="--")
        bands.set_ylim(-0.25, 1.25)
        bands.set_xlabel("frequency (cycles per window)")
        bands.set_ylabel("gain (solid content, dashed residual)")
        bands.legend(fontsize=6, loc="best")
        for axes in values:
            for row in arrays[VALUES]:
                axes.plot(np.arange(1, len(row) + 1), row, ".-", color=plotting.BLUE, alpha=0.5)
            axes.set_xlabel("singular value of the Jacobian")
            axes.set_ylim(bottom=0)
        if rank > 1:
            slices = [(name, _in_view(middle_slices(parts))) for name, parts in shown.items()]
            plotting.pictures(below, slices)
            return figure
        panels = below.subplots(1, min(len(shown), MAX_WAVEFORMS), squeeze=False)[0]
        for axes, (name, parts) in zip(panels, shown.items()):
            axes.set_title(name, fontsize=7)
            degraded, clean, output = parts[..., 0]
            plotting.waveforms(axes, degraded, clean, output, plotting.BLUE)
            axes.set_yticks([])
            axes.set_xlabel("sample")
        panels[0].legend(fontsize=6, loc="upper right")
        return figure


def _in_view(parts: np.ndarray) -> np.ndarray:
    """Degraded, clean and output; `stretched` if the clean one leaves [0, 1]."""
    inside = parts[1].min() >= -SLACK and parts[1].max() <= 1 + SLACK
    return parts if inside else stretched(parts)


def stretched(parts: np.ndarray) -> np.ndarray:
    """Degraded, clean and output, stretched so that the clean one goes from 0 to 1."""
    low, high = parts[1].min(), parts[1].max()
    return (parts - low) / ((high - low) or 1)


def middle_slices(parts: np.ndarray) -> Float[np.ndarray, "parts height width channels"]:
    """Pictures, or the middle slices of volumes."""
    while parts.ndim > 4:
        parts = parts[:, parts.shape[1] // 2]
    return parts
