"""The student edition: solutions taken out, speaker notes dropped."""

import copy
import re

from nbformat import NotebookNode

from .source import slide_type, tags

SOLUTION = re.compile(
    r"^([ \t]*)#+ *BEGIN SOLUTION[^\n]*\n.*?^[ \t]*#+ *END SOLUTION[^\n]*$",
    re.M | re.S)


def strip_solutions(source: str) -> str:
    """Code with every solution replaced by a line that says whose turn it is."""
    return SOLUTION.sub(r'\1raise NotImplementedError("your turn")', source)


def student_edition(notebook: NotebookNode) -> NotebookNode:
    """A copy for students. Outputs of changed cells are cleared, the others stay."""
    edition = copy.deepcopy(notebook)
    kept = []
    for cell in edition.cells:
        if "solution-only" in tags(cell) or slide_type(cell) == "notes":
            continue
        if cell.cell_type == "code":
            source = strip_solutions(cell.source)
            if source != cell.source:
                cell.source, cell.outputs, cell.execution_count = source, [], None
        kept.append(cell)
    edition.cells = kept
    return edition
