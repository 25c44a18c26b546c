"""The variants of the ablations: equally large, causal, and different where named."""

import math

import pytest
import torch

from minillama.training.ablations import GROUPS, SEEDS, SHAPE, VARIANTS, build
from minillama.training.optimisation import next_token_loss

LENGTH = 24


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda name: name)
def variant(request):
    return request.param, build(VARIANTS[request.param], seed=0)


def weights(model):
    """Every weight once, counted from the tensors."""
    return sum(math.prod(p.shape) for p in model.parameters())


def test_variants_are_equally_large_and_start_at_chance(variant):
    _, model = variant
    reference = weights(build(VARIANTS["Llama 2"], seed=0))
    assert abs(weights(model) / reference - 1) < 0.01
    torch.manual_seed(1)
    tokens = torch.randint(SHAPE.vocab_size, (16, LENGTH + 1))
    with torch.no_grad():
        loss = next_token_loss(model(tokens[:, :-1]), tokens[:, 1:])
    assert abs(loss.item() - math.log(SHAPE.vocab_size)) < 0.1


def test_variants_never_look_ahead_and_all_weights_learn(variant):
    _, model = variant
    torch.manual_seed(2)
    tokens = torch.randint(SHAPE.vocab_size, (2, LENGTH))
    other = tokens.clone()
    other[:, 10:] = (other[:, 10:] + 1) % SHAPE.vocab_size
    logits, changed = model(tokens), model(other)
    torch.testing.assert_close(logits[:, :10], changed[:, :10])
    assert not torch.allclose(logits[:, 10:], changed[:, 10:])
    model.zero_grad()
    next_token_loss(logits, other).backward()
    still = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert not still


def test_the_order_of_earlier_words_is_seen_by_all_but_one(variant):
    """In a single layer, attention without positions sees a bag of words."""
    name, _ = variant
    model = build(VARIANTS[name], 0, SHAPE.replace(n_layers=1)).double()
    torch.manual_seed(3)
    for parameter in model.parameters():  # positions show clearer in larger weights
        if parameter.dim() == 2:
            parameter.data *= 5
    tokens = torch.randint(SHAPE.vocab_size, (1, 8))
    swapped = tokens[:, [1, 0, 2, 3, 4, 5, 6, 7]]
    same = torch.allclose(model(tokens)[0, -1], model(swapped)[0, -1], atol=1e-9)
    assert same == (name == "no positions")


def test_normalised_streams_have_what_their_norm_promises(variant):
    name, model = variant
    seen = []
    parts = [model.norm, *model.layers]
    handles = [part.register_forward_hook(lambda _, __, out: seen.append(out))
               for part in parts]
    with torch.no_grad():
        model(torch.arange(20).unsqueeze(0))
    for handle in handles:
        handle.remove()
    *blocks, last = seen
    root = last.square().mean(-1).sqrt()
    centred = bool((last.mean(-1).abs() < 1e-5).all())
    assert centred == (VARIANTS[name].norm == "layer")
    assert VARIANTS[name].norm == "layer" or torch.allclose(
        root, torch.ones_like(root), atol=0.1)
    # after a norm the stream has size one; before it, it starts at the embedding's
    size = blocks[-1].square().mean().sqrt().item()
    assert (abs(size - 1) < 0.1) == (VARIANTS[name].placement == "post")


def test_a_seed_gives_a_model_and_groups_name_variants():
    first, again, other = (build(VARIANTS["Llama 2"], seed).output.weight
                           for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert len(set(SEEDS)) >= 3
    for names in GROUPS.values():
        assert set(names) <= set(VARIANTS) and "Llama 2" in names


def test_heads_and_widths_are_the_ones_named():
    kv = {name: build(choice, 0).layers[0].attention.key.weight.shape[0]
          for name, choice in VARIANTS.items()}
    head = SHAPE.dim // SHAPE.n_heads
    assert kv["multi-query"] == head
    assert kv["Llama 2"] == 2 * head
    assert kv["Llama 1 (multi-head)"] == kv["GPT-2"] == 4 * head
