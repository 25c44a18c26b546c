"""Where the time goes: the operators of torch, grouped by what they do."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

GROUPS = {  # what the name of an operator holds: its group
    "matrix products": ("::mm", "addmm", "bmm", "::matmul", "linear", "baddbmm"),
    "attention": ("attention",),
    "softmax and loss": ("softmax", "nll_loss", "cross_entropy"),
    "optimiser": ("lerp", "addcdiv", "addcmul", "sqrt", "Optimizer", "adam", "norm"),
    "look-up, copies and views": (
        "copy", "index", "embedding", "cat", "stack", "clone", "transpose", "view",
        "reshape", "slice", "select", "expand", "as_strided", "fill", "zero", "empty",
        "squeeze", "permute", "gather", "scatter", "_to_copy", "::to", "narrow",
        "unflatten", "flatten", "split", "detach", "::t", "arange", "alias", "resize"),
}


def group(operator: str) -> str:
    """The group of an operator by its name; the rest works on each number alone."""
    for name, parts in GROUPS.items():
        if any(operator.endswith(part) if part == "::t" else part in operator
               for part in parts):
            return name
    return "number by number"


def shares(call: Callable[[], object]) -> dict[str, float]:
    """Shares of the processor time that operators of each group take for themselves,
    largest first. Time of Python between the operators is not in it."""
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as seen:
        call()
    spent: dict[str, float] = {}
    for event in seen.key_averages():
        name = group(event.key)
        spent[name] = spent.get(name, 0.0) + event.self_cpu_time_total
    total = sum(spent.values())
    return {name: spent[name] / total for name in sorted(spent, key=spent.get)[::-1]}


def show(title: str, found: dict[str, float]) -> None:
    """Print the shares as a table."""
    print(f"{title}:")
    for name, share in found.items():
        print(f"  {name:<28}{100 * share:>6.1f} %")


def threads(number: int) -> int:
    """Set the threads of torch whatever the environment says; returns them."""
    torch.set_num_threads(number)
    return torch.get_num_threads()
