"""PPO: its pieces against tables by hand, its step and its loop."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from models import loud, one_line
from torch.nn.functional import pad

from minillama.alignment import losses
from minillama.alignment.gae import gae
from minillama.alignment.ppo import (Learner, PPOSettings, ValueModel, ppo_step,
                                     train_ppo)
from minillama.alignment.rollout import Rollout, sample
from minillama.config import LlamaConfig
from minillama.errors import UserError

SHAPE = LlamaConfig(23, 16, 2, 4, n_kv_heads=2, ffn_dim=24, max_seq_len=32)
PROMPTS = [[1, 5, 7], [1, 4], [1, 9, 3, 2, 8], [1], [1, 6, 6, 2]]
SMALL = PPOSettings(iterations=3, batch=5, minibatch=2, max_new_tokens=6,
                    value_warmup=0, policy_rate=1e-3)
T, F = True, False


def close(found, wanted, atol=1e-6):
    torch.testing.assert_close(found, torch.tensor(wanted), atol=atol, rtol=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def count_sevens(rollout, numbers):
    return ((rollout.tokens == 7) & rollout.answer_mask).sum(dim=1).float()


# The pieces, by hand --------------------------------------------------------------


def test_the_gate_on_every_side_of_the_threshold():
    safety = torch.tensor([0.90, 0.90, 0.14, 0.14, 0.15, 0.0])
    helpful = torch.tensor([0.30, 0.30, 0.99, 0.99, 0.60, 1.0])
    lured = torch.tensor([F, T, F, T, F, F])
    close(losses.combine(safety, helpful, lured), [0.30, 0.90, 0.14, 0.14, 0.60, 0.0])
    close(losses.combine(safety, helpful, lured, 0.95)[:2], [0.90, 0.90])
    with pytest.raises(UserError) as error:
        losses.combine(safety * 2, helpful, lured)
    one_line(error.value, "safety", "sigmoid")


def test_whitening_by_hand():
    x = torch.tensor([[1.0, 3.0, float("nan")], [5.0, 7.0, 1e9]])
    mask = torch.tensor([[T, T, F], [T, T, F]])  # mean 4, variance (9 + 1 + 1 + 9) / 4
    root = math.sqrt(5)
    close(losses.whiten(x, mask), [[-3 / root, -1 / root, 0], [1 / root, 3 / root, 0]])
    close(losses.whiten(x, mask, shift_mean=False),
          [[4 - 3 / root, 4 - 1 / root, 0], [4 + 1 / root, 4 + 3 / root, 0]])
    assert losses.whiten(torch.tensor([2.5])).item() == 0  # and no NaN


def test_the_whitened_logit_by_hand():
    scores = torch.tensor([1 / (1 + math.e), 0.5, math.e / (1 + math.e)])
    close(losses.whitened_reward(scores), [-math.sqrt(1.5), 0.0, math.sqrt(1.5)], 1e-5)
    close(losses.whitened_reward(scores, (-1.0, 2.0)), [0.0, 0.5, 1.0])
    ends = losses.whitened_reward(torch.tensor([0.0, 1.0]), (0.0, 1.0))
    close(ends, [-13.8155, 13.8155], 0.1)  # finite: log(1e-6)
    with pytest.raises(UserError) as error:
        losses.whitened_reward(scores, (0.0, 0.0))
    one_line(error.value, "deviation")


def test_a_cut_answer_never_pays():
    scores, ended = torch.tensor([2.0, 2.0, -3.0, -3.0]), torch.tensor([T, F, T, F])
    close(losses.penalise_truncation(scores, ended, 0.5), [2.0, -0.5, -3.0, -3.5])
    assert losses.penalise_truncation(scores, ended, None) is scores


def test_shaped_rewards_by_hand():
    mask = torch.tensor([[F, T, T, F], [F, F, T, T], [T, T, F, T], [F, F, F, F]])
    logprobs = torch.full((4, 4), -1.0)
    reference = torch.tensor([[9.0, -2.0, -0.5, 9.0]] * 4)
    found = losses.shaped_rewards(torch.tensor([10.0, 20.0, 30.0, 40.0]), logprobs,
                                  reference, mask, beta=0.1)
    # -0.1 * (-1 + 2) = -0.1 at place 1, -0.1 * (-1 + 0.5) = 0.05 at place 2
    close(found, [[0, -0.1, 10.05, 0], [0, 0, 0.05, 21.0], [1.0, -0.1, 0, 31.0],
                  [0, 0, 0, 0]])


def test_the_clipped_objective_and_its_gradient_by_hand():
    ratio = torch.tensor([[1.5, 1.5, 0.5, 0.5, 1.1, 7.0]])
    advantages = torch.tensor([[2.0, -2.0, 2.0, -2.0, 1.0, 5.0]])
    mask = torch.tensor([[T, T, T, T, T, F]])
    logprobs = ratio.log().requires_grad_()
    loss, seen, outside = losses.policy_loss(logprobs, torch.zeros(1, 6), advantages,
                                             mask, 0.2)
    loss.backward()
    # min(ratio A, clip(ratio) A): 1.2*2, 1.5*-2, 0.5*2, 0.8*-2, 1.1
    close(loss.detach(), -(2.4 - 3.0 + 1.0 - 1.6 + 1.1) / 5)
    # gone too far in the wanted direction earns no gradient, too far back does
    close(logprobs.grad, [[0.0, 3.0 / 5, -1.0 / 5, 0.0, -1.1 / 5, 0.0]])
    close(outside, 0.8)
    close(seen, [[1.5, 1.5, 0.5, 0.5, 1.1, 1.0]])


def test_value_loss_and_explained_variance_by_hand():
    values, old = torch.tensor([[1.0, 5.0, 9.0]]), torch.tensor([[0.0, 5.0, 9.0]])
    returns, mask = torch.tensor([[2.0, 3.0, 0.0]]), torch.tensor([[T, T, F]])
    close(losses.value_loss(values, old, returns, mask), (1 + 4) / 2 / 2)
    # clipped to 0.5 from the old value, the first is 1.5 away
    close(losses.value_loss(values, old, returns, mask, 0.5), (2.25 + 4) / 2 / 2)
    close(losses.explained_variance(returns, returns, mask), 1.0)
    close(losses.explained_variance(old * 0 + 3, returns, mask), 0.0)
    # returns - values is -1 and 2, variance 2.25, of the returns 0.25
    values = torch.tensor([[3.0, 1.0, 0.0]])
    close(losses.explained_variance(values, returns, mask), -8.0)


@pytest.mark.parametrize("left, right", [(0, 3), (3, 0), (2, 1)])
def test_padding_on_any_side_changes_no_piece(left, right):
    draw = generator(1)
    old, new, ref, values = torch.randn(4, 3, 5, generator=draw).double()
    mask = torch.rand(3, 5, generator=draw) < 0.7
    mask[:, 2] = True
    scores = torch.randn(3, generator=draw).double()

    def pieces(old, new, ref, values, mask):
        rewards = losses.shaped_rewards(scores, old, ref, mask, 0.3)
        advantages, returns = gae(rewards, values, mask)
        white = losses.whiten(advantages, mask)
        return white, [losses.policy_loss(new, old, white, mask)[0],
                       losses.value_loss(values, values, returns, mask),
                       losses.explained_variance(values, returns, mask)]

    plain, numbers = pieces(old, new, ref, values, mask)
    wide, wide_numbers = pieces(*(pad(x, (left, right), value=fill) for x, fill in
                                  ((old, 2.0), (new, -1.0), (ref, 5.0), (values, 8.0),
                                   (mask, False))))
    torch.testing.assert_close(wide[:, left : left + 5], plain)
    torch.testing.assert_close(torch.stack(wide_numbers), torch.stack(numbers))


# The step -------------------------------------------------------------------------


def learner_for(settings, **formulas):
    policy = loud(SHAPE)
    return Learner.start(policy, ValueModel(policy), settings, **formulas)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_at_the_first_step_all_ratios_are_one(temperature):
    settings = replace(SMALL, temperature=temperature)
    learner = learner_for(settings)
    rollout = sample(learner.policy, PROMPTS, 6, temperature, generator(), 3)
    row = ppo_step(learner, rollout, count_sevens(rollout, []), settings, generator())
    assert row["first_ratio_error"] < 1e-5
    assert abs(row["kl"]) < 1e-5
    # and a mismatch between sampling and learning shows there
    wrong = replace(settings, temperature=1.3)
    learner = learner_for(wrong)
    row = ppo_step(learner, rollout, count_sevens(rollout, []), wrong, generator())
    assert row["first_ratio_error"] > 0.05


def test_more_padding_leaves_the_step_as_it_is():
    weights = []
    for extra in (0, 7):
        learner = learner_for(SMALL)
        made = sample(learner.policy, PROMPTS, 6, 1.0, generator(), 3)
        rollout = Rollout(pad(made.tokens, (0, extra), value=4), made.prompt_lengths,
                          pad(made.answer_mask, (0, extra)), made.ended,
                          pad(made.logprobs, (0, extra), value=-9.0))
        row = ppo_step(learner, rollout, torch.arange(5.0), SMALL, generator())
        weights.append([row["length"], row["entropy"], *(
            p.detach() for p in learner.policy.parameters())])
    for narrow, wide in zip(*weights):
        torch.testing.assert_close(narrow, wide, atol=2e-5, rtol=1e-4)
    moved = [(a - b).abs().max()
             for a, b in zip(weights[0][2:], loud(SHAPE).parameters())]
    assert max(moved) > 1e-3  # so that equality says something


def test_the_trainer_learns_from_the_advantages_of_gae():
    assert Learner.start(*[loud(SHAPE)] * 2, SMALL).estimate is gae
    seen = {}

    def spy(rewards, values, mask, gamma, lam):
        seen.update(rewards=rewards, mask=mask, values=values)
        advantages, returns = gae(rewards, values, mask, gamma, lam)
        return torch.zeros_like(advantages), returns

    settings = replace(SMALL, weight_decay=0.0)
    learner = learner_for(settings, estimate=spy)
    before = copy.deepcopy(learner.policy.state_dict())
    rollout = sample(learner.policy, PROMPTS, 6, 1.0, generator(), 3)
    ppo_step(learner, rollout, torch.arange(5.0), settings, generator())
    assert torch.equal(seen["mask"], rollout.answer_mask)
    # without drift from the reference each row earns its score, cut answers less
    wanted = torch.where(rollout.ended, torch.arange(5.0), -1.0)
    torch.testing.assert_close(seen["rewards"].sum(dim=1), wanted, atol=1e-5, rtol=0)
    for name, weight in learner.policy.state_dict().items():  # zeros teach nothing
        assert torch.equal(weight, before[name])


def test_values_are_judged_before_their_token_is_seen():
    critic = ValueModel(loud(SHAPE))
    tokens = torch.randint(SHAPE.vocab_size, (2, 8), generator=generator())
    assert (critic(tokens) == 0).all()
    torch.nn.init.normal_(critic.backbone.output.weight)
    other = tokens.clone()
    other[:, 5] = (other[:, 5] + 1) % SHAPE.vocab_size
    one, two = critic(tokens), critic(other)
    torch.testing.assert_close(one[:, :6], two[:, :6])
    assert not torch.allclose(one[:, 6:], two[:, 6:])


def test_the_loop_warms_up_keeps_its_reference_and_uses_all_prompts():
    settings = replace(SMALL, iterations=6, value_warmup=2, final_fraction=0.5)
    learner = learner_for(settings)
    start = copy.deepcopy(learner.policy.state_dict())
    asked, moved = [], []

    def score(rollout, numbers):
        asked.extend(numbers)
        return count_sevens(rollout, numbers)

    def watch(row):
        moved.append(any(not torch.equal(weight, start[name]) for name, weight
                         in learner.policy.state_dict().items()))
        return row["iteration"] == 4

    rows = train_ppo(learner, PROMPTS, score, settings, eos_id=3, watch=watch)
    assert moved == [F, F, T, T, T]  # and the watch has ended it
    assert abs(rows[2]["kl"]) < 1e-5 and abs(rows[4]["kl"]) > 1e-6
    assert all(torch.equal(weight, start[name]) for name, weight
               in learner.reference.state_dict().items())
    for first in range(0, 25, 5):
        assert sorted(asked[first : first + 5]) == [0, 1, 2, 3, 4]
    rate = learner.policy_optimiser.param_groups[0]["lr"]
    assert rate == pytest.approx(SMALL.policy_rate * (1 - 0.5 * 4 / 5))
    wanted = {"score", "reward", "kl", "approx_kl", "clip_fraction", "entropy",
              "explained_variance", "length", "ended", "value_loss"}
    assert wanted <= rows[0].keys()
    assert all(math.isfinite(x) for row in rows for x in row.values())


@pytest.mark.parametrize("change, word", [
    ({"beta": -0.01}, "beta"), ({"beta": math.nan}, "beta"), ({"clip": 0.0}, "clip"),
    ({"batch": 0}, "batch"), ({"gamma": 1.1}, "gamma"), ({"temperature": 0}, "temper"),
    ({"truncation_penalty": -1.0}, "truncation_penalty")])
def test_bad_settings_get_one_line(change, word):
    with pytest.raises(UserError) as error:
        PPOSettings(**change)
    one_line(error.value, word)


def test_no_prompts_and_bad_scores_get_one_line():
    learner = learner_for(SMALL)
    with pytest.raises(UserError) as error:
        train_ppo(learner, [], count_sevens, SMALL, 3)
    one_line(error.value, "prompts", "empty")
    for scores in (torch.zeros(4), torch.tensor([0, 0, 0, 0, float("nan")])):
        with pytest.raises(UserError) as error:
            train_ppo(learner, PROMPTS, lambda *_: scores, SMALL, 3)
        one_line(error.value, "5 finite scores")
