"""The bibliography: every link of the series, with its number and its title; and the
pages of map, glossary and bibliography."""

import re
from dataclasses import replace

import jupytext
import pytest

from minillama.build import reference_pages as pages
from minillama.build.source import sources
from minillama.errors import UserError
from minillama.paper import bibliography, ledger
from minillama.paper import map as paper_map
from minillama.paper.map import read

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sources()}
REFERENCES = bibliography.references()
PAPERS = {p["id"]: p for p in ledger._load("context")["papers"]}
LEVELS = {"verified-2-sources", "verified-1-source", "memory-only"}


def links_by_another_road(path) -> set[str]:
    """Targets of Markdown links and bare addresses, found by splitting, not by the
    package's pattern."""
    found = set()
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    for cell in notebook.cells:
        for piece in re.sub(r"\]\(|[<>]", " ", cell.source).split():
            if piece.startswith(("http://", "https://")):
                found.add(piece.rstrip(".,;:").removesuffix(")"))
            elif "http" in piece and "://" in piece:
                start = piece.index("http")
                found.add(re.split(r"[)\"'>]", piece[start:])[0].rstrip(".,;:"))
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_every_link_of_a_notebook_is_in_the_bibliography(path):
    known = {one.url for one in REFERENCES}
    numbers = {one.arxiv for one in REFERENCES if one.arxiv}
    links = links_by_another_road(path)
    for link in links:
        number = re.search(r"arxiv\.org/\w+/(\d+\.\d+)", link)
        assert (number[1] in numbers) if number else (link in known), link
    assert links == set(bibliography.links(TEXTS[path.stem]))


def test_what_is_cited_is_listed_with_those_who_cite_it():
    cited = dict(bibliography.cited(TEXTS))
    assert len(cited) > 50
    for one, notebooks in cited.items():
        assert notebooks == sorted(set(notebooks)) and notebooks
        for name in notebooks:
            assert (one.arxiv or one.url) in TEXTS[name] or (
                f"papers.{one.id}" in TEXTS[name] or f'"{one.id}"' in TEXTS[name])


def test_a_paper_cited_by_its_name_in_the_ledger_counts():
    texts = {"a": "{{context:papers.gqa.uptraining_alpha|.0%}}",
             "b": 'paper.context("papers", "dpo")', "c": "{{context:papers.none.x}}"}
    found = {one.id: names for one, names in bibliography.cited(texts)}
    assert found == {"gqa": ["a"], "dpo": ["b"]}


@pytest.mark.parametrize("one", REFERENCES, ids=lambda one: one.id)
def test_a_reference_is_whole(one):
    assert one.title.strip() == one.title and one.title and one.confidence in LEVELS
    assert one.sources or one.confidence == "memory-only"
    if one.arxiv:
        assert re.fullmatch(r"\d{4}\.\d{5}|\d{4}\.\d{4}", one.arxiv)
        assert one.url == f"https://arxiv.org/abs/{one.arxiv}"
        month = int(one.arxiv[2:4])
        assert 1 <= month <= 12 and 2000 + int(one.arxiv[:2]) == one.year
        assert len(one.arxiv) == (10 if one.arxiv >= "1501" else 9)
    if one.id in PAPERS:
        assert PAPERS[one.id]["title"].startswith(one.title)
        assert one.confidence == PAPERS[one.id]["confidence"]


def test_references_differ():
    for field in ("id", "url", "title"):
        values = [getattr(one, field) for one in REFERENCES if getattr(one, field)]
        assert len(values) == len(set(values)), field
    own = read("references")
    assert not {one["id"] for one in own["references"]} & set(PAPERS)
    assert set(own["authors"]) <= set(PAPERS), "authors of what the ledger lists"
    assert all(entry["sources"] for entry in own["authors"].values())
    assert not {one["arxiv"] for one in own["references"] if one.get("arxiv")} & {
        p["arxiv"] for p in PAPERS.values()}, "the ledger has its title already"


def test_levels_are_earned():
    for one in read("references")["references"]:
        least = {"verified-2-sources": 2, "verified-1-source": 1, "memory-only": 0}
        assert len(one["sources"]) >= least[one["confidence"]], one["id"]


def test_every_link_of_the_outline_is_cited():
    links = [link for text in TEXTS.values() for link in bibliography.links(text)]
    assert len(bibliography.outline()) == 10
    for label, url in bibliography.outline():
        assert label and url in links, label
        assert bibliography.find(url)


@pytest.mark.parametrize("text, found", [
    ("[a](https://a.b/c). [d](http://e.f/g_(h))!",
     ["https://a.b/c", "http://e.f/g_(h)"]),
    ("[https://a.b/c](https://a.b/c) again", ["https://a.b/c", "https://a.b/c"]),
    ("(see https://a.b/c?d=1&e=2), or <https://x.y>.",
     ["https://a.b/c?d=1&e=2", "https://x.y"]),
    ("https://a.b/c/ and nothing", ["https://a.b/c/"]), ("no link", [])])
def test_links(text, found):
    assert bibliography.links(text) == found


@pytest.mark.parametrize("link, number", [
    ("https://arxiv.org/abs/2307.09288", "2307.09288"),
    ("https://arxiv.org/pdf/2307.09288v2.pdf", "2307.09288"),
    ("http://arxiv.org/html/0706.1234", "0706.1234"),
    ("https://arxiv.org/list/cs.CL", None), ("https://a.b/2307.09288", None)])
def test_arxiv_of(link, number):
    assert bibliography.arxiv_of(link) == number


def test_an_unknown_link_is_one_line_that_says_what_to_do():
    for link in ("https://arxiv.org/abs/9999.99999", "https://nobody.example/"):
        with pytest.raises(UserError, match=r"references\.json") as caught:
            bibliography.find(link)
        assert link in str(caught.value) and "\n" not in str(caught.value)


def test_the_page_lists_every_number_and_link():
    page = pages.bibliography_page()
    for one, notebooks in bibliography.cited(TEXTS):
        assert f'href="{one.url}"'.replace("&", "&amp;") in page
        assert not one.arxiv or f"arXiv {one.arxiv}." in page
        for name in notebooks:
            assert f'href="{name}.html"' in page


# The pages ----------------------------------------------------------------------

def test_pages_are_whole_escaped_and_ask_nothing_of_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "PAGES", tmp_path)
    pages.write_reference_pages()
    for name in ("map", "glossary", "bibliography"):
        text = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n")
        assert not re.search(r"<(?:script|link|img|iframe)|src=|@import|url\(", text)
        assert text.count("<table") == text.count("</table>")
        assert not re.search(r"\{\{|\*\*", text), "left unfilled"
        for target in re.findall(r'href="#([^"]+)"', text):
            assert f'id="{target}"' in text, target


def test_a_link_leads_to_the_cell_of_its_heading():
    first = pages.stretches()[0]
    html = pages.link(first.notebook, first.heading)
    assert f'href="{first.notebook}.html#cell-id=overview-01"' in html
    assert pages.link("00_overview", "Gone & lost") == "00 Gone &amp; lost"


def test_a_link_that_nobody_wrote_down_does_not_stop_a_build():
    [(one, names)] = bibliography.cited({"a": "see https://nobody.example/x."})
    assert (one.url, one.title, names) == (*["https://nobody.example/x"] * 2, ["a"])
    assert "not confirmed" in pages._reference(one, names)


def test_texts_of_the_map_cannot_break_out_of_the_page(monkeypatch):
    evil = replace(paper_map.item("table_4"), subject="<script>x</script>", why="a & b",
                   functions=("<i>",))
    row = pages._row(evil)
    assert "<script" not in row and "<i>" not in row and "a &amp; b" in row
