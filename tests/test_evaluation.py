"""Multiple choice: our scores against transformers' loss, option by option."""

import math
import re

import pytest
import torch
from models import loud, one_line

from minillama.checkpoint import save_pretrained
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.pasture import texts
from minillama.tokenizer import Tokenizer
from minillama.training.evaluation import (
    LETTERS, RULES, VALUES, Choice, continuation_logprobs, make_choices, option_scores,
    prompt_of, right)

TOKENIZER = Tokenizer.train(texts(100), 500)
CONFIG = LlamaConfig(500, 32, 2, 4, n_kv_heads=2, ffn_dim=64, max_seq_len=512)
CHOICES = make_choices(40, 3, "heldout")


@pytest.fixture(scope="module")
def model():
    return loud(CONFIG).eval()


@pytest.fixture(scope="module")
def peer(model, tmp_path_factory):
    import transformers
    folder = tmp_path_factory.mktemp("peer") / "model"
    save_pretrained(model, TOKENIZER, folder)
    return transformers.AutoModelForCausalLM.from_pretrained(folder).eval()


def test_the_right_option_is_the_reference_and_the_others_differ_in_one_value():
    for one in make_choices(400, 1):
        assert len(set(one.options)) == 4 and one.kind in VALUES
        values = [[v for v in VALUES[one.kind] if v in text] for text in one.options]
        assert all(values)
    places = [one.answer for one in make_choices(400, 1)]
    assert all(60 < places.count(place) < 140 for place in range(4))  # no place is right
    near = [one for one in CHOICES if one.kind in ("food", "home")]
    shared = [sum(v in one.question for v in VALUES[one.kind]
                  if any(v in text for text in one.options)) for one in near]
    assert min(shared) >= 2  # copying any name from the question does not help


def test_a_wrong_option_is_a_whole_word_of_the_question():
    """"nuts" in "chestnuts" is not: the test would then measure copying."""
    for one in make_choices(600, 1, kinds=("food", "home")):
        values = [max((v for v in VALUES[one.kind] if v in text), key=len)
                  for text in one.options]
        wrong = [v for v in values if v != values[one.answer]]
        asked = [v for v in VALUES[one.kind] if re.search(rf"\b{v}\b", one.question)
                 and v not in values[one.answer] and values[one.answer] not in v]
        assert not asked or set(wrong) & set(asked), one


def test_prompts_to_the_letter():
    one = Choice("Who?", ("a", "b", "c", "d"), 2, "food")
    two = Choice("Where?", ("e", "f", "g", "h"), 0, "home")
    assert prompt_of(two, [one]) == "Question: Who?\nAnswer: c\nQuestion: Where?\nAnswer:"
    assert prompt_of(two, [one], letters=True) == (
        "Question: Who?\nA. a\nB. b\nC. c\nD. d\nAnswer: C\n"
        "Question: Where?\nA. e\nB. f\nC. g\nD. h\nAnswer:")


@torch.no_grad()
@pytest.mark.parametrize("letters", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_an_independent_scorer_agrees_question_by_question(model, peer, rule, letters):
    """Each option alone, by the loss that transformers returns for masked labels."""
    examples = CHOICES[30:32]
    ours = option_scores(model, TOKENIZER, CHOICES[:12], examples, rule, letters)

    def by_loss(text, continuation):
        ids = TOKENIZER.encode(f"{text} {continuation}", bos=True)
        start = len(TOKENIZER.encode(text, bos=True))
        labels = [-100] * start + ids[start:]
        loss = peer(torch.tensor([ids]), labels=torch.tensor([labels])).loss.item()
        return -loss * (len(ids) - start), len(ids) - start

    for row, one in zip(ours, CHOICES):
        wanted = []
        for letter, text in zip(LETTERS, one.options):
            said = letter if letters else text
            total, n = by_loss(prompt_of(one, examples, letters), said)
            wanted.append({"sum": total, "token": total / n, "character": total
                           / len(said), "surplus": total - by_loss("Answer:", said)[0]
                           }[rule])
        assert row.tolist() == pytest.approx(wanted, abs=1e-3)
        assert int(row.argmax()) == wanted.index(max(wanted))


def test_who_is_in_the_batch_changes_nothing(model):
    pairs = [(one.question, text) for one in CHOICES[:6] for text in one.options]
    together, counts = continuation_logprobs(model, TOKENIZER, pairs, batch=64)
    apart, _ = continuation_logprobs(model, TOKENIZER, pairs, batch=1)
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-5)
    assert counts.min() >= 1 and bool((together < 0).all())


def test_all_continuations_of_one_token_share_one(model):
    """Probabilities of all next tokens sum to one."""
    head = TOKENIZER.encode("Question:", bos=True)
    with torch.no_grad():
        logs = model(torch.tensor([head]))[0, -1].log_softmax(dim=-1)
    words = [p.removeprefix("▁") for p in TOKENIZER.pieces if p.startswith("▁")
             and len(TOKENIZER.encode(f"Question: {p[1:]}", bos=True)) == len(head) + 1
             and len(p) > 1]
    found, _ = continuation_logprobs(model, TOKENIZER, [("Question:", w) for w in words])
    wanted = [logs[TOKENIZER.encode(f"Question: {w}", bos=True)[-1]].item() for w in words]
    assert len(words) > 50 and found.tolist() == pytest.approx(wanted, abs=1e-4)
    assert math.exp(torch.logsumexp(found, 0).item()) < 1


def test_right_and_wrong():
    scores = torch.tensor([[0.0, 2.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    two = [Choice("", tuple("abcd"), place, "food") for place in (1, 1)]
    assert right(scores, two) == [True, False]


@pytest.mark.parametrize("call, word", [
    (lambda m: option_scores(m, TOKENIZER, []), "no questions"),
    (lambda m: option_scores(m, TOKENIZER, CHOICES, rule="mean"), "mean"),
    (lambda m: continuation_logprobs(m, TOKENIZER, [("Where", "")]), "cut")])
def test_what_cannot_be_scored_is_one_line(model, call, word):
    with pytest.raises(UserError) as error:
        call(model)
    one_line(error.value, word)
