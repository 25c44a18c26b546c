"""The live counterpart of ``frames``: ipywidgets that call the same drawing."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from IPython.display import display

from .figures import picture


def explore(draw: Callable[..., None], figsize: tuple[float, float] = (9, 3.9),
            **axes: Sequence[Any]) -> None:
    """Sliders for the axes; every move draws anew. Needs a running kernel.

    ``draw(fig, **values)`` as for frames; each axis lists the values it may take.
    """
    canvas = ipywidgets.Image(format="png")
    sliders = {name: ipywidgets.SelectionSlider(
        options=list(values), description=name.replace("_", " "),
        continuous_update=False, style={"description_width": "8em"},
        layout={"width": "32em"}) for name, values in axes.items()}

    def update(_change: Any = None) -> None:
        fig = plt.figure(figsize=figsize)
        draw(fig, **{name: slider.value for name, slider in sliders.items()})
        canvas.value = picture(fig)
        plt.close(fig)

    for slider in sliders.values():
        slider.observe(update, names="value")
    update()
    display(ipywidgets.VBox([*sliders.values(), canvas]))
