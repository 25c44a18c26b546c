"""Checks of notebook 15: slots, the band, bytes of a rolling cache.

The truths write one token after the other into a list, never with the code of
``minillama.mistral``.
"""

from collections.abc import Callable

from ..exercises import call, diagnose, passed


def _rolled(read: int, window: int) -> list[int]:
    slots = [-1] * window
    for position in range(read):
        slots[position % window] = position
    return slots


def check_held(held: Callable[[int, int], list[int]]) -> None:
    """Which position each slot holds."""
    for read, window in ((0, 3), (2, 4), (4, 4), (7, 3), (13, 5), (9, 1)):
        kept = list(range(max(0, read - window), read))
        padded = kept + [-1] * (window - len(kept))
        diagnose(_as_list(call(held, read, window)), _rolled(read, window), {
            "those are the first tokens: a full cache is written over, the oldest "
            "first": [p if p < read else -1 for p in range(window)],
            "those are the right positions in the wrong slots: position i lies in slot "
            "i modulo window": padded,
            "newest first is not how slots are counted: position i lies in slot i "
            "modulo window": padded[::-1],
            "one token too many has been read: the last position is one less than "
            "their number": _rolled(read + 1, window),
            "one token is missing: after n tokens the last position is n - 1":
                _rolled(read - 1, window),
            "a slot that nothing was written to yet holds -1, not 0":
                [max(p, 0) for p in _rolled(read, window)],
            "a slot that nothing was written to yet holds -1, not a position below it":
                [read - 1 - (read - 1 - slot) % window for slot in range(window)],
        }, f"held({read}, {window})")
    passed("every slot holds the latest position with its remainder")


def check_seen(seen: Callable[[int, int], list[int]]) -> None:
    """Positions that a token may look at."""
    for query, window in ((0, 4), (2, 4), (3, 4), (9, 4), (5, 1), (7, 20)):
        truth = [k for k in range(query + 1) if query - k < window]
        diagnose(_as_list(call(seen, query, window)), truth, {
            "a token sees itself as well": truth[:-1],
            "one too many: the window counts the token itself":
                [k for k in range(query + 1) if query - k <= window],
            "no token stands before position 0": list(range(query - window + 1,
                                                            query + 1)),
            "that is everything before it: the window is left out":
                list(range(query + 1)),
            "that looks ahead: a window lies behind its token":
                list(range(query, query + window)),
        }, f"seen({query}, {window})")
    passed("a token sees itself and at most window - 1 before it")


def check_cache_bytes(cache_bytes: Callable[..., int]) -> None:
    """Bytes of keys and values with and without a window."""
    for length, window in ((100, None), (100, 40), (30, 40), (32_768, 4_096)):
        layers, heads, size = 32, 8, 128
        stored = length if window is None else min(length, window)
        one = layers * stored * heads * size * 2
        diagnose(call(cache_bytes, length, window, layers, heads, size), 2 * one, {
            "that is half: keys and values are both stored, and a 16-bit number takes "
            "two bytes": one,
            "that is in bits: a byte has eight of them": 16 * one,
            "the window is left out: no more than so many tokens are kept":
                4 * layers * length * heads * size,
            "a text shorter than the window fills only a part of it":
                4 * layers * (window or length) * heads * size,
            "every layer has keys and values of its own": 2 * one // layers,
        }, f"cache_bytes({length}, {window}, ...)")
    passed("two bytes, keys and values, every layer, and no more than the window")


def _as_list(answer: object) -> object:
    return list(answer) if isinstance(answer, (tuple, range)) else answer
