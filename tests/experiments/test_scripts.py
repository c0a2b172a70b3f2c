"""Every script, as a user runs it, at its smallest preset."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import wavfile

ROOT = Path(__file__).resolve().parent.parent.parent


def script(name, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "experiments" / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.mark.slow
def test_a_script_makes_the_same_files_in_a_process_of_its_own(smoke, tmp_path):
    # One script stands for all: the driver is the same.
    done = script("music_note", "--preset", "smoke", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    for suffix in ("csv", "npz", "png"):
        fresh = (tmp_path / f"music_note.{suffix}").read_bytes()
        assert fresh == (smoke("music_note")[0] / f"music_note.{suffix}").read_bytes()


def test_a_misspelt_option_ends_in_one_line_and_status_2(tmp_path):
    done = script("music_note", "--presett", "smoke", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean --preset" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_music_note_table_has_one_row_per_network_and_test(smoke):
    table = pd.read_csv(smoke("music_note")[0] / "music_note.csv")
    who = ["network", "content", "degradation", "seed"]
    what = ["test", "test_content", "test_degradation"]
    assert not table.duplicated(who + what).any()
    assert table.groupby(who).size().unique() == [1 + 3 + 4]
    trained = table[table["network"].isin(["conv", "mlp"])]
    assert len(trained.groupby(who)) == 2 * 2 * 3 * 2
    assert len(table.groupby(who)) == len(trained.groupby(who)) + 2 * 2 * 2  # and two filters
    assert not table["diverged"].any()
    assert trained["rho"].notna().eq(trained["test"] == "seen").all()


def test_the_music_note_can_be_heard(smoke):
    sounds = sorted(smoke("music_note")[0].glob("*.wav"))
    assert len(sounds) == 7
    lengths = {wavfile.read(path)[1].size for path in sounds}
    assert len(lengths) == 1
    assert lengths.pop() > 4000


@pytest.mark.slow
def test_one_seed_more_changes_no_other_row(smoke, command, tmp_path):
    assert command("music_note", "--preset", "smoke", "--seeds", 3, "--out", tmp_path)[0] == 0
    more = pd.read_csv(tmp_path / "music_note.csv", dtype=str)
    few = pd.read_csv(smoke("music_note")[0] / "music_note.csv", dtype=str)
    same = more[more["seed"].isin(few["seed"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, few)


@pytest.mark.slow
def test_a_recording_adds_rows_and_one_seed_decides_nothing(smoke, command, tmp_path):
    rng = np.random.default_rng(0)
    wavfile.write(tmp_path / "own.wav", 11025, rng.normal(size=(22050, 2)).astype(np.float32))
    arguments = ["--preset", "smoke", "--seeds", 1, "--out", tmp_path]
    status, printed, complaints = command(
        "music_note", *arguments, "--recording", tmp_path / "own.wav"
    )
    assert status == 0, complaints
    assert "undecided" in printed
    assert "holds" not in printed
    heard = pd.read_csv(tmp_path / "music_note.csv")
    assert (heard["test_content"] == "recording").sum() == 12 + 4  # networks, filters
    rest = heard[heard["test_content"] != "recording"].reset_index(drop=True)
    few = pd.read_csv(smoke("music_note")[0] / "music_note.csv")
    first = few[few["seed"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, first, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--recording", "no_such.wav"], "no_such.wav"),
        (["--tune", "ode_to_joi"], "did you mean 'ode_to_joy'"),
        (["--networks", "convv"], "did you mean 'conv'"),
        (["--networks", "conv", "conv"], "each named once"),
        (["--seeds", "0"], "seeds: got 0"),
        (["--pitch", "64"], "pitch: got 64"),
        (["--high", "90"], "high: got 90"),
        (["--low", "-1"], "low: got -1"),
        (["--notes", "99"], "notes: got 99"),
        (["--steps", "0"], "steps: got 0"),
        (["--batch", "-5"], "batch: got -5"),
        (["--width", "0"], "width: got 0"),
        (["--shapes", "-1"], "shapes: got -1"),
        (["--samples", "1"], "samples: got 1"),
        (["--level", "inf"], "level: got inf"),
        (["--learning-rate", "nan"], "learning_rate: got nan"),
        (["--seconds", "0"], "seconds: got 0"),
        (["--loss", "l3"], "loss: got 'l3'"),
    ],
)
def test_a_bad_value_is_refused_before_anything_is_trained(arguments, named, command, tmp_path):
    status, printed, complaints = command("music_note", *arguments, "--out", tmp_path / "new")
    assert (status, printed) == (2, "")
    assert named in complaints
    assert complaints.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_derained_photographs_may_be_the_user_s_own(command, tmp_path):
    (tmp_path / "own").mkdir()
    for number in range(6):
        shade = np.random.default_rng(number).integers(0, 255, (40, 50, 3), np.uint8)
        Image.fromarray(shade).save(tmp_path / "own" / f"{number}.png")
    (tmp_path / "own" / "broken.png").write_bytes(b"\x89PNG")
    arguments = ["--preset", "smoke", "--out", tmp_path, "--images"]
    status, _, complaints = command("image_deraining", *arguments, tmp_path / "own")
    assert status == 0
    broken, said = complaints.splitlines()
    assert "broken.png: not a PNG or JPEG picture; left out" in broken
    assert said == f"photographs: {tmp_path / 'own'}, a third of them as new ones"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--images", "no such folder"], "no such folder: cannot be read"),
        (["--images", "{empty}"], "a folder with PNG or JPEG pictures"),
        (["--pairs", "no such folder"], "cannot be read"),
        (["--blurs", "2", "1"], "blurs: got (2.0, 1.0)"),
        (["--pools", "4"], "pools: got (4,)"),
        (["--channels", "2"], "channels: got 2"),
        (["--size", "8"], "size: got 8"),
        (["--seeds", "1"], "seeds: got 1"),
    ],
)
def test_what_cannot_be_derained_is_refused_in_one_line(arguments, named, command, tmp_path):
    (tmp_path / "empty").mkdir()
    filled = [part.format(empty=tmp_path / "empty") for part in arguments]
    status, printed, complaints = command("image_deraining", *filled, "--out", tmp_path / "new")
    assert (status, printed) == (2, "")
    assert named in complaints
    assert complaints.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("image_restoration", ["--tasks", "denoise"], "did you mean 'denoising'"),
        ("image_restoration", ["--tasks", "denoising", "denoising"], "each named once"),
        ("image_restoration", ["--sigma", "0.4"], "sigma: got 0.4"),
        ("image_restoration", ["--blur", "9"], "blur: got 9"),
        ("image_restoration", ["--network", "resnet"], "network: got 'resnet'"),
        ("image_restoration", ["--network", "unet", "--size", "18"], "multiple of 4"),
        ("image_capacity", ["--widths", "4"], "widths: got (4,)"),
        ("image_vs_signal", ["--signal-steps", "0"], "signal_steps: got 0"),
        ("image_vs_signal", ["--signal-batch", "0"], "signal_batch: got 0"),
        ("image_vs_signal", ["--signal-width", "0"], "signal_width: got 0"),
        ("image_vs_signal", ["--signal-samples", "1"], "signal_samples: got 1"),
        ("image_prior", ["--halvings", "0"], "got 0"),
        ("image_prior", ["--halvings", "7"], "halvings: got 7"),
        ("image_prior", ["--size", "200"], "size: got 200"),
        ("image_prior", ["--contents", "cats"], "contents: got 'cats'"),
        ("image_prior", ["--contents", "faces", "faces"], "each named once"),
        ("image_prior", ["--tasks", "painting"], "tasks: got 'painting'"),
        ("image_prior", ["--fitted", "65"], "fitted: got 65"),
        ("image_prior", ["--entries", "1"], "entries: got 1"),
        ("image_prior", ["--tune-steps", "0"], "tune_steps: got 0"),
        ("image_prior", ["--seeds", "1"], "seeds: got 1"),
        ("generative_prior", ["--entries", "1"], "entries: got 1"),
        ("generative_prior", ["--halvings", "8"], "halvings: got 8"),
        ("generative_prior", ["--contents", "noise"], "contents: got 'noise'"),
        ("generative_prior", ["--sampling", "-1"], "sampling: got -1"),
        ("generative_prior", ["--deep-steps", "0"], "deep_steps: got 0"),
        ("generative_prior", ["--samples", "100"], "a multiple of 16"),
        ("generative_prior", ["--seconds", "0"], "seconds: got 0"),
        ("generative_prior", ["--books", "0"], "books: got 0"),
        ("generative_prior", ["--prior-width", "0"], "prior_width: got 0"),
        ("generative_prior", ["--tune-steps", "-1"], "tune_steps: got -1"),
        ("generative_prior", ["--shapes", "0"], "shapes: got 0"),
    ],
)
def test_what_a_study_cannot_use_is_refused(name, arguments, named, command, tmp_path):
    smallest = ["--preset", "smoke", "--out", tmp_path / "new"]
    status, printed, complaints = command(name, *smallest, *arguments)
    assert (status, printed) == (2, "")
    assert named in complaints
    assert complaints.count("\n") == 1
    assert not (tmp_path / "new").exists()
