"""Figures, sliders, tables and listings: what they show, and to whom."""

import ast
import base64
import inspect
import json
import os
import subprocess
import sys
import textwrap
import xml.etree.ElementTree
from html.parser import HTMLParser

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from minillama.build.check_decks import find_browser
from minillama.errors import UserError
from minillama.teach import algorithms, explorers, figures, frames, tables
from minillama.teach.formal import ALGORITHMS

frames_module = sys.modules["minillama.teach.frames"]
ALT = "Two lines cross in the middle of the picture."


def picture(height=1.0):
    fig, ax = figures.figure(4, 2)
    ax.plot([0, 1], [0, height])
    ax.set_title("Lines cross")
    return fig


@pytest.fixture
def shown(monkeypatch):
    """What any part of the room displays: (data, metadata)."""
    seen = []
    for module in (figures, frames_module, explorers, tables, algorithms):
        monkeypatch.setattr(module, "display", lambda thing, metadata=None, raw=False:
                            seen.append((getattr(thing, "data", thing), metadata)))
    return seen


# Figures ------------------------------------------------------------------------

def test_a_figure_is_shown_with_its_text_and_kept_in_three_files(shown, tmp_path,
                                                                 monkeypatch):
    monkeypatch.setenv("MINILLAMA_FIGURES", str(tmp_path))
    figures.show(picture(), ALT, "00_lines")
    data, metadata = shown[0]
    assert metadata == {"image/png": {"alt": ALT}} and data["text/plain"] == ALT
    assert {p.name for p in tmp_path.iterdir()} == {
        "00_lines.svg", "00_lines.png", "00_lines.json"}
    png = (tmp_path / "00_lines.png").read_bytes()
    assert png == data["image/png"] and png.startswith(b"\x89PNG\r\n\x1a\n")
    svg = xml.etree.ElementTree.parse(tmp_path / "00_lines.svg").getroot()
    assert svg.tag.endswith("svg")
    kept = json.loads((tmp_path / "00_lines.json").read_text(encoding="utf-8"))
    assert kept == {"title": "Lines cross", "alt": ALT}
    assert plt.get_fignums() == []


def test_without_a_folder_a_figure_is_only_shown(shown, tmp_path, monkeypatch):
    monkeypatch.delenv("MINILLAMA_FIGURES", raising=False)
    monkeypatch.chdir(tmp_path)
    figures.show(picture(), ALT, "00_lines")
    assert len(shown) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("alt", ["", "Lines cross", "One two three four five"])
def test_a_text_that_says_nothing_is_refused(shown, alt):
    with pytest.raises(UserError, match="full sentence"):
        figures.show(picture(), alt)
    plt.close("all")
    assert shown == []


MAKE = """
import hashlib
from minillama.teach import figures
fig, axes = figures.figure(4, 2, ncols=2)
axes[0].plot([0, 1], [0, 1], label="a")
axes[0].legend()
axes[1].fill_between([0, 1], [1, 2])
for kind in ("png", "svg"):
    print(hashlib.sha256(figures.picture(fig, kind)).hexdigest())
"""


def test_a_figure_is_the_same_bytes_in_every_process():
    said = {subprocess.run([sys.executable, "-c", MAKE], capture_output=True, text=True,
                           check=True, env={**os.environ, "PYTHONHASHSEED": seed,
                                            "MPLBACKEND": "agg"}).stdout
            for seed in ("1", "2")}
    assert len(said) == 1 and said.pop().count("\n") == 2
    assert figures.picture(picture(1)) != figures.picture(picture(2))
    plt.close("all")


# Sliders ------------------------------------------------------------------------

class Page(HTMLParser):
    """Elements with their attributes, texts and scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.scripts = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script":
            self.scripts.append(data)
        else:
            self.text += data

    def named(self, tag):
        return [values for name, values in self.elements if name == tag]


def draw(fig, **values):
    size = sum(len(str(v)) for v in values.values())
    fig.subplots().plot([0, 1], [0, size])


NASTY = "</script><img src=x> <!--<script> \" & ' <b> of it all"


def slider(shown, alt=ALT, **axes):
    """The page of a slider, and the data inside it."""
    frames(draw, alt if callable(alt) else lambda **_: alt, figsize=(1, 1), **axes)
    page = Page(shown[-1][0])
    return page, json.loads(page.scripts[0])


def test_a_slider_has_a_frame_and_a_text_for_every_combination(shown):
    page, data = slider(shown, lambda a, b: f"{a} with {b}", a=[1, 20], b=["x", "yy",
                                                                          0.5])
    assert data["labels"] == {"a": ["1", "20"], "b": ["x", "yy", "0.5"]}
    # the last axis moves fastest, as the script counts
    assert data["alts"] == [f"{a} with {b}" for a in (1, 20) for b in ("x", "yy", 0.5)]
    pictures = [base64.b64decode(frame) for frame in data["frames"]]
    assert len(pictures) == 6 and all(p.startswith(b"\x89PNG") for p in pictures)
    assert pictures[0] != pictures[5] and plt.get_fignums() == []
    inputs = page.named("input")
    assert [(i["name"], i["max"], i["aria-valuetext"]) for i in inputs] == [
        ("a", "1", "1"), ("b", "2", "x")]
    assert page.named("img")[0]["alt"] == "1 with x"
    assert page.named("img")[0]["src"].endswith(data["frames"][0])


def test_nothing_in_a_text_or_label_breaks_out(shown):
    page, data = slider(shown, NASTY, layers_used=[NASTY, "b"])
    assert [tag for tag, _ in page.elements] == ["div", "label", "input", "output",
                                                 "img", "script", "script"]
    assert data["alts"] == [NASTY] * 2 and data["labels"]["layers_used"][0] == NASTY
    assert page.named("img")[0]["alt"] == NASTY and "layers used" in page.text
    assert NASTY in page.text and "<" not in page.scripts[0]


@pytest.mark.parametrize("axes, number", [({"a": range(41)}, 41), ({"a": []}, 0),
                                          ({"a": range(7), "b": range(6)}, 42)])
def test_too_many_frames_are_refused(shown, axes, number):
    with pytest.raises(UserError, match=f"^{number} frames"):
        frames(draw, lambda **_: ALT, **axes)
    assert shown == []


def test_as_many_as_may_be(shown):
    assert len(slider(shown, a=range(8), b=range(5))[1]["frames"]) == 40
    assert slider(shown, a=[True, False])[1]["labels"]["a"] == ["True", "False"]


@pytest.mark.browser
def test_a_slider_moves_in_a_browser_whatever_its_texts(shown):
    from playwright.sync_api import sync_playwright
    slider(shown, lambda a, b: f"{NASTY} {a}{b}", a=[1, 2], b=["x", NASTY])
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find_browser())
        page, errors = browser.new_page(), []
        page.on("pageerror", lambda error: errors.append(error))
        page.set_content(f"<p id=p>{shown[-1][0]}</p><i>after</i>")
        first = page.locator("img").get_attribute("src")
        for name in ("a", "b"):
            page.locator(f"input[name={name}]").press("ArrowRight")
        assert page.locator("img").get_attribute("alt") == f"{NASTY} 2{NASTY}"
        assert page.locator("img").get_attribute("src") != first
        assert page.locator("output").all_inner_texts()[1].strip() == " ".join(
            NASTY.split())
        assert page.locator("img").count() == 1 and errors == []
        assert page.locator("body > i").inner_text() == "after"
        browser.close()


def test_an_explorer_draws_the_same_without_a_front_end(monkeypatch):
    boxes = []
    monkeypatch.setattr(explorers, "display", boxes.append)
    explorers.explore(draw, figsize=(2, 1), head_dim=[2, 4000], b=["x", "yyyyy"])
    *sliders, canvas = boxes[0].children
    assert [s.description for s in sliders] == ["head dim", "b"]
    assert isinstance(canvas, ipywidgets.Image)
    sliders[0].value, sliders[1].value = 4000, "yyyyy"
    fig = plt.figure(figsize=(2, 1))
    draw(fig, head_dim=4000, b="yyyyy")
    assert canvas.value == figures.picture(fig)
    plt.close("all")


def test_an_explorer_leaves_no_figure_open(monkeypatch):
    monkeypatch.setattr(explorers, "display", lambda _: None)
    explorers.explore(draw, a=[1, 2])
    assert plt.get_fignums() == []


# Tables and listings ------------------------------------------------------------

def test_tables_and_listings_escape(shown):
    tables.table([[NASTY, 1.25]], ["<a>", "b"], "<i>what</i> is seen", ".1f")
    tables.side_by_side("a < b", f"# {NASTY}\n", ("<one>", "two"))
    first, second = (Page(data) for data, _ in shown)
    assert not {"script", "img", "i", "b", "a"} & {tag for tag, _ in first.elements}
    assert NASTY in first.text and "<i>what</i> is seen" in first.text
    assert not {"script", "img", "b"} & {tag for tag, _ in second.elements}
    assert NASTY in second.text and "<one>" in second.text and "a < b" in second.text


def refusal(node) -> bool:
    return isinstance(node, ast.If) and not node.orelse and all(
        isinstance(part, ast.Raise) for part in node.body)


class Bare(ast.NodeTransformer):
    """A function without its docstring and without refusals."""

    def generic_visit(self, node):
        super().generic_visit(node)
        for field in ("body", "orelse"):
            if isinstance(getattr(node, field, None), list):
                kept = [part for part in getattr(node, field) if not refusal(part)]
                setattr(node, field, kept)
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node


@pytest.mark.parametrize("path", sorted({path for a in ALGORITHMS.values()
                                         for path in a.objects}))
def test_a_listing_is_the_source_without_refusals(path):
    source = textwrap.dedent(inspect.getsource(algorithms.resolve(path)))
    listed = algorithms.source_of(path)
    assert ast.dump(ast.parse(listed)) == ast.dump(Bare().visit(ast.parse(source)))
    ours = [line.strip() for line in listed.splitlines()]
    assert all(line in source for line in ours), "a line was changed"


def test_refusals_go_and_what_looks_like_one_stays():
    source = ("def f(x):\n    if x < 0:\n        raise ValueError(\n            'no')\n"
              "    for y in x:\n        if y:\n            raise ValueError\n"
              "        y += 1\n\n    if x:\n        x = 1\n    return x\n")
    without = algorithms._without_refusals(source)
    assert "raise" not in without and "if x < 0" not in without
    assert ast.dump(ast.parse(without)) == ast.dump(Bare().visit(ast.parse(source)))


def test_an_algorithm_stands_beside_its_source(shown):
    algorithms.algorithm("swiglu")
    algorithms.algorithm("swiglu", source=False)
    both, alone = (data for data, _ in shown)
    page = Page(both)
    shares = [values["style"] for tag, values in page.elements
              if tag == "div" and values.get("style", "").startswith("flex:")]
    assert [s.split(";")[0] for s in shares] == ["flex:2 1 0", "flex:3 1 0"]
    assert "src/minillama/feedforward.py" in page.text and "def forward" in page.text
    assert "def forward" not in alone and "Algorithm: SwiGLU" in alone
    algorithms.formal_llama2(("swiglu", "block", "llama"))
    pairs = [Page(data) for data, _ in shown[2:]]
    assert [len(pair.named("ol")) for pair in pairs] == [2, 1]
    with pytest.raises(UserError, match="no algorithm 'swiglo': one of .*swiglu"):
        algorithms.get("swiglo")
