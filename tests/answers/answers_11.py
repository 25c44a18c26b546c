"""Wrong answers to the exercises of notebook 11, and what the check must say."""

import torch


def final(score, ended, penalty):
    return score if ended else min(score, 0.0) - penalty


def costs(logprobs, reference, beta):
    return [-beta * (new - old) for new, old in zip(logprobs, reference)]


def on_every_token(logprobs, reference, score, ended, beta, penalty):
    return [c + final(score, ended, penalty) for c in costs(logprobs, reference, beta)]


def on_the_first(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[0] += final(score, ended, penalty)
    return rewards


def replaced(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] = final(score, ended, penalty)
    return rewards


def sign_turned(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(reference, logprobs, beta)
    rewards[-1] += final(score, ended, penalty)
    return rewards


def size_of_the_gap(logprobs, reference, score, ended, beta, penalty):
    rewards = [-abs(cost) for cost in costs(logprobs, reference, beta)]
    rewards[-1] += final(score, ended, penalty)
    return rewards


def without_beta(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, 1.0)
    rewards[-1] += final(score, ended, penalty)
    return rewards


def praised(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += score
    return rewards


def without_cap(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += score if ended else score - penalty
    return rewards


def only_capped(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += score if ended else min(score, 0.0)
    return rewards


def wrong_way_round(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += final(score, not ended, penalty)
    return rewards


def without_score(logprobs, reference, score, ended, beta, penalty):
    return costs(logprobs, reference, beta)


def penalty_first(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += score if ended else min(score - penalty, 0.0)
    return rewards


def always_capped(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += min(score, 0.0) - (0 if ended else penalty)
    return rewards


def always_penalised(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += (score if ended else min(score, 0.0)) - penalty
    return rewards


def penalty_alone(logprobs, reference, score, ended, beta, penalty):
    rewards = costs(logprobs, reference, beta)
    rewards[-1] += score if ended else -penalty
    return rewards


def in_place(logprobs, reference, score, ended, beta, penalty):
    for n, cost in enumerate(costs(logprobs, reference, beta)):
        logprobs[n] = cost
    logprobs[-1] += final(score, ended, penalty)
    return logprobs


def padding_counted(x, mask):
    return torch.where(mask, (x - x.mean()) / x.std(unbiased=False), 0.0)


def padding_emptied(x, mask):
    x = torch.where(mask, x, 0.0)
    return torch.where(mask, (x - x.mean()) / x.std(unbiased=False), 0.0)


def multiplied(x, mask):
    return (x - x[mask].mean()) / x[mask].std(unbiased=False) * mask


def padding_kept(x, mask):
    return (x - x.mean()) / x.std(unbiased=False)


def not_zeroed(x, mask):
    return (x - x[mask].mean()) / x[mask].std(unbiased=False)


def row_by_row(x, mask):
    result = torch.zeros_like(x)
    for n, here in enumerate(mask):
        row = x[n, here]
        result[n, here] = (row - row.mean()) / row.std(unbiased=False).clamp(min=1e-6)
    return result


def n_minus_one(x, mask):
    return torch.where(mask, (x - x[mask].mean()) / x[mask].std(), 0.0)


def mean_kept(x, mask):
    return torch.where(mask, x / x[mask].std(unbiased=False), 0.0)


def by_variance(x, mask):
    return torch.where(mask, (x - x[mask].mean()) / x[mask].var(unbiased=False), 0.0)


def only_shifted(x, mask):
    return torch.where(mask, x - x[mask].mean(), 0.0)


def sign(x):
    return (x > 0) - (x < 0)


def plain_gradient(ratio, advantage, epsilon=0.2):
    return sign(advantage)


def clamp_alone(ratio, advantage, epsilon=0.2):
    return sign(advantage) if 1 - epsilon <= ratio <= 1 + epsilon else 0


def better_of_both(ratio, advantage, epsilon=0.2):
    keeps = ratio >= 1 - epsilon if advantage > 0 else ratio <= 1 + epsilon
    return sign(advantage) * keeps


def not_at_the_edge(ratio, advantage, epsilon=0.2):
    keeps = ratio < 1 + epsilon if advantage > 0 else ratio > 1 - epsilon
    return sign(advantage) * keeps


def turned_round(ratio, advantage, epsilon=0.2):
    keeps = ratio <= 1 + epsilon if advantage > 0 else ratio >= 1 - epsilon
    return -sign(advantage) * keeps


def one_edge(ratio, advantage, epsilon=0.2):
    return sign(advantage) * (ratio <= 1 + epsilon)


def zero_pushes(ratio, advantage, epsilon=0.2):
    keeps = ratio <= 1 + epsilon if advantage > 0 else ratio >= 1 - epsilon
    return sign(advantage) * keeps if advantage else 1


def a_fifth(ratio, advantage, epsilon=0.2):
    return sign(advantage) * (ratio <= 1.2 if advantage > 0 else ratio >= 0.8)


WRONG = {
    "reward_row": [
        (on_every_token, "the score is on every token"),
        (on_the_first, "the score is on the first token"),
        (replaced, "forgot its own price"),
        (sign_turned, "the sign of the KL is turned round"),
        (size_of_the_gap, "not its size"),
        (without_beta, "beta is missing"),
        (praised, "the answer was cut off"),
        (without_cap, "the cap is missing"),
        (only_capped, "the penalty is missing"),
        (wrong_way_round, "did not end by themselves"),
        (without_score, "the score is missing"),
        (penalty_first, "before the cap"),
        (always_capped, "the cap is for answers that did not end"),
        (always_penalised, "the penalty is for answers that did not end"),
        (penalty_alone, "the cap only lowers"),
        (in_place, "begin with a new one"),
    ],
    "whiten_marked": [
        (padding_counted, "padding is among the statistics: take"),
        (padding_emptied, "the zeros of the padding"),
        (multiplied, "infinity times zero"),
        (padding_kept, "and it comes back"),
        (not_zeroed, "must be zero, whatever it held"),
        (row_by_row, "each row was whitened for itself"),
        (n_minus_one, "divide by n, not"),
        (mean_kept, "the mean is still there"),
        (by_variance, "root of the variance"),
        (only_shifted, "divide by the deviation"),
    ],
    "push": [
        (plain_gradient, "the sign of the advantage"),
        (clamp_alone, "the clamp alone"),
        (better_of_both, "the better of both"),
        (not_at_the_edge, "at the edge"),
        (turned_round, "the directions are turned round"),
        (one_edge, "below the lower edge"),
        (zero_pushes, "pushes nowhere"),
        (a_fifth, "not fixed at a fifth"),
    ],
}
