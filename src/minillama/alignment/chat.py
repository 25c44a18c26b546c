"""The chat format: how a dialogue becomes one row of tokens.

A turn is ``<s>[INST] question [/INST] answer </s>``, and turns follow one another. A
system message stands inside the first question. The format is that of Llama 2's
reference code (``chat_completion``); section 3.1 of the paper trains on it.

Training and generation must see the same ids. The reference encodes a finished turn
as one string and an open turn up to ``[/INST]`` only; the two agree as long as no piece
reaches across the space between the tag and the answer. That holds for every
SentencePiece vocabulary of words, ours and Llama 2's among them. Here a turn is always
encoded in two parts, so the ids agree whatever the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..pasture import SYSTEM_PROMPTS, make_borderline, make_tasks, make_unsafe
from ..tokenizer import Tokenizer

B_INST, E_INST = "[INST]", "[/INST]"
B_SYS, E_SYS = "<<SYS>>\n", "\n<</SYS>>\n\n"
TAGS = (B_INST, E_INST, B_SYS.strip(), E_SYS.strip())
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Message:
    """What one side says; ``role`` is "system", "user" or "assistant"."""

    role: str
    text: str


@dataclass(frozen=True)
class Encoded:
    """A dialogue in tokens. Both lists have one entry a token."""

    ids: list[int]
    is_answer: list[bool]  # what the assistant writes, its end marks included


def encode_dialogue(tokenizer: Tokenizer, messages: Sequence[Message]) -> Encoded:
    """Encode a dialogue and mark the tokens that the assistant is to write.

    A dialogue may end with the user: its last turn is then open, with neither answer
    nor end mark. Raises UserError where the roles do not alternate and where a tag
    stands inside a user's or system text. Section 3.1.
    """
    # step 1: pairs of question and answer, the system text inside the first question
    turns = _turns(messages)
    ids: list[int] = []
    is_answer: list[bool] = []
    for question, answer in turns:
        # step 2: what the assistant is given
        given = tokenizer.encode(f"{B_INST} {question.strip()} {E_INST}", bos=True)
        ids += given
        is_answer += [False] * len(given)
        # step 3: what the assistant writes; a loss is taken here only
        if answer is not None:
            written = encode_answer(tokenizer, answer)
            ids += written
            is_answer += [True] * len(written)
    return Encoded(ids, is_answer)


def encode_answer(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of an answer behind ``[/INST]``, up to and with the end mark.

    The reference puts a space on either side of the answer. The one before it is the
    mark that the tokenizer sets before every text, the one behind it is a token.
    """
    space = "" if tokenizer.vocabulary.add_dummy_prefix else " "
    return tokenizer.encode(f"{space}{text.strip()} ", eos=True)


def encode_prompt(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The ids after which the assistant's next answer begins.

    Raises UserError as encode_dialogue does, and where the last word is not the user's.
    """
    if messages and messages[-1].role != "user":
        raise UserError(f"the last message is from the {messages[-1].role}: a prompt "
                        "ends with the user")
    return encode_dialogue(tokenizer, messages).ids


def chat_texts(n: int, seed: int = 0) -> list[str]:
    """``n`` dialogues of one turn as text, tags and all, for a tokenizer to learn from.

    Llama 2's tokenizer has met brackets and capitals enough in its two trillion tokens
    to write ``[INST]`` in three pieces. Ours would need eight: the Pasture has none.
    """
    tasks = [*make_tasks(n - 2 * (n // 6), seed), *make_unsafe(n // 6, seed),
             *make_borderline(n // 6, seed)]
    texts = []
    for number, task in enumerate(tasks):
        system = SYSTEM_PROMPTS[number % len(SYSTEM_PROMPTS)].text
        before = f"{B_SYS}{system}{E_SYS}" if number % 10 == 0 else ""
        texts.append(f"{B_INST} {before}{task.prompt} {E_INST} {task.reference}")
    return texts


def question(text: str, system: str | None = None) -> list[Message]:
    """The messages of one question, perhaps under a system message."""
    before = [] if system is None else [Message("system", system)]
    return [*before, Message("user", text)]


def _turns(messages: Sequence[Message]) -> list[tuple[str, str | None]]:
    """Questions with their answers; None for the answer that is still to come."""
    for number, message in enumerate(messages, 1):
        _check(number, message)
    system = messages[0].text if messages and messages[0].role == "system" else None
    spoken = list(messages[system is not None:])
    if not spoken:
        raise UserError("a dialogue needs at least one message of the user")
    for number, message in enumerate(spoken):
        expected = ("user", "assistant")[number % 2]
        if message.role != expected:
            raise UserError(
                f"message {number + 1 + (system is not None)} is from the "
                f"{message.role} where the {expected}'s turn is: after an optional "
                "system message, user and assistant alternate")
    texts: list[str | None] = [message.text for message in spoken]
    if system is not None:
        texts[0] = B_SYS + system + E_SYS + spoken[0].text
    if len(texts) % 2:
        texts.append(None)
    return list(zip(texts[::2], texts[1::2]))


def _check(number: int, message: Message) -> None:
    """Refuse what is no message, and tags with which a text could forge a turn.

    The reference looks for tags in answers too. Here they may stay: an answer is
    written by a model in training, and must be judged as it is.
    """
    if message.role not in ROLES:
        raise UserError(f"message {number} has the role {message.role!r}: it must be "
                        f"one of {', '.join(ROLES)}")
    if not isinstance(message.text, str):
        raise UserError(f"message {number} holds {type(message.text).__name__}, not "
                        "text")
    found = [tag for tag in TAGS if tag in message.text]
    if found and message.role != "assistant":
        raise UserError(f"message {number} ({message.role}) holds the tag {found[0]}, "
                        "which would be read as a part of the format: remove it")
