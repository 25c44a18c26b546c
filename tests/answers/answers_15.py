"""Wrong answers to the exercises of notebook 15, and what the check must say."""


def rolled(read, window):
    slots = [-1] * window
    for position in range(read):
        slots[position % window] = position
    return slots


def first_tokens(read, window):
    return [p if p < read else -1 for p in range(window)]


def in_order(read, window):
    kept = list(range(max(0, read - window), read))
    return kept + [-1] * (window - len(kept))


def newest_first(read, window):
    return in_order(read, window)[::-1]


def one_more(read, window):
    return rolled(read + 1, window)


def one_less(read, window):
    return rolled(read - 1, window)


def zeros(read, window):
    return [max(p, 0) for p in rolled(read, window)]


def below_nothing(read, window):
    return [read - 1 - (read - 1 - slot) % window for slot in range(window)]


def without_itself(query, window):
    return list(range(max(0, query - window + 1), query))


def inclusive(query, window):
    return list(range(max(0, query - window), query + 1))


def below_zero(query, window):
    return list(range(query - window + 1, query + 1))


def everything(query, window):
    return list(range(query + 1))


def ahead(query, window):
    return list(range(query, query + window))


def keys_only(length, window, layers, heads, size):
    return layers * min(length, window or length) * heads * size * 2


def one_byte(length, window, layers, heads, size):
    return 2 * layers * min(length, window or length) * heads * size


def bits(length, window, layers, heads, size):
    return 32 * layers * min(length, window or length) * heads * size


def no_window(length, window, layers, heads, size):
    return 4 * layers * length * heads * size


def always_full(length, window, layers, heads, size):
    return 4 * layers * (window or length) * heads * size


def one_layer(length, window, layers, heads, size):
    return 4 * min(length, window or length) * heads * size


WRONG = {
    "held": [
        (first_tokens, "those are the first tokens"),
        (in_order, "in the wrong slots"),
        (newest_first, "newest first"),
        (one_more, "one token too many"),
        (one_less, "one token is missing"),
        (zeros, "holds -1, not 0"),
        (below_nothing, "not a position below it"),
    ],
    "seen": [
        (without_itself, "sees itself"),
        (inclusive, "counts the token itself"),
        (below_zero, "before position 0"),
        (everything, "the window is left out"),
        (ahead, "looks ahead"),
    ],
    "cache_bytes": [
        (keys_only, "keys and values"),
        (one_byte, "two bytes"),
        (bits, "in bits"),
        (no_window, "the window is left out"),
        (always_full, "shorter than the window"),
        (one_layer, "every layer"),
    ],
}
