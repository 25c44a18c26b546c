"""The study of windows: what it trains differs in the window alone."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from minillama.mistral import Mistral
from minillama.pasture import texts
from minillama.tokenizer import Tokenizer
from minillama.training import windows
from minillama.training.ablations import SETTINGS, SHAPE
from minillama.training.data import IGNORED, TokenStream

TOKENIZER = Tokenizer.train(texts(80), 1024)
TRAIN, HELDOUT = (TokenStream.encode(texts(150, split=split), TOKENIZER)
                  for split in ("train", "heldout"))


def test_a_window_as_wide_as_the_text_is_no_window_and_seeds_are_kept_apart():
    quick = replace(SETTINGS, steps=2, batch=2, warmup=0)
    rows = windows.study(TRAIN, HELDOUT, (4, 128, 500), (0, 1), quick)
    assert [(r["window"], r["seed"]) for r in rows] == [
        (w, s) for w in (4, 128, 500) for s in (0, 1)]
    found = {(r["window"], r["seed"]): r for r in rows}
    for seed in (0, 1):
        assert found[128, seed]["loss"] == found[500, seed]["loss"]
        assert found[128, seed]["loss"] != found[4, seed]["loss"]
    assert found[128, 0]["loss"] != found[128, 1]["loss"]


@torch.no_grad()
def test_loss_by_position_is_that_of_each_position_alone():
    torch.manual_seed(0)
    model = Mistral(SHAPE, 5)
    found = windows.by_position(model, HELDOUT, 16, most=40)
    sums, counts = [0.0] * 16, [0] * 16
    for i in range(min(40, HELDOUT.n_windows(16))):
        inputs, targets = HELDOUT.window(i, 16)
        logits = model(inputs[None])[0]
        for place, target in enumerate(targets.tolist()):
            if target != IGNORED:
                sums[place] += F.cross_entropy(logits[place], targets[place]).item()
                counts[place] += 1
    assert found == pytest.approx([s / c for s, c in zip(sums, counts)], abs=1e-4)
