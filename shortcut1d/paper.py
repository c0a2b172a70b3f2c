"""What the papers claim, and which claims of ours test it, on signals and on pictures.

Hu, You, Gu, Zhu, Xue and Dong, Revisiting the Generalization Problem of Low-level Vision Models
Through the Lens of Image Deraining, arXiv 2502.12600; Gu et al., Networks are Slacking Off,
NeurIPS 2023, arXiv 2305.15134.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Records = Mapping[str, Sequence[Mapping[str, Any]]]  # by study, its claims as provenance has them


class Evidence(NamedTuple):
    """Some claims of a study. wording: a regular expression that their statements begin with."""

    study: str
    wording: str


class Stated(NamedTuple):
    """A claim of the papers, and the evidence in one and two dimensions; none: not studied."""

    statement: str
    signals: tuple[Evidence, ...]
    pictures: tuple[Evidence, ...]


PAPER = (
    Stated(
        "Networks take a shortcut: they fit whichever of content and degradation is simpler.",
        (
            Evidence("phase_diagram", "conv fits the content where it is simplest"),
            Evidence("phase_diagram", "conv fits the degradation where it is simplest"),
            Evidence("complexity", "conv: the simpler component is the one that is fitted"),
            Evidence("dynamics", "where the (content|noise) is simpler, it is the first"),
        ),
        (Evidence("image_deraining", "in (small|large) rain, kinds of background are fitted in"),),
    ),
    Stated(
        "Trained on rich content, they overfit the degradation they see, and fail on others.",
        (Evidence("music_note", "conv trained on melodies under clicks fits the degradation"),),
        (
            Evidence(
                "image_restoration", r"\w+: trained on narrow .*, it removes more of that than"
            ),
        ),
    ),
    Stated(
        "More training backgrounds are not better: beyond a number, generalisation gets worse.",
        (Evidence("more_data", "under clicks of 1 shape, endless melodies do worse"),),
        (
            Evidence("image_deraining", r"in small rain, \d+ crops do worse than fewer"),
            Evidence("image_restoration", r"\w+: trained on narrow .*, \d+ crops do worse"),
        ),
    ),
    Stated(
        "The more backgrounds, the more it is the degradation that is fitted.",
        (Evidence("image_vs_signal", "signals: the more contents, the more novelty passes"),),
        (
            Evidence("image_vs_signal", "pictures: the more contents, the more novelty passes"),
            Evidence("image_restoration", r"\w+: the more crops, the more it is the degradation"),
        ),
    ),
    Stated(
        "A richer range of degradations to train on generalises better.",
        (Evidence("remedies", "widest clicks helps"),),
        (
            Evidence("image_deraining", "large rain to train on is better than small rain"),
            Evidence("image_restoration", r"\w+: wide .* to train on is better than narrow"),
        ),
    ),
    Stated(
        "It is a balance: the richer the degradation, the less too many backgrounds cost.",
        (
            Evidence("more_data", "the best number of melodies grows"),
            Evidence("more_data", "what too many melodies cost shrinks"),
            Evidence("image_vs_signal", r"signals: under clicks\(\d+\) too many cost less"),
        ),
        (
            Evidence("image_deraining", "in large rain too many crops cost less"),
            Evidence("image_vs_signal", "pictures: under large rain too many cost less"),
        ),
    ),
    Stated(
        "So balancing the complexity of the training data makes networks generalise.",
        (
            Evidence("sweet_spot", "with content and noise it was not made with, .*is worth it"),
            Evidence("remedies", r"fewer melodies \(advised\) helps"),
            Evidence("remedies", r"wider clicks \(advised\) helps"),
        ),
        (),
    ),
    Stated(
        "The cause is not a limited capacity of the network.",
        (
            Evidence("capacity", "capacity explains little of the index"),
            Evidence("capacity", "content complexity explains most of the index"),
        ),
        (),
    ),
    Stated(
        "A generative prior over clean content, pre-trained, removes the shortcut.",
        (Evidence("generative_prior", "the prior, its encoder tuned, errs less under .* a plain"),),
        (
            Evidence("image_prior", r"\w+: the prior, its encoder tuned, .* than a plain conv net"),
            Evidence("image_prior", "deraining: the prior, its encoder tuned, errs less where"),
        ),
    ),
    Stated(
        "What does it is that the output is held to the code of clean content.",
        (
            Evidence(
                "generative_prior", "the prior, its encoder tuned, errs less .* without a code"
            ),
        ),
        (Evidence("image_prior", r"\w+: the prior, its encoder tuned, .* without a code"),),
    ),
)


def found(evidence: Sequence[Evidence], records: Records) -> list[tuple[str, Mapping[str, Any]]]:
    """Studies and those of their claims that the evidence names, each once."""
    seen = []
    for study, wording in evidence:
        for claim in records.get(study, ()):
            if re.match(wording, claim["statement"]) and (study, claim) not in seen:
                seen.append((study, claim))
    return seen


def verdict(claims: Sequence[Mapping[str, Any]]) -> str:
    """Of several claims of ours together, on one of the papers'."""
    held = sum(claim["verdict"] == "holds" for claim in claims)
    if not claims:
        return "not studied"
    if held == len(claims):
        return "holds"
    return f"in part ({held} of {len(claims)})" if held else "**fails**"
