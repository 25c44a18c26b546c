"""The figure of all ratios, with a sentence for those who cannot see it."""

from typing import Any

import matplotlib.pyplot as plt

from minillama.teach.figures import COLOURS, figure, picture, style

TARGETS = {"pretraining_peer": 1.3, "sampling": 3.0, "tokenizer_training": 20.0}


def ratios(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The benchmarks that are ratios, largest first."""
    found = {name: one for name, one in results["benchmarks"].items()
             if "ratio" in one}
    return dict(sorted(found.items(), key=lambda item: -item[1]["ratio"]))


def pair(one: dict[str, Any]) -> str:
    """What is compared, in words."""
    return f"{one['fast']} / {one['slow']}"


def title(results: dict[str, Any]) -> str:
    """The message: how many of ours are faster than what they are compared with."""
    found = ratios(results).values()
    return (f"Of {len(found)} ways {sum(one['low'] > 1 for one in found)} are faster "
            f"than their peers and {sum(one['high'] < 1 for one in found)} slower")


def alt(results: dict[str, Any]) -> str:
    """The figure as a sentence."""
    each = "; ".join(f"{pair(one)}: {one['ratio']:.3g}" for one in
                     ratios(results).values())
    return ("Points with 95% intervals on a logarithmic axis, how many times as fast "
            f"the first is as the second. {each}.")


def draw(results: dict[str, Any]) -> dict[str, bytes]:
    """The figure as "svg" and "png"."""
    style()
    found = ratios(results)
    fig, ax = figure(11, 1.6 + 0.55 * len(found))
    for place, (name, one) in enumerate(found.items()):
        ax.errorbar(one["ratio"], -place, xerr=[[one["ratio"] - one["low"]],
                                                [one["high"] - one["ratio"]]],
                    fmt="o", color=COLOURS["blue"], capsize=4)
        if name in TARGETS:
            ax.plot(TARGETS[name], -place, "|", color=COLOURS["red"], markersize=18,
                    markeredgewidth=3)
    ax.axvline(1, color=COLOURS["grey"], linewidth=1)
    ax.plot([], [], "|", color=COLOURS["red"], markersize=14, markeredgewidth=3,
            label="what was aimed at")
    ax.set_xscale("log")
    ax.set_ylim(-len(found) + 0.4, 0.6)
    ax.set_yticks([-i for i in range(len(found))], map(pair, found.values()),
                  fontsize=10)
    ax.set_xlabel("times as fast, ratio within a round (logarithmic)")
    ax.set_title(title(results))
    ax.legend(loc="lower right", fontsize=10)
    pictures = {kind: picture(fig, kind) for kind in ("svg", "png")}
    plt.close(fig)
    return pictures
