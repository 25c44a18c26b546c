"""What Mistral 7B changed in Llama 2: a window that slides, and a cache that rolls.

Source: Jiang et al., arXiv 2310.06825, section 2. All else is Llama: the norms, RoPE,
SwiGLU and grouped-query attention, which Mistral has at 7B and Llama 2 from 34B on.
"""

import torch
from torch import Tensor

from .attention import KVCache
from .config import LlamaConfig
from .errors import UserError
from .model import Llama


class Mistral(Llama):
    """A Llama in which every token sees itself and the ``window - 1`` before it.

    What stands further back still arrives, by way of the tokens between: after k
    layers a token may know of k * (window - 1) tokens before it.
    """

    def __init__(self, config: LlamaConfig, window: int) -> None:
        """The weights are those of a Llama of the same configuration."""
        if window < 1:
            raise UserError(f"the window is {window} tokens wide: it is at least 1, "
                            "since a token sees itself")
        super().__init__(config)
        self.window = window

    def _positions(self, tokens: Tensor, cache: KVCache | None
                   ) -> tuple[Tensor, Tensor]:
        positions, causal = super()._positions(tokens, cache)
        if isinstance(cache, RollingCache):
            cache.check(self.window)
            return positions, band_mask(positions, cache.key_positions(positions),
                                        self.window)
        keys = torch.arange(causal.shape[-1], device=positions.device)
        return positions, band_mask(positions, keys, self.window)


def band_mask(queries: Tensor, keys: Tensor, window: int) -> Tensor:
    """True where a query may look: at keys of the ``window`` positions that end with
    its own.

    ``queries`` (..., length) and ``keys`` (..., n_keys) are positions, below zero for
    keys that are not there; returns (..., length, n_keys). Section 2, figure 1.
    """
    # step 1: how far back each key lies
    back = queries.unsqueeze(-1) - keys.unsqueeze(-2)
    # step 2
    return (back >= 0) & (back < window) & (keys >= 0).unsqueeze(-2)


class RollingCache(KVCache):
    """Keys and values of the last ``window`` tokens: position i lies in slot
    i modulo window, over what stood there. Section 2, figure 2.

    However long the text grows, the memory does not.
    """

    def __init__(self, config: LlamaConfig, batch: int, window: int,
                 dtype: torch.dtype = torch.float32,
                 device: torch.device | str = "cpu") -> None:
        """Room for ``window`` tokens in each of ``batch`` rows."""
        super().__init__(config, batch, window, dtype, device)

    @property
    def window(self) -> int:
        """Number of slots."""
        return self.keys.shape[2]

    def check(self, window: int) -> None:
        """Raise UserError where the slots do not hold the window of a model."""
        if self.window < window:
            raise UserError(f"the cache keeps {self.window} tokens and the model sees "
                            f"{window}: make it as wide as the window")

    def key_positions(self, positions: Tensor) -> Tensor:
        """Positions of what ``append`` will return, (batch, window + n_new); below zero
        for slots that are still empty. ``positions`` (batch, n_new) are the new ones.
        """
        slots = torch.arange(self.window, device=positions.device)
        last = self.lengths.unsqueeze(1) - 1  # (batch, 1)
        stored = last - (last - slots) % self.window  # the latest with that remainder
        return torch.cat([stored, positions], dim=1)

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values over the oldest; return what was stored before,
        slot by slot, and the new ones behind it.

        The new ones cannot be read from the slots: the first of many new tokens needs
        keys that the last of them has already written over.
        """
        # step 1: what the new tokens may look at, (batch, window + n_new, ...)
        keys = torch.cat([self.keys[layer], key], dim=1)
        values = torch.cat([self.values[layer], value], dim=1)
        # step 2: of the new ones only the last window stay
        position = self.positions(key.shape[1])[:, -self.window :]
        slot = position % self.window
        row = torch.arange(key.shape[0], device=slot.device).unsqueeze(1)
        self.keys[layer] = self.keys[layer].index_put(
            (row, slot), key[:, -self.window :])
        self.values[layer] = self.values[layer].index_put(
            (row, slot), value[:, -self.window :])
        return keys, values
