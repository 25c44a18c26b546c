"""The pretraining loop: resumable to the identical curve, and polite to the waiting.

``python -m minillama.training.pretrain --out FOLDER [--text FILE] [--steps N]``, or
with many processes ``torchrun --nproc-per-node N -m minillama.training.pretrain ...``
"""

import runpy
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import UserError
from .data import IGNORED, TokenStream
from .optimisation import learning_rate, make_optimiser, next_token_loss, train_step
from .state import Row, Run, State, StateFile

# A terminal is redrawn every second; a log file would drown in that.
PACE = 1.0 if sys.stderr.isatty() else 30.0


@dataclass(frozen=True)
class Settings:
    """How to train. Lengths in tokens, rates in the unit of AdamW."""

    steps: int = 600
    batch: int = 16
    length: int = 256
    peak: float = 3e-3
    warmup: int = 40
    seed: int = 0
    evaluate_every: int = 50
    final_fraction: float = 0.1  # of the peak, at the end of the cosine; 1: no decay

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value < (0 if field.name in ("seed", "warmup") else 1e-9):
                raise UserError(f"{field.name} must be positive, not {value}")
        if self.warmup >= self.steps:
            raise UserError(f"warm-up {self.warmup} must be shorter than the "
                            f"{self.steps} steps")


@torch.no_grad()
def evaluate(model: torch.nn.Module, stream: TokenStream, length: int,
             batch: int = 32, most: int = 64) -> float:
    """Mean loss in nats per token over the first ``most`` windows of a stream."""
    model.eval()
    where = next(model.parameters()).device
    total, count = 0.0, 0
    windows = [stream.window(i, length) for i in
               range(min(most, stream.n_windows(length)))]
    if not windows:
        raise UserError(f"the held-out text is shorter than one window of {length}")
    for first in range(0, len(windows), batch):
        inputs, targets = map(torch.stack, zip(*windows[first : first + batch]))
        n = int((targets != IGNORED).sum())
        loss = next_token_loss(model(inputs.to(where)), targets.to(where))
        total, count = total + loss.item() * n, count + n
    model.train()
    return total / count


class Alone:
    """One process that does all the work. A Team (team.py) shares it among many, and
    the loop below does not see the difference."""

    is_first = True  # the one that speaks

    def batch(self, stream: TokenStream, step: int, settings: Settings
              ) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, as far as they are this process's to learn."""
        return stream.batch(step, settings.batch, settings.length, settings.seed)

    def train_step(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer,
                   inputs: Tensor, targets: Tensor, rate: float) -> tuple[float, float]:
        """Learn from a batch; loss and gradient norm of all of it."""
        return train_step(model, optimiser, inputs, targets, rate)

    def evaluate(self, model: torch.nn.Module, stream: TokenStream, length: int
                 ) -> float:
        """Mean held-out loss in nats per token."""
        return evaluate(model, stream, length)


def pretrain(
    model: torch.nn.Module, train: TokenStream, heldout: TokenStream,
    settings: Settings, state_file: Path | None = None,
    on_evaluation: Callable[[int, torch.nn.Module], None] | None = None,
    progress: bool = True, label: str = "pretraining",
    crew: Alone | None = None, state: State | None = None,
) -> list[Row]:
    """Train in place; returns a row a step: step, loss, rate, norm, perhaps heldout.

    With ``state_file`` the run saves itself at every evaluation; an interrupted one
    goes on from there, to the same curve as if never stopped. ``crew`` and ``state``
    stand in for one process and its file where there are many.
    """
    crew, state = crew or Alone(), state or StateFile(state_file)
    optimiser = make_optimiser(model, settings.peak)
    run: Run = {**asdict(settings), "text": train.digest()}
    log = state.restore(model, optimiser, run)
    where = next(model.parameters()).device
    model.train()
    bar = tqdm(total=settings.steps, initial=len(log), desc=label, unit="step",
               disable=not (progress and crew.is_first), mininterval=PACE)
    with bar:
        for step in range(len(log), settings.steps):
            inputs, targets = crew.batch(train, step, settings)
            rate = learning_rate(step, settings.steps, settings.peak, settings.warmup,
                                 settings.final_fraction)
            loss, norm = crew.train_step(
                model, optimiser, inputs.to(where), targets.to(where), rate)
            row: Row = {"step": step, "loss": loss, "rate": rate, "norm": norm}
            if step % settings.evaluate_every == 0 or step == settings.steps - 1:
                row["heldout"] = crew.evaluate(model, heldout, settings.length)
                bar.set_postfix(loss=f"{loss:.2f}", heldout=f"{row['heldout']:.2f}")
                if on_evaluation is not None:
                    on_evaluation(step, model)
            log.append(row)
            bar.update()
            if "heldout" in row:
                state.save(model, optimiser, run, log)
    return log


if __name__ == "__main__":
    # by name: what the command line can do is no part of what a trained stage hangs on
    runpy.run_module("minillama.training.command", run_name="__main__")
