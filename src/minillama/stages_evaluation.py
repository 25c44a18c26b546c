"""The stage behind notebook 14: a test set that leaked into the training text.

``get("contamination")`` is a list of rows, one a run: for each seed of SEEDS every dose
of ``LEAK.doses``, and one run of practice. A row is a dictionary:

    run      "leak", or "practice": as many questions of the same sort, none of the test
    dose     how often what leaked stands in the text; 0 for none
    seed     0, 1 or 2: which questions leak, the text around them, the order of batches
    leak     a list, one entry a question: "exact" (the question and its answer leaked),
             "reworded" (in other words) or "none"; in "practice" and at dose 0 it says
             what leaks in the other runs of the same seed, so that rows can be paired
    right    a list of booleans, one a question: was the right option the likeliest
    shares   {"10": [...], "20": ..., "50": ...}: for each shortest length of a shared
             run, the contaminated part of every question, from 0 to 1
    heldout  loss in nats a token on held-out text after the run

Questions are ``contamination.questions_of(LEAK)``, the same in every row.
"""

from dataclasses import asdict
from pathlib import Path

from .artifacts import Stage, get, open_rows
from .evaluation import contamination
from .files import write_json

LEAK = contamination.Leak()
SEEDS = (0, 1, 2)


def _make_contamination(folder: Path) -> None:
    base = get("base")
    write_json(folder / "rows.json", contamination.study(
        base.model, base.tokenizer, get("corpus").heldout, LEAK, SEEDS))


EVALUATION_STAGES: tuple[Stage, ...] = (
    Stage("contamination", ("base",), {**asdict(LEAK), "seeds": SEEDS},
          _make_contamination, open_rows,
          ("minillama.evaluation.contamination",), 85),
)
