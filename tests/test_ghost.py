"""Ghost Attention: layouts by hand, the zero loss on gradients, compliance by turn."""

from dataclasses import replace

import pytest
import torch
from models import loud, one_line, random_tokens
from test_chat import letter_ids, spelling

from minillama.alignment import ghost
from minillama.alignment.chat import Message, encode_dialogue, encode_prompt
from minillama.alignment.data import pack
from minillama.alignment.ghost import (
    PROMPTS, Dialogue, Turn, applied, attention_to_system, compliance, converse, dropped,
    encode_last, joined, largest_attention, make_dialogues, ordinary, plain, sampled,
    system_span)
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.pasture import SYSTEM_PROMPTS, SystemPrompt, Task, make_tasks, texts
from minillama.tokenizer import Tokenizer
from minillama.training.data import IGNORED
from minillama.training.optimisation import next_token_loss

MOO = SystemPrompt("moo", "say moo", lambda answer: answer.endswith("moo"),
                   lambda answer: f"{answer} moo")
ANY = SystemPrompt("any", "say anything", lambda answer: True, str)


def asked(*pairs: tuple[str, str]) -> tuple[Task, ...]:
    """Tasks given as question and reference answer."""
    return tuple(Task("sum", question, answer, (), ()) for question, answer in pairs)


THREE = Dialogue(MOO, asked(("a", "b"), ("c", "d"), ("e", "f")), ("b", "d moo", "f moo"))


def spoken(messages: list[Message]) -> list[str]:
    return [f"{message.role[0]}: {message.text}" for message in messages]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(texts(300), 512)


def small(vocabulary: int, context: int = 512, seed: int = 0):
    return loud(LlamaConfig(vocabulary, 24, 2, 4, n_kv_heads=2, ffn_dim=32,
                            max_seq_len=context), seed)


# The layouts -----------------------------------------------------------------------

def test_a_dialogue_in_its_four_layouts():
    assert spoken(joined(THREE)) == [
        "u: say moo a", "a: b", "u: say moo c", "a: d moo", "u: say moo e", "a: f moo"]
    assert spoken(dropped(THREE)) == [
        "s: say moo", "u: a", "a: b", "u: c", "a: d moo", "u: e", "a: f moo"]
    assert spoken(plain(THREE)) == [
        "u: a", "a: b", "u: c", "a: d", "u: say moo e", "a: f moo"]
    assert spoken(ordinary(THREE)) == ["u: a", "a: b", "u: c", "a: d", "u: e", "a: f"]


def test_an_unfinished_dialogue_ends_with_its_next_question():
    for said, last in (((), "u: a"), (("b",), "u: c"), (("b", "x"), "u: e")):
        going = replace(THREE, answers=said)
        assert spoken(dropped(going))[-1] == last
        assert spoken(joined(going))[-1] == last.replace("u: ", "u: say moo ")
        with pytest.raises(UserError) as caught:
            plain(going)
        one_line(caught.value, "3 questions", f"{len(said)} answers")


def test_one_turn_is_the_same_with_and_without():
    one = Dialogue(MOO, THREE.tasks[:1], ("b moo",))
    assert plain(one) == dropped(one)
    assert spoken(plain(one)) == ["s: say moo", "u: a", "a: b moo"]


def test_the_comparison_learns_the_same_tokens(tokenizer):
    """Same targets, in the same order; only what stands before them differs."""
    dialogues = applied(make_dialogues(12, (1, 2, 4), seed=5))
    for dialogue in dialogues:
        ours, theirs = (encode_last(tokenizer, layout(dialogue), 1000)
                        for layout in (dropped, plain))
        ours, theirs = ([id for id, mine in zip(each.ids, each.is_answer) if mine]
                        for each in (ours, theirs))
        assert ours == theirs


# The zero loss ---------------------------------------------------------------------

@pytest.mark.parametrize("messages, layout", [
    (dropped(Dialogue(MOO, THREE.tasks[:2], ("b", "d"))),
     "^▁[INST]▁<<SYS>>\nsay▁moo\n<</SYS>>\n\na▁[/INST]▁b▁$^▁[INST]▁c▁[/INST]|▁d▁$"),
    (joined(Dialogue(MOO, asked(("a", ""), ("a", "")), ("b", "d"))),
     "^▁[INST]▁say▁moo▁a▁[/INST]▁b▁$^▁[INST]▁say▁moo▁a▁[/INST]|▁d▁$"),
    (ordinary(Dialogue(MOO, THREE.tasks[:1])), "^▁[INST]▁a▁[/INST]|▁b▁$"),
])
def test_only_the_last_answer_is_marked(messages, layout):
    """The bar stands where the loss begins and is no token."""
    encoded = encode_last(spelling(), messages, 100)
    before, learnt = layout.split("|")
    assert encoded.ids == letter_ids(before + learnt)
    assert encoded.is_answer == [False] * len(before) + [True] * len(learnt)


def gradient(model, inputs, targets) -> list[torch.Tensor]:
    model.zero_grad()
    next_token_loss(model(inputs), targets).backward()
    return [weight.grad.clone() for weight in model.parameters()]


def test_earlier_positions_get_no_gradient_at_all(tokenizer):
    """Proof at the logits: exactly zero before the last answer, and nowhere in it."""
    model = small(512)
    [dialogue] = applied(make_dialogues(1, (3,)))
    encoded = encode_last(tokenizer, dropped(dialogue), 512)
    windows = pack([encoded], len(encoded.ids) - 1)
    logits = model(windows.inputs)
    logits.retain_grad()
    next_token_loss(logits, windows.targets).backward()
    size = logits.grad.abs().amax(dim=2)[0]  # (length,)
    start = encoded.is_answer.index(True) - 1  # the first prediction that counts
    assert size[:start].max() == 0 and size[start:].min() > 0


def test_other_targets_in_earlier_turns_change_no_gradient(tokenizer):
    """The earlier answers may be asked for in any words: nothing is learnt of them."""
    model = small(512)
    [dialogue] = applied(make_dialogues(1, (3,)))
    messages = dropped(dialogue)
    zeroed = encode_last(tokenizer, messages, 512)
    usual = encode_dialogue(tokenizer, messages)
    assert zeroed.ids == usual.ids and sum(zeroed.is_answer) < sum(usual.is_answer)
    earlier = torch.tensor([u and not z for u, z in zip(
        usual.is_answer, zeroed.is_answer)])[1:].unsqueeze(0)
    other = random_tokens(model.config, 1, earlier.shape[1], seed=3)

    def gradients(encoded):
        """With the targets as they are, and with strange ones at earlier answers."""
        row = pack([encoded], len(encoded.ids) - 1)
        strange = other.where(earlier & (row.targets != IGNORED), row.targets)
        return (gradient(model, row.inputs, row.targets),
                gradient(model, row.inputs, strange))

    for asis, strange in zip(*gradients(zeroed)):
        assert torch.equal(asis, strange)
    moved = [not torch.equal(*pair) for pair in zip(*gradients(usual))]
    assert any(moved)  # and the test would notice a loss on every answer


def test_bad_dialogues_get_one_line(tokenizer):
    user, said = Message("user", "a"), Message("assistant", "b")
    for messages, fragments in (
            ([user, user, said], ("alternate",)), ([user, said, said], ("alternate",)),
            ([said], ("alternate",)), ([], ("at least one",)),
            ([user, said, user], ("the user's", "no answer")),
            ([Message("user", "[INST] a"), said], ("tag",))):
        with pytest.raises(UserError) as caught:
            encode_last(tokenizer, messages, 100)
        one_line(caught.value, *fragments)


def test_a_context_too_short_gets_one_line(tokenizer):
    [dialogue] = applied(make_dialogues(1, (4,)))
    size = len(encode_dialogue(tokenizer, dropped(dialogue)).ids)
    assert len(encode_last(tokenizer, dropped(dialogue), size).ids) == size
    model = small(512, context=size - 20)
    easy = replace(dialogue, prompt=ANY)
    for attempt in (
            lambda: encode_last(tokenizer, dropped(dialogue), size - 1),
            lambda: compliance(model, tokenizer, [dialogue], 4),
            lambda: sampled(model, tokenizer, [easy])):
        with pytest.raises(UserError) as caught:
            attempt()
        one_line(caught.value, "turn", "context holds", "fewer turns")


# Making dialogues --------------------------------------------------------------------

def test_dialogues_follow_their_seed_and_their_lengths():
    made = make_dialogues(7, (1, 3), seed=2, kinds=("sum", "sound"))
    assert [len(each.tasks) for each in made] == [1, 3, 1, 3, 1, 3, 1]
    assert made == make_dialogues(7, (1, 3), seed=2, kinds=("sum", "sound"))
    assert made[:4] == make_dialogues(4, (1, 3), seed=2, kinds=("sum", "sound"))
    assert made != make_dialogues(7, (1, 3), seed=3, kinds=("sum", "sound"))
    assert {task.kind for each in made for task in each.tasks} <= {"sum", "sound"}
    assert {each.prompt for each in make_dialogues(300, (1,))} == set(PROMPTS)


def test_no_reference_complies_by_accident_and_every_applied_one_does():
    for dialogue in applied(make_dialogues(400, (1, 2), kinds=("sound", "food"))):
        complies = dialogue.prompt.complies
        assert not any(complies(task.reference) for task in dialogue.tasks)
        assert all(complies(answer) for answer in dialogue.answers)


def test_instructions_that_measure_nothing_are_left_out_and_refused():
    idle = [prompt for prompt in SYSTEM_PROMPTS if prompt not in PROMPTS]
    assert {prompt.name for prompt in idle} == {"one-sentence", "few-words"}
    for prompts in (idle, ()):
        with pytest.raises(UserError) as caught:
            make_dialogues(2, (1,), prompts=prompts)
        one_line(caught.value, "cannot be measured")
    [own] = make_dialogues(1, (2,), prompts=[MOO])  # any other will do
    assert own.prompt == MOO


@pytest.mark.parametrize("n, turns", [(0, (1,)), (2, ()), (2, (1, 0)), (-1, (1,))])
def test_dialogues_of_nothing_get_one_line(n, turns):
    with pytest.raises(UserError) as caught:
        make_dialogues(n, turns)
    one_line(caught.value, "at least one")


# Sampling and measuring --------------------------------------------------------------

@pytest.fixture
def echo(monkeypatch):
    """A policy that obeys an instruction in the last question, or by luck.

    Returns the list of prompts that it was asked, as text.
    """
    prompts = []

    def fake(policy, tokenizer, talks, max_new_tokens, temperature, generator):
        prompts.append([spoken(talk) for talk in talks])
        said = []
        for number, talk in enumerate(talks):
            obeys = "say moo" in talk[-1].text and number % 2 or (
                talk[0].role == "system" and len(talk) == 2)
            said.append(f"{len(talk)} moo" if obeys else f"{len(talk)}")
        return said

    monkeypatch.setattr(ghost, "_draw", fake)
    return prompts


def test_sampling_goes_turn_by_turn_and_keeps_the_first_that_complies(echo):
    two = Dialogue(MOO, THREE.tasks[:2])
    done = sampled(None, None, [THREE, two], tries=2)
    assert [each.answers for each in done] == [
        ("1 moo", "3 moo", "5 moo"), ("1 moo", "3 moo")]
    assert [len(talks) for talks in echo] == [4, 4, 2]  # each asked twice
    assert echo[2][0] == ["u: say moo a", "a: 1 moo", "u: say moo c", "a: 3 moo",
                          "u: say moo e"]
    # the first of a pair never complies in this world, so one try gives nothing
    assert sampled(None, None, [THREE], tries=1) == []


def test_compliance_counts_turn_by_turn(echo):
    turns = compliance(None, None, [THREE, THREE], 3)
    assert turns == [Turn(1, 2, 2), Turn(2, 0, 2), Turn(3, 0, 2)]
    assert [turn.share for turn in turns] == [1, 0, 0]
    assert echo[2][0] == ["s: say moo", "u: a", "a: 2 moo", "u: c", "a: 4", "u: e"]
    for dialogues in ([], [THREE, Dialogue(MOO, THREE.tasks[:2])]):
        with pytest.raises(UserError) as caught:
            compliance(None, None, dialogues, 3)
        one_line(caught.value, "3 turns")


def test_conversing_greedily_is_answering_alone(tokenizer):
    """A batch of dialogues, against each answered by itself without a batch."""
    from minillama.generation import generate
    model = small(512)
    dialogues = make_dialogues(3, (2, 1), seed=4)
    together = converse(model, tokenizer, dialogues, 6)
    for dialogue, done in zip(dialogues, together):
        assert len(done.answers) == len(dialogue.tasks)
        for turn in range(len(dialogue.tasks)):
            before = replace(done, answers=done.answers[:turn])
            ids = encode_prompt(tokenizer, dropped(before))
            [alone] = generate(model, [ids], 6, 0.0, eos_id=tokenizer.eos_id)
            assert tokenizer.decode(alone).strip() == done.answers[turn]


def test_sampling_follows_its_generator(tokenizer):
    model = small(512)
    dialogues = [Dialogue(ANY, tuple(make_tasks(2, kinds=("sum",))))]

    def draw(seed):
        return sampled(model, tokenizer, dialogues, 2, 5, 1.0,
                       torch.Generator().manual_seed(seed))
    assert draw(0) == draw(0) != draw(1)


# Attention ---------------------------------------------------------------------------

def test_attention_to_the_system_text_is_the_largest_of_its_columns(tokenizer):
    """By hand, from the weights of every layer; and the columns are the text's own."""
    model = small(512)
    [dialogue] = applied(make_dialogues(1, (2,), seed=1))
    messages = dropped(dialogue)
    ids = encode_dialogue(tokenizer, messages).ids
    text = dialogue.prompt.text
    found = [(start, end) for start in range(len(ids)) for end in range(len(ids))
             if tokenizer.decode(ids[start:end]) == text]
    start, end = max(found, key=lambda span: span[1] - span[0])
    assert system_span(tokenizer, messages) == (start, end)
    for block in model.layers:
        block.attention.keep_weights = True
    with torch.no_grad():
        model(torch.tensor([ids]))
    columns = [block.attention.weights[0, :, row, start:end].max()
               for row in range(len(ids)) for block in model.layers]
    byhand = torch.stack(columns).view(len(ids), -1).amax(dim=1)
    found = attention_to_system(model, tokenizer, messages)
    torch.testing.assert_close(found, byhand)
    assert found[:start].max() == 0 and found[start:].min() > 0
    assert not any(block.attention.keep_weights for block in model.layers)


def test_the_map_of_attention_is_causal_and_names_a_missing_system_message(tokenizer):
    weights = largest_attention(small(512), list(range(3, 12)))
    assert weights.shape == (9, 9) and torch.equal(weights, weights.tril())
    assert weights[0, 0] == 1 and weights.max() <= 1
    for messages in ([], [Message("user", "a")]):
        with pytest.raises(UserError) as caught:
            attention_to_system(small(512), tokenizer, messages)
        one_line(caught.value, "no system message")
