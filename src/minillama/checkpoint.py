"""Weights on disk in the Hugging Face layout, in both directions.

A folder holds config.json and model.safetensors, or shards with an index, and the
tokenizer's tokenizer.model. Only safetensors are read: unpickling a stranger's file
runs the stranger's code. Hugging Face keeps queries and keys in the "halves" layout
of RoPE, this package in Meta's "interleaved" one (see rope.py).
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .checkpoint_config import config_from_json, config_to_json, read_json
from .config import LlamaConfig
from .errors import UserError
from .model import Llama
from .rope import halves_to_interleaved, interleaved_to_halves
from .tokenizer import Tokenizer

OUTSIDE = {  # ours: Hugging Face's
    "embedding.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
INSIDE = {  # within layer n, under "layers.n." here and "model.layers.n." there
    "attention_norm.weight": "input_layernorm.weight",
    "attention.query.weight": "self_attn.q_proj.weight",
    "attention.key.weight": "self_attn.k_proj.weight",
    "attention.value.weight": "self_attn.v_proj.weight",
    "attention.output.weight": "self_attn.o_proj.weight",
    "feed_forward_norm.weight": "post_attention_layernorm.weight",
    "feed_forward.gate.weight": "mlp.gate_proj.weight",
    "feed_forward.up.weight": "mlp.up_proj.weight",
    "feed_forward.down.weight": "mlp.down_proj.weight",
}


def tensor_names(config: LlamaConfig) -> dict[str, str]:
    """Every tensor of a model: our name to Hugging Face's. Tied output left out."""
    names = dict(OUTSIDE)
    if config.tie_embeddings:
        del names["output.weight"]
    for n in range(config.n_layers):
        for ours, theirs in INSIDE.items():
            names[f"layers.{n}.{ours}"] = f"model.layers.{n}.{theirs}"
    return names


def rope_heads(name: str, config: LlamaConfig) -> int | None:
    """Number of heads in a projection that RoPE rotates, None for other tensors."""
    if name.endswith("attention.query.weight"):
        return config.n_heads
    return config.n_kv_heads if name.endswith("attention.key.weight") else None


def load_pretrained(
    folder: str | os.PathLike, dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> tuple[Llama, Tokenizer | None]:
    """Open a Llama checkpoint in the Hugging Face layout.

    Returns the model in evaluation mode and its tokenizer, or None where the folder
    has no tokenizer.model. ``dtype`` None keeps the stored one. Weights are read one
    tensor at a time into a model that had none, so memory holds them once. Raises
    UserError for a folder that is no such checkpoint, or a damaged or foreign one.
    """
    folder = Path(folder)
    config = config_from_json(folder)
    places = _places(folder)
    if config.n_layers > len(places):  # before a billion layers are built
        raise UserError(f"{folder} holds {len(places)} tensors, too few for the "
                        f"{config.n_layers} layers in config.json")
    model = _without_weights(config, folder)
    expected = {theirs: ours for ours, theirs in tensor_names(config).items()}
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    weights: dict[str, Tensor] = {}
    for name, tensor in _tensors(folder, places, expected, config):
        ours = expected[name]
        _check_tensor(tensor, shapes[ours], f"{folder}: tensor {name}")
        heads = rope_heads(ours, config)
        tensor = halves_to_interleaved(tensor, heads) if heads else tensor
        weights[ours] = tensor.to(device=device, dtype=dtype or tensor.dtype)
    if config.tie_embeddings:
        weights["output.weight"] = weights["embedding.weight"]
    model.load_state_dict(weights, assign=True)
    if config.tie_embeddings:
        model.output.weight = model.embedding.weight
    model.reset_rotary()
    file = folder / "tokenizer.model"
    tokenizer = Tokenizer.from_sentencepiece(file) if file.is_file() else None
    return model.to(device).eval(), tokenizer


def _without_weights(config: LlamaConfig, folder: Path) -> Llama:
    try:
        with torch.device("meta"):
            return Llama(config)
    except (RuntimeError, TypeError, OverflowError):  # sizes that no tensor can have
        raise UserError(f"{folder / 'config.json'} calls for a model that is too large "
                        "to exist: the file is damaged") from None


def _check_tensor(tensor: Tensor, shape: torch.Size, what: str) -> None:
    if tensor.shape != shape:
        raise UserError(f"{what} has shape {tuple(tensor.shape)}, and config.json "
                        f"calls for {tuple(shape)}")
    if not tensor.is_floating_point():
        raise UserError(f"{what} holds {tensor.dtype}, not float weights")


def _tensors(
    folder: Path, places: dict[str, Path], expected: dict[str, str],
    config: LlamaConfig,
) -> Iterator[tuple[str, Tensor]]:
    """Each expected tensor of the folder once; complains of missing and extra ones."""
    found = {name for name in places if not name.endswith("rotary_emb.inv_freq")}
    if config.tie_embeddings:
        found.discard("lm_head.weight")  # some writers store the tied copy as well
    for what, names in (("lacks", expected.keys() - found),
                        ("has unknown", found - expected.keys())):
        if names:
            some = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
            raise UserError(f"{folder} {what} {len(names)} tensors ({some}): is it a "
                            "Llama, and is config.json the one that belongs to it?")
    for file in sorted(set(places.values())):
        with _open(file) as tensors:
            for name in tensors.keys():
                if name in expected:
                    yield name, tensors.get_tensor(name)


def _places(folder: Path) -> dict[str, Path]:
    """Which file holds which tensor, as the files themselves say."""
    index = folder / "model.safetensors.index.json"
    files = [folder / "model.safetensors"]
    if index.is_file():
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise UserError(f"{index} has no weight_map: the checkpoint is damaged")
        names = {str(shard) for shard in shards.values()}
        climbing = [name for name in names if Path(name).name != name]
        if climbing:
            raise UserError(f"{index} points outside its folder: {climbing[0]!r}")
        files = [folder / name for name in sorted(names)]
    places: dict[str, Path] = {}
    for file in files:
        if not file.is_file():
            raise UserError(f"{file} is missing: only safetensors checkpoints are read")
        with _open(file) as tensors:
            for name in tensors.keys():
                if places.setdefault(name, file) != file:
                    raise UserError(f"{folder}: tensor {name} stands in two files")
    return places


def _open(file: Path) -> safe_open:
    try:
        return safe_open(file, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is damaged or no safetensors file: {error}") from None


def save_pretrained(
    model: Llama, tokenizer: Tokenizer | None, folder: str | os.PathLike,
    overwrite: bool = False, shard_bytes: int = 5 * 10**9,
) -> None:
    """Write a folder that ``transformers`` opens as a Llama.

    The folder appears complete or not at all. An existing folder with anything in it
    is left alone unless ``overwrite``. Weights of more than ``shard_bytes`` are split.
    """
    folder = Path(folder)
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        if not overwrite or folder.is_file():
            raise UserError(f"{folder} is not empty: choose another folder"
                            + ("" if folder.is_file() else " or pass overwrite=True"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise UserError(f"cannot write to {folder.parent}: {error.strerror}") from None
    try:
        _write(model, tokenizer, draft, shard_bytes)
        _put_in_place(draft, folder)
    except (OSError, SafetensorError) as error:
        raise UserError(f"could not save to {folder}: {error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put_in_place(draft: Path, folder: Path) -> None:
    draft.chmod(0o755)  # mkdtemp makes folders that only their owner may open
    if not folder.exists():
        os.replace(draft, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    try:
        os.replace(folder, old / "old")
        os.replace(draft, folder)
    except BaseException:  # an interrupt too must not cost the old weights
        if not folder.exists():
            os.replace(old / "old", folder)
        raise
    finally:
        if folder.exists():  # else the only copy is the old one
            shutil.rmtree(old, ignore_errors=True)


def _write(
    model: Llama, tokenizer: Tokenizer | None, folder: Path, shard_bytes: int
) -> None:
    config = model.config
    state = model.state_dict()
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for ours, theirs in tensor_names(config).items():
        heads = rope_heads(ours, config)
        tensor = interleaved_to_halves(state[ours], heads) if heads else state[ours]
        if shards[-1] and size + tensor.nbytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][theirs] = tensor.detach().cpu().contiguous()
        size += tensor.nbytes
    files = ["model.safetensors"]
    if len(shards) > 1:
        files = [f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
                 for i in range(len(shards))]
        index = {"metadata": {"total_size": sum(t.nbytes for s in shards
                                                for t in s.values())},
                 "weight_map": {name: file for file, shard in zip(files, shards)
                                for name in shard}}
        _write_json(folder / "model.safetensors.index.json", index)
    for file, shard in zip(files, shards):
        save_file(shard, folder / file, metadata={"format": "pt"})
        (folder / file).chmod(0o644)  # save_file lets only the owner read
    dtype = str(state["embedding.weight"].dtype).removeprefix("torch.")
    _write_json(folder / "config.json", config_to_json(config, dtype))
    if tokenizer is not None:
        tokenizer.save(folder / "tokenizer.model")


def _write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
