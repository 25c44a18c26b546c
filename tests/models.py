"""Small models for the tests: odd shapes, and weights large enough to be noticed."""

import torch

from minillama.config import LlamaConfig
from minillama.model import Llama

# vocab_size, dim, n_layers, n_heads, then what is odd about each
ODD = {
    "one_key_value_head": LlamaConfig(61, 48, 2, 6, n_kv_heads=1, ffn_dim=40),
    "equal_heads": LlamaConfig(64, 32, 3, 4),
    "head_size_6": LlamaConfig(97, 24, 2, 4, n_kv_heads=2, ffn_dim=50),
    "head_size_2": LlamaConfig(33, 12, 2, 6, n_kv_heads=3, ffn_dim=7, max_seq_len=48),
    "theta_1e6": LlamaConfig(50, 40, 2, 4, n_kv_heads=2, ffn_dim=64, rope_theta=1e6),
    "long": LlamaConfig(40, 16, 1, 2, n_kv_heads=1, ffn_dim=24, max_seq_len=1024),
    "tied": LlamaConfig(71, 32, 2, 4, n_kv_heads=2, ffn_dim=48, tie_embeddings=True),
    "large_eps": LlamaConfig(29, 32, 2, 2, ffn_dim=48, norm_eps=0.05),
    "one_of_each": LlamaConfig(3, 2, 1, 1, ffn_dim=1, max_seq_len=40),
    "tied_multi_query": LlamaConfig(45, 56, 4, 4, n_kv_heads=1, ffn_dim=33,
                                    rope_theta=500.0, tie_embeddings=True),
}


def randomise(module: torch.nn.Module, seed: int = 0) -> None:
    """Weights under which logits are about one, gains between a half and 1.5.

    With weights as they are before training, logits are so small that a tolerance of
    1e-5 would hide a wrong layer.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() < 2:
                weight.uniform_(0.5, 1.5, generator=generator)
            else:
                weight.normal_(std=weight.shape[1] ** -0.5, generator=generator)


def loud(config: LlamaConfig, seed: int = 0) -> Llama:
    """A model whose every part shows in its logits, in evaluation mode."""
    model = Llama(config)
    randomise(model, seed)
    return model.eval()


def random_tokens(config: LlamaConfig, batch: int, length: int, seed: int = 0
                  ) -> torch.Tensor:
    """Tokens (batch, length) of the vocabulary."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab_size, (batch, length), generator=generator)


def one_line(error: BaseException, *fragments: str) -> None:
    """A message for people: one line, not too long, and naming what is wrong."""
    message = str(error)
    assert message and "\n" not in message and len(message) < 500
    for fragment in fragments:
        assert fragment in message, f"{fragment!r} is not in: {message}"
