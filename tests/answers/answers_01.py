"""Wrong answers to the exercises of notebook 01, and what the check must say."""

from collections import Counter


def unweighted(words):
    return Counter(pair for word in words for pair in zip(word, word[1:]))


def once_a_word(words):
    counts = Counter()
    for word, frequency in words.items():
        for pair in set(zip(word, word[1:])):
            counts[pair] += frequency
    return counts


def unions(words):
    counts = Counter()
    for word, frequency in words.items():
        for left, right in zip(word, word[1:]):
            counts[left + right] += frequency
    return counts


def across_words(words):
    line = [symbol for word in words for symbol in word]
    return Counter(zip(line, line[1:]))


def overwritten(words):
    return {pair: n for word, n in words.items() for pair in zip(word, word[1:])}


def a_list(words):
    return [pair for word in words for pair in zip(word, word[1:])]


def first_only(symbols, pair):
    for i in range(len(symbols) - 1):
        if (symbols[i], symbols[i + 1]) == pair:
            return symbols[:i] + ["".join(pair)] + symbols[i + 2 :]
    return list(symbols)


def from_the_right(symbols, pair):
    symbols, i = list(symbols), len(symbols) - 2
    while i >= 0:
        if tuple(symbols[i : i + 2]) == pair:
            symbols[i : i + 2] = ["".join(pair)]
            i -= 1
        i -= 1
    return symbols


def overlapping(symbols, pair):
    return [a + b if (a, b) == pair else a
            for a, b in zip(symbols, [*symbols[1:], ""])]


def same_union(symbols, pair):
    result, i = [], 0
    while i < len(symbols):
        both = len(symbols) > i + 1 and symbols[i] + symbols[i + 1] == "".join(pair)
        result.append("".join(symbols[i : i + 1 + both]))
        i += 1 + both
    return result


def as_text(symbols, pair):
    return " ".join(symbols).replace(" ".join(pair), "".join(pair)).split()


def in_place(symbols, pair):
    i = 0
    while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) == pair:
            symbols[i : i + 2] = ["".join(pair)]
        i += 1
    return symbols


def longest(word, rank):
    pieces = []
    while word:
        size = next(n for n in range(len(word), 0, -1) if n == 1 or word[:n] in rank)
        pieces.append(word[:size])
        word = word[size:]
    return pieces


def _join(word, key, steps=99):
    symbols = list(word)
    for _ in range(steps):
        unions = [a + b for a, b in zip(symbols, symbols[1:])]
        found = [(key(u, i), i) for i, u in enumerate(unions) if key(u, i) is not None]
        if not found:
            break
        i = min(found)[1]
        symbols[i : i + 2] = [unions[i]]
    return symbols


def latest_first(word, rank):
    return _join(word, lambda u, i: -rank[u] if u in rank else None)


def leftmost(word, rank):
    return _join(word, lambda u, i: i if u in rank else None)


def ties_from_right(word, rank):
    return _join(word, lambda u, i: (rank[u], -i) if u in rank else None)


def one_join(word, rank):
    return _join(word, lambda u, i: rank.get(u), steps=1)


def rank_as_truth(word, rank):
    return _join(word, lambda u, i: rank.get(u) or None)


def each_piece_once(word, rank):
    symbols = list(word)
    for piece in sorted(rank, key=rank.get):
        i = 0
        while i < len(symbols) - 1:
            if symbols[i] + symbols[i + 1] == piece:
                symbols[i : i + 2] = [piece]
            i += 1
    return symbols


def characters(word, rank):
    return list(word)


def unknown(pieces, ids, first_byte):
    return [ids.get(piece, 0) for piece in pieces]


def code_points(pieces, ids, first_byte):
    return [ids.get(piece) or first_byte + ord(piece) for piece in pieces]


def bare_bytes(pieces, ids, first_byte):
    return [i for p in pieces for i in ([ids[p]] if p in ids else p.encode())]


def left_out(pieces, ids, first_byte):
    return [ids[piece] for piece in pieces if piece in ids]


def all_bytes(pieces, ids, first_byte):
    return [first_byte + byte for byte in "".join(pieces).encode()]


def one_at_a_time(tokens, pieces, first_byte):
    text = "".join(pieces.get(i) or bytes([i - first_byte]).decode(errors="replace")
                   for i in tokens)
    return text.replace("▁", " ")[1:]


def as_latin(tokens, pieces, first_byte):
    text = "".join(pieces.get(i) or chr(i - first_byte) for i in tokens)
    return text.replace("▁", " ")[1:]


def _bytes_back(tokens, pieces, first_byte):
    raw = b"".join(pieces[i].encode() if i in pieces else bytes([i - first_byte])
                   for i in tokens)
    return raw.decode().replace("▁", " ")


def last_run_lost(tokens, pieces, first_byte):
    text, run = "", b""
    for i in tokens:
        if i in pieces:
            text, run = text + run.decode() + pieces[i], b""
        else:
            run += bytes([i - first_byte])
    return text.replace("▁", " ")[1:]


def always_three(tokens, pieces, first_byte):
    return _bytes_back(tokens, pieces, 3)[1:]


def stripped(tokens, pieces, first_byte):
    return _bytes_back(tokens, pieces, first_byte).lstrip()


def no_spaces(tokens, pieces, first_byte):
    return _bytes_back(tokens, pieces, first_byte).replace(" ", "")


WRONG = {
    "count_pairs": [
        (unweighted, "every word counted once"),
        (once_a_word, "counts twice"),
        (unions, "keys are unions"),
        (across_words, "start of the next"),
        (overwritten, "frequency of the last"),
        (a_list, "yours is list"),
    ],
    "merge_word": [
        (first_only, "only the first"),
        (from_the_right, "from the right"),
        (overlapping, "used twice"),
        (same_union, "not those of the pair"),
        (as_text, "half a symbol"),
        (in_place, "symbols itself was changed"),
    ],
    "encode_word": [
        (longest, "longest piece"),
        (latest_first, "highest number"),
        (leftmost, "leftmost"),
        (ties_from_right, "the left one is joined"),
        (rank_as_truth, "0 is a rank"),
        (each_piece_once, "had its turn once"),
        (one_join, "after one join"),
        (characters, "nothing was joined"),
    ],
    "to_ids": [
        (unknown, "became one id"),
        (code_points, "number of the character"),
        (bare_bytes, "bare bytes"),
        (left_out, "left out"),
        (all_bytes, "known pieces were spelt"),
    ],
    "from_ids": [
        (one_at_a_time, "one at a time"),
        (as_latin, "a byte is no character"),
        (_bytes_back, "first space is still there"),
        (last_run_lost, "bytes at the end were lost"),
        (always_three, "need not be 3"),
        (stripped, "only the first was not in the text"),
        (no_spaces, "each ▁ but the first"),
    ],
}
