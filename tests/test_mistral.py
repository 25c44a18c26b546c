"""The sliding window against a band mask, transformers, and its own rolled cache."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import loud, one_line

from minillama.attention import KVCache
from minillama.checkpoint import save_pretrained
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.mistral import Mistral, RollingCache, band_mask
from minillama.pasture import texts
from minillama.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(texts(60), 400)
CONFIG = LlamaConfig(61, 24, 3, 4, n_kv_heads=2, ffn_dim=40, max_seq_len=64)


def mistral(window, config=CONFIG, seed=0):
    model = Mistral(config, window)
    model.load_state_dict(loud(config, seed).state_dict())
    return model.eval()


def some_tokens(batch, length, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 61, (batch, length), generator=generator)


def test_the_band_by_hand():
    queries, keys = torch.tensor([2, 3]), torch.tensor([-1, 0, 1, 2, 3, 4])
    assert band_mask(queries, keys, 2).int().tolist() == [[0, 0, 1, 1, 0, 0],
                                                          [0, 0, 0, 1, 1, 0]]
    assert band_mask(queries, keys, 9).int().tolist() == [[0, 1, 1, 1, 0, 0],
                                                          [0, 1, 1, 1, 1, 0]]


@torch.no_grad()
@pytest.mark.parametrize("window", [1, 2, 5, 17])
def test_the_window_is_full_attention_with_a_band_mask(window, monkeypatch):
    """The truth is a Llama whose causal mask is replaced by a band, cell by cell."""
    tokens, llama = some_tokens(2, 17), loud(CONFIG).eval()
    band = torch.tensor([[0 <= q - k < window for k in range(17)] for q in range(17)])
    monkeypatch.setattr(llama, "_positions",
                        lambda tokens, cache: (torch.arange(17), band))
    torch.testing.assert_close(mistral(window)(tokens), llama(tokens), atol=1e-5,
                               rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("window", [1, 3, 8, 30])
def test_transformers_agrees(tmp_path, window):
    import transformers
    config = CONFIG.replace(vocab_size=TOKENIZER.vocab_size)
    model = mistral(window, config)
    save_pretrained(model, TOKENIZER, tmp_path / "saved")
    theirs = transformers.MistralConfig(
        vocab_size=config.vocab_size, hidden_size=24, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=40,
        max_position_embeddings=64, rms_norm_eps=config.norm_eps, head_dim=6,
        sliding_window=window, rope_theta=config.rope_theta, tie_word_embeddings=False,
        attn_implementation="eager")
    peer = transformers.MistralForCausalLM.from_pretrained(
        tmp_path / "saved", config=theirs).eval()
    tokens = some_tokens(2, 23)
    torch.testing.assert_close(model(tokens), peer(tokens).logits, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@settings(max_examples=60, deadline=None)
@given(window=st.integers(1, 9), cuts=st.lists(st.integers(1, 12), min_size=1,
                                               max_size=6))
def test_the_rolled_cache_is_the_unrolled_one_for_any_cut(window, cuts):
    model, length = mistral(window), sum(cuts)
    if length > 64:
        cuts, length = cuts[:5], sum(cuts[:5])
    tokens = some_tokens(2, length)
    whole = model(tokens)
    for cache in (KVCache(CONFIG, 2, 64), RollingCache(CONFIG, 2, window)):
        parts = [model(part, cache) for part in tokens.split(cuts, dim=1)]
        torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    assert cache.keys.shape[2] == window  # however long the text


@torch.no_grad()
def test_rows_of_different_lengths_roll_each_at_its_own_place():
    model, window = mistral(4), 4
    texts = [some_tokens(1, n, n) for n in (3, 11)]
    new = some_tokens(2, 5, 99)
    cache = RollingCache(CONFIG, 2, window)
    for row, text in enumerate(texts):  # each row alone, then both together
        alone = RollingCache(CONFIG, 1, window)
        model(text, alone)
        cache.keys[:, row], cache.values[:, row] = alone.keys[:, 0], alone.values[:, 0]
        cache.lengths[row] = text.shape[1]
    together = model(new, cache)
    for row, text in enumerate(texts):
        wanted = model(torch.cat([text, new[row : row + 1]], dim=1))[0, -5:]
        torch.testing.assert_close(together[row], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("window", [2, 4])
def test_news_travels_one_window_a_layer(window):
    """How far back a logit depends on an embedding, by autograd."""
    model = mistral(window)
    tokens = some_tokens(1, 20)
    x = model.embedding(tokens).detach().requires_grad_()
    model.embedding.forward = lambda ids: x
    model(tokens)[0, -1].square().sum().backward()
    reached = x.grad[0].abs().amax(dim=1) > 0
    assert int(reached.sum()) == CONFIG.n_layers * (window - 1) + 1
    assert reached[-int(reached.sum()):].all()


def test_wrong_windows_are_one_line():
    with pytest.raises(UserError) as error:
        Mistral(CONFIG, 0)
    one_line(error.value, "window", "at least 1")
    with pytest.raises(UserError) as error:
        mistral(5)(some_tokens(1, 3), RollingCache(CONFIG, 1, 4))
    one_line(error.value, "4", "5")
