"""The pretraining loop: resumable to the identical curve, and polite to the waiting.

``python -m minillama.training.pretrain --out FOLDER [--text FILE] [--steps N]``
"""

import argparse
import hashlib
import io
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from tqdm.auto import tqdm

from ..checkpoint import save_pretrained
from ..config import LlamaConfig
from ..devices import device as pick_device
from ..errors import UserError
from ..files import write_bytes
from ..model import Llama
from ..pasture.generator import texts
from ..pasture.reading import read_text
from ..tokenizer import Tokenizer
from .data import IGNORED, TokenStream
from .optimisation import learning_rate, make_optimiser, next_token_loss, train_step

# A terminal is redrawn every second; a log file would drown in that.
PACE = 1.0 if sys.stderr.isatty() else 30.0


@dataclass(frozen=True)
class Settings:
    """How to train. Lengths in tokens, rates in the unit of AdamW."""

    steps: int = 600
    batch: int = 16
    length: int = 256
    peak: float = 3e-3
    warmup: int = 40
    seed: int = 0
    evaluate_every: int = 50
    final_fraction: float = 0.1  # of the peak, at the end of the cosine; 1: no decay

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value < (0 if field.name in ("seed", "warmup") else 1e-9):
                raise UserError(f"{field.name} must be positive, not {value}")
        if self.warmup >= self.steps:
            raise UserError(f"warm-up {self.warmup} must be shorter than the "
                            f"{self.steps} steps")


Row = dict[str, float]
Run = dict[str, int | float | str]  # what must be equal for a run to go on


@torch.no_grad()
def evaluate(model: torch.nn.Module, stream: TokenStream, length: int,
             batch: int = 32, most: int = 64) -> float:
    """Mean loss in nats per token over the first ``most`` windows of a stream."""
    model.eval()
    where = next(model.parameters()).device
    total, count = 0.0, 0
    windows = [stream.window(i, length) for i in
               range(min(most, stream.n_windows(length)))]
    if not windows:
        raise UserError(f"the held-out text is shorter than one window of {length}")
    for first in range(0, len(windows), batch):
        inputs, targets = map(torch.stack, zip(*windows[first : first + batch]))
        n = int((targets != IGNORED).sum())
        loss = next_token_loss(model(inputs.to(where)), targets.to(where))
        total, count = total + loss.item() * n, count + n
    model.train()
    return total / count


def pretrain(
    model: torch.nn.Module, train: TokenStream, heldout: TokenStream,
    settings: Settings, state_file: Path | None = None,
    on_evaluation: Callable[[int, torch.nn.Module], None] | None = None,
    progress: bool = True, label: str = "pretraining",
) -> list[Row]:
    """Train in place; returns a row a step: step, loss, rate, norm, perhaps heldout.

    With ``state_file`` the run saves itself at every evaluation; an interrupted one
    goes on from there, to the same curve as if never stopped.
    """
    optimiser = make_optimiser(model, settings.peak)
    run = {**asdict(settings), "text": _digest(train.tokens.numpy().tobytes())}
    log = _restore(state_file, model, optimiser, run)
    where = next(model.parameters()).device
    model.train()
    bar = tqdm(total=settings.steps, initial=len(log), desc=label, unit="step",
               disable=not progress, mininterval=PACE)
    try:
        for step in range(len(log), settings.steps):
            inputs, targets = train.batch(
                step, settings.batch, settings.length, settings.seed)
            rate = learning_rate(step, settings.steps, settings.peak, settings.warmup,
                                 settings.final_fraction)
            loss, norm = train_step(
                model, optimiser, inputs.to(where), targets.to(where), rate)
            row: Row = {"step": step, "loss": loss, "rate": rate, "norm": norm}
            last = step == settings.steps - 1
            if step % settings.evaluate_every == 0 or last:
                row["heldout"] = evaluate(model, heldout, settings.length)
                bar.set_postfix(loss=f"{loss:.2f}", heldout=f"{row['heldout']:.2f}")
                if on_evaluation is not None:
                    on_evaluation(step, model)
            log.append(row)
            bar.update()
            if "heldout" in row:
                _save(state_file, model, optimiser, run, log)
    finally:
        bar.close()
    return log


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _save(file: Path | None, model: torch.nn.Module, optimiser: torch.optim.Optimizer,
          run: Run, log: list[Row]) -> None:
    """Write the state behind a checksum of it, since torch notices no flipped bit."""
    if file is not None:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(),
                 "settings": run, "log": log}
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        write_bytes(file, hashlib.sha256(content).digest() + content)


def _restore(file: Path | None, model: torch.nn.Module,
             optimiser: torch.optim.Optimizer, run: Run) -> list[Row]:
    """The log so far, with model and optimiser as they were then; [] at a start."""
    if file is None or not file.exists():
        return []
    try:
        whole = file.read_bytes()
        if hashlib.sha256(whole[32:]).digest() != whole[:32]:
            raise ValueError("the checksum differs")
        state = torch.load(io.BytesIO(whole[32:]), weights_only=True)
        log, same = state["log"], state["settings"] == run
        if same:
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
    except Exception:  # torch raises many kinds; all mean the same to the user
        raise UserError(f"{file} is damaged: delete it to train from the start"
                        ) from None
    if not same:
        raise UserError(f"{file} belongs to a run with other settings or another "
                        "text: delete it, or choose another folder")
    return log


def main(arguments: list[str] | None = None) -> None:
    """Train a tiny Llama on the Pasture or on a text file, and say where it lies."""
    parser = argparse.ArgumentParser(prog="python -m minillama.training.pretrain")
    parser.add_argument("--out", type=Path, required=True, help="folder for the result")
    parser.add_argument("--text", type=Path, help="UTF-8 file in place of the Pasture")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--vocab", type=int, default=512)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps or best")
    args = parser.parse_args(arguments)
    where = pick_device(args.device)
    settings = Settings(steps=args.steps, warmup=min(40, args.steps // 10))
    documents = read_text(args.text) if args.text else texts(6000)
    cut = max(1, len(documents) // 20) if args.text else 0
    held = documents[-cut:] if args.text else texts(300, split="heldout")
    tokenizer = Tokenizer.train(documents, args.vocab)
    streams = [TokenStream.encode(part, tokenizer) for part in
               (documents[: len(documents) - cut], held)]
    torch.manual_seed(settings.seed)
    config = LlamaConfig.named("tiny").replace(vocab_size=args.vocab)
    model = Llama(config).to(where)
    state = args.out.with_name(args.out.name + ".state.pt")
    pretrain(model, *streams, settings, state_file=state)
    save_pretrained(model, tokenizer, args.out)
    state.unlink(missing_ok=True)
    print(f"The trained model lies in {args.out}; transformers opens it as a Llama.")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"pretrain: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on where it stopped")
