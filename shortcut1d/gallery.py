"""The page of all figures and claims, from what the studies left."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shortcut1d import paper

Record = Mapping[str, Any]  # a study's provenance file


class Shown(NamedTuple):
    """A study on the page. message: what its figure shows. command: that makes it again."""

    name: str
    message: str
    command: str
    record: Record


def page(studies: Sequence[Shown]) -> str:
    """The gallery in Markdown: the papers' claims, then each figure with claims and provenance."""
    records = {study.name: study.record["claims"] for study in studies}
    parts = [
        "# Gallery",
        "Written by `python experiments/reproduce.py` from the tables beside it; "
        "`reproduce.py --check` says whether they still support it. Intervals are at 95%, over "
        "the networks of a kind (seeds) unless a study says otherwise. A claim holds if the whole "
        "interval lies on the stated side of its threshold. The sentence under a figure was "
        "written about the tables of the repository; the verdicts are of the tables beside this "
        "page.",
        "## What the papers claim",
        papers_table(records),
        *(_section(study) for study in studies),
    ]
    return "\n\n".join(parts) + "\n"


def papers_table(records: paper.Records) -> str:
    """The papers' claims, with what was found in one and two dimensions."""
    rows = ["| the papers | signals (1D) | pictures (2D) |", "| --- | --- | --- |"]
    for stated in paper.PAPER:
        cells = [_cell(evidence, records) for evidence in (stated.signals, stated.pictures)]
        rows.append(f"| {stated.statement} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def summary(records: paper.Records) -> str:
    """The papers' claims with a verdict in one and two dimensions, for the project's README."""
    rows = ["| the papers | signals (1D) | pictures (2D) |", "| --- | --- | --- |"]
    for stated in paper.PAPER:
        claims = [paper.found(evidence, records) for evidence in (stated.signals, stated.pictures)]
        verdicts = [paper.verdict([claim for _, claim in side]) for side in claims]
        rows.append(f"| {stated.statement} | {verdicts[0]} | {verdicts[1]} |")
    return "\n".join(rows)


def claims_table(claims: Sequence[Record]) -> str:
    """A study's claims."""
    rows = [
        "| claim | statistic | 95% interval | over | needs | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for claim in claims:
        value, (low, high) = claim["value"], claim["interval_95"]
        over = next(f"{claim[what]} {what}" for what in claim if what not in NOT_OVER)
        verdict = claim["verdict"] if claim["verdict"] == "holds" else f"**{claim['verdict']}**"
        rows.append(
            f"| {_plain(claim['statement'])} | {_plain(claim['statistic'])} = {_number(value)} "
            f"| [{_number(low)}, {_number(high)}] | {over} "
            f"| {claim['side']} {claim['threshold']:g} | {verdict} |"
        )
    return "\n".join(rows)


NOT_OVER = {"statement", "statistic", "value", "interval_95", "side", "threshold", "verdict"}


def title(name: str) -> str:
    """A study's heading, whose anchor is its name with dashes."""
    return name.replace("_", " ").capitalize()


def _section(study: Shown) -> str:
    record = study.record
    took = record["wall_time_seconds"]
    packages = ", ".join(f"{name} {record['versions'][name]}" for name in ("python", "jax"))
    commit = str(record["commit"] or "no commit").replace(" (changed since)", ", changed since")
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


def _cell(evidence: Sequence[paper.Evidence], records: paper.Records) -> str:
    claims = paper.found(evidence, records)
    if evidence and not claims:
        return "not run"
    lines = [paper.verdict([claim for _, claim in claims])]
    for study, claim in claims:
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
