"""Degradation families, which a denoiser should take away.

Each lower-case function checks its arguments and makes a family. `sample` draws the random part,
`(n, length, 1)`: a residual for `clicks`, `hiss` and `hum` (at `level` dB against content of unit
RMS), a mask for `dropout`, a kernel for `blur`; `apply` puts it on a content.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from shortcut1d import errors
from shortcut1d.data.composition import Units, units
from shortcut1d.data.family import (
    Additive,
    Convolution,
    between,
    draw,
    index_below,
    traced,
    unit_rms,
)
from shortcut1d.data.pytrees import pytree, static
from shortcut1d.data.signals import WINDOW, Chord, a_fifth_away, integer_pitch, pitch_below_nyquist

TAPS = 17  # samples a click shape is defined on
DRAWN_AHEAD = 256  # a bank of up to this many shapes is drawn as a whole
OTHER_BANK = np.uint32(0x5EED0000)  # seen and unseen banks differ in these bits


@pytree
class Clicks(Additive):
    """Short pulses at random places, each one of `shapes` fixed random shapes (rain streaks in 1D).

    shapes: size of the bank, K; traced.
    bank: number of the bank; traced.
    width: range of widths, samples, drawn per pulse; traced `(2,)`.
    amplitude: range of amplitudes, drawn per pulse before the window is scaled; traced `(2,)`.
    level: RMS of the residual, dB; traced.
    pulses: pulses a window; static.
    length: samples per window; static.
    reach: samples that the widest pulse may cover; static.
    drawn_ahead: shapes drawn once a call (inside a training loop, once a loop); 0 to draw the
        shape of each pulse, for large banks; static.
    """

    shapes: Int[Array, "..."]
    bank: UInt32[Array, "..."]
    width: Float[Array, "..."]
    amplitude: Float[Array, "..."]
    level: Float[Array, "..."]
    pulses: int = static(6)
    length: int = static(WINDOW)
    reach: int = static(TAPS)
    drawn_ahead: int = static(0)

    def shape(self, index: Int[Array, ""]) -> Float[Array, " taps"]:
        """The bank's shape number `index`: white noise under a Hann taper, unit energy."""
        key = jax.random.fold_in(jax.random.key(self.bank), index)
        taper = jnp.sin(jnp.pi * (jnp.arange(TAPS) + 1) / (TAPS + 1)) ** 2
        taps = jax.random.normal(key, (TAPS,)) * taper
        return taps / jnp.linalg.norm(taps)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` residuals, each of RMS `level`."""
        uniforms = jnp.split(jax.random.uniform(key, (n, 4 * self.pulses)), 4, axis=1)
        onset = index_below(jnp.int32(self.length), uniforms[1])
        pulses = self._pulses(
            index_below(self.shapes, uniforms[0]),
            between(self.width, uniforms[2]),
            between(self.amplitude, uniforms[3]),
        )

        @jax.vmap
        def add_pulse(line: Array, pulse: Array, start: Array) -> Array:
            before = jax.lax.dynamic_slice(line, (start,), (self.reach,))
            return jax.lax.dynamic_update_slice(line, before + pulse, (start,))

        # One pulse after the other: in this order every device rounds the sum alike.
        line, _ = jax.lax.scan(
            lambda line, one: (add_pulse(line, *one), None),
            jnp.zeros((n, self.length + self.reach)),
            (pulses.swapaxes(0, 1), onset.swapaxes(0, 1)),
            unroll=min(self.pulses, 8),
        )
        beyond = line[:, self.length :]
        residual = line[:, : self.length].at[:, : self.reach].add(beyond)  # a periodic window
        return _gain(self.level) * unit_rms(residual[..., None])

    def _pulses(
        self,
        index: Int[Array, "n pulses"],
        width: Float[Array, "n pulses"],
        amplitude: Float[Array, "n pulses"],
    ) -> Float[Array, "n pulses reach"]:
        """Shapes of the bank, stretched to `width` and scaled to `amplitude`."""
        if self.drawn_ahead:
            bank = jax.vmap(self.shape)(jnp.arange(self.drawn_ahead))
        else:
            bank = jax.vmap(self.shape)(index.ravel())
            index = jnp.arange(index.size).reshape(index.shape)
        flat = jnp.pad(bank, ((0, 0), (0, 1))).ravel()
        position = jnp.arange(self.reach) * (TAPS - 1) / jnp.maximum(width[..., None] - 1, 1)
        below = jnp.minimum(position.astype(jnp.int32), TAPS - 1)
        weight = position - below
        at = index[..., None] * (TAPS + 1) + below
        value = flat[at] * (1 - weight) + flat[at + 1] * weight
        return amplitude[..., None] * jnp.where(position <= TAPS - 1, value, 0.0)

    def unseen(self) -> Self:
        """Clicks from another bank of as many shapes."""
        return dataclasses.replace(self, bank=self.bank ^ OTHER_BANK)


@pytree
class Hiss(Additive):
    """Gaussian noise with power proportional to `frequency ** -color` between low and high.

    color: 0 white, 1 pink, 2 brown; traced.
    low, high: band limits, cycles per window; traced.
    level: RMS, dB, on average over draws; traced.
    length: samples per window; static.
    """

    color: Float[Array, "..."]
    low: Float[Array, "..."]
    high: Float[Array, "..."]
    level: Float[Array, "..."]
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` residuals."""
        frequency = jnp.minimum(jnp.arange(self.length), self.length - jnp.arange(self.length))
        inside = (frequency >= self.low) & (frequency <= self.high)
        power = jnp.where(inside, jnp.maximum(frequency, 1.0) ** -self.color, 0.0)
        power = power / jnp.mean(power)
        white = jax.random.normal(key, (n, self.length))
        half = jnp.sqrt(power[: self.length // 2 + 1])
        residual = jnp.fft.irfft(jnp.fft.rfft(white) * half, self.length)
        return _gain(self.level) * residual[..., None]

    def unseen(self) -> Self:
        """Pink hiss for white; white for pink, and for whatever is nearer to pink than to white."""
        return dataclasses.replace(self, color=jnp.where(self.color > 0.5, 0.0, 1.0))


@pytree
class Hum(Additive):
    """A fixed tone of random phase.

    pitch: whole cycles per window; traced.
    level: RMS, dB; traced.
    length: samples per window; static.
    """

    pitch: Float[Array, "..."]
    level: Float[Array, "..."]
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` residuals, each with a phase of its own."""
        return _gain(self.level) * Chord(self.pitch[..., None], self.length).sample(key, n)

    def unseen(self) -> Self:
        """The tone a fifth away."""
        return dataclasses.replace(self, pitch=a_fifth_away(self.pitch, self.length))


@pytree
class Dropout:
    """Segments set to zero: `y = m c`.

    width: range of segment widths, samples; traced `(2,)`.
    segments: segments a window; static.
    length: samples per window; static.
    """

    width: Float[Array, "..."]
    segments: int = static(3)
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` masks: 0 inside a segment, 1 elsewhere."""
        uniforms = jnp.split(jax.random.uniform(key, (n, 2 * self.segments)), 2, axis=1)
        onset = index_below(jnp.int32(self.length), uniforms[0])
        width = between(self.width, uniforms[1])
        since_onset = (jnp.arange(self.length) - onset[..., None]) % self.length
        lost = jnp.any(since_onset < width[..., None], axis=1)
        return jnp.where(lost, 0.0, 1.0)[..., None]

    def apply(
        self, content: Float[Array, "n length 1"], realisation: Float[Array, "n length 1"]
    ) -> Float[Array, "n length 1"]:
        """`mask * content`."""
        return content * realisation

    def unseen(self) -> Self:
        """Longer segments: widths from `top + 1` to `1.5 * top + 1`, `top` being the longest."""
        longest = self.width[..., 1]
        width = jnp.stack([longest + 1, 1.5 * longest + 1], axis=-1)
        return dataclasses.replace(self, width=width)


@pytree
class Blur(Convolution):
    """Circular convolution with a random smoothing kernel of mass 1: `y = k * c`.

    width: range of the kernel's standard deviation, samples; traced `(2,)`.
    motion: 0 for Gaussian kernels, 1 for boxes (motion); traced.
    length: samples per window; static.
    """

    width: Float[Array, "..."]
    motion: Float[Array, "..."]
    length: int = static(WINDOW)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n length 1"]:
        """`n` kernels, centred on sample 0."""
        width = between(self.width, jax.random.uniform(key, (n, 1)))
        offset = jnp.arange(self.length)
        distance = jnp.minimum(offset, self.length - offset)
        gaussian = jnp.exp(-0.5 * (distance / width) ** 2)
        # A box of standard deviation s reaches s * sqrt(3) to either side.
        box = jnp.clip(width * jnp.sqrt(3.0) + 0.5 - distance, 0.0, 1.0)
        kernel = jnp.where(self.motion > 0, box, gaussian)
        return (kernel / jnp.sum(kernel, axis=1, keepdims=True))[..., None]


def clicks(
    shapes: int = 1,
    *,
    bank: int = 0,
    pulses: int = 6,
    width: tuple[float, float] = (TAPS, TAPS),
    amplitude: tuple[float, float] = (0.5, 1.5),
    level: float = 0.0,
    length: int = WINDOW,
) -> Clicks:
    """`pulses` clicks a window out of bank `bank` of `shapes` shapes, at `level` dB."""
    length = errors.integer("length", length)
    shapes = errors.integer("shapes", shapes, high=2**20)
    widths = errors.span("width", width, low=2, high=length, unit="samples")
    # In steps, so that a grid over widths compiles few programs.
    reach = next((r for r in (TAPS, 32, 64, 128, 256) if r >= max(widths)), length)
    return Clicks(
        shapes=traced(shapes, np.int32),
        bank=traced(errors.integer("bank", bank, low=0, high=int(OTHER_BANK) - 1), np.uint32),
        width=traced(widths),
        amplitude=traced(errors.span("amplitude", amplitude, low=1e-6, high=1e6)),
        level=_level(level),
        pulses=errors.integer("pulses", pulses, high=10_000),
        length=length,
        reach=min(reach, length),
        drawn_ahead=DRAWN_AHEAD if shapes <= DRAWN_AHEAD else 0,
    )


def hiss(
    *,
    color: float = 0.0,
    low: float = 0.0,
    high: float | None = None,
    level: float = 0.0,
    length: int = WINDOW,
) -> Hiss:
    """Gaussian noise of a colour within a band (by default all of it), at `level` dB."""
    length = errors.integer("length", length)
    color = errors.number("color", color, low=-4, high=4)
    top = length / 2 if high is None else pitch_below_nyquist("high", high, length)
    low = errors.number("low", low, low=0, high=int(top), unit="cycles per window")
    return Hiss(traced(color), traced(low), traced(top), _level(level), length)


def hum(pitch: float = 20.0, *, level: float = 0.0, length: int = WINDOW) -> Hum:
    """A fixed tone at `pitch` whole cycles per window, at `level` dB."""
    length = errors.integer("length", length)
    return Hum(traced(integer_pitch("pitch", pitch, length)), _level(level), length)


def dropout(
    segments: int = 3, *, width: tuple[float, float] = (8.0, 16.0), length: int = WINDOW
) -> Dropout:
    """`segments` segments of `width` samples set to zero in every window."""
    length = errors.integer("length", length)
    # The unseen twin's segments are 1.5 times as wide, and must leave some of the window.
    checked = errors.span("width", width, low=1, high=length / 2, unit="samples")
    return Dropout(traced(checked), errors.integer("segments", segments, high=10_000), length)


def blur(
    width: tuple[float, float] = (1.0, 3.0), *, motion: bool = False, length: int = WINDOW
) -> Blur:
    """Gaussian (or motion) blur; `width`: range of the standard deviation, samples."""
    length = errors.integer("length", length)
    checked = errors.span("width", width, low=0.1, high=length / 4, unit="samples")
    return Blur(traced(checked), traced(errors.flag("motion", motion)), length)


def unseen_banks(family: Clicks, count: int = 16) -> Units:
    """Clicks from many other banks as one family, so that no single odd click decides a test.

    Families with different bank numbers, which must be below 4096, share none of these banks.
    """
    count = errors.integer("count", count, high=16)
    number = errors.integer("bank", int(family.bank), low=0, high=4095)
    banks = (np.arange(count, dtype=np.uint32) + np.uint32(16 * number)) ^ OTHER_BANK
    return units([dataclasses.replace(family, bank=bank) for bank in banks])


def over_length(family: Any, key: PRNGKeyArray, length: int) -> Float[Array, "1 length 1"]:
    """A realisation of `family` for a signal of any length: windows joined end to end."""
    windows = draw(family, key, -(-length // family.length))
    return windows.reshape(1, -1, 1)[:, :length]


DEGRADATIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (clicks, hiss, hum, dropout, blur)
}


make = functools.partial(errors.call_by_name, "degradation", DEGRADATIONS)
"""`make("clicks", shapes=8)`: the degradation family called by name, its arguments checked."""


def _level(level: float) -> Any:
    return traced(errors.number("level", level, low=-120, high=60, unit="dB"))


def _gain(level: Float[Array, ""]) -> Float[Array, ""]:
    return 10.0 ** (level / 20.0)
