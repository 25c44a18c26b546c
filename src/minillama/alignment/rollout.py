"""Answers with the log-probabilities with which they were drawn.

Rejection sampling and PPO (paper, section 3.2.3) both begin with a batch of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..attention import KVCache
from ..errors import UserError
from ..generation import check_request
from ..generation import sample as draw
from ..model import Llama
from ..tokenizer import Tokenizer
from .chat import encode_prompt, question
from .data import PAD, pad


@dataclass(frozen=True)
class Rollout:
    """Prompts and sampled answers, padded on the right."""

    tokens: Tensor  # (batch, length), int64
    prompt_lengths: Tensor  # (batch,), int64
    answer_mask: Tensor  # (batch, length), True on answers, their end marks included
    ended: Tensor  # (batch,), True where the policy wrote the end mark itself
    logprobs: Tensor  # (batch, length), of token t given those before; 0 off answers

    @property
    def lengths(self) -> Tensor:
        """Tokens of prompt and answer together, (batch,)."""
        return self.prompt_lengths + self.answer_mask.sum(dim=1)


@torch.no_grad()  # inference_mode would forbid to train on what comes out
def sample(policy: Llama, prompts: Sequence[list[int]], max_new_tokens: int,
           temperature: float = 1.0, generator: torch.Generator | None = None,
           eos_id: int | None = None) -> Rollout:
    """Draw one answer to each prompt; prompts may differ in length.

    The log-probabilities are those of the distribution drawn from, ``temperature``
    included; at 0, where there is none, those of the policy itself. Raises UserError
    for no prompts and for ones that do not fit.
    """
    _check_any(prompts)
    check_request(policy, list(prompts), max_new_tokens, temperature, 1.0)
    where, dtype = policy.embedding.weight.device, policy.embedding.weight.dtype
    # step 1: read all prompts at once
    given, lengths = (part.to(where) for part in pad(prompts))
    room = given.shape[1] + max_new_tokens
    cache = KVCache(policy.config, len(prompts), room, dtype, where)
    alive = torch.arange(len(prompts), device=where)
    logits = policy(given, cache)[alive, lengths - 1]  # (batch, vocab_size)
    cache.lengths = lengths
    # step 2: room for the answers, behind each row's own prompt
    tokens = F.pad(given, (0, max_new_tokens), value=PAD)
    mask, logprobs, ended = tokens < 0, tokens * 0.0, lengths < 0  # nothing yet
    for n in range(max_new_tokens):
        # step 3: draw, and note how likely it was
        drawn = draw(logits, temperature, generator=generator)
        seen = _logprobs(logits, drawn, temperature)
        # step 4: a row that has ended stays padding
        at, running = lengths[alive] + n, ~ended[alive]
        tokens[alive, at] = drawn.where(running, PAD)
        mask[alive, at] = running
        logprobs[alive, at] = seen.where(running, 0.0)
        ended[alive] |= drawn == (-1 if eos_id is None else eos_id)
        if ended.all() or n + 1 == max_new_tokens:
            break
        # step 5: each token is read once, and ended rows are not carried for ever
        alive, drawn = _leave(cache, alive, drawn, ended)
        logits = policy(drawn.unsqueeze(1), cache)[:, -1]
    width = int((lengths + mask.sum(dim=1)).max())
    return Rollout(tokens[:, :width], lengths, mask[:, :width], ended,
                   logprobs[:, :width])


def _leave(cache: KVCache, alive: Tensor, drawn: Tensor, ended: Tensor
           ) -> tuple[Tensor, Tensor]:
    """Drop ended rows once they are half of those carried: then copying the cache
    pays. ``alive`` (rows,) are numbers of rows, ``drawn`` (rows,) their new tokens."""
    running = ~ended[alive]
    if 2 * int(running.sum()) > len(alive):
        return alive, drawn
    cache.keep(running)
    return alive[running], drawn[running]


def _check_any(prompts: Sequence[object]) -> None:
    if not prompts:
        raise UserError("there are no prompts to answer: give at least one")


def _logprobs(logits: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    """Log-probability of tokens (...) under logits (..., vocab_size), float32."""
    scaled = logits.float() / (temperature if temperature > 0 else 1.0)
    return scaled.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def token_logprobs(model: Llama, tokens: Tensor, temperature: float = 1.0) -> Tensor:
    """Log-probability of every token given those before it, (batch, length) both ways.

    The first token has nothing before it and gets 0. Gradients flow. What stands on
    the right, padding included, changes nothing on its left.
    """
    first = torch.zeros(tokens.shape[0], 1, device=tokens.device)
    if tokens.shape[1] < 2:
        return first[:, : tokens.shape[1]]
    logits = model(tokens[:, :-1])
    return torch.cat([first, _logprobs(logits, tokens[:, 1:], temperature)], dim=1)


def answers(rollout: Rollout, tokenizer: Tokenizer) -> list[str]:
    """The texts of the answers, without prompt, end mark and outer spaces."""
    return [tokenizer.decode(row[mask].tolist()).strip()
            for row, mask in zip(rollout.tokens, rollout.answer_mask)]


def respond(policy: Llama, tokenizer: Tokenizer, prompts: Sequence[str],
            max_new_tokens: int = 48, temperature: float = 1.0,
            generator: torch.Generator | None = None, batch: int = 100,
            ) -> tuple[list[str], list[bool]]:
    """Answer questions given as text; returns the answers and which ended themselves.

    Raises UserError for no prompts and for ones that the context cannot hold.
    """
    _check_any(prompts)
    texts: list[str] = []
    ended: list[bool] = []
    encoded = [encode_prompt(tokenizer, question(text)) for text in prompts]
    for first in range(0, len(encoded), batch):
        rollout = sample(policy, encoded[first : first + batch], max_new_tokens,
                         temperature, generator, tokenizer.eos_id)
        texts += answers(rollout, tokenizer)
        ended += rollout.ended.tolist()
    return texts, ended
