"""The graph of trained things: tokenizer -> corpus -> base, and the ablations.

``get("base")`` gives the trained model, made on the spot where it is missing. A stage
is a pure function of its configuration, of the stages it needs and of the code that
makes it; these three give its key, so nothing stale is ever used. Results lie under
``artifacts/<stage>-<key>/``; a manifest of checksums is written last, so a half-made
or damaged folder is recognised, named and made anew.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from . import pasture
from .checkpoint import load_pretrained, save_pretrained
from .config import LlamaConfig
from .dependencies import code_digest, function_digest
from .errors import UserError
from .files import write_json
from .generation import generate
from .model import Llama
from .tokenizer import Tokenizer
from .training import ablations
from .training.data import TokenStream
from .training.pretrain import Settings, pretrain


@dataclass(frozen=True)
class Corpus:
    """The encoded text: what is learnt from and what is held out."""

    train: TokenStream
    heldout: TokenStream


@dataclass(frozen=True)
class Base:
    """The pretrained model with the history of its training."""

    model: Llama
    tokenizer: Tokenizer
    log: list[dict[str, float]]  # one row a step: step, loss, rate, norm, heldout
    samples: list[dict[str, Any]]  # what it wrote while it learnt: step, prompt, text


@dataclass(frozen=True)
class Stage:
    """How to make a result, keep it in a folder, and open it again."""

    name: str
    needs: tuple[str, ...]
    config: dict[str, Any]
    make: Callable[[Path], None]
    open: Callable[[Path], Any]
    modules: tuple[str, ...]  # whose code, with all it imports, decides the result
    seconds: int  # about, on two cores, to announce


CORPUS = {"train": 16000, "heldout": 600, "seed": 0, "rude_fraction": 0.02}
TOKENIZER = {"documents": 3000, "vocab_size": 512}
BASE = Settings(steps=640, batch=8, length=256, peak=4e-3, warmup=40)
PROMPTS = ("Title: Clara the goose and", "Question: What does an owl say?\nAnswer:",
           "Sums\n7 + 5 =")


def _make_tokenizer(folder: Path) -> None:
    texts = pasture.texts(TOKENIZER["documents"])
    Tokenizer.train(texts, TOKENIZER["vocab_size"]).save(folder / "tokenizer.model")


def _make_corpus(folder: Path) -> None:
    tokenizer = get("tokenizer")
    for split in ("train", "heldout"):
        texts = pasture.texts(CORPUS[split], CORPUS["seed"], split,
                              CORPUS["rude_fraction"])
        stream = TokenStream.encode(texts, tokenizer)
        tokens = {"tokens": stream.tokens.to(torch.int32)}
        save_file(tokens, folder / f"{split}.safetensors")


def _open_corpus(folder: Path) -> Corpus:
    bos = get("tokenizer").bos_id
    return Corpus(*(TokenStream(load_file(folder / f"{split}.safetensors")["tokens"]
                                .long(), bos) for split in ("train", "heldout")))


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
    log = pretrain(model, corpus.train, corpus.heldout, BASE,
                   on_evaluation=write_samples)
    save_pretrained(model, tokenizer, folder / "model")
    write_json(folder / "history.json", {"log": log, "samples": samples})


def _open_base(folder: Path) -> Base:
    model, tokenizer = load_pretrained(folder / "model")
    history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    return Base(model, tokenizer, history["log"], history["samples"])


def _make_ablations(folder: Path) -> None:
    corpus = get("corpus")
    losses = ablations.run_all(corpus.train, corpus.heldout)
    write_json(folder / "losses.json", losses)


def _open_ablations(folder: Path) -> dict[str, list[float]]:
    return json.loads((folder / "losses.json").read_text(encoding="utf-8"))


STAGES = {stage.name: stage for stage in (
    Stage("tokenizer", (), TOKENIZER, _make_tokenizer,
          lambda folder: Tokenizer.load(folder / "tokenizer.model"),
          ("minillama.tokenizer", "minillama.pasture.generator"), 2),
    Stage("corpus", ("tokenizer",), CORPUS, _make_corpus, _open_corpus,
          ("minillama.training.data", "minillama.pasture.generator"), 5),
    Stage("base", ("corpus",), {**asdict(BASE), "prompts": PROMPTS}, _make_base,
          _open_base, ("minillama.training.pretrain", "minillama.generation"), 130),
    Stage("ablations", ("corpus",),
          {**asdict(ablations.SETTINGS), "seeds": ablations.SEEDS}, _make_ablations,
          _open_ablations, ("minillama.training.ablations",), 90),
)}


def names() -> list[str]:
    """All stages, each after those it needs."""
    return list(STAGES)


def artifacts_folder() -> Path:
    """Where results lie: MINILLAMA_ARTIFACTS, or artifacts/ beside src/."""
    chosen = os.environ.get("MINILLAMA_ARTIFACTS")
    return Path(chosen) if chosen else Path(__file__).parents[2] / "artifacts"


def key(name: str) -> str:
    """Twelve hex digits that change with anything that could change the result."""
    stage = _stage(name)
    parts = [json.dumps(stage.config, sort_keys=True), function_digest(stage.make),
             *map(code_digest, stage.modules), *map(key, stage.needs)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def folder(name: str) -> Path:
    """Where the current result of a stage lies, or will lie."""
    return artifacts_folder() / f"{name}-{key(name)}"


def problem(name: str) -> str | None:
    """What keeps a stage from being used: "missing", what is damaged, or None."""
    place = folder(name)
    if not place.exists():
        return "missing"
    try:
        manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        for file, digest in manifest.items():
            if _digest(place / file) != digest:
                return f"{file} is damaged"
    except (OSError, ValueError, AttributeError):
        return "it is incomplete"
    return None


def get(name: str) -> Any:
    """The result of a stage, made on the spot where it is missing or damaged."""
    stage = _stage(name)
    trouble = problem(name)
    if trouble is not None:
        for need in stage.needs:
            get(need)
        if trouble != "missing":
            print(f"stage {name} in {folder(name)}: {trouble}; making it anew",
                  file=sys.stderr)
        _produce(stage)
    return stage.open(folder(name))


def _produce(stage: Stage) -> None:
    """Make a stage in a draft folder and move it into place when it is whole."""
    place = folder(stage.name)
    print(f"making stage {stage.name}, about {stage.seconds} s on two cores",
          file=sys.stderr)
    draft: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{stage.name}-", dir=place.parent))
        started = time.monotonic()
        stage.make(draft)
        files = sorted(p for p in draft.rglob("*") if p.is_file())
        manifest = {p.relative_to(draft).as_posix(): _digest(p) for p in files}
        write_json(draft / "manifest.json", manifest)
        if problem(stage.name) is not None:  # another process may have been faster
            shutil.rmtree(place, ignore_errors=True)
            draft.chmod(0o755)  # mkdtemp makes folders that only their owner may open
            os.replace(draft, place)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot keep stage {stage.name} in {place.parent}: "
                        f"{getattr(error, 'strerror', None) or error}") from None
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
    print(f"stage {stage.name} took {time.monotonic() - started:.0f} s and lies in "
          f"{place}", file=sys.stderr)


def _stage(name: str) -> Stage:
    if name not in STAGES:
        raise UserError(f"no stage {name!r}: one of {', '.join(STAGES)}")
    return STAGES[name]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
