"""Rollouts against full forward passes without a cache, and against probability."""

import itertools
import math

import pytest
import torch
from models import ODD, loud, one_line, random_tokens

from minillama.alignment.chat import encode_answer, encode_prompt, question
from minillama.alignment.data import pad
from minillama.alignment.rollout import (
    Rollout, answers, respond, sample, token_logprobs)
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.generation import generate
from minillama.pasture import make_tasks, texts
from minillama.tokenizer import Tokenizer

EOS = 2
CONFIG = LlamaConfig(7, 24, 2, 4, n_kv_heads=2, ffn_dim=50, max_seq_len=40)
PROMPTS = [[1, 5, 6], [1], [3, 1, 4, 1, 5, 6, 0, 6, 5], [2, 0], [5] * 9, [1, 1, 4]] * 3


def drawn(temperature: float = 1.0, prompts=PROMPTS, seed: int = 0, most: int = 9,
          config=CONFIG, eos_id: int | None = EOS) -> tuple:
    model = loud(config)
    generator = torch.Generator().manual_seed(seed)
    return model, sample(model, prompts, most, temperature, generator, eos_id)


@torch.no_grad()
def uncached(model, tokens: list[int], place: int, temperature: float) -> float:
    """log p of one token by reading all before it anew, in float64."""
    logits = model(torch.tensor([tokens[:place]]))[0, -1].double() / temperature
    return float(logits[tokens[place]] - torch.logsumexp(logits, 0))


@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0, 1.7])
@pytest.mark.parametrize("config", [CONFIG, *(ODD[name].replace(max_seq_len=40) for name
                                              in ("head_size_6", "tied_multi_query"))],
                         ids=["tiny", "head_size_6", "tied_multi_query"])
def test_logprobs_are_those_of_a_full_forward_pass(config, temperature):
    model, rollout = drawn(temperature, config=config)
    scale = temperature or 1.0  # greedy has no distribution: the policy's own is kept
    seen = 0
    for tokens, mask, logprobs in zip(rollout.tokens.tolist(), rollout.answer_mask,
                                      rollout.logprobs.tolist()):
        for place, (inside, logprob) in enumerate(zip(mask.tolist(), logprobs)):
            if not inside:
                assert logprob == 0.0
                continue
            seen += 1
            assert logprob == pytest.approx(uncached(model, tokens, place, scale),
                                            abs=1e-4)
    assert seen > 30
    again = token_logprobs(model, rollout.tokens, scale)
    torch.testing.assert_close(rollout.logprobs, again * rollout.answer_mask,
                               rtol=0, atol=1e-4)


def test_greedy_answers_are_generates():
    model, rollout = drawn(0.0)
    expected = generate(model, PROMPTS, 9, 0.0, eos_id=EOS)
    found = [row[mask].tolist() for row, mask in zip(rollout.tokens,
                                                     rollout.answer_mask)]
    assert found == expected


def check_shape(rollout: Rollout, prompts: list[list[int]], most: int) -> None:
    """All that must hold of any rollout, row by row."""
    batch, length = rollout.tokens.shape
    assert rollout.tokens.dtype == torch.int64
    assert rollout.answer_mask.dtype == rollout.ended.dtype == torch.bool
    assert rollout.answer_mask.shape == rollout.logprobs.shape == (batch, length)
    assert rollout.prompt_lengths.tolist() == [len(prompt) for prompt in prompts]
    assert length == int(rollout.lengths.max())
    for row, prompt in enumerate(prompts):
        tokens, mask = rollout.tokens[row].tolist(), rollout.answer_mask[row].tolist()
        n = sum(mask)
        assert tokens[: len(prompt)] == prompt
        assert mask == [len(prompt) <= t < len(prompt) + n for t in range(length)]
        assert int(rollout.lengths[row]) == len(prompt) + n
        answer = tokens[len(prompt) : len(prompt) + n]
        assert EOS not in answer[:-1] and 1 <= n <= most
        assert bool(rollout.ended[row]) == (answer[-1] == EOS)
        assert answer[-1] == EOS or n == most
        assert set(tokens[len(prompt) + n :]) <= {0}


@pytest.mark.parametrize("seed", range(4))
def test_masks_lengths_and_ends(seed):
    _, rollout = drawn(1.0, seed=seed)
    check_shape(rollout, PROMPTS, 9)
    assert rollout.ended.any() and not rollout.ended.all(), "both kinds are needed"


def test_without_an_end_mark_every_answer_is_full():
    _, rollout = drawn(1.5, eos_id=None)
    assert rollout.answer_mask.sum(1).tolist() == [9] * len(PROMPTS)
    assert not rollout.ended.any() and (rollout.tokens[:, 3:] == EOS).any()
    _, nothing = drawn(most=0)
    assert not nothing.answer_mask.any() and not nothing.ended.any()


def test_neighbours_in_the_batch_change_nothing():
    model, together = drawn(0.0)
    for row, prompt in enumerate(PROMPTS[:6]):
        alone = sample(model, [prompt], 9, 0.0, eos_id=EOS)
        n = int(alone.lengths[0])
        assert int(together.lengths[row]) == n
        assert together.tokens[row, :n].tolist() == alone.tokens[0].tolist()
        torch.testing.assert_close(together.logprobs[row, :n], alone.logprobs[0],
                                   rtol=0, atol=1e-5)


@pytest.mark.parametrize("wider", [0, 5])
def test_what_stands_in_the_padding_changes_nothing(wider):
    model, rollout = drawn(1.0)
    with torch.no_grad():
        plain = token_logprobs(model, rollout.tokens)
        noise = random_tokens(CONFIG, len(PROMPTS), rollout.tokens.shape[1] + wider)
        inside = torch.arange(noise.shape[1]) < rollout.lengths.unsqueeze(1)
        width = rollout.tokens.shape[1]
        noise[:, :width] = torch.where(inside[:, :width], rollout.tokens,
                                       noise[:, :width])
        other = token_logprobs(model, noise)
    inside = inside[:, :width]
    torch.testing.assert_close(plain[inside], other[:, :width][inside], rtol=0,
                               atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_probabilities_of_all_continuations_add_up_to_one(temperature):
    model = loud(CONFIG.replace(vocab_size=4))
    every = torch.tensor([[1, 3, *rest] for rest in itertools.product(range(4),
                                                                      repeat=3)])
    with torch.no_grad():
        logprobs = token_logprobs(model, every, temperature)
    assert logprobs.shape == every.shape and not logprobs[:, 0].any()
    # the second token is the same in all, so it is left out
    assert logprobs[:, 2:].sum(1).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_tokens_come_as_often_as_their_logprobs_say():
    n = 6000
    model, rollout = drawn(0.8, [[1, 5]] * n, most=1)
    for token in range(CONFIG.vocab_size):
        came = rollout.tokens[:, 2] == token
        share = math.exp(uncached(model, [1, 5, token], 2, 0.8))
        deviation = math.sqrt(share * (1 - share) / n)
        assert abs(came.float().mean().item() - share) < 4.5 * deviation + 1e-9


def test_what_was_sampled_can_be_trained_on():
    model, rollout = drawn()
    (token_logprobs(model, rollout.tokens) * rollout.answer_mask).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all()
               for p in model.parameters())


def test_one_token_has_nothing_before_it():
    assert token_logprobs(loud(CONFIG), torch.tensor([[1], [3]])).tolist() == [[0], [0]]


# Text -----------------------------------------------------------------------------

TOKENIZER = Tokenizer.train(texts(100), 400)


def test_answers_are_the_text_between_prompt_and_end():
    said = ["Clara likes plums.", "", "I will not help."]
    asked = [encode_prompt(TOKENIZER, question(text)) for text in ("Who?", "A b c?",
                                                                   "How so?")]
    tails = [encode_answer(TOKENIZER, text) for text in said]
    tokens, _ = pad([a + b for a, b in zip(asked, tails)])
    place = torch.arange(tokens.shape[1])
    starts = torch.tensor([len(a) for a in asked]).unsqueeze(1)
    ends = starts + torch.tensor([len(b) for b in tails]).unsqueeze(1)
    mask = (place >= starts) & (place < ends)
    rollout = Rollout(tokens, starts.squeeze(1), mask, torch.ones(3).bool(),
                      torch.zeros(tokens.shape))
    assert answers(rollout, TOKENIZER) == said


def test_questions_are_answered_alike_in_batches_of_any_size():
    model = loud(LlamaConfig(400, 24, 2, 4, n_kv_heads=2, max_seq_len=256))
    prompts = [task.prompt for task in make_tasks(7)]
    texts_of, ended = zip(*(respond(model, TOKENIZER, prompts, 8, 0.0, batch=size)
                            for size in (1, 3, 7)))
    assert texts_of[0] == texts_of[1] == texts_of[2] and len(texts_of[0]) == 7
    assert ended[0] == ended[1] == ended[2]
    expected = generate(model, [encode_prompt(TOKENIZER, question(p)) for p in prompts],
                        8, 0.0, eos_id=EOS)
    assert texts_of[0] == [TOKENIZER.decode(ids).strip() for ids in expected]


@pytest.mark.parametrize("call, fragment", [
    (lambda: sample(loud(CONFIG), [], 5), "there are no prompts to answer"),
    (lambda: respond(loud(CONFIG), TOKENIZER, []), "there are no prompts to answer"),
    (lambda: sample(loud(CONFIG), [[1] * 36], 5), "reads at most 40"),
    (lambda: sample(loud(CONFIG), [[1, 7]], 5), "token 7 is outside the vocabulary"),
    (lambda: sample(loud(CONFIG), [[1], []], 5), "needs at least one token"),
    (lambda: sample(loud(CONFIG), [[1]], 5, -1.0), "must not be negative"),
])
def test_requests_that_cannot_be_met_are_refused(call, fragment):
    with pytest.raises(UserError) as caught:
        call()
    one_line(caught.value, fragment)
