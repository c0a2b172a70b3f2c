"""Content families, which a denoiser should keep.

Each lower-case function checks its arguments and makes a family; each family draws windows of
shape `(n, length, 1)`, periodic, of unit RMS: every window by itself, but those of `band` only on
average, so that they are exactly Gaussian.
Frequencies are in cycles per window; a traced leaf can vary over a grid.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from shortcut1d import errors
from shortcut1d.data import audio
from shortcut1d.data.family import Batch, Content, index_below, traced, unit_rms
from shortcut1d.data.pytrees import pytree, static
from shortcut1d.data.synthesis import play
from shortcut1d.data.tunes import TUNES, score

WINDOW = 128
MAX_NOTES = 16  # notes a window of a melody or tune can hold
MAX_CHORD = 32  # notes at once
MAX_WINDOWS = 1024  # windows kept of a recording, spread evenly over it
ENDLESS = 2**30  # a pool of this size never repeats a draw in practice


@pytree
class Chord:
    """Sines of fixed pitch and random phase, equally loud; one pitch makes a note.

    pitches: whole cycles per window; traced, `(notes,)`.
    length: samples per window; static.
    """

    pitches: Float[Array, "..."]
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` windows, each with phases of its own."""
        phases = jax.random.uniform(key, (n, 1, self.pitches.shape[-1]))
        time = jnp.arange(self.length)[None, :, None] / self.length
        tones = jnp.sin(2 * jnp.pi * (self.pitches * time + phases))
        return unit_rms(jnp.sum(tones, axis=-1, keepdims=True))

    def unseen(self) -> Self:
        """Every note a fifth away: up, or down where up would reach Nyquist; two may so meet."""
        return dataclasses.replace(self, pitches=a_fifth_away(self.pitches, self.length))


@pytree
class Chords:
    """Notes of random whole pitch and phase at once: any number of them has the same mean spectrum.

    notes: notes a window, at most 32; traced.
    low, high: range of the pitches, cycles per window; traced.
    length: samples per window; static.
    """

    notes: Int[Array, "..."]
    low: Float[Array, "..."]
    high: Float[Array, "..."]
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` windows, each with pitches and phases of its own."""
        drawn, phases = jnp.split(jax.random.uniform(key, (n, 2 * MAX_CHORD)), 2, axis=1)
        pitches = self.low + index_below(self.high - self.low + 1, drawn)
        heard = jnp.where(jnp.arange(MAX_CHORD) < self.notes, 1.0, 0.0)
        tones = jax.lax.complex(*(heard * f(2 * jnp.pi * phases) for f in (jnp.cos, jnp.sin)))
        spectrum = jnp.zeros((n, self.length // 2 + 1), tones.dtype)
        spectrum = spectrum.at[jnp.arange(n)[:, None], pitches.astype(jnp.int32)].add(tones)
        return unit_rms(jnp.fft.irfft(spectrum, self.length)[..., None])

    def unseen(self) -> Self:
        """Pitches of the next range, as for `Band`."""
        return _next_range(self)


@pytree
class Band:
    """Gaussian process with equal energy at the integer frequencies low..high.

    low, high: band limits, cycles per window; traced.
    length: samples per window; static.
    """

    low: Float[Array, "..."]
    high: Float[Array, "..."]
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` windows of variance 1."""
        frequency = jnp.arange(self.length // 2 + 1)
        inside = (frequency >= self.low) & (frequency <= self.high)
        parts = jnp.split(jax.random.normal(key, (2 * n, frequency.size)), 2)
        spectrum = jnp.where(inside, jax.lax.complex(*parts), 0.0)
        scale = self.length / (2 * jnp.sqrt(jnp.maximum(jnp.sum(inside), 1)))
        return (scale * jnp.fft.irfft(spectrum, self.length))[..., None]

    def unseen(self) -> Self:
        """The next higher band of this width, as far as Nyquist allows; else the next lower one."""
        return _next_range(self)


@pytree
class Melody:
    """`notes` notes a window, pitches drawn from a scale that is even in log frequency.

    notes: notes a window, at most 16; traced.
    low, high: range of the scale, cycles per window; traced.
    steps: pitches in the scale; traced.
    offset: shift of the scale, in steps; traced.
    length: samples per window; static.
    """

    notes: Int[Array, "..."]
    low: Float[Array, "..."]
    high: Float[Array, "..."]
    steps: Int[Array, "..."]
    offset: Float[Array, "..."]
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` windows, each with pitches, phases and a start of its own."""
        uniforms = jax.random.uniform(key, (n, 2 * MAX_NOTES + 1))
        step = index_below(self.steps, uniforms[:, :MAX_NOTES])
        pitches = self.low * (self.high / self.low) ** ((step + self.offset) / self.steps)
        played = jnp.arange(MAX_NOTES) < self.notes
        durations = jnp.broadcast_to(played / self.notes, (n, MAX_NOTES))
        phases = uniforms[:, MAX_NOTES:-1]
        return unit_rms(play(pitches, durations, phases, uniforms[:, -1], self.length)[..., None])

    def unseen(self) -> Self:
        """Melodies on the scale half a step off: the same range, none of the same pitches."""
        return dataclasses.replace(self, offset=(self.offset + 0.5) % 1.0)


@pytree
class Tune:
    """A real tune; a window holds `notes` consecutive notes in their true rhythm.

    notes: notes a window, at most 16; traced.
    low: pitch of the tune's lowest note, cycles per window; traced.
    semitones, beats: the score, padded to one size for all tunes; traced.
    count: notes in the score; traced.
    name: key of `TUNES`; static.
    length: samples per window; static.
    """

    notes: Int[Array, "..."]
    low: Float[Array, "..."]
    semitones: Float[Array, "..."]
    beats: Float[Array, "..."]
    count: Int[Array, "..."]
    name: str = static("ode_to_joy")
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` windows, each starting at a random note of the tune, which is played in a loop."""
        uniforms = jax.random.uniform(key, (n, MAX_NOTES + 2))
        start = index_below(self.count, uniforms[:, :1])
        position = (start + jnp.arange(MAX_NOTES)) % self.count
        durations = jnp.where(
            jnp.arange(MAX_NOTES) < self.notes, jnp.asarray(self.beats)[position], 0.0
        )
        durations = durations / jnp.sum(durations, axis=1, keepdims=True)
        pitches = self.low * 2.0 ** (jnp.asarray(self.semitones)[position] / 12)
        phases, shift = uniforms[:, 1:-1], uniforms[:, -1]
        return unit_rms(play(pitches, durations, phases, shift, self.length)[..., None])

    def perform(self, rate: int, seconds: float) -> Float[Array, " samples"]:
        """The tune at the speed a listener expects: as many complete notes as `seconds` hold.

        A pitch of 1 cycle per window becomes `rate / length` Hz. Unit RMS.
        """
        own = score(self.name)
        durations = np.asarray(own.beats) * 60 / own.beats_per_minute
        notes = max(int(np.searchsorted(np.cumsum(durations), seconds, side="right")), 1)
        duration = durations[:notes].sum()
        hertz = self.low * 2.0 ** (np.asarray(own.semitones[:notes]) / 12) * rate / self.length
        signal = play(
            jnp.asarray(hertz * duration, jnp.float32)[None],
            jnp.asarray(durations[:notes] / duration, jnp.float32)[None],
            jnp.zeros((1, notes)),
            jnp.zeros(1),
            int(duration * rate),
        )
        return unit_rms(signal[..., None])[0, :, 0]

    def unseen(self) -> "Tune":
        """The next tune in alphabetical order, with the same lowest pitch."""
        names = sorted(TUNES)
        other = _score_leaves(names[(names.index(self.name) + 1) % len(names)])
        return dataclasses.replace(self, **other)


@pytree
class Recording:
    """Windows of a recording, drawn with replacement.

    windows: periodic, of unit RMS, `(k, length, 1)`; traced.
    held: windows from another part of the recording, for the unseen twin; traced.
    """

    windows: Float[Array, "..."]
    held: Float[Array, "..."]

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` of the windows."""
        uniforms = jax.random.uniform(key, (n,))
        return self.windows[index_below(jnp.int32(self.windows.shape[0]), uniforms)]

    def unseen(self) -> "Recording":
        """The part of the recording that was held out."""
        return Recording(self.held, self.windows)


@pytree
class Pool:
    """Only `size` fixed draws of another family: the 1D counterpart of "number of backgrounds".

    inner: the family drawn from.
    size: number of draws; traced.
    seed: decides which draws; traced.
    """

    inner: Any
    size: Int[Array, "..."]
    seed: UInt32[Array, "..."]

    def sample(self, key: PRNGKeyArray, n: int) -> Batch:
        """`n` of the pool's members, with replacement."""
        return self.members(jax.random.randint(key, (n,), 0, self.size))

    def members(self, numbers: Int[Array, " n"]) -> Batch:
        """Members by number, from 0; a larger pool of the same seed starts with the same ones."""
        key = jax.random.key(self.seed)
        draw = jax.vmap(lambda i: self.inner.sample(jax.random.fold_in(key, i), 1)[0])
        return draw(numbers)

    def unseen(self) -> Content:
        """Fresh draws of the family that the pool was drawn from."""
        return self.inner


def note(pitch: float = 8.0, *, length: int = WINDOW) -> Chord:
    """One pitch, random phase. `pitch`: whole cycles per window, below Nyquist (`length / 2`)."""
    return chord((pitch,), length=length)


def chord(pitches: Sequence[float] = (8.0, 10.0, 12.0), *, length: int = WINDOW) -> Chord:
    """Several pitches at once, random phases. `pitches`: different whole cycles per window."""
    length = errors.integer("length", length)
    given = errors.non_empty("pitches", pitches, "at least one pitch")
    checked = [integer_pitch("pitch", pitch, length) for pitch in given]
    if len(set(checked)) < len(checked):
        raise errors.refuse("pitches", given, "different pitches")
    return Chord(traced(checked), length)


def chords(notes: int = 1, high: float = 40.0, low: float = 1.0, *, length: int = WINDOW) -> Chords:
    """`notes` notes at once (1..32), each of a random whole pitch in `low..high`."""
    length = errors.integer("length", length)
    notes = errors.integer("notes", notes, high=MAX_CHORD)
    high = integer_pitch("high", high, length)
    low = errors.integer("low", low, high=high)
    return Chords(traced(notes, np.int32), traced(low), traced(high), length)


def band(high: float = 16.0, low: float = 1.0, *, length: int = WINDOW) -> Band:
    """Gaussian process with energy at the integer frequencies `low..high`."""
    length = errors.integer("length", length)
    high = integer_pitch("high", high, length)
    low = errors.integer("low", low, high=high)
    return Band(traced(low), traced(high), length)


def melody(
    notes: int = 4, low: float = 4.0, high: float = 32.0, *, steps: int = 24, length: int = WINDOW
) -> Melody:
    """`notes` notes a window (1..16) on a scale of `steps` pitches from `low` up to `high`."""
    length = errors.integer("length", length)
    notes = errors.integer("notes", notes, high=MAX_NOTES)
    high = pitch_below_nyquist("high", high, length)
    low = errors.number("low", low, above=0, high=high, unit="cycles per window")
    steps = errors.integer("steps", steps)
    return Melody(
        notes=traced(notes, np.int32),
        low=traced(low),
        high=traced(high),
        steps=traced(steps, np.int32),
        offset=traced(0),
        length=length,
    )


def tune(
    name: str = "ode_to_joy", notes: int = 4, *, low: float = 9.0, length: int = WINDOW
) -> Tune:
    """A real public-domain tune, `notes` notes a window, its lowest pitch at `low`."""
    leaves = _score_leaves(name)
    length = errors.integer("length", length)
    notes = errors.integer("notes", notes, high=MAX_NOTES)
    # Every tune must fit, not just this one: the unseen twin is another tune.
    widest = 2.0 ** (max(max(s.semitones) for s in TUNES.values()) / 12)
    low = errors.number(
        "low", low, above=0, below=length / 2 / widest, unit="cycles per window (Nyquist)"
    )
    return Tune(traced(notes, np.int32), traced(low), **leaves, length=length)


def recording(path: str, *, rate: int = 8000, length: int = WINDOW) -> Recording:
    """A WAV file, mixed to mono, resampled to `rate` Hz and cut into windows.

    A window begins with a cross-fade from its own continuation, over an eighth, to be periodic. One
    40 dB below the loudest is dropped as silence; of the rest `unseen()` has the last fifth.

    Raises:
        InvalidInput: unreadable, not finite, silent, or too short for two windows.
    """
    length = errors.integer("length", length)
    samples = audio.read_wav(path, rate)
    fade = max(length // 8, 1)
    count = (samples.size - fade) // length
    wanted = f"at least {2 * length + fade} samples at {rate} Hz for two windows"
    if count < 2:
        raise errors.refuse(str(path), f"{samples.size} samples", wanted)
    starts = length * np.unique(np.linspace(0, count - 1, min(count, MAX_WINDOWS)).astype(int))
    pieces = samples[starts[:, None] + np.arange(length + fade)]
    ramp = np.linspace(0.0, 1.0, fade, endpoint=False)
    windows = pieces[:, :length].copy()
    windows[:, :fade] = ramp * windows[:, :fade] + (1 - ramp) * pieces[:, length:]
    rms = np.sqrt(np.mean(windows**2, axis=1))
    heard = rms > 0.01 * rms.max()
    windows = (windows[heard] / rms[heard, None]).astype(np.float32)[..., None]
    if len(windows) < 2:
        raise errors.refuse(str(path), f"{len(windows)} windows that are not silent", wanted)
    kept = min(len(windows) - 1, -(-4 * len(windows) // 5))
    return Recording(windows[:kept], windows[kept:])


def pool(inner: Content, size: int = ENDLESS, seed: int = 0) -> Pool:
    """Only `size` fixed draws of `inner`, which `seed` decides."""
    if not isinstance(inner, Content):
        raise errors.refuse("inner", inner, "a content family, such as melody()")
    size = errors.integer("size", size, high=ENDLESS)
    seed = errors.integer("seed", seed, low=0, high=2**32 - 1)
    return Pool(inner, traced(size, np.int32), traced(seed, np.uint32))


CONTENTS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (note, chord, chords, band, melody, tune, recording, pool)
}
make = functools.partial(errors.call_by_name, "content", CONTENTS)
"""`make("melody", notes=3)`: the content family called by name, its arguments checked."""


def _next_range(family: Any) -> Any:
    """A family with a range of frequencies, on the next range; see `Band.unseen`."""
    low, high, top = family.low, family.high, (family.length - 1) // 2
    below = jnp.maximum(2 * low - high - 1, 1), jnp.maximum(low - 1, 1)
    above = high + 1, jnp.minimum(2 * high - low + 1, top)
    low, high = (jnp.where(high < top, up, down) for up, down in zip(above, below))
    return dataclasses.replace(family, low=low, high=high)


def pitch_below_nyquist(field: str, value: Any, length: int) -> float:
    """`value` as a frequency that a window of `length` samples can hold, in cycles per window."""
    return errors.number(
        field, value, above=0, below=length / 2, unit="cycles per window (Nyquist)"
    )


def integer_pitch(field: str, value: Any, length: int) -> int:
    """`value` as an integer number of cycles, so that a tone is periodic over the window."""
    pitch = pitch_below_nyquist(field, value, length)
    if pitch != int(pitch):
        raise errors.refuse(field, value, "whole cycles per window, so that it is periodic")
    return int(pitch)


def a_fifth_away(pitch: Float[Array, "..."], length: int) -> Float[Array, "..."]:
    """Another integer pitch: 3/2 of `pitch`, or 2/3 where that would reach Nyquist."""
    up = jnp.floor(1.5 * pitch + 0.5)
    return jnp.where(up < length / 2, up, jnp.maximum(jnp.floor(pitch / 1.5), 1.0))


def _score_leaves(name: str) -> dict[str, Any]:
    tune_score = score(name)
    longest = max(len(s.beats) for s in TUNES.values())
    count = len(tune_score.beats)
    semitones, beats = np.zeros(longest, np.float32), np.ones(longest, np.float32)
    semitones[:count], beats[:count] = tune_score.semitones, tune_score.beats
    return {"semitones": semitones, "beats": beats, "count": traced(count, np.int32), "name": name}
