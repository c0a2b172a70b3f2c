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
    """A claim of the papers, and all of ours that test it, in one and two dimensions.

    No evidence: not studied.
    """

    statement: str
    signals: tuple[Evidence, ...]
    pictures: tuple[Evidence, ...]


class Result(NamedTuple):
    """What there is of some evidence.

    claims: ours, with their studies. missing: what is not run.
    """

    claims: list[tuple[str, Mapping[str, Any]]]
    missing: list[Evidence]

    @property
    def verdict(self) -> str:
        """On the claim of the papers' that they test together."""
        if not self.claims:
            return "not run" if self.missing else "not studied"
        verdicts = [claim["verdict"] for _, claim in self.claims]
        held, of = verdicts.count("holds"), len(verdicts)
        if self.missing:
            return f"not all run ({held} of {of} hold)"
        if held == of:
            return "holds"
        if verdicts.count("undecided") == of - held:
            return "undecided"
        return f"in part ({held} of {of})" if held else "**fails**"


PAPER = (
    Stated(
        "Networks take a shortcut: they fit whichever of content and degradation is simpler.",
        (
            Evidence("phase_diagram", "conv fits the (content|degradation) where it is simplest"),
            Evidence("phase_diagram", r"\w+: rho (rises|falls) with"),
            Evidence("complexity", r"\w+: the simpler component is the one that is fitted"),
            Evidence("dynamics", "where the (content|noise) is simpler, it is the first"),
            Evidence("image_vs_signal", "signals: the simpler the degradation, the more novelty"),
        ),
        (
            Evidence("image_deraining", "in (small|large) rain, kinds of background are fitted"),
            Evidence("image_vs_signal", "pictures: the simpler the degradation, the more novelty"),
        ),
    ),
    Stated(
        "Trained on rich content, they overfit the degradation they see, and fail on others.",
        (
            Evidence("music_note", "conv trained on melodies under clicks fits the degradation"),
            Evidence("music_note", "conv under clicks lets novelty through if trained on melodies"),
        ),
        (Evidence("image_restoration", r"\w+: trained on .*, it removes more of that than"),),
    ),
    Stated(
        "More training backgrounds are not better: beyond a number, generalisation gets worse.",
        (
            Evidence("more_data", "under clicks of 1 shape, endless melodies do worse"),
            Evidence("sweet_spot", r"melodies \+ clicks: as many melodies as advised do better"),
            Evidence("image_vs_signal", r"signals: under clicks\(\d+\), \d+ contents do worse"),
        ),
        (
            Evidence("image_deraining", r"in small rain, \d+ crops do worse than fewer"),
            Evidence("image_restoration", r"\w+: trained on narrow .*, \d+ crops do worse"),
            Evidence("image_vs_signal", r"pictures: under small rain, \d+ contents do worse"),
        ),
    ),
    Stated(
        "The more backgrounds, the more it is the degradation that is fitted.",
        (Evidence("image_vs_signal", "signals: the more contents, the more novelty passes"),),
        (
            Evidence("image_vs_signal", "pictures: the more contents, the more novelty passes"),
            Evidence("image_deraining", "the more crops, the more it is the rain that is fitted"),
            Evidence("image_restoration", r"\w+: the more crops, the more it is the degradation"),
        ),
    ),
    Stated(
        "A richer range of degradations to train on generalises better.",
        (
            Evidence("remedies", "widest clicks helps"),
            Evidence("remedies", r"wider clicks \(advised\) helps"),
            Evidence("sweet_spot", "with content and noise it was not made with, wider"),
        ),
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
            Evidence("sweet_spot", "with content and noise it was not made with, "),
            Evidence("remedies", r".*\(advised\) helps"),
        ),
        (),
    ),
    Stated(
        "The cause is not a limited capacity of the network.",
        (Evidence("capacity", "."),),
        (),
    ),
    Stated(
        "A prior over clean content, from a pre-trained generative model, makes them generalise.",
        (Evidence("generative_prior", "the prior, its encoder tuned, errs less under .* a plain"),),
        (
            Evidence("image_prior", r"\w+: the prior, its encoder tuned, is .* plain conv net"),
            Evidence("image_prior", r"\w+: the prior, its encoder tuned, is .* without a prior"),
            Evidence("image_prior", "deraining: the prior, its encoder tuned, errs less where"),
        ),
    ),
    Stated(
        "It does so by holding the output to the manifold of clean content.",
        (
            Evidence("generative_prior", "the prior, its encoder tuned, .* without a code"),
            Evidence("generative_prior", "a learnt code errs less under unseen noise than a"),
            Evidence("generative_prior", "a prior of the music at hand errs less"),
            Evidence("generative_prior", "a decoder and code that are frozen err less"),
        ),
        (Evidence("image_prior", r"\w+: the prior, its encoder tuned, .* without a code"),),
    ),
)
# Claims of ours that test none of the papers'.
OURS = (
    *(Evidence(study, ".") for study in (
        "architecture", "benchmark", "calibration", "classical_filters", "diagnose_images",
        "jacobian_portrait",
    )),
    Evidence("music_note", "conv trained on a note"),
    Evidence("phase_diagram", "mlp fits the content nearly everywhere"),
    Evidence("complexity", r"\w+: the (balance tells|noise's complexity adds)"),
    Evidence("dynamics", "where the noise is simpler, a network lets it through|off the line"),
    Evidence("dynamics", "on the line, longer training"),
    Evidence("sweet_spot", r"melodies \+ clicks: no number|.*, as advised, beats training"),
    Evidence("remedies", "(noise aug|mixed|masked|dropout|early|sharpness)|.* beats "),
    Evidence("generative_prior", "the prior, its encoder tuned, loses little|as it stands"),
    Evidence("generative_prior", "behind a conv net|searched|the fewer entries"),
    Evidence("image_prior", r"\w+: under what it knows"),
    Evidence("image_vs_signal", "the toy's"),
)  # fmt: skip


def found(evidence: Sequence[Evidence], records: Records) -> Result:
    """The claims that the evidence names, each once."""
    claims: list[tuple[str, Mapping[str, Any]]] = []
    missing = []
    for one in evidence:
        named = [
            (one.study, claim)
            for claim in records.get(one.study, ())
            if re.match(one.wording, claim["statement"])
        ]
        claims += [claim for claim in named if claim not in claims]
        if not named:
            missing.append(one)
    return Result(claims, missing)
