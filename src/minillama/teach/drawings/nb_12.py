"""Drawings of notebook 12: layouts, room, compliance by turn, maps of attention."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ...training.intervals import Interval
from ..figures import COLOURS, figure

STEPS = ("a dialogue", "join", "sample", "drop", "zero loss")
_TITLES = ("Three questions, three ordinary answers",
           "Join: the instruction stands in front of every question",
           "Sample: a policy that reads it writes answers that comply",
           "Drop: the instruction stays in the first turn only",
           "Zero loss: only the last answer is learnt")
ARMS = {True: ("with Ghost Attention", "blue", "o"),
        False: ("without", "orange", "s")}


def _block(ax: Axes, x: float, y: float, wide: float, text: str, colour: str,
           strong: bool = True) -> None:
    ax.add_patch(Rectangle((x, y), wide - 0.06, 0.62, facecolor=COLOURS[colour],
                           alpha=0.75 if strong else 0.25, ec="none"))
    ax.text(x + wide / 2, y + 0.31, text, ha="center", va="center", fontsize=12)


def draw_layouts(fig: Figure, step: str) -> None:
    """Three turns, one a row, after each step of making a dialogue."""
    ax, n = fig.subplots(), STEPS.index(step)
    for turn in range(3):
        y = 2.0 - turn
        told = n in (1, 2) or n >= 3 and turn == 0
        if told:
            _block(ax, 0, y, 2.6, "instruction", "orange")
        _block(ax, 2.6, y, 2.2, f"question {turn + 1}", "grey", strong=False)
        learnt = n == 4 and turn == 2
        answer = "?" if n == 1 else f"answer {turn + 1}"
        if n >= 2:
            answer += ", complies"
        colour = "green" if learnt else "sky" if n >= 2 else "grey"
        _block(ax, 4.8, y, 3.0, answer, colour, strong=n >= 2)
        if n == 4:
            ax.text(8.0, y + 0.31, "loss" if learnt else "no loss", va="center",
                    fontsize=13, color=COLOURS["green" if learnt else "grey"])
    ax.set(xlim=(-0.1, 9.4), ylim=(-0.2, 2.9))
    ax.axis("off")
    ax.set_title(_TITLES[n])


def describe_layouts(step: str) -> str:
    """What a frame of ``draw_layouts`` shows, for those who cannot see it."""
    return ("Three turns below each other, each a question and an answer. " + {
        "a dialogue": "No instruction stands anywhere.",
        "join": "An instruction stands before each question, and answers are missing.",
        "sample": "An instruction stands before each question, and each answer "
                  "complies.",
        "drop": "The instruction is left in the first turn only; all answers comply.",
        "zero loss": "The instruction is left in the first turn only, and only the "
                     "third answer is marked as earning a loss."}[step])


def draw_marks(rows: Mapping[str, Sequence[bool]], answers: Sequence[bool]) -> Figure:
    """Which tokens earn a loss, one strip a training; ``answers`` marks all answers."""
    fig, axes = figure(9, 0.9 + 1.05 * len(rows), nrows=len(rows), sharex=True)
    for ax, (name, marks) in zip(axes, rows.items()):
        for place, (learnt, written) in enumerate(zip(marks, answers)):
            colour = "green" if learnt else "sky" if written else "grey"
            ax.add_patch(Rectangle((place, 0), 0.9, 1, facecolor=COLOURS[colour],
                                   alpha=0.9 if learnt else 0.35, ec="none"))
        ax.set(xlim=(0, len(answers)), ylim=(0, 1), yticks=[])
        ax.set_title(name, fontsize=14)
        ax.grid(False)
    axes[-1].set_xlabel("token: grey is given, blue is an answer read, "
                        "green is an answer learnt")
    return fig


def draw_room(rule: int, system: int, turn: int, context: int, most: int = 9
              ) -> Figure:
    """Tokens against turns, with the instruction in every turn and once.

    ``rule`` is what the instruction adds to a question, ``system`` what it takes as a
    system message, tags included, ``turn`` what a turn takes without it.
    """
    fig, ax = figure(9, 3.6)
    turns = range(1, most + 1)
    for name, colour, sizes in (
            ("instruction in every turn", "orange", [n * (rule + turn) for n in turns]),
            ("instruction once", "blue", [system + n * turn for n in turns])):
        ax.plot(turns, sizes, "o-", color=COLOURS[colour], label=name)
    ax.axhline(context, color=COLOURS["black"], ls="--", lw=1.5)
    ax.text(1, context + 6, f"context: {context} tokens", va="bottom")
    ax.set(xlabel="turns", ylabel="tokens", ylim=(0, most * (rule + turn) + 20))
    ax.set_title("Said in every turn, an instruction costs turns")
    ax.legend(loc="lower right")
    return fig


def draw_compliance(shares: Mapping[bool, Sequence[Interval]],
                    height: float = 3.9) -> Figure:
    """Share of answers that comply at each turn, with intervals over seeds."""
    fig, ax = figure(9, height)
    for ghost, found in shares.items():
        name, colour, mark = ARMS[ghost]
        turns = range(1, len(found) + 1)
        means = [each.mean for each in found]
        # a share lies between 0 and 1, and so does what is drawn of its interval
        below = [each.mean - max(0.0, each.low) for each in found]
        above = [min(1.0, each.high) - each.mean for each in found]
        ax.errorbar(turns, means, [below, above], fmt=f"{mark}-", capsize=5,
                    color=COLOURS[colour], label=name, ms=9)
    ax.set(xlabel="turn", ylabel="answers that comply", ylim=(-0.04, 1.06),
           xticks=list(turns))
    ax.set_title("Told once: with Ghost Attention most still comply")
    ax.legend(loc="center right")
    return fig


def draw_bars(shares: Mapping[str, Sequence[float]], groups: Sequence[str], title: str,
              height: float = 3.8) -> Figure:
    """Shares of complying answers, a group of bars for each of ``groups``.

    ``shares`` maps the name of a model to one share for each group.
    """
    fig, ax = figure(9, height)
    wide = 0.8 / len(shares)
    colours = ("blue", "orange", "green", "red")
    for number, (name, values) in enumerate(shares.items()):
        places = [group + (number + 0.5) * wide - 0.4 for group in range(len(groups))]
        ax.bar(places, values, wide * 0.92, color=COLOURS[colours[number]], label=name)
        for place, value in zip(places, values):
            ax.text(place, value + 0.02, f"{value:.2f}", ha="center", fontsize=12)
    ax.set_xticks(range(len(groups)), groups)
    ax.set(ylabel="answers that comply", ylim=(0, 1.28))
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_title(title)
    ax.legend(loc="upper right", ncols=2)
    return fig


def binned(weights: Tensor, size: int) -> Tensor:
    """The largest weight of each square of ``size`` tokens, (bins, bins)."""
    n = weights.shape[0] // size
    squares = weights[: n * size, : n * size].unflatten(0, (n, size))
    return squares.unflatten(2, (n, size)).amax(dim=(1, 3))


def draw_maps(maps: Mapping[bool, Tensor], system: tuple[int, int],
              turns: Sequence[int], size: int = 4) -> Figure:
    """Largest attention over layers and heads, in bins, for both models.

    ``system`` is where the system text begins and ends, ``turns`` where turns begin,
    in tokens. Rows are read from, as in the paper's Figure 10.
    """
    fig, axes = figure(11, 4.4, ncols=len(maps))
    for ax, (ghost, weights) in zip(axes, maps.items()):
        image = ax.imshow(binned(weights, size).numpy(), cmap="Blues", vmin=0, vmax=1)
        for edge in system:
            ax.axvline(edge / size - 0.5, color=COLOURS["orange"], lw=1.5)
        for start in turns:
            ax.axhline(start / size - 0.5, color=COLOURS["grey"], lw=0.8, ls=":")
        ax.set_title(ARMS[ghost][0], fontsize=14)
        ax.set(xlabel=f"token read, in bins of {size}")
        ax.grid(False)
    axes[0].set_ylabel(f"token reading, in bins of {size}")
    fig.colorbar(image, ax=axes, label="largest weight")
    fig.suptitle("What is read, and how much: the system text is between the lines",
                 x=0.01, ha="left", fontsize=16, fontweight="semibold")
    return fig


def draw_system(found: Mapping[bool, Sequence[Interval]]) -> Figure:
    """Largest attention that answers of each turn give to the system text."""
    fig, ax = figure(9, 3.7)
    for ghost, turns in found.items():
        name, colour, mark = ARMS[ghost]
        places = range(1, len(turns) + 1)
        ax.errorbar(places, [t.mean for t in turns], [t.half_width for t in turns],
                    fmt=f"{mark}-", capsize=5, ms=9, color=COLOURS[colour], label=name)
    ax.set(xlabel="turn of the answer", ylabel="largest weight", ylim=(0, None),
           xticks=list(places))
    ax.set_title("From turn 2 on answers look back more with Ghost Attention")
    ax.legend()
    return fig
