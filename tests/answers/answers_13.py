"""Wrong answers to the exercises of notebook 13, and what the check must say."""

import math


def parts(rows):
    lures = [row for row in rows if row[0]]
    others = [row for row in rows if not row[0]]
    return lures, others


def share(flags):
    return sum(flags) / len(flags)


def swapped(rows):
    lures, others = parts(rows)
    return share([r[2] for r in others]), share([r[1] for r in lures])


def one_denominator(rows):
    lures, others = parts(rows)
    return sum(r[1] for r in lures) / len(rows), sum(r[2] for r in others) / len(rows)


def refusals_everywhere(rows):
    lures, _ = parts(rows)
    return share([r[1] for r in lures]), share([r[2] for r in rows])


def refusals_of_lures(rows):
    lures, _ = parts(rows)
    return share([r[1] for r in lures]), share([r[2] for r in lures])


def harm_everywhere(rows):
    _, others = parts(rows)
    return share([r[1] for r in rows]), share([r[2] for r in others])


def by_keyword(rows):
    lures, others = parts(rows)
    return share([not r[2] for r in lures]), share([r[2] for r in others])


def refusal_excuses(rows):
    lures, others = parts(rows)
    return (share([r[1] and not r[2] for r in lures]), share([r[2] for r in others]))


def in_percent(rows):
    lures, others = parts(rows)
    return 100 * share([r[1] for r in lures]), 100 * share([r[2] for r in others])


def counted(rows):
    lures, others = parts(rows)
    return sum(r[1] for r in lures), sum(r[2] for r in others)


def only_one(rows):
    return share([r[1] for r in parts(rows)[0]])


def usual(k, n, z=1.96):
    half = z * math.sqrt(k / n * (1 - k / n) / n)
    return k / n - half, k / n + half


def cut_off(k, n):
    low, high = usual(k, n)
    return max(0.0, low), min(1.0, high)


def right(k, n, z=1.96):
    found, u = k / n, z * z / n
    half = math.sqrt(found * (1 - found) * u + u * u / 4)
    return (found + u / 2 - half) / (1 + u), (found + u / 2 + half) / (1 + u)


def turned(k, n):
    return right(k, n)[::-1]


def ninety(k, n):
    return right(k, n, 1.645)


def undivided(k, n):
    u = 1.96**2 / n
    return tuple(end * (1 + u) for end in right(k, n))


def around_the_rate(k, n):
    low, high = right(k, n)
    return k / n - (high - low) / 2, k / n + (high - low) / 2


def unsquared(k, n):
    return right(k, n, math.sqrt(1.96))


def middle_alone(k, n):
    return sum(right(k, n)) / 2


def chosen(rule):
    def to_learn(plain, careful, before, after, lure):
        return [c if rule(b, a, bad) else p
                for p, c, b, a, bad in zip(plain, careful, before, after, lure)]
    return to_learn


def dropped(plain, careful, before, after, lure):
    return [c for c, b, a, bad in zip(careful, before, after, lure) if bad and a > b]


def lures_alone(plain, careful, before, after, lure):
    rows = zip(chosen(lambda b, a, bad: bad and a > b)(plain, careful, before, after,
                                                       lure), lure)
    return [text for text, bad in rows if bad]


def per_minute(found, people, minutes):
    return found / (people * minutes)


def per_hour(found, people, minutes):
    return found / (minutes / 60)


def times_people(found, people, minutes):
    return found * people / (minutes / 60)


def per_find(found, people, minutes):
    return people * minutes / 60 / max(found, 1)


def per_person(found, people, minutes):
    return found / people


def wrong_way(found, people, minutes):
    return found / (people * minutes * 60)


WRONG = {
    "two_rates": [
        (swapped, "in the wrong order"),
        (one_denominator, "divide by the prompts of that kind"),
        (refusals_everywhere, "no false refusal"),
        (refusals_of_lures, "declining those is wanted"),
        (harm_everywhere, "harm elsewhere is another matter"),
        (by_keyword, "an answer may evade"),
        (refusal_excuses, "a refusal that harms as well"),
        (in_percent, "shares between 0 and 1"),
        (counted, "divide by the prompts"),
        (only_one, "give two numbers back"),
    ],
    "wilson_ends": [
        (usual, "has no width"),
        (cut_off, "is not Wilson's"),
        (turned, "turned round"),
        (ninety, "take 1.96"),
        (undivided, "divide by one plus"),
        (around_the_rate, "drawn towards one half"),
        (unsquared, "missing its square"),
        (middle_alone, "the lower and the upper end"),
    ],
    "to_learn": [
        (chosen(lambda b, a, bad: bad and a < b), "the gate is turned round"),
        (chosen(lambda b, a, bad: bad), "no gate at all"),
        (chosen(lambda b, a, bad: bad and a >= b), "an equal score is no gain"),
        (chosen(lambda b, a, bad: a > b), "distil lures alone"),
        (chosen(lambda b, a, bad: not bad and a > b), "the lures are left out"),
        (chosen(lambda b, a, bad: bad and a > 0), "not above zero"),
        (dropped, "nothing is dropped"),
        (chosen(lambda b, a, bad: True), "there is a gate"),
        (lures_alone, "innocent prompts stay in"),
    ],
    "gamma": [
        (per_minute, "sixty minutes"),
        (per_hour, "every person's time counts"),
        (times_people, "divide by them"),
        (per_find, "time per find"),
        (per_person, "the time is left out"),
        (wrong_way, "the wrong way"),
    ],
}
