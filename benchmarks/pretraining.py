"""Training with attention written out, against torch's fused call.

``python benchmarks/pretraining.py [--rounds 7] [--steps 4] [--batch 8] [--device cpu]``
"""

import argparse
import copy

import torch
from alternation import alternate, once, report

from minillama.config import LlamaConfig
from minillama.devices import device as pick_device
from minillama.model import Llama
from minillama.training.optimisation import make_optimiser, train_step


def with_attention(model: Llama, explicit: bool) -> Llama:
    """A copy whose attention is written out (and keeps its weights), or fused."""
    model = copy.deepcopy(model)
    for block in model.layers:
        block.attention.keep_weights = explicit
    return model


def trainer(model: Llama, inputs: torch.Tensor, targets: torch.Tensor, steps: int):
    """A function that trains for some steps and returns the last loss."""
    optimiser = make_optimiser(model, 1e-3)

    def train() -> float:
        for _ in range(steps):
            loss, _ = train_step(model, optimiser, inputs, targets, 1e-3)
        return loss  # read as a number, so a GPU has finished by now

    return train


def main(arguments: list[str] | None = None) -> None:
    """Train both in alternation on the same batch; tokens per second and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("rounds", 7), ("steps", 4), ("batch", 8), ("length", 256),
                        ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    where = pick_device(args.device)
    config = LlamaConfig.named("tiny").replace(max_seq_len=args.length)
    tokens = torch.randint(config.vocab_size, (args.batch, args.length + 1)).to(where)
    model = Llama(config).to(where)
    explicit, fused = (
        trainer(with_attention(model, written_out), tokens[:, :-1], tokens[:, 1:],
                args.steps) for written_out in (True, False))
    difference = abs(explicit() - fused())  # warms up, and both must learn the same
    assert difference < 1e-3, f"the two ways differ by {difference} nats"
    times = alternate(explicit, fused, args.rounds)
    each = args.steps * args.batch * args.length
    speeds = [sorted(each / t for t in column) for column in zip(*times)]
    for name, column in zip(("written out", "fused"), speeds):
        print(f"{name}: {column[len(column) // 2]:.0f} tokens per second "
              f"({column[0]:.0f} to {column[-1]:.0f})")
    report("pretraining", "fused attention", "attention written out", times,
           tokens_per_round=each, threads=torch.get_num_threads(), device=str(where))


if __name__ == "__main__":
    once(main)
