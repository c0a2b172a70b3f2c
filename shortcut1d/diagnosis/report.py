"""The report of a diagnosis: a table, a sentence, a figure."""

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from shortcut1d import errors, plotting
from shortcut1d.analysis import decoupled, transfer
from shortcut1d.analysis.intervals import Interval
from shortcut1d.analysis.portrait import Portrait
from shortcut1d.diagnosis.inputs import Case
from shortcut1d.diagnosis.measures import Measure

COLORS = [
    plotting.BLUE, plotting.ORANGE, plotting.GREEN, plotting.PINK, plotting.SKY, plotting.RED,
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a denoiser learnt.

    index: kept, removed, `phi`, generality and verdict.
    measures: every number with its interval.
    edges: of the frequency bands, cycles per window.
    bands: by test, gains of content and residual in each band.
    portrait: of the first network; None where it could not be had.
    cases: what the networks were tested on.
    outputs: of the first network, by case.
    networks, samples: how many of each the intervals rest on.
    notes: what the reader should know.
    interrupted: whether it holds only what was measured until Ctrl-C.
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
    interrupted: bool = False

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
        return sentence(self.to_frame())

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
                    "samples": line.samples or self.samples,
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
        return draw(self.to_frame(), self.arrays())

    def arrays(self) -> dict[str, np.ndarray]:
        """What the figure shows beside the table; see `draw`."""
        made = {"edges": self.edges}
        for name, gains in self.bands.items():
            made[f"{BANDS}{name}"] = np.stack([gains.content, gains.degradation])
        if self.portrait is not None:
            made[VALUES] = np.asarray(self.portrait.values)
        for case, output in list(zip(self.cases, self.outputs))[:MAX_SHOWN]:
            made[f"{SHOWN}{case.name}"] = np.stack([case.degraded[0], case.clean[0], output[0]])
        return made


BANDS, VALUES, SHOWN = "gains by band: ", "singular values", "shown: "  # keys of a figure's arrays
MAX_SHOWN = 6
MAX_WAVEFORMS = 4  # waveforms in a row


def sentence(table: pd.DataFrame) -> str:
    """A report's verdict, from its table."""
    kept, removed, seen, of_degradation, of_content = (
        interval_of(table, name)
        for name in ("kept", "removed", "removed from seen", "transfer", "transfer of content")
    )
    others = {
        name: interval_of(table, name).estimate
        for name in ("psi", "rho")
        if name in set(table["measure"])
    }
    return (
        f"{_judged('degradation', of_degradation)}; {_judged('content', of_content)}. "
        f"It removes {_percent(seen)} of the degradation it has seen and {_percent(removed)} of "
        f"one it has not, and keeps {_percent(kept)} of content that it has not seen "
        f"({', '.join(f'{name} {_number(value)}' for name, value in others.items())})."
    )


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.2f}"


def _judged(component: str, found: Interval) -> str:
    """The verdict on one component, with the transfer that it rests on."""
    verdict = transfer.transfer_verdict(found)
    if verdict == "unknown":
        why = "it takes unseen samples, and some success on seen ones"
        return f"whether it overfits the {component} cannot be judged: {why}"
    said = {
        "generalises": f"generalises to another {component}",
        "generalises in part": f"generalises in part to another {component}",
        "overfits": f"overfits the {component}",
        "too close to call": f"whether it overfits the {component} is too close to call",
    }[verdict]
    return f"{said} (transfer {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}])"


def interval_of(table: pd.DataFrame, measure: str) -> Interval:
    """A measure's interval, from a report's table: the first of that name."""
    row = table[table["measure"] == measure].iloc[0]
    value, low, high = (float(row[column]) for column in ("value", "low", "high"))
    return Interval(value, low, high, int(row["networks"]))


def draw(table: pd.DataFrame, arrays: dict[str, np.ndarray]) -> Figure:
    """A report's figure.

    Args:
        table: of `Report.to_frame`.
        arrays: of `Report.arrays`: frequency edges of the bands; gains of content and residual by
            test and band; singular values of the Jacobian, if there are any; by test a sample's
            input, target and output.
    """
    shown = {n.removeprefix(SHOWN): v for n, v in arrays.items() if n.startswith(SHOWN)}
    by_band = {n.removeprefix(BANDS): v for n, v in arrays.items() if n.startswith(BANDS)}
    rank = next(iter(shown.values())).ndim - 2
    tall = 1.1 * ((len(shown) + 1) // 2) if rank > 1 else 1.9
    with plotting.style():
        figure = Figure(figsize=(plotting.TWO_COLUMNS, 2.7 + tall), layout="constrained")
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
            plotting.pictures(below, [(name, _flat(parts)) for name, parts in shown.items()])
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


def _percent(interval: Interval) -> str:
    if np.isnan(interval.estimate):
        return "an unknown share"
    if interval.estimate < -0.005:
        return "less than none"
    return f"{max(100 * interval.estimate, 0):.0f}%"


def _flat(parts: np.ndarray) -> Float[np.ndarray, "parts height width channels"]:
    """Pictures, or the middle slices of volumes."""
    while parts.ndim > 4:
        parts = parts[:, parts.shape[1] // 2]
    return parts
