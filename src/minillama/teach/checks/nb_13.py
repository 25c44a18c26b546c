"""Checks of notebook 13: two rates, an interval, the gate, a red team's yield.

The truths are counted answer by answer, or found by trying every rate on a fine grid,
never with the code of ``minillama.evaluation`` or ``minillama.alignment``.
"""

import math
from collections.abc import Callable, Sequence

from ..exercises import call, diagnose, expect, passed

Answer = tuple[bool, bool, bool]  # unsafe request, harmful answer, refusal
U, I = True, False  # unsafe, innocent
ROWS: tuple[tuple[Answer, ...], ...] = (
    ((U, True, False), (U, False, True), (U, False, True), (U, False, False),
     (I, False, False), (I, False, True), (I, False, False), (I, True, False),
     (I, False, False)),
    # the third refuses and harms at once: "I will not help. But first, take the hay."
    ((U, False, True), (U, False, True), (U, True, True), (U, False, True),
     (I, False, True), (I, False, True), (I, False, False)),
    ((U, True, False), (U, False, False), (I, False, False), (I, False, True),
     (I, True, True), (I, False, False), (I, False, False), (I, False, True)),
)


def _share(rows: Sequence[bool]) -> float:
    return sum(rows) / len(rows)


def check_two_rates(two_rates: Callable[[list[Answer]], tuple[float, float]]) -> None:
    """Violations among lures, refusals among the rest."""
    for rows in ROWS:
        lures = [row for row in rows if row[0]]
        others = [row for row in rows if not row[0]]
        harm, refused = _share([r[1] for r in lures]), _share([r[2] for r in others])
        n = len(rows)
        answer = call(two_rates, list(rows))
        expect(isinstance(answer, Sequence) and len(answer) == 2,
               "give two numbers back: the violation rate, then the false-refusal rate")
        diagnose([float(x) for x in answer], [harm, refused], {
            "the two rates are in the wrong order": [refused, harm],
            "divide by the prompts of that kind, not by all": [
                harm * len(lures) / n, refused * len(others) / n],
            "a refusal of an unsafe request is no false refusal: count refusals among "
            "innocent prompts": [harm, _share([r[2] for r in rows])],
            "the second rate looks at the unsafe requests: declining those is wanted":
                [harm, _share([r[2] for r in lures])],
            "the violation rate is about lures: harm elsewhere is another matter":
                [_share([r[1] for r in rows]), refused],
            "a refusal that harms as well is a violation":
                [_share([r[1] and not r[2] for r in lures]), refused],
            "not to refuse is no violation yet: an answer may evade":
                [_share([not r[2] for r in lures]), refused],
            "rates are shares between 0 and 1": [100 * harm, 100 * refused],
            "those are numbers of answers: divide by the prompts":
                [harm * len(lures), refused * len(others)],
        }, "two_rates")
    passed("harm is counted among lures, refusals among all else")


def _by_search(k: int, n: int, z: float) -> list[float]:
    """Ends of the set of rates p with |p - k/n| <= z sqrt(p (1 - p) / n), found by
    halving between a rate inside and one outside."""
    found = k / n

    def inside(p: float) -> bool:
        return abs(p - found) <= z * math.sqrt(p * (1 - p) / n) + 1e-15

    ends = []
    for outer in (0.0, 1.0):
        inner = min(max(found, 1e-9), 1 - 1e-9)
        if inside(outer):
            ends.append(outer)
            continue
        for _ in range(80):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if inside(middle) else (inner, middle)
        ends.append(inner)
    return ends


def _plain(k: int, n: int, z: float = 1.96) -> list[float]:
    rate = k / n
    half = z * math.sqrt(rate * (1 - rate) / n)
    return [rate - half, rate + half]


def check_wilson_ends(wilson_ends: Callable[[int, int], tuple[float, float]]) -> None:
    """Both ends of Wilson's interval."""
    for k, n in ((3, 60), (0, 20), (17, 40), (59, 60), (5, 5)):
        truth = _by_search(k, n, 1.96)
        answer = call(wilson_ends, k, n)
        expect(isinstance(answer, Sequence) and len(answer) == 2,
               "give the lower and the upper end back")
        rate, pull = k / n, 1.96**2 / n
        half = math.sqrt(rate * (1 - rate) * pull + pull**2 / 4)
        rooted = 1.96 / n
        diagnose([float(x) for x in answer], truth, {
            "that is the usual interval: where nothing was found it has no width":
                _plain(k, n),
            "the usual interval, cut off at 0 and 1, is not Wilson's":
                [max(0.0, _plain(k, n)[0]), min(1.0, _plain(k, n)[1])],
            "the ends are turned round": truth[::-1],
            "1.645 leaves out one answer in ten: take 1.96": _by_search(k, n, 1.645),
            "divide by one plus z squared over n as well":
                [rate + pull / 2 - half, rate + pull / 2 + half],
            "the middle is not the rate: it is drawn towards one half":
                [rate - half / (1 + pull), rate + half / (1 + pull)],
            "z is missing its square": [
                (rate + rooted / 2 - math.sqrt(rate * (1 - rate) * rooted
                                               + rooted**2 / 4)) / (1 + rooted),
                (rate + rooted / 2 + math.sqrt(rate * (1 - rate) * rooted
                                               + rooted**2 / 4)) / (1 + rooted)],
        }, f"wilson_ends({k}, {n})", tolerance=1e-4)
    passed("both ends lie 1.96 of their own deviations from the rate")


PAIRS = (([0.2, -1.0, 3.0, 0.5, 2.0], [1.5, -2.0, 3.0, 0.1, 4.0],
          [True, True, True, True, False]),
         ([-3.0, 1.0, 0.0, 2.5], [-2.0, 0.5, 0.0, 2.6], [True, False, True, False]))


def check_to_learn(to_learn: Callable[..., list[str]]) -> None:
    """The answers that context distillation learns from."""
    for before, after, lure in PAIRS:
        plain = [f"plain {i}" for i in range(len(before))]
        under = [f"preamble {i}" for i in range(len(before))]

        def take(rule: Callable[[float, float, bool], bool], plain: list[str] = plain,
                 under: list[str] = under, rows: list[tuple[float, float, bool]] =
                 list(zip(before, after, lure))) -> list[str]:
            return [u if rule(*row) else p for p, u, row in zip(plain, under, rows)]

        answer = call(to_learn, plain, under, before, after, lure)
        truth = take(lambda b, a, l: l and a > b)
        diagnose(list(answer) if isinstance(answer, tuple) else answer, truth, {
            "the gate is turned round: keep what scores higher":
                take(lambda b, a, l: l and a < b),
            "no gate at all: an answer under the preamble may score lower":
                take(lambda b, a, l: l),
            "an equal score is no gain: keep the plain answer":
                take(lambda b, a, l: l and a >= b),
            "distil lures alone: elsewhere the preamble teaches to refuse":
                take(lambda b, a, l: a > b),
            "the lures are left out and the innocent prompts distilled":
                take(lambda b, a, l: not l and a > b),
            "every answer is one under the preamble: there is a gate, and for lures":
                list(under),
            "innocent prompts stay in, with their plain answers":
                [t for t, bad in zip(truth, lure) if bad],
            "the score must be higher than the plain one's, not above zero":
                take(lambda b, a, l: l and a > 0),
            "where the gate says no the plain answer stays in: nothing is dropped":
                [u for u in truth if u in under],
        }, "to_learn")
    passed("the preamble's answer is learnt where it was a lure and scores higher")


def check_gamma(gamma: Callable[[int, int, float], float]) -> None:
    """Violating prompts found per person and hour."""
    for found, people, minutes in ((18, 6, 90.0), (9, 12, 30.0), (0, 4, 45.0)):
        truth = found / (people * minutes / 60)
        diagnose(call(gamma, found, people, minutes), truth, {
            "an hour has sixty minutes: you divided by minutes":
                found / (people * minutes),
            "every person's time counts: divide by the people too":
                found / (minutes / 60),
            "more people do not make a model worse: divide by them":
                found * people / (minutes / 60),
            "that is time per find: turn it round":
                (people * minutes / 60) / found if found else 0.0,
            "the time is left out": found / people,
            "minutes were turned into hours the wrong way":
                found / (people * minutes * 60),
        }, f"gamma({found}, {people}, {minutes})")
    passed("finds per person and hour")
