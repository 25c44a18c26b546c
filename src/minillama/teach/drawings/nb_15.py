"""Drawings of notebook 15: people and dates, windows and slots, reach, scores."""

from collections.abc import Mapping, Sequence
from datetime import date

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ...training.intervals import Interval
from ..figures import COLOURS, figure

GIB = 2**30


def draw_timeline(events: Sequence[tuple[str, str, str]]) -> Figure:
    """What happened when: (date as YYYY-MM-DD, text, colour)."""
    fig, ax = figure(11, 3.8)
    days = [date.fromisoformat(when) for when, _, _ in events]
    heights = (1, -1, 2, -2, 1.2, -1.2)
    for day, (when, text, colour), height in zip(days, events, heights):
        ax.plot([day, day], [0, height], color=COLOURS["grey"], lw=1.5)
        ax.plot([day], [0], "o", color=COLOURS[colour], ms=11)
        ax.text(day, height + (0.15 if height > 0 else -0.15), f"{when}\n{text}",
                ha="center", va="bottom" if height > 0 else "top", fontsize=12)
    ax.axhline(0, color=COLOURS["black"], lw=2, zorder=0)
    ax.set(ylim=(-3.6, 3.4), yticks=[])
    ax.margins(x=0.12)
    ax.grid(False)
    ax.spines["left"].set_visible(False)
    ax.set_title("Ten weeks after Llama 2 came Mistral 7B")
    return fig


def draw_window(fig: Figure, window: int, tokens_read: int) -> None:
    """Who sees whom, and which slot holds what, after some tokens."""
    mask, slots = fig.subplots(1, 2, width_ratios=(1, 1.2))
    n = 12
    for q in range(n):
        for k in range(n):
            seen = 0 <= q - k < window
            mask.add_patch(Rectangle((k, q), 0.9, 0.9, ec="none", facecolor=COLOURS[
                "blue" if seen else "sky" if k <= q else "grey"],
                alpha=0.95 if seen else 0.25 if k <= q else 0.08))
    mask.set(xlim=(0, n), ylim=(n, 0), xlabel="key", ylabel="query")
    mask.set_title(f"window {window}")
    mask.grid(False)
    mask.set_aspect("equal")
    for slot in range(window):
        last = tokens_read - 1
        held = last - (last - slot) % window
        newest = held == last
        slots.add_patch(Rectangle((slot, 0), 0.9, 0.9, facecolor=COLOURS[
            "orange" if newest else "blue"], alpha=0.8 if held >= 0 else 0.12))
        slots.text(slot + 0.45, 0.45, str(held) if held >= 0 else "", ha="center",
                   va="center", fontsize=14, color="white")
        slots.text(slot + 0.45, 1.15, f"slot {slot}", ha="center", va="top",
                   fontsize=11)
    slots.set(xlim=(-0.2, 8.2), ylim=(2.2, -1.2))
    slots.axis("off")
    slots.set_title(f"{tokens_read} tokens read: which position lies where")


def describe_window(window: int, tokens_read: int) -> str:
    """What a frame of ``draw_window`` shows, for those who cannot see it."""
    last = tokens_read - 1
    held = [last - (last - slot) % window for slot in range(window)]
    shown = ", ".join(str(p) if p >= 0 else "nothing" for p in held)
    return (f"A band of width {window} below the diagonal; beside it {window} slots "
            f"that hold positions {shown} after {tokens_read} tokens.")


def draw_cache(lengths: Sequence[int], lines: Mapping[str, Sequence[float]]) -> Figure:
    """Bytes of keys and values of one text against its length."""
    fig, ax = figure(9, 3.9)
    for (name, values), colour in zip(lines.items(), ("red", "orange", "blue")):
        ax.plot(lengths, [value / GIB for value in values], "o-", label=name,
                color=COLOURS[colour])
    ax.set_xscale("log", base=2)
    ax.set_xticks(lengths, [f"{n // 1024}k" for n in lengths])
    ax.set(xlabel="tokens of the text", ylabel="keys and values (GiB)")
    ax.set_title("Fewer heads take a quarter, a window stops the growth")
    ax.legend()
    return fig


def draw_reach(grids: Mapping[str, Tensor]) -> Figure:
    """How strongly the last token depends on each token, after every layer."""
    fig, axes = figure(11, 3.6, ncols=len(grids), sharey=True)
    for ax, (name, grid) in zip(axes, grids.items()):
        image = ax.imshow(grid.clamp(min=1e-8).log10().numpy(), cmap="Blues", vmin=-4,
                          vmax=0, aspect="auto", interpolation="nearest")
        ax.set_yticks(range(len(grid)), [str(n + 1) for n in range(len(grid))])
        ax.set_xlabel("tokens before the last")
        ticks = range(0, grid.shape[1], 8)
        ax.set_xticks(list(ticks), [str(grid.shape[1] - 1 - n) for n in ticks])
        ax.set_title(name, fontsize=14)
        ax.grid(False)
    axes[0].set_ylabel("after layer")
    fig.colorbar(image, ax=axes, label="log10 of the influence")
    fig.suptitle("News travels one window a layer", x=0.01, ha="left", fontsize=16,
                 fontweight="semibold")
    return fig


def draw_positions(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Held-out loss against position, a line for each window."""
    fig, ax = figure(9.5, 4)
    for (name, losses), colour in zip(curves.items(), ("orange", "green", "blue")):
        reach = [min(4, i) for i in range(len(losses))]  # the beginning stays sharp
        spans = [losses[i - r : i + r + 1] for i, r in enumerate(reach)]
        smooth = [sum(span) / len(span) for span in spans]
        ax.plot(range(1, len(losses) + 1), smooth, label=name, color=COLOURS[colour])
    ax.set(xlabel="position in the text (tokens)", ylabel="held-out loss (nats)",
           xlim=(1, None))
    ax.set_title("Ahead already where the window hides nothing")
    ax.legend()
    return fig


def draw_losses(rows: Mapping[str, Interval]) -> Figure:
    """Held-out loss of each window with its interval."""
    fig, ax = figure(9, 2.8)
    for place, (name, found) in enumerate(rows.items()):
        ax.errorbar([found.mean], [place], xerr=[found.half_width], fmt="o", capsize=4,
                    color=COLOURS["blue"], ms=8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)  # the first on top, none at the frame
    ax.set(xlabel="held-out loss (nats a token), 95% interval, 3 seeds")
    ax.set_title("In a short run the narrow window is ahead")
    return fig


def draw_scores(columns: Sequence[str], gains: Sequence[float]) -> Figure:
    """Mistral 7B less Llama 2 13B on every benchmark, in points."""
    order = sorted(range(len(gains)), key=gains.__getitem__)
    fig, ax = figure(9.5, 4.4)
    ax.barh([columns[i] for i in order], [gains[i] for i in order],
            color=[COLOURS["red" if gains[i] < 0 else "blue"] for i in order])
    for place, i in enumerate(order):
        ax.text(max(gains[i], 0) + 0.2, place, f"{gains[i]:+.1f}", va="center",
                fontsize=12)
    ax.axvline(0, color=COLOURS["black"], lw=1)
    ax.set(xlabel="Mistral 7B less Llama 2 13B (points), as Mistral measured both",
           xlim=(-1.5, max(gains) + 2))
    ax.set_title("Better nearly everywhere, and not everywhere")
    return fig
