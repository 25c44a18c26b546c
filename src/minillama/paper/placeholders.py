"""Numbers in prose, taken from the ledger when a notebook is made.

``{{fact:context_length}}``, ``{{fact:opt_pretrain.beta2}}``,
``{{table:table_2|Llama 2 7B|GPU hours}}``, ``{{context:models.llama2-7b.layers}}``;
a format may follow a second bar for facts and context: ``{{fact:x|.1f}}``.
"""

import re
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
        path = parts[0].split(".")
        entry = fact(path[0]) if kind == "fact" else context(path[0], path[1])
        value = _follow(entry, path[1:] if kind == "fact" else path[2:], name)
        how = parts[1] if len(parts) > 1 else ""
    if entry.confidence == "memory-only":
        raise UserError(f"{name} is confirmed by no source: leave it out")
    return ("about " if entry.approximate else "") + readable(value, how)


def _follow(entry: Entry, path: list[str], name: str) -> Any:
    value = entry.raw.get("value")
    for step in path:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            raise UserError(f"{name}: the entry has no {step!r}")
    if value is None or isinstance(value, dict):
        raise UserError(f"{name} has no single value to print")
    return value


def readable(value: Any, how: str = "") -> str:
    """A number as it is read: 3311616 as 3,311,616, 2000000000000 as 2 trillion."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if how:
        return format(value, how)
    if isinstance(value, list):
        return ", ".join(readable(item) for item in value)
    if isinstance(value, float) and value == int(value) and abs(value) < 1e18:
        value = int(value)
    if isinstance(value, int):
        for size, word in ((10**12, "trillion"), (10**9, "billion")):
            if abs(value) >= size and value % (size // 10) == 0:
                return f"{value / size:g} {word}"
        return f"{value:,}" if abs(value) >= 10000 else str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
