"""How fast this machine multiplies matrices: large square ones, and the model's own."""

import time

import torch

from minillama.config import LlamaConfig

Product = tuple[int, int, int]  # rows, what is summed over, columns


def products(config: LlamaConfig, tokens: int) -> dict[Product, int]:
    """The products of one forward pass with a weight, and how often each occurs."""
    kv_dim = config.n_kv_heads * config.head_dim
    found: dict[Product, int] = {}
    for inner, columns, each in (
            (config.dim, config.dim, 2), (config.dim, kv_dim, 2),
            (config.dim, config.ffn_dim, 2), (config.ffn_dim, config.dim, 1)):
        shape = (tokens, inner, columns)
        found[shape] = found.get(shape, 0) + each * config.n_layers
    last = (tokens, config.dim, config.vocab_size)
    return found | {last: found.get(last, 0) + 1}


def speed(shape: Product, least: float = 0.3) -> float:
    """Floating-point operations per second of one product, the best of many."""
    rows, inner, columns = shape
    a, b = torch.randn(rows, inner), torch.randn(inner, columns)
    out = a @ b  # warm
    best, until = float("inf"), time.perf_counter() + least
    while time.perf_counter() < until:
        started = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - started)
    return 2 * rows * inner * columns / best


def peak(size: int = 1536, least: float = 1.0) -> float:
    """Operations per second of large square matrices."""
    return speed((size, size, size), least)


def own_peak(config: LlamaConfig, tokens: int, least: float = 0.3) -> float:
    """Operations per second of the model's own products, one after another."""
    work, seconds = 0.0, 0.0
    for shape, times in products(config, tokens).items():
        flops = 2 * shape[0] * shape[1] * shape[2] * times
        work, seconds = work + flops, seconds + flops / speed(shape, least)
    return work / seconds
