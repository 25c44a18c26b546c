"""No held-out prompt occurs in any text that a model of the safety hour learns from."""

from functools import cache

import pytest

from minillama import pasture, stages
from minillama import stages_chat as chat
from minillama import stages_safety as safety
from minillama.alignment import ghost, red_team
from minillama.alignment.chat import chat_texts

SEEDS = chat.SEEDS


@cache
def heldout() -> dict[str, set[str]]:
    """Prompts that something is measured with, by where they are used."""
    asked = {f"asked {seed}": safety.asked(safety.AXES, seed)
             for seed in (*SEEDS, *(f"axes/{seed}" for seed in SEEDS), "lecture")}
    asked |= {f"attacks {seed}": [one for _, one in red_team.attacks(
        pasture.make_unsafe(safety.TESTED, f"tests/{seed}", "heldout"),
        tuple(red_team.STYLES), seed)] for seed in SEEDS}
    asked |= {name: pasture.make_unsafe(100, name, "heldout")
              for name in ("keywords", "shown", "styles")}
    asked["judged"] = [*chat.heldout_prompts(),
                       *pasture.make_tasks(240, "judged", "heldout", chat.KINDS)]
    asked["rewards"] = [
        *chat.prompts(chat.PUBLIC["heldout"], "public", "heldout"),
        *chat.prompts(chat.COMPARED["heldout"], "compared", "heldout", chat.UNSAFE)]
    return {name: {one.prompt for one in items} for name, items in asked.items()}


@cache
def learnt() -> dict[str, set[str]]:
    """Prompts that something is learnt from, by where they are used."""
    each = chat.RLHF.prompts * (chat.RLHF.rounds + 1)
    asked = {"sft": chat.prompts(chat.DEMONSTRATIONS, "sft"),
             "sft_study": chat.prompts(2400, "study"),
             "public": chat.prompts(chat.PUBLIC["train"], "public"),
             "compared": chat.prompts(chat.COMPARED["train"], "compared", "train",
                                      chat.UNSAFE),
             "forgetting": chat.prompts(chat.FORGETFUL.prompts * chat.FORGETFUL.rounds,
                                        "forgetting"),
             "overoptimisation": chat.prompts(1000, "overoptimisation"),
             "helpful": safety.helpful(), "distilled": safety.distilled_from(),
             "safety": pasture.make_unsafe(safety.SCALING["safety"], "safety"),
             "unguarded": sum(safety.taught(), []),
             "harmful": pasture.make_unsafe(safety.HARMFUL, "harmful"),
             "harmless": pasture.make_tasks(safety.HARMFUL, "harmless", "train",
                                            chat.KINDS)}
    for seed in SEEDS:
        asked[f"rlhf {seed}"] = chat.prompts(each, f"rlhf/{seed}")
        asked[f"ghost {seed}"] = [task for one in ghost.make_dialogues(
            chat.DIALOGUES["ghost"], chat.TURNS, seed) for task in one.tasks]
        for number in range(safety.ROUNDS):
            asked[f"round {seed}/{number}"] = [
                *safety.beside(seed, number), *(one for _, one in red_team.attacks(
                    safety.tried(seed, number), tuple(red_team.STYLES), seed))]
    return {name: {one.prompt for one in items} for name, items in asked.items()}


@cache
def corpus() -> str:
    """All that the base is pretrained on, and what the tokenizer learns from."""
    made = stages.CORPUS
    texts = pasture.texts(made["train"], made["seed"], "train", made["rude_fraction"])
    texts += pasture.texts(made["lessons"], made["seed"], "train",
                           made["rude_fraction"], pasture.LESSONS)
    return "\n\n".join(texts + chat_texts(stages.TOKENIZER["dialogues"]))


def overlaps(asked: set[str], known: dict[str, set[str]]) -> dict[str, set[str]]:
    """Prompts that are learnt from somewhere."""
    return {name: asked & prompts for name, prompts in known.items()
            if asked & prompts}


@pytest.mark.parametrize("name", heldout())
def test_no_held_out_prompt_is_learnt_from(name):
    assert len(heldout()[name]) >= 15
    assert overlaps(heldout()[name], learnt()) == {}


def test_no_held_out_prompt_stands_in_the_pretraining_text():
    prompts = set().union(*heldout().values())
    assert len(prompts) > 1000 and len(corpus()) > 5_000_000
    assert [prompt for prompt in prompts if prompt in corpus()] == []


def test_a_leak_would_be_noticed():
    known = next(iter(learnt()["sft"]))
    assert overlaps({known, "never asked"}, learnt())["sft"] == {known}
    title = corpus().split("\n\n")[123]
    assert title in corpus() and len(title) > 20


def test_rounds_and_runs_are_asked_different_things():
    """A round that is asked what an earlier one was would find what was patched."""
    for seed in SEEDS:
        seen = [frozenset(one.prompt for one in safety.tried(seed, number))
                for number in range(safety.ROUNDS + 1)]
        assert len(set(seen)) == len(seen)
    assert safety.asked(9, 0) != safety.asked(9, 1)
    items = safety.asked(9, 0)
    assert [item.unsafe for item in items] == [True] * 9 + [False] * 18
    assert [isinstance(item, pasture.Task) for item in items] == [False] * 18 + (
        [True] * 9)
