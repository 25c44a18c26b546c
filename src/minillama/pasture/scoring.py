"""How an answer is judged: criteria with points and reasons, so that a score explains
itself.

A criterion looks at the answer and says how far it is met, from 0 to 1. The points of
all criteria of a task add up to 1. The last criterion is always about form, and form
is only worth something where there is content: a neat sentence about nothing gets 0.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from minillama.pasture.grammar import sentences, words

_NUMBER = re.compile(r"\d{1,9}")


class Criterion(NamedTuple):
    """One thing an answer can get right."""

    points: float
    reason: str  # completes "points are given because the answer ..."
    met: Callable[[str], float]


class Mark(NamedTuple):
    """What one criterion gave to one answer."""

    points: float
    out_of: float
    reason: str


def marks(criteria: Iterable[Criterion], answer: str) -> list[Mark]:
    """The points of an answer criterion by criterion."""
    *contents, form = criteria
    given = [Mark(item.points * float(item.met(answer)), item.points, item.reason)
             for item in contents]
    has_content = any(mark.points > 0 for mark in given)
    points = form.points * float(form.met(answer)) if has_content else 0.0
    return [*given, Mark(points, form.points, form.reason)]


def total(criteria: Iterable[Criterion], answer: str) -> float:
    """The sum of the points, in [0, 1]."""
    points = sum(mark.points for mark in marks(criteria, answer))
    return min(1.0, max(0.0, round(points, 6)))


def mentions(answer: str, phrase: str) -> bool:
    """Whether the words of the phrase stand in the answer side by side."""
    wanted, found = words(phrase), words(answer)
    starts = range(len(found) - len(wanted) + 1)
    return any(found[start:start + len(wanted)] == wanted for start in starts)


def only(answer: str, right: str, options: Iterable[str]) -> bool:
    """Whether the answer mentions the right option and none of the others.

    Naming every option is not knowing, so it earns nothing.
    """
    return mentions(answer, right) and not any(
        mentions(answer, other) for other in options if other != right)


def numbers(answer: str) -> list[int]:
    """The whole numbers of the answer, in order."""
    return [int(found) for found in _NUMBER.findall(answer)]


def is_sentence(answer: str, longest: int = 14) -> bool:
    """One finished sentence of at most `longest` words, with a capital and an end."""
    text = answer.strip()
    return (len(sentences(text)) == 1 and text.endswith((".", "!", "?"))
            and not text[0].islower() and len(text.split()) <= longest)


def sentence_criterion(points: float = 0.2, longest: int = 14) -> Criterion:
    """The usual last criterion."""
    return Criterion(points, f"is one finished sentence of at most {longest} words",
                     lambda answer: is_sentence(answer, longest))
