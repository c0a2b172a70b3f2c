"""The page of all figures and claims."""

from common import gallery
from common.papers import Sentence


def claim(statement, verdict, sentence=None, domain="1D"):
    return {
        "statement": statement, "statistic": "|x|", "value": 1.0, "interval_95": [0.5, None],
        "count": 3, "over": "seeds", "side": "above", "threshold": 0, "verdict": verdict,
        "sentences": [sentence] if sentence else [], "domain": domain,
    }  # fmt: skip


def test_a_sentence_of_the_papers_holds_in_part_where_some_claims_do():
    held, failed, one_seed = claim("a", "holds"), claim("b", "fails"), claim("c", "undecided")
    assert gallery.verdict([held, held]) == "holds"
    assert gallery.verdict([held, failed]) == "in part (1 of 2)"
    assert gallery.verdict([failed]) == "**fails**"
    assert gallery.verdict([one_seed]) == gallery.verdict([held, one_seed]) == "undecided"
    assert gallery.verdict([]) == "not studied"


def test_a_claim_stands_beside_the_sentence_that_it_names_in_its_domain():
    claims = [
        claim("one", "holds", Sentence.PRIOR), claim("two", "fails", Sentence.PRIOR, "2D"),
        claim("three", "fails"),
    ]  # fmt: skip
    studies = [gallery.Study("my_study", "It grows.", {"claims": claims})]
    rows = [row for row in gallery.papers_table(studies).splitlines() if Sentence.PRIOR in row]
    assert rows == [
        f"| {Sentence.PRIOR} | holds<br>[My study](#my-study): one; 1 [0.5, not known] holds "
        "| **fails**<br>[My study](#my-study): two; 1 [0.5, not known] fails |"
    ]
    brief = gallery.papers_table(studies, brief=True)
    assert f"| {Sentence.PRIOR} | holds | **fails** |" in brief
    assert "three" not in gallery.papers_table(studies)


def test_a_table_of_claims_says_what_is_not_known_and_keeps_its_cells():
    row = gallery.claims_table([claim("a | b", "undecided")]).splitlines()[-1]
    assert row == (r"| a \| b | \|x\| = 1 | [0.5, not known] | 3 seeds | above 0 | **undecided** |")
