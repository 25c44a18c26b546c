"""Stages small enough for tests, and two that take no time at all."""

from dataclasses import asdict, replace

import pytest

from minillama import stages
from minillama.training.pretrain import Settings

TINY = Settings(steps=2, batch=2, length=16, peak=1e-3, warmup=1, evaluate_every=1)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """All stages, with little text and two steps, in a folder of their own."""
    monkeypatch.setenv("MINILLAMA_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setitem(stages.TOKENIZER, "documents", 300)
    for name, n in (("train", 30), ("heldout", 10), ("lessons", 20)):
        monkeypatch.setitem(stages.CORPUS, name, n)
    monkeypatch.setitem(stages.TOKENIZER, "dialogues", 60)
    monkeypatch.setattr(stages, "BASE", TINY)
    monkeypatch.setattr(stages, "LESSONS", TINY)
    base = replace(stages.STAGES["base"], config={**asdict(TINY), "prompts": ()})
    monkeypatch.setitem(stages.STAGES, "base", base)
    return tmp_path / "artifacts"


@pytest.fixture
def count(monkeypatch):
    """How often each stage is made."""
    made = []

    def counting(stage):
        def make(folder):
            made.append(stage.name)
            stage.make(folder)
        return make

    for name, stage in list(stages.STAGES.items()):
        monkeypatch.setitem(stages.STAGES, name, replace(stage, make=counting(stage)))
    return made


@pytest.fixture
def toy(tmp_path, monkeypatch, count):
    """Two stages: "egg", and "owl", which needs it. Returns what was made."""
    monkeypatch.setenv("MINILLAMA_ARTIFACTS", str(tmp_path / "artifacts"))

    def make(name):
        def write(folder):
            count.append(name)
            (folder / "sub").mkdir()
            (folder / "sub" / "text").write_text(name * 9, encoding="utf-8")
            (folder / "numbers").write_bytes(bytes(range(50)))
        return write

    for name, needs in (("egg", ()), ("owl", ("egg",))):
        stage = stages.Stage(
            name, needs, {"size": 1}, make(name),
            lambda folder: (folder / "sub" / "text").read_text(encoding="utf-8"),
            ("minillama.errors",), 1)
        monkeypatch.setitem(stages.STAGES, name, stage)
    return count
