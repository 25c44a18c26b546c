"""Sampling by brute force and chi-square; generation against a loop with no cache."""

import itertools
import math

import pytest
import torch
from models import ODD, loud, one_line
from test_model import theirs_with_our_weights

from minillama.errors import UserError
from minillama.generation import generate, sample

CONFIG = ODD["head_size_6"].replace(max_seq_len=40)
PROMPTS = [[1, 5, 9], [1], [3, 1, 4, 1, 5, 9, 2, 6, 5], [96, 0], [7] * 9]


def greedy_without_cache(model, prompt: list[int], n: int) -> list[int]:
    """The slow and plain way: read everything anew for every token."""
    text = list(prompt)
    for _ in range(n):
        with torch.no_grad():
            text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
    return text[len(prompt):]


# Sampling -----------------------------------------------------------------------


def nucleus(probabilities: list[float], top_p: float) -> set[int]:
    """Of all sets that reach ``top_p``, the smallest, and among those the likeliest."""
    everything = range(len(probabilities))
    for size in range(1, len(probabilities) + 1):
        best = max(itertools.combinations(everything, size),
                   key=lambda chosen: math.fsum(probabilities[i] for i in chosen))
        if math.fsum(probabilities[i] for i in best) >= top_p:
            return set(best)
    return set(everything)


def drawn(logits: torch.Tensor, n: int, seed: int = 0, **options) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return sample(logits.expand(n, -1), generator=generator, **options)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("seed", range(4))
def test_top_p_keeps_the_set_that_brute_force_finds(seed, temperature):
    """Flat logits, so that every token of the set is drawn in 4000 trials."""
    logits = torch.randn(8, generator=torch.Generator().manual_seed(seed)) * 0.7
    exact = (logits.double() / temperature).softmax(-1).tolist()
    for top_p in (1e-6, 0.15, 0.4, 0.6, 0.8, 0.97, 0.999):
        kept = drawn(logits, 4000, temperature=temperature, top_p=top_p)
        expected = nucleus(exact, top_p)
        rare = {i for i in expected if exact[i] < 0.004}
        assert expected - rare <= set(kept.tolist()) <= expected, top_p


@pytest.mark.parametrize("top_p, size", [(0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3),
                                         (0.875, 3), (1.0, 4)])
def test_a_set_that_reaches_top_p_exactly_is_enough(top_p, size):
    """Halves, quarters and eighths are exact in binary."""
    logits = torch.tensor([0.125, 0.5, 0.125, 0.25]).log2() * math.log(2)
    order = [1, 3, 0, 2]  # equal ones in the order of the vocabulary
    assert set(drawn(logits, 2000, top_p=top_p).tolist()) == set(order[:size])


def chi_square_p(counts: torch.Tensor, probabilities: torch.Tensor) -> float:
    """Chance of counts this far from the expected ones, if the draws are honest."""
    expected = probabilities.double() * counts.sum()
    assert expected.min() >= 5, "too few draws for the chi-square distribution"
    statistic = ((counts - expected) ** 2 / expected).sum()
    half = torch.tensor((len(counts) - 1) / 2, dtype=torch.float64)
    return torch.special.gammaincc(half, statistic / 2).item()


@pytest.mark.parametrize("temperature, top_p", [(1.0, 1.0), (0.5, 1.0), (2.0, 1.0),
                                                (1.0, 0.7), (0.8, 0.9)])
def test_draws_follow_the_distribution(temperature, top_p):
    logits = torch.tensor([1.0, -0.5, 0.3, 2.0, 0.0, -1.0])
    exact = (logits.double() / temperature).softmax(-1)
    kept = sorted(nucleus(exact.tolist(), top_p))
    counts = drawn(logits, 20_000, temperature=temperature, top_p=top_p).bincount(
        minlength=6)
    assert counts.sum() == counts[kept].sum()
    wanted = exact[kept] / exact[kept].sum()
    assert chi_square_p(counts[kept].double(), wanted) > 0.001
    # the same counts refute a temperature that is wrong by a tenth
    other = (logits.double() / (1.1 * temperature)).softmax(-1)[kept]
    assert chi_square_p(counts[kept].double(), other / other.sum()) < 0.001


def test_temperature_zero_takes_the_likeliest_of_each_row():
    logits = torch.tensor([[0.0, 2, 1], [3, 2, 1], [-9, -8, -7]])
    assert sample(logits, temperature=0).tolist() == [1, 0, 2]


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-37])
def test_a_tiny_temperature_is_almost_zero(temperature):
    logits = torch.tensor([[0.0, 2, 1], [300, 200, 100]])
    assert sample(logits, temperature).tolist() == [1, 0]


@pytest.mark.parametrize("spoilt", [[math.nan, 1.0, 2.0], [math.inf, 1.0, 2.0],
                                    [-math.inf] * 3])
def test_nothing_is_drawn_from_spoilt_logits(spoilt):
    with pytest.raises(UserError, match="NaN or infinity"):
        sample(torch.tensor([[0.0, 1.0, 2.0], spoilt]))
    assert sample(torch.tensor([[0.0, -math.inf, -math.inf]])).tolist() == [0]


def test_the_largest_random_number_still_draws_a_token(monkeypatch):
    """The sum of rounded probabilities may differ from one, and the last may be zero."""
    monkeypatch.setattr(torch, "rand", lambda *size, **how: torch.full(size, 1 - 2**-24))
    logits = torch.randn(200, 1000, generator=torch.Generator().manual_seed(0)) * 5
    logits[:, -3:] = -math.inf
    assert sample(logits).max() < 997
    monkeypatch.setattr(torch, "rand", lambda *size, **how: torch.zeros(size))
    logits[:, :3] = -math.inf
    assert sample(logits).min() >= 3


def test_rows_are_drawn_separately():
    logits = torch.full((3, 4), -1e9)
    logits[[0, 1, 2], [3, 0, 2]] = 0
    assert sample(logits, top_p=0.9).tolist() == [3, 0, 2]
    assert sample(logits).tolist() == [3, 0, 2]


# Generation ---------------------------------------------------------------------


def test_a_ragged_batch_gives_what_each_prompt_gets_alone():
    model = loud(CONFIG)
    expected = [greedy_without_cache(model, prompt, 20) for prompt in PROMPTS]
    assert len({tuple(answer) for answer in expected}) == len(PROMPTS)
    assert generate(model, PROMPTS, 20, temperature=0) == expected
    assert [generate(model, [p], 20, temperature=0)[0] for p in PROMPTS] == expected


@pytest.mark.parametrize("name", ODD)
def test_greedy_answers_are_those_of_transformers(name):
    model = loud(ODD[name])
    prompt = [1, 2, 0, 1, 1, 2]
    theirs = theirs_with_our_weights(model).generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, 6), do_sample=False,
        max_new_tokens=20, eos_token_id=None, pad_token_id=0)[0, 6:].tolist()
    assert generate(model, [prompt], 20, temperature=0) == [theirs]


def test_each_row_stops_at_its_own_eos():
    model = loud(CONFIG)
    full = [greedy_without_cache(model, prompt, 20) for prompt in PROMPTS]
    for eos in {full[0][4], full[2][0], full[3][-1]}:
        expected = [answer[: answer.index(eos) + 1] if eos in answer else answer
                    for answer in full]
        assert expected != full or eos == full[3][-1]
        assert generate(model, PROMPTS, 20, temperature=0, eos_id=eos) == expected


def test_the_same_seed_gives_the_same_answers_and_another_others():
    model = loud(CONFIG)

    def answers(seed: int) -> list[list[int]]:
        return generate(model, PROMPTS, 15, temperature=1.0, top_p=0.95,
                        generator=torch.Generator().manual_seed(seed))

    assert answers(0) == answers(0) != answers(1)
    assert [len(answer) for answer in answers(2)] == [15] * len(PROMPTS)


def test_first_tokens_follow_the_model():
    """Through the whole of generate: one prompt, many rows, counts by chi-square."""
    model = loud(ODD["one_of_each"])
    rows = 5000
    got = generate(model, [[1, 2]] * rows, 1, temperature=1.5,
                   generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = (model(torch.tensor([[1, 2]]))[0, -1].double() / 1.5).softmax(-1)
    counts = torch.tensor([answer[0] for answer in got]).bincount(minlength=3)
    assert chi_square_p(counts.double(), exact) > 0.001


def test_no_new_tokens_and_a_full_context():
    model = loud(CONFIG)
    assert generate(model, PROMPTS, 0) == [[]] * len(PROMPTS)
    assert generate(model, [[1] * 40], 0) == [[]]
    assert generate(model, [[1] * 39, [2]], 1, temperature=0) == [
        greedy_without_cache(model, [1] * 39, 1), greedy_without_cache(model, [2], 1)]


def test_half_precision_generates():
    model = loud(CONFIG).to(torch.bfloat16)
    answers = generate(model, PROMPTS, 6, temperature=0.7)
    assert [len(answer) for answer in answers] == [6] * len(PROMPTS)


@pytest.mark.parametrize("prompts, options, fragments", [
    ([], {}, ["at least one token"]),
    ([[1], []], {}, ["at least one token"]),
    ([[1], [2, 97]], {}, ["token 97", "vocabulary of 97"]),
    ([[1, -3, 5]], {}, ["token -3"]),
    ([[1] * 41], {"max_new_tokens": 0}, ["41 tokens", "40"]),
    ([[1], [1] * 38], {"max_new_tokens": 3}, ["38 tokens", "3 more", "40"]),
    ([[1]], {"max_new_tokens": -1}, ["-1"]),
    ([[1]], {"temperature": -0.5}, ["-0.5"]),
    ([[1]], {"temperature": math.nan}, ["nan"]),
    ([[1]], {"top_p": 0.0}, ["0.0"]), ([[1]], {"top_p": 1.01}, ["1.01"]),
    ([[1]], {"top_p": math.nan}, ["nan"]),
])
def test_requests_that_cannot_be_met_are_refused(prompts, options, fragments):
    with pytest.raises(UserError) as caught:
        generate(loud(CONFIG), prompts, **{"max_new_tokens": 4, **options})
    one_line(caught.value, *fragments)
