"""What an output depends on: the noise level, additive constants, values of the input.

The field's own measures for restoration networks, on any callable `(batch, *space, channels)`.
"""

from shortcut1d.analysis.sensitivity.attribution import (
    Attribution,
    diffusion_index,
    gradient_magnitude,
    local_attribution,
    mean_value,
)
from shortcut1d.analysis.sensitivity.causal import CausalEffect, causal_effect
from shortcut1d.analysis.sensitivity.noise_level import bias_share, noise_sweep, sure
from shortcut1d.analysis.sensitivity.receptive_field import ReceptiveField, receptive_field

__all__ = [
    "Attribution",
    "CausalEffect",
    "ReceptiveField",
    "bias_share",
    "causal_effect",
    "diffusion_index",
    "gradient_magnitude",
    "local_attribution",
    "mean_value",
    "noise_sweep",
    "receptive_field",
    "sure",
]
