"""Advantages against three other ways to compute them, wherever the padding stands."""

import pytest
import torch

from minillama.alignment.gae import gae

KNOBS = ((1.0, 0.95), (0.9, 0.7), (1.0, 0.0), (1.0, 1.0), (0.8, 1.0))
CASES = [(seed, gamma, lam) for seed in range(4) for gamma, lam in KNOBS]


def batch(seed, rows=5, length=11):
    """Random rewards and values; answer tokens anywhere, garbage between them."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, rows, length, generator=generator).double()
    mask = torch.rand(rows, length, generator=generator) < 0.6
    mask[0] = False  # a row without an answer
    mask[1] = True
    mask[2] = torch.arange(length) == length - 1
    values[~mask], rewards[~mask] = 1e9, float("nan")
    return rewards, values, mask


def by_recursion(r, v, gamma, lam):
    if not r:
        return []
    behind = by_recursion(r[1:], v[1:], gamma, lam)
    following, carried = (v[1], behind[0]) if behind else (0.0, 0.0)
    return [r[0] + gamma * following - v[0] + gamma * lam * carried, *behind]


def by_matrix(r, v, gamma, lam):
    """Surprises times a triangle of powers of gamma lam."""
    r, v = torch.tensor(r).double(), torch.tensor(v).double()
    n = len(r)
    surprise = r - v + gamma * torch.cat([v, v.new_zeros(1)])[1:][:n]
    apart = torch.arange(n) - torch.arange(n)[:, None]
    powers = (gamma * lam) ** apart.clamp(min=0).double()
    return (powers.triu() @ surprise).tolist()


def by_sum(r, v, gamma, lam):
    """The definition: the mean of all n-step advantages, the n-th weighing lam^n."""
    result = []
    for t in range(len(r)):
        left = len(r) - t
        look = [sum(gamma**k * r[t + k] for k in range(n)) - v[t]
                + (gamma**n * v[t + n] if n < left else 0.0)
                for n in range(1, left + 1)]
        result.append(sum((1 - lam) * lam**n * look[n] for n in range(left - 1))
                      + lam ** (left - 1) * look[-1])
    return result


@pytest.mark.parametrize("truth", [by_recursion, by_matrix, by_sum])
@pytest.mark.parametrize("seed, gamma, lam", CASES)
def test_recursion_matrix_and_sum_agree(truth, seed, gamma, lam):
    rewards, values, mask = batch(seed)
    advantages, returns = gae(rewards, values, mask, gamma, lam)
    for row, here in enumerate(mask):
        r, v = rewards[row, here].tolist(), values[row, here].tolist()
        wanted = torch.tensor(truth(r, v, gamma, lam), dtype=torch.double)
        torch.testing.assert_close(advantages[row, here], wanted, atol=1e-6, rtol=0)
        torch.testing.assert_close(returns[row, here], wanted + values[row, here],
                                   atol=1e-6, rtol=0)
    assert (advantages[~mask] == 0).all() and (returns[~mask] == 0).all()


def test_the_limits_of_lambda_on_a_row_by_hand():
    rewards = torch.tensor([[0.0, -1.0, 2.0, 4.0]])
    values = torch.tensor([[9.0, 0.5, 1.0, 3.0]])
    mask = torch.tensor([[False, True, True, True]])
    one_step, _ = gae(rewards, values, mask, 1.0, 0.0)
    assert one_step.tolist() == [[0.0, -0.5, 4.0, 1.0]]  # r + V(next) - V
    _, all_steps = gae(rewards, values, mask, 1.0, 1.0)
    assert all_steps.tolist() == [[0.0, 5.0, 6.0, 4.0]]  # what came from here on
    _, discounted = gae(rewards, values, mask, 0.5, 1.0)
    assert discounted.tolist() == [[0.0, 1.0, 4.0, 4.0]]


@pytest.mark.parametrize("left, right", [(0, 4), (4, 0), (2, 3)])
def test_the_side_of_the_padding_changes_nothing(left, right):
    generator = torch.Generator().manual_seed(0)
    rewards, values = torch.randn(2, 3, 6, generator=generator).double()
    mask = torch.ones(3, 6, dtype=torch.bool)
    plain, _ = gae(rewards, values, mask)
    padded = [torch.nn.functional.pad(x, (left, right), value=fill)
              for x, fill in ((rewards, 7.0), (values, -3.0), (mask, False))]
    wide, _ = gae(*padded)
    assert torch.equal(wide[:, left : left + 6], plain)
