"""The phase diagram to play on: its numbers, the networks' weights, and sounds."""

import base64
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.colors import to_hex

from shortcut1d import plotting
from shortcut1d.analysis import verdict
from shortcut1d.networks import ConvNet
from shortcut1d.training.tables import array_of, indices

Arrays = Mapping[str, np.ndarray]
MEANING = {
    "phi": ("index", "from -1, it fits the noise, to 1, it fits the content"),
    "floor": ("index of the best linear filter", "what the spectra alone explain"),
    "excess": ("excess", "index beyond the filter's: below 0 the noise's structure is fitted"),
    "rho": ("novelty response", "0 blocks what is new, 1 passes it"),
}

FITTED = {
    "content": "fits the content", "degradation": "fits the noise", "both": "generalises",
    "neither": "fits neither", "unknown": "diverged",
}  # fmt: skip


def instrument(table: pd.DataFrame, arrays: Arrays) -> dict[str, Any] | None:
    """What the page needs of the map; None where the study kept no network to play on."""
    if "weights" not in arrays:
        return None
    maps = {name: _map(table, "conv", name) for name in ("phi", "rho", "kept", "removed")}
    maps["floor"] = _map(table, "Wiener filter", "phi")
    maps["excess"] = maps["phi"] - maps["floor"]
    means = {measure: values.mean("seed") for measure, values in maps.items()}
    frequencies = [float(value) for value in means["phi"]["frequency"].values]
    shapes = [int(value) for value in means["phi"]["shapes"].values]
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
        "seeds": int(maps["phi"].sizes["seed"]),
        "data": _data(arrays, frequencies, shapes),
    }


def _map(table: pd.DataFrame, network: str, column: str) -> xr.DataArray:
    own = indices(table[table["network"] == network])
    return array_of(own, column, "seed", "frequency", "shapes")


def _data(arrays: Arrays, frequencies: list[float], shapes: list[int]) -> dict[str, Any]:
    """What the script in the page computes with; half precision, in base 64."""
    network = ConvNet()
    return {
        "frequencies": frequencies,
        "shapes": shapes,
        "kernel": network.kernel,
        "dilations": network.spacing(),
        "rate": 8000,
        "weights": [[_packed(cell) for cell in row] for row in arrays["weights"]],
        "sounds": {
            n: _packed(v) for n, v in arrays.items() if v.dtype == np.float16 and v.ndim == 1
        },
    }


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f2").tobytes()).decode()


def _limits(measure: str) -> tuple[float, float]:
    return {"rho": (0.0, 1.0), "excess": (-0.5, 0.5)}.get(measure, (-1.0, 1.0))


def _rgb(measure: str, value: float) -> tuple[float, float, float]:
    low, high = _limits(measure)
    name = plotting.SEQUENTIAL if measure == "rho" else plotting.DIVERGING
    place = float((np.clip(value, low, high) - low) / (high - low))
    return mpl.colormaps[name](place)[:3]


def _color(measure: str, value: float) -> tuple[str, str]:
    """Of a cell, and of what is written on it."""
    if not np.isfinite(value):
        return "#ffffff", "#000000"
    rgb = _rgb(measure, value)
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    light = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))  # relative luminance (WCAG 2)
    return to_hex(rgb), "#000000" if light > 0.179 else "#ffffff"


def _scale(measure: str) -> dict[str, Any]:
    low, high = _limits(measure)
    steps = [to_hex(_rgb(measure, v)) for v in np.linspace(low, high, 9)]
    return {"low": f"{low:g}", "high": f"{high:g}", "colors": ", ".join(steps)}
