"""The notebook runs as it is, shows what it has stored, and keeps its promises.

`python tests/test_notebook.py` runs it and stores its outputs.
"""

import os
import re
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "quickstart.ipynb"
LARGEST = 500_000  # bytes of the file
# What its text says, and what must be so.
PROMISES = """
assert trained.history[0, -1] < 0.05 and 0.15 < trained.history[1, -1] < 0.25
assert of_note.index.verdict == "content" and of_melodies.index.verdict == "degradation"
assert of_note["transfer"].low > 0.95 and of_note["transfer of content"].high < 0
assert of_note["psi"].high < 0.1 and of_note["rho"].high < 0.05
assert of_melodies["transfer of content"].low > 0.9 and of_melodies["transfer"].high < 0.8
assert of_melodies["removed"].high < 0.5 and of_melodies["psi"].low > 0.1
assert 0.25 < of_median["removed from seen"].estimate < 0.45
assert of_median["removed"].estimate < 0.1 and of_median["transfer"].high < 0.5
assert of_median["psi"].high < 0 and of_median["transfer of content"].low > 1
"""


def executed(notebook, folder, env):
    """Run the notebook's cells, one after the other, in a folder and an environment."""
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook, timeout=900, record_timing=False, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=env)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not passing(output)]
    return notebook


def passing(output):
    """Whether an output is no result: a warning of a library, a progress bar."""
    if output.output_type == "stream":
        return output.name == "stderr"
    text = output.data.get("text/plain", "").strip()
    return not text or "ipywidgets" in text or "widget-view" in str(output.data.keys())


def read():
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


def words(notebook):
    """What the cells print, and their tables, as text."""
    printed = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.data["text/plain"]
            printed.append(re.sub(r" at 0x\w+", "", text))
    return "\n".join(printed)


NUMBER = re.compile(r"-?\d*\.?\d+")


def test_the_stored_notebook_is_small_and_of_one_run():
    notebook = read()
    assert NOTEBOOK.stat().st_size < LARGEST
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(passing(output) for cell in cells for output in cell.outputs)
    kinds = {kind for cell in cells for each in cell.outputs for kind in each.get("data", ())}
    assert kinds == {"text/plain", "text/html", "image/png"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own libraries
def test_the_notebook_runs_and_says_what_it_promises(tmp_path, env):
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("skimage")
    from nbformat.v4 import new_code_cell

    stored, notebook = read(), read()
    notebook.cells.append(new_code_cell(PROMISES))
    found, expected = words(executed(notebook, tmp_path, env)), words(stored)
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
    for mine, theirs in zip(NUMBER.findall(found), NUMBER.findall(expected), strict=True):
        assert abs(float(mine) - float(theirs)) <= 0.1 * max(1, abs(float(theirs)))


def store():
    import nbformat

    nbformat.write(executed(read(), NOTEBOOK.parent, os.environ), NOTEBOOK)


if __name__ == "__main__":
    store()
