"""A slider over figures drawn in advance: it moves in the slides, without a kernel.

One HTML output holds all frames as pictures, native range inputs, and ten lines of
script. Arrow keys on a slider change the frame and not the slide.
"""

import base64
import html
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import HTML, display

from ..errors import UserError
from .figures import picture

MOST = 40  # frames; more would drown the notebook's diff
SCRIPT = """(() => {
const box = document.currentScript.closest('.frames');
const source = box.querySelector('script[type="application/json"]');
const data = JSON.parse(source.textContent);
const picture = box.querySelector('img'), sliders = [...box.querySelectorAll('input')];
const update = () => {
  let index = 0;
  for (const slider of sliders) {
    index = index * (+slider.max + 1) + (+slider.value);
    const text = data.labels[slider.name][slider.value];
    slider.nextElementSibling.textContent = text;
    slider.setAttribute('aria-valuetext', text);
  }
  picture.src = 'data:image/png;base64,' + data.frames[index];
  picture.alt = data.alts[index];
};
for (const slider of sliders) {
  slider.addEventListener('input', update);
  slider.addEventListener('keydown', event => event.stopPropagation());
}
})();"""


def frames(draw: Callable[..., None], alt: Callable[..., str],
           figsize: tuple[float, float] = (9, 3.9), **axes: Sequence[Any]) -> None:
    """Display ``draw(fig, **values)`` for every combination of the axes' values.

    ``alt(**values)`` describes each frame. Raises UserError for more than 40 frames.
    """
    combinations = [dict(zip(axes, values)) for values in
                    itertools.product(*axes.values())]
    if not 1 <= len(combinations) <= MOST:
        raise UserError(f"{len(combinations)} frames asked for, 1 to {MOST} can be: "
                        "give the axes fewer values")
    pictures, alts = [], []
    for values in combinations:
        fig = plt.figure(figsize=figsize)
        draw(fig, **values)
        pictures.append(base64.b64encode(picture(fig)).decode())
        plt.close(fig)
        alts.append(alt(**values))
    labels = {name: [_label(v) for v in values] for name, values in axes.items()}
    data = json.dumps({"labels": labels, "alts": alts, "frames": pictures})
    rows = "".join(_slider(name, texts) for name, texts in labels.items())
    first = (f'<img alt="{html.escape(alts[0])}" '
             f'src="data:image/png;base64,{pictures[0]}">')
    # "</script" would end the element that the data stands in, "<!--" open a comment
    display(HTML(f'<div class="frames">{rows}{first}<script type="application/json">'
                 f'{data.replace("<", chr(92) + "u003c")}</script>'
                 f"<script>{SCRIPT}</script></div>"))


def _label(value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:g}" if number else str(value)


def _slider(name: str, texts: list[str]) -> str:
    label, first = html.escape(name.replace("_", " ")), html.escape(texts[0])
    return (f'<label style="display:flex;gap:.6em;align-items:center">{label} '
            f'<input type="range" name="{html.escape(name)}" min="0" '
            f'max="{len(texts) - 1}" value="0" aria-valuetext="{first}" '
            f'style="flex:1;max-width:24em"><output>{first}</output></label>')
