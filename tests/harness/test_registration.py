"""What was registered is what is run and judged, or it is said."""

import subprocess

import numpy as np
import pytest

from shortcut1d import errors
from shortcut1d.harness import registration

TEXT = """
study = "tiny"
date = 2026-11-26

[settings]
seeds = 8
first_seed = 1000
shapes = [1, 4]

[claims.grows]
statement = "it grows"
statistic = "slope"
sentence = "GROWTH"
primary = true
side = "above"
threshold = 0.5
margin = 0.1
effect = 0.2
spread = 0.1
"""
CONFIG = {"preset": "kept", "seeds": 8, "first_seed": 1000, "shapes": [1, 4], "width": 16}
SENTENCES = {"GROWTH": "Everything grows."}


@pytest.fixture
def path(tmp_path):
    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True)

    path = tmp_path / "tiny_1.toml"
    path.write_text(TEXT)
    git("init")
    git("add", ".")
    git("commit", "-m", "registered")
    return path


def test_a_claim_is_judged_as_it_was_registered(path):
    made = registration.read(path).claim("grows", 0.9 + 0.01 * np.arange(8), SENTENCES)
    assert (made.statement, made.threshold, made.margin) == ("it grows", 0.5, 0.1)
    assert (made.sentences, made.primary, made.verdict) == (("Everything grows.",), True, "holds")


def test_a_claim_that_was_not_registered_is_refused(path):
    with pytest.raises(errors.InvalidInput, match="grows"):
        registration.read(path).claim("grow", np.ones(8), SENTENCES)


def test_a_run_under_a_committed_registration_stands(path):
    registered = registration.read(path)
    record = {"registration": registered.record(), "config": CONFIG}
    assert registered.broken(record) == []
    assert record["registration"]["power"]["it grows"]["seeds_needed"] == 8


def test_a_registration_that_was_changed_after_the_run_is_noticed(path):
    record = {"registration": registration.read(path).record(), "config": CONFIG}
    path.write_text(TEXT.replace("threshold = 0.5", "threshold = 0.4"))
    (why,) = registration.read(path).broken(record)
    assert "tiny_1.toml as it is" in why


def test_a_run_before_the_registration_was_committed_is_noticed(path):
    path.write_text(TEXT + "\n# changed, not committed\n")
    registered = registration.read(path)
    (why,) = registered.broken({"registration": registered.record(), "config": CONFIG})
    assert "not committed" in why


@pytest.mark.parametrize("other", [{"first_seed": 1008}, {"seeds": 9}, {"shapes": [1, 8]}])
def test_other_settings_than_the_registered_ones_are_noticed(path, other):
    registered = registration.read(path)
    record = {"registration": registered.record(), "config": CONFIG | other}
    (why,) = registered.broken(record)
    assert why.startswith(next(iter(other)))


def test_a_run_under_no_registration_is_noticed(path):
    assert registration.read(path).broken({"config": CONFIG})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("first_seed = 1000", "first_seed = 3", "1000 or more"),
        ('side = "above"', 'side = "beside"', "side"),
        ("margin = 0.1", "", "margin is missing"),
        ("threshold = 0.5", 'threshold = "half"', "threshold"),
        ("date = 2026-11-26", "date =", "not TOML"),
    ],
)
def test_a_registration_that_cannot_be_used_is_refused_in_one_line(path, old, new, says):
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(errors.InvalidInput, match=says) as refused:
        registration.read(path)
    assert "\n" not in str(refused.value)
