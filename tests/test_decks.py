"""Every slide of every deck, measured in a browser; and a deck made wrong on purpose."""

import base64
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minillama.build import export
from minillama.build.check_decks import check, write_pdf
from minillama.build.paths import NOTEBOOKS
from minillama.build.source import sources
from minillama.files import write_text

pytestmark = pytest.mark.browser
STEMS = [path.stem for path in sources()]
PIXEL = base64.b64encode(base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg==")).decode()


@pytest.mark.parametrize("stem", STEMS)
def test_every_slide_fits_and_is_complete(stem, tmp_path):
    notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
    deck = tmp_path / f"{stem}.html"
    write_text(deck, export.deck(notebook, stem))
    assert check([deck]) == []


@pytest.mark.parametrize("stem", STEMS)
def test_files_hold_everything_they_need(stem):
    notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
    for html in (export.deck(notebook, stem), export.page(notebook, stem)):
        html = re.sub(r"(<script[^>]*>).*?</script>", r"\1", html, flags=re.S)
        loads = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?!data:)'
                           r'[^"]*"', html)
        assert not loads
    assert "Speaker notes" not in html and 'class="notes"' not in html


def slide(*cells, notes: str = "Ask what is wrong with this slide, and wait a while."):
    """Cells of one slide with its notes."""
    cells[0].metadata["slideshow"] = {"slide_type": "slide"}
    spoken = [new_markdown_cell(notes)] if notes else []
    for cell in spoken:
        cell.metadata["slideshow"] = {"slide_type": "notes"}
    return [*cells, *spoken]


def text(source: str, slide_type: str = "-"):
    cell = new_markdown_cell(source)
    cell.metadata["slideshow"] = {"slide_type": slide_type}
    return cell


def code(source: str, *outputs, slide_type: str = "-"):
    cell = new_code_cell(source, outputs=list(outputs), execution_count=1)
    cell.metadata["slideshow"] = {"slide_type": slide_type}
    return cell


def picture(alt: str):
    metadata = {"image/png": {"alt": alt}} if alt else {}
    return new_output("display_data", {"image/png": PIXEL}, metadata=metadata)


def shown(html: str):
    return new_output("display_data", {"text/html": html})


LONG = "\n".join(f"line_{n} = {n}" for n in range(60))
WIDE = "<table><tr>" + "<td>" + "</td><td>".join(["unbreakable" * 3] * 9) + "</td></tr>"
FAULTS = {  # what is wrong: the cells of a slide, and what must be said about it
    "too long": (slide(text("## Sixty lines"), code(LONG)), "leaves the slide"),
    "too long at the last fragment": (
        slide(text("## It grows"), code(LONG, slide_type="fragment")),
        "leaves the slide"),
    "too wide": (slide(text("## Nine columns"), code("1", shown(WIDE + "</table>"))),
                 "leaves the slide"),
    "hidden by a scrolling box": (
        slide(text("## A box"), code("1", shown(
            '<div style="height:60px;overflow:auto">' + "word <br>" * 20 + "</div>"))),
        "hidden"),
    "no alternative text": (slide(text("## A dot"), code("1", picture(""))),
                            "no alternative text"),
    "tiny text": (slide(text("## Small"), code("1", shown(
        '<p style="font-size:9px">the small print of this slide</p>'))), "too small"),
    "wrong formula": (slide(text(r"## Maths" "\n\n" r"$\frac{1}{2$")), "formula"),
    "unknown command": (slide(text(r"## Maths" "\n\n" r"$\nosuchthing + 1$")),
                        "formula"),
    "TeX left over": (slide(text("## Maths\n\n" r"\\begin{multline} a \\end{multline}")),
                      "TeX"),
    "no notes": (slide(text("## Silence"), notes=""), "notes are missing"),
}
FAULTS_OF_DECKS = {
    "asks the network": ('<img alt="a picture from far away, never fetched" '
                         'src="http://192.0.2.1/a.png">', "asks for http://192.0.2.1"),
    "script fails": ("<script>throw new Error('planted')</script>", "planted"),
    "console error": ("<script>console.error('said aloud')</script>", "said aloud"),
}


def clean(number: int):
    return slide(text(f"## Slide {number} is well"), code("print(1)", picture(
        "A single dot in the middle of nothing, and nothing else.")))


def make(tmp_path, cells, name: str):
    """A deck of these cells, checked; returns the findings."""
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02d}"
    deck = tmp_path / f"{name}.html"
    write_text(deck, export.deck(new_notebook(cells=cells), name))
    return check([deck])


def test_each_planted_fault_is_found_on_its_slide_and_nowhere_else(tmp_path):
    cells, expected = clean(0), {}
    for number, (name, (faulty, says)) in enumerate(FAULTS.items()):
        expected[2 * number + 2] = name, says
        cells += faulty + clean(number + 1)
    findings = make(tmp_path, cells, "faulty")
    by_slide: dict[int, list[str]] = {}
    for line in findings:
        place = re.match(r"faulty: slide (\d+)", line)
        assert place, line
        by_slide.setdefault(int(place[1]), []).append(line)
    assert set(by_slide) == set(expected), findings
    for number, (name, says) in expected.items():
        assert any(says in line for line in by_slide[number]), (name, by_slide[number])


@pytest.mark.parametrize("name", FAULTS_OF_DECKS)
def test_a_deck_that_is_not_self_contained_or_fails_is_found(name, tmp_path):
    html, says = FAULTS_OF_DECKS[name]
    cells = clean(0) + slide(text("## Trouble"), code("1", shown(html)))
    assert any(says in line for line in make(tmp_path, cells, "trouble"))


def test_results_wait_for_the_prediction_and_solutions_stay_out(tmp_path):
    asked = text("**Predict.** One or two?")
    asked.metadata["tags"] = ["predict"]
    result = code("print('the answer is two')")
    result.metadata["tags"] = ["result"]
    exercise = code("def f():\n    ### BEGIN SOLUTION\n    return 'secret'\n"
                    "    ### END SOLUTION")
    exercise.metadata["tags"] = ["exercise"]
    cells = slide(text("## Guess"), asked, result) + slide(text("## Try"), exercise)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02d}"
    html = export.deck(new_notebook(cells=cells), "guess")
    before, after = html.split("One or two?")
    assert 'class="fragment"' in after[:after.index("the answer is two")]
    assert "secret" not in html and "your turn" in html


def test_pdf_has_a_page_a_slide_and_is_tagged(tmp_path):
    deck, target = tmp_path / "small.html", tmp_path / "small.pdf"
    cells = clean(1) + clean(2)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02d}"
    write_text(deck, export.deck(new_notebook(cells=cells), "small"))
    write_pdf(deck, target)
    content = target.read_bytes()
    assert content.startswith(b"%PDF") and b"/StructTreeRoot" in content
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 2
