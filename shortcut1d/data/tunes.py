"""Real tunes, all in the public domain, as lists of notes.

A note is written `pitch` or `pitch:beats`, the pitch in scientific notation (A4 = 440 Hz).
"""

from typing import NamedTuple

from shortcut1d.errors import choice

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class Score(NamedTuple):
    """A tune as notes.

    semitones: pitch of each note, above the tune's lowest one.
    beats: duration of each note.
    beats_per_minute: the usual tempo.
    title: name and origin.
    """

    semitones: tuple[int, ...]
    beats: tuple[float, ...]
    beats_per_minute: float
    title: str


def _read(title: str, beats_per_minute: float, notes: str) -> Score:
    semitones, beats = [], []
    for note in notes.split():
        name, _, duration = note.partition(":")
        sharp = "#" in name
        semitones.append(12 * int(name[-1]) + _STEPS[name[0]] + sharp)
        beats.append(float(duration or 1))
    lowest = min(semitones)
    return Score(tuple(s - lowest for s in semitones), tuple(beats), beats_per_minute, title)


_TWINKLE = "C4 C4 G4 G4 A4 A4 G4:2 F4 F4 E4 E4 D4 D4 C4:2 "
_JOY = "E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 "
_SLEEVES = "C5:2 D5 E5:1.5 F5:.5 E5 D5:2 B4 G4:1.5 A4:.5 B4 "
_SLEEVES_HIGH = "G5:3 G5:1.5 F#5:.5 E5 D5:2 B4 G4:1.5 A4:.5 B4 "
_SLEEVES_END = "C5:1.5 B4:.5 A4 G#4:1.5 F#4:.5 G#4 A4:3 A4:3 "
_MINUET = (
    "D5 G4:.5 A4:.5 B4:.5 C5:.5 D5 G4 G4 E5 C5:.5 D5:.5 E5:.5 F#5:.5 G5 G4 G4 "
    "C5 D5:.5 C5:.5 B4:.5 A4:.5 B4 C5:.5 B4:.5 A4:.5 G4:.5 "
)

TUNES: dict[str, Score] = {
    "amazing_grace": _read(
        "Amazing Grace (New Britain, 1829)",
        90,
        "D4 G4:2 B4:.5 G4:.5 B4:2 A4 G4:2 E4 D4:2 D4 G4:2 B4:.5 G4:.5 B4:2 A4 D5:5 "
        "B4 D5:2 B4:.5 G4:.5 B4:2 A4 G4:2 E4 D4:2 D4 G4:2 B4:.5 G4:.5 B4:2 A4 G4:5",
    ),
    "frere_jacques": _read(
        "Frere Jacques (traditional, 18th century)",
        120,
        "C4 D4 E4 C4 C4 D4 E4 C4 E4 F4 G4:2 E4 F4 G4:2 G4:.5 A4:.5 G4:.5 F4:.5 E4 C4 "
        "G4:.5 A4:.5 G4:.5 F4:.5 E4 C4 C4 G3 C4:2 C4 G3 C4:2",
    ),
    "greensleeves": _read(
        "Greensleeves (traditional, 16th century)",
        180,
        "A4 " + _SLEEVES + "C5:2 A4 A4:1.5 G#4:.5 A4 B4:2 G#4 E4:2 A4 " + _SLEEVES + _SLEEVES_END
        + _SLEEVES_HIGH + "C5:2 A4 A4:1.5 G#4:.5 A4 B4:2 G#4 E4:3 " + _SLEEVES_HIGH + _SLEEVES_END,
    ),
    "minuet_in_g": _read(
        "Minuet in G (Christian Petzold, before 1725)",
        130,
        _MINUET + "F#4 G4:.5 A4:.5 B4:.5 G4:.5 A4:3 "
        + _MINUET + "A4 B4:.5 A4:.5 G4:.5 F#4:.5 G4:3",
    ),
    "ode_to_joy": _read(
        "Ode to Joy (Ludwig van Beethoven, 1824)",
        130,
        _JOY + "E4:1.5 D4:.5 D4:2 " + _JOY + "D4:1.5 C4:.5 C4:2 D4 D4 E4 C4 D4 E4:.5 F4:.5 E4 C4 "
        "D4 E4:.5 F4:.5 E4 D4 C4 D4 G3:2 " + _JOY + "D4:1.5 C4:.5 C4:2",
    ),
    "twinkle": _read(
        "Ah! vous dirai-je, maman (traditional, 1761)",
        120,
        _TWINKLE + 2 * "G4 G4 F4 F4 E4 E4 D4:2 " + _TWINKLE,
    ),
}  # fmt: skip


def score(name: str) -> Score:
    """The tune called `name`, or `InvalidInput` if there is none."""
    return TUNES[choice("tune", name, TUNES)]
