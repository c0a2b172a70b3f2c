"""The report of a diagnosis."""

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shortcut1d import errors, store
from shortcut1d.analysis import decoupled, transfer
from shortcut1d.analysis.intervals import Interval
from shortcut1d.analysis.portrait import Portrait
from shortcut1d.diagnosis.inputs import Case
from shortcut1d.diagnosis.measures import Measure
from shortcut1d.diagnosis.report.figure import BANDS, MAX_SHOWN, SHOWN, VALUES, draw
from shortcut1d.diagnosis.report.page import page_of
from shortcut1d.diagnosis.report.record import record_of, text_of
from shortcut1d.diagnosis.report.verdict import sentence

TITLE = "What this network learnt"
SUFFIXES = (".html", ".json")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a denoiser learnt.

    index: kept, removed, `phi`, generality and verdict.
    measures: every number with its interval.
    edges: of the frequency bands, cycles per window.
    bands: by test, gains of content and residual in each band.
    portrait: of the first network; None if there is none.
    cases: what the networks were tested on.
    outputs: of the first network, by case.
    networks, samples: how many of each the intervals rest on.
    notes: what the reader should know.
    interrupted: whether Ctrl-C ended it, so that it holds only what was measured until then.
    per_sample: by measure and test, its values, `(networks, samples)`; NaN where a sample has none.
    about: what was measured and how; see `about.about`.
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
    per_sample: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

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
                    "samples": line.samples,
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

    def save(self, path: str | Path, *, title: str = TITLE) -> Path:
        """Write the report to one file: a page for any browser, or a record to compare.

        Args:
            path: ends in .html for the page, in .json for the record.
            title: name of the network for the reader.

        Returns:
            the path.

        Raises:
            InvalidInput: another suffix, or a file that cannot be written.
        """
        file = errors.path("path", path)
        if file.suffix.lower() not in SUFFIXES:
            raise errors.refuse("path", str(path), f"a name that ends in {' or '.join(SUFFIXES)}")
        store.write_atomic(file, self.file_bytes(file.suffix.lower(), title=title))
        return file

    def file_bytes(self, suffix: str, *, title: str = TITLE) -> bytes:
        """What `save` writes to a file that ends in ".html" or ".json"."""
        text = self.to_html(title=title) if suffix == ".html" else self.to_json(title=title)
        return text.encode("utf-8", "replace")

    def to_json(self, *, title: str = TITLE) -> str:
        """All numbers as JSON, each sample's too; `compare` reads them."""
        return text_of(record_of(self, _checked(title)))

    def to_html(self, *, title: str = TITLE) -> str:
        """A page that needs no other file: verdict, figure, pictures, table, how it was made."""
        return page_of(self, _checked(title))

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that the figure shows besides the table; see `draw`."""
        made = {"edges": self.edges}
        for name, gains in self.bands.items():
            made[f"{BANDS}{name}"] = np.stack([gains.content, gains.degradation])
        if self.portrait is not None:
            made[VALUES] = np.asarray(self.portrait.values)
        for case, output in list(zip(self.cases, self.outputs))[:MAX_SHOWN]:
            made[f"{SHOWN}{case.name}"] = np.stack([case.degraded[0], case.clean[0], output[0]])
        return made


def _checked(title: object) -> str:
    if not isinstance(title, str) or not title.strip():
        raise errors.refuse("title", title, "a name for the network")
    return title
