"""Drawings of notebook 01: sentences cut into pieces, compression, kinds of text."""

from collections.abc import Mapping, Sequence
from functools import cache

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ... import pasture
from ...tokenizer import Tokenizer
from ..figures import COLOURS, CYCLE, figure

ALICE = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, "
    "and of having nothing to do: once or twice she had peeped into the book her "
    "sister was reading, but it had no pictures or conversations in it."
)  # Lewis Carroll, 1865: a text from outside the Pasture
SENTENCES = ("Clover the owl wanted a pumpkin.", "Zoë paid 12 + 7 = 19 beans.")


@cache
def learnt() -> list[tuple[tuple[str, str], int]]:
    """The pairs of the tokenizer of 512 with their counts, in order of joining."""
    seen: list[tuple[tuple[str, str], int]] = []
    Tokenizer.train(pasture.texts(3000), 512,
                    on_merge=lambda pair, count: seen.append((pair, count)))
    return seen


def cut(sentence: str, merges: int) -> list[str]:
    """The sentence in pieces, when only the first merges are known."""
    text = "".join(f"\0{c}\1" for c in "▁" + sentence.replace(" ", "▁"))
    for (left, right), _ in learnt()[:merges]:
        text = text.replace(f"\0{left}\1\0{right}\1", f"\0{left}{right}\1")
    return text[1:-1].split("\1\0")


def _boxes(ax: Axes, pieces: list[str], y: float, order: Mapping[str, int]) -> None:
    x = 0
    for piece in pieces:
        joined = len(piece) > 1
        colour = CYCLE[order[piece] % len(CYCLE)] if joined else "0.75"
        ax.add_patch(Rectangle((x + 0.05, y), len(piece) - 0.1, 1, color=colour,
                               alpha=0.45 if joined else 0.3, lw=0))
        for place, character in enumerate(piece):
            ax.text(x + place + 0.5, y + 0.5, character, ha="center", va="center",
                    fontsize=18, family="DejaVu Sans Mono")
        x += len(piece)


def draw_cut(fig: Figure, merges: int) -> None:
    """Two sentences in coloured pieces after so many merges; the last union."""
    ax = fig.subplots()
    pairs = learnt()
    order = {left + right: i for i, ((left, right), _) in enumerate(pairs)}
    cuts = [cut(sentence, merges) for sentence in SENTENCES]
    for row, pieces in enumerate(cuts):
        _boxes(ax, pieces, 1.9 - 1.6 * row, order)
    after = "every character is a piece"
    if merges:
        (left, right), _ = pairs[merges - 1]
        after = f"joined last: {left} and {right}"
    if merges == len(pairs):
        after += "; the vocabulary of 512 is full"
    ax.text(0, -0.7, after, fontsize=15, color=COLOURS["grey"])
    ax.set(xlim=(0, 33.2), ylim=(-1.1, 3.1))
    ax.set_title(f"After {merges} merge{'s' * (merges != 1)}: "
                 f"{' and '.join(str(len(c)) for c in cuts)} pieces")
    ax.axis("off")


def describe_cut(merges: int) -> str:
    """What a frame of ``draw_cut`` shows, for those who cannot see it."""
    first, second = (" | ".join(cut(sentence, merges)) for sentence in SENTENCES)
    return (f"After {merges} merge{'s' * (merges != 1)} the two sentences are cut so: "
            f"{first}; {second}.")


def draw_compression(sizes: Sequence[int],
                     curves: Mapping[str, Sequence[float]]) -> Figure:
    """Characters per token against vocabulary size, one line per text."""
    fig, ax = figure()
    for (name, values), colour in zip(curves.items(), ("blue", "orange")):
        ax.plot(sizes, values, "o-", color=COLOURS[colour], label=name)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="pieces in the vocabulary", ylabel="characters per token",
           ylim=(0, None))
    ax.set_title("Four times the vocabulary, hardly twice the compression")
    ax.legend(loc="upper left")
    return fig


def draw_kinds(kinds: Mapping[str, float]) -> Figure:
    """Characters per token of each kind of document, longest bar on top."""
    fig, ax = figure()
    names = sorted(kinds, key=kinds.__getitem__)
    ax.barh(names, [kinds[name] for name in names], color=COLOURS["blue"])
    ax.set(xlabel="characters per token")
    ax.grid(axis="y", visible=False)
    ax.set_title("Questions are cheap, sums are dear")
    return fig
