"""What is trained once and kept: stages under ``artifacts/<stage>-<key>/``.

A stage is a pure function of its configuration, of the stages it needs and of the code
that makes it; these three give its key, so nothing stale is ever used. A manifest of
checksums is written last, so a half-made or damaged folder is recognised, named and
made anew. The stages themselves are listed in stages.py.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from .dependencies import code_digest, function_digest
from .errors import UserError
from .files import read_json, write_json


@dataclass(frozen=True)
class Stage:
    """How to make a result, keep it in a folder, and open it again."""

    name: str
    needs: tuple[str, ...]
    config: dict[str, Any]
    make: Callable[[Path], None]
    open: Callable[[Path], Any]
    modules: tuple[str, ...]  # whose code, with all it imports, decides the result
    seconds: int  # about, on two cores, to announce


STAGES: dict[str, Stage] = {}  # filled by stages.py, each after those it needs


def names() -> list[str]:
    """All stages, each after those it needs."""
    return list(STAGES)


def artifacts_folder() -> Path:
    """Where results lie: MINILLAMA_ARTIFACTS, or artifacts/ beside src/."""
    chosen = os.environ.get("MINILLAMA_ARTIFACTS")
    return Path(chosen) if chosen else Path(__file__).parents[2] / "artifacts"


def key(name: str) -> str:
    """Twelve hex digits that change with anything that could change the result."""
    stage = _stage(name)
    parts = [json.dumps(stage.config, sort_keys=True), function_digest(stage.make),
             *map(code_digest, stage.modules), *map(key, stage.needs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def folder(name: str) -> Path:
    """Where the current result of a stage lies, or will lie."""
    return artifacts_folder() / f"{name}-{key(name)}"


def problem(name: str) -> str | None:
    """What keeps a stage from being used: "missing", what is damaged, or None."""
    place = folder(name)
    if not place.exists():
        return "missing"
    try:
        manifest = read_json(place / "manifest.json")
        for file, digest in manifest.items():
            if _digest(place / file) != digest:
                return f"{file} is damaged"
    except (OSError, ValueError, AttributeError):
        return "it is incomplete"
    return None


def get(name: str) -> Any:
    """The result of a stage, made on the spot where it is missing or damaged."""
    stage = _stage(name)
    trouble = problem(name)
    if trouble is not None:
        for need in stage.needs:
            get(need)
        if trouble != "missing":
            print(f"stage {name} in {folder(name)}: {trouble}; making it anew",
                  file=sys.stderr)
        _produce(stage)
    return stage.open(folder(name))


def open_rows(folder: Path) -> Any:
    """The result of a stage that writes nothing but ``rows.json``."""
    return read_json(folder / "rows.json")


def _produce(stage: Stage) -> None:
    """Make a stage in a draft folder and move it into place when it is whole."""
    place = folder(stage.name)
    print(f"making stage {stage.name}, about {stage.seconds} s on two cores",
          file=sys.stderr)
    draft: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{stage.name}-", dir=place.parent))
        started = time.monotonic()
        stage.make(draft)
        files = sorted(p for p in draft.rglob("*") if p.is_file())
        manifest = {p.relative_to(draft).as_posix(): _digest(p) for p in files}
        write_json(draft / "manifest.json", manifest)
        seconds = time.monotonic() - started
        write_json(draft / "made.json", {"seconds": round(seconds, 1)})  # to look up
        if problem(stage.name) is not None:  # another process may have been faster
            shutil.rmtree(place, ignore_errors=True)
            draft.chmod(0o755)  # mkdtemp makes folders that only their owner may open
            os.replace(draft, place)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot keep stage {stage.name} in {place.parent}: "
                        f"{getattr(error, 'strerror', None) or error}") from None
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
    print(f"stage {stage.name} took {time.monotonic() - started:.0f} s and lies in "
          f"{place}", file=sys.stderr)


def _stage(name: str) -> Stage:
    if name not in STAGES:
        raise UserError(f"no stage {name!r}: one of {', '.join(STAGES)}")
    return STAGES[name]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
