"""GGUF, the one file that llama.cpp and its kin read. Written here, never read.

A header, a table of facts (shape, vocabulary, chat template), a table of tensors, and
then the tensors, each beginning at a multiple of 32 bytes. Lengths of axes are listed
from the innermost out, the reverse of torch. Matrices keep the type of the model;
norms are float32, since ggml multiplies by nothing narrower. The rows of queries and
keys are in Meta's "interleaved" order, which is ours.

Source: the GGUF specification of ggml-org/ggml (version 3), and the names of
llama.cpp's architecture "llama".
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ..config import LlamaConfig
from ..errors import UserError
from ..files import write_atomically
from ..model import Llama
from ..tokenizer import Tokenizer

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
# types of facts: number in the file, and how struct packs one
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
PACKED = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}
# types of tensors: number in a tensor's entry, and in general.file_type
TENSORS = {torch.float32: (0, 0), torch.float16: (1, 1), torch.bfloat16: (30, 32)}
OUTSIDE = {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight",
           "output.weight": "output.weight"}
INSIDE = {  # within layer n, under "blk.n." there
    "attention_norm.weight": "attn_norm.weight",
    "attention.query.weight": "attn_q.weight",
    "attention.key.weight": "attn_k.weight",
    "attention.value.weight": "attn_v.weight",
    "attention.output.weight": "attn_output.weight",
    "feed_forward_norm.weight": "ffn_norm.weight",
    "feed_forward.gate.weight": "ffn_gate.weight",
    "feed_forward.up.weight": "ffn_up.weight",
    "feed_forward.down.weight": "ffn_down.weight",
}
Fact = tuple[str, int | tuple[int, int], Any]  # key, type (ARRAY, of what), value


def save_gguf(model: Llama, tokenizer: Tokenizer | None, file: str | os.PathLike,
              name: str = "minillama", template: str | None = None) -> None:
    """Write a ``.gguf``; it appears whole or not at all.

    ``template`` is a chat template in Jinja (see chat_template.py). Raises UserError
    where tokenizer and model do not belong together, and where the disk is full.
    """
    config, state = model.config, model.state_dict()
    dtype = model.embedding.weight.dtype
    if dtype not in TENSORS:
        raise UserError(f"GGUF has no weights of type {dtype}: convert the model first")
    if tokenizer is not None and tokenizer.vocab_size != config.vocab_size:
        raise UserError(f"the tokenizer has {tokenizer.vocab_size} pieces and the model"
                        f" {config.vocab_size}: they do not belong together")
    facts = _shape_facts(config, name, dtype)
    if tokenizer is not None:
        facts += _tokenizer_facts(tokenizer, template)
    names = gguf_names(config)

    def write(draft: Path) -> None:
        with draft.open("wb") as stream:
            stream.write(MAGIC + struct.pack("<IQQ", VERSION, len(names), len(facts)))
            for key, kind, value in facts:
                stream.write(_text(key) + _fact(kind, value))
            _write_table(stream, names, state)
            for ours in names:
                _pad(stream)
                stream.write(_bytes(_stored(state[ours])))

    write_atomically(file, write)


def gguf_names(config: LlamaConfig) -> dict[str, str]:
    """Every tensor: our name to GGUF's. A tied output table is left out."""
    names = dict(OUTSIDE)
    if config.tie_embeddings:
        del names["output.weight"]
    for n in range(config.n_layers):
        names |= {f"layers.{n}.{ours}": f"blk.{n}.{theirs}"
                  for ours, theirs in INSIDE.items()}
    return names


def _shape_facts(config: LlamaConfig, name: str, dtype: torch.dtype) -> list[Fact]:
    return [
        ("general.architecture", STRING, "llama"),
        ("general.name", STRING, name),
        ("general.file_type", UINT32, TENSORS[dtype][1]),
        ("general.alignment", UINT32, ALIGNMENT),
        ("llama.vocab_size", UINT32, config.vocab_size),
        ("llama.context_length", UINT32, config.max_seq_len),
        ("llama.embedding_length", UINT32, config.dim),
        ("llama.block_count", UINT32, config.n_layers),
        ("llama.feed_forward_length", UINT32, config.ffn_dim),
        ("llama.rope.dimension_count", UINT32, config.head_dim),
        ("llama.rope.freq_base", FLOAT32, config.rope_theta),
        ("llama.attention.head_count", UINT32, config.n_heads),
        ("llama.attention.head_count_kv", UINT32, config.n_kv_heads),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, config.norm_eps),
    ]


def _tokenizer_facts(tokenizer: Tokenizer, template: str | None) -> list[Fact]:
    """The vocabulary; the numbers of the kinds of pieces are SentencePiece's own."""
    facts: list[Fact] = [
        ("tokenizer.ggml.model", STRING, "llama"),
        ("tokenizer.ggml.tokens", (ARRAY, STRING), tokenizer.pieces),
        ("tokenizer.ggml.scores", (ARRAY, FLOAT32), tokenizer.scores),
        ("tokenizer.ggml.token_type", (ARRAY, INT32), tokenizer.types),
        ("tokenizer.ggml.bos_token_id", UINT32, tokenizer.bos_id),
        ("tokenizer.ggml.eos_token_id", UINT32, tokenizer.eos_id),
        ("tokenizer.ggml.unknown_token_id", UINT32, tokenizer.unk_id),
        ("tokenizer.ggml.add_bos_token", BOOL, True),
        ("tokenizer.ggml.add_eos_token", BOOL, False),
        ("tokenizer.ggml.add_space_prefix", BOOL,
         tokenizer.vocabulary.add_dummy_prefix),
    ]
    if template is not None:
        facts.append(("tokenizer.chat_template", STRING, template))
    return facts


def _fact(kind: int | tuple[int, int], value: Any) -> bytes:
    """The type of a value, then the value."""
    if isinstance(kind, int):
        return struct.pack("<I", kind) + _value(kind, value)
    array, inner = kind
    return (struct.pack("<IIQ", array, inner, len(value))
            + b"".join(_value(inner, each) for each in value))


def _value(kind: int, value: Any) -> bytes:
    return _text(value) if kind == STRING else struct.pack(PACKED[kind], value)


def _text(text: str) -> bytes:
    content = text.encode("utf-8")
    return struct.pack("<Q", len(content)) + content


def _write_table(stream: BinaryIO, names: dict[str, str], state: dict[str, Tensor]
                 ) -> None:
    """Name, shape, type and place of each tensor, places counted from the first."""
    place = 0
    for ours, theirs in names.items():
        dtype = _stored_dtype(state[ours])
        shape: Sequence[int] = tuple(reversed(state[ours].shape))
        stream.write(_text(theirs) + struct.pack("<I", len(shape)))
        stream.write(struct.pack(f"<{len(shape)}Q", *shape))
        stream.write(struct.pack("<IQ", TENSORS[dtype][0], place))
        place += state[ours].numel() * dtype.itemsize
        place += -place % ALIGNMENT


def _stored_dtype(tensor: Tensor) -> torch.dtype:
    return tensor.dtype if tensor.dim() > 1 else torch.float32


def _stored(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", _stored_dtype(tensor)).contiguous()


def _pad(stream: BinaryIO) -> None:
    stream.write(bytes(-stream.tell() % ALIGNMENT))


def _bytes(tensor: Tensor) -> memoryview:
    return memoryview(tensor.view(-1).view(torch.uint8).numpy())
