"""A text file, however large, made ready for training: tokenizer and token shards.

``python -m minillama.training.preparing --text FILE --out FOLDER [--vocab N]``
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..pasture.generator import texts
from ..tokenizer import Tokenizer
from .data import TokenStream
from .manifest import (
    LARGEST_LIST, check_files, describe, read_manifest, write_manifest,
)
from .shards import open_shards, write_shards

KIND = "prepared text"
LONGEST = 2**20  # characters in a document, so that one line cannot fill the memory
SAMPLE = 20_000_000  # characters from which the tokenizer learns
PASTURE = (6000, 300)  # documents to learn from, and held out


def paragraphs(path: Path) -> Iterator[str]:
    """The documents of a UTF-8 file as ``pasture.reading.read_text`` gives them, one
    after the other; memory holds one.

    A document of more than a million characters is cut. Raises UserError for a file
    that cannot be read or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            lines: list[str] = []
            held = 0
            while line := stream.readline(LONGEST):
                blank = not line.strip(" \t\n")
                if (blank or held + len(line) > LONGEST) and lines:
                    yield from _document(lines)
                    lines, held = [], 0
                if not blank:
                    lines.append(line)
                    held += len(line)
            yield from _document(lines)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); give the path of a "
                        "text file.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8: {_undecodable(path)}; save the file as "
                        "UTF-8 and try again.") from None


def _document(lines: list[str]) -> list[str]:
    text = "".join(lines).strip()
    return [text] if text else []


def _undecodable(path: Path) -> str:
    before = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                at = error.start
                return (f"byte {before + at + 1} of the file, on line {number}, is "
                        f"0x{line[at]:02x}")
            before += len(line)
    return "its end is cut off"


def sample(documents: Iterable[str], characters: int = SAMPLE) -> Iterator[str]:
    """The first documents, until that many characters are reached."""
    for document in documents:
        yield document
        characters -= len(document)
        if characters <= 0:
            return


def prepare(folder: Path, text: Path | None, vocab: int) -> None:
    """Learn a tokenizer and encode the training and the held-out part of a text, or of
    the Pasture. What is there already and of the same source is left as it is.

    The last twentieth of the documents is held out. Raises UserError for text that
    cannot be read, and for a folder that holds another text or cannot be written.
    """
    source = _source(text, vocab)
    if folder.exists():
        if read_manifest(folder, KIND, LARGEST_LIST).get("source") != source:
            raise UserError(f"{folder} holds another text: delete it, or choose "
                            "another folder")
        return
    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        tokenizer, train, held = divided(text, vocab)
        tokenizer.save(draft / "tokenizer.model")
        write_shards(train, tokenizer, draft / "train")
        write_shards(held, tokenizer, draft / "heldout")
        write_manifest(draft, KIND, describe([draft / "tokenizer.model"]),
                       source=source)
        draft.chmod(0o755)
        os.replace(draft, folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _source(text: Path | None, vocab: int) -> dict[str, Any]:
    """What a prepared text was made from, to know it again without reading it."""
    if text is None:
        return {"pasture": list(PASTURE), "vocab": vocab}
    try:
        known = text.stat()
    except OSError as error:
        raise UserError(f"{text} cannot be read ({error.strerror}); give the path of a "
                        "text file.") from None
    return {"text": text.name, "bytes": known.st_size, "changed": known.st_mtime_ns,
            "vocab": vocab}


def divided(text: Path | None, vocab: int
            ) -> tuple[Tokenizer, Iterable[str], Iterable[str]]:
    """A tokenizer of a text (None: the Pasture), its documents to learn from, and those
    that are held out. Raises UserError for a file that cannot be used."""
    if text is None:
        documents = texts(PASTURE[0])
        held = texts(PASTURE[1], split="heldout")
        return Tokenizer.train(documents, vocab), documents, held
    n = sum(1 for _ in paragraphs(text))
    if not n:
        raise UserError(f"{text} holds no text; give a file with at least one line.")
    tokenizer = Tokenizer.train(sample(paragraphs(text)), vocab)
    cut = n - max(1, n // 20)
    return tokenizer, islice(paragraphs(text), cut), islice(paragraphs(text), cut, None)


def open_prepared(folder: Path, mine: slice = slice(None)
                  ) -> tuple[Tokenizer, TokenStream, TokenStream]:
    """Tokenizer, training stream and held-out stream of a prepared text.

    Of many processes each checks the ``mine`` of the files. Raises UserError that names
    what is missing or damaged.
    """
    check_files(folder, read_manifest(folder, KIND, LARGEST_LIST)["files"])
    tokenizer = Tokenizer.load(folder / "tokenizer.model")
    streams = [open_shards(folder / part, mine) for part in ("train", "heldout")]
    for stream in streams:
        if stream.tokens.vocab_size != tokenizer.vocab_size:
            raise UserError(f"{folder} holds a tokenizer that did not encode its "
                            "tokens: encode the text again")
    return tokenizer, *streams


def main(arguments: list[str] | None = None) -> None:
    """Prepare a text file, and say where it lies."""
    parser = argparse.ArgumentParser(prog="python -m minillama.training.preparing")
    parser.add_argument("--text", type=Path, required=True, help="UTF-8 file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the result")
    parser.add_argument("--vocab", type=int, default=512)
    args = parser.parse_args(arguments)
    prepare(args.out, args.text, args.vocab)
    print(f"The prepared text lies in {args.out}: give it as --tokens to pretrain.")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"preparing: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command starts anew")
