"""Rejection sampling: draw several answers, keep the best, imitate it.

Source: Llama 2 paper, section 3.2.3 and Figure 7. The paper does not say how many
answers it draws, and calls the method broad (many answers to a prompt, all from the
policy before the round) where PPO is deep (every answer from the policy as it is by
then). The closed form of best-of-n: see Beirami et al., arXiv 2401.01879.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ..errors import UserError
from .chat import Encoded
from .losses import penalise_truncation
from .rollout import Rollout, sample
from .sft import check_settings

T = TypeVar("T")


@dataclass(frozen=True)
class RejectionSettings:
    """How to draw. ``batch`` counts answers that are sampled together."""

    samples: int = 8  # answers to each prompt
    max_new_tokens: int = 48
    temperature: float = 1.0
    truncation_penalty: float | None = 1.0  # see losses.penalise_truncation
    batch: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        check_settings(self, may_be_zero=("seed", "truncation_penalty"))


@dataclass(frozen=True)
class Best:
    """The best answer to a prompt, ready to be packed for fine-tuning."""

    number: int  # of its prompt
    example: Encoded
    score: float


def best_of(samples: Sequence[Sequence[T]], scores: Tensor) -> list[T]:
    """The sample of highest score for each prompt, the first among equals.

    ``samples`` holds n answers to each prompt, ``scores`` is (prompts, n).
    """
    if len(samples) != len(scores) or any(len(s) != scores.shape[1] for s in samples):
        raise UserError("every answer needs one score: samples and scores differ")
    return [row[best] for row, best in zip(samples, scores.argmax(dim=1).tolist())]


class Drawn(NamedTuple):
    """Answers that were sampled together, and the numbers of their prompts."""

    numbers: list[int]
    rollout: Rollout


def draw_answers(policy: nn.Module, prompts: list[list[int]],
                 settings: RejectionSettings, eos_id: int | None,
                 sampler: Callable[..., Rollout] = sample) -> list[Drawn]:
    """Answer every prompt ``samples`` times, the answers to one prompt in a row."""
    if not prompts:
        raise UserError("the set of prompts is empty: rejection sampling needs one")
    generator = torch.Generator().manual_seed(settings.seed)
    # step 1: each prompt as often as it shall be answered, one after the other
    numbers = [i for i in range(len(prompts)) for _ in range(settings.samples)]
    parts = [numbers[first : first + settings.batch]
             for first in range(0, len(numbers), settings.batch)]
    # step 2
    return [Drawn(part, sampler(policy, [prompts[i] for i in part],
                                settings.max_new_tokens, settings.temperature,
                                generator, eos_id)) for part in parts]


@torch.no_grad()
def choose(drawn: Sequence[Drawn], score: Callable[[Rollout, list[int]], Tensor],
           settings: RejectionSettings, eos_id: int | None
           ) -> tuple[list[Best], Tensor]:
    """The best answer to every prompt, and all scores, (prompts, samples).

    A prompt whose best answer was cut off has none, if any answer ended at all:
    whoever imitates it learns not to end.
    """
    # step 3
    scores = [penalise_truncation(score(rollout, numbers), rollout.ended,
                                  settings.truncation_penalty)
              for numbers, rollout in drawn]
    # step 4
    table = torch.cat(scores).view(-1, settings.samples)
    texts = [text for _, rollout in drawn for text in _examples(rollout)]
    groups = [texts[first : first + settings.samples]
              for first in range(0, len(texts), settings.samples)]
    best = [Best(i, example, top) for i, (example, top) in enumerate(
        zip(best_of(groups, table), table.amax(dim=1).tolist()))]
    return [one for one in best if one.example.ids[-1] == eos_id] or best, table


def rejection_round(policy: nn.Module, prompts: list[list[int]],
                    score: Callable[[Rollout, list[int]], Tensor],
                    settings: RejectionSettings, eos_id: int | None,
                    sampler: Callable[..., Rollout] = sample
                    ) -> tuple[list[Best], Tensor]:
    """Draw and choose: the best answers, and the scores of all.

    ``score`` is given the answers and the numbers of their prompts, and returns one
    score for each, higher is better.
    """
    drawn = draw_answers(policy, prompts, settings, eos_id, sampler)
    return choose(drawn, score, settings, eos_id)


def _examples(rollout: Rollout) -> list[Encoded]:
    """Each text without its padding, and which of its tokens are the answer."""
    rows = zip(rollout.tokens.tolist(), rollout.answer_mask.tolist(),
               rollout.lengths.tolist())
    return [Encoded(tokens[:end], mask[:end]) for tokens, mask, end in rows]


def max_and_median(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over prompts of the best and of the median of the first 1, 2, ... answers.

    ``scores`` is (prompts, n); returns two (n,), the curves of the paper's Figure 7.
    Their distance is what imitating the best could gain.
    """
    sizes = range(1, scores.shape[1] + 1)
    best = [scores[:, :n].amax(dim=1).mean() for n in sizes]
    median = [scores[:, :n].quantile(0.5, dim=1).mean() for n in sizes]
    return torch.stack(best), torch.stack(median)


def best_of_n(probabilities: Tensor, rewards: Tensor, n: int) -> Tensor:
    """Exact distribution of the best of ``n`` draws, (answers,) like both inputs.

    The best has reward r where all draws have at most r but not all have less:
    F(r)^n - F(below r)^n. Among answers of equal reward the first drawn is kept, so
    they share it in proportion to their probability.
    """
    if n < 1:
        raise UserError(f"the best of {n} answers does not exist: n is at least 1")
    # step 1: probability of each level of reward
    levels, level = rewards.unique(return_inverse=True)
    mass = torch.zeros(len(levels), dtype=probabilities.dtype)
    mass = mass.index_add(0, level, probabilities)
    # step 2: ... and of staying at or below it
    below = mass.cumsum(0) - mass
    chance = (below + mass) ** n - below**n
    # step 3
    return probabilities * (chance / mass.clamp(min=1e-300))[level]


def best_of_n_kl(n: int) -> float:
    """KL divergence in nats of best-of-n from the policy it draws from, where no two
    answers are equal; with a finite number of answers it is an upper bound."""
    return math.log(n) - (n - 1) / n
