"""Text on disk reads like text in memory, and damaged or hostile folders are named."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.errors import UserError
from minillama.pasture.reading import read_text
from minillama.tokenizer import Tokenizer
from minillama.training import manifest, preparing, shards
from minillama.training.data import TokenStream
from minillama.training.shards import open_shards, write_shards

WORDS = ["the owl saw the goose", "a hen", "", "Ivy likes hay.\nSo does Olive.", "é 🐄"]
TOKENIZER = Tokenizer.train(WORDS * 9, 290)


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.sampled_from(WORDS), min_size=1, max_size=12),
       shard=st.integers(1, 40), length=st.integers(1, 9), data=st.data())
def test_both_readers_give_the_same_windows_and_batches(
        texts, shard, length, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "tokens"
    write_shards(iter(texts), TOKENIZER, folder, shard)
    disk, memory = open_shards(folder), TokenStream.encode(texts, TOKENIZER)
    assert len(disk.tokens) == len(memory.tokens) and disk.bos_id == memory.bos_id
    assert len(list(folder.glob("*.bin"))) == -(-len(memory.tokens) // shard)
    assert disk.digest() == memory.digest()
    assert disk.n_windows(length) == memory.n_windows(length)
    cut = slice(*sorted(data.draw(st.tuples(*[st.integers(0, 200)] * 2))))
    assert torch.equal(disk.tokens[cut], memory.tokens[cut])
    for index in range(memory.n_windows(length)):
        for ours, theirs in zip(disk.window(index, length),
                                memory.window(index, length)):
            assert torch.equal(ours, theirs) and ours.dtype == theirs.dtype
    if memory.n_windows(length):
        for step in (5, 0, 11):  # in any order: a resumed run begins anywhere
            for ours, theirs in zip(disk.batch(step, 3, length, seed=2),
                                    memory.batch(step, 3, length, seed=2)):
                assert torch.equal(ours, theirs)


def test_the_digest_is_of_the_tokens_as_int64():
    ids = [1, *TOKENIZER.encode("a hen"), 2]
    expected = hashlib.sha256(np.array(ids, dtype="<i8").tobytes()).hexdigest()
    assert TokenStream.encode(["a hen"], TOKENIZER).digest() == expected


def test_ids_take_two_bytes_and_where_they_must_four(tmp_path, monkeypatch):
    write_shards(["a hen"], TOKENIZER, tmp_path / "narrow")
    monkeypatch.setattr(Tokenizer, "vocab_size", 70_000)
    monkeypatch.setattr(Tokenizer, "encode", lambda *_, **__: [1, 65_536, 69_999, 2])
    write_shards(["a hen"], TOKENIZER, tmp_path / "wide")
    stream = open_shards(tmp_path / "wide")
    assert stream.tokens[0:4].tolist() == [1, 65_536, 69_999, 2]
    sizes = [(tmp_path / name / "tokens-00000.bin").stat().st_size
             for name in ("narrow", "wide")]
    narrow = len(open_shards(tmp_path / "narrow").tokens)
    assert sizes == [2 * narrow, 16]


READS = """
import re, sys
from pathlib import Path
from minillama.training.shards import open_shards

def own():  # kilobytes that are not a map of a file, which can be dropped at any time
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"RssAnon:\\s+(\\d+)", status)[1])

before = own()
stream = open_shards(Path(sys.argv[1]))
for step in range(200):
    stream.batch(step, 4, 64)
print(len(stream.tokens), own() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of Linux is measured")
def test_reading_batches_does_not_load_the_text(tmp_path):
    n = 200_000_000  # 400 MB of zeros that take no room, 1,600 MB as int64
    folder = tmp_path / "tokens"
    folder.mkdir()
    with (folder / "tokens-00000.bin").open("wb") as stream:
        stream.truncate(2 * n)
    manifest.write_manifest(
        folder, shards.KIND, manifest.describe([folder / "tokens-00000.bin"]),
        width="uint16", tokens=n, bos_id=1, vocab_size=290, digest="")
    done = subprocess.run([sys.executable, "-c", READS, str(folder)], text=True,
                          capture_output=True, timeout=60)
    found, grown = map(int, done.stdout.split())
    assert found == n and grown < 100_000, done.stderr  # kilobytes


def test_an_interrupted_encoding_leaves_nothing(tmp_path):
    def texts():
        yield "the owl"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(texts(), TOKENIZER, tmp_path / "tokens", 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call, fragment", [
    (lambda at: write_shards([], TOKENIZER, at / "t"), "no text to encode"),
    (lambda at: write_shards(["a"], TOKENIZER, at), "exists"),
    (lambda at: open_shards(at / "missing"), "is missing"),
    (lambda at: write_shards(["a"], TOKENIZER, at / "file" / "t"), "cannot write"),
])
def test_what_cannot_be_written_or_opened_is_said_in_one_line(call, fragment, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=fragment) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# Damage and malice ----------------------------------------------------------------

@pytest.fixture
def folder(tmp_path):
    write_shards(WORDS * 5, TOKENIZER, tmp_path / "tokens", 50)
    return tmp_path / "tokens"


def refusal(folder):
    with pytest.raises(UserError) as caught:
        open_shards(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("change, fragment", [
    (lambda b: b[:-1], "has 99 bytes in place of 100"),
    (lambda b: b[:0], "has 0 bytes in place of 100"),
    (lambda b: b + b"\0\0", "has 102 bytes in place of 100"),
    (lambda b: b[:7] + bytes([b[7] ^ 1]) + b[8:], "its checksum differs"),
    (None, "tokens-00001.bin is missing"),
])
def test_a_damaged_shard_is_named(change, fragment, folder):
    file = folder / "tokens-00001.bin"
    content = file.read_bytes()
    file.unlink() if change is None else file.write_bytes(change(content))
    assert fragment in refusal(folder) and file.name in refusal(folder)


def test_every_flipped_byte_and_every_cut_of_the_manifest_is_noticed(folder):
    file = folder / manifest.NAME
    content = file.read_bytes()
    for at in range(0, len(content), 7):
        for damaged in (content[:at], content[:at] + bytes([content[at] ^ 4])
                        + content[at + 1 :]):
            file.write_bytes(damaged)
            try:
                open_shards(folder)
            except UserError as error:
                assert "\n" not in str(error)
            else:  # a blank or a tab between two words of JSON
                assert json.loads(damaged) == json.loads(content)


def forged(folder, **changes):
    """A manifest with a true checksum, as somebody would write who means harm."""
    whole = json.loads((folder / manifest.NAME).read_text(encoding="utf-8"))
    files = changes.pop("files", whole["files"])
    content = {k: v for k, v in {**whole, **changes}.items()
               if k not in ("kind", "files", "checksum")}
    manifest.write_manifest(folder, changes.get("kind", shards.KIND), files, **content)


@pytest.mark.parametrize("changes, fragment", [
    ({"tokens": 10**30}, "does not hold the"), ({"tokens": "9"}, "does not describe"),
    ({"tokens": -1}, "does not hold the"), ({"width": "float64"}, "not describe"),
    ({"width": "uint32"}, "does not hold the"), ({"bos_id": None}, "not describe"),
    ({"files": {}}, "does not describe"), ({"kind": "soup"}, "holds 'soup'"),
    ({"files": {"../secret": {"bytes": 4, "sha256": ""}}}, "no file of its folder"),
    ({"files": {"/etc/passwd": {"bytes": 4, "sha256": ""}}}, "no file of its folder"),
    ({"files": {"..": {"bytes": 4, "sha256": ""}}}, "no file of its folder"),
    ({"files": {"a\\b": {"bytes": 4, "sha256": ""}}}, "no file of its folder"),
    ({"files": {"a": {"bytes": 1e99, "sha256": ""}}}, "is damaged"),
    ({"files": {"a": {"bytes": 4, "sha256": None}}}, "is damaged"),
    ({"files": {"a": 4}}, "is damaged"), ({"files": ["a"]}, "is damaged"),
])
def test_a_forged_manifest_is_refused(changes, fragment, folder):
    forged(folder, **changes)
    assert fragment in refusal(folder)


@pytest.mark.parametrize("content", [
    b"", b"[1, 2]", b"null", b"\xff\xfe", b"[" * 200_000, b'{"files": ' * 100_000,
    b"1" * 5000, b'{"checksum": "", "files": {}}'])
def test_json_that_is_no_manifest_is_refused(content, folder):
    (folder / manifest.NAME).write_bytes(content)
    assert "is damaged" in refusal(folder)


def test_a_manifest_too_large_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(shards, "LARGEST_LIST", 100)
    assert "is damaged" in refusal(folder)


def test_a_manifest_of_files_may_not_be_as_large_as_one_with_a_log(folder):
    forged(folder, remark="x" * 4 * 10**6)
    assert "is damaged" in refusal(folder)


def test_tokens_cut_within_a_number_are_refused(folder):
    names = [folder / "a.bin", folder / "b.bin"]
    for file, content in zip(names, (bytes(3), bytes(5))):
        file.write_bytes(content)
    forged(folder, files=manifest.describe(names), tokens=4)
    assert "does not hold the 4 tokens" in refusal(folder)


def test_more_files_than_a_system_opens_at_once_are_said_in_one_line(
        folder, monkeypatch):
    def full(*_, **__):
        raise OSError(24, "Too many open files")

    n = len(list(folder.glob("*.bin")))
    monkeypatch.setattr(shards.np, "memmap", full)
    assert f"cannot map the {n} files" in refusal(folder)
    assert "Too many open files" in refusal(folder)


def test_a_token_that_the_tokenizer_lacks_is_named_and_not_looked_up(folder):
    forged(folder, vocab_size=5)
    stream = open_shards(folder)
    with pytest.raises(UserError, match="and the tokenizer has 5"):
        stream.batch(0, 4, 10)


def test_of_several_processes_each_checks_its_files_and_all_check_all(folder):
    (folder / "tokens-00002.bin").write_bytes(bytes(100))
    refused = []
    for rank in range(3):
        try:
            open_shards(folder, slice(rank, None, 3))
        except UserError:
            refused.append(rank)
    assert refused == [2]


# Preparing ------------------------------------------------------------------------

@settings(deadline=None, max_examples=150)
@given(text=st.text(st.sampled_from("ab \t\n\r\u3000\x0bé🐄"), max_size=60),
       mark=st.sampled_from(["", "\ufeff"]))
def test_paragraphs_are_those_of_the_reader_that_takes_all_at_once(
        text, mark, tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_bytes((mark + text).encode("utf-8"))
    try:
        expected = read_text(file)
    except UserError:
        expected = []
    assert list(preparing.paragraphs(file)) == expected


def test_a_document_that_never_ends_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "LONGEST", 100)
    file = tmp_path / "text.txt"
    file.write_text("x" * 950 + "\n" + "a b\n" * 80, encoding="utf-8")
    found = list(preparing.paragraphs(file))
    assert max(map(len, found)) <= 100
    assert "".join(found).replace("\n", "").replace(" ", "") == "x" * 950 + "ab" * 80


@pytest.mark.parametrize("content, fragment", [
    (b"fine\nso \xff far\n", "byte 9 of the file, on line 2, is 0xff"),
    (None, "cannot be read"), (b" \n\n", "holds no text")])
def test_a_text_that_cannot_be_prepared_is_named(content, fragment, tmp_path):
    file = tmp_path / "text.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=fragment) as caught:
        preparing.prepare(tmp_path / "out", file, 300)
    assert str(file) in str(caught.value) and not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_prepared_text_is_that_of_the_plain_run(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("\n\n".join(w + '!' * i for i in range(20) for w in WORDS if w),
                    encoding="utf-8")
    preparing.main(["--text", str(file), "--out", str(tmp_path / "out"),
                    "--vocab", "290"])
    tokenizer, train, held = preparing.open_prepared(tmp_path / "out")
    documents = read_text(file)
    expected = Tokenizer.train(documents, 290)
    assert tokenizer.pieces == expected.pieces
    cut = len(documents) - len(documents) // 20
    for stream, part in ((train, documents[:cut]), (held, documents[cut:])):
        assert stream.digest() == TokenStream.encode(part, expected).digest()
    changed = (tmp_path / "out" / "train" / "tokens-00000.bin").stat().st_mtime_ns
    preparing.prepare(tmp_path / "out", file, 290)  # what is there stays
    assert (tmp_path / "out" / "train" / "tokens-00000.bin").stat().st_mtime_ns == (
        changed)
    with pytest.raises(UserError, match="holds another text"):
        preparing.prepare(tmp_path / "out", file, 291)


def test_a_tokenizer_of_other_tokens_is_refused(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("\n\n".join(WORDS * 3), encoding="utf-8")
    preparing.prepare(tmp_path / "out", file, 290)
    Tokenizer.train(WORDS * 9, 285).save(tmp_path / "out" / "tokenizer.model")
    with pytest.raises(UserError, match="tokenizer.model is damaged"):
        preparing.open_prepared(tmp_path / "out")
    manifest.write_manifest(
        tmp_path / "out", preparing.KIND,
        manifest.describe([tmp_path / "out" / "tokenizer.model"]))
    with pytest.raises(UserError, match="did not encode its tokens"):
        preparing.open_prepared(tmp_path / "out")
