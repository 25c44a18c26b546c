"""Simulated annotators. No person judged anything in this project.

An annotator sees the true utility of two answers and prefers one with the probability
of Bradley and Terry, ``sigmoid((u_a - u_b) / noise)``. How sure it is becomes one of
the paper's four degrees of preference (Llama 2 paper, section 3.2.1).
"""

import math
import random
from dataclasses import dataclass
from typing import Protocol

from ..errors import UserError

DEGREES = ("significantly better", "better", "slightly better",
           "negligibly better / unsure")
BOUNDS = (0.6, 0.3, 0.1)  # least difference in utility, as perceived, for a degree


class Judged(Protocol):
    """Anything whose answers have a true utility: a Task or a SafetyPrompt."""

    def utility(self, answer: str) -> float:
        """Between 0 and 1."""


@dataclass(frozen=True)
class Preference:
    """One comparison: which answer won, and how clearly."""

    chosen: str
    rejected: str
    degree: str


@dataclass(frozen=True)
class Annotator:
    """Prefers by utility, seen through noise. ``noise`` is in units of utility."""

    noise: float = 0.1

    def __post_init__(self) -> None:
        """Refuse a noise that no probability follows from."""
        if not self.noise > 0:
            raise UserError(f"noise must be positive, not {self.noise}")

    def probability(self, utility_a: float, utility_b: float) -> float:
        """Probability that the first answer is preferred (Bradley-Terry)."""
        z = (utility_a - utility_b) / self.noise
        return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))

    def compare(self, task: Judged, answer_a: str, answer_b: str,
                rng: random.Random) -> Preference:
        """Prefer one of two answers to ``task`` and say how clearly."""
        u_a, u_b = task.utility(answer_a), task.utility(answer_b)
        a_wins = rng.random() < self.probability(u_a, u_b)
        # a winner against the truth cannot have been a clear one
        gap = (u_a - u_b) * (1 if a_wins else -1)
        degree = next((name for name, least in zip(DEGREES, BOUNDS) if gap >= least),
                      DEGREES[-1])
        chosen, rejected = (answer_a, answer_b) if a_wins else (answer_b, answer_a)
        return Preference(chosen, rejected, degree)
