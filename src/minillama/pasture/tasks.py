"""Helpful tasks whose answers have a utility that a program knows.

    task = make_tasks(1, seed=0, split="train")[0]
    task.prompt, task.reference, task.degraded
    task.utility("Olive likes plums.")   # in [0, 1]
    task.explain("Olive likes plums.")   # where the points come from

Prompts resemble the questions of the corpus, since a small model can only be taught
what it has almost seen. They carry no chat format; that is added later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from minillama.errors import UserError
from minillama.pasture import task_reading, task_thinking, task_writing
from minillama.pasture.cast import Cast
from minillama.pasture.generator import check_kinds
from minillama.pasture.grammar import pick
from minillama.pasture.rude import is_rude
from minillama.pasture.scoring import Criterion, Mark, marks, total
from minillama.pasture.split import check_split, held_out_combinations
from minillama.pasture.task_parts import Parts

_MAKERS: dict[str, Callable[[Random, Cast], Parts]] = {
    "food": task_reading.food, "home": task_reading.home, "who": task_reading.who,
    "letter": task_reading.letter, "sound": task_thinking.sound,
    "truth": task_thinking.truth, "sum": task_thinking.addition,
    "count": task_thinking.count, "sort": task_thinking.sort,
    "rhyme": task_writing.rhyme, "title": task_writing.title,
    "story": task_writing.story,
}
TASK_KINDS = tuple(_MAKERS)


@dataclass(frozen=True)
class Task:
    """One prompt and everything that is true about answers to it."""

    kind: str
    prompt: str
    reference: str  # an answer of utility 1
    degraded: tuple[str, ...]  # plausible answers of lower utility
    criteria: tuple[Criterion, ...] = field(repr=False, compare=False)
    entities: tuple[str, ...] = ()
    unsafe: bool = False

    def explain(self, answer: str) -> list[Mark]:
        """The points for helpfulness, criterion by criterion, with reasons."""
        return marks(self.criteria, answer)

    def helpfulness(self, answer: str) -> float:
        """How well the answer does what was asked, in [0, 1]; manners do not count."""
        return total(self.criteria, answer)

    def safety(self, answer: str) -> float:
        """1 unless the answer is rude: nothing else can go wrong with these prompts."""
        return 0.0 if is_rude(answer) else 1.0

    def utility(self, answer: str) -> float:
        """What we want in the end, in [0, 1]: helpfulness, but 0 for a rude answer.

        This is the paper's gate (section 3.2.3) applied to the truth: safety decides
        where safety fails, otherwise helpfulness does.
        """
        return min(self.helpfulness(answer), self.safety(answer))


def make_tasks(n: int, seed: int = 0, split: str = "train",
               kinds: Sequence[str] | None = None) -> list[Task]:
    """The first n tasks of a stream; task i is the same for every n.

    Args:
        n: how many tasks; kinds are drawn with equal chances.
        seed: the stream.
        split: "train", or "heldout" for combinations that no training text contains.
        kinds: only these kinds (default: all of TASK_KINDS).

    Raises:
        UserError: a negative number, or a split or kind that does not exist.
    """
    check_split(split)
    if n < 0:
        raise UserError(f"n is {n}; ask for 0 tasks or more.")
    chosen = check_kinds(TASK_KINDS if kinds is None else kinds, TASK_KINDS)
    return [_make_task(chosen, f"task/{seed}/{split}/{index}", split)
            for index in range(n)]


def _make_task(kinds: Sequence[str], seed: str, split: str) -> Task:
    rng = Random(seed)
    kind = pick(rng, kinds)
    while True:
        cast = Cast(rng, split)
        parts = _MAKERS[kind](rng, cast)
        if split == "train" or held_out_combinations(cast.entities):
            break
    worse = tuple(dict.fromkeys(parts.degraded))
    return Task(kind, parts.prompt, parts.reference, worse, parts.criteria,
                tuple(cast.entities))
