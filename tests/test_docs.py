"""The pages tell the truth: code runs as written, links lead somewhere, no measure is missing."""

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest
from common import registered

from shortcut1d import analysis
from shortcut1d.analysis import complexity
from shortcut1d.harness.claims import adjusted
from shortcut1d.harness.driver import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + list((ROOT / "docs").glob("*.md"))
    + list((ROOT / "docs").glob("*.ipynb"))
)


def text_of(page):
    """A page in Markdown; of a notebook the cells that are text."""
    if page.suffix != ".ipynb":
        return page.read_text()
    cells = json.loads(page.read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


BLOCKS = [
    (f"{page.name}-{number}", block)
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL))
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
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text_of(page)):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor and file.suffix == ".html":
            assert f'id="{anchor}"' in file.read_text(), (target, anchor)
        elif anchor:
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


def cells_of(line):
    """Cells of a row of a table in Markdown."""
    return [cell.strip() for cell in line.strip("| \n").split(" | ")]


def rows_under(page, heading):
    """Rows of the table on a page whose first cell is this."""
    lines = iter((ROOT / page).read_text().splitlines())
    next(line for line in lines if line.startswith(f"| {heading} |"))
    next(lines)
    rows = []
    while (line := next(lines)).startswith("|"):
        rows.append(line)
    return rows


def kept():
    """What is recorded of each study in the repository, by name."""
    return {path.stem: json.loads(path.read_text()) for path in (ROOT / "figures").glob("*.json")}


def test_the_page_of_verdicts_shows_rows_of_the_gallery():
    gallery = (ROOT / "figures" / "gallery.md").read_text().splitlines()
    rows = rows_under("docs/verdicts.md", "claim")
    said = [cells_of(row)[-1].removesuffix(" (primary)").strip("*") for row in rows]
    assert said == ["holds", "refuted", "equivalent", "undecided"]
    for row in rows:
        assert row in gallery


def test_the_page_of_verdicts_corrects_as_the_gallery_does():
    rows = [cells_of(row) for row in rows_under("docs/verdicts.md", "primary claim")]
    claims = {claim["statement"]: claim for study in kept().values() for claim in study["claims"]}
    chosen = [claims[row[0]] for row in rows]
    (sentence,) = {each for claim in chosen for each in claim["sentences"]}
    assert [
        claim
        for claim in claims.values()
        if claim["primary"] and claim["domain"] == "2D" and sentence in claim["sentences"]
    ] == sorted(chosen, key=list(claims.values()).index)
    for (_, alone, p, times, product, counts), claim, corrected in zip(
        rows, chosen, adjusted(chosen), strict=True
    ):
        assert alone == claim["verdict"]
        assert p == f"{claim['p']:.2g}"
        assert product == f"{int(times) * claim['p']:.2g}"
        assert counts == ("yes" if corrected == "holds" else "no")
    assert [int(row[3]) for row in rows] == list(range(len(rows), 0, -1))
    page = (ROOT / "docs" / "verdicts.md").read_text()
    agreed = sum(row[-1] == "yes" for row in rows)
    assert f'{sentence.split(":")[0]}" is said to hold on pictures in part, {agreed} of' in page


def test_the_page_of_evidence_is_right_about_the_registrations():
    studies = {path.stem for path in (ROOT / "experiments").glob("*.py")} - {"reproduce"}
    files = (ROOT / "experiments" / "registered").glob("*.toml")
    names = {path.stem.rpartition("_")[0] for path in files}
    assert studies - names == {"diagnose_images", "benchmark"}
    assert not any(c["sentences"] for n in studies - names for c in kept()[n]["claims"])
    in_force = [registered.of(name).settings for name in names]
    seeds = [settings["seeds"] for settings in in_force if "seeds" in settings]
    assert (min(seeds), max(seeds)) == (8, 40)
    for name in names:
        used = [
            set(range(each.settings["first_seed"], each.settings["first_seed"] + seeds_of(each)))
            for each in registered.versions(name)
        ]
        assert len(set().union(*used)) == sum(map(len, used)), name


def seeds_of(registration):
    return registration.settings.get("seeds", 1)


@pytest.mark.parametrize(
    ("study", "words", "verdict"),
    [
        ("sweet_spot", "at equal spectra, `predict` tells", "refuted"),
        ("image_vs_signal", "what a number of contents costs on signals orders", "refuted"),
        ("image_restoration", "denoising: it removes clearly less of other noise", "refuted"),
        ("image_restoration", "denoising: trained on narrow Gaussian noise, 400", "undecided"),
        ("image_deraining", "the more photographs, the more it is the rain's", "undecided"),
        ("generative_prior", "the prior gains where its ceiling lies above", "undecided"),
    ],
)
def test_the_page_of_evidence_is_right_about_what_failed(study, words, verdict):
    (found,) = [c for c in kept()[study]["claims"] if c["statement"].startswith(words)]
    assert found["verdict"] == verdict


def test_the_page_of_evidence_is_right_about_the_machines():
    on_gpu = {name for name, record in kept().items() if "NVIDIA" in record["device"]}
    assert on_gpu == {
        "image_deraining", "image_restoration", "image_vs_signal", "published_networks",
    }  # fmt: skip
