"""The nine numbers that determine a Llama, and the arithmetic that follows from them.

Sources: Llama 2 paper (arXiv 2307.09288), Table 1 and section 2.2; Touvron et al.,
arXiv 2302.13971, Table 2, for Llama 1; Jiang et al., arXiv 2310.06825, Table 1, for
Mistral 7B. Layer counts and widths of Llama 2 come from its published weights.
"""

import sys
from dataclasses import dataclass, fields, replace

from .errors import UserError


def ffn_width(dim: int, multiplier: float = 1.0, multiple_of: int = 256) -> int:
    """Width of the feed-forward layer by the rule of Meta's reference code.

    Three matrices of width ``8 dim / 3`` hold as many weights as the usual two of
    width ``4 dim``. ``multiplier`` widens it (1.3 at 70B), and the result is rounded
    up to ``multiple_of``, since hardware likes round numbers.
    """
    if min(dim, multiple_of) < 1 or multiplier <= 0:
        raise UserError("ffn_width needs positive dim, multiplier and multiple_of")
    # steps 1 and 2 round down, as the reference does
    width = int(multiplier * int(2 * 4 * dim / 3))
    # step 3 rounds up
    return multiple_of * -(-width // multiple_of)


@dataclass(frozen=True)
class LlamaConfig:
    """Shape of a Llama. Lengths are in tokens, widths in channels."""

    vocab_size: int
    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int | None = None  # None: one per query head (plain multi-head)
    ffn_dim: int | None = None  # None: by ffn_width(dim)
    max_seq_len: int = 4096
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    tie_embeddings: bool = False  # Llama 2 does not tie; small models often do

    def __post_init__(self) -> None:
        """Fill in the defaults that depend on others; refuse impossible shapes."""
        if self.n_kv_heads is None:
            object.__setattr__(self, "n_kv_heads", self.n_heads)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "ffn_dim" or value is not None:
                _check_field(field.name, value)
        if self.ffn_dim is None:
            object.__setattr__(self, "ffn_dim", ffn_width(self.dim))
        if self.dim % self.n_heads or self.head_dim % 2:
            raise UserError(
                f"dim {self.dim} must split into {self.n_heads} heads of even size"
            )
        if self.n_heads % self.n_kv_heads:
            raise UserError(
                f"{self.n_heads} query heads cannot share {self.n_kv_heads} key-value "
                "heads evenly: n_kv_heads must divide n_heads"
            )

    @property
    def head_dim(self) -> int:
        """Width of one head, in channels."""
        return self.dim // self.n_heads

    @staticmethod
    def named(name: str) -> "LlamaConfig":
        """A published model's shape, or ``tiny``, the model of this series."""
        if name not in NAMED:
            raise UserError(f"no model named {name!r}: one of {', '.join(NAMED)}")
        return NAMED[name]

    def replace(self, **changes: int | float | bool | None) -> "LlamaConfig":
        """A copy with some fields changed; ``ffn_dim=None`` derives it anew."""
        return replace(self, **changes)

    def parameter_count(self) -> int:
        """Number of weights, each counted once."""
        kv_dim = self.n_kv_heads * self.head_dim
        attention = 2 * self.dim * self.dim + 2 * self.dim * kv_dim
        block = attention + 3 * self.dim * self.ffn_dim + 2 * self.dim
        tables = self.vocab_size * self.dim * (1 if self.tie_embeddings else 2)
        return tables + self.n_layers * block + self.dim

    def kv_cache_bytes(
        self, batch: int, length: int, bytes_per_value: int = 2
    ) -> int:
        """Bytes of keys and values kept for ``batch`` texts of ``length`` tokens."""
        values = 2 * self.n_layers * batch * length * self.n_kv_heads * self.head_dim
        return values * bytes_per_value

    def flops_per_token(self, length: int) -> int:
        """Floating-point operations of one forward pass, per token, at ``length``.

        A weight costs a multiplication and an addition for every token. Attention
        adds the scores and the weighted sum; a token sees on average half of
        ``length``, ``(length + 1) / 2`` keys. The embedding is a look-up and costs
        nothing, norms and softmax are left out (under 1%). Training costs three times
        as much, one pass forward and about two backward (Kaplan et al.,
        arXiv 2001.08361, section 2.1).
        """
        kv_dim = self.n_kv_heads * self.head_dim
        matrices = 2 * self.dim * self.dim + 2 * self.dim * kv_dim
        matrices += 3 * self.dim * self.ffn_dim
        attention = 2 * self.dim * (length + 1) // 2
        per_layer = 2 * (matrices + attention)
        return self.n_layers * per_layer + 2 * self.dim * self.vocab_size


def _check_field(name: str, value: object) -> None:
    """Raise UserError where a field is of the wrong kind or not positive."""
    if name == "tie_embeddings":
        if not isinstance(value, bool):
            raise UserError(f"{name} must be true or false, not {value!r}")
        return
    kinds, words = (int, "a whole number")
    if name in ("norm_eps", "rope_theta"):
        kinds, words = (int, float), "a number"
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise UserError(f"{name} must be {words}, not {value!r}")
    # a file may hold whole numbers that no float can
    if not 0 < value <= sys.float_info.max:
        raise UserError(f"{name} must be positive and finite, not {value:.6g}"
                        if isinstance(value, float) or value <= 0 else
                        f"{name} is too large")


def _llama(dim: int, layers: int, heads: int, **other: int) -> LlamaConfig:
    return LlamaConfig(32000, dim, layers, heads, **other)


NAMED = {
    "tiny": LlamaConfig(1024, 128, 4, 8, n_kv_heads=4, ffn_dim=352, max_seq_len=256),
    "llama-2-7b": _llama(4096, 32, 32),
    "llama-2-13b": _llama(5120, 40, 40),
    "llama-2-34b": _llama(8192, 48, 64, n_kv_heads=8),
    "llama-2-70b": _llama(
        8192, 80, 64, n_kv_heads=8, ffn_dim=ffn_width(8192, 1.3, 4096)
    ),
    "llama-1-7b": _llama(4096, 32, 32, max_seq_len=2048),
    "llama-1-13b": _llama(5120, 40, 40, max_seq_len=2048),
    "llama-1-33b": _llama(6656, 60, 52, max_seq_len=2048),
    "llama-1-65b": _llama(8192, 80, 64, max_seq_len=2048),
    "mistral-7b": _llama(4096, 32, 32, n_kv_heads=8, ffn_dim=14336, max_seq_len=8192),
}
