"""Folders that say what is in them, so that they are whole, or named as damaged.

The manifest is JSON and nothing else is believed: whoever unpickles a stranger's file
runs the stranger's code.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import write_json

NAME = "manifest.json"
LARGEST = 200 * 10**6  # bytes; a log of a million steps is about half of it
LARGEST_LIST = 4 * 10**6  # bytes, where only files are listed, each in some 120
CHUNK = 2**20

Notes = dict[str, dict[str, int | str]]  # by file name: how many bytes, which digest


def describe(files: Iterable[Path]) -> Notes:
    """Size and SHA-256 of files, read a megabyte at a time."""
    return {file.name: {"bytes": file.stat().st_size, "sha256": _digest(file)}
            for file in files}


def write_manifest(folder: Path, kind: str, files: Notes, **content: Any) -> None:
    """Say what lies in a folder; the last thing written there.

    Raises UserError where it cannot be written.
    """
    whole = {"kind": kind, "files": files, **content}
    write_json(folder / NAME, {**whole, "checksum": _checksum(whole)})


def read_manifest(folder: Path, kind: str, largest: int = LARGEST) -> dict[str, Any]:
    """What a folder says of itself. Raises UserError for a manifest that is missing,
    damaged, of another kind or of more than ``largest`` bytes, and for file names that
    lead out of the folder."""
    file = folder / NAME
    try:
        if file.stat().st_size > largest:
            raise ValueError("it is too large")
        whole = json.loads(file.read_bytes().decode("utf-8"))
        if whole.pop("checksum") != _checksum(whole):
            raise ValueError("its checksum differs")
        notes = [(name, note["bytes"], note["sha256"])
                 for name, note in whole["files"].items()]
    except FileNotFoundError:
        raise UserError(f"{file} is missing: {folder} is no folder of {kind}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError,
            MemoryError):
        raise UserError(f"{file} is damaged") from None
    if whole.get("kind") != kind:
        raise UserError(f"{folder} holds {whole.get('kind')!r} and not {kind}")
    for name, size, digest in notes:
        if Path(name).name != name or "\\" in name or name in (NAME, ".."):
            raise UserError(f"{file} names {name!r}, which is no file of its folder")
        if type(size) is not int or type(digest) is not str:
            raise UserError(f"{file} is damaged")
    return whole


def check_files(folder: Path, files: Notes, mine: slice = slice(None)) -> None:
    """Compare files with their notes; of many processes each checks a slice of them.

    Raises UserError that names the first file that is missing or differs.
    """
    for name in list(files)[mine]:
        file = folder / name
        if not file.is_file():
            raise UserError(f"{file} is missing")
        if file.stat().st_size != files[name]["bytes"]:
            raise UserError(f"{file} is damaged: it has {file.stat().st_size} bytes "
                            f"in place of {files[name]['bytes']}")
        if _digest(file) != files[name]["sha256"]:
            raise UserError(f"{file} is damaged: its checksum differs")


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
