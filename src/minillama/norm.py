"""Root mean square layer normalisation, the only normalisation in Llama 2.

It divides each token's vector by its root mean square and multiplies by a learned
gain. It does not subtract the mean and has no bias, unlike LayerNorm.
Source: Zhang and Sennrich, arXiv 1910.07467; Llama 2 paper, section 2.2.
"""

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """Scale the last axis to root mean square one, then apply a gain per channel."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        """``dim`` is the width of a token; ``eps`` keeps a zero vector finite."""
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))  # (dim,)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each token by itself. (..., dim) -> (..., dim), dtype of ``x``."""
        # step 1: squares of bfloat16 numbers lose digits that the mean needs
        wide = x.float()  # (..., dim)
        # step 2: over the features of one token only, never over tokens
        mean_square = wide.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
        # step 3
        normed = wide * torch.rsqrt(mean_square + self.eps)  # (..., dim)
        # step 4: back to the caller's precision before the gain, as in the reference
        return normed.to(x.dtype) * self.weight
