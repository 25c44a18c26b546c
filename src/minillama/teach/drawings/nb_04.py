"""Drawings of notebook 04: activation functions, two layers, fits, gate openings."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor
from torch.nn import functional as F

from ..figures import COLOURS, figure


def draw_curves(fig: Figure, beta: float) -> None:
    """z sigmoid(beta z) and its slope, beside ReLU and GELU."""
    z = torch.linspace(-4, 4, 161)
    left, right = fig.subplots(1, 2)
    gate = torch.sigmoid(beta * z)
    curves = (("ReLU", F.relu(z), (z > 0).float(), "grey", "--"),
              ("GELU", F.gelu(z), _slope(F.gelu, z), "orange", "-."),
              (f"z σ({beta:g} z)", z * gate, gate + beta * z * gate * (1 - gate),
               "blue", "-"))
    for label, value, slope, colour, line in curves:
        left.plot(z, value, ls=line, color=COLOURS[colour], label=label)
        right.plot(z, slope, ls=line, color=COLOURS[colour])
    left.set(xlabel="input", ylabel="output", ylim=(-1.2, 4))
    right.set(xlabel="input", ylabel="slope", ylim=(-0.4, 1.4))
    left.set_title("From a line to a hinge")
    right.set_title("and the slope that learns")
    left.legend(loc="upper left", fontsize=12)


def _slope(function, z: Tensor) -> Tensor:
    point = z.clone().requires_grad_()
    function(point).sum().backward()
    return point.grad


def describe_curves(beta: float) -> str:
    """What a frame of ``draw_curves`` shows, for those who cannot see it."""
    near = ("half the identity" if beta == 0 else "close to a hinge" if beta >= 5
            else "a hinge with a rounded corner and a dip below zero")
    return (f"ReLU, GELU and z times sigmoid of {beta:g} z with their slopes; the "
            f"last one is {near}.")


def _box(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    ax.add_patch(FancyBboxPatch((x - 0.75, y - 0.3), 1.5, 0.6, color=COLOURS[colour],
                                boxstyle="round,pad=0.05", alpha=0.3))
    ax.text(x, y, text, ha="center", va="center", fontsize=13)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": 2,
                                            "color": COLOURS["black"]})


def draw_layers() -> Figure:
    """The plain feed-forward layer and SwiGLU as boxes and arrows, upwards."""
    fig, (plain, gated) = figure(height=4.6, ncols=2, width=10)
    plain.set_title("GPT-2: two matrices")
    for y, text, colour in ((0, "token", "grey"), (1, "up", "blue"),
                            (2, "GELU", "orange"), (3, "down", "blue")):
        _box(plain, 0, y, text, colour)
        if y:
            _arrow(plain, (0, y - 0.65), (0, y - 0.35))
    gated.set_title("Llama: three matrices and a product")
    for x, y, text, colour in ((0, 0, "token", "grey"), (-1, 1, "gate", "blue"),
                               (1, 1, "up", "blue"), (-1, 2, "SiLU", "orange"),
                               (0, 3, "multiply", "green"), (0, 4, "down", "blue")):
        _box(gated, x, y, text, colour)
    for start, end in (((-0.2, 0.35), (-0.9, 0.65)), ((0.2, 0.35), (0.9, 0.65)),
                       ((-1, 1.35), (-1, 1.65)), ((-0.9, 2.35), (-0.2, 2.65)),
                       ((0.95, 1.35), (0.25, 2.65)), ((0, 3.35), (0, 3.65))):
        _arrow(gated, start, end)
    for ax in (plain, gated):
        ax.set(xlim=(-2.1, 2.1), ylim=(-0.5, 4.5))
        ax.axis("off")
    return fig


def draw_fits(fits: Mapping[str, Mapping[int, Sequence[float]]]) -> Figure:
    """Errors by number of weights, a dot a seed, for the kinds "plain" and "gated"."""
    fig, ax = figure()
    looks = {"plain": ("ReLU", "orange", "s"), "gated": ("SwiGLU", "blue", "o")}
    for kind, runs in fits.items():
        label, colour, marker = looks[kind]
        sizes = sorted(runs)
        middle = [sorted(runs[n])[len(runs[n]) // 2] for n in sizes]
        ax.loglog(sizes, middle, color=COLOURS[colour], label=f"{label}, median")
        for n in sizes:
            ax.plot([n] * len(runs[n]), runs[n], marker, color=COLOURS[colour],
                    alpha=0.6)
    ticks = (15, 30, 60, 120, 200)
    ax.set_xticks(ticks, list(map(str, ticks)))
    ax.set_xticks([], minor=True)
    ax.set(xlabel="weights of the layer", ylabel="error / size of the product")
    ax.set_title("A product is easy for a gate and hard for hinges")
    ax.legend()
    return fig


def draw_gates(gates: Sequence[Tensor]) -> Figure:
    """Histograms of gate openings, one (tokens, ffn_dim) tensor a layer."""
    fig, ax = figure()
    values = torch.cat([g.flatten() for g in gates])
    mean = values.abs().mean().item()
    closed = (values.abs() < 0.1 * mean).float().mean().item()
    edges = torch.linspace(-0.5, 8, 120)
    for number, (layer, colour) in enumerate(
            zip(gates, ("sky", "blue", "orange", "red")), 1):
        count = torch.histc(layer.flatten(), 119, -0.5, 8)
        ax.stairs(count.clamp(min=0.1), edges, color=COLOURS[colour], lw=2,
                  label=f"layer {number}")
    for edge in (-0.1 * mean, 0.1 * mean):
        ax.axvline(edge, color=COLOURS["grey"], ls="--", lw=1)
    ax.set(yscale="log", xlabel="opening of a gate, SiLU(gate · token)",
           ylabel="how often")
    ax.set_ylim(bottom=1)
    ax.set_title(f"{closed:.0%} of all gates are below a tenth of the mean size")
    ax.legend()
    return fig
