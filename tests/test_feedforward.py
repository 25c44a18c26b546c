"""SwiGLU by a formula written number by number, and against transformers."""

import math

import pytest
import torch
from transformers import LlamaConfig as TheirConfig
from transformers.models.llama.modeling_llama import LlamaMLP

from minillama.feedforward import SwiGLU


def layer(dim: int, width: int) -> SwiGLU:
    torch.manual_seed(dim + width)
    made = SwiGLU(dim, width)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


def by_hand(x: list[float], gate: list, up: list, down: list) -> list[float]:
    """One token: plain Python numbers, double precision."""
    def times(matrix: list, vector: list) -> list[float]:
        return [math.fsum(a * b for a, b in zip(row, vector)) for row in matrix]

    hidden = [g / (1 + math.exp(-g)) * u for g, u in zip(times(gate, x), times(up, x))]
    return times(down, hidden)


@pytest.mark.parametrize("dim, width", [(1, 1), (3, 5), (8, 2), (16, 43)])
def test_equals_the_formula_by_hand(dim, width):
    ffn = layer(dim, width)
    x = torch.randn(2, 3, dim)
    matrices = [m.weight.tolist() for m in (ffn.gate, ffn.up, ffn.down)]
    truth = [[by_hand(token, *matrices) for token in row] for row in x.tolist()]
    torch.testing.assert_close(ffn(x), torch.tensor(truth), rtol=1e-5, atol=1e-4)


def test_equals_transformers():
    ffn = layer(12, 20)
    theirs = LlamaMLP(TheirConfig(hidden_size=12, num_attention_heads=2,
                                  intermediate_size=20))
    with torch.no_grad():
        theirs.gate_proj.weight.copy_(ffn.gate.weight)
        theirs.up_proj.weight.copy_(ffn.up.weight)
        theirs.down_proj.weight.copy_(ffn.down.weight)
    x = torch.randn(4, 7, 12)
    torch.testing.assert_close(ffn(x), theirs(x))


def test_gate_and_up_are_not_exchangeable():
    """What the two tests above rely on: a swap shows."""
    ffn, x = layer(6, 9), torch.randn(5, 6)
    swapped = layer(6, 9)
    swapped.gate, swapped.up = swapped.up, swapped.gate
    assert (ffn(x) - swapped(x)).abs().max() > 0.1


def test_no_bias_so_zero_gives_zero_and_width_is_as_asked():
    ffn = layer(6, 9)
    assert torch.equal(ffn(torch.zeros(2, 6)), torch.zeros(2, 6))
    shapes = {name: tuple(p.shape) for name, p in ffn.named_parameters()}
    assert shapes == {"gate.weight": (9, 6), "up.weight": (9, 6), "down.weight": (6, 9)}
