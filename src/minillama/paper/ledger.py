"""Looking things up in the ledger (``paper/data/*.json``)."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import read_json

DATA = Path(__file__).parent / "data"
CONTEXT = ("models", "papers", "mistral", "critiques", "followups", "ppo_details")


@dataclass(frozen=True)
class Entry:
    """One fact, equation or piece of context. ``raw`` is the whole ledger entry."""

    id: str
    raw: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        """Fields of the ledger as attributes: value, unit, where, what, sources, ..."""
        raw = self.__dict__.get("raw", {})
        if name in raw:
            return raw[name]
        raise AttributeError(f"{self.__dict__.get('id')} has no {name!r}")

    @property
    def confidence(self) -> str:
        """verified-2-sources, verified-1-source or memory-only."""
        return self.raw.get("confidence", "memory-only")

    @property
    def approximate(self) -> bool:
        """Whether the value was read off a figure."""
        return bool(self.raw.get("approx"))


@dataclass(frozen=True)
class Table(Entry):
    """One table of the paper: ``columns`` and ``rows``."""

    @property
    def number(self) -> str:
        """As printed: table_9a is Table 9a."""
        return self.id.removeprefix("table_")

    def cell(self, row: str, column: str) -> Any:
        """The value where a row's label and a column's name meet.

        A row is named by its first column, or by several joined with " / ".
        """
        if column not in self.columns:
            raise UserError(f"{self.id} has no column {column!r}: {self.columns}")
        labels: dict[str, list[list[Any]]] = {}
        for values in self.rows:
            for n in range(1, min(4, len(values)) + 1):
                labels.setdefault(" / ".join(map(str, values[:n])), []).append(values)
        if row not in labels:
            raise UserError(_unknown(f"row of {self.id}", row, labels))
        if len(labels[row]) > 1:
            longer = [name for name in labels if name.startswith(f"{row} / ")]
            raise UserError(f"{self.id} has {len(labels[row])} rows {row!r}: name one "
                            f"in full, such as {longer[0]!r}")
        return labels[row][0][self.columns.index(column)]


@cache
def _load(name: str) -> dict[str, Any]:
    return read_json(DATA / f"{name}.json")


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 3, 0.4)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    return f"the ledger has no {what} {name!r}{hint}"


def _named(entries: list[dict[str, Any]], what: str, id: str) -> Entry:
    found = {entry["id"]: entry for entry in entries}
    if id not in found:
        raise UserError(_unknown(what, id, found))
    return Entry(id, found[id])


def fact(id: str) -> Entry:
    """A fact of the paper by its name."""
    return _named(_load("llama2")["facts"], "fact", id)


def facts(where: str = "") -> list[Entry]:
    """All facts whose place in the paper contains ``where`` ("Sec 2.2")."""
    return [Entry(entry["id"], entry) for entry in _load("llama2")["facts"]
            if where in entry.get("where", "")]


def table(id: str) -> Table:
    """A table of the paper: table("table_2")."""
    tables = _load("llama2")["tables"]
    if id not in tables:
        raise UserError(_unknown("table", id, tables))
    return Table(id, tables[id])


def equation(id: str) -> Entry:
    """An equation of the paper by its name: .latex, .where, .meaning."""
    equations = _load("llama2")["equations"]
    if id not in equations:
        raise UserError(_unknown("equation", id, equations))
    return Entry(id, equations[id])


def context(section: str, id: str) -> Entry:
    """What surrounds the paper: a model, paper, critique, follow-up, PPO detail."""
    if section not in CONTEXT:
        raise UserError(_unknown("section", section, CONTEXT))
    return _named(_load("context")[section], f"entry in {section}", id)
