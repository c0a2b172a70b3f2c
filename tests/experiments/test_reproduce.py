"""All studies by one command, and whether what they left still stands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import reproduce

from shortcut1d import store

SCRIPT = Path(__file__).resolve().parent.parent.parent / "experiments" / "reproduce.py"
QUICKEST = "diagnose_images"
pytestmark = pytest.mark.slow


def run(*arguments):
    """Exit status, output and complaints, in this process; the studies have theirs."""
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with one study in it."""
    folder = tmp_path_factory.mktemp("reproduced")
    done = run("--preset", "smoke", "--only", QUICKEST, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    for path in finished.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def checked(folder, capsys):
    status = reproduce.main(["--check", "--out", str(folder)])
    return status, capsys.readouterr().out


def test_a_study_leaves_its_figure_and_the_page(finished):
    page = (finished / "gallery.md").read_text()
    record = json.loads((finished / f"{QUICKEST}.json").read_text())
    assert f"![Diagnose images]({QUICKEST}.png)" in page
    assert all(claim["statement"] in page for claim in record["claims"])
    assert f"`python experiments/{QUICKEST}.py --preset smoke`" in page


def test_the_page_says_what_it_cannot_show(copy):
    (copy / "music_note.json").write_text(json.dumps(
        json.loads((copy / f"{QUICKEST}.json").read_text())
    ))  # fmt: skip
    page = reproduce.pages(copy)[reproduce.INDEX]
    assert "Not shown: " in page
    assert "music_note_2_hiss_input.wav" in page
    assert "What is fitted is structure" not in page  # a panel whose study is not there


def test_what_is_there_is_not_run_again(finished, capsys):
    before = (finished / f"{QUICKEST}.json").stat().st_mtime_ns
    arguments = ["--preset", "smoke", "--only", QUICKEST, "--out", str(finished)]
    assert reproduce.main(arguments) == 0
    shown = capsys.readouterr().out
    assert f"== {QUICKEST} (1 of 1): there, made by this code" in shown
    assert "1 of 1 studies, in " in shown
    assert (finished / f"{QUICKEST}.json").stat().st_mtime_ns == before


def test_a_check_passes_on_what_was_just_made(finished, capsys):
    assert checked(finished, capsys) == (
        0, f"{QUICKEST}: the table supports its claims, by this code\n",
    )  # fmt: skip


def changed(folder, **fields):
    path = folder / f"{QUICKEST}.json"
    path.write_bytes(store.json_bytes(json.loads(path.read_text()) | fields))


def test_a_check_sees_a_table_that_was_changed(copy, capsys):
    table = copy / f"{QUICKEST}.csv"
    table.write_text(table.read_text().replace("0.", "1.", 1))
    status, said = checked(copy, capsys)
    assert status == 1
    assert "not the one that its provenance describes" in said


def test_a_check_sees_claims_that_were_changed(copy, capsys):
    claims = json.loads((copy / f"{QUICKEST}.json").read_text())["claims"]
    changed(copy, claims=[claims[0] | {"verdict": "holds"}, *claims[1:]][::-1])
    status, said = checked(copy, capsys)
    assert status == 1
    assert "does not give the claims as printed" in said


def test_a_check_sees_other_code(copy, capsys):
    changed(copy, code="0" * 64)
    status, said = checked(copy, capsys)
    assert status == 1
    assert "made by other code" in said


@pytest.mark.parametrize("page", reproduce.MARKS)
def test_a_check_sees_a_page_that_was_edited(copy, capsys, page):
    (copy / page).write_text(f"{reproduce.MARKS[page]}: all is well")
    status, said = checked(copy, capsys)
    assert status == 1
    assert "not what the tables say" in said


@pytest.mark.parametrize("suffix", ["csv", "npz", "json"])
def test_a_check_names_a_file_that_is_gone_or_damaged(copy, capsys, suffix):
    (copy / f"{QUICKEST}.{suffix}").write_bytes(b"\xff\0\1\2")
    status, said = checked(copy, capsys)
    assert status == 1
    assert f"{QUICKEST}.{suffix}: " in said


@pytest.mark.parametrize(
    "fields", [{"claims": None}, {"config": 5}, {"claims": [{}]}, {"versions": "new"}]
)
def test_a_record_of_something_else_is_a_line_on_the_page(copy, capsys, fields):
    changed(copy, **fields)
    status, said = checked(copy, capsys)
    assert status == 1
    assert f"{QUICKEST}.json: " in said
    assert f"Not shown: {copy / QUICKEST}.json: " in reproduce.pages(copy)[reproduce.GALLERY]


@pytest.mark.parametrize(
    ("spoil", "again"),
    [
        (lambda folder: changed(folder, code="0" * 64), "--preset smoke"),
        (lambda folder: changed(folder, versions={"jax": "0.1"}), "--preset smoke"),
        (lambda folder: changed(folder, config={"preset": "quick"}), "--preset smoke"),
        (lambda folder: (folder / f"{QUICKEST}.csv").write_text("a\n1\n"), "--preset smoke"),
        (lambda folder: changed(folder, code_of_figure="0" * 64), "--only-plot"),
        (lambda folder: changed(folder, claims=[]), "--only-plot"),
        (lambda folder: (folder / f"{QUICKEST}.png").unlink(), "--only-plot"),
        (lambda folder: None, None),
    ],
)
def test_what_does_not_stand_is_run_or_drawn_again(copy, monkeypatch, spoil, again):
    spoil(copy)
    commands = []

    def noted(command, **_):
        commands.append(" ".join(map(str, command[2:])))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(reproduce.subprocess, "run", noted)
    reproduce.main(["--preset", "smoke", "--only", QUICKEST, "--out", str(copy)])
    assert commands == ([f"{again} --out {copy}"] if again else [])


def test_with_json_there_is_one_document_and_the_studies_print_beside_it(copy):
    (copy / f"{QUICKEST}.png").unlink()  # so that it is drawn again
    done = run("--preset", "smoke", "--only", QUICKEST, "--out", copy, "--json")
    assert done.returncode == 0
    (study,) = json.loads(done.stdout)["studies"]
    record = json.loads((copy / f"{QUICKEST}.json").read_text())
    assert (study["study"], study["status"]) == (QUICKEST, "finished")
    assert study["claims"] == record["claims"]
    assert study["seconds"] > 1
    assert record["claims"][0]["statement"] in done.stderr


def test_quiet_is_passed_on_to_the_studies(copy):
    (copy / f"{QUICKEST}.png").unlink()
    done = run("--preset", "smoke", "--only", QUICKEST, "--out", copy, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (copy / f"{QUICKEST}.png").is_file()


def test_a_check_can_be_silent_or_a_document(copy, capsys):
    assert reproduce.main(["--check", "--out", str(copy), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    changed(copy, code="0" * 64)
    assert reproduce.main(["--check", "--out", str(copy), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["studies"] == {QUICKEST: ["the table was made by other code"]}
    assert document["pages"] == {str(copy / page): True for page in reproduce.MARKS}


def test_the_time_left_is_that_of_the_studies_ahead_at_the_pace_of_those_behind():
    todo = {"music_note": "run", "twins": None, "dynamics": "run", "remedies": "draw"}
    assert reproduce.left([], todo, "quick") == ", about 2 min left"  # 45 + 60 + 5 s
    assert reproduce.left([], todo, "full") == ""
    made = [
        {"study": "music_note", "status": "finished", "seconds": 450.0},
        {"study": "twins", "status": "there", "seconds": 0.0},
    ]
    assert reproduce.left(made, todo, "full") == ", about 11 min left"  # ten times 65 s
    assert reproduce.in_words(99) == "99 s"
    assert reproduce.in_words(7200) == "2.0 h"


@pytest.mark.parametrize("page", reproduce.MARKS)
def test_another_page_is_not_replaced(copy, capsys, page):
    (copy / page).write_text("# My project")
    assert reproduce.main(["--preset", "smoke", "--only", QUICKEST, "--out", str(copy)]) == 2
    assert f"{page} was not written by reproduce.py" in capsys.readouterr().err
    assert (copy / page).read_text() == "# My project"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "muzic_note"], "did you mean 'music_note'"),
        (["--check", "--only", "music_note"], "a folder with a table of music_note"),
        (["--check"], "a folder with a table of"),
        (["--presets", "quick"], "did you mean --preset"),
        (["--check", "--preset", "quick"], "--check runs nothing, so it takes no --preset"),
        (["--preset", "big"], "invalid choice"),
    ],
)
def test_a_slip_is_said_in_one_line(tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as leaving:
        sys.exit(reproduce.main([*arguments, "--out", str(tmp_path)]))
    assert leaving.value.code == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_study_that_fails_is_named_and_the_others_are_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "HERE", tmp_path)
    for name, status in (("music_note", 3), (QUICKEST, 0)):
        source = (SCRIPT.parent / f"{name}.py").read_text()
        ending = f"if __name__ == '__main__':\n    raise SystemExit({status})\n"
        (tmp_path / f"{name}.py").write_text(source.partition("if __name__")[0] + ending)
    reproduce.load.cache_clear()
    try:
        out = tmp_path / "out"
        status = reproduce.main(["--only", "music_note", QUICKEST, "--out", str(out)])
    finally:
        reproduce.load.cache_clear()
    said = capsys.readouterr()
    assert status == 1
    assert "== music_note: not finished after " in said.out
    assert f"== {QUICKEST} (2 of 2" in said.out
    assert "not finished: music_note" in said.err


def test_every_study_is_in_the_story():
    scripts = {path.stem for path in SCRIPT.parent.glob("*.py")} - {"reproduce"}
    assert scripts == {*reproduce.STORY, *reproduce.APART}
