"""The main job: train what is missing, run the notebooks, write what they become."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .. import stages
from ..errors import UserError
from ..files import write_bytes, write_text
from . import export, readme, talk
from .check_decks import check, find_browser
from .execute import execute
from .incremental import (
    cells_digest, load_state, notebook_key, remember, save_if_edited, stages_used,
    templates_key,
)
from .jobs import Job, run_all
from .paths import FIGURES, NOTEBOOKS, OUT, PAGES, SLIDES, SOURCES, STUDENT
from .reference_pages import write_reference_pages
from .source import read, sources
from .student import student_edition
from .vendor import up_to_date, vendor

WORTH = 120  # seconds of work from which on two processes pay
GAIN = 1.3  # two lanes of one thread against one of two, about


@dataclass
class Row:
    """A line of the table that a build ends with."""

    name: str
    seconds: float
    memory: int
    slides: int
    warnings: int
    otherwise: tuple[str, ...] = ()  # findings of the text that did not come out here


def build(wanted: list[str] | None = None) -> list[Row]:
    """Make everything, or the notebooks asked for. Raises UserError on a failure."""
    chosen = sources(wanted)
    state = load_state()
    stale = [p for p in chosen if not _current(p, state)]
    jobs = _jobs(stale, state)
    seconds = sum(job.seconds for job in jobs)
    parallel = seconds > WORTH and os.cpu_count() != 1
    _announce(len(stale), len(chosen), len(jobs),
              seconds / GAIN if parallel else seconds)
    if parallel:
        with ThreadPoolExecutor(1) as aside:
            aside.submit(vendor)  # without a network: said when all is run
            run_all(jobs)
    else:
        for job in jobs:
            if job.kind == "stage":
                stages.get(job.name)
            else:
                run(SOURCES / f"{job.name}.py")
    rows = [_publish(path) for path in chosen]
    _check_slides(chosen)
    if wanted is None and (SOURCES / "talk.json").exists():
        talk.write()
    if (SOURCES / "talk.json").exists():  # the whole series, not a part of it
        write_reference_pages()
    readme.write_index()
    readme.write_figures()
    if wanted is None:
        readme.write_table(rows)
    return rows


def _missing(names: set[str]) -> list[str]:
    """The stages that have to be made before these can be used, these included."""
    needed, missing = set(names), []
    for name in reversed(stages.names()):
        if name in needed and stages.problem(name) is not None:
            missing.append(name)
            needed.update(stages.STAGES[name].needs)
    return missing


def _jobs(stale: list[Path], state: dict) -> list[Job]:
    """What has to be done for these notebooks, each job after those it needs."""
    used = {path.stem: stages_used(path.read_text(encoding="utf-8")) for path in stale}
    missing = _missing({name for names in used.values() for name in names})
    jobs = [Job("stage", name, frozenset(_below(name)) & set(missing),
                stages.STAGES[name].seconds) for name in stages.names()
            if name in missing]
    return jobs + [Job("notebook", name, frozenset(names) & set(missing),
                       state.get(name, {}).get("seconds", 30))
                   for name, names in used.items()]


def _below(name: str) -> set[str]:
    """All stages that a stage needs, directly or not."""
    needs = set(stages.STAGES[name].needs)
    return needs.union(*map(_below, needs))


def _announce(stale: int, chosen: int, jobs: int, seconds: float) -> None:
    if not jobs:
        print("no notebook has to run: nothing they are made from has changed")
        return
    print(f"{stale} of {chosen} notebooks to run and {jobs - stale} stages to make for "
          f"them, about {max(1, round(seconds / 60))} min:")


def run_and_publish(name: str) -> None:
    """Run one notebook, and write its deck, page and student edition if the parts that
    these need are there: two jobs must not fetch them at once."""
    path = SOURCES / f"{name}.py"
    run(path)
    if up_to_date():
        _publish(path)


def _current(path: Path, state: dict) -> bool:
    known = state.get(path.stem, {})
    written = NOTEBOOKS / f"{path.stem}.ipynb"
    return written.exists() and known.get("key") == notebook_key(path) and (
        known.get("cells") == _written_cells(written))


def _written_cells(path: Path) -> str:
    try:
        return cells_digest(nbformat.read(path, as_version=4))
    except Exception:  # nbformat raises many kinds; damaged means not current
        return ""


def run(path: Path) -> NotebookNode:
    """Execute one source and write its notebook, atomically."""
    key, notebook = notebook_key(path), read(path)  # as they are now, not afterwards
    written = NOTEBOOKS / f"{path.stem}.ipynb"
    known = load_state().get(path.stem, {})
    digest = cells_digest(notebook)
    draft_figures = OUT / "figures" / path.stem
    shutil.rmtree(draft_figures, ignore_errors=True)
    measured = execute(notebook, path.stem, figures=draft_figures)
    aside = save_if_edited(written, notebook, known.get("cells"))
    if aside is not None:
        print(f"{written.name} was edited by hand; your version is kept as "
              f"{aside.name}")
    _keep_figures(draft_figures, known.get("figures", []))
    write_text(written, nbformat.writes(notebook) + "\n")
    remember(path.stem, key=key, cells=digest,
             seconds=round(measured.seconds, 1), memory=measured.memory,
             warnings=measured.warnings, published="",
             otherwise=[text for cell in notebook.cells
                        for text in export.otherwise(cell)],
             figures=sorted(p.stem for p in draft_figures.glob("*.json")))
    print(f"{path.stem}: {measured.seconds:.0f} s, "
          f"{measured.memory / 2**20:.0f} MB, notebooks/{written.name}")
    return notebook


def _keep_figures(draft: Path, before: list[str]) -> None:
    """Move the figures of a finished notebook into figures/, and old ones out."""
    FIGURES.mkdir(exist_ok=True)
    for old in before:
        for file in FIGURES.glob(f"{old}.*"):
            file.unlink()
    for file in sorted(draft.glob("*")):
        write_bytes(FIGURES / file.name, file.read_bytes())


def _publish(path: Path) -> Row:
    """Write deck, page and student edition where they are not up to date."""
    known = load_state()[path.stem]
    notebook = nbformat.read(NOTEBOOKS / f"{path.stem}.ipynb", as_version=4)
    files = {SLIDES / f"{path.stem}.html": lambda: export.deck(notebook, path.stem),
             PAGES / f"{path.stem}.html": lambda: export.page(notebook, path.stem),
             STUDENT / f"{path.stem}.ipynb":
                 lambda: nbformat.writes(student_edition(notebook)) + "\n"}
    if known.get("published") != templates_key() or not all(
            file.exists() for file in files):
        for file, make in files.items():
            write_text(file, make())
        remember(path.stem, published=templates_key(), checked="")
    return Row(path.stem, known["seconds"], known["memory"],
               export.count_slides(notebook), known["warnings"],
               tuple(known.get("otherwise", ())))


def _check_slides(paths: list[Path]) -> None:
    """Measure the decks that changed in a browser, where there is one."""
    state = load_state()
    decks = [SLIDES / f"{p.stem}.html" for p in paths
             if state[p.stem].get("checked") != state[p.stem].get("published")]
    if not decks:
        return
    if find_browser() is None:
        print("the slides were not measured: no Chromium, Chrome or Edge was found "
              "(set MINILLAMA_CHROMIUM to its path)")
        return
    started = time.monotonic()
    findings = check(decks)
    if findings:
        raise UserError("slides need mending:\n" + "\n".join(findings))
    for deck in decks:
        remember(deck.stem, checked=state[deck.stem]["published"])
    print(f"{len(decks)} decks measured in {time.monotonic() - started:.0f} s, "
          "every slide fits")


def report(rows: list[Row]) -> str:
    """The closing table as text."""
    lines = [f"{'notebook':<18}{'seconds':>8}{'peak MB':>9}{'slides':>8}"
             f"{'warnings':>10}"]
    lines += [f"{r.name:<18}{r.seconds:>8.0f}{r.memory / 2**20:>9.0f}{r.slides:>8}"
              f"{r.warnings:>10}" for r in rows]
    lines += [f"{r.name}: {text}" for r in rows for text in r.otherwise]
    return "\n".join(lines)
