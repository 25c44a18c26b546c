"""Wrong answers to the exercises of notebook 10, and what the check must say."""

import itertools
import math


def groups(prompts):
    return [[i for i, p in enumerate(prompts) if p == prompt]
            for prompt in range(max(prompts) + 1)]


def blocks(scores, prompts):
    n = max(prompts) + 1
    share = len(scores) // n
    return [max(range(p * share, (p + 1) * share), key=scores.__getitem__)
            for p in range(n)]


def later(scores, prompts):
    return [max(reversed(rows), key=scores.__getitem__) for rows in groups(prompts)]


def worst(scores, prompts):
    return [min(rows, key=scores.__getitem__) for rows in groups(prompts)]


def right_winners(scores, prompts):
    return [max(rows, key=scores.__getitem__) for rows in groups(prompts)]


def only_scores(scores, prompts):
    return [scores[i] for i in right_winners(scores, prompts)]


def one_for_all(scores, prompts):
    return [scores.index(max(scores))] * (max(prompts) + 1)


def within(scores, prompts):
    return [rows.index(i) for rows, i in zip(groups(prompts),
                                             right_winners(scores, prompts))]


def by_score(scores, prompts):
    return sorted(right_winners(scores, prompts), key=lambda i: -scores[i])


def by_appearance(scores, prompts):
    best = right_winners(scores, prompts)
    return [best[p] for p in dict.fromkeys(prompts)]


def over_draws(p, r, n, pick):
    total = 0.0
    for draw in itertools.product(range(len(p)), repeat=n):
        chance = math.prod(p[i].item() for i in draw)
        total += chance * pick(r[i].item() for i in draw)
    return total


def one_draw(p, r, n):
    return (p * r).sum().item()


def largest(p, r, n):
    return r.max().item()


def smallest(p, r, n):
    return over_draws(p, r, n, min)


def stepped(p, r, n):
    top = p.cumsum(0)
    return ((top**n - (top - p) ** n) * r).sum().item()


def unsorted(p, r, n):
    return stepped(p, r, n)


def in_order(p, r):
    order = r.argsort(stable=True)
    return p[order], r[order]


def powers_alone(p, r, n):
    p, r = in_order(p, r)
    return (p.cumsum(0) ** n * r).sum().item()


def as_density(p, r, n):
    p, r = in_order(p, r)
    return (n * p.cumsum(0) ** (n - 1) * p * r).sum().item()


def one_more(p, r, n):
    return stepped(*in_order(p, r), n + 1)


def one_less(p, r, n):
    return stepped(*in_order(p, r), max(n - 1, 1))


def equally_likely(p, r, n):
    order = r.argsort(stable=True)
    return stepped(p.new_full(p.shape, 1 / len(p)), r[order], n)


def last_round(rounds):
    return dict(rounds[-1])


def first_round(rounds):
    return dict(rounds[0])


def merged(rounds, better):
    kept = {}
    for one in rounds:
        for prompt, pair in one.items():
            if prompt not in kept or better(pair[0], kept[prompt][0]):
                kept[prompt] = pair
    return kept


def always_later(rounds):
    return merged(rounds, lambda new, old: True)


def always_earlier(rounds):
    return merged(rounds, lambda new, old: False)


def earlier_of_equals(rounds):
    return merged(rounds, lambda new, old: new > old)


def kept_worst(rounds):
    return merged(rounds, lambda new, old: new <= old)


def only_common(rounds):
    top = merged(rounds, lambda new, old: new >= old)
    return {p: pair for p, pair in top.items() if all(p in one for one in rounds)}


def from_zero(rounds):
    kept = {}
    for one in rounds:
        for prompt, pair in one.items():
            if pair[0] >= kept.get(prompt, (0.0, ""))[0]:
                kept[prompt] = pair
    return kept


def in_place(rounds):
    first = rounds[0]
    for one in rounds[1:]:
        for prompt, pair in one.items():
            if prompt not in first or pair[0] >= first[prompt][0]:
                first[prompt] = pair
    return first


def as_list(rounds):
    return list(merged(rounds, lambda new, old: new >= old).items())


def ratio(written, scored, learnt, policy, reward):
    return (2 * policy * written + 2 * reward * scored) / (6 * policy * learnt)


def unscored(n, policy, reward):
    return ratio(n, 0, 1, policy, reward)


def unwritten(n, policy, reward):
    return ratio(0, n, 1, policy, reward)


def one_scored(n, policy, reward):
    return ratio(n, 1, 1, policy, reward)


def one_written(n, policy, reward):
    return ratio(1, n, 1, policy, reward)


def one_answer(n, policy, reward):
    return ratio(1, 1, 1, policy, reward)


def forward_only(n, policy, reward):
    return 3 * ratio(n, n, 1, policy, reward)


def upside_down(n, policy, reward):
    return 1 / ratio(n, n, 1, policy, reward)


def one_size(n, policy, reward):
    return ratio(n, n, 1, policy, policy)


def all_learnt(n, policy, reward):
    return ratio(n, n, n, policy, reward)


WRONG = {
    "winners": [
        (blocks, "blocks"), (later, "keep the first"), (worst, "worst"),
        (only_scores, "the scores"), (one_for_all, "of its own"),
        (within, "within each prompt"), (by_score, "order of the prompts"),
        (by_appearance, "first appear"),
    ],
    "expected_best_of": [
        (one_draw, "one draw"), (largest, "largest reward"), (smallest, "worst of n"),
        (unsorted, "not sorted"), (powers_alone, "subtract"),
        (as_density, "density"), (one_more, "n + 1"), (one_less, "n - 1"),
        (equally_likely, "equally likely"),
    ],
    "keep_top": [
        (last_round, "rhymes"), (first_round, "first round"),
        (always_later, "later answer always"), (always_earlier, "earlier answer"),
        (earlier_of_equals, "keep the later"), (kept_worst, "worst"),
        (only_common, "some round"), (from_zero, "below zero"),
        (in_place, "were changed"), (as_list, "dictionary"),
    ],
    "price": [
        (unscored, "reads every answer"), (unwritten, "writes all"),
        (one_scored, "scored one"), (one_written, "wrote one"),
        (one_answer, "n is missing"), (forward_only, "backward"),
        (upside_down, "upside down"), (one_size, "size of its own"),
        (all_learnt, "n is missing"),
    ],
}
