"""The page of all figures and claims, from what the studies left."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from common.papers import Sentence

HEADING = "# Gallery"
Record = Mapping[str, Any]  # a study's provenance file, or one claim of it


class Study(NamedTuple):
    """A study on the page. message: what its figure shows. record: its provenance file."""

    name: str
    message: str
    record: Record


def page(studies: Sequence[Study], left_out: Sequence[str] = ()) -> str:
    """The gallery in Markdown: the papers' sentences, then each figure with claims and provenance.

    left_out: what cannot be shown, and why.
    """
    parts = [
        HEADING,
        "Written by `python experiments/reproduce.py` from the tables beside it; "
        "`reproduce.py --check` says whether they still support it. Intervals are at 95%, over "
        "the networks of a kind (seeds) unless a study says otherwise. A claim holds if the whole "
        "interval lies on the stated side of its threshold. The sentence under a figure was "
        "written about the tables of the repository; the verdicts are of the tables beside this "
        "page.",
        "## What the papers claim",
        papers_table(studies, brief=True),
        "On what that rests:",
        papers_table(studies),
        *(_section(study) for study in studies),
        *(f"Not shown: {why}" for why in left_out),
    ]
    return "\n\n".join(parts) + "\n"


def papers_table(studies: Sequence[Study], *, brief: bool = False) -> str:
    """The papers' sentences, and what was found in one and two dimensions.

    brief: verdicts only, without the claims that they rest on; as in the project's README.
    """
    rows = ["| the papers | signals (1D) | pictures (2D) |", "| --- | --- | --- |"]
    for sentence in Sentence:
        cells = []
        for domain in ("1D", "2D"):
            tested = [
                (study.name, claim)
                for study in studies
                for claim in study.record["claims"]
                if sentence in claim["sentences"] and claim["domain"] == domain
            ]
            lines = [verdict([claim for _, claim in tested])]
            lines += [] if brief else [_evidence(*each) for each in tested]
            cells.append("<br>".join(lines))
        rows.append(f"| {sentence} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def verdict(claims: Sequence[Record]) -> str:
    """On a sentence of the papers that some claims test together."""
    if not claims:
        return "not studied"
    verdicts = [claim["verdict"] for claim in claims]
    held, total = verdicts.count("holds"), len(verdicts)
    if held == total:
        return "holds"
    if verdicts.count("undecided") == total - held:
        return "undecided"
    return f"in part ({held} of {total})" if held else "**fails**"


def claims_table(claims: Sequence[Record]) -> str:
    """A study's claims."""
    rows = [
        "| claim | statistic | 95% interval | over | needs | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for claim in claims:
        said = claim["verdict"] if claim["verdict"] == "holds" else f"**{claim['verdict']}**"
        rows.append(
            f"| {_plain(claim['statement'])} | {_plain(claim['statistic'])} = "
            f"{_number(claim['value'])} | {_interval(claim)} | {claim['count']} {claim['over']} "
            f"| {claim['side']} {claim['threshold']:g} | {said} |"
        )
    return "\n".join(rows)


def title(name: str) -> str:
    """A study's heading, whose anchor is its name with dashes."""
    return name.replace("_", " ").capitalize()


def _section(study: Study) -> str:
    name, record = study.name, study.record
    packages = ", ".join(f"{p} {record['versions'].get(p, 'unknown')}" for p in ("python", "jax"))
    commit = str(record.get("commit") or "no commit").replace(" (changed since)", ", changed since")
    note = "" if record["cells_from_earlier_runs"] == 0 else ", with cells of earlier runs"
    return "\n\n".join(
        [
            f"## {title(name)}",
            f"![{title(name)}]({name}.png)",
            study.message,
            claims_table(record["claims"]) if record["claims"] else "It claims nothing.",
            f"`{record['command']}`: {record['wall_time_seconds'] / 60:.1f} minutes on "
            f"{record['device']}{note}; {packages}; {commit[:12]}{commit[40:]}. "
            f"[Table]({name}.csv), [PDF]({name}.pdf), [provenance]({name}.json).",
        ]
    )


def _evidence(study: str, claim: Record) -> str:
    return (
        f"[{title(study)}](#{study.replace('_', '-')}): {_plain(claim['statement'])}; "
        f"{_number(claim['value'])} {_interval(claim)} {claim['verdict']}"
    )


def _interval(claim: Record) -> str:
    low, high = claim["interval_95"]
    return f"[{_number(low)}, {_number(high)}]"


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3g}"


def _plain(text: str) -> str:
    """In a table, a bar would end the cell."""
    return text.replace("|", "\\|")
