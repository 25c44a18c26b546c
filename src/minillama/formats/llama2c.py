"""llama2.c's ``.bin``: seven numbers, then every weight as float32, one after another.

Version 0 begins at once with the numbers, and a negative vocabulary says that the
output table is stored too. It repeats the angles of RoPE, which nobody needs. Version 1
has a magic number, a header of 256 bytes and the norms first, since only they stay
float32 in its quantised brother, version 2, which is not read here.

The header has no room for ``norm_eps`` and ``rope_theta``: the C program knows only
1e-5 and 10000. A model with others cannot be exported, it would compute something else.

Source: the published description of the layout in karpathy/llama2.c, export.py and
run.c (versions 0 and 1). All numbers are little-endian; rows of queries and keys are
in Meta's "interleaved" order, which is ours.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from ..checkpoint_config import LONGEST
from ..config import LlamaConfig
from ..errors import UserError
from ..files import write_atomically
from ..model import Llama
from .assembling import check_dtype, empty_model, fill
from .guards import check_file

MAGIC = b"24ka"  # "ak42" read as a little-endian number
NUMBERS = struct.Struct("<7i")
HEADER = 256  # bytes, of version 1
ANGLES = "angles"  # a place in the file where no weight stands
BUFFER = 2**20  # numbers
NORM_EPS, THETA = 1e-5, 10000.0  # what run.c computes with
ATTENTION = ("query", "key", "value", "output")
FEED_FORWARD = ("gate", "down", "up")


def load_llama2c(file: Path, dtype: torch.dtype | None = None,
                 device: torch.device | str = "cpu") -> Llama:
    """Open a ``.bin`` of version 0 or 1; returns the model in evaluation mode.

    Numbers pass through one small buffer, so there is never more than the model in
    memory. Raises UserError where the size of the file is not, to the byte, what its
    header calls for.
    """
    check_dtype(dtype)
    check_file(file)
    try:
        with file.open("rb") as stream:
            version, config = _read_header(file, stream)
            start = stream.tell()
            _check_size(file, config, version, start)
            model = empty_model(config, file)
            weights = _weights(file, stream, model, version, dtype or torch.float32,
                               device)
            return fill(model, weights, device, file)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None


def save_llama2c(model: Llama, file: str | os.PathLike, version: int = 1) -> None:
    """Write a ``.bin`` for llama2.c; the file appears whole or not at all.

    The weights become float32. Raises UserError for a model that the C program would
    compute otherwise, and where the disk is full.
    """
    config = model.config
    if version not in (0, 1):
        raise UserError(f"llama2.c's version {version} is not written: choose 0 or 1")
    if (config.norm_eps, config.rope_theta) != (NORM_EPS, THETA):
        raise UserError(
            f"llama2.c computes with norm_eps {NORM_EPS} and rope_theta {THETA} only, "
            f"and this model has {config.norm_eps} and {config.rope_theta}")
    state = model.state_dict() | {ANGLES: torch.cat([model.cos, model.sin])}

    def write(draft: Path) -> None:
        with draft.open("wb") as stream:
            stream.write(_header(config, version))
            for name in _order(config, version):
                stream.write(_bytes(state[name]))

    write_atomically(file, write)


def _order(config: LlamaConfig, version: int) -> list[str]:
    """Our names of the tensors in the order of the file."""
    def each(form: str) -> list[str]:
        return [f"layers.{n}.{form}.weight" for n in range(config.n_layers)]

    attention = [name for role in ATTENTION for name in each(f"attention.{role}")]
    feed_forward = [name for role in FEED_FORWARD
                    for name in each(f"feed_forward.{role}")]
    norms = each("attention_norm"), each("feed_forward_norm")
    if version == 0:
        names = ["embedding.weight", *norms[0], *attention, *norms[1], *feed_forward,
                 "norm.weight", ANGLES]
    else:
        names = [*norms[0], *norms[1], "norm.weight", "embedding.weight", *attention,
                 *feed_forward]
    return names if config.tie_embeddings else [*names, "output.weight"]


def _header(config: LlamaConfig, version: int) -> bytes:
    vocabulary = config.vocab_size
    if version == 0 and not config.tie_embeddings:
        vocabulary = -vocabulary
    numbers = NUMBERS.pack(config.dim, config.ffn_dim, config.n_layers, config.n_heads,
                           config.n_kv_heads, vocabulary, config.max_seq_len)
    if version == 0:
        return numbers
    start = MAGIC + struct.pack("<i", 1) + numbers + bytes([config.tie_embeddings])
    return start.ljust(HEADER, b"\0")


def _read_header(file: Path, stream: BinaryIO) -> tuple[int, LlamaConfig]:
    """Version and shape; the stream then stands at the first weight."""
    start = stream.read(NUMBERS.size)
    version = 0
    if start[:4] == MAGIC:
        header = (start + stream.read(HEADER - NUMBERS.size)).ljust(HEADER, b"\0")
        version = int.from_bytes(header[4:8], "little")
        if version != 1:
            raise UserError(f"{file} is of llama2.c's version {version}, and only 0 "
                            "and 1 are read: export it again with --version 1")
        start, tied = header[8 : 8 + NUMBERS.size], bool(header[8 + NUMBERS.size])
    if len(start) < NUMBERS.size:
        raise UserError(f"{file} is cut off within its header")
    dim, width, layers, heads, kv_heads, vocabulary, longest = NUMBERS.unpack(start)
    if version == 0:
        tied, vocabulary = vocabulary > 0, abs(vocabulary)
    try:
        config = LlamaConfig(
            vocabulary, dim, layers, heads, n_kv_heads=kv_heads, ffn_dim=width,
            max_seq_len=longest, norm_eps=NORM_EPS, rope_theta=THETA,
            tie_embeddings=tied)
    except UserError as error:
        raise UserError(f"{file} is no .bin of llama2.c, or a damaged one: {error}"
                        ) from None
    if longest > LONGEST:
        raise UserError(f"{file} is damaged: it claims to read {longest} tokens")
    return version, config


def _check_size(file: Path, config: LlamaConfig, version: int, start: int) -> None:
    """Nothing is built before the file has proved to hold what it claims."""
    angles = config.max_seq_len * config.head_dim if version == 0 else 0
    expected = start + 4 * (config.parameter_count() + angles)
    size = file.stat().st_size
    if size != expected:
        raise UserError(f"{file} has {size} bytes where its header calls for {expected}"
                        ": it is cut off, damaged, or no .bin of llama2.c")


def _weights(file: Path, stream: BinaryIO, model: Llama, version: int,
             dtype: torch.dtype, device: torch.device | str
             ) -> Iterator[tuple[str, Tensor]]:
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    config, buffer = model.config, torch.empty(BUFFER)
    for name in _order(config, version):
        if name == ANGLES:
            stream.seek(4 * config.max_seq_len * config.head_dim, os.SEEK_CUR)
            continue
        tensor = torch.empty(shapes[name], dtype=dtype, device=device)
        for part in tensor.view(-1).split(BUFFER):
            read = buffer[: part.numel()]
            if stream.readinto(_view(read)) != read.nbytes:
                raise UserError(f"{file} became shorter while it was read")
            part.copy_(read)
        yield name, tensor


def _view(tensor: Tensor) -> memoryview:
    """The bytes of a contiguous tensor, shared with it."""
    return memoryview(tensor.view(-1).view(torch.uint8).numpy())


def _bytes(tensor: Tensor) -> memoryview:
    return _view(tensor.detach().to("cpu", torch.float32).contiguous())
