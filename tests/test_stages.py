"""The graph of stages: made once, read again, and never stale, half made or damaged."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace

import pytest
import torch
from stage_fixtures import count, small, toy  # noqa: F401

from minillama import artifacts, pasture, stages
from minillama.alignment.chat import chat_texts
from minillama.errors import UserError
from minillama.tokenizer import Tokenizer


def test_what_is_missing_is_made_once_with_what_it_needs(small, count, capsys):
    assert stages.problem("base") == "missing"
    base = stages.get("base")
    assert count == ["tokenizer", "corpus", "base"]
    assert [row["step"] for row in base.log] == [0, 1]
    assert {sample["step"] for sample in base.samples} == {0, 1}
    announced = capsys.readouterr().err
    for name in count:
        assert f"making stage {name}" in announced and stages.problem(name) is None
        assert str(stages.folder(name)) in announced
    again = stages.get("base")
    assert len(count) == 3 and capsys.readouterr().err == ""
    assert again.log == base.log and again.samples == base.samples
    for name, tensor in base.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


def test_the_corpus_is_the_encoded_pasture(small):
    corpus = stages.get("corpus")
    tokenizer = stages.get("tokenizer")
    assert tokenizer.pieces == Tokenizer.train(
        pasture.texts(300) + chat_texts(60), 1024).pieces
    for stream, n, split in ((corpus.train, 30, "train"),
                             (corpus.heldout, 10, "heldout")):
        expected = [id for text in pasture.texts(n, 0, split, 0.02)
                    for id in [1, *tokenizer.encode(text), 2]]
        assert stream.tokens.tolist() == expected and stream.bos_id == 1


# The machinery, with a stage that takes no time -----------------------------------


def damage(place, how):
    """Harm a finished stage in one of the ways in which disks and people do."""
    text = place / "sub" / "text"
    if how == "changed byte":
        text.write_bytes(text.read_bytes().replace(b"o", b"0", 1))
    elif how == "cut off":
        (place / "numbers").write_bytes(bytes(range(49)))
    elif how == "deleted file":
        text.unlink()
    elif how == "folder in its place":
        text.unlink()
        text.mkdir()
    elif how == "empty":
        shutil.rmtree(place)
        place.mkdir()
    else:
        content = {"no manifest": None, "empty manifest": b"", "text": b"{'a': 1",
                   "half": (place / "manifest.json").read_bytes()[:40],
                   "list": b"[1, 2]", "number": b"7", "not UTF-8": b"\xff\xfe{}",
                   "wrong digests": b'{"numbers": 3}',
                   "zeros": bytes(200)}[how]
        (place / "manifest.json").unlink()
        if content is not None:
            (place / "manifest.json").write_bytes(content)


@pytest.mark.parametrize("how, said", [
    ("changed byte", "sub/text is damaged"), ("cut off", "numbers is damaged"),
    ("wrong digests", "numbers is damaged"),
    *((how, "it is incomplete") for how in (
        "deleted file", "folder in its place", "empty", "no manifest",
        "empty manifest", "text", "half", "list", "number", "not UTF-8", "zeros")),
])
def test_what_is_damaged_is_named_and_made_anew(toy, how, said, capsys):
    assert stages.get("owl") == "owl" * 9
    place = stages.folder("owl")
    damage(place, how)
    assert stages.problem("owl") == said
    capsys.readouterr()
    assert stages.get("owl") == "owl" * 9
    assert f"stage owl in {place}: {said}; making it anew" in capsys.readouterr().err
    assert toy == ["egg", "owl", "owl"] and stages.problem("owl") is None
    assert sorted(p.name for p in place.iterdir()) == [
        "made.json", "manifest.json", "numbers", "sub"]


def test_a_damaged_stage_below_does_no_harm_to_a_whole_one(toy):
    stages.get("owl")
    damage(stages.folder("egg"), "cut off")
    assert stages.get("owl") == "owl" * 9 and toy == ["egg", "owl"]
    assert stages.get("egg") == "egg" * 9 and toy == ["egg", "owl", "egg"]


KILLED = """
import os, signal, sys
from minillama import stages
def make(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "text").write_text("half an egg", encoding="utf-8")
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
stages.STAGES["egg"] = stages.Stage("egg", (), {"size": 1}, make, None,
                                    ("minillama.errors",), 1)
stages.get("egg")
"""


def test_what_a_killed_process_left_is_ignored(toy, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True)
    assert done.returncode != 0
    left = list((tmp_path / "artifacts").iterdir())
    assert len(left) == 1 and (left[0] / "sub" / "text").exists()
    assert stages.problem("egg") == "missing"
    assert stages.get("egg") == "egg" * 9 and toy == ["egg"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, UserError])
def test_a_stage_that_fails_leaves_nothing(toy, tmp_path, error, monkeypatch):
    def fail(folder):
        (folder / "half").write_bytes(b"half")
        raise error("no")

    whole = stages.STAGES["owl"]
    monkeypatch.setitem(stages.STAGES, "owl", replace(whole, make=fail))
    with pytest.raises(error):
        stages.get("owl")
    assert [p.name for p in (tmp_path / "artifacts").iterdir()] == [
        stages.folder("egg").name]
    monkeypatch.setitem(stages.STAGES, "owl", whole)
    assert stages.get("owl") == "owl" * 9


def test_of_two_makers_at_once_one_result_stays(toy, tmp_path, monkeypatch):
    """While one makes the egg, another finishes the same."""
    stage = stages.STAGES["egg"]

    def slow(folder):
        monkeypatch.setitem(stages.STAGES, "egg", stage)
        stages.get("egg")
        stage.make(folder)

    monkeypatch.setitem(stages.STAGES, "egg", replace(stage, make=slow))
    assert stages.get("egg") == "egg" * 9 and toy == ["egg", "egg"]
    assert [p.name for p in (tmp_path / "artifacts").iterdir()] == [
        stages.folder("egg").name]


@pytest.mark.parametrize("owner, name", [
    (os, "replace"), (os, "mkdir"), (tempfile, "mkdtemp"),
    (artifacts, "write_json")])
def test_a_full_disk_gives_one_line(toy, tmp_path, owner, name, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, full)
        with pytest.raises(UserError) as caught:
            stages.get("egg")
    message = str(caught.value)
    assert "cannot" in message and "No space left on device" in message
    assert "\n" not in message and str(tmp_path / "artifacts") in message
    assert stages.get("egg") == "egg" * 9


def test_a_disk_that_fills_up_while_tensors_are_written_gives_one_line(
        toy, monkeypatch):
    """safetensors reports a full disk by an exception of its own."""
    tensors = {"a": torch.zeros(9)}

    def make(folder):
        stages.save_file(tensors, folder / "not a folder" / "file")

    monkeypatch.setitem(stages.STAGES, "egg", replace(stages.STAGES["egg"], make=make))
    with pytest.raises(UserError, match="cannot keep stage egg"):
        stages.get("egg")


def test_a_folder_without_permission_gives_one_line(toy, tmp_path):
    folder = tmp_path / "artifacts"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(UserError, match="Permission denied"):
        stages.get("egg")


def test_a_file_where_the_folder_should_be_gives_one_line(toy, tmp_path):
    (tmp_path / "artifacts").write_text("no folder", encoding="utf-8")
    with pytest.raises(UserError, match="cannot keep stage egg") as caught:
        stages.get("egg")
    assert "\n" not in str(caught.value)


def test_others_may_read_a_result(toy):
    stages.get("egg")
    assert stages.folder("egg").stat().st_mode & 0o055 == 0o055


def test_an_unknown_stage_is_refused():
    with pytest.raises(UserError, match="no stage 'bse': one of tokenizer, corpus"):
        stages.get("bse")
