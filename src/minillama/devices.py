"""Where tensors live. CPU unless a machine offers more and the caller wants it."""

import torch

from .errors import UserError


def device(name: str | None = None) -> torch.device:
    """Return the device to compute on; the CPU by default.

    ``name`` is ``None`` or ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"best"`` for the
    fastest one present. Raises UserError for a device that this machine lacks.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(),
               "mps": torch.backends.mps.is_available()}
    name = name or "cpu"
    if name == "best":
        name = next(n for n in ("cuda", "mps", "cpu") if present[n])
    if name not in present:
        raise UserError(f"unknown device {name!r}: use cpu, cuda, mps or best")
    if not present[name]:
        raise UserError(f"device {name!r} is not available here: use cpu")
    return torch.device(name)
