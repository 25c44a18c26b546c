"""One iteration of PPO by part, and how much of it is the model's own arithmetic.

Own arithmetic is the time inside forward passes, backward passes, clipping and the
optimisers' steps; the rest is drawing tokens, bookkeeping, losses and advantages. The
source is not touched: hooks and wrappers switch a clock.

``python benchmarks/ppo_iteration.py [--iterations 8] [--batch 64] [--untrained]``
"""

import copy
from dataclasses import replace
from random import Random

import torch
from alternation import keep, once
from clock import OWN, PARTS, REST, Clock, hooked
from peers import options, small
from profiling import shares, show, threads
from torch import Tensor, nn

from minillama.alignment.judges import Score, scorer
from minillama.alignment.ppo import Learner, PPOSettings, ValueModel, train_ppo
from minillama.alignment.rollout import Rollout, sample
from minillama.errors import UserError
from minillama.training.intervals import interval

Spent = dict[tuple[str, str], float]  # (part, kind) to seconds
Prompts = list[list[int]]
Setting = tuple[Learner, Prompts, Score, list[nn.Module], PPOSettings, int]


def trained(settings: PPOSettings) -> Setting:
    """The fine-tuned model, its prompts and both reward models, as the series has
    them."""
    from minillama import stages
    from minillama.alignment.judges import encode_items
    from minillama.stages_chat import prompts

    chat, judges = stages.get("sft"), stages.get("rewards").judges
    items = prompts(4 * settings.batch, "speed")
    policy = copy.deepcopy(chat.model)
    learner = Learner.start(policy, ValueModel(judges.helpfulness.backbone), settings)
    return (learner, encode_items(chat.tokenizer, items), scorer(judges, items),
            [judges.helpfulness, judges.safety], settings, chat.tokenizer.eos_id)


def untrained(settings: PPOSettings) -> Setting:
    """A model as drawn, random prompts, and a score that counts the ids."""
    policy, random = small(), Random("speed")
    prompts = [[random.randrange(3, 1000) for _ in range(random.randint(5, 40))]
               for _ in range(2 * settings.batch)]

    def score(rollout: Rollout, _numbers: list[int]) -> Tensor:
        return (rollout.tokens % 7).float().mean(dim=1)

    return (Learner.start(policy, ValueModel(policy), settings), prompts, score, [],
            settings, 2)


def iterations(setting: Setting, clock: Clock) -> list[Spent]:
    """Run PPO; what every iteration spent on each part and kind."""
    learner, prompts, score, judges, settings, eos_id = setting
    spent: list[Spent] = []

    def watch(_row: dict[str, float]) -> None:
        spent.append(clock.read())
        clock.switch(PARTS[0], REST)

    with hooked(clock, learner, judges):
        clock.read()
        train_ppo(learner, prompts, clock.during(score, "scores", then=PARTS[2]),
                  settings, eos_id, clock.during(sample, PARTS[0]), watch)
    return spent


def table(spent: list[Spent]) -> dict[str, dict[str, float]]:
    """Of each part its share of the iteration, with the ends of its 95% interval, and
    the shares that are own arithmetic and rest. Raises UserError for a strange part."""
    unknown = {part for one in spent for part, _ in one} - set(PARTS)
    if unknown:
        raise UserError(f"time was booked for unknown parts: {sorted(unknown)}")
    whole = [sum(one.values()) for one in spent]
    found = {}
    for part in PARTS:
        mine = [[sum(s for (p, kind), s in one.items() if p == part and kind in kinds)
                 / total for one, total in zip(spent, whole)]
                for kinds in (OWN, (REST,))]
        share = interval([own + rest for own, rest in zip(*mine)])
        found[part] = {"share": share.mean, "low": share.low, "high": share.high,
                       "own": sum(mine[0]) / len(whole),
                       "rest": sum(mine[1]) / len(whole)}
    return found


def main(arguments: list[str] | None = None) -> None:
    """Time iterations after some that warm up; print and keep the table."""
    parser = options(__doc__, iterations=8, batch=64, new=40)
    parser.add_argument("--untrained", action="store_true",
                        help="weights as drawn: needs no trained stage")
    args = parser.parse_args(arguments)
    used = threads(args.threads)
    settings = PPOSettings(iterations=2, batch=args.batch, value_warmup=0,
                           minibatch=max(1, args.batch // 2), max_new_tokens=args.new,
                           beta=0.3, policy_rate=2e-4)
    setting = (untrained if args.untrained else trained)(settings)
    clock = Clock()
    iterations(setting, clock)  # warms up
    long = replace(settings, iterations=args.iterations)
    spent = iterations((*setting[:4], long, setting[5]), clock)
    found = table(spent)
    print(f"{'part':<22}{'share':>8}{'own':>8}{'rest':>8}  (of the iteration, %)")
    for part, row in found.items():
        print(f"{part:<22}" + "".join(f"{100 * row[name]:>8.1f}"
                                      for name in ("share", "own", "rest")))
    seconds = interval([sum(one.values()) for one in spent])
    own = sum(row["own"] for row in found.values())
    print(f"an iteration takes {seconds.mean:.3g} s ({seconds.low:.3g} to "
          f"{seconds.high:.3g}), {100 * own:.0f} % of it the models' own arithmetic")
    one = (*setting[:4], replace(settings, iterations=1), setting[5])
    groups = {"ours": shares(lambda: iterations(one, clock))}
    show("time in operators", groups["ours"])
    keep("ppo_iteration", {"parts": found, "seconds": seconds.mean,
                           "low_seconds": seconds.low, "high_seconds": seconds.high,
                           "own": own, "shares": groups, "threads": used,
                           "batch": args.batch, "new_tokens": args.new,
                           "rounds": args.iterations})


if __name__ == "__main__":
    once(main)
