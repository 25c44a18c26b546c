"""A world so small that the best policy is a table: RLHF with an answer key.

Eight tokens, answers of four, so 4,096 answers. Every probability, every expected
reward and every KL divergence is a sum over a table, without sampling noise, and so is
the optimum of equation 4 of the Llama 2 paper: pi* = pi_0 exp(r / beta) / Z. The
functions that train here are those that train the chat model.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..config import LlamaConfig
from ..errors import UserError
from ..model import Llama
from .data import pack
from .dpo import DPOSettings, TokenPairs, train_dpo
from .ppo import Learner, PPOSettings, ValueModel, read, train_ppo
from .rejection import RejectionSettings, rejection_round
from .rollout import Rollout
from .sft import Row, SFTSettings, finetune

TOKENS, LENGTH, PROMPT = 8, 4, [0]
SHAPE = LlamaConfig(TOKENS, 32, 1, 2, ffn_dim=64, max_seq_len=LENGTH + 1)


def answers() -> Tensor:
    """All answers, (4096, 4), counted up like numbers of four digits in base 8."""
    return torch.cartesian_prod(*[torch.arange(TOKENS)] * LENGTH)


def number_of(answers: Tensor) -> Tensor:
    """Row of each answer (..., 4) in the table of all, (...)."""
    digits = TOKENS ** torch.arange(LENGTH - 1, -1, -1)
    return (answers * digits).sum(dim=-1)


def with_prompt(answers: Tensor) -> tuple[Tensor, Tensor]:
    """Prompt and answer in a row, (n, 5), and the mask of the answers."""
    prompt = torch.tensor(PROMPT).expand(len(answers), 1)
    tokens = torch.cat([prompt, answers], dim=1)
    mask = torch.ones_like(tokens, dtype=torch.bool)
    mask[:, 0] = False
    return tokens, mask


def make_policy(seed: int = 0) -> Llama:
    """A Llama of some 11,000 weights, untrained but opinionated: the reference."""
    model = Llama(SHAPE)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight.normal_(std=0.6 * weight.shape[1] ** -0.5, generator=generator)
    return model.eval()


@torch.no_grad()
def table(policy: nn.Module) -> Tensor:
    """Log-probability of every answer under a policy, (4096,), float64, in nats."""
    tokens, mask = with_prompt(answers())
    return torch.where(mask, read(policy, tokens)[0], 0.0).double().sum(dim=1)


def make_rewards(reference: Tensor, seed: int = 0) -> Tensor:
    """A reward for every answer, (4096,): mean 0 and deviation 1 under the reference.

    Every token has a worth at every place, and so has every pair of neighbours: a
    policy must look at what it wrote to do well.
    """
    generator = torch.Generator().manual_seed(seed)
    alone = torch.randn(LENGTH, TOKENS, generator=generator, dtype=torch.double)
    paired = torch.randn(TOKENS, TOKENS, generator=generator, dtype=torch.double)
    all_answers = answers()
    rewards = alone[torch.arange(LENGTH), all_answers].sum(dim=1)
    rewards += paired[all_answers[:, :-1], all_answers[:, 1:]].sum(dim=1)
    mean = expected(reference, rewards)
    deviation = expected(reference, (rewards - mean) ** 2) ** 0.5
    return (rewards - mean) / deviation


def expected(logprobs: Tensor, values: Tensor) -> float:
    """Mean of ``values`` (answers,) under a policy given as log-probabilities."""
    return (logprobs.exp() * values).sum().item()


def kl(logprobs: Tensor, other: Tensor) -> float:
    """KL(policy || other) in nats, exactly; both (answers,) log-probabilities."""
    terms = logprobs.exp() * (logprobs - other)
    return torch.where(logprobs.isneginf(), 0.0, terms).sum().item()


def optimum(reference: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """The policy that maximises E[r] - beta KL: pi_0 exp(r / beta), normalised.

    All (answers,), log-probabilities in and out. (For instance Rafailov et al.,
    arXiv 2305.18290, equation 4.)
    """
    if not beta > 0:
        raise UserError(f"beta must be above zero, not {beta}: without a penalty the "
                        "optimum is the best answer alone")
    return (reference + rewards / beta).log_softmax(dim=0)


def frontier(reference: Tensor, rewards: Tensor, betas: Sequence[float]) -> Tensor:
    """KL in nats and expected reward of the optimum at each beta, (betas, 2). No policy
    of that KL has a higher reward."""
    best = [optimum(reference, rewards, beta) for beta in betas]
    return torch.tensor([[kl(p, reference), expected(p, rewards)] for p in best])


@dataclass(frozen=True)
class Standing:
    """Where a policy stands. KL and gap in nats, rewards in deviations."""

    kl: float  # from the reference
    reward: float
    best_reward: float  # of the frontier at this KL
    gap: float  # KL(policy || the frontier's policy of this KL)


def standing(policy: Tensor, reference: Tensor, rewards: Tensor) -> Standing:
    """Compare a policy with the frontier at its own KL; all (answers,).

    Between policies of equal KL, the reward missed is beta times the KL divergence
    from the frontier's policy: so the gap in nats is the gap in reward over beta.
    """
    spent = kl(policy, reference)
    # KL falls as beta rises, so halving an interval of log beta finds it
    low, high = math.log(1e-3), math.log(1e3)
    for _ in range(60):
        middle = (low + high) / 2
        more = kl(optimum(reference, rewards, math.exp(middle)), reference) > spent
        low, high = (middle, high) if more else (low, middle)
    best = optimum(reference, rewards, math.exp(low))
    return Standing(spent, expected(policy, rewards), expected(best, rewards),
                    kl(policy, best))


@dataclass
class World:
    """A reference policy and a reward over its answers, with the answer key."""

    policy: Llama
    reference: Tensor  # (4096,) log-probabilities
    rewards: Tensor  # (4096,)

    @staticmethod
    def make(seed: int = 0) -> "World":
        """Draw a policy and a reward."""
        policy = make_policy(seed)
        reference = table(policy)
        return World(policy, reference, make_rewards(reference, seed))

    def score(self, rollout: Rollout, numbers: list[int]) -> Tensor:
        """Reward of each answer of a rollout, (batch,); for train_ppo and others."""
        rows = number_of(rollout.tokens[:, -LENGTH:])
        return self.rewards[rows].float()

    def standing(self, policy: nn.Module | Tensor) -> Standing:
        """Of a policy, or of its table."""
        logprobs = policy if isinstance(policy, Tensor) else table(policy)
        return standing(logprobs, self.reference, self.rewards)

    def to_optimum(self, policy: nn.Module, beta: float) -> float:
        """KL(policy || optimum at beta), in nats."""
        return kl(table(policy), optimum(self.reference, self.rewards, beta))


# Settings that reach the frontier in some seconds ---------------------------------

PPO = PPOSettings(iterations=80, batch=512, minibatch=128, epochs=2,
                  max_new_tokens=LENGTH, beta=0.5, policy_rate=3e-3, value_rate=3e-3,
                  final_fraction=0.0, weight_decay=0.0, truncation_penalty=None)
REJECTION = RejectionSettings(samples=4, max_new_tokens=LENGTH, batch=8192,
                              truncation_penalty=None)
IMITATION = SFTSettings(epochs=1, batch=256, length=LENGTH, peak=6e-3,
                        weight_decay=0.0)
DPO = DPOSettings(steps=400, batch=1024, beta=1.0, rate=6e-3, weight_decay=0.0)


def by_ppo(world: World, settings: PPOSettings = PPO, every: int = 10,
           **formulas: Callable) -> tuple[Llama, list[Row]]:
    """Train a copy of the reference with PPO; rows hold the true KL to the optimum.

    It is measured after every ``every`` iterations, as ``to_optimum``. ``formulas`` go
    to Learner.start.
    """
    policy = copy.deepcopy(world.policy)
    learner = Learner.start(policy, ValueModel(policy), settings, **formulas)

    def measure(row: Row) -> None:
        if (row["iteration"] + 1) % every == 0:
            row["to_optimum"] = world.to_optimum(policy, settings.beta)

    rows = train_ppo(learner, [PROMPT], world.score, settings, eos_id=-1, watch=measure)
    return policy, rows


def by_rejection(world: World, n_prompts: int = 32768,
                 settings: RejectionSettings = REJECTION,
                 imitation: SFTSettings = IMITATION) -> tuple[Llama, list[Row]]:
    """Train a copy of the reference on best-of-n answers, in one round."""
    policy = copy.deepcopy(world.policy)
    best, _ = rejection_round(policy, [PROMPT] * n_prompts, world.score, settings, None)
    windows = pack([one.example for one in best], LENGTH)
    return policy, finetune(policy, windows, imitation, progress=False)


def by_dpo(world: World, settings: DPOSettings = DPO, rounds: int = 1
           ) -> tuple[Llama, list[Row]]:
    """Train a copy of the reference on comparisons.

    The annotator is Bradley's and Terry's: the first wins with probability
    sigmoid(difference of rewards). Then the optimum at ``beta`` is that of PPO. With
    one round, all answers compared are the reference's; with more, those of each later
    round are the policy's own as it is by then.
    """
    policy = copy.deepcopy(world.policy)
    everything, writer, drawn = answers(), world.reference, 0

    def draw(batch: int, generator: torch.Generator) -> TokenPairs:
        nonlocal writer, drawn
        if drawn and drawn * rounds % settings.steps < rounds:
            writer = table(policy)
        drawn += 1
        two = torch.multinomial(writer.exp(), 2 * batch, replacement=True,
                                generator=generator).view(2, batch)
        chance = (world.rewards[two[0]] - world.rewards[two[1]]).sigmoid()
        wins = torch.rand(batch, generator=generator, dtype=chance.dtype) < chance
        chosen, rejected = torch.where(wins, two, two.flip(0))
        return TokenPairs(*with_prompt(everything[chosen]),
                          *with_prompt(everything[rejected]))

    return policy, train_dpo(policy, draw, settings)


def complaint(to_optimum: Sequence[float], share: float = 0.1) -> str | None:
    """What is wrong with a run whose true KL to the optimum went like this, or None.

    A run of PPO that is right brings it below ``share`` of where it began. A wrong sign
    or a shifted token may still raise the score.
    """
    begin, end = to_optimum[0], to_optimum[-1]
    if end < share * begin:
        return None
    return (f"the KL divergence to the optimum went from {begin:.2f} to {end:.2f} nats "
            f"and should have fallen below {share * begin:.2f}: look at the sign of "
            "the KL penalty and at which token each advantage belongs to")
