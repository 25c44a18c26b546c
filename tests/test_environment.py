"""The lists of what is installed agree, and no file tells of one machine."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points, packages_distributions, requires
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from minillama.build.paths import ROOT

CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
COURSE = (ROOT / "course.py").read_text(encoding="utf-8")


def pins() -> list[Requirement]:
    """The lines of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def conda_python() -> str:
    """The one version of Python that environment.yml asks for."""
    found = [re.fullmatch(r"python=(\d+\.\d+)", item) for item in CONDA["dependencies"]
             if isinstance(item, str)]
    return [match[1] for match in found if match][0]


def test_every_requirement_is_pinned():
    for requirement in pins():
        assert re.fullmatch(r"==\d+(\.\d+)+", str(requirement.specifier)), requirement
    for python in ("3.10", "3.11", "3.14"):
        names = [r.name for r in pins()
                 if not r.marker or r.marker.evaluate({"python_version": python})]
        assert len(names) == len(set(names)), f"two pins for one name on {python}"


def test_conda_has_the_pins_of_requirements():
    nested = [item["pip"] for item in CONDA["dependencies"] if isinstance(item, dict)]
    assert len(nested) == 1 and nested[0][-1] == "-e ."
    python = {"python_version": conda_python()}
    wanted = {f"{r.name}{r.specifier}" for r in pins()
              if not r.marker or r.marker.evaluate(python)}
    assert set(nested[0][:-1]) == wanted
    assert len(nested[0]) == len(wanted) + 1
    assert CONDA["channels"] == ["conda-forge"] and CONDA["name"]


def test_one_least_python_everywhere():
    least = re.search(r'^requires-python = "(.+)"$', PROJECT, re.M)[1]
    assert SpecifierSet(least).contains(conda_python())
    version = least.removeprefix(">=")
    assert f"sys.version_info < ({version.replace('.', ', ')})" in COURSE
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {version} or newer" in readme


def test_pyproject_has_no_second_list_of_dependencies():
    project = PROJECT.split("[project]")[1].split("\n[")[0]
    assert not re.search(r"^(optional-)?dependencies", project, re.M)
    command = [entry for entry in entry_points(group="console_scripts")
               if entry.name == "minillama"]
    assert command and command[0].load().__module__ == "minillama.build.cli"
    files = re.search(r'minillama = \["(.+?)", "(.+?)"\]', PROJECT)
    package = ROOT / "src" / "minillama"
    assert all(any(package.glob(pattern)) for pattern in files.groups())


def imported() -> set[str]:
    """Distributions behind all imports of package, tests, benchmarks, notebooks."""
    owners, found = packages_distributions(), set()
    files = [f for folder in ("src", "tests", "benchmarks", "notebooks/source")
             for f in (ROOT / folder).rglob("*.py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = ([a.name for a in node.names] if isinstance(node, ast.Import) else
                     [node.module] if isinstance(node, ast.ImportFrom)
                     and not node.level else [])
            tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
            found |= {canonicalize_name(o) for top in tops for o in owners.get(top, [])}
    return found - {"minillama"}


def test_what_is_imported_comes_with_what_is_named():
    known, waiting = set(), {canonicalize_name(r.name) for r in pins()}
    while waiting:
        name = waiting.pop()
        known.add(name)
        try:
            needs = [Requirement(text) for text in requires(name) or []]
        except ModuleNotFoundError:  # an optional part, or one for another system
            continue
        waiting |= {canonicalize_name(r.name) for r in needs
                    if not r.marker or r.marker.evaluate({"extra": ""})} - known
    assert imported() >= {"torch", "numpy", "pytest"} and imported() <= known


def test_the_lock_has_pins_and_sums_and_no_address():
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    asked = package["dependencies"]
    assert lock["packages"][""]["dependencies"] == asked
    for name, version in asked.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    parts = {name: part for name, part in lock["packages"].items() if name}
    for name, part in parts.items():
        assert "resolved" not in part, f"{name} says where it was fetched"
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", part["integrity"]), name
        text = json.dumps({k: v for k, v in part.items() if k != "funding"})
        assert "://" not in text, name


# What is committed -------------------------------------------------------------

# written in pieces, since this file is committed too
HOSTS = {"pypi." + "org", "files.pythonhosted." + "org", "registry.npmjs." + "org",
         "registry.yarnpkg." + "com", "conda.anaconda." + "org",
         "download.pytorch." + "org"}
SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL",
            "NPM_CONFIG_REGISTRY", "npm_config_registry")


def hosts() -> set[str]:
    """Hosts of the usual registries, and of those that this machine is set to."""
    here = {urlsplit(word).hostname for name in SETTINGS
            for word in os.environ.get(name, "").split()}
    return HOSTS | {host for host in here if host and "." in host}


def places() -> list[str]:
    """Folders that only this machine has: the checkout, and the home of its user."""
    found = [str(ROOT), ROOT.as_posix()]
    home = Path.home()
    found += [str(home)] if len(home.parts) > 2 else []
    return [place for place in found if len(Path(place).parts) > 2]


def committed() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    names = done.stdout.decode().split("\0")[:-1] if not done.returncode else []
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def traces(text: str) -> list[str]:
    """What in a text belongs to one machine or to the way to a registry."""
    found = [host for host in hosts() if host in text]
    return found + [place for place in places()
                    if re.search(re.escape(place) + r"(?![\w-])", text)]


def test_nothing_committed_tells_of_this_machine():
    files = committed()
    if not files:
        pytest.skip("not a git checkout")
    found = {str(file.relative_to(ROOT)): seen for file in files
             if (seen := traces(file.read_bytes().decode("utf-8", "replace")))}
    assert found == {}


@pytest.mark.parametrize("text", ["see https://" + "registry.npmjs." + "org/katex",
                                  f"File \"{ROOT}{os.sep}x.py\""])
def test_the_search_finds_what_it_is_for(text):
    assert traces(text)


def test_what_is_made_is_not_committed():
    files = {str(f.relative_to(ROOT)) for f in committed()}
    made = [f for f in files if re.match(
        r"(build|artifacts|node_modules|\.venv)/|.*(__pycache__|\.egg-info|"
        r"\.safetensors$|\.mine-\d)", f)]
    assert made == []
