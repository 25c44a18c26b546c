"""The glossary: terms of art in a sentence or two, each with its first slide."""

import re
from dataclasses import dataclass
from functools import cache

from ..errors import UserError
from .map import read

PASSING = 3  # headings of one notebook under which a term may stand unexplained


@dataclass(frozen=True)
class Earlier:
    """A notebook that uses a term before the slide that explains it, and why it may."""

    notebook: str
    heading: str
    why: str


@dataclass(frozen=True)
class Term:
    """A term, the forms in which texts use it, its meaning, and its slide.

    ``words`` are words of that slide which explain the thing where its name does not
    stand there; empty where it does.
    """

    term: str
    forms: tuple[str, ...]
    text: str
    words: str
    notebook: str
    heading: str
    earlier: tuple[Earlier, ...]

    @property
    def anchor(self) -> str:
        """The name of its place on the page of the glossary."""
        return anchor(self.term)

    @property
    def links(self) -> tuple[str, ...]:
        """Other terms that its meaning rests on: those in bold."""
        return tuple(re.findall(r"\*\*(.+?)\*\*", self.text))

    def explained_in(self, prose: str) -> bool:
        """Whether a slide's words hold the explanation, or at least the term."""
        return self.words in prose if self.words else self.used_in(prose)

    def used_in(self, prose: str) -> bool:
        """Whether a text uses the term, in any of its forms, as words of their own."""
        return bool(_pattern(self.forms).search(prose))


@cache
def _pattern(forms: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.I)


def anchor(term: str) -> str:
    """Letters and digits of a term, joined by hyphens: "best of n" is best-of-n."""
    return re.sub(r"\W+", "-", term.casefold()).strip("-")


@cache
def terms() -> tuple[Term, ...]:
    """All terms, in alphabetical order."""
    return tuple(Term(raw["term"], tuple(raw["forms"]), raw["text"],
                      raw.get("words", ""), raw["notebook"], raw["heading"],
                      tuple(Earlier(**earlier) for earlier in raw["earlier"]))
                 for raw in read("glossary")["terms"])


def define(term: str) -> Term:
    """One term by its name or a form of it. Raises UserError for an unknown one."""
    for one in terms():
        if term.casefold() in {form.casefold() for form in (one.term, *one.forms)}:
            return one
    raise UserError(f"the glossary has no {term!r}")
