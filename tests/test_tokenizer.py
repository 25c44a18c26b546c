"""The tokenizer against the sentencepiece package: same ids, same text, same pieces."""

import io
from random import Random

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama import pasture
from minillama.bpe_training import split_words
from minillama.errors import UserError
from minillama.tokenizer import Tokenizer

# What Llama 2's tokenizer.model says of itself, and the shares of its makers.
OPTIONS = {
    "model_type": "bpe", "normalization_rule_name": "identity", "byte_fallback": True,
    "split_digits": True, "remove_extra_whitespaces": False, "minloglevel": 2,
    "allow_whitespace_only_pieces": True, "character_coverage": 0.99995,
}
ATOMS = (
    [chr(code) for code in range(32, 127)],
    [" ", "  ", "   ", " " * 7, " " * 40], ["\t", "\t\t", "\n", "\n\n", "\r\n", "\v"],
    [chr(code) for code in range(32)] + ["\x7f", "\x85", "\u2028", "\ufeff", "\ufffe"],
    list("0123456789") + ["2024", "007", "\u0663", "\u00bd", "\uff17"],
    ["\u200b", "\u200c", "\u200d", "\u2060", "\u00ad", "\u200f", "\ufe0f"],
    ["e\u0301", "\u0301", "n\u0303\u0323", "\u00e9", "\u0e33", "\u1100\u1161"],
    ["\U0001f989", "\U0001f469\u200d\U0001f33e", "\U0001f1f3\U0001f1f1", "\u2764\ufe0f",
     "\U0001f44d\U0001f3fd"],
    ["\u4e2d", "\u4e2d\u6587", "\u306e", "\u30d5\u30af\u30ed\u30a6", "\ud55c\uad6d",
     "\u3002", "\u3000", "\U00020000"],
    ["\u2581", "\u2581\u2581", "\u2047", " \u2047 ", "\ufffd", "\u2585"],
    ["<s>", "</s>", "<unk>", "<0x0A>", "<0xFF>", "<pad>", "[INST]"],
    ["the", " the", "The owl", " goose and", "Question: ", "plums.", "aaaa", "Clara"],
    ["\u041f\u0440\u0438", "\u03a9\u03c9", "\u05e9\u05dc", "\u0639\u0631",
     "\u0928\u0940"],
    [chr(0x10ffff), chr(0xe000), chr(0xd7ff), chr(0xffff), "\x00"],
)


def hostile(n, seed):
    """Strings that people do not type, and some that they do."""
    rng = Random(seed)
    for _ in range(n):
        kinds = rng.sample(ATOMS, rng.randint(1, 5))
        yield "".join(rng.choice(rng.choice(kinds)) for _ in range(rng.randint(0, 24)))


def peer(texts, vocab_size, path, **changes):
    """Let the sentencepiece package train on the lines of texts; its processor."""
    written = io.BytesIO()
    lines = (line for text in texts for line in text.split("\n"))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=written, vocab_size=vocab_size,
        **{**OPTIONS, **changes})
    path.write_bytes(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


@pytest.fixture(scope="module")
def texts():
    return pasture.texts(3000)


def training_text(kind, texts):
    """The Pasture; or a text of many scripts, for pieces in all of them."""
    if kind == "pasture":
        return texts
    return [line.replace("\x00", "") for line in hostile(4000, 1)]


@pytest.fixture(scope="module", params=["pasture", "scripts"])
def pair(request, texts, tmp_path_factory):
    """The same file opened by sentencepiece and by us."""
    path = tmp_path_factory.mktemp(request.param) / "tokenizer.model"
    theirs = peer(training_text(request.param, texts), 700, path)
    return theirs, Tokenizer.from_sentencepiece(path)


def test_ten_thousand_hostile_strings_get_the_ids_of_sentencepiece(pair):
    theirs, ours = pair
    strings = ["", " ", "\n", *hostile(10_000, 2)]
    wrong = [(s, ours.encode(s), theirs.encode(s)) for s in strings
             if ours.encode(s) != theirs.encode(s)]
    assert not wrong, f"{len(wrong)} differ, first: {ascii(wrong[0])}"
    wrong = [(s, ours.decode(ids), theirs.decode(ids)) for s in strings
             if ours.decode(ids := theirs.encode(s)) != theirs.decode(ids)]
    assert not wrong, f"{len(wrong)} differ, first: {ascii(wrong[0])}"


def test_the_hostile_strings_reach_bytes_and_learnt_pieces(pair):
    _, ours = pair
    used = {id for s in hostile(10_000, 2) for id in ours.encode(s)}
    learnt = {id for id in used if not ours.is_byte(id) and len(ours.piece(id)) > 1}
    assert used & set(ours.byte_ids) and len(learnt) > 50


def test_text_survives_the_way_there_and_back(pair):
    _, ours = pair
    for s in hostile(2000, 3):
        # the visible space is how a space is written, so it comes back as one
        assert ours.decode(ours.encode(s)) == s.replace("\u2581", " "), ascii(s)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 699), max_size=12))
def test_any_ids_decode_as_sentencepiece_decodes_them(pair, ids):
    theirs, ours = pair
    assert ours.decode(ids) == theirs.decode(ids)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_gets_the_ids_of_sentencepiece(pair, text):
    theirs, ours = pair
    assert ours.encode(text) == theirs.encode(text)


def test_marks_stand_where_asked_and_written_marks_stay_text(pair):
    theirs, ours = pair
    for bos in (False, True):
        for eos in (False, True):
            expected = theirs.encode("an owl", add_bos=bos, add_eos=eos)
            assert ours.encode("an owl", bos, eos) == expected
    assert not {ours.bos_id, ours.eos_id} & set(ours.encode("<s> owl </s>"))


def test_pieces_and_byte_pieces_are_those_of_sentencepiece(pair):
    theirs, ours = pair
    ids = range(theirs.vocab_size())
    assert ours.vocab_size == len(ids)
    assert [ours.piece(i) for i in ids] == [theirs.id_to_piece(i) for i in ids]
    assert [ours.is_byte(i) for i in ids] == [theirs.is_byte(i) for i in ids]
    specials = theirs.unk_id(), theirs.bos_id(), theirs.eos_id()
    assert (ours.unk_id, ours.bos_id, ours.eos_id) == specials


def test_without_bytes_unknown_characters_are_unknown(texts, tmp_path):
    path = tmp_path / "tokenizer.model"
    theirs = peer(texts, 300, path, byte_fallback=False)
    ours = Tokenizer.load(path)
    for s in ["owl \U0001f989 owl", "\u4e2d", *hostile(500, 4)]:
        assert ours.decode(theirs.encode(s)) == theirs.decode(theirs.encode(s))
        # sentencepiece joins neighbours that are unknown into one id
        assert squeeze(ours.encode(s), ours.unk_id) == theirs.encode(s), ascii(s)


def squeeze(ids, id):
    """Runs of one id become a single one."""
    return [b for a, b in zip([None, *ids], ids) if not a == b == id]


@pytest.mark.parametrize("text, fragment", [
    ("owl \ud800", "character 4 is half of a surrogate pair"),
    ("\udfff", "character 0 is half of a surrogate pair"),
    (b"owl", "takes str, not bytes"),
    (["owl"], "takes str, not list"),
    (None, "takes str, not NoneType"),
])
def test_what_is_no_text_is_refused(pair, text, fragment):
    with pytest.raises(UserError, match=fragment) as caught:
        pair[1].encode(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("id", [-1, 700, 10**9])
def test_ids_outside_the_vocabulary_are_refused(pair, id):
    with pytest.raises(UserError, match=f"id {id} is outside the vocabulary 700"):
        pair[1].decode([5, id])


@settings(deadline=None)
@given(st.text("\u2581ab", max_size=20))
def test_words_are_cut_before_spaces_and_lose_nothing(line):
    words = split_words(line)
    assert "".join(words) == line and "" not in words
    # a space never follows a letter inside a word: joins stay inside words
    assert not any("\u2581" in word.lstrip("\u2581") for word in words)


# Learning the pieces -------------------------------------------------------------

@pytest.mark.parametrize("vocab_size", [330, 512, 1000])
def test_our_pieces_are_those_sentencepiece_learns(texts, tmp_path, vocab_size):
    theirs = peer(texts, vocab_size, tmp_path / "tokenizer.model")
    expected = [theirs.id_to_piece(i) for i in range(vocab_size)]
    assert Tokenizer.train(texts, vocab_size).pieces == expected


def test_our_pieces_are_those_of_sentencepiece_on_other_scripts_too(tmp_path):
    rng = Random(5)
    words = ["\u043f\u0440\u0438\u0432\u0435\u0442", "\u03bb\u03cc\u03b3\u03bf\u03c2",
             "\u4e2d\u6587", "\u306e\u30d5\u30af", "na\u00efve", "don't", "x2y", "1984",
             "...", "C++", "e\u0301te\u0301", "aaaa", "  ", "(owl)", "\u2014so\u2014",
             16 * "a", 20 * "a"]  # as long as a piece may be, and longer
    lines = [" ".join(rng.choices(words, k=8)) for _ in range(300)]
    theirs = peer(lines, 350, tmp_path / "tokenizer.model")
    expected = [theirs.id_to_piece(i) for i in range(350)]
    assert max(map(len, expected[259:])) == 16
    assert Tokenizer.train(lines, 350).pieces == expected


def test_the_watcher_sees_each_merge_with_a_count_that_never_rises(texts):
    seen = []
    ours = Tokenizer.train(texts[:300], 400, lambda *merge: seen.append(merge))
    learnt = ours.pieces[259:]
    assert [a + b for (a, b), _ in seen] == learnt[: len(seen)]
    assert all(len(piece) == 1 for piece in learnt[len(seen):])
    counts = [count for _, count in seen]
    assert counts == sorted(counts, reverse=True) and counts[-1] > 0


@pytest.mark.parametrize("given_texts, vocab_size, fragment", [
    (["the owl"], 200, "too small: 259 special pieces and 7 characters need 266"),
    (["the owl"], -1, "too small"),
    (["the owl"], 5000, "too large for this text: it yields from 266 to 27"),
    ([], 300, "no text to train"),
    (["", "\n\n"], 300, "no text to train"),
    ([b"owl"], 300, "trained on str, not bytes"),
    ([3], 300, "trained on str, not int"),
    (["an owl \ud800"] * 9, 300, "surrogate"),
])
def test_what_cannot_be_learnt_gives_one_line(given_texts, vocab_size, fragment):
    with pytest.raises(UserError, match=fragment) as caught:
        Tokenizer.train(given_texts, vocab_size)
    assert "\n" not in str(caught.value)


def test_the_sizes_named_in_the_refusal_can_be_reached():
    text = ["the owl saw the goose, the goose saw the owl"]
    with pytest.raises(UserError) as caught:
        Tokenizer.train(text, 9999)
    least, most = [int(word) for word in str(caught.value).split()
                   if word.isdigit()][-2:]
    assert Tokenizer.train(text, least).vocab_size == least
    assert Tokenizer.train(text, most).vocab_size == most
    for beyond in (least - 1, most + 1):
        with pytest.raises(UserError):
            Tokenizer.train(text, beyond)
