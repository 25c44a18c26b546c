"""Llama 2: embed, then blocks of attention and feed-forward, then predict.

Source: Llama 2 paper, section 2.2, and Touvron et al., arXiv 2302.13971, section 2.2,
to which it refers.
"""

import torch
from torch import Tensor, nn

from .attention import GroupedQueryAttention, KVCache, causal_mask
from .config import LlamaConfig
from .errors import UserError
from .feedforward import SwiGLU
from .norm import RMSNorm
from .rope import rotary_table


class Block(nn.Module):
    """One layer: attention mixes tokens, the feed-forward works on each alone."""

    def __init__(self, config: LlamaConfig) -> None:
        """Two sublayers, each behind its own norm."""
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config)
        self.feed_forward_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.ffn_dim)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
    ) -> Tensor:
        """Add what each sublayer has to say. (batch, length, dim) both ways."""
        # step 1: the norm stands before the layer, so the sum itself stays untouched
        attended = self.attention(
            self.attention_norm(x), cos, sin, mask, cache, layer
        )
        x = x + attended
        # step 2
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """A decoder-only language model: tokens in, logits for each next token out."""

    def __init__(self, config: LlamaConfig) -> None:
        """Weights start as normal with deviation 0.02, smaller into the residual."""
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.output.weight = self.embedding.weight
        self.reset_rotary()
        self.reset_parameters()

    def reset_rotary(self) -> None:
        """Compute the angles; they follow from the configuration and are not saved."""
        config = self.config
        cos, sin = rotary_table(config.head_dim, config.max_seq_len, config.rope_theta)
        self.register_buffer("cos", cos, persistent=False)  # (max_seq_len, head_dim/2)
        self.register_buffer("sin", sin, persistent=False)

    def reset_parameters(self) -> None:
        """Draw new weights. The paper does not say how; this is GPT-2's way."""
        residual = 0.02 / (2 * self.config.n_layers) ** 0.5
        for name, weight in self.named_parameters():
            if weight.dim() < 2:
                continue  # gains stay at one
            into_residual = name.endswith(("attention.output.weight", "down.weight"))
            nn.init.normal_(weight, std=residual if into_residual else 0.02)

    def forward(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        """Logits (batch, length, vocab_size) for tokens (batch, length).

        With a cache, row ``r`` continues at position ``cache.lengths[r]`` and the
        lengths are advanced. Raises UserError past ``max_seq_len``.
        """
        # step 1: where each token stands
        positions, mask = self._positions(tokens, cache)
        cos, sin = self.cos[positions], self.sin[positions]
        # step 2
        x = self.embedding(tokens)  # (batch, length, dim)
        # step 3
        for layer, block in enumerate(self.layers):
            x = block(x, cos, sin, mask, cache, layer)
        if cache is not None:
            cache.lengths = cache.lengths + tokens.shape[1]
        # step 4: the residual stream is normalised once more, then read out
        return self.output(self.norm(x))

    def _positions(
        self, tokens: Tensor, cache: KVCache | None
    ) -> tuple[Tensor, Tensor]:
        """Positions (length,) or (batch, length), and the causal mask over them."""
        if tokens.dim() != 2:
            raise UserError(f"tokens must be (batch, length), not {tokens.dim()}-d")
        if cache is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)
        elif cache.lengths.shape[0] != tokens.shape[0]:
            raise UserError(
                f"the cache holds {cache.lengths.shape[0]} rows and the tokens have "
                f"{tokens.shape[0]}: make one cache for each batch"
            )
        else:
            positions = cache.positions(tokens.shape[1])
        n_keys = int(positions.max()) + 1 if positions.numel() else 0
        if n_keys > self.config.max_seq_len:
            raise UserError(
                f"the text is {n_keys} tokens long and this model reads at most "
                f"{self.config.max_seq_len}: shorten the prompt or ask for less"
            )
        return positions, causal_mask(positions, n_keys)
