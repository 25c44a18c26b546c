"""Drawings of notebook 00: documents, the pipeline, the family, the road map."""

import textwrap
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ...paper.ledger import Table
from ...pasture import corpus
from ..figures import COLOURS, figure

STATIONS = (
    (("00", "overview"), ("01", "tokenizer"), ("02", "RMSNorm"), ("03", "RoPE"),
     ("04", "SwiGLU"), ("05", "attention"), ("06", "the model"), ("07", "pretraining")),
    (("08", "fine-tuning"), ("09", "reward\nmodels"), ("10", "rejection\nsampling"),
     ("11", "PPO"), ("12", "Ghost\nAttention")),
    (("13", "safety and\nhelpfulness"), ("14", "evaluation,\nother models"),
     ("15", "Mistral"), ("16", "discussion")),
)
ROWS = (("build and train", "blue"), ("align", "orange"), ("look around", "green"))


def _first_of_kind(kind: str) -> str:
    return next(d.text for d in corpus(400) if d.kind == kind)


def draw_document(fig: Figure, kind: str) -> None:
    """The first document of a kind, as plain text."""
    ax = fig.subplots()
    ax.axis("off")
    lines = [part for line in _first_of_kind(kind).splitlines()
             for part in textwrap.wrap(line, 78) or [""]]
    text = "\n".join(lines[:10] + (["…"] if len(lines) > 10 else []))
    ax.text(0.01, 0.98, text, va="top", family="monospace", fontsize=13,
            transform=ax.transAxes)
    ax.set_title(f"A document of the kind “{kind}”")


def describe_document(kind: str) -> str:
    """The text that a frame of ``draw_document`` shows."""
    return f"A document of the kind {kind}: {' '.join(_first_of_kind(kind).split())}"


def _box(ax: Axes, x: float, y: float, text: str, colour: str, width: float = 1.9,
         height: float = 0.8, fontsize: float = 13) -> None:
    ax.add_patch(FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0.06",
        facecolor=COLOURS[colour] + "40", edgecolor=COLOURS[colour], lw=2))
    ax.text(x, y, text, ha="center", va="center", fontsize=fontsize)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float],
           bend: float = 0.0) -> None:
    ax.annotate("", end, start, arrowprops={
        "arrowstyle": "-|>", "lw": 2, "color": COLOURS["black"],
        "connectionstyle": f"arc3,rad={bend}"})


def draw_pipeline() -> Figure:
    """From raw text to Llama 2-Chat, with the loop of comparisons."""
    fig, ax = figure(width=11, height=4.4)
    _box(ax, 5.9, -0.02, "", "purple", 2.2, 2.2)  # both judges score together
    for x, y, text, colour in (
            (0, 2, "raw text", "grey"), (2.8, 2, "Llama 2\n(base)", "blue"),
            (5.6, 2, "fine-tuned on\ndemonstrations", "blue"),
            (9.2, 2, "Llama 2-Chat", "green"),
            (9.2, 0, "people compare\nA and B", "orange"),
            (5.9, 0.55, "helpfulness\nreward model", "purple"),
            (5.9, -0.6, "safety\nreward model", "purple")):
        _box(ax, x, y, text, colour)
    for start, end, label in (((1.05, 2), (1.75, 2), "pretrain"),
                              ((3.85, 2), (4.55, 2), "SFT"),
                              ((6.65, 2), (8.15, 2), "")):
        _arrow(ax, start, end)
        ax.text((start[0] + end[0]) / 2, 2.55, label, ha="center", fontsize=12)
    ax.text(7.4, 2.55, "rejection sampling, PPO", ha="center", fontsize=12)
    _arrow(ax, (9.2, 1.5), (9.2, 0.5))
    ax.text(9.35, 1.0, "new answers,\nevery round", fontsize=12, va="center")
    _arrow(ax, (8.15, 0.15), (6.95, 0.5))
    _arrow(ax, (8.15, -0.15), (6.95, -0.5))
    _arrow(ax, (6.4, 1.17), (7.3, 1.9))
    ax.text(6.2, 1.33, "scores", fontsize=12, ha="center")
    ax.set(xlim=(-1.1, 11.1), ylim=(-1.25, 3))
    ax.set_title("One foundation, then a loop between people, judges and the model")
    ax.axis("off")
    return fig


def _plain_sizes(ax: Axes) -> None:
    """Sizes as people say them on a logarithmic axis."""
    ax.set_xticks([7, 13, 34, 70], labels=["7", "13", "34", "70"])
    ax.minorticks_off()


def draw_family(table: Table) -> Figure:
    """Tokens against parameters for the rows of Table 1."""
    fig, ax = figure()
    size, tokens = (table.columns.index(name) for name in (
        "params", "pretraining tokens (trillions)"))
    looks = (("Llama 1", "orange", "s"), ("Llama 2", "blue", "o"))
    for family, colour, marker in looks:
        rows = [row for row in table.rows if row[0] == family]
        billions = [float(row[size].rstrip("B")) for row in rows]
        ax.plot(billions, [row[tokens] for row in rows], marker, ms=12, ls="-", lw=1.5,
                color=COLOURS[colour], label=family)
        for x, row in zip(billions, rows):
            ax.annotate(row[size], (x, row[tokens]), xytext=(0, 10), ha="center",
                        textcoords="offset points", fontsize=12)
    ax.set(xscale="log", xlabel="parameters (billions)", ylim=(0, 2.4),
           ylabel="tokens read (trillions)")
    _plain_sizes(ax)
    ax.set_title("Llama 2 read two trillion tokens at every size (Table 1)")
    ax.legend(loc="lower right")
    return fig


def draw_data(counts: Mapping[str, float]) -> Figure:
    """Horizontal bars on a logarithmic axis."""
    fig, ax = figure(height=3.4)
    names = list(counts)[::-1]
    values = [counts[name] for name in names]
    ax.barh(names, values, color=[COLOURS[c] for c in ("green", "orange", "blue")])
    for y, value in enumerate(values):
        ax.text(value * 1.4, y, f"{value:,.0f}", va="center", fontsize=12)
    ax.set(xscale="log", xlim=(1e3, 5e15), xlabel="how many")
    ax.set_title("Two trillion, a million, thirty thousand")
    return fig


def draw_mmlu(table: Table) -> Figure:
    """MMLU against size for the families of Table 3."""
    fig, ax = figure()
    size, score = table.columns.index("size"), table.columns.index("MMLU")
    looks = (("MPT", "grey", "^"), ("Falcon", "purple", "v"),
             ("Llama 1", "orange", "s"), ("Llama 2", "blue", "o"))
    for family, colour, marker in looks:
        rows = [row for row in table.rows if row[0] == family]
        ax.plot([float(row[size].rstrip("B")) for row in rows],
                [row[score] for row in rows], marker, ls="-", ms=9,
                color=COLOURS[colour], label=family)
    ax.axhline(25, color=COLOURS["grey"], ls="--")
    ax.text(40, 26, "guessing", fontsize=12)
    ax.set(xscale="log", xlabel="parameters (billions)", ylim=(20, 75),
           ylabel="MMLU, 5 examples (percent right)")
    _plain_sizes(ax)
    ax.set_title("Llama 2 leads at every size (Table 3)")
    ax.legend(loc="upper left")
    return fig


def draw_roadmap() -> Figure:
    """The seventeen notebooks in three rows."""
    fig, ax = figure(width=12.5, height=4.4)
    for y, (stations, (label, colour)) in enumerate(zip(STATIONS, ROWS)):
        ax.text(-1.15, -1.6 * y, label, ha="right", va="center", fontsize=13)
        for x, (number, name) in enumerate(stations):
            _box(ax, 1.7 * x, -1.6 * y, f"{number}\n{name}", colour, 1.34, 1.0, 11.5)
            if x:
                _arrow(ax, (1.7 * x - 1.02, -1.6 * y), (1.7 * x - 0.72, -1.6 * y))
    ax.set(xlim=(-3.2, 12.7), ylim=(-3.9, 0.7))
    ax.set_title("Three rows, one path: build, align, look around")
    ax.axis("off")
    return fig
