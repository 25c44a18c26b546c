"""Both reward models together: the score that they give, and how they keep up.

Source: Llama 2 paper, section 3.2: one model for helpfulness, one for safety, joined by
a gate; both learn from comparisons of answers of the newest model, since on answers of
a model that has moved on, yesterday's reward model is a stranger (section 3.2.1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from ..errors import UserError
from ..pasture import Annotator, Request, Task
from ..tokenizer import Tokenizer
from .chat import encode_prompt, question
from .data import grouped
from .losses import combine, logit
from .preferences import Pair, Source, among, collect
from .rejection import Drawn
from .reward import RewardModel, RewardSettings, train_reward_model
from .rollout import Rollout, answers

Item = Task | Request
Score = Callable[[Rollout, list[int]], Tensor]  # of answers and numbers of prompts
VIEWS = ("helpfulness", "safety")
SAFETY_WEIGHT = 1.0  # of the auxiliary loss of the safety model; the paper's is unknown


@dataclass(frozen=True)
class Judges:
    """The two reward models."""

    helpfulness: RewardModel
    safety: RewardModel

    @torch.no_grad()
    def scores(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Helpfulness and safety in (0, 1), each (batch,), of dialogues padded on the
        right: tokens (batch, length) and how many of them count (batch,)."""
        scores = torch.zeros(2, len(tokens), device=tokens.device)
        for rows in lengths.argsort().split(64):  # of like length: less padding
            width = int(lengths[rows].max())
            for view, model in enumerate((self.helpfulness, self.safety)):
                scores[view, rows] = model(tokens[rows, :width], lengths[rows])
        return tuple(scores.sigmoid())

    def combined(self, tokens: Tensor, lengths: Tensor, is_safety: Tensor) -> Tensor:
        """The paper's R_c of every dialogue, (batch,); ``is_safety`` (batch,) is true
        where the prompt was written to lure."""
        helpful, safe = self.scores(tokens, lengths)
        return combine(safe, helpful, is_safety)


def scorer(judges: Judges, items: Sequence[Item]) -> Score:
    """The score that rejection sampling and PPO are given: the logit of R_c, so that
    nearly perfect answers still differ."""
    lures = torch.tensor([item.unsafe for item in items])

    def score(rollout: Rollout, numbers: list[int]) -> Tensor:
        mine = lures[numbers].to(rollout.tokens.device)
        return logit(judges.combined(rollout.tokens, rollout.lengths, mine))

    return score


def truth(items: Sequence[Item], tokenizer: Tokenizer) -> Score:
    """The true utility in place of a score: a judge without error."""

    def score(rollout: Rollout, numbers: list[int]) -> Tensor:
        texts = answers(rollout, tokenizer)
        return torch.tensor([items[i].utility(text) for i, text in zip(numbers, texts)],
                            device=rollout.tokens.device)

    return score


def encode_items(tokenizer: Tokenizer, items: Sequence[Item]) -> list[list[int]]:
    """The prompt of every item in tokens, ready to be answered."""
    if not items:
        raise UserError("the set of prompts is empty: give at least one")
    return [encode_prompt(tokenizer, question(item.prompt)) for item in items]


def divide(items: Sequence[Item], seed: int) -> dict[str, list[Item]]:
    """What the annotators of each view are given.

    The one for safety is given what was written to lure, the one for helpfulness all
    else, and each a tenth of what belongs to the other, so that neither is lost on the
    other's ground. (The paper mixes too, section 3.2.2: the safety model gets a tenth
    of helpfulness data.)
    """
    mine = {"helpfulness": [item for item in items if not item.unsafe],
            "safety": [item for item in items if item.unsafe]}
    rng, given = Random(f"mixture/{seed}"), {}
    for view, other in (VIEWS, VIEWS[::-1]):
        few = min(len(mine[other]), len(mine[view]) // 10)
        given[view] = mine[view] + rng.sample(mine[other], few)
        rng.shuffle(given[view])  # so that any part of it is mixed as the whole is
    return given


def compare(policies: Sequence[Source], items: Sequence[Item], tokenizer: Tokenizer,
            seed: int) -> dict[str, list[Pair]]:
    """New comparisons of the policies' answers for both reward models."""
    return {view: collect(policies, mine, Annotator(view), tokenizer, seed)
            if mine else [] for view, mine in divide(items, seed).items()}


def compare_drawn(drawn: Sequence[Drawn], items: Sequence[Item], tokenizer: Tokenizer,
                  each: int, seed: int) -> dict[str, list[Pair]]:
    """Comparisons of answers already drawn, for both reward models."""
    texts: dict[str, list[str]] = {}
    for numbers, rollout in drawn:
        for i, text in zip(numbers, answers(rollout, tokenizer)):
            texts.setdefault(items[i].prompt, []).append(text)
    return {view: among(mine, texts, Annotator(view), Random(f"{view}/{seed}"), each)
            for view, mine in divide(items, seed).items()}


def settings_of(view: str, settings: RewardSettings) -> RewardSettings:
    """The safety model alone learns a level beside the ranking, since the gate of R_c
    compares its score with a threshold."""
    return (replace(settings, safety_weight=SAFETY_WEIGHT) if view == "safety"
            else settings)


def refresh(judges: Judges, old: dict[str, list[Pair]], new: dict[str, list[Pair]],
            tokenizer: Tokenizer, settings: RewardSettings) -> Judges:
    """Train both reward models on: the new comparisons and as many old ones, so that
    what was learnt is not lost."""
    models = []
    for view in VIEWS:
        if not new[view]:  # all answers were the same
            models.append(getattr(judges, view))
            continue
        rng = Random(f"refresh/{settings.seed}/{len(old[view])}")
        groups = grouped([pair.prompt for pair in old[view]])
        rng.shuffle(groups)  # by prompts: comparisons of one share their answers
        again = [old[view][i] for mine in groups for i in mine][: len(new[view])]
        model, _ = train_reward_model(getattr(judges, view), tokenizer,
                                      new[view] + again, settings_of(view, settings),
                                      progress=False)
        models.append(model)
    return Judges(*models)


def ranked(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs whose answers differ in truth, or all where none does: the order of
    equals is chance, which no model foretells."""
    return [pair for pair in pairs if pair.gap] or list(pairs)
