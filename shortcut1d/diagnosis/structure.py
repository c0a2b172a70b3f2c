"""The structure test of somebody's denoiser, on samples like those that it was trained on."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from shortcut1d.analysis.denoiser import applied, as_floats
from shortcut1d.analysis.intervals import nested_bootstrap
from shortcut1d.analysis.portrait import WHOLE
from shortcut1d.analysis.structure import CONTENT_TWIN, DEGRADATION_TWIN, twin_tasks
from shortcut1d.analysis.transfer import relative_error
from shortcut1d.diagnosis.inputs import SEEN, Case
from shortcut1d.diagnosis.measures import MEANING, Measure

TWINS = (DEGRADATION_TWIN, CONTENT_TWIN)
FEW = 32  # samples of a twin, where a sample is large: each costs a forward pass
OWN_KEY = 2**16  # is folded into the key; the probes of rho fold in small numbers


def twins_of(seen: Case, degradation: Any, key: PRNGKeyArray) -> list[Case]:
    """The seen task with a Gaussian twin in place of its residual, and of its content.

    For a degradation family that is not additive (blur), only the content has a twin, which the
    family degrades. For arrays the residual is taken to be additive. Twins have the spectrum of all
    samples; where samples are large, only 32 are drawn.
    """
    twin_key, own_key = jax.random.split(jax.random.fold_in(key, OWN_KEY))

    def degrade(content: Any) -> np.ndarray:
        drawn = degradation.sample(own_key, len(content))
        return as_floats(applied(degradation, content, drawn))

    additive = True
    if hasattr(degradation, "apply"):
        moved = degrade(seen.clean) - seen.clean
        additive = np.allclose(moved, degrade(np.zeros_like(seen.clean)), rtol=1e-3, atol=1e-4)
    residual, content = twin_tasks(
        seen.clean, seen.degraded, twin_key, None if additive else degrade
    )
    pairs = {DEGRADATION_TWIN: residual, CONTENT_TWIN: content}
    count = len(seen.clean) if seen.clean[0].size <= WHOLE else FEW
    return [
        Case(name, name, *(np.asarray(part)[:count] for part in pair))
        for name, pair in pairs.items()
        if pair is not None
    ]


def left_of(case: Case, outputs: list[np.ndarray]) -> Float[np.ndarray, "networks samples"]:
    """Relative error of each sample; their mean is the share of the degradation that is left."""
    rows = [relative_error(output, case.clean, case.degraded) for output in outputs]
    return np.asarray(rows, np.float64)


def structure_measures(
    seen: Case, of_seen: list[np.ndarray], twins: list[Case], of_twins: list[list[np.ndarray]]
) -> list[Measure]:
    """`psi`, `d_D` and `d_C` with intervals, as far as there are twins.

    Args:
        seen: samples like those that the networks were trained on.
        of_seen: output of each network for them.
        twins: see `twins_of`; fewer where the run was interrupted.
        of_twins: by twin and network.
    """
    tables = {twin.role: left_of(twin, outputs) for twin, outputs in zip(twins, of_twins)}
    own = left_of(seen, of_seen)
    wanted = {
        "psi": (DEGRADATION_TWIN, CONTENT_TWIN),
        "d_D": (None, DEGRADATION_TWIN),
        "d_C": (None, CONTENT_TWIN),
    }

    def more_left(means: np.ndarray) -> np.ndarray:
        """Relative error of the second table, less that of the first."""
        return (means[:, 1] - means[:, 0]).mean(axis=0)

    return [
        Measure(
            name, SEEN,
            nested_bootstrap([tables[part] if part else own for part in parts], more_left),
            MEANING[name], min(len(seen.clean), *(len(twin.clean) for twin in twins)),
        )
        for name, parts in wanted.items()
        if all(part is None or part in tables for part in parts)
    ]  # fmt: skip
