"""What is exported, others open: transformers, gguf, a reader of llama2.c's bytes."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from foreign_formats import write_tokenizer_bin
from models import ODD, loud, one_line, random_tokens
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, pipeline
from transformers import LlamaConfig as TheirConfig
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from minillama import files
from minillama.alignment.chat import Message, chat_texts, encode_dialogue
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.formats.chat_template import LLAMA2, encode_chat
from minillama.formats.gguf import save_gguf
from minillama.formats.huggingface_export import save_huggingface
from minillama.formats.llama2c import save_llama2c
from minillama.formats.llama2c_tokenizer import load_tokenizer_bin, save_tokenizer_bin
from minillama.formats.open_file import open_model
from minillama.formats.tokenizer_json import JsonTokenizer
from minillama.tokenizer import Tokenizer

PLAIN = [name for name, config in ODD.items()
         if (config.norm_eps, config.rope_theta) == (1e-5, 10000.0)]
STRANGE = ["", " ", "  two  spaces ", "h\u00e9llo w\u00f6rld", "a\tb\n\nc",
           "\U0001f437 oink", "</s> <s> [INST]", "\u2581", "aaaaaaa", "\x00\x7f"]
DIALOGUES = [
    [("user", "Where does an owl live?")],
    [("system", "Always answer in one sentence."), ("user", " What is 2 + 2? ")],
    [("user", "hi"), ("assistant", " yes  "), ("user", "and?")],
    [("system", "Be kind."), ("user", "a"), ("assistant", "b c"), ("user", "d"),
     ("assistant", "e"), ("user", "f")],
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(chat_texts(200), 500)


@pytest.fixture(scope="module")
def model(tokenizer):
    return loud(LlamaConfig(tokenizer.vocab_size, 32, 2, 4, n_kv_heads=2, ffn_dim=48,
                            max_seq_len=128))


@pytest.fixture(scope="module")
def exported(model, tokenizer, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "m"
    save_huggingface(model, tokenizer, folder, template=LLAMA2)
    return folder


def as_dicts(dialogue) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in dialogue]


# Hugging Face -------------------------------------------------------------------------


def test_transformers_encodes_and_decodes_as_we_do(exported, tokenizer):
    theirs = AutoTokenizer.from_pretrained(exported)
    assert theirs.vocab_size == tokenizer.vocab_size
    assert (theirs.bos_token_id, theirs.eos_token_id) == (1, 2)
    for text in [*chat_texts(150, seed=9), *STRANGE]:
        if "<s>" in text:
            continue  # a mark to them, text to us: see the test of marks
        ids = tokenizer.encode(text, bos=True)
        assert theirs.encode(text) == ids, text
        assert theirs.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids)


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_transformers_applies_the_template_as_we_encode(dialogue, exported, tokenizer):
    """Three ways to the same ids: transformers, our Jinja, and alignment's encoder."""
    theirs = AutoTokenizer.from_pretrained(exported)
    ids = theirs.apply_chat_template(as_dicts(dialogue), tokenize=True,
                                     add_generation_prompt=True, return_dict=False)
    messages = [Message(role, text) for role, text in dialogue]
    assert ids == encode_dialogue(tokenizer, messages).ids
    assert ids == encode_chat(tokenizer, LLAMA2, as_dicts(dialogue))


def test_a_pipeline_generates_what_we_generate(exported, model, tokenizer):
    from minillama.generation import generate
    prompt = "Where does an owl live?"
    writer = pipeline("text-generation", model=str(exported))
    text = writer(prompt, max_new_tokens=12, do_sample=False,
                  return_full_text=False)[0]["generated_text"]
    ids = generate(model, [tokenizer.encode(prompt, bos=True)], 12, temperature=0,
                   eos_id=2)[0]
    whole = tokenizer.decode(tokenizer.encode(prompt) + ids)
    assert whole == prompt + text and len(text) > 5
    chat = writer([{"role": "user", "content": prompt}], max_new_tokens=4,
                  do_sample=False)[0]["generated_text"]
    assert chat[-1]["role"] == "assistant"


def test_an_export_opens_again_to_the_bit(exported, model, tokenizer):
    opened = open_model(exported)
    assert opened.template == LLAMA2 and opened.ends == {2}
    assert opened.tokenizer.pieces == tokenizer.pieces
    for name, tensor in model.state_dict().items():
        assert torch.equal(opened.model.state_dict()[name], tensor), name


def test_a_folder_of_transformers_own_making_opens(exported, tokenizer, tmp_path):
    """transformers 5 writes tokenizer.json alone: that is read in its place."""
    AutoModelForCausalLM.from_pretrained(exported).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(exported).save_pretrained(tmp_path)
    assert not (tmp_path / "tokenizer.model").exists()
    opened = open_model(tmp_path)
    assert isinstance(opened.tokenizer, JsonTokenizer)
    assert opened.tokenizer.vocab_size == tokenizer.vocab_size
    for text in [*chat_texts(50, seed=5), *STRANGE]:  # here "<s>" too stays text
        if "<s>" not in text:
            assert opened.tokenizer.encode(text, True, True) == tokenizer.encode(
                text, True, True)
        ids = opened.tokenizer.encode(text)
        assert not {1, 2} & set(ids)
        assert opened.tokenizer.decode(ids) == tokenizer.decode(ids)
    for dialogue in DIALOGUES:
        assert encode_chat(opened.tokenizer, opened.template, as_dicts(dialogue)) == (
            encode_chat(tokenizer, LLAMA2, as_dicts(dialogue)))


def test_a_base_model_is_exported_without_a_template(model, tokenizer, tmp_path):
    save_huggingface(model, tokenizer, tmp_path / "m")
    assert open_model(tmp_path / "m").template is None
    assert AutoTokenizer.from_pretrained(tmp_path / "m").chat_template is None


# GGUF ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD)
def test_transformers_reads_our_gguf(name, tmp_path):
    """It turns rows and names back by its own rules, and computes the same logits."""
    model = loud(ODD[name])
    save_gguf(model, None, tmp_path / "m.gguf")
    file = str(tmp_path / "m.gguf")
    config = TheirConfig(**load_gguf_checkpoint(file)["config"])
    theirs = LlamaForCausalLM(config).eval()
    state = load_gguf_checkpoint(file, True, model_to_load=theirs)["tensors"]
    absent = theirs.load_state_dict(state, strict=False)
    assert not absent.unexpected_keys
    assert absent.missing_keys == ["lm_head.weight"] * model.config.tie_embeddings
    longest = model.config.max_seq_len
    tokens = random_tokens(model.config, 2, longest if longest <= 1024 else 64)
    with torch.no_grad():
        logits = theirs(tokens).logits
        assert logits.std() > 0.2
        assert (model(tokens) - logits).abs().max() <= 1e-5


NUMPY = {torch.float32: gguf.GGMLQuantizationType.F32,
         torch.float16: gguf.GGMLQuantizationType.F16,
         torch.bfloat16: gguf.GGMLQuantizationType.BF16}


@pytest.mark.parametrize("dtype", NUMPY)
def test_the_gguf_package_reads_every_bit(dtype, model, tokenizer, tmp_path):
    small = loud(model.config).to(dtype)
    save_gguf(small, tokenizer, tmp_path / "m.gguf", "owl", LLAMA2)
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    facts = {key: field.contents() for key, field in reader.fields.items()}
    config = small.config
    assert facts["general.architecture"] == "llama" and facts["general.name"] == "owl"
    assert facts["llama.attention.head_count_kv"] == config.n_kv_heads
    assert facts["llama.context_length"] == config.max_seq_len
    assert facts["llama.rope.freq_base"] == config.rope_theta
    assert facts["tokenizer.ggml.tokens"] == tokenizer.pieces
    assert facts["tokenizer.ggml.scores"] == tokenizer.scores
    assert facts["tokenizer.ggml.token_type"] == tokenizer.types
    assert facts["tokenizer.ggml.add_bos_token"] is True
    assert facts["tokenizer.chat_template"] == LLAMA2
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert len(found) == 3 + 9 * config.n_layers
    for theirs, ours in {"token_embd": "embedding", "blk.1.attn_q":
                         "layers.1.attention.query", "blk.0.ffn_down":
                         "layers.0.feed_forward.down", "blk.1.ffn_gate":
                         "layers.1.feed_forward.gate", "output": "output",
                         "output_norm": "norm"}.items():
        tensor = found[f"{theirs}.weight"]
        written = small.state_dict()[f"{ours}.weight"]
        matrix = written.dim() == 2
        assert tensor.tensor_type == (NUMPY[dtype] if matrix else NUMPY[torch.float32])
        assert tuple(tensor.shape) == tuple(reversed(written.shape))
        written = written if matrix else written.float()
        assert tensor.data.tobytes() == written.contiguous().view(torch.uint8
                                                                  ).numpy().tobytes()
        assert tensor.data_offset % 32 == 0


def test_the_gguf_tokenizer_is_read_by_transformers(model, tokenizer, tmp_path):
    save_gguf(model, tokenizer, tmp_path / "m.gguf", template=LLAMA2)
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf")
    assert theirs.chat_template == LLAMA2
    for text in chat_texts(50, seed=4):
        assert theirs.encode(text, add_special_tokens=False) == tokenizer.encode(text)


# llama2.c -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("name", PLAIN)
def test_llama2c_comes_back_to_the_bit(name, version, tmp_path):
    """Our reader is itself compared with an independent writer in the layouts' tests;
    here the bytes are also those of that writer."""
    model = loud(ODD[name])
    save_llama2c(model, tmp_path / "m.bin", version)
    again = open_model(tmp_path / "m.bin").model
    assert again.config == model.config
    for key, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key
    content = np.fromfile(tmp_path / "m.bin", "<f4", offset=256 if version else 28)
    config = model.config
    first = (model.layers[0].attention_norm.weight if version
             else model.embedding.weight[0]).detach().numpy()
    assert np.array_equal(content[: config.dim], first)
    if version == 0:  # the C program looks for the angles here
        tail = config.vocab_size * config.dim * (not config.tie_embeddings)
        half = config.max_seq_len * config.head_dim // 2
        angles = content[content.size - tail - 2 * half : content.size - tail]
        position = np.arange(config.max_seq_len)[:, None]
        power = np.arange(0, config.head_dim, 2) / config.head_dim
        angle = (position * 10000.0 ** -power).ravel()
        np.testing.assert_allclose(angles[:half], np.cos(angle), atol=2e-4)
        np.testing.assert_allclose(angles[half:], np.sin(angle), atol=2e-4)
    header = struct.unpack_from("<7i", (tmp_path / "m.bin").read_bytes(), 8 * version)
    assert header[:5] == (config.dim, config.ffn_dim, config.n_layers, config.n_heads,
                          config.n_kv_heads)


@pytest.mark.parametrize("name", ["theta_1e6", "large_eps"])
def test_llama2c_refuses_what_the_c_program_would_compute_otherwise(name, tmp_path):
    with pytest.raises(UserError) as caught:
        save_llama2c(loud(ODD[name]), tmp_path / "m.bin")
    one_line(caught.value, "norm_eps 1e-05", "rope_theta 10000")
    with pytest.raises(UserError):
        save_llama2c(loud(ODD["long"]), tmp_path / "m.bin", version=2)
    assert not list(tmp_path.iterdir())


def test_the_tokenizer_of_llama2c(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.model")
    save_tokenizer_bin(tokenizer, tmp_path / "ours.bin")
    write_tokenizer_bin(tmp_path / "tokenizer.model", tmp_path / "theirs.bin")
    ours, theirs = (tmp_path / f"{whose}.bin" for whose in ("ours", "theirs"))
    assert ours.read_bytes() == theirs.read_bytes()
    again = load_tokenizer_bin(tmp_path / "theirs.bin", tokenizer.vocab_size)
    assert again.vocabulary == tokenizer.vocabulary
    for size in (tokenizer.vocab_size - 1, tokenizer.vocab_size + 1, 3):
        with pytest.raises(UserError) as caught:
            load_tokenizer_bin(tmp_path / "theirs.bin", size)
        one_line(caught.value, "theirs.bin", str(size))


def test_a_bin_with_either_tokenizer_beside_it(model, tokenizer, tmp_path):
    save_llama2c(model, tmp_path / "m.bin")
    assert open_model(tmp_path).tokenizer is None
    save_tokenizer_bin(tokenizer, tmp_path / "tokenizer.bin")
    assert open_model(tmp_path).tokenizer.pieces == tokenizer.pieces
    (tmp_path / "tokenizer.bin").write_bytes(b"never looked at")
    tokenizer.save(tmp_path / "tokenizer.model")
    assert open_model(tmp_path / "m.bin").tokenizer.pieces == tokenizer.pieces


# Saving is whole or not at all ------------------------------------------------------


def test_a_tokenizer_of_another_model_is_refused(tokenizer, tmp_path):
    for save in (lambda: save_huggingface(loud(ODD["long"]), tokenizer, tmp_path / "m"),
                 lambda: save_gguf(loud(ODD["long"]), tokenizer, tmp_path / "m.gguf")):
        with pytest.raises(UserError) as caught:
            save()
        one_line(caught.value, "500 pieces", "40")
    with pytest.raises(UserError) as caught:
        save_gguf(loud(ODD["long"]).double(), None, tmp_path / "m.gguf")
    one_line(caught.value, "float64")
    assert not list(tmp_path.iterdir())


SAVES = {"llama2c": lambda model, tokenizer, at: save_llama2c(model, at),
         "gguf": lambda model, tokenizer, at: save_gguf(model, tokenizer, at),
         "tokenizer": lambda model, tokenizer, at: save_tokenizer_bin(tokenizer, at),
         "huggingface": lambda model, tokenizer, at: save_huggingface(
             model, tokenizer, at, LLAMA2, overwrite=True)}


def content(place: Path) -> dict[str, bytes]:
    """Every file at or below a place."""
    return {str(p.relative_to(place.parent)): p.read_bytes()
            for p in [place, *place.rglob("*")] if p.is_file()}


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("kind", SAVES)
def test_a_disk_that_is_full(kind, present, model, tokenizer, tmp_path):
    """The kernel refuses to write over 4,000 bytes into a file: a real error in the
    middle of a write. The disk is then as it was before, without drafts."""
    limits = pytest.importorskip("resource", reason="no limits on this system")
    place, before = tmp_path / "m", {}
    if present:
        SAVES[kind](loud(model.config, seed=8), tokenizer, place)
        before = content(place)
    _, hard = old = limits.getrlimit(limits.RLIMIT_FSIZE)
    limits.setrlimit(limits.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(UserError) as caught:
            SAVES[kind](model, tokenizer, place)
    finally:
        limits.setrlimit(limits.RLIMIT_FSIZE, old)
    one_line(caught.value, str(place))
    assert content(place) == before
    assert [p.name for p in tmp_path.iterdir()] == (["m"] if present else [])


@pytest.mark.parametrize("kind", SAVES)
def test_an_interrupt_in_the_middle(kind, model, tokenizer, monkeypatch, tmp_path):
    """At every atomic step of a save, Ctrl-C leaves the old and nothing else."""
    place = tmp_path / "m"
    SAVES[kind](loud(model.config, seed=8), tokenizer, place)
    before, real, step = content(place), os.replace, 0
    while True:
        calls, step = [], step + 1

        def breaking(*args):
            calls.append(args)
            if len(calls) == step:
                raise KeyboardInterrupt
            return real(*args)

        monkeypatch.setattr(files.os, "replace", breaking)
        if len(before) == 1 and step > 1 or step > 12:
            break
        try:
            SAVES[kind](model, tokenizer, place)
        except KeyboardInterrupt:
            monkeypatch.setattr(files.os, "replace", real)
            assert content(place) == before, step
            assert [p.name for p in tmp_path.iterdir()] == ["m"], step
        else:
            break
    assert step > 1 and (kind != "huggingface" or step > 4)


def test_a_model_is_exported_without_transformers_being_there(exported):
    """Export needs nobody's library but safetensors."""
    code = ("import sys, minillama.formats.open_file, minillama.formats.gguf\n"
            "print([m for m in sys.modules if m.split('.')[0] in "
            "('transformers', 'tokenizers', 'gguf', 'jinja2', 'sentencepiece')])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
