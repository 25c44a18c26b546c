"""The file tokenizer.model: others read ours, and a damaged one is named in a line."""

import io
import struct

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama import pasture
from minillama.errors import UserError
from minillama.tokenizer import Tokenizer

TEXTS = pasture.texts(200)
SAMPLES = ["", "an owl", "  12 geese\n", "\U0001f989 \u4e2d\u6587", "<s>", "\t\x00"]


@pytest.fixture(scope="module")
def trained():
    return Tokenizer.train(TEXTS, 400)


@pytest.fixture(scope="module")
def content(trained, tmp_path_factory):
    """The bytes of a good file."""
    path = tmp_path_factory.mktemp("good") / "tokenizer.model"
    trained.save(path)
    return path.read_bytes()


def refusal(path):
    """The one line with which a file is refused; any other exception is a failure."""
    with pytest.raises(UserError) as caught:
        Tokenizer.load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def opens_or_refuses(path, content):
    """A damaged file may still make sense. It is then used, or refused in one line."""
    path.write_bytes(content)
    try:
        tokenizer = Tokenizer.load(path)
    except UserError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return False
    tokenizer.decode(tokenizer.encode("the owl \U0001f989"))
    return True


def test_what_is_saved_is_what_is_loaded(trained, tmp_path):
    trained.save(tmp_path / "new" / "tokenizer.model")
    again = Tokenizer.load(tmp_path / "new" / "tokenizer.model")
    assert again.vocabulary == trained.vocabulary
    assert [again.encode(s) for s in SAMPLES] == [trained.encode(s) for s in SAMPLES]


def test_sentencepiece_opens_our_file_and_agrees(trained, tmp_path):
    trained.save(tmp_path / "tokenizer.model")
    theirs = sentencepiece.SentencePieceProcessor(
        model_file=str(tmp_path / "tokenizer.model"))
    assert theirs.vocab_size() == 400
    for s in [*SAMPLES, *TEXTS]:
        ids = trained.encode(s)
        assert theirs.encode(s) == ids and theirs.decode(ids) == trained.decode(ids)


def test_a_file_of_sentencepiece_survives_our_saving(tmp_path):
    first, second = tmp_path / "first.model", tmp_path / "second.model"
    first.write_bytes(train_other("bpe"))
    Tokenizer.load(first).save(second)
    before, after = (sentencepiece.SentencePieceProcessor(model_file=str(path))
                     for path in (first, second))
    for s in SAMPLES + TEXTS[:50]:
        assert before.encode(s) == after.encode(s)
        assert before.decode(before.encode(s)) == after.decode(after.encode(s))


def train_other(model_type, **changes):
    """A file by the sentencepiece package."""
    written = io.BytesIO()
    options = {"normalization_rule_name": "identity", "byte_fallback": True,
               "remove_extra_whitespaces": False, "vocab_size": 400, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter("\n".join(TEXTS).split("\n")), model_writer=written,
        model_type=model_type, **{**options, **changes})
    return written.getvalue()


@pytest.mark.parametrize("kind, changes, fragment", [
    ("unigram", {}, "not a BPE model"),
    ("char", {"vocab_size": 300, "hard_vocab_limit": False}, "not a BPE model"),
    ("word", {"hard_vocab_limit": False}, "not a BPE model"),
    ("bpe", {"normalization_rule_name": "nmt_nfkc"}, "normalises text"),
    ("bpe", {"remove_extra_whitespaces": True}, "normalises text"),
    ("bpe", {"treat_whitespace_as_suffix": True}, "spaces as suffixes"),
    ("bpe", {"user_defined_symbols": ["<owl>"]}, "user-defined pieces"),
])
def test_tokenizers_of_another_kind_are_named(tmp_path, kind, changes, fragment):
    (tmp_path / "tokenizer.model").write_bytes(train_other(kind, **changes))
    assert fragment in refusal(tmp_path / "tokenizer.model")


@pytest.mark.parametrize("body", [
    b"", b"\x00", b"\xff" * 500, b"Once upon a time there was an owl.\n" * 50,
    b"{\"model\": {\"type\": \"BPE\"}}", b"PK\x03\x04" + bytes(100),
    "\u4e2d\u6587 tokenizer".encode(), b"version https://git-lfs.github.com/spec/v1\n",
    bytes(range(256)) * 8,
], ids=range(9))
def test_what_is_no_tokenizer_is_named(tmp_path, body):
    (tmp_path / "tokenizer.model").write_bytes(body)
    assert "no SentencePiece model" in refusal(tmp_path / "tokenizer.model")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "No such file" in refusal(tmp_path / "tokenizer.model")
    assert "cannot read" in refusal(tmp_path)


def test_a_file_cut_off_anywhere_is_refused(content, tmp_path):
    path = tmp_path / "tokenizer.model"
    for length in [*range(0, 300), *range(300, len(content), 37), len(content) - 1]:
        assert not opens_or_refuses(path, content[:length]) or (
            # cut between two messages before the last: pieces or a trainer are left
            whole_messages(content, length)), length


def whole_messages(content, length):
    """Whether a cut falls between top-level messages, counted by hand."""
    at = 0
    while at < length:
        size, shift, at = 0, 0, at + 1
        while True:
            size |= (content[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if content[at - 1] < 128:
                break
        at += size
    return at == length


def test_a_cut_before_the_kind_is_known_is_refused(content, tmp_path):
    """Without the trainer's message nothing says BPE, and the default is not BPE."""
    cuts = [n for n in range(1, len(content)) if whole_messages(content, n)]
    assert len(cuts) == 400 + 1  # after each piece, and after the trainer's message
    path = tmp_path / "tokenizer.model"
    for cut in cuts[:-1:40]:
        path.write_bytes(content[:cut])
        assert "not a BPE model" in refusal(path)


# keys of fields are more telling than other bytes: they change how the rest is read
KEYS = st.sampled_from([n << 3 | wire for n in range(6) for wire in range(6)])
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.one_of(KEYS, st.integers(0, 255))),
                 min_size=1, max_size=12)


@settings(max_examples=400, deadline=None)
@given(EDITS, st.booleans(), st.integers(0, 60))
def test_changed_bytes_never_raise_anything_else(tmp_path_factory, content, edits,
                                                 at_the_end, insert):
    damaged = bytearray(content)
    for place, value in edits:
        # the settings of the tokenizer stand in the last bytes of the file
        low = len(damaged) - 90 if at_the_end else 0
        damaged[low + place % (len(damaged) - low)] = value
    damaged[40:40] = bytes(insert)
    path = tmp_path_factory.getbasetemp() / "damaged.model"
    opens_or_refuses(path, bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_never_raise_anything_else(tmp_path_factory, body):
    opens_or_refuses(tmp_path_factory.getbasetemp() / "random.model", body)


def field(number, wire, body):
    """A field of a protocol buffer, written by hand; all lengths here are short."""
    size = bytes([len(body)]) if wire == 2 else b""
    return bytes([number << 3 | wire]) + size + body


SCORE = field(2, 5, struct.pack("<f", 0))
BPE_MODEL = field(2, 2, field(3, 0, b"\x02"))
WRONG_TYPES = {
    "piece as number": field(1, 2, field(1, 0, b"\x05")),
    "piece as fixed": field(1, 2, field(1, 5, b"abcd") + field(2, 0, b"\x01")),
    "score as number": field(1, 2, field(1, 2, b"a") + field(2, 0, b"\x07")),
    "score too long": field(1, 2, field(1, 2, b"a") + field(2, 2, b"12345")),
    "no piece": field(1, 2, SCORE),
    "piece not UTF-8": field(1, 2, field(1, 2, b"\xff\xfe") + SCORE),
    "message as number": field(1, 0, b"\x05"),
    "wire type 3": field(1, 3, b"") + field(1, 2, field(1, 2, b"a")),
    "field number zero": field(0, 0, b"\x01") + field(1, 2, field(1, 2, b"a")),
    "endless number": b"\x08" + b"\xff" * 20,
}


@pytest.mark.parametrize("body", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_fields_of_the_wrong_type_are_named(tmp_path, body):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(body + BPE_MODEL + field(3, 2, field(4, 0, b"\x00")))
    assert "no SentencePiece model" in refusal(path)


@pytest.mark.parametrize("missing", [1, 3, 100])
def test_a_length_past_the_end_is_named(tmp_path, missing):
    """What is there makes sense; only the length says that something was lost."""
    body = bytearray(field(1, 2, field(1, 2, b"a") + SCORE) + BPE_MODEL
                     + field(3, 2, field(4, 0, b"\x00")))
    path = tmp_path / "tokenizer.model"
    path.write_bytes(body)
    assert Tokenizer.load(path).vocab_size == 1
    body[-3] += missing
    path.write_bytes(body)
    assert "no SentencePiece model" in refusal(path)


def test_a_piece_listed_twice_is_named(tmp_path):
    twice = 2 * field(1, 2, field(1, 2, b"a") + SCORE)
    path = tmp_path / "tokenizer.model"
    path.write_bytes(twice + BPE_MODEL + field(3, 2, field(4, 0, b"\x00")))
    assert "lists a piece twice" in refusal(path)


def test_a_folder_that_cannot_be_written_gives_one_line(trained, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(UserError, match="cannot write") as caught:
        trained.save(tmp_path / "file" / "tokenizer.model")
    assert "\n" not in str(caught.value)
