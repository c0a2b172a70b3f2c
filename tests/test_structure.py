"""The rules of the house: who may import whom, and a README that tells the truth."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shortcut1d import analysis
from shortcut1d.analysis import complexity
from shortcut1d.harness import provenance

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "shortcut1d"
# Each module may import from those before it only.
ORDER = [
    "errors", "kinds", "timing", "store", "audio", "tunes", "synthesis", "pytrees", "family",
    "content", "degradation", "combine", "pictures", "images", "rain", "layers", "unet",
    "resnet", "attention", "codebook", "autoencoder", "networks", "models", "gradient",
    "training", "grid", "analysis", "panel", "processes", "sweep", "claims", "plotting",
    "archive", "options", "provenance", "testbed", "imagebed", "priorbed", "study", "paper",
    "gallery", "reproduce", "diagnosis", "adapters",
]  # fmt: skip
ALONE = {"errors"}  # all that the analysis may know of the package


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("shortcut1d")
        ):
            parts = node.module.split(".")[1:]
            yield from [parts[0]] if parts else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [
                a.name.split(".")[1] for a in node.names if a.name.startswith("shortcut1d.")
            ]


def place(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[0] != "_"
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    own = place(path)
    for other in set(imports(path)) - {own}:
        assert ORDER.index(other) < ORDER.index(own)
        if own == "analysis":
            assert other in ALONE


def test_experiments_leave_files_clocks_and_options_to_the_driver():
    for path in (ROOT / "experiments").glob("*.py"):
        text = path.read_text()
        for forbidden in ("argparse", "savefig", "open(", "import time", "pyplot", "to_csv"):
            assert forbidden not in text, f"{path.name}: {forbidden}"


def test_importing_an_experiment_starts_no_back_end():
    # The driver gives JAX a device for each core, which it can do only before JAX has started.
    scripts = [path.stem for path in (ROOT / "experiments").glob("*.py")]
    code = (
        f"import sys; sys.path.insert(0, 'experiments'); import {', '.join(scripts)}, jax;"
        "jax.config.update('jax_num_cpu_devices', 3); assert len(jax.local_devices()) == 3"
    )
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    environment |= {"JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=environment)


PAGES = ("README.md", "CONTRIBUTING.md", "experiments/README.md", "shortcut1d/analysis/README.md")
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
]


TORCH = "import torch"


@pytest.mark.parametrize(
    "block", BLOCKS, ids=[f"torch{n}" if TORCH in block else n for n, block in enumerate(BLOCKS)]
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_the_readme_s_python_runs_as_written(block, tmp_path, monkeypatch):
    if TORCH in block:
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


def test_the_page_of_measures_has_them_all():
    page = (PACKAGE / "analysis" / "README.md").read_text()
    public = [name for name in analysis.__all__ if inspect.isfunction(getattr(analysis, name))]
    assert len(public) > 20
    for name in public:
        assert f"`{name}" in page, name
    for name in complexity.MEASURES:
        assert f"`{name.replace(' ', '_')}(" in page, name


@pytest.mark.parametrize("page", [*PAGES, "figures/README.md"])
def test_a_page_names_only_files_and_headings_that_exist(page):
    text = (ROOT / page).read_text()
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings
            }


def test_the_code_of_a_cell_is_what_trains_and_tests_it_and_nothing_else():
    files = {str(path.relative_to(PACKAGE)) for path in provenance.code_of(PACKAGE / "sweep.py")}
    assert {"sweep.py", "training.py", "networks.py", "family.py", "analysis/novelty.py"} <= files
    assert not {"study.py", "plotting.py", "analysis/__init__.py", "analysis/portrait.py"} & files
    assert "synthesis.py" in {path.name for path in provenance.code_of(PACKAGE / "content.py")}


def test_a_stamp_changes_with_code_and_not_with_words_about_it():
    source = '"""A module."""\n\n# Why.\ndef f(x):\n    """Twice."""\n    return 2 * x\n'
    plain = provenance.significant(source)
    assert plain == "def f(x):\n    return 2 * x"
    assert provenance.significant(source.replace("Why", "Because").replace("\n\n", "\n")) == plain
    assert provenance.significant(source.replace("2", "3")) != plain


def test_the_code_of_a_table_is_not_what_draws_and_judges_it():
    script = (
        "import math\n\nSIDE: int = 2\nCOLOUR, SIZE = 1, 3\n\n\n"
        "@cached\ndef area(c):\n    return c * SIDE\n\n\n"
        "def run(c):\n    return area(c)\n\n\n"
        "@cached\ndef bar(t):\n    return area(t) * COLOUR\n\n\n"
        "def plot(t):\n    return bar(t)\n\n\nexperiment = dict(\n    run=run, a=1\n)\n"
    )
    assert provenance.significant(script, behind="run").splitlines() == [
        "import math", "SIDE: int = 2", "@cached", "def area(c):", "    return c * SIDE",
        "def run(c):", "    return area(c)",
    ]  # fmt: skip
    stamps = {
        name: provenance.stamp_of_table(ROOT / "experiments" / f"{name}.py")
        for name in ("music_note", "capacity")
    }
    assert len(set(stamps.values())) == 2
