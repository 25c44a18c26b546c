"""The paper's own tables, computed anew from the ledger.

Every function returns findings: what is printed, what comes out, and how much of the
difference the rounding of the printed numbers can explain. A table may be handed in
altered (``look``), which is how the tests show that a changed cell is found.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .ledger import Table, context, fact, table

Look = Callable[[str], Table]
GROUPS = {  # columns of Table 3, and the columns that they average (section 2.3)
    "Code": (("table_21", "HumanEval pass@1"), ("table_21", "MBPP pass@1")),
    "Commonsense Reasoning": tuple(("table_20", name) for name in (
        "PIQA", "SIQA", "HellaSwag", "WinoGrande", "ARC-e", "ARC-c", "OBQA", "CSQA")),
    "World Knowledge": (("table_22", "NQ 5-shot"), ("table_22", "TriviaQA 5-shot")),
    "Reading Comprehension": (("table_23", "SQuAD 0-shot"), ("table_23", "QuAC 0-shot"),
                              ("table_20", "BoolQ")),
    "Math": (("table_25", "GSM8K"), ("table_25", "MATH")),
}
REPEATED = (  # one number in two tables: table, column, table, column
    ("table_3", "MMLU", "table_19", "Average"), ("table_3", "MMLU", "table_20", "MMLU"),
    ("table_3", "AGI Eval", "table_24", "Avg"),
    ("table_11", "TruthfulQA % truthful and informative (higher better)", "table_44",
     "truthful and informative"),
    ("table_14", "TruthfulQA % truthful and informative (higher better)", "table_44",
     "truthful and informative"))
AGAIN = (  # rows of Table 4, and where Llama 2 70B has the number too
    ("MMLU (5-shot)", "table_19", "Average"), ("BIG-Bench Hard (3-shot)", "table_3",
                                               "BBH"),
    ("TriviaQA (1-shot)", "table_22", "TriviaQA 1-shot"), ("GSM8K (8-shot)", "table_25",
                                                           "GSM8K"),
    ("Natural Questions (1-shot)", "table_22", "NQ 1-shot"), ("HumanEval (0-shot)",
                                                    "table_21", "HumanEval pass@1"))


@dataclass(frozen=True)
class Finding:
    """One number of the paper beside what comes out of other numbers of the paper."""

    where: str  # table, figure or section as it is called in the paper
    what: str
    printed: float
    computed: float
    allowed: float = 0.0  # the largest difference that rounding can explain

    @property
    def difference(self) -> float:
        """Printed less computed, in the unit of the numbers."""
        return self.printed - self.computed

    @property
    def agrees(self) -> bool:
        """Whether rounding alone can explain the difference."""
        return abs(self.difference) <= self.allowed + 1e-9


def half_unit(value: float, places: int | None = None) -> float:
    """Half a unit of the last place: 0.05 for 4.9. Whole numbers are counts: 0.

    ``places`` for numbers whose last printed zero the ledger cannot keep (153.90).
    """
    if places is None:
        if isinstance(value, int):
            return 0.0
        places = -int(Decimal(repr(value)).as_tuple().exponent)
    return 0.5 * 10.0**-places


def name_of(row: Sequence) -> str:
    """A model as the tables name it: its first two columns."""
    return f"{row[0]} {row[1]}"


def mean_of(where: str, what: str, printed: float, parts: Sequence[float]) -> Finding:
    """A printed average beside the plain mean of its parts."""
    return Finding(where, what, printed, math.fsum(parts) / len(parts),
                   half_unit(printed) + sum(map(half_unit, parts)) / len(parts))


def grouped_averages(look: Look = table) -> list[Finding]:
    """Five columns of Table 3 from Tables 20 to 25, one finding a model and column."""
    summary = look("table_3")
    rows = [(row, f"{row[0]} / {row[1]}") for row in summary.rows]
    return [mean_of("Table 3", f"{name_of(row)}, {group}",
                    row[summary.columns.index(group)],
                    [look(source).cell(label, column) for source, column in parts])
            for group, parts in GROUPS.items() for row, label in rows]


def total(look: Look, id: str, column: str, places: int | None = None) -> Finding:
    """The last row of a table beside the sum of the rows above it."""
    entry = look(id)
    *parts, printed = [row[entry.columns.index(column)] for row in entry.rows]
    return Finding(f"Table {entry.number}", f"sum of {column}", printed,
                   math.fsum(parts), half_unit(printed, places)
                   + sum(half_unit(part, places) for part in parts))


def totals(look: Look = table) -> list[Finding]:
    """Sums of Tables 2, 6 and 26, and the row that Tables 6 and 26 share."""
    meta = "Meta (Safety & Helpfulness)"
    return [total(look, "table_2", "GPU hours"),
            total(look, "table_2", "carbon emitted (tCO2eq)", places=2),
            total(look, "table_26", "comparisons"),
            Finding("Table 6", "comparisons of Meta, from Table 26",
                    look("table_6").cell(meta, "comparisons"),
                    look("table_26").cell("Total", "comparisons")),
            total(look, "table_6", "comparisons")]


def carbon(intensity: float, pue: float, look: Look = table) -> list[Finding]:
    """Table 2 from hours and watts: tonnes = MWh * PUE * intensity (Llama 1's formula).

    ``intensity`` in kg for a kWh; the total is taken from the unrounded rows.
    """
    hours, watts, carbon = (look("table_2").columns.index(name) for name in (
        "GPU hours", "power per GPU (W)", "carbon emitted (tCO2eq)"))
    *rows, last = look("table_2").rows
    tonnes = [row[hours] * row[watts] / 1e6 * pue * intensity for row in rows]
    found = [Finding("Table 2", f"{row[0]}, tonnes", row[carbon], value,
                     half_unit(0.0, 2)) for row, value in zip(rows, tonnes)]
    return [*found, Finding("Table 2", "total, tonnes", last[carbon],
                            math.fsum(tonnes), half_unit(0.0, 2))]


def cut(value: float, places: int) -> float:
    """Digits cut off, not rounded: cut(62.448, 2) is 62.44."""
    return math.floor(value * 10**places) / 10**places


def weighted_means(id: str, look: Look = table) -> list[Finding]:
    """The last row of Table 6 or 26: means of its columns, each dialogue or answer
    counted as often as the table says there are comparisons."""
    entry = look(id)
    *rows, last = entry.rows
    found = []
    for place, column in enumerate(entry.columns[2:], 2):
        mean = (math.fsum(row[1] * row[place] for row in rows)
                / sum(row[1] for row in rows))
        found.append(Finding(f"Table {entry.number}", column, last[place], mean,
                             2 * half_unit(last[place], places=1)))
    return found


def single_turns(look: Look = table) -> list[Finding]:
    """Table 6: with one turn, prompt and response must make up the example."""
    return [Finding("Table 6", f"{row[0]}, tokens", row[3], row[4] + row[5], 0.15)
            for row in look("table_6").rows[:-1] if row[2] == 1]


def plain_averages(look: Look = table) -> list[Finding]:
    """The averages of Table 7 (models with all columns) as plain means."""
    return [mean_of("Table 7", row[0], row[-1], row[1:-1])
            for row in look("table_7").rows if None not in row]


def question_averages(look: Look = table) -> list[Finding]:
    """Table 24: averages in which a test of AGIEval counts as often as it has
    questions. The paper names no weights; nothing is fitted here."""
    count = context("critiques", "agieval-questions").value
    entry = look("table_24")
    weights = [count[column] for column in entry.columns[3:]]
    return [Finding("Table 24", name_of(row), row[2],
                    math.fsum(n * x for n, x in zip(weights, row[3:])) / sum(weights),
                    2 * half_unit(row[2], places=1)) for row in entry.rows]


def relative_changes(look: Look = table) -> list[Finding]:
    """Section 4.1: what changed from Llama 1 7B to Llama 2 7B in Table 11, per cent."""
    printed, found = fact("safety_relative_changes").value, []
    for column, name in zip(look("table_11").columns[2:], printed):
        old, new = (look("table_11").cell(f"{family} / 7B", column)
                    for family in ("Llama 1", "Llama 2"))
        value = 100 * (new / old - 1)
        off = half_unit(0.0, 2)  # of each of the three printed numbers
        reach = max(abs(100 * ((new + a) / (old + b) - 1) - value)
                    for a in (-off, off) for b in (-off, off))
        found.append(Finding("Section 4.1", f"{name}, change in %", printed[name],
                             value, reach + off))
    return found


def contamination(look: Look = table) -> list[Finding]:
    """Table 51: Z = (X - mu) / sigma with sigma = sqrt(mu (1 - mu) / n), section A.6.

    Rounded means move Z by up to a tenth of a point over sigma.
    """
    found = []
    for row in look("table_51").rows:
        data, model, subset, _, n, mean, mu, z = row
        sigma = 100 * math.sqrt(mu / 100 * (1 - mu / 100) / n)
        found.append(Finding("Table 51", f"{data}, {model}, {subset}: Z", z,
                             (mean - mu) / sigma, 0.1 / sigma + 0.005))
    return found


def repeats(look: Look = table) -> list[Finding]:
    """Numbers that stand in two tables."""
    found = []
    for here, column, there, other in REPEATED:
        for row in look(here).rows:
            label = f"{row[0]} / {row[1]}"
            if label in {f"{r[0]} / {r[1]}" for r in look(there).rows}:
                found.append(Finding(
                    f"Table {look(here).number}", f"{name_of(row)} in Table "
                    f"{look(there).number}", look(here).cell(label, column),
                    look(there).cell(label, other)))
    for row, there, column in AGAIN:
        found.append(Finding("Table 4", f"{row} in Table {look(there).number}",
                             look("table_4").cell(row, "Llama 2 70B"),
                             look(there).cell("Llama 2 / 70B", column)))
    return found


def shares() -> list[Finding]:
    """Figure 1: wins, ties and losses of each pairing must be all comparisons."""
    return [Finding("Figure 1", f"{pair}: all shares", 100.0, math.fsum(parts), 0.15)
            for pair, parts in fact("fig_1").value.items()]


def promised_wins() -> list[tuple[str, float, float]]:
    """Section 3.4.2 on the 34B model: opponent, share of wins that the text claims at
    least, and the share that Figure 1 prints."""
    claim = fact("human_eval_34b_claim")
    least = float(re.search(r"above (\d+)%", claim.what)[1])
    printed = {pair: parts[0] for pair, parts in fact("fig_1").value.items()}
    return [(name, least, next(win for pair, win in printed.items()
                               if pair.startswith("34b") and name in pair))
            for name in ("Falcon-40b", "Vicuna-33b")]


def readings_of_figure_5() -> list[tuple[str, float, float, float]]:
    """The last values of Figure 5 in both readings of its axis: size, value, the
    perplexity if it is a loss in nats, the loss in nats if it is a perplexity."""
    return [(size, value, math.exp(value), math.log(value))
            for size, value in fact("fig_5").value.items()]


def mean_scores(look: Look = table) -> dict[str, float]:
    """Table 18: the mean of eleven benchmarks for MHA, MQA and GQA."""
    return {row[0]: math.fsum(row[1:]) / len(row[1:]) for row in look("table_18").rows}


def categories_lost(ours: str, theirs: str, look: Look = table) -> list[str]:
    """Columns of Table 3 in which the first model ("Llama 2 / 34B") is not ahead."""
    return [column for column in look("table_3").columns[2:]
            if look("table_3").cell(ours, column) <= look("table_3").cell(theirs,
                                                                          column)]


def all_findings(intensity: float, pue: float, look: Look = table) -> list[Finding]:
    """Everything in this file that has a printed number."""
    return [*grouped_averages(look), *totals(look), *carbon(intensity, pue, look),
            *weighted_means("table_26", look), *weighted_means("table_6", look),
            *single_turns(look), *plain_averages(look), *question_averages(look),
            *relative_changes(look), *contamination(look), *repeats(look), *shares()]
