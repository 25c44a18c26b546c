"""The state of many processes, which goes on with any number of them.

Every save is a folder of its own, ``step-00000400``, to which each process writes its
share. It is written under another name and renamed when it is whole, so a stop at any
moment leaves the former saves; the newest two are kept. Tensors lie in safetensors and
the rest in JSON, since torch's usual format is a pickle, which may run what it says.
"""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn

from ..errors import UserError
from .manifest import check_files, describe, read_manifest, write_manifest
from .state import Row, Run
from .team import Team

KIND, DRAFT, KEPT = "training state", ".draft", 2
T = TypeVar("T")


class StateFolder:
    """Where a team keeps a run. ``folder`` must be seen by all of its processes."""

    def __init__(self, folder: Path, team: Team) -> None:
        """``folder`` need not exist yet."""
        self.folder, self.team = folder, team

    def saves(self) -> list[Path]:
        """The saves there are, oldest first."""
        return sorted(self.folder.glob("step-*"))

    def save(self, model: nn.Module, optimiser: torch.optim.Optimizer, run: Run,
             log: list[Row]) -> None:
        """Keep everything; every process must call it. Raises UserError where it cannot
        be written; the former saves then stay."""
        team, draft = self.team, self.folder / DRAFT
        team.first(self._named(lambda: self._clear(draft)))
        tensors = tensors_of(model, optimiser)
        writer = dcp.HuggingFaceStorageWriter(str(draft), save_distributed=True)
        team.together(self._named(lambda: _quietly(dcp.save, tensors, writer)))
        names = team.gather(sorted(f.name for f in draft.glob("*.safetensors")))[0]
        mine = team.together(self._named(
            lambda: describe(draft / name for name in names[team.mine])))
        notes = {name: part[name] for part in team.gather(mine) for name in part}
        known = self._known(run, model)

        def publish() -> None:
            write_manifest(draft, KIND, notes, run=known, log=log)
            place = self.folder / f"step-{len(log):08d}"
            shutil.rmtree(place, ignore_errors=True)
            os.replace(draft, place)
            for old in self.saves()[:-KEPT]:
                shutil.rmtree(old, ignore_errors=True)

        team.first(self._named(publish))

    def restore(self, model: nn.Module, optimiser: torch.optim.Optimizer, run: Run
                ) -> list[Row]:
        """The log of the newest save, with model and optimiser as they were then; [] at
        a start. Raises UserError for a damaged save, and for one of another run."""
        found = self.team.gather([place.name for place in self.saves()])[0]
        if not found:
            return []
        place = self.folder / found[-1]
        other = f"go on from {found[-2]}" if len(found) > 1 else "train from the start"
        with _adding(f"; delete {place} to {other}"):
            manifest = self.team.together(lambda: self._checked(place))
        if manifest["run"] != self._known(run, model):
            raise UserError(f"{self.folder} belongs to a run with other settings or "
                            "another text: delete it, or choose another folder")
        log: list[Row] = manifest["log"]
        tensors = tensors_of(model, optimiser)
        reader = dcp.HuggingFaceStorageReader(str(place))
        with _adding(f"; delete {place} to {other}"):
            self.team.together(lambda: _load(place, tensors, reader))
        for parameter in model.parameters():
            optimiser.state[parameter]["step"] = torch.tensor(float(len(log)))
        return log

    def _known(self, run: Run, model: nn.Module) -> Run:
        """What must be equal for a run to go on; the number of processes need not."""
        size = sum(parameter.numel() for parameter in model.parameters())
        return {**run, "dtype": str(self.team.dtype), "parameters": size}

    def _checked(self, place: Path) -> dict:
        manifest = read_manifest(place, KIND)
        check_files(place, manifest["files"], self.team.mine)
        if not isinstance(manifest.get("log"), list) or not manifest["log"]:
            raise UserError(f"{place} holds no log")
        return manifest

    def _clear(self, draft: Path) -> None:
        """A fresh draft; a run that was killed may have left one."""
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)

    def _named(self, action: Callable[[], T]) -> Callable[[], T]:
        """The action, with what the file system says against it in one line."""
        def named() -> T:
            try:
                return action()
            except (OSError, dcp.CheckpointException) as error:
                raise UserError(f"cannot save to {self.folder}: {_reason(error)}; "
                                f"{self._left()}") from None
            except UserError as error:
                raise UserError(f"{error}; {self._left()}") from None
        return named

    def _left(self) -> str:
        saves = self.saves()
        return (f"{saves[-1].name} is whole, and the same command goes on from there"
                if saves else "nothing was saved before")


def tensors_of(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Weights and AdamW's two means of each, under names that do not depend on how the
    model is laid out. A fresh optimiser gets means of zero."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in getattr(model, "module", model).named_parameters():
        memory = optimiser.state[parameter]
        if not memory:
            memory["step"] = torch.tensor(0.0)
            memory["exp_avg"] = torch.zeros_like(parameter)
            memory["exp_avg_sq"] = torch.zeros_like(parameter)
        tensors[f"weight.{name}"] = parameter.detach()
        tensors[f"mean.{name}"] = memory["exp_avg"]
        tensors[f"mean_of_squares.{name}"] = memory["exp_avg_sq"]
    return tensors


def _load(place: Path, tensors: dict[str, Tensor], reader: dcp.StorageReader) -> None:
    try:
        _quietly(dcp.load, tensors, reader)
    except (Exception, dcp.CheckpointException):  # of many kinds, all the same to users
        raise UserError(f"{place} is damaged: it does not hold this model") from None


def _quietly(act: Callable, tensors: dict[str, Tensor],
             storage: dcp.StorageReader | dcp.StorageWriter) -> None:
    """Save or load; that a process is alone is no news to it."""
    alone = not torch.distributed.is_initialized()
    key = "storage_reader" if act is dcp.load else "storage_writer"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        act(tensors, no_dist=alone, **{key: storage})


def _reason(error: BaseException) -> str:
    """The innermost words of an error; torch wraps those of every process in one."""
    while isinstance(error, dcp.CheckpointException) and error.failures:
        error = next(iter(error.failures.values()))[0]
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


@contextmanager
def _adding(advice: str) -> Iterator[None]:
    """Tell what to do after what went wrong."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{error}{advice}") from None
