"""The peers do the same as ours before they are timed, and what is not is refused."""

import copy
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from minillama.errors import UserError

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Where the scripts write their figures."""
    monkeypatch.setenv("MINILLAMA_BENCHMARKS", str(tmp_path))
    return lambda name: json.loads((tmp_path / f"{name}.json").read_text("utf-8"))


TRAIN = "--rounds 2 --steps 1 --batch 2 --length 8 --quick --threads 1"
SAMPLE = "--prompts 3 --new 5 --rounds 2 --untrained --threads 1"
ENCODE = "--kilobytes 30 --vocab 400 --rounds 2"


@pytest.mark.parametrize("script, arguments, names", [
    ("pretraining_peer", TRAIN, ["pretraining_peer"]),
    ("pretraining", "--rounds 2 --steps 1 --batch 2 --length 8", ["pretraining"]),
    ("sampling", SAMPLE, ["sampling", "sampling_plain"]),
    ("encoding", ENCODE, ["encoding_sentencepiece", "encoding_tokenizers",
                          "encoding_remembered", "training_sentencepiece"]),
    ("tokenizer_training", "--megabytes 0.01 --vocab 340 --rounds 2",
     ["tokenizer_training"]),
])
def test_a_benchmark_runs_and_writes_where_it_says(script, arguments, names, kept,
                                                   tmp_path, capsys):
    importlib.import_module(script).main(arguments.split())
    said = capsys.readouterr().out
    for name in names:
        found = kept(name)
        assert str(tmp_path / f"{name}.json") in said
        assert found["rounds"] == len(found["ratios"]) == 2
        assert found["least"] <= found["ratio"] <= found["most"]


@pytest.mark.parametrize("script", ["encoding", "ppo_iteration", "build_times",
                                    "run_all", "pretraining_peer", "sampling",
                                    "tokenizer_training", "pretraining"])
def test_scripts_say_what_they_take(script):
    done = subprocess.run([sys.executable, FOLDER / f"{script}.py", "--help"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "--" in done.stdout, done.stderr


def test_peers_that_learn_otherwise_are_refused(monkeypatch):
    import pretraining_peer
    import torch

    right, wrong = pretraining_peer.twin, []

    def twin(model):
        peer = right(model)
        with torch.no_grad():
            wrong[0](peer)
        return peer

    monkeypatch.setattr(pretraining_peer, "twin", twin)
    wrong.append(lambda peer: peer.lm_head.weight.mul_(1.5))
    with pytest.raises(UserError, match="logits differ"):
        pretraining_peer.pair(2, 8)
    # the same logits, but a layer that does not learn
    wrong[0] = lambda peer: peer.lm_head.requires_grad_(False)
    with pytest.raises(UserError, match="losses differ"):
        pretraining_peer.pair(2, 8)


def test_compiling_without_a_compiler_is_refused(monkeypatch):
    import pretraining_peer

    monkeypatch.setattr(pretraining_peer.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="compiler"):
        pretraining_peer.pair(2, 8, compiled=True)


def test_greedy_answers_that_differ_are_refused(monkeypatch, kept):
    import sampling
    import torch

    right = sampling.twin

    def twin(model):
        peer = right(model)
        with torch.no_grad():
            peer.lm_head.weight.copy_(peer.lm_head.weight.flip(0))
        return peer

    monkeypatch.setattr(sampling, "twin", twin)
    with pytest.raises(UserError, match="greedy answers differ in row 0"):
        sampling.main(SAMPLE.split())


def test_prompts_are_padded_on_the_left():
    from sampling import padded_left

    tokens, seen = padded_left([[5, 6, 7], [8]])
    assert tokens.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert seen.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_ids_that_differ_are_refused(monkeypatch, kept):
    import encoding

    def reversed_merges(tokenizer):
        tokenizer = copy.deepcopy(tokenizer)
        tokenizer.scores = [-score for score in tokenizer.scores]
        return right(tokenizer)

    right = encoding.in_tokenizers
    monkeypatch.setattr(encoding, "in_tokenizers", reversed_merges)
    with pytest.raises(UserError, match="ids of tokenizers differ in row"):
        encoding.main(ENCODE.split())


def test_pieces_that_differ_are_refused(monkeypatch):
    import tokenizer_training

    monkeypatch.setattr(tokenizer_training, "textbook_merges", lambda *_: [])
    with pytest.raises(UserError, match="different pieces"):
        tokenizer_training.main("--megabytes 0.01 --vocab 340".split())


@pytest.mark.parametrize("ours, theirs, where", [
    ([[1, 2], [3, 4]], [[1, 2], [3, 5]], "row 1 from token 1"),
    ([[1, 2]], [[1]], "row 0 from token 1"), ([[]], [[7]], "row 0 from token 0"),
])
def test_the_first_difference_is_named(ours, theirs, where):
    from peers import must_be_equal

    must_be_equal("ids", ours, ours)
    with pytest.raises(UserError, match=where):
        must_be_equal("ids", ours, theirs)


def test_differences_that_are_no_number_are_refused():
    import torch
    from peers import must_be_near

    assert must_be_near("x", torch.zeros(2), torch.full((2,), 1e-6), 1e-5) < 2e-6
    for other in (1.0, float("nan")):
        with pytest.raises(UserError, match="x differ by"):
            must_be_near("x", torch.zeros(2), torch.full((2,), other), 1e-5)


def test_the_products_are_those_of_the_model():
    import torch
    from peak import products
    from torch import nn

    from minillama.config import LlamaConfig
    from minillama.model import Llama

    config = LlamaConfig(30, 16, 2, 4, n_kv_heads=2, ffn_dim=24, max_seq_len=9)
    model, seen = Llama(config), {}

    def note(layer, inputs, output):
        rows = inputs[0].flatten(0, -2).shape[0]
        shape = (rows, layer.in_features, layer.out_features)
        seen[shape] = seen.get(shape, 0) + 1

    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(note)
    model(torch.zeros(3, 5, dtype=torch.long))
    assert products(config, 15) == seen


@pytest.mark.parametrize("operator, expected", [
    ("aten::mm", "matrix products"), ("aten::addmm", "matrix products"),
    ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
    ("aten::_log_softmax", "softmax and loss"), ("aten::mul", "number by number"),
    ("aten::silu", "number by number"), ("aten::cat", "look-up, copies and views"),
    ("aten::addcdiv_", "optimiser"), ("aten::t", "look-up, copies and views"),
])
def test_operators_are_put_into_their_groups(operator, expected):
    from profiling import group

    assert group(operator) == expected
