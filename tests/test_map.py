"""The map of the paper: complete, true to the notebooks, and they to it."""

import ast
import importlib
import inspect
import re
import textwrap
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from minillama import paper, stages
from minillama.build import reference_pages as pages
from minillama.build.incremental import stages_used
from minillama.build.lint import DECIMAL
from minillama.build.source import sources
from minillama.errors import UserError
from minillama.paper import ledger
from minillama.paper import map as paper_map

ITEMS = paper_map.items()
IDS = [one.id for one in ITEMS]
LEDGER = ledger._load("llama2")
STRETCHES = {(s.notebook, s.heading): s for s in pages.stretches()}
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in sources()}
# what shows or says without computing anything
TELLING = {"show_table", "show_equation", "algorithm", "formal_llama2", "side_by_side",
           "print", "fact", "context"}


def numbers(kind: str) -> list[int]:
    return sorted(int(i.number) for i in ITEMS if i.kind == kind and i.number.isdigit())


def calls(code: str) -> set[str]:
    """Last names of all that a piece of notebook code calls."""
    plain = "\n".join(line for line in code.splitlines()
                      if not line.lstrip().startswith(("%", "!")))
    return {ast.unparse(node.func).split(".")[-1] for node in ast.walk(ast.parse(plain))
            if isinstance(node, ast.Call)}


def dangling(one: paper_map.Item) -> list[str]:
    """Places that lead nowhere, or that are called live and compute nothing."""
    found = []
    for place in one.places:
        stretch = STRETCHES.get((place.notebook, place.heading))
        if stretch is None:
            found.append(f"{place.notebook} has no heading {place.heading!r}")
        elif place.live and not calls(stretch.code) - TELLING:
            found.append(f"nothing is computed under {place.heading!r}")
    return found


def resolve(name: str) -> object:
    """What a dotted name of ours stands for."""
    parts = name.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            thing = getattr(thing, part)
        return thing
    raise ImportError(name)


@cache
def reached(stage: str) -> frozenset[str]:
    """Names of all functions and classes of ours that making a stage may call, found
    by following names through the sources from its ``make``."""
    found: set[str] = set()
    waiting = [stages.STAGES[stage].make]
    while waiting:
        one = inspect.unwrap(waiting.pop())
        if f"{one.__module__}.{one.__qualname__}" in found:
            continue
        found.add(f"{one.__module__}.{one.__qualname__}")
        scope = vars(inspect.getmodule(one))
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(one)))):
            thing = None
            if isinstance(node, ast.Name):
                thing = scope.get(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                thing = getattr(scope.get(node.value.id), node.attr, None)
            if (inspect.isfunction(thing) or inspect.isclass(thing)) and (
                    thing.__module__.startswith("minillama.")):
                waiting.append(thing)
    return frozenset(found)


def used_in(name: str, notebook: str) -> bool:
    """Whether a notebook's code names the function, or opens a stage made with it."""
    code = "\n".join(s.code for s in STRETCHES.values() if s.notebook == notebook)
    if re.search(rf"\b{name.split('.')[-1]}\b", code):
        return True
    thing = resolve(name)
    own = f"{thing.__module__}.{thing.__qualname__}"
    return any(own in reached(stage) for stage in stages_used(SOURCES[notebook]))


def sections_named(source: str) -> set[str]:
    """Sections in the line of a title that says what of the paper is treated."""
    line = re.search(r"\*\*Paper\*\*: (.*?)\*\*Minutes", source, re.S)
    found: list[str] = []
    number = r"(?:A\.)?\d(?:\.\d)*"
    pattern = (rf"(?:[Ss]ections?|[Aa]ppendi(?:x|ces)) "
               rf"({number}(?:(?:, | and | to ){number}(?![\d.]*\d))*)")
    for listed in re.findall(pattern, line[1] if line else ""):
        for word, one in re.findall(rf"(to )?({number})", listed):
            if word:
                stem, last = one.rsplit(".", 1)
                first = int(found[-1].rsplit(".", 1)[1])
                found += [f"{stem}.{n}" for n in range(first + 1, int(last) + 1)]
            else:
                found.append(one)
    return set(found)


# Completeness -------------------------------------------------------------------

def test_every_numbered_thing_of_the_paper_is_on_the_map():
    for kind in ("table", "figure", "equation"):
        assert numbers(kind) == list(range(1, paper_map.total(kind) + 1)), kind
    assert [i.number for i in ITEMS if i.kind == "section"] == [
        s["number"] for s in LEDGER["sections"]]
    assert len(IDS) == len(set(IDS))


def test_every_equation_and_table_of_the_ledger_is_on_the_map_once():
    named = Counter(name for one in ITEMS for name in one.ledger)
    for name in [f"equation:{e}" for e in LEDGER["equations"]] + [
            f"table:{t}" for t in LEDGER["tables"]]:
        assert named[name] == 1, name


@pytest.mark.parametrize("one", ITEMS, ids=IDS)
def test_a_subject_rests_on_the_ledger_or_on_a_named_source(one):
    raw = next(r for r in paper_map.read("map")["items"] if r["id"] == one.id)
    assert one.ledger or raw.get("sources") or (
        one.subject == "subject not in the ledger")
    sections = {s["number"] for s in LEDGER["sections"]}
    for name in one.ledger:
        kind, _, id = name.partition(":")
        if kind == "section":
            assert id in sections and id == one.number
        else:
            entry = getattr(paper, kind)(id)
            if one.kind in ("table", "figure") and kind == "fact":
                label = rf"{one.kind.capitalize()}s? {one.number}(?!\d)"
                assert re.search(label, entry.where), f"{id} is of {entry.where}"


@pytest.mark.parametrize("one", ITEMS, ids=IDS)
def test_an_item_says_what_became_of_it_and_why(one):
    assert one.kind in paper_map.KINDS and one.part in ("main", "appendix")
    assert one.status in paper_map.STATUSES and one.subject.strip()
    assert one.why or one.status in ("exact", "scaled down")
    assert not DECIMAL.findall(f"{one.subject} {one.why} {one.testable_why}")
    if one.kind in ("table", "figure"):
        assert isinstance(one.testable, bool) and one.testable_why
    live = [place for place in one.places if place.live]
    if one.status == "not covered":
        assert not live and not one.functions
    elif one.kind != "section" or live or one.functions:
        assert live and one.functions
    else:
        assert one.why, "a section without a slide of its own says why"


# To the notebooks, and back -----------------------------------------------------

def test_headings_of_a_notebook_differ():
    names = Counter((s.notebook, s.heading) for s in pages.stretches())
    assert [name for name, n in names.items() if n > 1] == []


@pytest.mark.parametrize("one", ITEMS, ids=IDS)
def test_every_place_is_a_heading_and_live_ones_compute(one):
    assert dangling(one) == []
    assert len(set(one.places)) == len(one.places)


@pytest.mark.parametrize("one", ITEMS, ids=IDS)
def test_every_function_exists_and_its_notebook_uses_it(one):
    notebooks = {place.notebook for place in one.places if place.live}
    for name in one.functions:
        assert callable(resolve(name)), name
        assert any(used_in(name, notebook) for notebook in notebooks), name


@pytest.mark.parametrize("notebook", SOURCES)
def test_what_a_notebook_speaks_of_lists_that_notebook(notebook):
    for id in sorted(paper_map.mentions(SOURCES[notebook])):
        listed = {place.notebook for place in paper_map.item(id).places}
        assert notebook in listed, (
            f"{notebook} speaks of {id}; list it there in the map (live: false if it "
            "only tells)")


@pytest.mark.parametrize("notebook", SOURCES)
def test_the_sections_that_a_title_names_list_that_notebook(notebook):
    for number in sorted(sections_named(SOURCES[notebook])):
        listed = {p.notebook for p in paper_map.item(f"section_{number}").places}
        assert notebook in listed, f"section {number}"


def test_the_checks_notice_what_is_wrong():
    one = paper_map.item("equation_1")
    place = one.places[0]
    gone = replace(place, heading="Is it right? Ask nobody")
    idle = paper_map.Place("00_overview", "Near GPT-3.5 except in code, far from GPT-4",
                           live=True)
    assert dangling(one) == []
    assert "no heading" in dangling(replace(one, places=(gone,)))[0]
    assert "nothing is computed" in dangling(replace(one, places=(idle,)))[0]
    assert not used_in("minillama.alignment.losses.combine", "02_rmsnorm")
    assert used_in("minillama.alignment.losses.combine", "11_ppo")
    assert used_in("minillama.alignment.judging.judge_policy", "10_rejection_sampling")
    assert not used_in("minillama.alignment.ghost.converse", "10_rejection_sampling")
    with pytest.raises((ImportError, AttributeError)):
        resolve("minillama.alignment.losses.combined")
    with pytest.raises(UserError, match="table_53"):
        paper_map.item("table_53")


@pytest.mark.parametrize("text, ids", [
    ("Table 5, and Figures 7 and 8.", {"table_5", "figure_7", "figure_8"}),
    ("tables 20 to 22 and Figure 17a",
     {"table_20", "table_21", "table_22", "figure_17"}),
    ("equation 16 of the RoPE paper", set()), ("use its equations 13 to 15", set()),
    ("Table 2 of the same paper has twelve", set()),
    ("Figure 2 of the paper defines it", {"figure_2"}),
    ("Table 3 of the Llama 2 paper", {"table_3"}),
    ('paper.show_table("table_9a")', {"table_9"}),
    ("{{table:table_27|Margin Small|Better}}", {"table_27"}),
    ('paper.show_equation("final_reward")', {"equation_4"}),
    ('paper.equation("rmsnorm").latex', {"equation_rmsnorm"}),
    ('paper.fact("fig_11_readoff") {{fact:fig_7.max.0}}', {"figure_11", "figure_7"}),
    ("a table 5 metres long", {"table_5"}),  # rather one too many than one too few
    ("notebook 07, step 4, 70B", set())])
def test_mentions(text, ids):
    assert paper_map.mentions(text) == ids


@pytest.mark.parametrize("line, found", [
    ("**Paper**: sections 2, 2.1 and 2.3. **Minutes**", {"2", "2.1", "2.3"}),
    ("**Paper**: section 4 and A.4, Figures 3, 14 to 16. **Minutes**", {"4", "A.4"}),
    ("**Paper**: sections 3.2.1 and 3.2.2, appendices A.3.1 to A.3.4. **Minutes**",
     {"3.2.1", "3.2.2", "A.3.1", "A.3.2", "A.3.3", "A.3.4"}),
    ("**Paper**: section 3.2.3, Figures 7 and 8. **Minutes**", {"3.2.3"}),
    ("nothing", set())])
def test_sections_named(line, found):
    assert sections_named(line) == found


# The share ----------------------------------------------------------------------

def test_most_of_what_can_be_tried_has_a_live_counterpart():
    live, can = paper_map.share()
    tables = [i for i in ITEMS if i.kind in ("table", "figure") and i.part == "main"]
    assert can == sum(i.testable for i in tables) and can > len(tables) / 2
    assert live / can >= 0.6
    close, same = paper_map.share(("exact", "scaled down"))
    differ = sum(i.status == "differs" for i in tables if i.testable)
    assert same == can and close == live - differ < live


def test_the_main_text_ends_where_the_appendix_begins():
    for kind, last in (("table", 15), ("figure", 23)):
        main = [int(i.number) for i in ITEMS if i.kind == kind and i.part == "main"]
        assert main == list(range(1, last + 1))
    for one in ITEMS:
        for name in one.ledger:
            if name.startswith("fact:") and one.kind in ("table", "figure"):
                where = paper.fact(name.removeprefix("fact:")).where
                assert one.part == "appendix" or "A." not in where, name


def test_coverage_adds_up():
    text = paper_map.coverage()
    for line, kind in zip(text.splitlines()[2:], paper_map.KINDS):
        cells = [int(n) for n in re.findall(r"\d+", line)]
        assert sum(cells[:-1]) == cells[-1] == sum(i.kind == kind for i in ITEMS)
    live, can = paper_map.share()
    assert f"Of the {can} tables" in text and f"{live} (" in text
