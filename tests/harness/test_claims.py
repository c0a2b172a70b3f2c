"""The claims reproduce: trained anew, and as printed beside the figures that are kept."""

import dataclasses
import json
from pathlib import Path

import pytest
import reproduce
from common import gallery, papers
from common.signal_tasks import NO_SPAN

from shortcut1d import store
from shortcut1d.training.evaluation import EvalConfig
from shortcut1d.training.sweep import Session, sweep

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = sorted(path.stem for path in (ROOT / "figures").glob("*.json"))


def test_the_music_note_s_claims_hold_at_half_the_training(experiment, optimised):
    music_note = experiment("music_note")
    config = dataclasses.replace(music_note.presets["quick"], steps=150, samples=64, seconds=1.0)
    verdicts = {c.statement: c for c in music_note.claims(music_note.run(config, Session()).table)}
    for words in (
        "conv trained on a note under clicks fits the content",
        "conv trained on melodies under clicks fits the degradation",
        "conv under clicks lets novelty through if trained on melodies, not if on a note",
    ):
        assert verdicts[words].verdict == "holds", str(verdicts[words])


def test_widening_as_advised_beats_training_on_everything(module, optimised):
    # On a pair that the advice was not made with, at half the training.
    sweet_spot = module("sweet_spot")
    config = dataclasses.replace(
        sweet_spot.experiment.presets["quick"], seeds=2, steps=300, samples=64
    )
    name = "fast tune + long clicks"
    advice = sweet_spot.advice_on(config, sweet_spot.pairs(0)[name])
    assert not advice.balanced
    runs = [who for seed in (0, 1) for who in sweet_spot.arms(config, name, advice, seed)]
    eval_config = EvalConfig(config.samples, NO_SPAN)
    table = sweep(runs, config.schedule(), eval_config, Session()).table.assign(part="tried")
    everything, wider = (
        sweet_spot.error_of(table, name, arm) for arm in (sweet_spot.EVERYTHING, sweet_spot.WIDER)
    )
    assert (everything - wider > 0.05).all()


@pytest.mark.parametrize("name", KEPT)
def test_the_kept_table_supports_the_claims_as_printed(name, experiment):
    table, table_data = store.read_table(ROOT / "figures" / f"{name}.csv")
    _, arrays_data = store.read_arrays(ROOT / "figures" / f"{name}.npz")
    record = json.loads((ROOT / "figures" / f"{name}.json").read_text())
    assert record["table_sha256"] == store.checksum(table_data, arrays_data)
    assert [claim.record() for claim in experiment(name).claims(table)] == record["claims"]


def test_the_gallery_is_the_page_of_the_kept_tables():
    assert (ROOT / "figures" / "README.md").read_text() == reproduce.page(ROOT / "figures")


def test_the_readme_says_what_became_of_the_papers_claims():
    assert gallery.papers_table(kept_claims(), brief=True) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("stated", papers.PAPER, ids=lambda stated: stated.statement[:40])
def test_the_evidence_on_a_claim_of_the_papers_is_there(stated):
    for evidence in (*stated.signals, *stated.pictures):
        assert not papers.found([evidence], kept_claims()).missing, evidence


def test_every_claim_of_ours_tests_one_of_the_papers_or_is_said_to_test_none():
    kept = kept_claims()
    named = [
        claim
        for evidence in ([*s.signals, *s.pictures] for s in papers.PAPER)
        for claim in papers.found(evidence, kept).claims
    ]
    ours = papers.found(papers.OURS, kept)
    assert not ours.missing
    for study, claims in kept.items():
        for claim in claims:
            assert ((study, claim) in named) != ((study, claim) in ours.claims), claim["statement"]


def kept_claims():
    figures = ROOT / "figures"
    return {name: json.loads((figures / f"{name}.json").read_text())["claims"] for name in KEPT}
