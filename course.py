#!/usr/bin/env python3
"""Llama 2 in miniature: one command for everything.

    python3 course.py build      train, run the notebooks, write the slides
    python3 course.py test       run the tests
    python3 course.py --help     the other verbs

Needs Python 3.10 or newer and nothing else. On first use it makes .venv beside this
file and installs what requirements.txt names, then it goes on inside it.
"""
from __future__ import print_function

import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ENVIRONMENT = os.path.join(HERE, ".venv")
STAMP = os.path.join(ENVIRONMENT, "installed")
PYTHON = os.path.join(ENVIRONMENT, *(("Scripts", "python.exe") if os.name == "nt"
                                     else ("bin", "python")))
SPACE_NEEDED = 3 * 2 ** 30  # bytes


def wanted():
    """What the environment must have been made from."""
    digest = hashlib.sha256(("%d.%d %s" % (sys.version_info[0], sys.version_info[1],
                                           HERE)).encode())
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def installed():
    """Whether .venv is complete and made from the present files."""
    try:
        with open(STAMP) as file:
            return file.read() == wanted() and os.path.exists(PYTHON)
    except (OSError, IOError):
        return False


def install():
    """Make .venv. The stamp is written last, so a broken attempt is begun again."""
    import shutil
    if shutil.disk_usage(HERE).free < SPACE_NEEDED and not os.path.exists(PYTHON):
        sys.exit("course.py: less than 3 GB of disk are free here: make room first")
    print("setting up .venv (once): about 1.5 GB are downloaded, a few minutes")
    try:
        import venv
        venv.create(ENVIRONMENT, with_pip=True)
    except ImportError:
        sys.exit("course.py: this Python has no venv module: install it (on Debian and "
                 "Ubuntu: apt install python3-venv)")
    except subprocess.CalledProcessError:
        sys.exit("course.py: pip could not be set up in .venv: install ensurepip (on "
                 "Debian and Ubuntu: apt install python3-venv)")
    except OSError as error:
        sys.exit("course.py: cannot write %s: %s" % (ENVIRONMENT, error.strerror))
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for what in (["-r", "requirements.txt"], ["--no-deps", "-e", "."]):
        if subprocess.call(pip + what, cwd=HERE):
            sys.exit("course.py: pip could not install everything (its message is "
                     "above): mend that and run the same command again")
    try:
        with open(STAMP, "w") as file:
            file.write(wanted())
    except OSError as error:
        sys.exit("course.py: cannot write %s: %s" % (STAMP, error.strerror))
    print("the environment is ready in %s" % ENVIRONMENT)


def main():
    if sys.version_info < (3, 10):
        sys.exit("course.py: Python 3.10 or newer is needed, this is %d.%d: run it "
                 "with a newer one" % sys.version_info[:2])
    arguments = sys.argv[1:] or ["--help"]
    try:
        if not installed():
            install()
        command = [PYTHON, "-m", "minillama.build.cli"] + arguments
        process = subprocess.Popen(command)
        while True:
            try:
                sys.exit(process.wait())
            except KeyboardInterrupt:
                continue  # the command got it too and says what it did
    except KeyboardInterrupt:
        sys.exit("\ncourse.py: stopped; the same command goes on from here")


if __name__ == "__main__":
    main()
