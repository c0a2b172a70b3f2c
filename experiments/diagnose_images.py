"""What does a median filter make of rain on photographs?

The report that `shortcut1d diagnose` makes of a network of yours, without one: the filter is given
photographs in rain, letters and dead leaves in that rain, and photographs in other rain and noise.
"""

import functools
import sys

from scipy.ndimage import median_filter

from shortcut1d.cli import Config, claims, document, plot, report_on, result_of
from shortcut1d.diagnosis.adapters import from_function
from shortcut1d.diagnosis.loading import load
from shortcut1d.harness.driver import Experiment, Result, main
from shortcut1d.training.sweep import Session


def run(config: Config, session: Session) -> Result:
    """Diagnose the filter, or the network that `--model` names."""
    median = from_function(functools.partial(median_filter, size=3, mode="mirror"))
    denoiser = median if config.model is None else load(config.model)
    return result_of(report_on(config, session, denoiser))


experiment = Experiment(
    name="diagnose_images",
    message=(
        "What a median filter makes of rain on photographs: the report for a restoration "
        "model of your own, without one."
    ),
    presets={
        "smoke": Config(size=16, channels=1, samples=8, portraits=0),
        "quick": Config(),
        "full": Config(size=128, samples=512, portraits=8),
        "kept": Config(),  # 15 seconds on 2 cores
    },
    run=run,
    plot=plot,
    claims=claims,
    unit="samples",
    document=document,
)

if __name__ == "__main__":
    sys.exit(main(experiment))
