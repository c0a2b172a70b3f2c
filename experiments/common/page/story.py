"""The story in ten panels: which study tells which part, and what is heard and compared in it."""

from typing import NamedTuple


class Track(NamedTuple):
    """Something to play. file: what follows the study's name in the file's name."""

    label: str
    file: str


class Player(NamedTuple):
    """Sounds of one study to switch between at the same moment."""

    study: str
    title: str
    tracks: tuple[Track, ...]


class Compared(NamedTuple):
    """A picture with a divider between two of its states, from a study's arrays.

    arrays: names of those that hold input, target and output; or one name, of all three.
    """

    study: str
    title: str
    arrays: tuple[str, ...]


class Panel(NamedTuple):
    """A part of the story. text: one paragraph. studies: whose figures and claims it shows."""

    anchor: str
    title: str
    text: str
    studies: tuple[str, ...]


def _note(noise: str, number: int) -> tuple[Track, ...]:
    return (
        Track(f"the tune in {noise}", f"{number}_{noise}_input"),
        Track("the network trained on one note", f"{number}_{noise}_output_note_trained"),
        Track("the network trained on melodies", f"{number}_{noise}_output_melody_trained"),
        Track("the clean tune", "1_target"),
    )


PANELS = (
    Panel(
        "one-note", "One note, or melodies",
        "Two networks learn to take off the same hiss. One hears a single note, the other "
        "melodies. The first has learnt its note, and loses every tune. The second has learnt "
        "the hiss: it keeps any tune, and more than half of a hum.",
        ("music_note",),
    ),
    Panel(
        "structure", "What is fitted is structure",
        "A filter could do much of this from the spectra alone. So content and noise get twins "
        "with the same spectrum and nothing else. What a network does less well on a twin, it "
        "did by structure.",
        ("twins",),
    ),
    Panel(
        "map", "A map of what is fitted",
        "Each cell stands for networks that differ in nothing but chance. Upwards their content "
        "gets richer, to the right their noise does. Choose one, and hear what the first of them "
        "makes of sounds that it knows and of sounds that it does not.",
        ("phase_diagram",),
    ),
    Panel(
        "more-data", "More data is not better",
        "Under simple clicks, a network that hears endlessly many melodies does worse on other "
        "clicks than one that hears sixteen. The more melodies, the more it pays to learn the "
        "clicks instead.",
        ("more_data",),
    ),
    Panel(
        "sweet-spot", "The sweet spot is a balance",
        "The best content to train on is neither the simplest nor the richest. Where the optimum "
        "lies depends on how rich the noise is.",
        ("sweet_spot",),
    ),
    Panel(
        "capacity", "Capacity is not the cause",
        "Networks with fifty times the parameters take the same shortcut.",
        ("architecture", "image_capacity"),
    ),
    Panel(
        "inside", "How the shortcut comes about",
        "What a network fits changes while it trains, and its Jacobian shows what it does with a "
        "direction that it does not know.",
        ("dynamics", "jacobian_portrait"),
    ),
    Panel(
        "what-helps", "What helps",
        "A richer degradation to train on, and a generative prior: a network that can only draw "
        "what content looks like. Here is a tune in hiss, which none of these networks was "
        "trained on.",
        ("remedies", "generative_prior"),
    ),
    Panel(
        "pictures", "The same on pictures",
        "Photographs for melodies; rain, sensor noise and blur for clicks. Drag the divider: the "
        "output on the right, what the network was given on the left.",
        ("image_deraining", "image_restoration", "image_vs_signal", "image_prior"),
    ),
    Panel(
        "networks", "Networks that people use",
        "The same measures, of your own pictures and models: published denoisers and derainers "
        "with the weights that their authors gave away.",
        ("published_networks", "diagnose_images"),
    ),
)  # fmt: skip
PLAYERS = (
    Player("music_note", "A tune in hiss", _note("hiss", 2)),
    Player("music_note", "The tune in clicks, which neither was trained on", _note("clicks", 3)),
    Player(
        "generative_prior", "A tune in hiss, which none of them was trained on",
        (
            Track("input", "2_hiss"), Track("plain network", "3_plain"),
            Track("with the prior", "4_prior"),
            Track("the prior as it stands", "5_prior_as_it_stands"),
            Track("the clean tune", "1_clean"),
        ),
    ),
)  # fmt: skip
_PRIOR = ("input", "clean", "prior")
COMPARED = (
    *(
        Compared("image_deraining", f"{rain}; trained on {count} photographs in small rain",
                 (f"{rain}; {count}",))
        for rain in ("small rain", "Rain100H's rain") for count in (2, 400)
    ),
    *(
        Compared("image_restoration", f"{name}; trained on {count} photographs",
                 (f"{name}; {count}",))
        for name in ("speckle", "motion") for count in (2, 400)
    ),
    *(
        Compared("image_prior", f"{content}, other rain, with the prior",
                 tuple(f"{content}: {part}" for part in _PRIOR))
        for content in ("letters", "faces", "photographs")
    ),
)  # fmt: skip
