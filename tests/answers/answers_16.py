"""Wrong answers to the exercises of notebook 16, and what the check must say."""

import statistics


def of_rows(counts, values):
    return sum(values) / len(values)


def by_rows(counts, values):
    return sum(n * v for n, v in zip(counts, values)) / len(values)


def total(counts, values):
    return sum(n * v for n, v in zip(counts, values))


def turned_round(counts, values):
    return total(counts, values) / sum(values)


def far_from_median(factor):
    middle = statistics.median(factor.values())
    return max(factor, key=lambda name: abs(factor[name] - middle))


def hours_alone(rows):
    return far_from_median({name: t / h for name, h, _, t in rows})


def most(rows):
    return max(rows, key=lambda row: row[3])[0]


def lowest(rows):
    return min(rows, key=lambda row: row[3] / (row[1] * row[2]))[0]


def highest(rows):
    return max(rows, key=lambda row: row[3] / (row[1] * row[2]))[0]


def place(rows):
    factor = {name: t / (h * w) for name, h, w, t in rows}
    return list(factor).index(far_from_median(factor))


def decide(mean, half):
    return ("reproduced" if mean > half else
            "not reproduced" if mean < -half else "cannot tell")


def normal(values):
    return decide(statistics.fmean(values), 1.96 * statistics.stdev(values) / 3**0.5)


def no_root(values):
    return decide(statistics.fmean(values), 4.303 * statistics.stdev(values))


def no_factor(values):
    return decide(statistics.fmean(values), statistics.stdev(values) / 3**0.5)


def no_root_of_three(values):
    return decide(statistics.fmean(values), 4.303 * statistics.stdev(values) / 3)


def variance(values):
    return decide(statistics.fmean(values), 4.303 * statistics.variance(values) / 3)


def three_free(values):
    return decide(statistics.fmean(values), 3.182 * statistics.stdev(values) / 3**0.5)


def by_three(values):
    return decide(statistics.fmean(values), 4.303 * statistics.pstdev(values) / 3**0.5)


def sign_only(values):
    return decide(statistics.fmean(values), 0.0)


def no_doubt(values):
    mean, half = statistics.fmean(values), 4.303 * statistics.stdev(values) / 3**0.5
    return "reproduced" if mean > half else "not reproduced"


def one_sign(values):
    return ("reproduced" if min(values) > 0 else
            "not reproduced" if max(values) < 0 else "cannot tell")


def rate(harmful, caught, false):
    return false


def joint(harmful, caught, false):
    return (1 - harmful) * false


def the_other(harmful, caught, false):
    return harmful * caught / (harmful * caught + (1 - harmful) * false)


def no_base(harmful, caught, false):
    return false / (false + caught)


def swapped(harmful, caught, false):
    return harmful * false / (harmful * false + (1 - harmful) * caught)


WRONG = {
    "mean": [
        (of_rows, "mean of the rows"),
        (by_rows, "number of rows"),
        (total, "that is the total"),
        (turned_round, "the other way round"),
    ],
    "odd_row": [
        (hours_alone, "because the watts do"),
        (most, "may well be right"),
        (lowest, "lowest factor"),
        (highest, "highest factor"),
        (place, "not the place"),
    ],
    "verdict": [
        (normal, "two degrees of freedom"),
        (no_root, "spread of one run"),
        (no_factor, "factor is missing"),
        (no_root_of_three, "where its root belongs"),
        (variance, "the root is missing"),
        (three_free, "and not three"),
        (by_three, "by two, not by three"),
        (sign_only, "sign of the mean"),
        (no_doubt, "shows nothing"),
        (one_sign, "can still be too wide"),
    ],
    "harmless": [
        (rate, "not how many refused ones"),
        (joint, "divide by all that are refused"),
        (the_other, "the other part"),
        (no_base, "equally often"),
        (swapped, "exchanged"),
    ],
}
