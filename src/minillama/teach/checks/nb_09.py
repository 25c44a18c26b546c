"""Checks of notebook 09: reward models.

The truths are loops over pairs and tokens, and sums written out here.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..exercises import call, diagnose, expect, passed

Ratings = Sequence[int]
Margins = Sequence[float]


def _losses(gaps: Sequence[float]) -> list[float]:
    """log(1 + e^-g) of every gap, without overflow."""
    return [max(-g, 0.0) + math.log1p(math.exp(-abs(g))) for g in gaps]


def check_rated_loss(
    rated_loss: Callable[[Tensor, Tensor, Ratings, Margins], Tensor]
) -> None:
    """Equation 2 with the margin looked up by rating, for both tables of the paper."""
    cases = (([2.0, 0.5, -1.0, 3.0], [1.0, 1.5, -1.5, -0.5], [0, 3, 2, 1],
              (1, 2 / 3, 1 / 3, 0)),
             ([0.3, -2.0, 1.2], [0.1, 0.4, -2.0], [2, 0, 0], (3, 2, 1, 0)))
    for chosen, rejected, ratings, margins in cases:
        answer = call(rated_loss, torch.tensor(chosen), torch.tensor(rejected),
                      ratings, margins)
        gaps = [c - r for c, r in zip(chosen, rejected)]
        asked = [margins[rating] for rating in ratings]
        turned = [margins[3 - rating] for rating in ratings]
        each = _losses([g - m for g, m in zip(gaps, asked)])
        truth, n = math.fsum(each) / len(each), len(each)
        value = answer.item() if isinstance(answer, Tensor) and (
            answer.numel() == 1) else answer
        diagnose(value, truth, {
            "the margin was added: a clear preference then asks for a smaller gap. "
            "Subtract it":
                math.fsum(_losses([g + m for g, m in zip(gaps, asked)])) / n,
            "there is no margin in it: that is equation 1":
                math.fsum(_losses(gaps)) / n,
            "the margins are the wrong way round: rating 0 is significantly better and "
            "has the largest":
                math.fsum(_losses([g - m for g, m in zip(gaps, turned)])) / n,
            "chosen and rejected are exchanged: the worse answer would learn to win":
                math.fsum(_losses([-g - m for g, m in zip(gaps, asked)])) / n,
            "that is the sum: take the mean over the pairs": math.fsum(each),
            "the sign is missing: a loss is minus the log of the sigmoid": -truth,
            "that is the mean probability: the loss is minus its logarithm":
                math.fsum(math.exp(-loss) for loss in each) / n,
            "you took the log of the mean: every pair has a logarithm of its own":
                -math.log(math.fsum(math.exp(-loss) for loss in each) / n),
        }, "rated_loss")
    far = call(rated_loss, torch.tensor([-200.0]), torch.zeros(1), [3], (3, 2, 1, 0))
    expect(abs(float(far) - 200) < 0.01,
           f"a gap of -200 costs 200, and yours {float(far):.4g}: there the sigmoid "
           "rounds to zero, and no small number added helps; take logsigmoid")
    passed("the loss of every rating, with both tables, and far from zero")


def check_end_scores(end_scores: Callable[[Tensor, Tensor], Tensor]) -> None:
    """The score at each row's last real token, padding on the right and on the left."""
    right = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
    left = right.flip(1)
    gaps = torch.tensor([[0, 0, 1, 1, 0], [0, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    generator = torch.Generator().manual_seed(9)
    for name, mask in (("the right", right), ("the left", left), ("both sides", gaps)):
        scores = torch.randn(mask.shape, generator=generator)
        lasts = [max(i for i, real in enumerate(row) if real) for row in mask.tolist()]
        counts = mask.sum(dim=1).tolist()
        rows = range(len(lasts))
        truth = torch.stack([scores[i, lasts[i]] for i in rows])
        firsts = [row.index(True) for row in mask.tolist()]
        diagnose(call(end_scores, scores.clone(), mask.clone()), truth, {
            "you read position -1: in a padded batch that is padding, whose score "
            "depends on the longest neighbour": scores[:, -1],
            "you counted the tokens: with padding on the left the last real token does "
            "not stand at its count less one":
                torch.stack([scores[i, counts[i] - 1] for i in rows]),
            "one too far: you read the place behind the last real token":
                torch.stack([scores[i, min(lasts[i] + 1, 4)] for i in rows]),
            "that is the mean over the tokens: only the last has read everything":
                torch.stack([scores[i][mask[i]].mean() for i in rows]),
            "that is the first real token, which has read nothing yet":
                torch.stack([scores[i, firsts[i]] for i in rows]),
            "that is the largest score of the row: the last token's is asked for":
                torch.stack([scores[i][mask[i]].max() for i in rows]),
            "those are the places: the scores there are asked for": torch.tensor(lasts),
        }, f"end_scores with padding on {name}")
    passed("the last real token of every row, wherever the padding stands")


def _zermelo(wins: list[list[int]], strengths: list[float]) -> list[float]:
    n = range(len(wins))
    new = [sum(wins[i]) / math.fsum((wins[i][j] + wins[j][i])
                                    / (strengths[i] + strengths[j])
                                    for j in n if j != i) for i in n]
    return [value / math.fsum(new) for value in new]


def check_one_round(one_round: Callable[[Tensor, Tensor], Tensor]) -> None:
    """One step of Zermelo's iteration for the strengths of Bradley and Terry."""
    wins = [[0, 8, 5, 9], [2, 0, 6, 7], [3, 2, 0, 6], [1, 4, 2, 0]]
    for start in ([0.25, 0.25, 0.25, 0.25], [0.4, 0.3, 0.2, 0.1]):
        answer = call(one_round, torch.tensor(wins), torch.tensor(start))
        n, p = range(4), start

        def shares(new: list[float]) -> Tensor:
            return torch.tensor(new) / math.fsum(new)

        met = [[wins[i][j] + wins[j][i] for j in n] for i in n]
        others = [[j for j in n if j != i] for i in n]
        pull = [math.fsum(met[i][j] / (p[i] + p[j]) for j in others[i]) for i in n]
        diagnose(answer, torch.tensor(_zermelo(wins, start)), {
            "they do not add up to one: divide by their sum at the end":
                torch.tensor([sum(wins[i]) / pull[i] for i in n]),
            "you counted losses: row i of the table holds what i won":
                shares([sum(wins[j][i] for j in n) / pull[i] for i in n]),
            "below stand only the games that i won: count all games of the two":
                shares([sum(wins[i]) / math.fsum(
                    wins[i][j] / (p[i] + p[j]) for j in others[i]) for i in n]),
            "below stands the opponent's strength alone: take the sum of both":
                shares([sum(wins[i]) / math.fsum(
                    met[i][j] / p[j] for j in others[i]) for i in n]),
            "that is the share of games won, which forgets against whom":
                shares([sum(wins[i]) / sum(met[i]) for i in n]),
            "that is the share of all wins, which forgets how many games each had":
                shares([float(sum(wins[i])) for i in n]),
        }, "one_round")
    strengths = torch.full((4,), 0.25)
    for _ in range(60):
        strengths = call(one_round, torch.tensor(wins), strengths)
    again = call(one_round, torch.tensor(wins), strengths)
    expect(bool((again - strengths).abs().max() < 1e-5),
           "sixty rounds in a row should settle, and yours go on moving")
    passed("one round of Zermelo's, and sixty of them settle")
