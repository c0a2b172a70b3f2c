"""The page: story, sounds, pictures, the map, and every claim; one file beside the figures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from common import gallery
from common.gallery import Study
from common.page.instrument import instrument
from common.page.story import COMPARED, PANELS, PLAYERS, Compared, Player
from common.papers import Sentence
from common.sounds import RATE
from shortcut1d import store
from shortcut1d.data import audio
from shortcut1d.diagnosis.report import page as report_page
from shortcut1d.diagnosis.report.page import picture_url
from shortcut1d.errors import InvalidInput
from shortcut1d.harness.claims import EQUIVALENT, HOLDS, REFUTED, UNDECIDED, wanted

MARK = "<!-- written by reproduce.py -->"
COLUMNS = 240  # of a waveform
VERDICTS = (HOLDS, REFUTED, EQUIVALENT, UNDECIDED)
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader([Path(__file__).parent, Path(report_page.__file__).parent]),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page_of(out: Path, studies: Sequence[Study], left_out: Sequence[str] = ()) -> str:
    """The page of the studies in a folder, whose figures and sounds it shows.

    Args:
        out: the folder.
        studies: what is there.
        left_out: what cannot be shown, and why.
    """
    there, left_out = {study.name: study for study in studies}, list(left_out)

    def shown(made: Callable[..., Any], *given: Any) -> list[Any]:
        """What `made` gives, in a list; if its files are damaged, none, and `left_out` says why."""
        try:
            return [made(out, *given)]
        except InvalidInput as error:
            left_out.append(str(error))
            return []

    panels: list[dict[str, Any]] = []
    for panel in PANELS:
        own = [name for name in panel.studies if name in there]
        if own:
            players = [each for each in PLAYERS if each.study in own]
            pictures = [each for each in COMPARED if each.study in own]
            panels.append({
                "panel": panel,
                "studies": [_study(there[name]) for name in own],
                "players": [player for each in players for player in shown(_player, each)],
                "pictures": [pair for each in pictures for pair in shown(_compared, each)],
            })  # fmt: skip
    maps = shown(_map) if "phase_diagram" in there else []
    the_map = maps[0] if maps else None
    in_story = {name for panel in PANELS for name in panel.studies}
    # The first sounds on the page are the first panel's, where its study is there.
    first = panels[0]["players"] if panels and panels[0]["panel"] is PANELS[0] else []
    return MARK + "\n" + ENVIRONMENT.get_template("page.html.jinja").render(
        heard_first=first.pop(0) if first else None,
        panels=panels,
        apart=[_study(study) for study in studies if study.name not in in_story],
        papers=_papers(studies),
        claims=[_claim(study, claim) for study in studies for claim in study.record["claims"]],
        sentences=list(Sentence),
        verdicts=VERDICTS,
        map=the_map,
        data=json.dumps(the_map["data"] if the_map else None),
        left_out=left_out,
    )  # fmt: skip


def _map(out: Path) -> dict[str, Any] | None:
    table, _ = store.read_table(out / "phase_diagram.csv")
    return instrument(table, store.read_arrays(out / "phase_diagram.npz")[0])


def _study(study: Study) -> dict[str, Any]:
    """What is said of a study beside its figure."""
    record = study.record
    claims = [_claim(study, claim) for claim in record["claims"]]
    counts = [(v, sum(claim["verdict"] == v for claim in claims)) for v in VERDICTS]
    return {
        "name": study.name,
        "title": gallery.title(study.name),
        "message": study.message,
        "claims": claims,
        "counts": ", ".join(f"{count} {verdict}" for verdict, count in counts if count),
        "registered": " ".join(gallery.registrations(study.name, record)),
        "command": record["command"],
        "made": gallery.made(record),
    }


def _claim(study: Study, claim: gallery.Record) -> dict[str, Any]:
    return {
        "study": study.name,
        "title": gallery.title(study.name),
        "statement": claim["statement"],
        "statistic": claim["statistic"],
        "value": gallery.number(claim["value"]),
        "interval": gallery.interval(claim),
        "over": f"{claim['count']} {claim['over']}",
        "wanted": wanted(claim),
        "verdict": claim["verdict"],
        "primary": claim["primary"],
        "sentences": claim["sentences"],
        "domain": claim["domain"],
    }


def _papers(studies: Sequence[Study]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each sentence of the papers, with domain and verdict."""

    def found(sentence: str, domain: str) -> str:
        claims = [claim for _, claim in gallery.tested(studies, sentence, domain)]
        return gallery.verdict(claims).strip("*")  # bold in Markdown

    return [(each, [(d, found(each, d)) for d in ("1D", "2D")]) for each in Sentence]


def _player(out: Path, player: Player) -> dict[str, Any]:
    tracks = []
    for track in player.tracks:
        name = f"{player.study}_{track.file}.wav"
        seconds, path = _waveform(out / name)
        tracks.append({"label": track.label, "file": name, "seconds": seconds, "path": path})
    return {"title": player.title, "tracks": tracks}


def _waveform(path: Path) -> tuple[float, str]:
    """Seconds of a sound, and its outline as an SVG path, `COLUMNS` wide and from -100 to 100."""
    samples = audio.read_wav(path, RATE)
    parts = np.array_split(samples, COLUMNS)
    top = [round(-100 * float(np.max(part))) for part in parts]
    bottom = [round(-100 * float(np.min(part))) for part in parts]
    points = [*enumerate(top), *reversed(list(enumerate(bottom)))]
    return len(samples) / RATE, "M" + "L".join(f"{x} {y}" for x, y in points) + "Z"


def _compared(out: Path, compared: Compared) -> dict[str, Any]:
    """Input, target and output as data URLs."""
    path = out / f"{compared.study}.npz"
    arrays, _ = store.read_arrays(path)
    if missing := [name for name in compared.arrays if name not in arrays]:
        raise InvalidInput(f"{path}: no pictures of {missing[0]}")
    shown = [arrays[name] for name in compared.arrays]
    parts = list(shown[0]) if len(shown) == 1 else shown
    names = ("input", "target", "output")
    return {"title": compared.title} | dict(zip(names, map(picture_url, parts), strict=True))
