"""A report as JSON: all measures and each sample's values, but no pictures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from shortcut1d import store
from shortcut1d.errors import InvalidInput, file_access

if TYPE_CHECKING:
    from shortcut1d.diagnosis.report.table import Report

KIND = "shortcut1d_report"  # the key of the format's number
FORMAT = 1
DIGITS = 7  # significant digits, as many as float32 has


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What a record holds, checked.

    title: what the network is called.
    verdict: the verdict's sentence.
    table: of `Report.to_frame`.
    per_sample: by measure and test, `(networks, samples)`.
    roles: of each test.
    data: of each test, SHA-256 of clean and degraded samples.
    networks: number of networks that were tested.
    pictures: whether content was measured from mid-grey.
    threshold: of `E_R` and `E_B`.
    """

    title: str
    verdict: str
    table: pd.DataFrame
    per_sample: dict[tuple[str, str], Float[np.ndarray, "networks samples"]]
    roles: dict[str, str]
    data: dict[str, tuple[str, str]]
    networks: int
    pictures: bool
    threshold: float


def record_of(report: "Report", title: str) -> dict[str, Any]:
    """The report as plain values: numbers rounded, null where one is unknown."""
    return {
        KIND: FORMAT,
        "title": title,
        "verdict": report.verdict,
        "fitted": report.index.verdict,
        "networks": report.networks,
        "samples": report.samples,
        "interrupted": report.interrupted,
        "notes": list(report.notes),
        "measures": _plain(report.to_frame().to_dict("records")),
        "about": _plain(report.about),
        "per_sample": [
            {"measure": measure, "test": test, "values": _plain(values)}
            for (measure, test), values in report.per_sample.items()
        ],
    }


def text_of(record: dict[str, Any]) -> str:
    """A record as JSON, with a line for each field and for each element of a list."""
    lines = []
    for name, value in record.items():
        said = json.dumps(value, allow_nan=False, ensure_ascii=False)
        if isinstance(value, list) and value:
            parts = (json.dumps(part, allow_nan=False, ensure_ascii=False) for part in value)
            said = "[\n" + ",\n".join(parts) + "\n]"
        lines.append(f"{json.dumps(name)}: {said}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read(path: Path) -> Saved:
    """A report that `text_of` wrote.

    Raises:
        InvalidInput: a file that cannot be read, is damaged, or holds something else.
    """
    data = store.read_bytes(path)
    with file_access(path, "not a report, or a damaged one"):
        record = json.loads(data)
    if not isinstance(record, dict) or KIND not in record:
        raise InvalidInput(
            f"{path}: not a report: report.save(...) and shortcut1d diagnose (..._report.json) "
            "write them"
        )
    if record[KIND] != FORMAT:
        raise InvalidInput(
            f"{path}: a report of format {record[KIND]!r}, expected {FORMAT}: save it again with "
            "this version of shortcut1d"
        )
    try:
        return saved_of(record)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InvalidInput(
            f"{path}: damaged ({type(error).__name__}: {' '.join(str(error).split())[:80]})"
        ) from error


def saved_of(record: dict[str, Any]) -> Saved:
    """What a record holds.

    Raises:
        LookupError, TypeError, ValueError, ArithmeticError: `record_of` did not make it.
    """
    table = pd.DataFrame(record["measures"])
    numbers = ["value", "low", "high"]
    table = table[["measure", "test", *numbers, "networks", "samples", "meaning"]]
    table = table.astype({"measure": str, "test": str} | dict.fromkeys(numbers, np.float64))
    networks, about = int(record["networks"]), record["about"]
    tests = {test["test"]: test for test in about.get("tests", [])}
    per_sample = {
        (str(part["measure"]), str(part["test"])): np.array(part["values"], np.float64)
        for part in record["per_sample"]
    }
    for (measure, test), values in per_sample.items():
        rows = 1 if measure.endswith("of the input") else networks
        if values.shape != (rows, tests[test]["samples"]):
            raise ValueError(f"{measure} of {test}: {values.shape} values")
    return Saved(
        title=str(record["title"]),
        verdict=str(record["verdict"]),
        table=table,
        per_sample=per_sample,
        roles={name: str(test["role"]) for name, test in tests.items()},
        data={
            name: (str(test["data_hash"]["clean"]), str(test["data_hash"]["degraded"]))
            for name, test in tests.items()
        },
        networks=networks,
        pictures=bool(about.get("samples", {}).get("pictures")),
        threshold=float(about.get("options", {}).get("threshold", np.nan)),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
