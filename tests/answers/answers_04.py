"""Wrong answers to the exercises of notebook 04, and what the check must say."""

import math

import torch
from torch.nn import functional as F


def sigmoid_slope(z):
    return torch.sigmoid(z) * (1 - torch.sigmoid(z))


def sigmoid_only(z):
    return torch.sigmoid(z)


def second_term_only(z):
    return z * torch.sigmoid(z) * (1 - torch.sigmoid(z))


def overflows(z):
    grown = torch.exp(z)
    gate = grown / (1 + grown)
    return gate + z * gate * (1 - gate)


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


def layer(gate, up, down):
    return lambda: (torch.tensor(gate), torch.tensor(up), torch.tensor(down))


ONE, TWO = [1.0, 0.0], [0.0, 1.0]

WRONG = {
    "silu_slope": [
        (sigmoid_slope, "sigmoid alone"), (sigmoid_only, "second term"),
        (second_term_only, "first term"), (overflows, "overflowed"),
    ],
    "gated_layer": [
        (bends_content, "stands on the content"), (bends_both, "both factors"),
        (bends_product, "applied to the product"), (adds, "are added"),
        (plain_sigmoid, "plain sigmoid"), (no_transpose, "transpose is missing"),
    ],
    "width": [
        (nearest, "nearest"), (rounds_early, "before you round"),
        (no_four, "factor four"), (no_thirds, "two thirds"),
        (no_multiplier, "multiplier was left out"),
    ],
    "product_layer": [
        (layer([ONE, ONE], [TWO, TWO], [[1.0, 0.0]]), "one unit is not enough"),
        (layer([ONE, [-1.0, 0.0]], [TWO, TWO], [[1.0, 1.0]]), "subtracted"),
        (layer([ONE, [-1.0, 0.0]], [ONE, ONE], [[1.0, -1.0]]), "squared"),
        (layer([ONE, [-1.0, 0.0]], [TWO, TWO], [[-1.0, 1.0]]), "minus the product"),
        (layer([ONE, ONE], [TWO, TWO], [[1.0, -1.0]]), "always zero"),
    ],
}
