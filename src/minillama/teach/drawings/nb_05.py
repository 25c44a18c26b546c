"""Drawings of notebook 05: who shares with whom, memory, patterns, copying heads."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ...config import LlamaConfig
from ..figures import COLOURS, figure

QUERY_HEADS = 8
GROUP_COLOURS = ("blue", "orange", "green", "purple", "sky", "red", "yellow", "grey")
VARIANTS = {"multi-head": (64, "red"), "grouped, 8 heads": (8, "blue"),
            "multi-query": (1, "green")}
GIB = 2**30


def _kind(kv_heads: int) -> str:
    return {QUERY_HEADS: "multi-head", 1: "multi-query"}.get(kv_heads, "grouped-query")


def draw_sharing(fig: Figure, key_value_heads: int, query_head: int) -> None:
    """Eight query heads above, the heads they read below, and what is stored."""
    heads, bars = fig.subplots(1, 2, width_ratios=(2.6, 1))
    step = QUERY_HEADS / key_value_heads
    for head in range(QUERY_HEADS):
        shared = head * key_value_heads // QUERY_HEADS
        colour = COLOURS[GROUP_COLOURS[shared]]
        chosen = head == query_head
        below = step * (shared + 0.5)
        heads.plot([head + 0.5, below], [2, 1], color=colour, zorder=1,
                   lw=6 if chosen else 2, alpha=1 if chosen else 0.45)
        heads.add_patch(Rectangle((head + 0.1, 2), 0.8, 0.55, facecolor=colour,
                                  ec="black", lw=3 if chosen else 0, zorder=2))
        heads.text(head + 0.5, 2.27, f"Q{head}", ha="center", va="center")
        heads.add_patch(Rectangle((below - 0.4, 0.45), 0.8, 0.55, facecolor=colour,
                                  zorder=2))
        heads.text(below, 0.72, f"KV{shared}", ha="center", va="center", zorder=3,
                   fontsize=12)
    heads.set(xlim=(0, QUERY_HEADS), ylim=(0.3, 2.7))
    heads.set_title(f"{_kind(key_value_heads)}: query head {query_head} reads "
                    f"KV{query_head * key_value_heads // QUERY_HEADS}")
    heads.axis("off")
    bars.bar([0], [100], width=0.6, color="0.9")
    share = 100 * key_value_heads / QUERY_HEADS
    bars.bar([0], [share], width=0.6, color=COLOURS["blue"])
    bars.text(0, share + 2, f"{share:g}", ha="center")
    bars.set(xticks=[], xlim=(-0.6, 0.6), ylim=(0, 115), ylabel="% of multi-head")
    bars.set_title("Cache")


def describe_sharing(key_value_heads: int, query_head: int) -> str:
    """What a frame of ``draw_sharing`` shows, for those who cannot see it."""
    share = 100 * key_value_heads / QUERY_HEADS
    return (f"Eight query heads joined by lines to {key_value_heads} key-value heads; "
            f"query head {query_head} reads head "
            f"{query_head * key_value_heads // QUERY_HEADS}; beside it a bar shows a "
            f"cache of {share:g} per cent of the multi-head one.")


def draw_memory(fig: Figure, thousand_tokens: int, kv_heads: int) -> None:
    """Cache of a 70B shape against tokens kept, one line for ``kv_heads``."""
    ax = fig.subplots()
    lengths = [1000 * n for n in range(0, 129, 2)]
    for heads, colour, wide in ((64, "grey", 1.5), (kv_heads, "blue", 3)):
        config = LlamaConfig.named("llama-2-70b").replace(n_kv_heads=heads)
        sizes = [config.kv_cache_bytes(1, n) / GIB for n in lengths]
        ax.plot([n / 1000 for n in lengths], sizes, lw=wide, color=COLOURS[colour],
                label=f"{heads} key-value heads")
    here = config.kv_cache_bytes(1, 1000 * thousand_tokens) / GIB
    ax.plot(thousand_tokens, here, "o", ms=11, color=COLOURS["blue"])
    ax.annotate(f"{here:.1f} GiB", (thousand_tokens, here), (0, 14),
                textcoords="offset points", ha="center")
    ax.set(xlabel="thousand tokens kept", ylabel="cache (GiB)", ylim=(0, 340))
    ax.set_title("Memory grows with length and with key-value heads")
    ax.legend(loc="upper left")


def draw_budget(room: float, length: int, height: float = 3.9) -> Figure:
    """Cache of the 70B against the texts of ``length`` tokens held at once.

    ``room`` is what the weights leave of the memory, in bytes.
    """
    fig, ax = figure(height=height)
    texts = [2**n for n in range(13)]
    for name, (heads, colour) in VARIANTS.items():
        config = LlamaConfig.named("llama-2-70b").replace(n_kv_heads=heads)
        sizes = [config.kv_cache_bytes(n, length) / 1e9 for n in texts]
        ax.loglog(texts, sizes, color=COLOURS[colour], label=name, base=2)
        full = int(room // config.kv_cache_bytes(1, length))
        ax.plot(full, room / 1e9, "o", ms=9, color=COLOURS[colour])
        ax.annotate(f"{full:,}", (full, room / 1e9), (0, 8), ha="right",
                    textcoords="offset points")
    ax.axhline(room / 1e9, color=COLOURS["black"], ls="--", lw=1.5)
    ax.set_yscale("log", base=10)
    ax.set(xlabel=f"texts of {length} tokens at once", ylabel="cache (GB)",
           ylim=(1, 20000))
    ax.set_xticks(texts[::2], [f"{n:,}" for n in texts[::2]])
    ax.set_title("Sharing decides how many readers fit beside the weights")
    ax.legend(loc="lower right")
    return fig


def draw_patterns(weights: Sequence[Tensor], titles: Sequence[str],
                  tokens: Sequence[str]) -> Figure:
    """Weights (length, length) of some heads side by side; rows are queries."""
    fig, axes = figure(width=11, height=4.1, ncols=len(weights))
    for ax, pattern, title in zip(axes, weights, titles):
        ax.imshow(pattern.numpy(), cmap="Blues", vmin=0, vmax=1)
        ax.set_title(title, fontsize=14)
        ax.set(xlabel="token read", xticks=[], yticks=[])
        ax.grid(False)
    axes[0].set_yticks(range(len(tokens)), tokens, fontsize=9)
    axes[0].set_ylabel("token reading")
    return fig


def draw_heads(scores: Tensor, title: str, label: str, most: float = 1.0,
               height: float = 3.4) -> Figure:
    """One number for every head, (n_layers, n_heads), as a heat map."""
    fig, ax = figure(height=height)
    image = ax.imshow(scores.numpy(), cmap="Blues", vmin=0, vmax=most, aspect="auto")
    for (layer, head), score in zip(
            [(a, b) for a in range(len(scores)) for b in range(len(scores[0]))],
            scores.flatten().tolist()):
        ax.text(head, layer, f"{score:.2f}", ha="center", va="center",
                color="white" if score > 0.6 * most else "black")
    ax.set(xlabel="head", ylabel="layer", xticks=range(scores.shape[1]),
           yticks=range(len(scores)))
    ax.set_title(title)
    ax.grid(False)
    fig.colorbar(image, ax=ax, label=label)
    return fig


def draw_removal(losses: Tensor, whole: float, height: float = 3.4) -> Figure:
    """Loss on repeated text without each head, (n_layers, n_heads), in nats."""
    fig, ax = figure(height=height)
    n_heads = losses.shape[1]
    for layer, (row, colour) in enumerate(zip(losses, ("orange", "blue"))):
        places = [layer * (n_heads + 1) + head for head in range(n_heads)]
        ax.bar(places, row.tolist(), color=COLOURS[colour], label=f"layer {layer}")
    ticks = [layer * (n_heads + 1) + head for layer in range(len(losses))
             for head in range(n_heads)]
    ax.set_xticks(ticks, [str(head) for head in range(n_heads)] * len(losses))
    ax.axhline(whole, color=COLOURS["black"], ls="--", lw=1.5, label="all heads")
    ax.set(xlabel="head taken away", ylabel="loss (nats)")
    ax.set_title("What copying costs when one head is silent")
    ax.legend(ncols=3)
    return fig
