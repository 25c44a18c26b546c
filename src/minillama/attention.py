"""Grouped-query attention and the cache of keys and values that makes it cheap.

Several query heads share one key-value head. With as many key-value heads as query
heads this is the multi-head attention of 2017, with one it is multi-query attention.
Sources: Vaswani et al., arXiv 1706.03762, equation 1; Ainslie et al.,
arXiv 2305.13245; Llama 2 paper, section 2.2 and appendix A.2.1.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import LlamaConfig
from .errors import UserError
from .rope import apply_rope


class KVCache:
    """Keys and values of every token so far, for every layer and row of a batch.

    Rows may hold texts of different lengths: each row has its own write position,
    so padding a row on the right costs memory and changes no result.
    """

    def __init__(
        self,
        config: LlamaConfig,
        batch: int,
        length: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        """Room for ``length`` tokens in each of ``batch`` rows."""
        shape = (config.n_layers, batch, length, config.n_kv_heads, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.lengths = torch.zeros(batch, dtype=torch.long, device=device)  # (batch,)

    def positions(self, n_new: int) -> Tensor:
        """Positions that the next ``n_new`` tokens take, (batch, n_new)."""
        steps = torch.arange(n_new, device=self.lengths.device)
        return self.lengths.unsqueeze(1) + steps

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these, given as a mask (batch,) or as indices."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]
        self.lengths = self.lengths[rows]

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values behind each row's own; return what is needed.

        ``key`` and ``value`` are (batch, n_new, n_kv_heads, head_dim). Returns the
        stored keys and values up to the longest row. ``lengths`` is not advanced
        here: all layers write at the same positions, the model advances it once.
        """
        # step 1: every row continues where its own text stopped
        position = self.positions(key.shape[1])  # (batch, n_new)
        end = int(position.max()) + 1 if position.numel() else 0
        if end > self.keys.shape[2]:
            raise UserError(
                f"the cache holds {self.keys.shape[2]} tokens a row and {end} were "
                "asked for: make it longer or the text shorter"
            )
        # step 2
        row = torch.arange(key.shape[0], device=position.device).unsqueeze(1)
        self.keys[layer, row, position] = key
        self.values[layer, row, position] = value
        # step 3: (batch, end, n_kv_heads, head_dim)
        return self.keys[layer, :, :end], self.values[layer, :, :end]


def causal_mask(positions: Tensor, n_keys: int) -> Tensor:
    """True where a query may look: at keys that are not in its future.

    ``positions`` (..., length) are the queries' own; returns (..., length, n_keys).
    """
    return torch.arange(n_keys, device=positions.device) <= positions.unsqueeze(-1)


class GroupedQueryAttention(nn.Module):
    """Attention in which ``n_heads / n_kv_heads`` query heads share keys and values."""

    def __init__(self, config: LlamaConfig) -> None:
        """Four projections, none with a bias."""
        super().__init__()
        self.n_heads, self.n_kv_heads = config.n_heads, config.n_kv_heads
        self.head_dim = config.head_dim
        kv_dim = config.n_kv_heads * config.head_dim
        self.query = nn.Linear(config.dim, config.dim, bias=False)
        self.key = nn.Linear(config.dim, kv_dim, bias=False)
        self.value = nn.Linear(config.dim, kv_dim, bias=False)
        self.output = nn.Linear(config.dim, config.dim, bias=False)
        self.keep_weights = False  # set it to look at the weights afterwards
        self.weights: Tensor | None = None  # (batch, n_heads, length, n_keys)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
    ) -> Tensor:
        """Let every token gather from those it may see. (batch, length, dim) both ways.

        ``cos`` and ``sin`` as in apply_rope. ``mask`` is True where a query may look,
        broadcastable to (batch, length, n_keys); without it every token sees itself
        and what stands before it.
        """
        # step 1: (batch, length, heads, head_dim), fewer heads for keys and values
        query = self.query(x).unflatten(-1, (self.n_heads, self.head_dim))
        key = self.key(x).unflatten(-1, (self.n_kv_heads, self.head_dim))
        value = self.value(x).unflatten(-1, (self.n_kv_heads, self.head_dim))
        # step 2: positions enter queries and keys, never values
        query, key = apply_rope(query, cos, sin), apply_rope(key, cos, sin)
        # step 3: a cached key is already rotated, by its own position
        positions = torch.arange(x.shape[1], device=x.device)
        if cache is not None:
            positions = cache.positions(x.shape[1])
            key, value = cache.append(layer, key, value)
        if mask is None:
            mask = causal_mask(positions, key.shape[1])
        attend = self.attend if self.keep_weights else self.attend_fused
        return self.output(attend(query, key, value, mask).flatten(-2))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Weighted means of the values, (batch, length, n_heads, head_dim).

        Written out, and the weights are kept in ``self.weights``.
        """
        # step 4: query head h reads key-value head h // group, by broadcasting
        group = self.n_heads // self.n_kv_heads
        query = query.unflatten(2, (self.n_kv_heads, group))
        query = query.permute(0, 2, 3, 1, 4)  # (batch, n_kv_heads, group, length, ·)
        key = key.permute(0, 2, 3, 1).unsqueeze(2)  # (batch, n_kv_heads, 1, ·, keys)
        value = value.transpose(1, 2).unsqueeze(2)  # (batch, n_kv_heads, 1, keys, ·)
        # step 5: without the root, scores grow with head_dim and softmax saturates
        scores = query @ key * self.head_dim**-0.5
        mask = mask if mask.dim() == 2 else mask[:, None, None]
        scores = scores.masked_fill(~mask, float("-inf"))
        # step 6: float32, since small weights vanish in bfloat16 sums
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
        self.weights = weights.flatten(1, 2).detach()
        # step 7
        mixed = weights @ value  # (batch, n_kv_heads, group, length, head_dim)
        return mixed.flatten(1, 2).transpose(1, 2)

    @staticmethod
    def attend_fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """The same by one torch call, which never writes the (length, n_keys) weights
        to memory: a training step is some 1.4 times as fast. A test holds the two
        equal."""
        mixed = F.scaled_dot_product_attention(  # steps 4 to 7
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            attn_mask=mask if mask.dim() == 2 else mask[:, None],
            enable_gqa=True,
        )  # (batch, n_heads, length, head_dim)
        return mixed.transpose(1, 2)
