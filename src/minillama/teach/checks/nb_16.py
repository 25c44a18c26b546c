"""Checks of notebook 16: weighted means, an impossible row, verdicts, base rates.

The truths are written out here in other words than in ``minillama.paper.recompute`` and
``minillama.evaluation.claims``.
"""

import statistics
from collections.abc import Callable, Sequence

from ..exercises import call, diagnose, passed

Row = tuple[str, int, int, float]
TABLES: tuple[list[Row], ...] = (  # tonnes = hours * watts / 1e6 * 0.4 but for one row
    [("owl", 1000, 500, 0.2), ("goose", 4000, 500, 0.8), ("pig", 2000, 250, 0.2),
     ("hen", 3000, 500, 0.9)],
    [("owl", 9000, 400, 1.44), ("goose", 5000, 400, 0.8), ("pig", 7000, 100, 0.28),
     ("hen", 8000, 400, 1.6)],
    [("owl", 2000, 300, 0.48), ("goose", 1000, 300, 0.12), ("pig", 6000, 300, 0.72),
     ("hen", 5000, 150, 0.3)],
    [("owl", 2000, 400, 0.32), ("goose", 6000, 500, 1.2), ("pig", 1000, 500, 0.2),
     ("hen", 3000, 500, 0.45)])


def check_mean(mean: Callable[..., float]) -> None:
    """A mean in which every dialogue counts once."""
    for counts, values in (([10, 30], [1.0, 2.0]), ([5, 1, 4], [3.0, 0.5, 2.0]),
                           ([100, 1], [1.0, 9.0])):
        everyone = [v for n, v in zip(counts, values) for _ in range(n)]
        whole = sum(everyone)
        diagnose(call(mean, counts, values), statistics.fmean(everyone), {
            "that is the mean of the rows: a row of ten thousand dialogues counts as "
            "much as a row of ten": statistics.fmean(values),
            "divided by the number of rows: divide by the number of dialogues":
                whole / len(values),
            "that is the total: divide it by the number of dialogues": whole,
            "the counts are averaged and the values are the weights: it is the other "
            "way round": sum(n * v for n, v in zip(counts, values)) / sum(values),
        }, f"mean({counts}, {values})")
    passed("a row weighs as much as it has dialogues")


def check_odd_row(odd_row: Callable[[list[Row]], str]) -> None:
    """The row whose tonnes do not follow from its hours and watts."""
    for rows in TABLES:
        factor = {name: tonnes / (hours * watts) for name, hours, watts, tonnes in rows}
        middle = statistics.median(factor.values())
        truth = max(factor, key=lambda name: abs(factor[name] - middle))
        by_hour = {name: tonnes / hours for name, hours, _, tonnes in rows}
        usual = statistics.median(by_hour.values())
        diagnose(call(odd_row, rows), truth, {
            "tonnes per hour differ because the watts do: take both into the energy":
                max(by_hour, key=lambda name: abs(by_hour[name] - usual)),
            "the row with the most tonnes may well be right: compare tonnes with what "
            "hours and watts give": max(rows, key=lambda row: row[3])[0],
            "the name is asked for, not the place": list(factor).index(truth),
            "the lowest factor is not the odd one: compare with what most rows have":
                min(factor, key=factor.get),
            "the highest factor is not always the odd one: compare with what most rows "
            "have": max(factor, key=factor.get),
        }, "the odd row")
    passed("every other row has the same tonnes for a kilowatt hour")


SEEDS = ([0.20, 0.30, 0.40], [0.10, 0.30, 0.50], [-0.20, -0.30, -0.40],
         [0.05, 0.30, 0.30], [-0.10, 0.50, 0.50], [-0.1, -0.3, -0.5],
         [0.12, 0.22, 0.32], [0.4, 0.41, 0.42], [0.01, 0.21, 0.41], [9.0, 1.0, 5.0],
         [-1.0, 0.5, 1.1], [0.93, 1.93, 2.93], [0.28, 1.28, 2.28], [0.5, 1.5, 2.5],
         [2.45, 3.45, 4.45])


def _by(reach: Callable[[Sequence[float]], float]) -> list[str]:
    """Verdicts with another half width."""
    found = []
    for values in SEEDS:
        mean, half = statistics.fmean(values), reach(values)
        found.append("reproduced" if mean > half else
                     "not reproduced" if mean < -half else "cannot tell")
    return found


def check_verdict(verdict: Callable[[Sequence[float]], str]) -> None:
    """A verdict from three seeds."""
    root = 3**0.5
    truth = _by(lambda v: 4.303 * statistics.stdev(v) / root)
    diagnose([call(verdict, list(values)) for values in SEEDS], truth, {
        "1.96 belongs to many values: three have two degrees of freedom, and Student's "
        "t is 4.303": _by(lambda v: 1.96 * statistics.stdev(v) / root),
        "Student's factor is missing: three values know their own spread badly":
            _by(lambda v: statistics.stdev(v) / root),
        "that divides by three where its root belongs":
            _by(lambda v: 4.303 * statistics.stdev(v) / 3),
        "the root is missing: the variance is not the deviation":
            _by(lambda v: 4.303 * statistics.variance(v) / 3),
        "three values have two degrees of freedom and not three: the factor is 4.303":
            _by(lambda v: 3.182 * statistics.stdev(v) / root),
        "that is the spread of one run: the mean of three varies less, by the root of "
        "three": _by(lambda v: 4.303 * statistics.stdev(v)),
        "divide the squares by two, not by three: the mean was taken from the same "
        "three values": _by(lambda v: 4.303 * statistics.pstdev(v) / root),
        "the sign of the mean is no verdict: the interval decides": _by(lambda v: 0.0),
        "an interval that holds zero shows nothing: it is 'cannot tell' and not 'not "
        "reproduced'": ["not reproduced" if v == "cannot tell" else v for v in truth],
        "three runs of one sign can still be too wide": [
            "reproduced" if min(v) > 0 else "not reproduced" if max(v) < 0 else
            "cannot tell" for v in SEEDS],
    }, "the verdicts on fifteen triples")
    passed("only an interval that leaves out zero decides")


def check_harmless(share: Callable[..., float]) -> None:
    """Of all refused prompts, the share that were harmless."""
    for harmful, caught, false in ((0.01, 0.98, 0.05), (0.5, 0.9, 0.1),
                                   (0.001, 0.99, 0.2)):
        right, wrong = 100_000 * harmful * caught, 100_000 * (1 - harmful) * false
        diagnose(call(share, harmful, caught, false), wrong / (right + wrong), {
            "that is how many harmless prompts are refused, not how many refused ones "
            "are harmless": false,
            "that is the share of all prompts: divide by all that are refused":
                (1 - harmful) * false,
            "that is the other part, the harmful among the refused":
                right / (right + wrong),
            "both rates count as if harmful and harmless prompts came equally often":
                false / (false + caught),
            "the base rates are exchanged: harmful is the share of harmful prompts":
                harmful * false / (harmful * false + (1 - harmful) * caught),
        }, f"share({harmful}, {caught}, {false})")
    passed("where harm is rare, most refusals hit the harmless")
