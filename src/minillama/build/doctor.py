"""What is wrong with this machine or this copy, and how to mend it."""

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import nbformat
from packaging.requirements import Requirement

from .. import stages
from ..errors import UserError
from .check_decks import find_browser
from .incremental import cells_digest
from .paths import NOTEBOOKS, ROOT, VENDOR
from .source import read, sources

LEAST_DISK = 3 * 2**30  # bytes: environment, front end and artifacts

Finding = tuple[bool, str]  # whether it is well, and what to say


def examine() -> Iterator[Finding]:
    """All findings, one line each."""
    yield from _machine()
    yield from _packages()
    for name in stages.names():
        trouble = stages.problem(name)
        yield (trouble in (None, "missing"),
               f"stage {name}: {trouble or 'ready'}"
               + ("" if trouble is None else "; the next build makes it"))
    for path in sources():
        written = NOTEBOOKS / f"{path.stem}.ipynb"
        yield _in_step(path, written)


def _machine() -> Iterator[Finding]:
    yield (sys.version_info >= (3, 10),
           f"Python {platform.python_version()} on {platform.system()}")
    free = shutil.disk_usage(ROOT).free
    yield (free > LEAST_DISK, f"{free / 2**30:.1f} GB of disk are free"
           + ("" if free > LEAST_DISK else "; 3 GB are needed, make room"))
    try:
        probe = ROOT / ".doctor-probe"
        probe.touch()
        probe.unlink()
        yield True, f"{ROOT} can be written to"
    except OSError as error:
        yield False, f"{ROOT} cannot be written to ({error.strerror}): mend its rights"
    browser = find_browser()
    yield True, (f"browser for measuring slides: {browser}" if browser else
                 "no Chromium, Chrome or Edge: slides are built but not measured")
    yield True, ("front-end parts of the slides are there" if VENDOR.exists() else
                 "front-end parts of the slides come with the first build")


def _packages() -> Iterator[Finding]:
    wrong = []
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        needed = Requirement(line)
        if needed.marker and not needed.marker.evaluate():
            continue
        try:
            # a local part like +cpu is a build of the same version
            if not needed.specifier.contains(version(needed.name).split("+")[0]):
                wrong.append(f"{needed.name} {version(needed.name)}")
        except PackageNotFoundError:
            wrong.append(f"{needed.name} missing")
    yield (not wrong, "packages are as pinned in requirements.txt" if not wrong else
           f"packages differ from requirements.txt ({', '.join(wrong[:4])}): delete "
           ".venv and run the command again")


def _in_step(path, written) -> Finding:
    if not written.exists():
        return True, f"{path.stem}: not built yet"
    try:
        fresh = cells_digest(read(path))
    except UserError as error:
        return False, f"{path.stem}: its source needs mending: {error}"
    try:
        same = cells_digest(nbformat.read(written, as_version=4)) == fresh
    except Exception as error:  # nbformat raises many kinds
        return False, f"{written.name} is damaged ({type(error).__name__}): build it"
    return same, f"{path.stem}: " + ("in step with its source" if same else
                                     "differs from its source; build it anew")


def main() -> int:
    """Print every finding; the exit status says whether all is well."""
    findings = list(examine())
    for well, text in findings:
        print(("ok    " if well else "MEND  ") + text)
    return 0 if all(well for well, _ in findings) else 1
