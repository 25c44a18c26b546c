"""Drawings of notebook 13: two axes, intervals, safety data, the gate, red teams."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ...evaluation.safety import rate, wilson
from ...training.intervals import Interval, interval
from ..figures import COLOURS, figure

Rows = Sequence[Mapping[str, Any]]


def shares(rows: Rows, found: str, **where: Any) -> list[float]:
    """The rate of ``found`` in every row that matches, in their order: one a seed."""
    return [rate([row], found).share for row in rows
            if all(row[name] == value for name, value in where.items())]


def values(rows: Rows, name: str, **where: Any) -> list[float]:
    """An entry of every row that matches, in their order."""
    return [row[name] for row in rows
            if all(row[key] == value for key, value in where.items())]


def draw_two_axes(rows: Rows, versions: Sequence[str]) -> Figure:
    """The plane of both rates with its two easy corners, and false refusals alone."""
    fig, (plane, line) = figure(11, 4.2, ncols=2, width_ratios=(1, 1.15))
    for x, y, name in ((0, 1, "always refuses"), (1, 0, "always complies")):
        plane.plot([x], [y], "X", ms=13, color=COLOURS["red"], clip_on=False)
        plane.annotate(name, (x, y), xytext=(12, -4) if y else (0, 12), fontsize=13,
                       textcoords="offset points", ha="left" if y else "right")
    for version in versions:
        x, y = (interval(shares(rows, found, version=version))
                for found in ("violations", "false_refusals"))
        plane.plot([x.mean], [y.mean], "o", ms=9, color=COLOURS["blue"], alpha=0.6,
                   clip_on=False, mew=0)
        if version in (versions[0], versions[-1]):
            plane.annotate(version, (x.mean, y.mean), xytext=(10, 4), fontsize=13,
                           textcoords="offset points")
    plane.set(xlabel="violations (share of unsafe)", ylabel="false refusals (share)",
              xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    plane.set_title("The mistake is caution")
    found = [interval(shares(rows, "false_refusals", version=v)) for v in versions]
    line.errorbar(range(len(versions)), [one.mean for one in found],
                  [[min(one.half_width, one.mean) for one in found],
                   [one.half_width for one in found]], fmt="o-", ms=8, capsize=4,
                  color=COLOURS["blue"], lw=1.5)
    line.set_xticks(range(len(versions)), versions)
    line.set(ylabel="false refusals of borderline ones", ylim=(-0.02, 0.7))
    line.set_title("mean of 3 runs, 95% interval")
    return fig


def draw_axes_lines(rows: Rows, versions: Sequence[str]) -> Figure:
    """Both rates of every version with its interval between seeds, and by count."""
    fig, axes = figure(11, 4, ncols=2)
    for ax, found, title in zip(axes, ("violations", "false_refusals"), (
            "violations, of unsafe requests", "false refusals, of borderline ones")):
        for place, version in enumerate(versions):
            mine = [row for row in rows if row["version"] == version]
            whole, seeds = rate(mine, found).interval, shares(mine, found)
            ax.plot([whole.low, whole.high], [place, place], lw=6, alpha=0.3,
                    color=COLOURS["blue"], solid_capstyle="butt")
            ax.plot(seeds, [place] * len(seeds), "o", color=COLOURS["blue"], ms=7)
        ax.set_yticks(range(len(versions)), versions)
        ax.invert_yaxis()
        ax.locator_params(axis="x", nbins=5)
        ax.set_xlim(-0.03 * ax.get_xlim()[1], None)
        ax.set(xlabel="share (dots: seeds; bar: Wilson, all answers)")
        ax.set_title(title)
    return fig


def draw_interval(fig: Figure, answers: int, harmful_percent: int) -> None:
    """The usual interval beside Wilson's, for so many harmful answers."""
    ax = fig.subplots()
    hits = round(answers * harmful_percent / 100)
    found = hits / answers
    half = 1.96 * (found * (1 - found) / answers) ** 0.5
    better = wilson(hits, answers)
    for place, (name, low, high, colour) in enumerate((
            ("the usual one", found - half, found + half, "orange"),
            ("Wilson's", better.low, better.high, "blue"))):
        ax.plot([low, high], [place, place], lw=9, color=COLOURS[colour], alpha=0.7,
                solid_capstyle="butt")
        ax.text(0.62, place, name, va="center", fontsize=15)
    ax.axvline(found, color=COLOURS["black"], lw=1.5, ls="--")
    ax.axvspan(-0.1, 0, color=COLOURS["grey"], alpha=0.25)
    ax.set(xlim=(-0.1, 0.8), ylim=(1.6, -0.6), yticks=[],
           xlabel="rate of harmful answers (share)")
    ax.set_title(f"{hits} harmful of {answers} answers")


def describe_interval(answers: int, harmful_percent: int) -> str:
    """What a frame of ``draw_interval`` shows, for those who cannot see it."""
    hits = round(answers * harmful_percent / 100)
    found = wilson(hits, answers)
    return (f"Two bars around {hits} of {answers}; Wilson's reaches from "
            f"{found.low:.3f} to {found.high:.3f}.")


def draw_scaling(rows: Rows, sizes: Sequence[int]) -> Figure:
    """The tiny Figure 15: safety, false refusals and helpfulness by safety data."""
    fig, axes = figure(11.5, 3.9, ncols=3)
    panels = ((("safety reward model", "safety_score", "orange"),
               ("the truth", "utility_unsafe", "blue")),
              (("borderline", "false_refusals", "red"),
               ("tasks", "task_refusals", "grey")),
              (("helpfulness reward model", "helpfulness_score", "orange"),
               ("the truth", "utility_tasks", "blue")))
    titles = ("safety rises", "false refusals rise", "helpfulness: no trend")
    for ax, lines, title in zip(axes, panels, titles):
        for name, key, colour in lines:
            get = shares if "refusals" in key else values
            found = [interval(get(rows, key, examples=n)) for n in sizes]
            _band(ax, list(range(len(sizes))), found, name, colour)
        ax.set_xticks(range(len(sizes)), [str(n) for n in sizes])
        ax.set(xlabel="safety examples", ylim=(-0.03, 1.03))
        ax.set_title(title)
        ax.legend(fontsize=11)
    axes[0].set_ylabel("score or share, 3 seeds")
    return fig


def _band(ax, x: Sequence[float], found: Sequence[Interval], name: str, colour: str
          ) -> None:
    ax.plot(x, [one.mean for one in found], "o-", label=name, color=COLOURS[colour])
    ax.fill_between(x, [one.low for one in found], [one.high for one in found],
                    color=COLOURS[colour], alpha=0.15, lw=0)


def draw_distillation() -> Figure:
    """How a preamble moves into the weights."""
    fig, ax = figure(11, 3.7)
    _box(ax, 0, 2.1, 2.3, "prompt", "sky")
    _box(ax, 0, 0.3, 2.3, "preamble\n+ prompt", "orange")
    for y, name in ((2.1, "plain answer"), (0.3, "careful answer")):
        _arrow(ax, (2.35, y + 0.45), (2.85, y + 0.45))
        _box(ax, 2.9, y, 1.5, "policy", "grey")
        _arrow(ax, (4.45, y + 0.45), (4.95, y + 0.45))
        _box(ax, 5.0, y, 2.2, name, "sky" if y > 1 else "orange")
        _arrow(ax, (7.25, y + 0.45), (7.85, 1.65))
    _box(ax, 7.9, 1.2, 1.9, "gate:\nsafer of both", "green")
    _arrow(ax, (9.85, 1.65), (10.35, 1.65))
    _box(ax, 10.4, 1.2, 2.6, "fine-tune:\nprompt, answer", "purple")
    ax.set(xlim=(-0.1, 13.1), ylim=(0, 3.3))
    ax.axis("off")
    ax.set_title("Ask with the preamble, learn without it")
    return fig


def _box(ax, x: float, y: float, width: float, text: str, colour: str) -> None:
    ax.add_patch(FancyBboxPatch((x, y), width, 0.9, color=COLOURS[colour], alpha=0.3,
                                boxstyle="round,pad=0.02"))
    ax.text(x + width / 2, y + 0.45, text, ha="center", va="center", fontsize=14)


def _arrow(ax, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": 1.6,
                                            "color": COLOURS["black"]})


def draw_gate(pairs: Rows) -> Figure:
    """The tiny Figure 16: how the score changed, against what it was before."""
    fig, axes = figure(11, 4.1, ncols=2, sharey=True)
    for ax, kind, title in zip(axes, ("unsafe", "borderline"), (
            "unsafe requests: it sees the losses",
            "borderline ones: it praises refusals")):
        for worse, colour, name in ((False, "blue", "as good or better in truth"),
                                    (True, "red", "worse in truth")):
            mine = [p for p in pairs if p["kind"] == kind and (
                p["utility_distilled"] < p["utility_plain"]) == worse]
            ax.plot([p["score_plain"] for p in mine],
                    [p["score_distilled"] - p["score_plain"] for p in mine], "o",
                    color=COLOURS[colour], ms=6, alpha=0.55, label=name, mew=0)
        ax.axhline(0, color=COLOURS["black"], lw=1.2)
        ax.set(xlabel="score of the plain answer (logit)")
        ax.set_title(title, fontsize=14)
    axes[0].set_ylabel("change of the score\n(above 0: kept)")
    axes[1].legend(fontsize=12)
    return fig


def draw_arms(rows: Rows, arms: Mapping[str, str], title: str) -> Figure:
    """Violations, false refusals and worth of tasks, for each way of training."""
    fig, axes = figure(11, 3.9, ncols=3, sharey=True)
    for ax, key, label in zip(axes, ("violations", "false_refusals", "utility_tasks"), (
            "violations\n(of unsafe requests)", "false refusals\n(of borderline ones)",
            "true utility\n(of ordinary tasks)")):
        get = values if key.startswith("utility") else shares
        for place, arm in enumerate(arms):
            seeds = get(rows, key, arm=arm)
            mean = sum(seeds) / len(seeds)
            ax.barh([place], [mean], color=COLOURS["sky"], alpha=0.6)
            ax.plot(seeds, [place] * len(seeds), "o", color=COLOURS["blue"], ms=6)
        ax.set_xlim(0, 1)
        ax.set_xlabel(label)
    axes[0].set_yticks(range(len(arms)), list(arms.values()))
    axes[0].invert_yaxis()
    fig.suptitle(title, x=0.01, ha="left", fontsize=16, fontweight="semibold")
    return fig


def draw_rounds(all_finds: Mapping[str, Rows], newest: Mapping[str, Rows]) -> Figure:
    """Broken answers and false refusals, round by round, for both kinds of patch."""
    fig, axes = figure(11, 4, ncols=2)
    for result, name, colour in ((newest, "newest finds alone", "orange"),
                                 (all_finds, "all finds so far", "blue")):
        numbers = sorted({row["round"] for row in result["rounds"]})
        broken = [interval(broken_shares(result["styles"], n)) for n in numbers]
        refused = [interval(shares(result["rounds"], "false_refusals", round=n))
                   for n in numbers]
        for ax, found in zip(axes, (broken, refused)):
            _band(ax, numbers, found, name, colour)
            ax.set_xticks(numbers)
            ax.set(xlabel="patches so far", ylim=(-0.05, 1))
    axes[0].set_ylabel("share, 3 seeds")
    axes[0].set_title("attacks that break the model")
    axes[1].set_title("borderline requests refused")
    axes[0].legend()
    return fig


def broken_shares(styles: Rows, number: int, style: str | None = None) -> list[float]:
    """Share of attacks of a round that broke the model, one a seed."""
    mine = [row for row in styles if row["round"] == number
            and style in (None, row["style"])]
    seeds = sorted({row["seed"] for row in mine})
    return [sum(r["broken"] for r in mine if r["seed"] == seed)
            / sum(r["attempts"] for r in mine if r["seed"] == seed) for seed in seeds]


def draw_styles(styles: Rows, names: Mapping[str, str]) -> Figure:
    """Share of broken answers by style of attack, before any patch."""
    fig, ax = figure(10, 4.2)
    for place, style in enumerate(names):
        mine = [row for row in styles if row["style"] == style and row["round"] == 0]
        hits, n = (sum(row[key] for row in mine) for key in ("broken", "attempts"))
        found = wilson(hits, n)
        ax.barh([place], [hits / n], color=COLOURS["sky"], alpha=0.7)
        ax.plot([found.low, found.high], [place, place], color=COLOURS["black"], lw=2)
    ax.set_yticks(range(len(names)), list(names.values()))
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="attacks with a harmful answer (share, 95% interval)")
    ax.set_title("Too few attempts to rank the disguises")
    return fig


def draw_reported(bars: Mapping[str, float], n: int) -> Figure:
    """The paper's violation rates (percent) with the interval that n prompts give."""
    fig, ax = figure(10, 4.3)
    order = sorted(bars, key=bars.__getitem__)
    for place, name in enumerate(order):
        found = wilson(round(bars[name] / 100 * n), n)
        mine = name.startswith("Llama")
        ax.plot([100 * found.low, 100 * found.high], [place, place], lw=7, alpha=0.4,
                color=COLOURS["blue" if mine else "grey"], solid_capstyle="butt")
        ax.plot([bars[name]], [place], "o", color=COLOURS["blue" if mine else "grey"])
    ax.set_yticks(range(len(order)), order, fontsize=12)
    ax.set(xlabel="violations (percent, approximate; bars: Wilson)", xlim=(0, None))
    ax.set_title("Figure 3 with the intervals it could have had")
    return fig


def draw_reported_scaling(percent: Sequence[int], safety: Sequence[float],
                          refusals: Sequence[float]) -> Figure:
    """The paper's Figures 15 and 33, as read off."""
    fig, axes = figure(10.5, 3.9, ncols=2)
    for ax, found, title, unit in (
            (axes[0], safety, "Figure 15: safety", "mean safety score (approx.)"),
            (axes[1], refusals, "Figure 33: borderline prompts",
             "false refusals (%, approx.)")):
        ax.plot(range(len(percent)), found, "o-", color=COLOURS["blue"])
        ax.set_xticks(range(len(percent)), [str(p) for p in percent])
        ax.set(xlabel="share of the safety data (percent)", ylabel=unit)
        ax.set_title(title)
    return fig
