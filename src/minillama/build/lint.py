"""The rules that a notebook's source keeps: sizes, slides, predictions, numbers."""

import re
import statistics
from pathlib import Path

from nbformat import NotebookNode

from .source import slide_type, tags

DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\d)|\d+(?:\.\d+)?\s?%")
NOT_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|https?://\S+"
    r"|arXiv[: ]?\d{4}\.\d{4,5}|\b\d{4}\.\d{4,5}\b"
    r"|\b(?:[Ss]ections?|[Tt]ables?|[Ff]igures?|[Ee]quations?|[Aa]ppendix|Python"
    r"|GPT|Llama|LLaMA|Claude|PaLM|version)"
    r"[ -]?[A-Z]?[\d.]*\d(?:(?:,| and| to) [\d.]+\d)*",
    re.S)
LONGEST_CODE, WIDEST_CODE, LONGEST_TEXT, MOST_CELLS = 18, 79, 120, 80
HIDDEN = {"remove-input", "remove-cell"}  # drawn from, not read aloud: as wide as src


def findings(path: Path, notebook: NotebookNode) -> list[str]:
    """Everything that breaks a rule, one line each, with the cell."""
    cells = [c for c in notebook.cells if slide_type(c) != "notes"]
    found = _sizes(cells) + _slides(notebook) + _predictions(cells)
    found += _exercises(cells) + _numbers(path, notebook)
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        found.append("the first cell must be the title (# ...)")
    return found


def code_lines(cell: NotebookNode) -> list[str]:
    """Lines that count: blank ones and the marks of solutions do not."""
    return [line for line in cell.source.splitlines()
            if line.strip() and "SOLUTION" not in line]


def _sizes(cells: list[NotebookNode]) -> list[str]:
    found = []
    code = [c for c in cells if c.cell_type == "code"]
    text = [c for c in cells if c.cell_type == "markdown"]
    for cell in code:
        if len(code_lines(cell)) > LONGEST_CODE:
            found.append(f"{cell.id}: {len(code_lines(cell))} lines of code, "
                         f"{LONGEST_CODE} fit a slide")
        widest = max(map(len, cell.source.splitlines()), default=0)
        allowed = 88 if tags(cell) & HIDDEN else WIDEST_CODE
        if widest > allowed:
            found.append(f"{cell.id}: {widest} columns, {allowed} at most")
    for cell in text:
        words = len(cell.source.split())
        if words > LONGEST_TEXT:
            found.append(f"{cell.id}: {words} words, {LONGEST_TEXT} at most")
    lengths = sorted(len(code_lines(c)) for c in code if not tags(c) & HIDDEN)
    if lengths and statistics.median(lengths) > 8:
        found.append(f"median of {statistics.median(lengths)} code lines, 8 at most")
    if lengths and lengths[int(0.9 * (len(lengths) - 1))] > 15:
        found.append("one code cell in ten is longer than 15 lines")
    if not 40 <= len(cells) <= MOST_CELLS:
        found.append(f"{len(cells)} cells, 40 to {MOST_CELLS} make a class")
    return found


def _slides(notebook: NotebookNode) -> list[str]:
    found, current, notes = [], None, 0
    for cell in [*notebook.cells, None]:
        if cell is None or slide_type(cell) in ("slide", "subslide"):
            if current is not None and notes != 1:
                found.append(f"{current}: {notes} cells of speaker notes on this slide")
            current, notes = cell and cell.id, 0
        elif slide_type(cell) == "notes":
            notes += 1
            if len(cell.source.split()) < 8:
                found.append(f"{cell.id}: notes that say almost nothing")
    return found


def _predictions(cells: list[NotebookNode]) -> list[str]:
    found, asked = [], False
    for cell in cells:
        if "predict" in tags(cell):
            asked = True
        if "result" in tags(cell):
            if not asked:
                found.append(f"{cell.id}: a result that nobody was asked to predict")
            asked = False
    if not any("result" in tags(c) for c in cells):
        found.append("no cell is tagged result")
    return found


def _exercises(cells: list[NotebookNode]) -> list[str]:
    found = []
    exercises = [c for c in cells if "exercise" in tags(c)]
    for cell in exercises:
        if not any(t.startswith("minutes-") for t in tags(cell)):
            found.append(f"{cell.id}: an exercise without minutes")
        if "BEGIN SOLUTION" not in cell.source or "END SOLUTION" not in cell.source:
            found.append(f"{cell.id}: an exercise without solution marks")
    if len(exercises) < 3:
        found.append(f"{len(exercises)} exercises, three at least")
    return found


def _numbers(path: Path, notebook: NotebookNode) -> list[str]:
    """Decimals and percentages in prose must come from the ledger, or from a range
    that the notebook asserts. The source is read, where placeholders still stand."""
    import jupytext
    found = []
    raw = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells
    asserted = " ".join(line for c in notebook.cells if c.cell_type == "code"
                        for line in c.source.splitlines()
                        if "assert" in line or "holds(" in line)
    for cell, filled in zip(raw, notebook.cells):
        if cell.cell_type != "markdown":
            continue
        text = NOT_PROSE.sub(" ", re.sub(r"\{\{.*?\}\}", " ", cell.source))
        for number in DECIMAL.findall(text):
            # the number itself, and not a piece of a longer one
            itself = rf"(?<![\d.]){re.escape(number.strip(' %'))}(?!\.?\d)"
            known = "range" in tags(filled) and re.search(itself, asserted)
            if not known:
                found.append(f"{filled.id}: the number {number} is typed in prose")
    return found
