"""Learning the pieces: byte-pair encoding with SentencePiece's rules.

Start from characters. Count every pair of neighbours, join the most frequent one, and
repeat. What makes a trainer SentencePiece's are the rules around that loop: what may
be joined at all, and who wins a tie. The counts are kept up to date instead of being
recounted, which gives the same merges and is what makes it fast.
Sources: Sennrich et al., arXiv 1508.07909; Kudo and Richardson, arXiv 1808.06226;
Llama 2 paper, section 2.2 (bytes for unknown characters, digits one by one).
"""

import heapq
import re
import struct
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice

from .errors import UserError

SPACE = "\u2581"  # how SentencePiece writes a space inside a piece
LONGEST = 16  # characters in a piece
COVERAGE = 0.99995  # share of the text whose characters become pieces
LINE_BYTES = 4192  # SentencePiece leaves out longer lines
Pair = tuple[str, str]


def split_words(line: str) -> list[str]:
    """Cut an escaped line before every run of spaces: ``▁the▁▁owl`` in two."""
    return re.findall(f"{SPACE}*[^{SPACE}]+|{SPACE}+", line)


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs. Texts are cut into lines, as SentencePiece does."""
    counts: Counter[str] = Counter()
    for text in texts:
        if not isinstance(text, str):
            raise UserError(f"a tokenizer is trained on str, not {type(text).__name__}")
        for line in text.split("\n"):
            too_long = len(line.encode("utf-8", "replace")) > LINE_BYTES
            if line and not too_long and "\t" not in line:
                counts.update(split_words(SPACE + line.replace(" ", SPACE)))
    return counts


def required_characters(words: Counter[str], coverage: float = COVERAGE) -> list[str]:
    """The characters that become pieces, most frequent first, ties by code point."""
    counts: Counter[str] = Counter()
    for word, n in words.items():
        for character in word:
            counts[character] += n
    total, seen, required = sum(counts.values()), 0, []
    for character, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if _float32(seen / total) >= _float32(coverage):
            break
        seen += n
        required.append(character)
    return required


def _float32(value: float) -> float:
    """SentencePiece compares in single precision."""
    return struct.unpack("f", struct.pack("f", value))[0]


@cache
def script(character: str) -> str | None:
    """The script a character belongs to, None for marks that take any.

    Python has no table of scripts; the first word of the Unicode name of a letter is
    the script for all alphabets in use (LATIN, GREEK, CYRILLIC, CJK, ...).
    """
    category = unicodedata.category(character)
    if category in ("Mn", "Me"):
        return None
    if not category.startswith("L"):
        return "COMMON"
    first = unicodedata.name(character, "COMMON").split(" ")[0]
    return "CJK" if first in ("HIRAGANA", "KATAKANA") else first


def may_be_piece(piece: str) -> bool:
    """SentencePiece's rules for what may stand in the vocabulary as one piece."""
    if len(piece) > LONGEST:
        return False
    before: str | None = None
    only_spaces = not piece.strip(SPACE)
    for i, character in enumerate(piece):
        if character == SPACE:
            if i > 0 and not only_spaces:
                return False  # a space only begins a piece
            continue
        if character in "0123456789" and len(piece) > 1:
            return False  # digits stay alone
        now = script(character) or before
        if before and now and now != before:
            return False  # never letters with punctuation, or two alphabets
        before = now
    return True


def pairs_in(symbols: list[str]) -> Iterator[Pair]:
    """All neighbours. ``aaa`` holds (a, a) twice, though only one can be joined: that
    is how SentencePiece counts."""
    return zip(symbols, symbols[1:])


def join(symbols: list[str], pair: Pair) -> list[str]:
    """Replace the pair by its union, from left to right."""
    first, second = pair
    joined: list[str] = []
    waiting = False  # whether the last symbol could be the first half
    for symbol in symbols:
        if waiting and symbol == second:
            joined[-1] = first + second
            waiting = False
        else:
            joined.append(symbol)
            waiting = symbol == first
    return joined


class PairTable:
    """Counts of all pairs, kept true while words are joined."""

    def __init__(self, words: Counter[str], alphabet: set[str]) -> None:
        """Cut every word into characters; those outside the alphabet stay apart."""
        self.frequency = list(words.values())
        self.symbols = [list(word) for word in words]
        self.alphabet = alphabet
        self.count: Counter[Pair] = Counter()
        self.where: defaultdict[Pair, set[int]] = defaultdict(set)
        self.valid: dict[Pair, bool] = {}
        self.heap: list[tuple[int, int, str, Pair]] = []
        for word, symbols in enumerate(self.symbols):
            for pair in self._add(symbols, self.frequency[word]):
                self.where[pair].add(word)
        for pair in self.where:
            self._push(pair)

    def _allowed(self, pair: Pair) -> bool:
        if pair not in self.valid:
            known = all(len(s) > 1 or s in self.alphabet for s in pair)
            self.valid[pair] = known and may_be_piece(pair[0] + pair[1])
        return self.valid[pair]

    def _add(self, symbols: list[str], n: int) -> Iterator[Pair]:
        """Add n to the count of every pair of neighbours; yields the counted ones."""
        count, valid = self.count, self.valid
        for pair in pairs_in(symbols):
            if valid[pair] if pair in valid else self._allowed(pair):
                count[pair] += n
                yield pair

    def _push(self, pair: Pair) -> None:
        piece = pair[0] + pair[1]
        entry = (-self.count[pair], len(piece), piece, pair)
        heapq.heappush(self.heap, entry)

    def pop_best(self) -> Pair | None:
        """The most frequent pair; of equals the shorter, then the first in order."""
        while self.heap:
            negative, _, _, pair = heapq.heappop(self.heap)
            if -negative == self.count[pair] > 0:  # entries of the past are skipped
                return pair
        return None

    def merge(self, pair: Pair) -> None:
        """Join a pair wherever it stands and correct the counts around it."""
        changed: set[Pair] = set()
        for word in self.where.pop(pair):
            old, n = self.symbols[word], self.frequency[word]
            if pair[0] not in old:
                continue
            new = self.symbols[word] = join(old, pair)
            if len(new) < len(old):
                first = next(i for i, s in enumerate(new) if s != old[i])
                # what stands before the first union keeps its neighbours
                changed.update(self._add(old[max(0, first - 1):], -n))
                for other in self._add(new[max(0, first - 1):], n):
                    changed.add(other)
                    self.where[other].add(word)
        for other in changed:
            if self.count[other] > 0:
                self._push(other)


def merges(words: Counter[str], alphabet: list[str]) -> Iterator[tuple[Pair, int]]:
    """Pairs in the order in which they are joined, with their counts, without end
    until nothing is left to join."""
    # step 1: every word as characters, every pair counted
    table = PairTable(words, set(alphabet))
    known: set[str] = set()
    while True:
        # step 2: the most frequent pair; ties by length, then by code points
        pair = table.pop_best()
        if pair is None:
            return
        # step 3: the same piece from other halves (ab+c, a+bc) is not taken twice
        if pair[0] + pair[1] in known:
            continue
        known.add(pair[0] + pair[1])
        yield pair, table.count[pair]
        # step 4
        table.merge(pair)


def learn_pieces(
    texts: Iterable[str], n_pieces: int, reserved: int,
    on_merge: Callable[[Pair, int], None] | None = None,
) -> list[str]:
    """The ``n_pieces`` pieces after the reserved ones: merges, then characters.

    ``on_merge`` is called with each pair and its count. Raises UserError where the
    text yields too few pieces, or its characters alone are too many.
    """
    words = count_words(texts)
    if not words:
        raise UserError("there is no text to train a tokenizer on")
    if any("\ud800" <= character <= "\udfff" for word in words for character in word):
        raise UserError("the text holds half of a surrogate pair, which is no "
                        "character: decode the bytes it came from as UTF-8")
    alphabet = required_characters(words)
    wanted = n_pieces - len(alphabet)
    least = reserved + len(alphabet)
    if wanted < 0:
        raise UserError(f"vocabulary {reserved + n_pieces} is too small: {reserved} "
                        f"special pieces and {len(alphabet)} characters need {least}")
    pieces = []
    for pair, count in islice(merges(words, alphabet), wanted):
        pieces.append(pair[0] + pair[1])
        if on_merge is not None:
            on_merge(pair, count)
    if len(pieces) < wanted:
        raise UserError(f"vocabulary {reserved + n_pieces} is too large for this text: "
                        f"it yields from {least} to {least + len(pieces)} pieces")
    return pieces + alphabet
