"""Static KV cache: buffers that never move, in which each sequence has a slot, from column 0 on.

A captured step runs again with the same arguments, so tensors say what it reads and where it writes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from demo.engines.local.async_copy import send
from demo.engines.local.runners.transformers.padded_kv import RowsCache, RowsLayer

SPARE = 8  # columns that no step sees: torch.compile would specialise on a view of the whole buffer


class SlotState:
    """The part of the buffers that a step sees, the first `rows` and `columns`, and what it appends to each slot.

    Slots that are not `chosen` are computed as padding: their next token overwrites the column that a step writes.
    """

    def __init__(self, rows: int, columns: int, device: torch.device) -> None:
        # `chosen` is 1 for each slot that a step advances, else 0.
        self._ids, self._positions, self._chosen = (
            torch.zeros(rows, dtype=torch.long, device=device) for _ in range(3)
        )
        self._rows = torch.arange(rows, device=device)
        self._columns = torch.arange(columns, device=device)
        self.narrow(rows, columns)

    def narrow(self, rows: int, columns: int) -> None:
        self.ids = self._ids[:rows]  # the token that each slot appends next
        self.positions = self._positions[:rows]  # the column in which it belongs
        self.chosen = self._chosen[:rows]
        self.rows = self._rows[:rows]
        self.columns = self._columns[:columns]

    def make_mask(self, dtype: torch.dtype) -> Tensor:
        """[rows, 1, 1, columns], added to attention's scores: columns after a slot's new one are hidden."""
        hidden = self.columns > self.positions[:, None]
        return torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, float("-inf"))[:, None, None]

    def advance(self) -> None:
        """Move every chosen slot to its next column."""
        self.positions += self.chosen

    def place(self, slot: int, position: int) -> None:
        """Set the number of tokens in a slot."""
        self._positions[slot] = position

    def choose(self, slots: Iterable[int]) -> None:
        """Let the following steps advance these slots only."""
        chosen = torch.zeros(len(self._chosen), dtype=torch.long)
        chosen[list(slots)] = 1
        self._chosen.copy_(send(chosen, self._chosen.device))

    def feed(self, ids: Tensor) -> None:
        """Set the ids [slots] that the next step appends, from slot 0 on."""
        self._ids[: len(ids)] = ids

    def clear(self) -> None:
        self._positions.zero_()
        self._chosen.zero_()


class StaticLayer(CacheLayerMixin):
    """One layer's keys and values [slots, heads, columns, head size], with heads, sizes and dtype of `like`."""

    keys: Tensor
    values: Tensor
    is_sliding = False
    is_croppable = False

    def __init__(self, state: SlotState, like: RowsLayer) -> None:
        self._state = state
        self.lazy_initialization(like.keys, like.values)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        # Zeros, since a weight of zero times an uninitialised NaN is NaN.
        rows, columns = len(self._state.rows), len(self._state.columns) + SPARE
        self.keys, self.values = (
            like.new_zeros((rows, like.shape[1], columns, like.shape[3])) for like in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write one column [rows, heads, 1, head size]; returns the keys and values that a step sees."""
        state = self._state
        self.keys[state.rows, :, state.positions] = key_states[:, :, 0]
        self.values[state.rows, :, state.positions] = value_states[:, :, 0]
        rows, columns = len(state.rows), len(state.columns)
        return self.keys[:rows, :, :columns], self.values[:rows, :, :columns]

    def get_seq_length(self) -> int:
        return len(self._state.columns) - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return len(self._state.columns), 0

    def get_max_length(self) -> int:
        return self.keys.shape[2]


class StaticCache(Cache):
    """`slots` for sequences of up to `columns` tokens.

    `like` are the layers of any prompt that was read: the buffers take heads, sizes and dtype from them.
    """

    def __init__(self, slots: int, columns: int, like: Sequence[RowsLayer]) -> None:
        self.state = SlotState(slots, columns, like[0].keys.device)
        self.slots = slots
        self.columns = columns
        self._static = [StaticLayer(self.state, layer) for layer in like]
        self._used: set[int] = set()
        self._tokens = np.zeros(slots, dtype=np.int64)  # of each slot in use
        self._written = np.zeros(slots, dtype=np.int64)  # columns that may not be zeros
        self._chosen: frozenset[int] = frozenset()
        self._index = np.empty(0, dtype=np.int64)  # the same slots
        super().__init__(layers=list(self._static))

    @property
    def lengths(self) -> dict[int, int]:
        """How many tokens each slot in use holds."""
        return {slot: int(self._tokens[slot]) for slot in sorted(self._used)}

    @property
    def longest(self) -> int:
        """The tokens of the longest chosen slot."""
        return int(self._tokens[self._index].max(initial=0))

    def join(self, layers: Sequence[RowsLayer], length: int) -> int:
        """Copy the first `length` tokens of the one sequence in `layers` into a free slot; returns the slot."""
        slot = min(set(range(self.slots)) - self._used)  # the lowest, since a step computes all up to the highest
        read = (
            each[0, :, layer.start : layer.start + length] for layer in layers for each in (layer.keys, layer.values)
        )
        buffers = (each for layer in self._static for each in (layer.keys, layer.values))
        for buffer, columns in zip(buffers, read, strict=True):
            buffer[slot, :, :length] = columns
            buffer[slot, :, length : self._written[slot]] = 0  # these columns may be NaN, which no mask hides
        self._used.add(slot)
        self._written[slot] = self._tokens[slot] = length
        self.state.place(slot, length)
        return slot

    def leave(self, slot: int) -> None:
        """Free a slot without a copy."""
        self._used.remove(slot)
        if self._tokens[slot] >= self.columns:
            self.state.place(slot, self.columns - 1)  # there is no column for its padding after the last one
        self._written[slot] = max(self._written[slot], self._tokens[slot] + 1)  # with the column of its padding

    def copy_columns(self, slot: int, tokens: int) -> RowsCache:
        """A copy of the first `tokens` of a slot, which may have been freed, but not been used since."""
        copy = RowsCache()
        for index, layer in enumerate(self._static):
            copy.update(layer.keys[slot : slot + 1, :, :tokens], layer.values[slot : slot + 1, :, :tokens], index)
        return copy

    def choose(self, slots: frozenset[int]) -> None:
        """Let the following steps append a token to these slots."""
        if slots != self._chosen:
            self._chosen = slots
            self._index = np.fromiter(slots, dtype=np.int64)
            self.state.choose(slots)

    def grow(self) -> None:
        """Count the column that a step has written in every chosen slot."""
        self._tokens[self._index] += 1

    def clear(self) -> None:
        self.state.clear()
        self._used.clear()
        self._chosen, self._index = frozenset(), self._index[:0]
        self._written[:] = self.columns
