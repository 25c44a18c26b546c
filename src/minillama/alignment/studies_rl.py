"""What rejection sampling forgets, where PPO goes too far, and how long an instruction
is kept: studies of trained chat models."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

import torch
from tqdm.auto import tqdm

from ..model import Llama
from ..pasture import Request, Task
from ..tokenizer import Tokenizer
from ..training.pretrain import PACE
from . import ghost
from .chat import Message
from .data import pack
from .judges import Judges, Score, encode_items, scorer, truth
from .judging import judge_policy
from .ppo import PPOSettings
from .rejection import rejection_round
from .rlhf import RLHFSettings, State, imitate_best, ppo_run, seed_of
from .sft import SFTSettings, finetune

Rows = list[dict[str, Any]]
Items = Sequence[Task | Request]


# Sides of the study of rounds: (are winners of all rounds imitated, is there a judge)
SIDES = ((False, True), (True, True), (True, False))


def by_chance(seed: int) -> Score:
    """A judge that knows nothing: scores between zero and one, drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    return lambda rollout, numbers: torch.rand(len(numbers), generator=generator)


def forgetting(start: Llama, judges: Judges, items: Items, asked: Items,
               tokenizer: Tokenizer, settings: RLHFSettings, seeds: Sequence[int]
               ) -> Rows:
    """Rounds that imitate the last round alone, against rounds that imitate winners of
    all (section 3.2.3), and these against rounds whose winners are drawn by lot. The
    reward models stay as they are, all else is equal."""
    rows, n = [], settings.prompts
    for seed in seeds:
        for cure, judge in SIDES:
            mine = replace(settings, seed=seed, keep=cure)
            state = State(start, judges, {})
            for number in range(1, settings.rounds + 1):
                part, lot = items[n * (number - 1) : n * number], seed_of(mine, number)
                best, _ = rejection_round(
                    state.policy, encode_items(tokenizer, part),
                    scorer(judges, part) if judge else by_chance(lot),
                    replace(mine.rejection, seed=lot), tokenizer.eos_id)
                imitate_best(state, number, best, mine)
            judged = judge_policy(state.policy, start, judges, asked, tokenizer)
            rows.append({"cure": cure, "judge": judge, "seed": seed,
                         "version": settings.rounds, "by_kind": judged.by_kind(),
                         "utility": judged.mean()})
    return rows


def overoptimisation(start: Llama, judges: dict[str, Judges], betas: Sequence[float],
                     items: Items, tokenizer: Tokenizer, settings: PPOSettings
                     ) -> Rows:
    """PPO against each pair of reward models, with and without the KL penalty, and
    against the truth itself; a row holds what happened in every iteration."""
    scores = {name: scorer(pair, items) for name, pair in judges.items()}
    wanted = [(name, beta) for name in scores for beta in betas]
    scores["truth"] = truth(items, tokenizer)
    runs = []
    for name, beta in tqdm([*wanted, ("truth", betas[-1])], "PPO for each judge",
                           unit="run", mininterval=PACE):
        _, rows = ppo_run(start, scores[name], start, items, tokenizer,
                          replace(settings, beta=beta))
        runs.append({"reward": name, "beta": beta, "seed": settings.seed,
                     "rows": rows})
    return runs


def obedient(chat: Llama, tokenizer: Tokenizer, n: int, settings: SFTSettings
             ) -> Llama:
    """A copy of ``chat`` that follows an instruction in the question before it.

    The paper samples from its RLHF model, which does so already. Ours is taught with
    ``n`` dialogues whose instruction stands in the last turn, and an eighth as many
    without any.
    """
    made = ghost.applied(ghost.make_dialogues(n, (1, 1, 2, 3, 4), 1000))
    usual = ghost.make_dialogues(n // 8, (1, 2, 3, 4), 1001)
    model = deepcopy(chat)
    _learn(model, tokenizer, [*map(ghost.plain, made), *map(ghost.ordinary, usual)],
           settings, "obedience")
    return model


def _learn(model: Llama, tokenizer: Tokenizer, talks: list[list[Message]],
           settings: SFTSettings, label: str) -> None:
    Random(f"ghost/{settings.seed}").shuffle(talks)
    examples = [ghost.encode_last(tokenizer, talk, model.config.max_seq_len)
                for talk in talks]
    finetune(model, pack(examples, settings.length), settings, label=label)


def ghost_attention(policy: Llama, tokenizer: Tokenizer, n: int, turns: Sequence[int],
                    long: int, beyond: Sequence[int], settings: SFTSettings,
                    seeds: Sequence[int], asked: int, last: int
                    ) -> tuple[dict[str, Llama], Rows]:
    """Fine-tune an obedient policy with and without Ghost Attention, and count
    compliance by turn.

    Both sides see the same ``n`` dialogues of ``turns`` turns, sampled from the policy,
    ``long`` of ``beyond`` turns, and a quarter as many ordinary ones; what differs is
    where the instruction stands. Dialogues of ``beyond`` turns seldom fit into the
    context with the instruction in every turn, so their answers are made by rule.
    ``asked`` held-out dialogues of ``last`` turns are the test. Returns the models of
    the first seed, and a row for each side, seed and turn.
    """
    models: dict[str, Llama] = {}
    rows: Rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        dialogues = ghost.sampled(policy, tokenizer,
                                  ghost.make_dialogues(n, turns, seed), tries=2,
                                  generator=generator)
        dialogues += ghost.applied(ghost.make_dialogues(long, beyond, seed + 2000))
        usual = ghost.make_dialogues((n + long) // 4, (*turns, *beyond), seed + 1000)
        tests = ghost.make_dialogues(asked, [last], seed, "heldout")
        for side, layout in (("with", ghost.dropped), ("without", ghost.plain)):
            model = deepcopy(policy)
            _learn(model, tokenizer,
                   [*map(layout, dialogues), *map(ghost.ordinary, usual)],
                   replace(settings, seed=seed), f"{side} GAtt, seed {seed}")
            models.setdefault(side, model)
            rows += [{"ghost": side == "with", "seed": seed, "turn": turn.turn,
                      "compliance": turn.share, "n": turn.n}
                     for turn in ghost.compliance(model, tokenizer, tests, last)]
    return models, rows
