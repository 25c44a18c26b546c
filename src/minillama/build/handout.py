"""The handout of the talk: one page to take away, for the screen and for print."""

import base64
import html
import re
from collections.abc import Sequence

from ..files import read_json
from ..paper import fill
from .paths import FIGURES
from .plan import Plan

PICTURE = "00_pipeline"  # the one figure that says it all


def handout(plan: Plan, presenters: Sequence[str]) -> str:
    """One page to take away, as HTML: a heading and its sentences for each section."""
    names = html.escape(" and ".join(presenters))
    parts = "".join(f"<section><h2>{html.escape(s.heading)}</h2><p>"
                    f"{_linked(fill(s.takeaway))}</p></section>\n"
                    for s in plan.sections)
    return HANDOUT.format(title=html.escape(plan.title), names=names, parts=parts,
                          picture=_picture())


def _picture() -> str:
    """The figure with its alternative text, or nothing where it was not built."""
    png, notes = FIGURES / f"{PICTURE}.png", FIGURES / f"{PICTURE}.json"
    if not (png.exists() and notes.exists()):
        return ""
    alt = html.escape(read_json(notes)["alt"])
    data = base64.b64encode(png.read_bytes()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{alt}">'


def _linked(text: str) -> str:
    """Text with its addresses as links, everything else escaped."""
    return re.sub(r"https://[^\s<]+[^\s<.,;]", lambda m: f'<a href="{m[0]}">'
                  f"{m[0].removeprefix('https://')}</a>", html.escape(text))


HANDOUT = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: handout</title>
<style>
@page {{ size: A4; margin: 12mm }}
body {{ font: 12px/1.36 system-ui, sans-serif; color: #1b1f24; max-width: 190mm;
  margin: 0 auto }}
@media screen {{ body {{ font-size: 15px; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem }} }}
h1 {{ font-size: 1.7em; margin: 0 0 .2em }} h2 {{ font-size: 1.1em; margin: 0;
  color: #0b57a4 }}
main {{ columns: 2; column-gap: 2em; margin-top: .8em }}
section {{ break-inside: avoid; margin-bottom: .75em }}
img {{ display: block; width: 78%; margin: .6em auto 0 }}
p {{ margin: .15em 0 }} a {{ color: #0b57a4; overflow-wrap: anywhere }}
</style></head><body><h1>{title}</h1><p>{names}. arXiv 2307.09288.</p>
{picture}
<main>
{parts}</main></body></html>
"""
