"""PPO: answers that scored better than expected become likelier, within limits.

Sources: Llama 2 paper, section 3.2.3, equations 3 and 4; Schulman et al.,
arXiv 1707.06347 (PPO) and 1506.02438 (advantages); Ziegler et al., arXiv 1909.08593
(for language). What the paper leaves open (values, advantages, discount, temperature)
is filled in by the custom of later open code, and said where it stands.

Everything at position t belongs to token t: its log-probability given what stands
before it, the value of what stands before it, its reward, its advantage.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from ..model import Llama
from ..training.optimisation import CLIP, make_optimiser
from .gae import gae
from .losses import (
    explained_variance,
    masked_mean,
    penalise_truncation,
    policy_loss,
    shaped_rewards,
    value_loss,
    whiten,
)
from .rollout import Rollout, sample
from .sft import Row, check_settings

Sampler = Callable[..., Rollout]


@dataclass(frozen=True)
class PPOSettings:
    """How to run PPO. Of the paper are clip, one step for each minibatch and the
    constant rate; ``beta`` is for scores of deviation one; the rest is for the tiny
    model."""

    iterations: int = 80
    batch: int = 64  # answers sampled in an iteration
    minibatch: int = 32
    epochs: int = 1  # passes over the answers of an iteration
    max_new_tokens: int = 48
    temperature: float = 1.0  # of sampling, and of every probability in the loss
    beta: float = 0.05  # score given up for one nat of KL
    gamma: float = 1.0  # no discount: a later score is not worth less
    lam: float = 0.95
    clip: float = 0.2
    value_clip: float | None = None  # in the unit of the score
    policy_rate: float = 1e-4
    value_rate: float = 1e-3
    weight_decay: float = 0.1
    final_fraction: float = 1.0  # of both rates, in the last iteration
    value_warmup: int = 5  # iterations in which the values alone learn
    truncation_penalty: float | None = 1.0  # None: scores of cut answers stand
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if not self.beta >= 0:
            raise UserError(f"beta, the weight of the KL penalty, is {self.beta} and "
                            "must not be below zero: that would pay for drifting away")
        check_settings(self, may_be_zero=("beta", "lam", "seed", "value_warmup",
                                          "truncation_penalty", "final_fraction",
                                          "weight_decay"))
        if self.gamma > 1 or self.lam > 1:
            raise UserError("gamma and lam lie between 0 and 1, not "
                            f"{self.gamma} and {self.lam}")


class ValueModel(nn.Module):
    """The critic: how high will this answer score, judged after each token so far?

    It is a model of its own and not a second head on the policy: what lowers the error
    of the values would pull at the weights that write. At this size the second model
    costs little. It starts as a copy of ``model`` (the policy, or the backbone of a
    reward model) with a head of zeros: its first guess is the mean of whitened scores.
    """

    def __init__(self, model: Llama) -> None:
        """Copy the backbone; the given model stays as it is."""
        super().__init__()
        self.backbone = copy.deepcopy(model).requires_grad_(True)
        head = nn.Linear(model.config.dim, 1)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.backbone.output = head.to(model.embedding.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """Values (batch, length) for tokens (batch, length), in the unit of the score.

        Position t holds what is expected before token t is drawn: the head's output
        at t - 1. A value that had already seen its token could not say whether the
        token was a good choice.
        """
        values = self.backbone(tokens[:, :-1]).squeeze(-1).float()
        return F.pad(values, (1, 0))


@dataclass
class Learner:
    """All that PPO carries from one iteration to the next, and its two formulas, so
    that a lesson can put a broken one in their place."""

    policy: nn.Module
    reference: nn.Module
    value_model: nn.Module
    policy_optimiser: torch.optim.Optimizer
    value_optimiser: torch.optim.Optimizer
    shape: Callable[..., Tensor] = shaped_rewards
    estimate: Callable[..., tuple[Tensor, Tensor]] = gae

    @staticmethod
    def start(policy: nn.Module, value_model: nn.Module, settings: PPOSettings,
              **formulas: Callable) -> "Learner":
        """Begin with ``policy``, trained in place; a frozen copy is the reference."""
        reference = copy.deepcopy(policy).requires_grad_(False).eval()
        optimisers = (make_optimiser(policy, settings.policy_rate),
                      make_optimiser(value_model, settings.value_rate))
        for optimiser in optimisers:  # the first group holds the matrices
            optimiser.param_groups[0]["weight_decay"] = settings.weight_decay
        return Learner(policy, reference, value_model, *optimisers, **formulas)

    def set_rates(self, settings: PPOSettings, iteration: int) -> None:
        """Straight from the full rates to ``final_fraction`` of them."""
        done = iteration / max(1, settings.iterations - 1)
        factor = 1 + (settings.final_fraction - 1) * done
        for optimiser, rate in ((self.policy_optimiser, settings.policy_rate),
                                (self.value_optimiser, settings.value_rate)):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor


class Batch(NamedTuple):
    """What an update learns from; each (batch, length)."""

    tokens: Tensor
    mask: Tensor  # True on answer tokens
    old_logprobs: Tensor
    old_values: Tensor
    advantages: Tensor
    returns: Tensor

    def parts(self, size: int, generator: torch.Generator) -> Iterator["Batch"]:
        """The rows in random order, ``size`` at a time."""
        order = torch.randperm(len(self.tokens), generator=generator)
        for rows in order.to(self.tokens.device).split(size):
            yield Batch(*(x[rows] for x in self))


def read(policy: nn.Module, tokens: Tensor, temperature: float = 1.0
         ) -> tuple[Tensor, Tensor]:
    """Log-probability of each token given those before it, and the entropy of the
    distribution it was drawn from; nats, (batch, length), zero at position 0."""
    logits = policy(tokens[:, :-1]).float() / temperature
    logprobs = logits.log_softmax(dim=-1)  # (batch, length - 1, vocab_size)
    drawn = logprobs.gather(-1, tokens[:, 1:, None]).squeeze(-1)
    entropy = -(logprobs.exp() * logprobs).sum(dim=-1)
    return F.pad(drawn, (1, 0)), F.pad(entropy, (1, 0))


def ppo_step(learner: Learner, rollout: Rollout, scores: Tensor, settings: PPOSettings,
             generator: torch.Generator, learn_policy: bool = True) -> Row:
    """Learn from one batch of answers with scores (batch,); returns what to watch."""
    tokens, mask = rollout.tokens, rollout.answer_mask
    # step 1: what the reference thinks of each token, and what was to be expected
    with torch.no_grad():
        reference = read(learner.reference, tokens, settings.temperature)[0]
        values = learner.value_model(tokens)
    # step 2: a KL penalty on every token, the score on the last
    scores = penalise_truncation(scores, rollout.ended, settings.truncation_penalty)
    rewards = learner.shape(scores, rollout.logprobs, reference, mask, settings.beta)
    # step 3: returns are made before whitening, since values foretell real rewards
    advantages, returns = learner.estimate(rewards, values, mask, settings.gamma,
                                           settings.lam)
    batch = Batch(tokens, mask, rollout.logprobs, values, whiten(advantages, mask),
                  returns)
    # step 4: small steps over the same answers; the clip keeps them near each other
    rows = [update(learner, part, settings, learn_policy)
            for _ in range(settings.epochs)
            for part in batch.parts(settings.minibatch, generator)]
    # step 5
    kl = torch.where(mask, rollout.logprobs - reference, 0.0).sum(dim=1)
    watched = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    return watched | {
        "first_ratio_error": rows[0]["ratio_error"],
        "score": scores.mean().item(),
        "reward": (scores - settings.beta * kl).mean().item(),
        "kl": kl.mean().item(),  # nats an answer; below zero for long means a bug
        "explained_variance": explained_variance(values, returns, mask).item(),
        "length": mask.sum(dim=1).float().mean().item(),
        "ended": rollout.ended.float().mean().item(),
    }


def update(learner: Learner, batch: Batch, settings: PPOSettings,
           learn_policy: bool = True) -> Row:
    """One step of both optimisers on one minibatch."""
    # step 1
    values = learner.value_model(batch.tokens)
    critic = value_loss(values, batch.old_values, batch.returns, batch.mask,
                        settings.value_clip)
    _descend(critic, learner.value_model, learner.value_optimiser)
    # step 2: the ratios of new to old are one until the first step is taken
    with torch.set_grad_enabled(learn_policy):
        logprobs, entropy = read(learner.policy, batch.tokens, settings.temperature)
        loss, ratio, clipped = policy_loss(logprobs, batch.old_logprobs,
                                           batch.advantages, batch.mask, settings.clip)
    norm = 0.0
    if learn_policy:
        norm = _descend(loss, learner.policy, learner.policy_optimiser)
    # step 3: ratio - 1 - log ratio estimates the KL divergence and is never negative
    moved = torch.where(batch.mask, ratio - 1 - ratio.log(), 0.0)
    return {"policy_loss": loss.item(), "value_loss": critic.item(),
            "entropy": masked_mean(entropy.detach(), batch.mask).item(),
            "clip_fraction": clipped.item(), "gradient_norm": norm,
            "approx_kl": masked_mean(moved, batch.mask).item(),
            "ratio_error": (ratio - 1).abs().max().item()}


def _descend(loss: Tensor, model: nn.Module, optimiser: torch.optim.Optimizer) -> float:
    """Follow the gradient, clipped to norm 1 as in the paper; returns its norm."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimiser.step()
    return norm.item()


def train_ppo(
    learner: Learner, prompts: list[list[int]],
    score: Callable[[Rollout, list[int]], Tensor], settings: PPOSettings, eos_id: int,
    sampler: Sampler = sample, watch: Callable[[Row], bool | None] | None = None,
) -> list[Row]:
    """Run PPO; returns one row of diagnostics for each iteration.

    ``score`` is given the answers and the numbers of their prompts and returns
    (batch,) scores, higher is better, best of deviation one. ``watch`` sees every row
    and ends the run by returning true (the paper stops early on held-out prompts).
    """
    if not prompts:
        raise UserError("the set of prompts is empty: PPO needs at least one")
    generator = torch.Generator().manual_seed(settings.seed)
    rows, waiting = [], []
    for iteration in range(settings.iterations):
        # step 1: every prompt once before any comes twice
        while len(waiting) < settings.batch:
            waiting += torch.randperm(len(prompts), generator=generator).tolist()
        numbers, waiting = waiting[: settings.batch], waiting[settings.batch :]
        # step 2: answers of the policy as it is now
        rollout = sampler(learner.policy, [prompts[i] for i in numbers],
                          settings.max_new_tokens, settings.temperature, generator,
                          eos_id)
        # step 3
        scores = score(rollout, numbers)
        if scores.shape != (settings.batch,) or not bool(scores.isfinite().all()):
            raise UserError(f"PPO needs {settings.batch} finite scores, one an answer")
        # step 4: at first the values alone learn: advantages from bad values mislead
        learner.set_rates(settings, iteration)
        row = ppo_step(learner, rollout, scores, settings, generator,
                       learn_policy=iteration >= settings.value_warmup)
        rows.append({"iteration": iteration} | row)
        if watch is not None and watch(rows[-1]):
            break
    return rows
