"""The doctor: every ill is named with its cure, and health is not mistaken for one."""

from collections import namedtuple
from importlib.metadata import PackageNotFoundError

import nbformat
import pytest

from minillama.build import doctor, source

INSTALLED = {"here": "1.2", "local": "2.0+cpu", "other": "3.0"}
SOURCE = "# %% [markdown]\n# # A title\n\n# %%\nprint(1)\n"


@pytest.fixture
def healthy(tmp_path, monkeypatch):
    """A machine and a copy without any ill."""
    def version(name):
        if name not in INSTALLED:
            raise PackageNotFoundError(name)
        return INSTALLED[name]

    for name in ("NOTEBOOKS", "ROOT"):
        monkeypatch.setattr(doctor, name, tmp_path)
    monkeypatch.setattr(doctor, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(source, "SOURCES", tmp_path / "source")
    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "find_browser", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(doctor.stages, "problem", lambda name: None)
    space = namedtuple("Space", "free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: space(2**40))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "00_a.py").write_text(SOURCE, encoding="utf-8")
    require(tmp_path, "# a comment", "", "here==1.2", "local==2.0",
            'absent==1; python_version < "3"')
    write_notebook(tmp_path)
    return tmp_path


def require(folder, *lines):
    (folder / "requirements.txt").write_text("\n".join(lines), encoding="utf-8")


def write_notebook(folder, code: str = "print(1)"):
    notebook = source.read(folder / "source" / "00_a.py")
    notebook.cells[1].source = code
    nbformat.write(notebook, folder / "00_a.ipynb")


def ills() -> list[str]:
    """What is not well, after checking that all is said in single lines."""
    findings = list(doctor.examine())
    assert all(text and "\n" not in text for _, text in findings)
    return [text for well, text in findings if not well]


def test_a_healthy_copy_has_nothing_to_mend(healthy, capsys):
    assert ills() == [] and doctor.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok    ") for line in said)
    for part in ("Python 3", "GB of disk", "can be written", "chromium", "as pinned",
                 "stage base: ready", "00_a: in step"):
        assert any(part in line for line in said), part
    assert not (healthy / ".doctor-probe").exists()


def test_what_the_next_build_makes_is_no_ill(healthy, monkeypatch):
    (healthy / "00_a.ipynb").unlink()
    monkeypatch.setattr(doctor.stages, "problem", lambda name: "missing")
    monkeypatch.setattr(doctor, "find_browser", lambda: None)
    texts = [text for _, text in doctor.examine()]
    assert ills() == [] and "00_a: not built yet" in texts
    assert "stage base: missing; the next build makes it" in texts
    assert any("built but not measured" in text for text in texts)
    assert any("come with the first build" in text for text in texts)
    (healthy / "vendor").mkdir()
    assert any("front-end parts" in text and "are there" in text
               for _, text in doctor.examine())


def full_disk(folder, patch):
    patch.setattr(doctor.shutil, "disk_usage", lambda _: namedtuple("S", "free")(2**31))


def no_rights(folder, patch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")
    patch.setattr(type(folder), "touch", refuse)


def old_python(folder, patch):
    patch.setattr(doctor.sys, "version_info", (3, 9, 1))


def other_version(folder, patch):
    require(folder, "here==1.2", "other==3.1", "absent==1")


def broken_source(folder, patch):
    (folder / "source" / "00_a.py").write_text(
        "# %% [markdown]\n# {{fact:no_such_thing}}\n", encoding="utf-8")


ILLS = {  # the ill: how it comes about, what is said of it
    "disk": (full_disk, ["2.0 GB", "make room"]),
    "rights": (no_rights, ["cannot be written to", "Permission denied", "rights"]),
    "python": (old_python, ["Python"]),
    "packages": (other_version, ["other 3.0", "absent missing", "delete .venv"]),
    "stage": (lambda folder, patch: patch.setattr(
        doctor.stages, "problem", lambda n: "damaged" if n == "base" else None),
        ["stage base: damaged", "next build makes it"]),
    "edited": (lambda folder, patch: write_notebook(folder, "print(2)"),
               ["00_a: differs from its source", "build it"]),
    "notebook": (lambda folder, patch: (folder / "00_a.ipynb").write_text("{"),
                 ["00_a.ipynb is damaged", "build it"]),
    "source": (broken_source, ["00_a: its source needs mending", "no_such_thing"]),
}


@pytest.mark.parametrize("ill", ILLS)
def test_every_ill_is_named_alone_with_its_cure(healthy, monkeypatch, capsys, ill):
    cause, says = ILLS[ill]
    with monkeypatch.context() as patch:
        cause(healthy, patch)
        found, status = ills(), doctor.main()
    assert len(found) == 1 and all(part in found[0] for part in says), found
    said = capsys.readouterr().out
    assert status == 1 and said.count("MEND  ") == 1 and f"MEND  {found[0]}" in said
