"""A clock for the parts of a PPO iteration, driven by hooks and not by the source.

At any moment one part of the iteration is running and one kind of work; every hook
switches one of the two and books the time since the last switch.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from minillama.alignment.ppo import Learner

OWN = ("forward", "backward", "optimiser")  # the model's own arithmetic
REST = "rest"
PARTS = ("rollout", "scores", "reference and values", "value update", "policy update")


class Clock:
    """Seconds of every part and kind since the last reset."""

    def __init__(self) -> None:
        """Nothing has run yet."""
        self.spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.part, self.kind = PARTS[0], REST
        self.since = time.perf_counter()

    def switch(self, part: str | None = None, kind: str | None = None) -> None:
        """Book what has passed, then go on with another part or kind of work."""
        now = time.perf_counter()
        self.spent[self.part, self.kind] += now - self.since
        self.since = now
        self.part, self.kind = part or self.part, kind or self.kind

    def read(self) -> dict[tuple[str, str], float]:
        """What was booked since the last time, (part, kind) to seconds."""
        self.switch()
        spent, self.spent = dict(self.spent), defaultdict(float)
        return spent

    def during(self, call: Callable[..., Any], part: str | None = None,
               kind: str | None = None, then: str | None = None) -> Callable[..., Any]:
        """The same function, booked as a part or kind; ``then`` is the part after."""

        def timed(*args: Any, **named: Any) -> Any:
            before = self.kind
            self.switch(part, kind)
            try:
                return call(*args, **named)
            finally:
                self.switch(then, before)

        return timed


@contextmanager
def hooked(clock: Clock, learner: Learner, judges: list[nn.Module]) -> Iterator[None]:
    """Book forward, backward, clipping and optimisers on ``clock`` inside the block."""
    handles = []
    updates = {id(learner.value_model): "value update",
               id(learner.policy): "policy update"}

    def before(model: nn.Module, _inputs: Any) -> None:
        learning = clock.part in PARTS[2:] and (
            torch.is_grad_enabled() or clock.part != PARTS[2])
        clock.switch(updates.get(id(model)) if learning else None, "forward")

    for model in (learner.policy, learner.reference, learner.value_model, *judges):
        handles.append(model.register_forward_pre_hook(before))
        handles.append(model.register_forward_hook(
            lambda *_: clock.switch(kind=REST)))
    for optimiser in (learner.policy_optimiser, learner.value_optimiser):
        handles.append(optimiser.register_step_pre_hook(
            lambda *_: clock.switch(kind="optimiser")))
        handles.append(optimiser.register_step_post_hook(
            lambda *_: clock.switch(kind=REST)))
    places = [(torch.Tensor, "backward", "backward"),
              (nn.utils, "clip_grad_norm_", "optimiser")]
    kept = [getattr(owner, name) for owner, name, _ in places]
    for (owner, name, kind), plain in zip(places, kept):
        setattr(owner, name, clock.during(plain, kind=kind))
    try:
        yield
    finally:
        for (owner, name, _), plain in zip(places, kept):
            setattr(owner, name, plain)
        for handle in handles:
            with suppress(KeyError):
                handle.remove()
