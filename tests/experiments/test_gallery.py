"""The page of all figures and claims."""

import pytest
from common import gallery
from common.papers import Sentence


def claim(statement, verdict, sentence=None, domain="1D", **others):
    return {
        "statement": statement, "statistic": "|x|", "value": 1.0, "interval_95": [0.5, None],
        "count": 3, "over": "seeds", "side": "above", "threshold": 0, "margin": 0.0,
        "p": 0.2 if verdict == "undecided" else 0.001, "primary": False, "verdict": verdict,
        "sentences": [sentence] if sentence else [], "domain": domain,
    } | others  # fmt: skip


HELD, REFUTED, OPEN, SAME = (
    claim("it is so", verdict) for verdict in ("holds", "refuted", "undecided", "equivalent")
)


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ([], "not studied"),
        ([HELD, HELD], "holds"),
        ([HELD, REFUTED], "in part (1 of 2)"),
        ([HELD, OPEN], "in part (1 of 2)"),
        ([REFUTED], "**refuted**"),
        ([REFUTED, OPEN], "undecided"),
        ([OPEN], "undecided"),
        ([SAME], "equivalent"),
        ([SAME | {"side": "within"}], "holds"),
        ([HELD | {"p": 0.03}], "holds"),
        ([HELD | {"p": 0.03}, HELD | {"p": 0.03}], "undecided"),  # by Holm
        ([HELD | {"primary": True}, REFUTED], "holds"),  # the primary one decides
    ],
)
def test_a_sentence_of_the_papers_is_judged_by_its_claims_together(claims, verdict):
    assert gallery.verdict(claims) == verdict


def test_a_claim_stands_beside_the_sentence_that_it_names_in_its_domain():
    claims = [
        claim("one", "holds", Sentence.PRIOR), claim("two", "refuted", Sentence.PRIOR, "2D"),
        claim("three", "refuted"),
    ]  # fmt: skip
    studies = [gallery.Study("my_study", "It grows.", {"claims": claims})]
    rows = [row for row in gallery.papers_table(studies).splitlines() if Sentence.PRIOR in row]
    assert rows == [
        f"| {Sentence.PRIOR} | holds<br>[My study](#my-study): one; 1 [0.5, not known] holds "
        "| **refuted**<br>[My study](#my-study): two; 1 [0.5, not known] refuted |"
    ]
    brief = gallery.papers_table(studies, brief=True)
    assert f"| {Sentence.PRIOR} | holds | **refuted** |" in brief
    assert "three" not in gallery.papers_table(studies)


def test_a_table_of_claims_says_what_is_not_known_and_keeps_its_cells():
    row = gallery.claims_table([claim("a | b", "undecided")]).splitlines()[-1]
    assert row == (r"| a \| b | \|x\| = 1 | [0.5, not known] | 3 seeds | above 0 | undecided |")


def test_what_was_registered_of_a_study_is_on_the_page_with_the_seeds_it_takes():
    assert gallery.registrations("music_note", {}) == []
    named = {
        "file": "twins_1.toml", "commit": "0123456789abcdef",
        "power": {"it | grows": {"effect": 0.2, "spread": 0.1, "seeds_needed": 8}},
    }  # fmt: skip
    of_pictures = [claim("it | grows", "holds") | {"over": "pictures"}]
    (line,) = gallery.registrations("twins", {"registration": named, "claims": of_pictures})
    assert "twins_1.toml (2026-11-26)" in line
    assert "committed as 0123456789ab." in line
    assert r"it \| grows: 8 pictures for 0.2 at a spread of 0.1" in line
    assert "Pictures that show the smallest effect" in line
