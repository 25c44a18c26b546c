"""Multiple choice by likelihood: how MMLU and its like are scored, on the Pasture.

A language model is asked for no answer. Each option gets the probability of its text,
or of its letter, after the question, and the likeliest is the model's choice. Sources:
Hendrycks et al., arXiv 2009.03300 (MMLU); Brown et al., arXiv 2005.14165, section 2.4
(options by likelihood, with and without a correction for how likely they are anyway).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from ..errors import UserError
from ..model import Llama
from ..pasture import make_tasks
from ..pasture.world import PLACES, SOUNDS, TREATS
from ..tokenizer import Tokenizer

LETTERS = "ABCD"
VALUES = {"food": tuple(treat.many for treat in TREATS),
          "home": tuple(place.where for place in PLACES),
          "sound": tuple(sorted(set(SOUNDS))),
          "count": ("2", "3", "4", "5", "6")}
RULES = ("sum", "token", "character", "surplus")


@dataclass(frozen=True)
class Choice:
    """A question with four options, of which one is right."""

    question: str
    options: tuple[str, ...]
    answer: int  # place of the right one
    kind: str


def make_choices(n: int, seed: int = 0, split: str = "train",
                 kinds: Sequence[str] = tuple(VALUES)) -> list[Choice]:
    """``n`` questions of the Pasture; wrong options differ from the right one in one
    word or place, and half of them stand in the question where it has others."""
    rng, made = Random(f"choices/{seed}/{split}"), []
    for task in make_tasks(n, seed, split, kinds):
        values = VALUES[task.kind]
        value = max((v for v in values if v in task.reference), key=len)
        others = [v for v in values if v not in value and value not in v]
        near = [v for v in others if re.search(rf"\b{v}\b", task.prompt)][:1]
        far = rng.sample([v for v in others if v not in near], 3 - len(near))
        shown = [value, *near, *far]
        rng.shuffle(shown)
        made.append(Choice(task.prompt, tuple(task.reference.replace(value, v)
                                              for v in shown),
                           shown.index(value), task.kind))
    return made


def prompt_of(choice: Choice, examples: Sequence[Choice] = (), letters: bool = False
              ) -> str:
    """The text before the answer, after solved examples; with ``letters`` the options
    are listed and a letter is asked for."""
    parts = []
    for one in (*examples, choice):
        listed = "".join(f"{letter}. {text}\n" for letter, text
                         in zip(LETTERS, one.options)) if letters else ""
        parts.append(f"Question: {one.question}\n{listed}Answer:")
    solved = [f"{text} {LETTERS[one.answer] if letters else one.options[one.answer]}"
              for text, one in zip(parts, examples)]
    return "\n".join([*solved, parts[-1]])


@torch.no_grad()
def continuation_logprobs(model: Llama, tokenizer: Tokenizer,
                          pairs: Sequence[tuple[str, str]], batch: int = 64
                          ) -> tuple[Tensor, Tensor]:
    """For (text, continuation) pairs: the log-probability of each continuation in nats,
    and its number of tokens; both (n,).

    A space is put between the two. Raises UserError where the pieces of the text change
    with what follows, since there is then no place to cut, and for an empty
    continuation.
    """
    rows, starts = [], []
    for text, continuation in pairs:
        head = tokenizer.encode(text, bos=True)
        ids = tokenizer.encode(f"{text} {continuation}", bos=True)
        if not continuation.strip() or ids[: len(head)] != head:
            raise UserError(f"{continuation!r} cannot be cut from what stands before "
                            "it: end the text with a whole word")
        rows.append(ids)
        starts.append(len(head))
    found, where = torch.zeros(len(rows)), next(model.parameters()).device
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        width = max(len(rows[i]) for i in part)
        tokens = torch.tensor([rows[i] + [0] * (width - len(rows[i])) for i in part],
                              device=where)
        logs = model(tokens[:, :-1]).float().log_softmax(dim=-1)
        seen = logs.gather(-1, tokens[:, 1:, None]).squeeze(-1)  # (rows, width - 1)
        for i, row in zip(part, seen):
            found[i] = row[starts[i] - 1 : len(rows[i]) - 1].sum().cpu()
    counts = [len(ids) - start for ids, start in zip(rows, starts)]
    return found, torch.tensor(counts)


def option_scores(model: Llama, tokenizer: Tokenizer, choices: Sequence[Choice],
                  examples: Sequence[Choice] = (), rule: str = "sum",
                  letters: bool = False) -> Tensor:
    """A score for every option, (n, 4); the highest is the model's choice.

    ``rule``: "sum" of the log-probabilities of an option's tokens, the same by "token"
    or by "character", or its "surplus" over what it has after a bare "Answer:". With
    ``letters`` the options are A to D. Raises UserError for no questions and for a rule
    that does not exist.
    """
    if not choices:
        raise UserError("there are no questions to choose answers for")
    if rule not in RULES:
        raise UserError(f"no rule named {rule!r}: one of {', '.join(RULES)}")
    # step 1: every option behind its question
    pairs = [(prompt_of(one, examples, letters), LETTERS[place] if letters else text)
             for one in choices for place, text in enumerate(one.options)]
    # step 2
    scores, tokens = continuation_logprobs(model, tokenizer, pairs)
    # step 3: long options are unlikely, and so are rare words
    if rule == "token":
        scores = scores / tokens
    elif rule == "character":
        scores = scores / torch.tensor([len(text) for _, text in pairs])
    elif rule == "surplus":
        bare = [("Answer:", text) for _, text in pairs]
        scores = scores - continuation_logprobs(model, tokenizer, bare)[0]
    return scores.view(len(choices), -1)


def right(scores: Tensor, choices: Sequence[Choice]) -> list[bool]:
    """Which questions are answered rightly; the first of equals is taken."""
    return [int(row.argmax()) == one.answer for row, one in zip(scores, choices)]
