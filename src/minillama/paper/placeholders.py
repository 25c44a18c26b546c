"""Numbers in prose, taken from the ledger when a notebook is made.

``{{fact:context_length}}``, ``{{fact:opt_pretrain.beta2}}``,
``{{table:table_2|Llama 2 7B|GPU hours}}``, ``{{context:models.llama2-7b.layers}}``;
a format may follow a second bar for facts and context: ``{{fact:x|.1f}}``.
"""

import re
from functools import partial
from typing import Any

from ..errors import UserError
from .ledger import Entry, context, fact, table

PATTERN = re.compile(r"\{\{\s*(fact|table|context):([^{}]+?)\s*\}\}")


def fill(text: str) -> str:
    """Replace every placeholder. Raises UserError for one that leads nowhere, or to
    an entry that no source confirms."""
    filled = PATTERN.sub(lambda match: _value(match[1], match[2]), text)
    if "{{" in filled and re.search(r"\{\{\s*\w+:", filled):
        raise UserError(f"a placeholder is not understood in: {filled[:80]!r}")
    return filled


def _value(kind: str, name: str) -> str:
    parts = [part.strip() for part in name.split("|")]
    if kind == "table":
        if len(parts) < 3:
            raise UserError(f"{{{{table:{name}}}}} needs table|row|column")
        entry, value = table(parts[0]), table(parts[0]).cell(parts[1], parts[2])
        how = parts[3] if len(parts) > 3 else ""
    else:
        entry, path = _entry(kind, parts[0])
        value = _follow(entry, path, name)
        how = parts[1] if len(parts) > 1 else ""
        unsure = entry.raw.get("memory_only_fields", [])
        if any(step in unsure for step in path):
            raise UserError(f"{name} rests on memory alone: leave it out")
    if entry.confidence == "memory-only":
        raise UserError(f"{name} is confirmed by no source: leave it out")
    if value is None or isinstance(value, dict):
        raise UserError(f"{name} has no single value to print")
    try:
        return ("about " if entry.approximate else "") + readable(value, how)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} cannot be printed as {how!r}: {error}") from None


def _entry(kind: str, name: str) -> tuple[Entry, list[str]]:
    """The entry that a name begins with, and the steps into its value after it.

    Ids may have dots ("llama3.1"): the longest beginning that is one is meant.
    """
    section, _, rest = name.partition(".") if kind == "context" else ("", "", name)
    steps = rest.split(".")
    look = fact if kind == "fact" else partial(context, section)
    for n in range(len(steps), 0, -1):
        try:
            return look(".".join(steps[:n])), steps[n:]
        except UserError:
            continue
    return look(steps[0]), []  # raises, and says which names are close


def _follow(entry: Entry, path: list[str], name: str) -> Any:
    value = entry.raw.get("value")
    while path:
        if isinstance(value, list) and path[0].isdigit() and int(path[0]) < len(value):
            value, path = value[int(path[0])], path[1:]
            continue
        ends = [n for n in range(len(path), 0, -1)  # keys may have dots too
                if isinstance(value, dict) and ".".join(path[:n]) in value]
        if not ends:
            raise UserError(f"{name}: the entry has no {path[0]!r}")
        value, path = value[".".join(path[:ends[0]])], path[ends[0]:]
    return value


def readable(value: Any, how: str = "") -> str:
    """A number as it is read: 3311616 as 3,311,616, 2000000000000 as 2 trillion."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if how:
        return format(value, how)
    if isinstance(value, list):
        return ", ".join(readable(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {readable(item)}" for key, item in value.items())
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e18:
        value = int(value)
    if isinstance(value, int):
        for size, word in ((10**12, "trillion"), (10**9, "billion")):
            if abs(value) >= size and value % (size // 10) == 0:
                return f"{value / size:g} {word}"
        return f"{value:,}" if abs(value) >= 10000 else str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
