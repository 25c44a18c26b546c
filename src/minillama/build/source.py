"""From the text that a maintainer edits to a notebook."""

import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from ..errors import UserError
from ..paper import fill
from .paths import SOURCES

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources(wanted: list[str] | None = None) -> list[Path]:
    """Sources in order; ``wanted`` picks by number ("03") or name ("03_rope")."""
    found = sorted(SOURCES.glob("[0-9][0-9]_*.py"))
    if not wanted:
        return found
    chosen = []
    for name in wanted:
        fitting = [p for p in found if p.stem == name or p.stem[:2] == name.zfill(2)]
        if not fitting:
            known = ", ".join(p.stem for p in found)
            raise UserError(f"no notebook {name!r}: one of {known}")
        chosen += fitting
    return sorted(set(chosen))


def tags(cell: NotebookNode) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def slide_type(cell: NotebookNode) -> str:
    """slide, subslide, fragment, notes, skip, or "-" for going on."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def read(path: Path) -> NotebookNode:
    """The notebook of a percent-format source: fixed ids, ledger numbers filled in."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path.name}: {error}") from None
    notebook = jupytext.reads(text, fmt="py:percent")
    if not notebook.cells:
        raise UserError(f"{path.name} has no cells")
    slug = path.stem.split("_", 1)[1]
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"{slug}-{number:02d}"
        if cell.cell_type == "markdown":
            try:
                cell.source = fill(cell.source)
            except UserError as error:
                raise UserError(f"{path.name}, cell {cell.id}: {error}") from None
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.M)
    notebook.metadata = nbformat.from_dict({
        "kernelspec": KERNEL, "language_info": {"name": "python"},
        "title": title[1] if title else path.stem})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook
