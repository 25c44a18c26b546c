"""From logits to text: temperature, nucleus sampling, and a loop with a cache.

Source of nucleus sampling: Holtzman et al., arXiv 1904.09751, section 3.1.
"""

import torch
from torch import Tensor, nn

from .attention import KVCache
from .errors import UserError
from .model import Llama


def sample(
    logits: Tensor,
    temperature: float = 1.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw one token for each row. (batch, vocab_size) -> (batch,).

    ``temperature`` zero means the most likely token. ``top_p`` keeps the smallest set
    of tokens whose probabilities reach it, always at least one. Raises UserError for
    logits from which nothing can be drawn.
    """
    # step 1
    if temperature == 0:
        return logits.argmax(dim=-1)
    # step 2: below one sharpens, above one flattens
    gaps = logits.float() - logits.float().amax(dim=-1, keepdim=True)  # no overflow
    probabilities = (gaps / temperature).softmax(dim=-1)
    # step 3: a token goes when those more likely than it already reach top_p
    if top_p < 1.0:
        ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ranked.cumsum(dim=-1) - ranked
        # float sums may pass top_p by a rounding error: the favourite always stays
        drop = before >= top_p
        drop[..., 0] = False
        ranked = ranked.masked_fill(drop, 0.0)
        probabilities = torch.zeros_like(ranked).scatter(-1, order, ranked)
    # step 4: the first token at which the sum passes a random part of the whole
    where = generator.device if generator is not None else probabilities.device
    reached = probabilities.to(where).cumsum(dim=-1)  # torch.multinomial is slower
    if not reached[:, -1].isfinite().all():
        raise UserError("the model's logits hold NaN or infinity: its weights are "
                        "spoilt, or it computes in too few bits")
    part = torch.rand(len(reached), 1, generator=generator, device=where)
    drawn = torch.searchsorted(reached, part * reached[:, -1:], right=True)
    return drawn.squeeze(-1).to(logits.device)


def check_request(
    model: Llama, prompts: list[list[int]], max_new_tokens: int,
    temperature: float, top_p: float,
) -> None:
    """Raise UserError for a request that cannot be met, before any work is done."""
    if not prompts or any(len(prompt) == 0 for prompt in prompts):
        raise UserError("every prompt needs at least one token: begin with bos")
    if max_new_tokens < 0 or not temperature >= 0 or not 0 < top_p <= 1:
        raise UserError(
            "max_new_tokens and temperature must not be negative, and top_p lies "
            f"above 0 and up to 1; got {max_new_tokens}, {temperature}, {top_p}"
        )
    size = model.config.vocab_size
    strange = [id for prompt in prompts for id in prompt if not 0 <= id < size]
    if strange:
        raise UserError(
            f"token {strange[0]} is outside the vocabulary of {size}:"
            " was the prompt encoded with another tokenizer?"
        )
    longest = max(map(len, prompts))
    if longest + max_new_tokens > model.config.max_seq_len:
        raise UserError(
            f"the longest prompt has {longest} tokens and {max_new_tokens} more are "
            f"asked for, but the model reads at most {model.config.max_seq_len}: "
            "shorten the prompt or lower max_new_tokens"
        )


@torch.inference_mode()
def generate(
    model: Llama,
    prompts: list[list[int]],
    max_new_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
    eos_id: int | None = None,
) -> list[list[int]]:
    """Continue each prompt; returns the new tokens of each, eos included if drawn.

    Prompts may differ in length. Each row of the batch gets what it would get alone
    (with temperature 0; otherwise up to the random numbers drawn).
    """
    check_request(model, prompts, max_new_tokens, temperature, top_p)
    where, dtype = model.embedding.weight.device, model.embedding.weight.dtype
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=where)
    # step 1: pad on the right; what a pad token stores is overwritten before it is
    # ever seen, since a key is visible only to queries at or after its position
    rows = [torch.tensor(prompt) for prompt in prompts]
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (batch, longest)
    # step 2: read all prompts at once
    room = padded.shape[1] + max_new_tokens
    cache = KVCache(model.config, len(prompts), room, dtype, where)
    logits = model(padded.to(where), cache)
    cache.lengths = lengths
    logits = logits[torch.arange(len(prompts), device=where), lengths - 1]
    # step 3: one token at a time, each seen once
    answers: list[list[int]] = [[] for _ in prompts]
    running = [max_new_tokens > 0] * len(prompts)
    while any(running):
        token = sample(logits, temperature, top_p, generator)  # (batch,)
        for row, drawn in enumerate(token.tolist()):
            if running[row]:
                answers[row].append(drawn)
                full = len(answers[row]) == max_new_tokens
                running[row] = not full and drawn != eos_id
        if any(running):
            logits = model(token.unsqueeze(1), cache)[:, -1]  # (batch, vocab_size)
    return answers
