"""The command `shortcut1d`, as a user types it."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import shortcut1d
from shortcut1d import cli


@pytest.fixture
def run():
    """Run the command in this process: exit status, standard output, standard error."""

    def of(*arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = cli.main([str(word) for word in arguments])
            except SystemExit as leaving:
                status = leaving.code
        return status, out.getvalue(), err.getvalue()

    return of


def test_importing_the_package_imports_no_jax():
    code = (
        "import sys, shortcut1d; assert 'jax' not in sys.modules;"
        "assert set(shortcut1d.__all__) <= set(dir(shortcut1d));"
        "[getattr(shortcut1d, name) for name in shortcut1d.__all__]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_the_package_does_not_have_is_no_attribute():
    with pytest.raises(AttributeError, match="diagnoze"):
        _ = shortcut1d.diagnoze


def test_the_command_says_its_version(run):
    assert run("--version") == (0, f"{shortcut1d.__version__}\n", "")
    done = subprocess.run(
        [sys.executable, "-m", "shortcut1d", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{shortcut1d.__version__}\n"


def test_without_a_command_there_is_help(run):
    status, _, said = run()
    assert status == 2
    assert "diagnose --help" in said
    assert "compare --help" in said
    assert "data --help" in said


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["diagnoze"], "invalid choice: 'diagnoze'"),
        (["diagnose", "--modle", "net:load"], "did you mean --model"),
        (["diagnose"], "model: is missing"),
        (["diagnose", "--model", "json:load"], "clean: is missing"),
        (["diagnose", "--data", "nowhere"], "data: got 'nowhere', expected a folder"),
        (["diagnose", "--out", ""], "argument --out: got '', expected a folder"),
        (["compare"], "a.json, b.json"),
        (["compare", "a.json"], "b.json"),
        (["compare", "a.json", "b.json"], "a.json: cannot be read (No such file or directory)"),
        (["compare", "a.json", "b.json", "--outt"], "unknown option --outt"),
        (["data"], "{list,get}"),
        (["data", "lst"], "invalid choice: 'lst'"),
        (["data", "get"], "NAME"),
        (["data", "get", "bsd40"], "expected one of bias_free_denoising, bsd400, bsd68, prenet"),
        (["data", "get", "all", "bsd40"], "did you mean 'bsd400'"),
        (["data", "get", "bsd68", "--to", "/dev/null"], "/dev/null: cannot be written to"),
    ],
)
def test_a_slip_is_one_line_and_status_2(run, arguments, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, printed, said = run(*arguments)
    assert (status, printed) == (2, "")
    assert named in said
    assert said.count("\n") == 1


def test_the_list_of_data_sets_is_a_document_too(run, tmp_path):
    status, printed, said = run("data", "list", "--data", tmp_path, "--json")
    assert status == 0
    document = json.loads(printed)
    assert document["data"] == str(tmp_path)
    bsd68 = next(found for found in document["data_sets"] if found["name"] == "bsd68")
    assert (bsd68["files"], bsd68["state"]) == (68, "not here")
    assert "bsd68" in said
    assert run("data", "list", "--data", tmp_path, "--json", "--quiet") == (0, printed, "")
    assert run("data", "list", "--data", tmp_path, "--quiet") == (0, "", "")


@pytest.fixture
def rainy(tmp_path):
    """Folders of clean and rainy pictures, and a network in a file."""
    draw = np.random.default_rng(0)
    for name in ("clean", "rainy"):
        (tmp_path / name).mkdir()
    for number in range(4):
        clean = draw.integers(0, 200, (40, 50, 3), np.uint8)
        Image.fromarray(clean).save(tmp_path / "clean" / f"norain-{number}.png")
        streaks = 55 * (draw.random((40, 50, 1)) < 0.1)
        Image.fromarray((clean + streaks).astype(np.uint8)).save(
            tmp_path / "rainy" / f"rain-{number}.png"
        )
    (tmp_path / "net.py").write_text("def load():\n    return lambda y: 0.5 + 0.9 * (y - 0.5)\n")
    return tmp_path


def diagnosis_of(folder, *arguments):
    return [
        "--size", 16, "--channels", 1, "--samples", 8, "--portraits", 0, "--out", folder / "out",
        "--model", f"{folder / 'net.py'}:load",
        "--clean", folder / "clean", "--degraded", folder / "rainy", *arguments,
    ]  # fmt: skip


@pytest.mark.slow
def test_a_network_in_a_file_is_diagnosed_on_a_user_s_pictures(rainy, run):
    (rainy / "rainy" / "rain-00.png").write_bytes(b"\x89PNG")
    status, printed, complaints = run("diagnose", *diagnosis_of(rainy))
    assert status == 0
    assert "it keeps most of a content it has not seen" in printed
    assert complaints.count("\n") == 1
    assert "rain-00.png: not a PNG or JPEG picture; left out" in complaints
    table = pd.read_csv(rainy / "out" / "diagnosis.csv").set_index(["measure", "test"])
    assert table.loc[("content_gain", "seen"), "value"] == pytest.approx(0.9, abs=1e-5)
    assert table.loc[("rho", "seen"), "value"] == pytest.approx(0.9, abs=1e-5)
    page, record = (rainy / "out" / f"diagnosis_report.{end}" for end in ("html", "json"))
    assert "<title>net.py:load: shortcut1d</title>" in page.read_text()
    assert printed.splitlines()[-2:] == [str(page), str(record)]
    status, said, complaints = run("compare", record, record)
    assert (status, complaints) == (0, "")
    assert said.startswith("a: net.py:load\n")
    assert run("compare", record, record, "--quiet") == (0, "", "")
    status, said, complaints = run("compare", record, record, "--json")
    assert (status, complaints.startswith("a: net.py:load\n")) == (0, True)
    document = json.loads(said)
    assert document["a"] == document["b"]
    by_name = {(row["measure"], row["test"]): row for row in document["measures"]}
    assert by_name["nmse", "seen"]["difference"] == 0
    assert by_name["rho", "seen"]["difference"] is None
    status, said, complaints = run("compare", record, rainy / "out" / "diagnosis.json")
    assert (status, said) == (2, "")
    assert complaints.startswith("shortcut1d compare: ")
    assert "diagnosis.json: not a report" in complaints
    assert complaints.count("\n") == 1


@pytest.mark.slow
def test_a_diagnosis_can_be_one_document(rainy, run):
    (rainy / "rainy" / "rain-00.png").write_bytes(b"\x89PNG")
    net = rainy / "net.py"
    net.write_text(f"print('loading')\n{net.read_text()}")
    status, printed, complaints = run("diagnose", *diagnosis_of(rainy, "--json"))
    assert status == 0
    document = json.loads(printed)
    by_name = {(row["measure"], row["test"]): row for row in document["measures"]}
    assert by_name["rho", "seen"]["value"] == pytest.approx(0.9, abs=1e-5)
    assert document["verdict"] in complaints
    assert "loading" in complaints
    assert [claim["over"] for claim in document["claims"]] == ["samples"] * 3
    assert "rain-00.png: not a PNG or JPEG picture; left out" in document["notes"][0]
    assert any("stronger than the seen one" in note for note in document["notes"])
    assert all(Path(path).is_file() for path in document["files"])
    assert run("diagnose", *diagnosis_of(rainy, "--quiet")) == (0, "", "")


@pytest.mark.slow
def test_a_network_is_diagnosed_on_whatever_pairs_a_user_has(rainy, run):
    pairs = [
        "--new-clean", rainy / "clean", "--new-degraded", rainy / "rainy",
        "--other-clean", rainy / "clean", "--other-degraded", rainy / "rainy", "--channels", 3,
    ]  # fmt: skip
    status, _, complaints = run("diagnose", *diagnosis_of(rainy, *pairs))
    assert (status, complaints) == (0, "")
    table = pd.read_csv(rainy / "out" / "diagnosis.csv")
    assert set(table["test"]) == {"all", "seen", "new content", "other degradation"}


def test_squares_are_shared_among_the_pairs_and_not_among_clean_pictures_without_one(rainy):
    for number in range(4, 40):
        Image.new("RGB", (40, 50)).save(rainy / "clean" / f"norain-{number}.png")
        Image.new("RGB", (40, 50)).save(rainy / "rainy" / f"rain-0_{number}.png")
    folders = {"clean": str(rainy / "clean"), "degraded": str(rainy / "rainy")}
    clean, _ = cli.Config(**folders, size=16, channels=1, samples=16).read("")
    assert len(clean) == 16


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--model", "no_such_module:load"], "no_such_module cannot be imported"),
        (["--model", "net"], "model: got 'net'"),
        (["--clean", "no such folder"], "no such folder"),
        (["--new-clean", "somewhere"], "new_degraded: got None"),
        (["--size", "64"], "at least 64 x 64 pixels"),
        (["--size", "4"], "size: got 4"),
        (["--channels", "2"], "channels: got 2"),
        (["--samples", "2"], "samples: got 2"),
        (["--portraits", "-1"], "portraits: got -1"),
    ],
)
def test_what_cannot_be_diagnosed_is_refused_in_one_line(arguments, named, rainy, run):
    status, printed, complaints = run("diagnose", *diagnosis_of(rainy, *arguments))
    assert (status, printed) == (2, "")
    assert named in complaints.splitlines()[-1]
    assert "Traceback" not in complaints
    assert not (rainy / "out" / "diagnosis.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.3])
def test_ctrl_c_while_it_starts_is_one_line(seconds, tmp_path):
    for part in ("clean", "degraded"):
        (tmp_path / part).mkdir()
    started = subprocess.Popen(
        [sys.executable, "-m", "shortcut1d", "diagnose", "--model", "math:sin"]
        + [word for part in ("clean", "degraded") for word in (f"--{part}", str(tmp_path / part))],
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode in (130, 2)  # 2: it was quicker, and found no pictures
    assert "Traceback" not in said
    assert said.count("\n") == 1
