"""Decks and pages: one self-contained HTML file each."""

import html
from functools import cache

import nbformat
from nbconvert.exporters import HTMLExporter, SlidesExporter
from nbformat import NotebookNode
from traitlets.config import Config

from ..teach.findings import MARK
from .paths import TEMPLATES
from .source import slide_type, tags
from .student import strip_solutions
from .vendor import vendor


def _config(kind: str) -> Config:
    config = Config()
    config.CSSHTMLHeaderPreprocessor.style = "xcode"  # readable on a grey panel
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_cell_tags = {"live"} | (
        {"remove-cell"} if kind == "deck" else set())
    if kind == "deck":
        config.TagRemovePreprocessor.remove_input_tags = {"remove-input"}
    return config


@cache
def _exporter(kind: str) -> HTMLExporter:
    make = SlidesExporter if kind == "deck" else HTMLExporter
    exporter = make(config=_config(kind), template_name=kind,
                    extra_template_basedirs=[str(TEMPLATES)],
                    extra_template_paths=[str(vendor())])
    exporter.exclude_anchor_links = True
    exporter.embed_images = True
    return exporter


def _notes_last(notebook: NotebookNode) -> NotebookNode:
    """Notes belong to their whole slide; fragments must not wait behind them."""
    copied = nbformat.from_dict(notebook)
    cells, held = [], []
    for cell in copied.cells:
        if slide_type(cell) in ("slide", "subslide"):
            cells, held = cells + held, []
        (held if slide_type(cell) == "notes" else cells).append(cell)
    copied.cells = cells + held
    return copied


def otherwise(cell: NotebookNode) -> list[str]:
    """What came out otherwise than the text says, by ``teach.holds``."""
    return [output.metadata[MARK] for output in cell.get("outputs", [])
            if MARK in output.get("metadata", {})]


def _otherwise_in_notes(notebook: NotebookNode) -> NotebookNode:
    """Such remarks are for who presents: they go into the notes of their slide, where
    they take no room from it."""
    copied, held = nbformat.from_dict(notebook), list[str]()
    for cell in copied.cells:
        if slide_type(cell) in ("slide", "subslide"):
            held = []
        held += otherwise(cell)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs
                            if MARK not in o.get("metadata", {})]
        elif slide_type(cell) == "notes":
            cell.source = "\n\n".join([*map(_escaped, held), cell.source])
    return copied


def _escaped(text: str) -> str:
    return f"**{html.escape(text)}**"


def _for_a_class(notebook: NotebookNode) -> NotebookNode:
    """Results appear when asked for, after the prediction; exercises are unsolved."""
    copied = nbformat.from_dict(notebook)
    for cell in copied.cells:
        if "result" in tags(cell) and slide_type(cell) == "-":
            cell.metadata["slideshow"] = {"slide_type": "fragment"}
        if "exercise" in tags(cell):
            cell.source, cell.outputs = strip_solutions(cell.source), []
    return copied


def deck(notebook: NotebookNode, name: str) -> str:
    """The slides of a notebook as one HTML file."""
    resources = {"metadata": {"name": name}}
    prepared = _otherwise_in_notes(_notes_last(_for_a_class(notebook)))
    return _exporter("deck").from_notebook_node(prepared, resources)[0]


def page(notebook: NotebookNode, name: str) -> str:
    """The notebook as one page to read, without speaker notes."""
    copied = nbformat.from_dict(notebook)
    copied.cells = [c for c in copied.cells if slide_type(c) != "notes"]
    resources = {"metadata": {"name": name}}
    return _exporter("page").from_notebook_node(copied, resources)[0]


def count_slides(notebook: NotebookNode) -> int:
    """How many slides a deck of the notebook has."""
    return sum(slide_type(c) in ("slide", "subslide") for c in notebook.cells)
