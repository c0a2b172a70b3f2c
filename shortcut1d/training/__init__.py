"""One run, the grid of many, the sweep over processes, the evaluation of what was trained."""
