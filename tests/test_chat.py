"""The chat format against strings written by hand, and against sentencepiece."""

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from models import one_line

from minillama.alignment.chat import (
    TAGS, Message, encode_answer, encode_dialogue, encode_prompt, question)
from minillama.errors import UserError
from minillama.pasture import texts
from minillama.sentencepiece_file import NORMAL, Vocabulary
from minillama.tokenizer import RESERVED, Tokenizer

LETTERS = "▁[]/<>SYINTabcdefghijklmnopqrstuvwxyz.?\n"


def spelling(**options) -> Tokenizer:
    """One piece a letter, so that a layout can be read letter by letter."""
    pieces = [*RESERVED, *LETTERS]
    types = [2, 3, 3, *[6] * 256, *[NORMAL] * len(LETTERS)]
    return Tokenizer(Vocabulary(pieces, [0.0] * len(pieces), types, **options))


def letter_ids(layout: str) -> list[int]:
    """Ids of a layout in which ^ stands for the begin mark and $ for the end mark."""
    return [{"^": 1, "$": 2}.get(c) or 259 + LETTERS.index(c) for c in layout]


SYSTEM, USER, ANSWER = "system", "user", "assistant"
# Messages; the layout with answers between bars, which are no tokens.
LAYOUTS = {
    "one turn": ([(USER, "hi"), (ANSWER, "yes.")], "^▁[INST]▁hi▁[/INST]|▁yes.▁$|"),
    "open": ([(USER, "why so?")], "^▁[INST]▁why▁so?▁[/INST]"),
    "two turns": (
        [(USER, "hi"), (ANSWER, "yes"), (USER, "why"), (ANSWER, "a cow")],
        "^▁[INST]▁hi▁[/INST]|▁yes▁$|^▁[INST]▁why▁[/INST]|▁a▁cow▁$|"),
    "open second": ([(USER, "hi"), (ANSWER, "yes"), (USER, "why")],
                    "^▁[INST]▁hi▁[/INST]|▁yes▁$|^▁[INST]▁why▁[/INST]"),
    "outer spaces": ([(USER, " \n hi  "), (ANSWER, "\n yes ")],
                     "^▁[INST]▁hi▁[/INST]|▁yes▁$|"),
    "system": ([(SYSTEM, "be kind"), (USER, "hi"), (ANSWER, "yes")],
               "^▁[INST]▁<<SYS>>\nbe▁kind\n<</SYS>>\n\nhi▁[/INST]|▁yes▁$|"),
    # as in the reference, only the outside of the whole is stripped
    "system's spaces": ([(SYSTEM, " s "), (USER, " hi ")],
                        "^▁[INST]▁<<SYS>>\n▁s▁\n<</SYS>>\n\n▁hi▁[/INST]"),
    "system once": (
        [(SYSTEM, "s"), (USER, "a"), (ANSWER, "b"), (USER, "c")],
        "^▁[INST]▁<<SYS>>\ns\n<</SYS>>\n\na▁[/INST]|▁b▁$|^▁[INST]▁c▁[/INST]"),
    "an answer may hold a tag": ([(USER, "a"), (ANSWER, "[INST] b")],
                                 "^▁[INST]▁a▁[/INST]|▁[INST]▁b▁$|"),
    "empty answer": ([(USER, "a"), (ANSWER, "")], "^▁[INST]▁a▁[/INST]|▁▁$|"),
}


def messages(pairs: list[tuple[str, str]]) -> list[Message]:
    return [Message(*pair) for pair in pairs]


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layout_written_by_hand(name):
    spoken, layout = LAYOUTS[name]
    encoded = encode_dialogue(spelling(), messages(spoken))
    parts = layout.split("|")
    assert encoded.ids == letter_ids("".join(parts))
    assert encoded.is_answer == [place % 2 == 1 for place, part in enumerate(parts)
                                 for _ in part]


@pytest.mark.parametrize("name", [n for n in LAYOUTS if LAYOUTS[n][0][-1][0] == USER])
def test_a_prompt_is_the_dialogue_up_to_the_answer(name):
    spoken, layout = LAYOUTS[name]
    assert encode_prompt(spelling(), messages(spoken)) == letter_ids(
        layout.replace("|", ""))


def test_a_vocabulary_that_sets_no_space_gets_one_before_the_answer():
    """Else the answer would stick to the tag, unlike in the reference's one string."""
    tokenizer = spelling(add_dummy_prefix=False)
    encoded = encode_dialogue(tokenizer, messages([(USER, "hi"), (ANSWER, "yes")]))
    assert encoded.ids == letter_ids("^[INST]▁hi▁[/INST]▁yes▁$")


TRAINED = Tokenizer.train(texts(200), 430)
WORDS = st.text(st.sampled_from("owl the.?,\n[]/IST0é▁  "), max_size=25).filter(
    lambda text: not any(tag in text for tag in TAGS))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The sentencepiece package with the same vocabulary."""
    file = tmp_path_factory.mktemp("chat") / "tokenizer.model"
    TRAINED.save(file)
    return sentencepiece.SentencePieceProcessor(model_file=str(file))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3), WORDS,
       st.none() | WORDS)
def test_ids_are_those_of_the_reference_code(reference, done, last, system):
    """chat_completion of the published code, with the sentencepiece package: every
    finished turn encoded as ONE string, and not in two parts as here."""
    spoken = [Message(role, text) for turn in done
              for role, text in zip((USER, ANSWER), turn)] + [Message(USER, last)]
    if system is not None:
        spoken.insert(0, Message(SYSTEM, system))
    dialog = [{"role": m.role, "content": m.text} for m in spoken]
    if dialog[0]["role"] == "system":
        dialog = [{"role": dialog[1]["role"],
                   "content": "<<SYS>>\n" + dialog[0]["content"] + "\n<</SYS>>\n\n"
                   + dialog[1]["content"]}] + dialog[2:]
    tokens: list[int] = []
    for prompt, answer in zip(dialog[::2], dialog[1::2]):
        text = f"[INST] {prompt['content'].strip()} [/INST] {answer['content'].strip()} "
        tokens += [1, *reference.encode(text), 2]
    tokens += [1, *reference.encode(f"[INST] {dialog[-1]['content'].strip()} [/INST]")]
    assert encode_prompt(TRAINED, spoken) == tokens


@settings(deadline=None)
@given(WORDS, WORDS)
def test_training_and_generation_see_the_same_ids(asked, said):
    given = encode_prompt(TRAINED, question(asked))
    whole = encode_dialogue(TRAINED, [*question(asked), Message(ANSWER, said)])
    assert whole.ids == given + encode_answer(TRAINED, said)
    assert whole.is_answer == [False] * len(given) + [True] * (len(whole.ids)
                                                               - len(given))


@pytest.mark.parametrize("tag", ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"])
@pytest.mark.parametrize("role", [SYSTEM, USER])
def test_a_tag_in_what_people_write_is_refused(role, tag):
    spoken = question("hi", "be kind")
    place = (SYSTEM, USER).index(role)
    spoken[place] = Message(role, f"ignore {tag} that")
    for encode in (encode_dialogue, encode_prompt):
        with pytest.raises(UserError) as caught:
            encode(spelling(), spoken)
        one_line(caught.value, f"message {place + 1} ({role}) holds the tag {tag}")


@pytest.mark.parametrize("roles, fragment", [
    ([], "at least one message of the user"),
    ([SYSTEM], "at least one message of the user"),
    ([ANSWER], "message 1 is from the assistant where the user's turn is"),
    ([USER, USER], "message 2 is from the user where the assistant's turn is"),
    ([SYSTEM, ANSWER], "message 2 is from the assistant where the user's turn is"),
    ([USER, ANSWER, ANSWER], "message 3 is from the assistant where the user's"),
    ([USER, SYSTEM], "message 2 is from the system where the assistant's turn is"),
    ([SYSTEM, SYSTEM, USER], "message 2 is from the system where the user's turn is"),
    ([USER, "bot"], "message 2 has the role 'bot': it must be one of system, user"),
])
def test_turns_that_do_not_alternate_are_refused(roles, fragment):
    with pytest.raises(UserError) as caught:
        encode_dialogue(spelling(), [Message(role, "hi") for role in roles])
    one_line(caught.value, fragment)


def test_a_prompt_that_ends_with_an_answer_and_a_text_that_is_none_are_refused():
    with pytest.raises(UserError, match="from the assistant: a prompt ends with the"):
        encode_prompt(spelling(), messages([(USER, "a"), (ANSWER, "b")]))
    with pytest.raises(UserError, match="message 1 holds NoneType, not text"):
        encode_prompt(spelling(), [Message(USER, None)])
