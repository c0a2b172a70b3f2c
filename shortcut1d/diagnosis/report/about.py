"""What was measured and how, so that a reader of a report can judge and repeat it."""

import hashlib
import importlib.metadata
import platform
import sys
from typing import Any

import numpy as np

from shortcut1d.diagnosis.inputs import Case

LIBRARIES = ("shortcut1d", "jax", "numpy")


def about(
    cases: list[Case],
    outputs: list[list[np.ndarray]],
    twins: list[Case],
    *,
    pictures: bool,
    peak: float,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Samples, tests, options and versions, as plain values.

    Args:
        cases: what the networks were tested on, in units of `peak`.
        outputs: by network and case, in units of `peak`.
        twins: Gaussian twins that the networks were tested on as well, in units of `peak`.
        pictures: whether samples are pictures.
        peak: value of white in pictures; the unit of all values here.
        options: of `diagnose`.

    Returns:
        `samples` (shape, channels, pictures, peak), `tests` (see below), `options`, `versions`.
        Each test has its name, role, number of samples and `data_hash`. A test that is no twin also
        has the least and largest value of clean, degraded and output (`range`), and for pictures
        the share of values at or beyond black and white (`clipped`).
    """
    tests = []
    for number, case in enumerate(cases):
        parts = {
            "clean": [case.clean],
            "degraded": [case.degraded],
            "output": [of_network[number] for of_network in outputs],
        }
        found: dict[str, Any] = _named(case)
        found["range"] = {
            name: [float(min(map(np.min, part))), float(max(map(np.max, part)))]
            for name, part in parts.items()
        }
        if pictures:
            found["clipped"] = {
                name: float(np.mean([np.mean((values <= 0) | (values >= 1)) for values in part]))
                for name, part in parts.items()
            }
        tests.append(found)
    return {
        "samples": {
            "shape": list(cases[0].clean.shape[1:]),
            "channels": cases[0].clean.shape[-1],
            "pictures": pictures,
            "peak": peak,
        },
        "tests": tests + [_named(twin) for twin in twins],
        "options": options,
        "versions": versions(),
    }


def _named(case: Case) -> dict[str, Any]:
    return {
        "test": case.name,
        "role": case.role,
        "samples": len(case.clean),
        "data_hash": {"clean": data_hash(case.clean), "degraded": data_hash(case.degraded)},
    }


def data_hash(values: np.ndarray) -> str:
    """SHA-256 of the values in units of `peak`, as little-endian float32, the last axis fastest."""
    return hashlib.sha256(np.ascontiguousarray(values, "<f4").tobytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, this package, JAX and NumPy, and of PyTorch where it is loaded."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a folder, not installed
            found[name] = "unknown"
    if "torch" in sys.modules:
        found["torch"] = str(sys.modules["torch"].__version__)
    return found
