"""The synthesiser that plays melodies and tunes."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@functools.partial(jax.jit, static_argnames=("length", "softness"))
def play(
    pitches: Float[Array, "n notes"],
    durations: Float[Array, "n notes"],
    phases: Float[Array, "n notes"],
    shift: Float[Array, " n"],
    length: int,
    softness: float = 0.25,
) -> Float[Array, "n length"]:
    """One voice, one sine a note, each note faded in and out; periodic over the window.

    Args:
        pitches: cycles per window.
        durations: shares of the window, which sum to 1; a duration of 0 leaves the note out.
        phases: cycles at the note's onset.
        shift: onset of the first note, as a share of the window.
        length: samples per window.
        softness: share of a note spent fading in, and as much fading out (raised cosine).
    """
    time = (jnp.arange(length) / length - shift[:, None]) % 1.0
    ends = jnp.cumsum(durations, axis=1)
    # Which note sounds at each sample. One voice: a gather instead of a sum over all notes.
    sounding = jnp.sum(time[:, :, None] >= ends[:, None, :], axis=-1)
    sounding = jnp.minimum(sounding, pitches.shape[1] - 1)

    def of_note(values: Float[Array, "n notes"]) -> Float[Array, "n length"]:
        return jnp.take_along_axis(values, sounding, axis=1)

    since_onset = time - of_note(ends - durations)
    through = since_onset / jnp.maximum(of_note(durations), 1e-9)
    edge = jnp.clip(jnp.minimum(through, 1.0 - through) / softness, 0.0, 1.0)
    envelope = jnp.sin(0.5 * jnp.pi * edge) ** 2
    return envelope * jnp.sin(2 * jnp.pi * (of_note(pitches) * since_onset + of_note(phases)))
