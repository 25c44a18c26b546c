"""Many processes train as if they were one.

Each reads its rows of every batch. Under DDP (Li et al., arXiv 2006.15704) each keeps
the whole model and gradients are averaged; under FSDP (Zhao et al., arXiv 2304.11277)
each keeps a share of weights, gradients and AdamW's memory, and weights are gathered
for as long as a block needs them.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from ..devices import device as pick_device
from ..errors import UserError
from .data import IGNORED, TokenStream
from .optimisation import CLIP
from .pretrain import Alone, Settings

PATIENCE = timedelta(minutes=30)  # how long one waits for another
T = TypeVar("T")


class Told(UserError):
    """What went wrong in one process, and all of a team have been told."""


@dataclass(frozen=True)
class Team(Alone):
    """This process among ``size`` of them, and how they compute.

    ``accumulate`` cuts the rows of a step into so many parts, for memory's sake.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    shard: bool = False  # FSDP in place of DDP
    dtype: torch.dtype = torch.float32  # of activations; weights stay float32
    accumulate: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.rank == 0

    @property
    def mine(self) -> slice:
        """Which of some equal tasks are this process's."""
        return slice(self.rank, None, self.size)

    def batch(self, stream: TokenStream, step: int, settings: Settings
              ) -> tuple[Tensor, Tensor]:
        """This process's rows of the batch, (at least batch // size, length) each.

        Raises UserError where a process or a part would have no row.
        """
        if settings.batch < self.size * self.accumulate:
            raise UserError(f"a batch of {settings.batch} cannot be cut into "
                            f"{self.size} processes x {self.accumulate} parts")
        order = stream.order(step, settings.batch, settings.length, settings.seed)
        rows = [stream.window(index, settings.length) for index in order[self.mine]]
        inputs, targets = zip(*rows)
        return torch.stack(inputs), torch.stack(targets)

    def train_step(self, model: nn.Module, optimiser: Optimizer,
                   inputs: Tensor, targets: Tensor, rate: float,
                   ) -> tuple[float, float]:
        """Learn from the rows of all processes as from one batch; returns loss (nats
        per token) and gradient norm of the whole.

        Masked targets differ in number from process to process, so a mean of their
        means would be another loss.
        """
        # step 1: of all processes together
        count = self.total((targets != IGNORED).sum()).clamp(min=1)
        optimiser.zero_grad(set_to_none=True)
        nats = torch.zeros((), device=self.device)
        for rows, wanted in self._parts(model, inputs, targets):
            # step 2: times K, over which step 3 takes a mean
            with self._precision():
                surprise = total_surprise(model(rows), wanted)
            # step 3: DDP and FSDP do it on the way back
            (surprise * (self.size / count)).backward()
            nats += surprise.detach()
        # step 4: of shares too, the norm is that of the whole
        norm = nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        # step 5: each moves what it keeps
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        return (self.total(nats) / count).item(), norm.item()

    @torch.no_grad()
    def evaluate(self, model: nn.Module, stream: TokenStream, length: int,
                 batch: int = 32, most: int = 64) -> float:
        """Mean loss in nats per token over the first ``most`` windows of a stream,
        each read by one process."""
        n = min(most, stream.n_windows(length))
        if n < 1:
            raise UserError("the held-out text is shorter than one window of "
                            f"{length}")
        model.eval()
        nats = torch.zeros(2, device=self.device)  # and targets
        # FSDP gathers weights at every call, so all call equally often: who has no
        # window left reads one that does not count
        places = range(self.rank, self.size * -(-n // self.size), self.size)
        for first in range(0, len(places), batch):
            rows = [stream.window(i % n, length) for i in places[first : first + batch]]
            inputs, targets = (torch.stack(part).to(self.device) for part in zip(*rows))
            beyond = torch.tensor([i >= n for i in places[first : first + batch]])
            targets[beyond.to(self.device)] = IGNORED
            with self._precision():
                nats[0] += total_surprise(model(inputs), targets)
            nats[1] += (targets != IGNORED).sum()
        model.train()
        total, count = self.total(nats).tolist()
        return total / max(1, count)

    def total(self, part: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(part)
        return part

    def gather(self, part: Any) -> list[Any]:
        """What each process has, in the order of their ranks, on all of them."""
        if self.size == 1:
            return [part]
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, part)
        return parts

    def together(self, action: Callable[[], T]) -> T:
        """Do something in every process. What one cannot do, none goes on from: whoever
        waits for a process that has given up waits for ever. Raises Told in all."""
        result, trouble = None, None
        try:
            result = action()
        except UserError as error:
            trouble = str(error)
        for found in self.gather(trouble):
            if found is not None:
                raise Told(found)
        return result  # type: ignore[return-value]

    def first(self, action: Callable[[], None]) -> None:
        """Do something in the first process, while the others wait."""
        self.together(action if self.is_first else lambda: None)

    def _parts(self, model: nn.Module, inputs: Tensor, targets: Tensor
               ) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows and targets in ``accumulate`` parts. Under DDP gradients are averaged
        once, with the last part."""
        parts = list(zip(inputs.tensor_split(self.accumulate),
                         targets.tensor_split(self.accumulate)))
        for number, part in enumerate(parts, 1):
            quiet = number < len(parts) and hasattr(model, "no_sync")
            with model.no_sync() if quiet else contextlib.nullcontext():
                yield part

    def _precision(self) -> AbstractContextManager:
        """Matrix products in ``dtype``; FSDP casts by itself (spreading.py)."""
        if self.dtype == torch.float32 or self.shard:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def total_surprise(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of surprises in nats over the targets that are not masked.

    ``logits`` (batch, length, vocab_size), ``targets`` (batch, length).
    """
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(),
                           ignore_index=IGNORED, reduction="sum")


@contextlib.contextmanager
def join(device: str = "cpu", **how: Any) -> Iterator[Team]:
    """The team that torchrun started this process in, or a team of one.

    ``how`` are the fields of Team that say how to compute. Raises UserError where this
    torch cannot let processes talk.
    """
    where = pick_device(device)
    if not was_launched():
        yield Team(device=where, **how)
        return
    backend = "nccl" if where.type == "cuda" else "gloo"
    if not dist.is_available() or not dist.is_backend_available(backend):
        raise UserError(f"this torch has no {backend}, by which processes on {where} "
                        "talk: train with one process")
    if where.type == "mps":
        raise UserError("processes cannot talk on mps: train with one process, or with "
                        "--device cpu")
    if where.type == "cuda":
        rank, cards = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if rank >= cards:
            raise UserError(f"this machine has {cards} GPUs: start no more processes")
        where = torch.device("cuda", rank)
        torch.cuda.set_device(where)
    dist.init_process_group(backend, timeout=PATIENCE)
    yield Team(dist.get_rank(), dist.get_world_size(), where, **how)
    dist.destroy_process_group()  # not after an error: the others may still be waiting


def was_launched() -> bool:
    """Whether torchrun, or something like it, started this process as one of many."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= set(os.environ)


def leave() -> None:
    """End a process that torchrun started, when all is done; others go on.

    The threads by which gloo talks outlive the group, since FSDP's mesh holds it. One
    that lets go of a tensor while Python closes down aborts the process (PyTorch,
    issue 190489), and torchrun would call a finished run a failure.
    """
    if was_launched():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
