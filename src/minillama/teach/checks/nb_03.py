"""Checks of notebook 03: rotary positions.

The truths here are computed with complex numbers or row by row, never with the code
that the notebook or ``minillama.rope`` uses.
"""

import cmath
import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..exercises import call, close, diagnose, expect, passed


def check_turn_length(turn_length: Callable[[int, int, float], float]) -> None:
    """Tokens for one full turn of a pair."""
    # pair 0 last: its speed and its time for one radian are both one
    for pair, head_dim, theta in ((3, 8, 1e4), (40, 128, 1e6), (0, 128, 1e4)):
        answer = call(turn_length, pair, head_dim, theta)
        if isinstance(answer, Tensor) and answer.numel() == 1:
            answer = answer.item()
        radians = theta ** (2 * pair / head_dim)  # tokens for one radian
        diagnose(answer, 2 * math.pi * radians, {
            "that is the time for one radian: a full turn has two pi of them": radians,
            "the exponent is pair / head_dim: a pair takes two coordinates, so it "
            "has a factor two": 2 * math.pi * theta ** (pair / head_dim),
            "the hands get faster in yours: speed falls with the pair, so the length "
            "of a turn rises": 2 * math.pi / radians,
            "you counted in degrees: the angles of RoPE are radians": 360 * radians,
            "that is the speed in radians per token: its inverse is asked for":
                1 / radians,
        }, f"turn_length({pair}, {head_dim}, {theta:g})")
    passed("the length of a turn holds for the fastest hand, a slow one, another base")


def turned_by_complex(x: Tensor, turn: Tensor, pairs: list[tuple[int, int]],
                      sign: int = 1) -> Tensor:
    """Multiply each pair (first, second) by e^(i angle), in double precision."""
    result = x.double().clone()
    for number, (first, second) in enumerate(pairs):
        whole = torch.complex(x[..., first].double(), x[..., second].double())
        unit = torch.tensor([cmath.exp(1j * sign * angle)
                             for angle in turn[:, number].tolist()])
        moved = whole * unit[:, None]  # (batch, length, n_heads)
        result[..., first], result[..., second] = moved.real, moved.imag
    return result


def check_rotate_halves(rotate_halves: Callable[[Tensor, Tensor], Tensor]) -> None:
    """The rotation whose pairs are coordinates i and i + head_dim / 2."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 7, 3, 8, generator=generator)
    turn = 3 * torch.rand(7, 4, generator=generator)
    given = x.clone()
    answer = call(rotate_halves, x, turn)
    halves = [(i, i + 4) for i in range(4)]
    truth = turned_by_complex(given, turn, halves)
    neighbours = turned_by_complex(given, turn, [(2 * i, 2 * i + 1) for i in range(4)])
    # the second coordinate computed from a first one that was already turned
    late = truth.clone()
    sin, cos = turn.double().sin()[:, None], turn.double().cos()[:, None]
    late[..., 4:] = truth[..., :4] * sin + given[..., 4:].double() * cos
    mixed = turned_by_complex(given, turn, halves)
    mixed = torch.stack([mixed[..., :4], mixed[..., 4:]], dim=-1).flatten(-2)
    parted = torch.cat([neighbours[..., 0::2], neighbours[..., 1::2]], dim=-1)
    diagnose(answer, truth, {
        "those are neighbours: coordinate 0 goes with coordinate 4 here, not with 1":
            neighbours,
        "you turned the other way: the first coordinate is a cos minus b sin":
            turned_by_complex(given, turn, halves, sign=-1),
        "the second half was computed from a first half already turned: keep the old "
        "one until both are done": late,
        "the turn is right, but the pairs were put back as neighbours: join the two "
        "halves with cat, not with stack": mixed,
        "you joined halves, but the pairs were cut as neighbours: the first half of a "
        "head is a, the second is b": parted,
    }, "rotate_halves(x, turn)")
    expect(close(x, given), "x itself was changed: the caller still needs it")
    passed("pairs are coordinates i and i + d/2, turned the right way, x untouched")


def check_keys_to_halves(keys_to_halves: Callable[[Tensor, int, int], Tensor]) -> None:
    """Rows of a key projection from neighbours to halves, within each key head."""
    for n_heads, n_kv_heads, head_dim in ((8, 2, 16), (6, 6, 4), (4, 1, 6)):
        rows = torch.arange(n_kv_heads * head_dim).float()
        weight = rows[:, None] + torch.tensor([0.0, 0.5, 0.25])
        answer = call(keys_to_halves, weight.clone(), n_heads, n_kv_heads)
        mistakes = {}
        if rows.numel() % (2 * n_heads) == 0:
            mistakes["you cut the keys into as many heads as the queries have: keys "
                     "have n_kv_heads"] = weight[_order(n_heads, rows.numel())]
        group = n_heads // n_kv_heads
        if 1 < group != n_kv_heads and rows.numel() % (2 * group) == 0:
            mistakes["you divided the query heads by the key heads: that counts the "
                     "queries of one key head"] = weight[_order(group, rows.numel())]
        mistakes.update({
            "rows wandered from one head into another: reorder within each head":
                weight[_order(1, rows.numel())],
            "that is the way back, from halves to neighbours":
                weight[torch.argsort(_order(n_kv_heads, rows.numel()))],
            "nothing moved: coordinate 2 i must become row i of its head": weight,
        })
        diagnose(answer, weight[_order(n_kv_heads, rows.numel())], mistakes,
                 f"with {n_heads} query heads and {n_kv_heads} key heads, the result")
    passed("each key head keeps its rows, even coordinates first, odd ones after")


def _order(n_heads: int, n_rows: int) -> Tensor:
    """Which old row stands at each new place, written out one row at a time."""
    size, order = n_rows // n_heads, []
    for head in range(n_heads):
        for which in (0, 1):
            order += [head * size + 2 * pair + which for pair in range(size // 2)]
    return torch.tensor(order)


def check_squeezed_positions(squeezed: Callable[[int, int], Tensor]) -> None:
    """Position interpolation that leaves short texts alone."""
    for length, trained in ((8, 4), (12, 5), (4, 8), (5, 5)):
        answer = call(squeezed, length, trained)
        whole = torch.arange(length)
        factor = trained / length
        truth = whole * min(1.0, factor)
        mistakes = {
            "nothing was squeezed: position m becomes m times trained / length": whole,
            "a text that fits was stretched: leave it alone when length is at most "
            "trained_length": whole * factor,
            "the positions were multiplied where they should be divided":
                whole / factor,
            "positions stop at the last one trained, so many tokens share a place: "
            "divide them instead": whole.clamp(max=trained - 1),
            "positions begin again at zero, so two tokens share a place: divide them "
            "instead": whole % trained,
            "the last token was put on the last position trained: the scale is the "
            "ratio of the two lengths": whole * (trained - 1) / (length - 1),
            "the scale was rounded to a whole number: it is length / trained_length":
                whole / max(1, length // trained),
            "positions were rounded to whole numbers, so two tokens share a place: "
            "the angles take any number": truth.floor(),
        }
        diagnose(answer, truth, mistakes, f"squeezed_positions({length}, {trained})")
    passed("long texts are squeezed under the training length, short ones left alone")
