"""Wrong answers to the exercises of notebook 02, and what the check must say."""

import torch


def normed(x, dim=-1):
    return x.pow(2).mean(dim=dim, keepdim=True)


def no_root(x, gain, eps):
    return x / (normed(x) + eps) * gain


def eps_outside(x, gain, eps):
    return x / (normed(x).sqrt() + eps) * gain


def deviation(x, gain, eps):
    return x / (x.var(-1, keepdim=True, unbiased=False) + eps).sqrt() * gain


def torch_variance(x, gain, eps):
    return x / (x.var(-1, keepdim=True) + eps).sqrt() * gain


def torch_deviation(x, gain, eps):
    return x / (x.std(-1, keepdim=True) + eps) * gain


def layer_normed(x, gain, eps):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, None, eps)


def by_inverse(x, gain, eps):
    return x / torch.rsqrt(normed(x) + eps) * gain


def over_time(x, gain, eps):
    return x / (normed(x, 1) + eps).sqrt() * gain


def over_text(x, gain, eps):
    return x / (normed(x, (1, 2)) + eps).sqrt() * gain


def no_gain(x, gain, eps):
    return x / (normed(x) + eps).sqrt()


def half_squares(x, gain, eps):
    return x * torch.rsqrt(normed(x) + eps) * gain


def stays_wide(x, gain, eps):
    wide = x.float()
    return wide * torch.rsqrt(normed(wide) + eps) * gain.float()


def no_mean(x, gain, bias, rms):
    return rms(x) * gain + bias


def mean_after(x, gain, bias, rms):
    y = rms(x)
    return (y - y.mean(-1, keepdim=True)) * gain + bias


def mean_of_all(x, gain, bias, rms):
    return rms(x - x.mean()) * gain + bias


def bias_first(x, gain, bias, rms):
    return (rms(x - x.mean(-1, keepdim=True)) + bias) * gain


def gain_inside(x, gain, bias, rms):
    return rms((x - x.mean(-1, keepdim=True)) * gain) + bias


def rows(weight, gain):
    return weight * gain[:, None]


def divided(weight, gain):
    return weight / gain


def untouched(weight, gain):
    return weight


def in_place(weight, gain):
    return weight.mul_(gain)


def all_outputs(layer, x):
    changed = x.clone()
    changed[:, -1] += 1
    return torch.equal(layer(x), layer(changed))


def one_before(layer, x):
    changed = x.clone()
    changed[:, -1] += 1
    return torch.equal(layer(x)[:, -2], layer(changed)[:, -2])


def to_zero(layer, x):
    changed = x.clone()
    changed[:, -1] = 0
    return torch.equal(layer(x)[:, :-1], layer(changed)[:, :-1])


def always(layer, x):
    return True


def tolerant(layer, x):
    changed = x.clone()
    changed[:, -1] += 1
    return torch.allclose(layer(x)[:, :-1], layer(changed)[:, :-1], atol=1e-2)


def scales_only(layer, x):
    changed = x.clone()
    changed[:, -1] *= 10
    return torch.equal(layer(x)[:, :-1], layer(changed)[:, :-1])


def spoils(layer, x):
    before = layer(x)
    x[:, -1] += 1
    return torch.equal(before[:, :-1], layer(x)[:, :-1])


WRONG = {
    "my_rms_norm": [
        (no_root, "square root"), (eps_outside, "under the root"),
        (deviation, "standard deviation"), (torch_variance, "n - 1"),
        (torch_deviation, "plus epsilon"), (layer_normed, "LayerNorm"),
        (by_inverse, "multiply by it"), (over_time, "over time"),
        (over_text, "whole text"),
        (no_gain, "gain is missing"), (half_squares, "overflow"),
        (stays_wide, "precision of x"),
    ],
    "layer_norm": [
        (no_mean, "nothing was subtracted"), (mean_after, "after the norm"),
        (mean_of_all, "all numbers"), (bias_first, "gain first"),
        (gain_inside, "belongs behind"),
    ],
    "fold_gain": [
        (rows, "the columns"), (divided, "divided"), (untouched, "nothing changed"),
        (in_place, "was changed"),
    ],
    "is_causal": [
        (all_outputs, "that one may change"), (always, "passed as causal"),
        (tolerant, "faint leak"), (scales_only, "add something"),
        (spoils, "work on a clone"), (one_before, "a reversal"),
        (to_zero, "setting to zero"),
    ],
}
