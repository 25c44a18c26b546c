"""From text to numbers and back, by the rules of Llama 2's tokenizer.

Pieces are ranked by when they were learnt. To encode, cut the text into characters
and keep joining the two neighbours whose union was learnt first; what is then still
no piece is spelt in UTF-8 bytes, so no text is ever unknown. The pieces themselves
are learnt in bpe_training.py, the file is read in sentencepiece_file.py.
Source: Llama 2 paper, section 2.2; Kudo and Richardson, arXiv 1808.06226.
"""

import heapq
import os
from collections.abc import Callable, Iterable

from .bpe_training import SPACE, Pair, learn_pieces, split_words
from .errors import UserError
from .sentencepiece_file import (
    BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED,
    Vocabulary, read_vocabulary, write_vocabulary,
)

UNKNOWN_SURFACE = " \u2047 "  # how SentencePiece shows what it cannot decode
REMEMBERED = 100_000  # words whose pieces are kept
RESERVED = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]


class Tokenizer:
    """A SentencePiece BPE tokenizer with byte fallback, in plain Python."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Index the pieces. Raises UserError for a vocabulary that cannot work."""
        self.vocabulary = vocabulary
        self.pieces, self.scores = vocabulary.pieces, vocabulary.scores
        self.types = vocabulary.types
        if USER_DEFINED in self.types:
            raise UserError("the tokenizer has user-defined pieces, Llama 2's has none")
        if len(set(self.pieces)) != len(self.pieces):
            raise UserError("the tokenizer lists a piece twice: its file is damaged")
        self.ids = {p: i for i, p in enumerate(self.pieces) if self.types[i] == NORMAL}
        every = {p: i for i, p in enumerate(self.pieces)}
        self.unk_id = every.get("<unk>", 0)
        self.bos_id, self.eos_id = every.get("<s>", 1), every.get("</s>", 2)
        names = [f"<0x{byte:02X}>" for byte in range(256)]
        self.has_bytes = vocabulary.byte_fallback and all(n in every for n in names)
        self.byte_ids = [every[name] for name in names] if self.has_bytes else []
        self._byte_of = {id: byte for byte, id in enumerate(self.byte_ids)}
        self._words_apart = not any(SPACE in p.lstrip(SPACE) for p in self.ids)
        self._seen: dict[str, list[str]] = {}

    @property
    def vocab_size(self) -> int:
        """Number of pieces, special ones included."""
        return len(self.pieces)

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int,
        on_merge: Callable[[Pair, int], None] | None = None,
    ) -> "Tokenizer":
        """Learn ``vocab_size`` pieces from texts: 3 special ones, 256 bytes, then what
        is frequent, then the characters. ``on_merge(pair, count)`` watches."""
        learnt = learn_pieces(
            texts, vocab_size - len(RESERVED), len(RESERVED), on_merge)
        scores = [0.0] * len(RESERVED) + [-float(i) for i in range(len(learnt))]
        types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(learnt)
        return cls(Vocabulary(RESERVED + learnt, scores, types))

    @classmethod
    def from_sentencepiece(cls, path: str | os.PathLike) -> "Tokenizer":
        """Open a ``tokenizer.model``. Raises UserError for what is not one."""
        vocabulary = read_vocabulary(path)
        try:
            return cls(vocabulary)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    load = from_sentencepiece  # our own file is such a file

    def save(self, path: str | os.PathLike) -> None:
        """Write a ``tokenizer.model`` that the sentencepiece package opens too."""
        write_vocabulary(self.vocabulary, path)

    def encode(self, text: str, bos: bool = False, eos: bool = False) -> list[int]:
        """Text to ids, with the begin and end marks if asked for.

        Marks written in the text (``</s>``) stay text. Raises UserError for bytes and
        for lone surrogates, which no file can hold.
        """
        ids: list[int] = []
        for piece in self.encode_pieces(text):
            if piece in self.ids:
                ids.append(self.ids[piece])
            elif self.has_bytes:  # step 4: spell what has no piece, byte by byte
                ids += [self.byte_ids[byte] for byte in piece.encode("utf-8")]
            else:
                ids.append(self.unk_id)
        return [self.bos_id] * bos + ids + [self.eos_id] * eos

    def encode_pieces(self, text: str) -> list[str]:
        """The text cut into pieces, before unknown ones are spelt in bytes."""
        if not isinstance(text, str):
            raise UserError(f"encode takes str, not {type(text).__name__}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(
                f"character {error.start} is half of a surrogate pair and no valid "
                "text: decode the bytes it came from as UTF-8"
            ) from None
        # step 1: spaces become visible; a word at the start looks like any other
        prefix = SPACE if text and self.vocabulary.add_dummy_prefix else ""
        line = prefix + text.replace(" ", SPACE)
        # no piece has a space behind a letter, so words cannot influence each other
        # and a word met before needs no new work
        words = split_words(line) if self._words_apart else [line]
        pieces: list[str] = []
        for word in words:
            if word not in self._seen:
                if len(self._seen) >= REMEMBERED:
                    self._seen.clear()
                self._seen[word] = self._join(list(word))
            pieces += self._seen[word]
        return pieces

    def _join(self, symbols: list[str]) -> list[str]:
        """Join neighbours, best score first, ties from the left, until none joins."""
        after = list(range(1, len(symbols) + 1))  # a linked list over the symbols
        before = list(range(-1, len(symbols) - 1))
        heap: list[tuple[float, int, int, str]] = []

        def offer(left: int) -> None:
            right = after[left] if left >= 0 else len(symbols)
            if right < len(symbols):
                union = symbols[left] + symbols[right]
                if union in self.ids:
                    entry = (-self.scores[self.ids[union]], left, right, union)
                    heapq.heappush(heap, entry)

        # step 2: every pair of neighbours whose union is a piece
        for left in range(len(symbols)):
            offer(left)
        # step 3: join the best, then look at its two new pairs
        while heap:
            _, left, right, union = heapq.heappop(heap)
            gone = not symbols[left] or not symbols[right]
            if gone or symbols[left] + symbols[right] != union:
                continue  # a symbol has been joined elsewhere since
            symbols[left], symbols[right] = union, ""
            after[left] = after[right]
            if after[left] < len(symbols):
                before[after[left]] = left
            offer(before[left])
            offer(left)
        return [symbol for symbol in symbols if symbol]

    def decode(self, ids: Iterable[int]) -> str:
        """Ids to text, as SentencePiece does: marks vanish, the first space goes,
        bytes that are no UTF-8 show as the replacement character."""
        text: list[str] = []
        run = bytearray()
        at_start = self.vocabulary.add_dummy_prefix
        for id in ids:
            if not 0 <= id < self.vocab_size:
                raise UserError(f"id {id} is outside the vocabulary {self.vocab_size}")
            if id in self._byte_of:
                run.append(self._byte_of[id])
                continue
            at_start = at_start and not run
            text.append(_from_bytes(run))
            run.clear()
            if self.types[id] == CONTROL:
                continue
            piece = UNKNOWN_SURFACE if id == self.unk_id else self.pieces[id]
            if at_start:
                piece, at_start = piece.removeprefix(SPACE), False
            text.append(piece.replace(SPACE, " "))
        return "".join(text) + _from_bytes(run)

    def piece(self, id: int) -> str:
        """The piece behind an id, spaces still visible."""
        return self.pieces[id]

    def is_byte(self, id: int) -> bool:
        """Whether an id stands for a single byte."""
        return id in self._byte_of


def _from_bytes(run: bytearray) -> str:
    """Decode bytes; each byte that is no part of a character gives one mark."""
    text, rest = "", bytes(run)
    while rest:
        try:
            return text + rest.decode("utf-8")
        except UnicodeDecodeError as error:
            text += rest[: error.start].decode("utf-8") + "\ufffd"
            rest = rest[error.start + 1 :]
    return text
