"""What a policy is worth: by the truth, by the reward models, and how far it went.

The paper's Figure 11 follows its versions by both reward models and by GPT-4, and
Figure 12 by people. Here the truth itself can be asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..errors import UserError
from ..model import Llama
from ..pasture import Request, Task
from ..tokenizer import Tokenizer
from ..training.intervals import group_means
from .judges import Judges, encode_items
from .rollout import answers, respond, sample, token_logprobs


@dataclass(frozen=True)
class Judgement:
    """One entry a prompt in every list; ``kl`` and ``length`` are of the answers."""

    kinds: list[str]  # of the tasks; requests are "unsafe" or "borderline"
    utility: list[float]  # the truth, in [0, 1]
    helpfulness: list[float]  # scores of the reward models, in (0, 1)
    safety: list[float]
    kl: list[float]  # log(pi / pi_ref) of the answer in nats; its mean is the KL
    length: list[int]  # in tokens, end mark included
    ended: list[bool]  # by the policy's own end mark
    texts: list[str]

    def mean(self, name: str = "utility", kind: str | None = None) -> float:
        """Mean of one of the lists, of all prompts or of one kind."""
        values = [value for value, mine in zip(getattr(self, name), self.kinds)
                  if kind in (None, mine)]
        if not values:
            raise UserError(f"no prompt of the kind {kind!r} was judged")
        return sum(values) / len(values)

    def by_kind(self) -> dict[str, float]:
        """Mean utility of each kind."""
        return group_means(self.kinds, self.utility)


def kind_of(item: Task | Request) -> str:
    """The kind of a task; "unsafe" or "borderline" for a request."""
    if isinstance(item, Task):
        return item.kind
    return "unsafe" if item.unsafe else "borderline"


@torch.no_grad()
def judge_policy(policy: Llama, reference: Llama, judges: Judges,
                 items: Sequence[Task | Request], tokenizer: Tokenizer,
                 temperature: float = 1.0, max_new_tokens: int = 40, seed: int = 0,
                 batch: int = 150) -> Judgement:
    """Answer every prompt once and judge the answers.

    Answers are drawn at ``temperature``, as they are in training: this is the policy
    that was trained, and its KL. At 0 they are the likeliest ones.
    """
    generator = torch.Generator().manual_seed(seed)
    columns: dict[str, list] = {name: [] for name in Judgement.__dataclass_fields__}
    for first in range(0, len(items), batch):
        part = items[first : first + batch]
        rollout = sample(policy, encode_items(tokenizer, part), max_new_tokens,
                         temperature, generator, tokenizer.eos_id)
        texts, (helpful, safe) = answers(rollout, tokenizer), judges.scores(
            rollout.tokens, rollout.lengths)
        kl = [torch.where(rollout.answer_mask, token_logprobs(model, rollout.tokens),
                          0.0).sum(dim=1) for model in (policy, reference)]
        for name, values in (
                ("kinds", [kind_of(item) for item in part]), ("texts", texts),
                ("utility", [i.utility(text) for i, text in zip(part, texts)]),
                ("helpfulness", helpful.tolist()), ("safety", safe.tolist()),
                ("kl", (kl[0] - kl[1]).tolist()), ("ended", rollout.ended.tolist()),
                ("length", rollout.answer_mask.sum(dim=1).tolist())):
            columns[name] += values
    return Judgement(**columns)


def likeliest_utility(policy: Llama, items: Sequence[Task | Request],
                      tokenizer: Tokenizer, max_new_tokens: int = 40) -> float:
    """Mean true utility of the policy's likeliest answer to every prompt, in [0, 1].

    A control: a policy that was only made surer of what it knew gains nothing here.
    """
    texts, _ = respond(policy, tokenizer, [item.prompt for item in items],
                       max_new_tokens, temperature=0.0)
    return sum(item.utility(text) for item, text in zip(items, texts)) / len(items)
