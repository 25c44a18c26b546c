"""Rotary position embedding: position enters attention as a rotation.

Coordinates of a query or key are taken in pairs; the pair ``i`` of the token at
position ``m`` turns by the angle ``m * theta ** (-2 i / head_dim)``. The score of a
query at ``m`` and a key at ``n`` then depends on ``m - n`` alone.
Source: Su et al., arXiv 2104.09864, equations 14 and 34; Llama 2 paper, section 2.2.

Two layouts exist for "pair ``i``". In the paper and in Meta's weights it is the
neighbours ``(2 i, 2 i + 1)``: "interleaved". In Hugging Face's weights it is
``(i, i + head_dim / 2)``: "halves". They describe the same model once the rows of
the query and key projections are permuted; mixing them breaks it silently.
"""

import torch
from torch import Tensor

from .errors import UserError

LAYOUTS = ("interleaved", "halves")


def rotary_table(
    head_dim: int, length: int, theta: float = 10000.0, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every angle, each (length, head_dim / 2), float32.

    ``scale`` above one squeezes positions together (position interpolation, Chen et
    al., arXiv 2306.15595): position ``m`` is treated as ``m / scale``.
    Raises UserError for an odd ``head_dim``, which cannot be cut into pairs.
    """
    if head_dim % 2:
        raise UserError(f"RoPE turns pairs of coordinates: head_dim {head_dim} is odd")
    # step 1: float32, in the reference's order of operations, because the weights
    # were trained with these very angles and not with more exact ones
    pair = torch.arange(0, head_dim, 2).float()  # (head_dim / 2,)
    frequency = 1.0 / theta ** (pair / head_dim)  # radians per position
    # step 2
    position = torch.arange(length).float() / scale  # (length,)
    # step 3
    angle = torch.outer(position, frequency)  # (length, head_dim / 2), radians
    return angle.cos(), angle.sin()


def apply_rope(
    x: Tensor, cos: Tensor, sin: Tensor, layout: str = "interleaved"
) -> Tensor:
    """Rotate every pair of every head by its angle; lengths of vectors are kept.

    ``x`` is (batch, length, n_heads, head_dim); ``cos`` and ``sin`` are
    (length, head_dim / 2), or (batch, length, head_dim / 2) where rows of a batch
    stand at different positions. Returns the shape and dtype of ``x``.

    A complex product is one call; with its four real products written out a training
    step takes a tenth longer. Complex numbers of 16 bits do not exist, so bfloat16 is
    widened.
    """
    if layout not in LAYOUTS:
        raise UserError(f"unknown RoPE layout {layout!r}: use one of {LAYOUTS}")
    wide, kind = x.float(), torch.promote_types(cos.dtype, torch.float32)
    # step 1: a pair (a, b) is the complex number a + ib
    if layout == "interleaved":
        pairs = torch.view_as_complex(wide.unflatten(-1, (-1, 2)).contiguous())
    else:
        pairs = torch.complex(*wide.chunk(2, dim=-1))
    # step 2: times cos + i sin turns it
    turn = torch.complex(cos.to(kind), sin.to(kind)).unsqueeze(-2)
    turned = torch.view_as_real(pairs * turn)
    # step 3: back where it was
    if layout == "interleaved":
        return turned.flatten(-2).to(x.dtype)
    return torch.cat(turned.unbind(-1), dim=-1).to(x.dtype)


def interleaved_to_halves(weight: Tensor, n_heads: int) -> Tensor:
    """Reorder a query or key projection from Meta's layout to Hugging Face's.

    ``weight`` is (n_heads * head_dim, dim); for keys ``n_heads`` is the number of
    key-value heads. Rows are permuted within each head, nothing is computed.
    """
    heads = _split_heads(weight, n_heads)  # (n_heads, head_dim, dim)
    pairs = heads.unflatten(1, (-1, 2))  # (n_heads, head_dim / 2, 2, dim)
    return pairs.transpose(1, 2).reshape(weight.shape)


def halves_to_interleaved(weight: Tensor, n_heads: int) -> Tensor:
    """The inverse of interleaved_to_halves: Hugging Face's layout to Meta's."""
    heads = _split_heads(weight, n_heads)  # (n_heads, head_dim, dim)
    halves = heads.unflatten(1, (2, -1))  # (n_heads, 2, head_dim / 2, dim)
    return halves.transpose(1, 2).reshape(weight.shape)


def _split_heads(weight: Tensor, n_heads: int) -> Tensor:
    rows = weight.shape[0]
    if rows % (2 * n_heads):
        raise UserError(
            f"{rows} rows cannot be cut into {n_heads} heads of even size: give the "
            "number of heads of this projection (key-value heads for keys)"
        )
    return weight.unflatten(0, (n_heads, -1))
