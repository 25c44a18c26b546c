"""Checks of notebook 12: layouts, the zero loss, shares by turn, room in the context.

The truths are written out turn by turn, never with the code of the notebook or of
``minillama.alignment.ghost``.
"""

from collections.abc import Callable, Sequence

from ..exercises import call, diagnose, expect, passed

Talk = list[tuple[str, str]]


def _runs(marks: Sequence[bool]) -> list[tuple[int, int]]:
    """Start and end of every answer."""
    edges = [i for i in range(len(marks) + 1) if
             (i < len(marks) and marks[i]) != (i > 0 and marks[i - 1])]
    return list(zip(edges[::2], edges[1::2]))


def _marked(n: int, start: int, end: int) -> list[bool]:
    return [start <= i < end for i in range(n)]


def check_last_answer_only(last_answer_only: Callable[[list[bool]], list[bool]]
                           ) -> None:
    """Marks of all answers in, marks of the last one out."""
    for picture in ("..11.111..1111", ".1..1.111.", "...11", "1.1.1"):
        marks = [sign == "1" for sign in picture]
        n, runs = len(marks), _runs(marks)
        start, end = runs[-1]
        question = runs[-2][1] if len(runs) > 1 else 0
        given = list(marks)
        answer = call(last_answer_only, given)
        expect(given == marks, "the list that was given is changed: return a new one")
        if isinstance(answer, (list, tuple)):
            answer = [bool(mark) for mark in answer]
        diagnose(answer, _marked(n, start, end), {
            "every answer still earns a loss: only the last one may": marks,
            "that is the first answer: the last one is what is learnt":
                _marked(n, *runs[0]),
            "that is the last token only: the whole last answer is learnt":
                _marked(n, end - 1, end),
            "the last question earns a loss too: only what the assistant writes may":
                _marked(n, question, end),
            "everything behind the first word of the last answer is marked: it ends "
            "where the marks end": _marked(n, start, n),
            "you marked the earlier answers and left out the last: the other way round":
                [mark and not start <= i < end for i, mark in enumerate(marks)],
            "nothing earns a loss in yours": [False] * n,
        }, f"last_answer_only({picture})")
    passed("one answer earns a loss, the last, however many came before it")


def _talk(questions: Sequence[str], answers: Sequence[str]) -> Talk:
    pairs = zip([("user", text) for text in questions],
                [("assistant", text) for text in answers])
    return [message for pair in pairs for message in pair]


def _pair(message: object) -> tuple[object, ...]:
    """A message as a tuple; anything but a pair is named as wrong."""
    expect(isinstance(message, (list, tuple)) and len(message) == 2,
           'every message is a pair of role and text, as ("user", "who?")')
    return tuple(message)


def check_training_dialogue(
        training_dialogue: Callable[[str, list[str], list[str]], Talk]) -> None:
    """What the model is shown: the instruction once, as the system message."""
    questions, answers = ["who?", "where?", "why?"], ["me", "here", "because"]
    for n in (3, 2, 1):
        asked, said, rule = questions[:n], answers[:n], "be brief"
        answer = call(training_dialogue, rule, list(asked), list(said))
        if isinstance(answer, (list, tuple)):
            answer = [_pair(message) for message in answer]
        everywhere = [f"{rule} {text}" for text in asked]
        first = [everywhere[0], *asked[1:]]
        last = [*asked[:-1], everywhere[-1]]
        once = [("system", rule)]
        each = [message for pair in zip(once * n, *([iter(_talk(asked, said))] * 2))
                for message in pair]
        mistakes = {
            "the instruction stands in every question, as when the answers were "
            "sampled: drop it from all but the first turn": _talk(everywhere, said),
            "the instruction is a system message and stands in the questions too: the "
            "model is to be told once": once + _talk(everywhere, said),
            "the instruction stands twice in the first turn: it is the system message "
            "there": once + _talk(first, said),
            "the instruction is gone altogether, so the model would learn to keep to "
            "it unasked": _talk(asked, said),
            "the first turn's instruction is the system message, not a part of the "
            "question": _talk(first, said),
            "the instruction stands before the last question: it must have to last":
                _talk(last, said),
            "a system message before every question: the format knows one, at the "
            "beginning": each,
            "the earlier answers are missing: they earn no loss, but they are read":
                once + [("user", text) for text in asked] + [("assistant", said[-1])],
            "the instruction is the user's in yours: its role is system":
                [("user", rule)] + _talk(asked, said),
        }
        truth = once + _talk(asked, said)
        diagnose(answer, truth, {text: value for text, value in mistakes.items()
                                 if value != truth}, f"a dialogue of {n} turns")
    passed("the instruction is said once, and every answer is in its place")


def check_share_by_turn(share_by_turn: Callable[[list[list[bool]]], list[float]]
                        ) -> None:
    """Shares of answers that comply at each turn; dialogues may end early."""
    for kept in ([[True, True, False], [True, False, True], [True, True]],
                 [[True], [False, True, True, False], [True, False, False]],
                 [[False, True]]):
        longest = max(map(len, kept))
        reached = [[talk for talk in kept if len(talk) > t] for t in range(longest)]
        truth = [sum(talk[t] for talk in talks) / len(talks)
                 for t, talks in enumerate(reached)]
        flat = [mark for talk in kept for mark in talk]
        diagnose(call(share_by_turn, [list(talk) for talk in kept]), truth, {
            "you divided by all dialogues: one that is over by turn t was not asked":
                [share * len(talks) / len(kept)
                 for share, talks in zip(truth, reached)],
            "you counted dialogues that never slipped so far: an answer is judged "
            "alone, and a model may come back to the instruction":
                [sum(all(talk[: t + 1]) for talk in talks) / len(talks)
                 for t, talks in enumerate(reached)],
            "those are counts: divide by how many dialogues reach the turn":
                [share * len(talks) for share, talks in zip(truth, reached)],
            "those are the answers that slipped": [1 - share for share in truth],
            "that is one mean over all turns: the fall from turn to turn is the point":
                [sum(flat) / len(flat)] * longest,
            "a single number hides when it is forgotten: return one share a turn":
                sum(flat) / len(flat),
            "your list ends with the shortest dialogue: the longest ones go on":
                truth[: min(map(len, kept))],
            "those are shares of each dialogue: go down the columns, not the rows":
                [sum(talk) / len(talk) for talk in kept],
        }, f"share_by_turn of {len(kept)} dialogues")
    passed("each turn is divided by the dialogues that reach it")


def check_turns_that_fit(turns_that_fit: Callable[[int, int, int, bool], int]) -> None:
    """How many turns a context holds."""
    for context, rule, turn in ((4096, 200, 150), (256, 20, 38), (100, 10, 30),
                                (2048, 100, 300)):
        for every in (True, False):
            truth = 0
            while (truth + 1) * turn + rule * (truth + 1 if every else 1) <= context:
                truth += 1
            once, always = (context - rule) // turn, context // (turn + rule)
            near = {
                "that is one turn too few: a full context is allowed": truth - 1,
                "your instruction is told once: with every_turn it stands in each"
                if every else "your instruction stands in each turn: without "
                "every_turn it is told once": once if every else always,
                "you left the instruction out: it takes room too": context // turn,
                "that is one turn too many: the last must fit whole": truth + 1,
                "a part of a turn is no turn: round down":
                    (context / (turn + rule) if every else (context - rule) / turn),
            }
            diagnose(call(turns_that_fit, context, rule, turn, every), truth,
                     {text: n for text, n in near.items() if n != truth},
                     f"turns_that_fit({context}, {rule}, {turn}, {every})")
    passed("an instruction told once leaves room for more turns")
