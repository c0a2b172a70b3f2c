"""Causal effect maps: what each patch of the input does to a window of the output."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from shortcut1d import errors
from shortcut1d.analysis.denoiser import Denoiser, Samples, checked_key, finite, floats, output_of
from shortcut1d.analysis.sensitivity.samples import Window, checked_window, like


class CausalEffect(NamedTuple):
    """Mean square error in the window, with and without each patch replaced.

    Where there was no clean sample, the output itself stands for it: `before` is 0, and `after` is
    the mean square change.

    before: with the input as it is.
    after: with a patch replaced, one value for each intervention at each patch.
    """

    before: Float[Array, " batch"]
    after: Float[Array, "interventions batch *patches"]

    @property
    def effect(self) -> Float[Array, "batch *patches"]:
        """Mean of `after - before`: above 0 the patch helps, below 0 it does harm."""
        return jnp.mean(self.after, axis=0) - self._before

    @property
    def decibels(self) -> Float[Array, "batch *patches"]:
        """In the authors' unit: PSNR before less mean PSNR after; undefined if `before` is 0."""
        return jnp.mean(10 * jnp.log10(self.after / self._before), axis=0)

    @property
    def _before(self) -> Array:
        return self.before.reshape(-1, *[1] * (self.after.ndim - 2))


def causal_effect(
    denoiser: Denoiser,
    inputs: Samples,
    window: Window,
    patch: int | Sequence[int],
    key: PRNGKeyArray,
    *,
    clean: Float[Array | np.ndarray, "..."] | None = None,
    donors: Float[Array | np.ndarray, "..."] | None = None,
    interventions: int = 10,
) -> CausalEffect:
    """What each patch of the input does to a window of the output; needs no gradients.

    J. Hu et al., "Interpreting low-level vision models with causal effect maps" (arXiv
    2407.19789): the input is cut into patches; each is replaced by others, and the window's error
    is compared with the error before. Patches inside the window count as all others do (the
    authors leave them out).

    The authors measure in dB, see `decibels`. Here `effect` is in square errors, which add up and
    exist where the output is perfect. The authors take new patches from anywhere in other pictures,
    and degrade these like the input (rain stays where it is). Here a new patch comes from the same
    place of another degraded sample, so that the degradation need not be known. Every patch gets
    all interventions; the authors first drop patches that do nothing three times.

    Args:
        denoiser: any callable on arrays. It is called `patches * interventions` times on the whole
            batch.
        inputs: degraded samples.
        window: of the output, one slice for each spatial axis.
        patch: length of a patch in samples, along every spatial axis or one for each. The last
            patch along an axis may be shorter.
        key: for the choice of donors.
        clean: clean samples, for an effect with a sign; without them the effect is the mean square
            change of the window.
        donors: samples that new patches come from; by default the other ones of `inputs`.
        interventions: new patches for each patch; the same donor may come again.

    Raises:
        InvalidInput: a window or a patch that does not fit, a single input without donors, samples
            of other shapes; inputs or outputs that are not finite; a bad option.
    """
    inputs = floats("inputs", inputs)
    inside = (slice(None), *checked_window(window, inputs))
    interventions = errors.integer("interventions", interventions)
    cuts = _partition(patch, inputs.shape[1:-1])
    counts = tuple(len(along) for along in cuts)
    chosen, source = _donors(checked_key(key), inputs, donors, (interventions, *counts))
    output = output_of(denoiser, inputs)
    if clean is not None:
        finite("clean", clean)
        if clean.shape != inputs.shape:
            raise errors.refuse("clean", clean.shape, f"shape {inputs.shape}")
    wanted = np.asarray(output if clean is None else clean, np.float64)[inside]

    def error_of(found: Samples) -> np.ndarray:
        off = np.asarray(found, np.float64)[inside] - wanted
        return np.mean(off**2, axis=tuple(range(1, off.ndim)))

    plain = np.asarray(inputs)
    after = np.zeros((interventions, len(inputs), *counts))
    for number in range(interventions):
        for at in itertools.product(*[range(count) for count in counts]):
            place = (slice(None), *[along[i] for along, i in zip(cuts, at)])
            changed = plain.copy()
            changed[place] = source[place][chosen[number][at]]
            found = output_of(denoiser, like(inputs, changed))
            after[number][(slice(None), *at)] = error_of(found)
    return CausalEffect(jnp.asarray(error_of(output), jnp.float32), jnp.asarray(after, jnp.float32))


def _partition(patch: Any, space: tuple[int, ...]) -> list[list[slice]]:
    """Slices that cover each axis, of the patch's length; the last may be shorter."""
    lengths = patch if isinstance(patch, list | tuple) else [patch] * len(space)
    if len(lengths) != len(space):
        raise errors.refuse("patch", patch, f"one length, or one for each spatial axis of {space}")
    sizes = [errors.integer("patch", size, high=n) for size, n in zip(lengths, space)]
    return [
        [slice(first, first + size) for first in range(0, n, size)] for size, n in zip(sizes, space)
    ]


def _donors(
    key: PRNGKeyArray, inputs: Samples, donors: Any, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Which donor each sample has, `(*shape, batch)`, and the donors."""
    batch = len(inputs)
    if donors is None:
        if batch < 2:
            raise errors.refuse("inputs", f"{batch} sample", "at least 2, or donors of patches")
        # An offset from 1 to batch - 1, modulo batch, never gives the sample itself.
        further = jax.random.randint(key, (*shape, batch), 1, batch)
        return (np.arange(batch) + np.asarray(further)) % batch, np.asarray(inputs)
    finite("donors", donors)
    if donors.shape[1:] != inputs.shape[1:]:
        raise errors.refuse("donors", donors.shape, f"samples of shape {inputs.shape[1:]}")
    return np.asarray(jax.random.randint(key, (*shape, batch), 0, len(donors))), np.asarray(donors)
