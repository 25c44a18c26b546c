"""llama2.c's ``tokenizer.bin``: the pieces with their scores, and nothing else.

The length of the longest piece, then for each piece a float32 score, an int32 length
and the bytes, with spaces as spaces. What kind a piece is follows from its place: 0 is
the unknown one, 1 and 2 begin and end a text, then come the 256 bytes.

Source: the published description in karpathy/llama2.c, tokenizer.py and run.c.
"""

import math
import os
import struct
from pathlib import Path

from ..bpe_training import SPACE
from ..errors import UserError
from ..files import write_bytes
from ..sentencepiece_file import BYTE, CONTROL, NORMAL, UNKNOWN, Vocabulary
from ..tokenizer import RESERVED, Tokenizer
from .guards import LARGEST_TOKENIZER, check_file

ENTRY = struct.Struct("<fi")
SHOWN = {1: "\n<s>\n", 2: "\n</s>\n"}  # how the C program prints the marks


def load_tokenizer_bin(file: Path, vocab_size: int) -> Tokenizer:
    """Open a tokenizer.bin; the file does not say how many pieces it has.

    Raises UserError for a file that does not hold exactly ``vocab_size`` pieces.
    """
    check_file(file, LARGEST_TOKENIZER)
    damaged = UserError(f"{file} is no tokenizer.bin of {vocab_size} pieces, or a "
                        "damaged one")
    if vocab_size < len(RESERVED):
        raise damaged
    try:
        content, at = file.read_bytes(), 4
        pieces, scores = [], []
        for _ in range(vocab_size):
            score, length = ENTRY.unpack_from(content, at)
            at += ENTRY.size + length
            if length < 0 or at > len(content) or not math.isfinite(score):
                raise damaged
            pieces.append(content[at - length : at].decode("utf-8").replace(" ", SPACE))
            scores.append(score)
    except (OSError, struct.error, UnicodeDecodeError):
        raise damaged from None
    if at != len(content):
        raise damaged
    pieces[: len(RESERVED)] = RESERVED
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
    types += [NORMAL] * (vocab_size - len(types))
    try:
        return Tokenizer(Vocabulary(pieces, scores, types))
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def save_tokenizer_bin(tokenizer: Tokenizer, file: str | os.PathLike) -> None:
    """Write a tokenizer.bin; it appears whole or not at all.

    Raises UserError for a vocabulary in another order, which the C program would
    misread.
    """
    if tokenizer.pieces[: len(RESERVED)] != RESERVED:
        raise UserError("llama2.c expects <unk>, <s>, </s> and the 256 bytes first, "
                        "and this tokenizer has another order")
    texts = [SHOWN.get(id, piece.replace(SPACE, " ")).encode("utf-8")
             for id, piece in enumerate(tokenizer.pieces)]
    parts = [ENTRY.pack(score, len(text)) + text
             for score, text in zip(tokenizer.scores, texts)]
    write_bytes(file, struct.pack("<i", max(map(len, texts))) + b"".join(parts))
