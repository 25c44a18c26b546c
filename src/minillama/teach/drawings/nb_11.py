"""Drawings of notebook 11: who looks at an answer, advantages, PPO and the truth."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from ...alignment import enumerable as world_of
from ...alignment.gae import gae
from ...alignment.losses import shaped_rewards
from ...training.intervals import Interval
from ..figures import COLOURS, figure

Rows = Sequence[Mapping[str, float]]

# An answer with invented numbers, for draw_verdict
WORDS = ("Olive", "likes", "plums", "and", "hay", ".", "</s>")
LOGPROBS = (-0.1, -0.1, -0.5, -1.4, -1.2, -0.3, -0.1)
REFERENCE = (-0.1, -0.1, -1.9, -1.2, -1.6, -0.2, -0.1)
VALUES = (0.6, 0.6, 0.7, 1.5, 0.9, 0.2, 0.2)
SCORE = 0.3


def draw_models() -> Figure:
    """The policy writes; four frozen or learning models read; advantages go back."""
    fig, ax = figure(10.5, 4)
    _box(ax, 0, 1.6, 1.7, "policy\nwrites", "blue")
    _box(ax, 2.6, 1.6, 1.9, "Olive likes\nplums </s>", "grey")
    readers = (("policy before PPO", "chance of each token", "sky"),
               ("safety reward model", "one score", "orange"),
               ("helpfulness reward model", "one score", "orange"),
               ("value model", "score expected at each token", "green"))
    for row, (name, says, colour) in enumerate(readers):
        y = 3.3 - 1.1 * row
        _box(ax, 5.3, y, 3.1, f"{name}\n{says}", colour)
        _arrow(ax, (4.55, 1.95), (5.25, y + 0.35))
        _arrow(ax, (8.45, y + 0.35), (9.25, 1.95))
    _box(ax, 9.3, 1.6, 2.0, "advantage of\neach token", "purple")
    _arrow(ax, (1.75, 1.95), (2.55, 1.95))
    ax.annotate("", (0.85, 1.5), (10.3, 1.5), arrowprops={
        "arrowstyle": "-|>", "lw": 1.5, "color": COLOURS["purple"],
        "connectionstyle": "bar,fraction=-0.19"})
    ax.text(5.3, -0.62, "the policy and the value model learn from it; nothing else "
            "does", ha="center", va="top", fontsize=13)
    ax.set(xlim=(-0.1, 11.5), ylim=(-1.1, 4.2))
    ax.axis("off")
    ax.set_title("One writes, four read, two learn")
    return fig


def _box(ax, x: float, y: float, width: float, text: str, colour: str) -> None:
    ax.add_patch(FancyBboxPatch((x, y), width, 0.7, color=COLOURS[colour], alpha=0.3,
                                boxstyle="round,pad=0.02"))
    ax.text(x + width / 2, y + 0.35, text, ha="center", va="center", fontsize=13)


def _arrow(ax, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": 1.5,
                                            "color": COLOURS["black"]})


def verdict(kl_weight: float, lam: float) -> tuple[list[float], list[float]]:
    """Rewards and advantages of the invented answer, token by token."""
    logprobs, reference, values = (torch.tensor([x]) for x in
                                   (LOGPROBS, REFERENCE, VALUES))
    mask = torch.ones_like(values, dtype=torch.bool)
    rewards = shaped_rewards(torch.tensor([SCORE]), logprobs, reference, mask,
                             kl_weight)
    return rewards[0].tolist(), gae(rewards, values, mask, 1.0, lam)[0][0].tolist()


def draw_verdict(fig: Figure, kl_weight: float, lam: float) -> None:
    """Reward, value and advantage of every token of one answer."""
    above, below = fig.subplots(2, 1, sharex=True)
    rewards, advantages = verdict(kl_weight, lam)
    places = range(len(WORDS))
    above.bar(places, rewards, color=COLOURS["orange"], width=0.5, label="reward")
    above.plot(places, VALUES, "o-", color=COLOURS["green"],
               label="value: score expected before the token")
    above.set(ylabel="score", ylim=(-0.6, 1.9))
    above.legend(loc="upper left", fontsize=12, ncols=2)
    colours = [COLOURS["blue" if a > 0 else "red"] for a in advantages]
    below.bar(places, advantages, color=colours, width=0.5)
    below.axhline(0, color=COLOURS["grey"], lw=1)
    below.set(ylabel="advantage", ylim=(-1.5, 1.1))
    below.set_xticks(places, WORDS)
    above.set_title("One score at the end becomes a verdict on every token")


def describe_verdict(kl_weight: float, lam: float) -> str:
    """What a frame of ``draw_verdict`` shows, for those who cannot see it."""
    _, advantages = verdict(kl_weight, lam)
    told = ", ".join(f"{word} {a:+.1f}" for word, a in zip(WORDS, advantages))
    return f"Bars of the advantage of each token for lambda {lam:g}: {told}."


def draw_critics(lams: Sequence[float], lines: Mapping[str, Sequence[float]]) -> Figure:
    """Correlation of estimated with true advantages against lambda, by critic."""
    fig, ax = figure(9, 3.9)
    hues = ("blue", "green", "orange", "red")
    for (name, values), colour in zip(lines.items(), hues):
        ax.plot(lams, values, "o-", color=COLOURS[colour], label=name)
    ax.axvline(0.95, color=COLOURS["grey"], ls="--", lw=1.5)
    ax.text(0.945, 1.02, "custom", ha="right", color=COLOURS["grey"], fontsize=12)
    ax.set(xlabel="lambda: 0 trusts the values, 1 the rewards that came",
           ylabel="correlation with\nthe true advantage", ylim=(-0.08, 1.1))
    ax.set_title("The better the values, the smaller lambda may be")
    ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.27), fontsize=12)
    return fig


def draw_clip(fig: Figure, advantage: float, old_chance: float) -> None:
    """The clipped objective of one token against its new probability."""
    ax = fig.subplots()
    new = torch.linspace(0.001, 1, 400)
    ratio = new / old_chance
    plain, clipped = ratio * advantage, ratio.clamp(0.8, 1.2) * advantage
    ax.plot(new, plain, color=COLOURS["grey"], lw=1.5, ls="--", label="without clip")
    ax.plot(new, torch.minimum(plain, clipped), color=COLOURS["blue"],
            label="PPO: the worse of both")
    ax.axvspan(0.8 * old_chance, 1.2 * old_chance, color=COLOURS["sky"], alpha=0.2)
    ax.plot(old_chance, advantage, "o", ms=10, color=COLOURS["orange"],
            label="where the answer was drawn")
    ax.set(xlabel="probability of the token under the new policy", ylim=(-4, 4),
           ylabel="what is maximised", xlim=(0, 1))
    ax.set_title("Nothing is gained by moving further than a fifth")
    ax.legend(loc="upper right" if advantage < 0 else "lower right", fontsize=12)


def describe_clip(advantage: float, old_chance: float) -> str:
    """What a frame of ``draw_clip`` shows, for those who cannot see it."""
    side = "flat above" if advantage > 0 else "flat below"
    edge = (1.2 if advantage > 0 else 0.8) * old_chance
    return (f"Objective of a token of old probability {old_chance:g} with advantage "
            f"{advantage:+g}: a straight line that is {side} {edge:.2f}.")


PANELS = {"score": "score", "reward": "reward (score less KL)",
          "utility": "true utility",
          "kl": "KL from the start (nats)", "entropy": "entropy (nats a token)",
          "clip_fraction": "share of tokens clipped", "ended": "share ended",
          "explained_variance": "explained variance", "length": "tokens an answer",
          "to_optimum": "KL to the optimum (nats)"}


def draw_diagnostics(runs: Sequence[Rows], names: Sequence[str], title: str,
                     wanted: Mapping[str, float] | None = None) -> Figure:
    """What to watch, a panel each, a line a run; ``wanted`` are dashed lines."""
    fig, axes = figure(11.5, 4.9, nrows=2, ncols=(len(names) + 1) // 2)
    for ax, name in zip(axes.flat, names):
        for rows, colour in zip(runs, ("blue", "orange", "green")):
            seen = [(row["iteration"], row[name]) for row in rows if name in row]
            ax.plot(*zip(*seen), color=COLOURS[colour], lw=1.8,
                    marker="o" if len(seen) < 20 else None)
        if wanted and name in wanted:
            ax.axhline(wanted[name], color=COLOURS["black"], ls="--", lw=1.3)
        ax.set_title(PANELS[name], fontsize=13, fontweight="normal")
        ax.tick_params(labelsize=12)
    for ax in axes[-1]:
        ax.set_xlabel("iteration", fontsize=13)
    fig.suptitle(title, x=0.01, ha="left", fontsize=16, fontweight="semibold")
    return fig


def draw_plane(world: world_of.World, others: Mapping[str, world_of.Standing],
               best_of: Sequence[world_of.Standing]) -> Figure:
    """Reward against KL: the exact frontier and what each method reached."""
    fig, ax = figure(9, 4.3)
    betas = torch.logspace(1.2, -0.75, 60).tolist()
    line = world_of.frontier(world.reference, world.rewards, betas)
    ax.plot(line[:, 0], line[:, 1], color=COLOURS["black"], label="exact frontier")
    ax.plot([s.kl for s in best_of], [s.reward for s in best_of], ".--", lw=1.2,
            color=COLOURS["grey"], label="best of 2, 4, 8, 16, 32, exact")
    for (name, stand), mark, colour in zip(others.items(), "DsoX",
                                           ("blue", "orange", "green", "red")):
        ax.plot(stand.kl, stand.reward, mark, ms=10, color=COLOURS[colour], label=name)
    ax.set(xlabel="KL divergence from the reference (nats)", ylim=(-0.1, None),
           ylabel="expected reward (deviations)", xlim=(-0.1, 4.2))
    ax.set_title("Three methods, three places, one frontier")
    ax.legend(loc="lower right", fontsize=12)
    return fig


def draw_bugs(runs: Mapping[str, Rows], begin: float) -> Figure:
    """What the log shows of broken runs, and what only the truth shows."""
    fig, (left, right) = figure(11, 4, ncols=2)
    for (name, rows), colour in zip(runs.items(), ("blue", "red", "orange")):
        left.plot([row["iteration"] for row in rows], [row["score"] for row in rows],
                  color=COLOURS[colour], label=name)
        seen = [(row["iteration"] + 1, row["to_optimum"]) for row in rows
                if "to_optimum" in row]
        right.plot([0, *(x for x, _ in seen)], [begin, *(y for _, y in seen)], "o-",
                   color=COLOURS[colour], label=name)
    left.set(xlabel="iteration", ylabel="mean score (deviations)")
    left.set_title("The score rises in all three")
    right.set(xlabel="iteration", ylabel="KL to the optimum (nats)", yscale="log")
    right.set_title("Only one ends near the optimum")
    left.legend(loc="lower right", fontsize=12)
    return fig


def draw_overoptimisation(panels: Mapping[str, Mapping[str, tuple[Rows, str]]],
                          start: float) -> Figure:
    """Proxy and truth against KL, a panel for each judge, a colour for each beta; every
    line is given as rows and its colour."""
    fig, axes = figure(11, 4.3, nrows=1, ncols=len(panels), sharey=True)
    for ax, (judge, lines) in zip(axes, panels.items()):
        twin = ax.twinx()
        for name, (rows, colour) in lines.items():
            kl = [max(row["kl"], 0.0) for row in rows]
            ax.plot(kl, [row["utility"] for row in rows], color=COLOURS[colour],
                    label=f"truth, {name}")
            twin.plot(kl, [row["score"] for row in rows], color=COLOURS[colour],
                      ls=":", lw=2)
        ax.axhline(start, color=COLOURS["grey"], lw=1, ls="--")
        ax.set(xlabel="KL from the start (nats)", ylim=(0, 1))
        twin.set(ylim=(-1, 3))
        twin.grid(False)
        twin.spines["right"].set_visible(True)
        ax.set_title("the truth" if judge == "truth" else f"{judge} reward model",
                     fontsize=14)
    fig.suptitle("The better the judge, the better the truth at the end", x=0.01,
                 ha="left", fontsize=16, fontweight="semibold")
    axes[0].set_ylabel("true utility (full lines)")
    twin.set_ylabel("score (dotted lines)")
    axes[0].legend(loc="lower left", fontsize=12)
    return fig


def shown_to_move(gaps: Mapping[str, Interval]) -> str:
    """The names and sizes of those differences whose interval leaves out zero."""
    names = {name: name.split(": ")[-1].split(" (")[0] for name in gaps}
    return ", ".join(f"{names[name]} ({gap.mean:+.3f})" for name, gap in gaps.items()
                     if gap.excludes(0)) or "none"


def draw_wins(panels: Mapping[str, Sequence[Interval]], versions: Sequence[str]
              ) -> Figure:
    """Win rate against the fine-tuned model by version, a line for each judge."""
    fig, ax = figure(9.5, 4.2)
    for shift, ((judge, rates), colour, mark) in enumerate(zip(
            panels.items(), ("blue", "orange", "green"), "os^")):
        ax.errorbar([i + 0.08 * (shift - 1) for i in range(len(rates))],
                    [100 * rate.mean for rate in rates], capsize=4, fmt=f"{mark}-",
                    yerr=[100 * rate.half_width for rate in rates], lw=1.6,
                    color=COLOURS[colour], label=judge)
    ax.axhline(50, color=COLOURS["grey"], ls="--", lw=1.5)
    ax.set_xticks(range(len(versions)), versions)
    ax.set(ylabel="wins against SFT, ties half (%)")
    ax.set_title("Its own judge counts about as many wins as the truth")
    fig.legend(loc="outside lower center", ncols=3, fontsize=12)
    return fig


def smooth(rows: Rows, width: int = 5) -> Rows:
    """Running means over ``width`` iterations: one batch is noisy."""
    spans = [rows[first : first + width] for first in range(len(rows) - width + 1)]
    return [{name: sum(row[name] for row in span) / width
             for name in ("kl", "utility", "score")} for span in spans]


def correlation(one: Tensor, other: Tensor, weights: Tensor) -> float:
    """Weighted correlation of two tables, all (n, length); weights sum to one a
    column and means are taken column by column."""
    one, other = (x - (weights * x).sum(dim=0) for x in (one, other))
    both, first, second = ((weights * x * y).sum() for x, y in (
        (one, other), (one, one), (other, other)))
    return (both / (first * second).sqrt().clamp(min=1e-12)).item()
