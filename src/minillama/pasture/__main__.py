"""``python -m minillama.pasture [--kind story] [-n 1] [--seed 0] [--split train]``."""

import argparse
import sys

from ..errors import UserError
from . import KINDS, corpus, make_tasks, make_unsafe
from .world import SPLITS


def main() -> None:
    """Print documents, tasks and unsafe requests, so that one sees how it works."""
    parser = argparse.ArgumentParser(prog="python -m minillama.pasture")
    parser.add_argument("--kind", choices=sorted(KINDS), help="only this kind")
    parser.add_argument("-n", type=int, default=1, help="how many of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=SPLITS, default="train")
    args = parser.parse_args()
    for kind in [args.kind] if args.kind else KINDS:
        for made in corpus(args.n, args.seed, args.split, kinds=(kind,)):
            print(f"--- {kind}\n{made.text}\n")
    if not args.kind:
        for task in make_tasks(9, args.seed, args.split):
            print(f"--- task {task.kind}\n{task.prompt}\n-> {task.reference}\n")
        for request in make_unsafe(3, args.seed, args.split):
            print(f"--- unsafe, {request.category}\n{request.prompt}\n")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"pasture: {error}")
