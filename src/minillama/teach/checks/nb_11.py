"""Checks of notebook 11: PPO.

The truths are written out token by token and entry by entry, never with the code of
``minillama.alignment``.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..exercises import call, close, diagnose, expect, passed

Row = list[float]
# log-probabilities, those of the reference, score, ended, beta, penalty
ANSWERS = (([-1.0, -0.5, -2.0], [-1.5, -0.7, -1.0], -2.0, True, 0.1, 1.0),
           ([-0.2, -0.4], [-0.1, -0.9], 3.0, False, 0.5, 0.7),
           ([-0.3, -0.6, -0.1, -0.8], [-0.5, -0.1, -0.2, -0.3], -1.5, False, 0.2, 2.0),
           ([-0.7], [-0.2], 1.0, True, 0.3, 0.4))


def _ends(score: float, ended: bool, penalty: float) -> dict[str, float]:
    """What the usual mistakes about answers that were cut off pay at the end."""
    capped = min(score, 0.0)
    if ended:
        return {"the penalty is for answers that did not end by themselves":
                    score - penalty,
                "cap and penalty are for answers that did not end by themselves":
                    capped - penalty,
                "the cap is for answers that did not end by themselves": capped}
    return {"the answer was cut off: cap the score at zero and take the penalty off":
                score,
            "the cap is missing: praise for an answer that was cut off means nothing":
                score - penalty,
            "the penalty is missing, or it was taken off before the cap: cap first":
                capped,
            "the penalty is taken off, not added": capped + penalty,
            "the cap only lowers: a score below zero stays as it is": -penalty}


def check_reward_row(
    reward_row: Callable[[Row, Row, float, bool, float, float], Row]
) -> None:
    """Rewards of the tokens of one answer: a price each, the score on the last."""
    for logprobs, reference, score, ended, beta, penalty in ANSWERS:
        given = list(logprobs), list(reference)
        answer = call(reward_row, *given, score, ended, beta, penalty)
        expect(given == (logprobs, reference), "the lists that you were given have "
               "changed: begin with a new one")
        if isinstance(answer, Tensor):
            answer = answer.tolist()
        gaps = [new - old for new, old in zip(logprobs, reference)]
        costs = [-beta * gap for gap in gaps]
        final = score if ended else min(score, 0.0) - penalty
        at = lambda place, value, row=costs: [
            cost + (value if n == place % len(row) else 0)
            for n, cost in enumerate(row)]
        diagnose(answer, at(-1, final), {
            "the score is on every token: it comes once, on the last":
                [cost + final for cost in costs],
            "the score is on the first token: it belongs to the last": at(0, final),
            "the last token forgot its own price: add the score, do not replace":
                [*costs[:-1], final],
            "the sign of the KL is turned round: this pays for drifting away":
                at(-1, final, [-cost for cost in costs]),
            "a token that became less likely earns something back: take the "
            "difference as it is, not its size":
                at(-1, final, [-beta * abs(gap) for gap in gaps]),
            "beta is missing: it says how much a nat costs":
                at(-1, final, [-gap for gap in gaps]),
            **{message: at(-1, paid) for message, paid in
               _ends(score, ended, penalty).items()},
            "the score is missing": costs,
        }, f"reward_row with a score of {score} and ended {ended}")
    passed("every token pays for its distance, and the score comes once, at the end")


def _shift(row: Row, n: int) -> Row:
    """Whitened numbers, the deviation with n below the fraction."""
    mean = sum(row) / len(row)
    spread = sum((v - mean) ** 2 for v in row) / max(n, 1)
    return [(v - mean) / max(spread, 1e-12) ** 0.5 for v in row]


def _by_row(x: Tensor, mask: Tensor) -> Row:
    """Marked entries, each row whitened for itself."""
    return [v for row, here in zip(x, mask)
            for v in _shift(row[here].tolist(), int(here.sum()))]


def _put(values: Row, mask: Tensor) -> Tensor:
    """Values in the marked places, zero elsewhere."""
    result = torch.zeros(mask.shape)
    result[mask] = torch.tensor(values)
    return result


def _white_slips(x: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of ``x``."""
    marked = x[mask].tolist()
    whole, emptied = (torch.tensor(_shift(row, len(row))).view_as(x) for row in (
        x.flatten().tolist(), torch.where(mask, x, 0.0).flatten().tolist()))
    mean = sum(marked) / len(marked)
    variance = sum((v - mean) ** 2 for v in marked) / len(marked)
    return {
        "padding is among the statistics: take them over marked entries alone":
            torch.where(mask, whole, 0.0),
        "the zeros of the padding are among the statistics: leave them out":
            torch.where(mask, emptied, 0.0),
        "padding is among the statistics, and it comes back: what is not marked "
        "becomes zero": whole,
        "what is not marked must be zero, whatever it held":
            (x - mean) / variance**0.5,
        "each row was whitened for itself: a good answer would look like a bad "
        "one; take the statistics over the batch": _put(_by_row(x, mask), mask),
        "divide by n, not by n - 1": _put(_shift(marked, len(marked) - 1), mask),
        "the mean is still there: shift it to zero":
            _put([v / variance**0.5 for v in marked], mask),
        "take the root of the variance":
            _put([(v - mean) / variance for v in marked], mask),
        "divide by the deviation": _put([v - mean for v in marked], mask),
    }


def check_whiten_marked(whiten_marked: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Mean zero and deviation one over marked entries, zero elsewhere."""
    cases = (([[1.0, 3.0, 50.0], [5.0, 9.0, 2.0]], [[1, 1, 0], [1, 1, 1]]),
             ([[-2.0, math.inf], [4.0, 1.0]], [[1, 0], [1, 1]]),
             ([[6.0, -7.0, 8.0, 2.0]], [[0, 1, 1, 1]]))
    for numbers, marks in cases:
        x, mask = torch.tensor(numbers), torch.tensor(marks).bool()
        given = x.clone()
        answer = call(whiten_marked, x, mask.clone())
        expect(close(torch.nan_to_num(x), torch.nan_to_num(given)),
               "x itself was changed: make a new tensor")
        marked = given[mask].tolist()
        expect(x.isfinite().all() or not isinstance(answer, Tensor)
               or not answer.isnan().any(),
               "nan: padding may hold infinity, and infinity times zero is nan; choose "
               "with torch.where instead of multiplying by the mask")
        diagnose(answer, _put(_shift(marked, len(marked)), mask),
                 _white_slips(given, mask), "whiten_marked")
    passed("marked entries have mean zero and deviation one, and padding counts for "
           "nothing")


def check_push(push: Callable[[float, float, float], int]) -> None:
    """The direction in which the clipped objective pushes one token."""
    cases = [(ratio, advantage, epsilon) for epsilon in (0.2, 0.5)
             for advantage in (2.0, -0.5, 0.0)
             for ratio in (0.3, 1 - epsilon, 0.9, 1.0, 1.1, 1 + epsilon, 1.7)]
    sign = lambda x: (x > 0) - (x < 0)
    answers = [call(push, *case) for case in cases]
    answers = [a.item() if isinstance(a, Tensor) and a.numel() == 1 else a
               for a in answers]

    def all_of(rule: Callable[[float, float, float], int]) -> list[int]:
        return [rule(*case) for case in cases]

    inside = lambda r, e: 1 - e <= r <= 1 + e
    truth = all_of(lambda r, a, e: sign(a) * (
        r <= 1 + e if a > 0 else r >= 1 - e))
    diagnose(answers, truth, {
        "that is the sign of the advantage: beyond the clip PPO lets go":
            all_of(lambda r, a, e: sign(a)),
        "that is the clamp alone: a token that went the wrong way is left there; the "
        "worse of both still pulls it back":
            all_of(lambda r, a, e: sign(a) * inside(r, e)),
        "you took the better of both: it lets go where it should pull back":
            all_of(lambda r, a, e: sign(a) * (r >= 1 - e if a > 0 else r <= 1 + e)),
        "at the edge of the clip it still pushes": all_of(
            lambda r, a, e: sign(a) * (r < 1 + e if a > 0 else r > 1 - e)),
        "the directions are turned round: a good token becomes likelier":
            all_of(lambda r, a, e: -sign(a) * (r <= 1 + e if a > 0 else r >= 1 - e)),
        "it pushes inside the clip as well as outside: nothing else begins there":
            all_of(lambda r, a, e: sign(a) * (not inside(r, e))),
        "the upper edge is right for good tokens alone: bad ones let go below the "
        "lower edge": all_of(lambda r, a, e: sign(a) * (r <= 1 + e)),
        "an advantage of zero pushes nowhere": [
            t if case[1] else 1 for case, t in zip(cases, truth)],
        "the edges are 1 - epsilon and 1 + epsilon, not fixed at a fifth":
            all_of(lambda r, a, e: sign(a) * (r <= 1.2 if a > 0 else r >= 0.8)),
    }, "push, over all cases,")
    passed("it pushes until a fifth is gained and always pulls back")
