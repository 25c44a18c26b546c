"""Checks of notebook 06: the model assembled.

The truths are products of shapes, sums over tokens in Python, and tensors that torch
measures without holding them.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..exercises import call, close, diagnose, expect, passed

Layer = Callable[[Tensor], Tensor]
# vocabulary, dim, layers, heads, key-value heads, width inside SwiGLU: weights
PUBLISHED = {
    (32000, 4096, 32, 32, 32, 11008): 6738415616,
    (32000, 5120, 40, 40, 40, 13824): 13015864320,
    (32000, 8192, 80, 64, 8, 28672): 68976648192,
}


def _shapes(vocab: int, dim: int, layers: int, kv_dim: int, ffn_dim: int
            ) -> dict[str, list[tuple[int, ...]]]:
    """The shapes of all weights, by kind."""
    return {
        "embedding": [(vocab, dim)], "output": [(vocab, dim)], "last norm": [(dim,)],
        "query and output": layers * [(dim, dim), (dim, dim)],
        "key and value": layers * [(kv_dim, dim), (kv_dim, dim)],
        "gate": layers * [(ffn_dim, dim)],
        "up and down": layers * [(ffn_dim, dim), (dim, ffn_dim)],
        "norm": layers * [(dim,)], "second norm": layers * [(dim,)],
    }


def check_count_weights(count_weights: Callable[..., int]) -> None:
    """The number of weights of odd shapes and of the published models."""
    for shape in ((11, 12, 3, 6, 2, 20), (7, 8, 1, 4, 4, 9), *PUBLISHED):
        vocab, dim, layers, heads, kv_heads, ffn_dim = shape
        kinds = _shapes(vocab, dim, layers, kv_heads * (dim // heads), ffn_dim)
        sizes = {kind: sum(map(math.prod, all_of)) for kind, all_of in kinds.items()}
        truth = sum(sizes.values())
        wide = 2 * layers * dim * dim - sizes["key and value"]
        slips = {
            "only one table of tokens is counted: embedding and output are two":
                truth - sizes["output"],
            "the last norm, behind all layers, is missing": truth - dim,
            "a layer has two norms, one before each part":
                truth - sizes["second norm"],
            "the norms are missing: each has a gain for every channel":
                truth - sizes["norm"] - sizes["second norm"] - dim,
            "the norms inside the layers are missing":
                truth - sizes["norm"] - sizes["second norm"],
            "SwiGLU has three matrices: gate, up and down": truth - sizes["gate"],
            "the layers are counted once: there are many of them":
                sum(size if kind in ("embedding", "output", "last norm")
                    else size // layers for kind, size in sizes.items()),
        }
        if wide:
            slips["keys and values have fewer heads than queries, so their matrices "
                  "are smaller"] = truth + wide
        diagnose(call(count_weights, *shape), truth, slips,
                 f"count_weights{shape}", tolerance=0.0)
        expect(PUBLISHED.get(shape, truth) == truth, "the check itself is wrong")
    passed("odd shapes and the published 7B, 13B and 70B, to the last weight")


def _orders(x: Tensor, first_norm: Layer, attention: Layer, second_norm: Layer,
            ffn: Layer) -> dict[str, Tensor]:
    """What blocks of another order give, by the message that names the order."""
    after = x + attention(first_norm(x))
    alone = attention(first_norm(x))
    normed = first_norm(x) + attention(first_norm(x))
    post = first_norm(x + attention(x))
    swapped = x + attention(second_norm(x))
    early = x + ffn(second_norm(x))
    return {
        "both sums are missing: each part adds to the stream": ffn(second_norm(alone)),
        "the sum around attention is missing": alone + ffn(second_norm(alone)),
        "the sum around the feed-forward layer is missing": ffn(second_norm(after)),
        "that is the order of 2017, the norm after the sum: Llama's stands before the "
        "part": second_norm(post + ffn(post)),
        "that is a parallel block of two norms: here the feed-forward part reads the "
        "stream after attention has added to it":
            x + attention(first_norm(x)) + ffn(second_norm(x)),
        "you add to the normed copy: the stream itself is never normalised":
            second_norm(normed) + ffn(second_norm(normed)),
        "the two norms are exchanged": swapped + ffn(first_norm(swapped)),
        "the feed-forward layer comes second, after attention":
            early + attention(first_norm(early)),
        "the second norm is missing: the feed-forward layer reads through it":
            after + ffn(after),
        "the first norm stands before both parts: the feed-forward layer reads through "
        "the second": after + ffn(first_norm(after)),
        "that is the parallel block of GPT-J, with one norm for both parts: here the "
        "feed-forward layer reads the new stream, through its own norm":
            after + ffn(first_norm(x)),
        "the norms are missing: every part reads through one":
            x + attention(x) + ffn(x + attention(x)),
    }


def check_my_block(my_block: Callable[..., Tensor]) -> None:
    """The order of two norms, two parts and two sums."""
    x = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(6))
    given = x.clone()

    def first_norm(y: Tensor) -> Tensor:
        return 1.5 * y / y.pow(2).mean(dim=-1, keepdim=True).sqrt()

    def second_norm(y: Tensor) -> Tensor:
        return 0.5 * y / y.pow(2).mean(dim=-1, keepdim=True).sqrt()

    def attention(y: Tensor) -> Tensor:
        return y.cumsum(dim=1) / 3

    def ffn(y: Tensor) -> Tensor:
        return torch.tanh(y) * y.flip(-1)

    answer = call(my_block, x, first_norm, attention, second_norm, ffn)
    expect(close(x, given), "x itself was changed: write x = x + ..., not x += ...")
    after = x + attention(first_norm(x))
    diagnose(answer, after + ffn(second_norm(after)),
             _orders(x, first_norm, attention, second_norm, ffn), "the block")
    passed("norm before each part, and both parts add to an untouched stream")


def _cut(row: list[float], p: float, how: str) -> list[float]:
    """One row by plain sums; ``how`` names the right way or a wrong one."""
    order = sorted(range(len(row)), key=lambda i: -row[i])
    if how == "unsorted":
        order = list(range(len(row)))
    kept, total = [0.0] * len(row), 0.0
    for i in order:
        above = {"crossing": total + row[i] > p, "threshold": row[i] < p,
                 "tail": total < 1 - p, "late": total > p}.get(how, total >= p)
        total += row[i]
        if not above:
            kept[i] = row[i]
    if how == "sorted":
        kept = sorted(kept, reverse=True)
    scale = sum(kept) if how != "plain" and sum(kept) > 0 else 1.0
    return [value / scale for value in kept]


def check_top_p(top_p: Callable[[Tensor, float], Tensor]) -> None:
    """Rows of different shape, several thresholds, and the edges."""
    rows = torch.tensor([[0.05, 0.40, 0.25, 0.10, 0.20], [0.02, 0.03, 0.90, 0.04, 0.01],
                         [0.30, 0.05, 0.10, 0.15, 0.40]])
    given = rows.clone()

    def by(how: str, p: float) -> Tensor:
        return torch.tensor([_cut(row, p, how) for row in rows.double().tolist()])

    for p in (0.72, 0.93, 0.35):
        slips = {
            "the rest does not sum to one: divide by what is left": by("plain", p),
            "the token that crosses p is dropped: the set has to reach p, so it stays":
                by("crossing", p),
            "you compare each probability with p: the sum of those more likely counts":
                by("threshold", p),
            "you sum in the order of the vocabulary: sort by probability first":
                by("unsorted", p),
            "the result is still in sorted order: put every probability back in its "
            "place": by("sorted", p),
            "you keep the unlikely end: the most likely tokens stay": by("tail", p),
        }
        answer = call(top_p, rows, p)
        if isinstance(answer, Tensor):
            expect(not bool(torch.isnan(answer).any()), f"with p = {p} a row has "
                   "nothing left and became nan: the most likely token always stays")
        diagnose(answer, by("right", p), slips, f"top_p with p = {p}")
        expect(close(rows, given), "the probabilities themselves were changed: return "
               "new ones")
    exact = [0.25, 0.0625, 0.5, 0.1875]  # sums without rounding: 0.75 after two
    right, late = (torch.tensor([_cut(exact, 0.75, how)]) for how in ("right", "late"))
    diagnose(call(top_p, torch.tensor([exact]), 0.75), right, {
        "one token too many where the sum is exactly p: the set has reached it": late,
    }, "top_p where a sum is exactly p")
    diagnose(call(top_p, rows, 1.0), given.double(), {},
             "top_p with p = 1, which keeps everything,")
    passed("the smallest set that reaches p, rescaled, every token in its place")


def check_texts_that_fit(texts_that_fit: Callable[..., int]) -> None:
    """Texts beside the weights: small numbers, 7B, and 70B on one and on eight GPUs."""
    seven, seventy = 6738415616, 68976648192
    cases = ((3000, 5, 3, 4, 10, 20000), (seven, 32, 32, 128, 4096, 80 * 10**9),
             (seventy, 80, 8, 128, 4096, 8 * 80 * 10**9))
    for weights, layers, kv_heads, head_dim, length, memory in cases:
        shape = (2, layers, length, kv_heads, head_dim)  # keys and values
        cache = torch.empty(shape, dtype=torch.float16, device="meta").nbytes
        left = memory - 2 * weights
        case = (weights, layers, kv_heads, head_dim, length, memory)
        answer = call(texts_that_fit, *case)
        diagnose(answer, left // cache, {
            "a factor of two is missing in the cache: keys and values are two tensors, "
            "and every number takes two bytes":
                left // (cache // 2),
            "16 bits are two bytes: you counted one byte a value":
                (memory - weights) // (cache // 2),
            "the weights take two bytes each: you counted one":
                (memory - weights) // cache,
            "that is 32 bits: two bytes a number are enough":
                (memory - 4 * weights) // (2 * cache),
            "the weights need room too: subtract them first": memory // cache,
            "half a text is no text: round down": -(-left // cache),
            "every layer has a cache of its own": left // (cache // layers),
            "a cache grows with the length of the text": left // (cache // length),
        }, f"texts_that_fit{case}", tolerance=0.0)
        expect(isinstance(answer, int), "return a whole number of texts, an int")
    none = call(texts_that_fit, seventy, 80, 8, 128, 4096, 80 * 10**9)
    expect(none == 0, "70B does not fit on one GPU of 80 GB, so no text does: yours is "
           f"{none}")
    passed("weights and caches in 16 bits, whole texts, and none where nothing fits")
