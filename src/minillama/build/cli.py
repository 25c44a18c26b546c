"""The commands: ``python3 course.py VERB``, or ``minillama VERB`` in an environment
that has the package."""

import argparse
import errno
import os
import shutil
import subprocess
import sys
import time
from typing import NoReturn

from ..errors import UserError
from .paths import NOTEBOOKS, OUT, ROOT, SLIDES, STUDENT

VERBS = {
    "build": "train what is missing, run the notebooks, write decks and pages",
    "check": "build one notebook and say what breaks the rules of the house",
    "test": "run the tests",
    "lab": "open JupyterLab on the notebooks",
    "slides": "say where the decks lie; --pdf writes PDFs beside them",
    "talk": "write the talk, its short cut and a handout, with PDFs; --presenters",
    "student": "say where the student editions lie",
    "chat": "put questions to base, SFT and RLHF-V5, or to --model FOLDER; a number is "
            "the temperature",
    "stages": "list the trained stages, or make the ones named",
    "doctor": "say what is wrong with this machine and how to mend it",
    "clean": "remove build/ and artifacts/",
}


OURS_TO_TELL = {errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EDQUOT}


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse for whatever it cannot understand."""
        self.exit(2, f"{self.prog}: {message}; --help lists the verbs\n")


def main(arguments: list[str] | None = None) -> None:
    """Parse a command, run it, and turn trouble into one line and a status."""
    parser = Parser(
        prog="course.py", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Llama 2 in miniature.", epilog="verbs:\n" + "\n".join(
            f"  {verb:<9}{text}" for verb, text in VERBS.items()))
    parser.add_argument("verb", choices=VERBS, metavar="VERB")
    parser.add_argument("names", nargs="*", help="notebooks (03) or stages (base)")
    parser.add_argument("--pdf", action="store_true", help="with slides: PDFs too")
    parser.add_argument("--presenters", metavar="NAMES", default="",
                        help="with talk: who gives it, names separated by commas")
    parser.add_argument("--model", metavar="FOLDER", default="",
                        help="with chat: a checkpoint in any of three layouts")
    args, rest = parser.parse_known_args(arguments)
    if rest and args.verb not in ("test", "lab"):
        parser.error(f"unknown option {rest[0]}")
    try:
        sys.exit(COMMANDS[args.verb](args, rest))
    except UserError as error:
        sys.exit(f"course.py {args.verb}: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; nothing is half-written, and the same command goes on "
                 "from here")
    except OSError as error:
        if error.errno not in OURS_TO_TELL:
            raise
        sys.exit(f"course.py {args.verb}: {error.strerror}: {error.filename or OUT}")


def _build(args: argparse.Namespace, _rest: list[str]) -> int:
    from . import make
    started = time.monotonic()
    rows = make.build(args.names or None)
    print(make.report(rows))
    print(f"done in {time.monotonic() - started:.0f} s; start at {OUT / 'index.html'}")
    return 0


def _check(args: argparse.Namespace, _rest: list[str]) -> int:
    from . import lint, make
    from .source import read, sources
    findings = [f"{path.stem}: {text}" for path in sources(args.names)
                for text in lint.findings(path, read(path))]
    print("\n".join(findings) or "the source keeps the rules")
    rows = make.build([path.stem for path in sources(args.names)])
    print(make.report(rows))
    return 1 if findings else 0


def _test(_args: argparse.Namespace, rest: list[str]) -> int:
    print("running the tests, about 10 minutes on two cores")
    started = time.monotonic()
    status = subprocess.call([sys.executable, "-m", "pytest", *_args.names, *rest],
                             cwd=ROOT)
    print(f"tests took {time.monotonic() - started:.0f} s")
    return status


def _lab(_args: argparse.Namespace, rest: list[str]) -> int:
    print("opening JupyterLab; Ctrl-C twice ends it")
    return subprocess.call([sys.executable, "-m", "jupyterlab", *rest], cwd=NOTEBOOKS)


def _slides(args: argparse.Namespace, _rest: list[str]) -> int:
    from . import make
    from .check_decks import find_browser, write_pdf
    make.build(args.names or None)
    if args.pdf:
        if find_browser() is None:
            raise UserError("PDFs need a Chromium, Chrome or Edge: install one")
        from .source import sources
        for path in sources(args.names or None):
            write_pdf(SLIDES / f"{path.stem}.html", SLIDES / f"{path.stem}.pdf")
    print(f"the decks lie in {SLIDES}; open one in a browser, S shows the notes")
    return 0


def _talk(args: argparse.Namespace, _rest: list[str]) -> int:
    from . import make, talk
    from .check_decks import find_browser
    names = [name.strip() for name in args.presenters.split(",") if name.strip()]
    make.build()
    talk.write(names)
    if find_browser() is None:
        print("no PDFs: they need a Chromium, Chrome or Edge")
    else:
        talk.write_pdfs()
    print(f"the talk, its short cut and the handout lie in {talk.TALK}")
    return 0


def _student(args: argparse.Namespace, _rest: list[str]) -> int:
    from . import make
    make.build(args.names or None)
    print(f"the student editions lie in {STUDENT}")
    return 0


def _stages(args: argparse.Namespace, _rest: list[str]) -> int:
    from .. import stages
    for name in args.names:
        stages.get(name)
    for name in stages.names():
        print(f"{name:<18}{stages.problem(name) or 'ready':<12}{stages.folder(name)}")
    return 0


def _chat(args: argparse.Namespace, _rest: list[str]) -> int:
    from . import chat
    return chat.main(args.names, args.model)


def _doctor(_args: argparse.Namespace, _rest: list[str]) -> int:
    from . import doctor
    return doctor.main()


def _clean(_args: argparse.Namespace, _rest: list[str]) -> int:
    from ..stages import artifacts_folder
    for folder in (OUT, artifacts_folder()):
        if folder.exists():
            shutil.rmtree(folder)
            print(f"removed {folder}")
    return 0


COMMANDS = {"build": _build, "check": _check, "test": _test, "lab": _lab,
            "slides": _slides, "talk": _talk, "student": _student, "chat": _chat,
            "stages": _stages, "doctor": _doctor, "clean": _clean}

if __name__ == "__main__":
    # the kernels of notebooks and workers inherit it: two threads are enough
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
