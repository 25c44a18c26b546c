"""Three pages that lead through the series: the map, the glossary, the bibliography."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import jupytext

from ..files import write_text
from ..paper import bibliography, fill, glossary
from ..paper import map as paper_map
from .paths import PAGES
from .source import slide_type, sources

HEADING = re.compile(r"^#{1,3} (.+)$", re.M)
NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\[[^\]]*\]\([^)]*\)"
                       r"|https?://\S+|\{\{.*?\}\}|^\*\*Paper\*\*[^\n]*$"
                       r"|^Next: [^\n]*$", re.S | re.M)
STYLE = ("body{font:17px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
         "padding:0 1rem;color:#1b1f24}a{color:#0b57a4}h2{margin-top:2em}"
         "table{border-collapse:collapse;width:100%}th,td{text-align:left;"
         "vertical-align:top;padding:.3em .6em;border-bottom:1px solid #c9ced6}"
         "td:first-child{white-space:nowrap}dt{font-weight:600;margin-top:.9em}"
         "dd{margin:0 0 0 1.2em}"
         "small{color:#4a5059}li{margin:.5em 0}")


@dataclass(frozen=True)
class Stretch:
    """What stands under one heading of a notebook's source, up to the next heading.

    ``text`` is all of it, speaker notes too; ``prose`` what a reader reads in words,
    without notes, code, formulas and links; ``code`` the code cells.
    """

    notebook: str
    heading: str
    cell: str
    text: str
    prose: str
    code: str


def prose_of(text: str) -> str:
    """The words of a Markdown text on one line: no code, formulas, links, marks."""
    words = NOT_PROSE.sub(" ", re.sub(r"\$(\w)\$", r"\1", text))
    return " ".join(words.replace("**", "").replace("*", "").split())


@cache
def stretches() -> tuple[Stretch, ...]:
    """All headings of the series in their order."""
    found: list[Stretch] = []
    for path in sources():
        slug = path.stem.split("_", 1)[1]
        cells = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells
        parts: list[list[str]] = []
        for number, cell in enumerate(cells, 1):
            notes = slide_type(cell) == "notes"
            markdown = cell.cell_type == "markdown" and not notes
            heading = HEADING.search(cell.source) if markdown else None
            if heading or not parts:
                title = heading[1] if heading else path.stem
                parts.append([title, f"{slug}-{number:02d}", "", "", ""])
            parts[-1][2] += cell.source + "\n\n"
            if markdown:
                parts[-1][3] += prose_of(cell.source) + " "
            if cell.cell_type == "code":
                parts[-1][4] += cell.source + "\n\n"
        found += [Stretch(path.stem, *part) for part in parts]
    return tuple(found)


@cache
def _cells() -> dict[tuple[str, str], str]:
    return {(s.notebook, s.heading): s.cell for s in stretches()}


def link(notebook: str, heading: str) -> str:
    """A link from one page to a slide's place on another; plain text where a notebook
    has no such heading any more, which the tests report and a build survives."""
    cell, words = _cells().get((notebook, heading)), html.escape(fill(heading))
    if cell is None:
        return f"{notebook[:2]} {words}"
    return f'<a href="{notebook}.html#cell-id={cell}">{notebook[:2]} {words}</a>'


def _rich(text: str) -> str:
    """Escaped text with **bold**, the only mark-up that the data use."""
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text))


def _page(title: str, lead: str, body: str) -> str:
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
            f'<p><a href="../index.html">Llama 2 in miniature</a></p>'
            f"<h1>{html.escape(title)}</h1><p>{_rich(lead)}</p>\n{body}"
            "</body></html>\n")


def map_page() -> str:
    """The map of the paper as one HTML page."""
    live, can = paper_map.share()
    lead = (f"What became of every section, equation, table and figure of the paper. "
            f"{live} of the {can} tables and figures of the main text that can be "
            "tried at small scale have a live counterpart.")
    body = "<dl>" + "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(what)}</dd>"
                            for name, what in paper_map.read("map")["statuses"].items())
    body += "</dl>\n"
    for kind in paper_map.KINDS:
        rows = "".join(_row(one) for one in paper_map.items() if one.kind == kind)
        head = "".join(f'<th scope="col">{name}</th>'
                       for name in ("item", "subject", "status", "slides"))
        body += (f"<h2>{kind.capitalize()}s</h2><table><thead><tr>{head}</tr></thead>"
                 f"<tbody>{rows}</tbody></table>\n")
    return _page("The map of the paper", lead, body)


def _row(one: paper_map.Item) -> str:
    slides = "<br>".join(
        link(place.notebook, place.heading) + ("" if place.live else
                                               " <small>(told)</small>")
        for place in one.places)
    functions = "".join(f"<br><small><code>{html.escape(name)}</code></small>"
                        for name in one.functions)
    why = f"<br><small>{html.escape(one.why)}</small>" if one.why else ""
    return (f'<tr id="{html.escape(one.id)}"><td>{html.escape(one.label)}</td>'
            f"<td>{html.escape(one.subject)}</td><td>{one.status}{why}</td>"
            f"<td>{slides}{functions}</td></tr>\n")


def glossary_page() -> str:
    """The glossary as one HTML page."""
    body = "<dl>"
    for term in glossary.terms():
        places = [link(term.notebook, term.heading)]
        places += [f"{link(before.notebook, before.heading)} <small>"
                   f"({html.escape(before.why)})</small>" for before in term.earlier]
        body += (f'<dt id="{term.anchor}">{html.escape(term.term)}</dt>'
                 f"<dd>{_linked(term.text)}<br>{'; '.join(places)}</dd>\n")
    lead = f"{len(glossary.terms())} terms, each with the first slide that explains it."
    return _page("Glossary", lead, body + "</dl>")


def _linked(text: str) -> str:
    """Escaped text whose bold terms lead to their own entries."""
    return re.sub(r"\*\*(.+?)\*\*", lambda match: (
        f'<a href="#{glossary.anchor(html.unescape(match[1]))}">{match[1]}</a>'),
        html.escape(text))


def bibliography_page() -> str:
    """The bibliography as one HTML page."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sources()}
    rows = "".join(_reference(one, notebooks) for one, notebooks in
                   bibliography.cited(texts))
    lead = ("Every work and page that the notebooks cite, and where. Titles come from "
            "the ledger where it has them.")
    return _page("Bibliography", lead, f"<ul>\n{rows}</ul>")


def _reference(one: bibliography.Reference, notebooks: Iterable[str]) -> str:
    who = f"{html.escape(one.authors)}: " if one.authors else ""
    number = f" arXiv {one.arxiv}." if one.arxiv else ""
    year = f" ({one.year})." if one.year else "."
    cited = ", ".join(f'<a href="{name}.html">{name[:2]}</a>' for name in notebooks)
    unsure = ("" if one.confidence != "memory-only"
              else " <small>Title not confirmed by a source.</small>")
    return (f'<li id="{html.escape(one.id)}">{who}<a href="{html.escape(one.url)}">'
            f"{html.escape(one.title)}</a>{year}{number} "
            f"<small>Cited in {cited}.</small>{unsure}</li>\n")


def write_reference_pages() -> None:
    """Write map.html, glossary.html and bibliography.html into build/pages."""
    for name, make in (("map", map_page), ("glossary", glossary_page),
                       ("bibliography", bibliography_page)):
        write_text(PAGES / f"{name}.html", make())
