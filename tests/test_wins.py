"""Win rates: closed forms, symmetry, and simulations by other means."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import one_line

from minillama.errors import UserError
from minillama.evaluation.wins import (
    Judge, Tally, difference, judged, needed, power, tally)

COUNTS = st.integers(0, 500)


@given(COUNTS, COUNTS, COUNTS)
def test_two_sides_of_the_same_comparisons_add_up(wins, ties, losses):
    ours = Tally(wins, ties, losses)
    theirs = ours.mirrored
    assert theirs.mirrored == ours
    if ours.n:
        assert ours.half + theirs.half == pytest.approx(1)
        assert ours.share + theirs.share + ties / ours.n == pytest.approx(1)
        near, far = ours.half_interval(), theirs.half_interval()
        assert near.low == pytest.approx(1 - far.high, abs=1e-9)
    if wins + losses:
        assert ours.decided + theirs.decided == pytest.approx(1)
        near, far = ours.decided_interval(), theirs.decided_interval()
        assert near.low == pytest.approx(1 - far.high, abs=1e-9)
        assert near.low - 1e-9 <= ours.decided <= near.high + 1e-9


def test_three_rates_by_hand():
    one = Tally(30, 50, 20)
    assert (one.share, one.half, one.decided) == (0.3, 0.55, 0.6)
    # (0.55 - 1)^2 * 0.3 + (0.55 - 0.5)^2 * 0.5 + 0.55^2 * 0.2, over 100
    wide = 1.959964 * math.sqrt((0.06075 + 0.00125 + 0.0605) / 100)
    assert one.half_interval().half_width == pytest.approx(wide, rel=1e-6)
    # the formula of a mean of n bits, for a share without ties
    assert Tally(50, 0, 50).half_interval().half_width == pytest.approx(
        1.959964 * 0.05, rel=1e-6)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=50),
       st.floats(0, 0.5))
def test_a_tally_counts_every_prompt_once_and_is_mirrored(pairs, least):
    ours, theirs = zip(*pairs)
    found = tally(ours, theirs, least)
    assert found.n == len(pairs)
    assert tally(theirs, ours, least) == found.mirrored
    assert tally(ours, ours, least) == Tally(0, len(pairs), 0)


def test_a_gap_that_is_just_the_least_is_a_tie():
    assert tally([0.5, 1.0, 0.0], [0.25, 0.5, 0.0], 0.25) == Tally(1, 2, 0)


def test_the_paired_difference_is_the_mean_of_the_differences():
    rng = Random(0)
    ours = [rng.random() < 0.7 for _ in range(200)]
    theirs = [o if rng.random() < 0.8 else not o for o in ours]
    found = difference(ours, theirs)
    gaps = [float(a) - float(b) for a, b in zip(ours, theirs)]
    mean = sum(gaps) / 200
    variance = sum((g - mean) ** 2 for g in gaps) / 200
    assert found.mean == pytest.approx(mean)
    assert found.half_width == pytest.approx(1.959964 * math.sqrt(variance / 200),
                                             rel=1e-5)


def test_pairing_is_narrower_where_models_agree():
    rng = Random(1)
    ours = [rng.random() < 0.6 for _ in range(400)]
    theirs = [o if rng.random() < 0.9 else not o for o in ours]
    shuffled = theirs[:]
    rng.shuffle(shuffled)
    assert difference(ours, theirs).half_width < 0.6 * difference(
        ours, shuffled).half_width


# Judges --------------------------------------------------------------------------

def test_a_fair_judge_of_equals_is_a_coin_and_a_leaning_one_is_its_logistic():
    worth = [0.5] * 6000
    for leaning in (0.0, 1.0):
        first = judged(Judge(leaning=leaning), worth, worth, "ours first")
        wanted = 1 / (1 + math.exp(-leaning))
        assert first.decided == pytest.approx(wanted, abs=0.02)
        after = judged(Judge(leaning=leaning), worth, worth, "theirs first")
        assert after.decided == pytest.approx(1 - wanted, abs=0.02)
        fair = judged(Judge(leaning=leaning), worth, worth, "random")
        assert fair.decided == pytest.approx(0.5, abs=0.02)


def test_asking_twice_turns_what_depends_on_the_order_into_ties():
    sure = Judge(sharpness=0.0, leaning=30.0)  # always the first, whatever it says
    worth, other = [1.0] * 50, [0.0] * 50
    assert judged(sure, worth, other, "ours first") == Tally(50, 0, 0)
    assert judged(sure, worth, other, "theirs first") == Tally(0, 0, 50)
    assert judged(sure, worth, other, "both") == Tally(0, 50, 0)
    sharp = Judge(sharpness=100.0)
    assert judged(sharp, worth, other, "both") == Tally(50, 0, 0)
    assert judged(sharp, other, worth, "both") == Tally(0, 0, 50)


def test_a_blind_judge_calls_ties_as_often_as_its_logistic_says():
    worth = [0.3] * 6000
    seen = judged(Judge(blind=1.0), worth, worth, "ours first")
    inside = 1 / (1 + math.exp(-1)) - 1 / (1 + math.exp(1))
    assert seen.ties / seen.n == pytest.approx(inside, abs=0.02)


# Power ----------------------------------------------------------------------------

def exact_power(rate: float, n: int) -> float:
    """By adding up the binomial distribution, with Wilson's condition written out."""
    total, log_choose = 0.0, math.lgamma(n + 1)
    for wins in range(n + 1):
        chance = math.exp(log_choose - math.lgamma(wins + 1) - math.lgamma(n - wins + 1)
                          + wins * math.log(rate) + (n - wins) * math.log(1 - rate))
        # Wilson leaves 1/2 out where (wins/n - 1/2)^2 > z^2 / (4 n)
        z = (wins / n - 0.5) / math.sqrt(0.25 / n)
        total += chance if (z > 1.959964 if rate > 0.5 else z < -1.959964) else 0.0
    return total


@pytest.mark.parametrize("rate", [0.55, 0.6, 0.4, 0.7])
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_the_closed_form_gives_the_power_that_was_asked_for(rate, wanted):
    n = needed(rate, wanted)
    # the binomial goes in steps, and the normal approximation is one
    assert exact_power(rate, n) == pytest.approx(wanted, abs=0.06)
    assert power(rate, n, 4000) == pytest.approx(exact_power(rate, n), abs=0.03)


def test_a_known_number_and_its_law():
    # (1.959964 * 0.5 + 0.841621 * sqrt(0.2475))^2 / 0.05^2
    assert needed(0.55) == math.ceil(
        (0.979982 + 0.841621 * math.sqrt(0.2475)) ** 2 / 0.0025)
    assert needed(0.45) == needed(0.55)
    assert needed(0.505) / needed(0.51) == pytest.approx(4, rel=0.01)  # gap halved


@pytest.mark.parametrize("call, word", [
    (lambda: Tally(-1, 0, 2), "negative"),
    (lambda: Tally(0, 3, 0).decided, "no comparison"),
    (lambda: Tally(0, 0, 0).half_interval(), "no comparison"),
    (lambda: tally([1], [1, 2]), "same prompts"),
    (lambda: difference([], []), "no questions"),
    (lambda: judged(Judge(), [1], [0], "alphabetical"), "alphabetical"),
    (lambda: needed(0.5), "one half"),
    (lambda: needed(0.6, 1.0), "power")])
def test_what_cannot_be_counted_is_one_line(call, word):
    with pytest.raises(UserError) as error:
        call()
    one_line(error.value, word)
