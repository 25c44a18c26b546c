"""Checkpoints as others write them, from a model that transformers computes.

Nothing of minillama's own reading or writing is used: names, order of rows and cuts
are written down a second time here, from what Meta and llama2.c have published.
"""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from models import randomise
from torch import Tensor
from transformers import LlamaConfig as TheirConfig
from transformers import LlamaForCausalLM

from minillama.config import LlamaConfig


def their_model(config: LlamaConfig, seed: int = 3) -> LlamaForCausalLM:
    """A model of transformers with this shape, and weights that show in its logits."""
    model = LlamaForCausalLM(TheirConfig(
        vocab_size=config.vocab_size, hidden_size=config.dim,
        intermediate_size=config.ffn_dim, num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads, num_key_value_heads=config.n_kv_heads,
        max_position_embeddings=config.max_seq_len, rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=config.tie_embeddings)).eval()
    randomise(model, seed)
    return model


def neighbours(weight: Tensor, n_heads: int) -> Tensor:
    """Rows of a query or key matrix from (i, i + half) to (2 i, 2 i + 1), head by head.

    transformers turns coordinate i of a head together with i + half, Meta and llama2.c
    turn 2 i with 2 i + 1; so row i must go to 2 i.
    """
    result, size = torch.empty_like(weight), weight.shape[0] // n_heads
    for head in range(n_heads):
        for i in range(size // 2):
            result[head * size + 2 * i] = weight[head * size + i]
            result[head * size + 2 * i + 1] = weight[head * size + size // 2 + i]
    return result


def meta_tensors(theirs: LlamaForCausalLM) -> dict[str, Tensor]:
    """The whole tensors under Meta's names, rows in Meta's order."""
    state, config = theirs.state_dict(), theirs.config
    tensors = {"tok_embeddings.weight": state["model.embed_tokens.weight"],
               "norm.weight": state["model.norm.weight"],
               "output.weight": theirs.lm_head.weight.detach()}
    for n in range(config.num_hidden_layers):
        layer = {name.removeprefix(f"model.layers.{n}."): tensor for name, tensor
                 in state.items() if name.startswith(f"model.layers.{n}.")}
        tensors |= {f"layers.{n}.{name}.weight": tensor for name, tensor in {
            "attention_norm": layer["input_layernorm.weight"],
            "attention.wq": neighbours(layer["self_attn.q_proj.weight"],
                                       config.num_attention_heads),
            "attention.wk": neighbours(layer["self_attn.k_proj.weight"],
                                       config.num_key_value_heads),
            "attention.wv": layer["self_attn.v_proj.weight"],
            "attention.wo": layer["self_attn.o_proj.weight"],
            "ffn_norm": layer["post_attention_layernorm.weight"],
            "feed_forward.w1": layer["mlp.gate_proj.weight"],
            "feed_forward.w2": layer["mlp.down_proj.weight"],
            "feed_forward.w3": layer["mlp.up_proj.weight"]}.items()}
    return tensors


def write_meta(theirs: LlamaForCausalLM, folder: Path, shards: int = 1,
               embedding: str = "columns", keys: str = "cut", **params) -> Path:
    """Write params.json and consolidated.NN.pth as model-parallel training leaves them.

    Where a side does not divide, the first shards get one more. ``embedding`` "rows"
    is Llama 3's; ``keys`` "copied" gives neighbouring shards the same head where there
    are fewer heads than shards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = theirs.config
    groups = max(1, shards // config.num_key_value_heads) if keys == "copied" else 1
    parts: list[dict[str, Tensor]] = [{} for _ in range(shards)]
    for name, tensor in meta_tensors(theirs).items():
        if name.endswith("norm.weight"):
            pieces = [tensor] * shards
        elif name.endswith(("wo.weight", "w2.weight")):  # row-parallel
            pieces = tensor.tensor_split(shards, dim=1)
        elif name == "tok_embeddings.weight":
            pieces = tensor.tensor_split(shards, dim=1 if embedding == "columns" else 0)
        elif name.endswith(("wk.weight", "wv.weight")):
            different = tensor.tensor_split(shards // groups, dim=0)
            pieces = [different[n // groups] for n in range(shards)]
        else:  # column-parallel
            pieces = tensor.tensor_split(shards, dim=0)
        for part, piece in zip(parts, pieces):
            part[name] = piece.clone()
    size = config.hidden_size // config.num_attention_heads
    for part in parts:
        part["rope.freqs"] = torch.full((size // 2,), 7.0)  # wrong, and ignored
    for number, part in enumerate(parts):
        torch.save(part, folder / f"consolidated.{number:02d}.pth")
    content = {"dim": config.hidden_size, "n_layers": config.num_hidden_layers,
               "n_heads": config.num_attention_heads, "vocab_size": -1,
               "norm_eps": config.rms_norm_eps}
    if config.num_key_value_heads != config.num_attention_heads:
        content["n_kv_heads"] = config.num_key_value_heads
    if config.rope_parameters["rope_theta"] != 10000.0:
        content["rope_theta"] = config.rope_parameters["rope_theta"]
    content |= params
    (folder / "params.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_llama2c(theirs: LlamaForCausalLM, file: Path, version: int) -> Path:
    """Write a .bin of llama2.c, version 0 or 1, number by number."""
    tensors, config = meta_tensors(theirs), theirs.config
    layers, tied = config.num_hidden_layers, config.tie_word_embeddings

    def of(name: str) -> list[Tensor]:
        return [tensors[f"layers.{n}.{name}.weight"] for n in range(layers)]

    attention = of("attention.wq") + of("attention.wk") + of("attention.wv") + of(
        "attention.wo")
    matrices = of("feed_forward.w1") + of("feed_forward.w2") + of("feed_forward.w3")
    norm, table = tensors["norm.weight"], tensors["tok_embeddings.weight"]
    size = config.hidden_size // config.num_attention_heads
    vocabulary = config.vocab_size if tied or version else -config.vocab_size
    header = struct.pack(
        "<7i", config.hidden_size, config.intermediate_size, layers,
        config.num_attention_heads, config.num_key_value_heads, vocabulary,
        config.max_position_embeddings)
    angles = [torch.full((config.max_position_embeddings * size,), 7.0)]  # ignored
    order = [table, *of("attention_norm"), *attention, *of("ffn_norm"), *matrices, norm,
             *angles]
    if version == 1:
        header = struct.pack("<Ii", 0x616B3432, 1) + header + bytes([tied])
        header += bytes(256 - len(header))
        order = [*of("attention_norm"), *of("ffn_norm"), norm, table, *attention,
                 *matrices]
    if not tied:
        order.append(tensors["output.weight"])
    with file.open("wb") as stream:
        stream.write(header)
        for tensor in order:
            stream.write(tensor.detach().float().numpy().astype("<f4").tobytes())
    return file


def write_tokenizer_bin(sentencepiece_file: Path, file: Path) -> None:
    """tokenizer.bin of llama2.c from a tokenizer.model, by way of sentencepiece."""
    from sentencepiece import SentencePieceProcessor
    processor = SentencePieceProcessor(model_file=str(sentencepiece_file))
    texts, scores = [], []
    for id in range(processor.vocab_size()):
        text = {1: "\n<s>\n", 2: "\n</s>\n"}.get(id, processor.id_to_piece(id))
        texts.append(text.replace("\u2581", " ").encode("utf-8"))
        scores.append(np.float32(processor.get_score(id)))
    parts = [struct.pack("<I", max(map(len, texts)))]
    parts += [score.tobytes() + struct.pack("<i", len(text)) + text
              for score, text in zip(scores, texts)]
    file.write_bytes(b"".join(parts))
