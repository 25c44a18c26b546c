"""The house rules, held by a machine: sizes, types, docstrings, import directions."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from minillama.build.lint import findings
from minillama.build.paths import NOTEBOOKS, ROOT, SOURCES
from minillama.build.source import read, sources

PACKAGE = ROOT / "src" / "minillama"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [file.relative_to(PACKAGE).as_posix() for file in FILES]
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

# Rooms, and the rooms that each may import. Helpers stand below everything.
HELPERS = {"errors", "files", "devices", "dependencies", "artifacts"}
ROOMS = {
    "helpers": {"helpers"},
    "core": {"core", "helpers"},
    "formats": {"formats", "core", "helpers"},
    "pasture": {"pasture", "helpers"},
    "training": {"training", "core", "pasture", "helpers"},
    "alignment": {"alignment", "training", "core", "pasture", "helpers"},
    "evaluation": {"evaluation", "alignment", "training", "core", "pasture", "helpers"},
    "stages": {"stages", "evaluation", "alignment", "training", "core", "pasture",
               "helpers"},
    "paper": {"paper", "helpers"},
    "teach": {"teach", "stages", "evaluation", "alignment", "training", "core",
              "pasture", "paper", "helpers"},
    "build": {"build", "teach", "stages", "evaluation", "alignment", "training",
              "formats", "core", "pasture", "paper", "helpers"},
}
ORDER = ("config", "tokenizer", "norm", "rope", "feedforward", "attention", "model",
         "generation", "checkpoint")


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def room(module: str) -> str:
    """Room of a module given below the package: "training.data" -> "training"."""
    first = module.split(".")[0]
    if first in HELPERS:
        return "helpers"
    if first.startswith("stages"):
        return "stages"
    return first if first in ROOMS else "core"


def own_imports(file: Path) -> set[str]:
    """Modules of ours that a file imports, below the package: {"training.data"}."""
    here = file.relative_to(PACKAGE).with_suffix("").parts
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level]
            parts = [*base, *(node.module.split(".") if node.module else [])]
            found |= {".".join([*parts, alias.name]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("minillama"):
            parts = node.module.split(".")[1:]
            found |= {".".join([*parts, alias.name]) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("minillama.") for alias in node.names
                      if alias.name.startswith("minillama")}
    return found


def public_functions(tree: ast.Module):
    """Functions and methods that others call, each with its name."""
    owners = [("", tree)] + [(f"{n.name}.", n) for n in tree.body
                             if isinstance(n, ast.ClassDef) and n.name[0] != "_"]
    for prefix, owner in owners:
        for node in owner.body:
            if isinstance(node, FUNCTION) and not node.name.startswith("_"):
                yield prefix + node.name, node


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_files_functions_and_lines_are_short(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 300
    wide = [n for n, line in enumerate(lines, 1) if len(line) > 88]
    assert not wide, f"lines of more than 88 columns: {wide}"
    long = {node.name: node.end_lineno - node.lineno + 1
            for node in ast.walk(tree_of(file)) if isinstance(node, FUNCTION)
            and node.end_lineno - node.lineno + 1 > 40}
    assert not long, f"functions of more than 40 lines: {long}"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_public_functions_are_typed_and_explained(file):
    tree = tree_of(file)
    assert ast.get_docstring(tree), "the module does not say what it is for"
    poor = []
    for name, node in public_functions(tree):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        untyped = [a.arg for a in arguments
                   if a.annotation is None and a.arg not in ("self", "cls")]
        overriding = "." in name and not ast.get_docstring(node) and name.endswith(
            (".forward", ".preprocess"))
        if not ast.get_docstring(node) and not overriding:
            poor.append(f"{name} has no docstring")
        if untyped or node.returns is None:
            poor.append(f"{name} is not typed: {untyped or 'what it returns'}")
    assert not poor


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_imports_point_downwards(file):
    module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
    allowed = ROOMS[room(module)]
    wrong = {name for name in own_imports(file) if room(name) not in allowed}
    assert not wrong, f"{module} ({room(module)}) must not import {wrong}"


def test_the_model_reads_in_the_order_of_the_lesson():
    for place, name in enumerate(ORDER):
        used = {m.split(".")[0] for m in own_imports(PACKAGE / f"{name}.py")}
        assert not used & set(ORDER[place + 1:]), name


def test_the_pasture_needs_the_standard_library_only():
    for file in (PACKAGE / "pasture").glob("*.py"):
        for node in ast.walk(tree_of(file)):
            names = ([a.name for a in node.names] if isinstance(node, ast.Import) else
                     [node.module] if isinstance(node, ast.ImportFrom)
                     and not node.level else [])
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top == "minillama", file.name


def test_the_model_loads_without_lessons_build_or_plotting():
    code = ("import sys, minillama.model, minillama.checkpoint, "
            "minillama.training.pretrain\n"
            "print([m for m in sys.modules if m.startswith(('minillama.teach', "
            "'minillama.build', 'matplotlib', 'IPython'))])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def loads_of_anything(tree: ast.AST) -> int:
    """How many calls of torch.load may run what the file says."""
    return sum(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
        and not any(k.arg == "weights_only" and ast.unparse(k.value) == "True"
                    for k in node.keywords)
        for node in ast.walk(tree))


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_nothing_unsafe_and_nothing_of_one_machine(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\bimport pickle\b|\bpickle\.load|shell=True|(?<![.\w])eval\(", text)
    assert loads_of_anything(tree_of(file)) == 0
    assert not re.search(r"/work/|/home/|/tmp/|/Users/", text)
    assert not re.search(r"\bw[123]\b", text), "layers are named by role"
    for call in re.findall(r"\.(?:read_text|write_text)\(([^()]*)\)", text):
        assert "utf-8" in call or "write_text(" in text and "files" in text, (
            "text is read and written as UTF-8 by name")


def test_the_rules_notice_what_breaks_them(tmp_path):
    tree = ast.parse("def f(x):\n    return x\nclass A:\n    def g(self): pass\n")
    assert [name for name, _ in public_functions(tree)] == ["f", "A.g"]
    assert room("training.data") == "training" and room("norm") == "core"
    loads = {"torch.load(f)": 1, "torch.load(f, weights_only=False)": 1,
             "torch.load(io.BytesIO(b[1:]), weights_only=True)": 0,
             "torch.load(g(weights_only=True))": 1}
    for code, number in loads.items():
        assert loads_of_anything(ast.parse(code)) == number, code
    assert "teach" not in ROOMS["core"] and "build" not in ROOMS["teach"]


# The notebooks ------------------------------------------------------------------

SOURCE_FILES = sources()
SOURCE_IDS = [path.stem for path in SOURCE_FILES]


@pytest.mark.parametrize("path", SOURCE_FILES, ids=SOURCE_IDS)
def test_notebook_source_keeps_the_rules(path):
    assert findings(path, read(path)) == []


@pytest.mark.parametrize("path", SOURCE_FILES, ids=SOURCE_IDS)
def test_committed_notebook_matches_its_source(path):
    written = NOTEBOOKS / f"{path.stem}.ipynb"
    assert written.exists(), f"build it: python3 course.py build {path.stem[:2]}"
    fresh, found = read(path), nbformat.read(written, as_version=4)
    assert [c.id for c in found.cells] == [c.id for c in fresh.cells]
    for ours, theirs in zip(fresh.cells, found.cells):
        assert (ours.cell_type, ours.source) == (theirs.cell_type, theirs.source)
        assert ours.metadata == theirs.metadata


@pytest.mark.parametrize("path", SOURCE_FILES, ids=SOURCE_IDS)
def test_committed_outputs_are_whole_and_of_no_machine(path):
    written = NOTEBOOKS / f"{path.stem}.ipynb"
    notebook = nbformat.read(written, as_version=4)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        live = "live" in cell.metadata.get("tags", [])
        assert live or cell.execution_count, f"{cell.id} was not run"
        for output in cell.outputs:
            check_output(cell.id, output)


def check_output(cell_id: str, output: nbformat.NotebookNode) -> None:
    """No error, no warning, no address, path or date; pictures have their text."""
    assert not live_widget(output), f"{cell_id}: a widget was saved"
    assert output.output_type != "error", cell_id
    assert output.get("name") != "stderr", f"{cell_id}: {output.text}"
    data = dict(output.get("data", {}))
    for mime in ("image/png", "image/svg+xml"):
        if mime in data:
            alt = output.metadata.get(mime, {}).get("alt", "")
            assert len(alt.split()) >= 6, f"{cell_id}: a picture without its text"
            del data[mime]
    text = output.get("text", "") + "".join(v for v in data.values() if type(v) is str)
    text = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)  # pictures inside frames
    for img in re.findall(r"<img[^>]*>", text):
        assert re.search(r'alt="[^"]{20,}"', img), f"{cell_id}: {img[:60]}"
    for pattern in (r" at 0x[0-9a-f]{6,}", r"(?:/work|/home|/Users|/tmp|[A-Z]:\\)\w*/",
                    r"\b20\d\d-\d\d-\d\d[ T]\d\d:", r"\x1b\["):
        assert not re.search(pattern, text), f"{cell_id}: {pattern} in its output"


def live_widget(output: nbformat.NotebookNode) -> bool:
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def test_every_source_is_a_notebook_of_the_series():
    strays = [p.name for p in SOURCES.glob("*.py") if p not in SOURCE_FILES]
    assert not strays, f"names are NN_name.py, not {strays}"
