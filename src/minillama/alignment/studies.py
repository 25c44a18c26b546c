"""The questions that need more than one training run; each is asked with three
seeds."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

import torch
from torch import nn

from ..model import Llama
from ..pasture import Request, Task
from ..tokenizer import Tokenizer
from ..training.data import TokenStream
from ..training.intervals import group_means
from ..training.pretrain import evaluate
from .data import pack
from .preferences import Pair
from .reward import RewardModel, RewardSettings, accuracy, score, train_reward_model
from .rollout import respond
from .sft import SFTSettings, demonstrations, finetune

Rows = list[dict[str, Any]]
MIXES = {"few, clean": (400, 0.0), "many, noisy": (1600, 0.5), "many, clean": (1600, 0)}


def quality(base: Llama, tokenizer: Tokenizer, items: Sequence[Task | Request],
            asked: Sequence[Task], text: TokenStream, settings: SFTSettings,
            seeds: Sequence[int]) -> Rows:
    """Few clean demonstrations against many noisy ones, and what the base model forgets
    of the text it was pretrained on. The paper preferred few and clean ones to the
    millions it had from third parties (section 3.1).

    ``asked`` are held-out tasks, answered greedily; ``text`` is held-out text.
    """
    rows = []
    for seed in seeds:
        for name, (n, wrong) in MIXES.items():
            model, mine = deepcopy(base), Random(f"{name}/{seed}").sample(items, n)
            examples = demonstrations(mine, tokenizer, wrong, seed)
            finetune(model, pack(examples, settings.length),
                     replace(settings, seed=seed), label=f"{name}, seed {seed}")
            texts, ended = respond(model, tokenizer, [task.prompt for task in asked],
                                   40, 0.0)
            worth = [task.utility(text) for task, text in zip(asked, texts)]
            rows.append({"name": name, "examples": n, "wrong": wrong, "seed": seed,
                         "utility": sum(worth) / len(worth),
                         "ended": sum(ended) / len(ended),
                         "by_kind": group_means([task.kind for task in asked], worth),
                         "heldout_loss": evaluate(model, text, 256)})
            model.eval()
    return rows


def shallow(model: Llama, layers: int) -> Llama:
    """A copy that keeps only the first ``layers`` layers: a smaller model of the same
    upbringing."""
    copy = deepcopy(model)
    copy.layers = nn.ModuleList(copy.layers[:layers])
    copy.config = copy.config.replace(n_layers=layers)
    return copy


def reward_scaling(chat: Llama, tokenizer: Tokenizer, train: Sequence[Pair],
                   heldout: Sequence[Pair], sizes: Sequence[int],
                   depths: Sequence[int], settings: RewardSettings,
                   seeds: Sequence[int]) -> Rows:
    """Accuracy against the number of comparisons and of layers (the tiny Figure 6)."""
    rows = []
    for seed in seeds:
        for depth in depths:
            backbone = shallow(chat, depth)
            for n in sizes:
                pairs = Random(f"scaling/{seed}/{n}").sample(train, n)
                model, _ = train_reward_model(
                    backbone, tokenizer, pairs, replace(settings, seed=seed),
                    label=f"{depth} layers, {n} pairs, seed {seed}")
                parameters = sum(p.numel() for p in model.parameters())
                rows.append({"size": f"{depth} layers", "parameters": parameters,
                             "pairs": n, "seed": seed,
                             "accuracy": accuracy(model, tokenizer, heldout)})
    return rows


def margins(chat: Llama, tokenizer: Tokenizer, train: Sequence[Pair],
            heldout: Sequence[Pair], n: int, settings: RewardSettings,
            seeds: Sequence[int]) -> Rows:
    """The ranking loss without a margin and with both tables (Tables 27 and 28)."""
    rows = []
    for seed in seeds:
        pairs = Random(f"margins/{seed}").sample(train, n)
        for margin in (None, "small", "large"):
            model, _ = train_reward_model(
                chat, tokenizer, pairs, replace(settings, seed=seed, margin=margin),
                label=f"margin {margin}, seed {seed}")
            rows.append({"margin": margin, "seed": seed,
                         "accuracy": accuracy(model, tokenizer, heldout),
                         "scores": all_scores(model, tokenizer, heldout)})
    return rows


def all_scores(model: RewardModel, tokenizer: Tokenizer, pairs: Sequence[Pair]
               ) -> list[float]:
    """Scores of the preferred answers, then of the rejected ones."""
    prompts = [pair.prompt for pair in pairs]
    return torch.cat([score(model, tokenizer, prompts, [p.chosen for p in pairs]),
                      score(model, tokenizer, prompts, [p.rejected for p in pairs])
                      ]).tolist()
