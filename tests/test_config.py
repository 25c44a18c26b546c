"""Shapes: published parameter counts and widths, memory by hand, refusals."""

import pytest
import torch
from models import ODD, one_line
from torch.utils.flop_counter import FlopCounterMode

from minillama.attention import KVCache
from minillama.config import NAMED, LlamaConfig, ffn_width
from minillama.errors import UserError
from minillama.model import Llama

# As the published checkpoints have it (34B: the Code Llama built upon it).
PUBLISHED = {
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-34b": 33_743_970_304,
    "llama-2-70b": 68_976_648_192,
    "llama-1-7b": 6_738_415_616,
    "llama-1-13b": 13_015_864_320,
    "llama-1-33b": 32_528_943_616,
    "llama-1-65b": 65_285_660_672,
    "mistral-7b": 7_241_732_096,
}


def on_meta(config: LlamaConfig) -> Llama:
    with torch.device("meta"):
        return Llama(config)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameter_counts(name):
    config = LlamaConfig.named(name)
    assert config.parameter_count() == PUBLISHED[name]
    assert sum(p.numel() for p in on_meta(config).parameters()) == PUBLISHED[name]


@pytest.mark.parametrize("config", [*ODD.values(), NAMED["tiny"]],
                         ids=[*ODD, "tiny"])
def test_parameter_count_is_that_of_the_built_model(config):
    built = sum(p.numel() for p in on_meta(config).parameters())
    assert config.parameter_count() == built


@pytest.mark.parametrize("name, width", [
    ("llama-2-7b", 11008), ("llama-2-13b", 13824), ("llama-2-70b", 28672),
    ("llama-1-33b", 17920), ("llama-1-65b", 22016), ("mistral-7b", 14336)])
def test_published_feed_forward_widths(name, width):
    assert LlamaConfig.named(name).ffn_dim == width


@pytest.mark.parametrize("arguments, width", [
    ((3, 1.0, 1), 8), ((4, 1.0, 1), 10),  # 32 / 3 rounded down
    ((96, 1.0, 256), 256), ((97, 1.0, 256), 512),  # 256 stays, 258 rounds up
    ((10, 1.5, 1), 39),  # 26 and then 39, not 1.5 * 26.67 = 40
])
def test_ffn_width_rounds_down_twice_and_then_up(arguments, width):
    assert ffn_width(*arguments) == width


@pytest.mark.parametrize("name, batch, length, size, expected", [
    # keys and values * layers * tokens * heads * head size * bytes
    ("llama-2-7b", 1, 4096, 2, 2 * 32 * 4096 * 32 * 128 * 2),
    ("llama-2-70b", 1, 4096, 2, 2 * 80 * 4096 * 8 * 128 * 2),
    ("llama-2-13b", 3, 100, 4, 2 * 40 * 300 * 40 * 128 * 4),
])
def test_kv_cache_bytes_by_hand(name, batch, length, size, expected):
    assert LlamaConfig.named(name).kv_cache_bytes(batch, length, size) == expected


def test_the_7b_cache_is_two_gibibytes():
    assert LlamaConfig.named("llama-2-7b").kv_cache_bytes(1, 4096) == 2 * 2**30


@pytest.mark.parametrize("config", ODD.values(), ids=ODD)
def test_a_real_cache_takes_as_much(config):
    cache = KVCache(config, 3, 7, torch.bfloat16)
    assert cache.keys.nbytes + cache.values.nbytes == config.kv_cache_bytes(3, 7)


@pytest.mark.parametrize("name", ["one_key_value_head", "equal_heads", "head_size_6",
                                  "tied"])
def test_flops_are_those_that_torch_counts(name):
    """Torch counts all ``length`` keys for a token; a causal mean of as many is met
    at ``2 length - 1`` tokens."""
    length = 11
    model = Llama(ODD[name])
    for block in model.layers:
        block.attention.keep_weights = True  # matrix products that torch can count
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, length, dtype=torch.long))
    ours = ODD[name].flops_per_token(2 * length - 1) * length
    assert counter.get_total_flops() == ours


def test_defaults_follow_from_the_other_numbers():
    config = LlamaConfig(100, 96, 2, 6)
    assert (config.n_kv_heads, config.head_dim, config.ffn_dim) == (6, 16, 256)
    wider = config.replace(dim=192, ffn_dim=None)
    assert (wider.head_dim, wider.ffn_dim) == (32, 512)


@pytest.mark.parametrize("changes, fragment", [
    *(({name: 0}, name) for name in ("vocab_size", "dim", "n_layers", "n_heads",
                                     "n_kv_heads", "ffn_dim", "max_seq_len")),
    ({"dim": -8}, "dim"),
    ({"dim": 64.0}, "dim"), ({"n_layers": True}, "n_layers"),
    ({"vocab_size": "512"}, "vocab_size"),
    ({"n_heads": 3}, "3 heads"), ({"n_heads": 64, "n_kv_heads": 64}, "even size"),
    ({"n_kv_heads": 3}, "divide n_heads"), ({"n_kv_heads": 8}, "divide n_heads"),
    ({"norm_eps": 0.0}, "norm_eps"), ({"norm_eps": float("nan")}, "norm_eps"),
    ({"rope_theta": -1.0}, "rope_theta"),
    ({"norm_eps": "1e-5"}, "norm_eps"), ({"norm_eps": float("inf")}, "norm_eps"),
    ({"rope_theta": None}, "rope_theta"), ({"rope_theta": True}, "rope_theta"),
    ({"rope_theta": float("inf")}, "rope_theta"),
    ({"rope_theta": 10**400}, "rope_theta"),
    ({"tie_embeddings": "false"}, "tie_embeddings"),
])
def test_impossible_shapes_are_refused(changes, fragment):
    good = {"vocab_size": 16, "dim": 64, "n_layers": 1, "n_heads": 4}
    LlamaConfig(**good)
    with pytest.raises(UserError) as caught:
        LlamaConfig(**good | changes)
    one_line(caught.value, fragment)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UserError) as caught:
        LlamaConfig.named("llama-9")
    one_line(caught.value, "llama-9", "llama-2-7b", "tiny")


@pytest.mark.parametrize("arguments", [(0,), (8, 0.0), (8, -1.0), (8, 1.0, 0)])
def test_ffn_width_refuses_what_has_no_width(arguments):
    with pytest.raises(UserError):
        ffn_width(*arguments)
