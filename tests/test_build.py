"""The build: from source to notebook, what runs, and what does not run again."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from build_fixtures import quick, run_cli, tree  # noqa: F401

from minillama import files
from minillama.build import execute, incremental, make, paths, source
from minillama.build.student import strip_solutions, student_edition
from minillama.errors import UserError

TOY = Path(__file__).parent / "fixtures" / "00_toy.py"

# From source to notebook --------------------------------------------------------

def test_a_source_becomes_a_notebook_with_fixed_ids_and_numbers(tree):
    path = tree.write("03_tiny_one", "a = '{{fact:no_such}}'\n\n# %% [markdown]\n"
                      "# It reads {{fact:context_length}} tokens.\n\n# %%\nb = 1")
    notebook = source.read(path)
    assert [c.id for c in notebook.cells] == [f"tiny_one-0{n}" for n in (1, 2, 3, 4)]
    assert notebook.cells[2].source == "It reads 4096 tokens."
    assert notebook.cells[1].source == "a = '{{fact:no_such}}'"  # code is left alone
    assert notebook.metadata["title"] == "A tiny notebook"
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) == nbformat.writes(source.read(path))


@pytest.mark.parametrize("cell, fragments", [
    ("1\n# %% [markdown]\n# a {{fact:context_lenght}} b", ["00_t.py", "cell t-03",
                                                           "context_length"]),
    ("1\n# %%\n2\n# %% [markdown]\n# {{figure:1}}", ["cell t-04", "not understood"])])
def test_a_number_that_leads_nowhere_names_notebook_and_cell(tree, cell, fragments):
    path = tree.write("00_t", cell)
    with pytest.raises(UserError) as caught:
        source.read(path)
    assert all(f in str(caught.value) for f in fragments), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b""])
def test_a_source_that_cannot_be_read_is_named(tree, content):
    path = tree.sources / "00_bad.py"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="00_bad.py"):
        source.read(path)


def test_notebooks_are_chosen_by_number_or_name(tree):
    for name in ("00_a", "03_b", "10_c", "notes"):
        tree.write(name)

    def stems(*wanted):
        return [p.stem for p in source.sources(list(wanted))]

    assert stems() == ["00_a", "03_b", "10_c"] == stems("10", "0", "03_b", "3")
    with pytest.raises(UserError, match="'1': one of 00_a, 03_b, 10_c"):
        stems("1")


# Incremental --------------------------------------------------------------------

def test_a_notebook_is_run_once_and_everything_follows_from_it(tree, capsys):
    shutil.copyfile(TOY, tree.sources / "00_toy.py")
    assert run_cli(capsys, "build")[0] == 0
    notebook = tree.notebook("00_toy")
    by_tag = {tag: cell for cell in notebook.cells for tag in source.tags(cell)}
    assert by_tag["result"].outputs[0].text.startswith("2 [")
    assert "4096 tokens" in notebook.cells[0].source
    live = by_tag["live"]
    assert (live.outputs, live.execution_count) == ([], None)
    names = {p.name for p in tree.places["FIGURES"].iterdir()}
    assert names == {"00_line.svg", "00_line.png", "00_line.json", "README.md"}
    listed = (tree.places["FIGURES"] / "README.md").read_text(encoding="utf-8")
    assert "A rising line" in listed and "from notebook 00_toy" in listed
    text = (tree.root / "README.md").read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "| [00_toy](notebooks/00_toy.ipynb) | A toy notebook says one " in text
    assert 'href="slides/00_toy.html"' in (
        tree.places["OUT"] / "index.html").read_text(encoding="utf-8")
    state = incremental.load_state()["00_toy"]
    assert state["warnings"] == 0 and state["memory"] > 5e7 and state["seconds"] > 0
    before = tree.contents()
    code, said = run_cli(capsys, "build")
    assert code == 0 and "no notebook has to run" in said and tree.contents() == before


def test_a_second_build_runs_nothing_and_says_so(tree, quick, capsys):
    tree.write("00_a"), tree.write("01_b")
    assert "2 of 2 notebooks to run" in run_cli(capsys, "build")[1]
    before = tree.contents()
    assert "no notebook has to run" in run_cli(capsys, "build")[1]
    assert quick == ["00_a", "01_b"] and tree.contents() == before
    tree.write("01_b", "print(2)")
    assert "1 of 2 notebooks to run" in run_cli(capsys, "build")[1]
    assert quick == ["00_a", "01_b", "01_b"]
    assert tree.notebook("01_b").cells[1].source == "print(2)"


@pytest.mark.parametrize("lost", ["notebooks/00_a.ipynb", "build/state/00_a.json"])
def test_what_is_lost_or_damaged_is_made_again(tree, quick, lost):
    tree.write("00_a")
    make.build()
    (tree.root / lost).write_text("{", encoding="utf-8")
    make.build()
    (tree.root / lost).unlink()
    make.build()
    assert quick == ["00_a"] * 3 and len(tree.notebook("00_a").cells) == 2


@pytest.mark.parametrize("lost", ["slides/00_a.html", "student/00_a.ipynb"])
def test_a_page_that_is_lost_is_written_without_running(tree, quick, lost):
    tree.write("00_a")
    make.build()
    (tree.places["OUT"] / lost).unlink()
    make.build()
    assert quick == ["00_a"] and (tree.places["OUT"] / lost).exists()


@pytest.mark.parametrize("file, changes", [
    ("src/minillama/rope.py", True), ("src/minillama/errors.py", True),
    ("src/minillama/paper/data/llama2.json", True), ("requirements.txt", True),
    ("src/minillama/build/execute.py", True), ("src/minillama/tokenizer.py", False),
    ("src/minillama/pasture/__init__.py", False),
    ("src/minillama/build/export.py", False)])
def test_a_notebook_depends_on_what_it_imports(tree, monkeypatch, file, changes):
    path = tree.write("00_a", "from minillama.rope import rotary_table")
    before = incremental.notebook_key(path)
    real, changed = incremental._bytes, paths.ROOT / file
    assert changed.exists()
    monkeypatch.setattr(incremental, "_bytes",
                        lambda p: real(p) + (b"#" if p == changed else b""))
    assert (incremental.notebook_key(path) != before) is changes


def test_a_notebook_depends_on_its_stages_and_those_below(tree, monkeypatch):
    path = tree.write("00_a", 'stages.get("base")')
    used = incremental.stages_used(path.read_text(encoding="utf-8"))
    assert used[-1] == "base" and "tokenizer" in used
    assert incremental.stages_used('stages.get("no_such")') == []
    claims = incremental.stages_used("from minillama.teach.claims import gather")
    assert {"ablations", "rlhf", "forgetting", "ghost"} < set(claims)
    before = incremental.notebook_key(path)
    monkeypatch.setattr(incremental.stages, "key", lambda name: "other")
    assert incremental.notebook_key(path) != before


@pytest.mark.parametrize("edit", ["cell", "damage"])
def test_a_notebook_edited_by_hand_is_kept(tree, quick, capsys, edit):
    tree.write("00_a")
    make.build()
    written = tree.places["NOTEBOOKS"] / "00_a.ipynb"
    for number in (1, 2):
        if edit == "cell":
            mine = tree.notebook("00_a")
            mine.cells[1].source = f"my_own = {number}"
            nbformat.write(mine, written)
        else:
            written.write_text(f"{{ {number}", encoding="utf-8")
        theirs = written.read_bytes()
        _, said = run_cli(capsys, "build")
        aside = written.with_name(f"00_a.mine-{number}.ipynb")
        assert f"kept as {aside.name}" in said and aside.read_bytes() == theirs
        assert tree.notebook("00_a").cells[1].source == "print(1)"
    run_cli(capsys, "build")
    assert quick == ["00_a"] * 3
    assert len(list(written.parent.glob("*.ipynb"))) == 3


def test_running_a_notebook_by_hand_is_no_edit(tree, quick):
    tree.write("00_a")
    make.build()
    mine = tree.notebook("00_a")
    mine.cells[1].execution_count = 7
    nbformat.write(mine, tree.places["NOTEBOOKS"] / "00_a.ipynb")
    tree.write("00_a", "print(2)")
    make.build()
    assert not list(tree.places["NOTEBOOKS"].glob("*.mine-*"))


def test_figures_that_a_notebook_no_longer_makes_go(tree, monkeypatch):
    tree.write("00_a")
    wanted = []

    def run(notebook, name, figures):
        for stem in wanted:
            files.write_json(figures / f"{stem}.json", {"title": stem, "alt": "x"})
            files.write_bytes(figures / f"{stem}.png", b"png")
        return execute.Measured()

    monkeypatch.setattr(make, "execute", run)
    kept = tree.places["FIGURES"]
    kept.mkdir()
    (kept / "01_other.png").write_bytes(b"of another notebook")
    for wanted[:], code in ((["00_one", "00_two"], "1"), (["00_two"], "2")):
        tree.write("00_a", code)
        make.build()
        assert {p.stem for p in kept.glob("*.png")} == {"01_other", *wanted}


# Student edition ----------------------------------------------------------------

@pytest.mark.parametrize("code, left", [
    ("a\n    ### BEGIN SOLUTION\n    b\n\n    c\n    ### END SOLUTION\nd",
     'a\n    raise NotImplementedError("your turn")\nd'),
    ("# BEGIN SOLUTION (two ways)\nx\n#END SOLUTION",
     'raise NotImplementedError("your turn")'),
    ("### BEGIN SOLUTION\n1\n### END SOLUTION\nk\n### BEGIN SOLUTION\n2\n"
     "### END SOLUTION", 'raise NotImplementedError("your turn")\nk\n'
     'raise NotImplementedError("your turn")'),
    ("print('BEGIN SOLUTION')", "print('BEGIN SOLUTION')")])
def test_solutions_are_cut_out_and_nothing_else(code, left):
    assert strip_solutions(code) == left


def test_the_student_edition_of_the_toy():
    notebook = source.read(TOY)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="out")]
    before = nbformat.writes(notebook)
    edition = student_edition(notebook)
    text = "\n".join(cell.source for cell in edition.cells)
    assert "return 2 * x" not in text and "The answer is in" not in text
    assert "Ask what" not in text and 'NotImplementedError("your turn")' in text
    assert "assert twice(2) == 4" in text
    cleared = [c.id for c in edition.cells if c.cell_type == "code" and not c.outputs]
    assert cleared == [c.id for c in notebook.cells if "exercise" in source.tags(c)]
    assert nbformat.writes(notebook) == before


def test_the_environment_of_a_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "mine")
    there = execute.environment(tmp_path)
    assert there["PYTHONPATH"].split(os.pathsep) == [str(paths.OFFLINE), "mine"]
    assert there["MINILLAMA_FIGURES"] == str(tmp_path)
    monkeypatch.delenv("PYTHONPATH")
    assert execute.environment(None)["PYTHONPATH"] == str(paths.OFFLINE)
    assert there["PYTHONHASHSEED"] == "0" and there["HF_HUB_OFFLINE"] == "1"
