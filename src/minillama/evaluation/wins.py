"""Which of two answers is better, asked many times: win rates and what they can bear.

Sources: Llama 2 paper, sections 3.4.1 and 3.4.2 and the captions of Figures 1 and 2
(ties; win / (win + loss)); order bias of judges: Zheng et al., arXiv 2306.05685.
The paired comparison of two models on the same questions is McNemar's (1947).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

import numpy as np

from ..errors import UserError
from ..training.intervals import Interval
from .safety import wilson

NORMAL = NormalDist()
Z_975 = NORMAL.inv_cdf(0.975)


@dataclass(frozen=True)
class Tally:
    """What came of comparisons, seen from one of the two sides."""

    wins: int
    ties: int
    losses: int

    def __post_init__(self) -> None:
        """Refuse less than nothing."""
        if min(self.wins, self.ties, self.losses) < 0:
            raise UserError(f"counts cannot be negative: {self}")

    @property
    def n(self) -> int:
        """All comparisons."""
        return self.wins + self.ties + self.losses

    @property
    def mirrored(self) -> "Tally":
        """The same comparisons from the other side."""
        return Tally(self.losses, self.ties, self.wins)

    @property
    def decided(self) -> float:
        """Wins among the comparisons that had a winner: win / (win + loss)."""
        return self.wins / self._some(self.wins + self.losses)

    @property
    def half(self) -> float:
        """Win rate with a tie for half a win."""
        return (self.wins + self.ties / 2) / self._some(self.n)

    @property
    def share(self) -> float:
        """Wins among all: ties count as if they were lost."""
        return self.wins / self._some(self.n)

    def decided_interval(self) -> Interval:
        """Wilson's 95% interval of ``decided``."""
        return wilson(self.wins, self._some(self.wins + self.losses))

    def half_interval(self) -> Interval:
        """The usual 95% interval of ``half``, for some thirty comparisons or more."""
        seen = self._some(self.n)
        square = (self.wins + self.ties / 4) / seen
        spread = math.sqrt(max(0.0, square - self.half**2) / seen)
        return Interval(self.half, Z_975 * spread)

    def _some(self, n: int) -> int:
        if n < 1:
            raise UserError(f"no comparison to take a rate of: {self}")
        return n


def tally(ours: Sequence[float], theirs: Sequence[float], least: float = 0.0) -> Tally:
    """Compare scores prompt by prompt; a gap of ``least`` or below is a tie. True and
    False are scores too, so two models on the same questions are compared by this.
    Raises UserError for lists of unequal length."""
    if len(ours) != len(theirs):
        raise UserError(f"{len(ours)} against {len(theirs)} scores: both sides answer "
                        "the same prompts")
    gaps = [a - b for a, b in zip(ours, theirs)]
    wins, losses = sum(g > least for g in gaps), sum(g < -least for g in gaps)
    return Tally(wins, len(gaps) - wins - losses, losses)


def difference(ours: Sequence[bool], theirs: Sequence[bool]) -> Interval:
    """Accuracy of ours less theirs on the same questions, with its 95% interval.

    Only questions on which the two differ carry information: with b won and c lost of
    n, the difference is (b - c) / n and its variance (b + c - (b - c)^2 / n) / n^2.
    """
    met = tally([bool(x) for x in ours], [bool(x) for x in theirs])
    if met.n < 1:
        raise UserError("no questions to compare on")
    gap = met.wins - met.losses
    variance = (met.wins + met.losses - gap**2 / met.n) / met.n**2
    return Interval(gap / met.n, Z_975 * math.sqrt(max(0.0, variance)))


@dataclass(frozen=True)
class Judge:
    """A judge with a taste, a leaning to the answer shown first, and a blind zone.

    It says "first" or "second" by chance, the surer the larger the gap in worth; the
    leaning is added to what stands first. What it feels as ``blind`` or less is a tie.
    Bradley and Terry's model with an advantage for the first.
    """

    sharpness: float = 4.0  # log-odds for a gap of one in worth
    leaning: float = 0.0  # log-odds in favour of the first
    blind: float = 0.0  # log-odds within which it calls a tie

    def first_wins(self, gap: float, rng: Random) -> int:
        """1 where the first is preferred, -1 where the second, 0 for a tie; ``gap`` is
        the worth of the first less that of the second."""
        # a logistic draw: the difference of two noisy impressions
        u = min(max(rng.random(), 1e-12), 1 - 1e-12)
        felt = self.sharpness * gap + self.leaning + math.log(u / (1 - u))
        return 0 if abs(felt) <= self.blind else 1 if felt > 0 else -1


def judged(judge: Judge, ours: Sequence[float], theirs: Sequence[float], order: str,
           seed: int = 0) -> Tally:
    """Let a judge compare two answers to each prompt; ours are seen in the tally.

    ``order``: "ours first" or "theirs first" always; "random", a coin for each prompt;
    "both", each pair twice, and a win is what won in both orders. UserError for others.
    """
    orders = ("ours first", "theirs first", "random", "both")
    if order not in orders:
        raise UserError(f"no order {order!r}: one of {', '.join(orders)}")
    rng, verdicts = Random(f"judge/{seed}/{order}"), []
    for mine, other in zip(ours, theirs, strict=True):
        before = judge.first_wins(mine - other, rng)
        after = -judge.first_wins(other - mine, rng)
        if order == "both":
            verdicts.append(before if before == after else 0)
        else:
            ours_first = order == "ours first" or (
                order == "random" and rng.random() < 0.5)
            verdicts.append(before if ours_first else after)
    return tally(verdicts, [0] * len(verdicts))


def needed(rate: float, power: float = 0.8) -> int:
    """How many decided comparisons show that a win rate is not one half.

    ``rate`` is the true one; ``power`` the chance to succeed, that is, that a 95%
    interval leaves one half out. Normal approximation. Raises UserError for a rate of
    one half, which no number of comparisons tells from itself.
    """
    if not (0 < rate < 1 and rate != 0.5 and 0 < power < 1):
        raise UserError(f"a rate of {rate} and a power of {power}: the rate must lie "
                        "between 0 and 1 and differ from one half, the power between "
                        "0 and 1")
    # step 1: how far one half and the truth lie apart
    gap = abs(rate - 0.5)
    # step 2: deviations of one comparison under each, in units of their quantiles
    null, true = Z_975 * 0.5, NORMAL.inv_cdf(power) * math.sqrt(rate * (1 - rate))
    # step 3: a mean of n comparisons has a deviation smaller by the root of n
    return math.ceil(((null + true) / gap) ** 2)


def power(rate: float, n: int, trials: int = 2000, seed: int = 0) -> float:
    """How often a claim succeeds: the share of simulated sets of ``n`` comparisons
    whose Wilson interval leaves one half out on the right side of it."""
    drawn = np.random.default_rng(seed).binomial(n, rate, trials)
    found = 0
    for wins, times in Counter(drawn.tolist()).items():
        seen = wilson(wins, n)
        found += times * (seen.low > 0.5 if rate > 0.5 else seen.high < 0.5)
    return found / trials
