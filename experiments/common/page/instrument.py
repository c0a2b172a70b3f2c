"""The phase diagram to play on: its numbers, the networks' weights, and sounds."""

import base64
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from common.phase_map import COLORS, EXCESS, LINEAR, PHI, RHO, map_of, maps_of
from common.sounds import RATE
from shortcut1d.analysis import verdict
from shortcut1d.networks import ConvNet

Arrays = Mapping[str, np.ndarray]
MEANING = {
    PHI: ("index", "from -1, it fits the noise, to 1, it fits the content"),
    LINEAR: ("index of the best linear filter", "what the spectra alone explain"),
    EXCESS: ("excess", "index beyond the filter's: below 0 the noise's structure is fitted"),
    RHO: ("novelty response", "0 blocks what is new, 1 passes it"),
}
FITTED = {
    "content": "fits the content", "degradation": "fits the noise", "both": "generalises",
    "neither": "fits neither", "unknown": "diverged",
}  # fmt: skip


def instrument(table: pd.DataFrame, arrays: Arrays) -> dict[str, Any] | None:
    """What the page needs of the map; None where the study kept no network to play on."""
    if "weights" not in arrays:
        return None
    maps = maps_of(table, "conv")
    maps |= {name: map_of(table, "conv", name) for name in ("kept", "removed")}
    means = {measure: values.mean("seed") for measure, values in maps.items()}
    frequencies = [float(value) for value in means[PHI]["frequency"].values]
    shapes = [int(value) for value in means[PHI]["shapes"].values]
    rows = []
    for f in reversed(range(len(frequencies))):  # the richest content on top, as in the figure
        row = []
        for k in range(len(shapes)):
            values = {m: round(float(found[f, k]), 3) + 0.0 for m, found in means.items()}
            row.append({
                "frequency": f, "shapes": k, "values": values,
                "colors": {m: _color(m, values[m]) for m in MEANING},
                "fitted": FITTED[verdict(values["kept"], values["removed"])],
            })  # fmt: skip
        rows.append((f"{frequencies[f]:g}", row))
    return {
        "rows": rows,
        "shapes": shapes,
        "measures": [(m, *said, _scale(m)) for m, said in MEANING.items()],
        "seeds": int(maps[PHI].sizes["seed"]),
        "data": _data(arrays, frequencies, shapes),
    }


def _data(arrays: Arrays, frequencies: list[float], shapes: list[int]) -> dict[str, Any]:
    """What the script in the page computes with; half precision, in base 64."""
    network = ConvNet()
    return {
        "frequencies": frequencies,
        "shapes": shapes,
        "kernel": network.kernel,
        "dilations": network.spacing(),
        "rate": RATE,
        "weights": [[_packed(cell) for cell in row] for row in arrays["weights"]],
        "sounds": {
            n: _packed(v) for n, v in arrays.items() if v.dtype == np.float16 and v.ndim == 1
        },
    }


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f2").tobytes()).decode()


def _rgb(measure: str, value: float) -> tuple[float, float, float]:
    name, (low, high) = COLORS[measure]
    place = float((np.clip(value, low, high) - low) / (high - low))
    return mpl.colormaps[name](place)[:3]


def _color(measure: str, value: float) -> tuple[str, str]:
    """The colours of a cell and of its text."""
    if not np.isfinite(value):
        return "#ffffff", "#000000"
    rgb = _rgb(measure, value)
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    light = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))  # relative luminance (WCAG 2)
    return to_hex(rgb), "#000000" if light > 0.179 else "#ffffff"


def _scale(measure: str) -> dict[str, Any]:
    _, (low, high) = COLORS[measure]
    steps = [to_hex(_rgb(measure, v)) for v in np.linspace(low, high, 9)]
    return {"low": f"{low:g}", "high": f"{high:g}", "colors": ", ".join(steps)}
