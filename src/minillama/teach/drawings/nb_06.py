"""Drawings of notebook 06: the model as boxes, the lens, sampling, weights, growth."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor

from ..figures import COLOURS, figure

# in the order in which a name is matched: "attention.output" is attention
GROUPS = ("norm", "attention", "feed_forward", "embedding", "output")
MOST = 8  # bars of a distribution


def _box(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    ax.add_patch(FancyBboxPatch((x - 0.55, y - 0.3), 1.1, 0.6, color=COLOURS[colour],
                                boxstyle="round,pad=0.05", alpha=0.3))
    ax.text(x, y, text, ha="center", va="center", fontsize=12)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": 2,
                                            "color": COLOURS["black"], "shrinkA": 0,
                                            "shrinkB": 0})


def _branch(ax: Axes, leaves: float, returns: float, text: str, colour: str) -> None:
    """A norm and a layer that read from the stream and add to it."""
    norm, layer = leaves + 0.7, returns - 0.7
    ax.plot([leaves, leaves], [0, 1.2], color=COLOURS["black"], lw=2)
    _arrow(ax, (leaves, 1.2), (norm - 0.6, 1.2))
    _box(ax, norm, 1.2, "norm", "sky")
    _arrow(ax, (norm + 0.6, 1.2), (layer - 0.6, 1.2))
    _box(ax, layer, 1.2, text, colour)
    ax.plot([layer + 0.6, returns], [1.2, 1.2], color=COLOURS["black"], lw=2)
    _arrow(ax, (returns, 1.2), (returns, 0.22))
    ax.text(returns, 0, "+", ha="center", va="center", fontsize=18,
            bbox={"boxstyle": "circle,pad=0.1", "fc": "white", "ec": COLOURS["black"]})


def draw_model() -> Figure:
    """Llama 2 from left to right: the stream, and what reads from it and adds to it."""
    fig, ax = figure(width=12, height=4.0)
    ax.plot([1.75, 10.3], [0, 0], color=COLOURS["grey"], lw=7, alpha=0.5, zorder=0)
    ax.text(1.1, 1.2, "tokens", ha="center", va="center", fontsize=13)
    _arrow(ax, (1.1, 1.0), (1.1, 0.38))
    _box(ax, 1.1, 0, "embedding", "purple")
    ax.add_patch(Rectangle((2.15, -0.65), 7.9, 2.75, fill=False, ls="--", lw=2,
                           color=COLOURS["grey"]))
    ax.text(2.25, -0.47, "block, repeated L times", fontsize=13)
    _branch(ax, 2.5, 5.7, "attention", "orange")
    _branch(ax, 6.5, 9.7, "SwiGLU", "green")
    ax.text(6.1, -0.4, "stream", ha="center", fontsize=12, color=COLOURS["grey"])
    ax.text(4.1, 1.72, "tokens meet, turned by RoPE", ha="center", fontsize=12)
    ax.text(8.1, 1.72, "each token alone", ha="center", fontsize=12)
    _box(ax, 10.95, 0, "norm", "sky")
    _arrow(ax, (11.55, 0), (11.95, 0))
    _box(ax, 12.55, 0, "output", "purple")
    _arrow(ax, (12.55, 0.36), (12.55, 1.0))
    ax.text(12.55, 1.2, "logits", ha="center", va="center", fontsize=13)
    ax.set(xlim=(0.35, 13.25), ylim=(-0.8, 2.2))
    ax.axis("off")
    ax.set_title("Layers read from one stream and add to it")
    return fig


def _shown(piece: str) -> str:
    """A piece as it can be printed: a space as a bar, a line break as words."""
    return {"<0x0A>": "line break"}.get(piece, piece.replace("▁", "␣"))


def _bars(ax: Axes, probabilities: Tensor, pieces: Sequence[str],
          colours: Sequence[str]) -> None:
    """Bars for the most likely pieces, the likeliest on top."""
    chance, token = probabilities.topk(MOST)
    ax.barh(range(MOST), chance.tolist(), color=colours)
    ax.set_yticks(range(MOST), [_shown(pieces[i]) for i in token.tolist()])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="probability of the next token")


def draw_lens(fig: Figure, text: str, layer: int, *, views: Mapping[str, Tensor],
              pieces: Sequence[str], texts: Mapping[str, str]) -> None:
    """The likeliest pieces if the stream is read out after ``layer``."""
    logits = views[text]  # (n_layers + 1, vocab_size)
    answer = int(logits[-1].argmax())
    probabilities = logits[layer].softmax(-1)
    top = probabilities.topk(MOST).indices.tolist()
    colours = [COLOURS["green" if i == answer else "blue"] for i in top]
    ax = fig.subplots()
    _bars(ax, probabilities, pieces, colours)
    end = texts[text].replace("\n", " ")
    end = end if len(end) < 46 else "… " + end[-44:]
    ax.set_title(f"{end} _")
    ax.text(0.98, 0.06, "green: what the whole model says", ha="right",
            transform=ax.transAxes, color=COLOURS["green"])


def describe_lens(text: str, layer: int, *, views: Mapping[str, Tensor],
                  pieces: Sequence[str], texts: Mapping[str, str]) -> str:
    """What a frame of ``draw_lens`` shows, for those who cannot see it."""
    probabilities = views[text][layer].softmax(-1)
    best = int(probabilities.argmax())
    same = best == int(views[text][-1].argmax())
    return (f"The {MOST} likeliest pieces after layer {layer} for "
            f"{texts[text].splitlines()[-1]!r}: "
            f"first {_shown(pieces[best])} with {probabilities[best]:.2f}, "
            f"{'as' if same else 'other than'} the whole model says.")


def draw_depth(losses: Sequence[float], pairs: float) -> Figure:
    """Loss of the lens after each layer, beside that of a table of pairs."""
    fig, ax = figure()
    ax.plot(range(len(losses)), losses, "o-", color=COLOURS["blue"])
    ax.axhline(pairs, color=COLOURS["grey"], ls="--")
    ax.text(0.02, pairs - 0.1, "the best table of pairs", va="top",
            color=COLOURS["grey"])
    ax.set_xticks(range(len(losses)), ["embedding", *range(1, len(losses))])
    ax.set(xlabel="read out after layer", ylabel="held-out loss (nats per token)",
           ylim=(0, None))
    ax.set_title("Every layer helps, the first one most")
    return fig


def draw_next(fig: Figure, temperature: float, top_p: float, *, logits: Tensor,
              pieces: Sequence[str]) -> None:
    """The next token's distribution; what top-p cuts off is grey."""
    probabilities = (logits / temperature).softmax(-1)
    ranked = probabilities.sort(descending=True).values
    kept = _kept(probabilities, top_p)
    colours = [COLOURS["blue" if i < kept else "grey"] for i in range(MOST)]
    ax, curve = fig.subplots(1, 2)
    _bars(ax, probabilities, pieces, colours)
    ranks = range(1, len(ranked) + 1)
    curve.semilogx(ranks, ranked.cumsum(-1).tolist(), color=COLOURS["orange"])
    curve.axvline(kept, color=COLOURS["grey"], ls="--")
    curve.axhline(top_p, color=COLOURS["grey"], ls=":")
    curve.set(xlabel="pieces, most likely first", ylabel="sum of probabilities",
              ylim=(0, 1.05))
    ax.set_title("The likeliest pieces")
    curve.set_title(f"{kept} pieces can be drawn")


def _kept(probabilities: Tensor, top_p: float) -> int:
    ranked = probabilities.sort(descending=True).values
    if top_p >= 1:
        return len(ranked)
    return int((ranked.cumsum(-1) - ranked < top_p).sum())


def describe_next(temperature: float, top_p: float, *, logits: Tensor,
                  pieces: Sequence[str]) -> str:
    """What a frame of ``draw_next`` shows, for those who cannot see it."""
    probabilities = (logits / temperature).softmax(-1)
    best = _shown(pieces[int(logits.argmax())])
    return (f"Bars of the likeliest pieces at temperature {temperature:g}, the first, "
            f"{best}, with {probabilities.max():.2f}, and the sum by rank; "
            f"with top-p {top_p:g} {_kept(probabilities, top_p)} pieces can be drawn.")


def draw_growth(curves: Mapping[str, Sequence[float]],
                spread: Mapping[str, Mapping[str, float]]) -> Figure:
    """Size of the stream by layer, and deviations of the matrices of the first layer,
    for the starts "none", "down" and "up"."""
    fig, (left, right) = figure(ncols=2, width=11, width_ratios=(1.25, 1))
    looks = {"none": ("nothing quiet", "orange", "-", 2.5),
             "down": ("down quiet: meant", "blue", "-", 5),
             "up": ("up quiet: the bug", "red", "--", 2.5)}
    for number, (name, curve) in enumerate(curves.items()):
        label, colour, line, width = looks[name]
        left.plot(range(len(curve)), curve, ls=line, lw=width, color=COLOURS[colour],
                  label=label)
        places = [i + 0.27 * (number - 1) for i in range(len(spread[name]))]
        right.bar(places, list(spread[name].values()), 0.25, color=COLOURS[colour])
    left.set(xlabel="layers passed", ylabel="size of the stream (RMS)", ylim=(0, None))
    left.set_title("The same stream for both")
    left.legend()
    right.set_xticks(range(len(spread["none"])), list(spread["none"]))
    right.set(xlabel="matrix of the first layer", ylabel="deviation of its weights")
    right.set_title("but other weights")
    return fig


def draw_weights(shapes: Mapping[str, Mapping[str, int]]) -> Figure:
    """Shares of the groups of weights in each model, stacked."""
    fig, ax = figure()
    looks = (("embedding", "purple"), ("output", "red"), ("attention", "orange"),
             ("feed_forward", "green"), ("norm", "black"))
    left = [0.0] * len(shapes)
    for group, colour in looks:
        shares = [100 * shape[group] / sum(shape.values()) for shape in shapes.values()]
        ax.barh(range(len(shapes)), shares, left=left, color=COLOURS[colour],
                label=group.replace("_", "-"))
        for row, (start, share) in enumerate(zip(left, shares)):
            if share >= 4:
                ax.text(start + share / 2, row, f"{share:.0f}", ha="center",
                        va="center", color="white", fontweight="semibold")
        left = [a + b for a, b in zip(left, shares)]
    ax.set_yticks(range(len(shapes)), list(shapes))
    ax.invert_yaxis()
    ax.set(xlabel="share of all weights (%)", xlim=(0, 100), ylabel="model")
    ax.set_title("Most weights are feed-forward, at 70B four fifths", pad=34)
    ax.legend(ncols=5, loc="lower left", bbox_to_anchor=(-0.02, 0.98), fontsize=11,
              columnspacing=1.0, handlelength=1.2)
    return fig
