"""Wrong answers to the exercises of notebook 14, and what the check must say."""

import math


def _logs(logits):
    return logits.double().log_softmax(-1)


def not_shifted(logits, ids, start):
    return sum(_logs(logits)[i, ids[i]].item() for i in range(start, len(ids)))


def starts_late(logits, ids, start):
    return sum(_logs(logits)[i - 1, ids[i]].item() for i in range(start + 1, len(ids)))


def starts_early(logits, ids, start):
    return sum(_logs(logits)[i - 1, ids[i]].item() for i in range(start - 1, len(ids)))


def whole_text(logits, ids, start):
    return sum(_logs(logits)[i - 1, ids[i]].item() for i in range(1, len(ids)))


def right_sum(logits, ids, start):
    return sum(_logs(logits)[i - 1, ids[i]].item() for i in range(start, len(ids)))


def mean(logits, ids, start):
    return right_sum(logits, ids, start) / (len(ids) - start)


def probability(logits, ids, start):
    return math.exp(right_sum(logits, ids, start))


def negative(logits, ids, start):
    return -right_sum(logits, ids, start)


def raw_logits(logits, ids, start):
    return sum(logits[i - 1, ids[i]].item() for i in range(start, len(ids)))


def same_word(before, after):
    if before == after == "first":
        return "ours"
    return "theirs" if before == after == "second" else "tie"


def once(before, after):
    return {"first": "ours", "second": "theirs"}.get(before, "tie")


def either(before, after):
    if before == "first" or after == "second":
        return "ours"
    return "theirs" if before == "second" or after == "first" else "tie"


def exchanged(before, after):
    if (before, after) == ("first", "second"):
        return "theirs"
    return "ours" if (before, after) == ("second", "first") else "tie"


def _parts(right, chosen):
    mine = [r for r, c in zip(right, chosen) if c]
    mean_all = sum(right) / len(right)
    return mine, mean_all, math.sqrt(mean_all * (1 - mean_all))


def gap_only(right, chosen):
    mine, mu, _ = _parts(right, chosen)
    return sum(mine) / len(mine) - mu


def no_root(right, chosen):
    mine, mu, sigma = _parts(right, chosen)
    return (sum(mine) / len(mine) - mu) / sigma


def by_n(right, chosen):
    mine, mu, sigma = _parts(right, chosen)
    return (sum(mine) / len(mine) - mu) / (sigma / len(mine))


def n_of_all(right, chosen):
    mine, mu, sigma = _parts(right, chosen)
    return (sum(mine) / len(mine) - mu) / (sigma / math.sqrt(len(right)))


def own_sigma(right, chosen):
    mine, mu, _ = _parts(right, chosen)
    own = sum(mine) / len(mine)
    return (own - mu) / math.sqrt(own * (1 - own) / len(mine))


def against_rest(right, chosen):
    mine, _, sigma = _parts(right, chosen)
    rest = [r for r, c in zip(right, chosen) if not c]
    gap = sum(mine) / len(mine) - sum(rest) / len(rest)
    return gap / (sigma / math.sqrt(len(mine)))


def turned(right, chosen):
    mine, mu, sigma = _parts(right, chosen)
    return -(sum(mine) / len(mine) - mu) / (sigma / math.sqrt(len(mine)))


def not_replaced(right, chosen):
    mine, mu, sigma = _parts(right, chosen)
    n, whole = len(mine), len(right)
    deviation = sigma / math.sqrt(n) * math.sqrt((whole - n) / (whole - 1))
    return (sum(mine) / n - mu) / deviation


WRONG = {
    "option_score": [
        (not_shifted, "foretell the next token"),
        (starts_late, "first token of the option is missing"),
        (starts_early, "one token too early"),
        (whole_text, "the question is scored as well"),
        (mean, "that is a mean"),
        (probability, "take its logarithm"),
        (negative, "the sign is turned"),
        (raw_logits, "logits are not log-probabilities"),
    ],
    "verdict": [
        (same_word, "contradicts itself"),
        (once, "second judgement is not used"),
        (either, "one win is not enough"),
        (exchanged, "exchanged"),
    ],
    "z_score": [
        (gap_only, "the gap alone"),
        (no_root, "shrinks with the root of n"),
        (by_n, "where its root belongs"),
        (n_of_all, "in the subset, not of all"),
        (own_sigma, "your sigma is the subset's"),
        (against_rest, "compares with the other questions"),
        (not_replaced, "here it is with"),
        (turned, "the sign is turned"),
    ],
}
