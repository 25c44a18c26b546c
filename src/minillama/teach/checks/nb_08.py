"""Checks of notebook 08: the layout of a dialogue, targets, packing, the masked loss.

The truths are strings and loops written out here, never the code of
``minillama.alignment``.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..exercises import call, diagnose, expect, passed

Turns = Sequence[tuple[str, str | None]]
LAYOUTS: tuple[tuple[Turns, str | None], ...] = (
    ([("Why?", "So.")], None),
    ([("Why?", "So."), ("And who?", "Olive.")], None),
    ([("Why?", "So."), ("Who?", "Olive."), ("When?", None)], "Be brief."),
    ([("Why?", None)], "Be brief."),
)


def _layout(turns: Turns, system: str | None, **slips: str) -> str:
    """The layout as one string; ``slips`` replace a piece of the format."""
    form = {"open": "<s>[INST] ", "close": " [/INST]", "before": " ",
            "after": " ", "end": "</s>", "head": "<<SYS>>\n{}\n<</SYS>>\n\n"} | slips
    text = ""
    for number, (question, answer) in enumerate(turns):
        head = form["head"].format(system) if system and number == 0 else ""
        text += form["open"] + head + question + form["close"]
        if answer is not None:
            text += form["before"] + answer + form["after"] + form["end"]
    return text


def _repeated(turns: Turns, system: str | None) -> str:
    """The system text in every turn."""
    return "".join(_layout([turn], system) for turn in turns)


def _outside(turns: Turns, system: str | None) -> str:
    """The system text in front of the first tag."""
    head = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if system else ""
    return "<s>" + head + _layout(turns, None).removeprefix("<s>")


def check_dialogue_text(
    dialogue_text: Callable[[Turns, str | None], str]
) -> None:
    """The chat format to the byte: one turn, several, open, with and without system."""
    for turns, system in LAYOUTS:
        truth = _layout(turns, system)
        answer = call(dialogue_text, list(turns), system)
        expect(isinstance(answer, str), "dialogue_text should return one string, and "
               f"yours is a {type(answer).__name__}")
        expect("None" not in answer, "None stands in the text: a turn without an "
               "answer ends with [/INST], and a dialogue may have no system text")
        diagnose(answer, truth, {
            "the answer sticks to [/INST]: a space stands between them":
                _layout(turns, system, before=""),
            "the end mark sticks to the answer: a space stands before it":
                _layout(turns, system, after=""),
            "both spaces around the answer are missing":
                _layout(turns, system, before="", after=""),
            "no turn is ended: a model trained on it never stops":
                _layout(turns, system, end=""),
            "only the last turn is ended: every answer gets its end mark":
                _layout(turns, system, end="").rstrip() + " </s>",
            "every turn begins with <s>, not the first alone":
                "<s>" + _layout(turns, system, open="[INST] "),
            "no turn begins with <s>": _layout(turns, system, open="[INST] "),
            "the system text stands in every turn: it belongs into the first":
                _repeated(turns, system),
            "the system text stands outside [INST]: it belongs inside, before the "
            "first question": _outside(turns, system),
            "a blank line stands between <</SYS>> and the question":
                _layout(turns, system, head="<<SYS>>\n{}\n<</SYS>>\n"),
            "the system tags stand on lines of their own":
                _layout(turns, system, head="<<SYS>>{}<</SYS>>\n\n"),
            "the system text is missing": _layout(turns, None),
            "turns follow one another with nothing between them":
                truth.replace("</s><s>", "</s> <s>"),
            "an open turn ends with [/INST], and no space follows": truth + " ",
            "an open turn is not ended: its answer is still to come": truth + " </s>",
        }, f"dialogue_text of {len(turns)} turns")
    passed("every space, line and mark is where the model expects it")


def check_answer_targets(answer_targets: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Targets of one row: shifted, and masked wherever the next token is not ours."""
    for ids, marks in (([1, 7, 8, 9, 5, 2, 1, 7, 6, 2], "0001110011"),
                       ([1, 4, 4, 2], "0011")):
        tokens = torch.tensor(ids)
        is_answer = torch.tensor([mark == "1" for mark in marks])
        n = range(len(ids) - 1)

        def where(rule: Callable[[int], bool], mask: int = -100) -> Tensor:
            return torch.tensor([ids[i + 1] if rule(i) else mask for i in n])

        answer = call(answer_targets, tokens.clone(), is_answer.clone())
        diagnose(answer, where(lambda i: marks[i + 1] == "1"), {
            "the marks were not shifted with the tokens: you lose the first token of "
            "every answer and learn what follows the last":
                where(lambda i: marks[i] == "1"),
            "that is the other side: you learn to ask and not to answer":
                where(lambda i: marks[i + 1] == "0"),
            "nothing is masked: the user's tokens earn a loss": where(lambda i: True),
            "the end marks are masked: a model that is never asked for them never "
            "stops": where(lambda i: marks[i + 1] == "1" and ids[i + 1] != 2),
            "you masked with zero, which is a token: the mask is -100":
                where(lambda i: marks[i + 1] == "1", 0),
            "not shifted: the target of a token is the token after it":
                torch.tensor([ids[i] if marks[i] == "1" else -100 for i in n]),
            "as many targets as tokens: the last token has no successor":
                torch.tensor([ids[i + 1] if marks[i + 1] == "1" else -100
                              for i in n] + [-100]),
        }, f"answer_targets of {ids}")
    passed("the loss begins at the last token of the question and ends at the end mark")


def _rows(sizes: Sequence[int], room: int, spare: int = 0) -> list[int]:
    """Row of each dialogue, in order; ``spare`` makes the room too small or large."""
    rows, row, used = [], 0, 0
    for size in sizes:
        if used and used + size > room + spare:
            row, used = row + 1, 0
        used += size
        rows.append(row)
    return rows


def _uncounted(sizes: Sequence[int], room: int) -> list[int]:
    """Row of each dialogue where the one that opens a row takes no room in it."""
    rows, row, used = [], 0, 0
    for size in sizes:
        if used + size > room:
            row, used = row + 1, 0
        else:
            used += size
        rows.append(row)
    return rows


def check_rows_of(
    rows_of: Callable[[Sequence[int], int], Sequence[int]]
) -> None:
    """The row of every dialogue: in order, none cut, a row used to its last token."""
    for sizes, room in (([4, 6, 7, 3, 2, 9, 1, 3, 8], 10), ([7, 3, 8, 2, 2], 10),
                        ([3, 3, 3, 3], 3)):
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        answer = call(rows_of, list(sizes), room)
        expect(hasattr(answer, "__len__"), "rows_of should return a row for each "
               f"dialogue, and yours returns a {type(answer).__name__}")
        expect(all(a <= b for a, b in itertools.pairwise(answer)), "you went back to "
               "an earlier row: the order of the dialogues is kept")
        diagnose(list(answer), _rows(sizes, room), {
            "a row that is exactly full is still fine: you opened a new one too early":
                _rows(sizes, room, -1),
            "your rows hold one token too many": _rows(sizes, room, 1),
            "one dialogue a row is what we wanted to avoid": list(range(len(sizes))),
            "you cut dialogues in two: one that no longer fits opens a new row":
                [start // room for start in starts],
            "you counted tokens on from row to row: a new row begins empty":
                [(start + size - 1) // room for start, size in zip(starts, sizes)],
            "the dialogue that opens a row takes up room in it too":
                _uncounted(sizes, room),
            "rows count from zero": [row + 1 for row in _rows(sizes, room)],
        }, f"rows_of dialogues of {sizes} tokens")
    passed("in order, none cut, and no row left early")


def check_mean_loss(
    mean_loss: Callable[[Sequence[Sequence[float]], Sequence[Sequence[bool]]], float]
) -> None:
    """The mean over all answer tokens of a batch, whatever the lengths."""
    cases = (([[3.0, 1.0, 2.0, 0.5], [4.0, 8.0]], [[0, 0, 1, 1], [0, 1]]),
             ([[1.0, 6.0, 0.25], [2.0, 5.0, 7.0, 0.5, 0.125]],
              [[0, 1, 1], [0, 0, 1, 1, 1]]))
    for losses, marks in cases:
        taken = [[x for x, m in zip(*row) if m] for row in zip(losses, marks)]
        means = [math.fsum(row) / len(row) for row in taken]
        sums, count = math.fsum(map(sum, taken)), sum(map(len, taken))
        every = sum(map(len, losses))
        answer = call(mean_loss, [list(row) for row in losses],
                      [[bool(m) for m in row] for row in marks])
        diagnose(answer, sums / count, {
            "that is a mean of means: a token of a short answer counts more in it":
                math.fsum(means) / len(means),
            "you divided by all tokens: masked ones are not learnt, so do not count "
            "them": sums / every,
            "the user's tokens are in it": math.fsum(map(sum, losses)) / every,
            "that is the sum: divide by the number of answer tokens": sums,
            "you divided by the number of dialogues": sums / len(losses),
            "that is the loss on the user's tokens":
                (math.fsum(map(sum, losses)) - sums) / (every - count),
        }, f"mean_loss of {len(losses)} dialogues")
    passed("every answer token weighs the same, every other token nothing")
