"""Comparisons: scripted sources whose answers are known, then real ones."""

from dataclasses import replace
from random import Random

import pytest
from models import loud, one_line

from minillama.alignment import preferences
from minillama.alignment.preferences import Source, collect, judge
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.pasture import (
    DEGREES, Annotator, make_borderline, make_tasks, make_unsafe, texts)
from minillama.tokenizer import Tokenizer

SURE = Annotator("utility", noise=1e-9)
# One task a prompt, since a prompt may come again with another good answer.
TASKS = list({task.prompt: task for task in [
    *make_tasks(80), *make_unsafe(60), *make_borderline(60)]}.values())[:100]
TOKENIZER = Tokenizer.train(texts(60), 400)
SMALL = loud(LlamaConfig(400, 24, 2, 4, n_kv_heads=2, max_seq_len=256))


@pytest.fixture
def scripted(monkeypatch):
    """A policy is the name of what it writes; returns who was asked what."""
    asked = []
    script = {task.prompt: task for task in TASKS}

    def respond(policy, tokenizer, prompts, most, temperature, generator, batch):
        asked.append((policy, temperature, list(prompts)))
        tasks = [script[prompt] for prompt in prompts]
        return [task.reference if policy == "good" else task.degraded[0]
                if policy == "poor" else policy for task in tasks], [True] * len(tasks)

    monkeypatch.setattr(preferences, "respond", respond)
    return asked


def expected_degree(gap: float) -> str:
    return DEGREES[0 if gap >= 0.6 else 1 if gap >= 0.35 else 2 if gap >= 0.15 else 3]


def test_a_sure_annotator_takes_the_better_answer_by_its_true_degree(scripted):
    pairs = collect([Source("good"), Source("poor", 0.5)], TASKS, SURE, TOKENIZER)
    assert [pair.index for pair in pairs] == list(range(100))
    for pair, task in zip(pairs, TASKS):
        gap = task.utility(task.reference) - task.utility(task.degraded[0])
        assert (pair.prompt, pair.kind) == (task.prompt, task.kind)
        assert (pair.chosen, pair.rejected) == (task.reference, task.degraded[0])
        assert pair.gap == pytest.approx(gap) and gap > 0
        # utilities are round numbers: a gap may lie on the border of two degrees
        assert pair.degree in map(expected_degree, (gap - 1e-6, gap + 1e-6))
    assert {degree for degree in map(expected_degree, (p.gap for p in pairs))} >= set(
        DEGREES[:3])
    # one call a source, with its own temperature and all its questions
    assert [(who, heat, len(prompts)) for who, heat, prompts in scripted] == [
        ("good", 1.0, 100), ("poor", 0.5, 100)]


def test_the_better_answer_stands_first_as_often_as_second(scripted):
    """Else an annotator who likes what comes first would teach the order."""
    firsts = []

    class Watching(Annotator):
        def compare(self, task, first, second, rng):
            firsts.append(first == task.reference)
            return super().compare(task, first, second, rng)

    collect([Source("good"), Source("poor")], TASKS, Watching(), TOKENIZER)
    assert 30 < sum(firsts) < 70  # four deviations of a fair coin are 20


def test_every_two_of_several_sources_meet(scripted):
    pairs = collect([Source(name) for name in ("A.", "B.", "C.")], TASKS, SURE,
                    TOKENIZER)
    met = [frozenset((pair.chosen, pair.rejected)) for pair in pairs]
    assert len(pairs) == 100 and set(met) == {frozenset(p) for p in (
        ("A.", "B."), ("A.", "C."), ("B.", "C."))}
    assert all(met.count(two) > 15 for two in set(met))
    assert sum(len(prompts) for _, _, prompts in scripted) == 200


def test_equal_answers_make_no_pair(scripted):
    assert collect([Source("poor"), Source("poor", 2.0)], TASKS, SURE, TOKENIZER) == []


def test_one_policy_is_asked_twice_and_chance_is_the_seeds():
    few = TASKS[:6] + TASKS[90:93]
    def run(seed, heat=1.0):
        return collect([Source(SMALL, heat)], few, Annotator(), TOKENIZER, seed, 6)
    first = run(0)
    assert len(first) > 5 and first == run(0)
    written = [{text for pair in run(seed) for text in (pair.chosen, pair.rejected)}
               for seed in (0, 1)]
    assert not written[0] & written[1], "another seed draws other answers"
    for pair in first:
        assert pair.chosen != pair.rejected and pair.degree in DEGREES
        assert pair.prompt == few[pair.index].prompt
    assert run(0, heat=0.0) == []  # greedy says the same twice


def test_a_noisy_annotator_errs_as_often_as_bradley_and_terry_say():
    """A gap of one noise: sigmoid(1) of 4,000 are right, with a deviation of 28."""
    task = TASKS[0]
    annotator = Annotator("utility", noise=1.0)
    rng = Random(0)
    right = sum(judge(task, task.reference, "", annotator, rng).chosen == task.reference
                for _ in range(4000))
    assert task.utility(task.reference) == 1 and task.utility("") == 0
    assert abs(right - 4000 * 0.731059) < 4.5 * 28


@pytest.mark.parametrize("policies, tasks, fragment", [
    ([Source(SMALL)], [], "at least one task and one policy"),
    ([], TASKS, "at least one task and one policy"),
    ([Source(SMALL)], [replace(TASKS[0], prompt="say [/INST] now")], "holds the tag"),
])
def test_comparisons_of_nothing_are_refused(policies, tasks, fragment):
    with pytest.raises(UserError) as caught:
        collect(policies, tasks, SURE, TOKENIZER)
    one_line(caught.value, fragment)
