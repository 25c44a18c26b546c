"""Checks of notebook 04: SwiGLU.

The truths are difference quotients in double precision, sums written out unit by
unit, and the published widths.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..exercises import call, close, diagnose, expect, passed

# the fourth is no model's; at 70B a forgotten multiplier looks like rounding down
WIDTHS = ((4096, 1.0, 256, 11008), (5120, 1.0, 256, 13824), (8192, 1.0, 256, 22016),
          (1000, 1.5, 64, 4032), (8192, 1.3, 4096, 28672))


def _silu(z: float, beta: float) -> float:
    return z / (1 + math.exp(-beta * z))


def check_silu_slope(silu_slope: Callable[[Tensor, float], Tensor]) -> None:
    """The slope of SiLU against difference quotients, and far from zero."""
    for beta in (1.0, 2.5):
        _compare_slopes(silu_slope, beta)
    far = call(silu_slope, torch.tensor([-200.0, 200.0]), 1.0)
    expect(not bool(torch.isnan(far).any()),
           "far from zero the slope came out as nan: an exponential overflowed, so use "
           "torch.sigmoid")
    expect(close(far, torch.tensor([0.0, 1.0])),
           "far to the left the slope is zero, far to the right it is one")
    passed("the slope agrees with difference quotients and survives large arguments")


def _compare_slopes(silu_slope: Callable[[Tensor, float], Tensor],
                    beta: float) -> None:
    z = torch.tensor([[-6.0, -2.0, -1.0], [0.0, 0.7, 5.0]])
    step = 1e-5
    slopes = [(_silu(v + step, beta) - _silu(v - step, beta)) / (2 * step)
              for v in z.flatten().tolist()]
    truth = torch.tensor(slopes, dtype=torch.float64).reshape(z.shape)
    gate, plain = torch.sigmoid(beta * z.double()), torch.sigmoid(z.double())
    diagnose(call(silu_slope, z, beta), truth, {
        "that is the slope of the sigmoid alone: SiLU is z times it":
            beta * gate * (1 - gate),
        "that is the sigmoid: the product rule has a second term, since z multiplies "
        "something that moves too": gate,
        "the first term of the product rule is missing: the derivative of z is one":
            beta * z.double() * gate * (1 - gate),
        "that is SiLU itself: its derivative is asked for": z.double() * gate,
        "the slope of the sigmoid is s (1 - s), not 1 - s": gate +
            beta * z.double() * (1 - gate),
        "the chain rule is missing: beta z changes beta times as fast as z":
            gate + z.double() * gate * (1 - gate),
        "beta was left out: the sigmoid is of beta times z":
            plain + z.double() * plain * (1 - plain),
    }, f"silu_slope(z, {beta})")


def _units(x: Tensor, gate: Tensor, up: Tensor, down: Tensor, bend: str) -> Tensor:
    """The layer unit by unit in double precision; ``bend`` says what is bent."""
    total = torch.zeros(*x.shape[:-1], down.shape[0], dtype=torch.float64)
    silu = torch.nn.functional.silu
    for unit in range(gate.shape[0]):
        asks = (x.double() * gate[unit].double()).sum(-1)
        says = (x.double() * up[unit].double()).sum(-1)
        opening = {"gate": silu(asks) * says, "up": asks * silu(says),
                   "both": silu(asks) * silu(says), "none": asks * says,
                   "product": silu(asks * says), "sum": silu(asks) + says,
                   "sigmoid": torch.sigmoid(asks) * says}[bend]
        total += opening[..., None] * down[:, unit].double()
    return total


def check_gated_layer(gated_layer: Callable[..., Tensor]) -> None:
    """SwiGLU from its weights, for odd and for square shapes."""
    generator = torch.Generator().manual_seed(4)
    messages = {
        "the SiLU stands on the content: it belongs to the gate": "up",
        "both factors are bent: the content stays linear": "both",
        "nothing is bent: the gate needs its SiLU": "none",
        "the SiLU is applied to the product: bend the gate, then multiply": "product",
        "gate and content are added: they are multiplied": "sum",
        "that gate is a plain sigmoid: SiLU is z times sigmoid(z)": "sigmoid",
    }
    for dim, inside in ((3, 5), (4, 4)):
        x = torch.randn(2, 3, dim, generator=generator)
        gate, up = torch.randn(2, inside, dim, generator=generator)
        down = torch.randn(dim, inside, generator=generator)
        mistakes = {text: _units(x, gate, up, down, bend)
                    for text, bend in messages.items()}
        if dim == inside:
            mistakes["a transpose is missing: torch stores outputs first, so a token "
                     "meets weight.T"] = _units(x, gate.T, up.T, down.T, "gate")
        diagnose(call(gated_layer, x, gate, up, down),
                 _units(x, gate, up, down, "gate"), mistakes,
                 f"the layer with weights {inside} x {dim}")
    passed("gate bent, content linear, multiplied and brought back")


def check_width(width: Callable[[int, float, int], int]) -> None:
    """The rule of the width against the published ones and small cases."""
    for dim, multiplier, multiple, truth in (*WIDTHS, (64, 1.0, 16, 176),
                                             (96, 1.0, 256, 256),
                                             (100, 1.0, 1, 266),
                                             (100, 1.5, 1, 399)):
        answer = call(width, dim, multiplier, multiple)
        third = 8 * dim / 3
        nearest = multiple * round(multiplier * third / multiple)
        down = multiple * math.floor(multiplier * third / multiple)
        early = int(multiplier * multiple * math.ceil(third / multiple))
        diagnose(answer, truth, {
            "fractions are dropped twice, before the multiplier and after it":
                multiple * math.ceil(multiplier * third / multiple),
            "a width that is a multiple already stays as it is": down + multiple,
            "the last step is missing: round up to a multiple":
                int(multiplier * int(third)),
            "a multiple is reached by rounding up: you rounded to the nearest": nearest,
            "a multiple is reached by rounding up: you rounded down": down,
            "multiply before you round up: the multiple comes last": early,
            "the factor four is missing: the plain layer is 4 dim wide":
                multiple * math.ceil(multiplier * int(2 * dim / 3) / multiple),
            "two thirds were not taken: three matrices must cost what two did":
                multiple * math.ceil(multiplier * 4 * dim / multiple),
            "the multiplier was left out":
                multiple * math.ceil(int(third) / multiple),
        }, f"width({dim}, {multiplier}, {multiple})", tolerance=0.0)
        expect(isinstance(answer, int), "a width is a whole number: return an int")
    passed("the rule gives 11008, 13824, 22016 and 28672, and holds for small ones")


def check_product_layer(product_layer: Callable[[], tuple]) -> None:
    """Two units that multiply, tried on points of a wide square."""
    answer = call(product_layer)
    expect(isinstance(answer, (tuple, list)) and len(answer) == 3,
           "return three tensors: gate, up, down")
    gate, up, down = answer
    for name, weight, shape in (("gate", gate, (2, 2)), ("up", up, (2, 2)),
                                ("down", down, (1, 2))):
        expect(isinstance(weight, Tensor) and tuple(weight.shape) == shape,
               f"{name} should be a tensor of shape {shape}: two units, two inputs")
    x = 6 * torch.rand(400, 2, generator=torch.Generator().manual_seed(6)) - 3
    result = _units(x, gate.double(), up.double(), down.double(), "gate")[:, 0]
    first, second = x.double().T
    silu = torch.nn.functional.silu
    mistakes = {
        "that is SiLU(x1) x2: one unit is not enough, subtract the one with the "
        "opposite gate": silu(first) * second,
        "that is SiLU(x2) x1: one unit is not enough, subtract the one with the "
        "opposite gate": silu(second) * first,
        "that is |x1| x2, smoothed: the two units are added where they should be "
        "subtracted": (silu(first) + silu(-first)) * second,
        "that is x1 squared: the content must come from the other input": first**2,
        "that is x2 squared: the content must come from the other input": second**2,
        "that is minus the product: turn the signs of down": -first * second,
        "that is always zero: the two units cancel, or each has a row of zeros in gate "
        "or up (a row is a unit)": torch.zeros(400, dtype=torch.float64),
    }
    diagnose(result, first * second, mistakes, "the layer on 400 points", 1e-5)
    far = _units(1e6 * x, gate.double(), up.double(), down.double(), "gate")[:, 0]
    expect(close(far, 1e12 * first * second),
           "close to zero it multiplies, far out it does not: SiLU is nearly straight "
           "at zero, and exactly straight only as a difference of two units")
    passed("two units multiply exactly, on the square and far outside")
