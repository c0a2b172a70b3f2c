"""The report of a diagnosis: a table, a sentence, a figure."""

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import decoupled, transfer
from shortcut1d.analysis.intervals import Interval
from shortcut1d.analysis.portrait import Portrait
from shortcut1d.diagnosis.cases import Case
from shortcut1d.diagnosis.measures import Measure

COLORS = [plotting.BLUE, plotting.ORANGE, plotting.GREEN, plotting.PINK]


@dataclass(frozen=True)
class Report:
    """What a denoiser learnt.

    index: kept, removed, `phi`, generality and verdict. measures: every number with its interval.
    bands: frequency edges and, by test, gains of content and layer in each band. portrait: of the
    first network, None where it could not be had. cases, outputs: what it was shown, and the first
    network's answers. networks, samples: how many of each the intervals rest on.
    """

    index: transfer.Index
    measures: list[Measure]
    edges: np.ndarray
    bands: dict[str, decoupled.Gains]
    portrait: Portrait | None
    cases: list[Case]
    outputs: list[np.ndarray]
    networks: int
    samples: int
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str | tuple[str, str]) -> Interval:
        """A measure's interval, `report["rho"]`, or that on one test, `report["nmse", "seen"]`.

        Raises:
            InvalidInput: no such measure, or not on that test; the nearest name is suggested.
        """
        if not (isinstance(name, str) or (isinstance(name, tuple) and len(name) == 2)):
            raise errors.refuse("measure", name, "a name, or a name and a test")
        measure, test = (name, None) if isinstance(name, str) else name
        errors.choice("measure", measure, {line.measure for line in self.measures})
        lines = [line for line in self.measures if line.measure == measure]
        if test is not None:
            errors.choice("test", test, {line.test for line in lines})
            lines = [line for line in lines if line.test == test]
        return lines[0].interval

    @property
    def verdict(self) -> str:
        """One sentence that a person can act on."""
        kept, removed = self["kept"], self["removed"]
        seen = self["removed from seen"]
        said = {
            "content": "fits the content: it will lose content it was not trained on",
            "degradation": "fits the degradation: it will let through what it was not trained on",
            "both": "generalises",
            "neither": "fits neither",
            "unknown": "cannot be judged: kept content and removed degradation need unseen samples",
        }[self.index.verdict]
        parts = [kept, removed]
        if any(part.low < transfer.HALF < part.high for part in parts):
            said += " (a close call: an interval holds the threshold of one half)"
        return (
            f"{said}; removes {_percent(seen)} of the degradation it has seen and "
            f"{_percent(removed)} of one it has not, keeps {_percent(kept)} of content that it has "
            f"not seen (rho {self['rho'].estimate:.2f})."
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a measure: `measure, test, value, low, high, networks, samples, meaning`."""
        return pd.DataFrame(
            [
                {
                    "measure": line.measure,
                    "test": line.test,
                    "value": line.interval.estimate,
                    "low": line.interval.low,
                    "high": line.interval.high,
                    "networks": line.interval.seeds,
                    "samples": self.samples,
                    "meaning": line.meaning,
                }
                for line in self.measures
            ]
        )

    def __repr__(self) -> str:
        over = f"{self.networks} networks x " if self.networks > 1 else ""
        lines = [self.verdict, "", f"95% intervals over {over}{self.samples} samples a test"]
        wide = max(len(line.measure) for line in self.measures)
        far = max(len(line.test) for line in self.measures)
        for line in self.measures:
            bounds = str(line.interval)
            lines.append(f"  {line.measure:{wide}}  {line.test:{far}}  {bounds:24}  {line.meaning}")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def _repr_html_(self) -> str:
        frame = self.to_frame().drop(columns=["networks", "samples"])
        table = frame.to_html(index=False, float_format=lambda value: f"{value:.3g}")
        notes = "".join(f"<p>note: {html.escape(note)}</p>" for note in self.notes)
        return f"<p><b>{html.escape(self.verdict)}</b></p>{table}{notes}"

    def plot(self) -> Figure:
        """The report as one figure: verdict, index, gains by band, singular values, an example."""
        return _draw(self)


def _draw(report: Report) -> Figure:
    rank = len(report.cases[0].clean.shape) - 2
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 4.6), layout="constrained")
        figure.suptitle(report.verdict, x=0.01, ha="left", fontsize=7.5, wrap=True)
        halves: Any = figure.subfigures(2, 1, height_ratios=[1.35, 1])
        above, below = halves
        plane, bands, values = above.subplots(1, 3, width_ratios=[1.2, 1, 1])
        plotting.transfer_plane(plane)
        kept, removed = report["kept"], report["removed"]
        if np.isfinite(kept.estimate) and np.isfinite(removed.estimate):
            plotting.cross(plane, kept, removed, plotting.BLUE, "o")
        centres = (report.edges[1:] + report.edges[:-1]) / 2
        for (name, gains), color in zip(report.bands.items(), COLORS * len(report.bands)):
            bands.plot(centres, gains.content, color=color, label=name)
            bands.plot(centres, gains.degradation, color=color, linestyle="--")
        bands.set_ylim(-0.25, 1.25)
        bands.set_xlabel("frequency (cycles per window)")
        bands.set_ylabel("gain (solid content, dashed layer)")
        bands.legend(fontsize=6, loc="best")
        if report.portrait is not None:
            for row in np.asarray(report.portrait.values):
                values.plot(np.arange(1, len(row) + 1), row, ".-", color=plotting.BLUE, alpha=0.5)
        values.set_xlabel("singular value of the Jacobian")
        values.set_ylim(bottom=0)
        shown = list(zip(report.cases, report.outputs))[:4]
        panels = below.subplots(1, len(shown), squeeze=False)[0]
        for axes, (case, output) in zip(panels, shown):
            axes.set_title(case.name, fontsize=7)
            if rank == 1:
                degraded, clean, answer = (p[0, :, 0] for p in (case.degraded, case.clean, output))
                plotting.waveforms(axes, degraded, clean, answer, plotting.BLUE)
                axes.set_yticks([])
                axes.set_xlabel("sample")
            else:
                shown_parts = [_picture(p[0]) for p in (case.degraded, case.clean, output)]
                axes.imshow(np.concatenate(shown_parts, axis=1), cmap="gray")
                axes.set_axis_off()
        if rank == 1:
            panels[0].legend(fontsize=6, loc="upper right")
        return figure


def _percent(interval: Interval) -> str:
    if np.isnan(interval.estimate):
        return "an unknown share"
    if interval.estimate < -0.005:
        return "less than none"
    return f"{max(100 * interval.estimate, 0):.0f}%"


def _picture(sample: np.ndarray) -> np.ndarray:
    """A sample as something to look at: colour where it has three channels, else the first one."""
    while sample.ndim > 3:  # the middle slice of a volume
        sample = sample[len(sample) // 2]
    return np.clip(sample if sample.shape[-1] == 3 else sample[..., 0], 0, 1)
