"""KV cache in buffers that never move: each sequence in a slot of its own, from column 0 on.

What a step reads and where it writes is in tensors, since a captured step runs again with the same arguments.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from demo.engines.local.async_copy import send
from demo.engines.local.runners.transformers.padded_kv import RowsCache, RowsLayer

SPARE = 8  # columns that no step sees: to be all of a buffer would be a case of its own for torch.compile


class SlotState:
    """Which part of the buffers a step sees: the first `rows` slots and `columns`; and per slot what it appends where.

    Tensors all, so that what is made for one size of them need not be made again for the next. A slot that is not
    `chosen` is computed as padding: what a step writes there is written over by the slot's next token.
    """

    def __init__(self, rows: int, columns: int, device: torch.device) -> None:
        self._ids = torch.zeros(rows, dtype=torch.long, device=device)
        self._positions = torch.zeros(rows, dtype=torch.long, device=device)
        self._chosen = torch.zeros(rows, dtype=torch.long, device=device)  # 1 for each slot that a step advances
        self._rows = torch.arange(rows, device=device)
        self._columns = torch.arange(columns, device=device)
        self.narrow(rows, columns)

    def narrow(self, rows: int, columns: int) -> None:
        """See the first `rows` and `columns`."""
        self.ids = self._ids[:rows]  # the token that each slot appends next
        self.positions = self._positions[:rows]  # the column in which it belongs
        self.chosen = self._chosen[:rows]
        self.rows = self._rows[:rows]
        self.columns = self._columns[:columns]

    def make_mask(self, dtype: torch.dtype) -> Tensor:
        """[rows, 1, 1, columns], to be added to attention's scores: what lies beyond a slot's new column is hidden."""
        hidden = self.columns > self.positions[:, None]
        return torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, float("-inf"))[:, None, None]

    def advance(self) -> None:
        """Go on to the next column in every chosen slot."""
        self.positions += self.chosen

    def place(self, slot: int, position: int) -> None:
        """Let a slot hold `position` tokens."""
        self._positions[slot] = position

    def choose(self, slots: Iterable[int]) -> None:
        """Advance these slots in the steps that follow, and no others."""
        chosen = torch.zeros(len(self._chosen), dtype=torch.long)
        chosen[list(slots)] = 1
        self._chosen.copy_(send(chosen, self._chosen.device))

    def feed(self, ids: Tensor) -> None:
        """Append these ids [slots] next, from slot 0 on."""
        self._ids[: len(ids)] = ids

    def clear(self) -> None:
        """Let all slots be empty."""
        self._positions.zero_()
        self._chosen.zero_()


class StaticLayer(CacheLayerMixin):
    """One layer's keys and values [slots, heads, columns, head size], of the kind that a prompt's reading gave."""

    keys: Tensor
    values: Tensor
    is_sliding = False
    is_croppable = False

    def __init__(self, state: SlotState, like: RowsLayer) -> None:
        self._state = state
        self.lazy_initialization(like.keys, like.values)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = self._make_room(key_states), self._make_room(value_states)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write one column [rows, heads, 1, head size]; the keys and values that a step sees."""
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

    def _make_room(self, like: Tensor) -> Tensor:
        # Zeros: what is masked is multiplied by zero, and zero times an uninitialised NaN is NaN.
        rows, columns = len(self._state.rows), len(self._state.columns) + SPARE
        return like.new_zeros((rows, like.shape[1], columns, like.shape[3]))


class StaticCache(Cache):
    """`slots` for sequences of up to `columns` tokens.

    `like` are the layers of a prompt that was read: they show how many heads there are, and of which size.
    """

    def __init__(self, slots: int, columns: int, like: Sequence[RowsLayer]) -> None:
        self.state = SlotState(slots, columns, like[0].keys.device)
        self.slots = slots
        self.columns = columns
        self._static = [StaticLayer(self.state, layer) for layer in like]
        self._used: set[int] = set()
        self._tokens = np.zeros(slots, dtype=np.int64)  # of each slot in use
        self._written = np.zeros(slots, dtype=np.int64)  # columns that may hold something else than zeros
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
        """Put the one sequence that `layers` hold, of which the first `length` tokens count, into a free slot."""
        slot = min(set(range(self.slots)) - self._used)  # the lowest: a step computes all up to the highest
        read = (
            each[0, :, layer.start : layer.start + length] for layer in layers for each in (layer.keys, layer.values)
        )
        for buffer, columns in zip(self._buffers(), read, strict=True):
            buffer[slot, :, :length] = columns
            buffer[slot, :, length : self._written[slot]] = 0  # it may be NaN, which no mask hides
        self._used.add(slot)
        self._written[slot] = self._tokens[slot] = length
        self.state.place(slot, length)
        return slot

    def leave(self, slot: int) -> None:
        """Free a slot. The others keep theirs, and nothing is copied."""
        self._used.remove(slot)
        if self._tokens[slot] >= self.columns:
            self.state.place(slot, self.columns - 1)  # beyond the last column there is no position to compute
        self._written[slot] = max(self._written[slot], self._tokens[slot] + 1)  # as padding it wrote one more

    def copy_columns(self, slot: int, tokens: int) -> RowsCache:
        """A cache of the first `tokens` that a slot holds, also when it has been freed and not been used since."""
        copy = RowsCache()
        for index, layer in enumerate(self._static):
            copy.update(layer.keys[slot : slot + 1, :, :tokens], layer.values[slot : slot + 1, :, :tokens], index)
        return copy

    def choose(self, slots: frozenset[int]) -> None:
        """Let the steps that follow append a token to these slots."""
        if slots != self._chosen:
            self._chosen = slots
            self._index = np.fromiter(slots, dtype=np.int64)
            self.state.choose(slots)

    def grow(self) -> None:
        """Count the column that a step has written in every chosen slot."""
        self._tokens[self._index] += 1

    def clear(self) -> None:
        """Free all slots, whatever they hold."""
        self.state.clear()
        self._used.clear()
        self._chosen, self._index = frozenset(), self._index[:0]
        self._written[:] = self.columns

    def _buffers(self) -> Iterator[Tensor]:
        for layer in self._static:
            yield from (layer.keys, layer.values)
