"""One style for every figure, with alternative text that travels with the picture.

Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers
and on a weak projector.
"""

import io
import os
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

from ..errors import UserError
from ..files import write_bytes, write_json

COLOURS = {"blue": "#0072B2", "orange": "#E69F00", "green": "#009E73",
           "red": "#D55E00", "purple": "#CC79A7", "sky": "#56B4E9",
           "yellow": "#F0E442", "black": "#1B1F24", "grey": "#6B7280"}
CYCLE = [COLOURS[n] for n in ("blue", "orange", "green", "red", "purple", "sky")]


def style() -> None:
    """Large type, few lines, the same bytes on every run."""
    matplotlib.rcParams.update({
        "figure.figsize": (9, 4.2), "figure.dpi": 100, "savefig.dpi": 110,
        "font.size": 14, "axes.titlesize": 16, "axes.titleweight": "semibold",
        "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
        "axes.prop_cycle": matplotlib.cycler(color=CYCLE), "lines.linewidth": 2.5,
        "legend.frameon": False, "svg.hashsalt": "minillama",
        "figure.constrained_layout.use": True, "axes.axisbelow": True,
    })


def figure(width: float = 9, height: float = 4.2, nrows: int = 1, ncols: int = 1,
           **kwargs: Any) -> tuple[Figure, Any]:
    """A figure and its axes (one, or an array), sizes in inches."""
    return plt.subplots(nrows, ncols, figsize=(width, height), **kwargs)


def picture(fig: Figure, kind: str = "png") -> bytes:
    """The figure as PNG or SVG, without a date, so that equal figures are equal."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    fig.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def show(fig: Figure, alt: str, name: str | None = None) -> None:
    """Display a figure with its alternative text, and close it.

    With ``name`` ("03_rotation") it is also kept as figures/<name>.svg and .png, with
    its title and text beside it. ``alt`` is a sentence that tells what is to be seen
    to somebody who cannot see it. Raises UserError for one that is too short.
    """
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in fig.axes]
    title = next((text for text in [fig.get_suptitle(), *titles] if text), "")
    if len(alt.split()) < 6 or alt.strip() == title.strip():
        raise UserError("alt must be a full sentence that says what is to be seen, "
                        f"not {alt!r}")
    png = picture(fig)
    display({"image/png": png, "text/plain": alt}, raw=True,
            metadata={"image/png": {"alt": alt}})
    if name is not None:
        _keep(fig, png, name, title, alt)
    plt.close(fig)


def figures_folder() -> Path | None:
    """MINILLAMA_FIGURES, set by the build; without it figures are only displayed."""
    chosen = os.environ.get("MINILLAMA_FIGURES")
    return Path(chosen) if chosen else None


def _keep(fig: Figure, png: bytes, name: str, title: str, alt: str) -> None:
    folder = figures_folder()
    if folder is None:
        return
    write_bytes(folder / f"{name}.png", png)
    write_bytes(folder / f"{name}.svg", picture(fig, "svg"))
    write_json(folder / f"{name}.json", {"title": title, "alt": alt})
