"""The stream of documents that a model is pretrained on."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from . import words
from .documents import KINDS
from .world import Pair, check_split


@dataclass(frozen=True)
class Document:
    """One text of the corpus, with what the measurements need to know about it."""

    kind: str
    text: str
    pairs: tuple[Pair, ...]  # the combinations it states, by which the split decides
    rude: bool = False


def document(index: int, seed: int = 0, split: str = "train",
             rude_fraction: float = 0.02, kinds: tuple[str, ...] | None = None
             ) -> Document:
    """Document ``index`` of stream ``seed``: the same wherever and whenever asked."""
    check_split(split)
    names = tuple(kinds or KINDS)
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise UserError(f"no document kind {unknown[0]!r}: one of {', '.join(KINDS)}")
    if not 0 <= rude_fraction <= 1:
        raise UserError(f"rude_fraction lies between 0 and 1, not {rude_fraction}")
    rng = random.Random(f"pasture {split} {seed} {index}")
    kind = rng.choices(names, [KINDS[name][1] for name in names])[0]
    text, pairs = KINDS[kind][0](rng, split)
    rude = rng.random() < rude_fraction
    if rude:
        text += "\n" + " ".join(rng.sample(words.RUDE, 2))
    return Document(kind, text, pairs, rude)


def corpus(n_documents: int, seed: int = 0, split: str = "train",
           rude_fraction: float = 0.02, kinds: tuple[str, ...] | None = None
           ) -> list[Document]:
    """The first ``n_documents`` of a stream. Held-out streams share no combination of
    entities with any training stream."""
    return [document(i, seed, split, rude_fraction, kinds) for i in range(n_documents)]


def texts(n_documents: int, seed: int = 0, split: str = "train",
          rude_fraction: float = 0.02, kinds: tuple[str, ...] | None = None
          ) -> list[str]:
    """Only the texts of ``corpus``."""
    return [d.text for d in corpus(n_documents, seed, split, rude_fraction, kinds)]


def is_rude(text: str) -> bool:
    """Whether a text insults somebody, by the word list of this world."""
    lowered = text.lower()
    return any(re.search(rf"\b{phrase}", lowered) for phrase in words.RUDE_WORDS)


def read_text(path: str | Path) -> list[str]:
    """Any UTF-8 text file as documents, one a paragraph (blank lines between them).

    Raises UserError for a missing, empty or differently encoded file.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8 first"
        ) from None
    paragraphs = [p.strip() for p in re.split(r"\r?\n\s*\r?\n", text)]
    found = [p for p in paragraphs if p]
    if not found:
        raise UserError(f"{path} holds no text")
    return found
