"""The plan of the talk: its sections and their minutes, in the order of the outline.

It stands in ``notebooks/source/talk.json``, with the names of the presenters.
"""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import read_json
from .paths import SOURCES

PLAN = SOURCES / "talk.json"
CUTS = ("talk", "short")


@dataclass(frozen=True)
class Section:
    """A heading of the talk with its minutes in each cut and its lines on the handout.

    A cut that leaves the section out gives it 0 minutes.
    """

    tag: str
    heading: str
    outline: list[str]  # headings of the outline that it answers
    talk: float
    short: float
    takeaway: str


@dataclass(frozen=True)
class Plan:
    """What talk.json says."""

    title: str
    presenters: list[str]
    total: dict[str, float]  # minutes of each cut
    sections: list[Section]


def read_plan(path: Path = PLAN) -> Plan:
    """The plan. Raises UserError where it cannot be read or its times do not add up."""
    try:
        raw = read_json(path)
        sections = [Section(**one) for one in raw.pop("sections")]
        plan = Plan(**raw, sections=sections)
        sums = {cut: sum(getattr(section, cut) for section in sections) for cut in CUTS}
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(f"{path.name} is not a plan of the talk: {error}") from None
    if sums != plan.total:
        raise UserError(f"{path.name}: the sections take {sums} minutes, and the plan "
                        f"says {plan.total}")
    return plan
