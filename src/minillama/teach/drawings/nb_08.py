"""Drawings of notebook 08: rows of tokens, packing, the run, gains and losses."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from IPython.display import HTML, display
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...training.intervals import interval
from ..figures import COLOURS, CYCLE, figure

NEWLINE = "<0x0A>"
LEARNT = "border-bottom:3px solid #009E73"
MOST = 6.0  # nats at which the shade of a surprise is full


@dataclass(frozen=True)
class Line:
    """A row of tokens under a name; ``values`` shade it, by surprise in nats."""

    name: str
    pieces: Sequence[str]
    is_answer: Sequence[bool]
    values: Sequence[float | None] | None = None


def token_rows(lines: Sequence[Line], caption: str) -> None:
    """Display rows of tokens: green and underlined where the assistant writes.

    With ``values`` a token is shaded by its surprise instead, and None leaves it grey.
    """
    rows = "".join(
        f'<div style="margin:.5em 0"><div style="font-weight:600">'
        f"{html.escape(line.name)}</div>"
        f'<div style="line-height:2">{_tokens(line)}</div></div>' for line in lines)
    display(HTML(f'<figure class="tokens" style="margin:0;text-align:left">{rows}'
                 f"<figcaption>{html.escape(caption)}</figcaption></figure>"))


def _tokens(line: Line) -> str:
    values = line.values or [None] * len(line.pieces)
    return " ".join(map(_token, line.pieces, line.is_answer, values,
                        [line.values is not None] * len(line.pieces)))


def _token(piece: str, is_answer: bool, value: float | None, shaded: bool) -> str:
    """One token as a box; everything in it escaped."""
    colour = "rgba(107,114,128,.15)"
    if value is not None:
        colour = f"rgba(230,159,0,{0.08 + 0.8 * min(value, MOST) / MOST:.2f})"
    elif is_answer and not shaded:
        colour = "rgba(0,158,115,.25)"
    style = (f"background:{colour};color:#1b1f24;padding:.1em .3em;"
             "border-radius:3px;white-space:pre;font-family:monospace;")
    shown = "↵" if piece == NEWLINE else piece
    below = f" title=\"{value:.2f} nats\"" if value is not None else ""
    return (f'<span{below} style="{style}{LEARNT if is_answer else ""}">'
            f"{html.escape(shown)}</span>")


def place(sizes: Sequence[int], length: int, packed: bool) -> list[list[int]]:
    """The sizes of the dialogues in every row of ``length`` tokens."""
    rows: list[list[int]] = [[]]
    for size in sizes:
        if rows[-1] and (not packed or sum(rows[-1]) + size > length):
            rows.append([])
        rows[-1].append(size)
    return rows


def draw_packing(fig: Figure, sizes: Sequence[int], length: int, packed: bool) -> None:
    """Dialogues as bars in rows of ``length`` tokens, and what stays empty."""
    ax = fig.subplots()
    rows = place(sizes, length, packed)
    number = 0
    for y, row in enumerate(rows):
        ax.add_patch(Rectangle((0, y + 0.1), length, 0.8, color="0.9", lw=0))
        x = 0
        for size in row:
            ax.add_patch(Rectangle((x, y + 0.1), size, 0.8, ec="white", lw=1,
                                   fc=CYCLE[number % len(CYCLE)], alpha=0.75))
            x, number = x + size, number + 1
    empty = 1 - sum(sizes) / (length * len(rows))
    ax.set(xlim=(0, 260), ylim=(max(len(rows), 4), 0), xlabel="tokens",
           ylabel="row of the batch", yticks=[])
    ax.grid(False)
    ax.set_title(f"{len(sizes)} dialogues {'packed' if packed else 'one a row'}: "
                 f"{len(rows)} rows, {empty:.0%} of them empty")


def draw_run(log: Sequence[Mapping[str, float]], epochs: int,
             known: Mapping[str, float]) -> Figure:
    """Loss of every step and, below, the rate; a line where an epoch ends.

    ``known`` losses, in nats per token by their names, are dotted lines.
    """
    fig, (above, below) = figure(9, 4.3, nrows=2, sharex=True, height_ratios=(3, 1))
    steps = [row["step"] for row in log]
    above.plot(steps, [row["loss"] for row in log], lw=1.5, color=COLOURS["blue"])
    below.plot(steps, [row["rate"] for row in log], color=COLOURS["orange"])
    for epoch in range(1, epochs):
        first = next(row["step"] for row in log if row["epoch"] == epoch)
        for ax in (above, below):
            ax.axvline(first, color=COLOURS["grey"], ls="--", lw=1.5)
    for name, loss in known.items():
        above.axhline(loss, color=COLOURS["black"], ls=":", lw=1.5)
        above.annotate(name, (1, loss), xycoords=("axes fraction", "data"),
                       xytext=(-4, 3), textcoords="offset points", ha="right",
                       fontsize=12)
    above.set(ylabel="loss on answers\n(nats per token)",
              ylim=(0, 1.12 * max(log[0]["loss"], *known.values())))
    below.set(xlabel="step", ylabel="rate", ylim=(0, None))
    above.set_title("The form is learnt in the first steps, the rest is slow")
    return fig


def draw_change(found: Mapping[str, tuple[float, float]], title: str, label: str,
                names: tuple[str, str] = ("base", "after SFT")) -> Figure:
    """Two dots a row, before and after, in order of the second."""
    fig, ax = figure(9, 4.6)
    ranked = sorted(found.items(), key=lambda item: item[1][1])
    for row, (_, pair) in enumerate(ranked):
        ax.plot(pair, [row, row], color=COLOURS["grey"], lw=1.5, zorder=1)
        for value, colour, mark, name in zip(pair, ("orange", "blue"), "os", names):
            ax.plot(value, row, mark, ms=9, color=COLOURS[colour],
                    label=name if row == 0 else None)
    ax.set_yticks(range(len(ranked)), [name for name, _ in ranked], fontsize=12)
    ax.set(xlabel=label)
    ax.set_title(title)
    ax.legend(loc="lower right")
    return fig


def draw_study(mixes: Mapping[str, Sequence[Mapping[str, Any]]], base_loss: float
               ) -> Figure:
    """What each mix gives (utility) and takes (loss on the base's texts).

    ``mixes`` holds a row for each seed: examples, wrong, utility, heldout_loss.
    """
    fig, axes = figure(11, 1.7 + 0.55 * len(mixes), ncols=2, sharey=True)
    labels = []
    for y, (name, rows) in enumerate(mixes.items()):
        wrong = f", {rows[0]['wrong']:.0%} wrong" if rows[0]["wrong"] else ""
        labels.append(f"{name}\n({rows[0]['examples']}{wrong})")
        for ax, field in zip(axes, ("utility", "heldout_loss")):
            values = [row[field] for row in rows]
            found = interval(values)
            ax.errorbar(found.mean, y, xerr=found.half_width, fmt="D", ms=7, capsize=5,
                        color=COLOURS["black"])
            ax.plot(values, [y + 0.22] * len(values), "o", ms=7,
                    color=CYCLE[y % len(CYCLE)])
            ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(mixes)), labels, fontsize=12)
    axes[0].set(xlabel="utility (0 to 1), held-out tasks",
                ylim=(len(mixes) - 0.4, -0.6))
    axes[1].axvline(base_loss, color=COLOURS["grey"], ls="--", lw=1.5)
    axes[1].set(xlabel="loss on held-out text (nats per token)")
    axes[0].set_title("What a mix gives")
    axes[1].set_title("What it takes (dashed: base)")
    return fig
