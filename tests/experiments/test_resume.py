"""Whole processes: killed at any moment, damaged, or several at one job, they make one table."""

import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).resolve().parent.parent.parent / "experiments" / "phase_diagram.py"
NETWORK = ("--networks", "mlp", "--seeds", "1", "--steps", "300")
OPTIONS = ("--preset", "smoke", *NETWORK, "--chunk", "1")  # nine chunks


def started(out, *more):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *OPTIONS, "--out", out, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    _, complaints = process.communicate(timeout=200)
    assert process.returncode == 0, complaints
    return complaints


def chunks(out):
    return sorted(out.rglob("*.cells"))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, command):
    out = tmp_path_factory.mktemp("unbroken")
    assert command("phase_diagram", *OPTIONS, "--out", out)[0] == 0
    return (out / "phase_diagram.csv").read_bytes()


def test_a_run_that_is_killed_again_and_again_ends_with_the_unbroken_table(unbroken, tmp_path):
    moments = random.Random(0)
    finished = 0
    for wanted in (0, 1, 4):  # chunks that are to be there before it is killed
        process = started(tmp_path)
        while process.poll() is None and len(chunks(tmp_path)) < wanted:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 3 if wanted == 0 else 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert len(chunks(tmp_path)) >= finished
        finished = len(chunks(tmp_path))
    damaged = chunks(tmp_path)[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    complaints = end(started(tmp_path))
    assert f"{damaged}: damaged" in complaints
    assert f"{finished - 1} of 9 cells are finished from an earlier run" in complaints
    assert (tmp_path / "phase_diagram.csv").read_bytes() == unbroken


def test_ctrl_c_ends_with_a_line_that_says_how_to_go_on(tmp_path):
    process = started(tmp_path, "--steps", "3000")  # or it is done before it hears the signal
    while process.poll() is None and not chunks(tmp_path):
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "goes on from the cells that are finished" in complaints
    assert complaints.count("\n") == 1
    assert chunks(tmp_path)


def job_of_two(folder, *more):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    return [
        started(folder / str(number), "--distributed", address, str(number), "2", *more)
        for number in range(2)
    ]


def test_two_processes_make_the_table_of_one_without_sharing_a_disk(unbroken, tmp_path):
    job = job_of_two(tmp_path)
    for process in job:
        end(process)
    assert [len(chunks(tmp_path / str(number))) for number in range(2)] == [5, 4]
    assert (tmp_path / "0" / "phase_diagram.csv").read_bytes() == unbroken
    # The second leaves the table to the first.
    assert not (tmp_path / "1" / "phase_diagram.csv").exists()


def test_a_process_whose_partner_died_finishes_its_share_and_says_so(tmp_path):
    first, second = job_of_two(tmp_path, "--steps", "3000")
    while second.poll() is None and not chunks(tmp_path / "1"):
        time.sleep(0.002)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    _, complaints = first.communicate(timeout=200)
    assert first.returncode == 2
    assert "distributed: another process of the job has died" in complaints
    assert "Traceback" not in complaints
    assert len(chunks(tmp_path / "0")) == 5


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--distributed"], "distributed: no job of several processes here"),
        (["--distributed", "localhost:1", "0"], "distributed: got 'localhost:1 0'"),
        (["--distributed", "localhost:1", "zero", "2"], "distributed"),
        (["--chunk", "0"], "chunk: got 0"),
        (["--chunk", "many"], "--chunk"),
        (["--frequencies", "1", "1"], "frequencies: got (1.0, 1.0)"),
        (["--frequencies", "8", "2"], "rising order"),
        (["--frequencies", "64"], "got 64"),
        (["--shapes", "0"], "got 0"),
        (["--networks", "mpl"], "did you mean 'mlp'"),
    ],
)
def test_a_bad_option_is_refused_before_anything_is_trained(arguments, named, command, tmp_path):
    status, printed, complaints = command("phase_diagram", *arguments, "--out", tmp_path / "new")
    assert (status, printed) == (2, "")
    assert re.search(re.escape(named), complaints), complaints
    assert complaints.count("\n") == 1
    assert not (tmp_path / "new").exists()
