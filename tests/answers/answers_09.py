"""Wrong answers to the exercises of notebook 09, and what the check must say."""

import math

import torch
from torch.nn import functional as F


def looked_up(ratings, margins):
    return torch.tensor([float(margins[rating]) for rating in ratings])


def added(chosen, rejected, ratings, margins):
    return -F.logsigmoid(chosen - rejected + looked_up(ratings, margins)).mean()


def no_margin(chosen, rejected, ratings, margins):
    return -F.logsigmoid(chosen - rejected).mean()


def reversed_table(chosen, rejected, ratings, margins):
    table = margins[::-1]
    return -F.logsigmoid(chosen - rejected - looked_up(ratings, table)).mean()


def exchanged(chosen, rejected, ratings, margins):
    return -F.logsigmoid(rejected - chosen - looked_up(ratings, margins)).mean()


def summed(chosen, rejected, ratings, margins):
    return -F.logsigmoid(chosen - rejected - looked_up(ratings, margins)).sum()


def unsigned(chosen, rejected, ratings, margins):
    return F.logsigmoid(chosen - rejected - looked_up(ratings, margins)).mean()


def probability(chosen, rejected, ratings, margins):
    return (chosen - rejected - looked_up(ratings, margins)).sigmoid().mean()


def log_of_mean(chosen, rejected, ratings, margins):
    return -probability(chosen, rejected, ratings, margins).log()


def overflows(chosen, rejected, ratings, margins):
    return -(chosen - rejected - looked_up(ratings, margins)).sigmoid().log().mean()


def nearly_safe(chosen, rejected, ratings, margins):
    gap = chosen - rejected - looked_up(ratings, margins)
    return -(gap.sigmoid() + 1e-8).log().mean()


def at_the_end(scores, mask):
    return scores[:, -1]


def counted(scores, mask):
    return scores[torch.arange(len(scores)), mask.sum(1) - 1]


def one_behind(scores, mask):
    last = [max(i for i, m in enumerate(row) if m) for row in mask.tolist()]
    place = torch.tensor(last).add(1).clamp(max=mask.shape[1] - 1)
    return scores[torch.arange(len(scores)), place]


def averaged(scores, mask):
    return (scores * mask).sum(1) / mask.sum(1)


def first_one(scores, mask):
    return scores[torch.arange(len(scores)), mask.int().argmax(1)]


def largest(scores, mask):
    return scores.masked_fill(~mask, -math.inf).amax(1)


def places(scores, mask):
    return torch.tensor([max(i for i, m in enumerate(row) if m)
                         for row in mask.tolist()])


def zermelo(wins, strengths, games=None, won=None, sums=None):
    games = wins + wins.T if games is None else games
    won = wins.sum(1) if won is None else won
    sums = strengths[:, None] + strengths[None] if sums is None else sums
    return won / (games / sums).sum(1)


def unnormalised(wins, strengths):
    return zermelo(wins, strengths)


def shared(values):
    return values / values.sum()


def losses(wins, strengths):
    return shared(zermelo(wins, strengths, won=wins.sum(0)))


def only_wins(wins, strengths):
    return shared(zermelo(wins, strengths, games=wins))


def opponent_alone(wins, strengths):
    sums = strengths[None].expand(len(wins), -1)
    return shared(zermelo(wins, strengths, sums=sums))


def win_rate(wins, strengths):
    return shared(wins.sum(1) / (wins + wins.T).sum(1))


def all_wins(wins, strengths):
    return shared(wins.sum(1).float())


WRONG = {
    "rated_loss": [
        (added, "was added"), (no_margin, "equation 1"),
        (reversed_table, "wrong way round"), (exchanged, "exchanged"),
        (summed, "the sum"), (unsigned, "sign is missing"),
        (probability, "mean probability"), (log_of_mean, "log of the mean"),
        (overflows, "logsigmoid"), (nearly_safe, "no small number"),
    ],
    "end_scores": [
        (at_the_end, "position -1"), (counted, "counted the tokens"),
        (one_behind, "one too far"), (averaged, "the mean over"),
        (first_one, "first real token"), (largest, "largest score"),
        (places, "those are the places"),
    ],
    "one_round": [
        (unnormalised, "add up to one"), (losses, "counted losses"),
        (only_wins, "only the games"), (opponent_alone, "opponent's strength"),
        (win_rate, "games won"), (all_wins, "share of all wins"),
    ],
}
