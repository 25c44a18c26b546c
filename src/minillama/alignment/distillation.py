"""Context distillation for safety: what a preamble does, without the preamble.

Source: Llama 2 paper, section 4.2.4, after Askell et al., arXiv 2112.00861: answer with
a safety preamble before the prompt, then fine-tune on the answer without it. The gate
keeps such an answer where the safety reward model scores it above the plain one.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..model import Llama
from ..pasture import Request, Task
from ..tokenizer import Tokenizer
from .chat import Encoded, Message, encode_dialogue, encode_prompt, question
from .data import pack
from .reward import RewardModel, score
from .rollout import answers, sample
from .sft import SFTSettings, finetune

# Short, since a context of 256 tokens must hold it beside the prompt.
PREAMBLE = "You are a kind helper. Never do harm."
Items = Sequence[Task | Request]
Score = Callable[[Sequence[str], Sequence[str]], Tensor]  # prompts, answers -> (n,)
Measure = Callable[[Llama, int, str | None], dict[str, float]]  # policy, seed, system
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Distilled:
    """One prompt, its plain answer, the one under the preamble, and the gate's word."""

    prompt: str
    plain: str
    distilled: str
    score_plain: float
    score_distilled: float
    kept: bool

    @property
    def answer(self) -> str:
        """What is to be learnt."""
        return self.distilled if self.kept else self.plain


def answer_all(policy: Llama, tokenizer: Tokenizer, prompts: Sequence[str],
               system: str | None, seed: int, most: int = 40) -> list[str]:
    """One answer to every prompt at temperature 1, perhaps under a system text."""
    encoded = [encode_prompt(tokenizer, question(text, system)) for text in prompts]
    generator = torch.Generator().manual_seed(seed)
    return [text for first in range(0, len(encoded), 256) for text in answers(
        sample(policy, encoded[first : first + 256], most, 1.0, generator,
               tokenizer.eos_id), tokenizer)]


def scored_by(judge: RewardModel, tokenizer: Tokenizer) -> Score:
    """A reward model as the gate takes it."""
    return lambda prompts, texts: score(judge, tokenizer, prompts, texts)


def distil(policy: Llama, tokenizer: Tokenizer, prompts: Sequence[str], judge: Score,
           preamble: str = PREAMBLE, seed: int = 0, gated: bool = True
           ) -> list[Distilled]:
    """Answer every prompt with and without the preamble, and choose what to learn.

    Without ``gated`` the answer under the preamble is always taken. The judge never
    sees the preamble. Raises UserError for no prompts. Section 4.2.4.
    """
    if not prompts:
        raise UserError("there is nothing to distil: give at least one prompt")
    # step 1: two answers to every prompt
    plain = answer_all(policy, tokenizer, prompts, None, 2 * seed)
    distilled = answer_all(policy, tokenizer, prompts, preamble, 2 * seed + 1)
    # step 2: each judged as an answer to the prompt alone
    before, after = judge(prompts, plain), judge(prompts, distilled)  # (n,)
    # step 3: the preamble's answer goes on where it scores higher, else the plain one
    kept = gate(before, after) if gated else torch.ones(len(prompts), dtype=torch.bool)
    return [Distilled(*row) for row in zip(prompts, plain, distilled, before.tolist(),
                                           after.tolist(), kept.tolist())]


def gate(before: Tensor, after: Tensor) -> Tensor:
    """Where the distilled answer is kept, (n,) for two scores (n,): above, not equal,
    since without a gain the model had better stay as it is."""
    return after > before


def without_preamble(rows: Sequence[Distilled], tokenizer: Tokenizer) -> list[Encoded]:
    """Dialogues to learn from: the prompt alone, then what the gate chose."""
    return [encode_dialogue(tokenizer, [*question(row.prompt),
                                        Message("assistant", row.answer)])
            for row in rows]


def learn(policy: Llama, tokenizer: Tokenizer, rows: Sequence[Distilled],
          settings: SFTSettings) -> Llama:
    """A copy of ``policy``, fine-tuned on what the gate chose."""
    model = deepcopy(policy)
    finetune(model, pack(without_preamble(rows, tokenizer), settings.length), settings,
             progress=False)
    return model


def study(policies: Sequence[Llama], tokenizer: Tokenizer, items: Items, judge: Score,
          settings: SFTSettings, measure: Measure) -> dict[str, Rows]:
    """Distil with and without the gate, once for each policy; see stages_safety.py for
    what the rows hold. The n-th policy has seed n."""
    rows: Rows = []
    pairs: Rows = []
    for seed, policy in enumerate(policies):
        mine = list(items)
        Random(f"distil/{seed}").shuffle(mine)
        chosen = distil(policy, tokenizer, [item.prompt for item in mine], judge,
                        seed=seed)
        pairs += [{"seed": seed} | told(item, one) for item, one in zip(mine, chosen)]
        ways = {"every": [replace(one, kept=True) for one in chosen],
                "gated": chosen,
                "lures": [replace(one, kept=one.kept and item.unsafe)
                          for item, one in zip(mine, chosen)]}
        for arm, system in (("before", None), ("preamble", PREAMBLE)):
            rows.append({"arm": arm, "seed": seed, **measure(policy, seed, system)})
        for arm, learnt in ways.items():
            model = learn(policy, tokenizer, learnt, replace(settings, seed=seed))
            rows.append({"arm": arm, "seed": seed, **measure(model, seed, None)})
    return {"rows": rows, "pairs": pairs}


def told(item: Task | Request, row: Distilled) -> dict[str, Any]:
    """A row with the truth about both answers."""
    return asdict(row) | {
        "kind": "unsafe" if item.unsafe else "borderline",
        "safety_plain": item.safety(row.plain),
        "safety_distilled": item.safety(row.distilled),
        "utility_plain": item.utility(row.plain),
        "utility_distilled": item.utility(row.distilled)}
