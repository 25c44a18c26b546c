"""The whole model: its logits are transformers', with a cache and without."""

import random

import pytest
import torch
from models import ODD, loud, one_line, random_tokens
from transformers import LlamaConfig as TheirConfig
from transformers import LlamaForCausalLM

from minillama.attention import KVCache
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.model import Llama

SMALL = ODD["head_size_6"].replace(max_seq_len=64)


def theirs_with_our_weights(model: Llama) -> LlamaForCausalLM:
    """Built by hand, so that it tests the model without the checkpoint code."""
    config = model.config
    theirs = LlamaForCausalLM(TheirConfig(
        vocab_size=config.vocab_size, hidden_size=config.dim,
        intermediate_size=config.ffn_dim, num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads, num_key_value_heads=config.n_kv_heads,
        max_position_embeddings=config.max_seq_len, rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=config.tie_embeddings)).eval()
    even_then_odd = [*range(0, config.head_dim, 2), *range(1, config.head_dim, 2)]

    def reordered(weight: torch.Tensor) -> torch.Tensor:
        heads = weight.unflatten(0, (-1, config.head_dim))
        return heads[:, even_then_odd].flatten(0, 1)

    with torch.no_grad():
        theirs.model.embed_tokens.weight.copy_(model.embedding.weight)
        theirs.model.norm.weight.copy_(model.norm.weight)
        theirs.lm_head.weight.copy_(model.output.weight)
        for ours, their in zip(model.layers, theirs.model.layers):
            one, other = ours.attention, their.self_attn
            other.q_proj.weight.copy_(reordered(one.query.weight))
            other.k_proj.weight.copy_(reordered(one.key.weight))
            other.v_proj.weight.copy_(one.value.weight)
            other.o_proj.weight.copy_(one.output.weight)
            their.input_layernorm.weight.copy_(ours.attention_norm.weight)
            their.post_attention_layernorm.weight.copy_(ours.feed_forward_norm.weight)
            their.mlp.gate_proj.weight.copy_(ours.feed_forward.gate.weight)
            their.mlp.up_proj.weight.copy_(ours.feed_forward.up.weight)
            their.mlp.down_proj.weight.copy_(ours.feed_forward.down.weight)
    return theirs


@torch.no_grad()
@pytest.mark.parametrize("name", ODD)
def test_logits_are_those_of_transformers(name):
    """Up to the last position that the model has."""
    model = loud(ODD[name])
    tokens = random_tokens(model.config, 2, min(model.config.max_seq_len, 1024))
    if name != "long":
        tokens = tokens[:, :40]
    ours, theirs = model(tokens), theirs_with_our_weights(model)(tokens).logits
    assert theirs.std() > 0.3, "logits so small that the tolerance says nothing"
    assert (ours - theirs).abs().max() <= 1e-5


def fed_in_pieces(model: Llama, tokens: torch.Tensor, cuts: list[int]) -> torch.Tensor:
    cache = KVCache(model.config, tokens.shape[0], tokens.shape[1])
    edges = [0, *cuts, tokens.shape[1]]
    pieces = [model(tokens[:, a:b], cache) for a, b in zip(edges, edges[1:])]
    assert cache.lengths.tolist() == [tokens.shape[1]] * tokens.shape[0]
    return torch.cat(pieces, dim=1)


@torch.no_grad()
@pytest.mark.parametrize("keep", [False, True], ids=["fused", "explicit"])
def test_cached_logits_equal_uncached_for_random_cuts(keep):
    model, chance = loud(SMALL), random.Random(0)
    for block in model.layers:
        block.attention.keep_weights = keep
    tokens = random_tokens(SMALL, 3, 48)
    whole = model(tokens)
    for _ in range(100):
        cuts = sorted(chance.sample(range(1, 48), chance.randint(1, 12)))
        difference = (fed_in_pieces(model, tokens, cuts) - whole).abs().max()
        assert difference <= 1e-5, cuts


@torch.no_grad()
@pytest.mark.parametrize("name", ODD)
def test_token_by_token_equals_all_at_once(name):
    model = loud(ODD[name])
    tokens = random_tokens(model.config, 2, 30)
    one_by_one = fed_in_pieces(model, tokens, list(range(1, 30)))
    assert (one_by_one - model(tokens)).abs().max() <= 1e-5


@torch.no_grad()
def test_ragged_rows_equal_each_row_alone():
    """Rows cut at different places, padded on the right with random tokens."""
    model, chance = loud(SMALL), random.Random(1)
    for _ in range(100):
        first = [chance.randint(1, 20) for _ in range(4)]
        more = chance.randint(1, 10)
        texts = [random_tokens(SMALL, 1, n + more, chance.randrange(10**6))
                 for n in first]
        padded = random_tokens(SMALL, 4, max(first), chance.randrange(10**6))
        for row, n in enumerate(first):
            padded[row, :n] = texts[row][0, :n]
        cache = KVCache(SMALL, 4, max(first) + more)
        begun = model(padded, cache)
        cache.lengths = lengths = torch.tensor(first)
        continued = model(torch.cat([t[:, n:] for t, n in zip(texts, first)]), cache)
        assert lengths.tolist() == first, "the caller's own tensor was changed"
        assert cache.lengths.tolist() == [n + more for n in first]
        for row, n in enumerate(first):
            joined = torch.cat([begun[row, :n], continued[row]])
            assert (joined - model(texts[row])[0]).abs().max() <= 1e-5


@torch.no_grad()
def test_the_tests_above_would_notice_a_wrong_position():
    """One position off, and the logits differ by far more than 1e-5."""
    model, tokens = loud(SMALL), random_tokens(SMALL, 1, 20)
    cache = KVCache(SMALL, 1, 30)
    model(tokens[:, :10], cache)
    cache.lengths = cache.lengths + 1
    late = model(tokens[:, 10:], cache)
    assert (late - model(tokens)[:, 10:]).abs().max() > 1e-2


def test_logits_ignore_the_future_and_read_all_of_the_past():
    model = loud(SMALL)
    embedded = []
    model.embedding.register_forward_hook(
        lambda module, given, result: embedded.append(result.requires_grad_()))
    logits = model(random_tokens(SMALL, 1, 9))
    for at in range(9):
        (gradient,) = torch.autograd.grad(logits[0, at].square().sum(), embedded[0],
                                          retain_graph=True)
        reached = gradient[0].abs().amax(-1) > 0
        assert reached.tolist() == [place <= at for place in range(9)]


@pytest.mark.parametrize("name", ["tied", "equal_heads"])
def test_tied_embeddings_are_one_weight(name):
    model = loud(ODD[name])
    tied = model.config.tie_embeddings
    assert (model.output.weight is model.embedding.weight) == tied
    model(random_tokens(model.config, 1, 5)).square().sum().backward()
    unread = model.embedding.weight.grad.abs().amax(-1) == 0
    assert bool(unread.any()) != tied  # read as output, every row has a gradient


def test_new_weights_have_the_deviations_that_the_docstring_says():
    torch.manual_seed(0)
    model = Llama(LlamaConfig(300, 128, 8, 4))
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            assert torch.equal(weight, torch.ones(128)), name
            continue
        small = ".attention.output." in name or ".down." in name
        expected = 0.02 / 4 if small else 0.02  # root of two for each of 8 layers
        assert weight.std().item() == pytest.approx(expected, rel=0.03), name
        assert abs(weight.mean().item()) < 0.05 * expected, name


def test_angles_are_not_saved():
    assert not {"cos", "sin"} & Llama(SMALL).state_dict().keys()


@torch.no_grad()
def test_bfloat16_is_near_float32():
    model, tokens = loud(SMALL), random_tokens(SMALL, 2, 12)
    exact = model(tokens)
    rough = model.to(torch.bfloat16)(tokens)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max()


def test_the_whole_context_is_read_and_not_a_token_more():
    model = loud(SMALL)
    assert model(random_tokens(SMALL, 1, 64)).shape == (1, 64, 97)
    cache = KVCache(SMALL, 2, 70)
    model(random_tokens(SMALL, 2, 60), cache)
    for call in (lambda: model(random_tokens(SMALL, 1, 65)),
                 lambda: model(random_tokens(SMALL, 2, 5), cache)):
        with pytest.raises(UserError) as caught:
            call()
        one_line(caught.value, "65 tokens", "64")
    assert cache.lengths.tolist() == [60, 60]


def test_a_cache_that_is_too_small_says_so():
    model, cache = loud(SMALL), KVCache(SMALL, 1, 6)
    model(random_tokens(SMALL, 1, 4), cache)
    with pytest.raises(UserError) as caught:
        model(random_tokens(SMALL, 1, 3), cache)
    one_line(caught.value, "holds 6 tokens", "7 were")
    assert cache.lengths.tolist() == [4]


@pytest.mark.parametrize("rows", [1, 3])
def test_a_cache_for_another_number_of_rows_is_refused(rows):
    with pytest.raises(UserError) as caught:
        loud(SMALL)(random_tokens(SMALL, rows, 3), KVCache(SMALL, 2, 9))
    one_line(caught.value, "2 rows", str(rows))


def test_no_tokens_give_no_logits():
    model, nothing = loud(SMALL), torch.zeros(2, 0, dtype=torch.long)
    assert model(nothing).shape == (2, 0, 97)
    cache = KVCache(SMALL, 2, 9)
    model(random_tokens(SMALL, 2, 4), cache)
    assert model(nothing, cache).shape == (2, 0, 97)
    assert cache.lengths.tolist() == [4, 4]


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3)])
def test_tokens_without_a_batch_are_refused(shape):
    with pytest.raises(UserError) as caught:
        Llama(SMALL)(torch.zeros(shape, dtype=torch.long))
    one_line(caught.value, "(batch, length)")
