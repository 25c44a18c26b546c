"""Meta's own layout: params.json beside consolidated.00.pth, consolidated.01.pth, ...

The weights of a large model were cut for several GPUs, and each file is what one of
them held. A matrix whose outputs are divided among the GPUs (queries, keys, values,
gate, up, the output table) was cut along its rows; one whose inputs are divided
(attention output, down) along its columns, since it reads what the former wrote. Norms
are the same everywhere. The embedding was cut along its columns for Llama 1 and 2, and
along the vocabulary for Llama 3. The rows of queries and keys stand in the order of
rope.py's "interleaved" layout, which is ours, so they need no permutation.

Source: the model definition of Meta's reference code for Llama 2 (names, and which
layer is column- or row-parallel); Shoeybi et al., arXiv 1909.08053, section 3, for the
idea.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..config import LlamaConfig
from ..errors import UserError
from ..model import Llama
from .assembling import check_dtype, common_dtype, empty_model, fill
from .meta_params import read_params
from .pth import open_pth

ROWS, COLUMNS = 0, 1
OUTSIDE = {  # ours: Meta's name, and the dimension along which shards are cut
    "embedding.weight": ("tok_embeddings.weight", COLUMNS),
    "norm.weight": ("norm.weight", None),
    "output.weight": ("output.weight", ROWS),
}
INSIDE = {  # within layer n, under "layers.n." in both
    "attention_norm.weight": ("attention_norm.weight", None),
    "attention.query.weight": ("attention.wq.weight", ROWS),
    "attention.key.weight": ("attention.wk.weight", ROWS),
    "attention.value.weight": ("attention.wv.weight", ROWS),
    "attention.output.weight": ("attention.wo.weight", COLUMNS),
    "feed_forward_norm.weight": ("ffn_norm.weight", None),
}
NUMBERED = {"gate": (1, ROWS), "down": (2, COLUMNS), "up": (3, ROWS)}
INSIDE |= {f"feed_forward.{role}.weight": (f"feed_forward.w{number}.weight", cut)
           for role, (number, cut) in NUMBERED.items()}
IGNORED = {"rope.freqs"}  # the angles; they follow from the configuration


@dataclass(frozen=True)
class Cut:
    """How one tensor lies in the shards: which of them hold it, cut along what."""

    theirs: str
    shards: tuple[int, ...]  # in order
    dimension: int
    shape: torch.Size  # of the whole


def load_meta(folder: Path, dtype: torch.dtype | None = None,
              device: torch.device | str = "cpu") -> Llama:
    """Open a folder in Meta's layout; returns the model in evaluation mode.

    Tensors are copied out of the memory-mapped files, so the model does not hang on
    them. Files are opened anew for every layer, and their pages can go when it is
    done: memory holds the model and one layer. Raises UserError for a folder that is
    no such checkpoint, or a damaged one.
    """
    check_dtype(dtype)
    files = shard_files(folder)
    tables = [open_pth(file) for file in files]  # mapped; nothing is read yet
    config = read_params(folder, tables, OUTSIDE["output.weight"][0],
                         "layers.0." + INSIDE["feed_forward.gate.weight"][0])
    _check_names(config, files, tables)
    model = empty_model(config, folder / "params.json")
    cuts = _cuts(model, config, files, tables)
    dtype = dtype or common_dtype(
        (tensor.dtype for table in tables for name, tensor in table.items()
         if name not in IGNORED), folder)
    del tables
    return fill(model, _weights(files, cuts, dtype, device), device, folder)


def shard_files(folder: Path) -> list[Path]:
    """The files of a checkpoint in order. Raises UserError where one is missing."""
    form = re.compile(r"consolidated\.(\d\d)\.pth")
    numbers = sorted(int(found[1]) for file in folder.glob("consolidated.*.pth")
                     if (found := form.fullmatch(file.name)))
    if not numbers:
        raise UserError(f"{folder} has no consolidated.00.pth: it is no checkpoint in "
                        "Meta's layout")
    files = [folder / f"consolidated.{n:02d}.pth" for n in range(numbers[-1] + 1)]
    for file in files:
        if not file.exists():
            raise UserError(f"{file} is missing: {folder} holds {len(numbers)} of at "
                            f"least {len(files)} shards")
    return files


def meta_names(config: LlamaConfig) -> dict[str, tuple[str, int | None]]:
    """Every tensor: our name to Meta's and the dimension along which it is cut."""
    names = dict(OUTSIDE)
    for n in range(config.n_layers):
        names |= {f"layers.{n}.{ours}": (f"layers.{n}.{theirs}", cut)
                  for ours, (theirs, cut) in INSIDE.items()}
    return names


def _check_names(config: LlamaConfig, files: Sequence[Path],
                 tables: Sequence[dict[str, Tensor]]) -> None:
    """Every shard holds a piece of every tensor, and nothing else."""
    expected = {theirs for theirs, _ in meta_names(config).values()}
    for file, table in zip(files, tables):
        found = table.keys() - IGNORED
        for what, some in (("lacks", expected - found),
                           ("has unknown", found - expected)):
            if some:
                raise UserError(
                    f"{file} {what} {len(some)} tensors ({sorted(some)[0]}): is "
                    "params.json the one that belongs to it?")


def _cuts(model: Llama, config: LlamaConfig, files: Sequence[Path],
          tables: Sequence[dict[str, Tensor]]) -> dict[str, Cut]:
    """The plan: every tensor with its pieces, before a single weight is read."""
    names, whole = meta_names(config), model.state_dict()
    cuts = {}
    for ours, (theirs, dimension) in names.items():
        pieces = [table[theirs].shape for table in tables]
        cut = _cut(theirs, dimension, pieces, whole[ours].shape, config)
        if cut is None:
            several = f"the {len(files)} shards together hold {theirs} as "
            raise UserError(
                f"{files[0].parent}: {several if len(files) > 1 else theirs + ' is '}"
                f"{', '.join(str(tuple(p)) for p in pieces[:4])}, and params.json calls"
                f" for {tuple(whole[ours].shape)}: is a shard missing?")
        cuts[ours] = cut
    return cuts


def _cut(theirs: str, dimension: int | None, pieces: Sequence[torch.Size],
         whole: torch.Size, config: LlamaConfig) -> Cut | None:
    """How ``pieces`` make ``whole``, or None where they do not."""
    everyone = tuple(range(len(pieces)))
    if dimension is None:  # each shard has all of it
        return Cut(theirs, (0,), 0, whole) if set(pieces) == {whole} else None
    dimensions = [dimension]
    if theirs == OUTSIDE["embedding.weight"][0]:
        dimensions.append(ROWS)  # Llama 3
    candidates = [(everyone, each) for each in dimensions]
    copies = len(pieces) // config.n_kv_heads
    if theirs.endswith(("wk.weight", "wv.weight")) and copies > 1:
        # fewer heads than GPUs: some writers let neighbours hold the same head
        candidates.append((everyone[::copies], ROWS))
    for shards, along in candidates:
        if _joined([pieces[n] for n in shards], along) == whole:
            return Cut(theirs, shards, along, whole)
    return None


def _joined(pieces: Sequence[torch.Size], dimension: int) -> torch.Size | None:
    """The shape of pieces laid side by side, None where the other sides differ."""
    if any(len(piece) != 2 for piece in pieces):
        return None
    if len({piece[1 - dimension] for piece in pieces}) != 1:
        return None
    sides = list(pieces[0])
    sides[dimension] = sum(piece[dimension] for piece in pieces)
    return torch.Size(sides)


def _weights(files: Sequence[Path], cuts: dict[str, Cut], dtype: torch.dtype,
             device: torch.device | str) -> Iterator[tuple[str, Tensor]]:
    """Each tensor, merged into memory of its own, layer by layer."""
    groups: dict[str, list[str]] = {}
    for ours in cuts:
        layer = ours.split(".")[1] if ours.startswith("layers.") else ours
        groups.setdefault(layer, []).append(ours)
    for group in groups.values():
        tables = [open_pth(file) for file in files]
        for ours in group:
            cut = cuts[ours]
            merged = torch.empty(cut.shape, dtype=dtype, device=device)
            at = 0
            for n in cut.shards:
                piece = tables[n][cut.theirs]
                length = piece.shape[cut.dimension]
                merged.narrow(cut.dimension, at, length).copy_(piece)
                at += length
            yield ours, merged
