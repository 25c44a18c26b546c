"""From a fine-tuned model to RLHF-V5: four rounds of rejection sampling, then PPO.

Source: Llama 2 paper, section 3.2.3 and Figure 11. Each round has new comparisons of
the newest model's answers and reward models refreshed with them: on the answers of a
model that has moved on, yesterday's reward model is a stranger (section 3.2.1).
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import torch
from torch import Tensor

from ..errors import UserError
from ..model import Llama
from ..pasture import Annotator, Request, Task
from ..tokenizer import Tokenizer
from .chat import encode_prompt, question
from .data import pack, pad
from .losses import combine, logit, whitened_reward
from .ppo import Learner, PPOSettings, ValueModel, train_ppo
from .preferences import Pair, Source, collect
from .rejection import Best, RejectionSettings, keep_best, rejection_round
from .reward import RewardModel, RewardSettings, accuracy, train_reward_model
from .rollout import Rollout, answers, sample
from .sft import Row, SFTSettings, finetune

Item = Task | Request
VIEWS = ("helpfulness", "safety")
SAFETY_WEIGHT = 1.0  # of the auxiliary loss of the safety model; the paper's is unknown


@dataclass(frozen=True)
class Judges:
    """The two reward models and the vocabulary that they read."""

    helpfulness: RewardModel
    safety: RewardModel

    @torch.no_grad()
    def scores(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Helpfulness and safety in (0, 1), each (batch,), of dialogues padded on the
        right: tokens (batch, length) and how many of them count (batch,)."""
        return tuple(model(tokens, lengths).sigmoid()
                     for model in (self.helpfulness, self.safety))

    def combined(self, tokens: Tensor, lengths: Tensor, is_safety: Tensor) -> Tensor:
        """The paper's R_c of every dialogue, (batch,); ``is_safety`` (batch,) is true
        where the prompt was written to lure."""
        helpful, safe = self.scores(tokens, lengths)
        return combine(safe, helpful, is_safety)


def scorer(judges: Judges, items: Sequence[Item],
           statistics: tuple[float, float] | None = None
           ) -> Callable[[Rollout, list[int]], Tensor]:
    """The score that rejection sampling and PPO are given: the logit of R_c, whitened
    by ``statistics`` (see losses.whitened_reward) where they are given."""
    lures = torch.tensor([item.unsafe for item in items])

    def score(rollout: Rollout, numbers: list[int]) -> Tensor:
        combined = judges.combined(rollout.tokens, rollout.lengths, lures[numbers])
        return (logit(combined) if statistics is None
                else whitened_reward(combined, statistics))

    return score


def encode_items(tokenizer: Tokenizer, items: Sequence[Item]) -> list[list[int]]:
    """The prompt of every item in tokens, ready to be answered."""
    if not items:
        raise UserError("the set of prompts is empty: give at least one")
    return [encode_prompt(tokenizer, question(item.prompt)) for item in items]


def divide(items: Sequence[Item], seed: int) -> dict[str, list[Item]]:
    """What the annotators of each view are given.

    The one for safety is given what was written to lure, the one for helpfulness all
    else, and each a tenth of what belongs to the other, so that neither is lost on the
    other's ground. (The paper mixes too, section 3.2.2: the safety model gets a tenth
    of helpfulness data.)
    """
    mine = {"helpfulness": [item for item in items if not item.unsafe],
            "safety": [item for item in items if item.unsafe]}
    rng = Random(f"mixture/{seed}")
    return {view: mine[view] + rng.sample(mine[other], min(len(mine[other]),
                                                          len(mine[view]) // 10))
            for view, other in (VIEWS, VIEWS[::-1])}


def compare(policies: Sequence[Source], items: Sequence[Item], tokenizer: Tokenizer,
            seed: int) -> dict[str, list[Pair]]:
    """New comparisons of the policies' answers for both reward models."""
    return {view: collect(policies, mine, Annotator(view), tokenizer, seed)
            for view, mine in divide(items, seed).items()}


@dataclass(frozen=True)
class RLHFSettings:
    """How to run the five versions. Numbers of prompts and of comparisons."""

    prompts: int = 300  # answered by rejection sampling in every round
    comparisons: int = 300  # items compared anew before rounds 2, 3, 4 and PPO
    rounds: int = 4
    keep: bool = True  # the best of all rounds, not of the last alone
    rejection: RejectionSettings = RejectionSettings(samples=6, max_new_tokens=40)
    imitation: SFTSettings = SFTSettings(epochs=1, batch=8, peak=4e-4, warmup=4)
    refresh: RewardSettings = RewardSettings(peak=4e-4, warmup=0)
    ppo: PPOSettings = PPOSettings(iterations=40, max_new_tokens=40)
    seed: int = 0


@dataclass
class Run:
    """The versions of one run, its last reward models and what was noted on the way."""

    seed: int
    policies: dict[str, Llama] = field(default_factory=dict)
    judges: Judges | None = None
    rounds: list[Row] = field(default_factory=list)
    ppo: list[Row] = field(default_factory=list)


def settings_of(view: str, settings: RewardSettings) -> RewardSettings:
    """The safety model alone learns a level beside the ranking, since the gate of R_c
    compares its score with a threshold."""
    return (replace(settings, safety_weight=SAFETY_WEIGHT) if view == "safety"
            else settings)


def refresh(judges: Judges, old: dict[str, list[Pair]], new: dict[str, list[Pair]],
            tokenizer: Tokenizer, settings: RewardSettings) -> Judges:
    """Train both reward models on: the new comparisons and as many old ones, so that
    what was learnt is not lost."""
    models = []
    for view in VIEWS:
        rng = Random(f"refresh/{settings.seed}/{len(old[view])}")
        again = rng.sample(old[view], min(len(old[view]), len(new[view])))
        model, _ = train_reward_model(getattr(judges, view), tokenizer,
                                      new[view] + again, settings_of(view, settings),
                                      progress=False)
        models.append(model)
    return Judges(*models)


def imitate(policy: Llama, best: Sequence[Best], settings: SFTSettings) -> Llama:
    """A copy of ``policy``, fine-tuned on the best answers."""
    model = copy.deepcopy(policy)
    windows = pack([one.example for one in best], settings.length)
    finetune(model, windows, settings, progress=False)
    return model


@torch.no_grad()
def statistics(policy: Llama, judges: Judges, prompts: Sequence[list[int]],
               items: Sequence[Item], eos_id: int, settings: PPOSettings
               ) -> tuple[float, float]:
    """Mean and deviation of the logit of R_c over answers of ``policy``: the unit in
    which PPO measures its reward."""
    generator = torch.Generator().manual_seed(settings.seed)
    rollout = sample(policy, prompts, settings.max_new_tokens, settings.temperature,
                     generator, eos_id)
    raw = scorer(judges, items)(rollout, list(range(len(items))))
    return raw.mean().item(), raw.std().item()


def ppo_run(policy: Llama, judges: Judges, items: Sequence[Item], tokenizer: Tokenizer,
            settings: PPOSettings) -> tuple[Llama, list[Row]]:
    """A copy of ``policy`` after PPO, and a row an iteration. A row holds, beside what
    train_ppo notes, the truth that PPO never sees: ``utility`` of the answers."""
    model = copy.deepcopy(policy)
    prompts = encode_items(tokenizer, items)
    unit = statistics(model, judges, prompts[:256], items[:256], tokenizer.eos_id,
                      settings)
    proxy, truth = scorer(judges, items, unit), []

    def score(rollout: Rollout, numbers: list[int]) -> Tensor:
        truth.append(mean_utility(rollout, [items[i] for i in numbers], tokenizer))
        return proxy(rollout, numbers)

    learner = Learner.start(model, ValueModel(judges.helpfulness.backbone), settings)
    rows = train_ppo(learner, prompts, score, settings, tokenizer.eos_id)
    for row, utility in zip(rows, truth):
        row["utility"] = utility
    return model.eval(), rows


def mean_utility(rollout: Rollout, items: Sequence[Item], tokenizer: Tokenizer
                 ) -> float:
    """Mean true utility of the answers, in [0, 1]."""
    texts = answers(rollout, tokenizer)
    return sum(i.utility(text) for i, text in zip(items, texts)) / len(items)



@dataclass
class State:
    """What a round hands on to the next."""

    policy: Llama
    judges: Judges
    known: dict[str, list[Pair]]  # all comparisons so far
    kept: list[Best] = field(default_factory=list)


def rejection_version(state: State, number: int, asked: Sequence[Item],
                      fresh: Sequence[Item], tokenizer: Tokenizer,
                      settings: RLHFSettings) -> Row:
    """Make version ``number`` and leave the state to the next; returns a row of notes.

    The row tells what the reward models said of the answers (mean of the best and of
    the median, logits), the true utility of the best, and how often the old and the
    refreshed models agree with the annotators about the newest model's answers.
    """
    seed = settings.seed * 100 + number
    # step 1: many answers of the newest model, the best to each prompt over all rounds
    best, scores = rejection_round(
        state.policy, encode_items(tokenizer, asked), scorer(state.judges, asked),
        replace(settings.rejection, seed=seed), tokenizer.eos_id)
    earlier = rescored(state.kept, state.judges, asked)
    state.kept = keep_best(earlier, best) if settings.keep else best
    # step 2: imitate them
    newest = imitate(state.policy, state.kept, replace(settings.imitation, seed=seed))
    # step 3: comparisons of the newest model's answers, some of them bolder
    pairs = compare([Source(newest), Source(newest), Source(state.policy, 1.3)], fresh,
                    tokenizer, seed)
    row = {"version": number, "mean_best": scores.amax(dim=1).mean().item(),
           "mean_median": scores.quantile(0.5, dim=1).mean().item(),
           "utility_of_best": utility_of(best, asked, tokenizer),
           **{f"{view}_before": accuracy(getattr(state.judges, view), tokenizer,
                                         ranked(pairs[view]))["all"] for view in VIEWS}}
    # step 4: refresh the reward models with them
    state.judges = refresh(state.judges, state.known, pairs, tokenizer,
                           replace(settings.refresh, seed=seed))
    state.known = {view: state.known[view] + pairs[view] for view in VIEWS}
    state.policy = newest
    return row | {"pairs": sum(map(len, pairs.values()))}


def ranked(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs whose answers differ in truth, or all where none does: the order of
    equals is chance, which no model foretells."""
    return [pair for pair in pairs if pair.gap] or list(pairs)


def rescored(kept: Sequence[Best], judges: Judges, items: Sequence[Item]
             ) -> list[Best]:
    """The same answers with the scores of these judges: what earlier ones said lies on
    another scale."""
    if not kept:
        return []
    lures = torch.tensor([items[one.number].unsafe for one in kept])
    tokens, lengths = pad([one.example.ids for one in kept])
    scores = logit(judges.combined(tokens, lengths, lures)).tolist()
    return [replace(one, score=score) for one, score in zip(kept, scores)]


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
    needed = settings.prompts + settings.comparisons * settings.rounds
    if len(items) < needed:
        raise UserError(f"the run asks {needed} prompts and was given {len(items)}")
    asked, fresh = items[: settings.prompts], items[settings.prompts :]
    state = State(start, judges, known)
    result = Run(settings.seed, {"SFT": start})
    for number in range(1, settings.rounds + 1):
        part = fresh[(number - 1) * settings.comparisons :][: settings.comparisons]
        result.rounds.append(rejection_version(state, number, asked, part, tokenizer,
                                               settings))
        result.policies[f"V{number}"] = state.policy
    ppo = replace(settings.ppo, seed=settings.seed)
    result.policies["V5"], result.ppo = ppo_run(state.policy, state.judges, items,
                                                tokenizer, ppo)
    result.judges = state.judges
    return result
