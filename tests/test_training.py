"""One step of training, its data and its intervals, against arithmetic by hand."""

import math
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.training.data import IGNORED, TokenStream
from minillama.training.intervals import T_975, interval, paired_difference
from minillama.training.optimisation import (
    learning_rate, make_optimiser, next_token_loss, train_step)

ROOT_HALF = math.sqrt(0.5)


# The learning rate ---------------------------------------------------------------

@pytest.mark.parametrize("step, expected", [
    (0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0),  # four steps up
    (4, 1.0),  # cos 0
    (6, 0.1 + 0.9 * (1 + ROOT_HALF) / 2),  # cos 45 degrees
    (8, 0.55),  # cos 90 degrees
    (10, 0.1 + 0.9 * (1 - ROOT_HALF) / 2),  # cos 135 degrees
    (12, 0.1),  # cos 180 degrees
])
def test_rate_of_thirteen_steps_by_hand(step, expected):
    assert learning_rate(step, 13, 1.0, 4) == pytest.approx(expected, rel=1e-12)
    assert learning_rate(step, 13, 3e-4, 4) == pytest.approx(3e-4 * expected, rel=1e-12)


@given(st.integers(1, 400), st.data())
def test_rate_rises_to_the_peak_and_falls_to_the_tenth(total, data):
    warmup = data.draw(st.integers(0, total - 1))
    rates = [learning_rate(step, total, 2.0, warmup) for step in range(total)]
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rates[warmup] == 2.0 == max(rates) and min(rates) > 0
    if total - warmup > 1:
        assert rates[-1] == pytest.approx(0.2)


@pytest.mark.parametrize("warmup", [-1, 10, 11])
def test_a_warm_up_as_long_as_the_run_is_refused(warmup):
    with pytest.raises(UserError, match="must be shorter than the 10 steps"):
        learning_rate(0, 10, 1.0, warmup)


# The data ------------------------------------------------------------------------

def documents(lengths, bos=1, eos=2):
    """A stream of numbered documents and the places at which one begins."""
    ids, begins = [], set()
    for n in lengths:
        begins.add(len(ids))
        ids += [bos, *range(3, 3 + n), eos]
    return TokenStream(torch.tensor(ids), bos), begins


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=3, max_size=30), st.integers(1, 12))
def test_the_target_that_crosses_a_border_earns_no_loss(lengths, length):
    stream, begins = documents(lengths)
    ids = stream.tokens.tolist()
    assert stream.n_windows(length) == (len(ids) - 1) // length
    for index in range(stream.n_windows(length)):
        inputs, targets = stream.window(index, length)
        at = index * length
        assert inputs.tolist() == ids[at : at + length]
        assert targets.tolist() == [
            IGNORED if at + i + 1 in begins else ids[at + i + 1] for i in range(length)]
    assert stream.tokens.tolist() == ids  # masking changes no token


def test_encoded_documents_stand_between_their_marks():
    tokenizer = Tokenizer.train(["the owl saw the goose"] * 9, 275)
    stream = TokenStream.encode(["the owl", "", "goose"], tokenizer)
    expected = []
    for text in ("the owl", "", "goose"):
        expected += [1, *tokenizer.encode(text), 2]
    assert stream.tokens.tolist() == expected and stream.bos_id == 1


def test_of_lessons_only_answers_are_learnt():
    texts = ["Ivy is a hen.\nQuestion: Who?\nAnswer: Ivy.\nQuestion: What is Ivy?\n"
             "Answer: A hen.", "A tale without one.", "Question: Why?\nAnswer: No."]
    tokenizer = Tokenizer.train(texts * 20, 300)
    stream = TokenStream.encode(texts, tokenizer).answers_only(tokenizer)
    parts, inside = [], False
    for id, learnt in zip(stream.tokens.tolist(), stream.learnt.tolist()):
        if learnt and not inside:
            parts.append([])
        if learnt:
            parts[-1].append(id)
        inside = learnt
    assert [tokenizer.decode(part) for part in parts] == [
        "Ivy.\n", "A hen.", "No."]
    assert [part[-1] == tokenizer.eos_id for part in parts] == [False, True, True]
    for index in range(stream.n_windows(7)):  # what is learnt is the target's own mark
        inputs, targets = stream.window(index, 7)
        mine = stream.learnt[index * 7 + 1 : index * 7 + 8]
        after = stream.tokens[index * 7 + 1 : index * 7 + 8]
        assert targets.tolist() == torch.where(mine, after, IGNORED).tolist()


@pytest.mark.parametrize("n_windows, size", [(7, 3), (10, 5), (4, 9), (1, 2)])
def test_every_window_comes_once_before_any_comes_twice(n_windows, size):
    length = 6  # tokens count up, so that an input tells its window
    stream = TokenStream(torch.arange(n_windows * length + 3), -1)
    steps = -(-4 * n_windows // size)
    batches = [stream.batch(step, size, length, seed=3) for step in range(steps)]
    order = [int(row[0]) // length for inputs, _ in batches for row in inputs]
    epochs = [order[at : at + n_windows] for at in range(0, 4 * n_windows, n_windows)]
    assert all(sorted(epoch) == list(range(n_windows)) for epoch in epochs)
    assert n_windows == 1 or len({tuple(epoch) for epoch in epochs}) > 1
    for inputs, targets in batches:
        assert inputs.shape == (size, length) and torch.equal(targets, inputs + 1)


def test_a_batch_depends_on_step_and_seed_alone():
    stream = TokenStream(torch.arange(1000), -1)
    first = [stream.batch(step, 4, 10, seed=1)[0] for step in range(60)]
    for step in (59, 3, 40, 0):  # any order, after other seeds
        stream.batch(step, 4, 10, seed=2)
        assert torch.equal(stream.batch(step, 4, 10, seed=1)[0], first[step])
    assert not torch.equal(stream.batch(0, 4, 10, seed=2)[0], first[0])


def test_a_text_shorter_than_a_window_is_refused():
    with pytest.raises(UserError, match="has 10 tokens, too few for one window of 10"):
        TokenStream(torch.arange(10), -1).batch(0, 1, 10)
    assert TokenStream(torch.arange(11), -1).batch(0, 1, 10)[0].shape == (1, 10)


# The loss and the step ------------------------------------------------------------

def surprise(logits, targets):
    """Mean of -log softmax over unmasked targets, in plain Python."""
    total, count = 0.0, 0
    for row, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist()):
        if target != -100:
            largest = max(row)
            norm = math.fsum(math.exp(x - largest) for x in row)
            total, count = total + math.log(norm) + largest - row[target], count + 1
    return total / count


@pytest.mark.parametrize("scale", [0.1, 3.0, 300.0])
def test_loss_is_minus_the_log_of_the_softmax(scale):
    torch.manual_seed(0)
    logits = torch.randn(3, 5, 11) * scale
    targets = torch.randint(11, (3, 5))
    targets[0, 2] = targets[2, 4] = IGNORED
    loss = next_token_loss(logits, targets)
    assert loss.item() == pytest.approx(surprise(logits, targets), rel=1e-5)


def test_a_masked_target_has_no_say():
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 7, requires_grad=True)
    targets = torch.tensor([[1, IGNORED, 3, 2]])
    next_token_loss(logits, targets).backward()
    assert logits.grad[0, 1].abs().sum() == 0 and logits.grad[0, 0].abs().sum() > 0


class ByHand:
    """AdamW written from equation and table: float64, one parameter after the other."""

    def __init__(self, parameters):
        self.values = [p.detach().clone() for p in parameters]
        self.first = [torch.zeros_like(v) for v in self.values]
        self.second = [torch.zeros_like(v) for v in self.values]
        self.time = 0

    def step(self, gradients, rate):
        """Clip to norm 1, then Loshchilov and Hutter, algorithm 2; returns the norm."""
        norm = math.sqrt(math.fsum(float((g * g).sum()) for g in gradients))
        scale = min(1.0, 1.0 / (norm + 1e-6))
        self.time += 1
        for i, gradient in enumerate(gradients):
            g = gradient * scale
            self.first[i] = 0.9 * self.first[i] + 0.1 * g
            self.second[i] = 0.95 * self.second[i] + 0.05 * g * g
            mean = self.first[i] / (1 - 0.9**self.time)
            square = self.second[i] / (1 - 0.95**self.time)
            decay = 0.1 if self.values[i].dim() == 2 else 0.0
            self.values[i] = (self.values[i] - rate * decay * self.values[i]
                              - rate * mean / (square.sqrt() + 1e-5))
        return norm


@pytest.mark.parametrize("rows, scale, clipped", [(60, 0.2, False), (2, 12.0, True)])
def test_three_steps_equal_adamw_by_hand(rows, scale, clipped):
    torch.manual_seed(0)
    model = Llama(LlamaConfig(13, 8, 1, 2, ffn_dim=12, max_seq_len=6)).double()
    with torch.no_grad():
        model.output.weight.mul_(scale)
    optimiser = make_optimiser(model, 1.0)  # the rate comes with each step
    tokens = torch.randint(13, (rows, 7))
    inputs, targets = tokens[:, :-1], tokens[:, 1:].clone()
    targets[0, 3] = IGNORED
    hand = ByHand(list(model.parameters()))
    for rate in (1e-3, 2e-2, 5e-3):
        logits = model(inputs)
        loss = -logits.log_softmax(-1).gather(
            -1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        loss = loss[targets != IGNORED].mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        norm = hand.step(gradients, rate)
        ours = train_step(model, optimiser, inputs, targets, rate)
        assert ours == pytest.approx((loss.item(), norm), rel=1e-5)
        assert (norm > 1) == clipped
        for parameter, expected in zip(model.parameters(), hand.values, strict=True):
            torch.testing.assert_close(parameter.data, expected, rtol=0, atol=2e-6)


def test_without_gradient_matrices_shrink_and_gains_stay():
    torch.manual_seed(0)
    model = Llama(LlamaConfig(13, 8, 2, 2, ffn_dim=12, max_seq_len=6))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    make_optimiser(model, 0.5).step()
    for name, parameter in model.named_parameters():
        factor = 1.0 if "norm" in name else 1 - 0.5 * 0.1
        torch.testing.assert_close(parameter.data, before[name] * factor)
    assert any("norm" in name for name in before)


# Intervals -----------------------------------------------------------------------

def below(t, freedom):
    """Share of Student's distribution below t, by Simpson's rule on its density."""
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    constant /= math.sqrt(freedom * math.pi)
    n = 4000
    density = [(1 + (t * i / n) ** 2 / freedom) ** (-(freedom + 1) / 2)
               for i in range(n + 1)]
    inner = 4 * math.fsum(density[1:-1:2]) + 2 * math.fsum(density[2:-1:2])
    return 0.5 + constant * (t / n / 3) * (density[0] + inner + density[-1])


@pytest.mark.parametrize("freedom", range(1, 31))
def test_every_value_of_the_t_table_leaves_two_and_a_half_percent(freedom):
    t = T_975[freedom - 1]
    assert below(t - 0.0006, freedom) < 0.975 < below(t + 0.0006, freedom)


@pytest.mark.parametrize("values, mean, half_width", [
    ([0.0, 2.0], 1.0, 12.706),  # deviation sqrt(2), over sqrt(2)
    ([1.0, 2.0, 3.0], 2.0, 4.303 / math.sqrt(3)),
    ([5.0, 5.0, 5.0, 5.0], 5.0, 0.0),
    ([0.0, 0.0, 0.0, 4.0], 1.0, 3.182),  # deviation 2, over 2
    ([1.0, -1.0] * 50, 0.0, 1.96 * math.sqrt(100 / 99 / 100)),
])
def test_interval_by_hand(values, mean, half_width):
    found = interval(values)
    assert found.mean == pytest.approx(mean)
    assert found.half_width == pytest.approx(half_width)
    assert (found.low, found.high) == pytest.approx((mean - half_width,
                                                     mean + half_width))


@pytest.mark.parametrize("n", [2, 3, 8])
def test_intervals_hold_the_truth_nineteen_times_in_twenty(n):
    rng = Random(n)
    held = sum(not interval([rng.gauss(7, 3) for _ in range(n)]).excludes(7)
               for _ in range(20_000))
    # a share of 0.95 over 20,000 trials has a deviation of 0.0015
    assert 0.945 < held / 20_000 < 0.955


def test_pairing_removes_what_the_seeds_share():
    rng = Random(0)
    shared = [rng.gauss(0, 100) for _ in range(3)]
    a, b = [s + x for s, x in zip(shared, (1.0, 1.1, 0.9))], shared
    assert paired_difference(a, b).mean == pytest.approx(1.0)
    assert paired_difference(a, b).half_width == pytest.approx(
        4.303 * 0.1 / math.sqrt(3))
    assert paired_difference(a, b).excludes(0) and not interval(a).excludes(0)


@pytest.mark.parametrize("call", [
    lambda: interval([1.0]), lambda: interval([]),
    lambda: paired_difference([1.0, 2.0], [1.0]),
])
def test_too_few_or_unpaired_values_are_refused(call):
    with pytest.raises(UserError):
        call()
