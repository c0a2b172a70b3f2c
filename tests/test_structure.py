"""The rules of the house: who may import whom, how large a room is, what a stamp depends on."""

import ast
import graphlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shortcut1d.harness import provenance

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "shortcut1d"
# What each room (a folder, or a module beside the folders) may import.
MAY_IMPORT = {
    "errors": set(),
    "store": {"errors"},
    "data": {"errors", "store"},
    "datasets": {"errors", "store"},
    "networks": {"errors", "store"},
    "analysis": {"errors", "data"},
    "plotting": {"errors", "analysis"},
    "diagnosis": {"errors", "store", "analysis", "plotting"},  # store: reports are saved and read
    "restorer": {"errors", "data", "analysis", "diagnosis"},
    "training": {"errors", "store", "data", "networks", "analysis"},
    "harness": {
        "errors",
        "store",
        "data",
        "networks",
        "analysis",
        "plotting",
        "training",
        "datasets",
    },
    "data_cli": {"errors", "datasets", "training", "harness"},
    "cli": {"errors", "data", "analysis", "diagnosis", "training", "harness", "data_cli"},
    "__main__": {"cli"},
    "__init__": {"analysis", "diagnosis", "restorer"},
}
MAX_MODULES, MAX_LINES = 14, 400
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "experiments").rglob("*.py"))


def imports(path):
    """Rooms of the package that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "shortcut1d":
            parts = node.module.split(".")[1:]
            yield from [parts[0]] if parts else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [
                a.name.split(".")[1] for a in node.names if a.name.startswith("shortcut1d.")
            ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_between_rooms_run_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert set(imports(path)) - {room} <= MAY_IMPORT[room]


def test_the_rooms_go_round_in_no_circle():
    order = list(graphlib.TopologicalSorter(MAY_IMPORT).static_order())
    assert order.index("analysis") < order.index("diagnosis") < order.index("cli")


def test_a_room_and_a_module_can_be_taken_in():
    for folder in {path.parent for path in MODULES}:
        assert len(list(folder.glob("*.py"))) <= MAX_MODULES, folder
    for path in (*MODULES, *SCRIPTS):
        assert path.read_text().count("\n") <= MAX_LINES, path


def test_the_package_knows_nothing_of_our_studies():
    for path in MODULES:
        text = path.read_text()
        assert "../experiments" not in text, path
        assert not re.search(r"^\s*(from|import) (common|reproduce)\b", text, re.MULTILINE), path


def test_experiments_leave_files_clocks_and_options_to_the_driver():
    for path in (ROOT / "experiments").glob("*.py"):
        if path.stem == "reproduce":
            continue  # it is itself a driver, of all studies
        text = path.read_text()
        for forbidden in ("argparse", "savefig", "open(", "import time", "pyplot", "to_csv"):
            assert forbidden not in text, f"{path.name}: {forbidden}"


def test_importing_an_experiment_starts_no_back_end():
    # The driver gives JAX a device for each core, which it can do only before JAX has started.
    scripts = [path.stem for path in SCRIPTS if path.parent.name == "experiments"]
    code = (
        f"import sys; sys.path.insert(0, 'experiments'); import {', '.join(scripts)}, jax;"
        "jax.config.update('jax_num_cpu_devices', 3); assert len(jax.local_devices()) == 3"
    )
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    environment |= {"JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=environment)


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
        for name in ("music_note", "twins")
    }
    assert len(set(stamps.values())) == 2


def test_the_code_of_a_table_is_what_its_run_imports_directly_or_not():
    def behind(script, names):
        path = ROOT / "experiments" / f"{script}.py"
        used = provenance._imported(path, names, provenance.TABLE_ROOMS)
        return {module.relative_to(ROOT).as_posix() for module in used}

    trained = behind("more_data", None)
    assert {
        "experiments/common/signal_tasks.py", "shortcut1d/training/loop.py",
        "shortcut1d/networks/__init__.py", "shortcut1d/networks/conv.py",
        "shortcut1d/analysis/transfer.py",
    } <= trained  # fmt: skip
    assert not any(module.startswith("shortcut1d/diagnosis") for module in trained)
    assert not any("harness" in module or "plotting" in module for module in trained)
    assert "shortcut1d/diagnosis/report/table.py" in behind("diagnose_images", {"report_on"})
    assert "shortcut1d/diagnosis/report/table.py" not in behind(
        "diagnose_images", {"median_filter"}
    )
