"""The graph of trained things: tokenizer -> corpus -> base -> the chat models.

``get("base")`` gives the trained model, made on the spot where it is missing; see
artifacts.py for how results are kept; stages_chat.py, stages_safety.py and
stages_evaluation.py for what follows base.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from . import pasture
from .alignment import studies_details
from .alignment.chat import chat_texts
from .artifacts import (
    STAGES, Stage, artifacts_folder, folder, get, key, names, open_rows, problem,
)
from .checkpoint import load_pretrained, save_pretrained
from .config import LlamaConfig
from .files import read_json, write_json
from .generation import generate
from .model import Llama
from .stages_chat import CHAT_STAGES
from .stages_evaluation import EVALUATION_STAGES
from .stages_safety import SAFETY_STAGES
from .tokenizer import Tokenizer
from .training import ablations, windows
from .training.data import TokenStream
from .training.pretrain import Settings, pretrain

__all__ = ["STAGES", "Base", "Corpus", "Stage", "artifacts_folder", "folder", "get",
           "key", "names", "problem"]


@dataclass(frozen=True)
class Corpus:
    """The encoded text: what is learnt from and what is held out."""

    lessons: TokenStream  # questions, of which only the answers are learnt
    train: TokenStream
    heldout: TokenStream


@dataclass(frozen=True)
class Base:
    """The pretrained model with the history of its training."""

    model: Llama
    tokenizer: Tokenizer
    lessons: list[dict[str, float]]  # the log of the lessons, as log
    log: list[dict[str, float]]  # one row a step: step, loss, rate, norm, heldout
    samples: list[dict[str, Any]]  # what it wrote while it learnt: step, prompt, text


DETAIL_SEEDS = (0, 1, 2)
CORPUS = {"train": 16000, "heldout": 600, "lessons": 11000, "seed": 0,
          "rude_fraction": 0.02}
TOKENIZER = {"documents": 3000, "dialogues": 1000, "vocab_size": 1024}
# A model of this size, given everything at once, learns to tell stories and never to
# look anything up. So it first learns to answer from what it reads, then the rest.
LESSONS = Settings(steps=1000, batch=8, length=128, peak=2e-3, warmup=40,
                   evaluate_every=250, final_fraction=1.0)
BASE = Settings(steps=450, batch=8, length=256, peak=4e-3, warmup=40)
PROMPTS = ("Title: Clara the goose and", "Question: What does an owl say?\nAnswer:",
           "Sums\n7 + 5 =")


def _make_tokenizer(folder: Path) -> None:
    texts = pasture.texts(TOKENIZER["documents"])
    texts += chat_texts(TOKENIZER["dialogues"])
    Tokenizer.train(texts, TOKENIZER["vocab_size"]).save(folder / "tokenizer.model")


def _make_corpus(folder: Path) -> None:
    tokenizer = get("tokenizer")
    for name in ("train", "heldout", "lessons"):
        split, kinds = (name, None) if name != "lessons" else ("train", pasture.LESSONS)
        texts = pasture.texts(CORPUS[name], CORPUS["seed"], split,
                              CORPUS["rude_fraction"], kinds)
        stream = TokenStream.encode(texts, tokenizer)
        tokens = {"tokens": stream.tokens.to(torch.int32)}
        save_file(tokens, folder / f"{name}.safetensors")


def _open_corpus(folder: Path) -> Corpus:
    tokenizer = get("tokenizer")
    lessons, train, heldout = (
        TokenStream(load_file(folder / f"{name}.safetensors")["tokens"].long(),
                    tokenizer.bos_id) for name in ("lessons", "train", "heldout"))
    return Corpus(lessons.answers_only(tokenizer), train, heldout)


def _make_base(folder: Path) -> None:
    tokenizer, corpus = get("tokenizer"), get("corpus")
    samples: list[dict[str, Any]] = []

    def write_samples(step: int, model: torch.nn.Module) -> None:
        prompts = [tokenizer.encode(text, bos=True) for text in PROMPTS]
        answers = generate(model, prompts, 40, 0.0, eos_id=tokenizer.eos_id)
        for prompt, answer in zip(PROMPTS, answers):
            text = tokenizer.decode(answer)
            samples.append({"step": step, "prompt": prompt, "text": text})

    torch.manual_seed(BASE.seed)
    model = Llama(LlamaConfig.named("tiny"))
    strengthen(model)
    lessons = pretrain(model, corpus.lessons, corpus.heldout.answers_only(tokenizer),
                       LESSONS, label="lessons in reading")
    log = pretrain(model, corpus.train, corpus.heldout, BASE,
                   on_evaluation=write_samples)
    save_pretrained(model, tokenizer, folder / "model")
    write_json(folder / "history.json",
               {"lessons": lessons, "log": log, "samples": samples})


@torch.no_grad()
def strengthen(model: Llama) -> None:
    """Start with larger weights, the read-out excepted, which should begin undecided.

    A deviation of 0.02 suits widths near a thousand, for which it was chosen: it is
    about 0.6 over the root of the width. At 128 channels the same rule gives 0.06, and
    attention has something to begin with; embeddings larger still keep words apart.
    """
    for name, weight in model.named_parameters():
        if weight.dim() >= 2 and name != "output.weight":
            weight.mul_(15.0 if name == "embedding.weight" else 3.0)


def _open_base(folder: Path) -> Base:
    model, tokenizer = load_pretrained(folder / "model")
    history = read_json(folder / "history.json")
    return Base(model, tokenizer, history["lessons"], history["log"],
                history["samples"])


def _make_ablations(folder: Path) -> None:
    corpus = get("corpus")
    losses = ablations.run_all(corpus.train, corpus.heldout)
    write_json(folder / "losses.json", losses)


def _open_ablations(folder: Path) -> dict[str, list[float]]:
    return read_json(folder / "losses.json")


def _make_windows(folder: Path) -> None:
    corpus = get("corpus")
    write_json(folder / "rows.json", windows.study(corpus.train, corpus.heldout))


def _make_details(folder: Path) -> None:
    write_json(folder / "rows.json", studies_details.details(DETAIL_SEEDS))


STAGES.update({stage.name: stage for stage in (
    Stage("tokenizer", (), TOKENIZER, _make_tokenizer,
          lambda folder: Tokenizer.load(folder / "tokenizer.model"),
          ("minillama.tokenizer", "minillama.pasture.generator",
           "minillama.alignment.chat"), 4),
    Stage("corpus", ("tokenizer",), CORPUS, _make_corpus, _open_corpus,
          ("minillama.training.data", "minillama.pasture.generator"), 8),
    Stage("base", ("corpus",),
          {"lessons": asdict(LESSONS), **asdict(BASE), "prompts": PROMPTS},
          _make_base, _open_base,
          ("minillama.training.pretrain", "minillama.generation",
           "minillama.checkpoint"), 130),
    Stage("ablations", ("corpus",),
          {**asdict(ablations.SETTINGS), "seeds": ablations.SEEDS}, _make_ablations,
          _open_ablations, ("minillama.training.ablations",), 90),
    Stage("windows", ("corpus",), {"windows": windows.WINDOWS}, _make_windows,
          open_rows, ("minillama.training.windows",), 30),
    Stage("ppo_details", (), {"seeds": DETAIL_SEEDS}, _make_details, open_rows,
          ("minillama.alignment.studies_details",), 35),
    *CHAT_STAGES,
    *SAFETY_STAGES,
    *EVALUATION_STAGES,
)})
