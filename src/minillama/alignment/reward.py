"""A model of the annotator: one number for a dialogue, higher where people prefer.

Source: Llama 2 paper, section 3.2.2: a copy of the chat model whose output matrix is
replaced by one that gives a scalar, trained on comparisons with a ranking loss
(equations 1 and 2) and a margin that grows with the degree of preference (Table 27).
"""

import hashlib
import json
import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from ..config import LlamaConfig
from ..errors import UserError
from ..files import write_atomically
from ..model import Llama
from ..pasture import DEGREES
from ..tokenizer import Tokenizer
from ..training.optimisation import CLIP, learning_rate, make_optimiser
from ..training.pretrain import PACE
from .chat import Message, encode_dialogue, question
from .data import batches, pad
from .preferences import Pair
from .sft import Row, check_settings

MARGINS = {"small": (1, 2 / 3, 1 / 3, 0), "large": (3, 2, 1, 0)}  # in order of DEGREES


def fingerprint(tokenizer: Tokenizer) -> str:
    """Sixteen hex digits that tell one vocabulary from another."""
    pieces = "\n".join(tokenizer.pieces).encode("utf-8")
    return hashlib.sha256(pieces).hexdigest()[:16]


class RewardModel(nn.Module):
    """The chat model's own knowledge, read out as one number."""

    def __init__(self, model: Llama, tokenizer: Tokenizer | None = None) -> None:
        """Copy ``model``; the copy's output becomes one row, at first all zeros.

        With ``tokenizer`` the model remembers which vocabulary its tokens are of.
        """
        super().__init__()
        self.backbone = deepcopy(model)
        head = nn.Linear(model.config.dim, 1, bias=False)
        nn.init.zeros_(head.weight)  # no preference before the first comparison
        self.backbone.output = head.to(model.embedding.weight)
        self.vocabulary = ""
        if tokenizer is not None:
            self.check_tokenizer(tokenizer)
            self.vocabulary = fingerprint(tokenizer)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Scores (batch,) of dialogues (batch, length) padded on the right.

        ``lengths`` (batch,) counts the tokens of each. Section 3.2.2.
        """
        # step 1: a score for every beginning of the dialogue
        scores = self.backbone(tokens).squeeze(-1).float()  # (batch, length)
        # step 2: only the last token has read everything
        last = (lengths - 1).unsqueeze(1)
        return scores.gather(1, last).squeeze(1)

    def check_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Raise UserError for a tokenizer whose ids mean something else here."""
        size = self.backbone.config.vocab_size
        if tokenizer.vocab_size != size:
            raise UserError(f"the tokenizer has {tokenizer.vocab_size} pieces and the "
                            f"reward model {size}: they do not belong together")
        if self.vocabulary and self.vocabulary != fingerprint(tokenizer):
            raise UserError("the reward model was trained with another tokenizer of "
                            f"the same size ({size}): its scores would mean nothing")

    def save(self, file: Path) -> None:
        """Write weights, configuration and vocabulary's fingerprint as safetensors."""
        state = {name: weight.detach().cpu().contiguous()
                 for name, weight in self.state_dict().items()}
        about = {"config": json.dumps(asdict(self.backbone.config)),
                 "vocabulary": self.vocabulary}
        write_atomically(file, lambda draft: save_file(state, draft, about))

    @staticmethod
    def load(file: Path) -> "RewardModel":
        """Open what save wrote. Raises UserError for a damaged or foreign file."""
        try:
            with safe_open(file, framework="pt", device="cpu") as stored:
                about = stored.metadata() or {}
                config = LlamaConfig(**json.loads(about["config"]))
                model = RewardModel(Llama(config))
                model.load_state_dict({k: stored.get_tensor(k) for k in stored.keys()})
                model.vocabulary = about["vocabulary"]
        except (SafetensorError, OSError, KeyError, ValueError, TypeError,
                RuntimeError):
            raise UserError(f"{file} is damaged or holds no reward model") from None
        return model.eval()


def ranking_loss(chosen: Tensor, rejected: Tensor, margin: Tensor | None = None
                 ) -> Tensor:
    """Mean of -log sigmoid(chosen - rejected - margin) over (batch,) scores.

    The negative log-likelihood of Bradley and Terry. Equation 1; with ``margin``
    (batch,), equation 2.
    """
    # step 1
    gap = chosen - rejected
    # step 2: a clear preference asks for a larger gap
    if margin is not None:
        gap = gap - margin
    # step 3: logsigmoid, since the log of a small sigmoid would be minus infinity
    return -F.logsigmoid(gap).mean()


def safety_loss(chosen: Tensor, rejected: Tensor, safe: Tensor) -> Tensor:
    """Mean of -log sigmoid(score) over safe answers and of -log sigmoid(-score) over
    unsafe ones; scores (batch,), ``safe`` (batch, 2) for chosen and rejected.

    A ranking says nothing of the level: all scores may be shifted and the ranking loss
    stays as it is. A threshold on the score needs a level. The paper adds such a loss
    to its safety model (Table 29) and prints neither formula nor weight; this is the
    usual one.
    """
    # step 1
    scores = torch.stack([chosen, rejected], dim=1)
    # step 2
    return F.binary_cross_entropy_with_logits(scores, safe.to(scores))


@dataclass(frozen=True)
class RewardSettings:
    """How to train a reward model. ``batch`` in pairs, ``warmup`` in steps.

    The paper's: one epoch, since more overfits; 512 pairs; peak 5e-6 at 70B and 1e-5
    below; warm-up 3% of the steps, at least 5. ``margin`` is a key of MARGINS or None,
    ``safety_weight`` that of safety_loss beside the ranking.
    """

    epochs: int = 1
    batch: int = 32
    peak: float = 1e-3
    warmup: int = 5
    seed: int = 0
    weight_decay: float = 0.1
    margin: str | None = "small"
    safety_weight: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        check_settings(self, may_be_zero=("warmup", "seed", "weight_decay",
                                          "safety_weight"))
        if self.margin is not None and self.margin not in MARGINS:
            raise UserError(f"no margins named {self.margin!r}: one of "
                            f"{', '.join(MARGINS)}, or None")


def encode_scored(tokenizer: Tokenizer, prompt: str, answer: str) -> list[int]:
    """The ids of a finished turn; the score is read at its end mark."""
    messages = [*question(prompt), Message("assistant", answer)]
    return encode_dialogue(tokenizer, messages).ids


def train_reward_model(model: Llama | RewardModel, tokenizer: Tokenizer,
                       pairs: Sequence[Pair],
                       settings: RewardSettings = RewardSettings(),
                       progress: bool = True, label: str = "reward model",
                       ) -> tuple[RewardModel, list[Row]]:
    """Train a copy of ``model`` on comparisons; returns it and a row a step.

    A chat model gets a new head, a reward model goes on with its own. A row holds
    step, loss, accuracy (share of the batch ranked rightly), rate, norm.
    Raises UserError for no pairs or a tokenizer of another vocabulary. Section 3.2.2.
    """
    if not pairs:
        raise UserError("a reward model needs at least one comparison")
    # step 1
    reward = _copy(model, tokenizer).train()
    chosen = [encode_scored(tokenizer, pair.prompt, pair.chosen) for pair in pairs]
    rejected = [encode_scored(tokenizer, pair.prompt, pair.rejected) for pair in pairs]
    table = dict(zip(DEGREES, MARGINS.get(settings.margin, (0, 0, 0, 0))))
    margins = torch.tensor([float(table[pair.degree]) for pair in pairs])
    safe = torch.tensor([[pair.chosen_safe, pair.rejected_safe] for pair in pairs])
    optimiser = make_optimiser(reward, settings.peak)
    optimiser.param_groups[0]["weight_decay"] = settings.weight_decay
    total = settings.epochs * math.ceil(len(pairs) / settings.batch)
    generator = torch.Generator().manual_seed(settings.seed)
    lengths = [max(map(len, both)) for both in zip(chosen, rejected)]
    log: list[Row] = []
    with tqdm(total=total, desc=label, unit="step", disable=not progress,
              mininterval=PACE) as bar:
        for _ in range(settings.epochs):
            for batch in batches(lengths, [pair.prompt for pair in pairs],
                                 settings.batch, generator):
                rate = learning_rate(len(log), total, settings.peak, settings.warmup)
                # step 2: both answers in one batch
                rows = [chosen[i] for i in batch] + [rejected[i] for i in batch]
                row = _step(reward, optimiser, rows, margins[batch], safe[batch],
                            rate, settings.safety_weight)
                log.append({"step": len(log), **row, "rate": rate})
                bar.update()
    return reward.eval(), log


def _copy(model: Llama | RewardModel, tokenizer: Tokenizer) -> RewardModel:
    """The reward model to begin with; the given model stays as it is."""
    if isinstance(model, RewardModel):
        model.check_tokenizer(tokenizer)
        return deepcopy(model)
    return RewardModel(model, tokenizer)


def _step(reward: RewardModel, optimiser: torch.optim.Optimizer,
          rows: list[list[int]], margin: Tensor, safe: Tensor, rate: float,
          safety_weight: float) -> Row:
    """Learn from one batch: chosen rows first, then as many rejected ones.

    Where a prompt has several comparisons an answer is in more than one, and is read
    once all the same (Ouyang et al., arXiv 2203.02155, section 3.5).
    """
    where = next(reward.parameters()).device
    place = {row: n for n, row in enumerate(dict.fromkeys(map(tuple, rows)))}
    read = reward(*(part.to(where) for part in pad(list(place))))
    scores = read[[place[tuple(row)] for row in rows]]
    # step 3
    chosen, rejected = scores.chunk(2)
    loss = ranking_loss(chosen, rejected, margin.to(where))
    if safety_weight:
        loss = loss + safety_weight * safety_loss(chosen, rejected, safe.to(where))
    # step 4: as in pretraining
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(reward.parameters(), CLIP)
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    right = (chosen > rejected).float().mean()
    return {"loss": loss.item(), "accuracy": right.item(), "norm": norm.item()}


@torch.no_grad()
def score(reward: RewardModel, tokenizer: Tokenizer, prompts: Sequence[str],
          answers: Sequence[str], batch: int = 100) -> Tensor:
    """Scores (n,) of n answers, each to its prompt, in evaluation mode.

    Raises UserError for a tokenizer of another vocabulary and for uneven lists.
    """
    reward.check_tokenizer(tokenizer)
    if len(prompts) != len(answers):
        raise UserError(f"{len(prompts)} prompts and {len(answers)} answers: each "
                        "answer needs its prompt")
    where = next(reward.parameters()).device
    rows = [encode_scored(tokenizer, *both) for both in zip(prompts, answers)]
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    scores = torch.zeros(len(rows))
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        tokens, lengths = pad([rows[index] for index in part])
        scores[part] = reward(tokens.to(where), lengths.to(where)).cpu()
    return scores


def accuracy(reward: RewardModel, tokenizer: Tokenizer, pairs: Sequence[Pair]
             ) -> dict[str, float]:
    """Share of pairs whose chosen answer scores higher, by degree and for "all".

    Equal scores count as half. Degrees that do not occur are left out. Table 8.
    """
    if not pairs:
        raise UserError("accuracy needs at least one comparison")
    chosen = [(pair.prompt, pair.chosen) for pair in pairs]
    rejected = [(pair.prompt, pair.rejected) for pair in pairs]
    each = list(dict.fromkeys(chosen + rejected))  # an answer may be in several
    scores = dict(zip(each, score(reward, tokenizer, *zip(*each))))
    gaps = torch.stack([scores[one] - scores[other]
                        for one, other in zip(chosen, rejected)])
    right = (gaps.sign() + 1) / 2  # 1, a half, 0
    shares = {"all": right.mean().item()}
    for degree in DEGREES:
        mine = torch.tensor([pair.degree == degree for pair in pairs])
        if mine.any():
            shares[degree] = right[mine].mean().item()
    return shares
