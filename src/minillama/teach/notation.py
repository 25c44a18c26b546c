"""What a formal algorithm is made of; the algorithms stand in ``formal`` (the model
and its pretraining) and in ``formal_alignment``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Algorithm:
    """Typed inputs, an output, numbered steps, and the code that realises them."""

    title: str
    inputs: tuple[str, ...]
    output: str
    steps: tuple[tuple[int, str], ...]
    objects: tuple[str, ...]  # "module:object"


def steps(*texts: str) -> tuple[tuple[int, str], ...]:
    """Number the steps from one."""
    return tuple(enumerate(texts, 1))
