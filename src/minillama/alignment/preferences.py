"""Comparisons: two answers to one prompt, and an annotator who prefers one.

Source: Llama 2 paper, section 3.2.1. To get answers that differ, the paper draws the
two from different variants of the model and at different temperatures. The annotators
here are simulated, see pasture/annotators.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

import torch

from ..errors import UserError
from ..model import Llama
from ..pasture import Annotator, Request, Task
from ..tokenizer import Tokenizer
from .rollout import respond


@dataclass(frozen=True)
class Source:
    """Where answers come from: a policy at a temperature."""

    policy: Llama
    temperature: float = 1.0


@dataclass(frozen=True)
class Pair:
    """One comparison."""

    prompt: str
    chosen: str
    rejected: str
    degree: str  # one of pasture.DEGREES
    gap: float  # true score of the chosen minus that of the rejected; may be negative
    kind: str  # of the task, or category of the request
    index: int  # of the task among those given
    chosen_safe: bool = True  # the annotators of safety note this too
    rejected_safe: bool = True


def collect(policies: Sequence[Source], tasks: Sequence[Task | Request],
            annotator: Annotator, tokenizer: Tokenizer, seed: int = 0,
            max_new_tokens: int = 48, batch: int = 100) -> list[Pair]:
    """Compare two answers to every task; at most one pair a task, in their order.

    Each task gets answers from two sources drawn at random, different ones where there
    are several. Two answers that are equal word for word say nothing and make no pair.
    Raises UserError for no tasks and no policies.
    """
    if not tasks or not policies:
        raise UserError("comparisons need at least one task and one policy")
    # step 1: who answers what
    rng = Random(f"preferences/{seed}")
    slots = range(max(2, len(policies)))
    asked = [rng.sample(slots, 2) for _ in tasks]
    # step 2: each source answers all its questions together, which is faster
    written: dict[tuple[int, int], str] = {}
    for slot in slots:
        source = policies[slot % len(policies)]
        mine = [index for index, pair in enumerate(asked) if slot in pair]
        generator = torch.Generator().manual_seed(seed * 1_000_003 + slot)
        texts, _ = respond(
            source.policy, tokenizer, [tasks[index].prompt for index in mine],
            max_new_tokens, source.temperature, generator, batch) if mine else ([], [])
        written.update({(index, slot): text for index, text in zip(mine, texts)})
    # step 3: the annotator sees both and prefers one, more or less clearly
    pairs = []
    for index, (task, (one, other)) in enumerate(zip(tasks, asked)):
        first, second = written[index, one], written[index, other]
        if first != second:
            pairs.append(judge(task, first, second, annotator, rng, index))
    return pairs


def among(items: Sequence[Task | Request], texts: Mapping[str, Sequence[str]],
          annotator: Annotator, rng: Random, each: int = 2) -> list[Pair]:
    """Comparisons of answers that are there already: ``texts`` holds those to every
    prompt, and up to ``each`` different pairs of them are drawn for every item."""
    pairs = []
    for index, item in enumerate(items):
        possible = list(combinations(texts[item.prompt], 2))
        for two in rng.sample(possible, min(each, len(possible))):
            first, second = rng.sample(two, 2)  # nobody is always shown first
            if first != second:
                pairs.append(judge(item, first, second, annotator, rng, index))
    return pairs


def written(items: Sequence[Task | Request], annotator: Annotator, seed: int = 0
            ) -> list[Pair]:
    """Comparisons that need no model: a good answer against a degraded one.

    They stand for the public data with which the paper trains its reward models until
    it has comparisons of its own (section 3.2.1, Table 6).
    """
    rng = Random(f"written/{seed}")
    return [judge(item, item.reference, rng.choice(item.degraded), annotator, rng, n)
            for n, item in enumerate(items)]


def judge(task: Task | Request, first: str, second: str, annotator: Annotator,
          rng: Random, index: int = 0) -> Pair:
    """One comparison of two answers; all chance comes from ``rng``."""
    seen = annotator.compare(task, first, second, rng)
    safe = (task.safety(text) >= 0.5 for text in (seen.chosen, seen.rejected))
    return Pair(task.prompt, seen.chosen, seen.rejected, seen.degree, seen.gap,
                task.kind, index, *safe)
