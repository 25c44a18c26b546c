"""DPO: loss and gradient by hand, its optimum, and the loop."""

import copy
import math

import pytest
import torch
from models import loud, one_line

from minillama.alignment.dpo import (DPOSettings, TokenPairs, answer_logprob, dpo_loss,
                                     from_pairs, train_dpo)
from minillama.config import LlamaConfig
from minillama.errors import UserError

SHAPE = LlamaConfig(11, 16, 1, 4, ffn_dim=24, max_seq_len=24)
PAIRS = TokenPairs.from_ids([[1, 4], [2], [3, 3]], [[5, 6], [7, 7, 7], [8, 6]],
                            [[9, 9, 6], [10, 6], [4, 6]])


def test_loss_and_gradient_by_hand():
    chosen = torch.tensor([-3.0, -1.0]).double().requires_grad_()
    rejected = torch.tensor([-2.0, -4.0]).double().requires_grad_()
    before = torch.tensor([[-5.0, -1.5], [-1.0, -4.0]]).double()
    loss, margin = dpo_loss(chosen, rejected, *before, beta=0.5)
    loss.backward()
    # margins: 0.5 * ((2) - (-1)) = 1.5 and 0.5 * (0.5 - 0) = 0.25
    assert margin.tolist() == [1.5, 0.25]
    wanted = sum(math.log(1 + math.exp(-m)) for m in (1.5, 0.25)) / 2
    assert loss.item() == pytest.approx(wanted, abs=1e-12)
    # beta times the probability of being wrong, shared by two rows
    slopes = [-0.5 / (1 + math.exp(m)) / 2 for m in (1.5, 0.25)]
    torch.testing.assert_close(chosen.grad, torch.tensor(slopes).double())
    torch.testing.assert_close(rejected.grad, -torch.tensor(slopes).double())


def test_at_the_start_the_loss_is_that_of_a_coin():
    logprobs = torch.randn(2, 9)
    loss, margin = dpo_loss(*logprobs, *logprobs, beta=0.3)
    assert loss.item() == pytest.approx(math.log(2)) and (margin == 0).all()


def test_its_minimum_is_the_optimum_of_reward_minus_kl():
    """Free log-probabilities, exact preferences: it finds pi_0 exp(r / beta)."""
    rewards = torch.tensor([0.0, 1.0, 2.5, -1.0]).double()
    reference = torch.tensor([0.4, 0.3, 0.1, 0.2]).double().log()
    logits = reference.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12,
                                  tolerance_change=1e-15, line_search_fn="strong_wolfe")
    a, b = torch.cartesian_prod(torch.arange(4), torch.arange(4)).T

    def closure():
        optimiser.zero_grad()
        now = logits.log_softmax(0)
        chance = (rewards[a] - rewards[b]).sigmoid()  # that a is preferred to b
        total = sum(c * dpo_loss(now[i, None], now[j, None], reference[i, None],
                                 reference[j, None], 0.7)[0]
                    for c, i, j in zip(chance, a, b))
        total.backward()
        return total

    optimiser.step(closure)
    wanted = reference.exp() * (rewards / 0.7).exp()
    torch.testing.assert_close(logits.softmax(0).detach(), wanted / wanted.sum(),
                               atol=1e-5, rtol=0)


def test_an_answer_is_the_sum_of_its_tokens_and_nothing_else():
    model = loud(SHAPE)
    found = answer_logprob(model, PAIRS.chosen, PAIRS.chosen_mask)
    for row, (prompt, answer) in enumerate([([1, 4], [5, 6]), ([2], [7, 7, 7]),
                                            ([3, 3], [8, 6])]):
        wanted = 0.0
        for t, token in enumerate(answer):  # one token at a time, nothing padded
            logits = model(torch.tensor([prompt + answer[:t]]))[0, -1]
            wanted += logits.log_softmax(-1)[token].item()
        assert found[row].item() == pytest.approx(wanted, abs=1e-5)


def test_training_prefers_what_was_preferred_and_leaves_the_reference():
    policy, reference = loud(SHAPE), loud(SHAPE)
    kept = copy.deepcopy(reference.state_dict())
    asked = []
    draw = from_pairs(PAIRS)

    def watched(batch, generator):
        pairs = draw(batch, generator)
        asked.append(sorted(pairs.chosen[:, 0].tolist()))
        return pairs

    rows = train_dpo(policy, watched, DPOSettings(steps=30, batch=3, rate=3e-3),
                     reference)
    assert all(first == [1, 2, 3] for first in asked)  # each once in every round
    assert rows[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"] and rows[-1]["accuracy"] == 1
    assert all(torch.equal(w, kept[n]) for n, w in reference.state_dict().items())


@pytest.mark.parametrize("change", [{"beta": 0.0}, {"beta": -1.0}, {"steps": 0},
                                    {"rate": 0.0}])
def test_bad_settings_get_one_line(change):
    with pytest.raises(UserError) as error:
        DPOSettings(**change)
    one_line(error.value, next(iter(change)))


def test_no_pairs_get_one_line():
    with pytest.raises(UserError) as error:
        TokenPairs.from_ids([], [], [])
    one_line(error.value, "empty")
