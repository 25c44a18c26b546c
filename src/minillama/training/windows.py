"""What does a narrower window cost? Tiny models that differ in their window alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from ..mistral import Mistral
from .ablations import SEEDS, SETTINGS, SHAPE
from .data import IGNORED, TokenStream
from .pretrain import PACE, Settings, evaluate, pretrain

WINDOWS = (8, 32, 128)  # 128 is the whole context of these models: full attention


def study(train: TokenStream, heldout: TokenStream, windows: Sequence[int] = WINDOWS,
          seeds: Sequence[int] = SEEDS, settings: Settings = SETTINGS,
          ) -> list[dict[str, Any]]:
    """Train one model for each window and seed on the same batches; a row holds window,
    seed, held-out loss in nats, and that loss at every position."""
    rows = []
    jobs = [(window, seed) for window in windows for seed in seeds]
    for window, seed in tqdm(jobs, "windows", unit="run", mininterval=PACE):
        torch.manual_seed(seed)
        model = Mistral(SHAPE, window)
        mine = replace(settings, seed=seed)
        pretrain(model, train, heldout, mine, progress=False)
        rows.append({"window": window, "seed": seed,
                     "loss": evaluate(model, heldout, settings.length, most=128),
                     "by_position": by_position(model, heldout, settings.length)})
    return rows


@torch.no_grad()
def by_position(model: torch.nn.Module, stream: TokenStream, length: int,
                most: int = 256) -> list[float]:
    """Mean loss in nats at each of ``length`` positions, over windows of a stream."""
    model.eval()
    n = min(most, stream.n_windows(length))
    inputs, targets = map(torch.stack, zip(*(stream.window(i, length)
                                             for i in range(n))))
    losses = torch.cat([
        F.cross_entropy(model(part).flatten(0, 1), wanted.flatten(),
                        ignore_index=IGNORED, reduction="none").view_as(wanted)
        for part, wanted in zip(inputs.split(32), targets.split(32))])
    return (losses.sum(dim=0) / (targets != IGNORED).sum(dim=0)).tolist()
