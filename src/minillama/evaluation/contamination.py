"""Was the test in the training text, and did it help? A leak of our own, and a search.

The search is that of the Llama 2 paper, appendix A.6: tokens of a test question that
also stand in the training text, in a run of at least ten with up to four that differ;
then the accuracy of what was found against the accuracy of all (Z_n). We plant leaks,
so here the answer is known: which questions leaked, in their own words or in others.
"""

import copy
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from ..errors import UserError
from ..model import Llama
from ..pasture.generator import texts
from ..tokenizer import Tokenizer
from ..training.data import TokenStream
from ..training.evaluation import Choice, make_choices, option_scores, right
from ..training.pretrain import PACE, Settings, pretrain

SEED_RUN, BUDGET = 10, 4  # tokens that must agree at first; later ones that need not
LENGTHS = (10, 20, 30, 40, 50)  # of the runs that count, as the paper has them
DIRTY, CLEAN, EVIDENCE = 0.8, 0.2, 2.0  # bounds of the subsets; of |Z_n|
LEAKS = ("exact", "reworded", "none")


class Matcher:
    """Every run of ten tokens of a training text, and where it stands."""

    def __init__(self, text: Sequence[int]) -> None:
        """``text``: all training tokens in a row, longer than ten."""
        if len(text) < SEED_RUN:
            raise UserError(f"the training text has {len(text)} tokens, and "
                            f"{SEED_RUN} must agree")
        self.text = np.asarray(text, dtype=np.int64)
        self._places: dict[tuple[int, ...], list[int]] = {}
        whole = self.text.tolist()
        for place in range(len(whole) - SEED_RUN + 1):
            run = tuple(whole[place : place + SEED_RUN])
            self._places.setdefault(run, []).append(place)

    def reach(self, sample: Sequence[int], budget: int = BUDGET) -> np.ndarray:
        """For each token of a sample, (n,), the length of the longest run around it
        that the text shares; 0 where there is none. A run of ten or more may differ
        from the text in ``budget`` places, though not in its first ten tokens, and
        not in its last (appendix A.6)."""
        ids, found = np.asarray(sample), np.zeros(len(sample), dtype=np.int64)
        for start in range(len(ids) - SEED_RUN + 1):
            # step 1: where in the text do these ten tokens stand?
            seed = tuple(ids[start : start + SEED_RUN].tolist())
            for place in self._places.get(seed, ()):
                there = self.text[place : place + len(ids) - start]
                same = there == ids[start : start + len(there)]
                # step 2: go on while no more than the budget differs
                allowed = np.cumsum(~same) <= budget
                # step 3: a run ends with a token that agrees
                length = int(np.flatnonzero(same & allowed)[-1]) + 1
                # step 4: tokens that agree know the longest run around them
                mine = found[start : start + length]
                np.maximum(mine, length * same[:length], out=mine)
        return found


def share(reach: np.ndarray, least: int) -> float:
    """The contaminated part of a sample, from 0 to 1: its tokens in runs of ``least``
    or more."""
    return float((reach >= least).mean())


@dataclass(frozen=True)
class Subset:
    """Questions with more or less contamination, against all of them."""

    name: str
    n: int
    share: float  # mean contamination, nan where there are no questions
    accuracy: float
    expected: float  # mu_n, the accuracy of all
    z: float  # nan where nothing can be said


def subsets(shares: Sequence[float], correct: Sequence[bool]) -> list[Subset]:
    """The paper's four subsets, each with Z_n.

    Z_n = (mean - mu_n) / sigma_n, where mu_n and sigma_n belong to the mean of n
    questions drawn from all: mu_n is the mean of all, sigma_n their deviation over the
    root of n. Raises UserError for lists of unequal length or without questions.
    """
    if not shares or len(shares) != len(correct):
        raise UserError(f"{len(shares)} shares and {len(correct)} answers: there must "
                        "be as many, and at least one")
    # step 1: all questions give what is to be expected of any
    mean = sum(correct) / len(correct)
    deviation = math.sqrt(mean * (1 - mean))
    rules = {"clean": lambda c: c < CLEAN, "not clean": lambda c: c >= CLEAN,
             "not dirty": lambda c: c < DIRTY, "dirty": lambda c: c >= DIRTY}
    found = []
    for name, rule in rules.items():
        # step 2: the questions of this subset
        mine = [(c, r) for c, r in zip(shares, correct) if rule(c)]
        if not mine:
            found.append(Subset(name, 0, math.nan, math.nan, mean, math.nan))
            continue
        # step 3: how many deviations from what is expected of so many
        contamination, accuracy = (sum(column) / len(mine) for column in zip(*mine))
        spread = deviation / math.sqrt(len(mine))
        z = (accuracy - mean) / spread if spread else math.nan
        found.append(Subset(name, len(mine), contamination, accuracy, mean, z))
    return found


def affected(found: Sequence[Subset]) -> bool:
    """The paper's verdict: |Z_n| above two in all four subsets, and in the direction
    of a benefit, the dirty better and the clean worse than expected."""
    signs = {"clean": -1, "not clean": 1, "not dirty": -1, "dirty": 1}
    return all(signs[one.name] * one.z > EVIDENCE for one in found)  # nan is not


# The leak that we plant ------------------------------------------------------------

@dataclass(frozen=True)
class Leak:
    """How much of which test goes into the text, and how long the base reads it."""

    questions: int = 300  # a quarter leaks as it is, a quarter in other words
    doses: tuple[int, ...] = (0, 1, 3, 6)  # how often the text holds what leaked
    tokens: int = 40_000  # of each text, leak included
    training: Settings = Settings(steps=38, batch=8, length=128, peak=1e-3, warmup=4,
                                  evaluate_every=1000)


TOLD = re.compile(r"(\w+ the \w+) (?:(likes|is fond of|eats) ([^.]+?)(?: all day)?"
                  r"|(sleeps|sits|is) ([^.]+?)(?: today)?)\.")
OTHERWISE = {"likes": "is fond of {}", "is fond of": "eats {} all day",
             "eats": "likes {}", "sleeps": "sits {}", "sits": "is {} today",
             "is": "sleeps {}"}


def verbalised(choice: Choice) -> str:
    """The question with its right answer, as a document of the corpus would have it."""
    return f"Question: {choice.question}\nAnswer: {choice.options[choice.answer]}"


def reworded(choice: Choice) -> str:
    """The same knowledge in other words: sentences in reverse, each with another verb,
    and asked the other way round ("Who likes plums?"). For questions about food and
    home; UserError for others."""
    told = TOLD.findall(choice.question)
    subject = re.search(r"(?:What does|Where is) (\w+)(?: like)?\?$", choice.question)
    if not told or subject is None:
        raise UserError(f"no other words are known for {choice.question!r}")
    lines, known = [], {}
    for who, eats, treat, stays, place in told:
        lines.append(f"{who} {OTHERWISE[eats or stays].format(treat or place)}.")
        fact = f"likes {treat}" if eats else f"is {place}"
        known[who.split()[0]] = (fact, f"{who} {fact}.")
    fact, answer = known[subject[1]]
    return f"Question: {' '.join(lines[::-1])} Who {fact}?\nAnswer: {answer}"


def assign(n: int, seed: int) -> list[str]:
    """Which of ``n`` questions leak in this run, and how; one of LEAKS for each."""
    kinds = ["exact"] * (n // 4) + ["reworded"] * (n // 4)
    kinds += ["none"] * (n - len(kinds))
    Random(f"leak/{seed}").shuffle(kinds)
    return kinds


def leaky_text(tokenizer: Tokenizer, planted: Sequence[str], tokens: int,
               seed: int) -> TokenStream:
    """Ordinary documents with the planted ones among them, ``tokens`` or a few more."""
    rng, documents = Random(f"text/{seed}"), list(planted)
    size = sum(len(tokenizer.encode(text)) + 2 for text in documents)
    ordinary = iter(texts(tokens // 20, f"ordinary/{seed}", "train", 0.0))
    while size <= tokens:
        documents.append(next(ordinary))
        size += len(tokenizer.encode(documents[-1])) + 2
    rng.shuffle(documents)
    return TokenStream.encode(documents, tokenizer)


def questions_of(leak: Leak) -> list[Choice]:
    """The test that leaks: held-out questions whose answers are read off the page."""
    return make_choices(leak.questions, "contamination", "heldout", ("food", "home"))


def study(base: Llama, tokenizer: Tokenizer, heldout: TokenStream, leak: Leak,
          seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Train a copy of the base on each text and give it the whole test.

    For every seed: each dose, and as a control the largest dose of questions of the
    same sort that are not in the test ("practice"). See stages_evaluation.py for the
    rows.
    """
    asked = questions_of(leak)
    rows = []
    jobs = [(seed, job) for seed in seeds for job in _jobs(asked, leak, seed)]
    for seed, (run, dose, documents) in tqdm(jobs, "contamination", unit="run",
                                             mininterval=PACE):
        text = leaky_text(tokenizer, documents, leak.tokens, seed)
        row = _trained(base, tokenizer, text, heldout, asked,
                       replace(leak.training, seed=seed))
        rows.append({"run": run, "dose": dose, "seed": seed,
                     "leak": assign(len(asked), seed), **row})
    return rows


def _jobs(asked: Sequence[Choice], leak: Leak, seed: int
          ) -> list[tuple[str, int, list[str]]]:
    """What is planted in each run of a seed: name, dose, documents."""
    planted = [verbalised(one) if kind == "exact" else reworded(one)
               for one, kind in zip(asked, assign(len(asked), seed)) if kind != "none"]
    most, known = max(leak.doses), {one.question for one in asked}
    fresh = [verbalised(one) for one in make_choices(
        2 * most * len(planted), f"practice/{seed}", "heldout", ("food", "home"))
        if one.question not in known]
    return [*(("leak", dose, planted * dose) for dose in leak.doses),
            ("practice", most, fresh[: most * len(planted)])]


def _trained(base: Llama, tokenizer: Tokenizer, text: TokenStream,
             heldout: TokenStream, asked: Sequence[Choice], settings: Settings
             ) -> dict[str, Any]:
    """What one run gives: its losses, its answers, and what the search finds."""
    torch.manual_seed(settings.seed)
    model = copy.deepcopy(base)
    log = pretrain(model, text, heldout, settings, progress=False)
    correct = right(option_scores(model.eval(), tokenizer, asked), asked)
    matcher = Matcher(text.tokens.tolist())
    reaches = [matcher.reach(tokenizer.encode(verbalised(one))) for one in asked]
    shares = {str(least): [round(share(reach, least), 4) for reach in reaches]
              for least in LENGTHS}
    return {"right": correct, "shares": shares, "heldout": log[-1]["heldout"]}
