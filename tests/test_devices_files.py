"""Files that are whole or absent, and devices that exist."""

import json
import os
import stat

import pytest
import torch

from minillama import files
from minillama.devices import device
from minillama.errors import UserError


@pytest.fixture(params=[None, b"the old content"], ids=["new", "old"])
def target(request, tmp_path):
    """A path where nothing or an old file lies; with what must lie there after."""
    path = tmp_path / "file.json"
    if request.param is not None:
        path.write_bytes(request.param)
    return path, request.param


def unchanged(path, old):
    """Nothing but the old file is there."""
    assert [p.name for p in path.parent.iterdir()] == ([path.name] if old else [])
    assert old is None or path.read_bytes() == old


@pytest.mark.parametrize("error", [
    RuntimeError("no"), KeyboardInterrupt(), UserError("no"), MemoryError()])
def test_a_writer_that_fails_leaves_the_old_file(target, error):
    path, old = target

    def write(draft):
        draft.write_bytes(b"half of the new con")
        raise error

    with pytest.raises(type(error)):
        files.write_atomically(path, write)
    unchanged(path, old)


@pytest.mark.parametrize("step", ["writer", "replace", "chmod", "mkstemp"])
def test_a_full_disk_leaves_the_old_file_and_gives_one_line(target, step, monkeypatch):
    path, old = target

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    if step == "replace":
        monkeypatch.setattr(os, "replace", full)
    elif step == "chmod":
        monkeypatch.setattr(type(path), "chmod", full)
    elif step == "mkstemp":
        monkeypatch.setattr(files.tempfile, "mkstemp", full)
    write = full if step == "writer" else (lambda draft: draft.write_bytes(b"new"))
    with pytest.raises(UserError) as caught:
        files.write_atomically(path, write)
    assert str(caught.value) == f"cannot write {path}: No space left on device"
    monkeypatch.undo()
    unchanged(path, old)


def test_the_old_file_lies_there_until_the_new_one_is_whole(target):
    path, old = target

    def write(draft):
        assert draft.parent == path.parent  # a rename within one file system is atomic
        draft.write_bytes(b"new")
        assert path.exists() == (old is not None)
        assert old is None or path.read_bytes() == old

    files.write_atomically(path, write)
    unchanged(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_folders_are_made_and_a_file_in_their_place_is_named(tmp_path):
    files.write_text(tmp_path / "a" / "b" / "c.txt", "text")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == b"text"
    for place in (tmp_path / "a" / "b" / "c.txt" / "d.txt", tmp_path / "a"):
        with pytest.raises(UserError, match="cannot write") as caught:
            files.write_text(place, "text")
        assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_what_is_written_is_what_is_read(tmp_path):
    text = "line\nline\r\n\u4e2d \U0001f989\n"
    files.write_text(tmp_path / "text", text)
    assert (tmp_path / "text").read_bytes() == text.encode("utf-8")
    files.write_bytes(tmp_path / "bytes", b"")
    assert (tmp_path / "bytes").read_bytes() == b""
    content = {"owl": [1, 2.5, None, "\u4e2d"], "nested": {"a": True}}
    files.write_json(tmp_path / "json", content)
    written = (tmp_path / "json").read_text(encoding="utf-8")
    assert json.loads(written) == content and "\u4e2d" in written


@pytest.mark.parametrize("cuda, mps, best", [
    (False, False, "cpu"), (True, False, "cuda"), (False, True, "mps"),
    (True, True, "cuda")])
def test_best_is_the_fastest_device_present(cuda, mps, best, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device("best") == torch.device(best)
    assert device() == device(None) == device("cpu") == torch.device("cpu")
    for name, present in (("cuda", cuda), ("mps", mps)):
        if present:
            assert device(name) == torch.device(name)
        else:
            with pytest.raises(UserError, match=f"'{name}' is not available here"):
                device(name)


@pytest.mark.parametrize("name", ["gpu", "CPU", "cuda:7", "best "])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(UserError, match="unknown device .*use cpu, cuda, mps or best"):
        device(name)
