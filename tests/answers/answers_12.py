"""Wrong answers to the exercises of notebook 12, and what the check must say."""


def unchanged(is_answer):
    return list(is_answer)


def _last(is_answer):
    end = len(is_answer) - is_answer[::-1].index(True)
    start = end
    while start and is_answer[start - 1]:
        start -= 1
    return start, end


def first_answer(is_answer):
    start = is_answer.index(True)
    end = start
    while end < len(is_answer) and is_answer[end]:
        end += 1
    return [start <= i < end for i in range(len(is_answer))]


def last_token(is_answer):
    _, end = _last(is_answer)
    return [i == end - 1 for i in range(len(is_answer))]


def with_question(is_answer):
    start, end = _last(is_answer)
    while start and not is_answer[start - 1]:
        start -= 1
    return [start <= i < end for i in range(len(is_answer))]


def earlier_ones(is_answer):
    start, end = _last(is_answer)
    return [mark and not start <= i < end for i, mark in enumerate(is_answer)]


def in_place(is_answer):
    start, end = _last(is_answer)
    for i in range(start):
        is_answer[i] = False
    return is_answer


def _talk(questions, answers):
    talk = []
    for question, answer in zip(questions, answers):
        talk += [("user", question), ("assistant", answer)]
    return talk


def still_joined(system, questions, answers):
    return _talk([f"{system} {text}" for text in questions], answers)


def twice(system, questions, answers):
    return [("system", system), *still_joined(system, questions, answers)]


def told_nothing(system, questions, answers):
    return _talk(questions, answers)


def first_question(system, questions, answers):
    return _talk([f"{system} {questions[0]}", *questions[1:]], answers)


def before_the_last(system, questions, answers):
    return _talk([*questions[:-1], f"{system} {questions[-1]}"], answers)


def system_each_time(system, questions, answers):
    talk = []
    for question, answer in zip(questions, answers):
        talk += [("system", system), ("user", question), ("assistant", answer)]
    return talk


def forgetful(system, questions, answers):
    return [("system", system), *[("user", text) for text in questions],
            ("assistant", answers[-1])]


def said_by_the_user(system, questions, answers):
    return [("user", system), *_talk(questions, answers)]


def other_objects(system, questions, answers):
    talk = [("system", system), *_talk(questions, answers)]
    return [{"role": role, "text": text} for role, text in talk]


def _columns(kept):
    return [[talk[t] for talk in kept if len(talk) > t]
            for t in range(max(map(len, kept)))]


def by_all(kept):
    return [sum(column) / len(kept) for column in _columns(kept)]


def never_slipped(kept):
    return [sum(all(talk[: t + 1]) for talk in kept if len(talk) > t) / len(column)
            for t, column in enumerate(_columns(kept))]


def counts(kept):
    return [sum(column) for column in _columns(kept)]


def slipped(kept):
    return [1 - sum(column) / len(column) for column in _columns(kept)]


def one_number(kept):
    return sum(map(sum, kept)) / sum(map(len, kept))


def by_the_shortest(kept):
    return [sum(turn) / len(turn) for turn in zip(*kept)]


def by_dialogue(kept):
    return [sum(talk) / len(talk) for talk in kept]


def always_once(context, rule, turn, every_turn):
    return (context - rule) // turn


def always_joined(context, rule, turn, every_turn):
    return context // (turn + rule)


def no_rule(context, rule, turn, every_turn):
    return context // turn


def too_many(context, rule, turn, every_turn):
    return (always_joined if every_turn else always_once)(context, rule, turn, 0) + 1


def fraction(context, rule, turn, every_turn):
    return context / (turn + rule) if every_turn else (context - rule) / turn


def full_is_too_much(context, rule, turn, every_turn):
    return (always_joined if every_turn else always_once)(context - 1, rule, turn, 0)


def rounded(context, rule, turn, every_turn):
    return round(fraction(context, rule, turn, every_turn))


WRONG = {
    "last_answer_only": [
        (unchanged, "every answer still earns a loss"),
        (first_answer, "that is the first answer"),
        (last_token, "the last token only"),
        (with_question, "the last question earns a loss"),
        (earlier_ones, "left out the last"),
        (in_place, "return a new one"),
    ],
    "training_dialogue": [
        (still_joined, "in every question"),
        (twice, "told once"),
        (told_nothing, "gone altogether"),
        (first_question, "not a part of the question"),
        (before_the_last, "before the last question"),
        (system_each_time, "before every question"),
        (forgetful, "earlier answers are missing"),
        (said_by_the_user, "its role is system"),
        (other_objects, "a pair of role and text"),
    ],
    "share_by_turn": [
        (by_all, "divided by all dialogues"),
        (never_slipped, "never slipped so far"),
        (counts, "those are counts"),
        (slipped, "answers that slipped"),
        (one_number, "a single number"),
        (by_the_shortest, "shortest dialogue"),
        (by_dialogue, "down the columns"),
    ],
    "turns_that_fit": [
        (always_once, "told once: with every_turn"),
        (always_joined, "without every_turn"),
        (full_is_too_much, "a full context is allowed"),
        (rounded, "one turn too many"),
        (no_rule, "left the instruction out"),
        (too_many, "one turn too many"),
        (fraction, "round down"),
    ],
}
