"""The page of all figures and claims, from what the studies left."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from common import registered
from common.papers import Sentence
from shortcut1d.harness.claims import (
    EQUIVALENT,
    HOLDS,
    REFUTED,
    UNDECIDED,
    adjusted,
    supports,
    wanted,
)

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
        "the networks of a kind (seeds) unless a study says otherwise. A claim *holds* if the "
        "whole interval lies on the stated side of its threshold, and is *refuted* if it lies on "
        "the other side. It is *equivalent* if the difference is within a margin that was stated "
        "(two one-sided tests at 5%), and *undecided* otherwise. A sentence of the papers is "
        "judged by its primary claims where some were registered, by all of them where none were, "
        "with Holm's correction. The sentence under a figure was written about the tables of the "
        "repository; the verdicts are of the tables beside this page.",
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
            found = tested(studies, sentence, domain)
            lines = [verdict([claim for _, claim in found])]
            lines += [] if brief else [_evidence(*each) for each in found]
            cells.append("<br>".join(lines))
        rows.append(f"| {sentence} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def tested(studies: Sequence[Study], sentence: str, domain: str) -> list[tuple[str, Record]]:
    """The claims on a sentence of the papers in one domain, each with its study."""
    return [
        (study.name, claim)
        for study in studies
        for claim in study.record["claims"]
        if sentence in claim["sentences"] and claim["domain"] == domain
    ]


def verdict(claims: Sequence[Record]) -> str:
    """The verdict on a sentence of the papers that some claims test, with Holm's correction."""
    if not claims:
        return "not studied"
    deciding = [claim for claim in claims if claim["primary"]] or claims
    found = adjusted(deciding)
    for_it = sum(supports(*each) for each in zip(deciding, found, strict=True))
    if for_it == len(found):
        return HOLDS
    if for_it:
        return f"in part ({for_it} of {len(found)})"
    if set(found) == {REFUTED}:
        return f"**{REFUTED}**"
    return EQUIVALENT if set(found) == {EQUIVALENT} else UNDECIDED


def claims_table(claims: Sequence[Record]) -> str:
    """A study's claims."""
    rows = [
        "| claim | statistic | 95% interval | over | is to be | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for claim in claims:
        said = f"**{claim['verdict']}**" if claim["verdict"] == REFUTED else claim["verdict"]
        said += " (primary)" if claim["primary"] else ""
        rows.append(
            f"| {_plain(claim['statement'])} | {_plain(claim['statistic'])} = "
            f"{number(claim['value'])} | {interval(claim)} | {claim['count']} {claim['over']} "
            f"| {wanted(claim)} | {said} |"
        )
    return "\n".join(rows)


def registrations(name: str, record: Record) -> list[str]:
    """What was registered of a study, and how many seeds its claims need; nothing if nothing was.

    record: the study's provenance.
    """
    named = record.get("registration")
    if not named:
        return []
    over = record["claims"][0]["over"] if record["claims"] else "seeds"
    needed = [
        f"{_plain(statement)}: {power['seeds_needed']} {over} for {power['effect']:g} at a spread "
        f"of {power['spread']:g}"
        for statement, power in named["power"].items()
    ]
    files = [f"{each.path.name} ({each.date})" for each in registered.versions(name)]
    return [
        f"Registered before it was run: {', '.join(files)}; run under {named['file']}, committed "
        f"as {str(named['commit'])[:12]}. {over.capitalize()} that show the smallest effect of "
        f"interest nine times in ten: {'; '.join(needed)}."
    ]


def title(name: str) -> str:
    """A study's heading, whose anchor is its name with dashes."""
    return name.replace("_", " ").capitalize()


def made(record: Record) -> str:
    """How long a study took, on what, and by which code."""
    packages = ", ".join(f"{p} {record['versions'].get(p, 'unknown')}" for p in ("python", "jax"))
    commit = str(record.get("commit") or "no commit").replace(" (changed since)", ", changed since")
    note = "" if record["cells_from_earlier_runs"] == 0 else ", with cells of earlier runs"
    return (
        f"{record['wall_time_seconds'] / 60:.1f} minutes on {record['device']}{note}; {packages}; "
        f"{commit[:12]}{commit[40:]}"
    )


def _section(study: Study) -> str:
    name, record = study.name, study.record
    return "\n\n".join(
        [
            f"## {title(name)}",
            f"![{title(name)}]({name}.png)",
            study.message,
            claims_table(record["claims"]) if record["claims"] else "It claims nothing.",
            *registrations(name, record),
            f"`{record['command']}`: {made(record)}. "
            f"[Table]({name}.csv), [PDF]({name}.pdf), [provenance]({name}.json).",
        ]
    )


def _evidence(study: str, claim: Record) -> str:
    return (
        f"[{title(study)}](#{study.replace('_', '-')}): {_plain(claim['statement'])}; "
        f"{number(claim['value'])} {interval(claim)} {claim['verdict']}"
    )


def interval(claim: Record) -> str:
    """A claim's 95% interval as text."""
    low, high = claim["interval_95"]
    return f"[{number(low)}, {number(high)}]"


def number(value: float | None) -> str:
    """A number as text, to three digits."""
    return "not known" if value is None else f"{value:.3g}"


def _plain(text: str) -> str:
    """Text for a table, in which a bar would end the cell."""
    return text.replace("|", "\\|")
