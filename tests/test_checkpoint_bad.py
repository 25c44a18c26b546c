"""Damaged, foreign and hostile checkpoints each give one line, never a stack trace."""

import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models import ODD, loud, one_line
from safetensors.torch import load_file, save_file

from minillama.checkpoint import load_pretrained, save_pretrained
from minillama.errors import UserError

SMALL = ODD["head_size_6"]
NORM = "model.layers.1.input_layernorm.weight"
KEY = "model.layers.0.self_attn.k_proj.weight"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "m"
    save_pretrained(loud(SMALL), None, folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """A good checkpoint, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "m"))


@pytest.fixture
def sharded(tmp_path) -> Path:
    save_pretrained(loud(SMALL), None, tmp_path / "s", shard_bytes=6000)
    return tmp_path / "s"


def refused(folder: Path, *fragments: str) -> None:
    """Loading raises UserError, and its line names the folder."""
    with pytest.raises(UserError) as caught:
        load_pretrained(folder)
    one_line(caught.value, str(folder), *fragments)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def change_config(folder: Path, without: str = "", **changes) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8")) | changes
    config.pop(without, None)
    file.write_text(json.dumps(config), encoding="utf-8")


def change_tensors(folder: Path, change: Callable[[dict], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_the_undamaged_ones_load(folder, sharded):
    """Otherwise every refusal below could have another cause."""
    for good in (folder, sharded):
        model, _ = load_pretrained(good)
        assert model.config == SMALL


# Folders ----------------------------------------------------------------------------


def test_no_folder_a_file_and_an_empty_folder(tmp_path):
    (tmp_path / "file").write_text("{}", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for name in ("absent", "file", "empty"):
        refused(tmp_path / name, "config.json", "no checkpoint folder")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", None])
def test_pickles_are_not_even_opened(folder, name, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    (folder / "model.safetensors").unlink()
    if name:
        (folder / name).write_bytes(pickle.dumps(Trap()))
    refused(folder, "model.safetensors is missing", "only safetensors")
    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    refused(folder, "model.safetensors is damaged or no safetensors")
    assert not (tmp_path / "sprung").exists()


# config.json --------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    b"", b"{", b"null", b"[]", b'"llama"', b"\xff\xfe\x00", b"[" * 100_000,
    b'{"model_type": "llama",}', b'{"vocab_size": ' + b"9" * 5000 + b"}"])
def test_damaged_json(folder, text):
    (folder / "config.json").write_bytes(text)
    refused(folder, "config.json", "is damaged")


@pytest.mark.parametrize("key", ["vocab_size", "hidden_size", "num_hidden_layers",
                                 "num_attention_heads", "intermediate_size"])
@pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
def test_missing_numbers_are_named(folder, key, absent):
    change_config(folder, **({"without": key} if absent else {key: None}))
    refused(folder, f"lacks {key}")


@pytest.mark.parametrize("changes, fragments", [
    ({"model_type": "mistral"}, ["'mistral'", "only 'llama'"]),
    ({"model_type": None}, ["only 'llama'"]),
    ({"model_type": ["llama"]}, ["only 'llama'"]),
    ({"hidden_act": "gelu"}, ["hidden_act", "'gelu'"]),
    ({"attention_bias": True}, ["attention_bias"]), ({"mlp_bias": True}, ["mlp_bias"]),
    ({"quantization_config": {"bits": 4}}, ["quantization_config"]),
    ({"head_dim": 8}, ["head_dim 8"]),
    ({"num_key_value_heads": 3}, ["n_kv_heads"]),
    ({"num_attention_heads": 5}, ["5 heads"]),
    ({"num_attention_heads": 0}, ["n_heads"]),
    ({"vocab_size": 96}, ["(97, 24)", "(96, 24)"]),
    ({"vocab_size": "97"}, ["vocab_size"]), ({"vocab_size": 97.0}, ["vocab_size"]),
    ({"vocab_size": 10**30}, ["too large"]),
    ({"intermediate_size": 2**62}, ["too large"]),
    ({"num_hidden_layers": 10**9}, ["too few", "10"]),
    ({"num_hidden_layers": 3}, ["lacks 9 tensors", "model.layers.2."]),
    ({"num_hidden_layers": 1}, ["unknown", "model.layers.1."]),
    ({"max_position_embeddings": 2**40}, ["max_position_embeddings"]),
    ({"rms_norm_eps": -1.0}, ["norm_eps"]),
    ({"rms_norm_eps": "tiny"}, ["norm_eps must be a number"]),
    ({"rms_norm_eps": 10**400}, ["norm_eps"]),
    ({"tie_word_embeddings": "false"}, ["tie_embeddings"]),
])
def test_configurations_of_other_models(folder, changes, fragments):
    change_config(folder, **changes)
    refused(folder, *fragments)


LINEAR = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
PLAIN = {"rope_type": "default", "rope_theta": 1e4}


@pytest.mark.parametrize("changes, fragment", [
    ({"rope_parameters": None, "rope_scaling": LINEAR}, "'linear'"),
    ({"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
     "'dynamic'"),
    ({"rope_parameters": LLAMA3}, "'llama3'"),
    # transformers follows rope_scaling here: to ignore it is a silent mistake
    ({"rope_parameters": PLAIN, "rope_scaling": LINEAR}, "'linear'"),
    ({"rope_parameters": PLAIN, "rope_scaling": {"type": "linear", "factor": 2.0}},
     "'linear'"),
    ({"rope_parameters": "linear"}, "not an object"),
    ({"rope_parameters": {"rope_type": None}}, "None"),
    ({"rope_parameters": PLAIN | {"rope_theta": None}}, "rope_theta must be a number"),
    ({"rope_parameters": PLAIN | {"rope_theta": 10**400}}, "rope_theta"),
    ({"rope_parameters": PLAIN | {"rope_theta": float("inf")}}, "rope_theta"),
    ({"rope_parameters": PLAIN | {"rope_theta": -1}}, "rope_theta"),
])
def test_positions_that_this_model_does_not_know(folder, changes, fragment):
    change_config(folder, **changes)
    refused(folder, fragment)


# Tensors ------------------------------------------------------------------------------


@pytest.mark.parametrize("change, fragments", [
    (lambda t: t.pop(NORM), ["lacks 1 tensors", NORM]),
    (lambda t: [t.pop(n) for n in list(t) if "mlp" in n], ["lacks 6", "..."]),
    (lambda t: t.pop("lm_head.weight"), ["lacks 1", "lm_head.weight"]),
    (lambda t: t.update(extra=torch.ones(2)), ["unknown 1", "extra"]),
    (lambda t: t.update({KEY[:-6] + "bias": torch.ones(12)}), ["unknown", "bias"]),
    (lambda t: t.update({NORM: torch.ones(25)}), [NORM, "(25,)", "(24,)"]),
    (lambda t: t.update({KEY: torch.ones(24, 24)}), [KEY, "(24, 24)", "(12, 24)"]),
    (lambda t: t.update({KEY: torch.ones(11, 24)}), [KEY, "(11, 24)"]),
    (lambda t: t.update({KEY: torch.ones(())}), [KEY, "()"]),
    (lambda t: t.update({KEY: t[KEY].T.contiguous()}), [KEY, "(24, 12)"]),
    (lambda t: t.update({NORM: torch.ones(24, dtype=torch.int8)}), [NORM, "int8"]),
    (lambda t: t.clear(), ["too few"]),
])
def test_missing_extra_and_misshapen_tensors(folder, change, fragments):
    change_tensors(folder, change)
    refused(folder, *fragments)


def test_truncated_files(folder):
    """Wherever it is cut: in the length, in the header, in the weights."""
    file = folder / "model.safetensors"
    content = file.read_bytes()
    header = int.from_bytes(content[:8], "little")
    for size in (0, 1, 7, 8, 9, header // 2, header + 7, header + 8, header + 9,
                 len(content) // 2, len(content) - 4, len(content) - 1):
        file.write_bytes(content[:size])
        refused(folder, "model.safetensors is damaged or no safetensors")
    file.write_bytes(content + b"\0")
    refused(folder, "model.safetensors is damaged or no safetensors")


def test_random_damage_to_the_header_never_gives_a_stack_trace(folder):
    """It is refused in one line, or hits what does not matter and loads whole."""
    file, chance = folder / "model.safetensors", random.Random(0)
    content = file.read_bytes()
    header, count = 8 + int.from_bytes(content[:8], "little"), 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(header)] = chance.choice(b'0129{}[]",:\xff F\x00')
        file.write_bytes(damaged)
        try:
            model, _ = load_pretrained(folder)
            assert model.config == SMALL
        except UserError as error:
            one_line(error, str(folder))
            count += 1
    assert count > 200


# Shards -------------------------------------------------------------------------------


def change_index(folder: Path, change: Callable[[dict], object]) -> None:
    file = folder / "model.safetensors.index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    change(index)
    file.write_text(json.dumps(index), encoding="utf-8")


def test_a_missing_and_a_truncated_shard_are_named(sharded):
    shard = sorted(sharded.glob("model-*.safetensors"))[1]
    content = shard.read_bytes()
    shard.write_bytes(content[:-5])
    refused(sharded, shard.name, "is damaged")
    shard.unlink()
    refused(sharded, shard.name, "is missing")


def test_an_index_that_forgets_a_shard(sharded):
    shard = sorted(sharded.glob("model-*.safetensors"))[1].name
    change_index(sharded, lambda index: index.update(weight_map={
        t: f for t, f in index["weight_map"].items() if f != shard}))
    refused(sharded, "lacks")


@pytest.mark.parametrize("change", [
    lambda index: index.pop("weight_map"),
    lambda index: index.update(weight_map=[]),
    lambda index: index.update(weight_map={}),
    lambda index: index.update(weight_map="model.safetensors"),
])
def test_an_index_without_a_map(sharded, change):
    change_index(sharded, change)
    refused(sharded, "no weight_map")


@pytest.mark.parametrize("place", ["../outside.safetensors", "/etc/passwd", "sub/x",
                                   "..", "", None, 7])
def test_an_index_that_points_elsewhere(sharded, place):
    change_index(sharded, lambda index: index["weight_map"].update({NORM: place}))
    with pytest.raises(UserError) as caught:
        load_pretrained(sharded)
    one_line(caught.value, str(sharded))


def test_a_tensor_in_two_shards(sharded):
    first, second = sorted(sharded.glob("model-*.safetensors"))[:2]
    tensors = load_file(second)
    name = next(iter(load_file(first)))
    save_file(tensors | {name: torch.ones(2)}, second, metadata={"format": "pt"})
    refused(sharded, name, "two files")


def test_a_damaged_index(sharded):
    (sharded / "model.safetensors.index.json").write_text("{", encoding="utf-8")
    refused(sharded, "index.json", "is damaged")


def test_a_damaged_tokenizer(folder):
    (folder / "tokenizer.model").write_bytes(b"\x0a\xff\xff")
    refused(folder, "tokenizer.model")
