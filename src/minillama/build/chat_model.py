"""Talking to a checkpoint of any layout: ``course.py chat --model FOLDER``.

A chat model gets its own template and remembers the conversation as long as it fits.
A base model has no template; it continues each line by itself. Either writes token by
token, so that a slow model is seen to work.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch

from ..alignment.playground import visible
from ..attention import KVCache
from ..devices import device
from ..errors import UserError
from ..formats.chat_template import encode_chat, without_marks
from ..formats.open_file import Opened, open_model
from ..formats.tokenizer_json import JsonTokenizer
from ..generation import check_request, sample
from ..model import Llama
from ..tokenizer import Tokenizer

LONGEST_ANSWER = 512  # tokens
FORGOTTEN = "(the conversation is too long to be read whole: its beginning is lost)"
Messages = list[dict[str, str]]


def main(folder: str, lines: Iterable[str], temperature: float = 0.0) -> int:
    """Open a checkpoint and answer each line, until an empty one or "quit".

    Raises UserError where the folder is no checkpoint or has no tokenizer.
    """
    opened = open_model(Path(folder).expanduser(), device=device("best"))
    if opened.tokenizer is None:
        raise UserError(f"{folder} has weights and no tokenizer: put its "
                        "tokenizer.model beside them")
    print(welcome(opened), flush=True)
    try:
        converse(opened, lines, temperature)
    except KeyboardInterrupt:
        print("\ngoodbye")
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def welcome(opened: Opened) -> str:
    """What was opened, and what it will do with a line."""
    config = opened.model.config
    kind = ("continues each line: it brings no chat template"
            if opened.template is None else "answers, and remembers the conversation")
    return (f"{config.parameter_count():,} weights in the layout {opened.layout}, "
            f"{config.max_seq_len} tokens of context. It {kind}. An empty line or quit "
            "ends.")


def converse(opened: Opened, lines: Iterable[str], temperature: float = 0.0) -> None:
    """Print an answer to each line as it is written.

    What cannot be asked or answered gets one line that says why, and is not remembered.
    """
    history: Messages = []
    for number, line in enumerate(lines):
        text = line.strip().removeprefix("\ufeff")
        if text in ("", "quit"):
            break
        try:
            ids, asked, forgotten = prompt(opened, history, text)
            if forgotten:
                print(FORGOTTEN)
            generator = torch.Generator(ids_device(opened.model)).manual_seed(number)
            tokens = stream(opened.model, ids, LONGEST_ANSWER, temperature, generator,
                            opened.tokenizer.vocab_size, opened.ends)
            before = ids if opened.template is None else []
            answer = ""
            for part in readable(opened.tokenizer, tokens, before):
                answer += part
                print(visible(part), end="", flush=True)
        except UserError as error:
            print(f"{error}\n", flush=True)
            continue
        print("\n", flush=True)
        said = without_marks(opened.tokenizer, opened.template or "", answer).strip()
        history = [*asked, {"role": "assistant", "content": said}]


def prompt(opened: Opened, history: Messages, text: str
           ) -> tuple[list[int], Messages, bool]:
    """Ids of the conversation with ``text`` as its last word, the conversation as far
    as it fits, and whether its beginning had to go. Raises UserError where even
    ``text`` alone leaves no room for an answer."""
    longest = opened.model.config.max_seq_len
    room = min(LONGEST_ANSWER, longest // 4)  # kept for the answer
    messages = [*history, {"role": "user", "content": text}]
    forgotten = False
    while True:
        if opened.template is None:
            messages = messages[-1:]
            ids = opened.tokenizer.encode(text, bos=True)
        else:
            ids = encode_chat(opened.tokenizer, opened.template, messages)
        if len(ids) + room <= longest:
            return ids, messages, forgotten
        if len(messages) == 1:
            raise UserError(f"the text is too long: {longest} tokens can be read in "
                            f"all, and {room} are kept for the answer")
        messages, forgotten = messages[2:], True  # the oldest question and its answer


def ids_device(model: Llama) -> torch.device:
    """Where the model wants its tokens."""
    return model.embedding.weight.device


@torch.inference_mode()
def stream(model: Llama, ids: list[int], most: int, temperature: float,
           generator: torch.Generator | None, vocab_size: int,
           ends: Iterable[int] = ()) -> Iterator[int]:
    """Tokens after ``ids`` one by one, up to an end mark, ``most``, or the context.

    As ``generate``, for one prompt. Ids from ``vocab_size`` on, with which some models
    pad their tables, are never drawn.
    """
    most = min(most, model.config.max_seq_len - len(ids))
    check_request(model, [ids], most, temperature, 1.0)
    where, dtype = ids_device(model), model.embedding.weight.dtype
    cache = KVCache(model.config, 1, len(ids) + most, dtype, where)
    tokens, ends = torch.tensor([ids], device=where), set(ends)  # (1, length)
    for _ in range(most):
        logits = model(tokens, cache)[:, -1, :vocab_size]  # (1, vocab_size)
        token = sample(logits, temperature, generator=generator)  # (1,)
        if token.item() in ends:
            return
        yield token.item()
        tokens = token.unsqueeze(1)  # (1, 1)


def readable(tokenizer: Tokenizer | JsonTokenizer, ids: Iterable[int],
             before: Sequence[int] = ()) -> Iterator[str]:
    """Text as soon as it is certain; the bytes of one character arrive together.

    What continues the text of ``before`` keeps the space at its start, which a text of
    its own would lose.
    """
    seen = list(before)
    shown = text = tokenizer.decode(seen)
    for id in ids:
        seen.append(id)
        text = tokenizer.decode(seen)
        if not text.endswith("\ufffd"):  # else a character may still be incomplete
            yield text[len(shown):]
            shown = text
    yield text[len(shown):]
