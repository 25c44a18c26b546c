"""The ledger: look-ups, placeholders, tables and how they are shown."""

import json
import math
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minillama import paper
from minillama.errors import UserError
from minillama.paper import ledger, placeholders, render

LEDGER = json.loads((ledger.DATA / "llama2.json").read_text(encoding="utf-8"))
CONTEXT = json.loads((ledger.DATA / "context.json").read_text(encoding="utf-8"))
TABLES = LEDGER["tables"]
LEVELS = {"verified-2-sources", "verified-1-source", "memory-only"}
ENTRIES = [(f"fact:{e['id']}", e) for e in LEDGER["facts"]] + [
    (f"context:{section}.{e['id']}", e) for section in ledger.CONTEXT
    for e in CONTEXT[section]]


@pytest.fixture
def forged(monkeypatch):
    """The ledger with a few entries of our own."""
    fact = {"confidence": "verified-1-source", "sources": ["x"], "where": "Sec 0"}
    facts = [{**fact, "id": "sure", "value": 7.5},
             {**fact, "id": "read_off", "value": 1.74, "approx": True},
             {**fact, "id": "rumour", "value": 3, "confidence": "memory-only"},
             {"id": "bare", "value": 3},
             {**fact, "id": "half", "value": {"known": 1, "rumour": 2, "none": None},
              "memory_only_fields": ["rumour"]},
             {**fact, "id": "v0", "value": 0}, {**fact, "id": "v0.1", "value": {
                 "a.b": [10, {"c": 5_000_000_000}], "a": 4}}]
    table = {**fact, "label": "<Two> rows", "columns": ["name", "size", "score"],
             "rows": [["one & only", "7B", None], ["twin", "7B", 1.5],
                      ["twin", "13B", {"x": 2.0}]], "note": ""}
    made = {"facts": facts, "tables": {"table_0": table, "table_00": {
        **table, "confidence": "memory-only"}}, "equations": {"e": {
            **fact, "latex": "x^2", "meaning": "a <square>"}}}
    real = ledger._load
    monkeypatch.setattr(ledger, "_load",
                        lambda name: made if name == "llama2" else real(name))


# Look-ups -----------------------------------------------------------------------

def test_entries_have_names_of_their_own_sources_and_a_level():
    names = [name for name, _ in ENTRIES]
    assert len(names) == len(set(names)) and len(names) > 400
    for name, entry in [*ENTRIES, *TABLES.items(), *LEDGER["equations"].items()]:
        assert entry["confidence"] in LEVELS, name
        least = {"verified-2-sources": 2, "verified-1-source": 1, "memory-only": 0}
        assert len(entry["sources"]) >= least[entry["confidence"]], name



def test_every_entry_is_found_under_its_name():
    for name, entry in ENTRIES:
        kind, _, id = name.partition(":")
        found = (paper.fact(id) if kind == "fact" else
                 paper.context(*id.split(".", 1)))
        assert found.raw == entry and found.confidence == entry["confidence"]
        assert found.sources == entry["sources"]


@pytest.mark.parametrize("look, says", [
    (lambda: paper.fact("context_lenght"), "context_length"),
    (lambda: paper.table("table2"), "table_2"),
    (lambda: paper.equation("x"), "no equation 'x'"),
    (lambda: paper.context("model", "llama2-7b"), "models"),
    (lambda: paper.context("models", "lama2-7b"), "llama2-7b"),
    (lambda: paper.table("table_2").cell("Llama 2 7b", "GPU hours"), "Llama 2 7B"),
    (lambda: paper.table("table_2").cell("Llama 2 7B", "GPU hour"), "GPU hours"),
    (lambda: paper.table("table_3").cell("MPT", "Code"), "2 rows 'MPT'"),
    (lambda: paper.show_table("table_2", columns=["hours"]), "GPU hours"),
    (lambda: paper.fill("{{fact:context_lenght}}"), "context_length"),
    (lambda: paper.fill("{{context:models}}"), "ledger has no"),
    (lambda: paper.fill("{{context:models.lama2-7b.layers}}"), "llama2-7b"),
    (lambda: paper.fill("{{table:table_2|Llama 2 7B}}"), "table|row|column"),
    (lambda: paper.fill("{{fact:context_length|.1x}}"), "cannot be printed"),
    (lambda: paper.fill("{{fact:params_non_embedding}}"), "no single value"),
    (lambda: paper.fill("{{fact:params_non_embedding.8B}}"), "no '8B'"),
    (lambda: paper.fill("{{table:table_21|MPT / 7B|HumanEval pass@100}}"),
     "no single value"),
    (lambda: paper.fill("{{facts:context_length}}"), "not understood"),
    (lambda: paper.fill("{{context:papers.shadow-alignment.x}}"), "has no 'x'")])
def test_names_that_lead_nowhere_are_one_line_with_a_hint(look, says):
    with pytest.raises(UserError) as caught:
        look()
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_an_entry_speaks_of_a_field_it_lacks():
    with pytest.raises(AttributeError, match="context_length has no 'colour'"):
        paper.fact("context_length").colour
    assert [e.id for e in paper.facts("Figure 24")] == ["fig_24", "fig_24_readoff"]


# Placeholders -------------------------------------------------------------------

@pytest.mark.parametrize("text, filled", [
    ("{{fact:sure}} and {{ fact:sure | .2f }}", "7.5 and 7.50"),
    ("{{fact:read_off}}", "about 1.74"), ("{{fact:half.known}}", "1"),
    ("{{fact:v0}}", "0"), ("{{fact:v0.1.a.b.0}}", "10"), ("{{fact:v0.1.a}}", "4"),
    ("{{fact:v0.1.a.b.1.c}}", "5 billion"),
    ("{{table:table_0|twin / 7B|score}}", "1.5"),
    ("{{table:table_0|one & only|size}}", "7B"),
    ("no { {fact:x} }", "no { {fact:x} }")])
def test_placeholders_become_values(forged, text, filled):
    assert paper.fill(text) == filled


@pytest.mark.parametrize("text", [
    "{{fact:rumour}}", "{{fact:bare}}", "{{fact:half.rumour}}", "{{fact:half.none}}",
    "{{table:table_00|twin / 7B|score}}", "{{table:table_0|twin|score}}"])
def test_what_no_source_confirms_is_refused(forged, text):
    with pytest.raises(UserError):
        paper.fill(f"It is {text}.")


def test_ledgers_with_dots_in_their_names_are_reached():
    layers = paper.context("models", "tinyllama-1.1b").value["layers"]
    assert paper.fill("{{context:models.tinyllama-1.1b.layers}}") == str(layers)


WORDS = {"trillion": 10**12, "billion": 10**9}


def number(text: str) -> float:
    """A number as a person reads it."""
    digits, _, word = text.replace(",", "").partition(" ")
    return float(digits) * WORDS.get(word, 1)


@given(st.integers(-10**15, 10**15) | st.floats(-1e17, 1e17))
@example(2 * 10**12).via("tokens of pretraining")
@example(2.0e12).via("the same as a float")
@example(6738415616).via("not round, so digit by digit")
def test_a_number_reads_as_itself(value):
    read = number(placeholders.readable(value))
    exact = isinstance(value, int) and not any(
        value % (size // 10) == 0 for size in WORDS.values())
    assert read == value if exact else math.isclose(read, value, rel_tol=1e-5)


@pytest.mark.parametrize("value, text", [
    (True, "yes"), (2 * 10**12, "2 trillion"), (34 * 10**9, "34 billion"),
    (3311616, "3,311,616"), (4096, "4096"), (3e-4, "0.0003"), (400.0, "400"),
    (math.nan, "nan"), (math.inf, "inf"), ([1, 2.5, "a"], "1, 2.5, a"),
    ({"he": 1.0}, "he 1")])
def test_readable(value, text):
    assert placeholders.readable(value) == text


# Tables -------------------------------------------------------------------------

@pytest.mark.parametrize("id", TABLES)
def test_every_cell_of_a_table_is_reached(id):
    table, columns = paper.table(id), TABLES[id]["columns"]
    assert len(set(columns)) == len(columns) and table.number in id
    for row in TABLES[id]["rows"]:
        assert len(row) == len(columns)
        for n in (1, 2, 3):
            same = [r for r in TABLES[id]["rows"] if r[:n] == row[:n]]
            if len(same) == 1:
                break
        label = " / ".join(map(str, row[:n]))
        for column, value in zip(columns, row):
            assert table.cell(label, column) == value
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                text = paper.fill(f"{{{{table:{id}|{label}|{column}}}}}")
                assert math.isclose(number(text), value, rel_tol=1e-5), text


class Reader(HTMLParser):
    """What a browser reads: texts by element, and all elements."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "elements do not nest"

    def handle_data(self, data):
        self.texts[self.open[-1]][-1] += data


TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)


@given(TEXT, TEXT, TEXT)
@example("<b>", "</td><script>alert(1)</script>", "&amp; \" '").via("breaking out")
def test_a_table_shows_texts_as_they_are(caption, head, value):
    page = Reader(render.html_table([head, "n"], [[value, 1], [None, math.nan]],
                                    caption))
    assert page.texts["caption"] == [caption] and page.texts["th"] == [head, "n"]
    assert page.texts["td"] == [value, "1", "", "nan"]
    assert set(page.elements) == {"table", "caption", "thead", "tr", "th", "tbody",
                                  "td"}


def test_numbers_take_the_format_and_rows_the_emphasis():
    html = render.html_table(["a", "b"], [["x", 1.239], ["y", 2]], "c", ".1f", [1])
    assert Reader(html).texts["td"] == ["x", "1.2", "y", "2"]
    assert html.count("font-weight:600") == 1
    assert html.index("font-weight:600") > html.index("1.2")


@pytest.fixture
def shown(monkeypatch):
    """What render displays, in order."""
    seen = []
    monkeypatch.setattr(render, "display", lambda thing: seen.append(thing.data))
    return seen


def test_a_table_of_the_paper_says_where_it_stands(forged, shown):
    paper.show_table("table_0", columns=["score", "name"], rows=[2, 0])
    page = Reader(shown[0])
    assert page.texts["th"] == ["score", "name"]
    assert page.texts["td"] == ["x 2", "twin", "", "one & only"]
    assert page.texts["caption"][0].startswith("Llama 2 paper, Table 0: <Two> rows (")
    paper.show_table("table_00")
    assert "not confirmed by a source" in shown[1]


def test_an_equation_says_what_it_means(forged, shown):
    paper.show_equation("e")
    assert "x^2" in shown[0] and Reader(shown[1]).texts["p"] == ["Sec 0: a <square>"]


@pytest.mark.parametrize("id", LEDGER["equations"])
def test_equations_are_whole(id):
    latex = paper.equation(id).latex
    assert latex.count("{") == latex.count("}") and latex.count("\\left") == len(
        re.findall(r"\\right(?!arrow)", latex)) + latex.count("\\leftarrow")
