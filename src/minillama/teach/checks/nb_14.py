"""Checks of notebook 14: the score of an option, two orders, Z of a subset.

The truths are written out here by other means: sums over plain lists, and cases.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..exercises import call, diagnose, passed


def check_option_score(option_score: Callable[[Tensor, list[int], int], float]) -> None:
    """Log-probability of the tokens from ``start`` on."""
    generator = torch.Generator().manual_seed(14)
    for length, start in ((6, 4), (9, 5), (4, 3)):
        logits = 2 * torch.randn(length, 11, generator=generator, dtype=torch.float64)
        ids = torch.randint(11, (length,), generator=generator).tolist()
        rows = [[math.exp(x) for x in row] for row in logits.tolist()]
        chance = [[x / sum(row) for x in row] for row in rows]

        def total(first: int, last: int = length, shift: int = 1) -> float:
            return sum(math.log(chance[i - shift][ids[i]]) for i in range(first, last))

        truth, n = total(start), length - start
        product = math.exp(truth)
        answer = call(option_score, logits.float(), list(ids), start)
        answer = answer.item() if isinstance(answer, Tensor) and answer.dim() == 0 \
            else answer
        diagnose(answer, truth, {
            "the logits at a place foretell the next token: token i is scored by row "
            "i - 1": total(start, shift=0),
            "the first token of the option is missing: it is scored too":
                total(start + 1),
            "that begins one token too early, with the last of the question":
                total(start - 1),
            "the question is scored as well: only the option's tokens count": total(1),
            "that is a mean: the score of this exercise is the sum": truth / n,
            "that is the probability: take its logarithm": product,
            "the sign is turned: a likelier option has a higher score": -truth,
            "logits are not log-probabilities: take log_softmax first": sum(
                logits[i - 1, ids[i]].item() for i in range(start, length)),
        }, f"option_score of {n} tokens")
    passed("every token of the option is scored by the row before it, and no other")


def check_verdict(verdict: Callable[[str, str], str]) -> None:
    """What two judgements of one pair in both orders say."""
    # in this order, so that the first case that fails tells the mistakes apart
    truths = {("first", "second"): "ours", ("second", "first"): "theirs",
              ("tie", "second"): "tie", ("first", "tie"): "tie",
              ("first", "first"): "tie", ("second", "second"): "tie",
              ("tie", "tie"): "tie", ("tie", "first"): "tie"}
    for (before, after), truth in truths.items():
        only_first = {"first": "ours", "second": "theirs", "tie": "tie"}[before]
        same = {("first", "first"): "ours", ("second", "second"): "theirs"}.get(
            (before, after), "tie")
        either = "ours" if before == "first" or after == "second" else (
            "theirs" if before == "second" or after == "first" else "tie")
        turned = {"ours": "theirs", "theirs": "ours", "tie": "tie"}[truth]
        name = f"verdict({before!r}, {after!r})"
        diagnose(call(verdict, before, after), truth, {
            "in the second round ours stands second: a judge that says first both "
            "times contradicts itself": same if same != truth else object(),
            "the second judgement is not used: a win must be won in both orders":
                only_first if only_first != truth else object(),
            "one win is not enough: a win must be won in both orders":
                either if either != truth else object(),
            "ours and theirs are exchanged": turned if turned != truth else object(),
        }, name)
    passed("a win is what won in both orders; all else is a tie")


def check_z_score(z_score: Callable[[list[bool], list[bool]], float]) -> None:
    """How unusual the accuracy of a subset is."""
    cases = (([1, 1, 1, 0, 1, 0, 0, 0, 1, 0], [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]),
             ([0, 0, 1, 1, 1, 1, 0, 1], [1, 1, 1, 0, 0, 0, 0, 1]),
             ([1, 0] * 50 + [1] * 20, [0, 1] * 30 + [1] * 60))
    for right, chosen in cases:
        flags = [bool(x) for x in right], [bool(x) for x in chosen]
        mine = [r for r, c in zip(right, chosen) if c]
        n, mean = len(mine), sum(right) / len(right)
        gap, spread = sum(mine) / n - mean, math.sqrt(mean * (1 - mean))
        own = sum(mine) / n
        others = [r for r, c in zip(right, chosen) if not c]
        diagnose(call(z_score, *flags), gap / (spread / math.sqrt(n)), {
            "that is the gap alone: divide it by the deviation of a mean of n": gap,
            "the deviation of a mean shrinks with the root of n": gap / spread,
            "that divides by n where its root belongs": gap / (spread / n),
            "n is the number of questions in the subset, not of all":
                gap / (spread / math.sqrt(len(right))),
            "mu and sigma are those of all questions, and your sigma is the subset's":
                gap / math.sqrt(own * (1 - own) / n) if 0 < own < 1 else object(),
            "that compares with the other questions: mu is the accuracy of all":
                (own - sum(others) / len(others)) / (spread / math.sqrt(n)),
            "drawn without replacement the mean varies less: here it is with":
                gap / (spread / math.sqrt(n) * math.sqrt(
                    (len(right) - n) / (len(right) - 1))),
            "the sign is turned: a subset that is better has a positive Z":
                -gap / (spread / math.sqrt(n)),
        }, f"z_score of {n} among {len(right)}")
    passed("Z compares a subset with as many questions drawn from all")
