"""What the papers say. A claim of ours names the sentence that it tests.

Hu, You, Gu, Zhu, Xue and Dong, Revisiting the Generalization Problem of Low-level Vision Models
Through the Lens of Image Deraining, arXiv 2502.12600; Gu et al., Networks are Slacking Off,
NeurIPS 2023, arXiv 2305.15134.
"""

from enum import StrEnum


class Sentence(StrEnum):
    """Statements of the papers, in the order of their story."""

    SHORTCUT = "Networks take a shortcut: they fit whichever of content and degradation is simpler."
    OVERFIT = "Trained on rich content, they overfit the degradation they see, and fail on others."
    MORE_IS_WORSE = (
        "More training backgrounds are not better: beyond a number, generalisation gets worse."
    )
    MORE_FITS_DEGRADATION = "The more backgrounds, the more it is the degradation that is fitted."
    RICHER_DEGRADATION = "A richer range of degradations to train on generalises better."
    BALANCE = "It is a balance: the richer the degradation, the less too many backgrounds cost."
    BALANCING = "So balancing the complexity of the training data makes networks generalise."
    NOT_CAPACITY = "The cause is not a limited capacity of the network."
    PRIOR = (
        "A prior over clean content, from a pre-trained generative model, makes them generalise."
    )
    MANIFOLD = "It does so by holding the output to the manifold of clean content."
