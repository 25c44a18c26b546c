"""A repository of its own for tests of the build, with and without a kernel."""

from pathlib import Path

import nbformat
import pytest

from minillama.build import cli, execute, incremental, make, paths, readme, source

TEXT = "# %% [markdown]\n# # A tiny notebook\n\n# %%\n"


class Tree:
    """A repository of its own: sources in, notebooks and pages out."""

    def __init__(self, root: Path):
        self.root, self.places = root, {}
        for name in ("SOURCES", "NOTEBOOKS", "FIGURES", "OUT", "SLIDES", "PAGES",
                     "STUDENT", "STATE"):
            self.places[name] = root / getattr(paths, name).relative_to(paths.ROOT)
        self.sources = self.places["SOURCES"]
        self.sources.mkdir(parents=True)
        (root / "README.md").write_text(
            f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", encoding="utf-8")

    def write(self, name: str, code: str = "print(1)") -> Path:
        path = self.sources / f"{name}.py"
        path.write_text(f"{TEXT}{code}\n", encoding="utf-8")
        return path

    def notebook(self, name: str):
        return nbformat.read(self.places["NOTEBOOKS"] / f"{name}.ipynb", as_version=4)

    def contents(self) -> dict[str, bytes]:
        """All that was made and is meant to stay."""
        drafts = self.places["OUT"] / "figures"
        return {str(p.relative_to(self.root)): p.read_bytes()
                for p in sorted(self.root.rglob("*"))
                if p.is_file() and drafts not in p.parents
                and self.sources not in p.parents}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    made = Tree(tmp_path)
    for module in (source, execute, incremental, make, readme):
        for name, place in made.places.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, place)
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr(make, "find_browser", lambda: None)
    for kind in ("deck", "page"):
        monkeypatch.setattr(make.export, kind, lambda notebook, name: f"<p>{name}")
    return made


@pytest.fixture
def quick(monkeypatch):
    """No kernel: a notebook counts as run when it is asked for. Returns their names."""
    ran = []

    def run(notebook, name, figures):
        ran.append(name)
        for number, cell in enumerate(c for c in notebook.cells
                                      if c.cell_type == "code"):
            cell.execution_count = number + 1
        return execute.Measured(2.0, 2**20, 0)

    monkeypatch.setattr(make, "execute", run)
    return ran


def run_cli(capsys, *arguments) -> tuple[object, str]:
    """Status or last words of a command, and what it printed."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    return stopped.value.code, capsys.readouterr().out
