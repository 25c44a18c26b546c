"""One step of training, and the learning rate it is taken with.

Values of Llama 2 (paper, section 2.2): AdamW with beta 0.9 and 0.95, eps 1e-5, weight
decay 0.1; warm-up, then a cosine down to a tenth of the peak; gradients clipped to
norm 1. AdamW: Loshchilov and Hutter, arXiv 1711.05101.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from .data import IGNORED

BETAS, EPS, WEIGHT_DECAY, CLIP = (0.9, 0.95), 1e-5, 0.1, 1.0


def learning_rate(step: int, total: int, peak: float, warmup: int,
                  final_fraction: float = 0.1) -> float:
    """Learning rate of ``step`` (from 0) of ``total``; in the unit of ``peak``."""
    if not 0 <= warmup < total:
        raise UserError(f"warm-up {warmup} must be shorter than the {total} steps")
    # step 1: a straight line up, since Adam's first estimates are poor
    if step < warmup:
        return peak * (step + 1) / warmup
    # step 2: half a cosine from 1 down to 0
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    # step 3: ... laid between the peak and a tenth of it
    return peak * (final_fraction + (1 - final_fraction) * cosine)


def make_optimiser(model: nn.Module, peak: float) -> torch.optim.AdamW:
    """AdamW with Llama 2's constants. Decay pulls on matrices only: a gain of a norm
    has no reason to be zero. (The paper does not say which; this is GPT's custom.)"""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    gains = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY},
              {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak, betas=BETAS, eps=EPS)


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean surprise in nats over the targets that are not masked.

    ``logits`` (batch, length, vocab_size), ``targets`` (batch, length).
    """
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(),
                           ignore_index=IGNORED)


def train_step(model: nn.Module, optimiser: torch.optim.Optimizer, inputs: Tensor,
               targets: Tensor, rate: float) -> tuple[float, float]:
    """Learn from one batch; returns loss (nats per token) and gradient norm."""
    # step 1: how surprised is the model by each next token?
    loss = next_token_loss(model(inputs), targets)
    # step 2
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    # step 3: a rare huge gradient must not throw the weights far away
    norm = nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    # step 4
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    return loss.item(), norm.item()
