"""The pages tell the truth: code runs as written, links lead somewhere, no measure is missing."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from shortcut1d import analysis
from shortcut1d.analysis import complexity
from shortcut1d.harness.driver import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + list((ROOT / "docs").glob("*.md"))
)
BLOCKS = [
    (f"{page.name}-{number}", block)
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]
TORCH = "import torch"


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=name, marks=[] if "README" in name else [pytest.mark.slow])
        for name, block in BLOCKS
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_python_on_a_page_runs_as_written(block, tmp_path, monkeypatch):
    if TORCH in block:
        pytest.importorskip("torch")
    if "deepinv" in block:
        try:
            pytest.importorskip("deepinv")
        except RuntimeError as error:  # torchvision and PyTorch of different builds
            pytest.skip(f"deepinv cannot be imported here: {error}")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "page", "exec"), {})


@pytest.mark.slow
def test_the_study_on_a_page_is_one_for_the_driver(tmp_path, monkeypatch, capsys):
    (block,) = (block for _, block in BLOCKS if "experiment = Experiment(" in block)
    (tmp_path / "shapes.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("shapes")
    assert main(module.experiment, ["--preset", "smoke", "--out", str(tmp_path)]) == 0
    assert "more click shapes help under other clicks" in capsys.readouterr().out
    assert (tmp_path / "shapes.png").is_file()


def test_the_page_of_measures_has_them_all():
    page = (ROOT / "docs" / "measures.md").read_text()
    public = [name for name in analysis.__all__ if inspect.isfunction(getattr(analysis, name))]
    assert len(public) > 20
    for name in public:
        assert f"`{name}" in page, name
    for name in complexity.MEASURES:
        assert f"`{name.replace(' ', '_')}(" in page, name


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "figures" / "gallery.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_a_page_names_only_files_and_headings_that_exist(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings
            }, (target, anchor)


def test_the_page_of_studies_has_them_all():
    page = (ROOT / "docs" / "studies.md").read_text()
    for path in (ROOT / "experiments").glob("*.py"):
        if path.stem != "reproduce" and "Experiment(" in path.read_text():
            assert f"`{path.name}`" in page, path.name
            assert f"(figures/{path.stem}.png)" in page, path.name


def test_the_page_of_the_api_names_what_exists():
    # mkdocs is not among what the tests install.
    names = re.findall(r"^::: (.*)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert len(names) > 20
    for name in names:
        pkgutil.resolve_name(name)


def test_the_readme_can_be_read_in_one_sitting():
    assert len((ROOT / "README.md").read_text().split()) <= 800
