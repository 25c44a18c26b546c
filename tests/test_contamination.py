"""The search for leaks against a slow one, and Z_n against the paper's own table."""

import json
import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import one_line

from minillama import paper
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.evaluation.contamination import (
    LEAKS, Leak, Matcher, Subset, affected, assign, leaky_text, questions_of, reworded,
    share, study, subsets, verbalised)
from minillama.model import Llama
from minillama.pasture import texts
from minillama.tokenizer import Tokenizer
from minillama.training.data import TokenStream
from minillama.training.evaluation import make_choices
from minillama.training.pretrain import Settings

TOKENIZER = Tokenizer.train(texts(100), 500)
ASKED = make_choices(60, "c", "heldout", ("food", "home"))


def slow_reach(text, sample, budget=4):
    """Every start in both, token by token, as the appendix words it."""
    found = [0] * len(sample)
    for start in range(len(sample)):
        for place in range(len(text)):
            length, wrong, offset, agree = 0, 0, 0, []
            while start + offset < len(sample) and place + offset < len(text):
                if sample[start + offset] == text[place + offset]:
                    agree.append(offset)
                    length = offset + 1  # so a span ends with an agreement
                elif offset < 10 or wrong == budget:
                    break
                else:
                    wrong += 1
                offset += 1
            if length >= 10:
                for offset in agree:
                    found[start + offset] = max(found[start + offset], length)
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 6))
def test_the_search_agrees_with_a_slow_one(seed, budget):
    rng = Random(seed)
    text = [rng.randrange(3) for _ in range(60)]
    sample = text[15:50]
    for place in rng.sample(range(35), rng.randrange(7)):
        sample[place] = rng.randrange(3)
    ours = Matcher(text).reach(sample, budget)
    assert ours.tolist() == slow_reach(text, sample, budget)


def test_a_budget_of_four_bridges_four_and_not_five():
    text = list(range(100, 160))
    for wrong, wanted in ((4, 30), (5, 15 + 8)):
        sample = text[:30]
        for place in range(15, 15 + 2 * wrong, 2):
            sample[place] = 0
        reach = Matcher(text).reach(sample)
        assert reach.max() == wanted, wrong
        assert reach[15] == 0  # a token that differs is not contaminated
    assert Matcher(text).reach([1] * 30).tolist() == [0] * 30
    assert Matcher(text).reach(text[:9]).tolist() == [0] * 9  # too short to say


def test_shares_fall_as_longer_runs_are_asked_for():
    reach = np.array([0, 12, 12, 30])
    assert [share(reach, n) for n in (10, 20, 40)] == [0.75, 0.25, 0.0]


def test_a_planted_leak_is_found_and_one_in_other_words_is_not():
    planted = [verbalised(one) for one in ASKED[:20]]
    other = [reworded(one) for one in ASKED[20:40]]
    text = leaky_text(TOKENIZER, planted + other, 12_000, 0)
    matcher = Matcher(text.tokens.tolist())
    shares = [share(matcher.reach(TOKENIZER.encode(verbalised(one))), 20)
              for one in ASKED]
    assert min(shares[:20]) == 1.0
    assert max(shares[20:]) < 0.8


def test_rewording_keeps_what_is_known_and_no_sentence():
    for one in ASKED:
        text = reworded(one)
        right = one.options[one.answer]
        value = right.removesuffix(".").split(" likes " if one.kind == "food"
                                              else " is ")[1]
        name = right.split()[0]
        answer = text.split("Answer: ")[1]
        assert answer.startswith(f"{name} the ") and value in answer
        told = text.split(" Who ")[0]
        for sentence in one.question.split(". ")[:-1]:
            assert sentence not in told
            assert sentence.split()[0] in told
    with pytest.raises(UserError) as error:
        reworded(make_choices(1, 0, "train", ("count",))[0])
    one_line(error.value, "no other words")


# The statistic --------------------------------------------------------------------

def test_the_paper_drew_with_replacement_its_table_51_says():
    """All twenty Z_n of Table 51 follow from its other columns, within rounding, when
    sigma_n is that of n independent questions."""
    table = paper.table("table_51")
    groups = {}
    for row in table.rows:
        groups.setdefault(tuple(row[:2]), []).append(row)
    seen = 0
    for rows in groups.values():
        clean, dirty = rows[0], rows[1]
        n = clean[4] + dirty[4]
        p = (clean[4] * clean[5] + dirty[4] * dirty[5]) / n / 100
        for row in rows:
            sigma = 100 * math.sqrt(p * (1 - p) / row[4])
            rounding = 0.1 / sigma + 0.05  # of two printed numbers
            assert abs((row[5] - row[6]) / sigma - row[7]) < rounding, row
            seen += 1
    assert seen == len(table.rows) == 20


def test_z_is_that_of_drawn_subsets():
    """sigma_n against a simulation that draws subsets of the same size."""
    rng = Random(0)
    correct = [rng.random() < 0.6 for _ in range(400)]
    shares = [0.9 if i < 90 else 0.0 for i in range(400)]
    dirty = {one.name: one for one in subsets(shares, correct)}["dirty"]
    means = [sum(rng.choices(correct, k=90)) / 90 for _ in range(4000)]
    mean = sum(means) / len(means)
    sigma = math.sqrt(sum((m - mean) ** 2 for m in means) / len(means))
    assert dirty.n == 90
    assert dirty.z == pytest.approx((sum(correct[:90]) / 90 - mean) / sigma, abs=0.15)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_subsets_are_two_divisions_of_all(pairs):
    shares, correct = zip(*pairs)
    found = {one.name: one for one in subsets(shares, correct)}
    for part, rest in (("clean", "not clean"), ("not dirty", "dirty")):
        assert found[part].n + found[rest].n == len(pairs)
        right = sum(found[x].n * found[x].accuracy for x in (part, rest) if found[x].n)
        assert right == pytest.approx(sum(correct))


def test_the_verdict_needs_all_four_and_the_right_direction():
    def made(*z):
        names = ("clean", "not clean", "not dirty", "dirty")
        return [Subset(n, 9, 0.5, 0.5, 0.5, value) for n, value in zip(names, z)]
    assert affected(made(-3, 3, -3, 3))
    assert not affected(made(-1, 3, -3, 3)) and not affected(made(-3, 3, -3, math.nan))
    assert not affected(made(3, -3, 3, -3))  # the dirty are worse: no benefit


# The study ------------------------------------------------------------------------

def test_who_leaks_is_drawn_anew_for_each_seed():
    first, again, other = assign(40, 0), assign(40, 0), assign(40, 1)
    assert first == again != other
    assert [first.count(kind) for kind in LEAKS] == [10, 10, 20]


def test_test_questions_stand_in_no_training_text():
    """Not in the corpus of the base, nor in the text around the leak."""
    asked = questions_of(Leak())
    assert len({one.question for one in asked}) == len(asked)
    told = "\n".join(texts(4000) + texts(2000, "ordinary/0", "train", 0.0))
    assert not [one.question for one in asked if one.question in told]


def test_rows_are_whole_and_the_base_is_left_alone():
    torch.manual_seed(0)
    base = Llama(LlamaConfig(500, 16, 1, 2, ffn_dim=24, max_seq_len=256))
    before = {name: w.clone() for name, w in base.state_dict().items()}
    heldout = TokenStream.encode(texts(20, split="heldout"), TOKENIZER)
    leak = Leak(12, (0, 2), 1500, replace(Settings(), steps=2, batch=2, length=32,
                                          warmup=1, evaluate_every=10))
    rows = study(base, TOKENIZER, heldout, leak, (0, 1))
    assert [(r["run"], r["dose"], r["seed"]) for r in rows] == [
        (*job, seed) for seed in (0, 1)
        for job in (("leak", 0), ("leak", 2), ("practice", 2))]
    for row in rows:
        assert len(row["right"]) == len(row["leak"]) == 12
        assert set(row["shares"]) == {"10", "20", "30", "40", "50"}
        for kind, mine in zip(row["leak"], row["shares"]["20"]):
            assert mine == 1.0 if (row["run"], row["dose"], kind) == (
                "leak", 2, "exact") else mine < 0.8
    assert rows == json.loads(json.dumps(rows))
    assert all(torch.equal(w, before[n]) for n, w in base.state_dict().items())


@pytest.mark.parametrize("call, word", [
    (lambda: Matcher([1] * 9), "9 tokens"),
    (lambda: subsets([], []), "at least one"),
    (lambda: subsets([0.5], []), "as many")])
def test_what_cannot_be_judged_is_one_line(call, word):
    with pytest.raises(UserError) as error:
        call()
    one_line(error.value, word)
