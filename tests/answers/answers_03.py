"""Wrong answers to the exercises of notebook 03, and what the check must say."""

import math

import torch


def one_radian(pair, head_dim, theta):
    return theta ** (2 * pair / head_dim)


def half_exponent(pair, head_dim, theta):
    return 2 * math.pi * theta ** (pair / head_dim)


def faster_and_faster(pair, head_dim, theta):
    return 2 * math.pi * theta ** (-2 * pair / head_dim)


def in_degrees(pair, head_dim, theta):
    return 360 * theta ** (2 * pair / head_dim)


def speed_itself(pair, head_dim, theta):
    return theta ** (-2 * pair / head_dim)


def neighbours(x, turn):
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


def backwards(x, turn):
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos + b * sin, b * cos - a * sin], dim=-1)


def overwritten(x, turn):
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    a, b = x.chunk(2, dim=-1)
    a = a * cos - b * sin
    b = a * sin + b * cos
    return torch.cat([a, b], dim=-1)


def stacked(x, turn):
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    a, b = x.chunk(2, dim=-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


def cut_as_neighbours(x, turn):
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def in_place(x, turn):
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    a, b = x.clone().chunk(2, dim=-1)
    x[..., : x.shape[-1] // 2] = a * cos - b * sin
    x[..., x.shape[-1] // 2 :] = a * sin + b * cos
    return x


def query_heads(weight, n_heads, n_kv_heads):
    return weight.unflatten(0, (n_heads, -1, 2)).transpose(1, 2).reshape(weight.shape)


def divided_heads(weight, n_heads, n_kv_heads):
    n = n_heads if n_heads == n_kv_heads else n_heads // n_kv_heads
    return weight.unflatten(0, (n, -1, 2)).transpose(1, 2).reshape(weight.shape)


def across_heads(weight, n_heads, n_kv_heads):
    return torch.cat([weight[0::2], weight[1::2]])


def way_back(weight, n_heads, n_kv_heads):
    rows = weight.unflatten(0, (n_kv_heads, 2, -1))
    return rows.transpose(1, 2).reshape(weight.shape)


def untouched(weight, n_heads, n_kv_heads):
    return weight


def as_they_are(length, trained_length):
    return torch.arange(length).float()


def always_squeezed(length, trained_length):
    return torch.arange(length) * trained_length / length


def stretched(length, trained_length):
    return torch.arange(length) * max(1.0, length / trained_length)


def clamped(length, trained_length):
    return torch.arange(length).clamp(max=trained_length - 1).float()


def wrapped(length, trained_length):
    return (torch.arange(length) % trained_length).float()


def rounded(length, trained_length):
    return (torch.arange(length) / max(1.0, length / trained_length)).floor()


def end_to_end(length, trained_length):
    if length <= trained_length:
        return torch.arange(length).float()
    return torch.linspace(0, trained_length - 1, length)


def whole_scale(length, trained_length):
    return torch.arange(length) / max(1, length // trained_length)


WRONG = {
    "turn_length": [
        (one_radian, "two pi"),
        (half_exponent, "factor two"),
        (faster_and_faster, "get faster"),
        (in_degrees, "degrees"),
        (speed_itself, "inverse"),
    ],
    "rotate_halves": [
        (neighbours, "neighbours: coordinate 0 goes with"),
        (backwards, "the other way"),
        (overwritten, "already turned"),
        (stacked, "put back as neighbours"),
        (cut_as_neighbours, "cut as neighbours"),
        (in_place, "x itself was changed"),
    ],
    "keys_to_halves": [
        (query_heads, "keys have n_kv_heads"),
        (divided_heads, "divided the query heads"),
        (across_heads, "within each head"),
        (way_back, "the way back"),
        (untouched, "nothing moved"),
    ],
    "squeezed_positions": [
        (as_they_are, "nothing was squeezed"),
        (always_squeezed, "stretched"),
        (stretched, "multiplied"),
        (clamped, "share a place"),
        (wrapped, "begin again"),
        (rounded, "rounded to whole numbers"),
        (end_to_end, "last position trained"),
        (whole_scale, "scale was rounded"),
    ],
}
