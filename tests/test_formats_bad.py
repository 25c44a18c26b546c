"""Damaged and hostile checkpoints: one line each, nothing run, nothing waited for."""

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from foreign_formats import their_model, write_llama2c, write_meta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models import ODD, one_line
from safetensors.torch import load_file, save_file

from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.formats import huggingface, meta
from minillama.formats.assembling import empty_model
from minillama.formats.open_file import open_model

CONFIG = ODD["head_size_6"]
LAYOUTS = ("huggingface", "sharded", "meta", "two", "v0", "v1")
WEIGHTS = {"huggingface": "model.safetensors", "meta": "consolidated.00.pth",
           "two": "consolidated.01.pth", "v0": "m.bin", "v1": "m.bin"}


def write_all(root: Path) -> None:
    theirs = their_model(CONFIG)
    theirs.save_pretrained(root / "huggingface")
    theirs.save_pretrained(root / "sharded", max_shard_size="6KB")
    write_meta(theirs, root / "meta")
    write_meta(theirs, root / "two", 2, multiple_of=CONFIG.ffn_dim,
               ffn_dim_multiplier=0.5)
    for version in (0, 1):
        (root / f"v{version}").mkdir()
        write_llama2c(theirs, root / f"v{version}" / "m.bin", version)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    write_all(root)
    return root


@pytest.fixture
def root(whole, tmp_path) -> Path:
    """Good checkpoints in every layout, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "all"))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory) -> Path:
    """Another copy, whose weights are written anew for each example of a property."""
    root = tmp_path_factory.mktemp("spoilt")
    write_all(root)
    return root


def refused(place: Path, *fragments: str) -> None:
    with pytest.raises(UserError) as caught:
        open_model(place)
    one_line(caught.value, *fragments)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def change_json(file: Path, without: str = "", **changes) -> None:
    content = json.loads(file.read_text(encoding="utf-8")) | changes
    content.pop(without, None)
    file.write_text(json.dumps(content), encoding="utf-8")


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


class Asks:
    """Unpickling this takes a gigabyte."""

    def __reduce__(self):
        return bytearray, (10**9,)


def test_the_undamaged_ones_open(root):
    """Otherwise every refusal below could have another cause."""
    for name in LAYOUTS:
        assert open_model(root / name).model.config.dim == CONFIG.dim


# Cut off, and damaged at random -------------------------------------------------------


@pytest.mark.parametrize("layout", WEIGHTS)
@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_weights_cut_off_at_any_byte(layout, share, whole, spoilt):
    content = (whole / layout / WEIGHTS[layout]).read_bytes()
    file = spoilt / layout / WEIGHTS[layout]
    file.write_bytes(content[: int(share * len(content))])
    refused(file.parent, WEIGHTS[layout] if layout != "huggingface" else "model.safe")


@pytest.mark.parametrize("layout", WEIGHTS)
def test_weights_cut_off_near_either_end(layout, whole, spoilt):
    content = (whole / layout / WEIGHTS[layout]).read_bytes()
    file = spoilt / layout / WEIGHTS[layout]
    for size in [*range(40), *range(len(content) - 40, len(content))]:
        file.write_bytes(content[:size])
        refused(file.parent, str(file))
    for more in (b"\0", bytes(4), content):  # and too long is no better
        file.write_bytes(content + more)
        if layout in ("meta", "two"):
            continue  # a zip is read from its end; see the random damage
        refused(file.parent, str(file))


@pytest.mark.parametrize("layout", WEIGHTS)
@settings(max_examples=120, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_damage_is_refused_or_harmless(layout, data, whole, spoilt):
    """Where it hits structure: a line. Where it hits a weight: another weight."""
    content = bytearray((whole / layout / WEIGHTS[layout]).read_bytes())
    structure = {"huggingface": (0, 2500), "meta": (-3500, -1), "two": (-3500, -1),
                 "v0": (0, 27), "v1": (0, 40)}[layout]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(*structure) | st.integers(0, len(content) - 1))
        content[place % len(content)] = data.draw(st.integers(0, 255))
    file = spoilt / layout / WEIGHTS[layout]
    file.write_bytes(content)
    try:
        assert open_model(file.parent).model.config.dim == CONFIG.dim
    except UserError as error:
        one_line(error, str(spoilt))


@settings(max_examples=150, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_damage_to_the_pickle_of_a_pth(data, whole, spoilt):
    """The zip around it is made anew, so that the damage reaches the unpickler."""
    file = spoilt / "meta" / "consolidated.00.pth"
    with zipfile.ZipFile(whole / "meta" / "consolidated.00.pth") as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    name = next(name for name in parts if name.endswith("data.pkl"))
    damaged = bytearray(parts[name])
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(
            st.integers(0, 255))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for part, content in (parts | {name: bytes(damaged)}).items():
            archive.writestr(part, content)
    try:
        assert open_model(file.parent).model.config.dim == CONFIG.dim
    except UserError as error:
        one_line(error, str(spoilt))


# Pickles ------------------------------------------------------------------------------


def test_a_pickle_that_executes_is_not_executed(root, tmp_path):
    trap, file = Trap(tmp_path / "sprung"), root / "meta" / "consolidated.00.pth"
    tensors = torch.load(file, weights_only=True)
    torch.save(tensors | {"rope.freqs": trap}, file)
    with pytest.raises(Exception):  # the trap is real: torch itself refuses it
        torch.load(file, weights_only=True)
    refused(root / "meta", "more than tensors", "nothing in it was run")
    for content in (pickle.dumps(trap), pickle.dumps(tensors)):  # no archive at all
        file.write_bytes(content)
        refused(root / "meta", "no file of torch.save")
    torch.save(tensors | {"rope.freqs": trap}, file,
               _use_new_zipfile_serialization=False)
    refused(root / "meta", "no file of torch.save")
    for name in ("model.bin", "pytorch_model.bin"):
        torch.save(trap, root / name)
        refused(root / name, "pickled weights")
        (root / name).write_bytes(pickle.dumps(trap))
        refused(root / name, name)
    shutil.copy(root / "pytorch_model.bin", root / "huggingface")
    (root / "huggingface" / "model.safetensors").unlink()
    refused(root / "huggingface", "only safetensors")
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_that_asks_for_memory_is_refused_before_it_is_read(root, monkeypatch):
    file = root / "meta" / "consolidated.00.pth"
    tensors = torch.load(file, weights_only=True)
    torch.save(OrderedDict({name: torch.nn.Parameter(tensor)
                            for name, tensor in tensors.items()}), file)
    assert open_model(root / "meta").model.config.dim == CONFIG.dim
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    torch.save(tensors | {"rope.freqs": Asks()}, file)
    refused(root / "meta", "more than tensors")
    torch.save(tensors, file, pickle_protocol=4)  # which names things from the stack
    refused(root / "meta", "more than tensors")


def test_many_names_of_one_block_of_numbers(root):
    file, block = root / "meta" / "consolidated.00.pth", torch.ones(97, 24)
    torch.save({f"t{n}": block for n in range(100)}, file)
    assert file.stat().st_size < 3 * block.nbytes
    refused(root / "meta", str(file), "claim more numbers than the file holds")


def replace_tensor(file: Path, name: str, value: object) -> None:
    tensors = torch.load(file, weights_only=True)
    tensors[name] = value
    torch.save(tensors, file)


OUTPUT = "output.weight"


@pytest.mark.parametrize("value, fragment", [
    (torch.ones(1, 1).expand(10**7, 24), "claims more numbers"),
    (torch.ones(1).expand(10**12, 24), "claims more numbers"),
    (torch.ones(97, 24).to_sparse(), "more than tensors"),
    (torch.empty(97, 24, device="meta"), "more than tensors"),
    (torch.ones(97, 23), "(97, 23)"), (torch.ones(97 * 24), "lacks the matrix"),
    (torch.ones(97, 24, dtype=torch.int8), "int8"), (torch.tensor(1.0), "lacks"),
    ({"a": torch.ones(1)}, "no table of tensors"), ("text", "no table of tensors"),
    (None, "no table of tensors"), ([1] * 9, "no table of tensors")])
def test_tensors_that_are_none(value, fragment, root):
    replace_tensor(root / "meta" / "consolidated.00.pth", OUTPUT, value)
    refused(root / "meta", str(root / "meta"), fragment)


@pytest.mark.parametrize("content", [{}, [], None, torch.ones(3), {1: torch.ones(3)}])
def test_archives_without_a_table(content, root):
    torch.save(content, root / "meta" / "consolidated.00.pth")
    refused(root / "meta", "consolidated.00.pth", "table of tensors")


def test_archives_that_torch_does_not_write(root):
    """Compressed parts, which can unfold without end, and two parts of one name."""
    file = root / "meta" / "consolidated.00.pth"
    content = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    pickled = next(name for name in parts if name.endswith("data.pkl"))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part + bytes(10**8) * (name == pickled))
    assert file.stat().st_size < 10**6  # a hundred megabytes in less than one
    refused(root / "meta", "torch.save writes no such part")
    file.write_bytes(content)
    with pytest.warns(UserWarning), zipfile.ZipFile(file, "a") as archive:
        archive.writestr(pickled, parts[pickled])
    refused(root / "meta", "two parts of one name")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(pickled, bytes(17 * 10**6))
    refused(root / "meta", "torch.save writes no such part")
    loud = pickled.replace("data.pkl", "DATA.PKL")  # which torch's reader takes as well
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(loud, bytes(17 * 10**6))
    refused(root / "meta", "torch.save writes no such part")
    file.write_bytes(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(loud, parts[pickled])
    refused(root / "meta", "two parts of one name")


# Meta's shards and params.json --------------------------------------------------------


def test_missing_and_foreign_shards(root):
    folder = root / "two"
    first, second = (folder / f"consolidated.0{n}.pth" for n in range(2))
    content = second.read_bytes()
    second.unlink()
    refused(folder, "is a shard missing?")
    (folder / "consolidated.02.pth").write_bytes(content)
    refused(folder, "consolidated.01.pth is missing", "2 of at least 3")
    second.write_bytes(content)  # now the second stands there twice
    refused(folder, "is a shard missing?")
    (folder / "consolidated.02.pth").unlink()
    tensors = torch.load(second, weights_only=True)
    torch.save({k: v for k, v in tensors.items() if "layers.1.attention.wo" not in k},
               second)
    refused(folder, second.name, "lacks 1 tensors (layers.1.attention.wo.weight)")
    torch.save(tensors | {"layers.0.attention.wq.bias": torch.ones(24)}, second)
    refused(folder, second.name, "unknown 1 tensors (layers.0.attention.wq.bias)")
    torch.save(tensors | {"norm.weight": torch.ones(23)}, second)
    refused(folder, "norm.weight", "(23,)")
    second.write_bytes(content)
    first.unlink()
    refused(folder, "consolidated.00.pth is missing")
    second.unlink()
    refused(folder, "no consolidated.00.pth")


@pytest.mark.parametrize("text", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 10**5,
                                  b'{"dim": ' + b"9" * 5000 + b"}"])
def test_damaged_params(text, root):
    (root / "meta" / "params.json").write_bytes(text)
    refused(root / "meta", "params.json", "is damaged")


@pytest.mark.parametrize("changes, fragments", [
    ({"without": "dim"}, ["lacks dim"]), ({"without": "n_heads"}, ["lacks n_heads"]),
    ({"dim": None}, ["dim None"]), ({"dim": "24"}, ["dim 24"]), ({"dim": -24}, ["dim"]),
    ({"dim": 0}, ["dim 0"]), ({"dim": 24.0}, ["dim 24.0"]), ({"dim": True}, ["dim"]),
    ({"dim": 10**40}, ["dim"]), ({"dim": 2**31}, ["params.json"]),
    ({"dim": 48}, ["params.json"]), ({"n_layers": 2**31}, ["too few"]),
    ({"n_layers": 3}, ["lacks 9 tensors"]), ({"n_layers": 1}, ["unknown 9"]),
    ({"n_heads": 5}, ["5 heads"]), ({"n_heads": 24}, ["heads"]),
    ({"n_kv_heads": 3}, ["n_kv_heads"]), ({"n_kv_heads": 0}, ["n_kv_heads"]),
    ({"n_kv_heads": "2"}, ["n_kv_heads"]), ({"n_kv_heads": 4}, ["wk.weight"]),
    ({"vocab_size": 96}, ["vocab_size 96", "97 rows"]), ({"vocab_size": 0}, ["vocab"]),
    ({"vocab_size": -2}, ["vocab_size -2"]), ({"vocab_size": "97"}, ["vocab_size"]),
    ({"vocab_size": None}, ["vocab_size"]), ({"vocab_size": 10**30}, ["vocab_size"]),
    ({"norm_eps": -1}, ["norm_eps"]), ({"norm_eps": float("nan")}, ["norm_eps"]),
    ({"norm_eps": "tiny"}, ["norm_eps"]), ({"rope_theta": 0}, ["rope_theta"]),
    ({"rope_theta": float("inf")}, ["rope_theta"]), ({"max_seq_len": 2**40}, ["max_"]),
    ({"use_scaled_rope": True}, ["use_scaled_rope"]),
    ({"quantization_args": {"scheme": "int4"}}, ["quantization_args"]),
    ({"multiple_of": 64}, ["width of 64", "50"]), ({"multiple_of": 0}, ["multiple_of"]),
    ({"multiple_of": 1, "ffn_dim_multiplier": float("inf")}, ["ffn_dim_multiplier"]),
    ({"multiple_of": 1, "ffn_dim_multiplier": "x"}, ["ffn_dim_multiplier"]),
    ({"multiple_of": 1, "ffn_dim_multiplier": 1e300}, ["ffn_dim_multiplier"])])
def test_absurd_params(changes, fragments, root):
    change_json(root / "meta" / "params.json", **changes)
    refused(root / "meta", str(root / "meta"), *fragments)


@pytest.mark.parametrize("place, module, key", [
    ("huggingface/config.json", huggingface, "num_hidden_layers"),
    ("meta/params.json", meta, "n_layers")])
def test_names_are_compared_before_a_model_is_built(place, module, key, root,
                                                    monkeypatch):
    monkeypatch.setattr(module, "empty_model", lambda *_: pytest.fail("it was built"))
    change_json(root / place, **{key: 3})
    refused((root / place).parent, "lacks 9 tensors")


def test_sizes_that_a_small_file_can_claim(tmp_path):
    """Layers of 26 numbers each, and angles, of which the file holds none."""
    small = LlamaConfig(3, 2, 1001, 1, ffn_dim=1, max_seq_len=8, tie_embeddings=True)
    numbers = struct.pack("<7i", 2, 1, 1001, 1, 1, 3, 8)
    weights = bytes(4 * (small.parameter_count() + 8 * 2))
    (tmp_path / "m.bin").write_bytes(numbers + weights)
    refused(tmp_path / "m.bin", "m.bin", "1001 layers")
    with pytest.raises(UserError) as caught:
        empty_model(CONFIG.replace(max_seq_len=2**26), "config.json")
    one_line(caught.value, "config.json", "angles", str(2**26))


# llama2.c -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("place, value, fragment", [
    (0, 0, "dim"), (0, -1, "dim"), (0, 2**31 - 1, "heads"), (0, 25, "heads"),
    (1, 2**31 - 2, "bytes"), (2, 0, "n_layers"), (2, 2**31 - 1, "bytes"),
    (3, 5, "heads"), (3, 0, "n_heads"), (4, 3, "n_kv_heads"), (4, -2, "n_kv_heads"),
    (5, 0, "vocab_size"), (5, 2**31 - 1, "bytes"), (6, 0, "max_seq_len"),
    (6, 2**31 - 1, "claims to read")])
def test_absurd_headers_of_a_bin(version, place, value, fragment, root):
    file = root / f"v{version}" / "m.bin"
    content = bytearray(file.read_bytes())
    struct.pack_into("<i", content, 8 * version + 4 * place, value)
    file.write_bytes(content)
    refused(file, str(file), fragment)


def test_versions_that_are_not_read(root):
    file = root / "v1" / "m.bin"
    content = bytearray(file.read_bytes())
    for version in (0, 2, 3, 255):
        content[4] = version
        file.write_bytes(content)
        refused(file, f"version {version}", "only 0 and 1")


# safetensors and JSON -----------------------------------------------------------------


def write_header(file: Path, header: object, weights: bytes = b"", length: int = -1
                 ) -> None:
    """A safetensors file around any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length < 0 else length
    file.write_bytes(length.to_bytes(8, "little") + text + weights)


def entry(shape: list, start: int, end: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


HOSTILE = {
    "absurd_shape": {"a": entry([2**62, 2**62], 0, 96)},
    "large_shape": {"a": entry([2**40, 24], 0, 96)},
    "negative_shape": {"a": entry([-1, 24], 0, 96)},
    "negative_offset": {"a": entry([24], -96, 0)},
    "backward_offset": {"a": entry([24], 96, 0)},
    "past_the_end": {"a": entry([24], 2**60, 2**60 + 96)},
    "overlapping": {"a": entry([24], 0, 96), "b": entry([24], 0, 96)},
    "half_overlapping": {"a": entry([16], 0, 64), "b": entry([16], 32, 96)},
    "hole": {"a": entry([8], 0, 32), "b": entry([8], 64, 96)},
    "twice": b'{"a":{"dtype":"F32","shape":[24],"data_offsets":[0,96]},'
             b'"a":{"dtype":"F32","shape":[24],"data_offsets":[0,96]}}',
    "deep": b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}",
    "strange_type": {"a": entry([24], 0, 96, "PICKLE")}, "no_object": [],
    "null": None, "text_shape": {"a": entry("24", 0, 96)},
    "no_text": b"\xff" * 40, "empty": {},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers(name, root):
    file = root / "huggingface" / "model.safetensors"
    write_header(file, HOSTILE[name], bytes(96))
    refused(root / "huggingface", str(root / "huggingface"))


@pytest.mark.parametrize("length", [0, 2, 96, 10**6, 17 * 10**6, 2**40, 2**64 - 1])
def test_headers_with_another_length(length, root):
    file = root / "huggingface" / "model.safetensors"
    write_header(file, {"a": entry([24], 0, 96)}, bytes(96), length)
    refused(root / "huggingface", str(file), "damaged or no safetensors")


def test_a_header_of_a_million_tensors_is_not_parsed(root):
    file = root / "huggingface" / "model.safetensors"
    header = {f"t{n}": entry([0], 0, 0) for n in range(300_000)}
    write_header(file, header)
    refused(root / "huggingface", "its header would have")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize("text", [b"[" * 10**6, b'{"a":' * 10**5, b"{", b"",
                                  b'{"weight_map": {"a": ' + b"[" * 10**5])
def test_json_bombs(name, text, root):
    (root / "sharded" / name).write_bytes(text)
    refused(root / "sharded", name, "is damaged")


@pytest.mark.parametrize("place", ["sharded/config.json", "meta/params.json",
                                   "sharded/model.safetensors.index.json"])
def test_json_too_large_to_be_parsed(place, root):
    """Empty lists by the million take a hundred times their text in memory."""
    (root / place).write_bytes(b"[" + b"[]," * 2 * 10**6 + b"[]]")
    refused((root / place).parent, Path(place).name, "too large")


@pytest.mark.parametrize("place, key", [
    ("huggingface/config.json", "model_type"),
    ("huggingface/config.json", "hidden_act"), ("meta/params.json", "dim"),
    ("meta/params.json", "moe")])
def test_values_without_end_are_quoted_in_short(place, key, root):
    deep: list = []
    for _ in range(900):  # as deep as the parser goes
        deep = [deep]
    for value in (deep, "x" * 10**6, ["a\n\n"] * 10**4):
        change_json(root / place, **{key: value})
        refused((root / place).parent, str(root))


NORM, KEY = "model.layers.1.input_layernorm.weight", (
    "model.layers.0.self_attn.k_proj.weight")


@pytest.mark.parametrize("change, fragments", [
    (lambda t: t.pop(NORM), ["lacks 1 tensors", NORM]),
    (lambda t: [t.pop(n) for n in list(t) if "mlp" in n], ["lacks 6"]),
    (lambda t: t.update(extra=torch.ones(2)), ["unknown 1", "extra"]),
    (lambda t: t.update({KEY[:-6] + "bias": torch.ones(12)}), ["unknown", "bias"]),
    (lambda t: t.update({NORM: torch.ones(25)}), [NORM, "(25,)", "(24,)"]),
    (lambda t: t.update({KEY: t[KEY].T.contiguous()}), [KEY, "(24, 12)", "(12, 24)"]),
    (lambda t: t.update({NORM: torch.ones(24, dtype=torch.int8)}), ["I8"]),
    (lambda t: t.update({NORM: torch.ones(24).to(torch.float8_e4m3fn)}), ["F8_E4M3"]),
    (lambda t: t.clear(), ["too few"])])
def test_tensors_of_another_model(change, fragments, root):
    file = root / "huggingface" / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    refused(root / "huggingface", str(root / "huggingface"), *fragments)


@pytest.mark.parametrize("changes, fragment", [
    ({"num_hidden_layers": 10**9}, "too few"), ({"num_hidden_layers": 3}, "lacks 9"),
    ({"num_hidden_layers": 1}, "unknown 9"),
    ({"intermediate_size": 2**62}, "too large"),
    ({"vocab_size": 96}, "(96, 24)"), ({"vocab_size": 10**30}, "too large"),
    ({"num_key_value_heads": 4}, "(24, 24)"),
    ({"model_type": "mistral"}, "only 'llama'"),
    ({"without": "hidden_size"}, "lacks hidden_size")])
def test_a_config_of_another_model(changes, fragment, root):
    change_json(root / "huggingface" / "config.json", **changes)
    refused(root / "huggingface", fragment)


def test_missing_doubled_and_forgotten_shards(root):
    folder = root / "sharded"
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    tensors, name = load_file(second), next(iter(load_file(first)))
    save_file(tensors | {name: torch.ones(2)}, second, metadata={"format": "pt"})
    refused(folder, f"tensor {name} stands in two files")
    second.unlink()
    refused(folder, second.name, "is missing")
    file = folder / "model.safetensors.index.json"
    index = json.loads(file.read_text(encoding="utf-8"))["weight_map"]
    for found in ({k: v for k, v in index.items() if v != second.name}, {}, [], "x"):
        file.write_text(json.dumps({"weight_map": found}), encoding="utf-8")
        refused(folder, "lacks" if found and found != "x" else "no weight_map")


# Paths --------------------------------------------------------------------------------


OUT, GONE = "points outside its folder", "is missing"


@pytest.mark.parametrize("shard, fragment", [
    ("../m.safetensors", OUT), ("/etc/passwd", OUT), ("..", ""), ("", ""), ("a/b", OUT),
    ("../sharded/../m.safetensors", OUT), ("x" * 5000, OUT), ("\0", ""), (None, GONE),
    (7, GONE), (["x"], GONE), ("a\\..\\b", "")])
def test_an_index_that_leads_out(shard, fragment, root):
    shutil.copy(root / "huggingface" / "model.safetensors", root / "m.safetensors")
    file = root / "sharded" / "model.safetensors.index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    index["weight_map"]["model.norm.weight"] = shard
    file.write_text(json.dumps(index), encoding="utf-8")
    refused(root / "sharded", fragment)


@pytest.mark.parametrize("file", [
    "huggingface/model.safetensors", "huggingface/config.json", "meta/params.json",
    "meta/consolidated.00.pth", "v1/m.bin"])
def test_links_that_lead_out(file, root, tmp_path):
    place = root / file
    (tmp_path / "elsewhere").mkdir()
    outside = Path(shutil.move(place, tmp_path / "elsewhere" / place.name))
    place.symlink_to(outside)
    refused(place.parent, str(place), "leads out of its folder")
    place.unlink()
    inside = Path(shutil.copy(outside, place.parent / "real.data"))
    place.symlink_to("real.data")  # a link within the folder is harmless
    assert open_model(place.parent).model.config.dim == CONFIG.dim
    inside.unlink()
    refused(place.parent, "missing" if "json" not in file and "bin" not in file else "")


def test_the_hubs_cache_links_to_its_blobs(root, tmp_path):
    """models--x/snapshots/y/file -> ../../blobs/hash, as huggingface_hub lays it."""
    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for file in (root / "huggingface").iterdir():
        shutil.copy(file, blobs / f"hash-{file.stat().st_ino}")
        (snapshot / file.name).symlink_to(f"../../blobs/hash-{file.stat().st_ino}")
    assert open_model(snapshot).model.config == CONFIG


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("file", [
    "huggingface/model.safetensors", "sharded/model.safetensors.index.json",
    "huggingface/config.json", "huggingface/tokenizer_config.json",
    "huggingface/tokenizer.json", "huggingface/tokenizer.model", "meta/params.json",
    "meta/consolidated.00.pth", "meta/tokenizer.model", "v0/tokenizer.bin"])
def test_pipes_are_not_waited_for(file, root):
    place = root / file
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    refused(place.parent, str(place), "no plain file")


def test_folders_in_the_place_of_files(root):
    for file in ("huggingface/model.safetensors", "meta/consolidated.00.pth",
                 "meta/params.json", "v0/m.bin"):
        (root / file).unlink()
        (root / file).mkdir()
        refused((root / file).parent)
