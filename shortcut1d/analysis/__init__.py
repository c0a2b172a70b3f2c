"""What did a denoiser learn? Measures on arrays and callables; nothing here knows of training."""

from shortcut1d.analysis import oracles
from shortcut1d.analysis.decoupled import Gains, component_gains, share_in_span
from shortcut1d.analysis.denoiser import Denoiser, output_of
from shortcut1d.analysis.intervals import Interval, bootstrap
from shortcut1d.analysis.novelty import Novelty, novelty_response
from shortcut1d.analysis.transfer import (
    Index,
    fitted_index,
    generality,
    index_of,
    kept_content,
    nmse,
    relative_residual,
    removed_degradation,
    verdict,
)

__all__ = [
    "Denoiser",
    "Gains",
    "Index",
    "Interval",
    "Novelty",
    "bootstrap",
    "component_gains",
    "fitted_index",
    "generality",
    "index_of",
    "kept_content",
    "nmse",
    "novelty_response",
    "oracles",
    "output_of",
    "relative_residual",
    "removed_degradation",
    "share_in_span",
    "verdict",
]
