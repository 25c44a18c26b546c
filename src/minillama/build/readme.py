"""What the build writes about itself: README table, figures/README, index page."""

import html
import re
from typing import TYPE_CHECKING

import nbformat

from ..files import read_json, write_text
from ..paper.map import coverage
from .paths import FIGURES, NOTEBOOKS, OUT, PAGES, ROOT, SLIDES, STUDENT
from .source import sources

if TYPE_CHECKING:
    from .make import Row

BEGIN, END = "<!-- notebooks: begin -->", "<!-- notebooks: end -->"
COVERAGE = "<!-- coverage: begin -->", "<!-- coverage: end -->"


def _title(stem: str) -> str:
    path = NOTEBOOKS / f"{stem}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get("title", stem)


def write_table(rows: "list[Row]") -> None:
    """The README's tables: notebooks with times and memory as measured, and what of the
    paper they cover."""
    readme = ROOT / "README.md"
    if not readme.exists():
        return
    text = readme.read_text(encoding="utf-8")
    lines = ["| notebook | what it says | slides | runs in | peak memory |",
             "| --- | --- | ---: | ---: | ---: |"]
    lines += [f"| [{r.name}](notebooks/{r.name}.ipynb) | {_title(r.name)} | {r.slides} "
              f"| {r.seconds:.0f} s | {r.memory / 2**20:.0f} MB |" for r in rows]
    new = _between(text, BEGIN, END, "\n".join(lines))
    new = _between(new, *COVERAGE, f"\n{coverage()}\n")
    if new != text:
        write_text(readme, new)


def _between(text: str, begin: str, end: str, content: str) -> str:
    """The text with new content between two marks, or as it was without them."""
    return re.sub(re.escape(begin) + ".*?" + re.escape(end),
                  lambda _: f"{begin}\n{content}\n{end}", text, flags=re.S)


def write_figures() -> None:
    """figures/README.md: every figure with title, description and notebook."""
    lines = ["# Figures", "", "Written by the notebooks when they are built. Each "
             "stands here as SVG for print and PNG for the screen.", ""]
    for file in sorted(FIGURES.glob("*.json")):
        entry = read_json(file)
        source = next((p.stem for p in sources() if p.stem[:2] == file.stem[:2]), "")
        lines += [f"## {entry['title']}", "",
                  f"![{entry['alt']}]({file.stem}.png)", "", entry["alt"], "",
                  f"[SVG]({file.stem}.svg), from notebook {source}.", ""]
    write_text(FIGURES / "README.md", "\n".join(lines))


TALK = (("talk", "html", "talk"), ("short", "html", "short cut"),
        ("handout", "html", "handout"), ("talk", "pdf", "talk as PDF"),
        ("short", "pdf", "short cut as PDF"), ("handout", "pdf", "handout as PDF"))


def _talk_row() -> str:
    """Links to what there is of the talk."""
    links = " · ".join(f'<a href="talk/{stem}.{kind}">{label}</a>'
                       for stem, kind, label in TALK
                       if (OUT / "talk" / f"{stem}.{kind}").exists())
    return f"<li><b>The talk</b><br>{links}</li>\n" if links else ""


REFERENCE = (("map", "map of the paper"), ("glossary", "glossary"),
             ("bibliography", "bibliography"))


def _reference_row() -> str:
    """Links to the pages that belong to the whole series."""
    links = " · ".join(f'<a href="pages/{stem}.html">{label}</a>'
                       for stem, label in REFERENCE
                       if (PAGES / f"{stem}.html").exists())
    return f"<li><b>To look up</b><br>{links}</li>\n" if links else ""


def write_index() -> None:
    """build/index.html: one page that leads to every deck, page and edition."""
    rows = _talk_row() + _reference_row()
    for path in sources():
        if not (NOTEBOOKS / f"{path.stem}.ipynb").exists():
            continue
        title = html.escape(_title(path.stem))
        links = " · ".join(
            f'<a href="{folder.name}/{path.stem}.{kind}">{label}</a>'
            for folder, kind, label in ((SLIDES, "html", "slides"),
                                        (PAGES, "html", "page"),
                                        (STUDENT, "ipynb", "student edition")))
        rows += f"<li><b>{path.stem[:2]}</b> {title}<br>{links}</li>\n"
    write_text(OUT / "index.html", (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Llama 2 in miniature</title><style>body{font:18px/1.5 system-ui,"
        "sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
        "li{margin:.7em 0;list-style:none}a{color:#0b57a4}</style></head><body>"
        f"<h1>Llama 2 in miniature</h1><ul>\n{rows}</ul></body></html>\n"))
