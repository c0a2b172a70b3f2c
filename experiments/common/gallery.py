"""The page of all figures and claims, from what the studies left."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from common import papers

HEADING = "# Gallery"
Record = Mapping[str, Any]  # a study's provenance file


class Shown(NamedTuple):
    """A study on the page. message: what its figure shows. command: that makes it again."""

    name: str
    message: str
    command: str
    record: Record


def page(studies: Sequence[Shown], left_out: Sequence[str] = ()) -> str:
    """The gallery in Markdown: the papers' claims, then each figure with claims and provenance.

    left_out: what cannot be shown, and why.
    """
    records = {study.name: study.record["claims"] for study in studies}
    parts = [
        HEADING,
        "Written by `python experiments/reproduce.py` from the tables beside it; "
        "`reproduce.py --check` says whether they still support it. Intervals are at 95%, over "
        "the networks of a kind (seeds) unless a study says otherwise. A claim holds if the whole "
        "interval lies on the stated side of its threshold. The sentence under a figure was "
        "written about the tables of the repository; the verdicts are of the tables beside this "
        "page.",
        "## What the papers claim",
        papers_table(records, brief=True),
        "On what that rests:",
        papers_table(records),
        *(_section(study) for study in studies),
        *(f"Not shown: {why}" for why in left_out),
    ]
    return "\n\n".join(parts) + "\n"


def papers_table(records: papers.Records, brief: bool = False) -> str:
    """The papers' claims, with what was found in one and two dimensions.

    brief: verdicts only, without the claims that they rest on; as in the project's README.
    """
    rows = ["| the papers | signals (1D) | pictures (2D) |", "| --- | --- | --- |"]
    for stated in papers.PAPER:
        sides = [papers.found(evidence, records) for evidence in (stated.signals, stated.pictures)]
        cells = [side.verdict if brief else _cell(side) for side in sides]
        rows.append(f"| {stated.statement} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def claims_table(claims: Sequence[Record]) -> str:
    """A study's claims."""
    rows = [
        "| claim | statistic | 95% interval | over | needs | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for claim in claims:
        value, (low, high) = claim["value"], claim["interval_95"]
        over = next(f"{claim[what]} {what}" for what in claim if what not in FIELDS)
        verdict = claim["verdict"] if claim["verdict"] == "holds" else f"**{claim['verdict']}**"
        rows.append(
            f"| {_plain(claim['statement'])} | {_plain(claim['statistic'])} = {_number(value)} "
            f"| [{_number(low)}, {_number(high)}] | {over} "
            f"| {claim['side']} {claim['threshold']:g} | {verdict} |"
        )
    return "\n".join(rows)


FIELDS = {"statement", "statistic", "value", "interval_95", "side", "threshold", "verdict"}


def title(name: str) -> str:
    """A study's heading, whose anchor is its name with dashes."""
    return name.replace("_", " ").capitalize()


def _section(study: Shown) -> str:
    record = study.record
    took = record["wall_time_seconds"]
    packages = ", ".join(
        f"{name} {record['versions'].get(name, 'unknown')}" for name in ("python", "jax")
    )
    commit = str(record.get("commit") or "no commit").replace(" (changed since)", ", changed since")
    note = "" if record["cells_from_earlier_runs"] == 0 else ", with cells of earlier runs"
    return "\n\n".join(
        [
            f"## {title(study.name)}",
            f"![{title(study.name)}]({study.name}.png)",
            study.message,
            claims_table(record["claims"]) if record["claims"] else "It claims nothing.",
            f"`{study.command}`: {took / 60:.1f} minutes on {record['device']}{note}; {packages}; "
            f"{commit[:12]}{commit[40:]}. [Table]({study.name}.csv), [PDF]({study.name}.pdf), "
            f"[provenance]({study.name}.json).",
        ]
    )


def _cell(side: papers.Result) -> str:
    lines = [side.verdict]
    for study, claim in side.claims:
        low, high = claim["interval_95"]
        lines.append(
            f"[{title(study)}](#{study.replace('_', '-')}): {_plain(claim['statement'])}; "
            f"{_number(claim['value'])} [{_number(low)}, {_number(high)}] {claim['verdict']}"
        )
    return "<br>".join(lines)


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3g}"


def _plain(text: str) -> str:
    """In a table, a bar would end the cell."""
    return text.replace("|", "\\|")
