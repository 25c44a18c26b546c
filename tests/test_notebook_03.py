"""Notebook 03: its own rotation equals the package, its checks know right and wrong."""

import math
import re
import sys
from pathlib import Path

import pytest
import torch

from minillama import rope
from minillama.teach.checks import nb_03
from minillama.teach.exercises import Wrong

sys.path.insert(0, str(Path(__file__).parent / "answers"))
import answers_03  # noqa: E402

SOURCE = Path(__file__).parents[1] / "notebooks" / "source" / "03_rope.py"


def cell_with(start: str) -> str:
    """The code cell of the source that holds a line beginning with ``start``."""
    cells = re.split(r"^# %%.*$", SOURCE.read_text(encoding="utf-8"), flags=re.M)
    found = [c for c in cells if re.search(rf"^{re.escape(start)}", c, re.M)]
    assert len(found) == 1, f"{len(found)} cells begin {start!r}"
    return found[0]


def run(*starts: str) -> dict:
    """The names that these cells define, without the calls of checks."""
    space = {"torch": torch, "math": math, "Tensor": torch.Tensor}
    for start in starts:
        code = re.sub(r"^checks\..*$", "", cell_with(start), flags=re.M)
        exec(compile(code, start, "exec"), space)
    return space


@pytest.mark.parametrize("head_dim, length, theta", [(2, 1, 1e4), (6, 40, 1e6),
                                                     (128, 300, 1e4)])
def test_the_cells_equal_the_package(head_dim, length, theta):
    space = run("def angles", "def rotate(")
    turn = space["angles"](head_dim, length, theta)
    cos, sin = rope.rotary_table(head_dim, length, theta)
    torch.testing.assert_close(turn.cos(), cos, rtol=0, atol=1e-4)
    x = torch.randn(2, length, 3, head_dim, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(space["rotate"](x, turn), rope.apply_rope(x, cos, sin),
                               rtol=0, atol=5e-4)


@pytest.mark.parametrize("name", answers_03.WRONG)
def test_the_right_answer_passes(name, capsys):
    getattr(nb_03, f"check_{name}")(run(f"def {name}(")[name])
    assert capsys.readouterr().out.startswith("Right")


@pytest.mark.parametrize("name, wrong, fragment", [
    (name, wrong, fragment)
    for name, answers in answers_03.WRONG.items() for wrong, fragment in answers])
def test_wrong_answers_are_named(name, wrong, fragment):
    with pytest.raises(Wrong, match=re.escape(fragment)):
        getattr(nb_03, f"check_{name}")(wrong)
