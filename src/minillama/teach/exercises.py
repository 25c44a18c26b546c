"""Exercise checks that name the mistake.

A check calls the student's function on a few inputs, compares with a truth that it
computes by itself, and, where they differ, with what the usual mistakes would give:

    def check_area(area):
        for r in (1.0, 2.5):
            diagnose(call(area, r), math.pi * r * r, {
                "that is the circumference: the area has r squared": 2 * math.pi * r,
                "you squared pi as well as r": (math.pi * r) ** 2,
            }, f"area({r})")
        passed("area holds for both radii")
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


class Wrong(Exception):
    """An answer that is not right yet, in one line that helps."""

    def _render_traceback_(self) -> list[str]:
        """Called by IPython in place of a traceback."""
        return [f"Not yet: {self}"]


def passed(message: str) -> None:
    """Say what has been shown to hold."""
    print(f"Right: {message}.")


def expect(condition: bool, message: str) -> None:
    """Stop with the message unless the condition holds."""
    if not condition:
        raise Wrong(message)


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a student's function; whatever goes wrong becomes one clear line."""
    name = getattr(function, "__name__", "your function")
    try:
        result = function(*args, **kwargs)
    except NotImplementedError:
        raise Wrong(f"{name} is still waiting for you to write it") from None
    except Exception as error:  # a student's code may raise anything
        raise Wrong(f"{name} stopped with {type(error).__name__}: "
                    f"{_one_line(str(error))}") from None
    if result is None:
        raise Wrong(f"{name} gave nothing back: is there a return in it?")
    return result


def close(a: Any, b: Any, tolerance: float = 1e-4) -> bool:
    """Whether two numbers, tensors or sequences agree, shape included."""
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        try:
            a, b = torch.as_tensor(a), torch.as_tensor(b)
        except (TypeError, ValueError, RuntimeError):
            return False
        if a.shape != b.shape:
            return False
        return torch.allclose(a.double(), b.double(), rtol=tolerance, atol=tolerance,
                              equal_nan=False)
    a, b = (x.tolist() if isinstance(x, (np.ndarray, np.generic)) else x
            for x in (a, b))
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    return bool(a == b)


def diagnose(answer: Any, truth: Any, mistakes: Mapping[str, Any], what: str,
             tolerance: float = 1e-4) -> None:
    """Pass where the answer agrees with the truth; else name the mistake it matches.

    ``mistakes`` maps a message to the value that mistake would have given. ``what``
    names the case for the message of last resort.
    """
    if close(answer, truth, tolerance):
        return
    for message, value in mistakes.items():
        if close(answer, value, tolerance):
            raise Wrong(message)
    if isinstance(truth, torch.Tensor):
        if not isinstance(answer, torch.Tensor):
            raise Wrong(f"{what} should be a tensor, and yours is a "
                        f"{type(answer).__name__}")
        if answer.shape != truth.shape:
            raise Wrong(f"{what} should have shape {tuple(truth.shape)}, and yours has "
                        f"{tuple(answer.shape)}")
        if torch.isnan(answer.float()).any():
            raise Wrong(f"{what} holds nan, which no right answer does")
        gap = (answer.double() - truth.double()).abs().max().item()
        raise Wrong(f"{what} is off by up to {gap:.3g}, and by no mistake known here")
    raise Wrong(f"{what} should be {_short(truth)}, and yours is {_short(answer)}")


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    text = _one_line(text)
    return text if len(text) < 80 else text[:77] + "..."


def _one_line(text: str) -> str:
    return " ".join(text.split())
