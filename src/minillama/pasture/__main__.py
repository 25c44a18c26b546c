"""Print samples: python -m minillama.pasture [--kind story] [-n 5] [--seed 0]."""

import argparse
import sys

from minillama.errors import UserError
from minillama.pasture.generator import KINDS, corpus, describe
from minillama.pasture.safety import make_borderline, make_unsafe
from minillama.pasture.split import SPLITS
from minillama.pasture.tasks import TASK_KINDS, make_tasks


def main(arguments: list[str] | None = None) -> int:
    """Print what was asked for and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m minillama.pasture",
        description="Print documents of the Pasture: one of each kind, or of one kind.")
    parser.add_argument("--kind", choices=KINDS, help="print documents of this kind")
    parser.add_argument("--tasks", action="store_true", help="print tasks and requests")
    parser.add_argument("-n", type=int, default=5, help="how many (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="which stream (default: 0)")
    parser.add_argument("--split", choices=SPLITS, default="train")
    chosen = parser.parse_args(arguments)
    try:
        print(_samples(chosen))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _samples(chosen: argparse.Namespace) -> str:
    n, seed, split = chosen.n, chosen.seed, chosen.split
    if chosen.tasks:
        return "\n\n".join(_judged(task) for make in (_every_task, make_unsafe,
                                                      make_borderline)
                           for task in make(n, seed, split))
    if chosen.kind is None:
        return describe(seed, split)
    documents = corpus(n, seed, split, kinds=(chosen.kind,))
    return "\n\n".join(document.text for document in documents)


def _every_task(n: int, seed: int, split: str) -> list:
    each = -(-n // len(TASK_KINDS))
    tasks = [task for kind in TASK_KINDS
             for task in make_tasks(each, seed, split, (kind,))]
    return tasks[:max(n, len(TASK_KINDS))]


def _judged(task) -> str:
    lines = [f"[{task.kind}] {task.prompt}"]
    for answer in (task.reference, *task.degraded):
        lines.append(f"  {task.utility(answer):.2f}  {answer}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
