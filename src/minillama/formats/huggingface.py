"""Hugging Face's layout, as strangers write it: config.json and safetensors.

checkpoint.py reads the same layout for the models of this series, and its names are
used here. What is added is what a file of 13 gigabytes from elsewhere needs: checks
before any library sees it, one type for all tensors, and memory for the model once.

A safetensors file is mapped into memory, and what was read of it stays there as long
as it is open. So it is opened anew for every tensor, which is copied out: memory holds
the model and one tensor, and the file may go when the model stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..checkpoint import rope_heads, tensor_names
from ..checkpoint_config import config_from_json, read_json
from ..config import LlamaConfig
from ..errors import UserError
from ..model import Llama
from ..rope import halves_to_interleaved
from .assembling import check_dtype, common_dtype, empty_model, fill
from .guards import LARGEST_JSON, check_file, check_safetensors

INDEX = "model.safetensors.index.json"
LONGEST_NAME = 200  # characters; a longer one is no file of any system
TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16,
         "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Place:
    """Where a tensor lies, and what it is, as the header of its file says."""

    file: Path
    shape: tuple[int, ...]
    kind: str  # such as "BF16"


def load_huggingface(folder: Path, dtype: torch.dtype | None = None,
                     device: torch.device | str = "cpu") -> Llama:
    """Open a folder in Hugging Face's layout; the model is in evaluation mode.

    Where tensors are of several types and ``dtype`` is None, all become the one that
    holds them exactly, since the model computes in one. Raises UserError for a folder
    that is no such checkpoint, and for a damaged, foreign or hostile one.
    """
    check_dtype(dtype)
    check_file(folder / "config.json", LARGEST_JSON)
    config = config_from_json(folder)
    places = _places(folder, shard_files(folder))
    if config.n_layers > len(places):  # before a billion names are made
        raise UserError(f"{folder} holds {len(places)} tensors, too few for the "
                        f"{config.n_layers} layers in config.json")
    wanted = _wanted(folder, config, places)
    model = empty_model(config, folder / "config.json")
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for ours, theirs in wanted.items():
        if places[theirs].shape != shapes[ours]:
            raise UserError(f"{folder}: tensor {theirs} has shape "
                            f"{places[theirs].shape}, and config.json calls for "
                            f"{tuple(shapes[ours])}")
    stored = common_dtype((TYPES.get(places[theirs].kind, places[theirs].kind)
                           for theirs in wanted.values()), folder)
    weights = _weights(config, wanted, places, dtype or stored, device)
    return fill(model, weights, device, folder)


def shard_files(folder: Path) -> list[Path]:
    """The files that hold weights, each looked at before it is opened.

    Raises UserError for an index whose paths lead out of the folder, for links that
    do, for what is no plain file, and for headers made to fill memory.
    """
    names = ["model.safetensors"]
    if (folder / INDEX).exists():
        check_file(folder / INDEX, LARGEST_JSON)
        index = read_json(folder / INDEX).get("weight_map")
        if not isinstance(index, dict) or not index:
            raise UserError(f"{folder / INDEX} has no weight_map: the checkpoint is "
                            "damaged")
        names = sorted({str(name) for name in index.values()})
    for name in names:
        if Path(name).name != name or len(name) > LONGEST_NAME:
            raise UserError(f"{folder / INDEX} points outside its folder: "
                            f"{name[:60]!r}")
        if not (folder / name).exists():
            raise UserError(f"{folder / name} is missing: only safetensors checkpoints "
                            "are read")
        check_safetensors(folder / name)
    return [folder / name for name in names]


def _places(folder: Path, files: list[Path]) -> dict[str, Place]:
    """Which file holds which tensor, as the files themselves say."""
    places: dict[str, Place] = {}
    for file in files:
        with _open(file) as tensors:
            for name in tensors.keys():
                if name in places:
                    raise UserError(f"{folder}: tensor {name[:60]} stands in two files")
                part = tensors.get_slice(name)
                places[name] = Place(file, tuple(part.get_shape()), part.get_dtype())
    return places


def _wanted(folder: Path, config: LlamaConfig, places: dict[str, Place]
            ) -> dict[str, str]:
    """Our name to theirs for every tensor; complains of missing and extra ones."""
    wanted = tensor_names(config)
    found = {name for name in places if not name.endswith("rotary_emb.inv_freq")}
    if config.tie_embeddings:
        found.discard("lm_head.weight")  # some writers store the tied copy as well
    expected = set(wanted.values())
    for what, names in (("lacks", expected - found), ("has unknown", found - expected)):
        if names:
            some = ", ".join(name[:60] for name in sorted(names)[:3])
            raise UserError(f"{folder} {what} {len(names)} tensors ({some}): is it a "
                            "Llama, and is config.json the one that belongs to it?")
    return wanted


def _weights(config: LlamaConfig, wanted: dict[str, str], places: dict[str, Place],
             dtype: torch.dtype, device: torch.device | str
             ) -> Iterator[tuple[str, Tensor]]:
    for ours, theirs in wanted.items():
        place, heads = places[theirs], rope_heads(ours, config)
        copied = torch.empty(place.shape, dtype=dtype, device=device)
        with _open(place.file) as tensors:
            tensor = tensors.get_tensor(theirs)
            copied.copy_(halves_to_interleaved(tensor, heads) if heads else tensor)
        del tensor  # the last that holds the file
        yield ours, copied


def _open(file: Path) -> safe_open:
    try:
        return safe_open(file, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{file} is damaged or no safetensors file: {reason}") from None
