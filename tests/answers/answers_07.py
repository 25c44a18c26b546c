"""Wrong answers to the exercises of notebook 07, and what the check must say."""

import math


def unshifted(ids, bos_id):
    targets = ids[:-1].clone()
    targets[targets == bos_id] = -100
    return targets


def copied(ids, bos_id):
    return ids[:-1].clone()


def unmasked(ids, bos_id):
    return ids[1:].clone()


def one_late(ids, bos_id):
    targets = ids[1:].clone()
    targets[ids[:-1] == bos_id] = -100
    return targets


def never_stops(ids, bos_id):
    targets = ids[1:].clone()
    targets[targets == 2] = -100
    return targets


def zeroed(ids, bos_id):
    targets = ids[1:].clone()
    targets[targets == bos_id] = 0
    return targets


def rolled(ids, bos_id):
    targets = ids.roll(-1)
    targets[targets == bos_id] = -100
    return targets


def in_place(ids, bos_id):
    targets = ids[1:]
    targets[targets == bos_id] = -100
    return targets


def schedule(step, total, peak, warmup, fraction=0.1, origin=None, last=None):
    if step < warmup:
        return peak * (step + 1) / warmup
    origin = warmup if origin is None else origin
    last = total - 1 if last is None else last
    share = (step - origin) / (last - origin)
    return peak * (fraction + (1 - fraction) * 0.5 * (1 + math.cos(math.pi * share)))


def from_zero(step, total, peak, warmup):
    if step < warmup:
        return peak * step / warmup
    return schedule(step, total, peak, warmup)


def to_zero(step, total, peak, warmup):
    return schedule(step, total, peak, warmup, fraction=0.0)


def floored(step, total, peak, warmup):
    rate = schedule(step, total, peak, warmup, fraction=0.0)
    return rate if step < warmup else max(rate, peak / 10)


def early(step, total, peak, warmup):
    return schedule(step, total, peak, warmup, origin=0)


def one_short(step, total, peak, warmup):
    return schedule(step, total, peak, warmup, last=total)


def cold(step, total, peak, warmup):
    return schedule(step, total, peak, 0)


def no_warmup_fails(step, total, peak, warmup):
    return schedule(step, total, peak, max(warmup, 1)) / (1 if warmup else 2)


def one_ahead(step, total, peak, warmup):
    if step < warmup:
        return peak * (step + 1) / warmup
    return schedule(step, total, peak, warmup, origin=warmup - 1)


def never_without(step, total, peak, warmup):
    return schedule(step, total, peak, max(warmup, 1))


def mean_of_means(sums, counts):
    return math.exp(sum(s / n for s, n in zip(sums, counts)) / len(sums))


def mean_of_perplexities(sums, counts):
    return sum(math.exp(s / n) for s, n in zip(sums, counts)) / len(sums)


def only_loss(sums, counts):
    return sum(sums) / sum(counts)


def base_two(sums, counts):
    return 2 ** (sum(sums) / sum(counts))


def by_batches(sums, counts):
    return math.exp(sum(sums) / len(sums))


def stumbles(sums, counts):
    parts = [n / sum(counts) * (s / n) for s, n in zip(sums, counts) if n or s == 0.0]
    return math.exp(sum(parts))


def spoilt(sums, counts):
    if 0 in counts:
        return math.nan
    return math.exp(sum(sums) / sum(counts))


def carbon(parameters, tokens, share, watts, kilograms, per=6, use=True):
    seconds = per * parameters * tokens / (312e12 * (share if use else 1))
    return seconds / 3600 * watts / 1000 * kilograms / 1000


def forward_only(*case):
    return carbon(*case, per=2)


def backward_only(*case):
    return carbon(*case, per=4)


def at_peak(*case):
    return carbon(*case, use=False)


def wrong_side(*case):
    return carbon(*case) * case[2] ** 2


def in_watts(*case):
    return carbon(*case) * 1000


def in_seconds(*case):
    return carbon(*case) * 3600


def only_energy(*case):
    return carbon(*case) / case[4]


WRONG = {
    "packed_targets": [
        (unshifted, "not shifted"), (copied, "may copy"),
        (unmasked, "nothing is masked"),
        (one_late, "begin mark itself"),
        (never_stops, "learns to stop"), (zeroed, "-100"), (rolled, "no successor"),
        (in_place, "were changed"),
    ],
    "rate": [
        (from_zero, "wasted"), (to_zero, "ends at zero"), (floored, "early"),
        (early, "began at step zero"), (one_short, "total - 1"),
        (cold, "no warm-up in it"), (no_warmup_fails, "without warm-up"),
        (one_ahead, "a step ahead"), (never_without, "the cosine begins at the first"),
    ],
    "perplexity": [
        (mean_of_means, "mean of means"), (mean_of_perplexities, "averaged"),
        (only_loss, "mean loss"), (base_two, "not two"), (by_batches, "of batches"),
        (stumbles, "ZeroDivisionError"), (spoilt, "adds nothing"),
    ],
    "tonnes": [
        (forward_only, "forward is counted"), (backward_only, "backward"),
        (at_peak, "reaches its peak"), (wrong_side, "wrong side"),
        (in_watts, "kilowatts"), (in_seconds, "taken for hours"),
        (only_energy, "is missing"),
    ],
}
