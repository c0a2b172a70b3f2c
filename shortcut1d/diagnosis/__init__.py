"""Every measure of the analysis on anybody's denoiser, with intervals, a verdict and a figure."""

from shortcut1d.diagnosis.diagnose import diagnose
from shortcut1d.diagnosis.report import Report

__all__ = ["Report", "diagnose"]
