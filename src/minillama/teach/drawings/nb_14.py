"""Drawings of notebook 14: options and their chances, traps, judges, leaks, scores."""

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...paper.ledger import Table
from ...training.evaluation import Choice
from ...training.intervals import Interval
from ..figures import COLOURS, figure

Rate = tuple[float, Interval]
FAMILIES = {"MPT": "orange", "Falcon": "red", "Llama 1": "sky", "Llama 2": "blue"}
GROUPS = ("Code", "Commonsense Reasoning", "World Knowledge", "Reading Comprehension",
          "MMLU", "BBH", "AGI Eval")  # without Math, whose column is uneven


def draw_options(fig: Figure, choice: Choice, logprobs: Sequence[float]) -> None:
    """Log-probability of each option after one question."""
    ax = fig.subplots()
    best = max(range(len(logprobs)), key=logprobs.__getitem__)
    for place, value in enumerate(logprobs):
        ax.barh([place], [value], color=COLOURS["blue" if place == best else "grey"],
                alpha=0.9 if place == best else 0.5)
        ax.text(value - 0.1, place, f"{value:.1f}", ha="right", va="center",
                fontsize=13)
    ax.set_yticks(range(len(logprobs)), [
        f"{text} (right)" if place == choice.answer else text
        for place, text in enumerate(choice.options)])
    ax.invert_yaxis()
    ax.set(xlabel="log-probability of the option after the question (nats)",
           xlim=(1.18 * min(logprobs) - 0.5, 0))
    ax.set_title("\n".join(textwrap.wrap(choice.question, 62)), fontsize=13,
                 fontweight="normal")
    fig.suptitle("Nobody asks the model for an answer: it rates four", x=0.01,
                 ha="left", fontsize=16, fontweight="semibold")


def describe_options(choice: Choice, logprobs: Sequence[float]) -> str:
    """What a frame of ``draw_options`` shows, for those who cannot see it."""
    said = "; ".join(f"{text} {value:.1f}" for text, value
                     in zip(choice.options, logprobs))
    return (f"{choice.question} Log-probabilities in nats: {said}. The right one is "
            f"{choice.options[choice.answer]}")


def _dots(ax: Axes, rows: Mapping[str, Rate], chance: float | None,
          colours: Sequence[str] = ("blue",)) -> None:
    for place, (rate, found) in enumerate(rows.values()):
        colour = COLOURS[colours[place % len(colours)]]
        ax.plot([100 * found.low, 100 * found.high], [place, place], color=colour)
        ax.plot([100 * rate], [place], "o", color=colour, ms=9)
    if chance is not None:
        ax.axvline(100 * chance, color=COLOURS["black"], ls="--", lw=1.5)
        ax.text(100 * chance + 0.6, -0.62, "guessing", fontsize=12, va="center")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.9)


def draw_rates(rows: Mapping[str, Rate], title: str, chance: float | None = 0.25,
               xlabel: str = "answered rightly (percent), 95% interval",
               limits: tuple[float, float] = (0, 102)) -> Figure:
    """Rates with their intervals, a row each, and the line of a guesser."""
    fig, ax = figure(9.5, 1.5 + (0.42 if len(rows) < 7 else 0.31) * len(rows))
    _dots(ax, rows, chance)
    ax.set(xlabel=xlabel, xlim=limits)
    ax.set_title(title)
    return fig


def draw_places(models: Mapping[str, Sequence[Rate]]) -> Figure:
    """Accuracy by the place where the right option stands, for one or more models."""
    fig, ax = figure(9.5, 3.9)
    width = 0.8 / len(models)
    for n, ((name, rates), colour) in enumerate(zip(models.items(), ("sky", "blue"))):
        at = [place + (n - (len(models) - 1) / 2) * width for place in range(4)]
        ax.bar(at, [100 * rate for rate, _ in rates], width * 0.92, label=name,
               color=COLOURS[colour])
        for x, (_, found) in zip(at, rates):
            ax.plot([x, x], [100 * found.low, 100 * found.high], lw=1.5,
                    color=COLOURS["black"])
    ax.axhline(25, color=COLOURS["black"], ls="--", lw=1.5)
    ax.text(3.5, 26, "guessing", ha="right", fontsize=12)
    ax.set_xticks(range(4), [f"right one is {letter}" for letter in "ABCD"])
    ax.set(ylabel="answered rightly (percent)", ylim=(0, 103))
    ax.set_title("The same questions, the same model: the place decides")
    ax.legend()
    return fig


def draw_lengths(rules: Mapping[str, Sequence[float]]) -> Figure:
    """Accuracy by how many things the right option lists, a group for each rule."""
    fig, ax = figure(9.5, 3.7)
    colours = ("blue", "orange", "green")
    for n, size in enumerate((1, 2, 3)):
        at = [place + (n - 1) * 0.26 for place in range(len(rules))]
        heights = [100 * values[n] for values in rules.values()]
        ax.bar(at, heights, 0.24, color=COLOURS[colours[n]],
               label=f"{size} treat{'s' if size > 1 else ''} in the right option")
        for x, height in zip(at, heights):
            ax.text(x, height + 1, f"{height:.0f}", ha="center", fontsize=11)
    ax.axhline(25, color=COLOURS["black"], ls="--", lw=1.5)
    ax.set_xticks(range(len(rules)), list(rules))
    ax.set(ylabel="answered rightly (percent)", ylim=(0, 125),
           xlabel="how the log-probability of an option is corrected for its length")
    ax.set_yticks(range(0, 101, 25))
    ax.set_title("The short option wins, under every rule")
    ax.legend(fontsize=12, ncols=3, loc="upper center")
    return fig


def draw_leaning(leanings: Sequence[float], curves: Mapping[str, Sequence[float]],
                 truth: float) -> Figure:
    """Win rate that a judge reports against its leaning to the first answer."""
    fig, ax = figure(9.5, 4)
    for (name, values), colour in zip(curves.items(), ("red", "orange", "sky", "blue")):
        ax.plot(leanings, [100 * v for v in values], "o-", label=name,
                color=COLOURS[colour])
    ax.axhline(100 * truth, color=COLOURS["black"], ls="--", lw=1.5)
    ax.text(leanings[0], 100 * truth + 1.5, "the truth", fontsize=12)
    ax.set(xlabel="leaning of the judge to the first answer (log-odds)",
           ylabel="wins of V5 among decided (percent)", ylim=(0, 100))
    ax.set_title("Who stands first wins, unless the order is turned")
    ax.legend(fontsize=12, loc="lower left")
    return fig


def draw_power(rates: Sequence[float], closed: Sequence[int],
               simulated: Mapping[tuple[float, int], float], prompts: int) -> Figure:
    """Comparisons that a win rate needs, with simulated powers written beside dots."""
    fig, ax = figure(9.5, 4)
    ax.plot([100 * r for r in rates], closed, color=COLOURS["blue"],
            label="closed form, power 80%")
    for (rate, n), share in simulated.items():
        ax.plot([100 * rate], [n], "o", color=COLOURS["red"])
        ax.text(100 * rate + 0.35, n * 1.12, f"{share:.0%} found", fontsize=12)
    ax.axhline(prompts, color=COLOURS["grey"], ls="--", lw=1.5)
    ax.text(100 * rates[-1], prompts * 1.12, f"about {prompts:,} prompts of the paper",
            ha="right", fontsize=12)
    ax.set(yscale="log", xlabel="true win rate among decided comparisons (percent)",
           ylabel="decided comparisons")
    ax.set_title("Half the lead needs four times the comparisons")
    ax.legend(loc="upper right")
    return fig


def draw_human(rows: Mapping[str, tuple[float, float, float]],
               decided: Mapping[str, Rate]) -> Figure:
    """Win, tie and loss of the paper's Figure 1, and wins among decided."""
    fig, (bars, dots) = figure(11, 3.9, ncols=2, width_ratios=(1.25, 1), sharey=True)
    for place, values in enumerate(rows.values()):
        left = 0.0
        for value, colour in zip(values, ("blue", "grey", "orange")):
            bars.barh([place], [value], left=left, color=COLOURS[colour],
                      alpha=0.45 if colour == "grey" else 0.9)
            bars.text(left + value / 2, place, f"{value:.0f}", ha="center",
                      va="center", fontsize=12, color=COLOURS["black"])
            left += value
    bars.set(xlabel="win, tie, loss (percent)", xlim=(0, 100))
    bars.set_title("As printed in Figure 1", fontsize=14)
    _dots(dots, decided, None)
    dots.axvline(50, color=COLOURS["black"], ls="--", lw=1.5)
    dots.set(xlabel="wins among decided (percent)", xlim=(40, 95))
    dots.set_yticks(range(len(rows)), list(rows))
    dots.set_title("Without ties, 95% interval", fontsize=14)
    fig.suptitle("A lead of a few points over ChatGPT, a large one over Falcon", x=0.01,
                 ha="left", fontsize=16, fontweight="semibold")
    return fig


def draw_leak(doses: Sequence[int], curves: Mapping[str, Sequence[Interval]],
              practice: Mapping[str, Interval]) -> Figure:
    """Gain over no leak, in points, against how often the text holds what leaked."""
    fig, ax = figure(9.5, 4.1)
    places = range(len(doses))
    for n, ((name, found), colour) in enumerate(zip(
            curves.items(), ("red", "orange", "blue"))):
        shift = (n - 1) * 0.06
        ax.errorbar([p + shift for p in places], [100 * one.mean for one in found],
                    yerr=[100 * one.half_width for one in found], fmt="o-", capsize=3,
                    color=COLOURS[colour], label=name)
        one = practice[name]
        ax.errorbar([len(doses) + shift], [100 * one.mean],
                    yerr=[100 * one.half_width], fmt="s", capsize=3,
                    color=COLOURS[colour])
    ax.axhline(0, color=COLOURS["black"], lw=1)
    ax.set_xticks(range(len(doses) + 1), [*map(str, doses), "practice"])
    ax.set(xlabel="times that what leaked stands in the text; practice: other "
           "questions, as many", ylabel="gain over no leak (points)")
    ax.set_title("What leaked is remembered, in other words too")
    ax.legend(loc="upper left")
    return fig


def draw_groups(source: Table, size: Mapping[str, str]) -> Figure:
    """Grouped benchmarks of Table 3 for one size of each family, a row each."""
    fig, ax = figure(10.5, 4.3)
    for family, colour in FAMILIES.items():
        values = [source.cell(f"{family} / {size[family]}", group) for group in GROUPS]
        ax.plot(values, range(len(GROUPS)), "o", ms=11, color=COLOURS[colour],
                label=f"{family} {size[family]}")
    for place, group in enumerate(GROUPS):
        values = [source.cell(f"{f} / {size[f]}", group) for f in FAMILIES]
        ax.plot([min(values), max(values)], [place, place], color=COLOURS["grey"],
                lw=1, zorder=0)
    ax.set_yticks(range(len(GROUPS)), GROUPS)
    ax.invert_yaxis()
    ax.set(xlabel="score (percent), Table 3 of the paper")
    ax.set_title("Around 7B: Llama 2 leads but for code")
    ax.legend(fontsize=12, ncols=4, loc="upper center", bbox_to_anchor=(0.45, -0.16))
    return fig


def draw_gains(source: Table, pairs: Sequence[tuple[str, str]]) -> Figure:
    """Llama 2 less Llama 1 at four sizes, for every group."""
    fig, ax = figure(10.5, 4.1)
    colours = ("sky", "blue", "green", "orange")
    for n, ((old, new), colour) in enumerate(zip(pairs, colours)):
        gains = [source.cell(f"Llama 2 / {new}", group)
                 - source.cell(f"Llama 1 / {old}", group) for group in GROUPS]
        at = [place + (n - 1.5) * 0.2 for place in range(len(GROUPS))]
        ax.bar(at, gains, 0.18, color=COLOURS[colour], label=f"{new} against {old}")
    ax.axhline(0, color=COLOURS["black"], lw=1)
    ax.set_xticks(range(len(GROUPS)), [g.replace(" ", "\n") for g in GROUPS],
                  fontsize=12)
    ax.set(ylabel="Llama 2 less Llama 1 (points)")
    ax.set_title("Small models gain most on MMLU, the 70B on BBH, code and AGI Eval")
    ax.legend(fontsize=12, ncols=2)
    return fig


def draw_test_size(sizes: Sequence[int], weakest: Mapping[str, Sequence[float]],
                   bound: float) -> Figure:
    """The weakest of four Z_n to be expected, against the number of questions."""
    fig, ax = figure(9.5, 3.8)
    for (name, values), colour in zip(weakest.items(), ("red", "orange", "blue")):
        ax.plot(sizes, values, "o-", label=name, color=COLOURS[colour])
    ax.axhline(bound, color=COLOURS["black"], ls="--", lw=1.5)
    ax.text(sizes[0], bound * 1.08, "evidence, by the rule of the paper", fontsize=12)
    ax.set(xscale="log", yscale="log", xlabel="questions in the test",
           ylabel="weakest |Z| to expect")
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.set_yticks((0.25, 0.5, 1, 2, 4, 8), ("1/4", "1/2", "1", "2", "4", "8"))
    ax.minorticks_off()
    ax.set_title("Small tests cannot show their leaks")
    ax.legend(loc="lower right")
    return fig


def draw_shots(source: Table) -> Figure:
    """NaturalQuestions of Table 22 by the number of examples in the prompt."""
    fig, ax = figure(9.5, 3.9)
    shots = (0, 1, 5, 64)
    for (family, size), colour in ((("MPT", "7B"), "orange"), (("Falcon", "7B"), "red"),
                                   (("Llama 2", "7B"), "sky"),
                                   (("Llama 2", "70B"), "blue")):
        values = [source.cell(f"{family} / {size}", f"NQ {n}-shot") for n in shots]
        ax.plot(range(4), values, "o-", color=COLOURS[colour],
                label=f"{family} {size}")
    ax.set_xticks(range(4), [str(n) for n in shots])
    ax.set(xlabel="solved examples in the prompt",
           ylabel="exact match (percent)", ylim=(0, 50))
    ax.set_title("NaturalQuestions: the column decides as much as the model")
    ax.legend(ncols=2)
    return fig
