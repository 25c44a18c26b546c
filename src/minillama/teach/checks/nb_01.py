"""Checks of notebook 01: counting, joining, encoding, spelling in bytes.

The truths here are computed symbol by symbol on small inputs, never with
``minillama.tokenizer`` or ``minillama.bpe_training``.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from ..exercises import call, diagnose, expect, passed

Pair = tuple[str, str]
SPACE = "\u2581"


def check_count_pairs(
    count_pairs: Callable[[dict[tuple[str, ...], int]], Mapping[Pair, int]]
) -> None:
    """Neighbours over words, each word weighted by how often it occurs."""
    for words in ({("▁", "o", "w", "l"): 3, ("▁", "c", "ow"): 5, ("▁", "o"): 2},
                  {("n", "a", "n", "a"): 4, ("a", "n"): 1}, {("▁",): 7}):
        given = dict(words)
        answer = call(count_pairs, given)
        expect(isinstance(answer, Mapping), "count_pairs should give a dictionary or a "
               f"Counter from pairs to numbers, and yours is {type(answer).__name__}")
        each, once, weighted, joined = Counter(), Counter(), Counter(), Counter()
        last = {}
        for symbols, frequency in words.items():
            for i in range(len(symbols) - 1):
                pair = (symbols[i], symbols[i + 1])
                each[pair] += 1
                weighted[pair] += frequency
                last[pair] = frequency
                joined[pair[0] + pair[1]] += frequency
            for pair in {(symbols[i], symbols[i + 1]) for i in range(len(symbols) - 1)}:
                once[pair] += frequency
        line = [symbol for symbols in words for symbol in symbols]
        diagnose(dict(answer), dict(weighted), {
            "every word counted once: a pair counts as often as its word occurs":
                dict(each),
            "a pair that stands twice in one word counts twice": dict(once),
            "a pair of several words has only the frequency of the last: add them up":
                last,
            "the keys are unions: keep the two halves apart, as a tuple": dict(joined),
            "you paired the end of a word with the start of the next": dict(
                Counter(zip(line, line[1:]))),
        }, f"count_pairs({words})")
        expect(given == words, "words itself was changed: the caller still needs it")
    passed("pairs count as often as their words, and twice where they stand twice")


def _joined(symbols: list[str], pair: Pair, most: int = 10**6) -> list[str]:
    """Left to right, at most so many times."""
    result, rest = [], list(symbols)
    while rest:
        if most and tuple(rest[:2]) == pair:
            result, rest, most = [*result, pair[0] + pair[1]], rest[2:], most - 1
        else:
            result, rest = [*result, rest[0]], rest[1:]
    return result


def _by_union(symbols: list[str], pair: Pair) -> list[str]:
    result, rest = [], list(symbols)
    while rest:
        width = 2 if "".join(rest[:2]) == "".join(pair) and len(rest) > 1 else 1
        result, rest = [*result, "".join(rest[:width])], rest[width:]
    return result


def check_merge_word(merge_word: Callable[[list[str], Pair], list[str]]) -> None:
    """One pair joined wherever it stands in one word."""
    for text, pair in (("▁ o w l", ("o", "w")), ("b a n a n a", ("a", "n")),
                       ("▁ z z z", ("z", "z")), ("a bc ab c", ("ab", "c")),
                       ("▁ c a t", ("o", "w")), ("o", ("o", "w")),
                       ("▁ th e h e", ("h", "e"))):
        symbols = text.split()
        given = list(symbols)
        answer = call(merge_word, given, pair)
        truth = _joined(symbols, pair)
        backwards = [s[::-1] for s in _joined(
            [s[::-1] for s in symbols[::-1]], (pair[1][::-1], pair[0][::-1]))][::-1]
        overlap = [a + b if (a, b) == pair else a
                   for a, b in zip(symbols, [*symbols[1:], ""])]
        diagnose(answer, truth, {
            "only the first one was joined: join the pair wherever it stands":
                _joined(symbols, pair, most=1),
            "you joined from the right: of three equal symbols the first two join":
                backwards,
            "a symbol was used twice: after joining two, step over both": overlap,
            "the halves are not those of the pair: a and bc make the same union as ab "
            "and c, and only the pair that was learnt is joined": _by_union(
                symbols, pair),
            "half a symbol was joined to the next: th and e end in h and e, and only "
            "whole symbols are compared": text.replace(
                " ".join(pair), "".join(pair)).split(),
            "nothing was joined": symbols,
            "the pair is gone from the word: its union takes its place": [
                s for s in truth if s != pair[0] + pair[1]],
        }, f"merge_word({symbols}, {pair})")
        expect(given == symbols, "symbols itself was changed: give back a new list")
    passed("the pair is joined wherever it stands, from the left, and nothing else is")


def _best_first(word: str, rank: Mapping[str, int], sign: int = 1,
                from_right: bool = False, steps: int = 99) -> list[str]:
    symbols = list(word)
    for _ in range(steps):
        places = [i for i in range(len(symbols) - 1)
                  if symbols[i] + symbols[i + 1] in rank]
        if not places:
            break
        places = places[::-1] if from_right else places
        i = min(places, key=lambda i: sign * rank[symbols[i] + symbols[i + 1]])
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
    return symbols


def _longest(word: str, rank: Mapping[str, int]) -> list[str]:
    pieces = []
    while word:
        size = next(n for n in range(len(word), 0, -1) if n == 1 or word[:n] in rank)
        pieces.append(word[:size])
        word = word[size:]
    return pieces


def _one_pass(word: str, rank: Mapping[str, int]) -> list[str]:
    """Every piece has its turn once, in the order of learning."""
    symbols = list(word)
    for piece in sorted(rank, key=rank.__getitem__):
        symbols = _by_union(symbols, (piece, ""))
    return symbols


def check_encode_word(encode_word: Callable[[str, dict[str, int]], list[str]]) -> None:
    """Join the neighbours whose union was learnt first, until none joins."""
    # the first word tells a lost rank 0 from joining the leftmost pair
    for word, ranked in (("▁towns", "ow ▁t tow ▁tow wn ▁towns ns"),
                         ("▁grown", "wn ▁g ow gr ▁gro"), ("▁stone", "on tone st ▁s ne"),
                         ("▁zzz", "zz"), ("▁ëx", "▁e"), ("e", "")):
        rank = {piece: i for i, piece in enumerate(ranked.split())}
        answer = call(encode_word, word, dict(rank))
        diagnose(answer, _best_first(word, rank), {
            "you took the longest piece that fits: what was learnt first is joined "
            "first, however short": _longest(word, rank),
            "you took the highest number first: a low rank was learnt early and is "
            "joined early": _best_first(word, rank, sign=-1),
            "you joined the leftmost pair that fits: the one learnt first comes first":
                _best_first(word, dict.fromkeys(rank, 0)),
            "the piece of rank 0 was never joined: 0 is a rank like any other":
                _best_first(word, {p: r for p, r in rank.items() if r}),
            "each piece had its turn once: a later union may make an earlier one "
            "possible, so look at all neighbours again": _one_pass(word, rank),
            "of two pairs with one rank the left one is joined": _best_first(
                word, rank, from_right=True),
            "you stopped after one join: repeat until no union is a piece": _best_first(
                word, rank, steps=1),
            "nothing was joined: those are the characters": list(word),
        }, f"encode_word({word!r}, {rank})")
    passed("what was learnt first is joined first, ties from the left, to the end")


def check_to_ids(
    to_ids: Callable[[list[str], dict[str, int], int], list[int]]
) -> None:
    """Known pieces by their id, unknown characters by the ids of their bytes."""
    ids = {"▁": 331, "▁owl": 270, "s": 336, "n": 340}
    for pieces, first in ((["▁", "é", "s"], 3), (["▁owl", "s"], 3),
                          (["▁", "🦉", "n"], 3), (["я"], 10), ([], 3)):
        answer = call(to_ids, list(pieces), dict(ids), first)

        def spelt(spell: Callable[[str], list[int]], always: bool = False) -> list[int]:
            return [i for p in pieces
                    for i in (spell(p) if always or p not in ids else [ids[p]])]

        diagnose(answer, spelt(lambda p: [first + b for b in p.encode()]), {
            "unknown characters became one id, 0: spell them in bytes": spelt(
                lambda p: [0]),
            "you used the number of the character: UTF-8 spells it in several bytes":
                spelt(lambda p: [first + ord(p)]),
            "those are bare bytes: the byte 0 has the id first_byte": spelt(
                lambda p: list(p.encode())),
            "unknown characters were left out, so text is lost": spelt(lambda p: []),
            "known pieces were spelt in bytes as well: only unknown ones are": spelt(
                lambda p: [first + b for b in p.encode()], always=True),
            "the bytes stand in reverse order": spelt(
                lambda p: [first + b for b in p.encode()[::-1]]),
            "those are bytes of UTF-16: the rule says UTF-8": spelt(
                lambda p: [first + b for b in p.encode("utf-16-le")]),
        }, f"to_ids({pieces}, ids, {first})")
    passed("known pieces keep their id, all else is spelt in UTF-8 bytes")


def check_from_ids(
    from_ids: Callable[[list[int], dict[int, str], int], str]
) -> None:
    """Ids back to text: runs of bytes together, spaces visible no more."""
    pieces = {270: "▁owl", 331: "▁", 336: "s", 340: "n"}
    for text, known, first in (
            ("owls", [270, 336], 3), ("🦉s é", [331, "🦉", 336, 331, "é"], 3),
            ("  owl", [331, 331, 270], 3), ("ñ", [331, "ñ"], 10)):
        tokens = [i for part in known for i in (
            [part] if isinstance(part, int) else [first + b for b in part.encode()])]
        answer = call(from_ids, list(tokens), dict(pieces), first)
        shown = "".join(part if isinstance(part, str) else pieces[part]
                        for part in known)

        def byte_wise(turn: Callable[[int], str]) -> str:
            whole = "".join(
                pieces[i] if i in pieces else turn(i - first) for i in tokens)
            return whole.replace(SPACE, " ")[1:]

        diagnose(answer, text, {
            "bytes were decoded one at a time: collect a run first": byte_wise(
                lambda b: bytes([b]).decode(errors="replace")),
            "a byte is no character: decode the run as UTF-8": byte_wise(chr),
            "the bytes at the end were lost: no piece comes behind them": "".join(
                part if isinstance(part, str) else pieces[part]
                for part in known[:-1]).replace(SPACE, " ")[1:],
            "the byte 0 has the id first_byte, which need not be 3": b"".join(
                pieces[i].encode() if i in pieces else bytes([(i - 3) % 256])
                for i in tokens).decode(errors="replace").replace(SPACE, " ")[1:],
            "the first space is still there: it was put in front by the encoder":
                shown.replace(SPACE, " "),
            "all spaces in front went away: only the first was not in the text":
                text.lstrip(),
            "spaces are still written as ▁": shown[1:],
            "all spaces went away: each ▁ but the first is a space":
                shown.replace(SPACE, ""),
        }, f"from_ids({tokens}, pieces, {first})")
    passed("runs of bytes come back as characters, and only the first space goes")
