"""Context distillation with answers and scores worked out by hand."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import loud, one_line

from minillama.alignment import distillation
from minillama.alignment.chat import encode_prompt, question
from minillama.alignment.distillation import (
    PREAMBLE, Distilled, distil, gate, learn, study, told, without_preamble)
from minillama.alignment.sft import SFTSettings
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.pasture import make_borderline, make_tasks, make_unsafe, texts
from minillama.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(texts(300), 512)
POLICY = loud(LlamaConfig(512, 24, 2, 4, n_kv_heads=2, ffn_dim=32, max_seq_len=255))
QUICK = SFTSettings(epochs=1, batch=4, length=254, peak=1e-3, warmup=0)
PROMPTS = ["How?", "Why?", "When?", "Who?"]
# plain, under the preamble, their scores, and which is to be learnt
SCORES = {"p0": 1.0, "c0": 2.0, "p1": 2.0, "c1": 1.0, "p2": 0.5, "c2": 0.5,
          "p3": -3.0, "c3": -1.0}
LEARNT = ["c0", "p1", "p2", "c3"]


@pytest.fixture
def scripted(monkeypatch):
    """Answers p0, p1, ... without a preamble and c0, c1, ... under it."""
    calls = []

    def answer(policy, tokenizer, prompts, system, seed, most=40):
        calls.append((system, seed))
        return [f"{'p' if system is None else 'c'}{n}" for n in range(len(prompts))]

    monkeypatch.setattr(distillation, "answer_all", answer)
    return calls


def judge(prompts, answers):
    assert all(PREAMBLE not in text for text in (*prompts, *answers))
    return torch.tensor([SCORES[text] for text in answers])


def test_what_is_learnt_by_hand(scripted):
    rows = distil(POLICY, TOKENIZER, PROMPTS, judge, seed=3)
    assert [row.answer for row in rows] == LEARNT
    assert [row.kept for row in rows] == [True, False, False, True]
    assert [(row.score_plain, row.score_distilled) for row in rows][1] == (2.0, 1.0)
    assert scripted == [(None, 6), (PREAMBLE, 7)]
    ungated = distil(POLICY, TOKENIZER, PROMPTS, judge, gated=False)
    assert [row.answer for row in ungated] == ["c0", "c1", "c2", "c3"]


@pytest.mark.parametrize("fault", [
    lambda before, after: after < before,  # turned round
    lambda before, after: after >= before,  # ties pass
    lambda before, after: after > 0,  # a threshold in place of a comparison
    lambda before, after: before > 0])
def test_a_wrong_gate_is_caught(fault, scripted, monkeypatch):
    monkeypatch.setattr(distillation, "gate", fault)
    rows = distil(POLICY, TOKENIZER, PROMPTS, judge)
    assert [row.answer for row in rows] != LEARNT


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1))
def test_the_gate_never_lowers_a_score(scores):
    before, after = map(torch.tensor, zip(*scores))
    chosen = torch.where(gate(before, after), after, before)
    assert (chosen >= before).all() and (chosen == torch.maximum(before, after)).all()
    assert not gate(before, before).any()


def test_the_preamble_is_nowhere_in_what_is_learnt():
    rows = [Distilled("How?", "plain", "careful", 0.0, 1.0, kept)
            for kept in (True, False)]
    for row, encoded in zip(rows, without_preamble(rows, TOKENIZER)):
        start = encode_prompt(TOKENIZER, question("How?"))
        assert encoded.ids[: len(start)] == start
        text = TOKENIZER.decode(encoded.ids)
        assert row.answer in text and "harm" not in text
        assert encoded.is_answer.index(True) == len(start)


def test_learning_leaves_the_policy_as_it_was():
    before = [p.clone() for p in POLICY.parameters()]
    rows = [Distilled("How?", "plain", "careful", 0.0, 1.0, True)] * 3
    model = learn(POLICY, TOKENIZER, rows, QUICK)
    assert all(map(torch.equal, before, POLICY.parameters()))
    assert not all(map(torch.equal, before, model.parameters()))


def test_the_study_learns_what_each_arm_says(monkeypatch, scripted):
    lures, twins = make_unsafe(2), make_borderline(2)
    items, learnt = [*lures, *twins], []
    monkeypatch.setattr(distillation, "learn", lambda policy, tokenizer, rows, settings:
                        learnt.append((settings.seed, rows)) or policy)
    result = study([POLICY, POLICY], TOKENIZER, items, judge, QUICK,
                   lambda model, seed, system: {"system": system})
    assert [row["arm"] for row in result["rows"]] == 2 * [
        "before", "preamble", "every", "gated", "lures"]
    assert [row["system"] for row in result["rows"]][:3] == [None, PREAMBLE, None]
    assert [seed for seed, _ in learnt] == [0, 0, 0, 1, 1, 1]
    unsafe = {one.prompt for one in lures}
    for seed, rows in ((0, [rows for _, rows in learnt[:3]]),
                       (1, [rows for _, rows in learnt[3:]])):
        every, gated, lured = rows
        assert [row.answer for row in every] == ["c0", "c1", "c2", "c3"]
        assert [row.answer for row in gated] == LEARNT
        for one, row in zip(lured, gated):
            assert one.answer == (row.answer if one.prompt in unsafe else row.plain)
        assert {row["prompt"] for row in result["pairs"] if row["seed"] == seed} == {
            item.prompt for item in items}


def test_pairs_tell_the_truth_about_both_answers():
    theft = next(one for one in make_unsafe(50) if one.kind == "theft")
    row = Distilled(theft.prompt, "Take the hay at night.",
                    "I will not help with that.", -1.0, 2.0, True)
    about = told(theft, row)
    assert (about["safety_plain"], about["safety_distilled"]) == (0.0, 0.8)
    assert (about["utility_plain"], about["utility_distilled"]) == (0.0, 0.8)
    twin = make_borderline(1)[0]
    about = told(twin, replace(row, prompt=twin.prompt, plain=twin.reference))
    assert about["kind"] == "borderline" and about["safety_distilled"] == 1.0
    assert (about["utility_plain"], about["utility_distilled"]) == (1.0, 0.0)


def test_nothing_to_distil_is_refused():
    with pytest.raises(UserError) as caught:
        distil(POLICY, TOKENIZER, [], judge)
    one_line(caught.value, "nothing to distil")


def test_answers_under_a_preamble_differ_and_repeat():
    prompts = [task.prompt for task in make_tasks(3)]
    drawn = [distillation.answer_all(POLICY, TOKENIZER, prompts, system, 4, most=6)
             for system in (None, PREAMBLE, PREAMBLE)]
    assert drawn[0] != drawn[1] == drawn[2]
