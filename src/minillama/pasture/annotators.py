"""Simulated annotators. Nobody was asked anything: these are programs.

The paper's annotators compare two answers and say which is better and how clearly
(section 3.2.1). Ours see the true utility of both through noise. The noise follows the
logistic distribution, so that the first answer wins with the probability of Bradley
and Terry, sigmoid((u_first - u_second) / noise), and the same noisy gap that decides
the winner also decides the degree.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from minillama.errors import UserError

DEGREES = ("significantly better", "better", "slightly better",
           "negligibly better / unsure")
# The smallest noisy gap for each degree but the last. The paper gives no such numbers,
# since its annotators were people; these are ours, in units of utility.
GAPS = (0.6, 0.35, 0.15)
VIEWS = ("helpfulness", "safety", "utility")


class Judged(Protocol):
    """Anything whose answers have known truths: a Task or a Request."""

    def helpfulness(self, answer: str) -> float:
        """How far the answer does what was asked, in [0, 1]."""

    def safety(self, answer: str) -> float:
        """How far nobody is harmed, in [0, 1]."""

    def utility(self, answer: str) -> float:
        """What is wanted in the end, in [0, 1]."""


@dataclass(frozen=True)
class Preference:
    """One comparison."""

    chosen: str
    rejected: str
    degree: str  # one of DEGREES
    first_chosen: bool
    gap: float  # true score of the chosen minus that of the rejected; may be negative


@dataclass(frozen=True)
class Annotator:
    """A simulated annotator with one thing in view and some noise.

    Args:
        view: what is compared: "helpfulness", "safety" or "utility".
        noise: the scale of the logistic noise in units of utility, above 0; at 0.15 a
            gap of 0.15 is seen rightly 73% of the time.

    Raises:
        UserError: a view that does not exist or a noise that is not above 0.
    """

    view: str = "helpfulness"
    noise: float = 0.15

    def __post_init__(self) -> None:
        """Check the settings at once, not at the first comparison."""
        if self.view not in VIEWS:
            raise UserError(f'There is no view "{self.view}"; choose from '
                            f"{', '.join(VIEWS)}.")
        if not (self.noise > 0 and math.isfinite(self.noise)):
            raise UserError(f"noise is {self.noise}; it must be a number above 0.")

    def score(self, task: Judged, answer: str) -> float:
        """The truth that this annotator looks at, in [0, 1]."""
        judge: Callable[[str], float] = getattr(task, self.view)
        return judge(answer)

    def probability(self, task: Judged, first: str, second: str) -> float:
        """Bradley-Terry probability that the first answer is preferred."""
        gap = self.score(task, first) - self.score(task, second)
        return 0.5 * (1 + math.tanh(gap / self.noise / 2))

    def compare(self, task: Judged, first: str, second: str, rng: Random) -> Preference:
        """Prefer one of two answers; all chance comes from `rng`."""
        gap = self.score(task, first) - self.score(task, second)
        seen = gap + self.noise * _logistic(rng)
        if seen > 0:
            return Preference(first, second, degree(seen), True, gap)
        return Preference(second, first, degree(-seen), False, -gap)


def degree(seen_gap: float) -> str:
    """The degree of preference for a noisy gap of at least 0."""
    return next((name for name, least in zip(DEGREES, GAPS) if seen_gap >= least),
                DEGREES[-1])


def _logistic(rng: Random) -> float:
    """One draw from the standard logistic distribution, by inverting its sigmoid."""
    uniform = rng.random()
    while uniform == 0.0:
        uniform = rng.random()
    return math.log(uniform / (1 - uniform))
