"""Every layout gives the model that transformers computes, to 1e-5 and to the bit."""

import json
from pathlib import Path

import pytest
import torch
from foreign_formats import meta_tensors, their_model, write_llama2c, write_meta
from models import ODD, one_line, random_tokens
from safetensors.torch import load_file, save_file

from minillama.config import LlamaConfig, ffn_width
from minillama.errors import UserError
from minillama.formats.open_file import open_model

UNTIED = [name for name, config in ODD.items() if not config.tie_embeddings]
# what the header of a .bin can express
PLAIN = [name for name, config in ODD.items()
         if (config.norm_eps, config.rope_theta) == (1e-5, 10000.0)]


def largest_difference(ours, theirs) -> float:
    longest = min(ours.config.max_seq_len, theirs.config.max_position_embeddings)
    tokens = random_tokens(ours.config, 2, longest if longest <= 1024 else 64)
    with torch.no_grad():
        logits = theirs(tokens).logits
        assert logits.std() > 0.2, "logits so small that the tolerance says nothing"
        return (ours(tokens) - logits).abs().max().item()


def same_bits(model, theirs) -> None:
    """Every tensor of ours is bit for bit the one that was written."""
    written, ours = meta_tensors(theirs), model.state_dict()
    pairs = {"embedding": "tok_embeddings", "norm": "norm", "output": "output"}
    for n in range(model.config.n_layers):
        pairs |= {f"layers.{n}.{a}": f"layers.{n}.{b}" for a, b in {
            "attention_norm": "attention_norm", "attention.query": "attention.wq",
            "attention.key": "attention.wk", "attention.value": "attention.wv",
            "attention.output": "attention.wo", "feed_forward_norm": "ffn_norm",
            "feed_forward.gate": "feed_forward.w1", "feed_forward.up":
            "feed_forward.w3", "feed_forward.down": "feed_forward.w2"}.items()}
    assert len(pairs) == len(ours) == len(written)
    for mine, meta in pairs.items():
        a, b = ours[f"{mine}.weight"], written[f"{meta}.weight"]
        assert a.dtype == b.dtype and torch.equal(
            a.view(-1).view(torch.uint8), b.contiguous().view(-1).view(torch.uint8)
        ), mine


def smallest(config: LlamaConfig) -> int:
    return min(config.dim, config.vocab_size, config.ffn_dim)


@pytest.mark.parametrize("name, shards", [
    (name, shards) for name in UNTIED for shards in (1, 2, 3, 8)
    if shards <= smallest(ODD[name])])
def test_meta_in_one_and_in_several_shards(name, shards, tmp_path):
    """Odd sizes, a vocabulary that does not divide, fewer key heads than shards."""
    config, theirs = ODD[name], their_model(ODD[name])
    opened = open_model(write_meta(theirs, tmp_path / "m", shards))
    assert opened.layout == "meta" and opened.tokenizer is opened.template is None
    assert opened.model.config == config.replace(max_seq_len=4096)
    assert not opened.model.training
    assert largest_difference(opened.model, theirs) <= 1e-5
    same_bits(opened.model, theirs)


@pytest.mark.parametrize("name, shards", [("head_size_6", 4), ("one_key_value_head", 2),
                                          ("one_key_value_head", 3), ("long", 8)])
def test_meta_with_the_same_key_head_in_neighbouring_shards(name, shards, tmp_path):
    theirs = their_model(ODD[name])
    opened = open_model(write_meta(theirs, tmp_path / "m", shards, keys="copied"))
    first = torch.load(tmp_path / "m" / "consolidated.00.pth", weights_only=True)
    head = ODD[name].head_dim
    assert first["layers.0.attention.wk.weight"].shape[0] == head  # truly copied
    same_bits(opened.model, theirs)
    assert largest_difference(opened.model, theirs) <= 1e-5


@pytest.mark.parametrize("shards", [2, 5])
def test_meta_with_the_vocabulary_cut_as_in_llama_3(shards, tmp_path):
    theirs = their_model(ODD["theta_1e6"])
    opened = open_model(write_meta(theirs, tmp_path / "m", shards, embedding="rows"))
    assert opened.model.config.rope_theta == 1e6
    same_bits(opened.model, theirs)


def test_params_as_meta_ships_them(tmp_path):
    """The rule for the width, its multiplier, and a vocabulary that is stated."""
    for factor, multiple in ((None, 32), (1.3, 16)):
        width = ffn_width(48, factor or 1.0, multiple)
        config = LlamaConfig(61, 48, 1, 4, n_kv_heads=2, ffn_dim=width)
        theirs = their_model(config)
        for vocabulary in (-1, 61):
            params = {"multiple_of": multiple, "vocab_size": vocabulary}
            if factor:
                params["ffn_dim_multiplier"] = factor
            folder = write_meta(theirs, tmp_path / f"{width}{vocabulary}", 2, **params)
            assert open_model(folder).model.config.ffn_dim == width
            same_bits(open_model(folder).model, theirs)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("name", PLAIN)
def test_llama2c(name, version, tmp_path):
    theirs = their_model(ODD[name])
    file = write_llama2c(theirs, tmp_path / "model.bin", version)
    for place in (file, tmp_path):  # the file, or its folder
        opened = open_model(place)
        assert opened.layout == "llama2c" and opened.model.config == ODD[name]
        assert largest_difference(opened.model, theirs) <= 1e-5
        same_bits(opened.model, theirs)
    tied = opened.model.output.weight is opened.model.embedding.weight
    assert tied == ODD[name].tie_embeddings


@pytest.mark.parametrize("shard", ["5GB", "6KB"], ids=["whole", "sharded"])
@pytest.mark.parametrize("name", ODD)
def test_hugging_face(name, shard, tmp_path):
    theirs = their_model(ODD[name])
    theirs.save_pretrained(tmp_path, max_shard_size=shard)
    many = len(list(tmp_path.glob("*.safetensors"))) > 1
    assert many == (shard == "6KB" and ODD[name].parameter_count() > 2000)
    opened = open_model(tmp_path)
    assert opened.layout == "huggingface" and opened.model.config == ODD[name]
    assert largest_difference(opened.model, theirs) <= 1e-5
    same_bits(opened.model, theirs)


def test_a_tied_copy_and_old_frequencies_that_some_writers_store(tmp_path):
    theirs = their_model(ODD["tied"])
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model = open_model(tmp_path).model
    same_bits(model, theirs)
    assert model.output.weight is model.embedding.weight


def each_layout(theirs, folder: Path) -> dict[str, Path]:
    theirs.save_pretrained(folder / "huggingface")
    return {"huggingface": folder / "huggingface",
            "meta": write_meta(theirs, folder / "meta", 2),
            "llama2c": write_llama2c(theirs, folder / "model.bin", 1)}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_type_may_be_chosen(dtype, tmp_path):
    theirs = their_model(ODD["equal_heads"])
    for layout, place in each_layout(theirs, tmp_path).items():
        model = open_model(place, dtype=dtype).model
        assert {p.dtype for p in model.parameters()} == {dtype}, layout
        assert model.cos.dtype == torch.float32, layout
        assert torch.equal(model.output.weight, theirs.lm_head.weight.to(dtype))
        model(random_tokens(model.config, 1, 5))


def test_a_stored_half_type_is_kept(tmp_path):
    theirs = their_model(ODD["equal_heads"]).to(torch.bfloat16)
    theirs.save_pretrained(tmp_path / "huggingface")
    write_meta(theirs, tmp_path / "meta", 2)
    for layout in ("huggingface", "meta"):
        model = open_model(tmp_path / layout).model
        same_bits(model, theirs)
        wide = open_model(tmp_path / layout, dtype=torch.float32).model
        assert torch.equal(wide.output.weight, theirs.lm_head.weight.float())


def test_norms_of_another_type_widen_the_rest(tmp_path):
    """The model computes in one type, and nothing may be rounded."""
    theirs = their_model(ODD["equal_heads"]).to(torch.bfloat16)
    for name, weight in theirs.named_parameters():
        if "norm" in name:
            weight.data = weight.data.float() * 1.001
    theirs.save_pretrained(tmp_path / "huggingface")
    write_meta(theirs, tmp_path / "meta", 2)
    exact = theirs.float()
    for layout in ("huggingface", "meta"):
        model = open_model(tmp_path / layout).model
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        assert model.cos.dtype == torch.float32, layout
        same_bits(model, exact)


def test_the_device_may_be_chosen(tmp_path):
    """A second device that every machine has is "meta": no weights, right place."""
    theirs = their_model(ODD["head_size_6"])
    for layout, place in each_layout(theirs, tmp_path).items():
        model = open_model(place, device="meta").model
        assert {t.device.type for t in [*model.parameters(), model.cos]} == {"meta"}
        assert model.config.dim == 24, layout


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn, torch.complex64])
def test_types_that_are_no_weights_are_refused(dtype, tmp_path):
    for place in each_layout(their_model(ODD["equal_heads"]), tmp_path).values():
        with pytest.raises(UserError) as caught:
            open_model(place, dtype=dtype)
        one_line(caught.value, str(dtype), "bfloat16")


def test_a_loaded_model_does_not_hang_on_its_file(tmp_path):
    """The weights are copies: a file may be cut off or removed afterwards."""
    theirs = their_model(ODD["equal_heads"])
    models = [open_model(place).model
              for place in each_layout(theirs, tmp_path).values()]
    for file in tmp_path.rglob("*.*"):
        file.write_bytes(b"")
    for model in models:
        same_bits(model, theirs)
        model(random_tokens(model.config, 1, 5)).mean().backward()


def test_nan_in_a_weight_is_the_models_own_affair(tmp_path):
    theirs = their_model(ODD["equal_heads"])
    theirs.model.norm.weight.data[3] = torch.nan
    for place in each_layout(theirs, tmp_path).values():
        same_bits(open_model(place).model, theirs)


def test_what_is_recognised(tmp_path):
    theirs = their_model(ODD["equal_heads"])
    places = each_layout(theirs, tmp_path)
    assert [open_model(place).layout for place in places.values()] == list(places)
    assert open_model(str(places["meta"])).layout == "meta"  # text will do
    both = places["huggingface"]  # a hub folder may keep Meta's files too
    (both / "params.json").write_text(json.dumps({}), encoding="utf-8")
    assert open_model(both).layout == "huggingface"
    (tmp_path / "tokenizer.bin").write_bytes(b"")
    (tmp_path / "tokenizer.bin").unlink()
    for name in ("pytorch_model.bin", "training_args.bin"):
        (tmp_path / name).write_bytes(b"x")
    assert open_model(tmp_path).layout == "llama2c"


@pytest.mark.parametrize("name, fragment", [
    ("absent", "no folder or file"), ("empty", "looked for config.json"),
    ("two", "2 .bin files"), ("m.gguf", "GGUF"), ("a.safetensors", "give its folder"),
    ("consolidated.00.pth", "give its folder"), ("zipped.bin", "pickled weights")])
def test_what_is_not(name, fragment, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    for file in ("two/a.bin", "two/b.bin", "m.gguf", "a.safetensors",
                 "consolidated.00.pth"):
        (tmp_path / file).write_bytes(b"x")
    torch.save({}, tmp_path / "zipped.bin")
    with pytest.raises(UserError) as caught:
        open_model(tmp_path / name)
    one_line(caught.value, str(tmp_path), fragment)
