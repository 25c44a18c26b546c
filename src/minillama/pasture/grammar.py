"""The little English the Pasture needs: articles, lists in a sentence, sentences."""

import re
from collections.abc import Sequence
from random import Random
from typing import TypeVar

Item = TypeVar("Item")

_SENTENCE = re.compile(r"[^.!?\n]*[.!?]+[\"']?|[^.!?\n]+")
_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*")


def a(noun: str) -> str:
    """The noun with its article: "an owl", "a hen"."""
    return ("an " if noun[0] in "aeiouAEIOU" else "a ") + noun


def capital(text: str) -> str:
    """The text with a capital first letter and the rest left alone."""
    return text[:1].upper() + text[1:]


def enumeration(items: Sequence[str]) -> str:
    """Items as they stand in a sentence: "plums, figs and nuts"."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def sentences(text: str) -> list[str]:
    """The sentences of a text without their outer spaces; a line ends a sentence."""
    found = (match.group().strip() for match in _SENTENCE.finditer(text))
    return [sentence for sentence in found if sentence]


def words(text: str) -> list[str]:
    """The words of a text in small letters, in order; digits are not words."""
    return [match.group().lower() for match in _WORD.finditer(text)]


def pick(rng: Random, items: Sequence[Item]) -> Item:
    """One item, every item equally likely.

    Python promises that `Random.random` gives the same numbers in every version, but
    makes no such promise for `choice`, so every choice in the Pasture is made here.
    """
    return items[int(rng.random() * len(items))]


def several(rng: Random, items: Sequence[Item], count: int) -> list[Item]:
    """`count` different items in random order (Fisher and Yates, stopped early)."""
    pool = list(items)
    for place in range(count):
        other = place + int(rng.random() * (len(pool) - place))
        pool[place], pool[other] = pool[other], pool[place]
    return pool[:count]


def number(rng: Random, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))
