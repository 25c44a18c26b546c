"""Direct preference optimisation: the optimum of PPO without sampling or rewards.

Source: Rafailov et al., arXiv 2305.18290, equations 4 to 7, published seven weeks
before Llama 2, which does not use it. The optimum of "reward minus beta times KL" is
pi_0 exp(r / beta), up to a factor; turned round, every policy has the reward under
which it is the optimum, r = beta log(pi / pi_0). Preferences then train the policy as
they would train a reward model.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from ..training.optimisation import CLIP, make_optimiser
from .data import pad
from .ppo import read
from .sft import Row, check_settings


@dataclass(frozen=True)
class TokenPairs:
    """Preferred and rejected texts; tokens (n, length) and the mask of their answers.
    Row i of both begins with the same prompt."""

    chosen: Tensor
    chosen_mask: Tensor
    rejected: Tensor
    rejected_mask: Tensor

    def rows(self, numbers: Tensor) -> "TokenPairs":
        """Some of the pairs."""
        return TokenPairs(self.chosen[numbers], self.chosen_mask[numbers],
                          self.rejected[numbers], self.rejected_mask[numbers])

    @staticmethod
    def from_ids(prompts: list[list[int]], chosen: list[list[int]],
                 rejected: list[list[int]]) -> "TokenPairs":
        """Pad lists of token ids on the right; answers hold their end mark."""
        if not prompts:
            raise UserError("the set of pairs is empty: DPO needs at least one")
        return TokenPairs(*_padded(prompts, chosen), *_padded(prompts, rejected))


def _padded(prompts: list[list[int]], answers: list[list[int]]
            ) -> tuple[Tensor, Tensor]:
    """Texts (n, longest) and True where the answer stands."""
    tokens, ends = pad([p + a for p, a in zip(prompts, answers, strict=True)])
    starts = torch.tensor([len(prompt) for prompt in prompts])
    place = torch.arange(tokens.shape[1])
    return tokens, (place >= starts[:, None]) & (place < ends[:, None])


@dataclass(frozen=True)
class DPOSettings:
    """How to run DPO. ``beta`` plays the part it plays in PPO."""

    steps: int = 200
    batch: int = 32  # pairs
    beta: float = 0.1
    rate: float = 1e-4
    final_fraction: float = 0.0  # of the rate, in the last step
    weight_decay: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if not self.beta > 0:
            raise UserError(f"beta must be above zero in DPO, not {self.beta}: rewards "
                            "are measured in it")
        check_settings(self, may_be_zero=("final_fraction", "weight_decay", "seed"))


def answer_logprob(policy: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """Log-probability of each whole answer in nats, (batch,): a sum over its tokens,
    not a mean, since it is the answer that is preferred."""
    return torch.where(mask, read(policy, tokens)[0], 0.0).sum(dim=1)


def dpo_loss(chosen: Tensor, rejected: Tensor, ref_chosen: Tensor, ref_rejected: Tensor,
             beta: float) -> tuple[Tensor, Tensor]:
    """The loss (scalar) and the margins of the implied rewards (batch,), in nats.

    All inputs are log-probabilities of whole answers, (batch,), under the policy and
    under the reference (equation 7).
    """
    # step 1: the rewards under which this policy is the optimum
    chosen_reward = beta * (chosen - ref_chosen)
    rejected_reward = beta * (rejected - ref_rejected)
    # step 2: the loss of a reward model (Llama 2 paper, equation 1)
    margin = chosen_reward - rejected_reward
    return -F.logsigmoid(margin).mean(), margin.detach()


def train_dpo(policy: nn.Module, draw: Callable[[int, torch.Generator], TokenPairs],
              settings: DPOSettings, reference: nn.Module | None = None) -> list[Row]:
    """Train ``policy`` in place; ``draw(batch, generator)`` gives the next pairs.

    Without ``reference`` it is a frozen copy of the policy. See ``from_pairs`` for
    a fixed set.
    """
    if reference is None:
        reference = copy.deepcopy(policy).requires_grad_(False).eval()
    generator = torch.Generator().manual_seed(settings.seed)
    optimiser = make_optimiser(policy, settings.rate)
    optimiser.param_groups[0]["weight_decay"] = settings.weight_decay
    rows = []
    for step in range(settings.steps):
        # step 1
        pairs = draw(settings.batch, generator)
        sides = ((pairs.chosen, pairs.chosen_mask),
                 (pairs.rejected, pairs.rejected_mask))
        # step 2
        with torch.no_grad():
            before = [answer_logprob(reference, *side) for side in sides]
        now = [answer_logprob(policy, *side) for side in sides]
        # step 3
        loss, margin = dpo_loss(*now, *before, settings.beta)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), CLIP)
        # step 4: in a straight line down
        done = step / max(1, settings.steps - 1)
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * (1 + (settings.final_fraction - 1) * done)
        optimiser.step()
        rows.append({"step": step, "loss": loss.item(), "margin": margin.mean().item(),
                     "accuracy": (margin > 0).float().mean().item(),
                     "chosen_logprob": now[0].mean().item(),
                     "rejected_logprob": now[1].mean().item()})
    return rows


def from_pairs(pairs: TokenPairs) -> Callable[[int, torch.Generator], TokenPairs]:
    """A ``draw`` for train_dpo: every pair once before any comes twice."""
    waiting: list[int] = []

    def draw(batch: int, generator: torch.Generator) -> TokenPairs:
        while len(waiting) < batch:
            n = len(pairs.chosen)
            waiting.extend(torch.randperm(n, generator=generator).tolist())
        numbers = torch.tensor(waiting[:batch])
        del waiting[:batch]
        return pairs.rows(numbers)

    return draw
