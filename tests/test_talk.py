"""The talk: its order, its clock, its cuts, and what it refuses."""

import html
import json
import re

import nbformat
import pytest
from build_fixtures import run_cli
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from minillama.build import cli, export, plan, talk
from minillama.build.check_decks import check, write_page, write_pdf
from minillama.build.handout import handout
from minillama.build.paths import NOTEBOOKS
from minillama.build.source import slide_type, sources
from minillama.errors import UserError
from minillama.files import write_text

# As the outline of the talk has them.
HEADINGS = (
    "Overview", "Architectural Overall", "Llama 2 vs Llama 1", "Llama 2 uniques",
    "Llama 2 -> Llama 2 Chat -> RLHF", "Fine-tuning (AB)", "Source code + pseudal code",
    "Llama 2 vs other open-sourced models", "Safety & helpfulness",
    "Meta employees -> Mistral AI -> nice", "Conclusion & Discussion",
    "Future Research", "Links to Helpful Resources")
IN_NOTEBOOKS = (  # the same, as headings of slides say them
    "Context", "Architectural overall", "Llama 2 vs Llama 1", "Llama 2 uniques",
    "Llama 2 to Llama 2-Chat", "Fine-tuning (AB)", "Source code and pseudocode",
    "Llama 2 vs other open", "Safety and helpfulness", "Meta employees, Mistral AI",
    "Conclusion and discussion", "uture research", "Links to helpful resources")
LINKS = (
    "https://huggingface.co/spaces/huggingface-projects/llama-2-7b-chat",
    "https://arxiv.org/abs/2302.13971",
    "https://deepgram.com/learn/"
    "visualizing-and-explaining-transformer-models-from-the-ground-up",
    "https://arxiv.org/abs/1910.07467", "https://arxiv.org/abs/2104.09864",
    "https://www.geeksforgeeks.org/activation-functions-neural-networks/",
    "https://paperswithcode.com/method/swiglu",
    "https://huyenchip.com/2023/05/02/rlhf.html",
    "https://paperswithcode.com/dataset/mmlu", "https://arxiv.org/abs/2009.03300")


@pytest.fixture(scope="module")
def every():
    return talk.all_built()


@pytest.fixture(scope="module")
def real():
    return plan.read_plan()


def text_of(notebook) -> str:
    return "\n".join(cell.source for cell in notebook.cells)


def test_every_heading_of_the_outline_is_in_the_talk(real, every):
    answered = [heading for section in real.sections for heading in section.outline]
    assert answered == list(HEADINGS), "in the order of the outline, each once"
    for section in real.sections:
        assert section.talk > 0, f"{section.heading} is left out of the talk"
    deck = export.deck(talk.assemble(real, every, "talk", ["A"]), "talk")
    seen = re.findall(r'data-section="([^"]+)"', deck)
    assert list(dict.fromkeys(map(html.unescape, seen))) == [
        section.heading for section in real.sections]


def test_every_heading_of_the_outline_is_in_a_notebook():
    headings = [line for path in sources()
                for line in path.read_text(encoding="utf-8").splitlines()
                if re.match(r"# #+ ", line)]
    for wanted in IN_NOTEBOOKS:
        assert any(wanted in line for line in headings), wanted


def test_every_link_of_the_outline_is_in_the_series_and_on_the_last_slides(real, every):
    prose = "\n".join(text_of(nbformat.read(NOTEBOOKS / f"{p.stem}.ipynb", 4))
                      for p in sources())
    spoken = text_of(talk.assemble(real, every, "talk", ["A"]))
    for link in LINKS:
        assert f"]({link})" in prose or f"<{link}>" in prose, link
        assert link in spoken, link


@pytest.mark.parametrize("cut, minutes", [("talk", 45), ("short", 20)])
def test_the_clock_of_the_notes_runs_without_gaps(real, every, cut, minutes):
    notebook = talk.assemble(real, every, cut, ["A"])
    notes = [c.source for c in notebook.cells if slide_type(c) == "notes"][1:]
    times = [re.search(r"from (\d+):(\d\d) to (\d+):(\d\d) of (\d+):(\d\d)\.", note)
             for note in notes]
    assert all(times), "a slide without its time"
    seconds = [[60 * int(found[n]) + int(found[n + 1]) for n in (1, 3, 5)]
               for found in times]
    assert seconds[0][0] == 0 and seconds[-1][1] == 60 * minutes
    for (_, end, total), (start, _, _) in zip(seconds, seconds[1:]):
        assert end == start and total == 60 * minutes
    for start, end, _ in seconds:
        assert 10 <= end - start <= 180


def test_the_short_cut_is_a_part_of_the_talk(real, every):
    ids = {cut: [c.id for c in talk.assemble(real, every, cut, ["A"]).cells]
           for cut in plan.CUTS}
    assert set(ids["short"]) < set(ids["talk"])
    for mine in ids.values():
        assert len(mine) == len(set(mine)), "a cell comes twice"


@pytest.mark.browser
@pytest.mark.parametrize("cut", plan.CUTS)
def test_every_slide_fits_offline_with_notes_and_prints(real, every, cut, tmp_path):
    deck = tmp_path / f"{cut}.html"
    write_text(deck, export.deck(talk.assemble(real, every, cut, ["A. B.", "C"]), cut))
    assert check([deck]) == []
    write_pdf(deck, tmp_path / "deck.pdf")
    pages = (tmp_path / "deck.pdf").read_bytes().count(b"/Type /Page\n")
    slides = sum(slide_type(c) == "slide" for c in talk.assemble(
        real, every, cut, ["A"]).cells)
    assert pages == slides


@pytest.mark.browser
def test_the_handout_is_one_page(real, tmp_path):
    write_text(tmp_path / "handout.html", handout(real, real.presenters))
    write_page(tmp_path / "handout.html", tmp_path / "handout.pdf")
    assert (tmp_path / "handout.pdf").read_bytes().count(b"/Type /Page\n") == 1


def test_the_handout_escapes_and_links(real):
    page = handout(real, ["<b>Eve</b>"])
    assert "<b>Eve" not in page and "&lt;b&gt;Eve" in page
    assert '<a href="https://arxiv.org/abs/2307.09288">' in page
    for section in real.sections:
        assert len(section.takeaway.split()) >= 8, section.heading


# A small series of our own: what is picked, and what is refused.

def a_slide(heading: str, *marks: str, minutes: str = "Two", kind: str = "slide"):
    cells = [new_markdown_cell(f"## {heading}"), new_markdown_cell(
        f"Ask what this slide is for, and wait.\n\n{minutes} minutes.")]
    cells[0].metadata.update(slideshow={"slide_type": kind}, tags=list(marks))
    cells[1].metadata["slideshow"] = {"slide_type": "notes"}
    return cells


def a_plan(tmp_path, **changes):
    section = {"tag": "a", "heading": "A & B", "outline": ["A"], "talk": 3, "short": 2,
               "takeaway": "Something to keep."}
    raw = {"title": "T", "presenters": ["P"], "total": {"talk": 4, "short": 2},
           "sections": [section, {**section, "tag": "b", "heading": "C", "talk": 1,
                                  "short": 0}], **changes}
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


SERIES = [*a_slide("last", "talk-b"), *a_slide("left out"),
          *a_slide("first", "talk-a", minutes="One"),
          *a_slide("second", "talk-a", "short", kind="subslide")]


def test_sections_come_in_the_order_of_the_plan(tmp_path):
    read = plan.read_plan(a_plan(tmp_path))
    made = talk.assemble(read, talk.slides(new_notebook(cells=SERIES)), "talk", ["P"])
    headings = re.findall(r"## (\w+)", text_of(made))
    assert headings == ["first", "second", "last"]
    notes = [c.source for c in made.cells if slide_type(c) == "notes"]
    # three minutes for slides of one and two minutes, then one for the last
    assert "from 0:00 to 1:00 of 4:00" in notes[1] and "3 minutes" in notes[1]
    assert "from 1:00 to 3:00 of 4:00" in notes[2] and "from 3:00 to 4:00" in notes[3]
    assert not any(re.search("(One|Two) minutes", note) for note in notes)
    assert {slide_type(c) for c in made.cells} == {"slide", "notes"}
    assert 'data-section="A &amp; B"' in text_of(made)
    short = talk.assemble(read, talk.slides(new_notebook(cells=SERIES)), "short", ["P"])
    assert re.findall(r"## (\w+)", text_of(short)) == ["second"]


def test_a_slide_of_code_alone_keeps_its_output(tmp_path):
    code = new_code_cell("print(1)")
    code.metadata.update(slideshow={"slide_type": "subslide"}, tags=["talk-a", "short"])
    cells = [code, *a_slide("x")[1:], *a_slide("y", "talk-b"), *a_slide("z", "talk-a")]
    made = talk.assemble(plan.read_plan(a_plan(tmp_path)),
                         talk.slides(new_notebook(cells=cells)), "short", ["P"])
    kinds = [(c.cell_type, slide_type(c)) for c in made.cells[2:]]
    assert kinds == [("markdown", "slide"), ("code", "-"), ("markdown", "notes")]


def test_the_notebooks_are_left_as_they_were(tmp_path):
    series = new_notebook(cells=[nbformat.from_dict(cell) for cell in SERIES])
    before = nbformat.writes(series)
    talk.assemble(plan.read_plan(a_plan(tmp_path)), talk.slides(series), "talk", ["P"])
    assert nbformat.writes(series) == before


@pytest.mark.parametrize("changes, says", [
    ({"total": {"talk": 5, "short": 2}}, "take {'talk': 4, 'short': 2} minutes"),
    ({"sections": [{"tag": "a"}]}, "is not a plan of the talk"),
    ({"sections": 3}, "is not a plan of the talk"), ({"more": 1}, "is not a plan")])
def test_a_plan_that_is_none_is_refused_in_one_line(tmp_path, changes, says):
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        plan.read_plan(a_plan(tmp_path, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", '"x"', "{", "null"])
def test_a_file_that_is_no_plan_is_refused(tmp_path, text):
    (tmp_path / "talk.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="not a plan of the talk"):
        plan.read_plan(tmp_path / "talk.json")


@pytest.mark.parametrize("cells, says", [
    ([*SERIES, *a_slide("x", "talk-c")], "names no section"),
    ([*SERIES, *a_slide("x", "short")], "names no section"),
    (SERIES[2:], "has 0 slides for 1 minutes"),
    ([*SERIES, *(c for n in range(9) for c in a_slide(f"x{n}", "talk-b"))], "0.4 to 2.1 each can be spoken"),
    (SERIES[:4] + a_slide("x", "talk-a", "short"), "0.4 to 2.1 each")])
def test_tags_that_do_not_fit_the_plan_are_refused(tmp_path, cells, says):
    with pytest.raises(UserError, match=says) as caught:
        talk.pick(plan.read_plan(a_plan(tmp_path)),
                  talk.slides(new_notebook(cells=cells)), "talk")
    assert "\n" not in str(caught.value)


def test_presenters_are_a_setting_and_are_escaped(tmp_path, real, every):
    made = talk.assemble(real, every, "short", ["<i>X</i>", "Y"])
    assert "&lt;i&gt;X&lt;/i&gt; and Y" in made.cells[0].source


def test_the_command_hands_the_names_on(monkeypatch, capsys):
    given = []
    monkeypatch.setattr("minillama.build.make.build", lambda *_: [])
    monkeypatch.setattr(talk, "write", given.append)
    monkeypatch.setattr("minillama.build.check_decks.find_browser", lambda: None)
    status, said = run_cli(capsys, "talk", "--presenters", " Ann Lee ,Bo, ")
    assert status == 0 and given == [["Ann Lee", "Bo"]]
    assert "no PDFs" in said and "talk" in said
    assert "talk" in cli.VERBS
