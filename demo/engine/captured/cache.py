"""KV cache rows in buffers that never move: each sequence in a row of its own, from column 0 on.

What a step reads and where it writes is in tensors, since a captured step runs again with the same arguments.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from demo.engine.general.cache import RowsLayer


class Window:
    """Which part of the buffers a step sees, and the column [rows] in which each row's next token belongs."""

    def __init__(self, rows: int, columns: int, device: torch.device) -> None:
        self.rows, self.columns = rows, columns
        self.positions = torch.zeros(rows, dtype=torch.long, device=device)
        self._taken = torch.zeros(rows, dtype=torch.long, device=device)  # 1 for rows in use: the others stay at 0
        self._numbers = torch.arange(rows, device=device)
        self._columns = torch.arange(columns, device=device)

    @property
    def targets(self) -> tuple[Tensor, slice, Tensor]:
        """Where in a buffer the step's new columns belong."""
        return self._numbers[: self.rows], slice(None), self.positions[: self.rows]

    def make_mask(self, dtype: torch.dtype) -> Tensor:
        """[rows, 1, 1, columns], to be added to attention's scores: what lies beyond a row's new column is hidden."""
        hidden = self._columns[: self.columns] > self.positions[: self.rows, None]
        return torch.zeros_like(hidden, dtype=dtype).masked_fill(hidden, float("-inf"))[:, None, None]

    def advance(self) -> None:
        """Go on to the next column in every row in use."""
        self.positions += self._taken

    def take(self, row: int, position: int) -> None:
        """Begin to use a row that holds `position` tokens."""
        self.positions[row], self._taken[row] = position, 1

    def free(self, row: int) -> None:
        """End the use of a row."""
        self.positions[row], self._taken[row] = 0, 0


class StaticLayer(CacheLayerMixin):
    """One layer's keys and values [rows, heads, columns, head size], of the kind that a prompt's reading gave."""

    keys: Tensor
    values: Tensor
    is_sliding = False
    is_croppable = False

    def __init__(self, window: Window, like: RowsLayer) -> None:
        self._window = window
        self.lazy_initialization(like.keys, like.values)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.keys, self.values = self._make_room(key_states), self._make_room(value_states)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write one column [rows, heads, 1, head size]; the keys and values that the window shows."""
        self.keys[self._window.targets] = key_states[:, :, 0]
        self.values[self._window.targets] = value_states[:, :, 0]
        rows, columns = self._window.rows, self._window.columns
        return self.keys[:rows, :, :columns], self.values[:rows, :, :columns]

    def get_seq_length(self) -> int:
        return self._window.columns - 1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._window.columns, 0

    def get_max_length(self) -> int:
        return self.keys.shape[2]

    def _make_room(self, like: Tensor) -> Tensor:
        # Zeros: what is masked is multiplied by zero, and zero times an uninitialised NaN is NaN.
        return like.new_zeros((self._window.rows, like.shape[1], self._window.columns, like.shape[3]))


class StaticCache(Cache):
    """Room for `rows` sequences of up to `columns` tokens. `lengths` counts the tokens of each row in use.

    `like` are the layers of a prompt that was read: they show how many heads there are, and of which size.
    """

    def __init__(self, rows: int, columns: int, like: Sequence[RowsLayer]) -> None:
        self.window = Window(rows, columns, like[0].keys.device)
        self.lengths: list[int] = []
        self.room = rows
        self.columns = columns
        self._static = [StaticLayer(self.window, layer) for layer in like]
        self._written = [0] * rows  # columns of each row that may hold something else than zeros
        super().__init__(layers=list(self._static))

    def join(self, layers: Sequence[RowsLayer], length: int) -> None:
        """Add the one sequence that `layers` hold, `length` tokens long, as the last row."""
        row = len(self.lengths)
        for mine, theirs in zip(self._static, layers, strict=True):
            for to, source in ((mine.keys, theirs.keys), (mine.values, theirs.values)):
                to[row, :, :length] = source[0, :, theirs.start : theirs.end]
                to[row, :, length : self._written[row]] = 0  # it may be NaN, which no mask hides
        self.lengths.append(length)
        self._written[row] = length
        self.window.take(row, length)

    def leave(self, row: int) -> None:
        """Remove a row; the last takes its place."""
        last, length = len(self.lengths) - 1, self.lengths[-1]
        for freed in (row, last):
            self._written[freed] = max(self._written[freed], self.lengths[freed])
        if row < last:
            self._move(last, row, length)
        self.lengths.pop()
        self.window.free(last)

    def grow(self) -> None:
        """Count the column that a step writes in every row."""
        self.lengths = [length + 1 for length in self.lengths]

    def clear(self) -> None:
        """Free all rows, whatever they hold."""
        for row in range(self.room):
            self.window.free(row)
        self.lengths = []
        self._written = [self.columns] * self.room

    def _move(self, row: int, to: int, length: int) -> None:
        for layer in self._static:
            for buffer in (layer.keys, layer.values):
                buffer[to, :, :length] = buffer[row, :, :length]
        self.lengths[to] = length
        self._written[to] = max(self._written[to], length)
        self.window.take(to, length)
