"""What several benchmarks need: transformers' twin of a model, checks, the options."""

import argparse
import tempfile

import torch
from torch import Tensor
from transformers import LlamaForCausalLM
from transformers.utils import logging

from minillama.checkpoint import save_pretrained
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.model import Llama


def options(text: str | None, **numbers: int) -> argparse.ArgumentParser:
    """A parser with whole-number options and ``--threads``."""
    parser = argparse.ArgumentParser(description=text)
    for name, value in (numbers | {"threads": 2}).items():
        parser.add_argument(f"--{name}", type=int, default=value,
                            help=f"{value} unless given")
    return parser


def small(seed: int = 0, **changes: int) -> Llama:
    """A Llama of the shape of the series, untrained."""
    torch.manual_seed(seed)
    return Llama(LlamaConfig.named("tiny").replace(**changes))


def twin(model: Llama) -> LlamaForCausalLM:
    """The same weights in transformers, by way of a folder on the disk."""
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(model, None, folder)
        return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


def must_be_near(what: str, ours: Tensor, theirs: Tensor, most: float) -> float:
    """The largest difference. Raises UserError where it is above ``most``."""
    difference = float((ours - theirs).abs().max())
    if not difference <= most:
        raise UserError(f"{what} differ by {difference:.3g}, and {most:g} is allowed: "
                        "what is compared is not the same")
    return difference


def must_be_equal(what: str, ours: list[list[int]], theirs: list[list[int]]) -> None:
    """Raise UserError naming the first row in which two lists of rows differ."""
    for row, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if mine != other:
            where = next((i for i, (a, b) in enumerate(zip(mine, other)) if a != b),
                         min(len(mine), len(other)))
            raise UserError(f"{what} differ in row {row} from token {where} on: what "
                            "is compared is not the same")
