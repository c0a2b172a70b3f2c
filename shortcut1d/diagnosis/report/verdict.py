"""What a report says in words, from its table."""

import numpy as np
import pandas as pd

from shortcut1d.analysis import transfer
from shortcut1d.analysis.intervals import Interval


def sentence(table: pd.DataFrame) -> str:
    """A report's verdict, from its table."""
    judged = "; ".join(said + (f" ({basis})" if basis else "") for said, basis in judgements(table))
    return f"{judged}. {shares(table)}"


def judgements(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The verdicts on degradation and content, each with the transfer that it rests on."""
    return [
        _judged("degradation", interval_of(table, "transfer")),
        _judged("content", interval_of(table, "transfer of content")),
    ]


def shares(table: pd.DataFrame) -> str:
    """What the network removes and keeps, in percent."""
    kept, removed, seen = (
        interval_of(table, name) for name in ("kept", "removed", "removed from seen")
    )
    others = {
        name: interval_of(table, name).estimate
        for name in ("psi", "rho")
        if name in set(table["measure"])
    }
    return (
        f"It removes {_percent(seen)} of the degradation it has seen and {_percent(removed)} of "
        f"one it has not, and keeps {_percent(kept)} of content that it has not seen "
        f"({', '.join(f'{name} {_number(value)}' for name, value in others.items())})."
    )


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.2f}"


def _judged(component: str, found: Interval) -> tuple[str, str]:
    verdict = transfer.transfer_verdict(found)
    if verdict == "unknown":
        why = "it takes unseen samples, and some success on seen ones"
        return f"whether it overfits the {component} cannot be judged: {why}", ""
    said = {
        "generalises": f"generalises to another {component}",
        "generalises in part": f"generalises in part to another {component}",
        "overfits": f"overfits the {component}",
        "too close to call": f"whether it overfits the {component} is too close to call",
    }[verdict]
    return said, f"transfer {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}]"


def interval_of(table: pd.DataFrame, measure: str) -> Interval:
    """A measure's interval, from a report's table: the first of that name."""
    row = table[table["measure"] == measure].iloc[0]
    value, low, high = (float(row[column]) for column in ("value", "low", "high"))
    return Interval(value, low, high, int(row["networks"]))


def _percent(interval: Interval) -> str:
    if np.isnan(interval.estimate):
        return "an unknown share"
    if interval.estimate < -0.005:
        return "less than none"
    return f"{max(100 * interval.estimate, 0):.0f}%"
