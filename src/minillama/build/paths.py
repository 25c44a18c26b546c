"""Where everything lies, from the root of the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "notebooks" / "source"
NOTEBOOKS = ROOT / "notebooks"
FIGURES = ROOT / "figures"
OUT = ROOT / "build"
SLIDES, PAGES, STUDENT = OUT / "slides", OUT / "pages", OUT / "student"
NODE, VENDOR = OUT / "node", OUT / "vendor"
STATE = OUT / "state"  # a file for each notebook
TEMPLATES = Path(__file__).parent / "templates"
OFFLINE = Path(__file__).parent / "offline"
