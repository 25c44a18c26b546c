"""System prompts that a program can check, for Ghost Attention (paper, section 3.3).

Each one constrains the form of every answer and leaves its content free, so that
keeping to it over many turns can be measured: `complies(answer)`. `apply(answer)` turns
an ordinary answer into one that complies, for synthetic dialogues.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from minillama.pasture.grammar import a, capital, sentences, words
from minillama.pasture.world import ANIMALS


@dataclass(frozen=True)
class SystemPrompt:
    """An instruction for a whole dialogue and the truth about keeping to it."""

    name: str
    text: str
    complies: Callable[[str], bool] = field(repr=False, compare=False)
    apply: Callable[[str], str] = field(repr=False, compare=False)


def _ending(name: str, text: str, closing: str) -> SystemPrompt:
    """Every answer must close with the same words."""
    wanted = words(closing)

    def complies(answer: str) -> bool:
        return words(answer)[-len(wanted):] == wanted

    def apply(answer: str) -> str:
        return answer.strip().rstrip(".!?") + f", {closing}."

    return SystemPrompt(name, text, complies, apply)


def _opening(name: str, text: str, start: str) -> SystemPrompt:
    """Every answer must open with the same words."""
    wanted = words(start)

    def complies(answer: str) -> bool:
        return words(answer)[:len(wanted)] == wanted

    def apply(answer: str) -> str:
        return f"{capital(start)}. {answer.strip()}"

    return SystemPrompt(name, text, complies, apply)


def _persona(animal: str, sound: str) -> SystemPrompt:
    return _ending(f"persona-{animal}",
                   f"You are {a(animal)}. End every answer with {sound}.", sound)


def _one_sentence() -> SystemPrompt:
    def complies(answer: str) -> bool:
        return len(sentences(answer)) == 1

    def apply(answer: str) -> str:
        return (sentences(answer) or [""])[0]

    return SystemPrompt("one-sentence", "Answer in one sentence only.", complies, apply)


def _few_words(most: int) -> SystemPrompt:
    def complies(answer: str) -> bool:
        return 0 < len(answer.split()) <= most

    def apply(answer: str) -> str:
        return " ".join(answer.split()[:most]).rstrip(".,") + "."

    return SystemPrompt("few-words", f"Use at most {most} words in every answer.",
                        complies, apply)


_CLOSINGS = ("my dear", "so says the farm", "by my whiskers", "old friend", "hey ho")
_OPENINGS = ("well now", "dear friend", "listen", "good day")

SYSTEM_PROMPTS: tuple[SystemPrompt, ...] = (
    *(_persona(animal.name, animal.sound) for animal in ANIMALS[:12]),
    *(_ending(f"closing-{closing.replace(' ', '-')}",
              f"End every answer with {closing}.", closing) for closing in _CLOSINGS),
    *(_opening(f"opening-{start.replace(' ', '-')}",
               f"Begin every answer with {start}.", start) for start in _OPENINGS),
    _one_sentence(),
    _few_words(4),
)
