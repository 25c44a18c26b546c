"""Drawings of notebook 16: what recomputes, what is disputed, what the ledger says."""

import html
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from ...evaluation.claims import (
    CANNOT_TELL,
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    VERDICTS,
    Claim,
)
from ...evaluation.claims import Finding as Verdict
from ...paper.recompute import Finding
from ...training.intervals import Interval
from ..figures import COLOURS, figure

SHADES = {REPRODUCED: "blue", NOT_REPRODUCED: "red", CANNOT_TELL: "orange",
          NOT_TESTABLE: "grey"}
SIGNS = {REPRODUCED: "●", NOT_REPRODUCED: "✕", CANNOT_TELL: "?", NOT_TESTABLE: "–"}
CELL = "padding:.15em .5em;border-bottom:1px solid #c9ced6;text-align:left;" \
       "vertical-align:top"
DARK = {REPRODUCED: "#005A8E", NOT_REPRODUCED: "#A34400", CANNOT_TELL: "#7A5200",
        NOT_TESTABLE: "#4B5563"}  # of the same hues, dark enough for text on white


def draw_places(findings: Sequence[Finding]) -> Figure:
    """How many numbers of each table come out as printed, and how many do not."""
    places = list(dict.fromkeys(one.where for one in findings))
    places.sort(key=lambda place: (place[0], int("".join(c for c in place.split()[-1]
                                                         if c.isdigit()))))
    good, bad = ([sum(one.where == place and one.agrees is right for one in findings)
                  for place in places] for right in (True, False))
    fig, ax = figure(9.5, 4.3)
    ax.barh(places, good, color=COLOURS["blue"], label="as printed, or by rounding")
    ax.barh(places, bad, left=good, color=COLOURS["red"], label="not as printed")
    for row, (right, wrong) in enumerate(zip(good, bad)):
        ax.text(right + wrong + 1, row, f"{right} of {right + wrong}", va="center",
                fontsize=12)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set(xlabel="numbers that can be computed from others of the paper")
    ax.set_title(f"{sum(good)} of {len(findings)} numbers come out as printed")
    ax.legend(loc="lower right")
    return fig


def draw_math(findings: Sequence[Finding]) -> Figure:
    """The Math column of Table 3 beside the mean that it is said to be."""
    fig, ax = figure(9.5, 4.2)
    names = [one.what.removesuffix(", Math") for one in findings]
    for row, one in enumerate(findings):
        colour = COLOURS["grey" if one.agrees else "red"]
        ax.plot([one.computed, one.printed], [row, row], color=colour, lw=2)
    ax.plot([one.computed for one in findings], range(len(names)), "o", ms=9,
            color=COLOURS["blue"], label="mean of GSM8K and MATH (Table 25)")
    ax.plot([one.printed for one in findings], range(len(names)), "D", ms=7, mfc="none",
            mew=2, color=COLOURS["orange"], label="printed in Table 3")
    ax.set_yticks(range(len(names)), names, fontsize=12)
    ax.invert_yaxis()
    ax.set(xlabel="score (%)")
    ax.set_title("Two of twelve averages are GSM8K alone")
    ax.legend(loc="upper right")
    return fig


def draw_averages(rows: Sequence[Finding]) -> Figure:
    """Table 24: how far each average is from that by numbers of questions."""
    fig, ax = figure(9.5, 3.2)
    ax.barh([row.what for row in rows], [row.computed - row.printed for row in rows],
            color=[COLOURS["blue" if row.agrees else "red"] for row in rows])
    ax.axvspan(-rows[0].allowed, rows[0].allowed, color=COLOURS["grey"], alpha=0.35)
    ax.text(1.2 * rows[0].allowed, 0, "grey: rounding explains it", fontsize=12,
            va="center")
    ax.set_yticks(range(len(rows)), [row.what for row in rows], fontsize=10)
    ax.invert_yaxis()
    ax.set(xlabel="computed by numbers of questions, less printed (points)",
           ylabel="row of Table 24")
    ax.set_title("Weighted by questions, eleven of twelve averages come out")
    return fig


def draw_refusals(bars: Sequence[tuple[str, float, float]]) -> Figure:
    """Shares of harmless prompts refused: label, full refusals, partial ones (%)."""
    fig, ax = figure(9.5, 3.9)
    names = [name for name, *_ in bars]
    ax.barh(names, [full for _, full, _ in bars], color=COLOURS["red"],
            label="refused")
    ax.barh(names, [part for *_, part in bars], left=[full for _, full, _ in bars],
            color=COLOURS["orange"], label="refused in part")
    for row, (_, full, part) in enumerate(bars):
        ax.text(full + part + 0.7, row, f"{full:g}" + (f" + {part:g}" if part else ""),
                va="center", fontsize=12)
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.set(xlabel="harmless prompts (%)")
    ax.set_title("Rare or not depends on whom one asks")
    ax.legend(loc="lower right")
    return fig


def draw_length(bars: Mapping[str, tuple[float, float, int]]) -> Figure:
    """AlpacaEval 2: win rate raw and with length held equal, and length of answers."""
    fig, ax = figure(9, 3.9)
    for place, (name, (raw, fair, length)) in enumerate(bars.items()):
        for shift, value, colour in ((-0.18, raw, "orange"), (0.18, fair, "blue")):
            ax.bar(place + shift, value, 0.34, color=COLOURS[colour])
            ax.text(place + shift, value + 0.3, f"{value:.1f}", ha="center",
                    fontsize=13)
    ax.set_xticks(range(len(bars)), [f"{name}\n{length:,} characters an answer"
                                     for name, (_, _, length) in bars.items()])
    ax.margins(y=0.15)
    ax.set(ylabel="wins against GPT-4 Turbo (%)")
    for colour, label in (("orange", "as judged"), ("blue", "length held equal")):
        ax.bar([0], [0], color=COLOURS[colour], label=label)
    ax.legend()
    ax.set_title("Hold length equal, and the order turns round")
    return fig


def draw_verdicts(themes: Mapping[str, Mapping[str, int]]) -> Figure:
    """How many claims of each theme got which verdict."""
    fig, ax = figure(10, 4.4)
    left = [0] * len(themes)
    for verdict in VERDICTS:
        counts = [theme[verdict] for theme in themes.values()]
        ax.barh(list(themes), counts, left=left, label=verdict,
                color=COLOURS[SHADES[verdict]])
        for row, (start, n) in enumerate(zip(left, counts)):
            if n:
                ax.text(start + n / 2, row, f"{SIGNS[verdict]} {n}", ha="center",
                        va="center", fontsize=13,
                        color="white" if verdict != CANNOT_TELL else "black")
        left = [a + b for a, b in zip(left, counts)]
    ax.invert_yaxis()
    ax.grid(False)
    ax.set(xlabel="claims")
    whole = {verdict: sum(theme[verdict] for theme in themes.values())
             for verdict in VERDICTS}
    tested = sum(whole.values()) - whole[NOT_TESTABLE]
    ax.set_title(f"Of {tested} claims tried, {whole[REPRODUCED]} are reproduced and "
                 f"{whole[NOT_REPRODUCED]} are not")
    ax.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.45, -0.16), fontsize=12)
    return fig


def draw_judge(right: Mapping[str, Interval]) -> Figure:
    """How often the judge is right about the answers of each version."""
    fig, ax = figure(8.5, 3.7)
    ax.errorbar(range(len(right)), [one.mean for one in right.values()],
                yerr=[one.half_width for one in right.values()], fmt="o", capsize=5,
                ms=9, color=COLOURS["blue"])
    ax.axhline(0.5, color=COLOURS["black"], lw=1.5, ls="--")
    ax.text(len(right) - 0.55, 0.503, "a coin", fontsize=12, va="bottom")
    ax.set_xticks(range(len(right)), list(right))
    ax.margins(x=0.15)
    ax.set(xlabel="whose answers were compared",
           ylabel="judge right (share, 95%)")
    ax.set_title("The judge tells less after the first round, and stays there")
    return fig


def words_html(rows: Sequence[Sequence[object]], columns: Sequence[str], caption: str
               ) -> str:
    """A table of words, set to the left."""
    head = "".join(f'<th scope="col" style="{CELL}">{html.escape(name)}</th>'
                   for name in columns)
    body = "".join("<tr>" + "".join(f'<td style="{CELL}">{html.escape(str(cell))}</td>'
                                    for cell in row) + "</tr>" for row in rows)
    return ('<table style="border-collapse:collapse;margin:.4em 0"><caption style='
            '"text-align:left;caption-side:top;padding:.2em 0">'
            f"{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>")


def claims_html(claims: Sequence[Claim], found: Mapping[str, Verdict]) -> str:
    """Claims with experiment, what was found, verdict, and where it is seen."""
    head = "".join(f'<th scope="col" style="{CELL}">{name}</th>' for name in (
        "claim (section)", "tiny experiment", "found", "verdict", "seen in"))
    body = ""
    for claim in claims:
        one = found[claim.id]
        sign = (f'<span style="color:{DARK[one.verdict]};font-weight:600">'
                f"{SIGNS[one.verdict]}&nbsp;{html.escape(one.verdict)}</span>")
        seen = f"{claim.notebook}: {claim.heading}" if claim.testable else ""
        cells = [html.escape(f"{claim.text} ({claim.section})"),
                 html.escape(claim.experiment), html.escape(one.evidence), sign,
                 html.escape(seen)]
        body += "<tr>" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells)
        body += "</tr>"
    return ('<table style="border-collapse:collapse;margin:.3em 0;line-height:1.2">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
