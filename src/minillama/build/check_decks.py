"""Does every slide fit, and is nothing missing? Measured in a real browser.

Each slide is shown with its first and with its last fragment, at 1280x720 and at
1920x1080. Whatever shows text or a picture must lie within the screen.
"""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

from ..errors import UserError

SIZES = ((1280, 720), (1920, 1080))
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
LEAST_TEXT = 17  # pixels, on a screen of 1280x720
MEASURE = """(least) => {
  const found = [], slide = deck.getCurrentSlide();
  const say = text => found.push(text);
  const cell = el => (el.closest('[id^="cell-id="]') || {id: ''}).id.slice(8);
  const page = document.querySelector('.slide-number').getBoundingClientRect();
  const edge = [innerWidth + 1, page.top + 2], worst = {};
  // the page number stands in the lowest row, so nothing else may
  const seen = (rect, what, el) => {
    if (rect.width < 1 || rect.height < 1) return;
    const over = Math.max(-rect.left, -rect.top, rect.right - edge[0],
                          rect.bottom - edge[1]);
    const key = `${what}|${cell(el)}`;
    if (over > 1) worst[key] = Math.max(worst[key] || 0, Math.round(over));
  };
  const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  let smallest = 1000, where = '';
  while (walker.nextNode()) {
    const node = walker.currentNode, el = node.parentElement;
    if (!node.textContent.trim() || el.closest('aside, script, style, .katex-mathml'))
      continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) seen(rect, 'text', el);
    if (!el.checkVisibility() || el.closest('.katex')) continue;
    let size = parseFloat(getComputedStyle(el).fontSize), up = el;
    for (; up && up !== slide; up = up.parentElement)
      size *= parseFloat(getComputedStyle(up).zoom) || 1;
    if (size < smallest) { smallest = size; where = cell(el); }
    if (/\\$[^$]+\\$|\\\\begin\\{/.test(node.textContent) && !el.closest('pre, code'))
      say('TeX of a formula was left as source: ' + cell(el));
  }
  if (smallest < least) say(`text of ${smallest.toFixed(1)} px is too small: ${where}`);
  for (const img of slide.querySelectorAll('img')) {
    seen(img.getBoundingClientRect(), 'a picture', img);
    const alt = (img.alt || '').trim();
    if (alt.split(/\\s+/).length < 3 || alt.startsWith('No description'))
      say('a picture has no alternative text: ' + cell(img));
  }
  for (const [key, over] of Object.entries(worst))
    say(`${key.split('|')[0]} leaves the slide by ${over} px: ${key.split('|')[1]}`);
  // KaTeX writes what it does not know in its error colour
  for (const el of slide.querySelectorAll('.katex-error, .katex [style*="color"]'))
    if (el.matches('.katex-error') || el.style.color === 'rgb(204, 0, 0)')
      say('a formula is wrong: ' + cell(el));
  for (const el of slide.querySelectorAll('div, pre, p'))
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(el).overflowY)
        && el.scrollHeight > el.clientHeight + 2 && !el.closest('aside, .katex'))
      say('text is hidden in a box that scrolls: ' + cell(el));
  const notes = slide.querySelector('aside.notes');
  if (!notes || notes.textContent.trim().length < 20) say('speaker notes are missing');
  return found;
}"""


def find_browser() -> str | None:
    """A Chromium-like browser on this machine, or None."""
    chosen = os.environ.get("MINILLAMA_CHROMIUM")
    if chosen:
        return chosen
    found = [shutil.which(name) for name in NAMES]
    found += [place for place in PLACES if Path(place).exists()]
    return next((path for path in found if path), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser of one's own, closed afterwards."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_browser(),
                                       args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def check(decks: list[Path]) -> list[str]:
    """Everything that is wrong with the decks, one line each; [] for none. Two browsers
    share the work.

    Raises UserError where no browser is found or it does not start.
    """
    if find_browser() is None:
        raise UserError("no Chromium, Chrome or Edge found: install one or set "
                        "MINILLAMA_CHROMIUM to its path")
    parts = [part for part in (decks[::2], decks[1::2]) if part]
    try:
        with ThreadPoolExecutor(len(parts) or 1) as pool:
            found = [line for part in pool.map(_check_some, parts) for line in part]
    except Error as error:
        reason = error.message.splitlines()[0]
        raise UserError(f"the browser failed: {reason}") from None
    return sorted(found, key=lambda line: line.split(":")[0])


def _check_some(decks: list[Path]) -> list[str]:
    """Findings of some decks at both sizes, in a browser of their own."""
    findings: list[str] = []
    with browsing() as browser:
        for deck in decks:
            for width, height in SIZES:
                page = browser.new_page(viewport={"width": width, "height": height})
                found = check_deck(page, deck, LEAST_TEXT)
                findings += [line for line in found if line not in findings]
                page.close()
    return findings


def check_deck(page: Page, deck: Path, least: float) -> list[str]:
    """Findings of one deck at the page's size, each with deck, slide and cell."""
    outside: list[str] = []
    page.on("request", lambda r: outside.append(f"asks for {r.url[:80]}")
            if not r.url.startswith(("file:", "data:", "blob:", "about:")) else None)
    page.on("pageerror", lambda e: outside.append(f"page error: {str(e)[:120]}"))
    page.on("console", lambda m: outside.append(f"console: {m.text[:120]}")
            if m.type == "error" else None)
    page.goto(deck.resolve().as_uri())
    page.wait_for_function("window.deck && deck.isReady() && window.deckFitted",
                           timeout=60_000)
    findings = []
    for h, v, last in list(_states(page)):
        page.evaluate("([h, v, f]) => deck.slide(h, v, f)", [h, v, last])
        slide = f"slide {h + 1}.{v + 1}"
        for text in page.evaluate(MEASURE, least):
            findings.append(f"{deck.stem}: {slide}: {text}")
    findings += [f"{deck.stem}: {text}" for text in outside]
    return list(dict.fromkeys(findings))


def _states(page: Page) -> Iterator[tuple[int, int, int]]:
    """Every slide with no fragment and with all of them."""
    slides = page.evaluate("""() => deck.getSlides().map(s => {
        const i = deck.getIndices(s);
        return [i.h, i.v || 0, s.querySelectorAll('.fragment').length];
    })""")
    for h, v, fragments in slides:
        yield h, v, -1
        if fragments:
            yield h, v, fragments - 1


def screenshots(deck: Path, folder: Path) -> None:
    """A PNG of every slide with all fragments, to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    with browsing() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(deck.resolve().as_uri())
        page.wait_for_function("window.deckFitted", timeout=60_000)
        for number, (h, v, last) in enumerate(
                dict(((h, v), (h, v, f)) for h, v, f in _states(page)).values(), 1):
            page.evaluate("([h, v, f]) => deck.slide(h, v, f)", [h, v, last])
            page.screenshot(path=folder / f"{deck.stem}-{number:02d}.png")


def write_page(page_file: Path, target: Path) -> None:
    """A plain page as a tagged PDF, in the size that its style sheet asks for."""
    with browsing() as browser:
        page = browser.new_page()
        page.goto(page_file.resolve().as_uri())
        page.pdf(path=target, prefer_css_page_size=True, print_background=True,
                 tagged=True)


def write_pdf(deck: Path, target: Path) -> None:
    """The deck as a tagged PDF, one page a slide."""
    with browsing() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(deck.resolve().as_uri() + "?print-pdf")
        page.wait_for_selector(".pdf-page", timeout=60_000)
        page.wait_for_timeout(500)
        page.pdf(path=target, prefer_css_page_size=True, print_background=True,
                 tagged=True)
