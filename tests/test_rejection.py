"""Best of n: its exact distribution, its choice, and one round of it."""

import itertools
import math

import pytest
import torch
from models import loud, one_line

from minillama.alignment.rejection import (RejectionSettings, best_of, best_of_n,
                                           best_of_n_kl, max_and_median,
                                           rejection_round)
from minillama.config import LlamaConfig
from minillama.errors import UserError

SHAPE = LlamaConfig(11, 16, 1, 4, ffn_dim=24, max_seq_len=24)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("rewards", [[0.0, 1.0, 2.0, 3.0], [1.0, 5.0, 1.0, -2.0],
                                     [2.0, 2.0, 2.0, 2.0]])
def test_the_closed_form_is_the_sum_over_all_draws(n, rewards):
    chances = [0.1, 0.4, 0.3, 0.2]
    wanted = [0.0] * 4
    for draws in itertools.product(range(4), repeat=n):
        best = max(draws, key=lambda answer: rewards[answer])  # the first of equals
        wanted[best] += math.prod(chances[answer] for answer in draws)
    found = best_of_n(torch.tensor(chances).double(), torch.tensor(rewards), n)
    torch.testing.assert_close(found, torch.tensor(wanted).double())


@pytest.mark.parametrize("n", [2, 8, 64])
def test_the_kl_of_best_of_n_nears_its_bound_as_answers_grow_finer(n):
    chances = torch.full((200_000,), 1 / 200_000).double()
    rewards = torch.arange(200_000)
    best = best_of_n(chances, rewards, n)
    kl = torch.special.xlogy(best, best / chances).sum().item()
    assert kl < best_of_n_kl(n) and kl == pytest.approx(best_of_n_kl(n), abs=1e-3)
    # and ties only lower it
    tied = best_of_n(chances, rewards // 50_000, n)
    assert torch.special.xlogy(tied, tied / chances).sum() < kl
    with pytest.raises(UserError) as error:
        best_of_n(chances, rewards, 0)
    one_line(error.value, "at least 1")


def test_best_of_and_the_curves_by_hand():
    scores = torch.tensor([[1.0, 3.0, 2.0], [5.0, 5.0, 0.0]])
    assert best_of([["a", "b", "c"], ["d", "e", "f"]], scores) == ["b", "d"]
    best, median = max_and_median(scores)
    assert best.tolist() == [3.0, 4.0, 4.0]
    assert median.tolist() == [3.0, 3.5, 3.5]
    with pytest.raises(UserError) as error:
        best_of([["a", "b"]], scores)
    one_line(error.value, "differ")


def test_a_round_keeps_the_answer_that_scored_highest():
    prompts = [[1, 4], [2], [3, 3, 5]]
    settings = RejectionSettings(samples=7, max_new_tokens=5, batch=4)
    seen = {0: [], 1: [], 2: []}

    def score(rollout, numbers):
        found = []
        for row, number in enumerate(numbers):
            text = rollout.tokens[row, : rollout.lengths[row]].tolist()
            assert text[: len(prompts[number])] == prompts[number]
            value = sum(text) / 10
            # a cut answer is capped at zero, then loses 1
            real = value if rollout.ended[row] else min(value, 0) - 1
            seen[number].append((real, text))
            found.append(value)
        return torch.tensor(found)

    best, scores = rejection_round(loud(SHAPE), prompts, score, settings, eos_id=6)
    assert scores.shape == (3, 7) and any(real < 0 for real, _ in seen[0] + seen[1])
    for one in best:
        top = max(real for real, _ in seen[one.number])
        assert one.score == pytest.approx(top)
        assert any(text == one.example.ids and real == pytest.approx(top)
                   for real, text in seen[one.number])
        start = len(prompts[one.number])
        assert one.example.is_answer == [i >= start for i in
                                         range(len(one.example.ids))]


def test_nothing_to_do_gets_one_line():
    with pytest.raises(UserError) as error:
        rejection_round(loud(SHAPE), [], None, RejectionSettings(), None)
    one_line(error.value, "empty")
    with pytest.raises(UserError) as error:
        RejectionSettings(samples=0)
    one_line(error.value, "samples")
