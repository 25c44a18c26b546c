"""The traps of multiple choice: layout, labels, length, order; all scored in one pass.

The scorer itself, questions of the Pasture and the four rules are those of
``minillama.training.evaluation``. Here the same questions are written in other layouts,
with their options in another order or of other lengths, so that it can be measured how
much of a score is the model and how much is the form of the question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from ..errors import UserError
from ..model import Llama
from ..pasture.cast import Cast
from ..pasture.grammar import enumeration
from ..pasture.split import held_out_combinations
from ..pasture.world import TREATS
from ..tokenizer import Tokenizer
from ..training.evaluation import LETTERS, RULES, Choice, continuation_logprobs

# Each ends with its cue, after which an option is said; {options} is a list with
# letters, or nothing.
LAYOUTS = {
    "as in the corpus": "Question: {question}\n{options}Answer:",
    "Q and A": "Q: {question}\n{options}A:",
    "lower case": "question: {question}\n{options}answer:",
    "one line": "Question: {question} {options}Answer:",
    "no label": "{question}\n{options}Answer:",
}
CORPUS = "as in the corpus"


def write_prompt(choice: Choice, examples: Sequence[Choice] = (), letters: bool = False,
                 layout: str = CORPUS) -> str:
    """The text before the answer in a layout of LAYOUTS, after solved examples; with
    ``letters`` options are listed and a letter is asked for. UserError for a layout
    that does not exist."""
    if layout not in LAYOUTS:
        raise UserError(f"no layout {layout!r}: one of {', '.join(LAYOUTS)}")
    parts = []
    for one in (*examples, choice):
        listed = "".join(f"{letter}. {text}\n" for letter, text
                         in zip(LETTERS, one.options)) if letters else ""
        parts.append(LAYOUTS[layout].format(question=one.question, options=listed))
    solved = [f"{text} {said(one, one.answer, letters)}"
              for text, one in zip(parts, examples)]
    return "\n".join([*solved, parts[-1]])


def said(choice: Choice, place: int, letters: bool) -> str:
    """What is scored for an option: its letter or its text."""
    return LETTERS[place] if letters else choice.options[place]


@dataclass(frozen=True)
class Scored:
    """Log-probabilities of all options and what they may be divided by, (n, 4) each."""

    sums: Tensor  # nats
    tokens: Tensor
    bytes: Tensor
    bare: Tensor  # nats of the same option after the cue alone, without a question
    answers: tuple[int, ...]

    def by(self, rule: str) -> Tensor:
        """Scores by a rule: "sum"; "token" and "character" divide it (the text of the
        Pasture has a byte a character); "surplus" takes away what an option has without
        a question. UserError for another."""
        made: Mapping[str, Tensor] = {
            "sum": self.sums, "token": self.sums / self.tokens,
            "character": self.sums / self.bytes, "surplus": self.sums - self.bare}
        if rule not in made:
            raise UserError(f"no rule named {rule!r}: one of {', '.join(RULES)}")
        return made[rule]

    def chosen(self, rule: str = "sum") -> list[int]:
        """The place of the highest score of each question, the first of equals."""
        return self.by(rule).argmax(dim=1).tolist()

    def right(self, rule: str = "sum") -> list[bool]:
        """Which questions are answered rightly."""
        return [c == a for c, a in zip(self.chosen(rule), self.answers)]


def score(model: Llama, tokenizer: Tokenizer, choices: Sequence[Choice],
          examples: Sequence[Choice] = (), letters: bool = False,
          layout: str = CORPUS, batch: int = 64) -> Scored:
    """Score every option of every question, for all rules at once. UserError for no
    questions and for an unknown layout."""
    if not choices:
        raise UserError("there are no questions to choose answers for")
    texts = [said(one, place, letters) for one in choices
             for place in range(len(one.options))]
    heads = [write_prompt(one, examples, letters, layout) for one in choices
             for _ in one.options]
    sums, tokens = continuation_logprobs(model, tokenizer, list(zip(heads, texts)),
                                         batch)
    cue = LAYOUTS[layout].split()[-1].removeprefix("{options}")
    distinct = list(dict.fromkeys(texts))
    bare = dict(zip(distinct, continuation_logprobs(
        model, tokenizer, [(cue, text) for text in distinct], batch)[0].tolist()))
    columns = (sums, tokens, torch.tensor([len(text.encode()) for text in texts]),
               torch.tensor([bare[text] for text in texts]))
    shaped = (column.view(len(choices), -1) for column in columns)
    return Scored(*shaped, tuple(one.answer for one in choices))


def rotated(choice: Choice, by: int) -> Choice:
    """The same question, its options ``by`` places on, the last ones at the front."""
    n = len(choice.options)
    moved = tuple(choice.options[(place - by) % n] for place in range(n))
    return replace(choice, options=moved, answer=(choice.answer + by) % n)


def placed(choice: Choice, place: int) -> Choice:
    """The same question with the right option at ``place``."""
    return rotated(choice, place - choice.answer)


def back(scores: Tensor, by: int) -> Tensor:
    """Scores (n, 4) of rotated questions in the order before the rotation."""
    return scores.roll(-by, dims=1)


def make_uneven(n: int, seed: int | str = 0, split: str = "train") -> list[Choice]:
    """Questions whose options list one, two or three treats.

    Three animals like one, two and three treats, one of them is asked about, and the
    fourth option lists treats that nobody likes. A right option is of each length
    equally often.
    """
    return [_uneven(Random(f"uneven/{seed}/{split}/{i}"), split) for i in range(n)]


def _uneven(rng: Random, split: str) -> Choice:
    while True:
        cast = Cast(rng, split)
        heroes = [cast.character() for _ in range(3)]
        sizes = rng.sample((1, 2, 3), 3)
        liked = [[cast.treat().many for _ in range(size)] for size in sizes]
        if split == "train" or held_out_combinations(cast.entities):
            break
    used = {treat for treats in liked for treat in treats}
    others = [treat.many for treat in TREATS if treat.many not in used]
    told = " ".join(f"{hero.full} likes {enumeration(treats)}."
                    for hero, treats in zip(heroes, liked))
    asked = rng.randrange(3)
    name = heroes[asked].name
    lists = [*liked, rng.sample(others, rng.choice((1, 2, 3)))]
    order = rng.sample(range(4), 4)
    options = tuple(f"{name} likes {enumeration(lists[i])}." for i in order)
    return Choice(f"{told} What does {name} like?", options, order.index(asked), "list")
