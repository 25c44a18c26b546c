"""SwiGLU, the feed-forward layer of Llama 2: two matrices in, one gate, one out.

Source: Shazeer, arXiv 2002.05202, equation 6; Llama 2 paper, section 2.2.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class SwiGLU(nn.Module):
    """``down(silu(gate(x)) * up(x))``: one projection decides how much of another
    passes."""

    def __init__(self, dim: int, ffn_dim: int) -> None:
        """``dim`` is the width of a token, ``ffn_dim`` the width inside the layer."""
        super().__init__()
        self.gate = nn.Linear(dim, ffn_dim, bias=False)
        self.up = nn.Linear(dim, ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to each token by itself. (..., dim) -> (..., dim)."""
        # step 1: SiLU(z) = z * sigmoid(z), smooth and near zero for negative z
        gate = F.silu(self.gate(x))  # (..., ffn_dim)
        # step 2
        content = self.up(x)  # (..., ffn_dim)
        # step 3: the product is what a plain two-matrix layer cannot compute
        return self.down(gate * content)  # (..., dim)
