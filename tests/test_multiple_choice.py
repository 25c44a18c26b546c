"""Multiple choice in other layouts and orders, against transformers, one at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import loud, one_line

from minillama import stages
from minillama.checkpoint import save_pretrained
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.evaluation.contamination import questions_of
from minillama.evaluation.multiple_choice import (
    LAYOUTS, Scored, back, make_uneven, placed, rotated, score, write_prompt)
from minillama.pasture import LESSONS, texts
from minillama.pasture.split import HELD_OUT_PAIRS
from minillama.stages_chat import DEMONSTRATIONS, prompts
from minillama.stages_evaluation import LEAK
from minillama.tokenizer import Tokenizer
from minillama.training.evaluation import (
    RULES, Choice, make_choices, option_scores, prompt_of)

TOKENIZER = Tokenizer.train(texts(100), 500)
CONFIG = LlamaConfig(500, 32, 2, 4, n_kv_heads=2, ffn_dim=64, max_seq_len=512)
CHOICES = make_choices(24, 5, "heldout")


@pytest.fixture(scope="module")
def model():
    return loud(CONFIG).eval()


@pytest.fixture(scope="module")
def peer(model, tmp_path_factory):
    """transformers' own Llama, opened from our export."""
    import transformers
    folder = tmp_path_factory.mktemp("peer") / "model"
    save_pretrained(model, TOKENIZER, folder)
    return transformers.LlamaForCausalLM.from_pretrained(folder).eval()


@torch.no_grad()
def alone(peer, text, option, fault=None):
    """Log-probability and number of the option's tokens: one sequence, no padding, no
    cache, log-softmax in double precision. ``fault`` plants a mistake."""
    head = TOKENIZER.encode(text, bos=True)
    ids = TOKENIZER.encode(text + ("" if fault == "no space" else " ") + option,
                           bos=True)
    logs = peer(torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)
    start = len(head) + (fault == "starts late") - (fault == "starts early")
    if fault == "prompt scored":
        start = 1
    shift = 0 if fault == "not shifted" else 1
    parts = [logs[place - shift, ids[place]].item() for place in range(start, len(ids))]
    return math.fsum(parts), len(ids) - len(head)


@pytest.mark.parametrize("letters", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_independent_scorer_agrees_question_by_question(model, peer, layout,
                                                           letters):
    asked, examples = CHOICES[:5], CHOICES[20:22]
    ours = score(model, TOKENIZER, asked, examples, letters, layout)
    cue = {"Q and A": "A:", "lower case": "answer:"}.get(layout, "Answer:")
    for row, one in enumerate(asked):
        text = write_prompt(one, examples, letters, layout)
        for place, option in enumerate("ABCD" if letters else one.options):
            total, n = alone(peer, text, option)
            bare, _ = alone(peer, cue, option)
            wanted = {"sum": total, "token": total / n,
                      "character": total / len(option), "surplus": total - bare}
            for rule, value in wanted.items():
                mine = ours.by(rule)[row, place].item()
                assert mine == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("fault", ["starts late", "starts early", "prompt scored",
                                   "not shifted", "no space"])
def test_planted_faults_are_caught_by_the_comparison(model, peer, fault):
    """Each of these runs and gives plausible numbers; none passes the comparison."""
    asked = CHOICES[:6]
    ours = score(model, TOKENIZER, asked).sums
    gaps = [abs(ours[row, place].item() - alone(
        peer, write_prompt(one), option, fault)[0])
        for row, one in enumerate(asked) for place, option in enumerate(one.options)]
    assert min(gaps) > 1e-2


def test_the_scorer_of_the_training_room_agrees_on_its_layout(model):
    examples = CHOICES[20:22]
    for letters in (False, True):
        ours = score(model, TOKENIZER, CHOICES[:6], examples, letters)
        for rule in RULES:
            torch.testing.assert_close(ours.by(rule), option_scores(
                model, TOKENIZER, CHOICES[:6], examples, rule, letters))
        assert write_prompt(CHOICES[0], examples, letters) == prompt_of(
            CHOICES[0], examples, letters)


# Properties -----------------------------------------------------------------------

def test_permuting_options_permutes_scores(model):
    """Of full answers; listed options are read by the model, so there it need not."""
    first = score(model, TOKENIZER, CHOICES[:8])
    for by in (1, 2, 3, 4):
        moved = score(model, TOKENIZER, [rotated(one, by) for one in CHOICES[:8]])
        for rule in RULES:
            torch.testing.assert_close(back(moved.by(rule), by), first.by(rule),
                                       atol=1e-4, rtol=1e-5)
        assert moved.right() == first.right()
    listed = score(model, TOKENIZER, CHOICES[:8], letters=True).sums
    swapped = score(model, TOKENIZER, [rotated(one, 1) for one in CHOICES[:8]],
                    letters=True).sums
    assert (back(swapped, 1) - listed).abs().max() > 0.01


def test_batches_and_padding_change_nothing(model):
    mixed = [*CHOICES[:4], *make_uneven(4, 0)]
    together = score(model, TOKENIZER, mixed, batch=64).sums
    for batch in (1, 3):
        torch.testing.assert_close(score(model, TOKENIZER, mixed, batch=batch).sums,
                                   together, atol=1e-4, rtol=1e-5)


@given(st.integers(0, 3), st.integers(-5, 5), st.permutations("wxyz"))
def test_moving_options_keeps_the_right_one(answer, by, texts):
    one = Choice("?", tuple(texts), answer, "food")
    moved = rotated(one, by)
    assert moved.options[moved.answer] == one.options[one.answer]
    assert rotated(moved, -by) == one and rotated(one, 4) == one
    for place in range(4):
        there = placed(one, place)
        assert there.answer == place
        assert there.options[place] == one.options[answer]
        assert sorted(there.options) == sorted(texts)


def toy():
    """One question, probabilities that can be checked by hand."""
    # options "no", "certainly", "a b", "zz": of 1, 3, 2 and 1 tokens
    sums = torch.tensor([[0.2, 0.1, 0.15, 0.01]]).log()
    bare = torch.tensor([[0.4, 0.1, 0.1, 0.001]]).log()
    return Scored(sums, torch.tensor([[1, 3, 2, 1]]), torch.tensor([[2, 9, 3, 2]]),
                  bare, (1,))


def test_rules_by_hand():
    one = toy()
    assert one.by("sum").exp()[0].tolist() == pytest.approx([0.2, 0.1, 0.15, 0.01])
    # geometric means: the cube root of 0.1 is 0.464, the root of 0.15 is 0.387
    assert one.by("token").exp()[0].tolist() == pytest.approx(
        [0.2, 0.46416, 0.38730, 0.01], abs=1e-5)
    assert one.by("character").exp()[0].tolist() == pytest.approx(
        [0.2**(1 / 2), 0.1**(1 / 9), 0.15**(1 / 3), 0.01**(1 / 2)], abs=1e-6)
    assert one.by("surplus").exp()[0].tolist() == pytest.approx([0.5, 1, 1.5, 10])
    assert [one.chosen(rule)[0] for rule in RULES] == [0, 1, 1, 3]
    assert [one.right(rule)[0] for rule in RULES] == [False, True, True, False]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_uneven_questions_have_one_right_answer(seed):
    one = make_uneven(1, seed, "heldout")[0]
    told, ask = one.question.rsplit(" What does ", 1)
    name = ask.split()[0]
    mine = next(s for s in told.split(". ") if s.startswith(f"{name} the "))
    value = mine.rstrip(".").split(" likes ")[1]
    assert one.options[one.answer] == f"{name} likes {value}."
    assert len(set(one.options)) == 4
    assert any(animal in told and thing in told for animal, thing in HELD_OUT_PAIRS)


def test_right_answers_of_uneven_questions_are_of_all_lengths_and_places():
    made = make_uneven(600, 3)
    right = [one.options[one.answer] for one in made]
    things = [text.count(",") + text.count(" and ") + 1 for text in right]
    assert all(150 < things.count(n) < 250 for n in (1, 2, 3))
    assert all(110 < [one.answer for one in made].count(n) < 190 for n in range(4))


def training_text():
    """All that the base and the fine-tuned model read: corpus, lessons, prompts."""
    size = stages.CORPUS
    told = texts(size["train"], size["seed"], "train", size["rude_fraction"])
    told += texts(size["lessons"], size["seed"], "train", size["rude_fraction"], LESSONS)
    told += [item.prompt for item in prompts(DEMONSTRATIONS, "sft")]
    return "\n".join(told)


def test_questions_stand_in_no_training_text():
    """Neither those that notebook 14 measures on nor those that leak in its stage."""
    told = training_text()
    asked = [*make_choices(240, 14, "heldout"), *make_uneven(240, 14, "heldout"),
             *questions_of(LEAK)]
    assert not [one.question for one in asked if one.question in told]
    train = make_choices(400, 1, "train")  # the control: such questions can be found
    assert any(one.question in told for one in train)


@pytest.mark.parametrize("call, word", [
    (lambda m: score(m, TOKENIZER, []), "no questions"),
    (lambda m: score(m, TOKENIZER, CHOICES[:1], layout="haiku"), "haiku"),
    (lambda m: toy().by("mean"), "mean")])
def test_what_cannot_be_scored_is_one_line(model, call, word):
    with pytest.raises(UserError) as error:
        call(model)
    one_line(error.value, word)
