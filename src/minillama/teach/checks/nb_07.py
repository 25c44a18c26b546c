"""Checks of notebook 07: pretraining.

The truths are loops over tokens and steps, and arithmetic written out here.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..exercises import call, close, diagnose, expect, passed

PEAK_FLOPS = 312e12  # of an A100 in 16 bits, per second


def check_packed_targets(packed_targets: Callable[[Tensor, int], Tensor]) -> None:
    """Targets of packed documents: shifted by one, masked where a document begins."""
    for ids, bos in (([1, 9, 8, 2, 1, 5, 2, 1, 7, 6], 1),
                     ([4, 6, 2, 3, 9, 9, 2, 3], 3)):
        given = torch.tensor(ids)
        answer = call(packed_targets, given, bos)
        expect(torch.equal(given, torch.tensor(ids)),
               "the tokens themselves were changed: mask a copy, they are the inputs "
               "of the same batch")
        after = ids[1:]
        wrap = [-100 if t == bos else t for t in ids[1:] + ids[:1]]
        masked = [-100 if t == bos else t for t in after]
        diagnose(answer, torch.tensor(masked), {
            "not shifted: the target of a token is the token after it":
                torch.tensor([-100 if t == bos else t for t in ids[:-1]]),
            "not shifted: a model that may copy its input learns nothing":
                torch.tensor(ids[:-1]),
            "nothing is masked: what begins a document cannot be foreseen":
                torch.tensor(after),
            "you masked what follows the begin mark: mask the begin mark itself, where "
            "it is the target":
                torch.tensor([-100 if ids[i] == bos else t
                              for i, t in enumerate(after)]),
            "you masked the end marks: a model that is never asked for them never "
            "learns to stop": torch.tensor([-100 if t == 2 else t for t in after]),
            "you masked with zero, which is a token: the mask is -100":
                torch.tensor([0 if t == bos else t for t in after]),
            "as many targets as tokens: the last token has no successor, so there is "
            "one target less": torch.tensor(wrap),
        }, f"packed_targets of {ids}")
    passed("each token asks for its successor, and no document for the next")


def _rates(total: int, peak: float, warmup: int, fraction: float = 0.1,
           start: int = 1, span: int | None = None, origin: int | None = None
           ) -> list[float]:
    """The whole schedule; the last three arguments make the usual mistakes."""
    origin = warmup if origin is None else origin
    span = total - 1 - origin if span is None else span
    rates = []
    for step in range(total):
        share = (step - origin) / span
        cosine = 0.5 + 0.5 * math.cos(math.pi * share)
        rates.append(peak * (step + start) / warmup if step < warmup else
                     peak * (fraction + (1 - fraction) * cosine))
    return rates


def check_rate(rate: Callable[[int, int, float, int], float]) -> None:
    """Warm-up and cosine, step by step, for two runs and one without warm-up."""
    for total, peak, warmup in ((50, 0.5, 10), (21, 3.0, 4)):
        answer = [call(rate, step, total, peak, warmup) for step in range(total)]
        zero = _rates(total, peak, warmup, fraction=0.0)
        line = [r if s < warmup else
                peak * (1 - 0.9 * (s - warmup) / (total - 1 - warmup))
                for s, r in enumerate(zero)]
        diagnose(answer, _rates(total, peak, warmup), {
            "the first step has rate zero and is wasted: begin with peak / warmup":
                _rates(total, peak, warmup, start=0),
            "it ends at zero: the last rate is a tenth of the peak": zero,
            "it reaches the tenth early and stays there: lay the whole cosine between "
            "the peak and the tenth":
                [max(r, peak / 10) if s >= warmup else r for s, r in enumerate(zero)],
            "the cosine began at step zero: it begins when the warm-up is over":
                _rates(total, peak, warmup, origin=0),
            "the cosine is a step ahead: step `warmup` still has the peak":
                _rates(total, peak, warmup, origin=warmup - 1),
            "the last step does not land on the tenth: its number is total - 1":
                _rates(total, peak, warmup, span=total - warmup),
            "that is a straight line down: half a cosine is asked for": line,
            "there is no warm-up in it": _rates(total, peak, 0),
        }, f"the rates of {total} steps")
    bare = [call(rate, step, 10, 1.0, 0) for step in range(10)]
    expect(close(bare[0], 1.0), "without warm-up the first step has the peak rate")
    expect(close(bare, _rates(10, 1.0, 0)),
           "without warm-up the cosine begins at the first step")
    passed("a line up, half a cosine down, and a tenth at the very last step")


def check_perplexity(
    perplexity: Callable[[Sequence[float], Sequence[int]], float]
) -> None:
    """exp of all nats over all tokens, for batches of unequal sizes."""
    for sums, counts in (([300.0, 40.0, 8.0], [100, 20, 2]), ([9.0, 4.0], [6, 1])):
        means = [s / n for s, n in zip(sums, counts)]
        loss = math.fsum(sums) / sum(counts)
        diagnose(call(perplexity, list(sums), list(counts)), math.exp(loss), {
            "that is a mean of means: a batch of two tokens weighs as much as one of "
            "a hundred": math.exp(sum(means) / len(means)),
            "you averaged perplexities: average nats, then take exp once":
                sum(map(math.exp, means)) / len(means),
            "you weighted perplexities: exp comes last, after the mean":
                sum(n * math.exp(m) for n, m in zip(counts, means)) / sum(counts),
            "that is the mean loss: perplexity is exp of it": loss,
            "the losses are in nats: the base is e, not two": 2**loss,
            "you divided by the number of batches: divide by the number of tokens":
                math.exp(math.fsum(sums) / len(sums)),
        }, f"perplexity({sums}, {counts})")
    expect(close(call(perplexity, [10.0, 0.0], [5, 0]), math.exp(2)),
           "a batch in which all targets are masked adds nothing, and it must not "
           "spoil the rest")
    passed("every token weighs the same, wherever the batches were cut")


def check_tonnes(tonnes: Callable[[float, float, float, float, float], float]) -> None:
    """Carbon of a run from its size, for two runs unlike those of the paper."""
    for case in ((5e10, 1e12, 0.4, 500.0, 0.3), (2e11, 4e12, 0.25, 350.0, 0.6)):
        parameters, tokens, share, watts, kilograms = case
        seconds = 6 * parameters * tokens / (PEAK_FLOPS * share)
        truth = seconds / 3600 * watts / 1000 * kilograms / 1000
        diagnose(call(tonnes, *case), truth, {
            "only the pass forward is counted: training costs 6 operations for each "
            "parameter and token": truth / 3,
            "the backward pass alone costs 4, and the forward pass 2 more":
                truth * 4 / 6,
            "no machine reaches its peak: divide by the utilisation": truth * share,
            "the utilisation is on the wrong side: a lower one costs more hours":
                truth * share * share,
            "a thousand is left over: watts were taken for kilowatts, or kilograms for "
            "tonnes": truth * 1000,
            "neither watts nor kilograms were converted": truth * 1e6,
            "seconds were taken for hours": truth * 3600,
            "the carbon of a kilowatt-hour is missing": truth / kilograms,
        }, f"tonnes{case}", tolerance=1e-3)
    passed("operations, hours, kilowatt-hours, tonnes, each divided where it should be")
