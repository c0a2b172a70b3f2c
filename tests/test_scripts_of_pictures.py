"""What holds of every script, at its smallest preset: the other half, and the benchmark."""

import pytest
from on_every_script import leaves_its_files_and_prints_its_claims, stopped_and_resumed

from shortcut1d import reproduce

PICTURES = reproduce.STORY.index("generative_prior")
# By script, so that what the one test has compiled serves the next.
every_script = pytest.mark.parametrize(
    "name", [*reproduce.STORY[PICTURES:], *reproduce.APART], scope="module"
)


@every_script
def test_a_script_leaves_figure_table_and_provenance_and_prints_its_claims(name, smoke):
    leaves_its_files_and_prints_its_claims(name, smoke)


@every_script
def test_a_script_that_is_stopped_on_the_way_ends_with_the_unbroken_table(
    name, smoke, command, tmp_path, monkeypatch
):
    stopped_and_resumed(name, smoke, command, tmp_path, monkeypatch)
