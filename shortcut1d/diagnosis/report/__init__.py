"""The report of a diagnosis: its table, verdict and figure; a page and a record to send."""

from shortcut1d.diagnosis.report.comparison import Comparison, compare
from shortcut1d.diagnosis.report.figure import draw
from shortcut1d.diagnosis.report.table import SUFFIXES, Report
from shortcut1d.diagnosis.report.verdict import interval_of, sentence

__all__ = ["SUFFIXES", "Comparison", "Report", "compare", "draw", "interval_of", "sentence"]
