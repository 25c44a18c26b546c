"""Supervised fine-tuning: pretraining's objective on answers that people wrote.

Source: Llama 2 paper, section 3.1. The objective is still next-token prediction with
AdamW and a cosine; the loss on the user's tokens is zeroed out.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Protocol

import torch
from tqdm.auto import tqdm

from ..errors import UserError
from ..tokenizer import Tokenizer
from ..training.optimisation import learning_rate, make_optimiser, train_step
from ..training.pretrain import PACE
from .chat import Encoded, Message, encode_dialogue, question
from .data import TokenWindows

Row = dict[str, float]


class Demonstration(Protocol):
    """A prompt, an answer as it should be, and some that are not: a Task or a Request
    of the Pasture."""

    prompt: str
    reference: str
    degraded: tuple[str, ...]


@dataclass(frozen=True)
class SFTSettings:
    """How to fine-tune. ``batch`` in rows, ``length`` in tokens, ``warmup`` in steps.

    The paper's, for 7B to 70B: two epochs, 64 rows of 4,096 tokens, peak 2e-5, weight
    decay 0.1. A small model bears, and needs, a much higher rate.
    """

    epochs: int = 2
    batch: int = 12
    length: int = 192
    peak: float = 2e-3
    warmup: int = 10
    seed: int = 0
    weight_decay: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        check_settings(self, may_be_zero=("warmup", "seed", "weight_decay"))


def check_settings(settings: object, may_be_zero: Sequence[str]) -> None:
    """Raise UserError for a number that is not positive, or negative where 0 is fine.

    ``settings`` is a dataclass; fields that hold no number are passed over.
    """
    for field in fields(settings):
        value = getattr(settings, field.name)
        if not isinstance(value, int | float):
            continue
        if not (value > 0 or value == 0 and field.name in may_be_zero):
            raise UserError(f"{field.name} must be positive, not {value}")


def demonstrations(items: Iterable[Demonstration], tokenizer: Tokenizer,
                   careless: float = 0.0, seed: int = 0) -> list[Encoded]:
    """Each prompt with an answer, as a dialogue of one turn.

    The answer is the reference; with probability ``careless`` it is a degraded one.
    """
    rng = Random(f"careless/{seed}")
    return [encode_dialogue(tokenizer, [*question(item.prompt), Message(
        "assistant", rng.choice(item.degraded) if rng.random() < careless
        else item.reference)]) for item in items]


def finetune(model: torch.nn.Module, windows: TokenWindows, settings: SFTSettings,
             progress: bool = True, label: str = "fine-tuning") -> list[Row]:
    """Train in place; returns a row a step: step, epoch, loss (nats), rate, norm.

    Raises UserError for no rows, and for a warm-up as long as the run. Section 3.1.
    """
    if not len(windows):
        raise UserError("there are no rows to learn from")
    where = next(model.parameters()).device
    # step 1
    optimiser = make_optimiser(model, settings.peak)
    optimiser.param_groups[0]["weight_decay"] = settings.weight_decay
    total = settings.epochs * math.ceil(len(windows) / settings.batch)
    log: list[Row] = []
    model.train()
    bar = tqdm(total=total, desc=label, unit="step", disable=not progress,
               mininterval=PACE)
    try:
        for epoch in range(settings.epochs):
            # step 2: every row once, in a new order
            order = settings.seed * 1_000_003 + epoch
            for inputs, targets in windows.batches(settings.batch, order):
                rate = learning_rate(len(log), total, settings.peak, settings.warmup)
                # step 3: as in pretraining, the mask being already in the targets
                loss, norm = train_step(
                    model, optimiser, inputs.to(where), targets.to(where), rate)
                log.append({"step": len(log), "epoch": epoch, "loss": loss,
                            "rate": rate, "norm": norm})
                bar.update()
    finally:
        bar.close()
        model.eval()
    return log
