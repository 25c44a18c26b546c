"""Grouped-query attention: both ways against torch with repeated keys; the cache."""

import pytest
import torch
from models import ODD, one_line
from torch.nn import functional as F

from minillama.attention import GroupedQueryAttention, KVCache, causal_mask
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.rope import rotary_table

# batch, length, n_heads, n_kv_heads, head_dim
SHAPES = [(1, 1, 1, 1, 2), (2, 7, 6, 1, 6), (3, 5, 4, 4, 8), (2, 13, 8, 2, 10),
          (1, 33, 9, 3, 2), (5, 1, 4, 2, 4)]


def layer(n_heads: int, n_kv_heads: int, head_dim: int) -> GroupedQueryAttention:
    torch.manual_seed(n_heads + head_dim)
    config = LlamaConfig(5, n_heads * head_dim, 1, n_heads, n_kv_heads, ffn_dim=1)
    return GroupedQueryAttention(config)


def inputs(batch, length, n_heads, n_kv_heads, head_dim, n_keys=None):
    generator = torch.Generator().manual_seed(length)
    shapes = [(batch, length, n_heads, head_dim)]
    shapes += 2 * [(batch, n_keys or length, n_kv_heads, head_dim)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def by_torch(query, key, value, **mask):
    """Torch's attention with every key-value head written out once per query head."""
    group = query.shape[2] // key.shape[2]
    key, value = (t.repeat_interleave(group, dim=2) for t in (key, value))
    parts = [t.transpose(1, 2) for t in (query, key, value)]
    return F.scaled_dot_product_attention(*parts, **mask).transpose(1, 2)


@pytest.mark.parametrize("way", ["attend", "attend_fused"])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_ways_are_torchs_with_repeated_keys(way, shape):
    qkv = inputs(*shape)
    mask = causal_mask(torch.arange(shape[1]), shape[1])
    result = getattr(layer(*shape[2:]), way)(*qkv, mask)
    torch.testing.assert_close(result, by_torch(*qkv, is_causal=True),
                               rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("way", ["attend", "attend_fused"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_for_each_row(way, shape):
    """More keys than queries, and each row of the batch at another position."""
    batch, length = shape[:2]
    qkv = inputs(*shape, n_keys=length + batch + 2)
    positions = torch.arange(length) + torch.arange(batch).unsqueeze(1) + 1
    mask = causal_mask(positions, length + batch + 2)
    assert mask.sum(-1).tolist() == (positions + 1).tolist()  # itself and all before
    result = getattr(layer(*shape[2:]), way)(*qkv, mask)
    truth = by_torch(*qkv, attn_mask=mask.unsqueeze(1))
    torch.testing.assert_close(result, truth, rtol=1e-5, atol=2e-6)


def test_weights_that_are_kept_are_a_causal_distribution():
    attention = layer(6, 2, 4)
    attention.keep_weights = True
    attention(torch.randn(3, 9, 24), *rotary_table(4, 9))
    weights = attention.weights
    assert weights.shape == (3, 6, 9, 9) and not weights.requires_grad
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 6, 9))
    assert not weights.triu(1).any()
    assert (weights.tril() > 0).sum() == 3 * 6 * 45


def test_query_heads_read_the_key_head_of_their_group():
    """Values that carry the number of their head: 0 0 0 1 1 1, not 0 1 0 1 0 1."""
    query, key, value = inputs(1, 4, 6, 2, 2)
    value = torch.arange(2.0).view(1, 1, 2, 1).expand(1, 4, 2, 2)
    mask = causal_mask(torch.arange(4), 4)
    for way in (layer(6, 2, 2).attend, GroupedQueryAttention.attend_fused):
        mixed = way(query, key, value, mask)
        torch.testing.assert_close(mixed[0, 0, :, 0],
                                   torch.tensor([0.0, 0, 0, 1, 1, 1]))


@pytest.mark.parametrize("keep", [False, True])
def test_the_future_changes_nothing_and_has_no_gradient(keep):
    attention = layer(4, 2, 6)
    attention.keep_weights = keep
    x = torch.randn(2, 8, 24, requires_grad=True)
    table = rotary_table(6, 8)
    result = attention(x, *table)
    for at in range(8):
        (gradient,) = torch.autograd.grad(result[:, at].sum(), x, retain_graph=True)
        reached = gradient.abs().amax(dim=(0, 2)) > 0
        assert reached.tolist() == [place <= at for place in range(8)]
    changed = x.detach().clone()
    changed[:, 5:] = 7.0
    torch.testing.assert_close(attention(changed, *table)[:, :5], result[:, :5],
                               rtol=0, atol=1e-6)


def test_positions_enter_queries_and_keys_but_not_values():
    """Seen alone, a token gives its value, wherever it stands."""
    attention = layer(4, 2, 6)
    x, (cos, sin) = torch.randn(1, 1, 24), rotary_table(6, 90)
    value = attention.value(x).unflatten(-1, (2, 6)).repeat_interleave(2, dim=2)
    expected = attention.output(value.flatten(-2))
    for at in (0, 89):
        result = attention(x, cos[at : at + 1], sin[at : at + 1])
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-6)


def test_equal_scores_weigh_equally():
    attention = layer(2, 1, 4)
    query, key, value = inputs(1, 5, 2, 1, 4)
    mixed = attention.attend(torch.zeros_like(query), key, value,
                             causal_mask(torch.arange(5), 5))
    means = value[0, :, 0].cumsum(0) / torch.arange(1, 6).unsqueeze(1)
    torch.testing.assert_close(mixed[0, :, 0], means)


def test_bfloat16_stays_bfloat16_and_near():
    attention, x = layer(4, 2, 8), torch.randn(2, 11, 32)
    exact = attention(x, *rotary_table(8, 11))
    attention.to(torch.bfloat16)
    for keep in (False, True):
        attention.keep_weights = keep
        result = attention(x.bfloat16(), *rotary_table(8, 11))
        assert result.dtype == torch.bfloat16
        assert (result.float() - exact).abs().max() < 0.05 * exact.abs().max()


def test_each_row_of_a_cache_continues_where_it_stopped():
    config = ODD["head_size_6"]
    cache = KVCache(config, 2, 9)
    cache.lengths = torch.tensor([1, 4])
    key = torch.arange(2 * 3 * 2 * 6.0).view(2, 3, 2, 6) + 1
    keys, values = cache.append(1, key, -key)
    assert cache.positions(3).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert keys.shape == values.shape == (2, 7, 2, 6)
    assert torch.equal(keys[0, 1:4], key[0]) and torch.equal(keys[1, 4:7], key[1])
    assert torch.equal(values, -keys)
    assert not keys[0, 4:].any() and not keys[1, :4].any() and not keys[0, 0].any()
    assert not cache.keys[0].any()  # the other layer
    assert cache.lengths.tolist() == [1, 4]


def test_a_full_cache_says_so_and_is_left_as_it_was():
    cache = KVCache(ODD["head_size_6"], 2, 5)
    cache.lengths = torch.tensor([1, 3])
    cache.append(0, torch.ones(2, 2, 2, 6), torch.ones(2, 2, 2, 6))
    before = cache.keys.clone()
    with pytest.raises(UserError) as caught:
        cache.append(0, torch.full((2, 3, 2, 6), 2.0), torch.ones(2, 3, 2, 6))
    one_line(caught.value, "5 tokens", "6 were")
    assert torch.equal(cache.keys, before)
