"""Tables and listings of our own, as HTML with everything escaped."""

import html
from collections.abc import Sequence
from typing import Any

from IPython.display import HTML, display
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from ..paper.render import html_table

CODE_STYLE = "xcode"  # dark enough on the grey of a code panel


def table(rows: Sequence[Sequence[Any]], columns: Sequence[str], caption: str,
          number_format: str = "", highlight_rows: Sequence[int] = ()) -> None:
    """Display rows under columns, with a caption that says what is to be seen.

    ``number_format`` (".2f") is for floats.
    """
    display(HTML(html_table(columns, rows, caption, number_format, highlight_rows)))


def code_html(source: str) -> str:
    """Python source, coloured, in a panel of its own."""
    formatter = HtmlFormatter(style=CODE_STYLE, noclasses=True, nowrap=True)
    return ('<pre style="background:#f4f5f7;color:#1b1f24;padding:.5em .7em;margin:0;'
            'white-space:pre-wrap;overflow-wrap:anywhere;text-align:left">'
            f"{highlight(source, PythonLexer(), formatter)}</pre>")


def columns_html(cells: Sequence[tuple[str, str]], name: str = "pair",
                 widths: Sequence[int] = (1, 1)) -> str:
    """HTML blocks side by side, each under its heading (a text, escaped).

    ``widths`` are shares of the row.
    """
    parts = "".join(
        f'<div style="flex:{width} 1 0;min-width:0"><div style="font-weight:600;'
        f'padding:.2em 0">{html.escape(title)}</div>{content}</div>'
        for (title, content), width in zip(cells, widths))
    return (f'<div class="{name}" style="display:flex;gap:1em;align-items:flex-start">'
            f"{parts}</div>")


def side_by_side(left: str, right: str, titles: tuple[str, str]) -> None:
    """Two listings beside each other, to compare line by line."""
    cells = [(title, code_html(text)) for title, text in zip(titles, (left, right))]
    display(HTML(columns_html(cells)))
