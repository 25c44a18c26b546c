"""Checks of notebook 05: masks, shared heads, and the memory of a cache.

The truths are written out element by element or as plain products, never with the
code that the notebook or ``minillama.attention`` uses.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ...config import LlamaConfig
from ..exercises import call, close, diagnose, expect, passed

ROOM = 8  # slots of a row in the check of append


def check_block_mask(block_mask: Callable[[int, int, int], Tensor]) -> None:
    """Which keys a block of queries may read, when it starts later than at zero."""
    for first, length, n_keys in ((3, 4, 7), (0, 3, 3), (5, 1, 6), (2, 3, 8)):
        case = f"block_mask({first}, {length}, {n_keys})"
        answer = call(block_mask, first, length, n_keys)
        expect(isinstance(answer, Tensor), f"{case} should be a tensor of True and "
               f"False, and yours is a {type(answer).__name__}")

        def where(rule: Callable[[int, int], bool]) -> Tensor:
            return torch.tensor([[rule(row, key) for key in range(n_keys)]
                                 for row in range(length)])

        truth = where(lambda row, key: key <= first + row)
        diagnose(answer, truth, {
            "your block starts at position zero: its first row stands at first":
                where(lambda row, key: key <= row),
            "a token must see itself: the key at its own position is allowed":
                where(lambda row, key: key < first + row),
            "your mask is True where reading is forbidden: True means may look":
                where(lambda row, key: key > first + row),
            "your tokens see the future and not the past: turn the comparison round":
                where(lambda row, key: key >= first + row),
            "your block stands at the end of the keys: its first row stands at first":
                where(lambda row, key: key <= n_keys - length + row),
            "all rows may read the same keys in yours: each row stands one further":
                where(lambda row, key: key <= first),
            "your first row already sees the whole block: it must not see the tokens "
            "after it": where(lambda row, key: key < first + length),
        }, case)
    passed("blocks at the start, in the middle and of one token see their past alone")


def check_expand_heads(expand_heads: Callable[[Tensor, int], Tensor]) -> None:
    """A copy of each key head for every query head that reads it."""
    for n_heads, n_kv_heads in ((6, 2), (4, 4), (3, 1), (8, 4)):
        shape = (2, 5, n_kv_heads, 3)
        key = torch.arange(2 * 5 * n_kv_heads * 3).float().reshape(shape)
        given = key.clone()
        answer = call(expand_heads, key, n_heads)
        group = n_heads // n_kv_heads
        heads = range(n_heads)

        def take(order: list[int]) -> Tensor:
            return torch.stack([given[:, :, head] for head in order], dim=2)

        diagnose(answer, take([head // group for head in heads]), {
            "the heads are dealt out in turn: neighbouring query heads must share one, "
            "so each head is repeated on the spot":
                take([head % n_kv_heads for head in heads]),
            "you repeated along the length: heads are dimension 2":
                torch.stack([given[:, i // group] for i in range(5 * group)], dim=1),
            "nothing was repeated: n_heads heads are needed": given,
            "every query head got the first key head": take([0] * n_heads),
        }, f"expand_heads with {n_heads} query heads and {n_kv_heads} key heads")
        expect(close(key, given), "key itself was changed: the cache still needs it")
    passed("neighbouring query heads share a head, for grouped, plain and single keys")


def check_cache_bytes(cache_bytes: Callable[[LlamaConfig, int, int], int]) -> None:
    """Bytes of keys and values in 16-bit numbers."""
    # the first shape gives every mistake a factor of its own
    shapes = ((240, 7, 15, 3), (64, 3, 4, 1), (96, 5, 6, 6))
    for (dim, layers, heads, kv_heads), texts, length in zip(
            shapes, (11, 2, 5), (100, 7, 11)):
        config = LlamaConfig(512, dim, layers, heads, n_kv_heads=kv_heads)
        answer = call(cache_bytes, config, texts, length)
        if isinstance(answer, Tensor) and answer.numel() == 1:
            answer = answer.item()
        size = dim // heads
        truth = 2 * 2 * layers * texts * length * kv_heads * size
        mistakes = {
            "half of it is missing: keys are kept and values too, and each number "
            "takes two bytes": truth / 2,
            "a quarter of it: keys are kept and values too, and each number takes two "
            "bytes": truth / 4,
            "that is 32-bit numbers: a cache keeps 16 bits, two bytes": 2 * truth,
            "every layer keeps its own keys and values": truth / layers,
            "every text in the batch keeps its own": truth / texts,
            "that counts query heads: only key-value heads are kept":
                truth * heads // kv_heads,
            "every key-value head keeps its own": truth / kv_heads,
            "that counts the query heads of one group: what is kept are the key-value "
            "heads": truth * heads / kv_heads**2,
            "the cache grows with the length, not with its square": truth * length,
            "that is bits: eight make a byte": 8 * truth,
        }
        diagnose(answer, truth, mistakes, f"cache_bytes({kv_heads} of {heads} heads)")
    passed("bytes follow layers, texts, tokens and key-value heads, keys and values")


def _written(stored: Tensor, new: Tensor, starts: list[int]) -> Tensor:
    """A copy of ``stored`` with each row of ``new`` at its start, slot by slot."""
    result = stored.clone()
    for row, start in enumerate(starts):
        for step in range(new.shape[1]):
            if start + step < ROOM:  # -1 is the last slot, as torch counts
                result[row, start + step] = new[row, step]
    return result


def check_append(append: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """New keys behind each row's own text, all other slots left as they were."""
    generator = torch.Generator().manual_seed(5)
    for lengths, n_new in (([3, 0, 5], 2), ([1, 4], 1), ([2, 2], 3)):
        stored = torch.randn(len(lengths), ROOM, 2, 3, generator=generator)
        new = torch.randn(len(lengths), n_new, 2, 3, generator=generator)
        put = partial(_written, stored, new)
        keys = stored.clone()
        answer = call(append, keys, torch.tensor(lengths), new.clone())
        n = len(lengths)
        diagnose(answer, put(lengths), {
            "your rows start one slot too far: slots count from zero, so a row of "
            "three tokens writes into slot 3": put([t + 1 for t in lengths]),
            "your rows start one slot too early and overwrite their last token":
                put([t - 1 for t in lengths]),
            "all rows were written at the end of the longest: each continues where "
            "its own text stopped": put([max(lengths)] * n),
            "all rows were written where the first one ends: each has its own length":
                put([lengths[0]] * n),
            "you wrote at the beginning, over the oldest tokens": put([0] * n),
            "you wrote at the end of the room, not at the end of the text":
                put([ROOM - n_new] * n),
            "the new tokens stand in reverse order":
                _written(stored, new.flip(1), lengths),
            "the old tokens are gone: write beside them":
                _written(torch.zeros_like(stored), new, lengths),
            "nothing was written": stored,
        }, f"append with rows of {lengths} tokens")
    passed("every row continues behind its own text, and the rest is untouched")
