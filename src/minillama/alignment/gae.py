"""Generalised advantage estimation: how much better than expected was each token?

Source: Schulman et al., arXiv 1506.02438, equation 16. The Llama 2 paper (section
3.2.3) does not say how it estimates advantages; this is the custom of PPO, with its
usual constants.
"""

import torch
from torch import Tensor


@torch.no_grad()
def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0,
        lam: float = 0.95) -> tuple[Tensor, Tensor]:
    """Advantages and returns of every answer token, both (batch, length).

    ``rewards`` (batch, length) in the unit of the score; ``values`` (batch, length),
    at each token what was expected before it was drawn; ``mask`` (batch, length) is
    True on answer tokens. Positions outside the mask may hold anything, may stand on
    either side or in between, and come out as zero. After the last answer token
    nothing more is expected: its next value is zero, also where an answer was cut off.

    ``lam`` 0 trusts the values and looks one token ahead; ``lam`` 1 trusts only the
    rewards that came.
    """
    mask = mask.bool()
    advantages = torch.zeros_like(rewards)
    advantage = torch.zeros_like(rewards[:, 0])  # (batch,), of the next answer token
    next_value = torch.zeros_like(rewards[:, 0])
    # step 1: from the last token to the first, since each needs the one behind it
    for t in reversed(range(rewards.shape[1])):
        # step 2: the surprise of this token alone
        surprise = rewards[:, t] + gamma * next_value - values[:, t]
        # step 3: ... and, fading, of those that follow
        carried = surprise + gamma * lam * advantage
        # step 4: padding hands on what stands behind it
        advantage = torch.where(mask[:, t], carried, advantage)
        next_value = torch.where(mask[:, t], values[:, t], next_value)
        advantages[:, t] = advantage
    # step 5: what the values should have been
    advantages = advantages.masked_fill(~mask, 0.0)
    returns = (advantages + values).masked_fill(~mask, 0.0)
    return advantages, returns
