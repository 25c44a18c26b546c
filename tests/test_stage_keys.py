"""The key of a stage changes with everything that could change its result."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from stage_fixtures import count, small, toy  # noqa: F401

from minillama import dependencies, pasture, stages


def test_a_key_changes_with_the_configuration_of_all_it_needs(toy, monkeypatch):
    def keys():
        return {name: stages.key(name) for name in ("egg", "owl")}

    before = keys()
    assert keys() == before and before["egg"] != before["owl"]
    for name, changed in (("owl", {"owl"}), ("egg", {"egg", "owl"})):
        stage = stages.STAGES[name]
        with monkeypatch.context() as patch:
            patch.setitem(stages.STAGES, name, replace(stage, config={"size": 2}))
            assert {n for n in before if keys()[n] != before[n]} == changed
    assert stages.get("owl") and toy == ["egg", "owl"]
    monkeypatch.setitem(stages.STAGES, "egg",
                        replace(stages.STAGES["egg"], config={"size": 2}))
    assert stages.problem("owl") == "missing" == stages.problem("egg")


def test_a_key_is_the_same_in_every_process():
    code = "from minillama.stages import key, names; print(list(map(key, names())))"
    here = str([stages.key(name) for name in stages.names()])
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=environment)
    assert done.stdout.strip() == here


def test_stages_come_after_what_they_need():
    names = stages.names()
    for name in names:
        assert all(names.index(need) < names.index(name)
                   for need in stages.STAGES[name].needs)
        json.dumps(stages.STAGES[name].config)


SOURCES = {
    "__init__.py": "", "a.py": "from . import b\nfrom .deep.c import f\nX = 1\n",
    "b.py": "import os\nimport toy.d\n", "d.py": "from .a import X\n",
    "deep/__init__.py": "", "deep/c.py": "def f():\n    return 1\n",
    "deep/g.py": "", "e.py": "E = 1\n",
    "alone.py": "def late():\n    from .e import E\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A toy package in place of ours, whose digests are computed afresh each time."""
    for name, text in SOURCES.items():
        file = tmp_path / "toy" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(dependencies, "PACKAGE", tmp_path / "toy")
    caches = (dependencies._tree, dependencies.closure, dependencies.code_digest)

    def digest(module):
        for cached in caches:
            cached.cache_clear()
        return dependencies.code_digest(module)

    yield tmp_path / "toy", digest
    for cached in caches:
        cached.cache_clear()


def test_the_closure_follows_every_kind_of_import(package):
    package[1]("toy.a")
    found = dependencies.closure("toy.a") - {"toy", "toy.deep"}
    assert found == {"toy.a", "toy.b", "toy.d", "toy.deep.c"}
    assert {"toy.alone", "toy.e"} <= dependencies.closure("toy.alone")


@pytest.mark.parametrize("file, text, changes", [
    ("a.py", SOURCES["a.py"] + "# a remark\n\n", False),
    ("a.py", '"""What it is."""\n' + SOURCES["a.py"], False),
    ("deep/c.py", 'def f():\n    """Say one."""\n    return 1  # one\n', False),
    ("deep/g.py", "X = 2\n", False),
    ("alone.py", "X = 2\n", False),
    ("a.py", SOURCES["a.py"].replace("X = 1", "X = 2"), True),
    ("d.py", SOURCES["d.py"] + "Y = 1\n", True),
    ("deep/c.py", "def f():\n    return 2\n", True),
    ("deep/c.py", "def f():\n    return '1'\n", True),
])
def test_code_counts_and_explanations_do_not(package, file, text, changes):
    folder, digest = package
    before = digest("toy.a")
    assert digest("toy.a") == before
    (folder / file).write_text(text, encoding="utf-8")
    assert (digest("toy.a") != before) == changes


def executed(call):
    """Modules of ours of which a function runs during a call."""
    names = set()
    sys.setprofile(lambda frame, event, _: event == "call" and names.add(
        frame.f_globals.get("__name__", "")))
    try:
        call()
    finally:
        sys.setprofile(None)
    return {name for name in names if name.startswith("minillama")}


@pytest.mark.parametrize("name", ["tokenizer", "corpus", "base"])
def test_all_code_that_makes_a_stage_counts_in_its_key(small, tmp_path, name):
    """What runs is watched, and compared with what the key is made of."""
    stage = stages.STAGES[name]
    for need in stage.needs:
        stages.get(need)
    pasture.texts(1)
    draft = tmp_path / "draft"
    draft.mkdir()
    ran = executed(lambda: stage.make(draft))
    modules = stage.modules
    counted = set().union(*map(dependencies.closure, modules))
    reading = {"minillama.stages", "minillama.artifacts",  # open what is needed
               "minillama.dependencies"}
    assert ran - counted - reading == set()


HELPED = """
from functools import wraps

def quietly(function):
    @wraps(function)
    def inner():
        return function()
    return inner

def first():
    return [second() for _ in range(2)]

@quietly
def second():
    return third(1)

def third(n):
    # {comment}
    return n + {number}

def idle():
    return {other}
"""


def digest_of_first(tmp_path, **parts):
    file = tmp_path / f"helped{len(list(tmp_path.iterdir()))}.py"
    file.write_text(HELPED.format(**parts), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    try:
        return dependencies.function_digest(module.first)
    finally:
        del sys.modules[file.stem]


def test_a_functions_digest_covers_its_helpers_and_no_strangers(tmp_path):
    before = digest_of_first(tmp_path, comment="a", number=1, other=1)
    assert digest_of_first(tmp_path, comment="b", number=1, other=2) == before
    assert digest_of_first(tmp_path, comment="a", number=2, other=1) != before


@pytest.mark.parametrize("name", stages.names())
def test_every_module_that_a_maker_names_counts(name):
    """Without running it: what its functions use of other files is in the closure of
    the modules of the stage, or of a stage that it needs."""
    counted, waiting = set(), [name]
    while waiting:
        stage = stages.STAGES[waiting.pop()]
        counted |= set().union(*map(dependencies.closure, stage.modules))
        waiting += stage.needs
    named = {text for text in dependencies.used_by(stages.STAGES[name].make).values()
             if text.startswith("minillama.")}
    keeping = {"minillama.artifacts", "minillama.files", "minillama.checkpoint"}
    assert named - counted - keeping == set()


@pytest.mark.parametrize("name, constant", [
    ("sft_study", "KINDS"), ("forgetting", "JUDGED"), ("rlhf", "SEEDS"),
    ("overoptimisation", "WEAK"), ("ghost", "LONG"), ("rewards", "OWN")])
def test_the_constants_of_a_maker_count(name, constant, monkeypatch):
    make = stages.STAGES[name].make
    before = stages.key(name)
    assert make.__globals__[constant] is not None
    monkeypatch.setitem(make.__globals__, constant, "another")
    assert stages.key(name) != before


@pytest.mark.parametrize("stage, helper", [
    ("base", "strengthen"), ("sft", "prompts"), ("rewards", "public")])
def test_the_helpers_of_a_stage_count(stage, helper, monkeypatch):
    make = stages.STAGES[stage].make
    before = stages.key(stage)
    monkeypatch.setitem(make.__globals__, helper, lambda *_: None)
    assert stages.key(stage) != before
