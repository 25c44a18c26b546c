"""Wrong answers to the exercises of notebook 08, and what the check must say."""

import torch


def build(turns, system, start="<s>[INST] ", before=" ", after=" ", end="</s>",
          head="<<SYS>>\n{}\n<</SYS>>\n\n", everywhere=False):
    text = ""
    for number, (question, answer) in enumerate(turns):
        first = number == 0 or everywhere
        text += start + (head.format(system) if system and first else "")
        text += question + " [/INST]"
        if answer is not None:
            text += before + answer + after + end
    return text


def sticks(turns, system):
    return build(turns, system, before="")


def end_sticks(turns, system):
    return build(turns, system, after="")


def tight(turns, system):
    return build(turns, system, before="", after="")


def never_ends(turns, system):
    return build(turns, system, end="")


def ends_once(turns, system):
    return build(turns, system, end="").rstrip() + " </s>"


def begins_once(turns, system):
    return "<s>" + build(turns, system, start="[INST] ")


def never_begins(turns, system):
    return build(turns, system, start="[INST] ")


def system_everywhere(turns, system):
    return build(turns, system, everywhere=True)


def system_outside(turns, system):
    text = build(turns, None)
    if not system:
        return text
    return f"<s><<SYS>>\n{system}\n<</SYS>>\n\n" + text.removeprefix("<s>")


def one_newline(turns, system):
    return build(turns, system, head="<<SYS>>\n{}\n<</SYS>>\n")


def no_lines(turns, system):
    return build(turns, system, head="<<SYS>>{}<</SYS>>\n\n")


def no_system(turns, system):
    return build(turns, None)


def says_none(turns, system):
    text = build(turns, system)
    return text if turns[-1][1] is not None else text + " None </s>"


def as_list(turns, system):
    return [build(turns, system)]


def spaced(turns, system):
    return build(turns, system).replace("</s><s>", "</s> <s>")


def open_spaced(turns, system):
    return build(turns, system) + " " * (turns[-1][1] is None)


def open_ended(turns, system):
    return build(turns, system) + " </s>" * (turns[-1][1] is None)


def learnt(ids, marks, mask=-100):
    return torch.where(marks, ids[1:], torch.tensor(mask))


def late(ids, is_answer):
    return learnt(ids, is_answer[:-1])


def other_side(ids, is_answer):
    return learnt(ids, ~is_answer[1:])


def unmasked(ids, is_answer):
    return ids[1:].clone()


def no_end(ids, is_answer):
    return learnt(ids, is_answer[1:] & (ids[1:] != 2))


def zeroed(ids, is_answer):
    return learnt(ids, is_answer[1:], 0)


def unshifted(ids, is_answer):
    return ids.masked_fill(~is_answer, -100)[:-1]


def too_many(ids, is_answer):
    return torch.cat([learnt(ids, is_answer[1:]), torch.tensor([-100])])


def greedy(sizes, limit):
    rows, row, used = [], 0, 0
    for size in sizes:
        if used and used + size > limit:
            row, used = row + 1, 0
        used += size
        rows.append(row)
    return rows


def too_early(sizes, room):
    return greedy(sizes, room - 1)


def too_late(sizes, room):
    return greedy(sizes, room + 1)


def one_a_row(sizes, room):
    return list(range(len(sizes)))


def cut(sizes, room):
    return [sum(sizes[:i]) // room for i in range(len(sizes))]


def counted_on(sizes, room):
    rows, row, used = [], 0, 0
    for size in sizes:
        used += size
        if used > room:
            row, used = row + 1, used - room
        rows.append(row)
    return rows


def uncounted(sizes, room):
    rows, row, used = [], 0, 0
    for size in sizes:
        if used + size > room:
            row, used = row + 1, 0
        else:
            used += size
        rows.append(row)
    return rows


def from_one(sizes, room):
    return [row + 1 for row in greedy(sizes, room)]


def goes_back(sizes, room):
    used, rows = [], []
    for size in sizes:
        fits = [i for i, n in enumerate(used) if n + size <= room]
        if not fits:
            used.append(0)
        row = fits[0] if fits else len(used) - 1
        used[row] += size
        rows.append(row)
    return rows


def answers_of(losses, marks):
    return [[x for x, m in zip(*row) if m] for row in zip(losses, marks)]


def mean_of_means(losses, marks):
    means = [sum(row) / len(row) for row in answers_of(losses, marks)]
    return sum(means) / len(means)


def over_all(losses, marks):
    return sum(map(sum, answers_of(losses, marks))) / sum(map(len, losses))


def with_questions(losses, marks):
    return sum(map(sum, losses)) / sum(map(len, losses))


def summed(losses, marks):
    return sum(map(sum, answers_of(losses, marks)))


def per_dialogue(losses, marks):
    return summed(losses, marks) / len(losses)


def on_questions(losses, marks):
    return mean_of([[x for x, m in zip(*row) if not m] for row in zip(losses, marks)])


def mean_of(rows):
    return sum(map(sum, rows)) / sum(map(len, rows))


WRONG = {
    "dialogue_text": [
        (sticks, "sticks to [/INST]"), (end_sticks, "end mark sticks"),
        (tight, "both spaces"), (never_ends, "no turn is ended"),
        (ends_once, "only the last turn"), (begins_once, "begins with <s>"),
        (never_begins, "no turn begins"), (system_everywhere, "in every turn"),
        (system_outside, "outside [INST]"), (one_newline, "a blank line"),
        (no_lines, "lines of their own"), (no_system, "is missing"),
        (says_none, "None stands"), (as_list, "one string"),
        (spaced, "nothing between"),
        (open_spaced, "no space follows"), (open_ended, "is not ended"),
    ],
    "answer_targets": [
        (late, "not shifted with"), (other_side, "the other side"),
        (unmasked, "nothing is masked"), (no_end, "never stops"),
        (zeroed, "is a token"), (unshifted, "not shifted: the target"),
        (too_many, "no successor"),
    ],
    "rows_of": [
        (too_early, "exactly full"), (too_late, "one token too many"),
        (one_a_row, "wanted to avoid"), (cut, "in two"), (from_one, "from zero"),
        (goes_back, "went back"),
        (counted_on, "from row to row"), (uncounted, "takes up room"),
    ],
    "mean_loss": [
        (mean_of_means, "mean of means"), (over_all, "divided by all"),
        (with_questions, "are in it"), (summed, "the sum"),
        (per_dialogue, "number of dialogues"), (on_questions, "user's tokens"),
    ],
}
