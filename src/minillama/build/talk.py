"""The talk: slides picked from the notebooks by tags, in the order of the outline.

A slide whose first cell has the tag ``talk-<section>`` belongs to that section of the
talk; with ``short`` beside it, to the short cut as well. ``notebooks/source/talk.json``
names the sections in order with their minutes in both cuts, and the presenters.
"""

import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from ..errors import UserError
from ..files import write_text
from . import export
from .check_decks import check, find_browser, write_page, write_pdf
from .handout import handout
from .incremental import load_state, remember
from .paths import NOTEBOOKS, OUT
from .plan import CUTS, Plan, Section, read_plan
from .source import slide_type, sources, tags

TALK = OUT / "talk"
WORDS = "zero one two three four five six seven eight nine ten".split()
MINUTES = re.compile(r"\s*\b(\w+) minutes?\.\s*$", re.I)
FASTEST, SLOWEST = 0.4, 2.1  # minutes that a slide of the talk may get


@dataclass(frozen=True)
class Slide:
    """The cells of one slide, and the minutes that its notes give it in class."""

    cells: list[NotebookNode]
    tags: frozenset[str]

    @cached_property
    def minutes(self) -> int:
        """As the last sentence of the notes has it; two where it says nothing."""
        notes = [c.source for c in self.cells if slide_type(c) == "notes"]
        found = MINUTES.search(notes[-1]) if notes else None
        word = found[1].lower() if found else "two"
        return WORDS.index(word) if word in WORDS else int(word)


def slides(notebook: NotebookNode) -> list[Slide]:
    """The slides of a notebook in order."""
    groups: list[list[NotebookNode]] = []
    for cell in notebook.cells:
        if slide_type(cell) in ("slide", "subslide"):
            groups.append([])
        if groups:
            groups[-1].append(cell)
    return [Slide(cells, frozenset(tags(cells[0]))) for cells in groups]


def pick(plan: Plan, all_slides: Sequence[Slide], cut: str
         ) -> list[tuple[Section, list[Slide]]]:
    """The slides of each section. Raises UserError for a tag that names no section, a
    section without slides, and one whose slides get too little or too much time."""
    known = {f"talk-{section.tag}" for section in plan.sections}
    chosen = []
    for slide in all_slides:
        stray = {t for t in slide.tags if t.startswith("talk-")} - known
        if stray or "short" in slide.tags and not slide.tags & known:
            raise UserError(f"cell {slide.cells[0].id}: {stray or 'short'} names no "
                            "section of talk.json")
    for section in plan.sections:
        mine = [s for s in all_slides if f"talk-{section.tag}" in s.tags
                and (cut == "talk" or "short" in s.tags)]
        minutes = getattr(section, cut)
        if bool(mine) != bool(minutes):
            raise UserError(f"the section {section.heading!r} has {len(mine)} slides "
                            f"for {minutes:g} minutes in the cut {cut!r}")
        if mine and not FASTEST <= minutes / len(mine) <= SLOWEST:
            raise UserError(f"{section.heading!r}: {len(mine)} slides in {minutes:g} "
                            f"minutes, {FASTEST} to {SLOWEST} each can be spoken")
        if mine:
            chosen.append((section, mine))
    return chosen


def clock(minutes: float) -> str:
    """Minutes as they are read on a clock: 7.5 as 7:30."""
    whole, seconds = divmod(round(60 * minutes), 60)
    return f"{whole}:{seconds:02d}"


def assemble(plan: Plan, all_slides: Sequence[Slide], cut: str,
             presenters: Sequence[str]) -> NotebookNode:
    """One notebook of the slides of a cut, with the clock in its notes."""
    chosen = pick(plan, all_slides, cut)
    cells, now = _title(plan, cut, presenters, chosen), 0.0
    for section, mine in chosen:
        minutes = getattr(section, cut)
        weight = minutes / sum(slide.minutes for slide in mine)
        for number, slide in enumerate(mine, 1):
            end = now + slide.minutes * weight
            heading = (f"{section.heading}, slide {number} of {len(mine)}: from "
                       f"{clock(now)} to {clock(end)} of {clock(plan.total[cut])}.")
            if number == 1:
                heading += f" The section has {minutes:g} minutes."
            cells += _timed(slide, section, heading)
            now = end
    notebook = new_notebook(cells=cells)
    notebook.metadata["title"] = plan.title
    return notebook


def _timed(slide: Slide, section: Section, heading: str) -> list[NotebookNode]:
    """The cells of a slide, marked with its section; minutes of class give way."""
    cells = [nbformat.from_dict(cell) for cell in slide.cells]
    cells[0].metadata["slideshow"] = {"slide_type": "slide"}
    mark = _mark(section.heading)
    if cells[0].cell_type == "markdown":
        cells[0].source = mark + cells[0].source
    else:  # a slide that begins with a figure
        first = new_markdown_cell(mark, id=f"{cells[0].id}-mark")
        first.metadata["slideshow"] = {"slide_type": "slide"}
        cells[0].metadata["slideshow"] = {"slide_type": "-"}
        cells = [first, *cells]
    for cell in cells:
        if slide_type(cell) == "notes":
            cell.source = f"**{heading}**\n\n{MINUTES.sub('', cell.source)}"
    return cells


def _mark(heading: str) -> str:
    """What deck.js reads the section from."""
    return f'<span hidden data-section="{html.escape(heading)}"></span>\n\n'


def _title(plan: Plan, cut: str, presenters: Sequence[str],
           chosen: Sequence[tuple[Section, list[Slide]]]) -> list[NotebookNode]:
    """The title slide with the order of the talk, shown while people sit down."""
    names = html.escape(" and ".join(presenters))
    parts = [f"{html.escape(section.heading)} | {getattr(section, cut):g}"
             for section, _ in chosen]
    half = (len(parts) + 1) // 2
    rows = "\n".join(f"| {left} | {right} |" for left, right in zip_longest(
        parts[:half], parts[half:], fillvalue=" | "))
    title = new_markdown_cell(
        f"# {html.escape(plan.title)}\n\n{names}\n\n| the talk | minutes | and then "
        f"| minutes |\n| --- | ---: | --- | ---: |\n{rows}\n", id="talk-title")
    title.metadata["slideshow"] = {"slide_type": "slide"}
    notes = new_markdown_cell(
        f"The talk takes {plan.total[cut]:g} minutes. The clock in the notes of every "
        "slide says when to be there; S opens them, M the contents.\n\nThis slide "
        "stands while people sit down and costs no time.", id="talk-title-notes")
    notes.metadata["slideshow"] = {"slide_type": "notes"}
    return [title, notes]


def all_built() -> list[Slide]:
    """The slides of all executed notebooks. Raises UserError where one is missing."""
    found = []
    for path in sources():
        written = NOTEBOOKS / f"{path.stem}.ipynb"
        if not written.exists():
            raise UserError(f"{written.name} is not built: run course.py build first")
        found += slides(nbformat.read(written, as_version=4))
    return found


def write(presenters: Sequence[str] = ()) -> list[Path]:
    """Both cuts as decks, and the handout; returns the decks. They are measured where
    they have changed. Raises UserError where a slide does not fit."""
    plan, every = read_plan(), all_built()
    names = list(presenters) or plan.presenters
    decks = [TALK / f"{cut}.html" for cut in CUTS]
    for cut, deck in zip(CUTS, decks):
        write_text(deck, export.deck(assemble(plan, every, cut, names), cut))
    write_text(TALK / "handout.html", handout(plan, names))
    digest = hashlib.sha256(b"".join(d.read_bytes() for d in decks)).hexdigest()
    if find_browser() is not None and load_state().get("talk", {}).get(
            "checked") != digest:
        findings = check(decks)
        if findings:
            raise UserError("slides of the talk need mending:\n" + "\n".join(findings))
        remember("talk", checked=digest)
    return decks


def write_pdfs() -> list[Path]:
    """PDFs of both decks and of the handout, beside them."""
    made = []
    for cut in CUTS:
        made.append(TALK / f"{cut}.pdf")
        write_pdf(TALK / f"{cut}.html", made[-1])
    made.append(TALK / "handout.pdf")
    write_page(TALK / "handout.html", made[-1])
    return made
