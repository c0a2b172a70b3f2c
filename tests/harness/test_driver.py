"""The driver, seen from the command line, on an experiment small enough to run in the process."""

import contextlib
import dataclasses
import inspect
import json
import os
import shlex
import signal
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from shortcut1d import datasets, errors, store
from shortcut1d.harness import devices, driver, options, progress
from shortcut1d.harness.claims import claim
from shortcut1d.harness.driver import Experiment, Result, Sound
from shortcut1d.training.grid import ProgressReport


@dataclass(frozen=True)
class Config:
    seeds: int = options.option(3, "how many")
    slope: float = options.option(1.0, "how steep, 100% by default")
    names: tuple[str, ...] = options.option(("a", "b"), "which")
    fast: bool = options.option(True, "whether")
    where: str | None = options.option(None, "a place")

    def __post_init__(self):
        errors.integer("seeds", self.seeds)
        errors.number("slope", self.slope)


def run(config, session):
    session.progress(ProgressReport(1, 1, 10))
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"seed": range(config.seeds), "value": config.slope + rng.normal(size=config.seeds)}
    )
    return Result(table, {"line": np.arange(3.0)}, {"beep": Sound(np.zeros(10), 8000, 1.0)})


def plot(table, arrays):
    figure = Figure()
    figure.subplots().plot(table["value"].to_numpy())
    return figure


def claims(table):
    return [claim("the slope is positive", "mean", table["value"].to_numpy())]


TINY = Experiment(
    name="tiny",
    message="It grows.",
    presets={
        "smoke": Config(seeds=2), "quick": Config(), "full": Config(seeds=50),
        "kept": Config(seeds=4),
    },
    run=run,
    plot=plot,
    claims=claims,
)  # fmt: skip


def status_of(arguments, capsys):
    try:
        status = driver.main(TINY, arguments)
    except SystemExit as leaving:
        status = leaving.code
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    return status, shown


def test_a_run_leaves_figure_table_arrays_sound_and_provenance(tmp_path, capsys):
    status, shown = status_of(["--out", str(tmp_path), "--slope", "5"], capsys)
    assert status == 0
    assert "holds" in shown.out
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {f"tiny.{s}" for s in ("png", "pdf", "csv", "npz", "json")} | {"tiny_beep.wav"}
    record = json.loads((tmp_path / "tiny.json").read_text())
    expected = {"preset": "quick", "seeds": 3, "slope": 5.0, "names": ["a", "b"]}
    assert record["config"] == expected | {"fast": True, "where": None}
    assert {"jax", "jaxlib", "flax", "optax", "numpy", "python"} <= set(record["versions"])
    assert record["claims"][0]["verdict"] == "holds"
    assert {"device", "commit", "wall_time_seconds", "table_sha256"} <= set(record)


def test_data_sets_are_looked_for_in_the_folder_that_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(datasets.VARIABLE, "elsewhere")
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert status_of(["--out", "out", "--data", "data"], capsys)[0] == 0
    assert datasets.root_of() == tmp_path / "data"


@pytest.mark.slow
def test_the_same_command_twice_makes_the_same_files(tmp_path, capsys):
    for name in ("one", "two"):
        assert status_of(["--out", str(tmp_path / name)], capsys)[0] == 0
    for suffix in ("csv", "npz", "png", "pdf"):
        files = [(tmp_path / name / f"tiny.{suffix}").read_bytes() for name in ("one", "two")]
        assert files[0] == files[1]


def test_only_plot_draws_the_same_figure_from_the_saved_table(tmp_path, capsys):
    status_of(["--out", str(tmp_path)], capsys)
    before = (tmp_path / "tiny.png").read_bytes()
    (tmp_path / "tiny.png").unlink()
    status, shown = status_of(["--out", str(tmp_path), "--only-plot"], capsys)
    assert status == 0
    assert "the slope is positive" in shown.out
    assert (tmp_path / "tiny.png").read_bytes() == before


@pytest.mark.slow
def test_only_plot_judges_the_claims_again(tmp_path, capsys):
    status_of(["--out", str(tmp_path)], capsys)
    record = json.loads((tmp_path / "tiny.json").read_text())
    assert record["claims"]
    (tmp_path / "tiny.json").write_text(json.dumps(record | {"claims": []}))
    assert status_of(["--out", str(tmp_path), "--only-plot"], capsys)[0] == 0
    assert json.loads((tmp_path / "tiny.json").read_text()) == record


def test_only_plot_takes_the_settings_of_the_table_and_no_others(tmp_path, capsys):
    made_with = ["--out", str(tmp_path), "--seeds", "4", "--names", "a"]
    status_of(made_with, capsys)
    assert status_of([*made_with, "--only-plot"], capsys)[0] == 0
    status, shown = status_of([*made_with, "--seeds", "5", "--only-plot"], capsys)
    assert (status, shown.out) == (2, "")
    assert "seeds: got 5, expected 4, as the table in" in shown.err
    assert shown.err.count("\n") == 1


@pytest.mark.slow
def test_with_json_the_claims_and_the_files_are_one_document(tmp_path, capsys):
    status, shown = status_of(["--out", str(tmp_path), "--json"], capsys)
    assert status == 0
    document = json.loads(shown.out)
    record = json.loads((tmp_path / "tiny.json").read_text())
    assert {name: document[name] for name in record} == record
    assert sorted(document["files"]) == sorted(str(path) for path in tmp_path.iterdir())
    assert document["study"] == "tiny"
    assert "the slope is positive" in shown.err
    status, shown = status_of(["--out", str(tmp_path), "--json", "--only-plot"], capsys)
    assert status == 0
    assert json.loads(shown.out)["claims"] == record["claims"]


@pytest.mark.slow
def test_with_quiet_nothing_is_printed_but_the_document_and_the_files_are_the_same(
    tmp_path, capsys
):
    def run_with_warnings(config, session):
        progress.warn("a picture is left out")
        return dataclasses.replace(run(config, session), notes=["the model is weak"])

    study = dataclasses.replace(TINY, run=run_with_warnings)
    assert driver.main(study, ["--out", str(tmp_path / "loud")]) == 0
    assert capsys.readouterr().err == "a picture is left out\n"
    arguments = ["--out", str(tmp_path / "quiet"), "--quiet"]
    assert driver.main(study, arguments) == 0
    assert capsys.readouterr() == ("", "")
    for path in (tmp_path / "loud").glob("*.[!j]*"):
        assert path.read_bytes() == (tmp_path / "quiet" / path.name).read_bytes()
    assert driver.main(study, [*arguments, "--json"]) == 0
    shown = capsys.readouterr()
    record = json.loads((tmp_path / "quiet" / "tiny.json").read_text())
    assert record["notes"] == json.loads(shown.out)["notes"]
    assert record["notes"] == ["a picture is left out", "the model is weak"]
    assert shown.err == ""


@pytest.mark.parametrize("words", [["--quiet"], ["--json"], ["--quiet", "--json"]])
def test_an_error_is_on_standard_error_whatever_else_is_hidden(words, capsys):
    status, shown = status_of(["--out", "/proc/figures", *words], capsys)
    assert (status, shown.out) == (2, "")
    assert "/proc/figures" in shown.err
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("damage", ["csv", "npz", "json"])
def test_only_plot_refuses_what_was_tampered_with(tmp_path, capsys, damage):
    status_of(["--out", str(tmp_path)], capsys)
    path = tmp_path / f"tiny.{damage}"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data if damage != "json" else data[:-5])
    status, shown = status_of(["--out", str(tmp_path), "--only-plot"], capsys)
    assert status == 2
    assert "tiny" in shown.err
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--sedes", "3"], "did you mean --seeds"),
        (["--zzz"], "unknown option --zzz"),
        (["--seeds", "three"], "--seeds"),
        (["--seeds", "0"], "seeds: got 0"),
        (["--slope", "nan"], "slope: got nan"),
        (["--preset", "quik"], "--preset"),
        (["--seeds"], "--seeds"),
        (["--only-plot", "--out", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--only-plot", "--fresh"], "--only-plot trains nothing, so it takes no --fresh"),
        (["--only-plot", "--chunk", "2"], "takes no --chunk"),
        (["--only-plot", "--distributed"], "takes no --distributed"),
        (["--quite"], "did you mean --quiet"),
        (["--out", "/proc/figures"], "/proc/figures"),
        (["--out", "/dev/null"], "/dev/null"),
        (["--data", "/nowhere/at/all"], "data: got '/nowhere/at/all'"),
        (["--data", "/dev/null"], "data: got '/dev/null'"),
        (["--out", "bad\0path"], "path"),
        (["stray"], "stray"),
    ],
)
def test_a_bad_option_is_one_line_that_names_it_and_status_2(arguments, named, capsys):
    status, shown = status_of(arguments, capsys)
    assert status == 2
    assert named in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out


def test_help_names_every_field_with_its_presets(capsys):
    status, shown = status_of(["--help"], capsys)
    assert status == 0
    for words in (
        "--seeds",
        "how many (2 / 3 / 50 / 4)",
        "--no-fast",
        "100%",
        "--names",
        "--only-plot",
        inspect.cleandoc(__doc__).splitlines()[0],
    ):
        assert words in " ".join(shown.out.split())


@pytest.mark.slow
def test_only_the_kept_figure_itself_goes_to_figures_and_all_else_to_results(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for arguments, folder in (
        ([], "results"),
        (["--preset", "smoke"], "results"),
        (["--preset", "kept", "--seeds", "2"], "results"),
        (["--preset", "kept"], "figures"),
    ):
        status, shown = status_of(arguments, capsys)
        assert status == 0
        assert f"{folder}{os.sep}tiny.png" in shown.out
    assert {path.name for path in tmp_path.iterdir()} == {"results", "figures"}
    kept = json.loads((tmp_path / "figures" / "tiny.json").read_text())
    assert kept["config"]["seeds"] == 4
    assert status_of(["--preset", "kept", "--only-plot"], capsys)[0] == 0


@pytest.mark.slow
def test_the_record_has_the_command_that_makes_it_again(tmp_path, capsys):
    arguments = ["--names", "a b", "c", "--no-fast", "--seeds", "4"]
    status_of([*arguments, "--out", str(tmp_path)], capsys)
    command = json.loads((tmp_path / "tiny.json").read_text())["command"]
    python, script, *words = shlex.split(command)
    assert (python, script) == ("python", "experiments/tiny.py")
    again = tmp_path / "again"
    status_of([*words, "--out", str(again)], capsys)
    assert (again / "tiny.csv").read_bytes() == (tmp_path / "tiny.csv").read_bytes()
    assert json.loads((again / "tiny.json").read_text())["command"] == command


def test_options_reach_the_config(capsys, tmp_path):
    arguments = ["--names", "x", "y", "z", "--no-fast", "--where", "here", "--preset", "smoke"]
    status_of([*arguments, "--out", str(tmp_path)], capsys)
    config = json.loads((tmp_path / "tiny.json").read_text())["config"]
    assert config["names"] == ["x", "y", "z"]
    assert (config["fast"], config["where"], config["seeds"]) == (False, "here", 2)


def test_a_folder_may_have_any_name(tmp_path, capsys):
    out = tmp_path / "Ergebnisse für Regen" / "雨 100%"
    assert status_of(["--out", str(out)], capsys)[0] == 0
    assert (out / "tiny.png").is_file()
    assert status_of(["--out", str(out), "--only-plot"], capsys)[0] == 0


def test_an_interrupted_run_leaves_everything_as_it_was(tmp_path, capsys):
    def interrupted(config, session):
        raise KeyboardInterrupt

    status_of(["--out", str(tmp_path)], capsys)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    stopped = dataclasses.replace(TINY, run=interrupted)
    for words, said in ((), "the same command goes on"), (["--fresh"], "without --fresh, goes on"):
        assert driver.main(stopped, ["--out", str(tmp_path), *words]) == 130
        assert said in capsys.readouterr().err
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_an_interrupt_that_python_loses_ends_the_run_at_its_next_report(tmp_path, capsys):
    def loses_it(config, session):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        session.progress(ProgressReport(0, 1, 0))
        raise AssertionError("it went on")

    before = signal.getsignal(signal.SIGINT)
    stopped = dataclasses.replace(TINY, run=loses_it)
    assert driver.main(stopped, ["--out", str(tmp_path)]) == 130
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said_in_one_line_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    store.write_atomic(path, b"old")

    def on_full_disk(**_):
        return os.open("/dev/full", os.O_WRONLY), str(tmp_path / "temporary")

    monkeypatch.setattr(store.tempfile, "mkstemp", on_full_disk)
    with pytest.raises(errors.InvalidInput, match="No space left"):
        store.write_atomic(path, b"new" * 100_000)
    assert path.read_bytes() == b"old"


def test_tables_and_arrays_survive_the_disk(tmp_path):
    table = pd.DataFrame({"name": ["ä", "b"], "value": [1 / 3, np.nan]})
    store.write_atomic(tmp_path / "t.csv", store.table_bytes(table))
    read, _ = store.read_table(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read, table, check_exact=False, rtol=1e-8)
    arrays = {"note, tune": np.random.default_rng(0).normal(size=(3, 5))}
    store.write_atomic(tmp_path / "a.npz", store.arrays_bytes(arrays))
    read_arrays, _ = store.read_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(read_arrays["note, tune"], arrays["note, tune"])


@pytest.mark.parametrize("data", [b"", b"PK\3\4 half an archive", b"\x93NUMPY"])
def test_damaged_arrays_are_refused(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(errors.InvalidInput, match=r"a\.npz"):
        store.read_arrays(tmp_path / "a.npz")


def test_cells_of_earlier_runs_are_counted_over_all_sweeps_of_a_run(capsys):
    with progress.Bar("tiny") as bar:
        bar.report(ProgressReport(2, 4, 0, earlier=2))
        bar.report(ProgressReport(4, 4, 20))
        bar.report(ProgressReport(3, 3, 0, earlier=3))
    assert bar.earlier == 5
    assert capsys.readouterr().err.splitlines() == [
        "2 of 4 cells are finished from an earlier run",
        "3 of 3 cells are finished from an earlier run",
    ]


def test_progress_alone_is_not_taken_for_cells_of_an_earlier_run(capsys):
    with progress.Bar("tiny") as bar:
        for cells in range(3):
            bar.report(ProgressReport(cells, 2, 0))
    assert (bar.earlier, capsys.readouterr().err) == (0, "")


def test_jax_0_11_gets_no_pool_that_its_fft_could_wait_in_and_no_other_is_changed():
    pool = "--xla_cpu_multi_thread_eigen"
    assert devices.without_deadlock("", "0.11.2") == f"{pool}=false"
    assert devices.without_deadlock("--other=1", "0.11.0") == f"--other=1 {pool}=false"
    assert devices.without_deadlock(f"{pool}=true", "0.11.2") == f"{pool}=true"  # the user's word
    for version in ("0.10.2", "0.12.0.1", "0.110.0"):
        assert devices.without_deadlock("--other=1", version) == "--other=1"
