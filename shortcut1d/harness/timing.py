"""How fast: rival ways of doing the same, timed in turns so that a slow minute slows them all."""

import resource
import sys
import time
from collections.abc import Callable, Mapping

import pandas as pd


def in_turns(rivals: Mapping[str, Callable[[], object]], rounds: int) -> pd.DataFrame:
    """Time each rival once a round, after one call of each that is not counted.

    Args:
        rivals: by name, what to time; each waits until its work is done.
        rounds: at least 1.

    Returns:
        columns `round, rival, seconds, first_seconds`, the last being the call that was not
        counted: with compilation, where there is any.
    """
    firsts = {name: _seconds(rival) for name, rival in rivals.items()}
    return pd.DataFrame(
        [
            {
                "round": number,
                "rival": name,
                "seconds": _seconds(rival),
                "first_seconds": firsts[name],
            }
            for number in range(rounds)
            for name, rival in rivals.items()
        ]
    )


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB; accelerators not counted."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
