"""Writing files so that they are whole or absent, whatever happens meanwhile."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import UserError


def write_atomically(path: str | os.PathLike, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a draft beside ``path``, then put the draft in its place.

    An interruption leaves the old file, or none. Raises UserError where the folder
    cannot be written or the disk is full.
    """
    path = Path(path)
    draft: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(handle)
        draft = Path(name)
        write(draft)
        draft.chmod(0o644)  # mkstemp makes files that only their owner may read
        os.replace(draft, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write bytes atomically."""
    write_atomically(path, lambda draft: draft.write_bytes(content) and None)


def write_text(path: str | os.PathLike, content: str) -> None:
    """Write UTF-8 text with plain newlines, atomically."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """What a JSON file in UTF-8 holds; for files that we wrote ourselves."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
