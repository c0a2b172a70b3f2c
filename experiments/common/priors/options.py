"""The options that both studies of a generative prior share."""

from dataclasses import dataclass
from typing import Any

from common.signal_tasks import TrainConfig
from shortcut1d import errors
from shortcut1d.harness.options import option
from shortcut1d.networks import DeepPrior, Diffusion
from shortcut1d.networks.autoencoder import Autoencoder
from shortcut1d.training.loop import Schedule


@dataclass(frozen=True)
class PriorOptions(TrainConfig):
    """How large a prior is, and how long each part is trained."""

    steps: int = option(1500, "training steps of a prior")
    tune_steps: int = option(500, "training steps after that; a plain network has both")
    prior_width: int = option(32, "channels of the autoencoder")
    halvings: int = option(3, "of the resolution, by the autoencoder")
    books: int = option(2, "codebooks a position")
    entries: int = option(256, "of a codebook")
    residual: bool = option(False, "each codebook codes what the one before it left over")
    sampling: int = option(20, "noise levels of a sample of the diffusion prior")
    deep_steps: int = option(50, "steps of the deep image prior")
    fitted: int = option(16, "samples of a test that the deep image prior is fitted to")

    def __post_init__(self) -> None:
        super().__post_init__()
        errors.integer("seeds", self.seeds, low=2)
        with errors.reported_as("tune_steps"):
            Schedule(self.tune_steps)
        with errors.reported_as("prior_width"):
            Autoencoder(self.prior_width)
        with errors.reported_as("halvings"):
            Autoencoder(levels=self.halvings)
        with errors.reported_as("sampling"):
            Diffusion(steps=self.sampling)
        with errors.reported_as("deep_steps"):
            DeepPrior(steps=self.deep_steps)
        errors.integer("fitted", self.fitted, high=self.samples)
        self.autoencoder()

    def autoencoder(self, **others: Any) -> Autoencoder:
        """What all priors are; `others` are fields that differ."""
        return Autoencoder(
            self.prior_width, levels=self.halvings, books=self.books, entries=self.entries,
            residual=self.residual, **others,
        )  # fmt: skip

    def check_halvings(self, size: int) -> None:
        """Refuse a size that cannot be halved so often."""
        if size % 2**self.halvings:
            raise errors.refuse("halvings", self.halvings, f"so many that {size} can be halved")
