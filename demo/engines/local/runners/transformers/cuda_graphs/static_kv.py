"""KV cache rows in buffers that never move: each sequence in a row of its own, from column 0 on.

What a step reads and where it writes is in tensors, since a captured step runs again with the same arguments.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from demo.engines.local.runners.transformers.padded_kv import RowsCache, RowsLayer

SPARE = 8  # columns that no window shows: to be all of a buffer would be a case of its own for torch.compile


class SlotState:
    """Which part of the buffers a step sees: `rows`, `columns`, and the column in which each row's next token belongs.

    Tensors all three, so that what is made for one size of them need not be made again for the next.
    """

    def __init__(self, rows: int, columns: int, device: torch.device) -> None:
        self._positions = torch.zeros(rows, dtype=torch.long, device=device)
        self._taken = torch.zeros(rows, dtype=torch.long, device=device)  # 1 for rows in use: the others stay at 0
        self._rows = torch.arange(rows, device=device)
        self._columns = torch.arange(columns, device=device)
        self.narrow(rows, columns)

    def narrow(self, rows: int, columns: int) -> None:
        """See the first `rows` and `columns`."""
        self.positions = self._positions[:rows]
        self.rows = self._rows[:rows]
        self.columns = self._columns[:columns]

    def make_mask(self, dtype: torch.dtype) -> Tensor:
        """[rows, 1, 1, columns], to be added to attention's scores: what lies beyond a row's new column is hidden."""
        hidden = self.columns > self.positions[:, None]
        return torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, float("-inf"))[:, None, None]

    def advance(self) -> None:
        """Go on to the next column in every row in use."""
        self._positions += self._taken

    def take(self, row: int, position: int) -> None:
        """Begin to use a row that holds `position` tokens."""
        self._positions[row], self._taken[row] = position, 1

    def free(self, row: int) -> None:
        """End the use of a row."""
        self._positions[row], self._taken[row] = 0, 0

    def clear(self) -> None:
        """End the use of all rows."""
        self._positions.zero_()
        self._taken.zero_()


class StaticLayer(CacheLayerMixin):
    """One layer's keys and values [rows, heads, columns, head size], of the kind that a prompt's reading gave."""

    keys: Tensor
    values: Tensor
    is_sliding = False
    is_croppable = False

    def __init__(self, window: SlotState, like: RowsLayer) -> None:
        self._window = window
        self.lazy_initialization(like.keys, like.values)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = self._make_room(key_states), self._make_room(value_states)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write one column [rows, heads, 1, head size]; the keys and values that the window shows."""
        window = self._window
        self.keys[window.rows, :, window.positions] = key_states[:, :, 0]
        self.values[window.rows, :, window.positions] = value_states[:, :, 0]
        rows, columns = len(window.rows), len(window.columns)
        return self.keys[:rows, :, :columns], self.values[:rows, :, :columns]

    def get_seq_length(self) -> int:
        return len(self._window.columns) - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return len(self._window.columns), 0

    def get_max_length(self) -> int:
        return self.keys.shape[2]

    def _make_room(self, like: Tensor) -> Tensor:
        # Zeros: what is masked is multiplied by zero, and zero times an uninitialised NaN is NaN.
        rows, columns = len(self._window.rows), len(self._window.columns) + SPARE
        return like.new_zeros((rows, like.shape[1], columns, like.shape[3]))


class StaticCache(Cache):
    """Room for `rows` sequences of up to `columns` tokens. `lengths` counts the tokens of each row in use.

    `like` are the layers of a prompt that was read: they show how many heads there are, and of which size.
    """

    def __init__(self, rows: int, columns: int, like: Sequence[RowsLayer]) -> None:
        self.window = SlotState(rows, columns, like[0].keys.device)
        self.lengths: list[int] = []
        self.room = rows
        self.columns = columns
        self._static = [StaticLayer(self.window, layer) for layer in like]
        self._written = [0] * rows  # columns of each row that may hold something else than zeros
        super().__init__(layers=list(self._static))

    def join(self, layers: Sequence[RowsLayer], length: int) -> None:
        """Add the one sequence that `layers` hold, of which the first `length` tokens count, as the last row."""
        self.lengths.append(length)
        columns = (
            each[0, :, layer.start : layer.start + length] for layer in layers for each in (layer.keys, layer.values)
        )
        self._fill(len(self.lengths) - 1, columns, length)

    def leave(self, row: int) -> None:
        """Remove a row; the last takes its place."""
        last, length = len(self.lengths) - 1, self.lengths[-1]
        for freed in (row, last):
            self._written[freed] = max(self._written[freed], self.lengths[freed])
        if row < last:
            self.lengths[row] = length
            self._fill(row, (buffer[last, :, :length] for buffer in self._buffers()), length)
        self.lengths.pop()
        self.window.free(last)

    def copy_row(self, row: int) -> RowsCache:
        """A cache of one row's sequence alone, which may join again."""
        copy, length = RowsCache(), self.lengths[row]
        for index, layer in enumerate(self._static):
            copy.update(layer.keys[row : row + 1, :, :length], layer.values[row : row + 1, :, :length], index)
        return copy

    def grow(self) -> None:
        """Count the column that a step writes in every row."""
        self.lengths = [length + 1 for length in self.lengths]

    def clear(self) -> None:
        """Free all rows, whatever they hold."""
        self.window.clear()
        self.lengths = []
        self._written = [self.columns] * self.room

    def _fill(self, row: int, columns: Iterable[Tensor], length: int) -> None:
        """Put into a row what each buffer shall hold there [heads, length, head size], and begin to use it."""
        for buffer, held in zip(self._buffers(), columns, strict=True):
            buffer[row, :, :length] = held
            buffer[row, :, length : self._written[row]] = 0  # it may be NaN, which no mask hides
        self._written[row] = length
        self.window.take(row, length)

    def _buffers(self) -> Iterator[Tensor]:
        for layer in self._static:
            yield from (layer.keys, layer.values)
