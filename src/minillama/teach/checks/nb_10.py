"""Checks of notebook 10: rejection sampling.

The truths are loops over answers and over all possible draws, written out here.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..exercises import call, diagnose, expect, passed

Round = dict[int, tuple[float, str]]


def check_winners(winners: Callable[[Sequence[float], Sequence[int]], list[int]]
                  ) -> None:
    """The index of each prompt's best answer, in lists of any order."""
    cases = (([0.5, 2.0, 2.5, 1.0, 1.5, -1.0], [0, 1, 2, 0, 1, 2]),
             ([3.0, -2.0, 1.0, 3.0, -1.0, 1.0, 0.5], [1, 0, 2, 1, 0, 2, 2]),
             ([1.0, 4.0, 2.0, 3.0], [0, 0, 1, 1]))
    for scores, prompts in cases:
        answer = call(winners, list(scores), list(prompts))
        if isinstance(answer, Tensor):
            answer = answer.tolist()
        mine = [[i for i, p in enumerate(prompts) if p == prompt]
                for prompt in range(max(prompts) + 1)]
        best = [max(rows, key=lambda i: scores[i]) for rows in mine]
        share = len(scores) // len(mine)
        blocks = [range(p * share, (p + 1) * share) for p in range(len(mine))]
        diagnose(answer, best, {
            "you cut the list into blocks: the answers of a prompt need not stand side "
            "by side, so look at the numbers of the prompts":
                [max(rows, key=lambda i: scores[i]) for rows in blocks],
            "of two equal answers you took the later: keep the first":
                [max(reversed(rows), key=lambda i: scores[i]) for rows in mine],
            "you kept the worst answer of each prompt":
                [min(rows, key=lambda i: scores[i]) for rows in mine],
            "those are the scores: the places of the answers are asked for":
                [scores[i] for i in best],
            "that is one answer for all prompts: each prompt has a winner of its own":
                [scores.index(max(scores))] * len(mine),
            "you counted within each prompt: the place in the whole list is asked for":
                [rows.index(i) for rows, i in zip(mine, best)],
            "the winners are sorted by score: the order of the prompts is asked for":
                sorted(best, key=lambda i: -scores[i]),
            "the winners stand as their prompts first appear in the list: prompt 0 "
            "comes first": [best[p] for p in dict.fromkeys(prompts)],
        }, f"winners({scores}, {prompts})")
    passed("every prompt keeps its own best answer, wherever it stands")


def check_expected_best_of(
    expected_best_of: Callable[[Tensor, Tensor, int], float]
) -> None:
    """The mean reward of the best of n draws, against the sum over all draws."""
    for chances, rewards, n in (([0.1, 0.4, 0.3, 0.2], [1.0, 5.0, 2.0, -2.0], 3),
                                ([0.25, 0.25, 0.5], [0.0, 4.0, 4.0], 2),
                                ([0.3, 0.7], [2.0, -1.0], 1)):
        p, r = torch.tensor(chances).double(), torch.tensor(rewards).double()
        answer = call(expected_best_of, p.clone(), r.clone(), n)
        if isinstance(answer, Tensor) and answer.numel() == 1:
            answer = answer.item()
        places = range(len(chances))
        draws = list(itertools.product(places, repeat=n))
        weight = [math.prod(chances[i] for i in draw) for draw in draws]
        mean = lambda pick: sum(w * pick(rewards[i] for i in draw)
                                for w, draw in zip(weight, draws))
        up = sorted(places, key=rewards.__getitem__)
        below = [math.fsum(chances[j] for j in up[:k]) for k in range(len(up) + 1)]
        lazy = [math.fsum(chances[:k]) for k in range(len(up) + 1)]
        step = lambda F, m: [b**m - a**m for a, b in zip(F, F[1:])]
        sum_of = lambda weights, order: math.fsum(
            w * rewards[i] for w, i in zip(weights, order))
        diagnose(answer, mean(max), {
            "that is the mean of one draw: n does not enter": sum_of(chances, places),
            "that is the largest reward there is: n draws do not always meet it":
                max(rewards),
            "that is the worst of n draws": mean(min),
            "the rewards were not sorted before the sum over those below":
                sum_of(step(lazy, n), places),
            "F(r)^n is the chance that all draws are at most r: subtract the chance "
            "that all are below": sum_of([F**n for F in below[1:]], up),
            "n F^(n-1) p is the form for a density: with a table of answers take the "
            "difference of powers": sum_of(
                [n * F ** (n - 1) * chances[i] for F, i in zip(below[1:], up)], up),
            "that is the best of n + 1 draws": sum_of(step(below, n + 1), up),
            "that is the best of n - 1 draws": sum_of(step(below, max(n - 1, 1)), up),
            "the probabilities do not enter: the answers are not equally likely":
                sum_of(step([k / len(up) for k in range(len(up) + 1)], n), up),
        }, f"expected_best_of {n} draws")
    passed("the sum over a table agrees with the sum over all possible draws")


def check_keep_top(keep_top: Callable[[list[Round]], Round]) -> None:
    """The best answer to each prompt over all rounds, the later among equals."""
    cases: tuple[list[Round], ...] = (
        [{0: (1.0, "a"), 1: (4.0, "b"), 3: (0.5, "c")},
         {0: (2.0, "d"), 1: (1.0, "e"), 2: (-3.0, "f")},
         {0: (2.0, "g"), 2: (-1.0, "h"), 3: (-2.0, "i")}],
        [{5: (1.0, "old")}, {5: (1.0, "new")}],
        [{7: (-2.0, "x"), 8: (3.0, "y")}, {7: (-1.0, "z"), 8: (2.0, "w")}])
    for rounds in cases:
        given = [dict(one) for one in rounds]
        answer = call(keep_top, rounds)
        expect(rounds == given, "the rounds themselves were changed: begin with a new "
               "dictionary, the next version needs them again")
        expect(isinstance(answer, dict), "keep_top should give a dictionary from "
               "prompts to pairs of score and answer")

        def merged(better: Callable[[float, float], bool]) -> Round:
            kept: Round = {}
            for prompt, one in (item for part in given for item in part.items()):
                if prompt not in kept or better(one[0], kept[prompt][0]):
                    kept[prompt] = one
            return kept

        truth = merged(lambda new, old: new >= old)
        diagnose(answer, truth, {
            "that is the last round alone: this is how the rhymes were lost": given[-1],
            "that is the first round alone: nothing new would be learnt": given[0],
            "the later answer always won: compare the scores":
                merged(lambda new, old: True),
            "the earlier answer always won: compare the scores":
                merged(lambda new, old: False),
            "of two equal scores you kept the earlier: keep the later":
                merged(lambda new, old: new > old),
            "you kept the worst answers": merged(lambda new, old: new <= old),
            "prompts that some round did not answer are lost: keep them too":
                {p: truth[p] for p in set.intersection(*map(set, given))},
            "prompts with scores below zero only are lost: do not begin with a score "
            "of zero": {p: one for p, one in truth.items() if one[0] > 0},
        }, "keep_top")
    passed("every prompt keeps its best answer of all rounds")


def check_price(price: Callable[[int, float, float], float]) -> None:
    """Operations of writing and scoring n answers over those of learning from one."""
    for n, policy, reward in ((4, 7e9, 13e9), (10, 70e9, 70e9), (64, 2e9, 1e9)):
        write, score, learn = 2 * n * policy, 2 * n * reward, 6 * policy
        diagnose(call(price, n, policy, reward), (write + score) / learn, {
            "the scores are missing: the reward model reads every answer":
                write / learn,
            "the writing is missing: the policy writes all n": score / learn,
            "you scored one answer: the winner is known only after all are scored":
                (write + 2 * reward) / learn,
            "you wrote one answer: n are written to keep one":
                (2 * policy + score) / learn,
            "n is missing: n are written and scored, and only the winner is learnt "
            "from": (2 * policy + 2 * reward) / learn,
            "learning goes backward too: 6 operations for each parameter and token":
                (write + score) / (2 * policy),
            "upside down: the price of drawing over the price of learning":
                learn / (write + score),
            "the reward model has a size of its own": 2 * write / learn,
        }, f"price({n}, {policy:g}, {reward:g})")
    passed("n are written, n are scored, one is learnt from")
