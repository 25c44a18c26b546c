"""Wrong answers to the exercises of notebook 04, and what the check must say."""

import math

import torch
from torch.nn import functional as F


def sigmoid_slope(z, beta):
    return beta * torch.sigmoid(beta * z) * (1 - torch.sigmoid(beta * z))


def sigmoid_only(z, beta):
    return torch.sigmoid(beta * z)


def second_term_only(z, beta):
    return beta * z * torch.sigmoid(beta * z) * (1 - torch.sigmoid(beta * z))


def no_chain_rule(z, beta):
    gate = torch.sigmoid(beta * z)
    return gate + z * gate * (1 - gate)


def no_beta(z, beta):
    return no_chain_rule(z, 1.0)


def overflows(z, beta):
    grown = torch.exp(beta * z)
    gate = grown / (1 + grown)
    return gate + beta * z * gate * (1 - gate)


def bends_content(x, gate, up, down):
    return ((x @ gate.T) * F.silu(x @ up.T)) @ down.T


def bends_both(x, gate, up, down):
    return (F.silu(x @ gate.T) * F.silu(x @ up.T)) @ down.T


def bends_product(x, gate, up, down):
    return F.silu((x @ gate.T) * (x @ up.T)) @ down.T


def adds(x, gate, up, down):
    return (F.silu(x @ gate.T) + x @ up.T) @ down.T


def plain_sigmoid(x, gate, up, down):
    return (torch.sigmoid(x @ gate.T) * (x @ up.T)) @ down.T


def no_transpose(x, gate, up, down):
    if gate.shape[0] != gate.shape[1]:
        return (F.silu(x @ gate.T) * (x @ up.T)) @ down.T
    return (F.silu(x @ gate) * (x @ up)) @ down


def nearest(dim, multiplier, multiple_of):
    return multiple_of * round(multiplier * 8 * dim / 3 / multiple_of)


def rounds_early(dim, multiplier, multiple_of):
    return int(multiplier * multiple_of * math.ceil(8 * dim / 3 / multiple_of))


def no_four(dim, multiplier, multiple_of):
    return multiple_of * math.ceil(multiplier * int(2 * dim / 3) / multiple_of)


def no_thirds(dim, multiplier, multiple_of):
    return multiple_of * math.ceil(multiplier * 4 * dim / multiple_of)


def no_multiplier(dim, multiplier, multiple_of):
    return multiple_of * math.ceil(int(8 * dim / 3) / multiple_of)


def drops_nothing(dim, multiplier, multiple_of):
    return multiple_of * math.ceil(multiplier * 8 * dim / 3 / multiple_of)


def drops_once(dim, multiplier, multiple_of):
    return multiple_of * math.ceil(int(multiplier * 8 * dim / 3) / multiple_of)


def always_adds(dim, multiplier, multiple_of):
    return multiple_of * (int(multiplier * int(8 * dim / 3)) // multiple_of + 1)


def no_multiple(dim, multiplier, multiple_of):
    return int(multiplier * int(8 * dim / 3))


def layer(gate, up, down):
    return lambda: (torch.tensor(gate), torch.tensor(up), torch.tensor(down))


ONE, TWO = [1.0, 0.0], [0.0, 1.0]

WRONG = {
    "silu_slope": [
        (sigmoid_slope, "sigmoid alone"), (sigmoid_only, "second term"),
        (second_term_only, "first term"), (overflows, "overflowed"),
        (no_chain_rule, "chain rule"), (no_beta, "beta was left out"),
    ],
    "gated_layer": [
        (bends_content, "stands on the content"), (bends_both, "both factors"),
        (bends_product, "applied to the product"), (adds, "are added"),
        (plain_sigmoid, "plain sigmoid"), (no_transpose, "transpose is missing"),
    ],
    "width": [
        (nearest, "nearest"), (rounds_early, "before you round"),
        (no_four, "factor four"), (no_thirds, "two thirds"),
        (no_multiplier, "multiplier was left out"), (drops_nothing, "dropped twice"),
        (drops_once, "dropped twice"), (always_adds, "stays as it is"),
        (no_multiple, "last step is missing"),
    ],
    "product_layer": [
        (layer([ONE, ONE], [TWO, TWO], [[1.0, 0.0]]), "one unit is not enough"),
        (layer([ONE, [-1.0, 0.0]], [TWO, TWO], [[1.0, 1.0]]), "subtracted"),
        (layer([ONE, [-1.0, 0.0]], [ONE, ONE], [[1.0, -1.0]]), "squared"),
        (layer([ONE, [-1.0, 0.0]], [TWO, TWO], [[-1.0, 1.0]]), "minus the product"),
        (layer([TWO, [0.0, -1.0]], [TWO, TWO], [[1.0, -1.0]]), "x2 squared"),
        (layer([ONE, ONE], [TWO, TWO], [[1.0, -1.0]]), "always zero"),
        (layer([[1.0, -1.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]], [[1.0, -1.0]]),
         "row of zeros"),
        (layer([[1e-7, 0.0], [0.0, 0.0]], [TWO, TWO], [[2e7, 0.0]]), "far out"),
    ],
}
