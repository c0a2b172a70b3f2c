"""Sound files: reading and writing WAV."""

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.io import wavfile
from scipy.signal import resample_poly

from shortcut1d import errors, store

MAX_RATE = 10_000_000  # Hz; a higher rate takes a filter that no memory holds
MIN_RATE = 1000  # Hz; a lower rate is no sound, and resampling would blow the file up


def read_wav(path: str | Path, rate: int) -> Float[np.ndarray, " samples"]:
    """A WAV file as mono float samples at `rate` Hz, full scale = 1.

    8-, 16-, 24- and 32-bit integer and 32- and 64-bit float, any number of channels.

    Raises:
        InvalidInput: missing, no WAV file, cut short, under 1000 Hz, empty, not finite or silent.
    """
    rate, path = errors.integer("rate", rate), errors.path("path", path)
    data = store.read_bytes(path)
    try:
        with warnings.catch_warnings():
            # scipy returns what is left of a file that is cut short, with at most a warning.
            warnings.simplefilter("error", wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", message="Chunk .* not understood")
            own_rate, raw = wavfile.read(io.BytesIO(data))
    except Exception as error:  # scipy's reader leaks struct.error, IndexError and the like
        raise errors.InvalidInput(f"{path}: not a readable WAV file ({error})") from error
    _check_length(path, data)
    if len(raw) < 2 or not MIN_RATE <= own_rate <= MAX_RATE:
        found = f"length {len(raw)} at {own_rate} Hz"
        wanted = f"sound at {MIN_RATE} Hz or more, and at most {MAX_RATE}"
        raise errors.refuse(str(path), found, wanted)
    samples = _full_scale(raw)
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if not np.all(np.isfinite(samples)):
        bad = int(np.flatnonzero(~np.isfinite(samples))[0])
        raise errors.refuse(f"{path}, sample {bad}", float(samples[bad]), "finite samples")
    if np.ptp(samples) == 0:
        raise errors.refuse(str(path), "silence", "a recording with sound in it")
    if own_rate != rate:
        samples = resample_poly(samples, rate, own_rate)
    return samples


def wav_bytes(signal: Float[np.ndarray, " samples"], rate: int, full_scale: float) -> bytes:
    """A 16-bit mono WAV file; an amplitude of `full_scale` becomes the loudest sample."""
    scaled = np.clip(np.asarray(signal, np.float64) / full_scale, -1, 1)
    file = io.BytesIO()
    wavfile.write(file, rate, np.round(32767 * scaled).astype(np.int16))
    return file.getvalue()


def _check_length(path: str | Path, data: bytes) -> None:
    """Refuse a file whose sound is shorter than its header says; scipy may give no warning."""
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        found = len(data) - position - 8
        if data[position : position + 4] == b"data" and size > found:
            raise errors.refuse(str(path), f"{found} bytes of sound", f"{size}, as its header says")
        position += 8 + size + size % 2


def _full_scale(raw: np.ndarray) -> np.ndarray:
    if raw.dtype.kind == "f":
        return raw.astype(np.float64)
    if raw.dtype == np.uint8:  # WAV stores 8 bits unsigned
        return (raw.astype(np.float64) - 128) / 128
    return raw.astype(np.float64) / -float(np.iinfo(raw.dtype).min)
