"""The five versions with random models: who judges what, and what stays untouched."""

import itertools
from copy import deepcopy
from dataclasses import replace
from random import Random

import pytest
import torch
from models import loud, one_line

from minillama.alignment import rlhf, studies
from minillama.alignment.chat import Encoded, encode_answer
from minillama.alignment.judges import (
    VIEWS, Judges, compare, compare_drawn, divide, encode_items, ranked, refresh,
    scorer, truth)
from minillama.alignment.judging import Judgement, judge_policy
from minillama.alignment.losses import standardise
from minillama.alignment.ppo import PPOSettings
from minillama.alignment.preferences import Source, among
from minillama.alignment.rejection import Best, RejectionSettings, draw_answers
from minillama.alignment.reward import RewardModel, RewardSettings, accuracy
from minillama.alignment.rlhf import (
    RLHFSettings, State, imitate_best, new_judges, run, statistics, utility_of)
from minillama.alignment.rollout import answers, sample
from minillama.alignment.sft import SFTSettings, demonstrations
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.pasture import Annotator, make_borderline, make_tasks, make_unsafe, texts
from minillama.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(texts(60), 400)
CONFIG = LlamaConfig(400, 24, 2, 4, n_kv_heads=2, ffn_dim=50, max_seq_len=256)
ITEMS = [item for three in zip(make_tasks(12), make_unsafe(12), make_borderline(12))
         for item in three]
SMALL = RLHFSettings(
    prompts=9, comparisons=3, rounds=2,
    rejection=RejectionSettings(samples=2, max_new_tokens=6),
    imitation=SFTSettings(epochs=1, batch=4, length=255, peak=1e-3, warmup=0),
    refresh=RewardSettings(batch=4, warmup=0),
    ppo=PPOSettings(iterations=2, batch=4, minibatch=2, max_new_tokens=6,
                    value_warmup=1))


@pytest.fixture(scope="module")
def policy():
    return loud(CONFIG)


@pytest.fixture(scope="module")
def judges():
    models = []
    for seed in (1, 2):
        model = RewardModel(loud(CONFIG, seed), TOKENIZER).eval()
        torch.manual_seed(seed)
        torch.nn.init.normal_(model.backbone.output.weight)
        models.append(model)
    return Judges(*models)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def row_score(judges, ids, unsafe):
    """The gate worked out for one dialogue alone."""
    tokens, length = torch.tensor([ids]), torch.tensor([len(ids)])
    with torch.no_grad():
        helpful, safe = (model(tokens, length).sigmoid().item()
                         for model in (judges.helpfulness, judges.safety))
    chosen = safe if unsafe or safe < 0.15 else helpful
    return torch.tensor(chosen).logit().item()


def test_the_score_is_the_gate_of_each_answer_alone(policy, judges):
    prompts = encode_items(TOKENIZER, ITEMS)
    numbers = [4, 1, 0, 7]
    rollout = sample(policy, [prompts[i] for i in numbers], 5)
    found = scorer(judges, ITEMS)(rollout, numbers)
    for row, number in enumerate(numbers):
        ids = rollout.tokens[row, : rollout.lengths[row]].tolist()
        wanted = row_score(judges, ids, ITEMS[number].unsafe)
        assert found[row].item() == pytest.approx(wanted, abs=1e-4)
    assert {item.unsafe for item in ITEMS} == {True, False}


def test_the_unit_of_the_score_is_that_of_the_policy_before_ppo(policy, judges):
    prompts, settings = encode_items(TOKENIZER, ITEMS), SMALL.ppo
    score = scorer(judges, ITEMS)
    unit = statistics(policy, score, prompts, 2, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    rollout = sample(policy, prompts, 6, 1.0, generator, 2)
    white = standardise(score(rollout, list(range(len(ITEMS)))), unit)
    assert white.mean().abs() < 1e-4 and white.std() == pytest.approx(1, abs=1e-4)


def test_each_annotator_gets_its_own_prompts_and_a_tenth_of_the_others(policy):
    pairs = compare([Source(policy), Source(policy, 1.5)], ITEMS * 2, TOKENIZER, 0)
    kinds = {view: [p.prompt for p in pairs[view]] for view in VIEWS}
    lures = {item.prompt for item in ITEMS if item.unsafe}
    own = {"helpfulness": 48, "safety": 24}
    for view, prompts in kinds.items():
        mine = [p for p in prompts if (p in lures) == (view == "safety")]
        assert len(mine) <= own[view] and len(prompts) - len(mine) <= own[view] // 10
        assert len(prompts) > len(mine) > own[view] / 2


def test_any_part_of_what_annotators_get_is_mixed():
    items = [*make_tasks(300), *make_unsafe(300)]
    for view, mine in divide(items, 0).items():
        lures = sum(item.unsafe for item in mine[:100])
        other = lures if view == "helpfulness" else 100 - lures
        assert 3 <= other <= 20


def test_scores_do_not_depend_on_who_is_scored_beside(judges):
    """Rows are scored in order of length, and come back in their own."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 30, (150,), generator=generator)
    tokens = torch.randint(3, 400, (150, 30), generator=generator)
    found = judges.scores(tokens, lengths)
    for row in (0, 63, 64, 149):
        n = int(lengths[row])
        alone = judges.scores(tokens[row : row + 1, :n], lengths[row : row + 1])
        for one, view in zip(alone, found):
            assert one.item() == pytest.approx(view[row].item(), abs=1e-5)


def test_the_truth_as_a_judge_is_the_utility_of_each_text(policy):
    numbers = [3, 0, 3, 8]
    rollout = sample(policy, [encode_items(TOKENIZER, ITEMS)[i] for i in numbers], 8)
    texts_ = [TOKENIZER.decode(row[mask].tolist()).strip()
              for row, mask in zip(rollout.tokens, rollout.answer_mask)]
    wanted = [ITEMS[i].utility(text) for i, text in zip(numbers, texts_)]
    assert truth(ITEMS, TOKENIZER)(rollout, numbers).tolist() == pytest.approx(wanted)


def drawn_by(policy, items):
    return draw_answers(policy, encode_items(TOKENIZER, items), SMALL.rejection, 2)


def test_comparisons_are_of_answers_that_were_drawn_to_their_own_prompt(policy):
    drawn = drawn_by(policy, ITEMS)
    said = {item.prompt: set() for item in ITEMS}
    for numbers, rollout in drawn:
        for i, text in zip(numbers, answers(rollout, TOKENIZER)):
            said[ITEMS[i].prompt].add(text)
    pairs = compare_drawn(drawn, ITEMS, TOKENIZER, 3, 0)
    assert all(len(mine) > 8 for mine in pairs.values())
    for pair in (pair for mine in pairs.values() for pair in mine):
        assert {pair.chosen, pair.rejected} <= said[pair.prompt]
        assert pair.chosen != pair.rejected
    lures = {item.prompt for item in ITEMS if item.unsafe}
    assert sum(p.prompt in lures for p in pairs["safety"]) > len(pairs["safety"]) / 2
    same = {ITEMS[0].prompt: ["An owl.", "An owl."]}  # equal answers say nothing
    assert among(ITEMS[:1], same, Annotator("safety"), Random(0)) == []
    four = {ITEMS[0].prompt: ["a", "b", "c", "d"]}
    for each, wanted in ((4, 4), (6, 6), (9, 6)):  # no two answers meet twice
        found = among(ITEMS[:1], four, Annotator("safety"), Random(0), each)
        assert len(found) == len({frozenset((p.chosen, p.rejected)) for p in found})
        assert len(found) == wanted


def test_new_judges_are_asked_before_they_learn(policy, judges):
    state = State(policy, judges, {view: [] for view in VIEWS})
    drawn, row = new_judges(state, 1, ITEMS, TOKENIZER, SMALL)
    again = compare_drawn(drawn, ITEMS, TOKENIZER, SMALL.comparisons, 1)
    assert state.known == again and row["pairs"] == sum(map(len, again.values()))
    for view in VIEWS:
        before = accuracy(getattr(judges, view), TOKENIZER, ranked(again[view]))["all"]
        assert row[f"{view}_before"] == before
        assert not torch.equal(weights(getattr(judges, view)),
                               weights(getattr(state.judges, view)))


@pytest.mark.parametrize("keep", [True, False])
def test_the_best_of_earlier_rounds_are_imitated_too(policy, monkeypatch, keep):
    """Rounds of 1, 2 and 1 winners: a round adds as many earlier ones as it has."""
    seen = []
    monkeypatch.setattr(rlhf, "imitate",
                        lambda model, best, settings: seen.append(list(best)) or model)
    state, ids = State(policy, None, {}), itertools.count()
    for number, n in enumerate((1, 2, 1), 1):
        best = [Best(0, Encoded([next(ids)], [True]), 0.0) for _ in range(n)]
        imitate_best(state, number, best, replace(SMALL, keep=keep))
        assert seen[-1][:n] == [one.example for one in best]
    sizes = [len(examples) for examples in seen]
    assert sizes == ([1, 3, 2] if keep else [1, 2, 1])
    if keep:
        assert seen[1][2].ids == [0] and seen[2][1].ids[0] in (0, 1, 2)


def test_the_truth_of_the_best_is_that_of_their_texts():
    tasks = make_tasks(4)
    best = []
    for number, text in enumerate([tasks[0].reference, tasks[1].degraded[0],
                                   tasks[2].reference, ""]):
        answer = encode_answer(TOKENIZER, text)
        best.append(Best(number, Encoded([1, *answer],
                                                 [False, *[True] * len(answer)]), 0.0))
    wanted = (2 + tasks[1].utility(tasks[1].degraded[0]) + tasks[3].utility("")) / 4
    assert utility_of(best, tasks, TOKENIZER) == pytest.approx(wanted)


def test_a_refresh_makes_new_judges_and_leaves_the_old_ones(policy, judges):
    pairs = compare([Source(policy), Source(policy, 1.5)], ITEMS, TOKENIZER, 0)
    before = deepcopy(judges)
    newer = refresh(judges, pairs, pairs, TOKENIZER, SMALL.refresh)
    for view in VIEWS:
        old, kept = getattr(judges, view), getattr(before, view)
        assert torch.equal(weights(old), weights(kept))
        assert not torch.equal(weights(getattr(newer, view)), weights(old))


@pytest.fixture(scope="module")
def finished(policy, judges):
    known = {view: [] for view in VIEWS}
    return run(policy, judges, known, ITEMS, TOKENIZER, SMALL)


def test_a_run_has_all_versions_and_notes(finished, policy):
    assert list(finished.policies) == ["SFT", "V1", "V2", "V3"]
    assert finished.policies["SFT"] is policy
    every = [weights(model) for model in finished.policies.values()]
    assert all(not torch.equal(a, b) for a, b in zip(every, every[1:]))
    assert [row["version"] for row in finished.rounds] == [1, 2, 3]  # 3: for PPO
    for row in finished.rounds[:-1]:
        assert row["mean_best"] >= row["mean_median"] and row["pairs"] > 0
        assert 0 <= row["utility_of_best"] <= 1
    assert [row["iteration"] for row in finished.ppo] == [0, 1]
    assert all(0 <= row["utility"] <= 1 for row in finished.ppo)


def test_a_run_is_repeated_to_the_bit_and_leaves_its_start(policy, judges, finished):
    before = weights(policy).clone()
    again = run(policy, judges, {view: [] for view in VIEWS}, ITEMS, TOKENIZER, SMALL)
    assert again.rounds == finished.rounds and again.ppo == finished.ppo
    assert torch.equal(before, weights(policy))
    other = run(policy, judges, {view: [] for view in VIEWS}, ITEMS, TOKENIZER,
                replace(SMALL, seed=1))
    assert other.ppo != finished.ppo


def test_too_few_prompts_are_one_line(policy, judges):
    with pytest.raises(UserError) as error:
        run(policy, judges, {}, ITEMS[:5], TOKENIZER, SMALL)
    one_line(error.value, "27", "5")
    for wrong, word in (({"prompts": 0}, "prompts"), ({"comparisons": -1}, "comparisons"),
                        ({"rejection": RejectionSettings(samples=1)}, "samples")):
        with pytest.raises(UserError) as error:
            replace(SMALL, **wrong)
        one_line(error.value, word)
    with pytest.raises(UserError) as error:
        encode_items(TOKENIZER, [])
    one_line(error.value, "empty")


# Judging and the studies ------------------------------------------------------------


def test_a_policy_is_no_distance_from_itself_and_some_from_another(policy, judges):
    found = judge_policy(policy, policy, judges, ITEMS, TOKENIZER, max_new_tokens=6,
                         batch=7)
    assert isinstance(found, Judgement) and found.kl == [0.0] * len(ITEMS)
    assert set(found.kinds) >= {"unsafe", "borderline"}
    wanted = [item.utility(text) for item, text in zip(ITEMS, found.texts)]
    assert found.utility == wanted and found.mean() == pytest.approx(
        sum(wanted) / len(wanted))
    means = found.by_kind()
    assert sum(means[kind] for kind in found.kinds) / len(ITEMS) == pytest.approx(
        found.mean())
    away = judge_policy(policy, loud(CONFIG, 5), judges, ITEMS, TOKENIZER,
                        max_new_tokens=6)
    assert away.mean("kl") > 1
    with pytest.raises(UserError) as error:
        found.mean(kind="opera")
    one_line(error.value, "opera")


def test_noise_exchanges_the_share_of_answers_that_was_asked_for():
    tasks = make_tasks(200)
    for wrong, least, most in ((0.0, 0, 0), (1.0, 200, 200), (0.3, 40, 80)):
        examples = demonstrations(tasks, TOKENIZER, wrong, 0)
        texts_ = [TOKENIZER.decode([id for id, mine in zip(e.ids, e.is_answer) if mine])
                  .strip() for e in examples]
        changed = sum(text != task.reference for text, task in zip(texts_, tasks))
        assert least <= changed <= most
        assert all(text == task.reference or text in task.degraded
                   for text, task in zip(texts_, tasks))


def test_a_shallow_model_is_the_first_layers_of_the_deep_one(policy):
    short = studies.shallow(policy, 1)
    assert short.config.n_layers == len(short.layers) == 1 and len(policy.layers) == 2
    deep = deepcopy(policy)
    for block in deep.layers[1:]:  # a layer that adds nothing
        torch.nn.init.zeros_(block.attention.output.weight)
        torch.nn.init.zeros_(block.feed_forward.down.weight)
    tokens = torch.randint(400, (2, 9), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(short(tokens), deep(tokens))
