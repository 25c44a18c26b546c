"""One door for every layout: weights, tokenizer and chat template of a checkpoint."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import UserError
from ..model import Llama
from ..tokenizer import Tokenizer
from .chat_template import LLAMA2, read_settings, read_template
from .guards import LARGEST_TOKENIZER, check_file
from .huggingface import load_huggingface
from .llama2c import load_llama2c
from .llama2c_tokenizer import load_tokenizer_bin
from .meta import load_meta
from .tokenizer_json import JsonTokenizer

LONGEST_LINE = 400  # characters of a message
NO_WEIGHTS = ("tokenizer", "pytorch_model", "training_args", "optimizer", "scheduler")


@dataclass(frozen=True)
class Opened:
    """A checkpoint in memory, with what stood beside its weights."""

    layout: str  # "huggingface", "meta" or "llama2c"
    model: Llama
    tokenizer: Tokenizer | JsonTokenizer | None
    template: str | None  # a chat template in Jinja; None continues text
    ends: frozenset[int]  # ids after which an answer is over


def open_model(path: str | os.PathLike, dtype: torch.dtype | None = None,
               device: torch.device | str = "cpu") -> Opened:
    """Open a checkpoint of any layout.

    ``path`` is a folder, or a ``.bin`` of llama2.c. ``dtype`` None keeps the stored
    type. The model is in evaluation mode. Raises UserError with one line for whatever
    is wrong with the files; nothing in them is executed.
    """
    path = Path(path)
    try:
        return _open(path, dtype, device)
    except UserError as error:  # a value quoted from the file may be as long as it
        line = " ".join(str(error).split())
        raise UserError(line if len(line) < LONGEST_LINE else
                        f"{line[:LONGEST_LINE]} ...") from None
    except RecursionError:  # lists in lists in lists, which JSON can write
        raise UserError(f"{path} holds values nested too deeply: it is damaged"
                        ) from None


def _open(path: Path, dtype: torch.dtype | None, device: torch.device | str) -> Opened:
    layout, place = recognise(path)
    folder = place if place.is_dir() else place.parent
    template = read_template(folder)
    if layout == "huggingface":
        model = load_huggingface(place, dtype, device)
        tokenizer = _larger_tokenizer(folder, model.config.vocab_size)
    elif layout == "meta":
        model = load_meta(place, dtype, device)
        # Meta puts it beside the folder, too; "." has no parent until it is resolved
        tokenizer = _tokenizer_model(folder, folder.resolve().parent)
        if template is None and "chat" in folder.resolve().name.lower():
            template = LLAMA2  # "llama-2-7b-chat": the name is all that Meta gives
    else:
        model = load_llama2c(place, dtype, device)
        tokenizer = _tokenizer_model(folder)
        table = folder / "tokenizer.bin"
        if tokenizer is None and table.exists():
            tokenizer = load_tokenizer_bin(table, model.config.vocab_size)
    _check_vocabulary(path, layout, model, tokenizer)
    ends = {tokenizer.eos_id} if tokenizer and tokenizer.eos_id is not None else set()
    if layout == "huggingface":
        ends |= _ends(folder)
    _check_ends(path, ends, tokenizer)
    return Opened(layout, model, tokenizer, template, frozenset(ends))


def _check_vocabulary(path: Path, layout: str, model: Llama,
                      tokenizer: Tokenizer | JsonTokenizer | None) -> None:
    """A tokenizer has as many pieces as its model, or, where a Hugging Face folder
    pads the tables to a round number, fewer."""
    if tokenizer is None:
        return
    pieces, rows = tokenizer.vocab_size, model.config.vocab_size
    if pieces > rows or (pieces < rows and layout != "huggingface"):
        raise UserError(f"{path}: the tokenizer has {pieces} pieces and the model "
                        f"{rows}: they do not belong together")


def _check_ends(path: Path, ends: set[int],
                tokenizer: Tokenizer | JsonTokenizer | None) -> None:
    """An answer can end only with a piece that the tokenizer has."""
    largest = max(ends, default=-1)
    if tokenizer is not None and largest >= tokenizer.vocab_size:
        raise UserError(f"{path}: answers end with id {largest}, and the tokenizer has "
                        f"{tokenizer.vocab_size} pieces: put the tokenizer.json of "
                        "this very model there")


def recognise(path: Path) -> tuple[str, Path]:
    """The layout of a checkpoint, and the folder or file to open.

    Raises UserError where nothing that is read here is found.
    """
    if path.is_file():
        return "llama2c", _llama2c_file(path)
    if not path.is_dir():
        raise UserError(f"there is no folder or file {path}")
    if (path / "config.json").exists():
        return "huggingface", path
    if (path / "params.json").exists() or any(path.glob("consolidated.*.pth")):
        return "meta", path
    files = [file for file in sorted(path.glob("*.bin"))
             if not file.name.startswith(NO_WEIGHTS)]
    if len(files) == 1:
        return "llama2c", _llama2c_file(files[0])
    if files:
        raise UserError(f"{path} holds {len(files)} .bin files: name one of them, "
                        f"such as {files[0]}")
    raise UserError(f"{path} is no checkpoint: looked for config.json (Hugging Face), "
                    "params.json (Meta) and a .bin (llama2.c)")


def _llama2c_file(file: Path) -> Path:
    """Refuse, by name, the files that people mistake for a .bin of llama2.c."""
    if file.suffix == ".gguf":
        raise UserError(f"{file} is GGUF, which is written here and not read: open the "
                        "checkpoint that it was made from")
    if file.suffix in (".pth", ".safetensors", ".json", ".model"):
        raise UserError(f"{file} is one part of a checkpoint: give its folder, "
                        f"{file.parent}")
    if zipfile.is_zipfile(file):
        raise UserError(f"{file} holds pickled weights, which are read in Meta's "
                        "layout only: look for a safetensors edition of this model")
    return file


def _tokenizer_model(*folders: Path) -> Tokenizer | None:
    """The first tokenizer.model in these folders."""
    for folder in folders:
        file = folder / "tokenizer.model"
        if file.exists():
            check_file(file, LARGEST_TOKENIZER)
            return Tokenizer.from_sentencepiece(file)
    return None


def _larger_tokenizer(folder: Path, rows: int) -> Tokenizer | JsonTokenizer | None:
    """tokenizer.model, or tokenizer.json where that is alone or knows more pieces.

    Who tunes a model for chats adds marks such as <|im_start|> to tokenizer.json only.
    One with more pieces than the model has ``rows`` was not made for it.
    """
    plain, full = _tokenizer_model(folder), _tokenizer_json(folder)
    if plain is None or full is None:
        return plain or full
    return full if plain.vocab_size < full.vocab_size <= rows else plain


def _tokenizer_json(folder: Path) -> JsonTokenizer | None:
    """The folder's tokenizer.json, with the marks that tokenizer_config.json names."""
    file = folder / "tokenizer.json"
    if not file.exists():
        return None
    settings = read_settings(folder)
    marks = []
    for key in ("bos_token", "eos_token"):
        mark = settings.get(key)
        mark = mark.get("content") if isinstance(mark, dict) else mark
        if mark is not None and not isinstance(mark, str):
            raise UserError(f"{folder / 'tokenizer_config.json'}: {key} is no text")
        marks.append(mark)
    return JsonTokenizer(file, *marks)


def _ends(folder: Path) -> set[int]:
    """The ids that end an answer; a chat model may have several."""
    ends: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        found = read_settings(folder, name).get("eos_token_id")
        listed = found if isinstance(found, list) else [found]
        ends |= {id for id in listed if type(id) is int}
    return ends
