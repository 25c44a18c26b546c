"""Tables and equations of the paper as a notebook shows them."""

import html
from collections.abc import Sequence
from typing import Any

from IPython.display import HTML, Math, display

from ..errors import UserError
from .ledger import equation, table
from .placeholders import readable

STYLE = "border-collapse:collapse;margin:.4em 0"
CELL = "padding:.2em .6em;border-bottom:1px solid #c9ced6;text-align:{side}"
NOTES = {"verified-2-sources": "confirmed in two transcriptions",
         "verified-1-source": "seen in one transcription",
         "memory-only": "not confirmed by a source"}


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str,
               number_format: str = "", highlight: Sequence[int] = ()) -> str:
    """An HTML table with a caption; every text escaped, numbers set to the right.

    ``number_format`` is for floats, ``highlight`` lists the rows to set in bold.
    """
    def cell(tag: str, value: Any, first: bool) -> str:
        text = format(value, number_format) if (
            number_format and isinstance(value, float)) else (
            "" if value is None else readable(value))
        scope = ' scope="col"' if tag == "th" else ""
        side = CELL.format(side="left" if first else "right")
        return f'<{tag}{scope} style="{side}">{html.escape(text)}</{tag}>'

    head = "".join(cell("th", name, i == 0) for i, name in enumerate(columns))
    body = ""
    for number, row in enumerate(rows):
        bold = ' style="font-weight:600"' if number in highlight else ""
        cells = "".join(cell("td", v, i == 0) for i, v in enumerate(row))
        body += f"<tr{bold}>{cells}</tr>"
    return (f'<table style="{STYLE}"><caption style="text-align:left;'
            f'caption-side:top;padding:.2em 0">{html.escape(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def show_table(id: str, columns: Sequence[str] | None = None,
               rows: Sequence[int] | None = None, highlight: Sequence[int] = (),
               number_format: str = "") -> None:
    """Display a table of the paper, or some of its columns and rows (by number)."""
    entry = table(id)
    names = list(columns or entry.columns)
    unknown = [name for name in names if name not in entry.columns]
    if unknown:
        raise UserError(f"{id} has no column {unknown[0]!r}: {entry.columns}")
    chosen = [entry.columns.index(name) for name in names]
    picked = [entry.rows[i] for i in rows] if rows is not None else entry.rows
    caption = (f"Llama 2 paper, Table {entry.number}: {entry.label} "
               f"({NOTES[entry.confidence]})")
    values = [[row[i] for i in chosen] for row in picked]
    display(HTML(html_table(names, values, caption, number_format, highlight)))


def show_equation(id: str) -> None:
    """Display an equation with its place in the paper."""
    entry = equation(id)
    display(Math(entry.latex))
    display(HTML(f"<p>{html.escape(entry.where)}: {html.escape(entry.meaning)}</p>"))
