"""The pieces of PPO as functions of tensors: rewards, whitening, clipped losses.

Sources: Llama 2 paper, section 3.2.3, for the combined and whitened reward; Schulman
et al., arXiv 1707.06347, equation 7, for the clipped objective; Ziegler et al.,
arXiv 1909.08593, for the penalty on each token.
"""

import torch
from torch import Tensor

from ..errors import UserError

THRESHOLD = 0.15  # below it an answer counts as unsafe (paper, section 3.2.3)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of the entries under the mask, a scalar; zero under an empty mask."""
    return torch.where(mask, x, 0.0).sum() / mask.sum().clamp(min=1)


def whiten(x: Tensor, mask: Tensor | None = None, shift_mean: bool = True) -> Tensor:
    """Shift to mean zero and scale to deviation one; the shape stays.

    Statistics are over the whole tensor, or over the entries under ``mask``; entries
    outside come out as zero. ``shift_mean`` false scales around the mean and keeps it.
    The deviation is that of the entries themselves (divided by n, not n - 1), so that
    one entry alone gives zero and no NaN.
    """
    mask = torch.ones_like(x, dtype=torch.bool) if mask is None else mask.bool()
    mean = masked_mean(x, mask)
    variance = masked_mean((x - mean) ** 2, mask)
    white = (x - mean) * (variance + 1e-8).rsqrt()
    return torch.where(mask, white if shift_mean else white + mean, 0.0)


def combine(safety: Tensor, helpfulness: Tensor, is_safety_prompt: Tensor,
            threshold: float = THRESHOLD) -> Tensor:
    """The paper's piecewise reward R_c, all (batch,), scores in (0, 1).

    Safety decides where the prompt was written to lure, or where the answer scores
    below the threshold whatever the prompt; helpfulness decides elsewhere.
    """
    _check_scores(safety=safety, helpfulness=helpfulness)
    # step 1
    unsafe = is_safety_prompt.bool() | (safety < threshold)
    # step 2
    return torch.where(unsafe, safety, helpfulness)


def _check_scores(**scores: Tensor) -> None:
    for name, score in scores.items():
        if not bool(((score >= 0) & (score <= 1)).all()):
            raise UserError(f"{name} scores must lie between 0 and 1: take the sigmoid "
                            "of what the reward model gives")


def logit(probability: Tensor, edge: float = 1e-6) -> Tensor:
    """Undo the sigmoid, (batch,) both ways. A score rounded to 0 or 1 is taken as
    ``edge`` away from it: one infinite reward would drown the batch."""
    return torch.logit(probability, eps=edge)


def whitened_reward(combined: Tensor,
                    statistics: tuple[float, float] | None = None) -> Tensor:
    """whiten(logit(R_c)), (batch,) both ways (paper, section 3.2.3).

    The paper does not say over what it whitens. Without ``statistics`` it is this
    batch: then a better policy scores no higher, and one unit of reward, which the
    weight of the KL penalty is measured in, changes from batch to batch. With
    ``statistics``, the mean and deviation of the logit over answers of the policy
    before PPO, neither happens; that is what this series trains with.
    """
    raw = logit(combined)
    return whiten(raw) if statistics is None else standardise(raw, statistics)


def standardise(raw: Tensor, statistics: tuple[float, float]) -> Tensor:
    """Scores (batch,) in deviations from the mean, both given and kept for good."""
    mean, deviation = statistics
    if not deviation > 0:
        raise UserError(f"the deviation of the scores must be positive, not {deviation}"
                        ": take it over more answers")
    return (raw - mean) / deviation


def penalise_truncation(scores: Tensor, ended: Tensor, penalty: float | None) -> Tensor:
    """Scores in which answers that were cut off cannot pay, all (batch,).

    The reward model never met such an answer, so its praise means nothing: the score
    is capped at zero, the mean of a whitened score, and ``penalty`` is taken off.
    ``penalty`` None leaves the scores alone.
    """
    if penalty is None:
        return scores
    return torch.where(ended, scores, scores.clamp(max=0.0) - penalty)


def shaped_rewards(scores: Tensor, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor,
                   beta: float) -> Tensor:
    """Reward of every token, (batch, length): a KL penalty each, the score at the end.

    ``scores`` (batch,); log-probabilities in nats and ``mask`` (batch, length). Summed
    over a row this is R - beta log(pi / pi_0), whose mean over answers is the paper's
    equation 4. Positions outside the mask come out as zero.
    """
    mask = mask.bool()
    # step 1: in expectation the log-ratio is the KL divergence, in nats
    rewards = torch.where(mask, -beta * (logprobs - ref_logprobs), 0.0)
    # step 2: the last answer token is the one with no other behind it
    behind = mask.flip(1).cumsum(1).flip(1)
    last = mask & (behind == 1)
    return rewards + torch.where(last, scores.unsqueeze(1).to(rewards), 0.0)


def policy_loss(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor,
                mask: Tensor, clip: float = 0.2) -> tuple[Tensor, Tensor, Tensor]:
    """The clipped objective with its sign turned, and what to watch beside it.

    All inputs (batch, length). Returns the loss (scalar), the ratios (batch, length;
    one outside the mask), and the fraction of tokens whose ratio left the interval.
    """
    # step 1
    difference = torch.where(mask, logprobs - old_logprobs, 0.0)
    ratio = difference.exp()
    # step 2: beyond the interval nothing is gained by going on
    clipped = ratio.clamp(1 - clip, 1 + clip)
    # step 3: the worse of the two, so that going back is always worth it
    objective = torch.minimum(ratio * advantages, clipped * advantages)
    outside = masked_mean(((ratio - 1).abs() > clip).to(ratio), mask)
    return -masked_mean(objective, mask), ratio.detach(), outside


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor,
               clip: float | None = None) -> Tensor:
    """Half the mean squared error of the values, a scalar; inputs (batch, length).

    With ``clip``, values may gain nothing by moving further than that from the old
    ones: the larger of both errors counts. ``clip`` is in the unit of the reward.
    """
    error = (values - returns) ** 2
    if clip is not None:
        near = old_values + (values - old_values).clamp(-clip, clip)
        error = torch.maximum(error, (near - returns) ** 2)
    return 0.5 * masked_mean(error, mask)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """Share of the variance of the returns that the values foresaw: 1 is all of it, 0
    is what a constant would do, below 0 is worse than a constant. A scalar."""
    left, whole = (masked_mean((x - masked_mean(x, mask)) ** 2, mask)
                   for x in (returns - values, returns))
    return 1 - left / whole.clamp(min=1e-12)
