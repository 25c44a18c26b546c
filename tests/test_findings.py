"""A finding that does not come out is told to the reader, the presenter and the build."""

import re

import pytest
from build_fixtures import run_cli, tree  # noqa: F401
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minillama.build import export, lint, make
from minillama.build.execute import execute
from minillama.build.source import slide_type
from minillama.teach import findings

CODE = "from minillama.teach import holds\nholds(1 > 2, 'one is <more> than two')\nprint(3)"


@pytest.fixture
def shown(monkeypatch):
    seen = []
    monkeypatch.setattr(findings, "display", lambda data, raw, metadata:
                        seen.append((data, metadata)))
    return seen


def test_a_finding_that_came_out_says_nothing(shown):
    findings.holds(2 > 1, "two is more")
    assert shown == []


def test_a_finding_that_did_not_is_told_and_escaped(shown):
    findings.holds([], "<b> & more")
    (data, metadata), = shown
    assert "&lt;b&gt; &amp; more" in data["text/html"] and "<b>" not in data["text/html"]
    assert metadata == {"otherwise": data["text/plain"]}
    assert data["text/plain"].endswith("The text says: <b> & more.")


def marked(text="On this machine <x>."):
    return new_output("display_data", data={"text/html": "<p>note</p>"},
                      metadata={"otherwise": text})


def a_notebook():
    cells = []
    for name in ("first", "second"):
        head = new_markdown_cell(f"## {name}")
        head.metadata["slideshow"] = {"slide_type": "slide"}
        notes = new_markdown_cell(f"Ask about the {name} of the slides.")
        notes.metadata["slideshow"] = {"slide_type": "notes"}
        cells += [head, notes, new_code_cell("1", outputs=[
            new_output("stream", name="stdout", text="kept\n")])]
    cells[-1].outputs.insert(0, marked())
    return new_notebook(cells=cells)


def test_on_a_slide_it_goes_into_the_notes_of_that_slide_alone():
    before = a_notebook()
    made = export._otherwise_in_notes(export._notes_last(before))
    notes = [cell.source for cell in made.cells if slide_type(cell) == "notes"]
    assert "On this machine" not in notes[0]
    assert notes[1].startswith("**On this machine &lt;x&gt;.**")
    assert [len(c.outputs) for c in made.cells if c.cell_type == "code"] == [1, 1]
    assert len(before.cells[-1].outputs) == 2, "the notebook itself keeps it"


def test_in_a_kernel_the_run_goes_on_and_the_build_finds_the_note():
    notebook = new_notebook(cells=[new_code_cell(CODE, id="a")])
    execute(notebook, "findings", figures=None, progress=False)
    assert export.otherwise(notebook.cells[0]) == [
        "On this machine it came out otherwise. The text says: one is <more> than two."]
    said = [o.text for o in notebook.cells[0].outputs if o.output_type == "stream"]
    assert said == ["3\n"]
    assert "1 >" not in re.sub(r"\s", " ", export.page(notebook, "x").split("holds(")[0])


def test_the_closing_table_of_the_build_lists_it():
    rows = [make.Row("a", 1, 2**20, 3, 0), make.Row("b", 1, 2**20, 3, 0, ("Other.",))]
    assert make.report(rows).splitlines()[-1] == "b: Other."
    assert "Other" not in make.report(rows[:1])


def test_the_build_remembers_it_for_the_next_table(tree, monkeypatch, capsys):  # noqa: F811
    from minillama.build import execute as room

    def ran(notebook, name, figures):
        notebook.cells[-1].outputs = [marked("It differs.")]
        notebook.cells[-1].execution_count = 1
        return room.Measured(1.0, 2**20, 0)

    monkeypatch.setattr(make, "execute", ran)
    tree.write("01_one")
    for _ in range(2):  # the second builds nothing, and still knows
        status, said = run_cli(capsys, "build")
        assert status == 0 and "01_one: It differs." in said


def test_a_range_in_prose_may_rest_on_a_finding(tmp_path):
    source = ('# %% [markdown] tags=["range"]\n# It is between 0.5 and 0.9.\n\n'
              '# %%\nholds(0.5 < x < 0.9, "x is between")\n')
    path = tmp_path / "01_x.py"
    path.write_text(source, encoding="utf-8")
    from minillama.build.source import read
    assert not [f for f in lint.findings(path, read(path)) if "typed in prose" in f]
