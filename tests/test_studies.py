"""The studies on models too small to learn: that they ask what they say they ask."""

from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from models import loud
from test_rlhf import CONFIG, ITEMS, SMALL, TOKENIZER, judges, policy, weights  # noqa: F401

from minillama.alignment import ghost, studies, studies_rl
from minillama.alignment.judges import Judges, encode_items
from minillama.alignment.judging import likeliest_utility
from minillama.alignment.preferences import judge
from minillama.alignment.reward import RewardSettings
from minillama.alignment.sft import SFTSettings
from minillama.pasture import Annotator, make_tasks, texts
from minillama.training.data import TokenStream

QUICK = SFTSettings(epochs=1, batch=4, length=255, peak=1e-3, warmup=0)


@pytest.fixture(scope="module")
def pairs():
    from random import Random
    tasks = make_tasks(40)
    rng, annotator = Random(0), Annotator("helpfulness")
    return [judge(task, task.reference, task.degraded[0], annotator, rng, i)
            for i, task in enumerate(tasks)]


def test_quality_against_quantity_begins_every_run_at_the_base(policy, monkeypatch):  # noqa: F811
    monkeypatch.setattr(studies, "MIXES", {"few": (4, 0.0), "many": (8, 0.5)})
    before = weights(policy).clone()
    text = TokenStream.encode(texts(20, split="heldout"), TOKENIZER)
    arguments = (policy, TOKENIZER, make_tasks(20), make_tasks(6, 1, "heldout"), text,
                 QUICK, (0, 1))
    rows = studies.quality(*arguments)
    assert [(r["name"], r["seed"]) for r in rows] == [
        ("few", 0), ("many", 0), ("few", 1), ("many", 1)]
    assert torch.equal(before, weights(policy))
    assert rows == studies.quality(*arguments)
    assert rows[0]["heldout_loss"] != rows[2]["heldout_loss"]
    assert all(set(row["by_kind"]) <= {t.kind for t in make_tasks(6, 1, "heldout")}
               for row in rows)


def test_scaling_varies_layers_and_pairs_and_nothing_else(policy, pairs):  # noqa: F811
    settings = RewardSettings(batch=4, warmup=0)
    rows = studies.reward_scaling(policy, TOKENIZER, pairs, pairs[:10], (8, 16), (1, 2),
                                  settings, (0,))
    assert [(row["size"], row["pairs"]) for row in rows] == [
        ("1 layers", 8), ("1 layers", 16), ("2 layers", 8), ("2 layers", 16)]
    block = sum(p.numel() for p in policy.layers[1].parameters())
    assert rows[2]["parameters"] - rows[0]["parameters"] == block
    assert all(0 <= row["accuracy"]["all"] <= 1 for row in rows)


def test_margins_are_compared_on_the_same_pairs(policy, pairs):  # noqa: F811
    rows = studies.margins(policy, TOKENIZER, pairs, pairs[:10], 12,
                           RewardSettings(batch=4, warmup=0), (0,))
    assert [row["margin"] for row in rows] == [None, "small", "large"]
    assert all(len(row["scores"]) == 20 for row in rows)
    assert rows[0]["scores"] != rows[1]["scores"] != rows[2]["scores"]


@pytest.mark.parametrize("rounds", [1, 2])
def test_with_one_round_there_is_nothing_to_forget(policy, judges, rounds,  # noqa: F811
                                                   monkeypatch):
    ends = []
    judge_it = studies_rl.judge_policy
    monkeypatch.setattr(studies_rl, "judge_policy", lambda model, *more: (
        ends.append(weights(model)) or judge_it(model, *more)))
    rows = studies_rl.forgetting(policy, judges, ITEMS[:18], ITEMS, TOKENIZER,
                                 replace(SMALL, rounds=rounds), (0,))
    assert [(row["cure"], row["judge"]) for row in rows] == [
        (False, True), (True, True), (True, False)]
    assert [row["version"] for row in rows] == [rounds] * 3
    assert torch.equal(*ends[:2]) == (rounds == 1)
    assert not torch.equal(*ends[1:])  # by lot others win


def test_the_penalty_changes_the_reward_and_not_the_first_answers(policy, judges):  # noqa: F811
    other = Judges(judges.safety, judges.helpfulness)
    runs = studies_rl.overoptimisation(
        policy, {"weak": judges, "strong": other}, (0.0, 0.5), ITEMS[:12], TOKENIZER,
        replace(SMALL.ppo, iterations=4, policy_rate=1e-2))
    assert [(r["reward"], r["beta"]) for r in runs] == [
        ("weak", 0.0), ("weak", 0.5), ("strong", 0.0), ("strong", 0.5), ("truth", 0.5)]
    first = [run["rows"][0] for run in runs[:-1]]
    assert len({row["utility"] for row in first}) == 1
    assert first[0]["score"] == first[1]["score"] != first[2]["score"]
    for run in runs:
        end = run["rows"][-1]
        assert end["kl"] != 0
        assert end["reward"] == pytest.approx(end["score"] - run["beta"] * end["kl"])


def test_the_two_sides_of_ghost_attention_differ_by_their_layout(monkeypatch):
    chat = loud(CONFIG)
    monkeypatch.setattr(ghost, "sampled", lambda policy, tokenizer, dialogues,
                        tries, generator: ghost.applied(dialogues))
    drawn = {}
    for turns in ((1,), (2,)):
        models, rows = studies_rl.ghost_attention(chat, TOKENIZER, 4, turns, 2,
                                                  turns, QUICK, (0,), 2, 1)
        drawn[turns] = torch.equal(*map(weights, models.values()))
        assert [(r["ghost"], r["turn"], r["n"]) for r in rows] == [
            (True, 1, 2), (False, 1, 2)]
    assert drawn == {(1,): True, (2,): False}  # one turn is the same in both layouts


def test_the_likeliest_answer_takes_the_likeliest_token_at_every_place(policy):  # noqa: F811
    def by_hand(ids):
        start = len(ids)
        while len(ids) < start + 6 and ids[-1] != TOKENIZER.eos_id:
            ids = ids + [int(policy(torch.tensor([ids]))[0, -1].argmax())]
        return TOKENIZER.decode([i for i in ids[start:] if i != TOKENIZER.eos_id])

    class Counted(NamedTuple):
        prompt: str

        def utility(self, text):
            return len(text) + sum(map(ord, text)) / 1000

    items = [Counted(item.prompt) for item in ITEMS[:5]]
    wanted = [item.utility(by_hand(ids).strip())
              for item, ids in zip(items, encode_items(TOKENIZER, items))]
    assert len(set(wanted)) > 1
    assert likeliest_utility(policy, items, TOKENIZER, 6) == pytest.approx(
        sum(wanted) / 5)
