"""tokenizer.json of the Hugging Face ``tokenizers`` library: written and read.

SentencePiece keeps a score for each piece and joins neighbours by the score of what
they become. The library keeps a list of merges and joins by the place in it. Listing,
piece after piece in the order of their scores, every way to make a piece of two others
turns one into the other. (Where one piece can be made in two overlapping ways, as in a
run of one letter, the two may join from different ends.)
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..bpe_training import SPACE
from ..errors import UserError
from ..sentencepiece_file import CONTROL, UNKNOWN
from ..tokenizer import Tokenizer
from .guards import LARGEST_TOKENIZER, check_file


def to_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of a tokenizer.json that encodes as ``tokenizer`` does."""
    prefix = tokenizer.vocabulary.add_dummy_prefix
    visible = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    prepend = [{"type": "Prepend", "prepend": SPACE}] if prefix else []
    back = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else []
    bos = tokenizer.piece(tokenizer.bos_id)
    start = {"SpecialToken": {"id": bos, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [_mark(id, tokenizer) for id, kind in enumerate(tokenizer.types)
                         if kind in (CONTROL, UNKNOWN)],
        "normalizer": {"type": "Sequence", "normalizers": [*prepend, visible]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing", "single": [start, first],
            "pair": [start, first, start, second],
            "special_tokens": {bos: {"id": bos, "ids": [tokenizer.bos_id],
                                     "tokens": [bos]}}},
        "decoder": {"type": "Sequence", "decoders": [
            back, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]},
        "model": {"type": "BPE", "dropout": None, "unk_token":
                  tokenizer.piece(tokenizer.unk_id), "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": tokenizer.has_bytes, "ignore_merges": False,
                  "vocab": {piece: id for id, piece in enumerate(tokenizer.pieces)},
                  "merges": merges(tokenizer)},
    }


def _mark(id: int, tokenizer: Tokenizer) -> dict[str, Any]:
    return {"id": id, "content": tokenizer.piece(id), "single_word": False,
            "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def merges(tokenizer: Tokenizer) -> list[list[str]]:
    """Every pair of pieces that makes a third, the best third first."""
    known = tokenizer.ids
    ranked = sorted(known, key=lambda piece: (-tokenizer.scores[known[piece]],
                                              known[piece]))
    return [[piece[:cut], piece[cut:]] for piece in ranked
            for cut in range(1, len(piece))
            if piece[:cut] in known and piece[cut:] in known]


class JsonTokenizer:
    """A tokenizer.json behind the few methods that a chat needs.

    Marks written in a text (``</s>``) stay text, as they do in Tokenizer.
    """

    def __init__(self, path: Path, bos: str | None, eos: str | None) -> None:
        """Open the file; ``bos`` and ``eos`` are the pieces that begin and end a text.

        Raises UserError for what is no tokenizer and for marks that it lacks.
        """
        import tokenizers  # only folders with a tokenizer.json need it
        check_file(path, LARGEST_TOKENIZER)
        try:
            self._inner = tokenizers.Tokenizer.from_file(str(path))
        except Exception:  # the library raises nothing narrower
            raise UserError(f"{path} is damaged or no tokenizer of the tokenizers "
                            "library") from None
        self._path = path
        self._inner.encode_special_tokens = True
        self._inner.no_truncation()
        self._inner.no_padding()
        self.bos_id, self.eos_id = self._id(path, bos), self._id(path, eos)
        self.marks = {token.content: id for id, token in
                      self._inner.get_added_tokens_decoder().items() if token.special}

    def _id(self, path: Path, mark: str | None) -> int | None:
        id = None if mark is None else self._inner.token_to_id(mark)
        if mark is not None and id is None:
            raise UserError(f"{path} has no piece {mark[:60]!r}, which begins or ends "
                            "texts by tokenizer_config.json")
        return id

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        ids = self._inner.get_vocab(with_added_tokens=True).values()
        return max(ids, default=-1) + 1

    def encode(self, text: str, bos: bool = False, eos: bool = False) -> list[int]:
        """Text to ids, with the begin and end marks if asked for and if there are.

        Raises UserError for what is no text, and where the tokenizer has no way to
        write it.
        """
        try:
            ids = self._inner.encode(text, add_special_tokens=False).ids
        except (TypeError, UnicodeEncodeError):  # halves of surrogate pairs
            raise UserError("the text holds bytes that are no UTF-8") from None
        except Exception:  # such as a file that names a piece for the unknown it lacks
            raise UserError(f"{self._path}: the tokenizer cannot encode this text"
                            ) from None
        before = [self.bos_id] if bos and self.bos_id is not None else []
        after = [self.eos_id] if eos and self.eos_id is not None else []
        return [*before, *ids, *after]

    def decode(self, ids: Iterable[int]) -> str:
        """Ids to text; marks vanish. Raises UserError for what are no ids."""
        try:
            return self._inner.decode(list(ids), skip_special_tokens=True)
        except Exception:  # the library raises nothing narrower
            raise UserError(f"{self._path}: the tokenizer cannot decode these ids"
                            ) from None
