"""What does each component buy? Small models that differ in one thing each.

A variant is a Llama with parts exchanged. All variants have the same number of
parameters to within 1%: the feed-forward width makes up for what a part costs. Each
is trained with three seeds on the same batches, so that differences can be paired.
"""

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from ..attention import KVCache
from ..config import LlamaConfig
from ..model import Block, Llama
from .data import TokenStream
from .pretrain import PACE, Settings, evaluate, pretrain

SHAPE = LlamaConfig(1024, 64, 2, 4, n_kv_heads=2, ffn_dim=176, max_seq_len=128)
SETTINGS = Settings(steps=160, batch=8, length=128, peak=8e-3, warmup=16,
                    evaluate_every=1000)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Variant:
    """One choice for each component. The default is Llama 2's."""

    norm: str = "rms"  # rms, layer
    placement: str = "pre"  # pre, post: before the sublayer or after the sum
    position: str = "rope"  # rope, learned, sinusoidal, none
    ffn: str = "swiglu"  # swiglu, gelu, relu
    n_kv_heads: int = 2  # of 4 query heads


VARIANTS = {
    "Llama 2": Variant(),
    "LayerNorm": Variant(norm="layer"),
    "norm after": Variant(placement="post"),
    "learned positions": Variant(position="learned"),
    "no positions": Variant(position="none"),
    "GELU": Variant(ffn="gelu"),
    "ReLU": Variant(ffn="relu"),
    "multi-query": Variant(n_kv_heads=1),
    "Llama 1 (multi-head)": Variant(n_kv_heads=4),
    "GPT-2": Variant("layer", "pre", "learned", "gelu", 4),
    "Transformer 2017": Variant("layer", "post", "sinusoidal", "relu", 4),
}
GROUPS = {
    "norm": ("Llama 2", "LayerNorm", "norm after"),
    "position": ("Llama 2", "learned positions", "no positions"),
    "ffn": ("Llama 2", "GELU", "ReLU"),
    "heads": ("Llama 2", "Llama 1 (multi-head)", "multi-query"),
    "ladder": ("Transformer 2017", "GPT-2", "Llama 1 (multi-head)", "Llama 2"),
}


class PlainFeedForward(nn.Module):
    """The layer before SwiGLU: two matrices and a function between them."""

    def __init__(self, dim: int, ffn_dim: int, kind: str) -> None:
        """``kind`` is "relu" or "gelu"."""
        super().__init__()
        self.up = nn.Linear(dim, ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, dim, bias=False)
        self.activation = {"relu": F.relu, "gelu": F.gelu}[kind]

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim)."""
        return self.down(self.activation(self.up(x)))


class PositionedEmbedding(nn.Module):
    """Positions added to the embedding, once, at the bottom: learned or sinusoidal."""

    def __init__(self, config: LlamaConfig, kind: str) -> None:
        """A table of (max_seq_len, dim) beside the one of the tokens."""
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.dim)
        table = torch.zeros(config.max_seq_len, config.dim)
        if kind == "sinusoidal":  # Vaswani et al., section 3.5
            pair = torch.arange(0, config.dim, 2) / config.dim
            angle = torch.outer(torch.arange(config.max_seq_len), 10000.0**-pair)
            table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
            self.register_buffer("table", table)
        else:
            self.table = nn.Parameter(table)
        # the model of 2017 multiplies by sqrt(dim), and starts at sqrt(1 / dim), so
        # that tokens are not drowned by their positions (section 3.4)
        self.scale = config.dim**0.5 if kind == "sinusoidal" else 1.0

    @property
    def weight(self) -> Tensor:
        """The table of tokens, (vocab_size, dim)."""
        return self.token.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, length) -> (batch, length, dim)."""
        return self.scale * self.token(tokens) + self.table[: tokens.shape[1]]


class PostNormBlock(Block):
    """The order of 2017: normalise the sum, so that every layer rewrites the stream."""

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None = None,
                cache: KVCache | None = None, layer: int = 0) -> Tensor:
        """(batch, length, dim) both ways."""
        x = self.attention_norm(x + self.attention(x, cos, sin, mask, cache, layer))
        return self.feed_forward_norm(x + self.feed_forward(x))


def build(variant: Variant, seed: int, shape: LlamaConfig = SHAPE) -> Llama:
    """A fresh model of the variant, as large as the Llama 2 of the same shape."""
    target = shape.parameter_count()
    # one unit of width costs the same everywhere, so one correction is enough
    first = _assemble(variant, shape, shape.ffn_dim)
    per_unit = shape.n_layers * shape.dim * (3 if variant.ffn == "swiglu" else 2)
    missing = target - sum(p.numel() for p in first.parameters())
    torch.manual_seed(seed)
    return _assemble(variant, shape, shape.ffn_dim + round(missing / per_unit))


def _assemble(variant: Variant, shape: LlamaConfig, ffn_dim: int) -> Llama:
    config = replace(shape, n_kv_heads=variant.n_kv_heads, ffn_dim=ffn_dim)
    model = Llama(config)
    if variant.placement == "post":
        model.layers = nn.ModuleList(PostNormBlock(config) for _ in model.layers)
    if variant.ffn != "swiglu":
        for block in model.layers:
            block.feed_forward = PlainFeedForward(config.dim, ffn_dim, variant.ffn)
    if variant.norm != "rms":
        for parent in (model, *model.layers):
            for name in ("norm", "attention_norm", "feed_forward_norm"):
                if hasattr(parent, name):
                    setattr(parent, name, nn.LayerNorm(config.dim))
    if variant.position != "rope":
        model.cos, model.sin = torch.ones_like(model.cos), torch.zeros_like(model.sin)
    if variant.position in ("learned", "sinusoidal"):
        model.embedding = PositionedEmbedding(config, variant.position)
    model.reset_parameters()  # the exchanged parts start like the others
    if variant.position == "sinusoidal":
        nn.init.normal_(model.embedding.weight, std=config.dim**-0.5)
    return model


@dataclass(frozen=True)
class Job:
    """One run: which variant, which seed, on which text."""

    name: str
    seed: int
    settings: Settings
    train: TokenStream
    heldout: TokenStream


def run(job: Job) -> tuple[str, int, float]:
    """Train one model on one thread; returns name, seed, held-out loss in nats."""
    torch.set_num_threads(1)
    model = build(VARIANTS[job.name], job.seed)
    settings = replace(job.settings, seed=job.seed)
    pretrain(model, job.train, job.heldout, settings, progress=False)
    return job.name, job.seed, evaluate(model, job.heldout, settings.length, most=128)


def run_all(train: TokenStream, heldout: TokenStream, settings: Settings = SETTINGS,
            names: tuple[str, ...] = tuple(VARIANTS), workers: int | None = None,
            progress: bool = True) -> dict[str, list[float]]:
    """Held-out losses of every variant, one a seed.

    Two processes of one thread finish sooner than one process of two threads, since
    the matrices are too small to be worth cutting up. The result does not depend on
    the number of workers: every run is a process of its own making. There are as many
    as torch may use threads, two at most.
    """
    workers = workers or min(2, torch.get_num_threads())
    jobs = [Job(name, seed, settings, train, heldout)
            for name in names for seed in SEEDS]
    losses: dict[str, list[float]] = {name: [0.0] * len(SEEDS) for name in names}
    bar = tqdm(_results(jobs, workers), total=len(jobs), desc="ablations", unit="run",
               disable=not progress, mininterval=PACE)
    for name, seed, loss in bar:
        losses[name][SEEDS.index(seed)] = loss
    return losses


def _results(jobs: list[Job], workers: int) -> Iterator[tuple[str, int, float]]:
    # spawned, not forked: torch's threads do not survive a fork
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(run, jobs)
