"""Reading and writing ``tokenizer.model``, the file that SentencePiece makes.

It is a protocol buffer: a run of fields, each a key (number and wire type) and a
value. Only the fields that matter here are read, the others are skipped by their wire
type. Field numbers: sentencepiece_model.proto of the SentencePiece project.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .files import write_bytes

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BPE = 2  # TrainerSpec.model_type
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


@dataclass(frozen=True)
class Vocabulary:
    """What a tokenizer.model says: pieces in order of id, and how to treat text."""

    pieces: list[str]
    scores: list[float]
    types: list[int]
    add_dummy_prefix: bool = True
    byte_fallback: bool = True


def read_vocabulary(path: str | os.PathLike) -> Vocabulary:
    """Read a SentencePiece BPE model. Raises UserError for anything else."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read tokenizer {path}: {error.strerror}") from None
    try:
        return _vocabulary(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, struct.error, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{path} is no SentencePiece model, or a damaged one"
        ) from None


def _vocabulary(content: bytes) -> Vocabulary:
    pieces, scores, types = [], [], []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in _fields(content):
        if number in (1, 2, 3) and not isinstance(value, bytes):
            raise ValueError("a message was expected")
        if number == 1:
            piece = dict(_fields(value))
            pieces.append(piece[1].decode("utf-8"))
            scores.append(struct.unpack("<f", piece.get(2, bytes(4)))[0])
            types.append(piece.get(3, NORMAL))
        elif number == 2:
            trainer = dict(_fields(value))
        elif number == 3:
            normalizer = dict(_fields(value))
    if not pieces:
        raise ValueError("no pieces")
    if trainer.get(3, 1) != BPE:
        raise UserError("not a BPE model, and Llama 2 uses no other kind")
    if normalizer.get(2) or normalizer.get(4, 1) or not normalizer.get(5, 1):
        raise UserError("it normalises text (or its spaces), which Llama 2's does not")
    if trainer.get(24, 0):
        raise UserError("it treats spaces as suffixes, which Llama 2's does not")
    return Vocabulary(pieces, scores, types, bool(normalizer.get(3, 1)),
                      bool(trainer.get(35, 0)))


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message; ValueError where it breaks off."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(content, at)
        elif wire in (BYTES, FIXED32, FIXED64):
            size = {FIXED32: 4, FIXED64: 8}.get(wire)
            if size is None:
                size, at = _varint(content, at)
            value, at = content[at : at + size], at + size
            if at > len(content):
                raise ValueError("a field goes past the end")
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0:
            raise ValueError("field number zero")
        yield number, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number in base 128, low digits first; the high bit says that more follows."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number breaks off or is too long")


def write_vocabulary(vocabulary: Vocabulary, path: str | os.PathLike) -> None:
    """Write a file that the sentencepiece package reads. It appears whole or not."""
    parts = [_message(1, _text(1, piece) + _key(2, FIXED32) + struct.pack("<f", score)
                      + _number(3, kind))
             for piece, score, kind in
             zip(vocabulary.pieces, vocabulary.scores, vocabulary.types)]
    trainer = {3: BPE, 4: len(vocabulary.pieces), 20: 16, 21: 1, 22: 1, 23: 1, 25: 1,
               26: 1, 35: int(vocabulary.byte_fallback), 40: 0, 41: 1, 42: 2}
    parts.append(_message(2, b"".join(_number(k, v) for k, v in trainer.items())))
    flags = {3: int(vocabulary.add_dummy_prefix), 4: 0, 5: 1}
    normalizer = _text(1, "identity")
    normalizer += b"".join(_number(k, v) for k, v in flags.items())
    parts.append(_message(3, normalizer))
    write_bytes(path, b"".join(parts))


def _key(number: int, wire: int) -> bytes:
    return _base128(number << 3 | wire)


def _number(number: int, value: int) -> bytes:
    return _key(number, VARINT) + _base128(value)


def _message(number: int, content: bytes) -> bytes:
    return _key(number, BYTES) + _base128(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode("utf-8"))


def _base128(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes(digits) + bytes([value])
