"""The command line of pretraining, for one process and for many."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from ..checkpoint import save_pretrained
from ..config import LlamaConfig
from ..errors import UserError
from ..model import Llama
from ..tokenizer import Tokenizer
from .data import TokenStream
from .preparing import divided, open_prepared, prepare
from .pretrain import Settings, pretrain
from .team import Team, Told, join, leave, was_launched
from .thrift import compile_blocks, recompute

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of the command; help texts say what each is for."""
    parser = argparse.ArgumentParser(prog="python -m minillama.training.pretrain")
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder for the result")
    add("--text", type=Path, help="UTF-8 file in place of the Pasture")
    add("--tokens", type=Path, help="folder that minillama.training.preparing wrote")
    add("--steps", type=int, default=600)
    add("--batch", type=int, default=16, help="windows in a step, of all processes")
    add("--length", type=int, default=256, help="tokens in a window")
    add("--vocab", type=int, default=512)
    add("--model", default="tiny", help="a shape that LlamaConfig.named knows")
    add("--device", default="cpu", help="cpu, cuda, mps or best")
    add("--shard", action="store_true", help="FSDP: each process keeps a share only")
    add("--dtype", choices=DTYPES, default="float32", help="of what is computed")
    add("--recompute", action="store_true", help="less memory, more arithmetic")
    add("--accumulate", type=int, default=1, help="parts of a step, for less memory")
    add("--compile", action="store_true", help="by torch.compile")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Train a Llama on the Pasture or on a text file, and say where it lies."""
    args = parse(arguments)
    settings = Settings(steps=args.steps, batch=args.batch, length=args.length,
                        warmup=min(40, args.steps // 10))
    if args.accumulate < 1:
        raise UserError(f"accumulate must be positive, not {args.accumulate}")
    if args.out.resolve() == Path.cwd():
        raise UserError("the result gets a folder of its own: give --out a new name")
    if args.out.is_file() or args.out.is_dir() and any(args.out.iterdir()):
        raise UserError(f"{args.out} is not empty: choose another folder")
    with join(args.device, shard=args.shard, dtype=DTYPES[args.dtype],
              accumulate=args.accumulate) as team:
        if not was_launched():
            if args.shard:
                raise UserError("--shard needs torchrun, also for one process")
            train(args, settings, team)
            return
        try:
            train(args, settings, team)
        except Told as error:
            if team.is_first:
                print(f"pretrain: {error}", file=sys.stderr)
            team.gather(None)  # torchrun ends the others as soon as one has ended
            sys.exit(1)


def train(args: argparse.Namespace, settings: Settings, team: Team) -> None:
    """One process of a run from its text to its result."""
    tokenizer, *streams = _text(args, team)
    config = team.together(lambda: _shape(args, tokenizer, team))

    def build() -> Llama:
        torch.manual_seed(settings.seed)  # every process starts from the same weights
        model = Llama(config)
        if args.recompute:
            recompute(model)
        if args.compile:
            compile_blocks(model, team.device)
        return model

    folder = _beside(args.out, ".state")
    if _is_plain(team) and not folder.exists():
        model = build().to(team.device)
        pretrain(model, *streams, settings, _beside(args.out, ".state.pt"))
    else:
        model = _train_together(build, streams, settings, team, folder)
    team.first(lambda: save_pretrained(model, tokenizer, args.out))
    if team.is_first:
        _tidy(args.out, [".state.pt", ".state"] + [".tokens"] * (args.tokens is None))
        print(f"The trained model lies in {args.out}; transformers opens it as a "
              "Llama.")


def _shape(args: argparse.Namespace, tokenizer: Tokenizer, team: Team) -> LlamaConfig:
    """The model's shape, or UserError where a run cannot be begun."""
    config = LlamaConfig.named(args.model).replace(vocab_size=tokenizer.vocab_size)
    if args.length > config.max_seq_len:
        raise UserError(f"a window of {args.length} is longer than the "
                        f"{config.max_seq_len} tokens that the model reads")
    if args.batch < team.size * team.accumulate:
        raise UserError(f"a batch of {args.batch} cannot be cut into {team.size} "
                        f"processes x {team.accumulate} parts")
    file = _beside(args.out, ".state.pt")
    if file.exists() and not _is_plain(team):
        raise UserError(f"{file} is the state of a plain run of one process: finish it "
                        "as it was begun, or delete it")
    return config


def _is_plain(team: Team) -> bool:
    """Whether train_step of optimisation.py does, without any of Team's."""
    return not was_launched() and team.accumulate == 1 and team.dtype == torch.float32


def _train_together(build: Callable[[], Llama], streams: list[TokenStream],
                    settings: Settings, team: Team, folder: Path) -> Llama | None:
    """The trained model, in the first process; None in the others."""
    # here, since a torch without torch.distributed has none of what they import
    from .spreading import collect, spread
    from .state_folder import StateFolder
    model = spread(build, team)
    pretrain(model, *streams, settings, crew=team, state=StateFolder(folder, team))
    return collect(model, team)


def _text(args: argparse.Namespace, team: Team
          ) -> tuple[Tokenizer, TokenStream, TokenStream]:
    """Tokenizer, training text and held-out text: in memory for one process, for many
    on disk, where the first puts it."""
    if args.tokens is not None and args.text is not None:
        raise UserError("give --text or --tokens, not both")
    folder = args.tokens or _beside(args.out, ".tokens")
    if args.tokens is None and team.size == 1 and not folder.exists():
        tokenizer, *parts = divided(args.text, args.vocab)
        return tokenizer, *(TokenStream.encode(list(part), tokenizer) for part in parts)
    if args.tokens is None:
        team.first(lambda: prepare(folder, args.text, args.vocab))
    return team.together(lambda: open_prepared(folder, team.mine))


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)


def _tidy(out: Path, endings: list[str]) -> None:
    """Remove what only an unfinished run needs, with the drafts of killed ones."""
    for ending in endings:
        place = _beside(out, ending)
        for found in [place, *out.parent.glob(f".{place.name}-*")]:
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        main()
        leave()
    except UserError as error:
        sys.exit(f"pretrain: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on where it stopped")
    except BrokenPipeError:
        os._exit(1)
