"""The map of the paper: what became of each section, equation, table and figure.

An item names the slides that realise it, by notebook and heading, the functions that
do it, and a status. The data lie beside the ledger in ``data/reference/``, in a folder
of their own, since a change of them does not change what a notebook computes.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import UserError
from ..files import read_json
from .ledger import DATA, _load

REFERENCE = DATA / "reference"
KINDS = ("section", "equation", "table", "figure")
STATUSES = ("exact", "scaled down", "differs", "not covered")
LABELS = re.compile(
    r"(?P<whose>\b(?:its|their) )?\b([Tt]able|[Ff]igure|[Ee]quation)s? (\d+)[ab]?"
    r"((?:(?:, | and | or | to )\d+[ab]?\b)*)(?=(?P<after>[^.\n]{0,60}))")
OTHERS = re.compile(r" of (?:the|its) (?!paper\b|Llama 2\b)[\w ]*?paper|"
                    r" of \w+'s paper")


@dataclass(frozen=True)
class Place:
    """A slide: ``live`` if it computes something for the item, else it only tells."""

    notebook: str
    heading: str
    live: bool


@dataclass(frozen=True)
class Item:
    """One part of the paper and what the series does with it."""

    id: str
    kind: str
    number: str
    part: str
    subject: str
    ledger: tuple[str, ...]
    status: str
    why: str
    places: tuple[Place, ...]
    functions: tuple[str, ...]
    testable: bool | None
    testable_why: str

    @property
    def label(self) -> str:
        """As a reader calls it: Table 5, Section 3.1."""
        if self.kind == "section" and not re.match(r"A?[.\d]*$", self.number):
            return self.number
        return f"{self.kind.capitalize()} {self.number}"


@cache
def read(name: str) -> dict[str, Any]:
    """A file of ``data/reference``: map, glossary or references."""
    return read_json(REFERENCE / f"{name}.json")


@cache
def items() -> tuple[Item, ...]:
    """All of the map, in the order of the paper, kind by kind."""
    return tuple(_item(entry) for entry in read("map")["items"])


def _item(raw: dict[str, Any]) -> Item:
    places = tuple(Place(**place) for place in raw["places"])
    return Item(raw["id"], raw["kind"], raw["number"], raw["part"], raw["subject"],
                tuple(raw["ledger"]), raw["status"], raw["why"], places,
                tuple(raw["functions"]), raw.get("scale_testable"),
                raw.get("scale_reason", ""))


def item(id: str) -> Item:
    """One item by its name: item("table_5"). Raises UserError for an unknown one."""
    for one in items():
        if one.id == id:
            return one
    raise UserError(f"the map has no {id!r}: names are like table_5, figure_7, "
                    "equation_1, section_3.2.1")


def mentions(source: str) -> set[str]:
    """Items that a notebook's source speaks of or shows, by id.

    Read are: "Table 5", "Figures 7 and 8", "tables 20 to 25" in text and code; names
    of the ledger such as ``"table_5"``, ``{{table:table_5|...}}``, ``fig_7`` in a call
    or placeholder of a fact; equations shown by name. A number "of the RoPE paper" is
    not of this paper, nor are "its equations 13 to 15".
    """
    found = set()
    for match in LABELS.finditer(source):
        if not match["whose"] and not OTHERS.match(match["after"]):
            kind = match[2].lower()
            found |= {f"{kind}_{n}" for n in _numbers(match[3] + match[4])}
    found |= {f"table_{n}" for n in re.findall(r"""["':]table_(\d+)""", source)}
    found |= {f"{'figure' if kind == 'fig' else kind}_{n}" for kind, n in
              re.findall(r"""fact(?::|\(["'])(fig|table)_(\d+)""", source)}
    shown = set(re.findall(r"""equation\(["'](\w+)["']""", source))
    known = {name.removeprefix("equation:"): one.id for one in items()
             if one.kind == "equation" for name in one.ledger}
    return found | {known.get(name, f"equation_{name}") for name in shown}


def _numbers(text: str) -> list[int]:
    """[7, 8] for "7 and 8", [20, 21, 22] for "20 to 22"."""
    found: list[int] = []
    for word, digits in re.findall(r"(to )?(\d+)", text):
        start = found[-1] + 1 if word and found else int(digits)
        found += range(start, int(digits) + 1)
    return found


def counts() -> dict[str, Counter[str]]:
    """How many items of each kind have each status."""
    return {kind: Counter(one.status for one in items() if one.kind == kind)
            for kind in KINDS}


def share(statuses: tuple[str, ...] = STATUSES[:3]) -> tuple[int, int]:
    """Of the main text's tables and figures: how many have a live counterpart (of one
    of these statuses), and how many can be tried at small scale at all. What cannot be
    tried counts on neither side."""
    can = [one for one in items() if one.kind in ("table", "figure")
           and one.part == "main" and one.testable]
    return sum(one.status in statuses for one in can), len(can)


def total(kind: str) -> int:
    """The highest number that the paper gives to a table, figure or equation, by the
    ledger."""
    entry = next(f for f in _load("llama2")["facts"] if f["id"] == "paper_counts")
    return entry["value"][{"equation": "numbered_equations"}.get(kind, f"{kind}s")]


def coverage() -> str:
    """The coverage as Markdown, for the README: a table and one sentence."""
    lines = ["| of the paper | " + " | ".join(STATUSES) + " | all |",
             "| --- |" + " ---: |" * (len(STATUSES) + 1)]
    for kind, number in counts().items():
        row = [str(number[status]) for status in STATUSES]
        lines.append(f"| {kind}s | {' | '.join(row)} | {number.total()} |")
    live, can = share()
    close, _ = share(STATUSES[:2])
    lines += ["", f"Of the {can} tables and figures of the main text that can be tried "
              f"at small scale, {live} ({live / can:.0%}) have a live counterpart: "
              f"{close} by the paper's own procedure, {live - close} by one that "
              "differs in substance. `build/pages/map.html` leads from every item to "
              "its slide and says why."]
    return "\n".join(lines)
