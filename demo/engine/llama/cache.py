"""What a Llama remembers: the keys and values of sequences, each in a row of its own, from column 0 on.

Attention reads whole numbers of columns and masks what lies beyond a row's end. What a row gets depends neither on
the rows beside it nor on how its prompt was cut: sums over keys are always blocked in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from demo.engine.llama.network import Attend, Shape

STEP = 64  # columns are read in multiples of this,
SHORT = 384  # and beyond this many, where the matrix library cuts its sums, in multiples of
LONG_STEP = 512  # attention's own block
FIRST_COLUMNS = 256


class Rows:
    """Keys and values [2, layers, rows, heads, columns, head size] in float32; room grows by doubling."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.lengths: list[int] = []
        self.buffer = self._make_room(1, FIRST_COLUMNS)

    def join(self, other: "Rows") -> None:
        """Add the one sequence of `other` as the last row."""
        (length,) = other.lengths
        self.reserve(len(self.lengths) + 1, length)
        self.buffer[:, :, len(self.lengths), :, :length] = other.buffer[:, :, 0, :, :length]
        self.lengths.append(length)

    def leave(self, row: int) -> None:
        """Remove a row; the last takes its place."""
        length = self.lengths.pop()
        if row < len(self.lengths):
            self.buffer[:, :, row, :, :length] = self.buffer[:, :, len(self.lengths), :, :length]
            self.lengths[row] = length

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for so many rows of so many columns."""
        room, wide = self.buffer.shape[2], self.buffer.shape[4]
        if rows <= room and round_up(columns) <= wide:
            return
        while room < rows:
            room *= 2
        while wide < round_up(columns):
            wide *= 2
        used = (slice(None), slice(None), slice(len(self.lengths)), slice(None), slice(max(self.lengths, default=0)))
        old, self.buffer = self.buffer, self._make_room(room, wide)
        self.buffer[used] = old[used]

    def _make_room(self, rows: int, columns: int) -> Tensor:
        # Zeros: what is masked is multiplied by zero, and zero times an uninitialised NaN is NaN.
        return torch.zeros(2, self.shape.layers, rows, self.shape.kv_heads, columns, self.shape.head_size)


def round_up(length: int) -> int:
    """How many columns are read for a row of this length."""
    step = STEP if length <= SHORT else LONG_STEP
    return -(-length // step) * step


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Rows that stand together and are read to the same kind of width: one call of attention."""

    rows: slice
    columns: int
    mask: Tensor  # [rows, 1, 1, columns]


class OneMore(Attend):
    """One new token for every row."""

    def __init__(self, rows: Rows) -> None:
        self.positions = torch.tensor(rows.lengths)
        self._shape = rows.shape
        self._numbers = torch.arange(len(rows.lengths))
        self._neighbours = _find_neighbours([length + 1 for length in rows.lengths])
        rows.reserve(len(rows.lengths), max(rows.lengths) + 1)
        self._buffer = rows.buffer

    def __call__(self, layer: int, heads: Tensor) -> Tensor:
        queries, new = heads[:, : self._shape.heads], heads[:, self._shape.heads :]
        memory = self._buffer[:, layer]
        memory[:, self._numbers, :, self.positions] = new.unflatten(1, (2, -1))
        queries = queries.unflatten(1, (self._shape.kv_heads, -1))
        parts = [self._attend(each, queries, memory) for each in self._neighbours]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _attend(self, each: Neighbours, queries: Tensor, memory: Tensor) -> Tensor:
        keys, values = memory[:, each.rows, :, : each.columns]
        seen = scaled_dot_product_attention(queries[each.rows], keys, values, attn_mask=each.mask)
        return seen.flatten(1)  # [rows, queries · head size]


class Several(Attend):
    """Several new tokens for the one row there is."""

    def __init__(self, rows: Rows, count: int) -> None:
        first = rows.lengths[0]
        self.positions = torch.arange(first, first + count)
        self._shape = rows.shape
        self._columns = round_up(first + count)
        self._mask = _hide(torch.arange(self._columns) > self.positions[:, None])
        rows.reserve(1, first + count)
        self._memory = rows.buffer[:, :, 0]
        self._new = slice(first, first + count)

    def __call__(self, layer: int, heads: Tensor) -> Tensor:
        queries, new = heads[:, : self._shape.heads], heads[:, self._shape.heads :]
        memory = self._memory[:, layer]
        memory[:, :, self._new] = new.unflatten(1, (2, -1)).permute(1, 2, 0, 3)
        queries = queries.unflatten(1, (self._shape.kv_heads, -1)).permute(1, 2, 0, 3)
        keys, values = memory[:, :, None, : self._columns].expand(-1, -1, queries.shape[1], -1, -1)
        seen = scaled_dot_product_attention(queries, keys, values, attn_mask=self._mask)
        return seen.permute(2, 0, 1, 3).flatten(1)  # [tokens, queries · head size]


def _find_neighbours(lengths: Sequence[int]) -> list[Neighbours]:
    found, first = [], 0
    for _, group in groupby(lengths, key=lambda length: length <= SHORT):
        together = list(group)
        columns = round_up(max(together))
        mask = _hide(torch.arange(columns) >= torch.tensor(together)[:, None])
        found.append(Neighbours(slice(first, first + len(together)), columns, mask[:, None, None]))
        first += len(together)
    return found


def _hide(hidden: Tensor) -> Tensor:
    return torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))
