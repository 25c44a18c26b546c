"""Drawings of notebook 02: sizes of the stream, two norms as bars, gradients."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from ..figures import COLOURS, figure

TOKEN = torch.tensor([0.6, -1.1, 0.3, 1.4, -0.4, -0.9, 0.8, -0.2])


def draw_sizes(sizes: Mapping[str, Sequence[float]]) -> Figure:
    """Root mean square of the stream after each layer, for placements of the norm."""
    fig, ax = figure()
    for (place, curve), colour in zip(sizes.items(), ("blue", "orange", "green")):
        depth = range(1, len(curve) + 1)
        ax.semilogy(depth, curve, color=COLOURS[colour], label=f"norm {place}")
    ax.axhline(65504, color=COLOURS["grey"], ls="--")
    ax.text(1, 1.5e5, "largest float16", color=COLOURS["grey"])
    ax.set(xlabel="layers passed", ylabel="size of the stream (root mean square)")
    ax.set_title("Without a norm the stream outgrows float16 in 32 layers")
    ax.legend()
    return fig


def draw_bars(fig: Figure, scale: float, offset: float) -> None:
    """A token of eight coordinates, and what RMSNorm and LayerNorm make of it."""
    token = scale * (TOKEN + offset)  # this order: RMSNorm must not see the scale
    rows = (("the token", token, "grey"),
            ("RMSNorm", F.rms_norm(token, (8,)), "blue"),
            ("LayerNorm", F.layer_norm(token, (8,)), "orange"))
    axes = fig.subplots(1, 3, sharey=False)
    for ax, (title, values, colour) in zip(axes, rows):
        ax.bar(range(8), values.tolist(), color=COLOURS[colour])
        ax.axhline(0, color=COLOURS["black"], lw=1)
        ax.axhline(values.mean().item(), color=COLOURS["red"], ls="--", lw=1.5)
        ax.set(ylim=(-8, 8) if title == "the token" else (-2.6, 2.6),
               xlabel="coordinate", ylabel="value")
        ax.set_title(title)


def describe_bars(scale: float, offset: float) -> str:
    """What a frame of ``draw_bars`` shows, for those who cannot see it."""
    return (f"Eight bars of a token, shifted by {offset:g}, then scaled by {scale:g}, "
            "beside its RMSNorm, which does not depend on the scale, and its "
            "LayerNorm, which depends neither on scale nor on shift; a dashed line "
            "marks each mean.")


def draw_gradients(curves: Mapping[tuple[str, bool], Tensor]) -> Figure:
    """Gradient norms (seeds, layers) by placement and whether weights start small."""
    fig, ax = figure()
    names = {"pre": ("norm before", "blue"), "post": ("norm after", "orange")}
    for (place, small), runs in curves.items():
        label, colour = names[place]
        layers = range(1, runs.shape[1] + 1)
        start = "small start" if small else "textbook start"
        ax.semilogy(layers, runs.mean(dim=0), color=COLOURS[colour],
                    ls="-" if small else "--", label=f"{label}, {start}")
        ax.fill_between(layers, runs.amin(dim=0), runs.amax(dim=0), alpha=0.2,
                        color=COLOURS[colour])
    ax.set(xlabel="layer", ylabel="gradient norm (3 seeds)", ylim=(None, 500))
    ax.set_title("Norm after the sum: gradients depend far more on the start")
    ax.legend(fontsize=12, ncols=2, loc="upper right")
    return fig
