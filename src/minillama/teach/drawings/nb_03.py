"""Drawings of notebook 03: arrows that turn, layouts of pairs, losses by position."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from torch import Tensor

from ..figures import COLOURS, figure

APART, PLACES, HEAD_DIM = 3, 13, 8  # of the slider: distance, positions, head size
START = 0.5  # angle between query and key before any turn, radians


def _hand(ax: Axes, angle: float, colour: str, label: str) -> None:
    tip = (math.cos(angle), math.sin(angle))
    style = {"arrowstyle": "-|>", "lw": 4, "color": COLOURS[colour],
             "shrinkA": 0, "shrinkB": 0, "mutation_scale": 24}
    ax.annotate("", tip, (0, 0), arrowprops=style)
    ax.text(1.45 * tip[0], 1.2 * tip[1], label, ha="center", va="center")


def _added(speed: float) -> list[float]:
    """Scores of one pair when sinusoids are added to query and key."""
    asks, answers = complex(math.cos(START), math.sin(START)), complex(1, 0)
    scores = []
    for n in range(PLACES):
        there, here = (n + APART) * speed, n * speed
        query = asks + complex(math.sin(there), math.cos(there))
        key = answers + complex(math.sin(here), math.cos(here))
        scores.append((query * key.conjugate()).real)
    return scores


def draw_pair(fig: Figure, position: int, pair: int) -> None:
    """One pair of a key at ``position`` and of a query three places later.

    Left as arrows, right as scores: turned ones, and for contrast added ones.
    """
    speed = 10000 ** (-2 * pair / HEAD_DIM)
    clock, line = fig.subplots(1, 2, width_ratios=(1, 1.5))
    clock.add_patch(Circle((0, 0), 1, fill=False, color="0.6"))
    _hand(clock, START + (position + APART) * speed, "blue",
          f"query {position + APART}")
    _hand(clock, position * speed, "orange", f"key {position}")
    clock.set(xlim=(-1.8, 1.8), ylim=(-1.45, 1.45), aspect="equal")
    clock.axis("off")
    score = math.cos(START + APART * speed)
    line.plot(range(PLACES), _added(speed), color=COLOURS["grey"], ls="--",
              label="positions added")
    line.plot(range(PLACES), [score] * PLACES, color=COLOURS["blue"],
              label="positions turned")
    line.plot(position, score, "o", ms=11, color=COLOURS["blue"])
    line.set(xlabel="position of the key", ylabel="score", ylim=(-2.6, 4.6))
    line.set_title("Turned together, scored the same")
    line.legend(loc="lower right", ncols=2, fontsize=12)


def describe_pair(position: int, pair: int) -> str:
    """What a frame of ``draw_pair`` shows, for those who cannot see it."""
    return (f"Key at position {position} and query three places later, pair {pair}: "
            "two arrows on a circle with an unchanged angle between them, and a flat "
            "line for their score beside a changing one for added positions.")


def draw_wavelengths(tokens_per_turn: Tensor, context: int) -> Figure:
    """Tokens for one turn of each pair, (head_dim / 2,), against the context."""
    fig, ax = figure()
    n = len(tokens_per_turn)
    slow = int((tokens_per_turn > context).sum())
    ax.axvspan(n - slow - 0.5, n - 0.5, color="0.9")
    ax.semilogy(tokens_per_turn, color=COLOURS["blue"])
    ax.axhline(context, color=COLOURS["orange"], ls="--")
    ax.text(0, 1.3 * context, f"context of Llama 2: {context:,}")
    ax.text(n - slow / 2 - 0.5, 10, f"{slow} hands never\nturn round once",
            ha="center")
    ax.set(xlabel="pair", ylabel="tokens for one turn")
    ax.set_title("From six tokens to fifty thousand tokens a turn")
    return fig


def draw_layouts() -> Figure:
    """Eight coordinates of a head in both layouts, coloured by their pair."""
    fig, axes = figure(height=3.9, nrows=2)
    layouts = {"interleaved: RoPE paper, Meta, this series": (0, 0, 1, 1, 2, 2, 3, 3),
               "halves: Hugging Face": (0, 1, 2, 3, 0, 1, 2, 3)}
    for ax, (title, pairs) in zip(axes, layouts.items()):
        for place, pair in enumerate(pairs):
            colour = COLOURS[("sky", "orange", "green", "purple")[pair]]
            ax.add_patch(Rectangle((place, 0), 0.92, 1, color=colour))
            ax.text(place + 0.46, 0.5, f"pair {pair}", ha="center", va="center")
            ax.text(place + 0.46, -0.28, str(place), ha="center", fontsize=12)
        ax.set(xlim=(0, 8), ylim=(-0.35, 1.05))
        ax.set_title(title)
        ax.axis("off")
    return fig


def draw_losses(curves: Mapping[str, Tensor], title: str, mean_of: int = 1,
                trained: int | None = None) -> Figure:
    """Losses by position, each (length,) in nats, averaged over runs of ``mean_of``.

    ``trained`` marks the longest position of training.
    """
    fig, ax = figure()
    for (name, curve), colour in zip(curves.items(), ("blue", "red", "green")):
        steps = curve[: len(curve) // mean_of * mean_of].unflatten(0, (-1, mean_of))
        place = [mean_of * (i + 0.5) - 0.5 for i in range(len(steps))]
        ax.plot(place, steps.mean(dim=1), label=name, color=COLOURS[colour])
    ax.set(xlabel="position", ylabel="loss (nats)", ylim=(0, None))
    if trained is not None:
        ax.axvline(trained, color=COLOURS["grey"], ls="--")
        ax.text(trained, ax.get_ylim()[1] * 0.93, " beyond training")
    ax.set_title(title)
    ax.legend()
    return fig


def draw_decay(distance: Tensor, equal: Tensor, typical: Tensor) -> Figure:
    """Scores over head size against distance, each (distances,)."""
    fig, ax = figure()
    ax.plot(distance, equal, color=COLOURS["blue"], label="query equals key")
    ax.plot(distance, typical, color=COLOURS["orange"],
            label="query and key at random (typical size)")
    ax.set(xlabel="distance in tokens", ylabel="score / head size")
    ax.set_title("Agreement fades with distance, chance does not")
    ax.legend()
    return fig
