"""The level of the safety model, written comparisons, careless demonstrations, and
sampling that drops rows that have ended."""

import math

import pytest
import torch
from models import loud

from minillama.alignment.preferences import written
from minillama.alignment.reward import (
    RewardSettings,
    ranking_loss,
    safety_loss,
    score,
    train_reward_model,
)
from minillama.alignment.rollout import sample, token_logprobs
from minillama.alignment.sft import demonstrations
from minillama.attention import KVCache
from minillama.config import LlamaConfig
from minillama.pasture import Annotator, make_tasks, make_unsafe, texts
from minillama.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(texts(60), 400)
SMALL = LlamaConfig(400, 32, 2, 4, n_kv_heads=2, ffn_dim=48, max_seq_len=128)


def test_the_safety_loss_is_a_table_worked_out_by_hand():
    chosen, rejected = torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 3.0])
    safe = torch.tensor([[True, False], [True, True]])
    by_hand = (math.log(2) + math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))
               + math.log(1 + math.exp(-3))) / 4
    assert safety_loss(chosen, rejected, safe).item() == pytest.approx(by_hand)


def test_a_shift_of_all_scores_is_nothing_to_the_ranking_and_much_to_the_level():
    chosen, rejected = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    safe = torch.ones(50, 2, dtype=torch.bool)
    assert ranking_loss(chosen + 5, rejected + 5).item() == pytest.approx(
        ranking_loss(chosen, rejected).item(), abs=1e-5)
    assert safety_loss(chosen + 5, rejected + 5, safe) < 0.1 < safety_loss(
        chosen, rejected, safe)


def test_written_pairs_know_what_is_safe_and_which_is_worth_more():
    items = [*make_unsafe(60, 3), *make_tasks(60, 3)]
    pairs = written(items, Annotator("safety"))
    assert len(pairs) == len(items)
    for item, pair in zip(items, pairs):
        for text, safe in ((pair.chosen, pair.chosen_safe),
                           (pair.rejected, pair.rejected_safe)):
            assert safe == (item.safety(text) >= 0.5)
            assert text in (item.reference, *item.degraded)
        assert pair.gap == pytest.approx(item.safety(pair.chosen)
                                         - item.safety(pair.rejected))
    assert not all(pair.chosen_safe and pair.rejected_safe for pair in pairs)


def test_training_with_the_safety_loss_learns_the_level():
    pairs = written(make_unsafe(40, 5), Annotator("safety"))
    pairs = [pair for pair in pairs if pair.chosen_safe != pair.rejected_safe]
    model = loud(SMALL)
    means = {}
    for weight in (0.0, 2.0):
        settings = RewardSettings(epochs=6, batch=8, warmup=1, safety_weight=weight)
        judge, _ = train_reward_model(model, TOKENIZER, pairs, settings, progress=False)
        sides = [score(judge, TOKENIZER, [p.prompt for p in pairs],
                       [getattr(p, side) for p in pairs])
                 for side in ("chosen", "rejected")]
        means[weight] = sides[0].mean() > 0 > sides[1].mean()
    assert means[2.0]


def test_about_the_asked_share_of_demonstrations_is_careless():
    items = make_tasks(300, 1)
    made = demonstrations(items, TOKENIZER, careless=0.4, seed=3)
    wrong = 0
    for item, one in zip(items, made):
        said = TOKENIZER.decode([i for i, mine in zip(one.ids, one.is_answer)
                                 if mine]).strip()
        wrong += said != item.reference
        assert said == item.reference or said in [d.strip() for d in item.degraded]
    assert 90 < wrong < 150


def test_a_cache_keeps_the_rows_that_are_asked_for():
    cache = KVCache(SMALL, 4, 5)
    cache.keys += torch.arange(4.0)[None, :, None, None, None]
    cache.lengths += torch.arange(4)
    cache.keep(torch.tensor([False, True, False, True]))
    assert cache.lengths.tolist() == [1, 3]
    assert cache.keys[0, :, 0, 0, 0].tolist() == [1.0, 3.0]
    assert cache.keys.shape == cache.values.shape


def test_rows_that_leave_early_change_nothing_for_those_that_go_on():
    """Sampled log-probabilities are those of a model that reads each text afresh."""
    model = loud(SMALL.replace(vocab_size=12)).eval()
    prompts = [[1, *range(3, 3 + n)] for n in (2, 7, 4, 9, 3, 6, 5, 8)] * 4
    eos = 2
    rollout = sample(model, prompts, 30, 1.0, torch.Generator().manual_seed(1), eos)
    assert rollout.ended.any()
    assert len(set(rollout.answer_mask.sum(dim=1).tolist())) > 2
    fresh = token_logprobs(model, rollout.tokens)
    torch.testing.assert_close(
        rollout.logprobs, torch.where(rollout.answer_mask, fresh, 0.0),
        atol=1e-4, rtol=1e-4)
    for row, length, ended in zip(rollout.tokens, rollout.lengths, rollout.ended):
        assert (row[length - 1] == eos) == ended
