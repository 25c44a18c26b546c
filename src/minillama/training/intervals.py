"""Means with 95% confidence intervals, for a handful of seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError

# Student's t at 97.5% for 1 to 30 degrees of freedom, and the normal value beyond.
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201,
         2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074,
         2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


@dataclass(frozen=True)
class Interval:
    """A mean and the half width of its 95% interval, in the unit of the values."""

    mean: float
    half_width: float

    @property
    def low(self) -> float:
        """Lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end."""
        return self.mean + self.half_width

    def excludes(self, value: float) -> bool:
        """Whether the interval leaves ``value`` out: only then is there a claim."""
        return not self.low <= value <= self.high


def interval(values: Sequence[float]) -> Interval:
    """Mean of at least two independent values, with Student's interval."""
    n = len(values)
    if n < 2:
        raise UserError("an interval needs at least two values")
    mean = math.fsum(values) / n
    variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
    t = T_975[n - 2] if n - 2 < len(T_975) else 1.96
    return Interval(mean, t * math.sqrt(variance / n))


def group_means(groups: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Mean of the values of each group, groups in order of their names."""
    members: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        members.setdefault(group, []).append(value)
    return {group: sum(mine) / len(mine) for group, mine in sorted(members.items())}


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Interval of ``a - b`` for runs that share their seeds, pair by pair."""
    if len(a) != len(b):
        raise UserError("paired runs must be equally many")
    return interval([x - y for x, y in zip(a, b)])
