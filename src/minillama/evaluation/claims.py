"""Rules that turn results into verdicts, and what a claim is.

A rule sees numbers and nothing else: no claim is known to it by name, and none has a
verdict of its own. Differences are one a seed, so an interval speaks of training runs.

    shown_above([0.3, 0.2, 0.4]).verdict     # "reproduced"
    shown_above([-0.3, -0.2, -0.4]).verdict  # "not reproduced"
    shown_above([0.9, -0.4, 0.1]).verdict    # "cannot tell"
"""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from ..training.intervals import T_975, Interval, interval
from .safety import wilson

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
CANNOT_TELL = "cannot tell"
NOT_TESTABLE = "not testable here"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, NOT_TESTABLE)
Results = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """A verdict and the numbers that it rests on, in words of one line.

    ``values`` and ``rule`` are kept where there is one value a seed.
    """

    verdict: str
    evidence: str
    values: tuple[float, ...] = field(default=(), compare=False)
    rule: Callable[[Interval], str] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse a verdict that there is not."""
        if self.verdict not in VERDICTS:
            raise UserError(f"no verdict {self.verdict!r}: one of {VERDICTS}")


@dataclass(frozen=True)
class Claim:
    """A claim of the paper in our words, and where and how it was tried.

    ``judge`` takes the results by name (those in ``needs``) and finds the verdict;
    without it ``reason`` says why nothing here can test the claim.
    """

    id: str
    theme: str
    text: str
    section: str  # of the paper, as the ledger numbers it
    experiment: str
    notebook: str = ""  # "09"; with ``heading`` empty where nothing can be tested
    heading: str = ""  # of the slide, as it stands in the source
    needs: tuple[str, ...] = ()
    judge: Callable[[Results], Finding] | None = None
    reason: str = ""

    @property
    def testable(self) -> bool:
        """Whether there is an experiment."""
        return self.judge is not None


def _described(found: Interval, unit: str, digits: int) -> str:
    return f"{found.low:+.{digits}f} to {found.high:+.{digits}f} {unit}".strip()


def _of_seeds(values: Sequence[float], unit: str, digits: int,
              rule: Callable[[Interval], str]) -> Finding:
    """Apply a rule to the interval of one value a seed; one seed can show nothing."""
    if len(values) < 2:
        shown = ", ".join(f"{v:+.{digits}f}" for v in values) or "nothing"
        return Finding(CANNOT_TELL, f"{shown} {unit}, one run, no interval")
    found = interval(values)
    return Finding(rule(found), _described(found, unit, digits), tuple(values), rule)


def shown_above(differences: Sequence[float], border: float = 0.0, unit: str = "",
                digits: int = 3) -> Finding:
    """Reproduced where the 95% interval lies above ``border``, not reproduced where it
    lies below, and undecided where it holds it."""
    return _of_seeds(differences, unit, digits, lambda found: (
        REPRODUCED if found.low > border else
        NOT_REPRODUCED if found.high < border else CANNOT_TELL))


def shown_equal(differences: Sequence[float], margin: float, unit: str = "",
                digits: int = 3) -> Finding:
    """Reproduced where the interval lies within ``margin`` of zero, not reproduced
    where it lies outside. A wide interval around zero shows nothing, equality least.
    """
    if margin <= 0:
        raise UserError("equality needs a margin above 0, chosen before the results")
    return _of_seeds(differences, unit, digits, lambda found: (
        REPRODUCED if -margin < found.low and found.high < margin else
        NOT_REPRODUCED if found.low > margin or found.high < -margin else
        CANNOT_TELL))


def shown_not_worse(differences: Sequence[float], margin: float, unit: str = "",
                    digits: int = 3) -> Finding:
    """As ``shown_above`` with a border of ``-margin``: it may be worse by that much."""
    if margin <= 0:
        raise UserError("a margin is above 0, and chosen before the results")
    return shown_above(differences, -margin, unit, digits)


def rate_above(successes: int, n: int, border: float, unit: str = "") -> Finding:
    """The same for a share of ``n`` independent answers, by Wilson's interval."""
    found = wilson(successes, n)
    verdict = (REPRODUCED if found.low > border else
               NOT_REPRODUCED if found.high < border else CANNOT_TELL)
    return Finding(verdict, f"{successes} of {n} {unit}".strip()
                   + f", {found.low:.1%} to {found.high:.1%}")


def all_of(findings: Sequence[Finding]) -> Finding:
    """A claim with several parts: one that fails is enough to fail it, and all must be
    shown to show it."""
    if not findings:
        raise UserError("a claim of no parts cannot be judged")
    verdicts = [one.verdict for one in findings]
    verdict = (NOT_REPRODUCED if NOT_REPRODUCED in verdicts else
               REPRODUCED if set(verdicts) == {REPRODUCED} else CANNOT_TELL)
    return Finding(verdict, "; ".join(one.evidence for one in findings))


def judge(claim: Claim, results: Results) -> Finding:
    """The verdict on a claim. Raises UserError where a result that it needs is missing.
    """
    if claim.judge is None:
        return Finding(NOT_TESTABLE, claim.reason)
    missing = [name for name in claim.needs if name not in results]
    if missing:
        raise UserError(f"claim {claim.id} needs the results of {', '.join(missing)}")
    return claim.judge({name: results[name] for name in claim.needs})


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """How many of each verdict, in the order of VERDICTS."""
    counts = Counter(one.verdict for one in findings)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def with_seeds(found: Finding, n: int) -> str:
    """The verdict that ``n`` seeds (2 to 31) would give if they had the mean and the
    spread of those that were run; the verdict itself where seeds were not the unit."""
    if found.rule is None:
        return found.verdict
    half = T_975[n - 2] * statistics.stdev(found.values) / n**0.5
    return found.rule(Interval(statistics.fmean(found.values), half))


def by_luck(tested: int, level: float = 0.95) -> float:
    """How many of ``tested`` claims would be called reproduced if nothing were true:
    half of what intervals of this level miss lies on the side of the claim."""
    return tested * (1 - level) / 2
