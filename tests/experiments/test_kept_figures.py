"""The claims reproduce: trained anew, and as printed beside the figures that are kept."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import reproduce
from common import gallery, registered
from common.papers import Sentence
from matplotlib.backends.backend_agg import FigureCanvasAgg

from shortcut1d import plotting, store
from shortcut1d.harness import provenance

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURES = ROOT / "figures"
KEPT = sorted(path.stem for path in FIGURES.glob("*.json"))
REGISTERED = sorted({path.stem.rpartition("_")[0] for path in registered.FOLDER.glob("*.toml")})


@pytest.mark.slow
def test_the_first_command_of_the_readme_draws_its_figure_and_three_claims_hold(tmp_path, env):
    block = (ROOT / "README.md").read_text().partition("```sh\n")[2].partition("\n```")[0]
    command = block.rpartition("&& python ")[2].split()
    assert command == ["experiments/music_note.py"]
    done = subprocess.run(
        [sys.executable, ROOT / command[0], "--json"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "music_note.png").stat().st_size > 0
    made = json.loads(done.stdout)["claims"]
    assert not [claim for claim in made if claim["verdict"] == "refuted"]
    # How loud the note is, and what passes of a hum, take more seeds.
    for words in ("loses a tune", "removes noise that it never heard", "plays music"):
        (claim,) = [claim for claim in made if words in claim["statement"]]
        assert claim["verdict"] == "holds", claim


@pytest.mark.parametrize("name", KEPT)
def test_the_kept_table_supports_the_claims_as_printed(name, experiment):
    table, table_data = store.read_table(FIGURES / f"{name}.csv")
    _, arrays_data = store.read_arrays(FIGURES / f"{name}.npz")
    record = reproduce.record_of(FIGURES, name)
    assert record["table_sha256"] == store.checksum(table_data, arrays_data)
    assert [claim.record() for claim in experiment(name).claims(table)] == record["claims"]


# What is left out of a kept table, and the claims on it that are then not made.
LEFT_OUT = {
    "generative_prior": ("content", "tune", ["on a note and on a chord"] * 2),
    "image_prior": ("content", "faces", ["denoising", "deblurring", "deblurring"]),
    "image_vs_signal": ("pool", 128, []),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_nothing_is_claimed_of_a_part_that_is_not_there(name, experiment):
    column, value, kept = LEFT_OUT[name]
    table, _ = store.read_table(FIGURES / f"{name}.csv")
    every, left = (
        [claim.statement for claim in experiment(name).claims(rows)]
        for rows in (table, table[table[column] != value])
    )
    assert len(every) > len(left) == len(kept)
    assert all(statement.startswith(words) for statement, words in zip(left, kept))


@pytest.mark.parametrize("name", ["image_capacity", "image_deraining", "image_restoration"])
def test_nothing_is_claimed_of_400_photographs_where_there_were_fewer(name, experiment):
    table, _ = store.read_table(FIGURES / f"{name}.csv")
    assert len(experiment(name).claims(table)) > 1
    table["pool"] = table["pool"].replace(400, 7)
    left = [claim.statement for claim in experiment(name).claims(table)]
    assert not [statement for statement in left if "400" in statement]
    assert name != "image_capacity" or not left


@pytest.mark.parametrize("name", KEPT)
def test_the_kept_figure_is_drawn_from_its_table(name, experiment):
    table, _ = store.read_table(FIGURES / f"{name}.csv")
    arrays, _ = store.read_arrays(FIGURES / f"{name}.npz")
    with plotting.style():
        figure = experiment(name).plot(table, arrays)
    FigureCanvasAgg(figure).draw()
    width, height = figure.get_size_inches()
    assert (width, height) == (plotting.TWO_COLUMNS, pytest.approx(height))
    assert sum(len(part.get_axes()) for part in [figure, *figure.subfigs]) > 0


def test_the_figure_of_the_benchmark_is_drawn_of_times_that_do_not_add_up(experiment):
    # As on a busy machine: the parts of a step are timed apart, and may add up to more than it.
    table, _ = store.read_table(FIGURES / "benchmark.csv")
    parts = (table["part"] == "profile") & (table["rival"] != "whole step")
    assert parts.any()
    table.loc[parts, "seconds"] *= 9
    with plotting.style():
        figure = experiment("benchmark").plot(table, {})
    FigureCanvasAgg(figure).draw()  # a warning of matplotlib's is an error here


@pytest.mark.parametrize("name", KEPT)
def test_the_kept_figure_was_made_by_the_kept_preset(name, experiment):
    preset = experiment(name).presets["kept"]
    assert provenance.settings(preset, "kept") == reproduce.record_of(FIGURES, name)["config"]


def test_the_pages_are_those_of_the_kept_tables():
    for name, page in reproduce.pages(FIGURES).items():
        assert (FIGURES / name).read_text() == page, name
        assert "Not shown" not in page


def test_the_readme_says_what_became_of_the_papers_claims():
    studies, _ = reproduce.studies_in(FIGURES)
    assert gallery.papers_table(studies, brief=True) in (ROOT / "README.md").read_text()


def test_every_sentence_of_the_papers_is_tested_by_a_claim():
    studies, _ = reproduce.studies_in(FIGURES)
    tested = {s for study in studies for c in study.record["claims"] for s in c["sentences"]}
    assert tested == set(Sentence)


@pytest.mark.parametrize("name", REGISTERED)
def test_a_registered_table_is_refused_under_another_registration(name, experiment):
    study = experiment(name)
    assert reproduce.judge(FIGURES, study).todo is None
    other = dataclasses.replace(study.registration, sha256="0" * 64)
    found = reproduce.judge(FIGURES, dataclasses.replace(study, registration=other))
    assert found.todo == reproduce.RUN
    assert "registration" in " ".join(found.why)


@pytest.mark.parametrize("name", REGISTERED)
def test_a_registered_table_is_from_seeds_that_nobody_had_looked_at(name, experiment):
    table, _ = store.read_table(FIGURES / f"{name}.csv")
    record = store.read_json(FIGURES / f"{name}.json")
    if "seed" in table:
        assert table["seed"].min() >= 1000
        assert table["seed"].nunique() >= 8
    else:  # of networks that others trained: what is drawn is new, and so are the pictures
        assert record["config"]["first_seed"] >= 1000
        assert record["config"]["first_picture"] > 0
        assert table["picture"].nunique() >= 8
    assert record["registration"]["commit"]
    assert [claim["statement"] for claim in record["claims"]] == [
        stated["statement"] for stated in experiment(name).registration.claims.values()
    ]
