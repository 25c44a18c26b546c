"""The benchmarks compare like with like, and their ratios are computed right."""

import json
import math
import time
from itertools import islice
from pathlib import Path

import pytest

from minillama import pasture
from minillama.bpe_training import count_words, merges, required_characters

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


@pytest.mark.parametrize("texts, least", [
    (pasture.texts(60), 150),
    (["aaaa aaaaaa aaa", "abababab ababa", "aab aabaab", "x1y2, x-y; (x) \u4e2d\u6587"],
     10),
], ids=["pasture", "repetitions"])
def test_keeping_counts_gives_the_merges_of_the_textbook(texts, least):
    from tokenizer_training import textbook_merges

    words = count_words(texts)
    alphabet = required_characters(words)
    expected = textbook_merges(words, alphabet, 400)
    assert len(expected) >= least
    assert list(islice(merges(words, alphabet), 400)) == expected


@pytest.mark.parametrize("symbols, pair, expected", [
    ("aaa", "aa", ["aa", "a"]), ("aaaa", "aa", ["aa", "aa"]), ("baab", "aa", "b aa b"),
    ("abcab", "ab", "ab c ab"), ("xyz", "ab", "x y z"), ("", "ab", ""),
])
def test_the_textbook_joins_from_the_left(symbols, pair, expected):
    from tokenizer_training import replace_pair

    expected = expected.split() if isinstance(expected, str) else expected
    assert replace_pair(list(symbols), tuple(pair)) == expected


def test_the_ratio_is_that_of_the_rounds(tmp_path, monkeypatch, capsys):
    from alternation import report, summary

    monkeypatch.setenv("MINILLAMA_ARTIFACTS", str(tmp_path))
    times = [(2.0, 1.0), (8.0, 1.0), (1.0, 0.25)]  # ratios 2, 8, 4: logs 1, 3, 2
    found = summary(times)
    assert (found["least"], found["most"]) == (2, 8)
    assert math.log2(found["ratio"]) == pytest.approx(2)
    width = 4.303 / math.sqrt(3)  # Student, two degrees of freedom, deviation one
    assert math.log2(found["high"]) == pytest.approx(2 + width)
    assert math.log2(found["low"]) == pytest.approx(2 - width)
    file = report("toy", "new", "old", times, merges=7)
    said = capsys.readouterr().out
    assert "new is 4 times as fast as old" in said and str(file) in said
    assert json.loads(file.read_text(encoding="utf-8"))["merges"] == 7


def test_rounds_alternate_and_keep_their_columns():
    from alternation import alternate

    order = []
    times = alternate(lambda: order.append("slow"), lambda: order.append("fast"), 3)
    assert order == ["slow", "fast", "fast", "slow", "slow", "fast"]
    assert len(times) == 3
    slept = alternate(lambda: time.sleep(0.02), lambda: None, 2)
    assert all(slow >= 0.02 for slow, _ in slept)


def test_both_ways_of_attention_train_alike():
    import torch
    from pretraining import trainer, with_attention

    from minillama.config import LlamaConfig
    from minillama.model import Llama

    torch.manual_seed(0)
    model = Llama(LlamaConfig(30, 16, 2, 4, n_kv_heads=2, ffn_dim=24, max_seq_len=9))
    tokens = torch.randint(30, (3, 10))
    losses, kept = [], []
    for explicit in (True, False):
        own = with_attention(model, explicit)
        losses.append(trainer(own, tokens[:, :-1], tokens[:, 1:], 3)())
        kept.append(own.layers[0].attention.weights is not None)
    assert losses[0] == pytest.approx(losses[1], abs=1e-5) and kept == [True, False]
