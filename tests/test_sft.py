"""Packing by hand, the masked loss by brute force, and the loop by closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import loud, one_line

from minillama.alignment.chat import Encoded
from minillama.alignment.data import pack, pad
from minillama.alignment.sft import SFTSettings, demonstrations, finetune
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.generation import generate
from minillama.pasture import make_borderline, make_tasks, make_unsafe, texts
from minillama.tokenizer import Tokenizer
from minillama.training.data import IGNORED as X
from minillama.training.optimisation import next_token_loss

CONFIG = LlamaConfig(40, 24, 2, 4, n_kv_heads=2, ffn_dim=48, max_seq_len=32)


def example(given: list[int], answer: list[int]) -> Encoded:
    return Encoded(given + answer, [False] * len(given) + [True] * len(answer))


# Packing --------------------------------------------------------------------------

A, B, C = example([1, 11], [12, 2]), example([1, 21, 22], [2]), example([1, 31], [2])


@pytest.mark.parametrize("length, inputs, targets", [
    (3, [[1, 11, 12], [1, 21, 22], [1, 31, 2]],
     [[X, 12, 2], [X, X, 2], [X, 2, X]]),
    (6, [[1, 11, 12, 2, 0, 0], [1, 21, 22, 2, 1, 31]],
     [[X, 12, 2, X, X, X], [X, X, 2, X, X, 2]]),
    (7, [[1, 11, 12, 2, 1, 21, 22], [1, 31, 2, 0, 0, 0, 0]],
     [[X, 12, 2, X, X, X, 2], [X, 2, X, X, X, X, X]]),
    (11, [[1, 11, 12, 2, 1, 21, 22, 2, 1, 31, 2]],
     [[X, 12, 2, X, X, X, 2, X, X, 2, X]]),
])
def test_three_dialogues_packed_by_hand(length, inputs, targets):
    windows = pack([A, B, C], length)
    assert windows.inputs.tolist() == inputs
    assert windows.targets.tolist() == targets


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1,
                max_size=25), st.integers(15, 40))
def test_no_dialogue_is_lost_cut_or_moved(sizes, length):
    """Every token has a number of its own, so that a row tells what stands in it."""
    examples, ids = [], iter(range(1, 10_000))
    for given, answer in sizes:
        examples.append(example([next(ids) for _ in range(given)],
                                [next(ids) for _ in range(answer)]))
    windows = pack(examples, length)
    learnt = windows.targets[windows.targets != X].tolist()
    assert learnt == [id for e in examples
                      for id, mine in zip(e.ids, e.is_answer) if mine]
    rows = [[*row, last] if last != X else row for row, last in
            zip(windows.inputs.tolist(), windows.targets[:, -1].tolist())]
    flat = [id for row in rows for id in row if id]
    assert flat == [id for e in examples for id in e.ids]
    for e in examples:
        assert any(e.ids[0] in row and e.ids[-1] in row for row in rows)


def test_batches_show_every_row_once_and_follow_the_seed():
    windows = pack([example([1, 5 + n], [2]) for n in range(10)], 3)
    def order(seed):
        return [int(row[1]) for inputs, _ in windows.batches(4, seed) for row in inputs]
    assert [len(inputs) for inputs, _ in windows.batches(4, 0)] == [4, 4, 2]
    assert sorted(order(0)) == list(range(5, 15)) and order(0) == order(0) != order(1)
    for inputs, targets in windows.batches(3, 7):
        assert inputs.shape == targets.shape == (len(inputs), 3)
        assert torch.equal(targets, torch.tensor([[X, 2, X]]).expand_as(targets))


def test_padding_stands_on_the_right():
    tokens, lengths = pad([[4, 5, 6], [7], [8, 9]])
    assert tokens.tolist() == [[4, 5, 6], [7, 0, 0], [8, 9, 0]]
    assert lengths.tolist() == [3, 1, 2]


@pytest.mark.parametrize("call, fragment", [
    (lambda: pack([], 9), "there are no dialogues to learn from"),
    (lambda: pack([C, A], 2), "dialogue 1 has 4 tokens and a row holds 3"),
    (lambda: pack([Encoded([1, 5], [False, False])], 9), "dialogue 0 holds no answer"),
    (lambda: pack([Encoded([1, 5], [True])], 9), "has 2 tokens and 1 marks"),
    (lambda: pad([[1], []]), "every row needs at least one token"),
    (lambda: pad([]), "every row needs at least one token"),
    (lambda: finetune(loud(CONFIG), pack([A], 5), SFTSettings(epochs=3, warmup=9),
                      False), "must be shorter than the 3 steps"),
    (lambda: SFTSettings(epochs=0), "epochs must be positive, not 0"),
    (lambda: SFTSettings(peak=math.nan), "peak must be positive, not nan"),
    (lambda: SFTSettings(weight_decay=-0.1), "weight_decay must be positive"),
])
def test_what_cannot_be_learnt_from_is_refused(call, fragment):
    with pytest.raises(UserError) as caught:
        call()
    one_line(caught.value, fragment)


# The masked loss ------------------------------------------------------------------

def surprise(model, e: Encoded) -> list[float]:
    """-log p of every answer token of a dialogue alone, in float64, token by token."""
    found = []
    for place in range(1, len(e.ids)):
        if e.is_answer[place]:
            logits = model(torch.tensor([e.ids[:place]]))[0, -1].double()
            total = math.fsum(math.exp(x) for x in logits.tolist())
            found.append(math.log(total) - float(logits[e.ids[place]]))
    return found


@torch.no_grad()
def test_the_loss_is_the_mean_over_answer_tokens_alone():
    """Long and short answers: a mean of means would weigh their tokens unequally."""
    model = loud(CONFIG)
    examples = [example([1, 7, 9, 30], [12, 2]), example([1, 8], [5, 6, 7, 8, 2]),
                example([1, 20, 21, 22, 23], [2])]
    windows = pack(examples, 6)  # a row each
    assert len(windows) == 3
    loss = next_token_loss(model(windows.inputs), windows.targets)
    each = [value for e in examples for value in surprise(model, e)]
    assert len(each) == 8
    assert loss.item() == pytest.approx(sum(each) / 8, rel=1e-5)
    # two turns in one dialogue: both answers count
    twice = Encoded([1, 7, 3, 2, 1, 9, 4, 2], [False] * 2 + [True] * 2 + [False] * 2
                    + [True] * 2)
    windows = pack([twice], 8)
    loss = next_token_loss(model(windows.inputs), windows.targets)
    assert loss.item() == pytest.approx(sum(surprise(model, twice)) / 4, rel=1e-5)


@pytest.mark.parametrize("other, same", [
    (Encoded([1, 5, 6, 7, 9], [False, False, True, True, False]), True),
    (Encoded([1, 5, 6, 9, 8], [False, False, True, True, False]), False),
])
def test_the_users_tokens_earn_no_gradient(other, same):
    """The last token is a target and never read: masked, it can make no difference."""
    first = Encoded([1, 5, 6, 7, 8], [False, False, True, True, False])
    gradients = []
    for e in (first, other):
        model = loud(CONFIG)
        windows = pack([e], 4)
        next_token_loss(model(windows.inputs), windows.targets).backward()
        gradients.append([p.grad for p in model.parameters()])
    equal = [torch.equal(a, b) for a, b in zip(*gradients)]
    assert all(equal) == same and any(g.abs().sum() > 0 for g in gradients[0])


def test_what_follows_in_a_row_does_not_reach_back():
    """Packed behind another dialogue or alone: the first one's logits stay."""
    model = loud(CONFIG)
    alone, packed = pack([A], 15), pack([A, B, C], 15)
    with torch.no_grad():
        a, b = model(alone.inputs)[:, :4], model(packed.inputs)[:, :4]
    torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


# The loop -------------------------------------------------------------------------

def test_the_log_follows_epochs_batches_and_cosine():
    windows = pack([example([1, 3 + n], [2]) for n in range(10)], 3)
    run = SFTSettings(epochs=2, batch=4, peak=1e-2, warmup=2, length=3)
    log = finetune(loud(CONFIG), windows, run, progress=False)
    assert [row["epoch"] for row in log] == [0, 0, 0, 1, 1, 1]
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * n / 3)) / 2 for n in range(4)]
    assert [row["rate"] / 1e-2 for row in log] == pytest.approx([0.5, 1.0, *cosine])
    assert log == finetune(loud(CONFIG), windows, run, progress=False)
    other = SFTSettings(epochs=2, batch=4, peak=1e-2, warmup=2, length=3, seed=1)
    assert log != finetune(loud(CONFIG), windows, other, progress=False)


def test_every_epoch_reads_every_row_once_in_an_order_of_its_own():
    windows = pack([example([1, 3 + n], [2]) for n in range(10)], 3)
    model, read = loud(CONFIG), []
    model.embedding.register_forward_hook(
        lambda module, tokens, out: read.extend(tokens[0][:, 1].tolist()))
    finetune(model, windows, SFTSettings(epochs=3, batch=4, warmup=2), progress=False)
    epochs = [read[:10], read[10:20], read[20:]]
    assert all(sorted(epoch) == list(range(3, 13)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_weight_decay_takes_its_share_of_the_matrices():
    """Decoupled: after one step the two runs differ by rate * decay * weight."""
    after = {}
    for decay in (0.0, 0.5):
        model = loud(CONFIG)
        finetune(model, pack([A], 5), SFTSettings(
            epochs=1, peak=1e-2, warmup=0, weight_decay=decay), progress=False)
        after[decay] = dict(model.named_parameters())
    for name, weight in loud(CONFIG).named_parameters():
        share = 0.0 if "norm" in name else 1e-2 * 0.5
        torch.testing.assert_close(after[0.0][name] - after[0.5][name], share * weight,
                                   rtol=1e-3, atol=1e-6)


def test_the_answer_is_learnt_and_the_end():
    model = loud(CONFIG)
    pairs = [([1, 5], [6, 7, 2]), ([1, 8], [9, 2]), ([1, 10, 11], [12, 13, 14, 2])]
    windows = pack([example(*pair) for pair in pairs], 6)
    log = finetune(model, windows, SFTSettings(epochs=60, batch=3, peak=1e-2, warmup=5),
                   progress=False)
    assert log[-1]["loss"] < 0.1 < log[0]["loss"]
    prompts = [given for given, _ in pairs]
    assert generate(model, prompts, 8, 0.0, eos_id=2) == [a for _, a in pairs]
    assert not model.training


def test_demonstrations_are_prompts_with_their_references():
    tokenizer = Tokenizer.train(texts(60), 400)
    items = [*make_tasks(3), *make_unsafe(2), *make_borderline(2)]
    for item, encoded in zip(items, demonstrations(items, tokenizer), strict=True):
        split = encoded.is_answer.index(True)
        assert all(encoded.is_answer[split:])
        given, said = encoded.ids[:split], encoded.ids[split:]
        assert tokenizer.decode(given) == f"[INST] {item.prompt} [/INST]"
        assert tokenizer.decode(said) == f"{item.reference} " and said[-1] == 2
