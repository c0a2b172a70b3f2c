import numpy as np
import pytest
from scipy.io import wavfile

from shortcut1d.data import signals
from shortcut1d.data.audio import read_wav, wav_bytes
from shortcut1d.errors import InvalidInput

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)


def twenty_four_bit(path, rate, samples):
    """scipy writes no 24-bit files, so by hand (RIFF, PCM)."""
    frames = b"".join(int(v).to_bytes(3, "little", signed=True) for v in samples)
    head = b"WAVEfmt " + (16).to_bytes(4, "little") + b"\1\0\1\0" + rate.to_bytes(4, "little")
    head += (rate * 3).to_bytes(4, "little") + b"\3\0\30\0data" + len(frames).to_bytes(4, "little")
    path.write_bytes(b"RIFF" + (len(head) + len(frames)).to_bytes(4, "little") + head + frames)


@pytest.mark.parametrize("kind", ["uint8", "int16", "int24", "int32", "float32", "float64"])
def test_every_sample_format_reads_the_same(tmp_path, kind):
    path = tmp_path / "tone.wav"
    if kind == "int24":
        twenty_four_bit(path, RATE, np.round(TONE * 2**23))
    elif kind == "uint8":
        wavfile.write(path, RATE, np.round(TONE * 128 + 128).astype(np.uint8))
    elif kind.startswith("int"):
        full = 2.0 ** (np.iinfo(kind).bits - 1)
        wavfile.write(path, RATE, np.round(TONE * full).astype(kind))
    else:
        wavfile.write(path, RATE, TONE.astype(kind))
    np.testing.assert_allclose(read_wav(path, RATE), TONE, atol=1 / 128)


def test_stereo_is_mixed_and_any_rate_is_resampled(tmp_path):
    path = tmp_path / "tône, stéréo.wav"
    fast = 0.5 * np.sin(2 * np.pi * 500 * np.arange(44100) / 44100)
    wavfile.write(path, 44100, np.stack([fast, np.zeros_like(fast)], axis=1).astype(np.float32))
    heard = read_wav(path, RATE)
    assert abs(len(heard) - RATE) <= 1
    np.testing.assert_allclose(heard[200:-200], TONE[200 : len(heard) - 200] / 2, atol=2e-3)


def test_a_written_file_reads_back(tmp_path):
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_bytes(TONE, RATE, full_scale=0.5))
    np.testing.assert_allclose(read_wav(path, RATE), 2 * TONE, atol=1e-3)


def broken_files():
    whole = wav_bytes(TONE, RATE, 1.0)
    nan = TONE.copy()
    nan[17] = np.nan
    return {
        "empty file": b"",
        "text": b"this is no sound at all, whatever its name says",
        "cut in the header": whole[:20],
        "cut in the sound": whole[:5000],
        "no samples": wav_bytes(TONE[:0], RATE, 1.0),
        "one sample": wav_bytes(TONE[1:2], RATE, 1.0),
        "one sample a second": wav_bytes(TONE[:200], 1, 1.0),
        "silence": wav_bytes(0 * TONE, RATE, 1.0),
        "random bytes": np.random.default_rng(0).bytes(5000),
        "lies about its format": whole[:20] + b"\xff" + whole[21:],
        "lies about its length": whole[:40] + b"\xff\xff\xff\x7f" + whole[44:],
    }


@pytest.mark.parametrize("damage", broken_files())
def test_a_broken_file_is_refused_in_one_line_that_names_it(tmp_path, damage):
    path = tmp_path / "broken.wav"
    path.write_bytes(broken_files()[damage])
    with pytest.raises(InvalidInput, match=r"broken\.wav") as refused:
        signals.recording(str(path))
    assert "\n" not in str(refused.value)


def test_a_sample_that_is_not_finite_is_named(tmp_path):
    path = tmp_path / "nan.wav"
    samples = TONE.astype(np.float32)
    samples[17] = np.nan
    wavfile.write(path, RATE, samples)
    with pytest.raises(InvalidInput, match="sample 17"):
        signals.recording(str(path))


@pytest.mark.parametrize("path", ["no/such/file.wav", "/", "bad\0name.wav", ""])
def test_a_path_that_cannot_be_read_is_refused(path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        signals.recording(path)


def test_a_recording_is_cut_into_periodic_windows_of_unit_rms(tmp_path, key):
    path = tmp_path / "tone.wav"
    # 510 Hz does not fit a window of 128 samples: only the cross-fade makes it periodic.
    tone = np.sin(2 * np.pi * 510 * np.arange(RATE) / RATE)
    silence = np.zeros(RATE)
    wavfile.write(path, RATE, np.concatenate([tone, silence]).astype(np.float32))
    family = signals.recording(str(path))
    assert len(family.windows) + len(family.held) <= 63
    draws = np.asarray(family.sample(key, 100))
    np.testing.assert_allclose(np.mean(draws**2, axis=(1, 2)), 1, atol=1e-3)
    steepest = np.abs(np.diff(draws[..., 0], axis=1)).max()
    assert np.abs(draws[:, 0, 0] - draws[:, -1, 0]).max() < 1.5 * steepest


def test_windows_and_held_out_windows_of_a_recording_are_different(tmp_path):
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    wavfile.write(path, RATE, noise)
    family = signals.recording(str(path))
    assert len(family.windows) == pytest.approx(4 * len(family.held), rel=0.2)
    seen = {w.tobytes() for w in family.windows}
    assert not seen & {w.tobytes() for w in family.unseen().windows}


def test_too_short_a_recording_is_refused(tmp_path):
    path = tmp_path / "short.wav"
    wavfile.write(path, RATE, TONE[:200].astype(np.float32))
    with pytest.raises(InvalidInput, match="at least 272 samples"):
        signals.recording(str(path))


def test_a_rate_that_no_memory_could_resample_is_refused(tmp_path):
    wavfile.write(tmp_path / "it.wav", 999_999_937, np.sin(np.arange(100)).astype(np.float32))
    with pytest.raises(InvalidInput, match=r"at 999999937 Hz.*at most 10000000"):
        read_wav(tmp_path / "it.wav", 8000)
