"""From dialogues to rows of equal length.

Short dialogues are packed one behind the other, so that little is wasted on padding;
the paper concatenates them too (section 3.1). Only answers earn a loss. Attention
across packed dialogues stays open, as across documents in pretraining.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..training.data import IGNORED
from .chat import Encoded

PAD = 0  # fills rows on the right; nothing ever looks at it


@dataclass(frozen=True)
class TokenWindows:
    """Rows to learn from. ``targets`` is IGNORED wherever no answer is to be learnt."""

    inputs: Tensor  # (n, length), int64
    targets: Tensor  # (n, length), int64

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.inputs)

    def batches(self, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows once, in an order that the seed alone decides; each (<= size, ·)."""
        generator = torch.Generator().manual_seed(seed)
        for rows in torch.randperm(len(self), generator=generator).split(size):
            yield self.inputs[rows], self.targets[rows]


def pack(examples: Sequence[Encoded], length: int) -> TokenWindows:
    """Pack dialogues into rows of ``length`` inputs, in their order, none cut in two.

    A row takes dialogues as long as they fit, and is then padded. Raises UserError for
    no dialogues, one that no row can hold, and one without an answer. Section 3.1.
    """
    if not examples:
        raise UserError("there are no dialogues to learn from")
    # step 1: one token more than is read, since the last needs a target too
    rows: list[list[int]] = [[]]
    wanted: list[list[bool]] = [[]]
    for number, example in enumerate(examples):
        _check_fits(number, example, length + 1)
        # step 2: a dialogue that no longer fits opens a new row
        if len(rows[-1]) + len(example.ids) > length + 1:
            rows.append([])
            wanted.append([])
        rows[-1] += example.ids
        wanted[-1] += example.is_answer
    # step 3: fill up on the right
    gaps = [length + 1 - len(row) for row in rows]
    tokens = torch.tensor([row + [PAD] * gap for row, gap in zip(rows, gaps)])
    answer = torch.tensor([row + [False] * gap for row, gap in zip(wanted, gaps)])
    # step 4: the target of a token is its successor, if the assistant wrote that
    targets = tokens[:, 1:].masked_fill(~answer[:, 1:], IGNORED)
    return TokenWindows(tokens[:, :-1].contiguous(), targets)


def _check_fits(number: int, example: Encoded, room: int) -> None:
    if len(example.ids) > room:
        raise UserError(f"dialogue {number} has {len(example.ids)} tokens and a row "
                        f"holds {room}: use longer rows or a shorter dialogue")
    if len(example.ids) != len(example.is_answer):
        raise UserError(f"dialogue {number} has {len(example.ids)} tokens and "
                        f"{len(example.is_answer)} marks: each token needs one")
    if not any(example.is_answer[1:]):
        raise UserError(f"dialogue {number} holds no answer, so nothing can be learnt "
                        "from it")


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of any length, padded on the right: tokens (n, longest), lengths (n,)."""
    if not rows or not all(len(row) for row in rows):
        raise UserError("every row needs at least one token")
    tokens = nn.utils.rnn.pad_sequence(
        [torch.tensor(row, dtype=torch.long) for row in rows],
        batch_first=True, padding_value=PAD)
    return tokens, torch.tensor([len(row) for row in rows])


def grouped(keys: Sequence[str]) -> list[list[int]]:
    """The places of equal keys, in the order in which they come first."""
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return list(places.values())


def batches(lengths: Sequence[int], keys: Sequence[str], size: int,
            generator: torch.Generator) -> Iterator[list[int]]:
    """Numbers of rows in batches of ``size``, each once, in random order.

    Rows of equal key come one after another, and share a batch unless its border falls
    between them; so do keys whose longest row is about as long, which saves padding.
    """
    groups = grouped(keys)
    longest = {i: max(lengths[i] for i in mine) for mine in groups for i in mine}
    shuffled = [i for number in torch.randperm(len(groups), generator=generator)
                for i in groups[number]]
    found = []
    for first in range(0, len(shuffled), 8 * size):
        block = sorted(shuffled[first : first + 8 * size], key=longest.__getitem__)
        found += [block[at : at + size] for at in range(0, len(block), size)]
    for number in torch.randperm(len(found), generator=generator):
        yield found[number]
