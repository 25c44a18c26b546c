"""Checks of notebook 02: RMSNorm.

The truths are sums written out one token at a time in double precision, or properties.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..exercises import call, close, diagnose, expect, passed


def _by_token(x: Tensor, function: Callable[[list[float]], float]) -> Tensor:
    """``function`` of the numbers of each token, with a last axis of one."""
    rows = [function(row) for row in x.double().flatten(0, -2).tolist()]
    return torch.tensor(rows, dtype=torch.float64).reshape(*x.shape[:-1], 1)


def _mean_square(row: list[float]) -> float:
    return math.fsum(v * v for v in row) / len(row)


def _deviation(row: list[float]) -> float:
    mean = math.fsum(row) / len(row)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in row) / len(row))


def _other_norms(x: Tensor, gain: Tensor, eps: float) -> dict[str, Tensor]:
    """What is taken for RMSNorm: deviations, LayerNorm, the inverse root, an axis."""
    wide, n = x.double(), x.shape[-1]
    variance = _by_token(x, _deviation) ** 2
    mean = _by_token(x, lambda row: math.fsum(row) / len(row))
    with_less = variance * n / (n - 1)  # as torch's var and std have it
    over_time = wide.pow(2).mean(dim=1, keepdim=True)
    return {
        "that is the standard deviation: RMSNorm does not subtract the mean":
            wide / (variance + eps).sqrt() * gain,
        "that is the standard deviation, with n - 1: RMSNorm does not subtract the "
        "mean": wide / (with_less + eps).sqrt() * gain,
        "that is the standard deviation plus epsilon: RMSNorm does not subtract the "
        "mean, and epsilon belongs under the root":
            wide / (with_less.sqrt() + eps) * gain,
        "that is LayerNorm: RMSNorm does not subtract the mean":
            (wide - mean) / (variance + eps).sqrt() * gain,
        "you divide by rsqrt, which is the inverse already: multiply by it":
            wide * (_by_token(x, _mean_square) + eps).sqrt() * gain,
        "you take the mean over time: the coordinates of a token are the last axis":
            wide / (over_time + eps).sqrt() * gain,
    }


def check_my_rms_norm(my_rms_norm: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """RMSNorm with gains other than one, an epsilon that matters, and float16."""
    generator = torch.Generator().manual_seed(2)
    x = 2 + torch.randn(2, 5, 6, generator=generator)
    gain = 1 + torch.rand(6, generator=generator)
    eps, wide = 0.1, x.double()
    square = _by_token(x, _mean_square)
    root = (square + eps).sqrt()
    everything = (wide.pow(2).mean() + eps).sqrt()
    over_time = (wide.pow(2).mean(dim=(1, 2), keepdim=True) + eps).sqrt()
    diagnose(call(my_rms_norm, x, gain, eps), wide / root * gain, {
        "the gain is missing": wide / root,
        "you divide by the mean square: its square root is the size":
            wide / (square + eps) * gain,
        "epsilon belongs under the root, added to the mean square":
            wide / (square.sqrt() + eps) * gain,
        "epsilon is missing, so a token of zeros would become nan":
            wide / square.sqrt() * gain,
        "you take the mean over the whole text: each token is normalised by itself":
            wide / over_time * gain,
        "you take the mean over the whole batch: each token is normalised by itself":
            wide / everything * gain,
        "you take the sum of squares: the mean is asked for":
            wide / (6 * square + eps).sqrt() * gain,
        **_other_norms(x, gain, eps),
    }, "my_rms_norm(x, gain, eps)")
    loud = torch.full((1, 4), 300.0, dtype=torch.float16)
    answer = call(my_rms_norm, loud, torch.ones(4, dtype=torch.float16), 1e-5)
    expect(not bool((answer == 0).all()),
           "a loud float16 token came out as zero: its squares overflow, so go to "
           "float32 before squaring")
    expect(answer.dtype == torch.float16,
           f"the result is {answer.dtype} and x was float16: return the precision of x")
    expect(close(answer.float(), torch.ones(1, 4), 1e-2),
           "four equal numbers should all become one")
    passed("each token by itself, gain and epsilon in their places, float16 survives")


def check_layer_norm(layer_norm: Callable[..., Tensor]) -> None:
    """LayerNorm made from an RMSNorm without gain."""
    generator = torch.Generator().manual_seed(3)
    x = 1 + torch.randn(2, 4, 6, generator=generator)
    gain, bias = torch.rand(2, 6, generator=generator) + 0.5
    wide, eps = x.double(), 1e-5

    def rms(y: Tensor) -> Tensor:
        return y / (y.pow(2).mean(dim=-1, keepdim=True) + eps).sqrt()

    mean = _by_token(x, lambda row: math.fsum(row) / len(row))
    deviation = (_by_token(x, _deviation) ** 2 + eps).sqrt()
    normed = (wide - mean) / deviation
    without = rms(wide)
    diagnose(call(layer_norm, x, gain, bias, rms), normed * gain + bias, {
        "nothing was subtracted: LayerNorm first moves the mean of the token to zero":
            without * gain + bias,
        "the mean is subtracted after the norm: it belongs before":
            (without - without.mean(-1, keepdim=True)) * gain + bias,
        "you subtract the mean of all numbers: each token has its own":
            rms(wide - wide.mean()) * gain + bias,
        "the bias is added before the gain: gain first": (normed + bias) * gain,
        "the gain goes into the norm, which takes part of it away: it belongs behind":
            rms((wide - mean) * gain) + bias,
        "the bias is missing": normed * gain,
        "the gain is missing": normed + bias,
    }, "layer_norm(x, gain, bias, rms)")
    passed("the mean goes first, then the norm, gain and bias")


def check_fold_gain(fold_gain: Callable[[Tensor, Tensor], Tensor]) -> None:
    """W' with (x * g) W^T = x W'^T, for a square and a tall weight."""
    generator = torch.Generator().manual_seed(4)
    for n_out, dim in ((4, 4), (5, 3)):  # square first: it takes rows too
        weight = torch.randn(n_out, dim, generator=generator)
        gain = torch.rand(dim, generator=generator) + 0.5
        given = weight.clone()
        answer = call(fold_gain, weight, gain)
        columns = torch.stack([given[:, i] * gain[i] for i in range(dim)], dim=1)
        mistakes = {
            "nothing changed: the gain has to go into the weight": given,
            "you divided: the gain that is dropped must be multiplied in":
                given / gain,
        }
        if n_out == dim:
            mistakes["you scaled the rows, which are the outputs: the gain belongs to "
                     "the inputs, the columns"] = given * gain[:, None]
        diagnose(answer, columns, mistakes, f"fold_gain of a {n_out} x {dim} weight")
        expect(close(weight, given), "the weight itself was changed: return a new one")
    passed("the folded weight gives the same output without the gain")


def check_is_causal(is_causal: Callable[..., bool]) -> None:
    """The leak detector, on layers that leak and on layers that do not."""
    def cumulative(x: Tensor) -> Tensor:
        return x.cumsum(dim=1)

    def whole_text(x: Tensor) -> Tensor:
        return x / x.pow(2).mean(dim=(1, 2), keepdim=True).sqrt()

    def shifted(x: Tensor) -> Tensor:
        return x.roll(-1, dims=1)

    def faint(x: Tensor) -> Tensor:
        return x + 1e-4 * x.sum(dim=1, keepdim=True)

    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(5))
    given = x.clone()
    expect(bool(call(is_causal, cumulative, x)),
           "a running sum is causal and you call it a leak: change x[:, -1] and look "
           "at the outputs before the last one only, that one may change")
    expect(close(x, given), "x itself was changed: work on a clone")
    for layer, what in ((whole_text, "a norm over the whole text"),
                        (shifted, "a shift that shows each token its successor"),
                        (lambda y: y.flip(1), "a reversal of the text")):
        expect(not call(is_causal, layer, x),
               f"{what} passed as causal: change the last token and compare all the "
               "outputs before it")
    expect(not call(is_causal, faint, x),
           "a faint leak passed as causal: compare exactly, not up to a tolerance, and "
           "change the token by more than a little")
    zeros = torch.zeros(1, 4, 2)
    expect(not call(is_causal, shifted, zeros),
           "a leak passed on a text of zeros, where scaling changes nothing, nor does "
           "setting to zero: add something too")
    passed("leaks are found, faint ones too, and a running sum is let through")
