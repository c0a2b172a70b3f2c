"""What to change where the degradation is the simpler component: a recommendation from samples."""

import bisect
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.complexity import denoising_cost, denoising_cost_of_some
from shortcut1d.analysis.denoiser import finite, key_or_zero

AnySamples = Float[Array | np.ndarray, "..."]  # checked here, so that the message says which
ENOUGH = 0.95  # share of the cost of all contents at which fewer count as equally hard to learn


class Advice(NamedTuple):
    """How to train where the degradation is the simpler component; `print` says it in words.

    keep: number of training contents to keep, of `contents`; all where they are already the simpler
    component. widen: name of the first wider degradation that is as hard as all contents; None
    where there is none. content, degradation: their `denoising_cost`. by_count: cost of the first
    n contents, for each n that was measured. by_name: the same cost of each wider degradation.
    """

    keep: int
    contents: int
    widen: str | None
    content: float
    degradation: float
    by_count: dict[int, float]
    by_name: dict[str, float]

    @property
    def balanced(self) -> bool:
        """Whether the degradation is no simpler than the contents, so that all can be kept."""
        return self.degradation >= self.content

    def __str__(self) -> str:
        costs = f"degradation {self.degradation:.2f}, contents {self.content:.2f}"
        if self.balanced:
            return f"Keep all {self.contents} contents: the degradation is no simpler ({costs})."
        said = f"The degradation is the simpler component ({costs}) and will be fitted. Widen it"
        if self.widen is not None:
            said += f" at least to {self.widen!r} ({self.by_name[self.widen]:.2f})"
        if self.keep < self.contents:
            said += (
                f"; {self.keep} of the {self.contents} contents are nearly as hard to learn as all"
            )
        return said + "."


def balance(
    content: AnySamples,
    degradation: AnySamples,
    wider: Mapping[str, AnySamples] | None = None,
    key: PRNGKeyArray | None = None,
) -> Advice:
    """How many training contents to keep, or how much wider to make the degradation's range.

    Networks fit the simpler component (Hu et al. 2025). Complexity is the `denoising_cost`, by
    which few contents are simpler than many. Where the degradation is the simpler component, the
    advice is to widen it: to the first wider one that costs no less than the contents. The advice
    also says how few contents are nearly as hard to learn as all: the fewest, by doublings, that
    cost 95% of what all do. The 95% were fitted to melodies under clicks. The advice was tested
    (experiments/remedies.py): widening helps if it covers how unseen degradations differ, and the
    wider the better; fewer contents gain nothing, and cost little.

    Args:
        content: the clean training samples, in random order; the first `keep` are to be kept.
        degradation: residuals, `y - c`, of the present degradation.
        wider: residuals of wider degradations to train on, by name, the least wide first.
        key: of the probe networks.

    Raises:
        InvalidInput: samples that are not finite, silent, or of another shape than the content's.
    """
    finite("content", content)
    key = key_or_zero(key)
    if not isinstance(wider, Mapping | None):
        raise errors.refuse("wider", wider, "residuals by name")
    residuals = {f"wider {name!r}": samples for name, samples in (wider or {}).items()}
    residuals = {"degradation": degradation} | residuals
    for name, samples in residuals.items():
        finite(name, samples)
        if np.shape(samples)[1:] != np.shape(content)[1:]:
            raise errors.refuse(name, np.shape(samples), f"samples of {np.shape(content)[1:]}")
    of_residual = denoising_cost(degradation, key)
    contents = len(content)
    of_all = denoising_cost(content, key)
    by_count, by_name = {contents: of_all}, {}
    keep, widen = contents, None
    if of_residual < of_all:
        counts = [2**n for n in range(contents.bit_length()) if 2**n < contents]

        def cost_of(count: int) -> float:
            by_count[count] = denoising_cost_of_some(content, count, key)
            return by_count[count]

        first = bisect.bisect_left(counts, ENOUGH * of_all, key=cost_of)
        keep = [*counts, contents][first]
        for name, samples in (wider or {}).items():
            by_name[name] = denoising_cost(samples, key)
            if by_name[name] >= of_all:
                widen = name
                break
    return Advice(keep, contents, widen, of_all, of_residual, by_count, by_name)
