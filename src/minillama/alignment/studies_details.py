"""What single details of PPO are worth, where the best policy is known: the small world
of enumerable.py, with one detail taken away at a time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from tqdm.auto import tqdm

from ..training.pretrain import PACE
from .enumerable import PPO, World, by_ppo
from .gae import gae

USUAL = replace(PPO, iterations=25, batch=256, epochs=4)
DETAILS = {"as it is": USUAL, "no clip": replace(USUAL, clip=1e6),
           "lambda 0": replace(USUAL, lam=0.0),
           "discount 0.8": replace(USUAL, gamma=0.8), "no value model": USUAL,
           "no warm-up": replace(USUAL, value_warmup=0)}


def without_values(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float,
                   lam: float) -> tuple[Tensor, Tensor]:
    """GAE that believes no value model: what came later, and nothing expected."""
    return gae(rewards, 0 * values, mask, gamma, 1.0)


def details(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """KL to the optimum in nats at the end of a run without each detail; a row for
    each detail and seed: name, seed, to_optimum."""
    world, rows = World.make(0), []
    wanted = [(name, seed) for name in DETAILS for seed in seeds]
    for name, seed in tqdm(wanted, "details of PPO", unit="run", mininterval=PACE):
        other = {"estimate": without_values} if name == "no value model" else {}
        settings = replace(DETAILS[name], seed=seed)
        log = by_ppo(world, settings, every=settings.iterations, **other)[1]
        rows.append({"name": name, "seed": seed, "to_optimum": log[-1]["to_optimum"]})
    return rows
