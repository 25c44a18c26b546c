"""From a fine-tuned model to RLHF-V5: four rounds of rejection sampling, then PPO.

Source: Llama 2 paper, section 3.2.3 and Figure 11. In each round the annotators compare
answers of the newest model, and the reward models learn from that before they choose.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import UserError
from ..model import Llama
from ..tokenizer import Tokenizer
from ..training.pretrain import PACE
from .chat import Encoded
from .data import pack
from .judges import (
    VIEWS,
    Item,
    Judges,
    Score,
    compare_drawn,
    encode_items,
    ranked,
    refresh,
    scorer,
    truth,
)
from .losses import standardise
from .ppo import Learner, PPOSettings, ValueModel, train_ppo
from .preferences import Pair
from .rejection import Best, Drawn, RejectionSettings, choose, draw_answers
from .reward import RewardSettings, accuracy
from .rollout import Rollout, sample
from .sft import Row, SFTSettings, check_settings, finetune


@dataclass(frozen=True)
class RLHFSettings:
    """How to run the five versions."""

    prompts: int = 800  # new ones in every round, and for the judges of PPO
    comparisons: int = 3  # of the answers to each prompt
    rounds: int = 4
    keep: bool = True  # imitate the best of earlier rounds too
    rejection: RejectionSettings = RejectionSettings(samples=4, max_new_tokens=40,
                                                     temperature=0.5)
    imitation: SFTSettings = SFTSettings(epochs=2, batch=8, peak=8e-4, warmup=4)
    refresh: RewardSettings = RewardSettings(peak=5e-4, warmup=0)
    ppo: PPOSettings = PPOSettings(iterations=20, max_new_tokens=40, beta=0.3,
                                   policy_rate=2e-4, value_warmup=3)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        check_settings(self, may_be_zero=("seed", "keep"))
        if self.rejection.samples < 2:
            raise UserError("rounds compare the answers to a prompt, so samples must "
                            f"be at least 2, not {self.rejection.samples}")


@dataclass
class Run:
    """The versions of one run, its last reward models and what was noted on the way."""

    seed: int
    policies: dict[str, Llama] = field(default_factory=dict)
    judges: Judges | None = None
    rounds: list[Row] = field(default_factory=list)
    ppo: list[Row] = field(default_factory=list)


def imitate(policy: Llama, best: Sequence[Encoded], settings: SFTSettings) -> Llama:
    """A copy of ``policy``, fine-tuned on the best answers."""
    model = copy.deepcopy(policy)
    windows = pack(best, settings.length)
    steps = settings.epochs * math.ceil(len(windows) / settings.batch)
    settings = replace(settings, warmup=min(settings.warmup, steps - 1))
    finetune(model, windows, settings, progress=False)
    return model


@torch.no_grad()
def statistics(policy: Llama, score: Score, prompts: Sequence[list[int]], eos_id: int,
               settings: PPOSettings) -> tuple[float, float]:
    """Mean and deviation of the score over answers of ``policy``: the unit in which
    PPO measures its reward."""
    generator = torch.Generator().manual_seed(settings.seed)
    rollout = sample(policy, prompts, settings.max_new_tokens, settings.temperature,
                     generator, eos_id)
    raw = score(rollout, list(range(len(prompts))))
    return raw.mean().item(), raw.std().item()


def ppo_run(policy: Llama, score: Score, critic: Llama, items: Sequence[Item],
            tokenizer: Tokenizer, settings: PPOSettings) -> tuple[Llama, list[Row]]:
    """A copy of ``policy`` after PPO for ``score``, and a row an iteration.

    The value model starts as a copy of ``critic``. A row holds, beside what train_ppo
    notes, the truth that PPO never sees: ``utility`` of the answers.
    """
    model = copy.deepcopy(policy)
    prompts = encode_items(tokenizer, items)
    unit = statistics(model, score, prompts[:256], tokenizer.eos_id, settings)
    known, true = truth(items, tokenizer), []

    def paid(rollout: Rollout, numbers: list[int]) -> Tensor:
        true.append(known(rollout, numbers).mean().item())
        return standardise(score(rollout, numbers), unit)

    learner = Learner.start(model, ValueModel(critic), settings)
    rows = train_ppo(learner, prompts, paid, settings, tokenizer.eos_id)
    return model.eval(), [row | {"utility": u} for row, u in zip(rows, true)]


@dataclass
class State:
    """What a round hands on to the next."""

    policy: Llama
    judges: Judges
    known: dict[str, list[Pair]]  # all comparisons so far
    kept: list[Encoded] = field(default_factory=list)  # all best answers so far


def rejection_version(state: State, number: int, items: Sequence[Item],
                      tokenizer: Tokenizer, settings: RLHFSettings) -> Row:
    """Make version ``number`` and leave the state to the next; returns a row of notes:
    those of ``new_judges``, what the refreshed reward models said of the answers (mean
    of the best and of the median, logits, cut answers lowered), and the true utility of
    the best.
    """
    # step 1: answers of the newest model, and judges who know them
    drawn, row = new_judges(state, number, items, tokenizer, settings)
    # step 2: the best answer to every prompt
    best, scores = choose(drawn, scorer(state.judges, items), settings.rejection,
                          tokenizer.eos_id)
    # step 3
    imitate_best(state, number, best, settings)
    return row | {"mean_best": scores.amax(dim=1).mean().item(),
                  "mean_median": scores.quantile(0.5, dim=1).mean().item(),
                  "utility_of_best": utility_of(best, items, tokenizer)}


def imitate_best(state: State, number: int, best: Sequence[Best],
                 settings: RLHFSettings) -> None:
    """The newest model imitates the best answers, and as many of earlier rounds, lest
    what those taught be lost."""
    seed, newest = seed_of(settings, number), [one.example for one in best]
    few = min(len(state.kept), len(newest)) if settings.keep else 0
    old = Random(f"kept/{seed}").sample(state.kept, few)
    state.policy = imitate(state.policy, newest + old,
                           replace(settings.imitation, seed=seed))
    state.kept = state.kept + newest


def seed_of(settings: RLHFSettings, number: int) -> int:
    """Another seed in every round of every run."""
    return settings.seed * 100 + number


def new_judges(state: State, number: int, items: Sequence[Item], tokenizer: Tokenizer,
               settings: RLHFSettings) -> tuple[list[Drawn], Row]:
    """Draw answers of the newest model, have some compared, refresh the reward models.

    The row says how often the models agreed with the annotators about answers that
    differ in truth, before they learnt from them.
    """
    seed = seed_of(settings, number)
    drawn = draw_answers(state.policy, encode_items(tokenizer, items),
                         replace(settings.rejection, seed=seed), tokenizer.eos_id)
    pairs = compare_drawn(drawn, items, tokenizer, settings.comparisons, seed)
    agreed = {f"{view}_before": accuracy(getattr(state.judges, view), tokenizer,
                                         ranked(pairs[view]))["all"]
              for view in VIEWS if pairs[view]}
    state.judges = refresh(state.judges, state.known, pairs, tokenizer,
                           replace(settings.refresh, seed=seed))
    state.known = {view: state.known[view] + pairs[view] for view in VIEWS}
    return drawn, {"version": number, "pairs": sum(map(len, pairs.values())), **agreed}


def utility_of(best: Sequence[Best], items: Sequence[Item], tokenizer: Tokenizer
               ) -> float:
    """Mean true utility of the best answers, in [0, 1]."""
    total = 0.0
    for one in best:
        written = [id for id, mine in zip(one.example.ids, one.example.is_answer)
                   if mine]
        total += items[one.number].utility(tokenizer.decode(written).strip())
    return total / len(best)


def run(start: Llama, judges: Judges, known: dict[str, list[Pair]],
        items: Sequence[Item], tokenizer: Tokenizer, settings: RLHFSettings) -> Run:
    """The five versions from one fine-tuned model (the paper's Figures 4 and 11).

    ``judges`` are the reward models trained on the comparisons ``known``; ``items``
    are all that may be asked. Raises UserError where they are too few.
    """
    needed = settings.prompts * (settings.rounds + 1)
    if len(items) < needed:
        raise UserError(f"the run asks {needed} prompts and was given {len(items)}")
    state = State(start, judges, known)
    result = Run(settings.seed, {"SFT": start})
    parts = [items[first : first + settings.prompts]
             for first in range(0, needed, settings.prompts)]
    bar = tqdm(parts[:-1], f"rejection sampling, seed {settings.seed}", unit="round",
               mininterval=PACE)
    for number, part in enumerate(bar, 1):
        result.rounds.append(rejection_version(state, number, part, tokenizer,
                                               settings))
        result.policies[f"V{number}"] = state.policy
    number = settings.rounds + 1
    result.rounds.append(new_judges(state, number, parts[-1], tokenizer, settings)[1])
    result.policies[f"V{number}"], result.ppo = ppo_run(
        state.policy, scorer(state.judges, items), state.judges.helpfulness.backbone,
        items, tokenizer, replace(settings.ppo, seed=settings.seed))
    result.judges = state.judges
    return result
