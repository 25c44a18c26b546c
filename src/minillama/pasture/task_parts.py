"""What every maker of a task returns, and the criteria that several of them share."""

from collections.abc import Iterable
from typing import NamedTuple

from minillama.pasture.scoring import Criterion, mentions, only, sentence_criterion


class Parts(NamedTuple):
    """A task before it gets its kind and entities."""

    prompt: str
    reference: str
    degraded: tuple[str, ...]
    criteria: tuple[Criterion, ...]


def right_option(points: float, what: str, right: str,
                 options: Iterable[str]) -> Criterion:
    """Names the right option and no other."""
    known = tuple(options)
    return Criterion(points, f"names {what} ({right}) and no other",
                     lambda answer: only(answer, right, known))


def about(points: float, name: str) -> Criterion:
    """Says whom it speaks of."""
    return Criterion(points, f"says whom it is about ({name})",
                     lambda answer: mentions(answer, name))


def short_answer(what: str, right: str, options: Iterable[str],
                 name: str) -> tuple[Criterion, ...]:
    """0.7 for the right option, 0.1 for the subject, 0.2 for one finished sentence."""
    return (right_option(0.7, what, right, options), about(0.1, name),
            sentence_criterion(0.2))
