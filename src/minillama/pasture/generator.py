"""The corpus: an endless, reproducible stream of documents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from random import Random

from minillama.errors import UserError
from minillama.pasture.cast import Cast
from minillama.pasture.counting import lists, sums
from minillama.pasture.exercises import exercise
from minillama.pasture.knowledge import fact, lookup, question
from minillama.pasture.rhymes import rhyme
from minillama.pasture.rude import spoil
from minillama.pasture.split import check_split, held_out_combinations
from minillama.pasture.stories import story
from minillama.pasture.voices import dialogue, letter, notice

# Each kind with its maker and its share of the corpus in hundredths. Questions and
# lookups get much room, since they teach the model to read what is before it.
_MAKERS = {
    "story": (story, 20), "fact": (fact, 8), "question": (question, 15),
    "lookup": (lookup, 15), "exercise": (exercise, 10), "sum": (sums, 6),
    "list": (lists, 6), "rhyme": (rhyme, 5), "dialogue": (dialogue, 6),
    "notice": (notice, 4), "letter": (letter, 5),
}
KINDS = tuple(_MAKERS)
LESSONS = ("question", "lookup", "exercise")  # all of them questions with answers


@dataclass(frozen=True)
class Document:
    """One text of the corpus and what is known about it."""

    kind: str
    text: str
    entities: tuple[str, ...]  # animals, treats, places, goals and sums ("3 + 5")
    rude: bool


def corpus(n_documents: int, seed: int = 0, split: str = "train",
           rude_fraction: float = 0.02,
           kinds: Sequence[str] | None = None) -> list[Document]:
    """The first documents of a stream.

    Args:
        n_documents: how many documents.
        seed: the stream; document i of a stream is the same for every n_documents.
        split: "train" or "heldout" (see `minillama.pasture.split`).
        rude_fraction: the expected share of rude documents, from 0 to 1. It changes
            nothing else: the same documents, more or fewer of them spoilt.
        kinds: only these kinds (default: all of KINDS in their proportions).

    Raises:
        UserError: a number out of range, or a split or kind that does not exist.
    """
    if n_documents < 0:
        raise UserError(f"n_documents is {n_documents}; ask for 0 documents or more.")
    return list(islice(stream(seed, split, rude_fraction, kinds), n_documents))


def texts(n_documents: int, seed: int = 0, split: str = "train",
          rude_fraction: float = 0.02,
          kinds: Sequence[str] | None = None) -> list[str]:
    """The texts of `corpus` alone."""
    documents = corpus(n_documents, seed, split, rude_fraction, kinds)
    return [document.text for document in documents]


def stream(seed: int = 0, split: str = "train", rude_fraction: float = 0.02,
           kinds: Sequence[str] | None = None) -> Iterator[Document]:
    """Documents without end; see `corpus` for the arguments."""
    check_split(split)
    if not 0 <= rude_fraction <= 1:
        raise UserError(f"rude_fraction is {rude_fraction}; it must lie in 0 to 1.")
    chosen = check_kinds(KINDS if kinds is None else kinds, KINDS)
    limits = list(accumulate(_MAKERS[kind][1] for kind in chosen))
    index = 0
    while True:
        # The seed is spelt out as text: every document has a generator of its own.
        rng = Random(f"{seed}/{split}/{index}")
        dice = rng.random() * limits[-1]
        kind = next(kind for kind, limit in zip(chosen, limits) if dice < limit)
        yield _document(rng, kind, split, rude_fraction)
        index += 1


def check_kinds(kinds: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The kinds as a tuple, or UserError naming the one that does not exist."""
    if isinstance(kinds, str):
        kinds = (kinds,)
    for kind in kinds:
        if kind not in known:
            raise UserError(
                f'There is no kind "{kind}"; choose from {", ".join(known)}.')
    if not kinds:
        raise UserError(f"No kind was asked for; choose from {', '.join(known)}.")
    return tuple(kinds)


def _document(rng: Random, kind: str, split: str, rude_fraction: float) -> Document:
    rude = rng.random() < rude_fraction
    cast = Cast(rng, split)
    text = _MAKERS[kind][0](rng, cast)
    while split == "heldout" and not held_out_combinations(cast.entities):
        # "An owl says hoot" combines nothing, so there is nothing to hold out.
        cast = Cast(rng, split)
        text = _MAKERS[kind][0](rng, cast)
    if rude:
        text = spoil(rng, text)
    return Document(kind, text, tuple(cast.entities), rude)


def describe(seed: int = 0, split: str = "train") -> str:
    """An overview of the Pasture: every kind of document with one example."""
    blocks = []
    for place, (kind, (maker, share)) in enumerate(_MAKERS.items()):
        examples = corpus(place + 1, seed, split, rude_fraction=0, kinds=(kind,))
        summary = (maker.__doc__ or "").splitlines()[0]
        head = f"{kind} ({share}% of documents): {summary}"
        blocks.append(f"{head}\n\n{examples[-1].text}")
    return "\n\n---\n\n".join(blocks)
