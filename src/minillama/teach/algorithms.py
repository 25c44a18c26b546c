"""Formal algorithms beside the source that realises them, under the same numbers.

The manner is that of Phuong and Hutter, "Formal Algorithms for Transformers"
(arXiv 2207.09238): typed inputs and numbered steps. The texts stand in
``formal.py``; the source is read from the running code, and a test holds the numbers
of the steps and of the ``# step n`` comments equal.
"""

import html
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable

from IPython.display import HTML, display

from ..errors import UserError
from .formal import ALGORITHMS, LLAMA_2, Algorithm
from .tables import code_html, columns_html

STEP = re.compile(r"#.*?\bsteps? (\d+)(?: (to|and) (\d+))?", re.IGNORECASE)


def resolve(path: str) -> Callable:
    """The function or method at "minillama.norm:RMSNorm.forward"."""
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def source_of(path: str) -> str:
    """Its source, unindented, without the docstring, since the box says the same, and
    without refusals of bad input, which are no steps."""
    function = resolve(path)
    text = textwrap.dedent(inspect.getsource(function))
    if function.__doc__:
        text = re.sub(r'\n[ \t]*"""[\s\S]*?"""[ \t]*(?=\n)', "", text, count=1)
    return _without_refusals(text).rstrip()


def _without_refusals(source: str) -> str:
    """The source without every ``if`` that does nothing but raise."""
    kept, skip_deeper_than = [], None
    lines = source.splitlines()
    for line, following in zip(lines, [*lines[1:], ""]):
        depth = len(line) - len(line.lstrip())
        if skip_deeper_than is not None and line.strip() and depth <= skip_deeper_than:
            skip_deeper_than = None
        if skip_deeper_than is None and re.match(r"\s*if .*:$", line) and (
                following.strip().startswith("raise ")):
            skip_deeper_than = depth
        if skip_deeper_than is None:
            kept.append(line)
    return "\n".join(kept)


def step_numbers(source: str) -> set[int]:
    """The numbers of all steps that the comments name; "steps 4 to 7" names four."""
    numbers: set[int] = set()
    for first, word, last in STEP.findall(source):
        numbers |= {int(first)}
        if word:
            numbers |= set(range(int(first), int(last) + 1))
    return numbers


def get(name: str) -> Algorithm:
    """A formal algorithm by name; UserError lists the names there are."""
    if name not in ALGORITHMS:
        raise UserError(f"no algorithm {name!r}: one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def box(algorithm: Algorithm) -> str:
    """The formal half: inputs, output, numbered steps, as HTML with TeX in it."""
    inputs = "".join(f"<div>{html.escape(text, quote=False)}</div>"
                     for text in algorithm.inputs)
    steps = "".join(
        f'<li value="{number}" style="margin:.25em 0">'
        f"{html.escape(text, quote=False)}</li>" for number, text in algorithm.steps)
    return (f'<div class="formal" style="border-left:4px solid #0072B2;'
            f'padding:.1em .8em;text-align:left"><div><b>Input</b></div>{inputs}'
            f'<div><b>Output</b> {html.escape(algorithm.output, quote=False)}</div>'
            f'<ol style="margin:.3em 0;padding-left:1.6em">{steps}</ol></div>')


def algorithm(name: str, source: bool = True) -> None:
    """Display a formal algorithm and, beside it, the source that runs."""
    chosen = get(name)
    title = f"Algorithm: {chosen.title}"
    cells = [(title, box(chosen))]
    if source:
        texts = "\n\n".join(source_of(path) for path in chosen.objects)
        where = chosen.objects[0].split(":")[0].replace(".", "/")
        cells.append((f"src/{where}.py", code_html(texts)))
    display(HTML(columns_html(cells, "algorithm", (2, 3))))


def formal_llama2(names: tuple[str, ...] = LLAMA_2) -> None:
    """Display the pseudocode of the whole of Llama 2, without the source."""
    cells = [(get(name).title, box(get(name))) for name in names]
    for first in range(0, len(cells), 2):
        display(HTML(columns_html(cells[first : first + 2], "algorithm")))
