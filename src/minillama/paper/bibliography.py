"""The bibliography: every work and page that the notebooks cite.

Titles of papers come from the ledger (``papers`` of context.json) where it has them;
the rest, and the authors, from ``data/reference/references.json``.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from ..errors import UserError
from .ledger import _load
from .map import read

LINK = re.compile(r"https?://[^\s<>\"'`{}\[\]\\]+")
ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf|html)/(\d{4}\.\d{5}|\d{4}\.\d{4})(?!\d)")
BY_NAME = re.compile(r"""context:papers\.([\w-]+)|context\(["']papers["'],\s*["']"""
                     r"""([\w-]+)["']""")
ASIDE = re.compile(r" \((?:see also|blog|Llama 2)[^()]*\)$")


@dataclass(frozen=True)
class Reference:
    """A work or page. ``arxiv`` and ``year`` are None where there are none."""

    id: str
    arxiv: str | None
    url: str
    title: str
    authors: str
    year: int | None
    confidence: str
    sources: tuple[str, ...]


def links(text: str) -> list[str]:
    """All links of a text in their order, without what closes a sentence or bracket."""
    found = []
    for link in LINK.findall(text):
        while link[-1] in ".,;:!?" or (link[-1] == ")" and link.count("(")
                                       < link.count(")")):
            link = link[:-1]
        found.append(link)
    return found


def arxiv_of(link: str) -> str | None:
    """The arXiv identifier in a link, without its version: 2307.09288."""
    match = ARXIV.search(link)
    return match[1] if match else None


@cache
def references() -> tuple[Reference, ...]:
    """All that is known, cited or not, in the order of authors and titles."""
    own = read("references")
    authors = own["authors"]
    found = []
    for paper in _load("context")["papers"]:
        number, title = paper["arxiv"], ASIDE.sub("", paper["title"])
        url = (f"https://arxiv.org/abs/{number}" if number else
               next((s for s in paper["sources"] if s.startswith("http")), ""))
        found.append(Reference(paper["id"], number, url, title,
                               authors.get(paper["id"], {}).get("authors", ""),
                               paper["year"], paper["confidence"],
                               tuple(paper["sources"])))
    found += [Reference(one["id"], one.get("arxiv"), one["url"], one["title"],
                        one.get("authors", ""), one.get("year"), one["confidence"],
                        tuple(one["sources"])) for one in own["references"]]
    return tuple(sorted(found, key=_order))


def _order(one: Reference) -> tuple[str, str]:
    return (one.authors or one.title).casefold(), one.title.casefold()


def find(link: str) -> Reference:
    """The reference behind a link. Raises UserError for one that nobody wrote down."""
    number = arxiv_of(link)
    for one in references():
        if one.arxiv == number if number else one.url == link:
            return one
    raise UserError(f"no reference for {link}: write it into "
                    "paper/data/reference/references.json, with its title and source")


def cited(texts: Mapping[str, str]) -> list[tuple[Reference, list[str]]]:
    """What texts cite, by link or by the ledger's name of a paper: each reference with
    the names of the texts, sorted. ``texts`` maps names of notebooks to their sources.
    A link that nobody wrote down stands for itself, so that pages can be made.
    """
    found: dict[Reference, set[str]] = {}
    for name, text in texts.items():
        for one in [*map(_found, links(text)), *_by_name(text)]:
            found.setdefault(one, set()).add(name)
    return [(one, sorted(found[one])) for one in sorted(found, key=_order)]


def _found(link: str) -> Reference:
    with suppress(UserError):
        return find(link)
    return Reference(link, arxiv_of(link), link, link, "", None, "memory-only", ())


def _by_name(text: str) -> Iterable[Reference]:
    named = {one.id: one for one in references()}
    for match in BY_NAME.finditer(text):
        id = match[1] or match[2]
        if id in named:
            yield named[id]


def outline() -> list[tuple[str, str]]:
    """The links that the outline of the presentation asks for, with their labels."""
    return [(one["label"], one["url"]) for one in read("references")["outline"]]
