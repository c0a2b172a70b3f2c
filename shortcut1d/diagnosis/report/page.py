"""A report as one HTML file that loads no other file."""

import base64
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import pandas as pd
from jaxtyping import Float
from PIL import Image

from shortcut1d import plotting
from shortcut1d.diagnosis.inputs import Case
from shortcut1d.diagnosis.report.figure import draw, middle_slices, stretched
from shortcut1d.diagnosis.report.verdict import judgements, shares

if TYPE_CHECKING:
    from shortcut1d.diagnosis.report.table import Report

KEY_NUMBERS = ("removed from seen", "removed", "kept", "transfer", "psi", "rho")
SCALES = {"psi": (-1, 1), "transfer": (0, 1.5)}  # ends of a scale; 0 to 1 for the others
DPI = 220  # of the figure: twice its resolution on the page, for high-density screens
VALUES = 1_250_000  # in all pictures together; a PNG takes about a byte for each
MAX_SAMPLES = 4  # samples of a test to choose from
WIDTH = 320  # pixels up to which a picture is enlarged on the page
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page_of(report: "Report", title: str) -> str:
    """The page: verdict, key numbers, figure, pictures, table, what was measured and how."""
    table = report.to_frame()
    with plotting.style():
        figure = draw(table, report.arrays(), titled=False)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return ENVIRONMENT.get_template("page.html.jinja").render(
        title=title,
        judgements=[(said[:1].upper() + said[1:], basis) for said, basis in judgements(table)],
        shares=shares(table),
        interrupted=report.interrupted,
        notes=report.notes,
        over=_over(report),
        keys=_key_numbers(table),
        figure=_data_url(file.getvalue()),
        pictures=_pictures(report),
        rows=[_row(row) for row in _records(table)],
        about=_about(report),
        tests=[_test(test) for test in report.about.get("tests", ())],
    )


def _over(report: "Report") -> str:
    """What the intervals rest on."""
    networks = f"{report.networks} networks, each with " if report.networks > 1 else ""
    return f"{networks}{report.samples} samples a test"


def _key_numbers(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Each with its interval as places on a scale, in percent of the scale's width."""
    made = []
    for row in _records(table[table["measure"].isin(KEY_NUMBERS)]):
        least, largest = SCALES.get(row["measure"], (0, 1))
        known = math.isfinite(row["value"])
        values = np.array([row[part] for part in ("low", "value", "high")])
        places = 100 * np.clip((values - least) / (largest - least), 0, 1)
        made.append(
            {
                "name": row["measure"],
                "value": f"{row['value']:.2f}" if known else "unknown",
                "interval": f"{row['low']:.2f} to {row['high']:.2f}" if known else "",
                "places": places.round(1).tolist() if known else [],
                "ends": (f"{least:g}", f"{largest:g}"),
                "meaning": row["meaning"],
            }
        )
    return sorted(made, key=lambda each: KEY_NUMBERS.index(each["name"]))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _row(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a line of the table, as they are shown and as they are sorted."""
    cells = []
    for name in ("measure", "test", "value", "low", "high", "samples", "meaning"):
        value = row[name]
        if isinstance(value, str):
            cells.append({"shown": value, "sorted": value, "number": False})
        else:
            known = math.isfinite(value)
            shown = (f"{value:.3g}" if name != "samples" else str(value)) if known else "unknown"
            cells.append(
                {"shown": shown, "sorted": repr(float(value)) if known else "", "number": True}
            )
    return cells


def _pictures(report: "Report") -> dict[str, Any] | None:
    """For each test a few samples' input, target and output; None for signals."""
    if report.cases[0].clean.ndim < 4:
        return None
    are_pictures = bool(report.about.get("samples", {}).get("pictures"))
    first = middle_slices(report.cases[0].clean[:1])
    side, count = _shown_part(
        first.shape[1:], len(report.outputs), min(len(case.clean) for case in report.cases)
    )
    tests = []
    for case, output in zip(report.cases, report.outputs):
        samples = []
        for n in range(count):
            parts = middle_slices(np.stack([case.degraded[n], case.clean[n], output[n]]))
            shown = [
                picture_url(_middle(part, side))
                for part in (parts if are_pictures else stretched(parts))
            ]
            samples.append(
                dict(zip(("input", "target", "output"), shown))
                | {"said": _said_of_sample(case, output, n, pictures=are_pictures)}
            )
        tests.append({"name": case.name, "role": case.role, "samples": samples})
    height, width = (min(side, size) for size in first.shape[1:3])
    return {
        "tests": tests,
        "count": count,
        "height": height,
        "width": width,
        "scale": max(1, WIDTH // max(height, width)),
        "cut": max(first.shape[1:3]) > side,
        "original": f"{first.shape[2]} x {first.shape[1]}",
        "sliced": report.cases[0].clean.ndim > 4,
        "stretched": not are_pictures,
    }


def _shown_part(shape: tuple[int, ...], tests: int, samples: int) -> tuple[int, int]:
    """How many pixels along each side, and how many samples a test, a page has room for."""
    height, width = shape[:2]
    channels = 3 if shape[2] == 3 else 1
    room = VALUES // (3 * tests * channels)  # pixels of a test
    count = min(MAX_SAMPLES, samples, room // (height * width))
    if count:
        return max(height, width), count
    return math.isqrt(room), 1


def _middle(
    picture: Float[np.ndarray, "height width channels"], side: int
) -> Float[np.ndarray, "h w channels"]:
    """The middle of a picture, at most so many pixels along each side."""
    top, left = (max(0, (size - side) // 2) for size in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def _said_of_sample(case: Case, output: np.ndarray, n: int, *, pictures: bool) -> str:
    """How well the first network did on a sample; of pictures also in dB."""
    # `relative_error` is no share of a single sample: it is over the mean energy of all residuals.
    before, after = (
        float(np.mean(np.square(values[n] - case.clean[n], dtype=np.float64)))
        for values in (case.degraded, output)
    )
    said = []
    if before > 0:
        more = "more error than before"
        said.append(f"{100 * (1 - after / before):.0f}% removed" if after < before else more)
    if pictures and before > 0 and after > 0:
        was, now = (-10 * math.log10(error) for error in (before, after))
        said.append(f"PSNR {was:.1f} → {now:.1f} dB")
    return ", ".join(said)


def picture_url(picture: Float[np.ndarray, "height width channels"]) -> str:
    """A picture with values in [0, 1], as the address of its own data."""
    values = np.clip(np.rint(255 * picture), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(values if values.shape[-1] == 3 else values[..., 0]).save(
        file, "PNG", optimize=True
    )
    return _data_url(file.getvalue())


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _about(report: "Report") -> list[tuple[str, str]]:
    """What was measured and how, as pairs of a term and its text."""
    samples, options = report.about.get("samples", {}), report.about.get("options", {})
    shape = report.cases[0].clean.shape[1:]
    axes = {2: "length", 3: "height x width"}.get(len(shape), "space")
    kind = "pictures" if samples.get("pictures") else "signals" if len(shape) == 2 else "arrays"
    peak = samples.get("peak", 1)
    lines = [
        ("Sample", f"{' x '.join(map(str, shape))} ({axes} x channels), {kind}"),
        ("Networks", str(report.networks)),
        ("Intervals", f"95%, bootstrap over {_over(report)}"),
    ]
    if samples.get("pictures"):
        scaled = "" if peak == 1 else "; in what follows, white is 1"
        lines.append(("Values", f"0 is black and {peak:g} white{scaled}"))
    chosen = {
        "threshold": "Residual counts as there from",
        "bands": "Frequency bands",
        "portraits": "Inputs whose Jacobian was taken",
        "batch": "Samples at once",
        "key": "Random key",
    }
    for name, term in chosen.items():
        if name in options:
            value = options[name]
            lines.append((term, f"{value:.3g}" if isinstance(value, float) else str(value)))
    if "probes" in options:
        probes = (
            "as many as a standard error of .01 takes, at most 4; of samples of more than 1,024 "
            "values one, at 32 inputs"
        )
        lines.append(("White directions an input", str(options["probes"] or probes)))
    names = {"python": "Python", "jax": "JAX", "numpy": "NumPy", "torch": "PyTorch"}
    versions = report.about.get("versions", {})
    said = ", ".join(f"{names.get(name, name)} {number}" for name, number in versions.items())
    return [*lines, ("Versions", said)] if said else lines


def _test(test: dict[str, Any]) -> dict[str, Any]:
    """A test with the ranges of its values as text; a Gaussian twin has none."""
    said = []
    for part, (least, largest) in test.get("range", {}).items():
        clipped = f"{100 * test['clipped'][part]:.2g}% clipped" if "clipped" in test else ""
        said.append((f"{least:.3g} to {largest:.3g}", clipped))
    return test | {"values": said}
