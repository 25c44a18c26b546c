"""Weights to transformers and back, sharded and tied; saving is whole or not at all."""

import json
import os
from pathlib import Path

import pytest
import torch
from models import ODD, loud, one_line, random_tokens, randomise
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaForCausalLM
from transformers import LlamaConfig as TheirConfig

from minillama import checkpoint
from minillama.checkpoint import load_pretrained, save_pretrained
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.tokenizer import Tokenizer

SMALL = ODD["head_size_6"]


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def largest_difference(ours, theirs) -> float:
    """Of the logits, at up to 64 positions, and the last ones that the model has."""
    longest = ours.config.max_seq_len
    tokens = random_tokens(ours.config, 2, longest if longest <= 1024 else 64)
    with torch.no_grad():
        logits = theirs(tokens).logits
        assert logits.std() > 0.2, "logits so small that the tolerance says nothing"
        return (ours(tokens) - logits).abs().max().item()


@pytest.mark.parametrize("shard_bytes", [5 * 10**9, 6000], ids=["whole", "sharded"])
@pytest.mark.parametrize("name", ODD)
def test_transformers_opens_what_we_save(name, shard_bytes, tmp_path):
    model = loud(ODD[name])
    save_pretrained(model, None, tmp_path / "m", shard_bytes=shard_bytes)
    theirs, info = AutoModelForCausalLM.from_pretrained(
        tmp_path / "m", output_loading_info=True)
    assert isinstance(theirs, LlamaForCausalLM) and theirs.dtype == torch.float32
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert largest_difference(model, theirs.eval()) <= 1e-5


@pytest.mark.parametrize("shard", ["5GB", "6KB"], ids=["whole", "sharded"])
@pytest.mark.parametrize("name", ODD)
def test_we_open_what_transformers_saves(name, shard, tmp_path):
    config = ODD[name]
    theirs = LlamaForCausalLM(TheirConfig(
        vocab_size=config.vocab_size, hidden_size=config.dim,
        intermediate_size=config.ffn_dim, num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads, num_key_value_heads=config.n_kv_heads,
        max_position_embeddings=config.max_seq_len, rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=config.tie_embeddings)).eval()
    randomise(theirs, seed=3)
    theirs.save_pretrained(tmp_path, max_shard_size=shard)
    many = len(list(tmp_path.glob("*.safetensors"))) > 1
    assert many == (shard == "6KB" and config.parameter_count() > 2000)
    ours, tokenizer = load_pretrained(tmp_path)
    assert ours.config == config and tokenizer is None and not ours.training
    assert largest_difference(ours, theirs) <= 1e-5


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_round_trip_keeps_every_bit(name, dtype, tmp_path):
    model = loud(ODD[name]).to(dtype)
    save_pretrained(model, None, tmp_path / "m", shard_bytes=3000)
    again, _ = load_pretrained(tmp_path / "m")
    assert again.config == model.config
    before, after = model.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    for key in before:
        assert after[key].dtype == dtype and torch.equal(before[key], after[key]), key
    assert all(p.requires_grad and p.is_leaf for p in again.parameters())
    assert torch.equal(again.cos, model.cos.float()) or dtype != torch.float32
    tied = again.output.weight is again.embedding.weight
    assert tied == model.config.tie_embeddings


def test_a_loaded_model_reads_and_learns_like_the_saved_one(tmp_path):
    model, tokens = loud(SMALL), random_tokens(SMALL, 2, 10)
    save_pretrained(model, None, tmp_path / "m")
    again, _ = load_pretrained(tmp_path / "m")
    assert torch.equal(model(tokens), again(tokens))
    for each in (model, again):
        each(tokens).square().mean().backward()
    assert torch.equal(model.layers[0].attention.key.weight.grad,
                       again.layers[0].attention.key.weight.grad)


def test_dtype_may_be_chosen_and_angles_stay_float32(tmp_path):
    save_pretrained(loud(SMALL), None, tmp_path / "m")
    model, _ = load_pretrained(tmp_path / "m", dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model.cos.dtype == torch.float32
    save_pretrained(model, None, tmp_path / "half")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "half")
    assert theirs.dtype == torch.bfloat16
    assert torch.equal(theirs.lm_head.weight, model.output.weight)


def test_the_tokenizer_travels_along(tmp_path):
    tokenizer = Tokenizer.train(["a pig and a dog and a hen"] * 3, 275)
    config = SMALL.replace(vocab_size=tokenizer.vocab_size)
    save_pretrained(loud(config), tokenizer, tmp_path / "m")
    _, again = load_pretrained(tmp_path / "m")
    assert again.pieces == tokenizer.pieces
    assert again.encode("a hen, ä") == tokenizer.encode("a hen, ä")


def test_the_index_agrees_with_the_shards(tmp_path):
    save_pretrained(loud(SMALL), None, tmp_path / "m", shard_bytes=6000)
    index = json.loads((tmp_path / "m" / "model.safetensors.index.json").read_text())
    shards = {p.name: load_file(p) for p in (tmp_path / "m").glob("*.safetensors")}
    assert len(shards) > 2
    assert index["weight_map"] == {t: f for f, shard in shards.items() for t in shard}
    sizes = {f: sum(t.nbytes for t in shard.values()) for f, shard in shards.items()}
    assert index["metadata"]["total_size"] == sum(sizes.values())
    lone = [f for f, shard in shards.items() if len(shard) == 1]
    assert all(size <= 6000 for f, size in sizes.items() if f not in lone)
    ordered = [sizes[f] for f in sorted(sizes)]
    assert all(a + b > 6000 for a, b in zip(ordered, ordered[1:])), "needless shards"


def test_older_writers_are_read(tmp_path):
    """No rope_parameters, no head_dim, null for grouped keys, stored frequencies."""
    model = loud(ODD["equal_heads"].replace(rope_theta=5000.0, max_seq_len=2048,
                                            norm_eps=1e-6))
    save_pretrained(model, None, tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for key in ("rope_parameters", "head_dim", "max_position_embeddings",
                "rms_norm_eps", "tie_word_embeddings"):
        del config[key]  # and transformers' defaults come in
    config |= {"num_key_value_heads": None, "rope_scaling": None}
    file.write_text(json.dumps(config), encoding="utf-8")
    weights = tmp_path / "m" / "model.safetensors"
    tensors = load_file(weights)
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    checkpoint.save_file(tensors, weights, metadata={"format": "pt"})
    again, _ = load_pretrained(tmp_path / "m")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    assert again.config == model.config
    assert largest_difference(again, theirs) <= 1e-5


def test_a_tied_copy_that_some_writers_store_is_read(tmp_path):
    model = loud(ODD["tied"])
    save_pretrained(model, None, tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    tensors = load_file(weights)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    checkpoint.save_file(tensors, weights, metadata={"format": "pt"})
    again, _ = load_pretrained(tmp_path / "m")
    assert torch.equal(again.output.weight, model.embedding.weight)
    assert again.output.weight is again.embedding.weight


# Saving is whole or not at all ------------------------------------------------------


def save_and_break(monkeypatch, folder: Path, what: str, error: BaseException,
                   after: int) -> None:
    """Save over ``folder``; the call ``after`` of ``what`` raises ``error``."""
    owner = os if what == "replace" else checkpoint
    real, calls = getattr(owner, what), []

    def breaking(*args, **options):
        calls.append(args)
        if len(calls) == after:
            raise error
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, what, breaking)
        expected = UserError if isinstance(error, OSError) else type(error)
        with pytest.raises(expected) as caught:
            save_pretrained(loud(SMALL, seed=9), None, folder, overwrite=True,
                            shard_bytes=6000)
    assert len(calls) >= after, "nothing was broken"
    if expected is UserError:
        one_line(caught.value, str(folder))


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("what, error, after", [
    ("save_file", FULL, 1), ("save_file", FULL, 3), ("_write_json", FULL, 2),
    ("save_file", KeyboardInterrupt(), 2), ("replace", FULL, 1)])
@pytest.mark.parametrize("present", [False, True])
def test_a_failed_save_changes_nothing(what, error, after, present, monkeypatch,
                                       tmp_path):
    folder = tmp_path / "m"
    if present:
        save_pretrained(loud(SMALL), None, folder)
    before = content(folder) if present else None
    save_and_break(monkeypatch, folder, what, error, after)
    assert (content(folder) if folder.exists() else None) == before
    assert [p.name for p in tmp_path.iterdir()] == (["m"] if present else [])


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["full", "ctrl_c"])
def test_a_save_that_fails_at_the_last_moment_brings_the_old_back(error, monkeypatch,
                                                                  tmp_path):
    """Between moving the old folder away and the new one in."""
    save_pretrained(loud(SMALL), None, tmp_path / "m")
    before = content(tmp_path / "m")
    save_and_break(monkeypatch, tmp_path / "m", "replace", error, after=2)
    assert content(tmp_path / "m") == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_the_folder_appears_only_when_it_is_whole(monkeypatch, tmp_path):
    """At every write, the folder is absent; in the end, it can be loaded."""
    real, seen = checkpoint.save_file, []

    def watching(*args, **options):
        seen.append((tmp_path / "m").exists())
        real(*args, **options)

    monkeypatch.setattr(checkpoint, "save_file", watching)
    save_pretrained(loud(SMALL), None, tmp_path / "m", shard_bytes=6000)
    assert len(seen) > 2 and not any(seen)
    load_pretrained(tmp_path / "m")


def test_a_folder_with_something_in_it_is_left_alone_unless_asked(tmp_path):
    old, new = loud(SMALL, seed=1), loud(SMALL, seed=2)
    folder = tmp_path / "a" / "b"  # parents are made
    save_pretrained(old, None, folder, shard_bytes=6000)
    before = content(folder)
    with pytest.raises(UserError) as caught:
        save_pretrained(new, None, folder)
    one_line(caught.value, str(folder), "overwrite=True")
    assert content(folder) == before
    save_pretrained(new, None, folder, overwrite=True)
    assert set(content(folder)) == {"config.json", "model.safetensors"}  # no old shard
    again, _ = load_pretrained(folder)
    assert torch.equal(again.output.weight, new.output.weight)


def test_an_empty_folder_may_be_filled_and_a_file_may_not(tmp_path):
    (tmp_path / "empty").mkdir()
    save_pretrained(loud(SMALL), None, tmp_path / "empty")
    load_pretrained(tmp_path / "empty")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError) as caught:
            save_pretrained(loud(SMALL), None, folder, overwrite=True)
        one_line(caught.value, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_others_may_read_what_is_saved(tmp_path):
    """A draft is private; what stands in its place in the end is not."""
    save_pretrained(loud(SMALL), None, tmp_path / "m")
    assert (tmp_path / "m").stat().st_mode & 0o555 == 0o555
    for file in (tmp_path / "m").iterdir():
        assert file.stat().st_mode & 0o444 == 0o444, file.name


def test_a_saved_shape_is_what_transformers_understands(tmp_path):
    config = LlamaConfig.named("tiny").replace(rope_theta=777.0, norm_eps=3e-5)
    save_pretrained(loud(config), None, tmp_path / "m")
    theirs = TheirConfig.from_pretrained(tmp_path / "m")
    assert theirs.rope_parameters["rope_theta"] == 777.0
    assert (theirs.rms_norm_eps, theirs.max_position_embeddings) == (3e-5, 256)
    assert (theirs.num_key_value_heads, theirs.head_dim) == (4, 16)
