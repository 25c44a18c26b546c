"""What has changed since the last build, and nothing else, is made again."""

import ast
import hashlib
import json
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from .. import stages
from ..dependencies import PACKAGE, closure, imports
from ..files import read_json, write_json
from ..teach import claims
from .paths import NOTEBOOKS, ROOT, STATE, TEMPLATES


def load_state() -> dict[str, Any]:
    """What the last builds made of each notebook; without those whose notes are lost or
    unreadable."""
    state = {}
    for file in sorted(STATE.glob("*.json")):
        with suppress(OSError, ValueError):
            known = read_json(file)
            if isinstance(known, dict):
                state[file.stem] = known
    return state


def remember(name: str, **values: Any) -> None:
    """Write down what was made of a notebook, at once, so an interruption costs one."""
    write_json(STATE / f"{name}.json", {**load_state().get(name, {}), **values})


def stages_used(source: str) -> list[str]:
    """Names of the stages that a source asks for, by itself or through a helper of the
    notebooks (minillama.teach) that it imports, with those they need."""
    found: set[str] = set()
    helpers = _helpers(source)
    texts = [source, *(_bytes(file).decode() for file in helpers)]
    waiting = {name for text in texts
               for name in re.findall(r'\bget\(\s*"(\w+)"', text)}
    if any(file.samefile(claims.__file__) for file in helpers):
        waiting |= {name for claim in claims.CLAIMS for name in claim.needs}
    waiting &= set(stages.STAGES)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= set(stages.STAGES[name].needs) if name in stages.STAGES else set()
    return [name for name in stages.names() if name in found]


def _helpers(source: str) -> list[Path]:
    try:
        names = imports(ast.parse(_python(source)))
    except SyntaxError:  # its notebook will say so
        return []
    files = (PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
             for name in sorted(names) if name.startswith("minillama.teach."))
    return [file for file in files if file.exists()]


@cache
def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def notebook_key(path: Path) -> str:
    """Digest of all that decides about a notebook's outputs: its text, the source of
    what it imports (comments too, since boxes show them), data, stages, pins."""
    source = path.read_text(encoding="utf-8")
    digest = hashlib.sha256(source.encode())
    modules: set[str] = set()
    for name in imports(ast.parse(_python(source))):
        modules |= closure(name)
    modules |= closure("minillama.build.execute") | closure("minillama.build.source")
    files = {p for p in PACKAGE.rglob("*.py") if _module(p) in modules}
    files |= set((PACKAGE / "paper" / "data").glob("*.json"))
    for file in sorted(files | {ROOT / "requirements.txt"}):
        digest.update(file.name.encode() + _bytes(file))
    for name in stages_used(source):
        digest.update(stages.key(name).encode())
    return digest.hexdigest()[:16]


def _python(source: str) -> str:
    """The code of a percent source; markdown cells are comments already."""
    return "\n".join(line for line in source.splitlines()
                     if not line.lstrip().startswith(("%", "!")))


def _module(path: Path) -> str:
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def templates_key() -> str:
    """Digest of what decides about the looks of decks and pages."""
    digest = hashlib.sha256()
    files = [p for p in sorted(TEMPLATES.rglob("*")) if p.is_file()]
    for file in [*files, Path(__file__).with_name("export.py"),
                 Path(__file__).with_name("student.py"), ROOT / "package-lock.json"]:
        digest.update(_bytes(file))
    return digest.hexdigest()[:16]


def cells_digest(notebook: NotebookNode) -> str:
    """Digest of the sources of all cells: what a person would have edited."""
    text = json.dumps([[c.cell_type, c.source] for c in notebook.cells])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_if_edited(path: Path, fresh: NotebookNode, known: str | None) -> Path | None:
    """Set aside a notebook that somebody changed by hand; returns where it went.

    It is theirs if its cells are neither those of the source nor those that the last
    build wrote.
    """
    if not path.exists():
        return None
    try:
        found = cells_digest(nbformat.read(path, as_version=4))
    except Exception:  # nbformat raises many kinds; a damaged file is kept as well
        found = "damaged"
    if found in (cells_digest(fresh), known):
        return None
    for number in range(1, 1000):
        aside = NOTEBOOKS / f"{path.stem}.mine-{number}.ipynb"
        if not aside.exists():
            path.rename(aside)
            return aside
    return None
