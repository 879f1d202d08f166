"""Padded KV cache: sequences are rows that join and leave between steps.

All rows end at the same column and are padded on the left, so that a step appends one column to all. Buffers grow by
doubling; a step copies nothing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

MIN_FREE = 64  # columns after a reallocation


class RowsLayer(CacheLayerMixin):
    """One layer's keys and values: columns `start:end` of buffers [rows or more, heads, columns, head size]."""

    keys: Tensor
    values: Tensor
    is_sliding = False
    is_croppable = False
    rows = 0
    start = 0
    end = 0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # transformers leaves it so

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.rows = len(key_states)
        self.keys = _zeros_like(key_states, self.rows, 0)
        self.values = _zeros_like(value_states, self.rows, 0)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append columns [rows, heads, new, head size]; returns views of all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        new = key_states.shape[2]
        if self.end + new > self.keys.shape[2]:
            self._resize(self.rows, left=0, right=max(new, self.get_seq_length()) + MIN_FREE)
        self.keys[: self.rows, :, self.end : self.end + new] = key_states
        self.values[: self.rows, :, self.end : self.end + new] = value_states
        self.end += new
        return self._window(self.keys), self._window(self.values)

    def join(self, other: "RowsLayer") -> None:
        """Add the single sequence of `other` as the last row."""
        length = other.get_seq_length()
        if self.rows == len(self.keys) or length > self.end:
            self._resize(max(2 * self.rows, 4), left=max(0, length - self.get_seq_length()), right=MIN_FREE)
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
            mine[self.rows, :, self.end - length : self.end] = theirs[0, :, other.start : other.end]
        self.start = min(self.start, self.end - length)
        self.rows += 1

    def leave(self, row: int, longest: int) -> None:
        """Remove a row; the last takes its place. `longest` is the length of the longest that stays."""
        self.rows -= 1
        for buffer in (self.keys, self.values):
            buffer[row] = buffer[self.rows]
            buffer[self.rows] = 0  # it may be NaN, and become another row's padding
        self.start = self.end - longest

    def copy_row(self, row: int, length: int, tokens: int) -> "RowsLayer":
        """A copy of one row: the first `tokens` of its last `length` columns."""
        copy = RowsLayer()
        if self.is_initialized:
            columns = slice(self.end - length, self.end - length + tokens)
            copy.update(self.keys[row : row + 1, :, columns], self.values[row : row + 1, :, columns])
        return copy

    def get_seq_length(self) -> int:
        return self.end - self.start

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def _window(self, buffer: Tensor) -> Tensor:
        return buffer[: self.rows, :, self.start : self.end]

    def _resize(self, rows: int, left: int, right: int) -> None:
        """Copy the columns to new buffers with `left` and `right` free columns around them."""
        length = self.get_seq_length()
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = _zeros_like(old, rows, left + length + right)
            new[: self.rows, :, left : left + length] = self._window(old)
            setattr(self, name, new)
        self.start, self.end = left, left + length


class RowsCache(Cache):
    """The cache of a batch, or of one sequence that will join it: the `lengths` and the `owners` of its rows."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=RowsLayer)
        self.lengths: list[int] = []
        self.owners: list[object] = []

    def join(self, other: "RowsCache", length: int, owner: object = None) -> None:
        """Add the one sequence of `other`, `length` tokens long, as the last row. `other` must not be used again."""
        if not self.lengths:
            self.layers = other.layers
        else:
            for mine, theirs in zip(self.filled(), other.filled(), strict=True):
                mine.join(theirs)
        self.lengths.append(length)
        self.owners.append(owner)

    def leave(self, row: int) -> None:
        """Remove a row; the last one takes its place."""
        self.lengths[row], self.owners[row] = self.lengths[-1], self.owners[-1]
        del self.lengths[-1], self.owners[-1]
        if not self.lengths:
            self.layers = []
        for layer in self.filled():
            layer.leave(row, max(self.lengths))

    def park(self, row: int) -> "RowsCache":
        """Remove a row; the last one takes its place. Returns a cache of that sequence, ready to join."""
        if len(self.lengths) == 1:
            parked = RowsCache()
            parked.layers, parked.lengths = self.layers, self.lengths[:]
        else:
            parked = self.copy_row(row, self.lengths[row])
        self.leave(row)
        return parked

    def copy_row(self, row: int, tokens: int) -> "RowsCache":
        """A copy of the first `tokens` of one row, ready to join."""
        copy, length = RowsCache(), self.lengths[row]
        copy.layers = [layer.copy_row(row, length, tokens) for layer in self.layers if isinstance(layer, RowsLayer)]
        copy.lengths = [tokens]
        return copy

    def count_bytes(self) -> int:
        """Bytes of one token."""
        return sum(
            each.shape[1] * each.shape[3] * each.element_size()
            for layer in self.filled()
            for each in (layer.keys, layer.values)
        )

    def padding_mask(self, new: int) -> Tensor | None:
        """[rows, longest + new], 1 for a token and 0 for padding, with `new` columns more; None without padding."""
        longest = max(self.lengths, default=0)
        if all(length == longest for length in self.lengths):
            return None
        columns = torch.arange(longest + new)
        return (columns[None, :] >= longest - torch.tensor(self.lengths)[:, None]).long()

    def grow(self, new: int) -> None:
        """Count `new` columns that a forward pass has appended to every row."""
        self.lengths = [length + new for length in self.lengths]

    def filled(self) -> Sequence[RowsLayer]:
        """The layers that have been initialised."""
        return [layer for layer in self.layers if isinstance(layer, RowsLayer) and layer.is_initialized]


def _zeros_like(states: Tensor, rows: int, columns: int) -> Tensor:
    # Zeros, since a weight of zero times an uninitialised NaN is NaN.
    return states.new_zeros((rows, states.shape[1], columns, states.shape[3]))
