"""Drawings of notebook 07: a window, the schedule, curves, yardsticks, ablations."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...training.intervals import Interval
from ...training.optimisation import learning_rate
from ..figures import COLOURS, figure


def draw_window(inputs: Sequence[str], targets: Sequence[str | None]) -> Figure:
    """What is read above, what is asked for below; None marks a masked target."""
    fig, ax = figure(9, 2.9)
    for column, (read, asked) in enumerate(zip(inputs, targets)):
        mark = read in ("<s>", "</s>")
        _box(ax, column, 1.2, read, "sky" if mark else "grey")
        _box(ax, column, 0, "masked" if asked is None else asked,
             "red" if asked is None else "green")
        ax.annotate("", (column + 0.45, 0.85), (column + 0.45, 1.15), arrowprops={
            "arrowstyle": "-|>", "color": COLOURS["black"], "lw": 1.5})
    ax.text(-0.2, 1.5, "read", ha="right", va="center")
    ax.text(-0.2, 0.3, "asked for", ha="right", va="center")
    ax.set(xlim=(-1.9, len(inputs)), ylim=(-0.2, 2))
    ax.axis("off")
    ax.set_title("Each token asks for the next, except across a border")
    return fig


def _box(ax, x: float, y: float, text: str, colour: str) -> None:
    ax.add_patch(Rectangle((x, y), 0.9, 0.6, color=COLOURS[colour], alpha=0.3))
    ax.text(x + 0.45, y + 0.3, text, ha="center", va="center", fontsize=11)


def draw_schedule(fig: Figure, warmup: int, steps: int = 640, peak: float = 4e-3,
                  final_tenths: int = 1) -> None:
    """Learning rate against step, with the peak and the last value marked."""
    ax = fig.subplots()
    rates = [learning_rate(s, steps, peak, warmup, final_tenths / 10)
             for s in range(steps)]
    ax.plot(range(steps), rates, color=COLOURS["blue"])
    ax.axvspan(0, warmup, color=COLOURS["yellow"], alpha=0.35, lw=0)
    ax.plot(steps - 1, rates[-1], "o", color=COLOURS["red"], ms=9)
    ax.annotate(f"end: {rates[-1] / peak:.0%} of the peak", (steps - 1, rates[-1]),
                (0, 42), textcoords="offset points", ha="right")
    ax.set(xlabel="step", ylabel="learning rate", ylim=(0, peak * 1.12),
           xlim=(0, steps * 1.02))
    ax.set_title(f"A line up for {warmup} steps, half a cosine down")


def describe_schedule(warmup: int) -> str:
    """What a frame of ``draw_schedule`` shows, for those who cannot see it."""
    start = (f"rises in a straight line for {warmup} steps" if warmup
             else "starts at its peak")
    return (f"The learning rate {start} and then falls along half a cosine to a tenth "
            "of the peak at the last step.")


def draw_curve(log: Sequence[Mapping[str, float]], fresh: float) -> Figure:
    """Training loss of every step, held-out loss, and the loss of pure guessing."""
    fig, ax = figure(9, 3.6)
    ax.axhline(fresh, color=COLOURS["grey"], ls="--")
    ax.text(log[-1]["step"], fresh - 0.1, "guessing: log of the vocabulary", ha="right",
            va="top", color=COLOURS["grey"])
    ax.plot([r["step"] for r in log], [r["loss"] for r in log], lw=1, alpha=0.6,
            color=COLOURS["blue"], label="training batch")
    kept = [r for r in log if "heldout" in r]
    ax.plot([r["step"] for r in kept], [r["heldout"] for r in kept], "o-",
            color=COLOURS["orange"], label="held-out combinations")
    top = max(fresh, *(r["loss"] for r in log), *(r["heldout"] for r in kept))
    ax.set(xlabel="step", ylabel="loss (nats per token)", ylim=(0, top + 0.4))
    ax.set_title("Most is learnt early, and the two curves stay together")
    ax.legend(loc="center right")
    return fig


def draw_yardsticks(losses: Mapping[str, float]) -> Figure:
    """Held-out loss of several predictors as bars, with perplexities."""
    fig, ax = figure(9, 3.5)
    for row, (name, loss) in enumerate(losses.items()):
        colour = "blue" if "Llama" in name else "grey"
        ax.barh(row, loss, color=COLOURS[colour])
        perplexity = math.exp(loss)
        shown = f"{perplexity:,.0f}" if perplexity > 100 else f"{perplexity:.3g}"
        ax.text(loss + 0.05, row, f"perplexity {shown}", va="center", fontsize=12)
    ax.set_yticks(range(len(losses)), list(losses))
    ax.invert_yaxis()
    ax.set(xlabel="held-out loss (nats per token)",
           xlim=(0, max(losses.values()) * 1.3))
    ax.grid(axis="y", visible=False)
    ax.set_title("A table of the last few tokens gets a long way")
    return fig


def draw_kinds(found: Mapping[str, tuple[float, float]]) -> Figure:
    """Perplexity by kind of document: combinations seen, combinations held out."""
    fig, ax = figure(9, 3.5)
    ranked = sorted(found.items(), key=lambda item: item[1][1])
    for row, (_, (seen, held)) in enumerate(ranked):
        ax.plot([seen, held], [row, row], color=COLOURS["grey"], lw=1.5)
        for value, colour, label in ((seen, "blue", "new text, seen combinations"),
                                     (held, "orange", "held-out combinations")):
            ax.plot(value, row, "o", ms=9, color=COLOURS[colour],
                    label=label if row == 0 else None)
    ax.set_yticks(range(len(ranked)), [name for name, _ in ranked])
    ax.set(xlabel="perplexity per token")
    ax.set_title("New combinations cost little more than new text")
    ax.legend(loc="lower right")
    return fig


TICKS = (-0.2, -0.1, 0, 0.1, 0.2, 0.5, 1, 2, 5)


def draw_ablations(groups: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """Loss above that of Llama 2, with intervals, one block of rows for each group."""
    fig, ax = figure(9, 5)
    row, labels = 0.0, []
    for number, (group, gaps) in enumerate(groups.items()):
        colour = ("blue", "orange", "green", "purple", "red")[number % 5]
        for name, gap in gaps.items():
            ax.errorbar(gap.mean, row, xerr=gap.half_width, fmt="o", capsize=4,
                        color=COLOURS[colour])
            labels.append((row, f"{group}: {name}"))
            row += 1
        row += 0.4
    ax.axvline(0, color=COLOURS["black"], lw=1.5)
    ax.set_xscale("symlog", linthresh=0.2, linscale=1.5)
    ax.set_xticks(TICKS, [f"{t:g}" for t in TICKS])
    ax.set_xticks([], minor=True)
    ax.set_yticks([at for at, _ in labels], [text for _, text in labels], fontsize=11)
    ax.invert_yaxis()
    ax.set(xlabel="loss above Llama 2 (nats per token, 95% interval, 3 seeds)")
    ax.set_title("Some components are worth more than the noise")
    return fig
