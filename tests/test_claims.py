"""Verdicts come from results: made-up results of either sign, of none and of wide
spread are fed to every rule and to every claim."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from minillama.alignment.judging import Judgement
from minillama.build.source import sources
from minillama.errors import UserError
from minillama.evaluation import claims as rules
from minillama.evaluation import measures as m
from minillama.evaluation.claims import (
    CANNOT_TELL, NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED, Claim, Finding)
from minillama.paper.ledger import _load
from minillama.pasture import DEGREES
from minillama.stages_chat import KINDS
from minillama.teach.claims import CLAIMS

NARROW, WIDE = (0.0, 0.002, -0.002), (0.0, 9.0, -9.0)
TESTABLE = [claim for claim in CLAIMS if claim.testable]


# Rules -------------------------------------------------------------------------

@pytest.mark.parametrize("values, verdict", [
    ([0.3, 0.2, 0.4], REPRODUCED), ([-0.3, -0.2, -0.4], NOT_REPRODUCED),
    ([0.9, -0.4, 0.1], CANNOT_TELL), ([0.3], CANNOT_TELL), ([], CANNOT_TELL),
    ([0.0, 0.0, 0.0], CANNOT_TELL)])
def test_shown_above(values, verdict):
    assert rules.shown_above(values).verdict == verdict


def test_shown_above_by_hand():
    """Two degrees of freedom: 0.3 +- 4.303 * 0.1 / sqrt(3), which is 0.3 +- 0.248."""
    found = rules.shown_above([0.2, 0.3, 0.4])
    assert found == Finding(REPRODUCED, "+0.052 to +0.548")
    assert rules.shown_above([0.2, 0.3, 0.4], 0.06).verdict == CANNOT_TELL
    assert rules.shown_above([0.2, 0.3, 0.4], 0.6).verdict == NOT_REPRODUCED


def test_more_seeds_decide_by_hand():
    """Mean 5, deviation 4: t of 9 degrees is 2.262, so 5 +- 2.262 * 4 / sqrt(10)."""
    found = rules.shown_above([9.0, 1.0, 5.0])
    assert found.verdict == CANNOT_TELL == rules.with_seeds(found, 3)
    assert rules.with_seeds(found, 10) == REPRODUCED
    assert rules.with_seeds(rules.shown_above([9.0, 1.0, 5.0], 2.2), 10) == CANNOT_TELL
    other = rules.rate_above(21, 40, 0.5)
    assert rules.with_seeds(other, 10) == other.verdict


@pytest.mark.parametrize("values, verdict", [
    ([0.01, 0.0, -0.01], REPRODUCED), ([0.2, 0.21, 0.19], NOT_REPRODUCED),
    ([-0.2, -0.21, -0.19], NOT_REPRODUCED), ([0.1, -0.1, 0.0], CANNOT_TELL),
    ([0.05, 0.051, 0.049], CANNOT_TELL), ([0.0], CANNOT_TELL)])
def test_shown_equal(values, verdict):
    assert rules.shown_equal(values, 0.05).verdict == verdict


@pytest.mark.parametrize("values, verdict", [
    ([-0.01, 0.0, -0.02], REPRODUCED), ([0.5, 0.5, 0.51], REPRODUCED),
    ([-0.2, -0.21, -0.19], NOT_REPRODUCED), ([-0.1, 0.1, 0.0], CANNOT_TELL)])
def test_shown_not_worse(values, verdict):
    assert rules.shown_not_worse(values, 0.05).verdict == verdict


def test_margins_must_be_positive():
    for rule in (rules.shown_equal, rules.shown_not_worse):
        with pytest.raises(UserError, match="chosen before"):
            rule([0.1, 0.2], 0.0)


@pytest.mark.parametrize("hits, verdict", [(38, REPRODUCED), (0, NOT_REPRODUCED),
                                           (21, CANNOT_TELL)])
def test_rate_above(hits, verdict):
    assert rules.rate_above(hits, 40, 0.5).verdict == verdict


def test_all_of_needs_all_and_fails_with_one():
    yes, no, unsure = (Finding(v, v) for v in (REPRODUCED, NOT_REPRODUCED, CANNOT_TELL))
    assert rules.all_of([yes, yes]).verdict == REPRODUCED
    assert rules.all_of([yes, unsure]).verdict == CANNOT_TELL
    assert rules.all_of([yes, unsure, no]).verdict == NOT_REPRODUCED
    assert rules.all_of([yes, no]).evidence == f"{REPRODUCED}; {NOT_REPRODUCED}"
    with pytest.raises(UserError):
        rules.all_of([])


def test_there_are_four_verdicts_and_they_are_counted():
    with pytest.raises(UserError, match="no verdict 'perhaps'"):
        Finding("perhaps", "")
    counts = rules.counted([Finding(REPRODUCED, "a"), Finding(REPRODUCED, "b"),
                            Finding(CANNOT_TELL, "c")])
    assert tuple(counts) == rules.VERDICTS and list(counts.values()) == [2, 0, 1, 0]
    assert rules.by_luck(40) == pytest.approx(1.0)


def test_a_claim_without_its_results_is_an_error_and_sees_no_others():
    seen = []
    claim = Claim("a", "t", "text", "3.1", "e", needs=("one",),
                  judge=lambda r: seen.append(dict(r)) or Finding(REPRODUCED, ""))
    with pytest.raises(UserError, match="needs the results of one"):
        rules.judge(claim, {"two": 2})
    rules.judge(claim, {"one": 1, "two": 2})
    assert seen == [{"one": 1}]
    assert rules.judge(replace(claim, judge=None, reason="why"), {}) == Finding(
        NOT_TESTABLE, "why")


# Made-up results ------------------------------------------------------------------

def judgement(utility, helpfulness=None, kinds=None):
    n = len(utility)
    return Judgement(list(kinds or ["rhyme"] * n), list(utility),
                     list(helpfulness or utility), [0.9] * n, [0.0] * n, [5] * n,
                     [True] * n, [""] * n)


def rows(value, noise, **settings):
    """One row a seed."""
    return [{"seed": seed, **settings, **value(x)} for seed, x in enumerate(noise)]


def ablations(sign, noise):
    names = ("Llama 1 (multi-head)", "multi-query", "learned positions", "ReLU",
             "norm after")
    return {"Llama 2": [3.0] * 3} | {name: [3.0 + 0.3 * sign + x for x in noise]
                                     for name in names}


def windows(sign, noise):
    return rows(lambda x: {"by_position": [2.0] * 128}, noise, window=32) + rows(
        lambda x: {"by_position": [2.0 - 0.3 * sign + x] * 128}, noise, window=128)


def sft_study(sign, noise):
    return rows(lambda x: {"utility": 0.5 + 0.3 * sign + x}, noise,
                name="few, clean") + rows(lambda x: {"utility": 0.5}, noise,
                                          name="many, noisy")


def reward_study(sign, noise):
    def accuracy(x, clear=0.6):
        return {"accuracy": {"all": x, DEGREES[0]: clear, DEGREES[-1]: 0.6}}

    scaling = [row for n, parameters, high in (
        (200, 10, 0), (1400, 10, 0), (200, 20, 0), (1400, 20, 1)) for row in rows(
            lambda x, high=high: accuracy(0.6 + high * (0.2 * sign + x)), noise,
            pairs=n, parameters=parameters)]
    margins = [row for name, high in ((None, 0), ("small", 1), ("large", 1))
               for row in rows(lambda x, high=high: accuracy(
                   0.6 + high * (0.2 * sign + x), 0.6 + 0.2 * sign + x) | {
                       "scores": [2.0 + high * (sign + x)] * 4}, noise, margin=name)]
    return {"scaling": scaling, "margins": margins}


def rlhf(sign, noise):
    def run(seed, x):
        up = 0.2 * sign + x
        return SimpleNamespace(seed=seed, judged={
            "SFT": judgement([0.5 - x / 2] * 2), "V4": judgement([0.5 + up] * 2),
            "V5": judgement([0.5 + 2 * up] * 2)}, rounds=[
                {"helpfulness_before": 0.7 + up}, {"helpfulness_before": 0.7}])

    return [run(seed, x) for seed, x in enumerate(noise)]


def fans(sign, _noise):
    """The helpfulness model prefers V5 in more answers than the truth, or in fewer."""
    few, many = [1.0, 0.0, 0.0, 0.0, 0.4], [1.0, 1.0, 1.0, 0.0, 0.4]
    utility, score = (few, many) if sign > 0 else (many, few)
    return [SimpleNamespace(judged={"SFT": judgement([0.4] * 5), "V5": judgement(
        utility, score)}) for _ in range(3)]


def correlated(sign, noise):
    return [SimpleNamespace(judged={"V5": judgement(
        [0.1, 0.5, 0.9, 9.0],
        [0.5 - 0.3 * sign, 0.5 + x, 0.5 + 0.3 * sign, -9.0 * sign],
        [KINDS[0]] * 3 + ["unsafe"])}) for x in noise]


def forgetting(sign, noise):
    return [row for cure, judge, high in (
        (False, True, 0), (True, True, 1), (True, False, -9)) for row in rows(
        lambda x, high=high: {"utility": 0.6 + high * (0.2 * sign + x),
                              "by_kind": {"rhyme": 0.5 - 0.3 * sign + x}}, noise,
        cure=cure, judge=judge)]


def overoptimisation(sign, noise):
    return rows(lambda x: {"rows": [{"utility": 0.5}] * 6 + [
        {"utility": 0.5 + 0.2 * sign + x}] * 6}, noise, reward="strong", beta=0.05)


def ghost(sign, noise):
    shares = {(False, 1): lambda x: 0.9, (False, 4): lambda x: 0.9 - 0.5 * sign + x,
              (True, 1): lambda x: 0.9, (True, 6): lambda x: 0.9 + 0.5 * sign + x}
    return [row for (side, turn), value in shares.items() for row in rows(
        lambda x, value=value: {"compliance": value(x)}, noise, ghost=side, turn=turn)]


def tallies(settings, change, noise):
    """For each setting of ``change``, the tally that it has by sign and noise."""
    def tally(x, moved):
        base = {"violations": 50, "unsafe": 100, "false_refusals": 50,
                "borderline": 100, "task_refusals": 1, "tasks": 100,
                "utility_tasks": 0.6}
        return base | {name: base[name] + by + x * unit
                       for name, (by, unit) in moved.items()}

    return [row for value, moved in change.items() for row in rows(
        lambda x, moved=moved: tally(x, moved), noise, **{settings: value})]


def safety_axes(sign, noise):
    return tallies("version", {"SFT": {}, "V5": {
        "violations": (-30 * sign, 100), "utility_tasks": (0.2 * sign, 1),
        "task_refusals": (0 if sign > 0 else 400, 0), "tasks": (900, 0)}}, noise)


def safety_scaling(sign, noise):
    return tallies("share", {0.0: {}, 1.0: {
        "violations": (-30 * sign, 100), "false_refusals": (30 * sign, 100),
        "utility_tasks": (0.0 if sign > 0 else 0.2, 1)}}, noise)


def distillation(sign, noise):
    pairs = [{"seed": seed, "kind": kind, "utility_plain": 0.5, "kept": kept,
              "utility_distilled": 0.9 if good != (kind == "borderline") else 0.1}
             for seed, x in enumerate(noise) for kind in ("unsafe", "borderline")
             for kept in (True, False) for good in [
                 kept == (sign > 0) if x < 1 else kept != (sign > 0)] * 3]
    learnt = {"violations": (-30 * sign, 100), "false_refusals": (-30 * sign, 100)}
    return {"rows": tallies("arm", {"before": {}, "every": {}, "gated": learnt,
                                    "lures": learnt}, noise), "pairs": pairs}


def red_team(sign, noise):
    styles = [row for number, broken in ((0, 0), (3, 1)) for style in ("a", "b")
              for row in rows(lambda x, broken=broken: {
                  "attempts": 10, "broken": 5 - broken * (3 * sign + 10 * x)}, noise,
                  round=number, style=style)]
    share = 0.97 if sign > 0 else 0.5
    return {"styles": styles, "rounds": rows(
        lambda x: {"again": 10, "mitigated": 10 * (share + x)}, noise, round=1)}


def rude_text(sign, noise):
    return rows(lambda x: {"accuracy": {"16": 0.9, "4": 0.6}}, noise,
                text="filtered") + rows(lambda x: {"accuracy": {
                    "16": 0.1, "4": 0.6 + 0.2 * sign + x}}, noise, text="unfiltered")


def contamination(sign, noise):
    """Of ten questions of each sort, how many are right with many copies and none."""
    def row(dose, x):
        many = round(50 + dose * (25 * sign + 100 * x))
        more = round(50 + dose * (0 if sign > 0 else 30) + dose * 100 * x)
        return {"run": "leak", "dose": dose, "leak": ["exact"] * 100
                + ["reworded"] * 100 + ["none"], "right": [i < many for i in range(100)]
                + [i < more for i in range(100)] + [True]}

    other = [{"seed": 0, "run": "practice", "dose": 9, "leak": [], "right": []}]
    return other + [one for dose in (0, 1) for one in rows(
        lambda x, dose=dose: row(dose, x), noise)]


MADE = {"ablations": ablations, "windows": windows, "sft_study": sft_study,
        "reward_study": reward_study, "rlhf": rlhf, "forgetting": forgetting,
        "overoptimisation": overoptimisation, "ghost": ghost,
        "writers": lambda sign, noise: 0.5 - 0.3 * sign,
        "grounds": lambda sign, noise: {
            g: [0.5 * sign + x for x in noise] for g in ("helpfulness", "safety")},
        "unseen": lambda sign, noise: (30 if sign > 0 else 1, 40),
        "safety_axes": safety_axes, "safety_scaling": safety_scaling,
        "distillation": distillation, "red_team": red_team, "rude_text": rude_text,
        "contamination": contamination}
SPECIAL = {"own-judge": {"rlhf": fans}, "rm-truth": {"rlhf": correlated}}
NO_SPREAD = {"own-judge", "rm-truth", "ghost-unseen", "margin-edges", "leak",
             "clean", "refusal-rare"}  # bounded, or not over seeds


def results(claim, sign, noise=NARROW):
    return {name: SPECIAL.get(claim.id, {}).get(name, MADE[name])(sign, noise)
            for name in claim.needs}


@pytest.mark.parametrize("claim", TESTABLE, ids=lambda claim: claim.id)
def test_every_claim_follows_its_results(claim):
    assert rules.judge(claim, results(claim, 1)).verdict == REPRODUCED
    assert rules.judge(claim, results(claim, -1)).verdict == NOT_REPRODUCED


@pytest.mark.parametrize("claim", [c for c in TESTABLE if c.id not in NO_SPREAD],
                         ids=lambda claim: claim.id)
def test_no_claim_is_decided_by_wide_results(claim):
    assert rules.judge(claim, results(claim, 1, WIDE)).verdict == CANNOT_TELL


def test_one_run_decides_nothing():
    claim = next(c for c in CLAIMS if c.id == "goodhart")
    one = overoptimisation(1, (0.0,))
    found = rules.judge(claim, {"overoptimisation": one})
    assert found.verdict == CANNOT_TELL and "one run" in found.evidence


# Measures -------------------------------------------------------------------------

def test_rows_are_paired_by_their_seed_not_by_their_order():
    made = [{"seed": 1, "a": "x", "v": 5.0}, {"seed": 0, "a": "x", "v": 1.0},
            {"seed": 0, "a": "y", "v": 0.5}, {"seed": 1, "a": "y", "v": 2.0}]
    assert m.gap(made, lambda row: row["v"], {"a": "x"}, {"a": "y"}) == [0.5, 3.0]
    with pytest.raises(UserError, match="no row has"):
        m.by_seed(made, lambda row: row["v"], a="z")
    with pytest.raises(ValueError):
        m.gap(made[1:], lambda row: row["v"], {"a": "x"}, {"a": "y"})


def test_measures_by_hand():
    runs = fans(1, NARROW)
    assert m.win_rates(runs, "V5", "helpfulness") == [0.7] * 3  # 3 wins, a tie, a loss
    assert m.win_rates(runs, "V5", "utility") == [0.3] * 3
    two = [SimpleNamespace(judged={
        "V5": judgement([1.0, 0.2, 0.5, 0.5], [0.1, 0.9, 0.6, 0.3], ["who"] * 4),
        "SFT": judgement([0.0, 0.4, 0.5, 0.5], [0.0, 0.5, 0.6, 0.2], ["who"] * 4)})]
    assert m.wins_apart(two, "V5") == {True: (0.5, 1.0), False: (0.5, 0.75)}
    styles = [{"round": n, "seed": 0, "style": s, "attempts": 4, "broken": b}
              for n, s, b in ((0, "a", 4), (0, "b", 2), (2, "a", 1), (2, "b", 0))]
    assert m.broken(styles) == [0.75 - 0.125]
    again = [{"seed": 0, "round": n, "again": a, "mitigated": c}
             for n, a, c in ((0, 0, 0), (1, 4, 3), (2, 6, 6))]
    assert m.mitigated(again) == [0.9]
    pair = {"seed": 0, "kind": "unsafe", "utility_plain": 0.5}
    pairs = [pair | {"utility_distilled": u, "kept": k} for u, k in (
        (0.9, True), (0.5, True), (0.1, True), (0.2, False), (0.3, False))]
    assert m.spared(pairs) == pytest.approx([3 / 5 - 1 / 3])
    task = SimpleNamespace(reference="r", degraded=("d", "e"),
                           utility={"r": 1.0, "d": 0.5, "e": 0.0}.get)
    assert m.writers([task], 0.2) == pytest.approx(0.8 + 0.2 * 0.25)
    assert m.from_the_middle({"scores": [0.0, 100.0]}) == pytest.approx(0.25)


# The ledger of claims ----------------------------------------------------------------

def test_claims_are_some_thirty_and_each_is_named_once():
    assert 30 <= len(CLAIMS) <= 50
    assert len({c.id for c in CLAIMS}) == len({c.text for c in CLAIMS}) == len(CLAIMS)
    assert {c.id for c in TESTABLE} >= set(SPECIAL) | NO_SPREAD


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_resolves(claim):
    assert claim.section in {s["number"] for s in _load("llama2")["sections"]}
    if not claim.testable:
        assert claim.reason and not claim.notebook and not claim.needs
        return
    assert not claim.reason and claim.needs
    source = [p for p in sources() if p.stem[:2] == claim.notebook]
    assert len(source) == 1, f"no notebook {claim.notebook}"
    headings = [line.lstrip("# ").strip() for line in source[0].read_text(
        encoding="utf-8").splitlines() if line.startswith(("# ## ", "# ### "))]
    assert claim.heading in headings
