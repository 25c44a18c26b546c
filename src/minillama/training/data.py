"""From documents to batches.

Documents are joined into one long stream, each between a begin and an end mark, and
the stream is cut into windows of equal length, so that no token is wasted on padding.
A window may hold the end of one document and the beginning of the next. The model
must not be asked to foresee an unrelated document: the target that crosses a border
is masked. Attention across a border stays open; the paper does not say how it did.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UserError
from ..tokenizer import Tokenizer

IGNORED = -100  # a target that earns no loss; torch's own default


@dataclass(frozen=True)
class TokenStream:
    """All documents in a row. ``tokens`` is (n_tokens,), int64, or what can be cut like
    it without being read whole (shards.py).

    ``learnt`` (n_tokens,) is true for the tokens that earn a loss; None means all.
    """

    tokens: Tensor
    bos_id: int
    learnt: Tensor | None = None

    @staticmethod
    def encode(texts: Iterable[str], tokenizer: Tokenizer) -> "TokenStream":
        """Encode documents and join them, each as ``<s> ... </s>``."""
        ids: list[int] = []
        for text in texts:
            ids += tokenizer.encode(text, bos=True, eos=True)
        return TokenStream(torch.tensor(ids, dtype=torch.long), tokenizer.bos_id)

    def answers_only(self, tokenizer: Tokenizer) -> "TokenStream":
        """The same text, of which only answers are learnt: what stands behind
        "Answer:", up to and with the end of its line."""
        newline = tokenizer.encode("a\n")[-1]
        # pieces of a line that is not a text's first, which would get a mark in front
        asked = tokenizer.encode("a\nAnswer:")
        mark = asked[asked.index(newline) + 1 :]
        place = torch.arange(len(self.tokens))
        begins = torch.zeros_like(place)
        for back, id in enumerate(reversed(mark)):
            begins[back:] += self.tokens[: len(place) - back] == id
        ends = (self.tokens == newline) | (self.tokens == tokenizer.eos_id)
        begun = torch.where(begins == len(mark), place, -1).cummax(0).values
        # a token is part of an answer if no line ended since the answer began
        before = torch.where(ends, place, -1).cummax(0).values
        ended = torch.cat([before.new_tensor([-1]), before[:-1]])
        return TokenStream(self.tokens, self.bos_id, (begun > ended) & (place > begun))

    def n_windows(self, length: int) -> int:
        """How many windows of ``length`` targets the stream holds."""
        return (len(self.tokens) - 1) // length

    def window(self, index: int, length: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of one window, each (length,)."""
        # step 1: one token more than is read, since the last needs a target too
        cut = self.tokens[index * length : (index + 1) * length + 1]
        inputs, targets = cut[:-1], cut[1:].clone()
        # step 2: what follows an end mark is another document's beginning
        targets[targets == self.bos_id] = IGNORED
        # step 3: and not all that is read need be learnt
        if self.learnt is not None:
            chosen = self.learnt[index * length + 1 : (index + 1) * length + 1]
            targets[~chosen] = IGNORED
        return inputs, targets

    def order(self, step: int, size: int, length: int, seed: int = 0) -> list[int]:
        """Which windows make the batch of a step: a function of step and seed alone.

        Every window comes once before any comes twice. Since the order follows from
        the step, a resumed run needs to remember nothing else.
        """
        n = self.n_windows(length)
        if n < 1:
            raise UserError(f"the text has {len(self.tokens)} tokens, too few for one "
                            f"window of {length}: give more text or a shorter window")
        return [int(_shuffled(n, seed, place // n)[place % n])
                for place in range(step * size, (step + 1) * size)]

    def batch(self, step: int, size: int, length: int, seed: int = 0
              ) -> tuple[Tensor, Tensor]:
        """The batch of a step, each (size, length)."""
        rows = [self.window(index, length)
                for index in self.order(step, size, length, seed)]
        inputs, targets = zip(*rows)
        return torch.stack(inputs), torch.stack(targets)

    def digest(self) -> str:
        """SHA-256 of the tokens as int64, by which a resumed run knows its text."""
        return hashlib.sha256(self.tokens.numpy().tobytes()).hexdigest()


_ORDERS: dict[tuple[int, int, int], Tensor] = {}


def _shuffled(n: int, seed: int, epoch: int) -> Tensor:
    """The order of windows in an epoch, (n,)."""
    key = (n, seed, epoch)
    if key not in _ORDERS:
        if len(_ORDERS) > 8:
            _ORDERS.clear()
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        _ORDERS[key] = torch.randperm(n, generator=generator)
    return _ORDERS[key]
