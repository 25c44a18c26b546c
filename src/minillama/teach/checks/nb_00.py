"""Checks of notebook 00: ratios, days and win rates, computed as fractions."""

from collections.abc import Callable
from fractions import Fraction

from ..exercises import call, diagnose, expect, passed


def check_tokens_per_parameter(ratio: Callable[[float, float], float]) -> None:
    """Tokens over parameters, for the 7B model and for small numbers."""
    for tokens, parameters in ((2e12, 6738415616), (100, 4), (3, 6)):
        truth = float(Fraction(tokens) / Fraction(parameters))
        diagnose(call(ratio, tokens, parameters), truth, {
            "that is parameters for each token: divide the other way": 1 / truth,
            "whole division drops the fraction: use a single slash":
                float(tokens // parameters),
            "that is the product: a ratio divides": tokens * parameters,
        }, f"tokens_per_parameter({tokens:g}, {parameters:g})")
    passed("tokens for each parameter, fractions included")


def check_days(days: Callable[[float, int, float], float]) -> None:
    """GPU hours over GPUs, over the share of time that counts, over 24."""
    for hours, gpus, lost in ((1720320, 2000, 0.0), (4800, 10, 0.5), (960, 4, 0.2)):
        perfect = Fraction(hours) / gpus / 24
        kept = 1 - Fraction(str(lost))
        truth = float(perfect / kept)
        mistakes = {
            "those are hours: a day has 24 of them": truth * 24,
            "you multiplied the hours by 24: divide to get days": truth * 24 * 24,
            "the GPUs were left out: they work side by side": truth * gpus,
            "the hours are already a sum over the GPUs: divide by n_gpus, do not "
            "multiply": truth * gpus * gpus,
        }
        if lost:
            mistakes |= {
                "lost time makes it longer, yours became shorter":
                    float(perfect * kept),
                "the lost share was left out": float(perfect),
                "lost is a share of the time that passes, not of the work: divide by "
                "what is left, 1 - lost": float(perfect * (1 + Fraction(str(lost)))),
                "you divided by the lost share: divide by what is left, 1 - lost":
                    float(perfect / Fraction(str(lost))) if kept != Fraction(1, 2)
                    else -1.0,
            }
        diagnose(call(days, hours, gpus, lost), truth, mistakes,
                 f"days({hours}, {gpus}, {lost})")
    passed("the calendar holds with and without lost time")


def check_win_rates(win_rates: Callable[..., tuple[float, float]]) -> None:
    """Both rates in percent, on figures of the paper and on small ones."""
    for win, tie, loss in ((35.9, 31.5, 32.5), (2, 1, 1), (61.1, 20.9, 18.0)):
        answer = call(win_rates, win, tie, loss)
        expect(isinstance(answer, (tuple, list)) and len(answer) == 2,
               "return two numbers: without ties, and as a part of all")
        decided, whole = 100 * win / (win + loss), 100 * win / (win + tie + loss)
        halved = 100 * (win + tie / 2) / (win + tie + loss)
        diagnose(tuple(answer), (decided, whole), {
            "the two are in the wrong order: without ties first": (whole, decided),
            "those are shares: percent is asked for": (decided / 100, whole / 100),
            "a tie was counted as half a win: the paper's first rate leaves ties out":
                (halved, whole),
            "a tie was counted as half a win: a part of all counts wins alone":
                (decided, halved),
            "both leave the ties out: the second divides by all comparisons":
                (decided, decided),
            "both count the ties: the first divides by wins and losses only":
                (whole, whole),
            "the three need not add to a hundred: divide by their sum": (decided, win),
            "ties were counted as wins":
                (100 * (win + tie) / (win + tie + loss), whole),
        }, f"win_rates({win}, {tie}, {loss})")
    passed("both rates, with and without ties")
