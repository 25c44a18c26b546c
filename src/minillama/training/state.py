"""What a run keeps of itself, so that it goes on after any stop to the same curve."""

import hashlib
import io
from pathlib import Path
from typing import Protocol

import torch

from ..errors import UserError
from ..files import write_bytes

Row = dict[str, float]
Run = dict[str, int | float | str]  # what must be equal for a run to go on


class State(Protocol):
    """A place where a run keeps itself."""

    def save(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer, run: Run,
             log: list[Row]) -> None:
        """Keep everything, so that a stop at any moment loses nothing kept before."""

    def restore(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer,
                run: Run) -> list[Row]:
        """The log so far, with model and optimiser as they were then; [] at a start."""


class StateFile:
    """The state of one process, in one file; without a path nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        """``file`` need not exist yet."""
        self.file = file

    def save(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer, run: Run,
             log: list[Row]) -> None:
        """Write the state behind a checksum of it, since torch notices no flipped bit.

        Raises UserError where it cannot be written; the former file then stays.
        """
        if self.file is not None:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(),
                     "settings": run, "log": log}
            buffer = io.BytesIO()
            torch.save(state, buffer)
            content = buffer.getvalue()
            write_bytes(self.file, hashlib.sha256(content).digest() + content)

    def restore(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer,
                run: Run) -> list[Row]:
        """The log so far, with model and optimiser as they were then; [] at a start.

        Raises UserError for a damaged file, for one that cannot be read, and for one of
        another run.
        """
        if self.file is None or not self.file.exists():
            return []
        try:
            whole = self.file.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read {self.file}: {error.strerror or error}"
                            ) from None
        try:
            if hashlib.sha256(whole[32:]).digest() != whole[:32]:
                raise ValueError("the checksum differs")
            # to the CPU, since the run may go on where there is no GPU
            state = torch.load(io.BytesIO(whole[32:]), "cpu", weights_only=True)
            log, same = state["log"], state["settings"] == run
            if same:
                model.load_state_dict(state["model"])
                optimiser.load_state_dict(state["optimiser"])
        except Exception:  # torch raises many kinds; all mean the same to the user
            raise UserError(f"{self.file} is damaged: delete it to train from the start"
                            ) from None
        if not same:
            raise UserError(f"{self.file} belongs to a run with other settings or "
                            "another text: delete it, or choose another folder")
        return log
