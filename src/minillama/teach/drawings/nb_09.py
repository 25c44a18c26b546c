"""Drawings of notebook 09: a comparison, degrees, losses, accuracy, rewards, length."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ...alignment.reward import MARGINS
from ...pasture.annotators import GAPS
from ...training.intervals import Interval
from ..figures import COLOURS, figure

SHORT = ("significantly\nbetter", "better", "slightly\nbetter", "negligibly\nbetter")
SHADES = ("blue", "sky", "yellow", "grey")  # one for each degree
LEVELS = [*GAPS, 0.0]  # the smallest noisy gap of each degree


def draw_comparison() -> Figure:
    """From a question to one training example of a reward model."""
    fig, ax = figure(9, 3.1)
    _box(ax, 0, 1.1, 2.0, "question", "grey")
    for y, name in ((2.0, "answer A\none model, cool"),
                    (0.2, "answer B\nanother, hot")):
        _box(ax, 2.9, y, 2.3, name, "sky")
        _arrow(ax, (2.05, 1.5), (2.85, y + 0.4))
        _arrow(ax, (5.25, y + 0.4), (6.05, 1.5))
    _box(ax, 6.1, 1.1, 1.9, "annotator", "orange")
    _arrow(ax, (8.05, 1.5), (8.6, 1.5))
    _box(ax, 8.65, 1.1, 2.6, "A is better,\nslightly", "green")
    ax.set(xlim=(-0.1, 11.4), ylim=(0, 3))
    ax.axis("off")
    ax.set_title("One choice between two answers is one lesson")
    return fig


def _box(ax, x: float, y: float, width: float, text: str, colour: str) -> None:
    ax.add_patch(FancyBboxPatch((x, y), width, 0.8, boxstyle="round,pad=0.05",
                                color=COLOURS[colour], alpha=0.3))
    ax.text(x + width / 2, y + 0.4, text, ha="center", va="center", fontsize=13)


def _arrow(ax, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": 1.8,
                                            "color": COLOURS["black"]})


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), without overflow."""
    return 0.5 * (1 + math.tanh(x / 2))


def degree_chances(gap: float, noise: float) -> list[float]:
    """Chances of the eight verdicts on a true gap: "first significantly better" down
    to "first negligibly better", then the same for the second, from negligibly up."""
    edges = [math.inf, *LEVELS, *(-level for level in LEVELS[2::-1]), -math.inf]
    below = [1.0, *(sigmoid((edge - gap) / noise) for edge in edges[1:-1]), 0.0]
    return [high - low for high, low in zip(below, below[1:])]


def draw_degrees(fig: Figure, noise_hundredths: int) -> None:
    """Chance of every verdict against the true gap, stacked."""
    ax = fig.subplots()
    gaps = [i / 50 - 1 for i in range(101)]
    columns = [degree_chances(gap, noise_hundredths / 100) for gap in gaps]
    bands = list(zip(*columns))
    colours = [COLOURS[name] for name in (*SHADES, *SHADES[::-1])]
    parts = ax.stackplot(gaps, bands[::-1], colors=colours[::-1], alpha=0.75)
    for part in parts[:4]:
        part.set_hatch("//")
        part.set_edgecolor("white")
    ax.legend(parts[::-1][:4], [text.replace("\n", " ") for text in SHORT],
              loc="center left", bbox_to_anchor=(1, 0.5))
    for x, y, name in ((0.66, 0.8, "A preferred"), (-0.66, 0.2, "B preferred")):
        ax.text(x, y, name, ha="center", va="center",
                bbox={"color": "white", "alpha": 0.85, "pad": 3})
    ax.set(xlabel="true utility of A minus that of B", ylabel="chance of the verdict",
           xlim=(-1, 1), ylim=(0, 1))
    ax.set_title(f"Noise of {noise_hundredths / 100:g}: what an annotator says")


def describe_degrees(noise_hundredths: int) -> str:
    """What a frame of ``draw_degrees`` shows, for those who cannot see it."""
    kind = "steep" if noise_hundredths < 12 else "gentle"
    return (f"Stacked chances of eight verdicts against the true gap, at a noise of "
            f"{noise_hundredths / 100:g}: the change from B preferred to A preferred "
            f"is {kind}, and clear degrees lie at the two ends.")


def draw_losses(fig: Figure, margins: str) -> None:
    """Loss, and its pull on the chosen score, against the gap, for each degree."""
    left, right = fig.subplots(1, 2)
    asked = MARGINS.get(margins, (0, 0, 0, 0))
    gaps = [i / 10 - 4 for i in range(101)]
    for margin, shade, name in reversed(list(zip(asked, SHADES, SHORT))):
        colour = {"yellow": "orange"}.get(shade, shade)
        losses = [math.log1p(math.exp(margin - gap)) for gap in gaps]
        pulls = [sigmoid(margin - gap) for gap in gaps]
        left.plot(gaps, losses, color=COLOURS[colour], label=name.replace("\n", " "))
        right.plot(gaps, pulls, color=COLOURS[colour])
    for ax, label in ((left, "loss (nats)"), (right, "pull on the gap")):
        ax.axvline(0, color=COLOURS["grey"], lw=1)
        ax.set(xlabel="score of chosen minus rejected", ylabel=label)
    left.set(ylim=(0, 7))
    right.set(ylim=(0, 1.03))
    left.legend(fontsize=11)
    left.set_title({"none": "No margin: one curve for all",
                    "small": "Small margin: clear pairs ask for more",
                    "large": "Large margin: up to three more"}[margins])


def describe_losses(margins: str) -> str:
    """What a frame of ``draw_losses`` shows, for those who cannot see it."""
    shifts = {"none": "all four degrees share one curve",
              "small": "the curves of the four degrees lie up to one apart",
              "large": "the curves of the four degrees lie up to three apart"}
    return (f"Ranking loss and its gradient against the gap of scores: both fall as "
            f"the gap grows, and {shifts[margins]}.")


Curves = Mapping[str, Sequence[Interval | float | None]]


def draw_by_degree(grounds: Mapping[str, Curves]) -> Figure:
    """Accuracy against the degree of preference, one panel for each test set.

    A curve has an entry for each degree, clear ones first; its name decides its colour.
    """
    colours = {"helpfulness": "blue", "safety": "orange", "truth": "green"}
    fig, axes = figure(9, 3.9, ncols=2, sharey=True)
    for ax, (ground, curves) in zip(axes, grounds.items()):
        for shift, (name, values) in enumerate(curves.items()):
            kept = [(i + 0.1 * (shift - 1), v) for i, v in enumerate(values)
                    if v is not None]
            means = [getattr(v, "mean", v) for _, v in kept]
            widths = [getattr(v, "half_width", 0) for _, v in kept]
            ax.errorbar([x for x, _ in kept], means, widths, capsize=4, marker="o",
                        color=COLOURS[colours[name.split()[0]]], label=name,
                        ls="--" if name.startswith("truth") else "-")
        ax.axhline(0.5, color=COLOURS["grey"], lw=1)
        ax.set_xticks(range(4), SHORT, fontsize=10)
        ax.set(xlabel=f"degree, {ground} test set", ylim=(0.2, 1.03))
    axes[0].set(ylabel="accuracy (95% interval)")
    axes[0].set_title("Clear preferences are easier than unsure ones")
    axes[0].legend(fontsize=11, loc="lower left")
    return fig


def draw_calibration(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """True chance against the one the scores claim, for each reward model."""
    fig, ax = figure(9, 4)
    ax.plot([0.5, 1], [0.5, 1], color=COLOURS["grey"], ls="--")
    ax.text(0.74, 0.76, "honest", color=COLOURS["grey"], rotation=24)
    for (name, points), colour in zip(curves.items(), ("blue", "orange", "red")):
        ax.plot(*zip(*points), "o-", color=COLOURS[colour], label=name)
    ax.set(xlabel="chance that the scores claim", ylabel="Bradley-Terry truth",
           xlim=(0.49, 1.01), ylim=(0.35, 1.02))
    ax.set_title("Most dots lie below the line: judges claim too much")
    ax.legend(loc="upper left")
    return fig


def draw_scaling(rows: Sequence[Mapping], ceiling: float,
                 summary: Mapping[tuple[str, int], Interval]) -> Figure:
    """Accuracy against comparisons for each size; dots are runs, lines their means."""
    fig, ax = figure(9, 4)
    sizes = sorted({row["size"] for row in rows}, key=lambda size: next(
        row["parameters"] for row in rows if row["size"] == size))
    for number, size in enumerate(sizes):
        colour = COLOURS[("sky", "blue", "purple")[number % 3]]
        runs = [row for row in rows if row["size"] == size]
        counts = sorted({row["pairs"] for row in runs})
        spread = [n * 1.03 ** (2 * number - 1) for n in counts]
        ax.errorbar(spread, [summary[size, n].mean for n in counts],
                    [summary[size, n].half_width for n in counts], capsize=5,
                    marker="o", color=colour,
                    label=f"{size}, {runs[0]['parameters'] / 1e6:.2f}M parameters")
    ax.axhline(ceiling, color=COLOURS["green"], ls="--")
    ax.text(counts[0], ceiling - 0.004, "the truth itself", color=COLOURS["green"],
            va="top")
    ax.set_xscale("log")
    ax.set_xticks(counts, [f"{n:,}" for n in counts])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="comparisons trained on", ylabel="accuracy (95% interval, 3 seeds)")
    ax.set_title("More comparisons make a better judge")
    ax.legend(loc="lower right")
    return fig


def draw_rewards(scores: Mapping[str, Sequence[float]]) -> Figure:
    """Histogram of the sigmoid of the scores, one panel for each table of margins."""
    fig, axes = figure(9, 3.5, ncols=len(scores), sharey=True)
    for ax, (name, values), colour in zip(axes, scores.items(),
                                          ("grey", "sky", "blue")):
        weights = [100 / len(values)] * len(values)
        ax.hist([sigmoid(v) for v in values], bins=[i / 20 for i in range(21)],
                weights=weights, color=COLOURS[colour])
        ax.set(xlabel=f"reward, {name}")
    axes[0].set(ylabel="answers (%)")
    axes[0].set_title("A margin drives rewards towards the edges")
    return fig


def draw_stretch(curves: Mapping[float, Sequence[tuple[float, float]]],
                 found: Mapping[float, Sequence[tuple[float, float]]]) -> Figure:
    """Best gap of scores against the true chance, by formula and by search."""
    fig, ax = figure(9, 3.8)
    for (margin, points), colour in zip(curves.items(),
                                        ("grey", "sky", "orange", "blue")):
        ax.plot(*zip(*points), color=COLOURS[colour], label=f"margin {margin:.2g}")
        ax.plot(*zip(*found[margin]), "o", color=COLOURS[colour], ms=6)
    ax.set(xlabel="true chance that the chosen answer is preferred",
           ylabel="gap of scores learnt")
    ax.set_title("A margin stretches the gap and keeps its sign")
    ax.legend(loc="upper left")
    return fig


def draw_tension(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]
                 ) -> Figure:
    """Safety against helpfulness of kinds of answers, one panel for each judge.

    Points lie on a few values only, so their areas grow with their number.
    """
    fig, axes = figure(10, 3.8, ncols=2, sharey=True)
    colours = dict(zip(next(iter(panels.values())), ("red", "grey", "green", "purple")))
    for ax, (name, groups) in zip(axes, panels.items()):
        for kind, points in groups.items():
            ax.plot(*zip(*points), "o", ms=8, alpha=0.35, color=COLOURS[colours[kind]],
                    label=kind, mew=0)
        ax.set(xlabel=f"helpfulness, {name}", xlim=(-0.06, 1.06), ylim=(-0.06, 1.06))
    axes[0].set(ylabel="safety")
    axes[0].set_title("To an unsafe request, what helps does harm")
    for line in axes[1].legend(fontsize=11, loc="center left",
                               bbox_to_anchor=(1, 0.5)).get_lines():
        line.set_alpha(1)
    return fig


def draw_length(shares: Mapping[str, tuple[Interval, Interval]]) -> Figure:
    """How often the longer answer wins, by the truth and by the reward model."""
    fig, ax = figure(10, 3.3)
    for row, (name, both) in enumerate(shares.items()):
        for value, colour, label, up in zip(both, ("green", "blue"),
                                            ("truth", "reward model"), (-0.12, 0.12)):
            ax.errorbar(value.mean, row + up, xerr=value.half_width, fmt="o", capsize=5,
                        color=COLOURS[colour], label=label if row == 0 else None)
    ax.axvline(0.5, color=COLOURS["grey"], lw=1)
    ax.set_yticks(range(len(shares)), list(shares))
    ax.grid(axis="y", visible=False)
    ax.set(xlabel="share of pairs in which the longer answer is ahead (95% interval)",
           xlim=(-0.03, 1.03), ylim=(len(shares) - 0.5, -0.5))
    ax.set_title("Does the longer answer win?")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
