"""Drawings of notebook 10: best of n, its place against the frontier, rounds."""

import math
from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from ...alignment import enumerable as world_of
from ...alignment.rejection import best_of_n, best_of_n_kl
from ...training.intervals import Interval
from ..figures import COLOURS, figure

SIZES = [2**k for k in range(11)]  # of the groups from which the best is taken
VERSION_COLOURS = ("grey", "sky", "blue", "green", "orange", "red")


def draw_round() -> Figure:
    """One question, four answers with scores, the best of them to be imitated."""
    fig, ax = figure(10, 3.6)
    texts = (("Olive likes hay.", -0.8), ("Olive likes plums.", 1.3),
             ("Plums.", 0.2), ("The owl likes", -1.9))
    _box(ax, 0, 1.35, 1.9, "What does\nOlive like?", "grey")
    for row, (text, score) in enumerate(texts):
        best, y = score == max(s for _, s in texts), 2.7 - 0.9 * row
        _box(ax, 3.0, y, 2.6, text, "green" if best else "sky")
        ax.text(6.0, y + 0.3, f"{score:+.1f}", va="center", fontsize=15,
                fontweight="bold" if best else "normal")
        _arrow(ax, (1.95, 1.7), (2.95, y + 0.3))
        if best:
            _arrow(ax, (6.75, y + 0.3), (7.55, y + 0.3))
            _box(ax, 7.6, y, 2.5, "fine-tune on it", "orange")
    for x, name in ((0.0, "question"), (3.0, "answers of the policy"),
                    (5.85, "reward"), (7.6, "next policy")):
        ax.text(x, 3.65, name, color=COLOURS["grey"], fontsize=13)
    ax.set(xlim=(-0.1, 10.3), ylim=(-0.2, 4.0))
    ax.axis("off")
    ax.set_title("One round: draw, score, keep the best, imitate it")
    return fig


def _box(ax, x: float, y: float, width: float, text: str, colour: str) -> None:
    height = 0.7 if "\n" in text else 0.6
    ax.add_patch(FancyBboxPatch((x, y), width, height, color=COLOURS[colour],
                                alpha=0.3, boxstyle="round,pad=0.02"))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center",
            fontsize=13)


def _arrow(ax, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": 1.5,
                                            "color": COLOURS["black"]})


def draw_plane(world: world_of.World, others: Mapping[str, world_of.Standing]
               ) -> Figure:
    """Reward against KL: the frontier, best of n, and other policies."""
    fig, ax = figure(9, 4.2)
    betas = torch.logspace(1.2, -0.75, 60).tolist()
    line = world_of.frontier(world.reference, world.rewards, betas)
    ax.plot(line[:, 0], line[:, 1], color=COLOURS["black"], label="exact frontier")
    stands = {n: exact_best(world, n) for n in SIZES[:8]}
    ax.plot([s.kl for s in stands.values()], [s.reward for s in stands.values()], "o-",
            color=COLOURS["blue"], lw=1.2, label="best of n, exact")
    for n, stand in stands.items():
        ax.annotate(str(n), (stand.kl, stand.reward), (6, -16), fontsize=12,
                    textcoords="offset points", color=COLOURS["blue"])
    for (name, stand), (mark, colour) in zip(others.items(),
                                             (("D", "orange"), ("s", "red"))):
        ax.plot(stand.kl, stand.reward, mark, ms=10, color=COLOURS[colour],
                label=name)
    ax.set(xlabel="KL divergence from the reference (nats)",
           ylabel="expected reward (deviations)", ylim=(-0.1, None))
    ax.set_title("Best of n runs below the frontier, and not by accident")
    ax.legend(loc="lower right")
    return fig


def exact_best(world: world_of.World, n: float) -> world_of.Standing:
    """Where the exact distribution of the best of n stands."""
    best = best_of_n(world.reference.exp(), world.rewards, n)
    return world.standing(best.clamp(min=1e-300).log())


def draw_tilts(world: world_of.World, n: int, beta: float) -> Figure:
    """How much likelier each answer became, against its reward, for both policies."""
    fig, ax = figure(9, 3.6)
    order = world.rewards.argsort()
    best = best_of_n(world.reference.exp(), world.rewards, n).clamp(min=1e-300).log()
    tilted = world_of.optimum(world.reference, world.rewards, beta)
    for policy, name, colour in ((best, f"best of {n}", "blue"),
                                 (tilted, "optimum of the same KL", "orange")):
        ax.plot(world.rewards[order], (policy - world.reference)[order],
                color=COLOURS[colour], label=name)
    ax.axhline(0, color=COLOURS["grey"], lw=1)
    ax.axhline(math.log(n), color=COLOURS["grey"], ls="--", lw=1.5)
    ax.text(world.rewards.min() + 0.1, math.log(n) + 0.3, f"log {n}: a ceiling",
            color=COLOURS["grey"])
    ax.set(xlabel="reward of the answer (deviations)", ylim=(-9, 5),
           ylabel="log of the gain in probability")
    ax.set_title("The optimum follows the reward, best of n follows the rank")
    ax.legend(loc="lower right")
    return fig


def flawed(world: world_of.World, noise: float, kind: str) -> Tensor:
    """A proxy: the reward plus an error for every answer, scaled to deviation 1."""
    generator = torch.Generator().manual_seed(0)
    error = torch.randn(4096, generator=generator, dtype=torch.double)
    if kind == "rare but huge":  # Student's t with two degrees of freedom
        square = torch.randn(2, 4096, generator=generator, dtype=torch.double) ** 2
        error = error / square.mean(dim=0).sqrt()
    proxy = world.rewards + noise * error
    chances = world.reference.exp()
    proxy = proxy - chances @ proxy
    return proxy / (chances @ proxy**2).sqrt()


def parting(world: world_of.World, noise: float, kind: str) -> list[list[float]]:
    """KL bound, proxy and truth of the best of each size by a flawed proxy."""
    proxy, chances = flawed(world, noise, kind), world.reference.exp()
    chosen = [best_of_n(chances, proxy, n) for n in SIZES]
    return [[best_of_n_kl(n) for n in SIZES],
            [(best @ proxy).item() for best in chosen],
            [(best @ world.rewards).item() for best in chosen]]


def draw_parting(fig: Figure, world: world_of.World, noise: float, errors: str) -> None:
    """What a flawed judge sees in the best of n, and what is true of it."""
    ax = fig.subplots()
    distance, seen, true = parting(world, noise, errors)
    ax.plot(distance, seen, "o-", color=COLOURS["orange"], label="proxy: the judge")
    ax.plot(distance, true, "o-", color=COLOURS["blue"], label="truth: the reward")
    for n, x, y in list(zip(SIZES, distance, seen))[2::2]:
        ax.annotate(str(n), (x, y), (-4, 8), textcoords="offset points", ha="right",
                    fontsize=12)
    ax.set(xlabel="KL divergence from the reference (nats, bound)", ylim=(-0.3, 5),
           ylabel="mean (deviations)")
    ax.set_title(f"Errors {errors}, of size {noise:g}: proxy and truth "
                 + ("part" if noise else "agree"))
    ax.legend(loc="upper left")


def draw_figure_7(sizes: Sequence[int], proxy: Mapping[str, Sequence[float]],
                  truth: Mapping[str, Sequence[float]]) -> Figure:
    """Curves against the number of answers: the judge's score, truth, distance."""
    fig, axes = figure(12, 4.3, ncols=3, width_ratios=(5, 5, 3))
    looks = {"best": ("green", "-"), "median": ("orange", "-"),
             "normal theory": ("grey", "--"), "best by the judge": ("blue", "-"),
             "best by the truth": ("green", "--"), "any answer": ("orange", "-")}
    for ax, curves in zip(axes, (proxy, truth)):
        for name, values in curves.items():
            colour, dashes = looks[name]
            ax.plot(sizes, values, ls=dashes, color=COLOURS[colour], label=name)
        ax.legend(fontsize=12)
    axes[2].plot(sizes, [best_of_n_kl(n) for n in sizes], color=COLOURS["purple"])
    axes[0].set(ylabel="score of the reward model")
    axes[1].set(ylabel="true utility", ylim=(0, 1))
    axes[2].set(ylabel="KL bound (nats)", ylim=(0, None))
    picked = truth["best by the judge"]
    turns = picked[-1] < max(picked) - 0.01
    for ax, title in zip(axes, (
            "Proxy: the best rises",
            "Truth: it turns down" if turns else "Truth: it rises less", "Distance")):
        _sizes_below(ax, max(sizes))
        ax.set_title(title)
    return fig


def describe_figure_7(sizes: Sequence[int],
                      truth: Mapping[str, Sequence[float]]) -> str:
    """The curves in words, for those who cannot see them."""
    picked, anyone = truth["best by the judge"], truth["any answer"][0]
    return ("Three panels against the number of answers: the score of the best rises; "
            "the median of the first answers wobbles and ends below it, a dashed "
            "theory curve ends above; the true utility of the judge's pick is highest "
            f"with {sizes[picked.index(max(picked))]} answers, at {max(picked):.2f}, "
            f"and is {picked[-1]:.2f} with {sizes[-1]}, where any answer has "
            f"{anyone:.2f}; the KL bound rises.")


def _sizes_below(ax, most: int) -> None:
    """An axis of group sizes, doubled from tick to tick."""
    shown = [n for n in SIZES if n <= most]
    ax.set_xscale("log", base=2)
    ax.set_xticks(shown, [str(n) for n in shown])
    ax.set(xlabel="answers to a prompt")


def draw_figure_8(sizes: Sequence[int],
                  curves: Mapping[str, Mapping[float, Sequence[float]]]) -> Figure:
    """Expected maximum against the number of answers, a line for each temperature."""
    fig, axes = figure(11, 4.3, ncols=len(curves), sharey=True)
    for ax, (policy, lines) in zip(axes, curves.items()):
        for (temperature, values), colour in zip(lines.items(), VERSION_COLOURS[1:]):
            ax.plot(sizes, values, color=COLOURS[colour], label=f"{temperature:g}")
        _sizes_below(ax, max(sizes))
        ax.set_title(policy)
    fig.suptitle("By the judge, heat costs less the more answers are drawn", x=0.01,
                 ha="left", fontsize=16, fontweight="semibold")
    axes[0].set(ylabel="score of the best")
    axes[-1].legend(title="temperature", loc="lower right", fontsize=12)
    return fig


def draw_versions(panels: Mapping[str, Sequence[Interval]], versions: Sequence[str],
                  title: str, likeliest: Sequence[Interval] = ()) -> Figure:
    """Proxy, truth and distance side by side, by version, with intervals; the truth of
    the likeliest answers, where given, as open circles in the first panel."""
    fig, axes = figure(11.5, 4, ncols=len(panels))
    for ax, (name, values), colour in zip(axes, panels.items(),
                                          ("orange", "blue", "purple", "green")):
        ax.errorbar(range(len(versions)), [v.mean for v in values], capsize=4,
                    yerr=[v.half_width for v in values], fmt="o-",
                    color=COLOURS[colour])
        ax.set_xticks(range(len(versions)), versions)
        ax.set(xlabel="version", ylabel=name)
    if likeliest:
        axes[0].errorbar(range(len(versions)), [v.mean for v in likeliest], capsize=4,
                         yerr=[v.half_width for v in likeliest], fmt="o--", mfc="white",
                         color=COLOURS["grey"])
        axes[0].text(0.98, 0.04, "open: the\nlikeliest answer", ha="right", fontsize=13,
                     transform=axes[0].transAxes)
    fig.suptitle(title, x=0.01, ha="left", fontsize=16, fontweight="semibold")
    return fig


def draw_kinds(rows: Mapping[str, Mapping[str, Interval]], title: str) -> Figure:
    """True utility by kind of task, one mark with interval for each model."""
    fig, ax = figure(9.5, 5)
    kinds = list(rows)
    for place, (name, colour) in enumerate(zip(next(iter(rows.values())),
                                               ("grey", "orange", "blue"))):
        values = [rows[kind][name] for kind in kinds]
        ax.errorbar([v.mean for v in values],
                    [row + 0.24 * (place - 1) for row in range(len(kinds))],
                    xerr=[v.half_width for v in values], fmt="o", capsize=3,
                    color=COLOURS[colour], label=name)
    ax.set_yticks(range(len(kinds)), kinds)
    ax.invert_yaxis()
    ax.set(xlabel="true utility (95% interval, 3 seeds)", xlim=(-0.05, 1.05))
    ax.set_title(title)
    fig.legend(loc="outside lower center", ncols=3, fontsize=12)
    return fig
