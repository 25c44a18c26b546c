"""Every notebook runs alone and offline; every exercise knows right from wrong.

One kernel a notebook does all of it: the notebook with its live cells, and before each
exercise the student's version of that cell, which must stop by saying whose turn it is.
"""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from minillama.build.execute import execute
from minillama.build.incremental import cells_digest, load_state, notebook_key
from minillama.build.paths import NOTEBOOKS, ROOT
from minillama.build.source import read, sources, tags
from minillama.build.student import strip_solutions, student_edition
from minillama.teach.exercises import Wrong

SOURCES = sources()[::-1]  # reverse order: nothing may rest on an earlier notebook
IDS = [path.stem for path in SOURCES]
ANSWERS = Path(__file__).parent / "answers"
CHECKS = ROOT / "src" / "minillama" / "teach" / "checks"
KEEP_CHANCE = "import torch as _t; _state = _t.get_rng_state()"
GIVE_BACK = "_t.set_rng_state(_state); del _t, _state"


def exercises(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if "exercise" in tags(cell)]


def with_students(notebook: NotebookNode) -> NotebookNode:
    """A copy in which the student's version of every exercise comes before it."""
    copied = nbformat.from_dict(notebook)
    cells = []
    for cell in copied.cells:
        if "exercise" in tags(cell):
            student = new_code_cell(strip_solutions(cell.source), id=f"your-{cell.id}")
            student.metadata["tags"] = ["raises-exception"]
            cells += [new_code_cell(KEEP_CHANCE, id=f"keep-{cell.id}"), student,
                      new_code_cell(GIVE_BACK, id=f"back-{cell.id}")]
        cells.append(cell)
    copied.cells = cells
    return copied


def comparable(cell: NotebookNode) -> list[dict]:
    """Outputs as they must come out again; counts of execution do not matter."""
    return [{k: v for k, v in output.items() if k != "execution_count"}
            for output in cell.outputs]


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_runs_alone_offline_and_as_built(path):
    notebook = read(path)
    ran = with_students(notebook)
    measured = execute(ran, path.stem, run_live=True, figures=None, progress=False)
    assert measured.warnings == 0, "a cell wrote to stderr"
    by_id = {cell.id: cell for cell in ran.cells}
    for cell in exercises(notebook):
        stopped = [o for o in by_id[f"your-{cell.id}"].outputs
                   if o.output_type == "error"]
        assert stopped, f"{cell.id} runs through without its solution"
        text = f"{stopped[0].ename}: {stopped[0].evalue}"
        assert "your turn" in text or "waiting for you" in text, text
        said = "".join(o.get("text", "") for o in by_id[cell.id].outputs)
        assert "check_" not in cell.source or "Right: " in said, cell.id
    compare_with_built(path, notebook, by_id)


def compare_with_built(path: Path, fresh: NotebookNode, by_id: dict) -> None:
    """Equal outputs, where the notebook was built here from the same sources."""
    known = load_state().get(path.stem, {})
    written = NOTEBOOKS / f"{path.stem}.ipynb"
    if known.get("key") != notebook_key(path) or not written.exists():
        print(f"{path.stem} was not built here from these sources: not compared")
        return
    built = nbformat.read(written, as_version=4)
    assert cells_digest(built) == cells_digest(fresh)
    for cell in built.cells:
        if cell.cell_type != "code" or {"timing", "live"} & tags(cell):
            continue
        assert comparable(by_id[cell.id]) == comparable(cell), f"{cell.id} differs"


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_student_edition_is_the_notebook_without_answers(path):
    notebook = read(path)
    edition = student_edition(notebook)
    text = "\n".join(cell.source for cell in edition.cells)
    assert "SOLUTION" not in text
    assert not any("solution-only" in tags(cell) for cell in edition.cells)
    code = [c.source for c in notebook.cells
            if c.cell_type == "code" and "solution-only" not in tags(c)]
    left = [c.source for c in edition.cells if c.cell_type == "code"]
    changed = [ours for ours, theirs in zip(code, left, strict=True) if ours != theirs]
    # so everything before the first exercise runs as in the notebook itself
    assert changed == [cell.source for cell in exercises(notebook)]


def load(file: Path):
    """A module from a file that is on no path."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked_functions(notebook: NotebookNode) -> set[str]:
    """The functions and classes that exercises ask for, by the marks inside them."""
    found = set()
    for cell in exercises(notebook):
        tree = ast.parse(re.sub(r"^[%!].*$", "", cell.source, flags=re.M))
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                lines = cell.source.splitlines()[node.lineno - 1:node.end_lineno + 1]
                if "BEGIN SOLUTION" in "\n".join(lines):
                    found.add(node.name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_wrong_answers_are_recognised_by_name(path):
    number = path.stem[:2]
    wrong = load(ANSWERS / f"answers_{number}.py").WRONG
    checks = load_checks(number)
    assert set(wrong) == asked_functions(read(path)), "an exercise without answers"
    for name, answers in wrong.items():
        assert len(answers) >= 3, f"{name}: three wrong answers at least"
        check = getattr(checks, f"check_{name}")
        for answer, fragment in answers:
            with pytest.raises(Wrong) as caught:
                check(answer)
            message = str(caught.value)
            assert fragment in message, f"{name} was told: {message}"
            assert "\n" not in message


def load_checks(number: str):
    return importlib.import_module(f"minillama.teach.checks.nb_{number}")


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_checks_do_not_know_the_solutions(path):
    number = path.stem[:2]
    tree = ast.parse((CHECKS / f"nb_{number}.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree)
                if isinstance(node, (ast.Import, ast.ImportFrom))
                for alias in node.names}
    assert not imported & asked_functions(read(path))
    modules = {node.module or "" for node in ast.walk(tree)
               if isinstance(node, ast.ImportFrom)}
    assert not any("answers" in name or "notebooks" in name for name in modules)
    calls = {node.func.id for node in ast.walk(tree)
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not calls & {"open", "exec", "eval", "__import__"}


def test_the_network_is_off_in_a_kernel():
    notebook = nbformat.v4.new_notebook(cells=[new_code_cell(
        "import socket, urllib.request\n"
        "for reach in (lambda: socket.create_connection(('192.0.2.1', 80), 1),\n"
        "              lambda: urllib.request.urlopen('http://192.0.2.1', timeout=1)):"
        "\n    try:\n        reach()\n    except OSError as error:\n"
        "        print('without a network' in str(error))", id="net")])
    execute(notebook, "network", figures=None, progress=False)
    assert notebook.cells[0].outputs[0].text == "True\nTrue\n"
