"""Our training step against transformers' Llama of the same shape and weights.

Same batch, same AdamW, same clipping, float32; transformers attends with torch's fused
call, its default. ``--compile`` compiles both. How much of the machine's own speed in
matrix products our step reaches is printed too.

``python benchmarks/pretraining_peer.py [--rounds 9] [--steps 4] [--compile]``
"""

import shutil

import torch
from alternation import alternate, once, report, summary
from peak import own_peak, peak
from peers import must_be_near, options, small, twin
from profiling import shares, show, threads
from torch import Tensor, nn

from minillama.errors import UserError
from minillama.training.optimisation import make_optimiser, train_step

RATE = 1e-3


class Logits(nn.Module):
    """transformers' model as one that takes tokens and returns logits."""

    def __init__(self, peer: nn.Module) -> None:
        """``peer`` keeps its weights; nothing is added."""
        super().__init__()
        self.peer = peer

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, length) to (batch, length, vocab_size), without a cache."""
        return self.peer(input_ids=tokens, use_cache=False).logits


class Training:
    """A model, its optimiser and the batch that it learns from again and again."""

    def __init__(self, model: nn.Module, tokens: Tensor, compiled: bool) -> None:
        """``tokens`` (batch, length + 1)."""
        self.optimiser = make_optimiser(model, RATE)
        self.model = torch.compile(model) if compiled else model
        self.inputs, self.targets = tokens[:, :-1], tokens[:, 1:]

    def steps(self, number: int) -> list[float]:
        """Take some steps; returns their losses in nats a token."""
        return [train_step(self.model, self.optimiser, self.inputs, self.targets,
                           RATE)[0] for _ in range(number)]


def pair(batch: int, length: int, compiled: bool = False) -> tuple[Training, Training]:
    """Ours and transformers', from the same weights and with the same batch. Raises
    UserError where logits or losses differ, or without a compiler."""
    if compiled and not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
        raise UserError("--compile needs a C++ compiler, and none was found")
    model = small(max_seq_len=length)
    peer = Logits(twin(model))
    tokens = torch.randint(model.config.vocab_size, (batch, length + 1))
    with torch.no_grad():
        must_be_near("logits", model(tokens[:, :-1]), peer(tokens[:, :-1]), 1e-4)
    both = tuple(Training(one.train(), tokens, compiled) for one in (model, peer))
    losses = [torch.tensor(one.steps(4)) for one in both]  # warms up as well
    must_be_near("losses", *losses, 1e-3)
    return both


def main(arguments: list[str] | None = None) -> None:
    """Train both in alternation; tokens per second, the ratio and the share of peak."""
    parser = options(__doc__, rounds=9, steps=4, batch=8, length=256)
    parser.add_argument("--compile", action="store_true", help="compile both")
    parser.add_argument("--quick", action="store_true", help="measure peaks briefly")
    args = parser.parse_args(arguments)
    used = threads(args.threads)
    ours, theirs = pair(args.batch, args.length, args.compile)
    times = alternate(lambda: theirs.steps(args.steps), lambda: ours.steps(args.steps),
                      args.rounds)
    tokens, found = args.steps * args.batch * args.length, summary(times)
    config = small(max_seq_len=args.length).config
    least = 0.01 if args.quick else 0.3
    square = peak(128 if args.quick else 1536, least)
    own = own_peak(config, args.batch * args.length, least)
    flops = 3 * config.flops_per_token(args.length) * tokens / found["fast_seconds"]
    print(f"ours: {tokens / found['fast_seconds']:.0f} tokens per second, "
          f"transformers: {tokens / found['slow_seconds']:.0f}")
    print(f"ours: {flops / 1e9:.3g} GFLOP/s, {100 * flops / square:.0f} % of square "
          f"products ({square / 1e9:.3g}), {100 * flops / own:.0f} % of products of "
          f"the model's shapes ({own / 1e9:.3g})")
    groups = {name: shares(lambda: one.steps(2))
              for name, one in (("ours", ours), ("transformers", theirs))}
    for name, shared in groups.items():
        show(f"time in operators, {name}", shared)
    report("pretraining_peer" + "_compiled" * args.compile, "our training step",
           "transformers' Llama", times, threads=used, tokens_per_round=tokens,
           tokens_per_second=tokens / found["fast_seconds"],
           peer_tokens_per_second=tokens / found["slow_seconds"],
           gflops=flops / 1e9, square_gflops=square / 1e9, own_gflops=own / 1e9,
           of_square=flops / square, of_own=flops / own, shares=groups)


if __name__ == "__main__":
    once(main)
