"""Text larger than memory: tokens on disk, of which only what is read is loaded.

A folder holds the stream of tokens cut into files of whole numbers (16 bits each where
the vocabulary allows, else 32, lowest byte first) and a manifest with their checksums.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..tokenizer import Tokenizer
from .data import TokenStream
from .manifest import (
    LARGEST_LIST, check_files, describe, read_manifest, write_manifest,
)

KIND = "token shards"
SHARD = 2**26  # tokens in a file
WIDTHS = {"uint16": "<u2", "uint32": "<u4"}


class MappedTokens:
    """A long row of tokens of which slices can be taken, and nothing else."""

    def __init__(self, files: list[Path], width: str, vocab_size: int,
                 digest: str) -> None:
        """Map files of whole numbers of ``width`` in their order; none is read yet.
        ``digest`` is that of the tokens, as TokenStream.digest gives it."""
        self.files, self.digest = files, digest
        self.parts = [np.memmap(file, dtype=WIDTHS[width], mode="r") for file in files]
        self.ends = np.cumsum([len(part) for part in self.parts])  # (n_files,)
        self.vocab_size = vocab_size

    def __len__(self) -> int:
        """Number of tokens in all files."""
        return int(self.ends[-1])

    def __getitem__(self, cut: slice) -> Tensor:
        """Tokens ``start`` to ``stop``, (stop - start,), int64, over file borders.

        Raises UserError for a token that the tokenizer does not have.
        """
        start, stop, _ = cut.indices(len(self))
        first = int(np.searchsorted(self.ends, start, side="right"))
        found = []
        for place in range(first, len(self.parts)):
            before = int(self.ends[place]) - len(self.parts[place])
            if before >= stop:
                break
            found.append(self.parts[place][max(0, start - before) : stop - before])
        ids = np.concatenate(found or [self.parts[0][:0]]).astype(np.int64)
        if ids.size and ids.max() >= self.vocab_size:
            names = self.files[first].parent
            raise UserError(f"{names} holds token {ids.max()}, and the tokenizer has "
                            f"{self.vocab_size}: encode the text again")
        return torch.from_numpy(ids)


class ShardedStream(TokenStream):
    """A TokenStream on disk: the same windows in the same order."""

    def digest(self) -> str:
        """As of the stream in memory; it was computed when the shards were written."""
        return self.tokens.digest


def write_shards(texts: Iterable[str], tokenizer: Tokenizer, folder: Path,
                 shard_tokens: int = SHARD) -> None:
    """Encode documents one by one into ``folder``, which appears whole or not at all.

    Memory holds one document. Raises UserError where the folder exists, cannot be
    written or would hold no token.
    """
    if folder.exists():
        raise UserError(f"{folder} exists: choose another folder, or delete it")
    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        width = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
        files, content = _write(texts, tokenizer, draft, WIDTHS[width], shard_tokens)
        write_manifest(draft, KIND, describe(files), width=width, **content)
        draft.chmod(0o755)  # mkdtemp makes folders that only their owner may open
        os.replace(draft, folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _write(texts: Iterable[str], tokenizer: Tokenizer, folder: Path, width: str,
           shard_tokens: int) -> tuple[list[Path], dict[str, Any]]:
    """Fill a folder with shards; returns its files and what the manifest says."""
    files: list[Path] = []
    digest, total, stream = hashlib.sha256(), 0, None
    try:
        for text in texts:
            ids = np.asarray(tokenizer.encode(text, bos=True, eos=True), dtype=np.int64)
            digest.update(ids.astype("<i8").tobytes())
            while len(ids):  # a document may lie across the border of two files
                room = shard_tokens - total % shard_tokens
                if room == shard_tokens:
                    if stream is not None:
                        stream.close()
                    files.append(folder / f"tokens-{len(files):05d}.bin")
                    stream = files[-1].open("wb")
                stream.write(ids[:room].astype(width).tobytes())
                total += min(room, len(ids))
                ids = ids[room:]
    finally:
        if stream is not None:
            stream.close()
    if not total:
        raise UserError("there is no text to encode")
    return files, {"tokens": total, "bos_id": tokenizer.bos_id,
                   "vocab_size": tokenizer.vocab_size, "digest": digest.hexdigest()}


def open_shards(folder: Path, mine: slice = slice(None)) -> ShardedStream:
    """The stream in a folder of shards, after comparing files with their checksums.

    Of many processes each checks the ``mine`` of the files. Raises UserError that names
    what is missing or damaged.
    """
    manifest = read_manifest(folder, KIND, LARGEST_LIST)
    wanted = {"width": str, "tokens": int, "bos_id": int, "vocab_size": int,
              "digest": str}
    files = manifest["files"]
    if any(type(manifest.get(key)) is not kind for key, kind in wanted.items()) or (
            manifest["width"] not in WIDTHS or not files):
        raise UserError(f"{folder} has a manifest that does not describe {KIND}")
    size = np.dtype(WIDTHS[manifest["width"]]).itemsize
    if sum(note["bytes"] for note in files.values()) != manifest["tokens"] * size or (
            any(note["bytes"] < size or note["bytes"] % size
                for note in files.values())):
        raise UserError(f"{folder} does not hold the {manifest['tokens']} tokens that "
                        "its manifest states")
    for name in files:  # before a map is made of it; the content follows
        if not (folder / name).is_file() or (
                (folder / name).stat().st_size != files[name]["bytes"]):
            check_files(folder, {name: files[name]})
    check_files(folder, files, mine)
    try:
        tokens = MappedTokens([folder / name for name in files], manifest["width"],
                              manifest["vocab_size"], manifest["digest"])
    except OSError as error:  # each map holds a file open, and a system has a limit
        raise UserError(f"cannot map the {len(files)} files of {folder}: "
                        f"{error.strerror or error}") from None
    return ShardedStream(tokens, manifest["bos_id"])
