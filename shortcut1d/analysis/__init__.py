"""Measures of what a denoiser learnt, on arrays and callables; independent of training."""

from shortcut1d.analysis import complexity, oracles
from shortcut1d.analysis.balance import Advice, balance
from shortcut1d.analysis.complexity import Prediction, perplexity, predict
from shortcut1d.analysis.decoupled import (
    Gains,
    band_gains,
    component_gains,
    decoupled_errors,
    hallucination,
    share_in_span,
)
from shortcut1d.analysis.denoiser import Denoiser, output_of
from shortcut1d.analysis.fidelity import psnr, ssim
from shortcut1d.analysis.intervals import Interval, interval, interval_each, nested_bootstrap
from shortcut1d.analysis.novelty import Novelty, novelty_response
from shortcut1d.analysis.portrait import Portrait, alignment, jacobian, portrait
from shortcut1d.analysis.products import Products, products_of
from shortcut1d.analysis.transfer import (
    Index,
    fitted_index,
    generality,
    index_of,
    kept_content,
    nmse,
    relative_error,
    removed_degradation,
    verdict,
)

__all__ = [
    "Advice",
    "Denoiser",
    "Gains",
    "Index",
    "Interval",
    "Novelty",
    "Portrait",
    "Prediction",
    "Products",
    "alignment",
    "balance",
    "band_gains",
    "complexity",
    "component_gains",
    "decoupled_errors",
    "fitted_index",
    "generality",
    "hallucination",
    "index_of",
    "interval",
    "interval_each",
    "jacobian",
    "kept_content",
    "nested_bootstrap",
    "nmse",
    "novelty_response",
    "oracles",
    "output_of",
    "perplexity",
    "portrait",
    "predict",
    "products_of",
    "psnr",
    "relative_error",
    "removed_degradation",
    "share_in_span",
    "ssim",
    "verdict",
]
