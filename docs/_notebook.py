"""The site shows notebooks: a hook of MkDocs that makes Markdown of their cells and outputs.

mkdocs-jupyter (0.26) does it with 46 packages, leaves links to other pages as they are, so that
they lead nowhere and `--strict` does not notice, and brings a style of its own.
"""

import json
import shutil
import textwrap
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page


class Notebook(File):
    """A notebook, which is a page."""

    def is_documentation_page(self) -> bool:
        """MkDocs asks the name's ending otherwise."""
        return True


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Each notebook becomes a page."""
    for path in Path(config.docs_dir).glob("*.ipynb"):
        files.remove(files.src_uris[path.name])
        files.append(
            Notebook(path.name, config.docs_dir, config.site_dir, config.use_directory_urls)
        )
    return files


def on_page_read_source(page: Page, config: MkDocsConfig) -> str | None:
    """The page of a notebook as Markdown."""
    if not isinstance(page.file, Notebook):
        return None
    name = page.file.src_uri
    download = f'<a href="{name}" download>Download this page as a notebook</a>'
    return f"{markdown(json.loads(page.file.content_string))}\n\n{download}\n"


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Put the notebook beside its page, to be downloaded."""
    if isinstance(page.file, Notebook):
        folder = Path(page.file.abs_dest_path).parent
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(config.docs_dir) / page.file.src_uri, folder)
    return output


def markdown(notebook: dict[str, Any]) -> str:
    """A notebook's cells, each followed by its outputs."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [shown(output) for output in cell.get("outputs", ())]
    return "\n\n".join(parts)


def shown(output: dict[str, Any]) -> str:
    """An output: a picture, sound or table, or else its text."""
    data = {kind: "".join(lines) for kind, lines in output.get("data", {}).items()}
    if "image/png" in data:
        return f'<div><img alt="" src="data:image/png;base64,{data["image/png"].strip()}"></div>'
    if "text/html" in data:
        # Without indents, which Markdown would take for code, and in the site's own style.
        lines = [line.strip() for line in data["text/html"].splitlines()]
        return "<div>" + "".join(lines).replace(' border="1" class="dataframe"', "") + "</div>"
    text = "".join(output.get("text", data.get("text/plain", "")))
    lines = [textwrap.fill(line, 80, break_on_hyphens=False) for line in text.splitlines()]
    return "```{ .text .no-copy }\n" + "\n".join(lines) + "\n```"
