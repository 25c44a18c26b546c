"""Batched sampling against transformers.generate with the same weights.

Prompts of mixed lengths, as many new tokens for every row on both sides (no end mark),
same temperature, a cache on both sides; transformers is given its prompts padded on the
left, as it wants. Ours notes the log-probability of every token besides.

``python benchmarks/sampling.py [--prompts 64] [--new 64] [--rounds 7] [--untrained]``
"""

from random import Random

import torch
from alternation import alternate, once, report
from peers import must_be_equal, options, small, twin
from profiling import shares, show, threads
from torch import Tensor
from transformers import LlamaForCausalLM

from minillama.alignment.rollout import sample
from minillama.generation import generate
from minillama.model import Llama

Prompts = list[list[int]]


def trained(number: int) -> tuple[Llama, Prompts]:
    """The fine-tuned model of the series and prompts that it was made for."""
    from minillama import stages
    from minillama.alignment.judges import encode_items
    from minillama.stages_chat import prompts

    chat = stages.get("sft")
    return chat.model, encode_items(chat.tokenizer, prompts(number, "speed"))


def untrained(number: int) -> tuple[Llama, Prompts]:
    """A model of the same shape with weights as drawn, larger so that no two tokens
    tie, and prompts of random tokens."""
    model, random = small().eval(), Random("speed")
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() >= 2:
                weight.mul_(5)
    size = model.config.vocab_size
    return model, [[random.randrange(3, size) for _ in range(random.randint(5, 60))]
                   for _ in range(number)]


def padded_left(prompts: Prompts) -> tuple[Tensor, Tensor]:
    """Tokens and mask, each (batch, longest), as transformers reads them."""
    longest = max(map(len, prompts))
    tokens = [[0] * (longest - len(prompt)) + prompt for prompt in prompts]
    seen = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(tokens), torch.tensor(seen)


@torch.inference_mode()
def peer_generate(peer: LlamaForCausalLM, tokens: Tensor, seen: Tensor, new: int,
                  temperature: float) -> list[list[int]]:
    """The new tokens of every row. Without top-k and top-p, which ours does not do
    here; temperature 0 takes the likeliest."""
    how = {"do_sample": False}
    if temperature > 0:
        how = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    out = peer.generate(input_ids=tokens, attention_mask=seen, max_new_tokens=new,
                        use_cache=True, pad_token_id=0, eos_token_id=None, **how)
    return out[:, tokens.shape[1]:].tolist()


def our_sample(model: Llama, prompts: Prompts, new: int, temperature: float
               ) -> list[list[int]]:
    """The new tokens of every row, by the loop that PPO uses."""
    rollout = sample(model, prompts, new, temperature)
    return [row[mask].tolist() for row, mask in zip(rollout.tokens,
                                                    rollout.answer_mask)]


def main(arguments: list[str] | None = None) -> None:
    """Hold greedy answers equal, then sample in alternation; tokens per second."""
    parser = options(__doc__, prompts=64, new=64, rounds=7)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--untrained", action="store_true",
                        help="weights as drawn: needs no trained stage")
    args = parser.parse_args(arguments)
    used = threads(args.threads)
    model, prompts = (untrained if args.untrained else trained)(args.prompts)
    peer, new = twin(model).eval(), args.new
    tokens, seen = padded_left(prompts)
    greedy = peer_generate(peer, tokens, seen, new, 0)
    must_be_equal("greedy answers", our_sample(model, prompts, new, 0), greedy)
    must_be_equal("greedy answers", generate(model, prompts, new, 0), greedy)

    def theirs() -> list[list[int]]:
        return peer_generate(peer, tokens, seen, new, args.temperature)

    loops = {"sampling": ("sampling with log-probabilities", lambda: our_sample(
                 model, prompts, new, args.temperature)),
             "sampling_plain": ("plain sampling", lambda: generate(
                 model, prompts, new, args.temperature))}
    groups = {name: shares(call) for name, call in
              (("ours", loops["sampling"][1]), ("transformers", theirs))}
    for name, found in groups.items():
        show(f"time in operators, {name}", found)
    for name, (label, ours) in loops.items():
        times = alternate(theirs, ours, args.rounds)
        made = args.prompts * new
        speeds = [sorted(made / t for t in column)[len(times) // 2]
                  for column in zip(*times)]
        print(f"transformers: {speeds[0]:.0f} tokens per second, {label}: "
              f"{speeds[1]:.0f}")
        report(name, label, "transformers.generate", times, threads=used,
               prompts=args.prompts, new_tokens=new, tokens_per_second=speeds[1],
               peer_tokens_per_second=speeds[0], shares=groups)


if __name__ == "__main__":
    once(main)
