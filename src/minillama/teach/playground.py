"""The playground in a notebook: an exchange as a table, and a box to type into.

What is measured, and how the base is asked, stands in ``alignment/playground.py``.
"""

import html
import re
from collections.abc import Sequence
from typing import Any

from IPython import get_ipython
from IPython.display import HTML, display

from .. import stages
from ..alignment.playground import Playground, Reply, assemble, visible
from ..errors import UserError
from ..paper.render import CELL, STYLE

NOTE = ("base knows no chat format and continues “Question: … Answer:” up to the end "
        "of the line. helpful and safe are scores of the reward models. KL is "
        "log π − log π<sub>SFT</sub> of this one answer, in nats.")
WITHOUT_KERNEL = ("The playground needs a running kernel and widgets: open this "
                  "notebook in JupyterLab, or run python3 course.py chat in a "
                  "terminal.")
COLUMNS = ("model", "answer", "helpful", "safe", "KL", "tokens")


def from_stages() -> Playground:
    """Base, SFT and RLHF-V5 as they were trained, made on the spot where missing."""
    return assemble(stages.get("base"), stages.get("sft"), stages.get("rlhf")[0])


def exchange(question: str, models: Playground | None = None, temperature: float = 0.0,
             seed: int = 0, max_new_tokens: int = 48, system: str | None = None,
             pieces: bool = True) -> HTML:
    """One question and everyone's answers as a table; shown as a cell's last value.

    Without ``models`` they come from the stages. ``pieces`` shows the tokens under
    each answer. Raises UserError as reply_all does.
    """
    models = from_stages() if models is None else models
    replies = models.ask(question, temperature, seed, max_new_tokens, system)
    return HTML(replies_html(question, replies, system, pieces))


def replies_html(question: str, replies: Sequence[Reply], system: str | None = None,
                 pieces: bool = True) -> str:
    """Replies as an HTML table, every text escaped."""
    head = "".join(f'<th scope="col" style="{_style(name)}">{name}</th>'
                   for name in COLUMNS)
    body = "".join(f"<tr>{_row(reply, pieces)}</tr>" for reply in replies)
    asked = question if system is None else f"[{system}] {question}"
    return (f'<table class="exchange" style="{STYLE}"><caption style="text-align:left;'
            f'caption-side:top;padding:.2em 0"><b>{_escaped(asked)}</b></caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
            f'<tfoot><tr><td colspan="{len(COLUMNS)}" style="text-align:left">{NOTE}'
            "</td></tr></tfoot></table>")


def _row(reply: Reply, pieces: bool) -> str:
    """The cells of one reply."""
    answer = (f'<div style="white-space:pre-wrap">{_escaped(reply.text)}</div>'
              if reply.text else "<div><i>nothing</i></div>")
    if pieces:
        marked = " ".join(f"<span>{_escaped(piece)}</span>" for piece in reply.tokens)
        answer += f'<div style="opacity:.7">{marked}</div>'
    count = f"{len(reply.tokens)}" + ("" if reply.ended else ", cut off")
    cells = (_escaped(reply.name), answer, _number(reply.helpfulness),
             _number(reply.safety), _number(reply.kl), count)
    return "".join(f'<td style="{_style(name)}">{cell}</td>'
                   for name, cell in zip(COLUMNS, cells))


def _style(column: str) -> str:
    side = "left" if column in COLUMNS[:2] else "right"
    wrap = "" if column == "answer" else ";white-space:nowrap"
    return CELL.format(side=side) + ";vertical-align:top" + wrap


def _escaped(text: str) -> str:
    """Text as it was written: neither tags nor dollars mean anything in it."""
    escaped = html.escape(visible(text))
    return re.sub(r"[$\\]", r"<span>\g<0></span>", escaped)  # no TeX spans elements


def _number(value: float | None) -> str:
    """Two decimals, and no minus before a zero."""
    return "–" if value is None else f"{round(value, 2) + 0.0:.2f}"


def playground(models: Playground | None = None, max_new_tokens: int = 48) -> None:
    """A box to type into, a slider for the temperature, a button: live answers.

    Where there is no kernel or no widgets it prints one line that says so.
    """
    try:
        import ipywidgets
    except ImportError:
        ipywidgets = None
    if ipywidgets is None or getattr(get_ipython(), "kernel", None) is None:
        print(WITHOUT_KERNEL)
        return
    models = from_stages() if models is None else models
    display(_interface(ipywidgets, models, max_new_tokens))


def _interface(widgets: Any, models: Playground, max_new_tokens: int) -> Any:
    """The widgets, wired up; every press of the button is a new seed."""
    text = widgets.Text(placeholder="Where does an owl live?", description="question",
                        layout={"width": "44em"})
    slider = widgets.FloatSlider(value=0.0, min=0.0, max=1.5, step=0.1,
                                 description="temperature", continuous_update=False,
                                 style={"description_width": "8em"})
    button = widgets.Button(description="ask all", button_style="primary")
    answers = widgets.HTML()
    presses = 0

    def answer(_button: Any) -> None:
        nonlocal presses
        button.disabled = True
        try:
            answers.value = exchange(text.value, models, slider.value, presses,
                                     max_new_tokens).data
        except UserError as error:
            answers.value = f"<p>{_escaped(str(error))}</p>"
        finally:
            presses += 1
            button.disabled = False

    button.on_click(answer)
    return widgets.VBox([text, slider, button, answers])
