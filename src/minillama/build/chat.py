"""The playground in a terminal: each line is a question, and three models answer.

It needs neither notebook nor widgets, and reads from a pipe as well:
``echo "Where does an owl live?" | python3 course.py chat``.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress

from .. import stages
from ..alignment.playground import Playground, Reply, assemble, visible
from ..errors import UserError

LONGEST = 20_000  # characters of a line; what follows is not even read into memory
ECHOED = 500  # ... and of these are repeated
NARROWEST, WIDEST = 46, 88  # columns; the table needs 46
WELCOME = ("Each line is a question of its own; nothing is remembered. An empty line "
           "or quit ends.")
LEGEND = ('base knows no chat format and continues "Question: ... Answer:" up to the '
          "end of the line. helpful and safe are scores of the reward models. KL is "
          "log pi - log pi_SFT of this one answer, in nats.")


def main(names: Sequence[str] = (), model: str = "") -> int:
    """Answer questions until the input ends; ``names`` may hold a temperature.

    ``model`` is a checkpoint to talk to (see chat_model.py) in place of the three.
    """
    temperature = _temperature(names)
    if sys.stdin is None:
        raise UserError("there is no input to read questions from")
    by_hand = sys.stdin.isatty()
    # bytes that are no text arrive as half characters, which the playground refuses
    sys.stdin.reconfigure(encoding=None if by_hand else "utf-8",
                          errors="surrogateescape")
    sys.stdout.reconfigure(errors="replace")
    if model:
        from . import chat_model
        return chat_model.main(model, _typed() if by_hand else _piped(), temperature)
    playground = assemble(stages.get("base"), stages.get("sft"), stages.get("rlhf")[0])
    try:
        converse(playground, _typed() if by_hand else _piped(), temperature,
                 echo=not by_hand)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\ngoodbye")
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def converse(playground: Playground, lines: Iterator[str], temperature: float = 0.0,
             echo: bool = False) -> None:
    """Print the answers to each line, until an empty one or "quit".

    What cannot be asked gets one line that says why. ``echo`` repeats the questions.
    """
    width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size().columns - 1))
    for text in ([] if echo else [WELCOME]) + [LEGEND]:
        print(textwrap.fill(text, width))
    for number, line in enumerate(lines):
        question = line.strip().removeprefix("\ufeff")
        if question in ("", "quit"):
            break
        if echo:
            shown = question[:ECHOED] + " ..." * (len(question) > ECHOED)
            print(textwrap.fill(visible(f"> {shown}"), width))
        try:
            replies = playground.ask(question, temperature, seed=number)
        except UserError as error:
            print(f"{error}\n", flush=True)
            continue
        print(report(replies, width), flush=True)


def report(replies: Sequence[Reply], width: int = 80) -> str:
    """Answers with their tokens, then a table of what they are worth."""
    indent = max(len(reply.name) for reply in replies) + 2
    lines = [""]
    for reply in replies:
        shown = [visible(reply.text) or "(nothing)", visible(" ".join(reply.tokens))]
        block = [part for text in shown for part in textwrap.wrap(text, width - indent)]
        lines += [f"{name:<{indent}}{part}" for name, part in
                  zip([reply.name] + [""] * len(block), block)]
    lines += ["", f"{'':<{indent}}{'helpful':>8}{'safe':>8}{'KL':>8}{'tokens':>8}"]
    for reply in replies:
        numbers = (_number(reply.helpfulness), _number(reply.safety),
                   _number(reply.kl), str(len(reply.tokens)))
        row = f"{reply.name:<{indent}}" + "".join(f"{text:>8}" for text in numbers)
        lines.append(row + ("" if reply.ended else "  cut"))
    return "\n".join([*lines, ""])


def _number(value: float | None) -> str:
    """Two decimals, and no minus before a zero."""
    return "-" if value is None else f"{round(value, 2) + 0.0:.2f}"


def _temperature(names: Sequence[str]) -> float:
    """The temperature asked for on the command line; 0, the likeliest, without one."""
    if not names:
        return 0.0
    with suppress(ValueError):
        value = float(names[0])
        if len(names) == 1 and 0 <= value < float("inf"):
            return value
    raise UserError(f"{' '.join(names)!r} is no temperature: give one number from zero "
                    "up, or nothing")


def _typed() -> Iterator[str]:
    """Lines from a keyboard, with a prompt and, where there is readline, a memory."""
    with suppress(ImportError):
        import readline  # noqa: F401  (input() uses it once it is there)
    with suppress(EOFError):
        while True:
            yield input("> ")
    print()


def _piped() -> Iterator[str]:
    """Lines from a pipe or a file; of an endless one only the beginning."""
    while line := sys.stdin.readline(LONGEST):
        rest = line
        while rest and not rest.endswith("\n"):
            rest = sys.stdin.readline(LONGEST)
        yield line
